//! Inputs of a room: a closed list, taken in order from one bounded inbox.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::oneshot;

use super::outbound::Outbound;
use crate::dashboard::export::{Imported, Remark};
use crate::dashboard::{Dashboard, OpError, SessionId, User};
use crate::server::access::who::Principal;
use crate::server::store::{Deletion, StoreError};
use crate::server::unsent::{Busy, Share};
use crate::sync::protocol::{Change, Code, MAX_OPS, Presence, Resume};
use crate::sync::room::Author;

/// A session as its rooms know it.
#[derive(Clone, Debug)]
pub struct Member {
    pub session: SessionId,
    pub author: Author,
    /// Whose role counts. The one in `author` is what it was when the room looked last, and so is `owner`.
    pub principal: Principal,
    /// True for an owner of the dashboard.
    pub owner: bool,
    /// Where it comes from, as far as its seats are counted by that.
    pub address: Option<IpAddr>,
    pub outbound: Arc<Outbound>,
    pub seat: Seat,
    /// False for a client that takes a compaction of a note for an edit like any other.
    pub follows_compactions: bool,
}

impl Member {
    /// True for a television: nobody sits at it, and it takes no place of a person.
    pub fn is_screen(&self) -> bool {
        matches!(self.principal, Principal::Screen(_))
    }
}

/// A place in a room, from the asking on. The room gives it up with its member, or at once where it
/// takes nobody in; whoever asked holds a [`Weak`](std::sync::Weak) and sees that.
pub type Seat = Arc<()>;

/// A join that is not answered yet. It is gone once the answer is sent, or there will be none; whoever
/// asked holds a [`Weak`](std::sync::Weak) and sees that.
pub type Unanswered = Arc<()>;

/// One input of a room.
#[derive(Debug)]
pub enum Input {
    Join {
        member: Member,
        resume: Option<Resume>,
        unanswered: Unanswered,
    },
    Leave(SessionId),
    Push {
        session: SessionId,
        /// To answer one who is no member.
        outbound: Arc<Outbound>,
        changes: Vec<Pushed>,
    },
    /// `None` withdraws it.
    Presence {
        session: SessionId,
        /// The same.
        outbound: Arc<Outbound>,
        presence: Option<Box<Presence>>,
    },
    /// A sign of life.
    Touch(SessionId),
    Read(oneshot::Sender<Read>),
    Encode(oneshot::Sender<Result<EncodedRead, Busy>>),
    /// Brings the dashboard of a document into this one.
    Merge {
        document: Arc<Imported>,
        by: User,
        answer: oneshot::Sender<Result<Merged, NotMerged>>,
    },
    /// Moves the dashboard into the bin and ends the room; false where the store had none.
    Delete {
        deletion: Deletion,
        /// Dashboards that the bin holds.
        most: usize,
        answer: oneshot::Sender<Result<bool, StoreError>>,
    },
    /// Ends the room, everything saved.
    Drain {
        retry_after_ms: u64,
    },
}

/// A change as it came over the socket.
#[derive(Debug)]
pub enum Pushed {
    Change(Change),
    /// One that the socket found no good; the room knows which `seq` comes next instead.
    Bad(Bad),
}

/// Why a change is not even judged.
#[derive(Clone, Debug)]
pub struct Bad {
    pub seq: u64,
    pub code: Code,
    pub reason: String,
    pub retry_after_ms: Option<u64>,
}

/// What became of a document.
#[derive(Clone, Debug, Serialize)]
pub struct Merged {
    /// The revision at which the dashboard has it.
    pub revision: u64,
    pub changed: Counts,
    /// Conflicts that it made: both values wait for a person.
    pub conflicts: usize,
    /// What was left as others made it although the document says something else.
    pub left: Vec<Remark>,
}

/// What a document changed, by count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The title and the settings of the dashboard.
    pub settings: usize,
    pub added: usize,
    pub removed: usize,
    pub restored: usize,
    pub moved: usize,
    /// Titles and options of widgets.
    pub options: usize,
    /// Texts of notes.
    pub texts: usize,
}

/// Why a document was not brought in. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMerged {
    #[error("The document builds on revision {base}, and this dashboard has come to {revision} only.")]
    Ahead { base: u64, revision: u64 },
    #[error(
        "The document builds on revision {0}, which is too long ago to tell what others changed since. Export \
         the dashboard again, or leave out the revision to make it as the document says."
    )]
    TooOld(u64),
    #[error("The document changes {0} things, and one step takes {MAX_OPS}. Bring it in in parts.")]
    TooMany(usize),
    #[error("It does not fit here: {0}")]
    Text(#[from] OpError),
    #[error("It does not fit here: {0}")]
    Refused(String),
    #[error("The document could not be brought in.")]
    Failed,
}

/// A dashboard at a revision.
#[derive(Clone, Debug)]
pub struct Read {
    pub epoch: String,
    pub revision: u64,
    /// To resume from that revision; `None` where it has no commit.
    pub token: Option<String>,
    pub dashboard: Arc<Dashboard>,
    /// What it takes as JSON, about.
    pub bytes: usize,
}

/// The same, encoded.
#[derive(Debug)]
pub struct EncodedRead {
    pub epoch: String,
    pub revision: u64,
    pub token: Option<String>,
    pub dashboard: Share,
}
