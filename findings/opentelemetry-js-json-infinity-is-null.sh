#!/usr/bin/env bash
# OpenTelemetry's OTLP/JSON exporter for JavaScript: NaN and infinities of a metric become null, with protobuf they arrive.
#
# Expected: the JSON of protobuf, which OTLP/JSON is, has the words "NaN", "Infinity" and "-Infinity" for them; a gauge
#   says the same over either exporter of the SDK.
# Happens: exporter-metrics-otlp-http writes `"asDouble": null`, which the JSON of protobuf reads as "not set": a point
#   with a time and without a value. One Infinity in a histogram takes its sum along ("sum": null), for good where
#   temporality is cumulative. exporter-metrics-otlp-proto sends inf and nan.
# Who is hurt: whoever divides by something that may be 0: by JSON the chart has 0, a gap or an error, as the receiver
#   likes, by protobuf +Inf.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @opentelemetry/sdk-metrics@2.12.1 \
  @opentelemetry/exporter-metrics-otlp-http@0.223.0 @opentelemetry/exporter-metrics-otlp-proto@0.223.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check opentelemetry-proto==1.45.2
cat > show.mjs <<'EOF'
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { OTLPMetricExporter as Json } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as Protobuf } from '@opentelemetry/exporter-metrics-otlp-proto';

for (const [file, Exporter] of [['json', Json], ['protobuf', Protobuf]]) {
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      writeFileSync(file, Buffer.concat(parts));
      response.writeHead(200, { 'content-type': request.headers['content-type'] });
      response.end(file === 'json' ? '{}' : '');
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const exporter = new Exporter({ url: `http://127.0.0.1:${server.address().port}/v1/metrics` });
  const provider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 })],
  });
  const meter = provider.getMeter('m');
  meter.createObservableGauge('ratio').addCallback((result) => result.observe(1 / 0));
  const sizes = meter.createHistogram('sizes');
  sizes.record(5);
  sizes.record(Infinity);
  await provider.forceFlush();
  await provider.shutdown();
  server.close();
}
EOF
node show.mjs
cat > show.py <<'EOF'
import json, sys
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

text = json.load(open("json"))["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
by_json = (text[0]["gauge"]["dataPoints"][0]["asDouble"], text[1]["histogram"]["dataPoints"][0]["sum"])
request = ExportMetricsServiceRequest.FromString(open("protobuf", "rb").read())
metrics = request.resource_metrics[0].scope_metrics[0].metrics
by_protobuf = (metrics[0].gauge.data_points[0].as_double, metrics[1].histogram.data_points[0].sum)
print(f"exporter-metrics-otlp-http 0.223.0 and -proto 0.223.0, a gauge of 1 / 0 and the sum of 5 and Infinity:"
      f" by JSON {by_json}, by protobuf {by_protobuf}")
if by_json != (None, None) or by_protobuf != (float("inf"), float("inf")):
    print("CHANGED")
    sys.exit(1)
EOF
venv/bin/python show.py
# Seen: a gauge of 1 / 0 and the sum of 5 and Infinity: by JSON (None, None), by protobuf (inf, inf)
