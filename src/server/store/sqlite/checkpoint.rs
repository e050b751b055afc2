//! Brings the write-ahead log back into the database's file, beside the writer: a commit that did it by
//! itself would keep everybody waiting for several more fsyncs.
//!
//! A checkpoint begins only where something was committed since the one before it ended. SQLite before
//! 3.51.3 has a race between a checkpoint that finds nothing to do and a writer that begins the log at
//! its front: commits are lost by it. While there is something to bring back, the writer cannot begin
//! at the front.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::StoreError;
use super::failed;

/// Bytes written between two checkpoints, about: what a reader has to look through, and a restart to
/// bring back.
const EVERY_BYTES: usize = 4 * 1024 * 1024;
/// What a transaction writes beside its rows, about: the pages that it touches, whole.
const TRANSACTION_BYTES: usize = 16 * 1024;
/// Pages of the log over which the writer has to wait until it can begin at the front again. Only
/// reached when it never pauses: 64 MiB.
const MOST_PAGES: i64 = 16 * 1024;

/// Counts what is written, and asks for a checkpoint when it is time.
pub(super) struct Written {
    bytes: usize,
    due: mpsc::Sender<()>,
    /// From the asking until the checkpoint has ended.
    busy: Arc<AtomicBool>,
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
        if idle && self.bytes >= EVERY_BYTES {
            self.busy.store(true, Ordering::Release);
            // There is a place: none is asked for. A task that has ended will not be asked again.
            if self.due.try_send(()).is_ok() {
                self.bytes = 0;
            }
        }
    }
}

/// Starts the task. It ends, and closes its connection, once the [`Written`] is dropped.
pub(super) fn start(connection: SqliteConnection) -> (Written, JoinHandle<()>) {
    let (due, asked) = mpsc::channel(1);
    let busy = Arc::new(AtomicBool::new(false));
    // What a server left behind that was killed is brought back with the first transaction.
    let written = Written { bytes: EVERY_BYTES, due, busy: busy.clone() };
    (written, tokio::spawn(run(connection, asked, busy)))
}

async fn run(mut connection: SqliteConnection, mut asked: mpsc::Receiver<()>, busy: Arc<AtomicBool>) {
    while asked.recv().await.is_some() {
        if let Err(error) = checkpoint(&mut connection).await {
            tracing::warn!(%error, "the write-ahead log was not brought back; it is tried again");
        }
        busy.store(false, Ordering::Release);
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the store's file was not closed well; it mends itself at the next start");
    }
}

async fn checkpoint(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let row = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&mut *connection).await;
    let pages: i64 = row.and_then(|row| row.try_get(1)).map_err(failed)?;
    if pages > MOST_PAGES {
        sqlx::query("PRAGMA wal_checkpoint(RESTART)").fetch_one(connection).await.map_err(failed)?;
    }
    Ok(())
}
