#!/usr/bin/env bash
# dataFrameToJSON of @grafana/data loses NaN and the infinities, for which its own format has a place.
#
# Expected: the frame's JSON carries what JSON has no word for in "entities" (DataFrameData: NaN, Inf and NegInf by index);
#   dataFrameFromJSON reads them from there. So a frame written and read by the package is the same frame.
# Happens: dataFrameToJSON writes no entities: NaN, +Inf and -Inf all come back as null, "no value".
# Who is hurt: a snapshot or a frame sent on as JSON: a ratio by zero (+Inf) and a failed sum (NaN) arrive as missing points.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps --save-exact \
  @grafana/data@13.2.3 @grafana/schema@13.2.3 react@19.3.1 react-dom@19.3.1 rxjs@7.8.2
cat > show.cjs <<'EOF'
const { dataFrameFromJSON, dataFrameToJSON, toDataFrame, FieldType } = require('@grafana/data');
console.log('@grafana/data', require('@grafana/data/package.json').version, 'on node', process.version);
const text = (values) => `[${[...values].map(String).join(', ')}]`;
const frame = toDataFrame({ fields: [{ name: 'v', type: FieldType.number, values: [NaN, Infinity, -Infinity, 5] }] });
const json = JSON.stringify(dataFrameToJSON(frame));
const back = text(dataFrameFromJSON(JSON.parse(json)).fields[0].values);
console.log(`${text(frame.fields[0].values)} written as ${json}`);
console.log('read back:', back);
const byHand = text(dataFrameFromJSON({
  schema: { fields: [{ name: 'v', type: FieldType.number }] },
  data: { values: [[null, null, null, 5]], entities: [{ NaN: [0], Inf: [1], NegInf: [2] }] },
}).fields[0].values);
console.log('read from a JSON with entities:', byHand);
if (json.includes('entities') || back !== '[null, null, null, 5]' || byHand !== '[NaN, Infinity, -Infinity, 5]') {
  console.log('CHANGED');
  process.exit(1);
}
EOF
node show.cjs
