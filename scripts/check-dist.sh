#!/usr/bin/env bash
# Packs what operators download, and starts the program in it as they do: unpacked anywhere, with nothing beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

cargo xtask dist "$@"
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
dist=$target/dist
[ "${1:-}" != --quick ] || dist=$target/dist-quick

unpacked=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$unpacked"' EXIT
fail() { echo "check-dist: $*" >&2; exit 1; }

(cd "$dist" && sha256sum --check --quiet SHA256SUMS)
tar --extract --gzip --strip-components 1 --directory "$unpacked" --file "$dist"/lockstep-*.tar.gz
cd "$unpacked"
sha256sum --check --quiet SHA256SUMS
for file in LICENSE README.md THIRD-PARTY-NOTICES sbom.cdx.json packaging/lockstep.service packaging/lockstep.toml; do
  [ -s "$file" ] || fail "$file is missing"
done
version=$(./lockstep --version)
echo "$version"
grep -qx 'page: built in' <<<"$version" || fail "the page is not inside"
cmp -s <(./lockstep --notices) THIRD-PARTY-NOTICES || fail "the program has other notices"

coproc serving { exec env LOCKSTEP_ADDR=127.0.0.1:0 LOCKSTEP_DATA_DIR="$unpacked/data" ./lockstep --config packaging/lockstep.toml --addr 127.0.0.1:0 2>log; }
server=$serving_PID
read -r line <&"${serving[0]}" || { cat log >&2; fail "it did not start"; }
addr=${line#Lockstep is at http://}
LOCKSTEP_ADDR=$addr ./lockstep healthcheck --ready
# People sign in by the example's settings; the page for the first account has its style from inside.
style=$(curl -fsS "http://$addr/setup" | grep -o "/pkg/[^\"]*lockstep\.css[^\"]*" | head -1)
[ -n "$style" ] || fail "the page names no files of its own"
curl -fsS --compressed -o /dev/null "http://$addr$style"
kill "$server"
wait "$server" || fail "it did not end well"
server=
echo "check-dist: $dist is well"
