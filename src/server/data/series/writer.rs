//! Writer of pushed points: what waits of all requests goes into one transaction with one fsync.
//!
//! A batch is one row with everything in it; a row for each point would cost a hundred times as much. Rows are
//! sealed when they are enough (see `sealing`), and go when all of their points are too old. Where they hold far
//! more than is kept, because series have had their number of points, what is kept is written anew beside the
//! others' batches, and the rows before go.

mod sealing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

use super::deletion::Deletion;
use super::key::Key;
use super::memory::{Id, Memory};
use super::points::{Point, decode, encode, read_number, write_number};
use super::runs::{Named, Runs};
use super::{Ages, Taken, sealed};
use crate::server::clock::now_ms;
use crate::server::store::StoreError;
use crate::server::store::last_write::LastWrite;
use crate::server::store::sqlite::checkpoint::{REST_AFTER, REST_BYTES};
use crate::server::store::sqlite::connection::{LeftLog, WriteConnection, empty_log};
use crate::server::store::sqlite::writer::{PROBE_BYTES, PROBE_FAILING_BYTES, in_doubt, probe};
use crate::server::store::sqlite::{failed, log_of, migrate};

/// Batches in one transaction.
const GROUP: usize = 64;
/// Points above which a group is worked on beside the tasks of the server, which would wait.
const MANY: usize = 10_000;
/// From one look for what is too old to the next.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long to wait for another process that holds the file, such as a backup.
const BUSY: Duration = Duration::from_secs(5);
/// Points in a row when what is kept is written anew.
const PART: usize = 64 * 1024;
/// Points in the file, beyond twice those that are kept, at which it is written anew.
const SLACK: u64 = 1_000_000;
/// Looks for what is too old without a point between them, after which nothing counts as coming any more: the first
/// may be just behind a point.
const QUIET: u32 = 2;
/// Bytes of the log's file that stay where nothing comes any more.
const QUIET_BYTES: u64 = 1024 * 1024;
/// Rows removed at once.
const ROWS: i64 = 500;

/// Bytes that a point of a batch takes in a row, about.
const POINT_BYTES: usize = 16;

/// The file as the log names it.
const FILE: &str = "series.db";
/// How long to wait for somebody who reads when the log's file is cut: whoever brings points waits meanwhile.
const REST_BUSY_MS: u64 = 100;

/// What there is to write. Without runs it only says whether writing works.
pub(super) struct Waiting {
    pub(super) runs: Runs,
    pub(super) done: oneshot::Sender<Result<Taken, StoreError>>,
}

pub(super) struct Writer {
    connection: WriteConnection,
    memory: Arc<Memory>,
    last: Arc<LastWrite>,
    /// The write-ahead log.
    log: PathBuf,
    /// True where something was written since the log's file was looked at.
    wrote: bool,
    /// Points in the file, and those of them that are not sealed.
    points: u64,
    open_points: u64,
    /// Batches up to this number are sealed, or do not read.
    sealed_to: i64,
    sealing: Option<sealing::Task>,
    /// True from a failure on until the next look for what is too old: nothing is sealed.
    holds_off: bool,
    /// Looks for what is too old since points came, up to those that make it quiet.
    looks: u32,
    /// Series that memory has let go of, and the file still has.
    gone: Vec<Id>,
    anew: Option<Anew>,
}

/// What is kept, on its way into new rows.
struct Anew {
    /// The series that comes next.
    next: Id,
    /// The last row of before.
    before: i64,
}

/// A group with its series found.
struct Group {
    waiting: Vec<Waiting>,
    /// By batch: each run's series, or `None` where there is no place for one more.
    ids: Vec<Vec<Option<Id>>>,
    names: Vec<(Id, Arc<Key>)>,
    body: Vec<u8>,
    points: u64,
    newest: u64,
}

impl Writer {
    /// Opens the file and reads what it keeps into memory.
    pub(super) async fn open(
        file: &Path,
        memory: Arc<Memory>,
        last: Arc<LastWrite>,
    ) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Who was answered has it for good.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            // Where it is made now: so that it can become smaller again.
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .disable_statement_logging();
        let mut first: SqliteConnection = options.connect().await.map_err(failed)?;
        let left = LeftLog::bring_back(&mut first, file).await;
        migrate(&mut first, &left, &sqlx::migrate!("migrations/series"), file).await?;
        // From here on a file that is not there was taken away, and another in its place would hide that.
        let connection = WriteConnection::open(options.create_if_missing(false), left).await?;
        first.close().await.map_err(failed)?;
        let mut writer = Self {
            connection,
            memory,
            last,
            log: log_of(file),
            wrote: true,
            points: 0,
            open_points: 0,
            sealed_to: 0,
            sealing: None,
            holds_off: false,
            looks: QUIET,
            gone: Vec::new(),
            anew: None,
        };
        writer.load().await?;
        Ok(writer)
    }

    async fn load(&mut self) -> Result<(), StoreError> {
        let connection = self.connection.read().await?;
        let last: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'series'")
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?;
        self.memory.number_after(last.and_then(|last| Id::try_from(last).ok()).unwrap_or(0));
        let mut names = sqlx::query("SELECT id, name FROM series").fetch(&mut *connection);
        while let Some(row) = names.try_next().await.map_err(failed)? {
            let id: i64 = row.try_get(0).map_err(failed)?;
            let name: &str = row.try_get(1).map_err(failed)?;
            match (Id::try_from(id), Key::read(name)) {
                (Ok(id), Some(key)) => self.memory.restore(id, key),
                _ => tracing::warn!(id, "the name of a series does not read; its points are passed over"),
            }
        }
        drop(names);
        let mut rows =
            sqlx::query("SELECT n, points, sealed, body FROM batches ORDER BY n").fetch(connection);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let (n, points): (i64, i64) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
            let (is_sealed, body): (bool, &[u8]) =
                (row.try_get(2).map_err(failed)?, row.try_get(3).map_err(failed)?);
            self.points += points.unsigned_abs();
            let runs = if is_sealed {
                let opened = sealed::open(body);
                if opened.damaged {
                    let lost = points.unsigned_abs().saturating_sub(opened.points());
                    tracing::warn!(
                        row = n,
                        lost,
                        "a sealed batch of points is damaged; the others of it are there"
                    );
                }
                opened.runs
            } else if let Some(runs) = read_body(body) {
                self.open_points += points.unsigned_abs();
                runs
            } else {
                tracing::warn!(row = n, "a batch of points does not read; it is passed over");
                continue;
            };
            self.memory.apply(runs.iter().map(|(id, points)| (*id, points.as_slice())), []);
        }
        Ok(())
    }

    /// Writes until nobody can bring anything any more.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Waiting>,
        mut deletions: mpsc::Receiver<Deletion>,
        ages: Arc<Ages>,
    ) {
        let mut sweeps = interval(SWEEP_EVERY);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut group = Vec::new();
        loop {
            let work = tokio::select! {
                count = inbox.recv_many(&mut group, GROUP) => {
                    if count == 0 {
                        break;
                    }
                    self.take(std::mem::take(&mut group)).await;
                    // A step after each group, so that those who never pause do not put it off for ever.
                    match self.seal(false, ages.sweep_before(&self.memory)).await {
                        Ok(()) => self.write_anew().await,
                        Err(error) => Err(error),
                    }
                }
                Some(deletion) = deletions.recv() => {
                    deletion.run(&mut self.connection, &self.memory).await;
                    Ok(())
                }
                // Between two groups, so that it keeps nobody waiting for long.
                () = std::future::ready(()), if self.anew.is_some() => self.write_anew().await,
                made = sealing::sealed(&mut self.sealing), if self.sealing.is_some() => {
                    self.sealing = None;
                    let put = self.put(made).await;
                    self.look_at_size().await;
                    match put {
                        // There may be more, as in a file of before.
                        Ok(()) => self.seal(false, ages.sweep_before(&self.memory)).await,
                        Err(error) => Err(error),
                    }
                }
                _ = sweeps.tick() => self.tidy(ages.sweep_before(&self.memory)).await,
                () = tokio::time::sleep(REST_AFTER), if self.wrote => self.rest().await,
            };
            if let Err(error) = self.connection.outcome(work) {
                tracing::warn!(%error, "the file of series was not tidied up; it is tried again");
                self.anew = None;
            }
        }
        self.connection.close().await;
    }

    /// Now and then: what is too old goes, and where nothing comes, what is left to seal is sealed.
    async fn tidy(&mut self, before: Option<u64>) -> Result<(), StoreError> {
        self.wrote = true;
        self.holds_off = false;
        self.sweep(before).await?;
        self.looks = QUIET.min(self.looks + 1);
        if self.looks == QUIET { self.seal(true, before).await } else { Ok(()) }
    }

    /// Nothing was written for a while: a log far larger than it has to be is cut, and where nothing comes at all
    /// what is free in the file is given back first.
    async fn rest(&mut self) -> Result<(), StoreError> {
        self.wrote = false;
        let is_quiet = self.looks == QUIET;
        if is_quiet && self.sealing.is_none() {
            self.give_back().await?;
        }
        let most = if is_quiet { QUIET_BYTES } else { REST_BYTES };
        if !std::fs::metadata(&self.log).is_ok_and(|log| log.len() > most) {
            return Ok(());
        }
        let connection = self.connection.get().await?;
        let wait = |ms: u128| format!("PRAGMA busy_timeout = {ms}");
        sqlx::query(&wait(REST_BUSY_MS.into())).execute(&mut *connection).await.map_err(failed)?;
        let cut = empty_log(connection).await;
        sqlx::query(&wait(BUSY.as_millis())).execute(connection).await.map_err(failed)?;
        cut.map(drop)
    }

    /// Makes a group durable, shows it to those who ask, and answers.
    async fn take(&mut self, waiting: Vec<Waiting>) {
        let points: usize = waiting.iter().map(|one| one.runs.count()).sum();
        let memory = self.memory.clone();
        let Some(group) = beside(points, move || Group::new(&memory, waiting)).await else { return };
        let written = self.write(&group).await;
        self.wrote = true;
        if written.is_ok() {
            self.points += group.points;
            self.open_points += group.points;
        }
        if group.points > 0 {
            self.looks = 0;
        }
        let memory = self.memory.clone();
        beside(points, move || group.finish(&memory, written)).await;
        self.look_at_size().await;
    }

    /// True where the file holds far more than is kept.
    fn is_too_large(&self) -> bool {
        self.points > 2 * self.memory.points() as u64 + SLACK
    }

    /// Begins to write what is kept anew where the file holds far more.
    async fn look_at_size(&mut self) {
        if self.anew.is_none() && self.sealing.is_none() && self.is_too_large() {
            let anew = self.begin_anew().await;
            self.anew = self.connection.outcome(anew).ok();
        }
    }

    /// One transaction. After an error nothing of it is stored, but for `Unknown`.
    async fn write(&mut self, group: &Group) -> Result<(), StoreError> {
        if group.points == 0 && !group.is_probe() {
            return Ok(());
        }
        let outcome = match self.connection.get().await {
            Ok(connection) => write_group(connection, group, self.last.failing().is_some()).await,
            Err(error) => Err(error),
        };
        let outcome = self.connection.outcome(outcome);
        self.last.note(FILE, outcome.as_ref().map(drop));
        if let Err(StoreError::Unknown(_)) = outcome
            && let Ok(connection) = self.connection.get().await
        {
            // It left its rows in the log, where SQLite would find them once this process is gone. Another
            // transaction in their place ends that.
            let probed = probe(connection, PROBE_BYTES).await.map_err(failed);
            if let Err(error) = self.connection.outcome(probed) {
                tracing::warn!(%error, "nor could anything else be written");
            }
        }
        outcome
    }

    /// Sweeps at the start, where a disk that is full is no reason to stop.
    pub(super) async fn tidy_up(&mut self, before: Option<u64>) {
        let swept = self.sweep(before).await;
        if let Err(error) = self.connection.outcome(swept) {
            tracing::warn!(%error, "the file of series was not tidied up; it is tried again");
        }
    }

    /// Lets go of what is older than a time, in memory and in the file, and of series that have nothing left.
    async fn sweep(&mut self, before: Option<u64>) -> Result<(), StoreError> {
        self.gone.extend(self.memory.sweep(before.unwrap_or(0)));
        let before = i64::try_from(before.unwrap_or(0)).unwrap_or(i64::MAX);
        loop {
            let rows = sqlx::query(
                "DELETE FROM batches WHERE n IN (SELECT n FROM batches WHERE newest < $1 LIMIT $2)
                 RETURNING points, sealed",
            )
            .bind(before)
            .bind(ROWS)
            .fetch_all(self.connection.get().await?)
            .await
            .map_err(failed)?;
            self.forget(&rows)?;
            if rows.is_empty() {
                break;
            }
        }
        // Each until it is done: memory tells of it once.
        while let Some(id) = self.gone.last() {
            sqlx::query("DELETE FROM series WHERE id = $1")
                .bind(i64::from(*id))
                .execute(self.connection.get().await?)
                .await
                .map_err(failed)?;
            self.gone.pop();
        }
        Ok(())
    }

    async fn begin_anew(&mut self) -> Result<Anew, StoreError> {
        let before: Option<i64> = sqlx::query_scalar("SELECT MAX(n) FROM batches")
            .fetch_one(self.connection.get().await?)
            .await
            .map_err(failed)?;
        Ok(Anew { next: 0, before: before.unwrap_or(0) })
    }

    /// Writes some more of what is kept; at the end, the rows of before go.
    async fn write_anew(&mut self) -> Result<(), StoreError> {
        let Some(Anew { next, before }) = self.anew.take() else { return Ok(()) };
        if next != Id::MAX {
            let memory = self.memory.clone();
            let part = beside(PART, move || {
                let (views, after) = memory.whole_from(next, PART);
                let (mut body, mut points, mut newest) = (Vec::new(), 0, 0);
                for (id, view) in &views {
                    let mut whole = Vec::with_capacity(view.at_most());
                    view.each(|point| whole.push(point));
                    sealed::seal(*id, &whole, &mut body);
                    newest = newest.max(whole.last().map_or(0, |(at, _)| *at));
                    points += whole.len() as u64;
                }
                (body, points, newest, after)
            });
            let Some((body, points, newest, after)) = part.await else { return Ok(()) };
            if points > 0 {
                insert(self.connection.get().await?, newest, points, &body, true).await?;
                self.points += points;
            }
            self.anew = Some(Anew { next: after.unwrap_or(Id::MAX), before });
            return Ok(());
        }
        let rows = sqlx::query(
            "DELETE FROM batches WHERE n IN (SELECT n FROM batches WHERE n <= $1 LIMIT $2)
             RETURNING points, sealed",
        )
        .bind(before)
        .bind(ROWS)
        .fetch_all(self.connection.get().await?)
        .await
        .map_err(failed)?;
        self.forget(&rows)?;
        if !rows.is_empty() {
            self.anew = Some(Anew { next, before });
        }
        Ok(())
    }

    fn forget(&mut self, rows: &[sqlx::sqlite::SqliteRow]) -> Result<(), StoreError> {
        for row in rows {
            let (points, is_sealed): (i64, bool) =
                (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
            self.points = self.points.saturating_sub(points.unsigned_abs());
            if !is_sealed {
                self.open_points = self.open_points.saturating_sub(points.unsigned_abs());
            }
        }
        Ok(())
    }
}

impl Group {
    fn new(memory: &Memory, waiting: Vec<Waiting>) -> Self {
        let (mut ids, mut points, mut newest) = (Vec::new(), 0, 0);
        let (mut body, mut bytes) = (Vec::new(), Vec::new());
        body.reserve(POINT_BYTES * waiting.iter().map(|one| one.runs.count()).sum::<usize>());
        for one in &waiting {
            let of_one = memory.ids(&one.runs);
            for ((_, run), id) in one.runs.iter().zip(&of_one) {
                let (Some(id), Some((last, _))) = (id, run.last()) else { continue };
                bytes.clear();
                encode(run, &mut bytes);
                write_run(*id, run.len(), &bytes, &mut body);
                points += run.len() as u64;
                newest = newest.max(*last);
            }
            ids.push(of_one);
        }
        let names = memory.not_stored(ids.iter().flatten().copied().flatten());
        Self { waiting, ids, names, body, points, newest }
    }

    /// True where somebody asks whether writing works.
    fn is_probe(&self) -> bool {
        self.waiting.iter().any(|one| one.runs.is_empty())
    }

    fn finish(self, memory: &Memory, written: Result<(), StoreError>) {
        if written.is_ok() && self.points > 0 {
            let runs = self.waiting.iter().zip(&self.ids).flat_map(|(one, ids)| one.runs.iter().zip(ids));
            let runs = runs.filter_map(|((_, run), id)| Some(((*id)?, run)));
            memory.apply(runs, self.names.iter().map(|(id, _)| *id));
            memory.pushed_at(now_ms());
        }
        for (one, ids) in self.waiting.into_iter().zip(self.ids) {
            let mut taken = Taken::default();
            for (series, id) in one.runs.series().iter().zip(ids) {
                let count = series.count() as u64;
                if id.is_some() {
                    taken.points += count;
                    continue;
                }
                let why = match &series.named {
                    Named::Key(key) => format!(
                        "the series {:?} would be one more than the {} that this server keeps",
                        key.whole(),
                        memory.bounds().series
                    ),
                    Named::Known(_) => "its series was deleted a moment ago; send it again".to_owned(),
                };
                taken.refused.push((series.place, count, why));
            }
            // Whoever asked may be gone; what is written stays written.
            let _ = one.done.send(written.clone().map(|()| taken));
        }
    }
}

/// Does it here where it is little, else on a thread of its own; `None` where it panicked.
async fn beside<T: Send + 'static>(points: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if points <= MANY {
        return Some(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.inspect_err(|error| tracing::error!(%error, "a step of the writer of series panicked")).ok()
}

async fn write_group(
    connection: &mut SqliteConnection,
    group: &Group,
    was_failing: bool,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    for (id, key) in &group.names {
        // A name that could not be removed yet is there under a number that is gone. The points that come
        // now are under this one, or nobody would find them after a restart.
        sqlx::query("INSERT OR REPLACE INTO series (id, name) VALUES ($1, $2)")
            .bind(i64::from(*id))
            .bind(key.whole())
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    if group.points > 0 {
        insert(&mut transaction, group.newest, group.points, &group.body, false).await?;
    } else {
        let bytes = if was_failing { PROBE_FAILING_BYTES } else { PROBE_BYTES };
        probe(&mut transaction, bytes).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(|error| in_doubt(failed(error)))
}

async fn insert(
    to: &mut SqliteConnection,
    newest: u64,
    points: u64,
    body: &[u8],
    is_sealed: bool,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO batches (newest, points, sealed, body) VALUES ($1, $2, $3, $4)")
        .bind(i64::try_from(newest).unwrap_or(i64::MAX))
        .bind(i64::try_from(points).unwrap_or(i64::MAX))
        .bind(is_sealed)
        .bind(body)
        .execute(to)
        .await
        .map(drop)
        .map_err(failed)
}

/// In a body: the series' number, how many points, how many bytes, and those.
fn write_run(id: Id, count: usize, bytes: &[u8], out: &mut Vec<u8>) {
    write_number(u64::from(id), out);
    write_number(count as u64, out);
    write_number(bytes.len() as u64, out);
    out.extend(bytes);
}

/// A run of a body, not decoded.
struct Packed<'a> {
    id: Id,
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Takes the first run of a body.
    fn read(body: &mut &'a [u8]) -> Option<Self> {
        let id = Id::try_from(read_number(body)?).ok()?;
        let count = usize::try_from(read_number(body)?).ok()?;
        let length = usize::try_from(read_number(body)?).ok()?;
        Some(Self { id, count, bytes: body.split_off(..length)? })
    }

    /// Adds its points; `None` where they do not read, or are not as many.
    fn add_to(&self, points: &mut Vec<Point>) -> Option<()> {
        let before = points.len();
        points.extend(decode(self.bytes));
        (points.len() - before == self.count).then_some(())
    }
}

/// The runs of a body; `None` where it is spoilt.
pub(super) fn read_body(mut body: &[u8]) -> Option<Vec<(Id, Vec<Point>)>> {
    let mut runs = Vec::new();
    while !body.is_empty() {
        let run = Packed::read(&mut body)?;
        let mut points = Vec::new();
        run.add_to(&mut points)?;
        runs.push((run.id, points));
    }
    Some(runs)
}

#[cfg(test)]
mod tests;
