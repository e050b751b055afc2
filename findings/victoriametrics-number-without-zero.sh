#!/usr/bin/env bash
# VictoriaMetrics stores .5 as 0 from line protocol and drops it from Prometheus' text, and says 204 to both.
#
# Expected: .5, -.5 and 5. are numbers: InfluxDB 1.x stores them, and Prometheus' text format takes what Go's ParseFloat
#   takes. What a store cannot read it refuses.
# Happens: in line protocol each is stored as 0; in the text import the line is missing, with a note in the log alone.
# Who is hurt: shell scripts: bc prints .50 for a half. Every value below one is 0 on the chart, those above are right.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download victoria-metrics=1.79.5+ds1-2+b5 influxdb=1.6.7~rc0-1+b13 >/dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" debian; done
read -r vm http rpc < <(python3 -c 'import socket
ports = [socket.socket() for _ in range(3)]
for s in ports: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in ports))')
cat > influxd.conf <<EOF
reporting-disabled = true
bind-address = "127.0.0.1:$rpc"
[meta]
dir = "$work/meta"
[data]
dir = "$work/influx"
wal-dir = "$work/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:$http"
EOF
debian/usr/bin/influxd -config influxd.conf >influxd.log 2>&1 &
pids+=($!)
debian/usr/bin/victoria-metrics -httpListenAddr="127.0.0.1:$vm" -storageDataPath="$work/data" >vm.log 2>&1 &
pids+=($!)
for url in "http://127.0.0.1:$http/ping" "http://127.0.0.1:$vm/health"; do
  for _ in $(seq 100); do curl -so /dev/null "$url" && break; sleep 0.2; done
done
echo "victoria-metrics 1.79.5, influxdb 1.6.7 (Debian)"
curl -sS -o /dev/null -XPOST "http://127.0.0.1:$http/query" --data-urlencode 'q=CREATE DATABASE d'
for value in 0.5 .5 -.5 5.; do
  echo "load,written=$value v=$value" >> lines
  echo "text{written=\"$value\"} $value" >> text
done
for url in "http://127.0.0.1:$http/write?db=d" "http://127.0.0.1:$vm/write"; do
  curl -sS -o /dev/null -w "line protocol to $url: %{http_code}\n" --data-binary @lines "$url" | sed 's/127.0.0.1:[0-9]*//'
done
curl -sS -o /dev/null -w 'text import: %{http_code}\n' --data-binary @text "http://127.0.0.1:$vm/api/v1/import/prometheus"
cat > read.py <<'EOF'
import json, sys, time, urllib.parse, urllib.request
influx, vm = sys.argv[1:]
def get(port, path, **query):
    return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(query)}").read()
rows = json.loads(get(influx, "/query", db="d", q="SELECT written, v FROM load"))["results"][0]["series"][0]["values"]
seen = {"InfluxDB": {written: v for _, written, v in rows}}
print("InfluxDB:", seen["InfluxDB"])
for name in ("load_v", "text"):
    for _ in range(50):
        get(vm, "/internal/force_flush")
        lines = get(vm, "/api/v1/export", **{"match[]": name}).splitlines()
        if lines:
            break
        time.sleep(0.2)
    seen[name] = {s["metric"]["written"]: s["values"][0] for s in map(json.loads, lines)}
    print(f"VictoriaMetrics, {name}:", seen[name])
assert seen == {
    "InfluxDB": {"0.5": 0.5, ".5": 0.5, "-.5": -0.5, "5.": 5},
    "load_v": {"0.5": 0.5, ".5": 0, "-.5": 0, "5.": 0},
    "text": {"0.5": 0.5},
}, "CHANGED"
EOF
python3 read.py "$http" "$vm"
grep -c 'cannot unmarshal Prometheus line' vm.log | sed 's/^/lines of the log about the text import: /'
