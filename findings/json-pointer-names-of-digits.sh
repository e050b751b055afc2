#!/usr/bin/env bash
# json-pointer and jsonpointer make arrays for names of digits, in which JSON loses what was set.
#
# Expected: RFC 6901: a token is an index only where the value is an array, and an index has no leading zero; /stops/01/name
#   set in an empty object makes members called "stops", "01" and "name".
# Happens: an array is made for whatever is all digits: 01 becomes a property of the array, which get() finds and
#   JSON.stringify() does not write; /years/2026/total makes an array of 2027 places.
# Who is hurt: documents keyed by codes (postal, route, hour "08") or years: the part is empty, or full of null, once stored.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact json-pointer@0.6.2 jsonpointer@5.0.1
cat > show.mjs <<'EOF'
import jsonPointer from 'json-pointer';
import jsonpointer from 'jsonpointer';
let changed = false;
for (const [name, library] of [['json-pointer 0.6.2', jsonPointer], ['jsonpointer 5.0.1', jsonpointer]]) {
  const stops = {};
  library.set(stops, '/stops/01/name', 'Harbour');
  const got = library.get(stops, '/stops/01/name');
  console.log(`${name}: /stops/01/name is read as ${got}, stored as ${JSON.stringify(stops)}`);
  const years = {};
  library.set(years, '/years/2026/total', 7);
  const nulls = JSON.stringify(years).split('null').length - 1;
  console.log(`${name}: /years/2026/total is stored with ${nulls} times null before it`);
  changed ||= got !== 'Harbour' || JSON.stringify(stops) !== '{"stops":[]}' || nulls !== 2026;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
