#!/usr/bin/env bash
# yrs (here through pycrdt) shows an edit whose author's earlier edit has not come; Yjs waits, with the same bytes.
#
# Expected: as in Yjs: an update whose author's earlier edits are missing stays pending, so a replica shows each author's
#   edits in their order, and two replicas with the same updates show the same.
# Happens: yrs integrates the third edit after the first where it does not refer to the second by its place. Its state
#   vector still names one edit, and its own whole update, read by Yjs, shows that one.
# Who is hurt: a server on yrs that stores or checks the text between two messages (a save on change, a search index) sees
#   a text that no author ever had and that the browsers do not show.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact yjs@13.6.33 lib0@0.2.120
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pycrdt==0.14.13
cat > author.mjs <<'EOF'
import * as Y from 'yjs';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
const author = new Y.Doc();
author.clientID = 1;
let n = 0;
author.on('update', (update) => writeFileSync(`edit${++n}`, update));
const text = author.getText('t');
text.insert(0, 'a');
text.insert(1, 'b');
text.insert(0, 'c');
const show = (what, ...updates) => {
  const peer = new Y.Doc();
  for (const update of updates) Y.applyUpdate(peer, readFileSync(update));
  console.log(`${what}: "${peer.getText('t')}", waits for more: ${peer.store.pendingStructs !== null}`);
};
if (existsSync('whole')) show('  that replica as a whole, read by yjs', 'whole');
else show(`the author's text is "${text}"; yjs 13.6.33 with its first and third edit`, 'edit1', 'edit3');
EOF
cat > peer.py <<'EOF'
from pycrdt import Doc, Text
doc = Doc()
text = doc.get("t", type=Text)
for name in ("edit1", "edit3"):
    doc.apply_update(open(name, "rb").read())
clients, client, edits = doc.get_state()
print(f'pycrdt 0.14.13 with the same two: "{text}"; its state vector has {edits} edit of the author')
open("whole", "wb").write(doc.get_update())
assert (str(text), clients, client, edits) == ("ca", 1, 1, 1), "CHANGED"
EOF
node author.mjs | tee seen.txt
venv/bin/python peer.py
node author.mjs | tee -a seen.txt
[ "$(grep -c '"a", waits for more: true' seen.txt)" = 2 ] || { echo CHANGED; exit 1; }
