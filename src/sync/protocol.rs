//! Wire protocol 1 of the socket: one JSON object a text frame, `type` first.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dashboard::{ClientId, Conflict, Dashboard, DashboardId, Op, SessionId, Stamp, User, WidgetId};

/// The protocol that this build speaks.
pub const PROTOCOL: u32 = 1;
/// How often a client pings, in milliseconds; the server says it in `welcome`.
pub const HEARTBEAT_MS: u64 = 10_000;
/// Bytes of one frame from a client.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;
/// Bytes of one op.
pub const MAX_OP_BYTES: usize = 64 * 1024;
/// Ops in one change: a group drag of every widget there can be.
pub const MAX_OPS: usize = 500;
/// The longest time that a change may say it waited: what is older is old, and a clock that was wrong stays within
/// a season.
pub const MAX_AGE_MS: u64 = 90 * 24 * 3_600_000;
/// The shortest time that is told of: what took less was on its way, as any edit is.
pub const MIN_AGE_MS: u64 = 1_000;

/// A client's atomic group of ops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Counts from 1 per client and dashboard, without gaps.
    pub seq: u64,
    /// The last revision that the client had applied when it made the change.
    pub base: u64,
    pub ops: Vec<Op>,
    /// How long before this push it was made, in milliseconds by the tab's own clock; unknown of older clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}

impl Change {
    /// The change when it has become older, by no more than [`MAX_AGE_MS`] says.
    pub fn aged(self, ms: u64) -> Self {
        let age_ms = self.age_ms.map(|age| age.saturating_add(ms).min(MAX_AGE_MS));
        Self { age_ms, ..self }
    }

    /// When it was written, where it arrived at `now_ms` and said that it had waited.
    pub fn written_at(&self, now_ms: u64) -> Option<u64> {
        let age = self.age_ms.filter(|age| *age >= MIN_AGE_MS)?;
        Some(now_ms.saturating_sub(age.min(MAX_AGE_MS)))
    }
}

/// A change after the room judged it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    pub revision: u64,
    pub client: ClientId,
    pub seq: u64,
    pub by: User,
    /// Unix milliseconds, from the server.
    pub at: u64,
    /// When it was written, on the same clock, where that was earlier and is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<u64>,
    /// The effective ops: applied as they are.
    pub ops: Vec<Op>,
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// Conflict records that this commit made or changed, whole.
    #[serde(default)]
    pub conflicts: Vec<Arc<Conflict>>,
}

impl Commit {
    /// Who made it and when.
    pub fn stamp(&self) -> Stamp {
        let Self { at, written_at, revision, .. } = *self;
        Stamp { by: self.by.clone(), at, written_at, revision }
    }

    /// True where nobody made it: a compaction of a note.
    pub fn is_compaction(&self) -> bool {
        matches!(self.ops[..], [Op::EditText { compacted: Some(_), .. }])
    }
}

/// An op without effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Index into the change as it was pushed.
    pub index: usize,
    /// For people.
    pub reason: String,
}

/// Where a client was, to be told only what came after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    pub epoch: String,
    pub revision: u64,
    /// What the server gave with that revision: by it, it knows whether its log went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What a frame from a client says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    Hello {
        protocol: u32,
        /// The tab's secret.
        client: String,
        #[serde(default)]
        name: Option<String>,
    },
    Join {
        dashboard: DashboardId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<Resume>,
        /// True where the client follows compactions of notes, and goes on from them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        compactions: bool,
    },
    Push {
        dashboard: DashboardId,
        changes: Vec<Change>,
    },
    Presence {
        dashboard: DashboardId,
        presence: Option<Presence>,
    },
    Leave {
        dashboard: DashboardId,
    },
    Ping {
        id: u64,
        /// True where the tab does not show: the browser lets it ping rarely, and the server has patience.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        hidden: bool,
    },
}

/// A `push` whose changes are not read yet, so that one bad change does not hide the others' seq.
#[derive(Debug, Deserialize)]
pub struct RawPush<'a> {
    pub dashboard: DashboardId,
    #[serde(borrow)]
    pub changes: Vec<&'a RawValue>,
}

/// What the server says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    Welcome {
        protocol: u32,
        client: ClientId,
        session: SessionId,
        user: User,
        heartbeat_ms: u64,
        build: String,
        /// The server's clock, Unix milliseconds: points and commits are stamped by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        now: Option<u64>,
    },
    Joined(Box<Joined>),
    Commits {
        dashboard: DashboardId,
        commits: Vec<Commit>,
        /// The dashboard's digest after the last of these commits, now and then (S11).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        /// With it: the digest that covers tombstones and conflict records whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full_digest: Option<String>,
        /// What to give back on resuming from the last of them; only with those that come in turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Answers a change that came again and whose commit is not kept any more: the log has all of
        /// this client's up to this `seq`, and cannot say what became of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forgotten: Option<u64>,
    },
    Rejected {
        dashboard: DashboardId,
        seq: u64,
        code: Code,
        reason: String,
        /// The `seq` that the room takes next from this client.
        expected: u64,
        #[serde(default)]
        retry_after_ms: Option<u64>,
    },
    Presence {
        dashboard: DashboardId,
        peers: Peers,
    },
    Data {
        dashboard: DashboardId,
        frames: Vec<DataFrame>,
    },
    Pong {
        id: u64,
    },
    Error {
        code: Code,
        reason: String,
        #[serde(default)]
        retry_after_ms: Option<u64>,
        /// With `not_found`: the dashboard is in the bin, and can be restored.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_bin: bool,
        /// The dashboard that it is about, where the session is not in it, or not any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dashboard: Option<DashboardId>,
    },
    /// What the session may do on a dashboard from now on.
    Role {
        dashboard: DashboardId,
        role: Role,
        /// True for an owner, who also shares and deletes it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        owner: bool,
    },
}

/// The answer to `join`: a snapshot, or the commits after what the client has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Joined {
    pub dashboard: DashboardId,
    pub role: Role,
    /// True for an owner, who also shares and deletes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owner: bool,
    pub epoch: String,
    pub revision: u64,
    /// What to give back on resuming from that revision; absent where it has no commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The highest `seq` of this client in the log.
    pub last_seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Dashboard>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<Vec<Commit>>,
    #[serde(default)]
    pub peers: Peers,
}

/// What a person may do on a dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    #[default]
    Editor,
}

/// Why something was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    Invalid,
    Forbidden,
    NotJoined,
    NotFound,
    TooLarge,
    RateLimited,
    OutOfOrder,
    Full,
    Internal,
}

/// Close codes of the socket.
pub mod close {
    pub const MALFORMED: u16 = 4400;
    pub const NOT_SIGNED_IN: u16 = 4401;
    pub const FORBIDDEN: u16 = 4403;
    pub const NOT_FOUND: u16 = 4404;
    pub const SILENT: u16 = 4408;
    pub const PROTOCOL: u16 = 4409;
    pub const TOO_LARGE: u16 = 4413;
    pub const TOO_MANY: u16 = 4429;
    pub const DRAINING: u16 = 4503;
    pub const TOO_SLOW: u16 = 4508;
}

/// Who is here by session; `None` for one that left.
pub type Peers = BTreeMap<SessionId, Option<Peer>>;

/// A session of a room as others see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    pub user: User,
    pub presence: Presence,
}

/// What somebody does right now (S8). All of it is advisory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    #[serde(default)]
    pub cursor: Option<Cursor>,
    #[serde(default)]
    pub selected: Vec<WidgetId>,
    #[serde(default)]
    pub editing: Option<Editing>,
    #[serde(default)]
    pub dragging: Option<Dragging>,
    /// The widget at the top of what they look at, for those who follow them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looking_at: Option<WidgetId>,
    /// True after a minute without a sign of life.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub away: bool,
}

/// A pointer, in the unit square of what it is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// A widget's id, or `canvas`.
    pub on: String,
    pub x: f32,
    pub y: f32,
    /// On a chart: the time that the pointer is at, Unix milliseconds, whatever the screen's size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

/// A field that somebody is typing in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Editing {
    pub id: Option<WidgetId>,
    pub field: String,
    /// What it reads so far, while it is not an op yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<String>,
    /// In a note: where the caret is (`dashboard::text::Anchor`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caret: Option<String>,
}

/// A widget under somebody's pointer, where it would land.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dragging {
    pub id: WidgetId,
    pub frame: crate::dashboard::Frame,
}

/// Points for one widget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataFrame {
    pub widget: WidgetId,
    /// True where these points replace what the widget has; false where they come after it.
    #[serde(default)]
    pub reset: bool,
    pub series: Vec<Series>,
    /// Why there are no newer points, in words for people; `None` once there are again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Milliseconds from one point to the next, as the source gives them; `None` where they come by
    /// themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
    /// A word about what is not here, such as series beyond those that are shown, and what the source says of
    /// its answer. Without `reset` an empty one says that there is none any more, and none that nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A named run of points.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub name: String,
    /// `[Unix milliseconds, value]`, in time order; `null` for a gap.
    pub points: Vec<(u64, Option<f64>)>,
    /// Labels and their values, in the order of the labels; a table has a column for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
    /// Points that came before are gone from this time on, Unix milliseconds, and these stand in their place:
    /// the source has corrected them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces_from: Option<u64>,
}
