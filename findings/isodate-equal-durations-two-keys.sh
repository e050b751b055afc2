#!/usr/bin/env bash
# isodate: a year equals twelve months, and both stand in one set.
#
# Expected: "objects which compare equal have the same hash value" (Python's data model), so of two equal durations a set
#   holds one, and a dict finds the value of either.
# Happens: == counts twelve months as a year, the hash does not: the set has two members, and the look-up misses.
# Who is hurt: whoever groups or caches by durations that come as text: P1Y and P12M are two groups of equal name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check isodate==0.7.2
cat > show.py <<'EOF'
from isodate import parse_duration
print("isodate 0.7.2")
year, months = parse_duration("P1Y"), parse_duration("P12M")
seen = (year == months, len({year, months}), {year: "found"}.get(months))
print("P1Y == P12M:", seen[0])
print("members of the set of both:", seen[1])
print("look-up of P12M among the keys [P1Y]:", seen[2])
if seen != (True, 2, None):
    raise SystemExit("CHANGED")
EOF
venv/bin/python show.py
