#!/usr/bin/env bash
# Builds what ships: the server, and the page's code in parts, compressed. The tools must be there (setup.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/page-rustc.sh
exec cargo leptos build --release --precompress --split --lib-features hydrate,split
