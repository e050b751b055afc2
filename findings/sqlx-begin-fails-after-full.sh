#!/usr/bin/env bash
# sqlx with SQLite: once a transaction met a full database, its connection begins no transaction with begin_with again.
#
# Expected: SQLite documents that SQLITE_FULL (as SQLITE_IOERR) may roll the transaction back by itself. rollback(), or
#   dropping the transaction, then leaves a connection that works as before; a pool hands it out again.
# Happens: the ROLLBACK that sqlx sends fails, since nothing is open, and the count of open transactions stays at one.
#   Plain statements and ping() work, so the pool keeps the connection; begin_with("BEGIN IMMEDIATE") is refused for ever.
# Who is hurt: a server whose disk was full for a moment: there is room again, health checks pass, and no write does.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "full"
version = "0.0.0"
edition = "2021"
[dependencies]
sqlx = { version = "=0.8.6", default-features = false, features = ["sqlite", "runtime-tokio"] }
libsqlite3-sys = "=0.30.1"
tokio = { version = "=1.54.1", features = ["macros", "rt"] }
EOF
cat > src/main.rs <<'EOF'
use sqlx::{Connection, SqliteConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), sqlx::Error> {
    let mut db = SqliteConnection::connect("sqlite::memory:").await?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut db).await?;
    println!("sqlx 0.8.6, SQLite {version}");
    sqlx::query("CREATE TABLE t (x)").execute(&mut db).await?;
    sqlx::query("PRAGMA max_page_count = 10").execute(&mut db).await?;
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    let full = sqlx::query("INSERT INTO t VALUES (zeroblob(100000))").execute(&mut *transaction).await;
    println!("INSERT: {}", full.unwrap_err());
    println!("rollback(): {:?}", transaction.rollback().await.map_err(|error| error.to_string()));
    sqlx::query("PRAGMA max_page_count = 1000").execute(&mut db).await?;
    sqlx::query("INSERT INTO t VALUES (1)").execute(&mut db).await?;
    println!("there is room again: a plain INSERT works, ping() is {:?}", db.ping().await.map_err(|error| error.to_string()));
    let mut refused = 0;
    for _ in 0..3 {
        match db.begin_with("BEGIN IMMEDIATE").await {
            Ok(_) => println!("begin_with: works"),
            Err(error) => {
                refused += 1;
                println!("begin_with: {error}");
            }
        }
    }
    if refused != 3 {
        println!("CHANGED");
        std::process::exit(1);
    }
    Ok(())
}
EOF
CARGO_TARGET_DIR="$work/target" cargo run --quiet
