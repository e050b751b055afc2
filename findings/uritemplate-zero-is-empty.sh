#!/usr/bin/env bash
# uritemplate (Python) writes the number 0 as nothing.
#
# Expected: numbers are taken as values (the package's types say int and float), so {?page} with 0 is ?page=0, as with 1 it is
#   ?page=1; RFC 6570 leaves out only what is undefined.
# Happens: in ?, & and ; 0, 0.0 and False become the empty text: ?page=, ;page. In a path and within a list 0 is kept.
#   uri-template, another package for the same, writes 0.
# Who is hurt: pages and offsets counted from 0, and identifiers that are 0: the first page only is wrong.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uritemplate==4.2.0 uri-template==1.3.0
cat > show.py <<'EOF'
import uri_template
import uritemplate
print("uritemplate 4.2.0 and uri-template 1.3.0")
changed = False
for template, value, known in [
    ("{?page}", 1, ("?page=1", "?page=1")),
    ("{?page}", 0, ("?page=", "?page=0")),
    ("{?page}", 0.0, ("?page=", "?page=0.0")),
    ("?size=9{&page}", 0, ("?size=9&page=", "?size=9&page=0")),
    ("/items{;page}", 0, ("/items;page", "/items;page=0")),
    ("/items{/page}", 0, ("/items/0", "/items/0")),
    ("{?page}", [0, 1], ("?page=0,1", "?page=0,1")),
    ("{?page}", "0", ("?page=0", "?page=0")),
]:
    seen = (uritemplate.expand(template, page=value), str(uri_template.expand(template, page=value)))
    print(f"{template} with {value!r}: {seen[0]} and {seen[1]}")
    changed |= seen != known
if changed:
    raise SystemExit("CHANGED")
EOF
venv/bin/python show.py
