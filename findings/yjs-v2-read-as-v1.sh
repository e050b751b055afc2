#!/usr/bin/env bash
# Yjs reads an update of its V2 format with the V1 functions as an empty one, and says nothing.
#
# Expected: the two formats need functions of their own (README, "Using V2 update format"); who mixes them up gets an
#   error, as the other way round: V1 bytes in applyUpdateV2 raise one.
# Happens: applyUpdate, mergeUpdates and encodeStateVectorFromUpdate take V2 bytes for an update without content. The
#   document stays empty, and a store that compacts its log with mergeUpdates replaces everything by two zero bytes.
# Who is hurt: a server that keeps updates and whose clients switch to V2 for its size: the compaction loses the document.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact yjs@13.6.33 lib0@0.2.120
cat > show.mjs <<'EOF'
import * as Y from 'yjs';
let changed = false;
const show = (what, seen, known) => { console.log(`${what}: ${seen}`); changed ||= seen !== known; };
const doc = new Y.Doc();
for (let i = 0; i < 50; i++) doc.getMap('cards').set(`card ${i}`, { title: `number ${i}` });
const v1 = Y.encodeStateAsUpdate(doc), v2 = Y.encodeStateAsUpdateV2(doc);
console.log(`yjs 13.6.33: a document of 50 entries, ${v1.length} bytes in V1, ${v2.length} in V2`);
const read = (apply, bytes) => {
  const copy = new Y.Doc();
  try { apply(copy, bytes); return `${copy.getMap('cards').size} entries`; } catch { return 'an error'; }
};
show('V1 with applyUpdate', read(Y.applyUpdate, v1), '50 entries');
show('V2 with applyUpdateV2', read(Y.applyUpdateV2, v2), '50 entries');
show('V1 with applyUpdateV2', read(Y.applyUpdateV2, v1), 'an error');
show('V2 with applyUpdate', read(Y.applyUpdate, v2), '0 entries');
show('V2 with mergeUpdates', `[${Y.mergeUpdates([v2, v2])}]`, '[0,0]');
show('state vector of V2 read as V1', `[${Y.encodeStateVectorFromUpdate(v2)}]`, '[0]');
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
