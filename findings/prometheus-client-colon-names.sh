#!/usr/bin/env bash
# prometheus_client (Python) gives one metric two names in OpenMetrics when its name has a colon.
#
# Expected: a colon is legal in a metric's name in both formats, so one name stands in the HELP, TYPE and sample lines.
# Happens: a scrape that accepts OpenMetrics gets HELP and TYPE for job:requests:rate5m and the sample
#   job_requests_rate5m; one that accepts the text format gets job:requests:rate5m throughout. The package's own parser
#   reads two metrics, one without samples and one without a type.
# Who is hurt: a Prometheus, which asks for OpenMetrics first, stores another name than the rules and dashboards ask for;
#   curl shows the right one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check prometheus_client==0.26.0
cat > show.py <<'EOF'
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print("prometheus_client 0.26.0")
registry = CollectorRegistry()
Gauge("job:requests:rate5m", "requests", registry=registry).set(1)
known = {"text/plain;version=0.0.4": "job:requests:rate5m", "application/openmetrics-text;version=1.0.0": "job_requests_rate5m"}
for accept, name in known.items():
    encoder, _ = choose_encoder(accept)
    text = encoder(registry).decode()
    print(f"Accept: {accept}\n  " + text.strip().replace("\n", "\n  "))
    assert "# TYPE job:requests:rate5m gauge\n" in text and f"\n{name} 1.0\n" in text, "CHANGED"
read = [(m.name, m.type, len(m.samples)) for m in text_string_to_metric_families(text)]
print("read back:", read)
assert read == [("job:requests:rate5m", "gauge", 0), ("job_requests_rate5m", "unknown", 1)], "CHANGED"
EOF
venv/bin/python show.py
