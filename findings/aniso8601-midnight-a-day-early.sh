#!/usr/bin/env bash
# aniso8601 reads 24:00, the end of a day, as its beginning.
#
# Expected: in ISO 8601 24:00 is the end of the day (2004, 4.2.3; again since the amendment 1 of 2022), the moment that is
#   00:00 of the next; or an error, as isodate has.
# Happens: the day stays and the hour becomes 0: 24 hours too early. A shift from 08:00 to 24:00 ends before it begins.
#   ciso8601 reads the next day.
# Who is hurt: opening hours, shifts and billing periods up to 24:00: their length is negative, with no error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check aniso8601==10.0.1 ciso8601==2.4.1
cat > show.py <<'EOF'
import aniso8601
import ciso8601
changed = False
for text, known in [
    ("2026-01-01T24:00:00Z", ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00")),
    ("2026-12-31T24:00:00+02:00", ("2026-12-31T00:00:00+02:00", "2027-01-01T00:00:00+02:00")),
]:
    seen = (aniso8601.parse_datetime(text).isoformat(), ciso8601.parse_datetime(text).isoformat())
    print(f"{text}: aniso8601 10.0.1 {seen[0]}, ciso8601 2.4.1 {seen[1]}")
    changed |= seen != known
begin, end = aniso8601.parse_interval("2026-01-01T08:00:00Z/2026-01-01T24:00:00Z")
print("2026-01-01T08:00:00Z/2026-01-01T24:00:00Z by aniso8601:", (end - begin).total_seconds() / 3600, "hours")
if changed or (end - begin).total_seconds() != -8 * 3600:
    raise SystemExit("CHANGED")
EOF
venv/bin/python show.py
