#!/usr/bin/env bash
# VictoriaMetrics fills the last half minute of a range with the value before it, over points that it has.
#
# Expected: what /api/v1/query_range answers for a moment is the newest point up to that moment, as Prometheus' HTTP API,
#   which it offers, defines it; a point that /api/v1/export shows is seen by a query.
# Happens: points younger than 30 s (-search.latencyOffset) are left out, and each step in that time carries a copy of the
#   last older one, with a fresh timestamp.
# Who is hurt: a live chart: it draws a flat line that becomes another curve 30 s later; an alert by query is as late,
#   and nothing in the answer tells a copy from a measurement.
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
now=$(date +%s)
for ago in 60 50 40 20 10 5; do echo "lag v=$ago $((now - ago))000000000"; done |
  curl -sS -XPOST "http://127.0.0.1:$port/write" --data-binary @-
curl -sS "http://127.0.0.1:$port/internal/force_flush"
cat > read.py <<'EOF'
import json, sys, urllib.parse, urllib.request
port, now = sys.argv[1], int(sys.argv[2])
def get(path, **query):
    return json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(query)}"))
stored = get("/api/v1/export", **{"match[]": "lag_v"})
print("stored (seconds ago: value):", {now - t // 1000: v for t, v in zip(stored["timestamps"], stored["values"])})
answer = get("/api/v1/query_range", query="lag_v", start=now - 60, end=now, step=5, nocache=1)
seen = {now - t: float(v) for t, v in answer["data"]["result"][0]["values"]}
print("query_range (seconds ago: value):", seen)
sys.exit(0 if 5 in stored["values"] and seen[20] == seen[10] == seen[5] == seen[0] == 40.0 else 1)
EOF
python3 read.py "$port" "$now" || { echo CHANGED; exit 1; }
