//! A database as a source: people write SQL, and rows with columns by name are series.

mod postgres;
mod sqlite;
mod statement;

use std::collections::BTreeMap;

use async_trait::async_trait;

use self::postgres::Postgres;
use self::sqlite::Sqlite;
use super::rows::Rows;
use super::upstream::{EVERY_MS, SINGLE_AT_ONCE, Upstream, in_one_line};
use super::variables::with_all;
use super::{Answer, Ask, MAX_VALUES, Source, SourceError, SourceState};
use crate::dashboard::settings::Chosen;
use crate::server::config::{self, Database};

/// Queries at once of those that stand: few, as a database works for others too.
const AT_ONCE: usize = 4;
/// Connections to one database, so that each question that has its turn has one.
const CONNECTIONS: u32 = (AT_ONCE + SINGLE_AT_ONCE) as u32;
/// Characters of what a database says that people read.
const MAX_SAID_CHARS: usize = 500;

/// One database that the settings name.
pub struct Sql {
    database: Opened,
    upstream: Upstream,
}

enum Opened {
    Postgres(Postgres),
    Sqlite(Sqlite),
}

impl Sql {
    /// Connects at the first query. Errors where the address does not read.
    pub fn new(database: &config::Sql, most_bytes: usize) -> Result<Self, SourceError> {
        let name = &database.name;
        let opened = match &database.database {
            Database::Postgres(login) => {
                Opened::Postgres(Postgres::new(name, login, most_bytes).map_err(SourceError)?)
            }
            Database::Sqlite(path) => Opened::Sqlite(Sqlite::new(name, path, most_bytes)),
        };
        Ok(Self { database: opened, upstream: Upstream::new(name, AT_ONCE) })
    }

    async fn rows(&self, ask: &Ask) -> Result<(Rows, Vec<String>), SourceError> {
        let rows = async {
            match &self.database {
                Opened::Postgres(database) => database.rows(ask).await,
                Opened::Sqlite(database) => database.rows(ask).await,
            }
        };
        self.upstream.in_turn(ask.single, rows).await
    }
}

#[async_trait]
impl Source for Sql {
    fn name(&self) -> &str {
        self.upstream.name()
    }

    fn kind(&self) -> &'static str {
        match self.database {
            Opened::Postgres(_) => "postgresql",
            Opened::Sqlite(_) => "sqlite",
        }
    }

    fn every_ms(&self) -> u64 {
        EVERY_MS
    }

    /// Whatever its rows are made of may change: all of the time shown is asked for each time, and what differs
    /// is told.
    async fn ask(&self, ask: &Ask) -> Result<Answer, SourceError> {
        // Whole stretches, so that what is added up over one, or thinned, is the same at the next asking.
        let stretch = ask.step.max(1) * 3;
        let variables = with_all(self, &ask.variables).await?;
        let ask = Ask { from: ask.from / stretch * stretch, variables, ..ask.clone() };
        let (rows, notes) = self.rows(&ask).await?;
        let work = move || rows.into_answer(&ask);
        // Beside the server's tasks, which would wait.
        let answer = tokio::task::spawn_blocking(work).await;
        let mut answer = answer
            .map_err(|_| SourceError("The rows could not be read.".to_owned()))?
            .map_err(SourceError)?;
        answer.notes.splice(0..0, notes);
        Ok(answer)
    }

    async fn values(
        &self,
        label: &str,
        of: &str,
        variables: &BTreeMap<String, Chosen>,
    ) -> Result<Vec<String>, SourceError> {
        let (rows, _) = self.rows(&Ask::for_values(of, variables)).await?;
        let column =
            Some(label).filter(|label| !label.is_empty() && *label != super::series::key::NAME_LABEL);
        let mut values = rows.texts(column).map_err(SourceError)?;
        values.truncate(MAX_VALUES);
        Ok(values)
    }

    fn state(&self) -> SourceState {
        self.upstream.state()
    }
}

/// What a database says, in one line and not too long.
fn said(text: &str) -> String {
    in_one_line(text, MAX_SAID_CHARS)
}

fn too_large(name: &str, most: usize) -> String {
    format!("The answer of {name} is larger than {} MiB; ask for less.", most / (1024 * 1024))
}
