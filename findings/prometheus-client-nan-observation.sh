#!/usr/bin/env bash
# prometheus_client (Python): a histogram adds a NaN to its sum for good, but does not count it.
#
# Expected: _sum and _count tell of the same observations, as Prometheus documents the two, so a NaN is in both or neither.
# Happens: observe(nan) makes _sum NaN until the process ends and leaves every bucket and _count as they were. A Summary
#   of the same package counts it.
# Who is hurt: rate(_sum) / rate(_count), the usual mean, is NaN from then on, while the count tells nothing of the cause.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check prometheus_client==0.26.0
cat > show.py <<'EOF'
from prometheus_client import CollectorRegistry, Histogram, Summary
print("prometheus_client 0.26.0: observed 1, NaN, 2")
for kind, known in ((Histogram, 2.0), (Summary, 3.0)):
    registry = CollectorRegistry()
    metric = kind("seconds", "seconds", registry=registry)
    for value in (1, float("nan"), 2):
        metric.observe(value)
    total, count = registry.get_sample_value("seconds_sum"), registry.get_sample_value("seconds_count")
    top = registry.get_sample_value("seconds_bucket", {"le": "+Inf"})
    print(f"{kind.__name__}: _sum {total}, _count {count}, +Inf bucket {top}")
    assert total != total and count == known, "CHANGED"
EOF
venv/bin/python show.py
