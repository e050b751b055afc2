#!/usr/bin/env bash
# InfluxDB 1.x takes the precision "us" for nanoseconds and says 204.
#
# Expected: precision=us is microseconds, as today's clients and InfluxDB 2 and 3 spell it, or an error: the write API of
#   1.x documents ns, u, ms, s, m and h as the valid values.
# Happens: any word it does not know is taken for nanoseconds. Points of now are stored a thousand times too early, in
#   January 1970, and the answer is 204. The Python client of InfluxDB 2 has only "us" for it.
# Who is hurt: whoever points a newer agent at an old server: writes succeed and dashboards stay empty.
set -euo pipefail
work=$(mktemp -d)
influxd=""
trap '[ -z "$influxd" ] || kill "$influxd" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download influxdb=1.6.7~rc0-1+b13 >/dev/null 2>&1
dpkg-deb -x influxdb_*.deb debian
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check influxdb-client==1.50.0
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
debian/usr/bin/influxd version
precision=$(venv/bin/python -c 'from influxdb_client import WritePrecision as P; print(P.US)')
echo "influxdb-client 1.50.0 (PyPI) calls microseconds: $precision"
for p in u "$precision" seconds; do
  status=$(printf 'm_%s v=1 1700000000123456\n' "$p" |
    curl -sS -o /dev/null -w '%{http_code}' -XPOST "http://127.0.0.1:$http/write?db=d&precision=$p" --data-binary @-)
  time=$(curl -sSG "http://127.0.0.1:$http/query" --data-urlencode db=d --data-urlencode "q=SELECT v FROM m_$p" |
    grep -oE '[0-9]{4}-[0-9-]+T[^"]+')
  echo "precision=$p, timestamp 1700000000123456: $status, stored at $time"
  echo "$status $time" >> seen.txt
done
[ "$(tr '\n' ' ' < seen.txt)" = "204 2023-11-14T22:13:20.123456Z 204 1970-01-20T16:13:20.000123456Z 204 1970-01-20T16:13:20.000123456Z " ] ||
  { echo CHANGED; exit 1; }
