#!/usr/bin/env bash
# Automerge turns large numbers into bigints, and those beyond 64 bits into other numbers.
#
# Expected: a number put into a document, which is JSON-like data, reads back as that number; or an error, as undefined has.
# Happens: a whole number from 2^53 - 1 on (Number.MAX_SAFE_INTEGER itself) comes back as a bigint, so JSON.stringify
#   and arithmetic throw; one beyond the 64-bit range comes back as its end: 1e19 and 1e300 are both 9223372036854775807.
#   A negative one survives from(), and is cut by change().
# Who is hurt: whoever keeps times in nanoseconds, axis limits, counters or a "no limit" of 1e300 in a shared document:
#   the page throws at everybody's, or shows another figure with no error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @automerge/automerge@3.5.0
cat > show.mjs <<'EOF'
import * as Automerge from '@automerge/automerge';
console.log('@automerge/automerge 3.5.0');
let changed = false;
for (const [value, known] of [
  [2 ** 53 - 2, 'number 9007199254740990'],
  [Number.MAX_SAFE_INTEGER, 'bigint 9007199254740991'],
  [1_700_000_000_000_000_000, 'bigint 1700000000000000000'],
  [1e19, 'bigint 9223372036854775807'],
  [1e300, 'bigint 9223372036854775807'],
  [-1e300, 'number -1e+300'],
  [1e300 / 7, 'bigint 9223372036854775807'],
  [1.5, 'number 1.5'],
]) {
  const doc = Automerge.load(Automerge.save(Automerge.from({ value })));
  const seen = `${typeof doc.value} ${doc.value}`;
  console.log(`put number ${value}: read ${seen}`);
  changed ||= seen !== known;
}
const set = Automerge.change(Automerge.init(), (d) => { d.value = -1e300; });
console.log(`the same number -1e300 put by change(): read ${typeof set.value} ${set.value}`);
changed ||= set.value !== -9223372036854775808n;
const doc = Automerge.from({ at: 1_700_000_000_000_000_000 });
for (const [what, act] of [['JSON.stringify(doc)', () => JSON.stringify(doc)], ['doc.at / 1e6', () => doc.at / 1e6]]) {
  try { act(); changed = true; } catch (error) { console.log(`${what}: ${error.name}: ${error.message}`); }
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
