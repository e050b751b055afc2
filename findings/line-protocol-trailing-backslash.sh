#!/usr/bin/env bash
# A tag value that ends in a backslash: every writer makes another line of it, and none that InfluxDB reads right.
#
# Expected: what a client's tag() is given, such as the Windows drive C:\ that disk metrics carry, comes back from the
#   database, or the client refuses it (line protocol has no escape for a backslash before the separator).
# Happens: the Python clients put a blank after it, so InfluxDB stores "C: " (a blank in the place of the backslash)
#   and answers 204; the two JavaScript clients write it bare, so the separator counts as escaped and InfluxDB refuses
#   the line with 400. A measurement that ends so swallows the tags: the name becomes "disk,host=a".
# Who is hurt: whoever writes paths or drives as tags: silently another series from one language, an error from another.
set -euo pipefail
work=$(mktemp -d)
influxd=""
trap '[ -z "$influxd" ] || kill "$influxd" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download influxdb=1.6.7~rc0-1+b13 >/dev/null 2>&1
dpkg-deb -x influxdb_*.deb debian
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check influxdb3-python==0.21.0 influxdb-client==1.50.0
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @influxdata/influxdb-client@1.35.0 influx@5.12.0

read -r http rpc < <(python3 -c 'import socket
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", 0))
print(a.getsockname()[1], b.getsockname()[1])')
cat > influxd.conf <<EOF
reporting-disabled = true
bind-address = "127.0.0.1:$rpc"
[meta]
dir = "$work/meta"
[data]
dir = "$work/data"
wal-dir = "$work/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:$http"
EOF
debian/usr/bin/influxd -config influxd.conf >influxd.log 2>&1 &
influxd=$!
for _ in $(seq 100); do curl -so /dev/null "http://127.0.0.1:$http/ping" && break; sleep 0.2; done
curl -sS -o /dev/null -XPOST "http://127.0.0.1:$http/query" --data-urlencode 'q=CREATE DATABASE d'

cat > lines.py <<'EOF'
from influxdb_client import Point as Point2
from influxdb_client_3 import Point as Point3
print("influxdb3-python|" + Point3("disk3").tag("drive", "C:\\").field("free", 1).to_line_protocol())
print("influxdb-client (Python)|" + Point2("disk2").tag("drive", "C:\\").field("free", 1).to_line_protocol())
print("influxdb3-python, measurement|" + Point3("disk\\").tag("host", "a").field("free", 1).to_line_protocol())
EOF
cat > lines.cjs <<'EOF'
const { Point } = require('@influxdata/influxdb-client');
const line = new Point('diskjs').tag('drive', 'C:\\').floatField('free', 1).timestamp('').toLineProtocol();
console.log('@influxdata/influxdb-client|' + line);
const { InfluxDB } = require('influx');
const http = require('node:http');
const server = http.createServer((request, response) => {
  request.setEncoding('utf8');
  request.on('data', (line) => console.log('influx (npm)|' + line));
  request.on('end', () => response.writeHead(204).end());
}).listen(0, '127.0.0.1', async () => {
  const client = new InfluxDB({ host: '127.0.0.1', port: server.address().port, database: 'd' });
  await client.writePoints([{ measurement: 'disknode', tags: { drive: 'C:\\' }, fields: { free: 1 } }]);
  server.close();
  server.closeAllConnections();
});
EOF
echo "influxd 1.6.7 (Debian), influxdb3-python 0.21.0, influxdb-client 1.50.0 (PyPI), @influxdata/influxdb-client 1.35.0, influx 5.12.0 (npm)"
{ venv/bin/python lines.py; node lines.cjs; } > lines.txt
while IFS='|' read -r who line; do
  status=$(printf '%s\n' "$line" | curl -sS -o answer -w '%{http_code}' -XPOST "http://127.0.0.1:$http/write?db=d" --data-binary @-)
  echo "$who writes [$line]: $status $(tr -d '\n' < answer)"
  echo "$status" >> statuses.txt
done < lines.txt
curl -sSG "http://127.0.0.1:$http/query" --data-urlencode db=d --data-urlencode 'q=SHOW SERIES' | tee series.json
[ "$(tr '\n' ' ' < statuses.txt)" = "204 204 204 400 400 " ] || { echo CHANGED; exit 1; }
for series in '"disk3,drive=C:\\ "' '"disk2,drive=C:\\ "' '"disk\\,host=a"'; do
  grep -qF "$series" series.json || { echo "CHANGED: no $series"; exit 1; }
done
curl -sSG "http://127.0.0.1:$http/query" --data-urlencode db=d --data-urlencode 'q=SELECT drive, free FROM disk3' | tee value.json
grep -qF '"C: "' value.json || { echo CHANGED; exit 1; }
