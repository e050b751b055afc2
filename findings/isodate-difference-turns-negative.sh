#!/usr/bin/env bash
# isodate writes a year less two months as minus one year and two months.
#
# Expected: Duration "handles also differences given in years and months" and is used "almost like any timedelta" (its
#   documentation), and parse_duration() reads what duration_isoformat() writes as the same; or an error for what ISO 8601
#   cannot write.
# Happens: one negative part puts a minus before the whole, and each part is written without its own sign: P1Y - P2M is
#   -P1Y2M, a month less an hour -P1MT1H. The duration itself is right: added to a date it goes ahead.
# Who is hurt: a period "a month less a day" that is stored as text and read again ends in the past.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check isodate==0.7.2
cat > show.py <<'EOF'
from datetime import datetime
from isodate import duration_isoformat, parse_duration
print("isodate 0.7.2")
start, changed = datetime(2026, 1, 15), False
for left, right, known in [
    ("P1Y", "P2M", ("-P1Y2M", "2026-11-15 00:00", "2024-11-15 00:00")),
    ("P1M", "P1D", ("-P1M1D", "2026-02-14 00:00", "2025-12-14 00:00")),
    ("P1M", "PT1H", ("-P1MT1H", "2026-02-14 23:00", "2025-12-14 23:00")),
    ("P2M", "P1M", ("P1M", "2026-02-15 00:00", "2026-02-15 00:00")),
]:
    difference = parse_duration(left) - parse_duration(right)
    text = duration_isoformat(difference)
    ends = [f"{start + d:%Y-%m-%d %H:%M}" for d in (difference, parse_duration(text))]
    print(f"{left} - {right}: written {text}; from {start:%Y-%m-%d} to {ends[0]}, by the text to {ends[1]}")
    changed |= (text, *ends) != known
if changed:
    raise SystemExit("CHANGED")
EOF
venv/bin/python show.py
