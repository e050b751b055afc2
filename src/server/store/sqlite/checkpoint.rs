//! Brings the write-ahead log back into the database's file, beside the writer: a commit that did it by
//! itself would keep everybody waiting for several more fsyncs.

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
}

impl Written {
    /// Counts a transaction with so many bytes of rows.
    pub(super) fn transaction(&mut self, bytes: usize) {
        self.bytes += bytes + TRANSACTION_BYTES;
        // Where one is asked for already, the next transaction asks again.
        if self.bytes >= EVERY_BYTES && self.due.try_send(()).is_ok() {
            self.bytes = 0;
        }
    }
}

/// Starts the task. It ends, and closes its connection, once the [`Written`] is dropped.
pub(super) fn start(connection: SqliteConnection) -> (Written, JoinHandle<()>) {
    let (due, asked) = mpsc::channel(1);
    (Written { bytes: 0, due }, tokio::spawn(run(connection, asked)))
}

async fn run(mut connection: SqliteConnection, mut asked: mpsc::Receiver<()>) {
    while asked.recv().await.is_some() {
        if let Err(error) = checkpoint(&mut connection).await {
            tracing::warn!(%error, "the write-ahead log was not brought back; it is tried again");
        }
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
