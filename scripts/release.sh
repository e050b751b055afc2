#!/usr/bin/env bash
# Builds what ships: the server, and the page's code in parts, compressed. What it needs must be there (setup.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo xtask build
