#!/usr/bin/env bash
# downsample: LTOB never looks at the first and the last bucket, and LTTB to two points gives the first two.
#
# Expected: "largest triangle one bucket" keeps the first and the last point and picks the most striking one of each bucket
#   of those between ("only slightly worse than LTTB", README). Down to two points: the first and the last.
# Happens: LTOB keeps the first and last point of the series in the place of their whole buckets: a peak there is lost
#   whatever its height, 30 of 98 places when 100 points become six. LTTB and LTD to two points leave the end out.
# Who is hurt: a sparkline with few points: the newest spike, the one that matters, is not drawn until it is old.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact downsample@1.4.0
cat > show.mjs <<'EOF'
import downsample from 'downsample';
console.log('downsample 1.4.0');
let changed = false;
for (const [name, known] of [['LTTB', 'none'], ['LTD', 'none'], ['LTOB', '1 to 15 and 84 to 98']]) {
  const lost = [];
  for (let peak = 1; peak < 99; peak++) {
    const points = Array.from({ length: 100 }, (_, i) => [i, i === peak ? 1000 : i % 2]);
    if (!downsample[name](points, 6).some(([, y]) => y === 1000)) lost.push(peak);
  }
  const gap = lost.findIndex((at, i) => lost[i + 1] !== at + 1);
  const seen = lost.length ? `${lost[0]} to ${lost[gap]} and ${lost[gap + 1]} to ${lost.at(-1)}` : 'none';
  console.log(`${name}, 100 points to 6, one peak: lost when it is at ${seen}`);
  changed ||= seen !== known;
}
for (const [name, known] of [['LTTB', '0,1'], ['LTD', '0,1'], ['LTOB', '0,3']]) {
  const seen = downsample[name]([[0, 5], [1, 1], [2, 9], [3, 7]], 2).map(([x]) => x).join();
  console.log(`${name}, points at 0, 1, 2, 3 to two: those at ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
