//! The server: the real `Room` between an inbox and the disk, in the steps of `server/rooms/live`, with
//! time between any two of them for a crash: judged, written, durable, told.

mod faults;
mod log;
mod restored;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lockstep::dashboard::{DashboardId, WidgetId};
use lockstep::server::access::directory;
use lockstep::sync::protocol::{Change, Code, Commit, Joined, Peers, Resume, Role, ServerMessage, close};
use lockstep::sync::room::{Author, Room, Verdict};

use super::check::MadeId;
use super::network::{ConnId, Down, Told, Up};
use super::world::{Event, Fault, World};
use restored::History;

/// Of a hundred changes, after how many a note is compacted.
const COMPACTIONS: u64 = 20;
/// When clients come back to a room that failed.
const FAILED_RETRY_MS: u64 = 500;
/// How long a session may be silent.
const SILENCE_MS: u64 = 30_000;

pub struct Node {
    up: bool,
    /// `None` also where it could not be read: who joins opens it.
    room: Option<Room>,
    /// Counts starts: what was planned before a crash does not happen after it.
    pub boot: u64,
    sessions: BTreeMap<ConnId, Session>,
    inbox: VecDeque<Input>,
    judged: Vec<Judged>,
    replies: Vec<(ConnId, ServerMessage)>,
    pub role_frames: Vec<(ConnId, ServerMessage)>,
    busy: bool,
    heard: u64,
    /// True where the room has not looked at roles since they changed.
    pub roles_changed: bool,
    /// Commits behind the log's end that a tail still has: before them it is a snapshot.
    pub reach: u64,
}

struct Session {
    heard_at: u64,
    joined: bool,
    /// As the room knows it.
    role: Role,
    owner: bool,
}

enum Input {
    Push(ConnId, VecDeque<(Change, MadeId)>),
    Join(ConnId, Option<Resume>),
}

struct Judged {
    conn: ConnId,
    commit: Commit,
    body: Arc<str>,
}

impl Node {
    pub fn new(reach: u64) -> Self {
        Self {
            up: false,
            room: None,
            boot: 0,
            sessions: BTreeMap::new(),
            inbox: VecDeque::new(),
            judged: Vec::new(),
            replies: Vec::new(),
            role_frames: Vec::new(),
            busy: false,
            heard: 0,
            roles_changed: false,
            reach,
        }
    }

    pub fn is_up(&self) -> bool {
        self.up
    }

    pub fn room(&self) -> Option<&Room> {
        self.room.as_ref()
    }

    pub fn sessions(&self) -> Vec<ConnId> {
        self.sessions.keys().copied().collect()
    }

    pub fn has(&self, conn: ConnId) -> bool {
        self.sessions.contains_key(&conn)
    }

    /// The sessions that are in the room.
    pub fn joined(&self) -> Vec<ConnId> {
        let joined = self.sessions.iter().filter(|(_, session)| session.joined);
        joined.map(|(conn, _)| *conn).collect()
    }

    /// Notes the role of a session. True where it was another.
    pub fn set_role(&mut self, conn: ConnId, role: directory::Role) -> bool {
        let now = (role.to_wire(), role == directory::Role::Owner);
        let Some(session) = self.sessions.get_mut(&conn) else { return false };
        let before = (session.role, session.owner);
        (session.role, session.owner) = now;
        before != now
    }

    /// Takes a session out of the room; the connection stays.
    pub fn let_go(&mut self, conn: ConnId) {
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.joined = false;
        }
    }

    /// Whether all that came in has been told.
    pub fn is_idle(&self) -> bool {
        self.is_up() && !self.busy && self.inbox.is_empty() && !self.roles_changed
    }
}

pub fn dashboard_id() -> DashboardId {
    DashboardId::new("d1").expect("an id")
}

impl World {
    /// The server starts, with what its disk has.
    pub fn start_server(&mut self) {
        if self.node.is_up() {
            return;
        }
        let reach = self.node.reach;
        self.node = Node { up: true, boot: self.node.boot + 1, ..Node::new(reach) };
        self.reopen();
        self.change_role_on_start();
    }

    /// The server is gone, without a word.
    pub fn stop_server(&mut self, told: Told) {
        if !self.node.is_up() {
            return;
        }
        self.report.server_crashes += 1;
        self.cut_all(told);
        (self.node.up, self.node.room) = (false, None);
        self.node.sessions.clear();
        self.report.came_back += u64::from(self.disk.crash(&mut self.random));
    }

    /// The server stops in an orderly way, and says when to come back.
    pub fn drain_server(&mut self) {
        if !self.node.is_idle() {
            return;
        }
        let retry_after_ms = Some(self.random.between(500, 3_000));
        for conn in self.node.sessions() {
            let reason = "The server restarts.".to_owned();
            self.say(
                conn,
                ServerMessage::Error {
                    code: Code::Internal,
                    reason,
                    retry_after_ms,
                    in_bin: false,
                    dashboard: None,
                },
            );
            self.send_down(conn, Down::Close(close::DRAINING));
        }
        self.save_snapshot();
        self.disk.sync();
        (self.node.up, self.node.room) = (false, None);
        self.node.sessions.clear();
    }

    /// A frame from a tab.
    pub fn server_hears(&mut self, conn: ConnId, message: Up) {
        if !self.node.is_up() {
            return;
        }
        let now = self.now;
        match (self.node.sessions.get_mut(&conn), &message) {
            (Some(session), _) => session.heard_at = now,
            (None, Up::Hello) => {
                let session = Session { heard_at: now, joined: false, role: Role::Viewer, owner: false };
                self.node.sessions.insert(conn, session);
                self.at(now + SILENCE_MS, Event::Silence(conn));
            }
            (None, _) => return,
        }
        match message {
            Up::Hello => {
                let tab = &self.tabs[self.conns[conn as usize].tab];
                let welcome = ServerMessage::Welcome {
                    protocol: 1,
                    client: tab.author.client.clone(),
                    session: Default::default(),
                    user: tab.author.by.clone(),
                    heartbeat_ms: 10_000,
                    build: String::new(),
                    now: None,
                };
                self.say(conn, welcome);
            }
            Up::Ping(id) => self.say(conn, ServerMessage::Pong { id }),
            Up::Join(resume) => self.node.inbox.push_back(Input::Join(conn, resume)),
            Up::Push(changes) => self.node.inbox.push_back(Input::Push(conn, changes.into())),
        }
        self.work();
    }

    /// A connection is known to be gone.
    pub fn server_lost(&mut self, conn: ConnId) {
        self.node.sessions.remove(&conn);
    }

    /// Looks whether a session has been silent for too long.
    pub fn server_listens(&mut self, conn: ConnId) {
        let Some(session) = self.node.sessions.get(&conn) else { return };
        let until = session.heard_at + SILENCE_MS;
        if until <= self.now {
            self.send_down(conn, Down::Close(close::SILENT));
            self.node.sessions.remove(&conn);
        } else {
            self.at(until, Event::Silence(conn));
        }
    }

    pub fn say(&mut self, conn: ConnId, message: ServerMessage) {
        self.check_told(conn, &message);
        self.send_down(conn, Down::Says(Box::new(message)));
    }

    /// Takes what waits, until something has to be durable first.
    pub fn work(&mut self) {
        if !self.node.busy && self.node.is_up() {
            self.update_roles();
            if self.node.judged.is_empty() {
                self.tell_roles();
            }
        }
        while !self.node.busy && self.node.is_up() {
            let Some(input) = self.node.inbox.pop_front() else { break };
            match input {
                Input::Join(conn, resume) if self.node.judged.is_empty() => self.join(conn, resume),
                Input::Push(conn, changes) => self.judge_all(conn, changes),
                join => {
                    self.node.inbox.push_front(join);
                    self.append();
                }
            }
        }
        if !self.node.busy && !self.node.judged.is_empty() {
            self.append();
        } else if !self.node.busy {
            self.reply();
        }
    }

    fn judge_all(&mut self, conn: ConnId, mut changes: VecDeque<(Change, MadeId)>) {
        let Some(session) = self.node.sessions.get(&conn) else { return };
        if !session.joined {
            let reason = "Join the dashboard first.".to_owned();
            let error = ServerMessage::Error {
                code: Code::NotJoined,
                reason,
                retry_after_ms: None,
                in_bin: false,
                dashboard: None,
            };
            return self.say(conn, error);
        }
        let tab = self.conns[conn as usize].tab;
        let author = Author { role: session.role, ..self.tabs[tab].author.clone() };
        while let Some((change, id)) = changes.pop_front() {
            let Some(verdict) = self.judge(&author, &change) else { return };
            match verdict {
                Verdict::Committed(commit) => {
                    self.check_judged(tab, true, change.seq);
                    let Some(room) = &self.node.room else { return };
                    self.ledger.judged(room, &author, &change, id, &commit);
                    let body = serde_json::to_string(&*commit).expect("JSON").into();
                    self.node.judged.push(Judged { conn, commit: *commit, body });
                    self.knock(&author);
                    self.compact(conn);
                }
                Verdict::Again if !self.node.judged.is_empty() => {
                    changes.push_front((change, id));
                    self.node.inbox.push_front(Input::Push(conn, changes));
                    return self.append();
                }
                Verdict::Again => self.answer_again(conn, tab, change.seq),
                Verdict::Rejected { code, reason, expected } => {
                    if code == Code::Forbidden {
                        self.check_judged(tab, false, change.seq);
                    }
                    self.reject(conn, change.seq, code, reason, expected, None);
                }
            }
        }
    }

    /// Compacts a note now and then: when its state has outgrown its text is a matter of time.
    fn compact(&mut self, conn: ConnId) {
        let Some(room) = self.node.room.as_mut().filter(|_| self.strangers.percent(COMPACTIONS)) else {
            return;
        };
        let notes = room.dashboard().widgets.iter().filter(|(_, widget)| widget.text.is_some());
        let notes: Vec<WidgetId> = notes.map(|(id, _)| id.clone()).collect();
        let Some(commit) = self.strangers.pick(&notes).and_then(|id| room.compact_note(id, self.now)) else {
            return;
        };
        self.report.compactions += 1;
        if let Some(room) = &self.node.room {
            self.ledger.compacted(room, &commit);
        }
        let body = serde_json::to_string(&commit).expect("JSON").into();
        self.node.judged.push(Judged { conn, commit, body });
    }

    fn reject(
        &mut self,
        conn: ConnId,
        seq: u64,
        code: Code,
        reason: String,
        expected: u64,
        retry_after_ms: Option<u64>,
    ) {
        let dashboard = dashboard_id();
        let rejected = ServerMessage::Rejected { dashboard, seq, code, reason, expected, retry_after_ms };
        self.node.replies.push((conn, rejected));
    }

    fn answer_again(&mut self, conn: ConnId, tab: usize, seq: u64) {
        self.report.again += 1;
        if self.fault == Some(Fault::SaysNothingAgain) {
            return;
        }
        if !self.can_read() {
            let client = &self.tabs[tab].author.client;
            let expected = self.node.room.as_ref().map_or(0, |room| room.last_seq(client)) + 1;
            let reason = "The server could not look up what became of this.".to_owned();
            return self.reject(conn, seq, Code::Internal, reason, expected, Some(FAILED_RETRY_MS));
        }
        let body = self.disk.find(&self.tabs[tab].author.client, seq).expect("the log has it");
        let commit: Commit = serde_json::from_str(&body).expect("a commit");
        let end = self.node.room.as_ref().map_or(0, Room::revision);
        let (commits, forgotten) = match end - commit.revision <= self.climate.log_keeps {
            true => (vec![commit], None),
            false => (Vec::new(), Some(seq)),
        };
        let dashboard = dashboard_id();
        let (digest, full_digest, token) = (None, None, None);
        self.say(conn, ServerMessage::Commits { dashboard, commits, digest, full_digest, token, forgotten });
    }

    fn join(&mut self, conn: ConnId, resume: Option<Resume>) {
        if !self.node.sessions.contains_key(&conn) {
            return;
        }
        let tab = self.conns[conn as usize].tab;
        if self.node.room.is_none() && !self.reopen() {
            let reason = "The store does not answer.".to_owned();
            let (code, retry_after_ms) = (Code::Internal, Some(FAILED_RETRY_MS));
            return self.say(
                conn,
                ServerMessage::Error { code, reason, retry_after_ms, in_bin: false, dashboard: None },
            );
        }
        let Some(role) = self.role_of(tab) else {
            self.node.let_go(conn);
            return self.turn_away(conn, Code::NotFound, "There is no such dashboard.");
        };
        self.node.set_role(conn, role);
        let resume = match self.check_history(resume) {
            History::Ours(resume) => resume,
            History::Another => return self.end_restored(),
            History::Unreadable => {
                self.node.inbox.push_front(Input::Join(conn, None));
                return self.fail_room();
            }
        };
        self.fence_off(conn, tab);
        let stale = self.fault == Some(Fault::ResumesFromStaleEpoch);
        let reads = self.can_read();
        let Some(room) = &self.node.room else { return };
        let (mut epoch, revision) = (room.epoch().to_owned(), room.revision());
        let tail = resume
            .filter(|at| (stale || at.epoch == epoch) && at.revision <= revision)
            .filter(|at| revision - at.revision <= self.node.reach)
            // Where the tail cannot be read, the room itself is whole.
            .filter(|_| reads)
            .map(|at| {
                epoch = at.epoch;
                let tail = self.disk.tail(at.revision);
                tail.iter().map(|stored| serde_json::from_str(&stored.body).expect("a commit")).collect()
            });
        self.report.joins += 1;
        self.report.snapshot_joins += u64::from(tail.is_none());
        let joined = Joined {
            dashboard: dashboard_id(),
            role: role.to_wire(),
            owner: role == directory::Role::Owner,
            epoch,
            revision,
            token: self.token(),
            last_seq: room.last_seq(&self.tabs[tab].author.client),
            snapshot: tail.is_none().then(|| room.dashboard().clone()),
            commits: tail,
            peers: Peers::new(),
        };
        if let Some(session) = self.node.sessions.get_mut(&conn) {
            session.joined = true;
        }
        self.say(conn, ServerMessage::Joined(Box::new(joined)));
    }

    /// The room cannot go on: everybody in it, or on the way in, comes back later.
    fn fail_room(&mut self) {
        self.report.rooms_failed += 1;
        let joining = self.node.inbox.drain(..).filter_map(|input| match input {
            Input::Join(conn, _) => Some(conn),
            Input::Push(..) => None,
        });
        let joining: Vec<ConnId> = joining.collect();
        for conn in self.node.sessions() {
            if !joining.contains(&conn) && !self.node.sessions[&conn].joined {
                continue;
            }
            let reason = "The server could not go on.".to_owned();
            let (code, retry_after_ms) = (Code::Internal, Some(FAILED_RETRY_MS));
            self.say(
                conn,
                ServerMessage::Error { code, reason, retry_after_ms, in_bin: false, dashboard: None },
            );
            self.send_down(conn, Down::Close(close::DRAINING));
            self.node.sessions.remove(&conn);
        }
        self.node.judged.clear();
        self.node.replies.clear();
        self.node.role_frames.clear();
        self.node.room = None;
    }

    /// Whether the next read of the disk succeeds.
    fn can_read(&mut self) -> bool {
        let fails = self.disk.unreadable || self.random.percent(self.climate.reads_fail);
        self.report.reads_failed += u64::from(fails);
        !fails
    }

    /// Ends an older session of the same client.
    fn fence_off(&mut self, conn: ConnId, tab: usize) {
        let older = |id: &ConnId| *id != conn && self.conns[*id as usize].tab == tab;
        let older: Vec<ConnId> = self.node.sessions().into_iter().filter(older).collect();
        for id in older {
            self.node.sessions.remove(&id);
            self.send_down(id, Down::Close(close::TOO_MANY));
        }
    }
}
