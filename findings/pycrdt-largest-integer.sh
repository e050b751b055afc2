#!/usr/bin/env bash
# pycrdt: sys.maxsize is sys.maxsize for whoever sets it, and one more for everybody else.
#
# Expected: an int that a shared Map takes is the same number for every peer; those around it are.
# Happens: what is written as a float where that is exact is decided by casting to f64 and back, and the cast back of 2^63 ends at
#   2^63 - 1. So the largest integer goes out as the float 2^63. Other powers of two, and all integers up to 2^53, arrive
#   with the right value, but as floats.
# Who is hurt: settings in which sys.maxsize stands for "no limit": a comparison with it is true for one peer and false for the
#   next, and whoever turns it back to 64 bits overflows.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pycrdt==0.14.13
cat >show.py <<'EOF'
import sys
from importlib.metadata import version
from pycrdt import Doc, Map

print("pycrdt", version("pycrdt"))
ada, bob = Doc(), Doc()
settings = ada.get("settings", type=Map)
values = {"limit": sys.maxsize, "one less": sys.maxsize - 1, "least": -sys.maxsize - 1, "2**62": 2**62}
for name, value in values.items():
    settings[name] = value
bob.apply_update(ada.get_update())
seen = bob.get("settings", type=Map)
for name, value in values.items():
    print(f"{name}: set {value}, ada sees {settings[name]!r}, bob {seen[name]!r}, equal: {seen[name] == value}")
equal = {name: (settings[name] == value, seen[name] == value) for name, value in values.items()}
others = dict.fromkeys(["one less", "least", "2**62"], (True, True))
assert equal == {"limit": (True, False)} | others, "CHANGED"
assert seen["limit"] == 2.0**63, "CHANGED"
EOF
venv/bin/python show.py
