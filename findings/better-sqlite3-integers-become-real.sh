#!/usr/bin/env bash
# better-sqlite3 hands every JavaScript number to SQLite as a floating point one, which SQL then shows.
#
# Expected: 5 bound to a parameter is the integer 5, as a literal 5 in the same place and as in SQLite's other drivers: text
#   "5" in a TEXT column, 5 in JSON, an integer division where SQL divides integers.
# Happens: typeof(?) of 5 is real. A TEXT column gets "5.0", which a look-up of "5" does not find; json_array(?) is [5.0];
#   ?/2 is 2.5. A column declared INTEGER turns it back, which hides it; a BigInt is bound as an integer.
# Who is hurt: keys in TEXT columns and JSON documents written by one service in Node and read by any other.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact better-sqlite3@12.11.1
npm rebuild --silent better-sqlite3 # its own step: it fetches or builds the native part
cat > show.cjs <<'EOF'
const Database = require('better-sqlite3');
const db = new Database(':memory:');
console.log('better-sqlite3 12.11.1, SQLite', db.prepare('SELECT sqlite_version()').pluck().get());
db.exec('CREATE TABLE keys (id TEXT PRIMARY KEY, n INTEGER)');
const get = (sql, ...values) => JSON.stringify(db.prepare(sql).pluck().get(...values) ?? null);
db.prepare('INSERT INTO keys VALUES (?, ?)').run(5, 5);
let changed = false;
for (const [what, seen, known] of [
  ['typeof(5), literal', get('SELECT typeof(5)'), '"integer"'],
  ['typeof(?) of 5', get('SELECT typeof(?)', 5), '"real"'],
  ['typeof(?) of 5n', get('SELECT typeof(?)', 5n), '"integer"'],
  ['5 in a TEXT column', get('SELECT id FROM keys'), '"5.0"'],
  ["rows with id = '5'", get('SELECT count(*) FROM keys WHERE id = ?', '5'), '0'],
  ['5 in an INTEGER column', get('SELECT typeof(n) FROM keys'), '"integer"'],
  ['json_array(?) of 5', get('SELECT json_array(?)', 5), '"[5.0]"'],
  ['?/2 of 5', get('SELECT ?/2', 5), '2.5'],
]) {
  console.log(`${what}: ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
python3 - <<'EOF'
import sqlite3
db = sqlite3.connect(":memory:")
seen = db.execute("SELECT typeof(?1), json_array(?1), ?1/2", (5,)).fetchone()
print(f"Python's sqlite3 (SQLite {sqlite3.sqlite_version}), typeof(?), json_array(?), ?/2 of 5: {seen}")
assert seen == ("integer", "[5]", 2), "CHANGED"
EOF
