#!/usr/bin/env bash
# humanfriendly: 365 days are "1 year and 1 day".
#
# Expected: a year has 365 days, or 365.25; so one of 365 days reads "1 year".
# Happens: a year is 52 weeks: 364 days are "1 year", and after ten of 365 days the text says "10 years, 1 week and 3 days".
#   parse_timespan("1y") gives the same 364 days.
# Who is hurt: pages that say how long a certificate or a key still runs, and settings such as "1y": a day less each year.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check humanfriendly==10.0
cat > show.py <<'EOF'
from humanfriendly import format_timespan, parse_timespan
print("humanfriendly 10.0")
changed = False
for days, known in [(364, "1 year"), (365, "1 year and 1 day"), (366, "1 year and 2 days"), (3650, "10 years, 1 week and 3 days")]:
    seen = format_timespan(days * 86400)
    print(f"{days} days: {seen}")
    changed |= seen != known
days = parse_timespan("1y") / 86400
print("1y:", days, "days")
if changed or days != 364:
    raise SystemExit("CHANGED")
EOF
venv/bin/python show.py
