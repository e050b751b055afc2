#!/usr/bin/env bash
# WebOb reads Retry-After as a time with a zone or without one, by the form in which it came.
#
# Expected: RFC 9110 (10.2.3): seconds and a date are two ways to name one moment, so the attribute retry_after, a datetime, is
#   used alike for both.
# Happens: a date gives a datetime in UTC, seconds give one without a zone, by the clock of the machine. No "now" can be
#   compared with both: what works with the one raises a TypeError with the other.
# Who is hurt: a client that was tried with the one form: its first answer with the other is an exception, just when a server is
#   overloaded.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check webob==1.8.11
cat > show.py <<'EOF'
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from webob import Response
print("WebOb 1.8.11")
now, changed = datetime.now(timezone.utc), False
for value, known in [("120", None), (format_datetime((now + timedelta(seconds=120)).replace(microsecond=0), usegmt=True), "UTC")]:
    read = Response(headerlist=[("Retry-After", value)]).retry_after
    try:
        compared = f"later than now: {read > now}"
    except TypeError as error:
        compared = f"{type(error).__name__}: {error}"
    print(f"Retry-After: {value}: zone {read.tzinfo}, {compared}")
    changed |= (str(read.tzinfo) if read.tzinfo else None) != known or (read.tzinfo is None) != compared.startswith("TypeError")
if changed:
    raise SystemExit("CHANGED")
EOF
venv/bin/python show.py
