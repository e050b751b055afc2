#!/usr/bin/env bash
# better-sqlite3 cannot open what its serialize() gives once the database is in WAL mode, the mode that it recommends.
#
# Expected: serialize() gives "a buffer containing the serialized contents of the database", and such a buffer opens as a
#   database with new Database(buffer): its documentation says so of both, and tells to turn on WAL for speed.
# Happens: with journal_mode = WAL the constructor still succeeds, and every statement fails with SQLITE_CANTOPEN "unable to
#   open database file", though no file is meant. The same buffer written to a file opens.
# Who is hurt: backups or test fixtures kept as buffers: found unreadable when they are needed, in production only, since
#   tests seldom turn on WAL.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact better-sqlite3@12.11.1
npm rebuild --silent better-sqlite3 # its own step: it fetches or builds the native part
cat > show.cjs <<'EOF'
const { writeFileSync } = require('node:fs');
const Database = require('better-sqlite3');
console.log('better-sqlite3 12.11.1, SQLite', new Database(':memory:').prepare('SELECT sqlite_version()').pluck().get());
let changed = false;
for (const [mode, known] of [['delete', '1 row'], ['wal', 'opened, then SQLITE_CANTOPEN']]) {
  const db = new Database(`${mode}.db`);
  db.pragma(`journal_mode = ${mode}`);
  db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
  const buffer = db.serialize();
  let seen = 'refused';
  try {
    const copy = new Database(buffer);
    seen = 'opened';
    seen = `${copy.prepare('SELECT count(*) FROM t').pluck().get()} row`;
  } catch (error) { seen += `, then ${error.code}`; }
  writeFileSync(`${mode}.copy`, buffer);
  const file = new Database(`${mode}.copy`).prepare('SELECT count(*) FROM t').pluck().get();
  console.log(`journal_mode ${mode}: the buffer: ${seen}; the same bytes as a file: ${file} row`);
  changed ||= seen !== known || file !== 1;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
