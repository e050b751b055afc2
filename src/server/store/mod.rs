//! Trait of the store of dashboards, which every backend fulfils to the same contract
//! (`tests/store_contract.rs`).

pub mod accounts;
pub mod last_write;
pub mod memory;
pub mod sqlite;

mod listing;

use std::sync::Arc;

use async_trait::async_trait;

use self::last_write::Failing;
use crate::dashboard::{ClientId, DashboardId, UserId};

pub use self::listing::{
    BinPage, Binned, Cursor, Deletion, ListPage, ListQuery, Listed, Listing, MAX_ALL_FAVOURITES,
    MAX_COUNTED_TAGS, MAX_FAVOURITES, Order, Reader,
};

/// Commits kept behind the newest snapshot, for clients that resume (S7), where their bytes allow it.
/// Older ones go.
pub const KEEP_COMMITS: u64 = 5_000;

/// Why the store did not do it. After an error nothing of the call is stored, but for `Unknown`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// `(dashboard, revision)` is in the log already: somebody else was first (S1).
    #[error("the log has this revision already")]
    Taken,
    /// The dashboard is not there, or not any more, or in the bin.
    #[error("there is no such dashboard")]
    Gone,
    /// A dashboard with this id is there already.
    #[error("there is a dashboard with this id already")]
    Exists,
    /// There are as many of these as there may be.
    #[error("there is no room for more of these")]
    TooMany,
    #[error("the disk is full: {0}")]
    Full(String),
    #[error("the store failed: {0}")]
    Io(String),
    /// It failed at the last step: the call may be stored or not, all of it or nothing.
    #[error("the store failed while it was saving, and whether it did is not known: {0}")]
    Unknown(String),
    /// Pages or rows do not read. Others do.
    #[error("what is stored is damaged: {0}")]
    Damaged(String),
    /// The file was written by a later version of this program.
    #[error("{0}")]
    Newer(String),
    /// The store was closed; the server is stopping.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// True where the disk failed, or has no room: nothing else can be written then either.
    pub fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Io(_) | Self::Unknown(_))
    }
}

/// How the files of a store are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `None` where the last write succeeded.
    pub failing: Option<Failing>,
    /// What the check after the start found, in words; empty where all is well.
    pub damage: Vec<String>,
    /// False until that check has ended.
    pub is_checked: bool,
}

/// A dashboard that begins.
#[derive(Clone, Debug)]
pub struct NewDashboard {
    pub id: DashboardId,
    /// The identity of its log.
    pub epoch: String,
    /// The room's state at revision 0, as JSON.
    pub state: Arc<str>,
    pub listing: Listing,
}

/// A dashboard as it comes out of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub epoch: String,
    /// The room's state at `revision`, as JSON.
    pub state: String,
    pub revision: u64,
    /// Every commit after `revision`, in order.
    pub commits: Vec<Stored>,
}

/// A commit of the log, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub revision: u64,
    /// The commit as JSON, as it goes over the wire.
    pub body: Arc<str>,
}

/// A commit on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub revision: u64,
    pub client: ClientId,
    pub seq: u64,
    /// The commit as JSON, as it goes over the wire.
    pub body: Arc<str>,
}

/// How much of a log is read at once, or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    pub commits: usize,
    /// Of their bodies together.
    pub bytes: usize,
}

impl Most {
    /// Bounded by a number alone.
    pub fn commits(commits: usize) -> Self {
        Self { commits, bytes: usize::MAX }
    }
}

/// The log, the snapshots and the secrets of one deployment.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Begins a dashboard at revision 0. Errors with `Exists` where the id is taken.
    async fn create(&self, new: NewDashboard) -> Result<(), StoreError>;

    /// All dashboards without their outlines, the one that changed last first.
    async fn list(&self) -> Result<Vec<Listed>, StoreError>;

    /// A part of the list, read as of one moment.
    async fn page(&self, query: &ListQuery) -> Result<ListPage, StoreError>;

    /// How many dashboards there are, without those in the bin.
    async fn count(&self) -> Result<usize, StoreError>;

    /// Moves a dashboard with its log into the bin; false where there was none, or it is in there already.
    /// From then on it is neither listed nor opened. Errors with `TooMany` where so many are in the bin.
    async fn delete(&self, id: &DashboardId, deletion: &Deletion, most: usize) -> Result<bool, StoreError>;

    /// Brings a dashboard back out of the bin as it was; false where it is not in there. Errors with
    /// `TooMany` where there are so many outside of it.
    async fn restore(&self, id: &DashboardId, most: usize) -> Result<bool, StoreError>;

    /// Removes a dashboard that came into the bin before a time (Unix milliseconds) for good, with its log;
    /// false where that is not in the bin.
    async fn purge(&self, id: &DashboardId, before: u64) -> Result<bool, StoreError>;

    /// A part of the bin after a [`Cursor::Deleted`].
    async fn bin(&self, reader: &Reader, after: Option<&Cursor>, limit: usize)
    -> Result<BinPage, StoreError>;

    /// A dashboard in the bin; `None` where it is not in there.
    async fn binned(&self, id: &DashboardId) -> Result<Option<Binned>, StoreError>;

    /// Some of those that came into the bin before a time (Unix milliseconds), those that did first first.
    async fn expired(&self, before: u64, limit: usize) -> Result<Vec<DashboardId>, StoreError>;

    /// Marks a dashboard as a favourite of somebody, or not any more. Errors with `Gone` where one is to be
    /// marked that is not listed, and with `TooMany` where they have [`MAX_FAVOURITES`].
    async fn set_favourite(&self, user: &UserId, id: &DashboardId, favourite: bool)
    -> Result<(), StoreError>;

    /// Some of those whose outline is not known, in the order of their ids, after one of them.
    async fn without_outline(
        &self,
        after: Option<&DashboardId>,
        limit: usize,
    ) -> Result<Vec<DashboardId>, StoreError>;

    /// Keeps an outline, as JSON, where none is known.
    async fn set_outline(&self, id: &DashboardId, outline: Arc<str>) -> Result<(), StoreError>;

    /// The newest snapshot and the commits after it, read as of one moment; `None` also where the dashboard
    /// is in the bin. What failed to be appended and is not in them is never found later (S2): errors while
    /// that is not sure.
    async fn open(&self, id: &DashboardId) -> Result<Option<Opened>, StoreError>;

    /// The commits after a revision, in order, as many as fit in `most`. The first one's revision tells
    /// whether the log still reaches back that far.
    async fn tail(&self, id: &DashboardId, after: u64, most: Most) -> Result<Vec<Stored>, StoreError>;

    /// Appends commits of consecutive revisions, all or none, durably: when it returns they survive
    /// the machine (S3). `listing` is what the list shows from then on.
    ///
    /// Errors with `Taken` where the first one does not follow the log's end (S1) or a
    /// `(client, seq)` is in it (S2), with `Gone` where the dashboard is not there or in the bin.
    async fn append(
        &self,
        id: &DashboardId,
        commits: Vec<Appended>,
        listing: Listing,
    ) -> Result<(), StoreError>;

    /// The commit of a client's change, to answer a change that comes again (S2). `None` also where
    /// the log does not reach back that far any more.
    async fn find(
        &self,
        id: &DashboardId,
        client: &ClientId,
        seq: u64,
    ) -> Result<Option<Arc<str>>, StoreError>;

    /// Keeps the room's state at a revision that is in the log, and forgets what the newest snapshot has
    /// in it, but for the latest commits as far as they fit in `keep`. An older snapshot than the one
    /// kept is not taken in its place.
    async fn save_snapshot(
        &self,
        id: &DashboardId,
        revision: u64,
        state: Arc<str>,
        keep: Most,
    ) -> Result<(), StoreError>;

    /// Gives a log another identity, because what was known of it does not hold any more. Errors with
    /// `Gone` where there is none.
    async fn renew(&self, id: &DashboardId, epoch: &str) -> Result<(), StoreError>;

    /// Random bytes by name, made once and the same ever after. For signing.
    async fn secret(&self, name: &str) -> Result<[u8; 32], StoreError>;

    /// Answers where the store can read and write: with the outcome of the last real write, or of a small
    /// one made for it where the last says nothing about now.
    async fn ping(&self) -> Result<(), StoreError>;

    /// How its files are, as far as is known.
    fn condition(&self) -> Condition {
        Condition { is_checked: true, ..Condition::default() }
    }

    /// Writes that wait now.
    fn queue(&self) -> usize;

    /// Finishes what was begun and lets go of its files. Later calls error with `Closed`.
    async fn close(&self);
}
