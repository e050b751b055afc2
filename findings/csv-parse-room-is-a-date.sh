#!/usr/bin/env bash
# csv-parse: with cast_date, "Room 5" is the first of May 2001, and A-1 a day in January.
#
# Expected: its documentation of `cast_date`: a field that is a date becomes a Date; names are text.
# Happens: whatever Date.parse() of the engine makes something of is a date, and it makes something of most words with a number
#   behind; "Room 13" stays text, as no month has that number. The zone is that of the machine, here UTC.
# Who is hurt: columns of rooms, seats, models or versions: some rows of one column are dates of 2001, others text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact csv-parse@7.0.3
cat > show.mjs <<'EOF'
import { parse } from 'csv-parse/sync';
console.log('csv-parse 7.0.3');
let changed = false;
for (const [text, known] of [
  ['2026-03-01', '2026-03-01'], ['Room 5', '2001-05-01'], ['Room 12', '2001-12-01'], ['Room 13', 'text'], ['A-1', '2001-01-01'], ['Plan 2026', '2026-01-01'], ['Room', 'text'],
]) {
  const [[field]] = parse(text, { cast: true, cast_date: true });
  const seen = field instanceof Date ? field.toISOString().slice(0, 10) : 'text';
  console.log(`${text}: ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
TZ=UTC node show.mjs
