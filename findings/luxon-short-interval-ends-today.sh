#!/usr/bin/env bash
# Luxon: an interval of two hours in January, written the short way, ends today.
#
# Expected: ISO 8601 (2004, 4.4.5) lets the end leave out what it has in common with the start:
#   2026-01-01T10:00Z/12:00Z is two hours. Interval.fromISO() takes ISO 8601's intervals; isValid is
#   false for what it does not read.
# Happens: the end is read by itself: a time is that of today, so the interval lasts to the present day, or is invalid where
#   it would end before it starts. /05, the fifth of the month, is 05:00 of today. aniso8601 of Python reads both as meant.
# Who is hurt: calendars and feeds in the short form: their lengths grow by a day each day, with no error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact luxon@3.7.2
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check aniso8601==10.0.1
cat > show.mjs <<'EOF'
import { Interval, Settings } from 'luxon';
Settings.defaultZone = 'utc';
Settings.now = () => Date.UTC(2026, 2, 1, 8);
console.log('luxon 3.7.2 on 2026-03-01 at 08:00');
let changed = false;
for (const [text, known] of [
  ['2026-01-01T10:00Z/2026-01-01T12:00Z', 'until 2026-01-01T12:00, 2 hours'],
  ['2026-01-01T10:00Z/12:00Z', 'until 2026-03-01T12:00, 1418 hours'],
  ['2026-01-01/05', 'until 2026-03-01T05:00, 1421 hours'],
  ['2026-05-01T10:00Z/12:00Z', 'end before start'],
]) {
  const interval = Interval.fromISO(text);
  const seen = interval.isValid ? `until ${interval.end.toISO().slice(0, 16)}, ${interval.length('hours')} hours` : interval.invalidReason;
  console.log(`${text}: ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
cat > show.py <<'EOF'
from aniso8601 import parse_interval
print("aniso8601 10.0.1")
changed = False
for text, known in [("2026-01-01T10:00Z/12:00Z", 2), ("2026-01-01/05", 96)]:
    start, end = parse_interval(text)
    hours = (end - start).total_seconds() / 3600
    print(f"{text}: until {end}, {hours:g} hours")
    changed |= hours != known
if changed:
    raise SystemExit("CHANGED")
EOF
node show.mjs
venv/bin/python show.py
