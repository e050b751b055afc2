#!/usr/bin/env bash
# needsRehash of argon2 (npm) takes the options of hash() and does not look at the type or the lengths.
#
# Expected: needsRehash(hash, options), called with the options that the next hash() is called with, is true where that would
#   make another kind of hash: its comment says "true if the digest parameters do not match the parameters in options".
#   argon2-cffi's check_needs_rehash compares the type and both lengths too.
# Happens: it compares m, t, p and the version. An argon2i or argon2d hash, or one of 4 bytes, needs no rehash where
#   argon2id with 32 bytes is asked for. Its types name those four alone, which does not stop a variable with more of them.
# Who is hurt: a move from argon2i to argon2id that upgrades each account at its next sign-in upgrades none, and a count of
#   those left to upgrade is 0 from the first day.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
# With its install script: it builds the addon where the prebuilt one does not load.
npm install --silent --no-audit --no-fund --save-exact argon2@0.45.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check argon2-cffi==25.1.0
cat > show.cjs <<'EOF'
const argon2 = require('argon2');
const wanted = { type: argon2.argon2id, hashLength: 32, memoryCost: 1024, timeCost: 2, parallelism: 1 };
(async () => {
  for (const [name, old] of [
    ['the same', {}], ['argon2i', { type: argon2.argon2i }], ['argon2d', { type: argon2.argon2d }],
    ['4 bytes', { hashLength: 4 }], ['salt of 8 bytes', { salt: Buffer.alloc(8, 7) }], ['one pass less', { timeCost: 1 }],
  ]) {
    const hash = await argon2.hash('open sesame', { ...wanted, ...old });
    // The order that the format fixes, so that the other library reads it.
    const ordered = hash.replace(/p=(\d+),t=(\d+)/, 't=$2,p=$1');
    console.log([name, ordered, argon2.needsRehash(hash, wanted)].join('\t'));
  }
})();
EOF
cat > show.py <<'EOF'
import sys
from argon2 import PasswordHasher
print("asked for: argon2id, 32 bytes, m=1024, t=2, p=1")
hasher = PasswordHasher(time_cost=2, memory_cost=1024, parallelism=1)
seen = {}
for line in sys.stdin:
    name, text, npm = line.rstrip("\n").split("\t")
    seen[name] = (npm == "true", hasher.check_needs_rehash(text))
    print(f"{name}: argon2 (npm) 0.45.1 says {seen[name][0]}, argon2-cffi 25.1.0 {seen[name][1]}")
others = dict.fromkeys(["argon2i", "argon2d", "4 bytes", "salt of 8 bytes"], (False, True))
assert seen == {"the same": (False, False)} | others | {"one pass less": (True, True)}, "CHANGED"
EOF
node show.cjs > hashes.txt
venv/bin/python show.py < hashes.txt
