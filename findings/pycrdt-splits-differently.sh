#!/usr/bin/env bash
# Yjs and pycrdt (yrs) keep two different texts for good after an edit between the halves of a surrogate pair.
#
# Expected: all replicas that have the same updates have the same text: that is what the shared format promises.
# Happens: positions count UTF-16 units, so an edit may fall within one character. Yjs makes two replacement characters of
#   it; yrs keeps the character whole and moves the edit behind it, so a deletion takes the next letter. A replica of yrs
#   that joins later has the text of Yjs: two replicas of one program differ, by when they came.
# Who is hurt: a server on yrs behind editors on Yjs: what it saves, searches or exports is not what people see, and no
#   later update heals it. Editors that step by UTF-16 units make such edits.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact yjs@13.6.33 lib0@0.2.120
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pycrdt==0.14.13
cat > edit.mjs <<'EOF'
import * as Y from 'yjs';
import { writeFileSync } from 'node:fs';
const first = new Y.Doc();
first.getText('t').insert(0, 'a\u{1F600}b');
const start = Y.encodeStateAsUpdate(first);
writeFileSync('start', start);
for (const [name, edit] of [['insert', (text) => text.insert(2, '-')], ['delete', (text) => text.delete(2, 1)]]) {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, start);
  edit(doc.getText('t'));
  writeFileSync(name, Y.encodeStateAsUpdate(doc));
  writeFileSync(`${name}.text`, doc.getText('t').toString());
}
EOF
node edit.mjs
cat > show.py <<'EOF'
from pycrdt import Doc, Text
def text(*updates):
    doc = Doc()
    shared = doc.get("t", type=Text)
    for name in updates:
        doc.apply_update(open(name, "rb").read())
    return str(shared)
print("yjs 13.6.33, pycrdt 0.14.13; all began with", ascii(text("start")))
known = {"insert": ("a\ufffd-\ufffdb", "a\U0001f600-b"), "delete": ("a\ufffdb", "a\U0001f600")}
for name, (yjs, yrs) in known.items():
    seen = open(name + ".text", encoding="utf-8").read(), text("start", name), text(name)
    print(f"after {name} at 2: Yjs {ascii(seen[0])}, pycrdt {ascii(seen[1])}, pycrdt that joins later {ascii(seen[2])}")
    assert seen == (yjs, yrs, yjs), "CHANGED"
EOF
venv/bin/python show.py
