#!/usr/bin/env bash
# json-merge-patch (Python) sees no difference between 1 and true.
#
# Expected: JSON has numbers and booleans apart, and create_patch() gives the merge patch (RFC 7396) that makes the one document
#   of the other.
# Happens: from {"limit": 1} to {"limit": true}, and from 0 to false, the patch is {}: values are compared by Python's ==.
# Who is hurt: settings in which a number turned into a switch, as "retries" from 1 to true: what is saved stays as it was,
#   and the request is answered as done. merge() itself tells them apart.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check json-merge-patch==0.3.0
cat > show.py <<'EOF'
import json
from json_merge_patch import create_patch, merge
print("json-merge-patch 0.3.0")
changed = False
for before, after, known in [(1, True, {}), (False, 0, {}), (1, 2, {"limit": 2}), (True, "1", {"limit": "1"})]:
    patch = create_patch({"limit": before}, {"limit": after})
    result = merge({"limit": before}, dict(patch))
    print(f"from {json.dumps(before)} to {json.dumps(after)}: patch {json.dumps(patch)}, which leads to {json.dumps(result)}")
    changed |= json.dumps(patch) != json.dumps(known)
direct = merge({"limit": 1}, {"limit": True})
print("the patch {\"limit\": true} written by hand leads to", json.dumps(direct))
if changed or direct["limit"] is not True:
    raise SystemExit("CHANGED")
EOF
venv/bin/python show.py
