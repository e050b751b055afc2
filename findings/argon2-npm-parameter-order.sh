#!/usr/bin/env bash
# argon2 (npm) writes hashes that argon2-cffi and passlib cannot read.
#
# Expected: its README lists "PHC string formatting", and that format fixes the order of the parameters: m, t, p, then keyid
#   and data. The reference implementation reads no other order, so a hash moves between services in several languages.
# Happens: hash() writes m, p, t. argon2-cffi says "Decoding failed" and passlib "malformed argon2 hash"; the package itself
#   and hash-wasm, which take any order, say true. With t and p swapped by hand both Python libraries say true as well.
# Who is hurt: nobody whose password was set by a Node service can sign in once the accounts are read by Python or C, and
#   argon2-cffi's check_needs_rehash, which reads the string, sees nothing wrong with it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
# With its install script: it builds the addon where the prebuilt one does not load.
npm install --silent --no-audit --no-fund --save-exact argon2@0.45.1 hash-wasm@4.13.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check argon2-cffi==25.1.0 passlib==1.7.4
cat > show.cjs <<'EOF'
const argon2 = require('argon2');
const { argon2Verify } = require('hash-wasm');
(async () => {
  const hash = await argon2.hash('open sesame', { memoryCost: 1024, timeCost: 2, parallelism: 1, salt: Buffer.alloc(16, 7) });
  const seen = [await argon2.verify(hash, 'open sesame'), await argon2Verify({ password: 'open sesame', hash })];
  console.error(`argon2 (npm) 0.45.1: ${seen[0]}\nhash-wasm 4.13.0: ${seen[1]}`);
  if (!seen.every(Boolean)) { console.error('CHANGED'); process.exit(1); }
  console.log(hash);
})();
EOF
cat > show.py <<'EOF'
import sys
from argon2 import PasswordHasher
from passlib.hash import argon2
written = sys.argv[1]
print("written by argon2 (npm) 0.45.1:", written)
def verdict(read, text):
    try:
        return str(read(text))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
hasher = PasswordHasher(time_cost=2, memory_cost=1024, parallelism=1)
readers = {
    "argon2-cffi 25.1.0": lambda text: hasher.verify(text, "open sesame"),
    "passlib 1.7.4": lambda text: argon2.verify("open sesame", text),
}
ordered = written.replace("m=1024,p=1,t=2", "m=1024,t=2,p=1")
assert ordered != written, "CHANGED"
seen = {name: (verdict(read, written), verdict(read, ordered)) for name, read in readers.items()}
for name, (as_written, in_order) in seen.items():
    print(f"{name}: {as_written}; in the order m, t, p: {in_order}")
assert seen == {
    "argon2-cffi 25.1.0": ("VerificationError: Decoding failed", "True"),
    "passlib 1.7.4": ("ValueError: malformed argon2 hash", "True"),
}, "CHANGED"
rehash = hasher.check_needs_rehash(written)
print("argon2-cffi's check_needs_rehash of what was written:", rehash)
assert rehash is False, "CHANGED"
EOF
hash=$(node show.cjs)
venv/bin/python show.py "$hash"
