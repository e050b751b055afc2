#!/usr/bin/env bash
# url-template leaves the name of an empty list in the address.
#
# Expected: RFC 6570 (2.3): a list with no members, and a map with none, is undefined, and nothing is written for it; the
#   other templates and uri-templates do so.
# Happens: {?tags} with [] is ?tags=, and & and ; likewise; with * behind the name nothing is written.
# Who is hurt: a filter that nobody set is sent as an empty one: a server that looks for "tags is empty" finds nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact url-template@3.1.1 uri-templates@0.2.0
cat > show.mjs <<'EOF'
import { parseTemplate } from 'url-template';
import uriTemplates from 'uri-templates';
console.log('url-template 3.1.1 and uri-templates 0.2.0');
let changed = false;
for (const [template, value, known] of [
  ['/notes{?tags}', [], ['/notes?tags=', '/notes']],
  ['/notes{?tags}', {}, ['/notes?tags=', '/notes']],
  ['/notes?page=1{&tags}', [], ['/notes?page=1&tags=', '/notes?page=1']],
  ['/notes{;tags}', [], ['/notes;tags=', '/notes']],
  ['/notes{?tags*}', [], ['/notes', '/notes']],
  ['/notes{?tags}', null, ['/notes', '/notes']],
]) {
  const seen = [parseTemplate(template).expand({ tags: value }), uriTemplates(template).fill({ tags: value })];
  console.log(`${template} with ${JSON.stringify(value)}: ${seen[0]} and ${seen[1]}`);
  changed ||= `${seen}` !== `${known}`;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
