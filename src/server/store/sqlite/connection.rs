//! Connection that writes, replaced as soon as it may be in doubt.
//!
//! After a transaction that failed nobody knows in which state its connection is: SQLite rolls back by
//! itself where the disk is full or fails, and sqlx then goes on to count a transaction that is not there.
//! After an fsync that failed not even the file is known: the system may take pages for written that are
//! not. So nothing of such a connection is used again.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{StoreError, failed};

/// How long the end of a connection is waited for: one that hangs in a disk does not hold up the next.
const CLOSING: Duration = Duration::from_secs(2);

/// A connection and how to open another like it.
pub(in crate::server) struct WriteConnection {
    options: SqliteConnectOptions,
    connection: SqliteConnection,
    in_doubt: bool,
}

impl WriteConnection {
    pub(in crate::server) async fn open(options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let connection = options.connect().await.map_err(failed)?;
        Ok(Self { options, connection, in_doubt: false })
    }

    /// The connection; a new one where the last is in doubt. Errors where none can be opened; the next
    /// call tries again.
    pub(in crate::server) async fn get(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        if self.in_doubt {
            // Before the old one closes: while one is open, SQLite knows where the log ends. With none
            // left it would read the log from the file, and take for stored what a failed fsync left there.
            let new = self.options.connect().await.map_err(failed)?;
            let old = std::mem::replace(&mut self.connection, new);
            self.in_doubt = false;
            // How it ends says nothing: it is let go of because it cannot be relied on.
            let _ = tokio::time::timeout(CLOSING, old.close()).await;
        }
        Ok(&mut self.connection)
    }

    /// Lets go of the connection before it is used again.
    pub(in crate::server) fn doubt(&mut self) {
        self.in_doubt = true;
    }

    /// Notes an outcome: a failure is a doubt.
    pub(in crate::server) fn outcome<T>(&mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if outcome.is_err() {
            self.doubt();
        }
        outcome
    }

    pub(in crate::server) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "a database file was not closed well; it mends itself at the next start");
        }
    }
}
