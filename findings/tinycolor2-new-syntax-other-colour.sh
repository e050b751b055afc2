#!/usr/bin/env bash
# tinycolor2 reads colours of CSS Color 4 as valid and as other colours.
#
# Expected: what it cannot read has isValid() false, as oklch() has; "the string parsing is very permissive" (its README), and
#   rgb() without commas is read right.
# Happens: the alpha of rgb(255 0 0 / 50%) and of rgba(255, 0, 0, 50%) is dropped: the colour is solid; color(srgb 1 0 0), which
#   is red, is nearly black; hsl(-120, 100%, 50%), which is blue, is red, as is 480 degrees, which is green.
# Who is hurt: themes that take colours as a browser's inspector writes them: overlays cover what they should tint.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact tinycolor2@1.6.0 culori@4.0.2
cat > show.mjs <<'EOF'
import tinycolor from 'tinycolor2';
import { formatHex8, parse } from 'culori';
console.log('tinycolor2 1.6.0 and culori 4.0.2');
let changed = false;
for (const [text, known] of [
  ['rgb(255 0 0 / 50%)', ['#ff0000ff', '#ff000080']],
  ['rgba(255, 0, 0, 50%)', ['#ff0000ff', '#ff000080']],
  ['rgba(255, 0, 0, 0.5)', ['#ff000080', '#ff000080']],
  ['color(srgb 1 0 0)', ['#010000ff', '#ff0000ff']],
  ['hsl(-120, 100%, 50%)', ['#ff0000ff', '#0000ffff']],
  ['hsl(480, 100%, 50%)', ['#ff0000ff', '#00ff00ff']],
  ['oklch(0.7 0.1 200)', ['invalid', '#40b1b7ff']],
]) {
  const colour = tinycolor(text);
  const seen = [colour.isValid() ? colour.toHex8String() : 'invalid', formatHex8(parse(text))];
  console.log(`${text}: ${seen[0]} and ${seen[1]}`);
  changed ||= `${seen}` !== `${known}`;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
