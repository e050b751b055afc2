#!/usr/bin/env bash
# OpenTelemetry's remote write exporter for Python sends series in which one label stands twice, and keeps going.
#
# Expected: attributes such as `shop.id` and `shop_id` become one and the same label, since a dot has no place in a label;
#   OpenTelemetry's own rules for Prometheus say that their values are joined by ";", in the order of the names. Remote
#   write's specification forbids a label that stands twice.
# Happens: each attribute is written as a label of its own, so the series has `shop_id` twice. Prometheus 2.42 answers such a
#   request with 500 ("label name "shop_id" is not unique"), whatever else is in it.
# Who is hurt: a service that names one attribute by the conventions and has an older one of its own beside it: its metrics
#   do not arrive from the moment at which both are set.
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
from opentelemetry.sdk.resources import Resource

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
provider = MeterProvider([reader], resource=Resource({}))
provider.get_meter("m").create_counter("orders").add(1, {"shop.id": "a", "shop_id": "b"})
provider.force_flush()
labels = [(label.name, label.value) for label in sent[0].timeseries[0].labels]
print("opentelemetry-exporter-prometheus-remote-write 0.66b1, attributes shop.id=a and shop_id=b:", labels)
if labels != [("__name__", "orders"), ("shop_id", "a"), ("shop_id", "b")]:
    print("CHANGED")
    sys.exit(1)
EOF
venv/bin/python show.py
