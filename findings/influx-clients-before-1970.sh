#!/usr/bin/env bash
# The same moment before 1970 goes into two different seconds, by the language of the InfluxDB client.
#
# Expected: a time with a fraction, written with precision s (or ms), lands in the unit it lies in, whoever writes it:
#   1.5 s before 1970 is in second -2. Points are the same only if their timestamps are.
# Happens: influx (npm) rounds down and writes -2; the Python clients cut the fraction and write -1, so their units around
#   zero are twice as wide. After 1970 both agree, which hides it.
# Who is hurt: whoever fills old series from two programs: the same reading is stored twice, a unit apart, and never
#   overwrites itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact influx@5.12.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check influxdb3-python==0.21.0 influxdb-client==1.50.0
cat > show.cjs <<'EOF'
const http = require('node:http');
const { InfluxDB } = require('influx');
const lines = [];
const server = http.createServer((request, response) => {
  request.setEncoding('utf8');
  request.on('data', (line) => lines.push(line));
  request.on('end', () => response.writeHead(204).end());
}).listen(0, '127.0.0.1', async () => {
  const client = new InfluxDB({ host: '127.0.0.1', port: server.address().port, database: 'd' });
  for (const milliseconds of [-1500, 1500]) {
    await client.writePoints([{ measurement: 'm', fields: { v: 1 }, timestamp: new Date(milliseconds) }], { precision: 's' });
  }
  console.log(`influx 5.12.0 (npm), -1.5 s and 1.5 s with precision s: ${lines.join(' and ')}`);
  server.close();
  server.closeAllConnections();
  if (lines.join() !== 'm v=1 -2,m v=1 1') { console.log('CHANGED'); process.exit(1); }
});
EOF
node show.cjs
cat > show.py <<'EOF'
from datetime import datetime, timedelta, timezone
from influxdb_client import Point as Point2
from influxdb_client_3 import Point as Point3
epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
for name, point in (("influxdb3-python 0.21.0", Point3), ("influxdb-client 1.50.0 (PyPI)", Point2)):
    lines = [point("m").field("v", 1.0).time(epoch + timedelta(seconds=s), "s").to_line_protocol() for s in (-1.5, 1.5)]
    print(f"{name}, the same: {' and '.join(lines)}")
    assert lines == ["m v=1 -1", "m v=1 1"], "CHANGED"
EOF
venv/bin/python show.py
