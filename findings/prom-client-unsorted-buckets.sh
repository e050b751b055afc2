#!/usr/bin/env bash
# prom-client takes the buckets of a histogram in any order, and counts wrong in all but the rising one.
#
# Expected: buckets are sorted or refused: Python's prometheus_client says "Buckets not in sorted order". In the text
#   format each bucket counts all observations up to its bound.
# Happens: with [5, 1, 2], two observations 1 and 3 give le="1" 2 and le="2" 2. A bound of Infinity makes two last
#   buckets, le="Infinity" and le="+Inf".
# Who is hurt: whoever adds a bound at the end of the list: histogram_quantile() answers, with wrong figures.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact prom-client@15.1.3
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check prometheus_client==0.26.0
cat > show.cjs <<'EOF'
const client = require('prom-client');
console.log('prom-client 15.1.3');
(async () => {
  let changed = false;
  for (const [buckets, known] of [
    [[1, 2, 5], '1: 1, 2: 1, 5: 2, +Inf: 2'],
    [[5, 1, 2], '5: 2, 1: 2, 2: 2, +Inf: 2'],
    [[1, Infinity], '1: 1, Infinity: 2, +Inf: 2'],
  ]) {
    const registry = new client.Registry();
    const histogram = new client.Histogram({ name: 'seconds', help: 'seconds', buckets, registers: [registry] });
    histogram.observe(1);
    histogram.observe(3);
    const seen = [...(await registry.metrics()).matchAll(/le="([^"]+)"} (\d+)/g)].map(([, le, n]) => `${le}: ${n}`).join(', ');
    console.log(`buckets [${buckets}], observed 1 and 3: ${seen}`);
    changed ||= seen !== known;
  }
  if (changed) { console.log('CHANGED'); process.exit(1); }
})();
EOF
node show.cjs
venv/bin/python - <<'EOF'
from prometheus_client import CollectorRegistry, Histogram
try:
    Histogram("seconds", "seconds", buckets=[5, 1, 2], registry=CollectorRegistry())
    raise SystemExit("CHANGED")
except ValueError as error:
    print("prometheus_client 0.26.0 of Python, the same buckets:", error)
EOF
