#!/usr/bin/env bash
# Two libraries for SCIM filters leave the escapes of JSON in the strings that they read.
#
# Expected: a value to compare with is written by the rules of JSON (RFC 7644, 3.4.2.2), so whatever json.dumps or
#   JSON.stringify makes of a name stands for that name.
# Happens: scim2-filter-parser (PyPI) takes the characters between the quotes as they are: \u00fc stays six characters, \\ two,
#   and \" ends the string, so that the filter is a syntax error. scim2-parse-filter (npm) reads \" and leaves the others.
# Who is hurt: an account named Müller is not found by a client that writes ASCII only, as json.dumps does by default, and is
#   made a second time; a domain account, ACME\ada, is found by no client that keeps to the format.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact scim2-parse-filter@0.2.10
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scim2-filter-parser==0.7.0
cat > values.txt <<'EOF'
"Ada"
"Müller"
"M\u00fcller"
"ACME\\ada"
"the \"Count\""
"sales\/north"
EOF
cat > show.mjs <<'EOF'
import { readFileSync } from 'node:fs';
import { parse } from 'scim2-parse-filter';
for (const value of readFileSync('values.txt', 'utf8').trim().split('\n')) {
  const read = parse(`displayName eq ${value}`).compValue;
  console.log(`${value}|scim2-parse-filter 0.2.10|${read === JSON.parse(value) ? 'right' : `read as ${read}`}`);
}
EOF
cat > show.py <<'EOF'
import json
from scim2_filter_parser.queries import SQLQuery
for value in open("values.txt", encoding="utf-8").read().splitlines():
    try:
        (read,) = SQLQuery(f"displayName eq {value}", "users", {("displayName", None, None): "name"}, []).params
        seen = "right" if read == json.loads(value) else f"read as {read}"
    except Exception as error:
        seen = type(error).__name__
    print(f"{value}|scim2-filter-parser 0.7.0|{seen}")
EOF
{ node show.mjs; PYTHONIOENCODING=utf-8 venv/bin/python show.py; } | LC_ALL=C sort > seen.txt
cat seen.txt
cat > known.txt <<'EOF'
"ACME\\ada"|scim2-filter-parser 0.7.0|read as ACME\\ada
"ACME\\ada"|scim2-parse-filter 0.2.10|read as ACME\\ada
"Ada"|scim2-filter-parser 0.7.0|right
"Ada"|scim2-parse-filter 0.2.10|right
"M\u00fcller"|scim2-filter-parser 0.7.0|read as M\u00fcller
"M\u00fcller"|scim2-parse-filter 0.2.10|read as M\u00fcller
"Müller"|scim2-filter-parser 0.7.0|right
"Müller"|scim2-parse-filter 0.2.10|right
"sales\/north"|scim2-filter-parser 0.7.0|read as sales\/north
"sales\/north"|scim2-parse-filter 0.2.10|read as sales\/north
"the \"Count\""|scim2-filter-parser 0.7.0|SCIMParserError
"the \"Count\""|scim2-parse-filter 0.2.10|right
EOF
LC_ALL=C sort -o known.txt known.txt
diff known.txt seen.txt || { echo CHANGED; exit 1; }
