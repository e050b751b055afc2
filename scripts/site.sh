#!/usr/bin/env bash
# Prints where the last build put the site's files.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
newest=
for site in "$target/site" target/site; do
  if [ -d "$site/pkg" ] && { [ -z "$newest" ] || [ "$site/pkg" -nt "$newest/pkg" ]; }; then newest=$site; fi
done
[ -n "$newest" ] || { echo "There is no site yet: run make build." >&2; exit 1; }
(cd "$newest" && pwd)
