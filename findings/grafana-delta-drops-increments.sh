#!/usr/bin/env bash
# The reducer "Delta" of @grafana/data leaves increments out.
#
# Expected: "Cumulative change in value, only counts increments" (Grafana's list of calculations): every rise of the
#   series added up, also of a counter that restarts.
# Happens: after each fall the next rise is left out, and what the counter has counted since its restart too. A series
#   that falls every second point has a delta of 0 however much it rises.
# Who is hurt: whoever shows "how many in this time" of a counter whose process is restarted, and compares it with
#   increase() of Prometheus; dashboards moved from Grafana to something that counts right show other figures.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps --save-exact \
  @grafana/data@13.2.3 @grafana/schema@13.2.3 react@19.3.1 react-dom@19.3.1 rxjs@7.8.2
cat > show.cjs <<'EOF'
const { reduceField, FieldType, fieldReducers } = require('@grafana/data');
console.log('@grafana/data', require('@grafana/data/package.json').version, 'on node', process.version);
console.log('delta is described as:', fieldReducers.get('delta').description);
let changed = false;
const show = (values, risen, known) => {
  const field = { name: 'requests', type: FieldType.number, config: {}, values };
  const { delta } = reduceField({ field, reducers: ['delta'] });
  console.log(`${JSON.stringify(values)}: rises add up to ${risen}, delta is ${delta}`);
  changed ||= delta !== known;
};
show([0, 5, 10], 10, 10);
show([0, 5, 10, 2, 6], 14, 10); // 5 + 5, a restart, then 4 more (and 2 before them)
show([10, 8, 12, 1, 9], 12, 0);
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
