#!/usr/bin/env bash
# The compiler as release builds call it (RUSTC_WORKSPACE_WRAPPER). Makes the page's WebAssembly lighter:
# - optimises it across all crates: cargo leaves that out for a library that is made as rlib too, and the page
#   needs the cdylib alone;
# - names functions the newer way, after which they pack a little better;
# - empties what Leptos keeps for hydrating an erased view bit by bit, which this page never does.
# Cargo does not see these steps: after a change of them the page is made anew once its code is touched.
set -euo pipefail
rustc=$1
shift
all=" $* "
if [[ $all != *' --crate-name lockstep '* || $all != *' --crate-type cdylib '* || $all != *' --target wasm32-unknown-unknown '* ]]; then
  exec "$rustc" "$@"
fi
args=()
out=.
while [ $# -gt 0 ]; do
  case "$1 ${2:-}" in
    '--crate-type rlib' | '-C embed-bitcode='*) shift 2 ;;
    '--out-dir '*) out=$2 args+=("$1" "$2"); shift 2 ;;
    *) args+=("$1"); shift ;;
  esac
done
"$rustc" "${args[@]}" -C lto=fat -C symbol-mangling-version=v0
node "$(dirname "$0")/empty-functions.mjs" "$out/lockstep.wasm" \
  '^(_RINvNvX\w+tachys|_ZN\d+_\$LT\$T\$u20\$as\$u20\$tachys).*IntoAny.*8into_any13hydrate_async(17h|[A-Za-z])'
