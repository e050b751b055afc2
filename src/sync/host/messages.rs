//! Inputs and outputs of a host: closed lists, taken and performed in their order.

use std::sync::Arc;
use std::time::Duration;

use super::log::{LogCommit, StoredLog, Summary};
use super::members::{Grant, Member};
use super::merge::{Merge, Merged, NotMerged};
use crate::dashboard::{ClientId, Op, SessionId, User};
use crate::sync::protocol::{Change, Code, Peers, Presence, Resume, Role, ServerMessage, close};

/// When clients come back to a room that failed, or push again what was not saved: a moment, in which a disk
/// may have caught itself. With the spread that a client adds (`sync::link`) it is back within 2 s.
pub const FAILED_RETRY_MS: u64 = 500;

/// The moment of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// On a clock that only goes forward: what is paced and waited for.
    pub elapsed: Duration,
    /// Unix milliseconds: what commits are stamped with.
    pub unix_ms: u64,
}

/// One input of a host. `E` is the way to a session, which the host only keeps.
#[derive(Debug)]
pub enum Input<E> {
    Join(Box<Join<E>>),
    Leave(SessionId),
    Push {
        session: SessionId,
        changes: Vec<DecodedChange>,
    },
    /// `None` withdraws it.
    Presence {
        session: SessionId,
        presence: Option<Box<Presence>>,
    },
    /// A sign of life.
    Touch(SessionId),
    /// Brings the dashboard of a document into this one; [`Output::Merged`] answers.
    Merge(Box<Merge>),
    /// Moves the dashboard into the bin and ends the room.
    Delete {
        by: Option<User>,
    },
    /// Ends the room in good order, so that another node or another process can go on.
    Drain {
        retry_after_ms: u64,
    },
    /// No more waits for now: what was judged becomes durable, and is told.
    Flush,
    /// What sessions may do by now, of those whose roles may have changed; `None` for nothing. Taken at any time.
    Roles(Vec<(SessionId, Option<Grant>)>),
    /// The way to a session is gone, or too slow. Taken at any time.
    Lost(SessionId),
    Tick(Tick),
    /// A snapshot was saved, or was not.
    SnapshotSaved(bool),
    /// What came of the last [`Request`].
    Answer(Answer),
}

/// Somebody who wants to be let in.
#[derive(Debug)]
pub struct Join<E> {
    pub member: Member<E>,
    /// `None` where the dashboard is not there for them.
    pub grant: Option<Grant>,
    pub resume: Option<Resume>,
    /// The time of the commit that they resume from, where they gave back the server's own word for it.
    pub vouched: Option<u64>,
}

/// A change as it came over the socket.
#[derive(Debug)]
pub enum DecodedChange {
    Change(Change),
    /// One that the socket found no good; the room knows which `seq` comes next instead.
    Invalid(InvalidChange),
}

/// Why a change is not even judged.
#[derive(Clone, Debug)]
pub struct InvalidChange {
    pub seq: u64,
    pub code: Code,
    pub reason: String,
    pub retry_after_ms: Option<u64>,
}

/// Time has passed.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// Rooms that share the budget of tails.
    pub rooms: usize,
    /// True where nothing waits in the inbox.
    pub is_quiet: bool,
}

/// What a host asks for, always as the last of its outputs. Until the [`Answer`] it takes no other inputs but
/// those that are taken at any time.
#[derive(Debug)]
pub enum Request {
    /// Appends commits durably, all or none.
    Append { commits: Vec<LogCommit>, summary: Summary },
    /// The dashboard as it is stored.
    Open,
    /// Commits after a revision, as many as fit.
    Tail { after: u64, commits: usize, bytes: usize },
    /// The commit of a client's change.
    Find { client: ClientId, seq: u64 },
    /// Gives the log another epoch.
    Renew,
    /// Moves the dashboard into the bin.
    Delete,
    /// Gets ready what brings the one who joins up to date.
    Prepare(Preparation),
}

/// The large part of the answer to a join.
#[derive(Debug)]
pub enum Preparation {
    Snapshot,
    /// What the tail has after a revision ([`Host::commits_after`](super::Host::commits_after)).
    Tail {
        after: u64,
    },
    /// The same out of the store.
    Stored {
        after: u64,
        bodies: Vec<Arc<str>>,
    },
}

/// What came of a [`Request`].
#[derive(Debug)]
pub enum Answer {
    Appended(Result<(), LogError>),
    Opened(Result<Option<StoredLog>, LogError>),
    Tail(Result<Vec<LogCommit>, LogError>),
    Found(Result<Option<Arc<str>>, LogError>),
    Renewed(Result<(), LogError>),
    /// True where it is in the bin now.
    Deleted(bool),
    Prepared(Prepared),
}

/// What came of a [`Preparation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    Ready,
    /// More waits to be sent than there is room for.
    Busy,
    /// The tail does not reach back that far.
    Missing,
}

/// Why the store did not do it, as far as that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogError {
    /// The dashboard is not there, or in the bin.
    Gone,
    Full,
    Damaged,
    Other,
}

/// One output of a host.
#[derive(Debug)]
pub enum Output<E> {
    Request(Request),
    /// Durable commits for everybody, in one frame.
    Commits {
        bodies: Vec<Arc<str>>,
        digests: Option<Digests>,
        /// Where the last of them is the log's end.
        end: Option<ResumePoint>,
    },
    /// What these commits changed.
    Committed(Effects),
    /// The dashboard was built anew from the log.
    Rebuilt,
    /// A session is in the room from now on, and hears this first, with what was prepared.
    Joined(Box<Admitted>),
    /// A message for a session that is here.
    Send {
        to: SessionId,
        message: ServerMessage,
    },
    /// The commit of a change that came again.
    Again {
        to: SessionId,
        body: Arc<str>,
    },
    /// A message for one who is not here, or not any more; the connection stays.
    Dismiss {
        endpoint: E,
        message: ServerMessage,
    },
    /// The same client has joined again elsewhere: this connection ends.
    Fence(E),
    /// Whoever sent the input has to join first.
    NotJoined,
    /// Presence that changed, for everybody.
    Presence(Peers),
    /// Others are here than before.
    PeopleChanged,
    /// Nobody is here any more.
    Deserted,
    /// A snapshot is due. The log is shortened to its bound of bytes too where `bounded` says so.
    SaveSnapshot {
        bounded: bool,
    },
    Merged(Result<Merged, NotMerged>),
    /// For whoever runs the server.
    Trouble(Trouble),
    /// The room has ended: nothing is taken any more, and everybody is told goodbye.
    Ended(Ended),
}

/// Digests of a dashboard (S11).
#[derive(Debug)]
pub struct Digests {
    /// The one that every build knows.
    pub shown: String,
    /// The one that covers tombstones and conflict records whole.
    pub full: String,
}

/// A revision to resume from, with the time of its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumePoint {
    pub revision: u64,
    pub at: u64,
}

/// What told commits changed.
#[derive(Debug)]
pub struct Effects {
    /// The effective ops, in their order.
    pub ops: Vec<Op>,
    pub refused: usize,
    /// Conflict records that were made.
    pub conflicts: usize,
}

/// The small part of the answer to a join.
#[derive(Debug)]
pub struct Admitted {
    pub session: SessionId,
    /// True where the session was here already.
    pub rejoins: bool,
    pub role: Role,
    pub owner: bool,
    pub revision: u64,
    pub end: Option<ResumePoint>,
    pub last_seq: u64,
    pub peers: Peers,
}

/// What went wrong, and was dealt with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("judging change {seq} of {client} panicked")]
    ChangePanicked { client: ClientId, seq: u64 },
    #[error("judging a document panicked")]
    DocumentPanicked,
    #[error("the room cannot go on: {0}")]
    Unreadable(String),
    #[error("an older state of this log was restored: it ends at {revision}, and a client has seen {said}")]
    Restored { revision: u64, said: u64 },
}

/// Why a room ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nobody was here for a while.
    Idle,
    /// It is in the bin, or gone for good; `by` as far as that is known.
    Deleted {
        by: Option<User>,
    },
    Drained {
        retry_after_ms: u64,
    },
    /// The store did not let it go on, or a step of it panicked.
    Failed,
    /// An older state took the log's place, which has another name from now on.
    Restored,
}

impl Ended {
    /// True where what the room holds is the log's end: a snapshot of it can be saved.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Idle | Self::Drained { .. })
    }

    /// The last words to a session: a message, a close code, and its reason for people who look at the socket.
    pub fn goodbye(&self) -> (ServerMessage, u16, &'static str) {
        let (code, close, text) = match self {
            Self::Deleted { .. } => (Code::NotFound, close::NOT_FOUND, "dashboard deleted"),
            Self::Drained { .. } => (Code::Internal, close::DRAINING, "draining"),
            Self::Restored => (Code::Internal, close::DRAINING, "restored"),
            Self::Idle | Self::Failed => (Code::Internal, close::DRAINING, "room failed"),
        };
        let reason = match self {
            Self::Deleted { by: Some(user) } => {
                format!("{} moved this dashboard to the bin. It can be restored from there.", user.name)
            }
            Self::Deleted { by: None } => {
                "This dashboard was moved to the bin. It can be restored from there.".to_owned()
            }
            Self::Drained { .. } => "The server restarts.".to_owned(),
            Self::Restored => {
                "The server was restored to an earlier state. What is not saved yet is sent again.".to_owned()
            }
            Self::Idle | Self::Failed => {
                "The server could not go on. What you did is not lost: it is sent again.".to_owned()
            }
        };
        let retry_after_ms = match self {
            Self::Deleted { .. } => None,
            Self::Drained { retry_after_ms } => Some(*retry_after_ms),
            Self::Restored | Self::Idle | Self::Failed => Some(FAILED_RETRY_MS),
        };
        let in_bin = matches!(self, Self::Deleted { .. });
        (ServerMessage::Error { code, reason, retry_after_ms, in_bin, dashboard: None }, close, text)
    }
}
