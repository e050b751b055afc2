#!/usr/bin/env bash
# Formatting a range that ends behind a Y.Text writes line breaks into the text; its Rust and Python ports do not.
#
# Expected: format(index, length) assigns attributes to a range of the text (README) and does not change its characters;
#   where the range is too long it is cut, as delete() of the same type does.
# Happens: Yjs appends one line break for each character that is missing, also for a retain in applyDelta. pycrdt (yrs)
#   cuts the range. So one and the same call gives two texts, by which peer makes it.
# Who is hurt: an editor that makes the selection bold after somebody else shortened the text: everybody's document grows
#   by blank lines.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact yjs@13.6.33 lib0@0.2.120
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pycrdt==0.14.13
cat > show.mjs <<'EOF'
import * as Y from 'yjs';
let changed = false;
const show = (what, edit, known) => {
  const text = new Y.Doc().getText('t');
  text.insert(0, 'abc');
  edit(text);
  const seen = JSON.stringify(text.toString());
  console.log(`yjs 13.6.33: ${what} of "abc": ${seen}`);
  changed ||= seen !== known;
};
show('format(1, 5, bold)', (text) => text.format(1, 5, { bold: true }), '"abc\\n\\n\\n"');
show('applyDelta(retain 5, insert "d")', (text) => text.applyDelta([{ retain: 5 }, { insert: 'd' }]), '"abc\\n\\nd"');
show('delete(1, 5)', (text) => text.delete(1, 5), '"a"');
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
venv/bin/python - <<'EOF'
from pycrdt import Doc, Text
text = Doc().get("t", type=Text)
text += "abc"
text.format(1, 6, {"bold": True})
print("pycrdt 0.14.13: format(1, 6, bold) of \"abc\":", repr(str(text)))
if str(text) != "abc":
    raise SystemExit("CHANGED")
EOF
