#!/usr/bin/env bash
# VictoriaMetrics stores a text field of line protocol as the number 0.
#
# Expected: what a field of type string (s="text" in line protocol) cannot be in a store of numbers it is not: refused, or
#   left out, as the store does with other fields it cannot keep.
# Happens: each text field becomes a series that is 0 at all times, except text that looks like a number, which becomes
#   that number; the answer is 204 and the log is silent.
# Who is hurt: agents send states and versions as text beside the figures: minimum and mean over {__name__=~"disk_.*"} are
#   wrong, and a dashboard shows 0 for "ok" as well as for "failed".
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download victoria-metrics=1.79.5+ds1-2+b5 >/dev/null 2>&1
dpkg-deb -x victoria-metrics_*.deb debian
port=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
debian/usr/bin/victoria-metrics -httpListenAddr="127.0.0.1:$port" -storageDataPath="$work/data" >log 2>&1 &
pids+=($!)
for _ in $(seq 100); do curl -so /dev/null "http://127.0.0.1:$port/health" && break; sleep 0.2; done
echo "victoria-metrics 1.79.5 (Debian)"
line='disk free=12.5,state="failed",serial="12",version="1.2.3"'
echo "$line: $(curl -sS -o /dev/null -w '%{http_code}' -XPOST "http://127.0.0.1:$port/write" --data-binary "$line")"
for _ in $(seq 50); do
  curl -sS "http://127.0.0.1:$port/internal/force_flush"
  curl -sSG "http://127.0.0.1:$port/api/v1/export" --data-urlencode 'match[]={__name__=~"disk_.*"}' |
    sed -E 's/.*"__name__":"([^"]+)".*"values":\[([^]]*)\].*/\1 \2/' | sort > seen.txt
  [ ! -s seen.txt ] || break
  sleep 0.2
done
cat seen.txt
echo "lines of the log that speak of the fields: $(grep -c 'disk' log || true)"
[ "$(tr '\n' ' ' < seen.txt)" = "disk_free 12.5 disk_serial 12 disk_state 0 disk_version 0 " ] || { echo CHANGED; exit 1; }
