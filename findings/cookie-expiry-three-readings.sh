#!/usr/bin/env bash
# One Expires of a cookie is three moments for four libraries.
#
# Expected: RFC 6265 (5.1.1) has one way to read a date, also the two older forms that HTTP still allows to come: all are in
#   UTC, and the years 00 to 69 are 2000 to 2069.
# Happens: tough-cookie does so. cookie and set-cookie-parser hand the text to Date: a date in the form of asctime is in the
#   zone of the machine, and 60 is 1960. requests, by Python's http.cookiejar, reads 60 as 2060 and loses a date of asctime.
# Who is hurt: a proxy or test client that keeps the cookies of an older server: the session lives hours more or less than
#   the browser's, ends with the process, or was over before it began; on a machine in UTC the first of these is not seen.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact cookie@1.1.1 set-cookie-parser@3.2.3 tough-cookie@6.1.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check requests==2.34.2
cat > cases.json <<'EOF'
["Wed, 31 Dec 2059 23:00:00 GMT", "Wed Dec 31 23:00:00 2059", "Friday, 31-Dec-60 23:00:00 GMT"]
EOF
cat > show.mjs <<'EOF'
import { readFileSync } from 'node:fs';
import { parseSetCookie } from 'cookie';
import { parseString } from 'set-cookie-parser';
import { Cookie } from 'tough-cookie';
for (const date of JSON.parse(readFileSync('cases.json', 'utf8'))) {
  const line = `sid=1; Expires=${date}`;
  console.log(`${date}|cookie 1.1.1|${parseSetCookie(line).expires.toISOString().slice(0, 16)}`);
  console.log(`${date}|set-cookie-parser 3.2.3|${parseString(line).expires.toISOString().slice(0, 16)}`);
  console.log(`${date}|tough-cookie 6.1.0|${Cookie.parse(line).expires.toISOString().slice(0, 16)}`);
}
EOF
cat > show.py <<'EOF'
import json
from datetime import datetime, timezone
from http.client import HTTPMessage
from types import SimpleNamespace
import requests
for date in json.load(open("cases.json")):
    headers = HTTPMessage()
    headers["Set-Cookie"] = f"sid=1; Expires={date}"
    jar = requests.cookies.RequestsCookieJar()
    answer = SimpleNamespace(_original_response=SimpleNamespace(msg=headers))
    requests.cookies.extract_cookies_to_jar(jar, requests.Request("GET", "http://example.org/").prepare(), answer)
    (cookie,) = jar
    at = cookie.expires and datetime.fromtimestamp(cookie.expires, timezone.utc).isoformat()[:16]
    print(f"{date}|requests 2.34.2|{at or 'until the end of the session'}")
EOF
{ TZ=America/New_York node show.mjs; venv/bin/python show.py; } | LC_ALL=C sort > seen.txt
echo 'moments in UTC, the machine is in New York:'
cat seen.txt
cat > known.txt <<'EOF'
Friday, 31-Dec-60 23:00:00 GMT|cookie 1.1.1|1960-12-31T23:00
Friday, 31-Dec-60 23:00:00 GMT|requests 2.34.2|2060-12-31T23:00
Friday, 31-Dec-60 23:00:00 GMT|set-cookie-parser 3.2.3|1960-12-31T23:00
Friday, 31-Dec-60 23:00:00 GMT|tough-cookie 6.1.0|2060-12-31T23:00
Wed Dec 31 23:00:00 2059|cookie 1.1.1|2060-01-01T04:00
Wed Dec 31 23:00:00 2059|requests 2.34.2|until the end of the session
Wed Dec 31 23:00:00 2059|set-cookie-parser 3.2.3|2060-01-01T04:00
Wed Dec 31 23:00:00 2059|tough-cookie 6.1.0|2059-12-31T23:00
Wed, 31 Dec 2059 23:00:00 GMT|cookie 1.1.1|2059-12-31T23:00
Wed, 31 Dec 2059 23:00:00 GMT|requests 2.34.2|2059-12-31T23:00
Wed, 31 Dec 2059 23:00:00 GMT|set-cookie-parser 3.2.3|2059-12-31T23:00
Wed, 31 Dec 2059 23:00:00 GMT|tough-cookie 6.1.0|2059-12-31T23:00
EOF
LC_ALL=C sort -o known.txt known.txt
diff known.txt seen.txt || { echo CHANGED; exit 1; }
