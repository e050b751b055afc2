#!/usr/bin/env bash
# ddsketch: the median of positive values is negative while their weights add up to less than 1.
#
# Expected: add(value, weight) takes any weight above 0, so the median of a 5 with the weight 0.5 is 5 within the accuracy of 1 %.
# Happens: the rank is the quantile times the count less 1, here below 0, which is looked up among the negative values, of which
#   there are none: -0.99 comes out. Two values of the weight 0.5 each are right.
# Who is hurt: samples weighted by a share of time or of traffic: the first answers are negative durations.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ddsketch==3.0.1
cat > show.py <<'EOF'
from ddsketch import DDSketch
print("ddsketch 3.0.1")
changed = False
for added, known in [([(5, 0.5)], "-0.99"), ([(5, 0.25), (9, 0.25)], "-0.99"), ([(5, 0.5), (5, 0.5)], "5.00"), ([(5, 1)], "5.00")]:
    sketch = DDSketch()
    for value, weight in added:
        sketch.add(value, weight=weight)
    seen = f"{sketch.get_quantile_value(0.5):.2f}"
    print(f"values with weights {added}: median {seen}")
    changed |= seen != known
if changed:
    raise SystemExit("CHANGED")
EOF
venv/bin/python show.py
