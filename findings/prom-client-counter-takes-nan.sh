#!/usr/bin/env bash
# prom-client: one inc(NaN) ends a counter: every later value is NaN.
#
# Expected: inc() refuses what is no number, as it does for Infinity, a negative number and text ("Value is not a valid
#   number"), or ignores it. Prometheus takes a counter for a value that only rises.
# Happens: NaN alone passes the check; the counter is NaN until the process ends, whatever is added later.
# Who is hurt: a counter of bytes or seconds that adds one bad division: rate() of it is gone until the next restart.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact prom-client@15.1.3
cat > show.cjs <<'EOF'
const client = require('prom-client');
console.log('prom-client 15.1.3');
(async () => {
  let changed = false;
  for (const [bad, known] of [[Infinity, 'refused, then 3'], ['1', 'refused, then 3'], [-1, 'refused, then 3'], [NaN, 'taken, then NaN']]) {
    const registry = new client.Registry();
    const counter = new client.Counter({ name: 'bytes_total', help: 'bytes', registers: [registry] });
    counter.inc(1);
    let seen = 'taken';
    try { counter.inc(bad); } catch (error) { seen = 'refused'; }
    counter.inc(2);
    seen += `, then ${(await counter.get()).values[0].value}`;
    console.log(`inc(1), inc(${typeof bad === 'string' ? `'${bad}'` : bad}), inc(2): ${seen}`);
    changed ||= seen !== known;
  }
  if (changed) { console.log('CHANGED'); process.exit(1); }
})();
EOF
node show.cjs
