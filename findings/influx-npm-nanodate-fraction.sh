#!/usr/bin/env bash
# influx (npm): the ISO text of a NanoDate before 1970 has the fraction of another moment.
#
# Expected: toNanoISOString() of a time names that time with nine digits after the point.
# Happens: the seconds come from the JavaScript date, the fraction from the last digits of the number, which before 1970
#   count the other way: 1.1 s before it is written as 1.9 s before it. Within a second of 1970 the digits are not padded:
#   one nanosecond becomes a tenth of a second, and one before it "59.-1Z", which is no time.
# Who is hurt: whoever imports or shows old series (weather, prices) or relative times kept from zero: texts that sort and
#   parse, at another time.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact influx@5.12.0
cat > show.cjs <<'EOF'
const { toNanoDate } = require('influx');
console.log('influx 5.12.0');
let changed = false;
for (const [nanoseconds, right, known] of [
  ['1700000000000000001', '2023-11-14T22:13:20.000000001Z', '2023-11-14T22:13:20.000000001Z'],
  ['-1100000000', '1969-12-31T23:59:58.900000000Z', '1969-12-31T23:59:58.100000000Z'],
  ['-86400000000001', '1969-12-30T23:59:59.999999999Z', '1969-12-30T23:59:59.000000001Z'],
  ['1', '1970-01-01T00:00:00.000000001Z', '1970-01-01T00:00:00.1Z'],
  ['-1', '1969-12-31T23:59:59.999999999Z', '1969-12-31T23:59:59.-1Z'],
]) {
  const seen = toNanoDate(nanoseconds).toNanoISOString();
  console.log(`${nanoseconds} ns: ${seen}${seen === right ? '' : `, which should be ${right}`}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
