#!/usr/bin/env bash
# One cron line, four libraries, other hours: on the nights when clocks change, and for a step with a weekday.
#
# Expected: "30 2 * * *" runs once a day, also on the night that has 2:30 twice, as cron's manual has it; the same line is
#   the same schedule on the page that shows it (JavaScript) and in the job that runs it (Python).
# Happens: croniter runs it twice in autumn, the others once. "*/30 2 * * *" runs twice that night with cron-parser, four
#   times with the others. "0 */2 * * *" has a run at 3:00 in spring with two of them, none with two. "0 0 */2 * 1" is any
#   second day or Monday with three, and only Mondays on such days with cronsim (as Debian's cron).
# Who is hurt: a backup or a report that runs twice or not at all in two nights a year; a "next run" that is not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact cron-parser@5.10.6 croner@11.0.1 luxon@3.7.2
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check croniter==7.0.0 cronsim==2.8 tzdata==2026.6
cat > cases.json <<'EOF'
[["30 2 * * *", "2024-10-26T12:00:00+00:00", "2024-10-27T12:00:00+00:00"],
 ["*/30 2 * * *", "2024-10-26T12:00:00+00:00", "2024-10-27T12:00:00+00:00"],
 ["0 */2 * * *", "2024-03-30T22:30:00+00:00", "2024-03-31T03:00:00+00:00"],
 ["0 0 */2 * 1", "2024-01-31T12:00:00+00:00", "2024-02-08T12:00:00+00:00"]]
EOF
cat > runs.mjs <<'EOF'
import { readFileSync } from 'node:fs';
import { CronExpressionParser } from 'cron-parser';
import { Cron } from 'croner';
const tz = 'Europe/Berlin';
for (const [line, from, to] of JSON.parse(readFileSync('cases.json', 'utf8'))) {
  const show = (name, next) => {
    const runs = [];
    for (let at = next(); at < new Date(to); at = next()) runs.push(at.toISOString().slice(5, 16));
    console.log([line, name, ...runs].join('|'));
  };
  const parser = CronExpressionParser.parse(line, { currentDate: new Date(from), tz });
  show('cron-parser 5.10.6', () => parser.next().toDate());
  const cron = new Cron(line, { timezone: tz });
  let last = new Date(from);
  show('croner 11.0.1', () => (last = cron.nextRun(last)));
}
EOF
cat > runs.py <<'EOF'
import json
from datetime import datetime, timezone
from zoneinfo import ZoneInfo
from croniter import croniter
from cronsim import CronSim
for line, start, end in json.load(open("cases.json")):
    at = datetime.fromisoformat(start).astimezone(ZoneInfo("Europe/Berlin"))
    times = croniter(line, at)
    for name, step in (("croniter 7.0.0", lambda: times.get_next(datetime)), ("cronsim 2.8", CronSim(line, at).__next__)):
        runs = []
        while (run := step().astimezone(timezone.utc)) < datetime.fromisoformat(end):
            runs.append(run.strftime("%m-%dT%H:%M"))
        print("|".join([line, name, *runs]))
EOF
{ node runs.mjs; venv/bin/python runs.py; } | LC_ALL=C sort > seen.txt
echo 'runs in UTC, the zone is Europe/Berlin:'
cat seen.txt
cat > known.txt <<'EOF'
*/30 2 * * *|cron-parser 5.10.6|10-27T00:00|10-27T00:30
*/30 2 * * *|croner 11.0.1|10-27T00:00|10-27T00:30|10-27T01:00|10-27T01:30
*/30 2 * * *|croniter 7.0.0|10-27T00:00|10-27T00:30|10-27T01:00|10-27T01:30
*/30 2 * * *|cronsim 2.8|10-27T00:00|10-27T00:30|10-27T01:00|10-27T01:30
0 */2 * * *|cron-parser 5.10.6|03-30T23:00|03-31T01:00|03-31T02:00
0 */2 * * *|croner 11.0.1|03-30T23:00|03-31T02:00
0 */2 * * *|croniter 7.0.0|03-30T23:00|03-31T01:00|03-31T02:00
0 */2 * * *|cronsim 2.8|03-30T23:00|03-31T02:00
0 0 */2 * 1|cron-parser 5.10.6|01-31T23:00|02-02T23:00|02-04T23:00|02-06T23:00
0 0 */2 * 1|croner 11.0.1|01-31T23:00|02-02T23:00|02-04T23:00|02-06T23:00
0 0 */2 * 1|croniter 7.0.0|01-31T23:00|02-02T23:00|02-04T23:00|02-06T23:00
0 0 */2 * 1|cronsim 2.8|02-04T23:00
30 2 * * *|cron-parser 5.10.6|10-27T00:30
30 2 * * *|croner 11.0.1|10-27T00:30
30 2 * * *|croniter 7.0.0|10-27T00:30|10-27T01:30
30 2 * * *|cronsim 2.8|10-27T00:30
EOF
LC_ALL=C sort -o known.txt known.txt
diff known.txt seen.txt || { echo CHANGED; exit 1; }
