//! A store in one SQLite file: a pool of readers, and one task that writes for all rooms.

pub(in crate::server) mod check;
pub(in crate::server) mod checkpoint;
pub(in crate::server) mod connection;
pub(in crate::server) mod writer;

mod accounts;
mod audit;
mod bin;
mod identities;
mod links;
mod list;
mod screens;
mod second_factors;
mod tokens;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, Sqlite};

use self::accounts::SessionWrite;
use self::audit::AuditWrite;
use self::check::Check;
use self::connection::{LeftLog, WriteConnection};
use self::links::VisitWrite;
use self::second_factors::SecondFactorWrite;
use self::writer::{Write, Writer};
use super::accounts::{Accounts, AuditQuery};
use super::{
    Appended, BinPage, Binned, Condition, Cursor, Deletion, ListPage, ListQuery, Listed, Listing, Most,
    NewDashboard, Opened, Reader, Store, StoreError, Stored,
};
use crate::app::audit::AuditEntry;
use crate::dashboard::{ClientId, DashboardId, UserId};
use crate::server::access::directory::{Change, Directory};
use crate::server::access::screens::ScreenUse;
use crate::server::access::second_factor::SecondFactor;
use crate::server::access::sessions::{Session, SessionHash};
use crate::server::access::visits::{Visit, VisitHash};

/// Readers: opening rooms and reading tails, beside the one who writes.
const READERS: u32 = 4;
/// How long to wait for another process that holds the file, such as a backup.
const BUSY: Duration = Duration::from_secs(5);
/// The same for a checkpoint, which keeps the writer waiting meanwhile and is tried again.
const CHECKPOINT_BUSY: Duration = Duration::from_millis(100);
/// Statements kept prepared: all that this store has, with room.
const STATEMENTS: usize = 64;

/// Dashboards in one file.
pub struct SqliteStore {
    readers: SqlitePool,
    writer: Writer,
    check: Check,
}

impl SqliteStore {
    /// Opens the file, makes it where it is not there, and brings its tables up to date.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An ack means durable (S3): every commit waits for its fsync.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            // Checkpoints have a task of their own.
            .pragma("wal_autocheckpoint", "0")
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        let mut first: SqliteConnection = options.connect().await.map_err(failed)?;
        let log = LeftLog::bring_back(&mut first, file).await;
        migrate(&mut first, &log, &sqlx::migrate!("migrations/sqlite"), file).await?;
        list::fold_titles(&mut first, &log).await?;
        // From here on a file that is not there was taken away, and another in its place would hide that.
        let options = options.create_if_missing(false);
        let connection = WriteConnection::open(options.clone(), log).await?;
        // It writes nothing but what is in the log.
        let checkpoints = options.clone().busy_timeout(CHECKPOINT_BUSY);
        let checkpoints = WriteConnection::open(checkpoints, LeftLog::BroughtBack).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(failed)?;
        first.close().await.map_err(failed)?;
        let writer = Writer::start(file, connection, checkpoints);
        Ok(Self { check: Check::start(readers.clone()), readers, writer })
    }

    /// The time of the last change of all, Unix milliseconds.
    pub async fn last_change(&self) -> Result<Option<u64>, StoreError> {
        let last: Option<i64> = sqlx::query_scalar("SELECT MAX(changed_at) FROM dashboards")
            .fetch_one(&self.readers)
            .await
            .map_err(failed)?;
        Ok(last.and_then(|last| u64::try_from(last).ok()))
    }

    async fn kept_secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        sqlx::query_scalar("SELECT bytes FROM secrets WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn create(&self, new: NewDashboard) -> Result<(), StoreError> {
        self.writer.write(Write::Create(Box::new(new))).await.map(drop)
    }

    async fn list(&self) -> Result<Vec<Listed>, StoreError> {
        list::all(&self.readers).await
    }

    async fn page(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        list::page(&self.readers, query).await
    }

    async fn count(&self) -> Result<usize, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM dashboards WHERE deleted_at IS NULL")
            .fetch_one(&self.readers)
            .await
            .map_err(failed)?;
        usize::try_from(count).map_err(spoilt)
    }

    async fn delete(&self, id: &DashboardId, deletion: &Deletion, most: usize) -> Result<bool, StoreError> {
        let (id, deletion) = (id.clone(), deletion.clone());
        was_there(self.writer.write(Write::Delete { id, deletion, most }).await)
    }

    async fn restore(&self, id: &DashboardId, most: usize) -> Result<bool, StoreError> {
        was_there(self.writer.write(Write::Restore { id: id.clone(), most }).await)
    }

    async fn purge(&self, id: &DashboardId, before: u64) -> Result<bool, StoreError> {
        was_there(self.writer.write(Write::Purge { id: id.clone(), before }).await)
    }

    async fn bin(
        &self,
        reader: &Reader,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<BinPage, StoreError> {
        list::bin(&self.readers, reader, after, limit).await
    }

    async fn binned(&self, id: &DashboardId) -> Result<Option<Binned>, StoreError> {
        list::binned(&self.readers, id).await
    }

    async fn expired(&self, before: u64, limit: usize) -> Result<Vec<DashboardId>, StoreError> {
        list::expired(&self.readers, before, limit).await
    }

    async fn set_favourite(
        &self,
        user: &UserId,
        id: &DashboardId,
        favourite: bool,
    ) -> Result<(), StoreError> {
        let (user, id) = (user.clone(), id.clone());
        self.writer.write(Write::Favourite { user, id, favourite }).await
    }

    async fn without_outline(
        &self,
        after: Option<&DashboardId>,
        limit: usize,
    ) -> Result<Vec<DashboardId>, StoreError> {
        list::without_outline(&self.readers, after, limit).await
    }

    async fn set_outline(&self, id: &DashboardId, outline: Arc<str>) -> Result<(), StoreError> {
        self.writer.write(Write::Outline { id: id.clone(), outline }).await
    }

    async fn open(&self, id: &DashboardId) -> Result<Option<Opened>, StoreError> {
        // Who joins is told which numbers are free, and uses them again.
        self.writer.settle().await?;
        let mut reader = self.readers.acquire().await.map_err(failed)?;
        let opened = read_whole(&mut reader, id).await;
        give_back(reader, opened).await
    }

    async fn tail(&self, id: &DashboardId, after: u64, most: Most) -> Result<Vec<Stored>, StoreError> {
        let mut rows = sqlx::query(
            "SELECT c.revision, c.body FROM commits c
             WHERE c.dashboard = (SELECT n FROM dashboards WHERE id = $1) AND c.revision > $2
             ORDER BY c.revision LIMIT $3",
        )
        .bind(id.as_str())
        .bind(signed(after))
        .bind(i64::try_from(most.commits).unwrap_or(i64::MAX))
        .fetch(&self.readers);
        // Row by row, so that what is too much is not even read.
        let (mut tail, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let commit = stored(&row)?;
            bytes += commit.body.len();
            if bytes > most.bytes {
                break;
            }
            tail.push(commit);
        }
        Ok(tail)
    }

    async fn append(
        &self,
        id: &DashboardId,
        commits: Vec<Appended>,
        listing: Listing,
    ) -> Result<(), StoreError> {
        if commits.is_empty() {
            return Ok(());
        }
        self.writer.write(Write::Append { id: id.clone(), commits, listing }).await
    }

    async fn find(
        &self,
        id: &DashboardId,
        client: &ClientId,
        seq: u64,
    ) -> Result<Option<Arc<str>>, StoreError> {
        let row = sqlx::query(
            "SELECT body FROM commits
             WHERE dashboard = (SELECT n FROM dashboards WHERE id = $1) AND client = $2 AND seq = $3",
        )
        .bind(id.as_str())
        .bind(client.as_str())
        .bind(signed(seq))
        .fetch_optional(&self.readers)
        .await
        .map_err(failed)?;
        row.map(|row| row.try_get::<&str, _>("body").map(Arc::from).map_err(failed)).transpose()
    }

    async fn save_snapshot(
        &self,
        id: &DashboardId,
        revision: u64,
        state: Arc<str>,
        keep: Most,
    ) -> Result<(), StoreError> {
        self.writer.write(Write::Snapshot { id: id.clone(), revision, state, keep }).await
    }

    async fn renew(&self, id: &DashboardId, epoch: &str) -> Result<(), StoreError> {
        self.writer.write(Write::Renew { id: id.clone(), epoch: epoch.to_owned() }).await
    }

    async fn secret(&self, name: &str) -> Result<[u8; 32], StoreError> {
        // Read first: what opens a dashboard must not need room on the disk.
        let bytes = match self.kept_secret(name).await? {
            Some(bytes) => Some(bytes),
            None => {
                self.writer.write(Write::Secret { name: name.to_owned(), bytes: rand::random() }).await?;
                self.kept_secret(name).await?
            }
        };
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| StoreError::Damaged(format!("the secret {name:?} does not read")))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        match self.writer.last_write().known() {
            // A round trip: whoever writes may hang in a disk that answers nothing.
            Some(Ok(())) => self.writer.write(Write::Nothing).await?,
            Some(Err(error)) => return Err(error),
            None => self.writer.write(Write::Probe).await?,
        }
        let any = sqlx::query("SELECT n FROM dashboards LIMIT 1").fetch_optional(&self.readers).await;
        any.map(drop).map_err(failed)
    }

    fn condition(&self) -> Condition {
        let (damage, is_checked) = self.check.found();
        Condition { failing: self.writer.last_write().failing(), damage, is_checked }
    }

    fn queue(&self) -> usize {
        self.writer.queue()
    }

    async fn close(&self) {
        self.check.stop();
        // The last to close tidies the file up, which one that only reads could not.
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn directory(&self) -> Result<Directory, StoreError> {
        self.writer.settle().await?;
        accounts::directory(&self.readers).await
    }

    async fn change_directory(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.writer.write(Write::Directory(changes)).await
    }

    async fn orphans(&self) -> Result<Vec<DashboardId>, StoreError> {
        self.writer.settle().await?;
        accounts::orphans(&self.readers).await
    }

    async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        self.writer.settle().await?;
        accounts::sessions(&self.readers).await
    }

    async fn put_session(&self, session: Session, removed: Vec<SessionHash>) -> Result<(), StoreError> {
        self.writer.write(Write::Sessions(SessionWrite::Put { session, removed })).await
    }

    async fn note_uses(&self, used: Vec<(SessionHash, u64)>) -> Result<(), StoreError> {
        self.writer.write(Write::Sessions(SessionWrite::Uses(used))).await
    }

    async fn remove_sessions(&self, hashes: Vec<SessionHash>) -> Result<(), StoreError> {
        self.writer.write(Write::Sessions(SessionWrite::Remove(hashes))).await
    }

    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.writer.write(Write::Audit(AuditWrite::Append(entries))).await
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        audit::read(&self.readers, query).await
    }

    async fn forget_audit(&self, before: u64) -> Result<usize, StoreError> {
        let count = audit::count_before(&self.readers, before).await?;
        if count > 0 {
            self.writer.write(Write::Audit(AuditWrite::Forget(before))).await?;
        }
        Ok(count)
    }

    async fn visits(&self) -> Result<Vec<Visit>, StoreError> {
        self.writer.settle().await?;
        links::visits(&self.readers).await
    }

    async fn put_visit(&self, visit: Visit, removed: Vec<VisitHash>) -> Result<(), StoreError> {
        self.writer.write(Write::Visits(VisitWrite::Put { visit, removed })).await
    }

    async fn note_visits(&self, used: Vec<(VisitHash, u64)>) -> Result<(), StoreError> {
        self.writer.write(Write::Visits(VisitWrite::Uses(used))).await
    }

    async fn remove_visits(&self, hashes: Vec<VisitHash>) -> Result<(), StoreError> {
        self.writer.write(Write::Visits(VisitWrite::Remove(hashes))).await
    }

    async fn note_screens(&self, used: Vec<ScreenUse>) -> Result<(), StoreError> {
        self.writer.write(Write::Screens(used)).await
    }

    async fn second_factors(&self) -> Result<Vec<SecondFactor>, StoreError> {
        self.writer.settle().await?;
        second_factors::second_factors(&self.readers).await
    }

    async fn put_second_factor(&self, factor: SecondFactor) -> Result<(), StoreError> {
        self.writer.write(Write::SecondFactors(SecondFactorWrite::Put(factor))).await
    }

    async fn remove_second_factor(&self, account: &UserId) -> Result<(), StoreError> {
        self.writer.write(Write::SecondFactors(SecondFactorWrite::Remove(account.clone()))).await
    }
}

/// What a write says that found nothing to do.
fn was_there(written: Result<(), StoreError>) -> Result<bool, StoreError> {
    match written {
        Ok(()) => Ok(true),
        Err(StoreError::Gone) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Brings tables up to date. Errors with `Newer` where a later version of this program made them, and where
/// there is something to write and the log that was left does not allow it.
pub(in crate::server) async fn migrate(
    connection: &mut SqliteConnection,
    log: &LeftLog,
    migrations: &Migrator,
    file: &Path,
) -> Result<(), StoreError> {
    let name = file.file_name().map_or(Cow::Borrowed("the file"), |name| name.to_string_lossy());
    let done = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM _sqlx_migrations WHERE success");
    let done = done.fetch_one(&mut *connection).await.unwrap_or(0);
    if usize::try_from(done).unwrap_or(0) < migrations.iter().count() {
        log.check_writable()?;
    }
    migrations.run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => {
            let known = migrations.iter().map(|one| one.version).max().unwrap_or(0);
            StoreError::Newer(format!(
                "{name} was written by a later version of Lockstep: its tables have version {version}, and \
                 this program knows them up to {known}. Nothing was changed. Start the later version, or put \
                 back a backup that this one wrote"
            ))
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failed(error),
        error => StoreError::Io(format!("the tables of {name} could not be brought up to date: {error}")),
    })
}

/// The write-ahead log's file beside a database's.
pub(in crate::server) fn log_of(file: &Path) -> PathBuf {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Gives back a reader that had a transaction. After one that failed it is let go of: SQLite may have rolled
/// back by itself, and then the next to begin there could not.
async fn give_back<T>(
    reader: PoolConnection<Sqlite>,
    outcome: Result<T, StoreError>,
) -> Result<T, StoreError> {
    if outcome.is_err() {
        // How it ends says nothing: it is not used again.
        let _ = reader.close().await;
    }
    outcome
}

/// The newest snapshot and the commits after it.
async fn read_whole(reader: &mut SqliteConnection, id: &DashboardId) -> Result<Option<Opened>, StoreError> {
    // One transaction, so that snapshot and tail are of one moment.
    let mut moment = reader.begin().await.map_err(failed)?;
    let found = sqlx::query(
        "SELECT d.n, d.epoch, s.revision, s.state FROM dashboards d
         JOIN snapshots s ON s.dashboard = d.n WHERE d.id = $1 AND d.deleted_at IS NULL",
    )
    .bind(id.as_str())
    .fetch_optional(&mut *moment)
    .await
    .map_err(failed)?;
    let Some(row) = found else {
        moment.commit().await.map_err(failed)?;
        return Ok(None);
    };
    let revision = unsigned(&row, "revision")?;
    let rows = sqlx::query(
        "SELECT revision, body FROM commits WHERE dashboard = $1 AND revision > $2 ORDER BY revision",
    )
    .bind(row.try_get::<i64, _>("n").map_err(failed)?)
    .bind(signed(revision))
    .fetch_all(&mut *moment)
    .await
    .map_err(failed)?;
    moment.commit().await.map_err(failed)?;
    Ok(Some(Opened {
        epoch: row.try_get("epoch").map_err(failed)?,
        state: row.try_get("state").map_err(failed)?,
        revision,
        commits: rows.iter().map(stored).collect::<Result<_, _>>()?,
    }))
}

fn stored(row: &sqlx::sqlite::SqliteRow) -> Result<Stored, StoreError> {
    let body: &str = row.try_get("body").map_err(failed)?;
    Ok(Stored { revision: unsigned(row, "revision")?, body: body.into() })
}

fn unsigned(row: &sqlx::sqlite::SqliteRow, column: &str) -> Result<u64, StoreError> {
    let value: i64 = row.try_get(column).map_err(failed)?;
    u64::try_from(value).map_err(spoilt)
}

/// SQLite's integers are signed; what does not fit is larger than anything that is stored.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn spoilt(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("a row does not read: {error}"))
}

/// What an error of sqlx means here.
pub(in crate::server) fn failed(error: sqlx::Error) -> StoreError {
    const SQLITE_CORRUPT: i32 = 11;
    const SQLITE_FULL: i32 = 13;
    const SQLITE_NOTADB: i32 = 26;
    /// No room for the index of the write-ahead log.
    const SQLITE_IOERR_SHMSIZE: i32 = 10 | (19 << 8);
    let code = |code: Option<Cow<'_, str>>| code.and_then(|code| code.parse::<i32>().ok());
    match &error {
        sqlx::Error::PoolClosed => StoreError::Closed,
        sqlx::Error::Database(inner) => match code(inner.code()) {
            Some(SQLITE_IOERR_SHMSIZE) => StoreError::Full(inner.message().to_owned()),
            Some(code) if code & 0xff == SQLITE_FULL => StoreError::Full(inner.message().to_owned()),
            Some(code) if [SQLITE_CORRUPT, SQLITE_NOTADB].contains(&(code & 0xff)) => {
                StoreError::Damaged(inner.message().to_owned())
            }
            _ => StoreError::Io(error.to_string()),
        },
        // A text that is none, a number that is none.
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Damaged(error.to_string()),
        _ => StoreError::Io(error.to_string()),
    }
}
