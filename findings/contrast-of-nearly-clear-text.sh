#!/usr/bin/env bash
# Four colour libraries find the best possible contrast for text that is nearly invisible.
#
# Expected: WCAG's contrast is that of the colours as they are shown, so alpha is counted, with the background that is given too;
#   or a colour with alpha is refused, as each of these reads it.
# Happens: alpha is dropped: black at 5 % on white has 21:1, the most there is, and tinycolor2's isReadable() grants AAA. As
#   shown, #f2f2f2 on white, it has 1.12:1.
# Who is hurt: checks of a theme whose muted text is a colour with alpha, as many are: they pass for text that nobody can read.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact culori@4.0.2 chroma-js@3.2.0 tinycolor2@1.6.0 color@5.0.3
cat > show.mjs <<'EOF'
import { wcagContrast } from 'culori';
import chroma from 'chroma-js';
import tinycolor from 'tinycolor2';
import color from 'color';
const libraries = {
  'culori 4.0.2': wcagContrast,
  'chroma-js 3.2.0': chroma.contrast,
  'tinycolor2 1.6.0': tinycolor.readability,
  'color 5.0.3': (a, b) => color(a).contrast(color(b)),
};
let changed = false;
for (const [name, contrast] of Object.entries(libraries)) {
  const seen = ['rgba(0, 0, 0, 0.05)', '#f2f2f2'].map((text) => contrast(text, '#fff').toFixed(2));
  console.log(`${name}: rgba(0, 0, 0, 0.05) on white ${seen[0]}, as shown ${seen[1]}`);
  changed ||= `${seen}` !== '21.00,1.12';
}
const readable = tinycolor.isReadable('rgba(0, 0, 0, 0.05)', '#fff', { level: 'AAA', size: 'small' });
console.log('AAA for small text by tinycolor2:', readable);
if (changed || !readable) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
