//! Trait of the store of accounts and sessions, which every backend fulfils to the same contract
//! (`tests/accounts_contract.rs`).

use async_trait::async_trait;

use super::StoreError;
use crate::server::access::directory::{Change, Directory};
use crate::server::access::sessions::{Session, SessionHash};

/// The directory and the sessions of one deployment.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// The directory as it is stored.
    async fn directory(&self) -> Result<Directory, StoreError>;

    /// Makes changes in their order, all or none, durably. They were checked against the directory; errors with `Taken`
    /// where they do not fit what is stored, and with `Gone` where a dashboard is not there.
    async fn change_directory(&self, changes: Vec<Change>) -> Result<(), StoreError>;

    /// All sessions, whether they are over or not.
    async fn sessions(&self) -> Result<Vec<Session>, StoreError>;

    /// Keeps a session, and removes others in the same step.
    async fn put_session(&self, session: Session, removed: Vec<SessionHash>) -> Result<(), StoreError>;

    /// Notes when sessions were used last. Those that are not there stay away.
    async fn note_uses(&self, used: Vec<(SessionHash, u64)>) -> Result<(), StoreError>;

    /// Removes sessions. Those that are not there are as good as removed.
    async fn remove_sessions(&self, hashes: Vec<SessionHash>) -> Result<(), StoreError>;
}
