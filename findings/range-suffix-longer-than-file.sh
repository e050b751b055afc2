#!/usr/bin/env bash
# range-parser, Werkzeug and WebOb refuse the last 500 bytes of a file that has 100.
#
# Expected: RFC 9110 (14.1.2): if the representation "is shorter than the specified suffix-length, the entire representation is
#   used".
# Happens: from the first byte too many on the range is unsatisfiable, for range-parser (and so Express), Werkzeug (and so Flask)
#   and WebOb alike; a range whose end lies behind the file is cut, as it has to be.
# Who is hurt: "the last 64 kB" of a log or of an archive: it works for large files, and small ones are answered with 416 or as a
#   whole without a Content-Range.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact range-parser@1.3.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check werkzeug==3.1.9 webob==1.8.11
cat > show.mjs <<'EOF'
import parseRange from 'range-parser';
console.log('a file with 100 bytes, range-parser 1.3.0:');
let changed = false;
for (const [header, known] of [['bytes=-100', '0-99'], ['bytes=-101', 'unsatisfiable'], ['bytes=-500', 'unsatisfiable'], ['bytes=0-499', '0-99']]) {
  const ranges = parseRange(100, header);
  const seen = ranges === -1 ? 'unsatisfiable' : ranges.map(({ start, end }) => `${start}-${end}`).join(', ');
  console.log(`  ${header}: ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
cat > show.py <<'EOF'
from webob.byterange import Range
from werkzeug.http import parse_range_header
print("Werkzeug 3.1.9 and WebOb 1.8.11:")
changed = False
for header, known in [("bytes=-100", (0, 100)), ("bytes=-101", None), ("bytes=-500", None), ("bytes=0-499", (0, 100))]:
    seen = [parse(header).range_for_length(100) for parse in (parse_range_header, Range.parse)]
    print(f"  {header}: {seen[0]} and {seen[1]}")
    changed |= seen != [known, known]
if changed:
    raise SystemExit("CHANGED")
EOF
node show.mjs
venv/bin/python show.py
