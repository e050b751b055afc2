#!/usr/bin/env bash
# The compiler as release builds call it (RUSTC_WORKSPACE_WRAPPER). Makes the page's WebAssembly lighter:
# - optimises it across all crates: cargo leaves that out for a library that is made as rlib too, and the page
#   needs the cdylib alone;
# - names functions the newer way, after which they pack a little better;
# - empties what Leptos keeps for hydrating an erased view bit by bit or from a template, which this page never does.
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
node "$(dirname "$0")/empty-functions.mjs" "$out/lockstep.wasm" 'into_any.*13hydrate_async|into_any_attr.*21hydrate_from_template'
