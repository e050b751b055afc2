#!/usr/bin/env bash
# One max-age is a minute, nothing, or not there, by the reader of Cache-Control.
#
# Expected: RFC 9111 (5.2): names of directives are case-insensitive, and caches ought to take an argument as a token and in quotes.
# Happens: http-cache-semantics, Werkzeug and WebOb know lower case only: MAX-AGE=60 is a lifetime of 0, or none.
#   cache-control-parser knows a bare number only: max-age="60" is not there. @tusbar/cache-control reads all.
# Who is hurt: a proxy or client in front of a server that writes another form: it asks for each thing each time.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact http-cache-semantics@4.3.0 cache-control-parser@2.2.0 @tusbar/cache-control@3.0.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check werkzeug==3.1.9 webob==1.8.11
cat > show.mjs <<'EOF'
import CachePolicy from 'http-cache-semantics';
import parser from 'cache-control-parser';
import { createRequire } from 'node:module';
const tusbar = createRequire(import.meta.url)('@tusbar/cache-control');
console.log('http-cache-semantics 4.3.0, cache-control-parser 2.2.0, @tusbar/cache-control 3.0.1');
let changed = false;
for (const [control, known] of [
  ['max-age=60', [60, 60, 60]], ['MAX-AGE=60', [0, 60, 60]], ['Max-Age=60', [0, 60, 60]], ['max-age="60"', [60, undefined, 60]],
]) {
  const headers = { 'cache-control': control, date: new Date().toUTCString() };
  const policy = new CachePolicy({ url: '/', method: 'GET', headers: {} }, { status: 200, headers }, { shared: false });
  const seen = [policy.maxAge(), parser.parse(control)['max-age'], tusbar.parse(control).maxAge];
  console.log(`  ${control}: ${seen.map(String).join(', ')}`);
  changed ||= `${seen}` !== `${known}`;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
cat > show.py <<'EOF'
from webob import Response
from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import parse_cache_control_header
print("Werkzeug 3.1.9, WebOb 1.8.11")
changed = False
for control, known in [("max-age=60", [60, 60]), ("MAX-AGE=60", [None, None]), ('max-age="60"', [60, 60])]:
    answer = Response(headerlist=[("Cache-Control", control)])
    seen = [parse_cache_control_header(control, cls=ResponseCacheControl).max_age, answer.cache_control.max_age]
    print(f"  {control}: {seen[0]}, {seen[1]}")
    changed |= seen != known
if changed:
    raise SystemExit("CHANGED")
EOF
node show.mjs
venv/bin/python show.py
