#!/usr/bin/env bash
# Yjs: a bigint beyond 64 bits is kept by whoever sets it, and is another number for everybody else.
#
# Expected: Yjs takes bigints as values of shared types; one that its format cannot hold is refused where it is set, as
#   BigInt64Array's range is documented, or comes back whole.
# Happens: it is written as its lowest 64 bits without a word. Whoever set it goes on to see it, until they load the document.
# Who is hurt: documents with counters in small units, or identifiers (UUIDs, addresses of IPv6) as bigints: two people look at
#   different numbers, and no conflict and no error says so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-fund --no-audit yjs@13.6.33 lib0@0.2.119
cat > show.mjs <<'EOF'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import * as Y from "yjs";
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
console.log("yjs", version("yjs"), "lib0", version("lib0"));
const [ada, bob] = [new Y.Doc(), new Y.Doc()];
const values = { fits: 2n ** 62n, first: 2n ** 63n, uuid: 0x550e8400e29b41d4a716446655440000n };
for (const [name, value] of Object.entries(values)) ada.getMap("m").set(name, value);
Y.applyUpdate(bob, Y.encodeStateAsUpdate(ada));
const seen = Object.fromEntries(Object.keys(values).map((name) => [name, bob.getMap("m").get(name)]));
for (const name of Object.keys(values)) console.log(name, "ada", ada.getMap("m").get(name), "bob", seen[name]);
assert.deepStrictEqual(seen, { fits: 2n ** 62n, first: -(2n ** 63n), uuid: BigInt.asIntN(64, values.uuid) }, "CHANGED");
assert.strictEqual(ada.getMap("m").get("uuid"), values.uuid, "CHANGED");
EOF
node show.mjs
