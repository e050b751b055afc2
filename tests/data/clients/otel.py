"""OpenTelemetry's SDK for Python with its exporter of protocol buffers over HTTP.

Takes the host, the port and the token.
"""

import sys

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

host, port, token = sys.argv[1:]

exporter = OTLPMetricExporter(
    endpoint=f"http://{host}:{port}/v1/metrics",
    headers={"authorization": f"Bearer {token}"},
    compression=Compression.Gzip,
)
# It exports when it is told to.
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
resource = Resource({"service.name": "shop", "service.instance.id": "a"})
provider = MeterProvider(resource=resource, metric_readers=[reader])
meter = provider.get_meter("test")
orders = meter.create_counter("otel.orders")
latency = meter.create_histogram("otel.latency", explicit_bucket_boundaries_advisory=[0.1, 1])
for seconds in (0.05, 0.5, 5):
    orders.add(2, {"paid": True})
    latency.record(seconds)
assert provider.force_flush()
provider.shutdown()
