#!/usr/bin/env bash
# influxdb-client (PyPI): durations and infinities of a DataFrame become lines that no server reads.
#
# Expected: a column of a type that line protocol lacks is an error where it is written, or becomes a number or a text, as
#   columns of times do; a value that is not finite is left out, as Point.field() of the same client leaves it out.
# Happens: NumPy counts timedelta64 among its integers, so a duration is written as `took=0 days 00:00:01i`, in which the spaces
#   end the fields; and infinity is written as `ratio=inf`. The server refuses these lines with all of their other fields.
# Who is hurt: whoever writes what pandas worked out: the difference of two times is a duration, and a division by zero in pandas
#   is no error, but infinity.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check influxdb-client==1.50.0 pandas==3.1.1 numpy==2.4.6
cat >show.py <<'EOF'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
import pandas as pd
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS

sent = []

class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        sent.extend(self.rfile.read(int(self.headers["content-length"])).decode().splitlines())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

print("influxdb-client", version("influxdb-client"), "pandas", version("pandas"))
server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
begun = pd.to_datetime(["2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"])
jobs = pd.DataFrame({"items": [10, 10], "failed": [2, 0], "ended": begun + pd.to_timedelta([1, 90], unit="s")}, index=begun)
jobs["took"] = jobs["ended"] - jobs.index
jobs["ratio"] = jobs["items"] / jobs["failed"]
jobs = jobs.drop(columns="ended")
with InfluxDBClient(f"http://127.0.0.1:{server.server_port}", token="t", org="o") as client:
    client.write_api(write_options=SYNCHRONOUS).write("b", record=jobs, data_frame_measurement_name="job")
print(*sent, sep="\n")
point = Point("job").field("items", 10).field("ratio", float("inf")).to_line_protocol()
print("Point:", point)
assert sent == [
    "job failed=2i,items=10i,ratio=5.0,took=0 days 00:00:01i 1767225600000000000",
    "job failed=0i,items=10i,ratio=inf,took=0 days 00:01:30i 1767225660000000000",
], "CHANGED"
assert point == "job items=10i", "CHANGED"
EOF
venv/bin/python show.py
