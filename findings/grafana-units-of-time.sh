#!/usr/bin/env bash
# Two units of @grafana/data show a time that is not the one they got: "clock" below zero, and a year given in seconds.
#
# Expected: a negative duration keeps its sign and size in every unit, as -5 in "seconds" is "-5 s"; the same time is the
#   same text whether it is given in ms, s, h or d.
# Happens: the units clocks and clockms show "000ms" for every negative value, an hour as well as a day. 365 days are
#   "1 year" in ms, h, d and as a duration, but "0.999 year" in seconds and "52.1 weeks" in minutes.
# Who is hurt: a countdown that is overdue, or an offset of a clock, reads as exactly zero; two panels of one figure in
#   different units disagree.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps --save-exact \
  @grafana/data@13.2.3 @grafana/schema@13.2.3 react@19.3.1 react-dom@19.3.1 rxjs@7.8.2
cat > show.cjs <<'EOF'
globalThis.navigator ??= { language: 'en-US', languages: ['en-US'] }; // the package expects a browser
const { formattedValueToString, getValueFormat } = require('@grafana/data');
console.log('@grafana/data', require('@grafana/data/package.json').version, 'on node', process.version);
let changed = false;
for (const [unit, value, known] of [
  ['clocks', 3661, '1h:01m:01s:000ms'], ['clocks', -3661, '000ms'], ['clocks', -90061, '000ms'], ['clockms', -5000, '000ms'],
  ['s', -3661, '-1.02 hours'],
  ['ms', 31_536_000_000, '1 year'], ['s', 31_536_000, '0.999 year'], ['m', 525_600, '52.1 weeks'], ['h', 8760, '1 year'],
  ['d', 365, '1 year'],
]) {
  const seen = formattedValueToString(getValueFormat(unit)(value));
  console.log(`${value} in unit ${unit}: ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
