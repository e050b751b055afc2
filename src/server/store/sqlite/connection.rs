//! Connection that writes, replaced as soon as it may be in doubt.
//!
//! After a transaction that failed nobody knows in which state its connection is: SQLite rolls back by
//! itself where the disk is full or fails, and sqlx then goes on to count a transaction that is not there.
//! After an fsync that failed not even the file is known: the system may take pages for written that are
//! not. So nothing of such a connection is used again.
//!
//! The same holds for what an earlier process left in the write-ahead log: until that is in the database
//! itself, nothing is written behind it.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::{StoreError, failed};

/// How long the end of a connection is waited for: one that hangs in a disk does not hold up the next.
const CLOSING: Duration = Duration::from_secs(2);

/// State of what an earlier process left in the write-ahead log.
///
/// What a failed fsync left there is in the system's memory and maybe nowhere else. A commit written behind it
/// would be lost with it at the next power cut, however well it was synced itself.
#[derive(Clone, Debug)]
pub(in crate::server) enum LeftLog {
    /// It is in the database, and the log begins anew.
    BroughtBack,
    /// It could not be brought back, with the reason. It can be read.
    InDoubt(StoreError),
}

impl LeftLog {
    /// Brings the log of a file back into it and empties it, before anybody else has it open.
    pub(in crate::server) async fn bring_back(connection: &mut SqliteConnection, file: &Path) -> Self {
        match empty_log(connection).await {
            Ok(true) => Self::BroughtBack,
            Ok(false) => {
                // With the file open there, that process knows where the log ends.
                tracing::warn!(file = %file.display(), "another process reads this file");
                Self::BroughtBack
            }
            // A full disk is no reason not to start: everything can be read.
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "the write-ahead log was not brought back");
                Self::InDoubt(error)
            }
        }
    }

    /// Errors while nothing may be written.
    pub(in crate::server) fn check_writable(&self) -> Result<(), StoreError> {
        match self {
            Self::BroughtBack => Ok(()),
            Self::InDoubt(error) => Err(error.clone()),
        }
    }
}

/// Writes the log into the database and empties it. False where a reader is in the way.
pub(in crate::server) async fn empty_log(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await;
    let busy: i64 = row.and_then(|row| row.try_get(0)).map_err(failed)?;
    Ok(busy == 0)
}

/// A connection and how to open another like it.
pub(in crate::server) struct WriteConnection {
    options: SqliteConnectOptions,
    connection: SqliteConnection,
    log: LeftLog,
    in_doubt: bool,
}

impl WriteConnection {
    pub(in crate::server) async fn open(
        options: SqliteConnectOptions,
        log: LeftLog,
    ) -> Result<Self, StoreError> {
        let connection = options.connect().await.map_err(failed)?;
        Ok(Self { options, connection, log, in_doubt: false })
    }

    /// The connection, to write; a new one where the last is in doubt. Errors where none can be opened, or
    /// where the log that was left cannot be brought back; the next call tries again.
    pub(in crate::server) async fn get(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.renew().await?;
        if let LeftLog::InDoubt(_) = self.log {
            match empty_log(&mut self.connection).await {
                Ok(true) => self.log = LeftLog::BroughtBack,
                Ok(false) => return Err(StoreError::Io("the write-ahead log is being read".to_owned())),
                Err(error) => {
                    self.doubt();
                    return Err(error);
                }
            }
        }
        Ok(&mut self.connection)
    }

    /// The connection, to read only.
    pub(in crate::server) async fn read(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.renew().await?;
        Ok(&mut self.connection)
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        if self.in_doubt {
            // Before the old one closes: while one is open, SQLite knows where the log ends. With none
            // left it would read the log from the file, and take for stored what a failed fsync left there.
            let new = self.options.connect().await.map_err(failed)?;
            let old = std::mem::replace(&mut self.connection, new);
            self.in_doubt = false;
            // How it ends says nothing: it is let go of because it cannot be relied on.
            let _ = tokio::time::timeout(CLOSING, old.close()).await;
        }
        Ok(())
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
