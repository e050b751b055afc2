//! A SQLite file as a source, opened to be read only.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use libsqlite3_sys::{
    SQLITE_LIMIT_ATTACHED, SQLITE_LIMIT_EXPR_DEPTH, SQLITE_LIMIT_LENGTH, sqlite3_error_offset, sqlite3_limit,
};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteValueRef,
};
use sqlx::{
    Arguments as _, Column as _, ConnectOptions as _, Executor as _, Row as _, Sqlite as Db, Statement as _,
    TypeInfo as _, ValueRef as _,
};

use super::statement::{Bound, Dialect, Statement};
use super::{CONNECTIONS, said};
use crate::server::data::Ask;
use crate::server::data::rows::{self, Cell, MAX_TEXT_CHARS, Rows};
use crate::server::data::upstream::{Failure, WAIT};

/// Bytes of one value: a text that names a series is far shorter.
const MAX_VALUE_BYTES: i32 = 1_000_000;
/// How deep expressions may be.
const MAX_DEPTH: i32 = 200;
/// Steps of SQLite's machine between two looks at the clock: a few per millisecond.
const STEPS: i32 = 10_000;
/// How long it waits for whoever writes into the file.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// Rows that are ahead of who reads them.
const ROWS_AHEAD: usize = 100;
/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// One file.
pub struct Sqlite {
    name: String,
    pool: SqlitePool,
    most_bytes: usize,
}

impl Sqlite {
    pub fn new(name: &str, path: &Path, most_bytes: usize) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .create_if_missing(false)
            .pragma("query_only", "on")
            // Views and triggers of a file that somebody else made call no functions with effects.
            .pragma("trusted_schema", "off")
            .busy_timeout(BUSY_WAIT)
            .row_buffer_size(ROWS_AHEAD)
            // What people write is for no log.
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(WAIT)
            .idle_timeout(IDLE)
            .after_connect(|connection, _| Box::pin(bound(connection)))
            .connect_lazy_with(options);
        Self { name: name.to_owned(), pool, most_bytes }
    }

    /// The rows of a query, and what is said of how it was read.
    pub async fn rows(&self, ask: &Ask) -> Result<(Rows, Vec<String>), Failure> {
        let statement = Statement::read(ask, Dialect::Sqlite).map_err(Failure::Refused)?;
        let mut connection = self.pool.acquire().await.map_err(|error| self.unreachable(&error))?;
        let over = Arc::new(AtomicBool::new(false));
        {
            let (over, begun) = (over.clone(), Instant::now());
            let mut handle = connection.lock_handle().await.map_err(|error| self.unreachable(&error))?;
            handle.set_progress_handler(STEPS, move || {
                let goes_on = begun.elapsed() < WAIT;
                over.store(!goes_on, Relaxed);
                goes_on
            });
        }
        let rows = self.read(&mut connection, &statement).await;
        let rows = match rows {
            Ok(rows) => Ok(rows),
            Err(Wrong::Said(reason)) => Err(Failure::Refused(reason)),
            Err(Wrong::Database(_)) if over.load(Relaxed) => {
                let (name, wait) = (&self.name, WAIT.as_secs());
                Err(Failure::Refused(format!("{name} gave the query up: it takes longer than {wait} s.")))
            }
            Err(Wrong::Database(error)) => Err(self.refused(&error, &mut connection, &statement.text).await),
        };
        if rows.is_err() {
            // Whatever it was in the middle of ends with it.
            drop(connection.detach());
        }
        Ok((rows?, statement.notes))
    }

    async fn read(&self, connection: &mut SqliteConnection, statement: &Statement) -> Result<Rows, Wrong> {
        let text = &statement.text;
        let prepared = (&mut *connection).prepare(text).await?;
        let names = prepared.columns().iter().map(|column| column.name().to_owned());
        let columns = names.map(|name| rows::Column { name, role: None }).collect();
        let mut rows = Rows::new(columns).map_err(Wrong::Said)?;
        let mut arguments = SqliteArguments::default();
        for (name, bound) in &statement.bound {
            bind(&mut arguments, name, bound).map_err(Wrong::Said)?;
        }
        let mut bytes = 0;
        let mut found = sqlx::query_with(text, arguments).fetch(&mut *connection);
        while let Some(row) = found.try_next().await? {
            let mut cells = Vec::with_capacity(row.len());
            for at in 0..row.len() {
                let (cell, long) = read(row.try_get_raw(at)?).map_err(|error| {
                    Wrong::Said(format!("The column {:?} {error}", row.column(at).name()))
                })?;
                bytes += long;
                cells.push(cell);
            }
            if bytes > self.most_bytes {
                return Err(Wrong::Said(super::too_large(&self.name, self.most_bytes)));
            }
            rows.push(cells).map_err(Wrong::Said)?;
        }
        Ok(rows)
    }

    /// Never where the file is.
    fn unreachable(&self, error: &sqlx::Error) -> Failure {
        let name = &self.name;
        Failure::Down(match error {
            sqlx::Error::Database(error) if error.code().is_some_and(|code| code == "26") => {
                format!("{name} is no SQLite file.")
            }
            _ => format!("The file of {name} cannot be opened to be read."),
        })
    }

    /// The database's own words on a query, with the line that it names.
    async fn refused(&self, error: &sqlx::Error, connection: &mut SqliteConnection, text: &str) -> Failure {
        let name = &self.name;
        let sqlx::Error::Database(error) = error else {
            return Failure::Down(format!("The answer of {name} was cut off."));
        };
        match error.code().as_deref() {
            Some("5" | "6" | "261" | "262" | "517") => {
                return Failure::Down(format!("{name} is held by whoever writes into it."));
            }
            Some("11" | "26") => return Failure::Down(format!("{name} is no SQLite file that reads.")),
            _ => {}
        }
        let offset = match connection.lock_handle().await {
            // SAFETY: the lock keeps the connection open and unused by others, and the call only reads from it.
            Ok(mut handle) => unsafe { sqlite3_error_offset(handle.as_raw_handle().as_ptr()) },
            Err(_) => -1,
        };
        let line = usize::try_from(offset)
            .ok()
            .and_then(|offset| text.as_bytes().get(..offset))
            .map(|before| format!("line {}: ", 1 + before.iter().filter(|byte| **byte == b'\n').count()))
            .unwrap_or_default();
        Failure::Refused(format!("{name} does not take the query: {line}{}", said(error.message())))
    }
}

/// Why there are no rows.
enum Wrong {
    Said(String),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Wrong {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Sets what a statement may take.
async fn bound(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    let raw = handle.as_raw_handle().as_ptr();
    for (limit, most) in [
        (SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES),
        (SQLITE_LIMIT_EXPR_DEPTH, MAX_DEPTH),
        (SQLITE_LIMIT_ATTACHED, 0),
    ] {
        // SAFETY: the lock keeps the connection open and unused by others meanwhile.
        unsafe { sqlite3_limit(raw, limit, most) };
    }
    Ok(())
}

fn bind(arguments: &mut SqliteArguments<'_>, name: &str, bound: &Bound) -> Result<(), String> {
    let seconds = |ms: u64| i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
    let added = match bound {
        Bound::Time(ms) => arguments.add(seconds(*ms)),
        Bound::Span(ms) => arguments.add(seconds(*ms).max(1)),
        Bound::Number(number) => arguments.add(*number),
        Bound::Chosen(values) => match &values[..] {
            [only] => arguments.add(only.clone()),
            _ => return Err(format!("${name} has several values here; write IN (${name}).")),
        },
    };
    added.map_err(|_| format!("${name} does not fit where it stands."))
}

/// A cell and how many bytes it has. Errors say what is wrong with it, behind the name of its column.
fn read(value: SqliteValueRef<'_>) -> Result<(Cell, usize), String> {
    if value.is_null() {
        return Ok((Cell::Null, 0));
    }
    let strange = |_| "has a value that does not read.".to_owned();
    let kind = value.type_info().name().to_owned();
    let cell = match kind.as_str() {
        "INTEGER" | "BOOLEAN" => {
            Cell::Number(<i64 as sqlx::Decode<Db>>::decode(value).map_err(strange)? as f64)
        }
        "REAL" => Cell::Number(<f64 as sqlx::Decode<Db>>::decode(value).map_err(strange)?),
        "TEXT" => {
            let text = <&str as sqlx::Decode<Db>>::decode(value).map_err(strange)?;
            if text.chars().nth(MAX_TEXT_CHARS).is_some() {
                return Err(format!("has a text of more than {MAX_TEXT_CHARS} characters."));
            }
            return Ok((Cell::Text(text.into()), text.len()));
        }
        other => {
            let kind = other.to_lowercase();
            return Err(format!("has a value of the type {kind}, which is no time, number or text."));
        }
    };
    Ok((cell, 8))
}
