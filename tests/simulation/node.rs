//! The server: the shipped `Host` between an inbox and the disk, with time for a crash wherever it waits. What is
//! done here is what `server/socket` and `server/rooms/actor` do: sessions, the inbox, and what a host asks for.

mod faults;
mod requests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use lockstep::dashboard::{DashboardId, SessionId};
use lockstep::sync::host::{
    Answer, Ended, Grant, Host, HostLimits, Input, Join, Member, MemberKind, Output, Tail, TailBudget, Tick,
    Time, Trouble,
};
use lockstep::sync::protocol::{Change, Code, Commit, Joined, Peers, Resume, ServerMessage, close};
use lockstep::sync::room::Room;

use self::faults::Judging;
use super::check::MadeId;
use super::network::{ConnId, Down, Told, Up};
use super::world::{Backup, Event, Fault, World};

/// When clients come back to a room that cannot be opened.
const FAILED_RETRY_MS: u64 = 500;
/// How long a session may be silent.
const SILENCE_MS: u64 = 30_000;
/// Of a hundred frames, how many are more than their reader's queue takes.
const OVERFLOWS: u64 = 1;
/// Commits that the tail in memory has at most: what comes before them is read from the disk.
const TAIL_COMMITS: u64 = 4;

pub struct Node {
    up: bool,
    /// `None` also where it could not be read: who joins opens it.
    host: Option<Host<ConnId>>,
    /// Counts starts: what was planned before a crash does not happen after it.
    boot: u64,
    /// When each session was heard last.
    sessions: BTreeMap<ConnId, u64>,
    inbox: VecDeque<Message>,
    /// What is judged and was noted in the ledger, by its last revision.
    noted: u64,
    /// What brings the one who joins up to date: commits, or nothing for a snapshot.
    content: Option<Vec<Arc<str>>>,
    /// What the host is asked to judge, for the ledger.
    judging: Option<Judging>,
    /// Whose push that is.
    sender: ConnId,
    /// Commits of which something else is written and told than what the host made of them.
    falsified: BTreeMap<u64, Arc<str>>,
    /// The log that a join says it is from.
    stale_epoch: Option<String>,
    /// True where the room has not looked at roles since they changed.
    pub roles_changed: bool,
    /// Commits behind the log's end that can be resumed from: before them it is a snapshot.
    reach: u64,
}

enum Message {
    Push(ConnId, Change, MadeId),
    Join(ConnId, Option<Resume>),
    Leave(ConnId),
    Touch(ConnId),
    Drain(u64),
}

impl Node {
    pub fn new(reach: u64) -> Self {
        Self {
            up: false,
            host: None,
            boot: 0,
            sessions: BTreeMap::new(),
            inbox: VecDeque::new(),
            noted: 0,
            content: None,
            judging: None,
            sender: 0,
            falsified: BTreeMap::new(),
            stale_epoch: None,
            roles_changed: false,
            reach,
        }
    }

    pub fn is_up(&self) -> bool {
        self.up
    }

    pub fn room(&self) -> Option<&Room> {
        self.host.as_ref().map(Host::room)
    }

    pub fn sessions(&self) -> Vec<ConnId> {
        self.sessions.keys().copied().collect()
    }

    pub fn has(&self, conn: ConnId) -> bool {
        self.sessions.contains_key(&conn)
    }

    /// Whether all that came in has been told.
    pub fn is_idle(&self) -> bool {
        let is_ready = self.host.as_ref().is_some_and(|host| host.is_ready() && host.judged().count() == 0);
        self.up && is_ready && self.inbox.is_empty() && !self.roles_changed
    }
}

pub fn dashboard_id() -> DashboardId {
    DashboardId::new("d1").expect("an id")
}

/// A session's id, in the order of connections.
fn session_of(conn: ConnId) -> SessionId {
    SessionId::new(format!("s{conn:08}")).expect("an id")
}

fn conn_of(session: &SessionId) -> ConnId {
    session.as_str()[1..].parse().expect("made of a number")
}

impl World {
    /// The server starts, with what its disk has.
    pub fn start_server(&mut self) {
        if self.node.is_up() {
            return;
        }
        let reach = self.node.reach;
        self.node = Node { up: true, boot: self.node.boot + 1, ..Node::new(reach) };
        self.open_room();
        self.change_role_on_start();
    }

    /// The server is gone, without a word.
    pub fn stop_server(&mut self, told: Told) {
        if !self.node.is_up() {
            return;
        }
        self.report.server_crashes += 1;
        self.cut_all(told);
        (self.node.up, self.node.host) = (false, None);
        self.node.sessions.clear();
        self.report.came_back += u64::from(self.disk.crash(&mut self.random));
    }

    /// The server is told to stop in good order, and says when to come back.
    pub fn drain_server(&mut self) {
        if self.node.host.is_some() {
            let retry_after_ms = self.random.between(500, 3_000);
            self.node.inbox.push_back(Message::Drain(retry_after_ms));
            self.work();
        }
    }

    /// A frame from a tab.
    pub fn server_hears(&mut self, conn: ConnId, message: Up) {
        if !self.node.is_up() {
            return;
        }
        let now = self.now;
        match (self.node.sessions.get_mut(&conn), &message) {
            (Some(heard_at), _) => *heard_at = now,
            (None, Up::Hello) => {
                self.node.sessions.insert(conn, now);
                self.at(now + SILENCE_MS, Event::Silence(conn));
            }
            (None, _) => return,
        }
        self.node.inbox.push_back(Message::Touch(conn));
        match message {
            Up::Hello => {
                let tab = &self.tabs[self.conns[conn as usize].tab];
                let welcome = ServerMessage::Welcome {
                    protocol: 1,
                    client: tab.author.client.clone(),
                    session: session_of(conn),
                    user: tab.author.by.clone(),
                    heartbeat_ms: 10_000,
                    build: String::new(),
                    now: None,
                };
                self.say(conn, welcome);
            }
            Up::Ping(id) => self.say(conn, ServerMessage::Pong { id }),
            Up::Join(resume) => self.node.inbox.push_back(Message::Join(conn, resume)),
            Up::Push(changes) => {
                let push = changes.into_iter().map(|(change, id)| Message::Push(conn, change, id));
                self.node.inbox.extend(push);
            }
        }
        self.work();
    }

    /// A connection is known to be gone.
    pub fn server_lost(&mut self, conn: ConnId) {
        if self.node.sessions.remove(&conn).is_some() {
            self.node.inbox.push_back(Message::Leave(conn));
            self.work();
        }
    }

    /// Looks whether a session has been silent for too long.
    pub fn server_listens(&mut self, conn: ConnId) {
        let Some(heard_at) = self.node.sessions.get(&conn) else { return };
        let until = heard_at + SILENCE_MS;
        if until <= self.now {
            self.send_down(conn, Down::Close(close::SILENT));
            self.server_lost(conn);
        } else {
            self.at(until, Event::Silence(conn));
        }
    }

    pub fn say(&mut self, conn: ConnId, message: ServerMessage) {
        self.check_told(conn, &message);
        self.send_down(conn, Down::Says(Box::new(message)));
    }

    fn time(&self) -> Time {
        Time { elapsed: Duration::from_millis(self.now), unix_ms: self.wall_ms() }
    }

    /// Takes what waits, until something has to be durable first.
    pub fn work(&mut self) {
        let is_ready = |world: &Self| world.node.host.as_ref().is_none_or(Host::is_ready);
        while self.node.up && is_ready(self) {
            match self.node.inbox.pop_front() {
                Some(message) => self.take(message),
                None => break,
            }
        }
        if self.node.host.as_ref().is_some_and(Host::is_ready) {
            self.give(Input::Flush);
        }
        if let Some(host) = self.node.host.as_ref().filter(|host| host.is_ready())
            && host.deadline() <= self.time().elapsed
        {
            self.give(Input::Tick(Tick { rooms: 1, is_quiet: true }));
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Push(conn, change, id) => self.judge(conn, change, id),
            Message::Join(conn, resume) => self.join(conn, resume),
            Message::Leave(_) if self.fault == Some(Fault::KeepsPresenceOfTheGone) => {}
            Message::Leave(conn) => self.give(Input::Leave(session_of(conn))),
            Message::Touch(conn) => self.give(Input::Touch(session_of(conn))),
            Message::Drain(retry_after_ms) => self.give(Input::Drain { retry_after_ms }),
        }
    }

    fn join(&mut self, conn: ConnId, resume: Option<Resume>) {
        if !self.node.has(conn) {
            return;
        }
        if self.node.host.is_none() && !self.open_room() {
            let (code, reason) = (Code::Internal, "The store does not answer.".to_owned());
            let (retry_after_ms, dashboard) = (Some(FAILED_RETRY_MS), None);
            let error = ServerMessage::Error { code, reason, retry_after_ms, in_bin: false, dashboard };
            return self.say(conn, error);
        }
        let tab = self.conns[conn as usize].tab;
        let member = Member {
            session: session_of(conn),
            author: self.tabs[tab].author.clone(),
            owner: false,
            kind: MemberKind::Person,
            network: None,
            follows_compactions: true,
            endpoint: conn,
        };
        let (resume, vouched) = self.read_token(resume);
        let grant = self.grant_of(conn);
        self.give(Input::Join(Box::new(Join { member, grant, resume, vouched })));
    }

    /// Hands an input to the host, where there is a room, and performs what follows.
    fn give(&mut self, input: Input<ConnId>) {
        self.follow_roles(&input);
        let (now, mut outputs) = (self.time(), Vec::new());
        if let Some(host) = &mut self.node.host {
            host.handle(now, input, &mut outputs);
        }
        self.note_judged();
        for output in outputs {
            if !self.is_dropped(&output) {
                self.perform_output(output);
            }
        }
    }

    /// Gives the host the roles that changed, before it judges or tells.
    fn follow_roles(&mut self, before: &Input<ConnId>) {
        let late = matches!(before, Input::Answer(Answer::Appended(_)));
        let Some(host) = &self.node.host else { return };
        let passed_over = late && self.fault == Some(Fault::TellsBeforeRoles);
        if !self.node.roles_changed || passed_over {
            return;
        }
        self.node.roles_changed = false;
        let conns: Vec<ConnId> = host.members().chain(host.joining()).map(|member| member.endpoint).collect();
        let grants = conns.into_iter().map(|conn| (session_of(conn), self.grant_of(conn)));
        let grants: Vec<(SessionId, Option<Grant>)> = match self.fault {
            Some(Fault::AsksRolesAtJoinOnly) => return,
            Some(Fault::TellsThoseWithoutRole) => grants.filter(|(_, grant)| grant.is_some()).collect(),
            _ => grants.collect(),
        };
        self.give(Input::Roles(grants));
    }

    fn perform_output(&mut self, output: Output<ConnId>) {
        match output {
            Output::Request(request) => self.ask(request),
            Output::Commits { bodies, digests, end } => {
                let full = self.node.room().filter(|_| end.is_some()).map(Room::full_digest);
                let full_digest = digests.map(|digests| digests.full).or(full);
                let token = self.token(end);
                let commits: Vec<Commit> = bodies.iter().map(|body| self.told(body)).collect();
                for conn in self.members() {
                    let (dashboard, commits) = (dashboard_id(), commits.clone());
                    let (digest, full_digest) = (None, full_digest.clone());
                    let (token, forgotten) = (token.clone(), None);
                    if self.overflows(conn) {
                        continue;
                    }
                    self.say(
                        conn,
                        ServerMessage::Commits { dashboard, commits, digest, full_digest, token, forgotten },
                    );
                }
            }
            Output::Joined(admitted) => {
                let Some(room) = self.node.room() else { return };
                let epoch = self.node.stale_epoch.clone().unwrap_or_else(|| room.epoch().to_owned());
                let snapshot = self.node.content.is_none().then(|| room.dashboard().clone());
                let content = self.node.content.take();
                let commits = content.map(|bodies| bodies.iter().map(|body| self.told(body)).collect());
                self.report.joins += 1;
                self.report.snapshot_joins += u64::from(snapshot.is_some());
                self.check_peers(&admitted.peers);
                let joined = Joined {
                    dashboard: dashboard_id(),
                    role: admitted.role,
                    owner: admitted.owner,
                    epoch,
                    revision: admitted.revision,
                    token: self.token(admitted.end),
                    last_seq: admitted.last_seq,
                    snapshot,
                    commits,
                    peers: admitted.peers,
                };
                self.say(conn_of(&admitted.session), ServerMessage::Joined(Box::new(joined)));
            }
            Output::Send { to, message } => {
                let again = matches!(message, ServerMessage::Commits { .. });
                self.report.again += u64::from(again);
                self.say(conn_of(&to), message);
            }
            Output::Again { to, body } => {
                self.report.again += 1;
                let (dashboard, commits) = (dashboard_id(), vec![self.told(&body)]);
                let (digest, full_digest, token, forgotten) = (None, None, None, None);
                let again =
                    ServerMessage::Commits { dashboard, commits, digest, full_digest, token, forgotten };
                self.say(conn_of(&to), again);
            }
            Output::Dismiss { endpoint, message } => {
                let let_go = matches!(message, ServerMessage::Error { code: Code::Forbidden, .. });
                self.report.let_go += u64::from(let_go);
                self.say(endpoint, message);
            }
            Output::Fence(conn) => {
                self.node.sessions.remove(&conn);
                self.send_down(conn, Down::Close(close::TOO_MANY));
            }
            Output::Presence(peers) => self.check_peers(&peers),
            Output::Committed(_) => self.committed(),
            Output::Rebuilt => self.note_opened(),
            Output::SaveSnapshot { .. } => {
                let well = self.save_snapshot();
                self.give(Input::SnapshotSaved(well));
            }
            Output::Trouble(trouble @ (Trouble::ChangePanicked { .. } | Trouble::DocumentPanicked)) => {
                self.ledger.fails(format!("panicked: {trouble}"));
            }
            Output::Ended(ended) => self.ended(&ended),
            Output::NotJoined => self.answer_stranger(self.node.sender),
            Output::PeopleChanged | Output::Deserted | Output::Merged(_) | Output::Trouble(_) => {}
        }
    }

    /// Now and then the queue of a reader is full: the frame does not go out, and the reader is closed.
    fn overflows(&mut self, conn: ConnId) -> bool {
        let overflows = !self.quiet && self.strangers.percent(OVERFLOWS);
        if overflows && self.node.sessions.remove(&conn).is_some() {
            self.send_down(conn, Down::Close(close::TOO_SLOW));
            self.give(Input::Lost(session_of(conn)));
        }
        overflows
    }

    fn members(&self) -> Vec<ConnId> {
        let members = self.node.host.iter().flat_map(Host::members);
        members.map(|member| member.endpoint).collect()
    }

    /// Everybody has heard of what is durable.
    fn committed(&mut self) {
        if self.random.percent(self.climate.snapshots) {
            self.save_snapshot();
        }
        if self.random.percent(10) {
            let Some(room) = self.node.room() else { return };
            let (end, epoch) = (room.revision(), room.epoch().to_owned());
            let (file, directory) = (self.disk.backup(), self.roles.directory.clone());
            self.backups.push(Backup { end, epoch, file, directory });
        }
    }

    /// S8: who is shown is here.
    fn check_peers(&mut self, peers: &Peers) {
        let Some(host) = &self.node.host else { return };
        let leaves = |message: &Message, conn| matches!(message, Message::Leave(gone) if *gone == conn);
        let is_here = |session: &SessionId| {
            let conn = conn_of(session);
            let is_known = self.node.has(conn) || self.node.inbox.iter().any(|message| leaves(message, conn));
            is_known && host.member(session).is_some()
        };
        let wrong = peers.iter().find(|(session, peer)| peer.is_some() && !is_here(session));
        if let Some((session, _)) = wrong {
            self.ledger.fails(format!("S8: {session} is shown and is not here"));
        }
    }

    /// The room has ended: everybody in it, or on the way in, comes back later.
    fn ended(&mut self, ended: &Ended) {
        let Some(mut host) = self.node.host.take() else { return };
        let (message, code, _) = ended.goodbye();
        let mut conns: Vec<ConnId> = host.take_members().iter().map(|member| member.endpoint).collect();
        let inbox = std::mem::take(&mut self.node.inbox);
        let joining = inbox.iter().filter_map(|message| match message {
            Message::Join(conn, _) => Some(*conn),
            Message::Push(..) | Message::Leave(_) | Message::Touch(_) | Message::Drain(_) => None,
        });
        conns.extend(joining);
        conns.sort_unstable();
        conns.dedup();
        for conn in conns {
            if self.node.sessions.remove(&conn).is_some() {
                self.say(conn, message.clone());
                self.send_down(conn, Down::Close(code));
            }
        }
        match ended {
            Ended::Failed => self.report.rooms_failed += 1,
            Ended::Drained { .. } => {
                if host.begin_last_snapshot(self.time()) {
                    self.save_state(&host);
                }
                self.disk.sync();
                self.node.up = false;
                for conn in self.node.sessions() {
                    self.send_down(conn, Down::Close(code));
                }
                self.node.sessions.clear();
                let wait = self.random.between(50, 5_000);
                self.after(wait, Event::StartServer);
            }
            Ended::Idle | Ended::Deleted { .. } | Ended::Restored => {}
        }
    }
}

/// The limits of a room.
fn limits(reach: u64, compact_from: usize) -> HostLimits {
    HostLimits {
        widgets: lockstep::dashboard::MAX_WIDGETS,
        dashboard_bytes: lockstep::dashboard::size::MAX_DASHBOARD_BYTES,
        compact_from,
        sessions: 200,
        sessions_per_network: 200,
        screens: 200,
        outbound_bytes: 1024 * 1024,
        idle_ms: 60_000,
        log_commits: reach.min(5_000) as usize,
        log_bytes: 16 * 1024 * 1024,
        tail_bytes: 16 * 1024 * 1024,
    }
}

/// An empty tail.
fn tail(commits: u64) -> Tail {
    Tail::new(commits.min(TAIL_COMMITS) as usize, usize::MAX, TailBudget::new(usize::MAX))
}
