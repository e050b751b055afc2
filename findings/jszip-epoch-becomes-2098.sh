#!/usr/bin/env bash
# JSZip writes a file of 1970 as one of 2098.
#
# Expected: a time in a ZIP starts with 1980 (APPNOTE, 4.4.6), and a Date before it is refused, as fflate does, or is 1980, as
#   other programs have it.
# Happens: the year is counted from 1980 and cut to seven bits: 1970-01-01, the time of files in reproducible builds and of Date(0),
#   is read back as 2098-01-01, 1979 as 2107, and 2110 as 1982.
# Who is hurt: archives made of files without a time: whatever unpacks "newer files only" keeps replacing, make never builds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact jszip@3.10.2 fflate@0.8.3
cat > show.mjs <<'EOF'
import JSZip from 'jszip';
import { strToU8, zipSync } from 'fflate';
console.log('jszip 3.10.2 and fflate 0.8.3');
let changed = false;
for (const [set, known] of [
  ['2026-01-15', ['2026-01-15', 'written']], ['1970-01-01', ['2098-01-01', 'date not in range 1980-2099']], ['1979-06-01', ['2107-06-01', 'date not in range 1980-2099']], ['2110-01-01', ['1982-01-01', 'date not in range 1980-2099']],
]) {
  const date = new Date(`${set}T12:00:00Z`);
  const zip = new JSZip();
  zip.file('a.txt', 'a', { date });
  const read = await JSZip.loadAsync(await zip.generateAsync({ type: 'uint8array' }));
  const seen = [read.file('a.txt').date.toISOString().slice(0, 10)];
  try { zipSync({ 'a.txt': [strToU8('a'), { mtime: date }] }); seen.push('written'); } catch (error) { seen.push(error.message); }
  console.log(`${set}: by jszip ${seen[0]}; by fflate ${seen[1]}`);
  changed ||= `${seen}` !== `${known}`;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
