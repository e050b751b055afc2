#!/usr/bin/env bash
# The OTLP exporter for Python says success, without a word, when the server has turned points down.
#
# Expected: OTLP's specification has partial_success in an answer of 200 for a server that took some of the points only,
#   with how many it turned down and why, so that somebody hears of it: the client is not to try again, and what was
#   turned down is lost.
# Happens: the HTTP exporter of the Python SDK does not read the body of a 200. The result is SUCCESS, force_flush() says
#   True, and nothing is logged at any level.
# Who is hurt: whoever sends points that are too old, too many or badly named: the charts have holes, and neither the
#   program's log nor its exit says why. A server has to tell by other means, such as a counter of its own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check opentelemetry-sdk==1.45.2 \
  opentelemetry-exporter-otlp-proto-http==1.45.2
cat > show.py <<'EOF'
import io, logging, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

log = io.StringIO()
logging.basicConfig(level=logging.DEBUG, stream=log)
logging.getLogger("urllib3").setLevel(logging.WARNING)
asked, results = [], []

class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        asked.append(ExportMetricsServiceRequest.FromString(body) if not self.headers.get("content-encoding") else None)
        partial = ExportMetricsPartialSuccess(rejected_data_points=1, error_message="the point is too old")
        answer = ExportMetricsServiceResponse(partial_success=partial).SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *_):
        pass

class Exporter(OTLPMetricExporter):
    def export(self, *args, **more):
        result = super().export(*args, **more)
        results.append(result.name)
        return result

server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
exporter = Exporter(endpoint=f"http://127.0.0.1:{server.server_port}/v1/metrics")
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=10_000_000)
provider = MeterProvider([reader])
provider.get_meter("m").create_counter("orders").add(1)
flushed = provider.force_flush()
told = "too old" in log.getvalue() or "artial" in log.getvalue() or "eject" in log.getvalue()
print(f"opentelemetry-exporter-otlp-proto-http 1.45.2: {len(asked)} request, answered 200 with 1 point turned down:"
      f" result {results[0]}, force_flush {flushed}, said in the log at DEBUG: {told}")
if (len(asked), results[0], flushed, told) != (1, "SUCCESS", True, False):
    print("CHANGED")
    sys.exit(1)
EOF
venv/bin/python show.py
# Seen: 1 request, answered 200 with 1 point turned down: result SUCCESS, force_flush True, said in the log at DEBUG: False
