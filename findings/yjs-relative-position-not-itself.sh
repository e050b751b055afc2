#!/usr/bin/env bash
# A Yjs relative position that went over the wire does not equal itself.
#
# Expected: compareRelativePositions(p, decodeRelativePosition(encodeRelativePosition(p))) is true: README shows the two
#   as the way to send a cursor to others, and the package exports the comparison to tell whether one moved.
# Happens: the encoding drops the name of the shared type, and for nested types its id, while the comparison looks at
#   them: false for each position at a character of a text; true only at a text's end, and after JSON instead of bytes.
# Who is hurt: a client that redraws or resends a cursor only when it changed: each one counts as moved, for ever.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact yjs@13.6.33 lib0@0.2.120
cat > show.mjs <<'EOF'
import * as Y from 'yjs';
let changed = false;
console.log('yjs 13.6.33');
const doc = new Y.Doc();
doc.clientID = 1;
const text = doc.getText('notes'), nested = new Y.Text('abc');
text.insert(0, 'abc');
doc.getMap('cards').set('a', nested);
for (const [what, type, index, known] of [
  ['within a named text', text, 1, false], ['within a nested text', nested, 1, false], ['at the end', text, 3, true],
]) {
  const position = Y.createRelativePositionFromTypeIndex(type, index);
  const bytes = Y.decodeRelativePosition(Y.encodeRelativePosition(position));
  const json = Y.createRelativePositionFromJSON(JSON.parse(JSON.stringify(position)));
  const same = Y.compareRelativePositions(position, bytes);
  console.log(`${what}: ${JSON.stringify(position)} decoded ${JSON.stringify(bytes)}`);
  console.log(`  equal after bytes: ${same}, after JSON: ${Y.compareRelativePositions(position, json)}`);
  changed ||= same !== known || !Y.compareRelativePositions(position, json);
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
