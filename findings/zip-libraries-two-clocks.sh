#!/usr/bin/env bash
# A ZIP that fflate or adm-zip wrote is hours off when JSZip reads it, on one and the same machine.
#
# Expected: times in a ZIP have no zone (APPNOTE, 4.4.6) and are by the local clock, as Info-ZIP has it; a Date that one library
#   writes is the Date that another reads, at least on one machine.
# Happens: JSZip writes and reads them in UTC, fflate and adm-zip by the local clock. In New York noon by UTC is 07:00 by UTC
#   for JSZip, and what JSZip wrote is 17:00 for adm-zip. Each agrees with itself; on a machine in UTC nothing is seen.
# Who is hurt: a page that packs with one and a server that unpacks with the other: files come from the future or look changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact jszip@3.10.2 fflate@0.8.3 adm-zip@0.6.1
cat > show.mjs <<'EOF'
import AdmZip from 'adm-zip';
import { strToU8, zipSync } from 'fflate';
import JSZip from 'jszip';
const time = new Date('2026-01-15T12:00:00Z');
const jszip = new JSZip();
jszip.file('a.txt', 'a', { date: time });
const written = {
  'jszip 3.10.2': await jszip.generateAsync({ type: 'uint8array' }),
  'fflate 0.8.3': zipSync({ 'a.txt': [strToU8('a'), { mtime: time }] }),
};
console.log(`a file of ${time.toISOString()}, the machine is in ${process.env.TZ}:`);
let changed = false;
for (const [name, known] of [['jszip 3.10.2', '12:00 17:00'], ['fflate 0.8.3', '07:00 12:00']]) {
  const byJszip = (await JSZip.loadAsync(written[name])).file('a.txt').date;
  const byAdmZip = new AdmZip(Buffer.from(written[name])).getEntry('a.txt').header.time;
  const seen = [byJszip, byAdmZip].map((date) => date.toISOString().slice(11, 16)).join(' ');
  console.log(`written by ${name}: read by jszip 3.10.2 and adm-zip 0.6.1 as ${seen} UTC`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
TZ=America/New_York node show.mjs
