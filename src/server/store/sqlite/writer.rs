//! Writer of the file: takes everything that waits, of all rooms, into one transaction with one fsync.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::sqlite::{SqliteConnection, SqliteQueryResult};
use sqlx::{Connection as _, QueryBuilder, Row as _, Sqlite};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::super::last_write::LastWrite;
use super::super::{Appended, Deletion, Listing, Most, NewDashboard, StoreError};
use super::accounts::{self, SessionWrite};
use super::audit::{self, AuditWrite};
use super::checkpoint::{self, Written};
use super::connection::WriteConnection;
use super::links::{self, VisitWrite};
use super::second_factors::{self, SecondFactorWrite};
use super::{bin, failed, screens, signed};
use crate::dashboard::fold::fold;
use crate::dashboard::{DashboardId, UserId};
use crate::server::access::directory::Change;
use crate::server::access::screens::ScreenUse;

/// The file as the log names it.
const FILE: &str = "lockstep.db";
/// Writes that wait for the task: one or two of each busy room. More of them wait their turn outside.
const WAITING: usize = 1_024;
/// Writes in one transaction: enough to share an fsync, few enough that a checkpoint stays short.
const GROUP: usize = 256;
/// Rows per insert. Fixed sizes, so that each is prepared once; a statement costs far more than a row.
const ROWS: [usize; 4] = [128, 32, 8, 1];
/// Writes of a group that the disk fails one by one before the others are not tried any more.
const MAX_ALONE_FAIL: usize = 3;
/// Bytes of a probe: one page, written at most every few seconds of an idle server.
pub(in crate::server) const PROBE_BYTES: i64 = 16;
/// The same while writing fails: a disk that takes this takes edits.
pub(in crate::server) const PROBE_FAILING_BYTES: i64 = 64 * 1024;

/// What there is to write.
pub(super) enum Write {
    Create(Box<NewDashboard>),
    Append {
        id: DashboardId,
        commits: Vec<Appended>,
        listing: Listing,
    },
    Snapshot {
        id: DashboardId,
        revision: u64,
        state: Arc<str>,
        keep: Most,
    },
    /// Into the bin, where fewer than `most` are in it.
    Delete {
        id: DashboardId,
        deletion: Deletion,
        most: usize,
    },
    /// Out of the bin, where fewer than `most` are out of it.
    Restore {
        id: DashboardId,
        most: usize,
    },
    /// For good, where it came into the bin before a time.
    Purge {
        id: DashboardId,
        before: u64,
    },
    Favourite {
        user: UserId,
        id: DashboardId,
        favourite: bool,
    },
    /// Where none is known.
    Outline {
        id: DashboardId,
        outline: Arc<str>,
    },
    Renew {
        id: DashboardId,
        epoch: String,
    },
    /// Keeps the bytes, where the name has none yet.
    Secret {
        name: String,
        bytes: [u8; 32],
    },
    /// In their order, all or none.
    Directory(Vec<Change>),
    Sessions(SessionWrite),
    Audit(AuditWrite),
    Visits(VisitWrite),
    /// When and where they were used last.
    Screens(Vec<ScreenUse>),
    SecondFactors(SecondFactorWrite),
    /// Says whether writing works.
    Probe,
    /// A round trip.
    Nothing,
}

impl Write {
    /// True where it changes the file whenever it succeeds.
    fn surely_writes(&self) -> bool {
        match self {
            Self::Create(_)
            | Self::Append { .. }
            | Self::Delete { .. }
            | Self::Restore { .. }
            | Self::Purge { .. }
            | Self::Renew { .. }
            | Self::Directory(_)
            | Self::Audit(AuditWrite::Append(_))
            | Self::SecondFactors(SecondFactorWrite::Put(_))
            | Self::Probe => true,
            Self::Snapshot { .. }
            | Self::Favourite { .. }
            | Self::Outline { .. }
            | Self::Secret { .. }
            | Self::Sessions(_)
            | Self::Audit(AuditWrite::Forget(_))
            | Self::Visits(_)
            | Self::Screens(_)
            | Self::SecondFactors(SecondFactorWrite::Remove(_))
            | Self::Nothing => false,
        }
    }

    /// Bytes of its rows, about.
    fn bytes(&self) -> usize {
        match self {
            Self::Append { commits, .. } => commits.iter().map(|commit| commit.body.len()).sum(),
            Self::Snapshot { state, .. } => state.len(),
            _ => 0,
        }
    }
}

struct Waiting {
    write: Write,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// The handle to the task.
pub(super) struct Writer {
    inbox: Mutex<Option<mpsc::Sender<Waiting>>>,
    queue: Arc<AtomicUsize>,
    in_doubt: Arc<AtomicBool>,
    last: Arc<LastWrite>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Writer {
    /// Writes through the first connection, and brings the log back through the second.
    pub(super) fn start(file: &Path, connection: WriteConnection, checkpoints: WriteConnection) -> Self {
        let (inbox, waiting) = mpsc::channel(WAITING);
        let (queue, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(LastWrite::default()));
        let (written, checkpoints) = checkpoint::start(file, checkpoints);
        let in_doubt = Arc::new(AtomicBool::new(false));
        let (queued, doubted) = (queue.clone(), in_doubt.clone());
        let task = Task { connection, written, queue: queued, in_doubt: doubted, last: last.clone() };
        let writes = tokio::spawn(task.run(waiting));
        let tasks = Mutex::new(vec![writes, checkpoints]);
        Self { inbox: Mutex::new(Some(inbox)), queue, in_doubt, last, tasks }
    }

    /// What became of the last write.
    pub(super) fn last_write(&self) -> &LastWrite {
        &self.last
    }

    /// Returns when it is durable, or with why it is not.
    pub(super) async fn write(&self, write: Write) -> Result<(), StoreError> {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let inbox = inbox.ok_or(StoreError::Closed)?;
        let (done, outcome) = oneshot::channel();
        self.queue.fetch_add(1, Relaxed);
        if inbox.send(Waiting { write, done }).await.is_err() {
            self.queue.fetch_sub(1, Relaxed);
            return Err(StoreError::Closed);
        }
        drop(inbox);
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Returns when what can be read is what is stored. Errors while a write that failed may be found all the
    /// same at the next start.
    pub(super) async fn settle(&self) -> Result<(), StoreError> {
        if self.in_doubt.load(SeqCst) { self.write(Write::Probe).await } else { Ok(()) }
    }

    pub(super) fn queue(&self) -> usize {
        self.queue.load(Relaxed)
    }

    /// Writes what waits and ends the tasks.
    pub(super) async fn close(&self) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "the store's writer ended badly");
            }
        }
    }
}

/// The one who writes.
struct Task {
    connection: WriteConnection,
    written: Written,
    queue: Arc<AtomicUsize>,
    /// A commit that failed may be in the write-ahead log, where SQLite would find it once this process is
    /// gone. The next transaction takes its place and ends that.
    in_doubt: Arc<AtomicBool>,
    last: Arc<LastWrite>,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::Receiver<Waiting>) {
        let mut group = Vec::new();
        loop {
            let rest = self.written.rest_after();
            let count = tokio::select! {
                count = inbox.recv_many(&mut group, GROUP) => count,
                () = tokio::time::sleep(rest.unwrap_or_default()), if rest.is_some() => {
                    self.written.rest().await;
                    continue;
                }
            };
            if count == 0 {
                break;
            }
            self.take(&mut group).await;
        }
        self.connection.close().await;
    }

    /// Writes a group and answers.
    async fn take(&mut self, group: &mut Vec<Waiting>) {
        let idle = self.written.is_idle();
        let bytes = group.iter().map(|waiting| waiting.write.bytes()).sum();
        let writes: Vec<&Write> = group.iter().map(|waiting| &waiting.write).collect();
        let outcomes = self.write(&writes).await;
        let wrote =
            writes.iter().zip(&outcomes).any(|(write, outcome)| outcome.is_ok() && write.surely_writes());
        self.queue.fetch_sub(group.len(), Relaxed);
        let mut errors = outcomes.iter().rev().filter_map(|outcome| outcome.as_ref().err());
        match errors.find(|error| error.is_of_the_disk()) {
            Some(error) => self.last.note(FILE, Err(error)),
            None if wrote => self.last.note(FILE, Ok(())),
            None => {}
        }
        for (waiting, outcome) in group.drain(..).zip(outcomes) {
            // Whoever asked may be gone; what is written stays written.
            let _ = waiting.done.send(outcome);
        }
        if wrote {
            self.written.transaction(bytes, idle);
        }
    }

    /// What became of each write, in their order.
    async fn write(&mut self, group: &[&Write]) -> Vec<Result<(), StoreError>> {
        let mut error = match self.transaction(group).await {
            Ok(outcomes) => return outcomes,
            Err(error) => error,
        };
        if let StoreError::Unknown(_) = error {
            return vec![Err(error); group.len()];
        }
        if group.len() == 1 {
            return vec![Err(error)];
        }
        // One of them spoils the transaction for all, or is too large for what room there is: each alone,
        // so that only that one fails.
        let (mut outcomes, mut failures) = (Vec::with_capacity(group.len()), 0);
        for write in group {
            if failures == MAX_ALONE_FAIL {
                outcomes.push(Err(error.clone()));
                continue;
            }
            let alone = self.transaction(&[*write]).await;
            let outcome = alone.and_then(|mut one| one.pop().unwrap_or(Ok(())));
            if let Err(failure) = &outcome
                && failure.is_of_the_disk()
            {
                failures += 1;
                error = failure.clone();
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// One transaction. The outer error means that nothing of it is stored, but for `Unknown`; an inner one
    /// that this write changed nothing, the others did. After an outer one the connection is let go of.
    async fn transaction(&mut self, group: &[&Write]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        if group.iter().all(|write| matches!(write, Write::Nothing)) {
            return Ok(vec![Ok(()); group.len()]);
        }
        let outcomes = self.attempt(group).await;
        if let Err(StoreError::Unknown(_)) = outcomes {
            self.in_doubt.store(true, SeqCst);
            // Stored is then what can be read now.
            if let Err(error) = self.attempt(&[&Write::Probe]).await {
                tracing::warn!(%error, "nor could anything else be written");
            }
        }
        outcomes
    }

    async fn attempt(&mut self, group: &[&Write]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let probe = if self.last.failing().is_some() { PROBE_FAILING_BYTES } else { PROBE_BYTES };
        let outcomes = write_together(self.connection.get().await?, group, probe).await;
        let outcomes = self.connection.outcome(outcomes)?;
        let wrote = |(write, outcome): (&&Write, &Result<_, _>)| outcome.is_ok() && write.surely_writes();
        if group.iter().zip(&outcomes).any(wrote) {
            self.in_doubt.store(false, SeqCst);
        }
        Ok(outcomes)
    }
}

async fn write_together(
    connection: &mut SqliteConnection,
    group: &[&Write],
    probe: i64,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    // A transaction that is dropped unfinished rolls back.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let mut outcomes = Vec::with_capacity(group.len());
    for write in group {
        outcomes.push(match perform(&mut transaction, write, probe).await {
            Ok(()) => Ok(()),
            Err(Undone::Nothing(error)) => Err(error),
            Err(Undone::Half(error)) => return Err(error),
        });
    }
    transaction.commit().await.map_err(|error| in_doubt(failed(error)))?;
    Ok(outcomes)
}

/// What a commit's error means: where there was no room it wrote no commit, else it may have.
pub(in crate::server) fn in_doubt(error: StoreError) -> StoreError {
    match error {
        StoreError::Io(why) | StoreError::Damaged(why) => StoreError::Unknown(why),
        other => other,
    }
}

/// Writes a few bytes, or many, to see whether that works.
pub(in crate::server) async fn probe(to: &mut SqliteConnection, bytes: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO probe (n, bytes) VALUES (1, zeroblob($1))
         ON CONFLICT (n) DO UPDATE SET bytes = excluded.bytes",
    )
    .bind(bytes)
    .execute(to)
    .await
    .map(drop)
}

/// How far a write came before it failed.
pub(super) enum Undone {
    /// It changed nothing.
    Nothing(StoreError),
    /// It changed something already, or may have.
    Half(StoreError),
}

impl From<sqlx::Error> for Undone {
    fn from(error: sqlx::Error) -> Self {
        // The only uniqueness that the checks before do not cover is `(client, seq)`, and what another node was first with.
        let inner = error.as_database_error();
        if inner.is_some_and(|inner| inner.is_unique_violation()) {
            return Self::Half(StoreError::Taken);
        }
        // What a row belongs to is not there, or not any more.
        let is_nobodys = inner.is_some_and(|inner| inner.is_foreign_key_violation());
        Self::Half(if is_nobodys { StoreError::Gone } else { failed(error) })
    }
}

async fn perform(to: &mut SqliteConnection, write: &Write, probe_bytes: i64) -> Result<(), Undone> {
    match write {
        Write::Nothing => Ok(()),
        Write::Probe => Ok(probe(to, probe_bytes).await?),
        Write::Create(new) => create(to, new).await,
        Write::Append { id, commits, listing } => append(to, id, commits, listing).await,
        Write::Snapshot { id, revision, state, keep } => save_snapshot(to, id, *revision, state, *keep).await,
        Write::Delete { id, deletion, most } => bin::delete(to, id, deletion, *most).await,
        Write::Restore { id, most } => bin::restore(to, id, *most).await,
        Write::Purge { id, before } => bin::purge(to, id, *before).await,
        Write::Favourite { user, id, favourite } => bin::set_favourite(to, user, id, *favourite).await,
        Write::Outline { id, outline } => bin::set_outline(to, id, outline).await,
        Write::Directory(changes) => {
            for change in changes {
                accounts::change(&mut *to, change).await?;
            }
            Ok(())
        }
        Write::Sessions(write) => accounts::write_sessions(to, write).await,
        Write::Audit(write) => audit::write(to, write).await,
        Write::Visits(write) => links::write_visits(to, write).await,
        Write::Screens(used) => screens::note(to, used).await,
        Write::SecondFactors(write) => second_factors::write(to, write).await,
        Write::Renew { id, epoch } => {
            let query = sqlx::query("UPDATE dashboards SET epoch = $1 WHERE id = $2 AND deleted_at IS NULL");
            one_row(query.bind(epoch.as_str()).bind(id.as_str()).execute(to).await?)
        }
        Write::Secret { name, bytes } => {
            let query =
                sqlx::query("INSERT INTO secrets (name, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING");
            query.bind(name.as_str()).bind(&bytes[..]).execute(to).await?;
            Ok(())
        }
    }
}

/// Errors where there was no such dashboard.
fn one_row(done: SqliteQueryResult) -> Result<(), Undone> {
    if done.rows_affected() == 0 { Err(Undone::Nothing(StoreError::Gone)) } else { Ok(()) }
}

async fn create(to: &mut SqliteConnection, new: &NewDashboard) -> Result<(), Undone> {
    let row = sqlx::query(
        "INSERT INTO dashboards
         (id, epoch, revision, title, widgets, changed_at, changed_by, folded, outline, tags)
         VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING n",
    )
    .bind(new.id.as_str())
    .bind(new.epoch.as_str())
    .bind(new.listing.title.as_str())
    .bind(signed(new.listing.widgets as u64))
    .bind(signed(new.listing.changed_at))
    .bind(bin::json(new.listing.changed_by.as_ref())?)
    .bind(fold(&new.listing.title))
    .bind(new.listing.outline.as_deref())
    .bind(bin::tags(&new.listing)?)
    .fetch_optional(&mut *to)
    .await?;
    let Some(row) = row else { return Err(Undone::Nothing(StoreError::Exists)) };
    sqlx::query("INSERT INTO snapshots (dashboard, revision, state) VALUES ($1, 0, $2)")
        .bind(row.try_get::<i64, _>(0)?)
        .bind(&*new.state)
        .execute(to)
        .await?;
    Ok(())
}

async fn append(
    to: &mut SqliteConnection,
    id: &DashboardId,
    commits: &[Appended],
    listing: &Listing,
) -> Result<(), Undone> {
    let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return Ok(()) };
    // The log's end moves only from where the room believes it: of two that judged at once, one loses (S1).
    let row = sqlx::query(
        "UPDATE dashboards SET revision = $1, title = $2, widgets = $3, changed_at = $4, changed_by = $5,
         outline = coalesce($6, outline), tags = $7
         WHERE id = $8 AND revision = $9 AND deleted_at IS NULL RETURNING n",
    )
    .bind(signed(last.revision))
    .bind(listing.title.as_str())
    .bind(signed(listing.widgets as u64))
    .bind(signed(listing.changed_at))
    .bind(bin::json(listing.changed_by.as_ref())?)
    .bind(listing.outline.as_deref())
    .bind(bin::tags(listing)?)
    .bind(id.as_str())
    .bind(signed(first.revision) - 1)
    .fetch_optional(&mut *to)
    .await?;
    let Some(row) = row else {
        let query =
            sqlx::query("SELECT n FROM dashboards WHERE id = $1 AND deleted_at IS NULL").bind(id.as_str());
        let there = query.fetch_optional(to).await?.is_some();
        return Err(Undone::Nothing(if there { StoreError::Taken } else { StoreError::Gone }));
    };
    let dashboard: i64 = row.try_get(0)?;
    // Apart, so that the index by title is touched only by a title that changed.
    sqlx::query("UPDATE dashboards SET folded = $1 WHERE n = $2 AND folded IS NOT $1")
        .bind(fold(&listing.title))
        .bind(dashboard)
        .execute(&mut *to)
        .await?;
    let mut rest = commits;
    while !rest.is_empty() {
        let size = ROWS.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
        let (now, later) = rest.split_at(size);
        insert(to, dashboard, now).await?;
        rest = later;
    }
    Ok(())
}

async fn insert(to: &mut SqliteConnection, dashboard: i64, commits: &[Appended]) -> Result<(), Undone> {
    let mut query =
        QueryBuilder::<Sqlite>::new("INSERT INTO commits (dashboard, revision, client, seq, body) ");
    query.push_values(commits, |mut row, commit| {
        row.push_bind(dashboard)
            .push_bind(signed(commit.revision))
            .push_bind(commit.client.as_str())
            .push_bind(signed(commit.seq))
            .push_bind(&*commit.body);
    });
    query.build().execute(to).await?;
    Ok(())
}

async fn save_snapshot(
    to: &mut SqliteConnection,
    id: &DashboardId,
    revision: u64,
    state: &str,
    keep: Most,
) -> Result<(), Undone> {
    let row = sqlx::query("SELECT n FROM dashboards WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(&mut *to)
        .await?;
    let Some(row) = row else { return Err(Undone::Nothing(StoreError::Gone)) };
    let dashboard: i64 = row.try_get(0)?;
    let query = sqlx::query(
        "UPDATE snapshots SET revision = $1, state = $2 WHERE dashboard = $3 AND revision < $1
         AND $1 <= (SELECT revision FROM dashboards WHERE n = $3)",
    );
    query.bind(signed(revision)).bind(state).bind(dashboard).execute(&mut *to).await?;
    // The latest commit that does not fit in the bytes. Lengths stand in the rows' heads: no body is read.
    let too_far: Option<i64> = match i64::try_from(keep.bytes) {
        Ok(bytes) => {
            sqlx::query_scalar(
                "SELECT MAX(revision) FROM (
                     SELECT revision, SUM(octet_length(body)) OVER (ORDER BY revision DESC) AS bytes
                     FROM commits WHERE dashboard = $1
                     AND revision <= (SELECT revision FROM snapshots WHERE dashboard = $1)
                 ) WHERE bytes > $2",
            )
            .bind(dashboard)
            .bind(bytes)
            .fetch_one(&mut *to)
            .await?
        }
        // More than there can be.
        Err(_) => None,
    };
    sqlx::query(
        "DELETE FROM commits WHERE dashboard = $1
         AND revision <= MAX((SELECT revision FROM snapshots WHERE dashboard = $1) - $2, $3)",
    )
    .bind(dashboard)
    .bind(i64::try_from(keep.commits).unwrap_or(i64::MAX))
    .bind(too_far.unwrap_or(0))
    .execute(to)
    .await?;
    Ok(())
}
