#!/usr/bin/env bash
# @hapi/accept chooses identity for "*;q=0", which refuses it.
#
# Expected: RFC 9110 (12.5.3): identity is acceptable "unless specifically excluded by the Accept-Encoding header field stating
#   either identity;q=0 or *;q=0 without a more specific entry for identity".
# Happens: with identity;q=0 it is left out, with *;q=0 it is the answer; without preferences it is listed. negotiator leaves it
#   out in both.
# Who is hurt: a client that takes packed answers only gets plain ones.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @hapi/accept@6.0.3 negotiator@1.1.0
cat > show.mjs <<'EOF'
import accept from '@hapi/accept';
import Negotiator from 'negotiator';
console.log('@hapi/accept 6.0.3 and negotiator 1.1.0');
let changed = false;
for (const [header, offered, known] of [
  ['gzip, *;q=0', ['identity'], ['identity', 'none']],
  ['gzip, identity;q=0', ['identity'], ['none', 'none']],
  ['*;q=0', ['br', 'identity'], ['identity', 'none']],
  ['gzip, *;q=0', ['gzip', 'identity'], ['gzip', 'gzip']],
]) {
  const other = new Negotiator({ headers: { 'accept-encoding': header } }).encoding(offered);
  const seen = [accept.encoding(header, offered) || 'none', other ?? 'none'];
  console.log(`Accept-Encoding: ${header} | offered ${offered} | ${seen[0]} | ${seen[1]}`);
  changed ||= `${seen}` !== `${known}`;
}
const list = accept.encodings('gzip, *;q=0');
console.log('all of "gzip, *;q=0":', list.join(', '));
if (changed || `${list}` !== 'gzip,identity') { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
