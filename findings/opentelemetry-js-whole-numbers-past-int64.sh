#!/usr/bin/env bash
# OpenTelemetry for JavaScript: a whole number of 2^63 or more makes a JSON export that is no OTLP, and 0 by protobuf.
#
# Expected: a number that no int64 takes goes out as a double, as 1e22 is one in JavaScript, or is turned down where it is
#   recorded. Attributes and integer instruments take any number by their types.
# Happens: the JSON exporter writes `"intValue": 1e+22` for an attribute, which the JSON of protobuf refuses as out of range:
#   with it goes the whole request, all metrics of that minute. The protobuf exporter sends a double for the attribute. A
#   gauge of ValueType.INT that observes 2^64 goes out as 18446744073709552000 by JSON, and as 0 by protobuf.
# Who is hurt: whoever has an id of 20 digits in an attribute, or a number of bytes that has no limit (2^64): by JSON no
#   chart gets anything, by protobuf one says 0.
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
import { ValueType } from '@opentelemetry/api';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { OTLPMetricExporter as Json } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as Protobuf } from '@opentelemetry/exporter-metrics-otlp-proto';

for (const what of ['attribute', 'value']) {
  for (const [format, Exporter] of [['json', Json], ['protobuf', Protobuf]]) {
    const server = http.createServer((request, response) => {
      const parts = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => {
        writeFileSync(`${what}.${format}`, Buffer.concat(parts));
        response.writeHead(200, { 'content-type': request.headers['content-type'] });
        response.end(format === 'json' ? '{}' : '');
      });
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const exporter = new Exporter({ url: `http://127.0.0.1:${server.address().port}/v1/metrics` });
    const provider = new MeterProvider({
      readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 })],
    });
    const meter = provider.getMeter('m');
    if (what === 'attribute') meter.createUpDownCounter('orders').add(1, { batch: 1e22 });
    else meter.createObservableGauge('limit', { valueType: ValueType.INT }).addCallback((to) => to.observe(2 ** 64));
    await provider.forceFlush();
    await provider.shutdown();
    server.close();
  }
}
EOF
node show.mjs
cat > show.py <<'EOF'
import sys
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

def by_json(what):
    try:
        json_format.Parse(open(f"{what}.json").read(), ExportMetricsServiceRequest())
        return "taken"
    except json_format.ParseError as error:
        return "refused, out of range" if "out of range" in str(error) else str(error)

def metric(what):
    request = ExportMetricsServiceRequest.FromString(open(f"{what}.protobuf", "rb").read())
    return request.resource_metrics[0].scope_metrics[0].metrics[0]

attribute = metric("attribute").sum.data_points[0].attributes[0].value.WhichOneof("value")
value = metric("value").gauge.data_points[0].as_int
print("exporter-metrics-otlp-http 0.223.0 and -proto 0.223.0, JSON read by protobuf's own reader for Python:")
print(f"  the attribute 1e22: by JSON {by_json('attribute')}; by protobuf a {attribute}")
print(f"  an integer gauge of 2^64: by JSON {by_json('value')}; by protobuf {value}")
seen = (by_json("attribute"), attribute, by_json("value"), value)
if seen != ("refused, out of range", "double_value", "refused, out of range", 0):
    print("CHANGED")
    sys.exit(1)
EOF
venv/bin/python show.py
# Seen: the attribute 1e22: by JSON refused, out of range; by protobuf a double_value; an integer gauge of 2^64: by JSON
#   refused, out of range; by protobuf 0
