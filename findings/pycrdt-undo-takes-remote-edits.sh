#!/usr/bin/env bash
# pycrdt's UndoManager undoes what other people did.
#
# Expected: undo takes back one's own edits: an update that arrives over apply_update() is not one of them.
# Happens: without include_origin() every update that arrives is put on the undo stack, and apply_update() has no origin
#   to tell it by. One's undo takes back the other's last edit. Yjs does the same where applyUpdate() is called without
#   an origin, since that is then the same origin (null) as a local edit has.
# Who is hurt: notebooks and editors on pycrdt: Ctrl+Z removes what a colleague just typed, for everybody.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact yjs@13.6.33 lib0@0.2.120
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pycrdt==0.14.13
venv/bin/python - <<'EOF'
from pycrdt import Doc, Map, UndoManager
for origin in (None, "me"):
    mine, theirs = Doc(), Doc()
    card = mine.get("card", type=Map)
    card["title"] = "old"
    theirs.apply_update(mine.get_update())
    undo = UndoManager(scopes=[card])
    if origin:
        undo.include_origin(origin)
    theirs.get("card", type=Map)["title"] = "theirs"
    mine.apply_update(theirs.get_update())
    print("pycrdt 0.14.13, include_origin:", origin, "- I edited nothing; can_undo:", undo.can_undo(), end="; ")
    undo.undo()
    print("title after undo:", card["title"])
    if card["title"] != ("theirs" if origin else "old"):
        raise SystemExit("CHANGED")
EOF
cat > show.mjs <<'EOF'
import * as Y from 'yjs';
for (const [origin, known] of [['network', 'theirs'], [undefined, 'old']]) {
  const mine = new Y.Doc(), theirs = new Y.Doc();
  const card = mine.getMap('card');
  card.set('title', 'old');
  Y.applyUpdate(theirs, Y.encodeStateAsUpdate(mine));
  const undo = new Y.UndoManager(card);
  theirs.getMap('card').set('title', 'theirs');
  Y.applyUpdate(mine, Y.encodeStateAsUpdate(theirs), origin);
  undo.undo();
  console.log(`yjs 13.6.33, applyUpdate with origin ${origin}: title after undo: ${card.get('title')}`);
  if (card.get('title') !== known) { console.log('CHANGED'); process.exit(1); }
}
EOF
node show.mjs
