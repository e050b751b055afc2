#!/usr/bin/env bash
# rfc6902 does not apply the patch that it made itself where the whole document changes.
#
# Expected: applyPatch(a, createPatch(a, b)) makes b of a: RFC 6902 lets the empty pointer name the whole document, and
#   its section on "replace" excludes no target.
# Happens: createPatch from an object to an array is a replace at "", which applyPatch answers with MissingError and does
#   not apply, while a test at "" passes. fast-json-patch applies it, but in turn finds no difference between [1] and
#   {"0": 1}, nor between [] and {}, at the root.
# Who is hurt: a page that keeps a document by patches from the server: when the root changes it stays at the old one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact rfc6902@5.4.0 fast-json-patch@3.1.1
cat > show.cjs <<'EOF'
const { applyPatch, createPatch } = require('rfc6902');
const fast = require('fast-json-patch');
let changed = false;
const show = (what, seen, known) => { console.log(`${what}: ${seen}`); changed ||= seen !== known; };
const text = (value) => JSON.stringify(value);
console.log('rfc6902 5.4.0, fast-json-patch 3.1.1');
const patch = createPatch({ a: 1 }, [1]);
show('rfc6902 createPatch({a: 1}, [1])', text(patch), '[{"op":"replace","path":"","value":[1]}]');
const document = { a: 1 };
const results = applyPatch(document, patch);
show('rfc6902 applyPatch of it', `${results[0] && results[0].name}, document ${text(document)}`, 'MissingError, document {"a":1}');
show('rfc6902 test at ""', text(applyPatch({ a: 1 }, [{ op: 'test', path: '', value: { a: 1 } }])), '[null]');
show('fast-json-patch of the same patch', text(fast.applyPatch({ a: 1 }, patch).newDocument), '[1]');
show('fast-json-patch compare([1], {0: 1})', text(fast.compare([1], { 0: 1 })), '[]');
show('fast-json-patch compare([], {})', text(fast.compare([], {})), '[]');
show('fast-json-patch compare({a: []}, {a: {}})', text(fast.compare({ a: [] }, { a: {} })), '[{"op":"replace","path":"/a","value":{}}]');
show('rfc6902 createPatch([1], {0: 1})', text(createPatch([1], { 0: 1 })), '[{"op":"replace","path":"","value":{"0":1}}]');
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
