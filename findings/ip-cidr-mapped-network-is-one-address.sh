#!/usr/bin/env bash
# ip-cidr makes one address of a network of IPv4-mapped addresses.
#
# Expected: ::ffff:10.0.0.0/104 (RFC 4291, 2.5.5.2) has 2^24 addresses, as it has with the last 32 bits in hexadecimal.
# Happens: written with dots it starts and ends at 10.0.0.0, has the size 1, and contains neither 10.0.0.1 nor
#   ::ffff:10.0.0.1; isValidCIDR() is true. Written as ::ffff:a00:0/104 it is whole.
# Who is hurt: lists of networks taken from a listener on both families, which names them so: all but the first address fall
#   through.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact ip-cidr@4.0.2
cat > show.mjs <<'EOF'
import { createRequire } from 'node:module';
const exported = createRequire(import.meta.url)('ip-cidr');
const IPCIDR = exported.default ?? exported;
console.log('ip-cidr 4.0.2');
let changed = false;
for (const [text, inside, known] of [
  ['::ffff:10.0.0.0/104', '::ffff:10.0.0.1', 'valid, size 1, from 10.0.0.0 to 10.0.0.0, contains it: false'],
  ['::ffff:10.0.0.0/126', '10.0.0.1', 'valid, size 1, from 10.0.0.0 to 10.0.0.0, contains it: false'],
  ['::ffff:a00:0/104', '::ffff:a00:1', 'valid, size 16777216, from 0000:0000:0000:0000:0000:ffff:0a00:0000 to 0000:0000:0000:0000:0000:ffff:0aff:ffff, contains it: true'],
]) {
  const network = new IPCIDR(text);
  const seen = `${IPCIDR.isValidCIDR(text) ? 'valid' : 'invalid'}, size ${network.size}, from ${network.start()} to ${network.end()}, contains it: ${network.contains(inside)}`;
  console.log(`${text} and ${inside}: ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
