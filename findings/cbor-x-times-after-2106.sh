#!/usr/bin/env bash
# cbor-x cannot read a time after 2106 that is written in whole seconds.
#
# Expected: tag 1 of CBOR holds seconds as a number of any kind, whole ones too (RFC 8949, 3.4.2); cbor-x writes and reads
#   Dates up to the end of JavaScript's. cbor2 of npm and of Python write whole seconds as integers.
# Happens: from 2^32 seconds on, 2106-02-07T06:28:16Z, the integer takes 8 bytes, is read as a bigint and multiplied with a
#   number: a TypeError about BigInt. The same time as a float is read.
# Who is hurt: documents in which "for ever" is a time such as 9999-12-31: one such value, and the whole message is not read.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact cbor-x@1.6.9 cbor2@2.3.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cbor2==6.3.0
cat > show.mjs <<'EOF'
import { execFileSync } from 'node:child_process';
import { decode, encode } from 'cbor-x';
import { encode as encode2 } from 'cbor2';
console.log('cbor-x 1.6.9 reads what is written by itself, cbor2 2.3.0 of npm, cbor2 6.3.0 of PyPI');
const python = (text) => execFileSync('venv/bin/python', ['-c', `
import cbor2, datetime, sys
sys.stdout.buffer.write(cbor2.dumps(datetime.datetime.fromisoformat(sys.argv[1]), datetime_as_timestamp=True))`, text]);
const read = (bytes) => {
  try { return decode(bytes).toISOString().slice(0, 19); } catch (error) { return error.message; }
};
let changed = false;
for (const [text, fits] of [['2106-02-07T06:28:15', true], ['2106-02-07T06:28:16', false], ['9999-12-31T00:00:00', false]]) {
  const time = new Date(`${text}Z`);
  const seen = [encode(time), encode2(time), python(`${text}+00:00`)].map(read);
  console.log(`${text}: ${seen.join(' | ')}`);
  changed ||= seen[0] !== text || seen.slice(1).some((answer) => (answer === text) !== fits);
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
