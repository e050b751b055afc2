#!/usr/bin/env bash
# tdigest (npm and PyPI): of a thousand values 7 and one 9 the 90th percentile is 8.6.
#
# Expected: where all but one value are 7, so is each percentile up to the 99th: the digest holds two centroids with their counts
#   and mixes nothing up.
# Happens: the percentile lies on a straight line between the two means, whatever their counts: 7.0 at the median, 8.6 at 90,
#   8.96 at 99. In the discrete mode of the npm package, TDigest(false), it is 7.
# Who is hurt: latencies in whole milliseconds with one outlier: the p90 is near the outlier, and moves with it alone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact tdigest@0.1.3
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tdigest==0.5.2.2
cat > show.mjs <<'EOF'
import { createRequire } from 'node:module';
const { TDigest } = createRequire(import.meta.url)('tdigest');
let changed = false;
for (const [mode, known] of [['continuous', '7.00 8.60 8.96'], ['discrete', '7.00 7.00 7.00']]) {
  const digest = mode === 'discrete' ? new TDigest(false) : new TDigest();
  for (let n = 0; n < 1000; n++) digest.push(7);
  digest.push(9);
  const seen = [0.5, 0.9, 0.99].map((p) => digest.percentile(p).toFixed(2)).join(' ');
  console.log(`tdigest 0.1.3 of npm, ${mode}: p50, p90, p99 are ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
cat > show.py <<'EOF'
from tdigest import TDigest
digest = TDigest()
for _ in range(1000):
    digest.update(7)
digest.update(9)
seen = " ".join(f"{digest.percentile(p):.2f}" for p in (50, 90, 99))
print("tdigest 0.5.2.2 of PyPI: p50, p90, p99 are", seen)
if seen != "7.00 8.60 8.96":
    raise SystemExit("CHANGED")
EOF
node show.mjs
venv/bin/python show.py
