#!/usr/bin/env bash
# structured-headers writes 2.0001 as "2.", which nobody may read, itself neither.
#
# Expected: RFC 9651 (4.1.5): a decimal is rounded to three digits, and has a 0 behind the point where nothing is left: 2.0.
# Happens: a number that is not whole and rounds to a whole one is written with a point and no digit; its own parser refuses
#   that, as it has to, and with it the whole field.
# Who is hurt: whoever sends measured values: about one in a thousand makes the whole header unreadable.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact structured-headers@2.1.0
cat > show.mjs <<'EOF'
import { parseItem, serializeItem } from 'structured-headers';
console.log('structured-headers 2.1.0');
let changed = false;
for (const [value, known] of [[2.5, '2.5'], [2.001, '2.001'], [2.0001, '2.'], [2.9999, '3.'], [-7.0002, '-7.']]) {
  const text = serializeItem([value, new Map()]);
  let read;
  try { read = String(parseItem(text)[0]); } catch (error) { read = error.message; }
  console.log(`${value}: written ${text}, read back: ${read}`);
  changed ||= text !== known || (read === text) === known.endsWith('.');
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
