#!/usr/bin/env bash
# Writes tests/fixtures/data/v<version>: a data directory as this version leaves it, which all later ones have to open.
# Once for each release, of the commit that is released (docs/releasing.md).
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
cargo test --features ssr --test release write_the_fixture -- --ignored
git status --short tests/fixtures/data
