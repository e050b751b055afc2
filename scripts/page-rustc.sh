#!/usr/bin/env bash
# The compiler as release builds call it (RUSTC_WORKSPACE_WRAPPER). Optimises the page's WebAssembly across
# all crates, which makes it some 6 % lighter: cargo leaves that out for a library that is made as rlib too,
# and the page needs the cdylib alone.
set -euo pipefail
rustc=$1
shift
all=" $* "
if [[ $all != *' --crate-name lockstep '* || $all != *' --crate-type cdylib '* || $all != *' --target wasm32-unknown-unknown '* ]]; then
  exec "$rustc" "$@"
fi
args=()
while [ $# -gt 0 ]; do
  case "$1 ${2:-}" in
    '--crate-type rlib' | '-C embed-bitcode='*) shift 2 ;;
    *) args+=("$1"); shift ;;
  esac
done
exec "$rustc" "${args[@]}" -C lto=fat
