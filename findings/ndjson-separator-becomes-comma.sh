#!/usr/bin/env bash
# ndjson (PyPI) turns a line separator inside a string into a comma.
#
# Expected: JSON allows U+2028, U+2029 and U+0085 within a string as they are, and lines of NDJSON end with "\n"; so
#   loads() gives back what dumps(ensure_ascii=False) was given.
# Happens: loads() splits the text with str.splitlines(), which also splits at those three, and puts the pieces together with
#   commas. In a string that gives a comma in place of the character, without an error. ndjson.reader on an open file, and
#   jsonlines, keep the text.
# Who is hurt: an audit log with names, titles or comments that were pasted from a word processor or a web page: what is read
#   is not what was written, a search for it or a checksum over it fails, and the line that was stored is right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ndjson==0.3.1 jsonlines==4.0.0
cat > show.py <<'EOF'
import io
import jsonlines
import ndjson
print("ndjson 0.3.1, jsonlines 4.0.0")
events = [{"comment": "two\u2028lines"}, {"comment": "two\u2029lines"}, {"comment": "two\u0085lines"}, {"comment": "two\nlines"}]
text = ndjson.dumps(events, ensure_ascii=False)
seen = ndjson.loads(text)
for event, read in zip(events, seen):
    print(f"written {event}, read {read}")
changed = [{"comment": "two,lines"}] * 3 + events[3:]
assert seen == changed, "CHANGED"
others = {"ndjson.reader": list(ndjson.reader(io.StringIO(text))), "jsonlines": list(jsonlines.Reader(io.StringIO(text)))}
for name, read in others.items():
    print(f"{name} reads what was written: {read == events}")
    assert read == events, "CHANGED"
EOF
venv/bin/python show.py
