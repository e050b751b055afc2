#!/usr/bin/env bash
# chroma-js gives back most colours with alpha as other ones.
#
# Expected: a colour read from #rrggbbaa and written by hex() is the same: both have 256 steps of alpha. color and tinycolor2 do so.
# Happens: alpha is rounded to hundredths where it is read: of 256 steps 155 come back as another, the faintest as fully clear;
#   #0008 comes back as #00000087.
# Who is hurt: a colour field that shows what it has stored: it changes by opening and saving, and never equals what was entered.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact chroma-js@3.2.0 tinycolor2@1.6.0 color@5.0.3
cat > show.mjs <<'EOF'
import chroma from 'chroma-js';
import tinycolor from 'tinycolor2';
import color from 'color';
const libraries = {
  'chroma-js 3.2.0': (text) => chroma(text).hex('rgba'),
  'tinycolor2 1.6.0': (text) => tinycolor(text).toHex8String(),
  'color 5.0.3': (text) => color(text).hexa().toLowerCase(),
};
let changed = false;
for (const [name, write] of Object.entries(libraries)) {
  const others = [];
  for (let alpha = 0; alpha < 256; alpha++) {
    const text = `#ff0000${alpha.toString(16).padStart(2, '0')}`;
    if (write(text) !== text) others.push(`${text} as ${write(text)}`);
  }
  console.log(`${name}: ${others.length} of 256 come back as another${others.length ? `, ${others[0]}` : ''}; #0008 as ${write('#0008')}`);
  changed ||= others.length !== (name.startsWith('chroma') ? 155 : 0);
}
if (changed || chroma('#0008').hex() !== '#00000087') { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
