#!/usr/bin/env bash
# OpenTelemetry's remote write exporter for Python sends histograms that no query for histograms understands.
#
# Expected: a histogram in Prometheus' data model is a series NAME_bucket for each bound, with how many values were at most
#   that large: the counts grow with `le`, and `+Inf` has them all, as NAME_count has. histogram_quantile and Grafana's heat
#   maps build on both.
# Happens: the buckets go by the name of the metric itself, without `_bucket`, and each holds the values of its own bucket
#   only: `+Inf` is 0 while NAME_count is 2. The bucket of bound 0, the first of the SDK's own bounds, has no `le` at all.
# Who is hurt: whoever moves a Python service to this exporter: quantiles are empty, and by a query without the suffix wrong.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check opentelemetry-sdk==1.45.2 \
  opentelemetry-exporter-prometheus-remote-write==0.66b1
cat > show.py <<'EOF'
import sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
import snappy
from opentelemetry.exporter.prometheus_remote_write import PrometheusRemoteWriteMetricsExporter
from opentelemetry.exporter.prometheus_remote_write.gen.remote_pb2 import WriteRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

sent = []

class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        sent.append(WriteRequest.FromString(snappy.uncompress(body)))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
exporter = PrometheusRemoteWriteMetricsExporter(endpoint=f"http://127.0.0.1:{server.server_port}/api/v1/write")
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=10_000_000)
bounds = View(instrument_name="latency", aggregation=ExplicitBucketHistogramAggregation([0, 10, 100]))
provider = MeterProvider([reader], views=[bounds])
histogram = provider.get_meter("m").create_histogram("latency")
histogram.record(3)
histogram.record(70)
provider.force_flush()
seen = []
for series in sent[0].timeseries:
    labels = {label.name: label.value for label in series.labels}
    name, le = labels["__name__"], labels.get("le")
    seen.append((name if le is None else f'{name}{{le="{le}"}}', series.samples[0].value))
print("opentelemetry-exporter-prometheus-remote-write 0.66b1, bounds 0, 10 and 100, values 3 and 70:")
for name, value in seen:
    print(f"  {name} = {value:g}")
known = [("latency", 0.0), ('latency{le="10"}', 1.0), ('latency{le="100"}', 1.0), ('latency{le="+Inf"}', 0.0),
         ("latency_sum", 73.0), ("latency_count", 2.0)]
if seen != known:
    print("CHANGED")
    sys.exit(1)
EOF
venv/bin/python show.py
