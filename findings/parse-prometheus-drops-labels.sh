#!/usr/bin/env bash
# parse-prometheus-text-format (npm) makes one unlabelled histogram of all histograms of a name.
#
# Expected: one entry for each set of labels, with its buckets, count and sum, as the package gives for gauges and
#   counters, and for a histogram without labels.
# Happens: where a histogram or a summary has labels, they are gone, with count and sum; the buckets are those of the last
#   set in the text.
# Who is hurt: whoever reads /metrics of a server in JavaScript, to test or to show it: of a latency by path only the last
#   path is there, under no name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact parse-prometheus-text-format@1.1.1
cat > show.mjs <<'EOF'
import parse from 'parse-prometheus-text-format';
console.log('parse-prometheus-text-format 1.1.1');
let changed = false;
const show = (what, text, known) => {
  const seen = JSON.stringify(parse(text)[0].metrics);
  console.log(`${what}: ${seen}`);
  changed ||= seen !== known;
};
const histogram = (labels, n) => `h_bucket{${labels}le="1"} ${n}\nh_bucket{${labels}le="+Inf"} ${2 * n}\n`
  + `h_sum{${labels}} ${3 * n}\nh_count{${labels}} ${2 * n}\n`;
show('a gauge for two paths', '# TYPE g gauge\ng{path="/a"} 1\ng{path="/b"} 10\n',
  '[{"value":"1","labels":{"path":"/a"}},{"value":"10","labels":{"path":"/b"}}]');
show('a histogram without labels', `# TYPE h histogram\n${histogram('', 1)}`,
  '[{"buckets":{"1":"1","+Inf":"2"},"count":"2","sum":"3"}]');
show('a histogram for two paths', `# TYPE h histogram\n${histogram('path="/a",', 1)}${histogram('path="/b",', 10)}`,
  '[{"buckets":{"1":"10","+Inf":"20"}}]');
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
