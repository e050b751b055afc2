#!/usr/bin/env bash
# prometheus-api-client (PyPI) with Prometheus 2: a range that is fetched in chunks has points twice.
#
# Expected: get_metric_range_data(..., chunk_size=...) gives what it gives without chunk_size; the parameter is documented as
#   the length of what is asked at once.
# Happens: each chunk is asked as `metric[600s]` at its end, and a range selector of Prometheus 2 has both of its ends, so a
#   point that lies where two chunks meet comes with both, and nothing takes it out again: sums and counts of a long range
#   are too high. (Range selectors of Prometheus 3 leave their first end out.)
# Who is hurt: reports made of figures at whole seconds, such as those of recording rules or of a backfill.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download prometheus=2.42.0+ds-5+deb12u1 >/dev/null 2>&1
dpkg-deb -x prometheus_*.deb debian
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check prometheus-api-client==0.7.2
begin=$((($(date +%s) / 600 - 12) * 600))
{
  echo "# TYPE orders gauge"
  for n in $(seq 0 60 3600); do echo "orders 1 $((begin + n))"; done
  echo "# EOF"
} >points
debian/usr/bin/promtool tsdb create-blocks-from openmetrics points data >/dev/null
echo 'scrape_configs: []' >prometheus.yml
port=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
debian/usr/bin/prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address="127.0.0.1:$port" >log 2>&1 &
pids+=($!)
for _ in $(seq 100); do curl -sfo /dev/null "http://127.0.0.1:$port/-/ready" && break; sleep 0.2; done
cat >show.py <<'EOF'
import sys
from datetime import datetime, timedelta
from importlib.metadata import version
from prometheus_api_client import PrometheusConnect

port, begin = sys.argv[1], datetime.fromtimestamp(int(sys.argv[2]))
print("prometheus 2.42.0 (Debian), prometheus-api-client", version("prometheus-api-client"))
client = PrometheusConnect(url=f"http://127.0.0.1:{port}")
counts = {}
for chunk in [None, timedelta(minutes=10)]:
    data = client.get_metric_range_data("orders", start_time=begin, end_time=begin + timedelta(hours=1), chunk_size=chunk)
    times = [at for part in data for at, _ in part["values"]]
    counts[chunk] = (len(times), len(set(times)))
    total = sum(float(value) for part in data for _, value in part["values"])
    print(f"chunk_size {chunk}: {len(times)} points, {len(set(times))} times, sum {total:.0f}")
assert counts == {None: (61, 61), timedelta(minutes=10): (66, 61)}, "CHANGED"
EOF
venv/bin/python show.py "$port" "$begin"
