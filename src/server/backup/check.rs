//! Integrity check of the databases of a directory: as files, and as what they say.
//!
//! Works on a data directory that is in use, on one that is not, and on a backup. Reads only. A problem
//! is told in words and with what it is about; one does not hide the next.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use futures::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::copy::{Interrupt, reading};
use super::manifest::{LastChange, Manifest, dashboards_in_words, series_in_words};
use super::{BackupError, DATABASE, SERIES, Utc, manifest};
use crate::server::data::series::{self, key::Key};
use crate::server::health;
use crate::sync::protocol::Commit;
use crate::sync::room::{Room, RoomState};

/// Problems that are told of one by one. More are counted.
const MAX_PROBLEMS: usize = 100;
/// The version of the tables of series since which batches may be sealed.
const SEALED_SINCE: i64 = 3;
/// Rows of SQLite's own check of a file.
const INTEGRITY: &str = "PRAGMA integrity_check(20)";

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub files: Vec<FileReport>,
    pub dashboards: u64,
    /// Commits that the logs have.
    pub commits: u64,
    pub last_change: Option<LastChange>,
    pub series: u64,
    pub points: u64,
    pub problems: Vec<Problem>,
    /// Problems beyond those.
    pub more: u64,
}

/// A database that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct FileReport {
    pub name: &'static str,
    pub bytes: u64,
    /// The version of its tables; 0 where it has none of this program.
    pub tables: i64,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// A file, or a dashboard.
    pub of: String,
    pub says: String,
}

impl Report {
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, of: impl Into<String>, says: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { of: of.into(), says: says.into() });
        } else {
            self.more += 1;
        }
    }
}

/// For people: a line for each file and each problem, and one for the outcome.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            let FileReport { name, bytes, .. } = file;
            let size = health::bytes(*bytes);
            let holds = match *name {
                SERIES => series_in_words(self.series, self.points),
                _ => dashboards_in_words(self.dashboards, self.commits),
            };
            writeln!(f, "{name}: {size}, {holds}")?;
        }
        for Problem { of, says } in &self.problems {
            writeln!(f, "problem: {of}: {says}")?;
        }
        match self.problems.len() as u64 + self.more {
            0 => write!(f, "whole: nothing is wrong"),
            1 => write!(f, "1 problem"),
            count if self.more > 0 => write!(f, "{count} problems, the first {MAX_PROBLEMS} of them shown"),
            count => write!(f, "{count} problems"),
        }
    }
}

/// Checks a data directory or a backup. Errors only where there is neither, or when it is interrupted.
pub async fn check(dir: &Path, interrupt: &Interrupt) -> Result<Report, BackupError> {
    if !dir.join(DATABASE).exists() && !dir.join(SERIES).exists() {
        let dir = dir.display();
        return Err(BackupError::Usage(format!(
            "{dir} is neither a data directory nor a backup: it has no {DATABASE}"
        )));
    }
    let mut report = Report::default();
    if dir.join(manifest::NAME).exists() {
        match Manifest::read(dir) {
            Ok(manifest) => {
                for (of, says) in manifest.differences(dir) {
                    report.problem(of, says);
                }
            }
            Err(error) => report.problem(manifest::NAME, error.to_string()),
        }
    }
    check_files(dir, &mut report, interrupt).await?;
    Ok(report)
}

/// The databases alone.
pub(super) async fn check_files(
    dir: &Path,
    report: &mut Report,
    interrupt: &Interrupt,
) -> Result<(), BackupError> {
    for name in super::FILES {
        let path = dir.join(name);
        let bytes = match std::fs::metadata(&path) {
            Ok(there) => there.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                report.problem(name, "it is missing");
                continue;
            }
            Err(error) => {
                report.problem(name, format!("it cannot be read: {error}"));
                continue;
            }
        };
        let checked = check_file(&path, name, report, interrupt).await;
        let tables = match checked {
            Ok(tables) => tables,
            Err(Stopped::Interrupted) => return Err(BackupError::Interrupted),
            Err(Stopped::Unread(error)) => {
                report.problem(name, format!("it does not read: {error}"));
                0
            }
        };
        report.files.push(FileReport { name, bytes, tables });
    }
    Ok(())
}

/// Why a file was not looked at to its end.
enum Stopped {
    Interrupted,
    Unread(sqlx::Error),
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Unread(error)
    }
}

/// Returns the version of the tables.
async fn check_file(
    path: &Path,
    name: &'static str,
    report: &mut Report,
    interrupt: &Interrupt,
) -> Result<i64, Stopped> {
    let mut connection = reading(path).connect().await?;
    let rows = sqlx::query(INTEGRITY).fetch_all(&mut connection).await?;
    for row in &rows {
        let says: &str = row.try_get(0)?;
        if says != "ok" {
            report.problem(name, says.trim());
        }
    }
    let (tables, known) = (tables_version(&mut connection).await?, tables_known(name));
    if tables > known {
        let says =
            format!("its tables are of version {tables}, and this program knows {known}: use a newer one");
        report.problem(name, says);
    }
    match name {
        SERIES => check_series(&mut connection, tables, report, interrupt).await?,
        _ => check_dashboards(&mut connection, report, interrupt).await?,
    }
    connection.close().await?;
    Ok(tables)
}

/// The version of the last migration; 0 where there was none.
async fn tables_version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let there: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
        .fetch_one(&mut *connection)
        .await?;
    if there == 0 {
        return Ok(0);
    }
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
        .fetch_one(connection)
        .await?;
    Ok(last.unwrap_or(0))
}

/// The version of the tables that this program makes.
fn tables_known(name: &str) -> i64 {
    let migrations = match name {
        SERIES => sqlx::migrate!("migrations/series"),
        _ => sqlx::migrate!("migrations/sqlite"),
    };
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}

async fn check_dashboards(
    connection: &mut SqliteConnection,
    report: &mut Report,
    interrupt: &Interrupt,
) -> Result<(), Stopped> {
    let orphans = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *connection).await?;
    if !orphans.is_empty() {
        report.problem(DATABASE, format!("{} rows belong to a dashboard that is not there", orphans.len()));
    }
    let spoilt: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM secrets WHERE length(bytes) <> 32")
        .fetch_one(&mut *connection)
        .await?;
    if spoilt > 0 {
        report.problem(DATABASE, "a secret has not 32 bytes; the server would not start");
    }
    let last =
        sqlx::query("SELECT id, revision, changed_at FROM dashboards ORDER BY changed_at DESC LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
    report.last_change = last.map(|row| last_change(&row)).transpose()?;
    let all: Vec<i64> =
        sqlx::query_scalar("SELECT n FROM dashboards ORDER BY n").fetch_all(&mut *connection).await?;
    for n in all {
        if interrupt.load(Relaxed) {
            return Err(Stopped::Interrupted);
        }
        // A transaction for each, so that nobody is held up for long.
        sqlx::query("BEGIN").execute(&mut *connection).await?;
        let checked = check_dashboard(connection, n, report).await;
        sqlx::query("ROLLBACK").execute(&mut *connection).await?;
        if let Err((of, error)) = checked {
            report.problem(of, format!("it does not read: {error}"));
        }
    }
    Ok(())
}

fn last_change(row: &SqliteRow) -> Result<LastChange, sqlx::Error> {
    let at = u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0);
    let revision = u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0);
    Ok(LastChange { dashboard: row.try_get(0)?, revision, at: Utc::of(at).to_string() })
}

/// Reads one dashboard's snapshot and log as the server does. An error says which dashboard it was.
async fn check_dashboard(
    connection: &mut SqliteConnection,
    n: i64,
    report: &mut Report,
) -> Result<(), (String, sqlx::Error)> {
    let unnamed = |error| (format!("dashboard number {n}"), error);
    let row = sqlx::query(
        "SELECT d.id, d.title, d.revision, s.revision, s.state FROM dashboards d
         LEFT JOIN snapshots s ON s.dashboard = d.n WHERE d.n = $1",
    )
    .bind(n)
    .fetch_optional(&mut *connection)
    .await
    .map_err(unnamed)?;
    // Removed meanwhile.
    let Some(row) = row else { return Ok(()) };
    report.dashboards += 1;
    let (id, title): (&str, &str) = (row.try_get(0).map_err(unnamed)?, row.try_get(1).map_err(unnamed)?);
    let of = format!("dashboard {id} ({title:?})");
    let named = |error| (of.clone(), error);
    let end: i64 = row.try_get(2).map_err(named)?;
    let (at, state): (Option<i64>, Option<&str>) =
        (row.try_get(3).map_err(named)?, row.try_get(4).map_err(named)?);
    let (Some(at), Some(state)) = (at, state) else {
        report.problem(of, "it has no snapshot, and cannot be opened");
        return Ok(());
    };
    let mut room = match serde_json::from_str::<RoomState>(state) {
        Ok(state) if i64::try_from(state.revision) == Ok(at) => Some(Room::from_state(state)),
        Ok(state) => {
            let says = format!("its snapshot is of revision {}, and is kept as that of {at}", state.revision);
            report.problem(&of, says);
            None
        }
        Err(error) => {
            report.problem(&of, format!("its snapshot does not read: {error}"));
            None
        }
    };
    let mut before = None;
    let mut rows =
        sqlx::query("SELECT revision, client, seq, body FROM commits WHERE dashboard = $1 ORDER BY revision")
            .bind(n)
            .fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(named)? {
        report.commits += 1;
        let revision: i64 = row.try_get(0).map_err(named)?;
        let expected = before.map_or(revision.min(at + 1), |before: i64| before + 1);
        if revision != expected {
            let says = format!("its log has a gap: {} to {} are missing", expected, revision - 1);
            report.problem(&of, says);
            room = None;
        }
        before = Some(revision);
        let (client, seq): (&str, i64) = (row.try_get(1).map_err(named)?, row.try_get(2).map_err(named)?);
        let body: &str = row.try_get(3).map_err(named)?;
        let commit = match serde_json::from_str::<Commit>(body) {
            Ok(commit) => commit,
            Err(error) => {
                report.problem(&of, format!("revision {revision} of its log does not read: {error}"));
                room = None;
                continue;
            }
        };
        let same = i64::try_from(commit.revision) == Ok(revision)
            && commit.client.as_str() == client
            && i64::try_from(commit.seq) == Ok(seq);
        if !same {
            report.problem(
                &of,
                format!("revision {revision} of its log is kept under another name than its own"),
            );
        }
        if revision > at
            && let Some(folded) = &mut room
            && catch_unwind(AssertUnwindSafe(|| folded.replay(&commit))).is_err()
        {
            report.problem(&of, format!("revision {revision} of its log cannot be applied"));
            room = None;
        }
    }
    drop(rows);
    let last = before.unwrap_or(at);
    if last != end {
        let says = format!("its log ends at revision {last}, and should end at {end}");
        report.problem(&of, says);
    } else if let Some(room) = room
        && i64::try_from(room.revision()) != Ok(end)
    {
        report.problem(&of, format!("its log gives revision {}, and not {end}", room.revision()));
    }
    Ok(())
}

async fn check_series(
    connection: &mut SqliteConnection,
    tables: i64,
    report: &mut Report,
    interrupt: &Interrupt,
) -> Result<(), Stopped> {
    let mut names = sqlx::query("SELECT id, name FROM series").fetch(&mut *connection);
    while let Some(row) = names.try_next().await? {
        report.series += 1;
        let (id, name): (i64, &str) = (row.try_get(0)?, row.try_get(1)?);
        if Key::read(name).is_none() {
            report.problem(
                SERIES,
                format!("the name of series {id} does not read; its points are passed over"),
            );
        }
    }
    drop(names);
    // Before that version nothing was sealed.
    let sealed = if tables < SEALED_SINCE { "0" } else { "sealed" };
    let next = format!("SELECT n, points, {sealed}, body FROM batches WHERE n > $1 ORDER BY n LIMIT 1");
    let mut last = i64::MIN;
    loop {
        if interrupt.load(Relaxed) {
            return Err(Stopped::Interrupted);
        }
        // Row by row, so that nobody is held up for long.
        let row = sqlx::query(&next).bind(last).fetch_optional(&mut *connection).await?;
        let Some(row) = row else { return Ok(()) };
        last = row.try_get(0)?;
        let (points, is_sealed, body): (i64, bool, &[u8]) =
            (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let should = points.unsigned_abs();
        match series::points_of_batch(body, is_sealed) {
            (count, true) if count == should => report.points += count,
            (count, true) => {
                report.problem(SERIES, format!("batch {last} has {count} points, and should have {points}"));
            }
            (0, false) => {
                report.problem(SERIES, format!("batch {last} does not read; its {points} points are lost"));
            }
            (count, false) => {
                report.points += count;
                let lost = should.saturating_sub(count);
                report.problem(
                    SERIES,
                    format!("batch {last} is damaged; {lost} of its {points} points are lost"),
                );
            }
        }
    }
}
