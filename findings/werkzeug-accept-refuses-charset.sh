#!/usr/bin/env bash
# Werkzeug: whoever accepts text/html does not get text/html;charset=utf-8.
#
# Expected: RFC 9110 (12.5.1): a media range without parameters matches a type with any; text/html;level=3 is its example, to
#   which the weight of text/html applies. WebOb does so.
# Happens: parameters are compared as a whole, both ways: the offer with a parameter has the weight 0, though */* and text/* take
#   it. best_match() gives None, or a worse offer.
# Who is hurt: a service that offers application/json;version=2: clients that ask for application/json are refused with 406.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check werkzeug==3.1.9 webob==1.8.11
cat > show.py <<'EOF'
from webob.acceptparse import create_accept_header
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header
print("Werkzeug 3.1.9 and WebOb 1.8.11")
changed = False
for header, offers, known in [
    ("text/html", ["text/html;charset=utf-8"], (None, "text/html;charset=utf-8")),
    ("application/json, text/csv;q=0.1", ["application/json;version=2", "text/csv"], ("text/csv", "application/json;version=2")),
    ("text/*", ["text/html;charset=utf-8"], ("text/html;charset=utf-8", "text/html;charset=utf-8")),
    ("text/html", ["text/html"], ("text/html", "text/html")),
]:
    other = create_accept_header(header).acceptable_offers(offers)
    seen = (parse_accept_header(header, MIMEAccept).best_match(offers), other[0][0] if other else None)
    print(f"Accept: {header} | offered {', '.join(offers)} | {seen[0]} | {seen[1]}")
    changed |= seen != known
if changed:
    raise SystemExit("CHANGED")
EOF
venv/bin/python show.py
