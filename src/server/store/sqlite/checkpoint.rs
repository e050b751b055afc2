//! Brings the write-ahead log back into the database's file, beside the writer: a commit that did it by
//! itself would keep everybody waiting for several more fsyncs.
//!
//! A checkpoint begins only where something was committed since the one before it ended. SQLite before
//! 3.51.3 has a race between a checkpoint that finds nothing to do and a writer that begins the log at
//! its front: commits are lost by it. While there is something to bring back, the writer cannot begin
//! at the front.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::Row as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::super::StoreError;
use super::connection::{WriteConnection, empty_log};
use super::{failed, log_of};

/// Bytes written between two checkpoints, about: what a reader has to look through, and a restart to
/// bring back.
const EVERY_BYTES: usize = 4 * 1024 * 1024;
/// What a transaction writes beside its rows, about: the pages that it touches, whole.
const TRANSACTION_BYTES: usize = 16 * 1024;
/// Pages of the log over which the writer has to wait until it can begin at the front again. Only
/// reached when it never pauses: 64 MiB.
const MAX_PAGES: i64 = 16 * 1024;
/// Bytes of the log's file that stay when nobody writes: some times what one that pauses now and then needs.
pub(in crate::server) const REST_BYTES: u64 = 16 * 1024 * 1024;
/// How long nothing was written before the file is cut.
pub(in crate::server) const REST_AFTER: Duration = Duration::from_secs(2);
/// The same after somebody who reads was in the way, such as a backup.
const REST_AGAIN: Duration = Duration::from_secs(60);

/// What the task is asked for.
enum Due {
    /// Bring back what can be, beside the writer.
    Checkpoint,
    /// Bring back all, and cut the file. Whoever asks writes nothing until the answer, which is true where
    /// it was done.
    Cut(oneshot::Sender<bool>),
}

/// Counts what is written, and asks for a checkpoint when it is time.
pub(super) struct Written {
    bytes: usize,
    due: mpsc::Sender<Due>,
    /// From the asking until the checkpoint has ended.
    busy: Arc<AtomicBool>,
    /// When nothing is written any more, how long until the file is looked at; `None` where it was since.
    rest: Option<Duration>,
    log: PathBuf,
}

impl Written {
    /// True while no checkpoint is under way or asked for. Look before a transaction begins.
    pub(super) fn is_idle(&self) -> bool {
        !self.busy.load(Ordering::Acquire)
    }

    /// Counts a transaction that wrote so many bytes of rows; `idle` is what [`Written::is_idle`] said
    /// before it began.
    pub(super) fn transaction(&mut self, bytes: usize, idle: bool) {
        self.bytes += bytes + TRANSACTION_BYTES;
        self.rest = Some(REST_AFTER);
        if idle && self.bytes >= EVERY_BYTES {
            self.busy.store(true, Ordering::Release);
            // There is a place: none is asked for. A task that has ended will not be asked again.
            if self.due.try_send(Due::Checkpoint).is_ok() {
                self.bytes = 0;
            }
        }
    }

    /// How long to wait for something to write before [`Written::rest`]; `None` for ever.
    pub(super) fn rest_after(&self) -> Option<Duration> {
        self.rest
    }

    /// Nothing was written for a while: a log far larger than it has to be is cut. The writer waits here,
    /// so that it does not begin the log at its front meanwhile.
    pub(super) async fn rest(&mut self) {
        if !self.is_idle() {
            return;
        }
        self.rest = None;
        if std::fs::metadata(&self.log).is_ok_and(|log| log.len() > REST_BYTES) {
            let (done, is_done) = oneshot::channel();
            if self.due.send(Due::Cut(done)).await.is_ok() && !is_done.await.unwrap_or(true) {
                self.rest = Some(REST_AGAIN);
            }
        }
    }
}

/// Starts the task. It ends, and closes its connection, once the [`Written`] is dropped.
pub(super) fn start(file: &Path, connection: WriteConnection) -> (Written, JoinHandle<()>) {
    let (due, asked) = mpsc::channel(1);
    let busy = Arc::new(AtomicBool::new(false));
    let written = Written { bytes: 0, due, busy: busy.clone(), rest: Some(REST_AFTER), log: log_of(file) };
    (written, tokio::spawn(run(connection, asked, busy)))
}

async fn run(mut connection: WriteConnection, mut asked: mpsc::Receiver<Due>, busy: Arc<AtomicBool>) {
    while let Some(due) = asked.recv().await {
        match due {
            Due::Checkpoint => {
                let outcome = checkpoint(&mut connection).await;
                if let Err(error) = connection.outcome(outcome) {
                    tracing::warn!(%error, "the write-ahead log was not brought back; it is tried again");
                }
                busy.store(false, Ordering::Release);
            }
            Due::Cut(done) => {
                let outcome = cut(&mut connection).await;
                let is_cut = connection.outcome(outcome).unwrap_or_else(|error| {
                    tracing::warn!(%error, "the write-ahead log was not cut; it is tried again");
                    false
                });
                // Whoever writes may have ended.
                let _ = done.send(is_cut);
            }
        }
    }
    connection.close().await;
}

async fn checkpoint(connection: &mut WriteConnection) -> Result<(), StoreError> {
    let connection = connection.get().await?;
    let row = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&mut *connection).await;
    let pages: i64 = row.and_then(|row| row.try_get(1)).map_err(failed)?;
    if pages > MAX_PAGES {
        sqlx::query("PRAGMA wal_checkpoint(RESTART)").fetch_one(connection).await.map_err(failed)?;
    }
    Ok(())
}

/// False where somebody who reads was in the way.
async fn cut(connection: &mut WriteConnection) -> Result<bool, StoreError> {
    empty_log(connection.get().await?).await
}
