#!/usr/bin/env bash
# promql-parser (Rust, here through its Python package) prints another query than it parsed.
#
# Expected: the printed form of a parsed query is that query, as with Prometheus' own parser (String() and Pretty()), so
#   that a tool can parse, change and send it on.
# Happens: prettify() and str() both turn "@ -5" into "@ 0.000", another moment. str() also makes a range vector of a
#   subquery with the default step, cuts durations to whole seconds ([1500ms] is [1s]) and drops the escapes of label values.
# Who is hurt: proxies that add a label for each tenant, linters and dashboards' converters: most queries pass, these run as
#   something else or are refused.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check promql-parser==0.12.0
cat > show.py <<'EOF'
import promql_parser
print("promql-parser 0.12.0 (Python)")
for query, pretty, text in (
    ("up @ -5", "up @ 0.000", "up{} @ 0.000"),
    ("rate(a[1m])[5m:]", "rate(a[1m])[5m:]", "rate(a{}[1m])[5m]"),
    ("a[1500ms]", "a[1s500ms]", "a{}[1s]"),
    (r'a{path="C:\\temp"}', r'a{path="C:\\temp"}', r'a{path="C:\temp"}'),
):
    parsed = promql_parser.parse(query)
    seen = parsed.prettify(), str(parsed)
    print(f"{query}   prettify: {seen[0]}   str: {seen[1]}")
    assert seen == (pretty, text), "CHANGED"
EOF
venv/bin/python show.py
