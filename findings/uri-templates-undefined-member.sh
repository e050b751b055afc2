#!/usr/bin/env bash
# Three libraries of URI templates write an undefined member of a list or map as the word None or null.
#
# Expected: RFC 6570 (2.3, 3.2.1) names null as a way to say undefined, and leaves an undefined value out of an expansion; a
#   member of a map whose value is undefined is ignored. url-template does so.
# Happens: {?tags*} with ["a", undefined, "b"] has tags=None by uritemplate and uri-template of Python, tags=null by
#   uri-templates of npm; so with a map. A variable that is undefined as a whole is left out by all.
# Who is hurt: queries with optional filters given as a map: the server is asked for the owner called "None".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact url-template@3.1.1 uri-templates@0.2.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uritemplate==4.2.0 uri-template==1.3.0
cat > show.mjs <<'EOF'
import { parseTemplate } from 'url-template';
import uriTemplates from 'uri-templates';
let changed = false;
for (const [template, known] of [
  ['{?tags*}', ['?tags=a&tags=b', '?tags=a&tags=null&tags=b']],
  ['{?filter*}', ['?state=open', '?owner=null&state=open']],
  ['{?gone}', ['', '']],
]) {
  const values = { tags: ['a', null, 'b'], filter: { owner: null, state: 'open' }, gone: null };
  const seen = [parseTemplate(template).expand(values), uriTemplates(template).fill(values)];
  console.log(`${template}: url-template 3.1.1 "${seen[0]}", uri-templates 0.2.0 "${seen[1]}"`);
  changed ||= `${seen}` !== `${known}`;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
cat > show.py <<'EOF'
import uri_template
import uritemplate
values = {"tags": ["a", None, "b"], "filter": {"owner": None, "state": "open"}, "gone": None}
changed = False
for template, known in [("{?tags*}", "?tags=a&tags=None&tags=b"), ("{?filter*}", "?owner=None&state=open"), ("{?gone}", "")]:
    seen = [uritemplate.expand(template, values), str(uri_template.expand(template, **values))]
    print(f'{template}: uritemplate 4.2.0 "{seen[0]}", uri-template 1.3.0 "{seen[1]}"')
    changed |= seen != [known, known]
if changed:
    raise SystemExit("CHANGED")
EOF
node show.mjs
venv/bin/python show.py
