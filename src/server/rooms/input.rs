//! Inbox of a room: a closed list of messages, taken in order from one bounded queue.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::outbound::Outbound;
use crate::dashboard::export::Imported;
use crate::dashboard::{ClientId, Dashboard, SessionId, User};
use crate::server::access::who::Principal;
use crate::server::store::{Deletion, StoreError};
use crate::server::unsent::{Busy, Share};
use crate::sync::host::MemberKind;
pub use crate::sync::host::{Counts, DecodedChange, InvalidChange, Member, Merged, NotMerged};
use crate::sync::protocol::{Presence, Resume, Role};
use crate::sync::room::Author;

/// The way to a session, and who it is of.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Whose role counts.
    pub principal: Principal,
    pub outbound: Arc<Outbound>,
    pub ticket: JoinTicket,
}

impl Endpoint {
    /// The session as rooms know it, before they have looked what it may do.
    pub fn member(
        self,
        session: SessionId,
        (client, by): (ClientId, User),
        address: Option<IpAddr>,
        follows_compactions: bool,
    ) -> Member<Self> {
        let kind = match self.principal {
            Principal::Screen(_) => MemberKind::Screen,
            Principal::Link(_) | Principal::Public => MemberKind::Guest,
            Principal::Anyone | Principal::Account(_) | Principal::Token(_) => MemberKind::Person,
        };
        let network = address.map(|address| match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        });
        let author = Author { client, by, role: Role::Viewer, may_query: false };
        Member { session, author, owner: false, kind, network, follows_compactions, endpoint: self }
    }
}

/// A place in a room, from the asking on. The room gives it up with its member, or at once where it
/// takes nobody in; whoever asked holds a [`Weak`](std::sync::Weak) and sees that.
pub type JoinTicket = Arc<()>;

/// A join that is not answered yet. It is gone once the answer is sent, or there will be none; whoever
/// asked holds a [`Weak`](std::sync::Weak) and sees that.
pub type Unanswered = Arc<()>;

/// One message of the inbox.
#[derive(Debug)]
pub enum RoomMessage {
    Join {
        member: Member<Endpoint>,
        resume: Option<Resume>,
        unanswered: Unanswered,
    },
    Leave(SessionId),
    Push {
        session: SessionId,
        /// To answer one who is no member.
        outbound: Arc<Outbound>,
        changes: Vec<DecodedChange>,
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
