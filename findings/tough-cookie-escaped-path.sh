#!/usr/bin/env bash
# tough-cookie keeps a cookie whose Path has an escaped character and never sends it.
#
# Expected: the path of a request and Path of a cookie are compared as they are (RFC 6265, 5.1.4), so a cookie for /my%20team
#   goes with a request for /my%20team/board, as in browsers and in Python's requests.
# Happens: the path of the request is decoded before it is compared, Path is not: "/my team/board" does not begin with
#   "/my%20team". What decodeURI leaves alone, such as %2F, and a cookie without Path, whose path is made from the decoded
#   one, work. getSetCookieStrings then writes that one as Path=/my team.
# Who is hurt: end-to-end tests and proxies for an application below a path with a space, a letter with an accent or a percent
#   sign: the sign-in succeeds, the jar has the session, and the next request comes without it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact tough-cookie@6.1.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check requests==2.34.2
cat > cases.json <<'EOF'
[["/my%20team", "; Path=/my%20team"], ["/caf%C3%A9", "; Path=/caf%C3%A9"], ["/50%25", "; Path=/50%25"],
 ["/a%2Fb", "; Path=/a%2Fb"], ["/team", "; Path=/team"], ["/my%20team", ""]]
EOF
cat > show.mjs <<'EOF'
import { readFileSync } from 'node:fs';
import { CookieJar } from 'tough-cookie';
for (const [path, attribute] of JSON.parse(readFileSync('cases.json', 'utf8'))) {
  const jar = new CookieJar();
  await jar.setCookie(`sid=1${attribute}`, `http://example.org${path}/sign-in`);
  const url = `http://example.org${path}/board`;
  console.log(`${path}${attribute}|tough-cookie 6.1.0|${await jar.getCookieString(url) || 'nothing'}`);
}
EOF
cat > show.py <<'EOF'
import json
from http.client import HTTPMessage
from types import SimpleNamespace
import requests
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar, get_cookie_header
for path, attribute in json.load(open("cases.json")):
    headers = HTTPMessage()
    headers["Set-Cookie"] = f"sid=1{attribute}"
    answer = SimpleNamespace(_original_response=SimpleNamespace(msg=headers))
    jar = RequestsCookieJar()
    extract_cookies_to_jar(jar, requests.Request("GET", f"http://example.org{path}/sign-in").prepare(), answer)
    request = requests.Request("GET", f"http://example.org{path}/board").prepare()
    print(f"{path}{attribute}|requests 2.34.2|{get_cookie_header(jar, request) or 'nothing'}")
EOF
{ node show.mjs; venv/bin/python show.py; } | LC_ALL=C sort > seen.txt
echo 'set at PATH/sign-in, sent to PATH/board:'
cat seen.txt
cat > known.txt <<'EOF'
/50%25; Path=/50%25|requests 2.34.2|sid=1
/50%25; Path=/50%25|tough-cookie 6.1.0|nothing
/a%2Fb; Path=/a%2Fb|requests 2.34.2|sid=1
/a%2Fb; Path=/a%2Fb|tough-cookie 6.1.0|sid=1
/caf%C3%A9; Path=/caf%C3%A9|requests 2.34.2|sid=1
/caf%C3%A9; Path=/caf%C3%A9|tough-cookie 6.1.0|nothing
/my%20team; Path=/my%20team|requests 2.34.2|sid=1
/my%20team; Path=/my%20team|tough-cookie 6.1.0|nothing
/my%20team|requests 2.34.2|sid=1
/my%20team|tough-cookie 6.1.0|sid=1
/team; Path=/team|requests 2.34.2|sid=1
/team; Path=/team|tough-cookie 6.1.0|sid=1
EOF
LC_ALL=C sort -o known.txt known.txt
diff known.txt seen.txt || { echo CHANGED; exit 1; }
