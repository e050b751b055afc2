#!/usr/bin/env bash
# csv-parse: with cast, 0x1f4a and each other hexadecimal number is 0.
#
# Expected: its documentation of `cast`: fields that are numbers become numbers, what is none stays text. So 0x10 is 16, as
#   Number() has it, or "0x10".
# Happens: such a field is found to be a number by arithmetic, which knows the prefix, and read by parseFloat(), which does not
#   and stops at the x: 0. So with 0b and 0o. A minus before it makes it text.
# Who is hurt: columns of addresses, flags, colours or transaction hashes: all rows have the same value 0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact csv-parse@7.0.3
cat > show.mjs <<'EOF'
import { parse } from 'csv-parse/sync';
console.log('csv-parse 7.0.3');
let changed = false;
for (const [text, known] of [['16', 16], ['0x10', 0], ['0x1f4a', 0], ['0xFF', 0], ['0b11', 0], ['0o17', 0], ['-0x10', '-0x10'], ['1e5', 100000]]) {
  const [[seen]] = parse(text, { cast: true });
  console.log(`${text}: ${typeof seen} ${seen}, by Number() ${Number(text)}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
