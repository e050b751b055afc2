#!/usr/bin/env bash
# intervalToMs of @grafana/data reads the first number and unit of an interval and drops the rest without a word.
#
# Expected: 1h30m, which Prometheus and Go write for ninety minutes, is ninety minutes or refused, as "1x" is: its error
#   says that an interval "has to be either unit-less or end with one of the following units".
# Happens: 1h30m is one hour, 1d12h a day, 1.5h one hour, 0.5s is 0; isValidTimeSpan calls 1h30m valid.
# Who is hurt: a panel or a data source that computes its step or its refresh from a duration a user wrote: a third of it
#   is missing, and 0.5s becomes a step of nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps --save-exact \
  @grafana/data@13.2.3 @grafana/schema@13.2.3 react@19.3.1 react-dom@19.3.1 rxjs@7.8.2
cat > show.cjs <<'EOF'
const { rangeUtil } = require('@grafana/data');
console.log('@grafana/data', require('@grafana/data/package.json').version, 'on node', process.version);
let changed = false;
for (const [text, meant, known] of [
  ['90m', 5_400_000, 5_400_000],
  ['1h30m', 5_400_000, 3_600_000],
  ['1d12h', 129_600_000, 86_400_000],
  ['1.5h', 5_400_000, 3_600_000],
  ['0.5s', 500, 0],
]) {
  const seen = rangeUtil.intervalToMs(text);
  console.log(`${text}: meant ${meant} ms, intervalToMs says ${seen}; isValidTimeSpan: ${rangeUtil.isValidTimeSpan(text)}`);
  changed ||= seen !== known;
}
let refused = '';
try { rangeUtil.intervalToMs('1x'); } catch (error) { refused = error.message; }
console.log(`1x: refused: ${refused}`);
changed ||= !refused || !rangeUtil.isValidTimeSpan('1h30m');
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
