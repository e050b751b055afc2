#!/usr/bin/env bash
# negotiator: zh matches zh-Hant-TW, and zh-Hant, which is nearer to it, does not.
#
# Expected: Accept-Language has language ranges, and RFC 4647 (3.3.1) lets a range match each tag that begins with it and goes on
#   with a hyphen: zh-Hant matches zh-Hant-TW as zh does. @hapi/accept does so.
# Happens: what stands behind the first hyphen is compared as a whole, so a range of two parts matches no tag of three; the
#   language with the lesser weight is chosen, or none.
# Who is hurt: readers of Chinese and Serbian whose browser names the script: they get the page in English.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact negotiator@1.1.0 @hapi/accept@6.0.3
cat > show.mjs <<'EOF'
import accept from '@hapi/accept';
import Negotiator from 'negotiator';
console.log('negotiator 1.1.0 and @hapi/accept 6.0.3');
let changed = false;
for (const [header, offered, known] of [
  ['zh, en;q=0.1', ['en', 'zh-Hant-TW'], ['zh-Hant-TW', 'zh-Hant-TW']],
  ['zh-Hant, en;q=0.1', ['en', 'zh-Hant-TW'], ['en', 'zh-Hant-TW']],
  ['zh-Hant-TW, en;q=0.1', ['en', 'zh-Hant-TW'], ['zh-Hant-TW', 'zh-Hant-TW']],
  ['sr-Latn', ['sr-Latn-RS'], ['none', 'sr-Latn-RS']],
]) {
  const language = new Negotiator({ headers: { 'accept-language': header } }).language(offered);
  const seen = [language ?? 'none', accept.language(header, offered) || 'none'];
  console.log(`Accept-Language: ${header} | offered ${offered} | ${seen[0]} | ${seen[1]}`);
  changed ||= `${seen}` !== `${known}`;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
