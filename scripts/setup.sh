#!/usr/bin/env bash
# Installs what the build needs and this machine lacks; with --test also what the tests need, with --dev what
# rebuilds on every change.
# Says what it does and how long it takes. Does nothing, quickly, where everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

with_tests=false
with_watch=false
case "${1:-}" in
  '') ;;
  --test) with_tests=true ;;
  --dev) with_watch=true ;;
  *) echo "usage: scripts/setup.sh [--test | --dev]" >&2; exit 2 ;;
esac

# 0.3.11 wants a newer Rust than this project does.
cargo_leptos=0.3.10
# The tool and the crate must be equal; nothing else would say that they are not.
wasm_bindgen=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root where that is possible without asking for a password.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
can_apt() {
  has apt-get && { [ "$(id -u)" = 0 ] || { has sudo && sudo -n true 2>/dev/null; }; }
}

# rustup puts its tools here, and so does cargo install; a shell opened earlier may not know yet.
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

has cargo || fail "Rust is missing. Install it from https://rustup.rs and run this again."
if ! has node || ! has npm; then
  fail "Node.js with npm is missing. Install version 20 or later from https://nodejs.org and run this again."
fi
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || fail "Node.js is $(node --version); 20 or later is needed."

if ! has cc; then
  can_apt || fail "A C compiler is missing. Install build-essential (Debian, Ubuntu) or the Xcode command line tools (macOS)."
  say "installing a C compiler with apt-get (about a minute)"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq build-essential >/dev/null
fi

if [ ! -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib" ]; then
  has rustup || fail "The Rust target wasm32-unknown-unknown is missing, and so is rustup, which installs it."
  say "installing the Rust target wasm32-unknown-unknown (seconds)"
  rustup target add wasm32-unknown-unknown
fi

# Installs a tool that cargo can install: name, version, what to expect, then cargo install's flags.
cargo_tool() {
  local crate=$1 version=$2 expect=$3
  shift 3
  if has cargo-binstall; then
    say "installing $crate $version with cargo binstall (seconds)"
    if cargo binstall --no-confirm --force "$crate@$version"; then return; fi
    say "cargo binstall has no $crate $version for this machine"
  fi
  say "building $crate $version from source ($expect; once per machine)"
  # Built once and run seldom: quick to build counts more than quick to run. A target directory
  # that somebody shares between projects is left alone.
  env -u CARGO_TARGET_DIR \
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback \
    cargo install "$crate" --version "$version" --force "$@"
  say "$crate $version is there"
}

if $with_watch && { ! has cargo-leptos || [ "$(cargo-leptos --version 2>/dev/null | awk '{ print $2 }')" != "$cargo_leptos" ]; }; then
  # no_downloads: a tool that is missing is an error that says so, not a download in the middle of a build.
  cargo_tool cargo-leptos "$cargo_leptos" "about 8 minutes on 2 cores" \
    --locked --no-default-features --features no_downloads
fi

if $with_watch && { ! has wasm-bindgen || [ "$(wasm-bindgen --version 2>/dev/null | awk '{ print $2 }')" != "$wasm_bindgen" ]; }; then
  cargo_tool wasm-bindgen-cli "$wasm_bindgen" "about 2 minutes on 2 cores"
fi

# What makes style and code small and uPlot, and with --test Playwright and axe. The stamp tells which of the two sets is in.
stamp=node_modules/.lockstep
wanted="$(cksum <package-lock.json) dev=$with_tests"
installed=$(cat "$stamp" 2>/dev/null || true)
if [ "$installed" != "$wanted" ] && [ "$installed" != "${wanted/dev=false/dev=true}" ]; then
  say "installing npm packages into node_modules (under a minute)"
  if $with_tests; then npm ci --no-fund --no-audit --loglevel=error; else npm ci --omit=dev --no-fund --no-audit --loglevel=error; fi
  echo "$wanted" >"$stamp"
fi

# The chart library is served by Lockstep itself, so that a wall without internet works too.
vendor() {
  cmp -s "$1" "public/vendor/$2" || { mkdir -p public/vendor && cp "$1" "public/vendor/$2"; }
}
vendor node_modules/uplot/dist/uPlot.iife.min.js uPlot.iife.min.js
vendor node_modules/uplot/dist/uPlot.min.css uPlot.min.css
vendor node_modules/uplot/LICENSE uPlot.LICENSE.txt

if $with_tests && ! node scripts/chromium.mjs >/dev/null; then
  if can_apt && grep -qs '^ID=debian' /etc/os-release; then
    say "installing Chromium with apt-get (about a minute)"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null || true
  fi
  if ! node scripts/chromium.mjs >/dev/null; then
    say "downloading Playwright's Chromium (about a minute)"
    if can_apt; then npx playwright install --with-deps chromium; else npx playwright install chromium; fi
  fi
  node scripts/chromium.mjs >/dev/null || fail "There is no Chromium. Install one and set CHROMIUM to its path."
fi

# Starts the server with another clock. Elsewhere than on Linux the test of that does not run.
if $with_tests && [ "$(uname)" = Linux ] && ! has faketime; then
  can_apt || fail "faketime is missing. Install the package faketime."
  say "installing faketime with apt-get (seconds)"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq faketime >/dev/null
fi

# Real sources, which tests compare charts with point by point. Elsewhere than on Linux that test does not run.
if $with_tests && [ "$(uname)" = Linux ]; then
  for server in prometheus victoria-metrics; do
    has "$server" && continue
    can_apt || fail "$server is missing. Install the package $server."
    say "installing $server with apt-get (seconds)"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$server" >/dev/null
  done
fi

# Proxies, with whose configurations tests stand before the server. Elsewhere than on Linux these tests do not run.
install_without_starting() {
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  if [ -n "$(trap -p EXIT)" ]; then
    as_root rm -f "$policy"
    trap - EXIT
  fi
}
if $with_tests && [ "$(uname)" = Linux ]; then
  for proxy in nginx caddy; do
    { has "$proxy" || [ -x "/usr/sbin/$proxy" ]; } && continue
    can_apt || fail "$proxy is missing. Install the package $proxy."
    say "installing $proxy with apt-get (seconds)"
    as_root apt-get update -qq
    install_without_starting "$proxy"
  done
fi

# A database that tests ask; its programs are not on the path.
if $with_tests && [ "$(uname)" = Linux ] && ! [ -x /usr/lib/postgresql/15/bin/initdb ]; then
  can_apt || fail "PostgreSQL 15 is missing. Install the package postgresql-15."
  say "installing postgresql-15 with apt-get (seconds)"
  as_root apt-get update -qq
  # The tests start servers of their own: none is set up beside them.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-common >/dev/null
  as_root sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-15 >/dev/null
fi

# A program that pushes, with what its plugin for HTTP is linked with and its package only suggests.
if $with_tests && [ "$(uname)" = Linux ] && ! { [ -x /usr/sbin/collectd ] && /sbin/ldconfig -p | grep libyajl >/dev/null; }; then
  can_apt || fail "collectd is missing. Install the packages collectd-core, libyajl2 and libcurl3-gnutls."
  say "installing collectd with apt-get (seconds)"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends collectd-core libyajl2 libcurl3-gnutls >/dev/null
fi

# The peer on pycrdt, which edits notes together with pages, and the clients that push have their Python packages to
# themselves.
python_for_tests() {
  local python
  for python in python3 python3.11 python3.12 python3.13 python3.14; do
    if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  return 1
}
if $with_tests; then
  wanted=$(cksum <end2end/peers/requirements.txt)
  # A Python that was replaced since leaves an environment that does not start.
  if [ "$(cat .venv/.lockstep 2>/dev/null || true)" != "$wanted" ] || ! .venv/bin/python -c 'import pycrdt, websockets, influxdb' 2>/dev/null; then
    for packages in "python3 python3-venv" "python3.11 python3.11-venv"; do
      if python_for_tests >/dev/null || ! can_apt; then break; fi
      say "installing $packages with apt-get (seconds)"
      as_root apt-get update -qq
      # shellcheck disable=SC2086 # Two of them.
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages >/dev/null || true
    done
    python=$(python_for_tests) ||
      fail "Python 3.11 or later with venv is missing. Install it (Debian, Ubuntu: python3.11 and python3.11-venv)."
    say "installing what the tests run on Python into .venv (seconds)"
    "$python" -m venv --clear .venv || fail "$python could not make .venv, which the tests need."
    .venv/bin/pip install --quiet --disable-pip-version-check --requirement end2end/peers/requirements.txt ||
      fail "pip could not install end2end/peers/requirements.txt, which the tests need."
    echo "$wanted" >.venv/.lockstep
  fi
fi
