#!/usr/bin/env bash
# @hapi/accept chooses a media type that is not among those offered.
#
# Expected: mediaType(header, preferences) gives one of the preferences or an empty text. RFC 9110 (12.5.1): text/html matches a
#   type with parameters too, so text/html;charset=utf-8 is acceptable to whoever asks for text/html.
# Happens: a parameter in the header is taken over: asked for application/json;version=2 of [application/json], the answer is
#   the former. The other way round nothing matches: "text/html" refuses text/html;charset=utf-8, though */* takes it.
#   negotiator has none and the type offered.
# Who is hurt: a server that looks up its writers by the answer has none for it, or declares a version that it does not have.
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
  ['application/json;version=2', ['application/json'], ['application/json;version=2', 'none']],
  ['text/csv;header=present, text/csv;q=0.5', ['text/csv'], ['text/csv;header=present', 'text/csv']],
  ['text/html', ['text/html;charset=utf-8'], ['none', 'text/html;charset=utf-8']],
  ['*/*', ['text/html;charset=utf-8'], ['text/html;charset=utf-8', 'text/html;charset=utf-8']],
]) {
  const other = new Negotiator({ headers: { accept: header } }).mediaType(offered);
  const seen = [accept.mediaType(header, offered) || 'none', other ?? 'none'];
  console.log(`Accept: ${header} | offered ${offered} | ${seen[0]} | ${seen[1]}`);
  changed ||= `${seen}` !== `${known}`;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
