#!/usr/bin/env bash
# One NaN makes the median and percentiles of @grafana/data depend on the order of the points.
#
# Expected: one policy for a missing value within one call: sum, min, max and mean leave a NaN out, so should median,
#   the percentiles and the deviation, or all of them should say NaN.
# Happens: sum, min, max and mean leave it out; the deviation is NaN; median and p50 are a number or NaN by where the NaN
#   stands, since the values are sorted with it. readCSV of the same package reads an empty cell as NaN (not null).
# Who is hurt: whoever shows the median of an uploaded table with one empty cell: the figure changes when the rows are
#   sorted otherwise, beside a mean that is right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps --save-exact \
  @grafana/data@13.2.3 @grafana/schema@13.2.3 react@19.3.1 react-dom@19.3.1 rxjs@7.8.2
cat > show.cjs <<'EOF'
const { readCSV, reduceField, FieldType } = require('@grafana/data');
console.log('@grafana/data', require('@grafana/data/package.json').version, 'on node', process.version);
let changed = false;
const show = (values, known) => {
  const field = { name: 'load', type: FieldType.number, config: {}, values };
  const { mean, median, p50, stdDev } = reduceField({ field, reducers: ['mean', 'median', 'p50', 'stdDev'] });
  const seen = `mean ${mean}, median ${median}, p50 ${p50}, stdDev ${stdDev}`;
  console.log(`[${values.join(', ')}]: ${seen}`);
  changed ||= seen !== known;
};
show([NaN, 1, 3], 'mean 2, median 1, p50 1, stdDev NaN');
show([1, NaN, 3], 'mean 2, median NaN, p50 NaN, stdDev NaN');
show([1, 3, NaN], 'mean 2, median 3, p50 3, stdDev NaN');
// Such a NaN is what an empty cell becomes:
const cells = readCSV('host,load\nb,1\na,\nc,3\n')[0].fields[1].values;
console.log(`readCSV of 1, an empty cell and 3: [${cells.join(', ')}]`);
changed ||= !Number.isNaN(cells[1]);
// Without a missing value the two names of the middle still differ:
show([1, 3], 'mean 2, median 2, p50 3, stdDev 1');
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
