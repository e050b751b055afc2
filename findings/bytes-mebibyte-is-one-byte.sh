#!/usr/bin/env bash
# bytes, and so Express' body parsers: "1MiB" is one byte.
#
# Expected: MiB is the standard's name (IEC 80000-13) of what bytes counts as MB, 1024 * 1024; a unit that it does not know gives
#   null, as text without a number does.
# Happens: the number in front is taken as a count of bytes: 1MiB is 1, 16KiB is 16, 1EB is 1.
# Who is hurt: a limit written as "10MiB" in the settings: the service starts, and refuses whatever has more than ten bytes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact bytes@3.1.2
cat > show.mjs <<'EOF'
import bytes from 'bytes';
console.log('bytes 3.1.2');
let changed = false;
for (const [text, known] of [['1MB', 1048576], ['1MiB', 1], ['16KiB', 16], ['1.5GiB', 1], ['1EB', 1], ['1PB', 1125899906842624], ['MiB', null]]) {
  const seen = bytes.parse(text);
  console.log(`${text}: ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
