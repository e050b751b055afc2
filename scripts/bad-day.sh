#!/usr/bin/env bash
# A bad day of a real server in some minutes; its exit code says whether everything held. It takes a small
# disk of its own for the data, in a namespace of its own, so that nothing of it is left behind.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

# Idle connections are open files, at both ends.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

echo "bad-day: building the server for development" >&2
cargo bench --quiet --profile dev --features ssr --bench bad_day --no-run

run=(cargo bench --quiet --profile dev --features ssr --bench bad_day)
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
  exec unshare -m "${run[@]}"
elif unshare -rm true 2>/dev/null; then
  exec unshare -rm "${run[@]}"
fi
# Without either, the program says what it leaves out.
exec "${run[@]}"
