#!/usr/bin/env bash
# chroma-js: rgba(255, 0, 0, 50%) is solid, rgb(255 0 0 / 50%) is half clear.
#
# Expected: CSS Color 4 (4.2): alpha is a number or a percentage, in the form with commas as in the one with spaces; valid()
#   is false for what is not read.
# Happens: with commas a percentage is 1 whatever it says, and valid() is true. A number is right in both forms.
# Who is hurt: scales and themes written in the older form: fills hide what lies below them, with no error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact chroma-js@3.2.0
cat > show.mjs <<'EOF'
import chroma from 'chroma-js';
console.log('chroma-js 3.2.0');
let changed = false;
for (const [text, known] of [
  ['rgba(255, 0, 0, 50%)', 1],
  ['rgba(255, 0, 0, 10%)', 1],
  ['rgba(255, 0, 0, 0.5)', 0.5],
  ['rgb(255 0 0 / 50%)', 0.5],
  ['rgb(255 0 0 / 10%)', 0.1],
]) {
  const alpha = chroma(text).alpha();
  console.log(`${text}: valid ${chroma.valid(text)}, alpha ${alpha}`);
  changed ||= alpha !== known || !chroma.valid(text);
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
