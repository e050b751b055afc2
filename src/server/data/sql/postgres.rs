//! PostgreSQL as a source: read-only transactions on a few connections.

mod values;

use std::str::FromStr as _;
use std::time::Duration;

use futures::TryStreamExt as _;
use sqlx::postgres::{
    PgArguments, PgConnectOptions, PgDatabaseError, PgErrorPosition, PgPool, PgPoolOptions,
};
use sqlx::{
    Arguments as _, Column as _, ConnectOptions as _, Connection as _, Executor as _, Row as _,
    Statement as _, TypeInfo as _,
};
use tokio::time::timeout;

use super::statement::{Dialect, Statement, line_of};
use super::{CONNECTIONS, said};
use crate::server::config::Login;
use crate::server::data::Ask;
use crate::server::data::rows::{Column, Rows};
use crate::server::data::upstream::{Failure, WAIT};

/// How long a connection may take, in which nobody has an answer.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How much later than the database this server gives a statement up.
const SPARE: Duration = Duration::from_secs(2);
/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(5 * 60);
/// Statements that a connection keeps prepared.
const PREPARED: usize = 100;
/// Codes of errors that say that a connection or its database is not there, as PostgreSQL's classes of them begin.
const AWAY: [&str; 4] = ["08", "28", "3D", "57P"];
/// The code of a statement that took too long.
const TIMED_OUT: &str = "57014";

/// What every session begins with: it reads only, its texts mean the same everywhere, and nothing runs for long.
fn set_up() -> String {
    let ms = WAIT.as_millis();
    format!(
        "SET default_transaction_read_only = on; SET standard_conforming_strings = on; SET TimeZone = 'UTC'; \
         SET statement_timeout = {ms}; SET idle_in_transaction_session_timeout = {ms}"
    )
}

/// One database.
pub struct Postgres {
    name: String,
    pool: PgPool,
    most_bytes: usize,
}

impl Postgres {
    /// Errors where the address does not read, without its words: a password may stand in it.
    pub fn new(name: &str, login: &Login, most_bytes: usize) -> Result<Self, String> {
        let options = PgConnectOptions::from_str(login.url.reveal())
            .map_err(|_| format!("the address of {name} is not one of a PostgreSQL database"))?;
        let options = match &login.user {
            Some(user) => options.username(user),
            None => options,
        };
        let options = match &login.password {
            Some(password) => options.password(password.reveal()),
            None => options,
        };
        let options = options
            .application_name("lockstep")
            .statement_cache_capacity(PREPARED)
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT_WAIT)
            .idle_timeout(IDLE)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(sqlx::raw_sql(&set_up())).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Ok(Self { name: name.to_owned(), pool, most_bytes })
    }

    /// The rows of a query, and what is said of how it was read.
    pub async fn rows(&self, ask: &Ask) -> Result<(Rows, Vec<String>), Failure> {
        let statement = Statement::read(ask, Dialect::Postgres).map_err(Failure::Refused)?;
        let mut connection = self.pool.acquire().await.map_err(|error| self.unreachable(&error))?;
        // The database gives a statement up by itself; one that does not is left behind.
        let rows = timeout(WAIT + SPARE, self.read(&mut connection, &statement)).await;
        let rows = rows.unwrap_or_else(|_| {
            Err(Failure::Down(format!("{} did not answer within {} s.", self.name, WAIT.as_secs())))
        });
        if rows.is_err() {
            // Whatever it was in the middle of ends with it.
            drop(connection.detach());
        }
        Ok((rows?, statement.notes))
    }

    async fn read(
        &self,
        connection: &mut sqlx::PgConnection,
        statement: &Statement,
    ) -> Result<Rows, Failure> {
        let text = &statement.text;
        let fails = |error: sqlx::Error| self.refused(&error, text);
        let mut transaction = connection.begin_with("BEGIN READ ONLY").await.map_err(fails)?;
        let prepared = transaction.prepare(text).await.map_err(fails)?;
        let types = match prepared.parameters() {
            Some(sqlx::Either::Left(types)) => types,
            _ => &[],
        };
        let mut arguments = PgArguments::default();
        for ((name, bound), wanted) in statement.bound.iter().zip(types) {
            let value =
                values::bind(bound, wanted).map_err(|error| Failure::Refused(format!("${name} {error}")))?;
            arguments
                .add(value)
                .map_err(|_| Failure::Refused(format!("${name} does not fit where it stands.")))?;
        }
        let columns = prepared.columns().iter().map(|column| {
            let role = values::role(column.type_info()).ok_or_else(|| {
                let kind = column.type_info().name().to_lowercase();
                let name = column.name();
                format!("The column {name:?} has the type {kind}, which is no time, number or text; write {name}::text for its text.")
            })?;
            Ok(Column { name: column.name().to_owned(), role: Some(role) })
        });
        let columns = columns.collect::<Result<Vec<_>, String>>().map_err(Failure::Refused)?;
        let mut rows = Rows::new(columns).map_err(Failure::Refused)?;
        let mut bytes = 0;
        {
            let mut found = sqlx::query_with(text, arguments).fetch(&mut *transaction);
            while let Some(row) = found.try_next().await.map_err(fails)? {
                let mut cells = Vec::with_capacity(row.len());
                for at in 0..row.len() {
                    let value = row.try_get_raw(at).map_err(fails)?;
                    let (cell, long) = values::read(&value).map_err(|error| {
                        Failure::Refused(format!("The column {:?} {error}", row.column(at).name()))
                    })?;
                    bytes += long;
                    cells.push(cell);
                }
                if bytes > self.most_bytes {
                    return Err(Failure::Refused(super::too_large(&self.name, self.most_bytes)));
                }
                rows.push(cells).map_err(Failure::Refused)?;
            }
        }
        transaction.rollback().await.map_err(fails)?;
        Ok(rows)
    }

    /// Never the error's own words: they may hold the address and the user.
    fn unreachable(&self, error: &sqlx::Error) -> Failure {
        let name = &self.name;
        Failure::Down(match error {
            sqlx::Error::Database(error) if error.code().is_some_and(|code| code.starts_with("53")) => {
                format!("{name} takes no more connections.")
            }
            sqlx::Error::Database(_) => format!("{name} does not let this server in."),
            sqlx::Error::Tls(_) => format!("{name} has no certificate that this machine trusts."),
            _ => format!("{name} cannot be reached."),
        })
    }

    /// The database's own words on a query, with the line that it names.
    fn refused(&self, error: &sqlx::Error, text: &str) -> Failure {
        let name = &self.name;
        let sqlx::Error::Database(error) = error else {
            return Failure::Down(format!("The answer of {name} was cut off."));
        };
        let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else {
            return Failure::Refused(format!("{name} does not take the query."));
        };
        if error.code() == TIMED_OUT {
            return Failure::Refused(format!("{name} gave the query up: {}", said(error.message())));
        }
        if AWAY.iter().any(|class| error.code().starts_with(class)) {
            return Failure::Down(format!("{name} cannot be asked now."));
        }
        let line = match error.position() {
            Some(PgErrorPosition::Original(place)) => format!("line {}: ", line_of(text, place)),
            _ => String::new(),
        };
        let hint = error.hint().map(|hint| format!(" ({})", said(hint))).unwrap_or_default();
        Failure::Refused(format!("{name} does not take the query: {line}{}{hint}", said(error.message())))
    }
}
