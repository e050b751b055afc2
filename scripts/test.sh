#!/usr/bin/env bash
# Everything that must hold before a change lands. Runs all of it even when a part fails, ends with
# one line that counts the tests of all suites, and exits with 0 only where nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
# A build server wants neither colours nor progress bars in its log.
export CARGO_TERM_PROGRESS_WHEN=never

reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
failures=()

# Runs one step under a title and remembers whether it held.
step() {
  local title=$1 started=$SECONDS
  shift
  printf '\n== %s\n' "$title"
  if "$@"; then
    printf -- '-- %s: held (%s s)\n' "$title" "$((SECONDS - started))"
  else
    printf -- '-- %s: FAILED (%s s)\n' "$title" "$((SECONDS - started))"
    failures+=("$title")
    return 1
  fi
}

cargo_tests() {
  {
    cargo test --features ssr --no-fail-fast
    local status=$?
    cargo test --package xtask --profile xtask --features dist && [ "$status" = 0 ]
  } 2>&1 | tee "$reports/cargo"
}

browser_tests() {
  LOCKSTEP_SITE_ROOT=$(scripts/site.sh) PLAYWRIGHT_JSON_OUTPUT_NAME="$reports/playwright.json" \
    npx playwright test --config end2end/playwright.config.ts --reporter=list,json
}

step "set-up" scripts/setup.sh --test || exit 1
step "format" cargo fmt --all --check
step "clippy, server" cargo clippy --features ssr --all-targets -- -D warnings
step "a build without OpenID Connect" cargo check --no-default-features --features ssr
step "clippy, browser" cargo clippy --features hydrate,split --target wasm32-unknown-unknown -- -D warnings
step "clippy, build" cargo clippy --package xtask --profile xtask --features dist --all-targets -- -D warnings
step "unit, property and integration tests" cargo_tests
# The release build, so that what is tested is what ships.
if step "release build" scripts/release.sh; then
  step "packages" scripts/check-dist.sh
  step "browser tests" browser_tests
fi

count() { awk -v word="$1" '/^test result:/ { for (i = 2; i <= NF; i++) if ($i ~ "^" word) n += $(i - 1) } END { print n + 0 }' "$reports/cargo" 2>/dev/null; }
browser() { node -p "const s = require('$reports/playwright.json').stats; $1" 2>/dev/null || echo 0; }
passed=$(($(count passed) + $(browser 's.expected + s.flaky')))
failed=$(($(count failed) + $(browser 's.unexpected')))

printf '\n'
for title in ${failures[@]+"${failures[@]}"}; do printf 'failed: %s\n' "$title"; done
# A step that could not even count its tests is a failure too, and shows as one.
if [ "$failed" = 0 ]; then failed=${#failures[@]}; fi
printf 'lockstep: %s passed, %s failed\n' "$passed" "$failed"
[ "${#failures[@]}" = 0 ] && [ "$failed" = 0 ]
