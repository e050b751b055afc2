#!/usr/bin/env bash
# requests and httpx keep a cookie with Domain=localhost and never send it.
#
# Expected: a cookie whose Domain is the host that sets it belongs to that host (RFC 6265, 5.1.3: a domain matches itself), so
#   it comes back with the next request, as from curl. One that is refused is not in the jar.
# Happens: both use Python's http.cookiejar. It takes the cookie as one of .localhost, for it calls the host localhost.local
#   at that moment, and later compares with localhost, which does not match. So it is for any host without a dot.
# Who is hurt: who runs the application on their own machine, or by the one name that the network or Docker gives it: signing
#   in succeeds, session.cookies shows the session, and each request after it is not signed in. Elsewhere it works.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check requests==2.34.2 httpx==0.28.1
cat > show.py <<'EOF'
import platform
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
import httpx
import requests

class Application(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        if self.path.startswith("/sign-in"):
            self.send_header("Set-Cookie", "sid=1" + ("; Domain=localhost" if "?domain" in self.path else ""))
        body = (self.headers.get("Cookie") or "nothing").encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Application)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://localhost:{server.server_port}"
print(f"requests {requests.__version__}, httpx {httpx.__version__}, Python {platform.python_version()}")
seen = {}
for query in ("", "?domain"):
    session = requests.Session()
    session.trust_env = False
    for name, client in ("requests", session), ("httpx", httpx.Client(trust_env=False)):
        client.get(f"{site}/sign-in{query}")
        seen[name, query] = (client.cookies.get("sid"), client.get(f"{site}/board").text)
    jar = f"jar{query}"
    command = ["curl", "-s", "--noproxy", "*", "-c", jar, "-b", jar]
    subprocess.run([*command, f"{site}/sign-in{query}"], check=True, capture_output=True)
    text = subprocess.run([*command, f"{site}/board"], check=True, capture_output=True, text=True).stdout
    seen["curl", query] = ("1" if "\tsid\t1" in open(jar).read() else None, text)
for (name, query), (kept, sent) in seen.items():
    print(f"{name}, {'Domain=localhost' if query else 'no Domain'}: the jar has {kept}, sent to /board: {sent}")
assert seen == {
    ("requests", ""): ("1", "sid=1"), ("httpx", ""): ("1", "sid=1"), ("curl", ""): ("1", "sid=1"),
    ("requests", "?domain"): ("1", "nothing"), ("httpx", "?domain"): ("1", "nothing"), ("curl", "?domain"): ("1", "sid=1"),
}, "CHANGED"
EOF
venv/bin/python show.py
