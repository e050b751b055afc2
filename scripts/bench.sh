#!/usr/bin/env bash
# Measures what the project promises, and prints it with the machine and the command beside it.
# The server has the first core, the generator the second. Arguments (make bench ARGS="ingest fanout") or
# LOCKSTEP_BENCH_ONLY, with commas, pick scenes:
# edits, saturation, cursors, idle, idle-connections, unread-joins, join, log, resume, ingest, fanout, upstream, corrections, list, notes, backup, access, revoke, flood, timing, people, weight, frames, typing, offline.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

only=${LOCKSTEP_BENCH_ONLY:-}
if [ $# -gt 0 ]; then only=$(IFS=,; printf '%s' "$*"); fi
wanted() { [ -z "$only" ] || case ",$only," in *",$1,"*) true ;; *) false ;; esac; }
wanted_on_the_wire() {
  wanted edits || wanted saturation || wanted cursors || wanted idle || wanted idle-connections || wanted unread-joins || wanted join || wanted log || wanted resume ||
    wanted ingest || wanted fanout || wanted upstream || wanted corrections || wanted list || wanted notes || wanted backup ||
    wanted access || wanted revoke || wanted flood || wanted timing || wanted people
}

scripts/setup.sh --test
# 2,000 sessions are as many files.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

# The server does not start without the page's files, so they are built for every scene.
scripts/release.sh
LOCKSTEP_SITE_ROOT=${LOCKSTEP_SITE_ROOT:-$(scripts/site.sh)}
export LOCKSTEP_SITE_ROOT
if wanted_on_the_wire; then
  # As the build names it: under another name the framework, and with it the server, is built anew.
  export LEPTOS_OUTPUT_NAME=lockstep
  cargo bench --features ssr --bench wire --no-run
fi

# Data goes where a disk is: an append that is durable in memory only proves nothing.
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
export LOCKSTEP_BENCH_DIR=${LOCKSTEP_BENCH_DIR:-$target/bench}
mkdir -p "$LOCKSTEP_BENCH_DIR"

printf '\ncommand   make bench%s\n' "${only:+ ARGS=\"${only//,/ }\"}"
printf 'machine   %s, %s cores, %s\n' \
  "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1 || true)" \
  "$(getconf _NPROCESSORS_ONLN)" "$(uname -srm)"
printf 'built by  %s; commit %s\n' "$(rustc --version)" "$(git describe --always --dirty 2>/dev/null || echo unknown)"
printf 'data on   %s\n\n' "$(df -P "$LOCKSTEP_BENCH_DIR" | awk 'NR == 2 { print $1 " at " $6 }')"

if wanted_on_the_wire; then
  pin=()
  if command -v taskset >/dev/null && taskset -c 1 true 2>/dev/null; then pin=(taskset -c 1); fi
  LOCKSTEP_BENCH_ONLY=$only ${pin[@]+"${pin[@]}"} cargo bench --quiet --features ssr --bench wire
fi

# Prints the size of each file, compressed, and then what they are together.
weigh() {
  local title=$1 limit=$2 total=0 size
  shift 2
  for file in "$@"; do
    [ -f "$file" ] || continue
    size=$(wc -c <"$file")
    total=$((total + size))
    printf '  %-56s %9.1f KB\n' "${file#"$site"/}" "$(awk "BEGIN { print $size / 1000 }")"
  done
  printf '%-58s %9.1f KB' "$title" "$(awk "BEGIN { print $total / 1000 }")"
  [ -z "$limit" ] || printf '      <= %s KB %7.2f' "$limit" "$(awk "BEGIN { print $total / 1000 / $limit }")"
  printf '\n'
}

if wanted weight; then
  printf '\nweight of the code of a page, with brotli\n'
  site=$(scripts/site.sh)
  weigh "opens a dashboard" 400 "$site"/pkg/lockstep.{js,wasm}.br "$site"/pkg/__wasm_split*.js.br "$site"/vendor/*.js.br
  weigh "fetched after, or by other pages" "" "$site"/pkg/{split,chunk}_*.wasm.br
fi

if wanted frames; then
  printf '\nframe times in this machine'\''s Chromium\n'
  LOCKSTEP_BENCH=1 npx playwright test --config end2end/playwright.config.ts --reporter=line /bench.spec
fi

if wanted typing; then
  printf '\ntyping into an old note, in this machine'\''s Chromium\n'
  LOCKSTEP_BENCH=1 npx playwright test --config end2end/playwright.config.ts --reporter=line /bench-typing.spec
fi

if wanted offline; then
  printf '\nwithout a network, and back, in this machine'\''s Chromium\n'
  LOCKSTEP_BENCH=1 npx playwright test --config end2end/playwright.config.ts --reporter=line /bench-offline.spec
fi
