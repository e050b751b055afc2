#!/usr/bin/env bash
# scim2-filter-parser (PyPI) reads "a or b and c" as "(a or b) and c".
#
# Expected: RFC 7644 (3.4.2.2) has "and" before "or", and a comment above the table of precedence in the package's parser says
#   the same; so "a or b and c" is "a or (b and c)", as npm's scim2-parse-filter has it.
# Happens: the table puts both on one level, and what stands first is taken first. The same two conditions the other way
#   round, "b and c or a", are right by chance.
# Who is hurt: an identity provider that asks for accounts by such a filter is not told of some that it asked for: a person
#   who is there is taken for missing and is made again, or is not counted in the group.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact scim2-parse-filter@0.2.10
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scim2-filter-parser==0.7.0
cat > cases.json <<'EOF'
{"users": [{"userName": "ada", "title": "Head", "userType": "Guest"},
           {"userName": "bob", "title": "Clerk", "userType": "Employee"},
           {"userName": "eve", "title": "Clerk", "userType": "Guest"}],
 "filters": ["title eq \"Head\" or title eq \"Clerk\" and userType eq \"Employee\"",
             "title eq \"Head\" or (title eq \"Clerk\" and userType eq \"Employee\")",
             "title eq \"Clerk\" and userType eq \"Employee\" or title eq \"Head\""]}
EOF
cat > show.mjs <<'EOF'
import { readFileSync } from 'node:fs';
import { filter, parse } from 'scim2-parse-filter';
const { users, filters } = JSON.parse(readFileSync('cases.json', 'utf8'));
for (const text of filters) console.log(`${text}|scim2-parse-filter 0.2.10|${users.filter(filter(parse(text))).map((user) => user.userName)}`);
EOF
cat > show.py <<'EOF'
import json
import sqlite3
from scim2_filter_parser.queries import SQLQuery
cases = json.load(open("cases.json"))
names = ["userName", "title", "userType"]
store = sqlite3.connect(":memory:")
store.execute("CREATE TABLE users (userName, title, userType)")
store.executemany("INSERT INTO users VALUES (:userName, :title, :userType)", cases["users"])
for text in cases["filters"]:
    query = SQLQuery(text, "users", {(name, None, None): f"users.{name}" for name in names}, [])
    rows = store.execute(query.sql.replace("%s", "?").rstrip().rstrip(";") + " ORDER BY 1", query.params)
    print(f"{text}|scim2-filter-parser 0.7.0|{','.join(row[0] for row in rows)}")
EOF
{ node show.mjs; venv/bin/python show.py; } | LC_ALL=C sort > seen.txt
cat seen.txt
cat > known.txt <<'EOF'
title eq "Clerk" and userType eq "Employee" or title eq "Head"|scim2-filter-parser 0.7.0|ada,bob
title eq "Clerk" and userType eq "Employee" or title eq "Head"|scim2-parse-filter 0.2.10|ada,bob
title eq "Head" or (title eq "Clerk" and userType eq "Employee")|scim2-filter-parser 0.7.0|ada,bob
title eq "Head" or (title eq "Clerk" and userType eq "Employee")|scim2-parse-filter 0.2.10|ada,bob
title eq "Head" or title eq "Clerk" and userType eq "Employee"|scim2-filter-parser 0.7.0|bob
title eq "Head" or title eq "Clerk" and userType eq "Employee"|scim2-parse-filter 0.2.10|ada,bob
EOF
LC_ALL=C sort -o known.txt known.txt
diff known.txt seen.txt || { echo CHANGED; exit 1; }
