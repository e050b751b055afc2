#!/usr/bin/env bash
# accept-language-parser picks a language that the reader has refused, and none for a reader who takes all.
#
# Expected: RFC 9110 (12.4.2): a weight of 0 means "not acceptable"; (12.5.4) "*" matches each language that no other range
#   does.
# Happens: q=0 is the last choice, not a refusal: with "*, de;q=0" and [fr, de] the answer is de, the only one of the two that
#   the header refuses. "*" matches nothing.
# Who is hurt: whoever turned a language down in the browser sees the page in just that one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact accept-language-parser@1.5.0 negotiator@1.1.0
cat > show.mjs <<'EOF'
import parser from 'accept-language-parser';
import Negotiator from 'negotiator';
console.log('accept-language-parser 1.5.0 and negotiator 1.1.0');
let changed = false;
for (const [header, offered, known] of [
  ['*, de;q=0', ['fr', 'de'], ['de', 'fr']],
  ['en, de;q=0', ['de'], ['de', 'none']],
  ['*', ['fr', 'de'], ['none', 'fr']],
  ['en, de;q=0.5', ['fr', 'de'], ['de', 'de']],
]) {
  const other = new Negotiator({ headers: { 'accept-language': header } }).language(offered);
  const seen = [parser.pick(offered, header) ?? 'none', other ?? 'none'];
  console.log(`Accept-Language: ${header} | offered ${offered} | ${seen[0]} | ${seen[1]}`);
  changed ||= `${seen}` !== `${known}`;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
