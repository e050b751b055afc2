#!/usr/bin/env bash
# fresh, and so Express: an ETag with a comma is never fresh.
#
# Expected: RFC 9110 (8.8.3): between the quotes of an ETag stands any visible character but the quote, a comma too; and (5.6.1,
#   5.6.3) around the commas of a list stand spaces or tabs.
# Happens: If-None-Match is cut at each comma, also within quotes, so "v1,en" is not found in itself; nor is what stands behind a
#   tab. The function itself takes the ETag without an error.
# Who is hurt: versions made of several parts, as "v1,en": each request is answered with the whole body, and never with 304.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact fresh@2.0.0
cat > show.mjs <<'EOF'
import fresh from 'fresh';
console.log('fresh 2.0.0');
let changed = false;
for (const [sent, etag, known] of [
  ['"v1-en"', '"v1-en"', true], ['"v1,en"', '"v1,en"', false], ['"v0", "v1,en"', '"v1,en"', false], ['"v0", "v1"', '"v1"', true], ['"v0",\t"v1"', '"v1"', false],
]) {
  const seen = fresh({ 'if-none-match': sent }, { etag });
  console.log(`If-None-Match: ${JSON.stringify(sent).slice(1, -1).replaceAll('\\"', '"')} and ETag: ${etag}: fresh ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
