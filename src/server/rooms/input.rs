//! Inputs of a room: a closed list, taken in order from one bounded inbox.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::outbound::Outbound;
use crate::dashboard::{Dashboard, SessionId};
use crate::server::store::{Deletion, StoreError};
use crate::server::unsent::{Busy, Share};
use crate::sync::protocol::{Change, Code, Presence, Resume};
use crate::sync::room::Author;

/// A session as its rooms know it.
#[derive(Clone, Debug)]
pub struct Member {
    pub session: SessionId,
    pub author: Author,
    /// Where it comes from, as far as its seats are counted by that.
    pub address: Option<IpAddr>,
    pub outbound: Arc<Outbound>,
    pub seat: Seat,
    /// False for a client that takes a compaction of a note for an edit like any other.
    pub follows_compactions: bool,
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
