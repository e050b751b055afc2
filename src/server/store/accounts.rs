//! Trait of the store of accounts and sessions, which every backend fulfils to the same contract
//! (`tests/accounts_contract`).

use async_trait::async_trait;

use super::StoreError;
use crate::app::audit::{AuditEntry, AuditFilter};
use crate::dashboard::{DashboardId, UserId};
use crate::server::access::directory::{Change, Directory};
use crate::server::access::screens::ScreenUse;
use crate::server::access::second_factor::SecondFactor;
use crate::server::access::sessions::{Session, SessionHash};
use crate::server::access::visits::{Visit, VisitHash};

/// Entries of the audit log. Of more the oldest of daily use go, and where there are none of these, the oldest.
pub const MAX_AUDIT: usize = 1_000_000;
/// Those among them of what failed, as a sign-in: whoever has no account pushes nothing else out of the log.
pub const MAX_AUDIT_FAILURES: usize = 100_000;
/// Entries that are removed at once for their age.
pub const MAX_FORGOTTEN: usize = 1_000;

/// What is read of the audit log.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    pub filter: AuditFilter,
    pub order: AuditOrder,
    /// Only those behind this one in that order.
    pub after: Option<u64>,
    pub limit: usize,
}

/// Which entries are read first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditOrder {
    #[default]
    Newest,
    Oldest,
}

/// The directory, the sessions and the audit log of one deployment.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// The directory as it is stored.
    async fn directory(&self) -> Result<Directory, StoreError>;

    /// Makes changes in their order, all or none, durably. They were checked against the directory; errors with `Taken`
    /// where they do not fit what is stored, and with `Gone` where a dashboard is not there.
    async fn change_directory(&self, changes: Vec<Change>) -> Result<(), StoreError>;

    /// The dashboards that no team owns and on which nobody has a role, also those in the bin.
    async fn orphans(&self) -> Result<Vec<DashboardId>, StoreError>;

    /// All sessions, whether they are over or not.
    async fn sessions(&self) -> Result<Vec<Session>, StoreError>;

    /// Keeps a session, and removes others in the same step.
    async fn put_session(&self, session: Session, removed: Vec<SessionHash>) -> Result<(), StoreError>;

    /// Notes when sessions were used last. Those that are not there stay away.
    async fn note_uses(&self, used: Vec<(SessionHash, u64)>) -> Result<(), StoreError>;

    /// Removes sessions. Those that are not there are as good as removed.
    async fn remove_sessions(&self, hashes: Vec<SessionHash>) -> Result<(), StoreError>;

    /// Adds entries to the audit log, all or none, durably, and numbers them. A dashboard without a name gets the title that
    /// it has now.
    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError>;

    /// A part of the audit log.
    async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError>;

    /// Removes entries from before a time (Unix milliseconds), at most [`MAX_FORGOTTEN`] of them. How many it were.
    async fn forget_audit(&self, before: u64) -> Result<usize, StoreError>;

    /// All visits by share links, whether they are over or not.
    async fn visits(&self) -> Result<Vec<Visit>, StoreError>;

    /// Keeps a visit, or another state of one, and removes others in the same step. Errors with `Gone` where its link is
    /// not there.
    async fn put_visit(&self, visit: Visit, removed: Vec<VisitHash>) -> Result<(), StoreError>;

    /// Notes when visits were used last. Those that are not there stay away.
    async fn note_visits(&self, used: Vec<(VisitHash, u64)>) -> Result<(), StoreError>;

    /// Removes visits. Those that are not there are as good as removed.
    async fn remove_visits(&self, hashes: Vec<VisitHash>) -> Result<(), StoreError>;

    /// Notes when and where screens were used last. Those that are not there stay away.
    async fn note_screens(&self, used: Vec<ScreenUse>) -> Result<(), StoreError>;

    /// All second factors, by account.
    async fn second_factors(&self) -> Result<Vec<SecondFactor>, StoreError>;

    /// Keeps the second factor of an account, in place of any other. Errors with `Gone` where there is no such account.
    async fn put_second_factor(&self, factor: SecondFactor) -> Result<(), StoreError>;

    /// Removes the second factor of an account. One that is not there is as good as removed.
    async fn remove_second_factor(&self, account: &UserId) -> Result<(), StoreError>;
}
