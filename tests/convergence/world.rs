//! Some people, their copies, a network that loses, doubles and delays, and the room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lockstep::dashboard::splice::Splice;
use lockstep::dashboard::{
    Choice, ClientId, Dashboard, DashboardId, Frame, Kind, Op, User, UserId, Widget, WidgetId,
};
use lockstep::sync::protocol::{Change, Code, Commit, Joined, Peers, Resume, Role};
use lockstep::sync::replica::{Along, Notice, Replica, Seen, Taken, Undone};
use lockstep::sync::room::{Author, Room, RoomState, Verdict};

use crate::ends;

pub const CLIENTS: usize = 4;
pub const WIDGETS: usize = 5;

#[derive(Clone, Debug)]
pub enum Doing {
    Add(usize, Kind, Frame),
    Remove(usize),
    Restore(usize),
    Place(usize, Frame),
    Title(usize, u8),
    Unit(usize, u8),
    DashboardTitle(u8),
    Strategy(u8),
    Type(usize, u32, u32, u8),
    /// A value of the dashboard, and along with it a title and some typing in a note.
    Along(usize, usize, u8),
    Settle(u8),
    /// Begins to write in a field: the next value was begun now.
    Begin,
    Undo,
    Redo,
}

#[derive(Clone, Debug)]
pub enum Step {
    Do(usize, Doing),
    Push(usize),
    Up(usize),
    UpTwice(usize),
    Down(usize),
    Cut(usize),
    /// The log gets what it pushes, and the line is cut before the answer.
    Unanswered(usize),
    Join(usize),
    /// The room is built anew from its log, as after a crash.
    Reopen,
}

enum Down {
    Joined(Box<Joined>),
    Commits(Vec<Commit>, Option<String>),
    Forgotten(u64),
    Rejected(u64, Code, String, u64),
}

pub struct Client {
    pub replica: Replica,
    pub author: Author,
    pub online: bool,
    up: VecDeque<Vec<Change>>,
    down: VecDeque<Down>,
    /// Changes that it made.
    pub made: u64,
    /// When somebody began to write in a field, and has not written yet.
    pub began: Option<Seen>,
    /// What it was told of them.
    pub notices: Vec<Notice>,
}

pub struct World {
    pub room: Room,
    start: RoomState,
    pub log: Vec<Commit>,
    /// Every change as it was committed, by its author and seq.
    pub changes: BTreeMap<(ClientId, u64), Vec<Op>>,
    pub clients: Vec<Client>,
    /// Every character that was typed, each another one, with who typed it.
    pub typed: BTreeMap<char, usize>,
    /// The characters that somebody deleted.
    pub deleted: BTreeSet<char>,
    /// True where the log now and then has let go of what is asked for again.
    pub forgets: bool,
    now: u64,
}

pub fn widget_id(n: usize) -> WidgetId {
    WidgetId::new(format!("w{n}")).expect("an id")
}

impl World {
    pub fn new() -> Self {
        let room = Room::new("e1".to_owned(), Dashboard::new("Start"));
        let clients = (0..CLIENTS)
            .map(|n| {
                // Clients 0 and 1 are two devices of one person.
                let by = User {
                    id: UserId::new(format!("u{}", n.max(1))).expect("an id"),
                    name: format!("N{n}"),
                    color: "#123456".into(),
                };
                let client = ClientId::new(format!("c{n}")).expect("an id");
                Client {
                    replica: Replica::new(1000 + n as u64, Dashboard::default(), by.clone()),
                    author: Author { client, by, role: Role::Editor, may_query: true },
                    online: false,
                    up: VecDeque::new(),
                    down: VecDeque::new(),
                    made: 0,
                    began: None,
                    notices: Vec::new(),
                }
            })
            .collect();
        Self {
            start: room.state(),
            room,
            log: Vec::new(),
            changes: BTreeMap::new(),
            clients,
            typed: BTreeMap::new(),
            deleted: BTreeSet::new(),
            forgets: true,
            now: 1,
        }
    }

    pub fn step(&mut self, step: &Step) {
        self.now += 1;
        match step {
            Step::Do(n, doing) => self.act(*n, doing),
            Step::Push(n) => {
                let client = &mut self.clients[*n];
                if client.online {
                    let push = client.replica.to_push();
                    if !push.is_empty() {
                        client.up.push_back(push);
                    }
                }
            }
            Step::Up(n) => {
                if let Some(push) = self.clients[*n].up.pop_front() {
                    self.judge(*n, &push);
                }
            }
            Step::UpTwice(n) => {
                if let Some(push) = self.clients[*n].up.pop_front() {
                    self.judge(*n, &push);
                    self.judge(*n, &push);
                }
            }
            Step::Down(n) => self.deliver(*n),
            Step::Cut(n) => self.cut(*n),
            Step::Unanswered(n) => {
                self.step(&Step::Push(*n));
                self.step(&Step::Up(*n));
                self.cut(*n);
            }
            Step::Join(n) => self.join(*n),
            Step::Reopen => {
                let mut again = Room::from_state(self.start.clone());
                self.log.iter().for_each(|commit| again.replay(commit));
                assert_eq!(again.full_digest(), self.room.full_digest(), "S1: the log gives the room");
                self.room = again;
            }
        }
    }

    pub fn act(&mut self, n: usize, doing: &Doing) {
        let client = &mut self.clients[n];
        let replica = &mut client.replica;
        let before = replica.pending();
        let op = match doing.clone() {
            Doing::Add(w, kind, frame) => {
                let w = widget_id(w * 10 + n);
                Op::AddWidget { id: w, widget: Box::new(Widget::new(kind, "New", frame)) }
            }
            Doing::Remove(w) => Op::RemoveWidget { id: pick(replica, w) },
            Doing::Restore(w) => {
                let Some(id) = replica.view().removed.keys().nth(w) else { return };
                Op::RestoreWidget { id: id.clone() }
            }
            Doing::Place(w, frame) => Op::Place { id: pick(replica, w), frame, settled: false },
            Doing::Title(w, v) => {
                Op::Set { id: pick(replica, w), field: "title".into(), value: format!("T{v}").into() }
            }
            Doing::Unit(w, v) => {
                Op::Set { id: pick(replica, w), field: "unit".into(), value: format!("u{v}").into() }
            }
            Doing::DashboardTitle(v) => {
                Op::SetDashboard { field: "title".into(), value: format!("D{v}").into() }
            }
            Doing::Strategy(v) => {
                let value = ["latest", "first", "ask"][usize::from(v) % 3].into();
                Op::SetDashboard { field: "conflicts".into(), value }
            }
            Doing::Type(w, at, remove, v) => {
                let id = pick(replica, w);
                let first = self.typed.len() as u32;
                let new: String = (first..=first + u32::from(v) % 3).map(character).collect();
                let shown = ends::characters(replica.view());
                if replica.type_text(&id, at, remove, &new, self.now).is_ok() {
                    client.made += (replica.pending() - before) as u64;
                    self.typed.extend(new.chars().map(|new| (new, n)));
                    self.deleted.extend(shown.difference(&ends::characters(replica.view())));
                }
                return;
            }
            Doing::Along(w, at, v) => {
                let id = pick(replica, w);
                let Some(text) = replica.view().text(&id) else { return };
                let at = text.plain().chars().take(at).map(|c| c.len_utf16() as u32).sum();
                let new = character(self.typed.len() as u32);
                let splice = Splice { at, removed: String::new(), inserted: new.to_string() };
                let title = Op::Set { id: id.clone(), field: "title".into(), value: format!("T{v}").into() };
                let along = Along { ops: vec![title], texts: vec![(id, vec![splice])], ..Along::default() };
                let value = Op::SetDashboard { field: "title".into(), value: format!("D{v}").into() };
                let began = client.began.take().unwrap_or(replica.seen());
                if replica.edit_along(vec![value], began, along).is_ok() {
                    client.made += (replica.pending() - before) as u64;
                    self.typed.insert(new, n);
                }
                return;
            }
            Doing::Settle(v) => {
                let Some(conflict) = replica.view().open_conflicts().next().map(|c| c.id.clone()) else {
                    return;
                };
                let choose = if v % 2 == 0 { Choice::Kept } else { Choice::Other };
                Op::SettleConflict { conflict, choose }
            }
            Doing::Begin => {
                client.began = Some(replica.seen());
                return;
            }
            Doing::Undo | Doing::Redo => {
                let shown = ends::characters(replica.view());
                let undone = match doing {
                    Doing::Undo => replica.undo(),
                    _ => replica.redo(),
                };
                if let Ok(Undone::Done(_)) = undone {
                    client.made += (replica.pending() - before) as u64;
                    self.deleted.extend(shown.difference(&ends::characters(replica.view())));
                }
                return;
            }
        };
        self.edit(n, vec![op]);
    }

    /// Edits as one change, where the copy lets it.
    pub fn edit(&mut self, n: usize, ops: Vec<Op>) {
        let client = &mut self.clients[n];
        let written = matches!(ops[..], [Op::Set { .. } | Op::SetDashboard { .. }]);
        let began = client.began.take_if(|_| written).unwrap_or(client.replica.seen());
        if client.replica.edit_begun(ops, began).is_ok() {
            client.made += 1;
        }
    }

    fn judge(&mut self, n: usize, push: &[Change]) {
        for change in push {
            let author = self.clients[n].author.clone();
            match self.room.judge(&author, change, self.now) {
                Verdict::Committed(commit) => {
                    let new = self.changes.insert((author.client.clone(), change.seq), change.ops.clone());
                    assert!(new.is_none(), "S2: applied twice");
                    ends::one_end(change, &commit);
                    self.log.push((*commit).clone());
                    let digest = Some(self.room.full_digest());
                    for client in self.clients.iter_mut().filter(|client| client.online) {
                        client.down.push_back(Down::Commits(vec![(*commit).clone()], digest.clone()));
                    }
                }
                Verdict::Again => {
                    let same = |c: &&Commit| c.client == author.client && c.seq == change.seq;
                    let commit = self.log.iter().find(same).cloned().expect("in the log already");
                    let forgot = self.forgets && self.now.is_multiple_of(5);
                    let answer = match forgot {
                        true => Down::Forgotten(change.seq),
                        false => Down::Commits(vec![commit], None),
                    };
                    self.clients[n].down.push_back(answer);
                }
                Verdict::Rejected { code, reason, expected } => {
                    self.clients[n].down.push_back(Down::Rejected(change.seq, code, reason, expected));
                }
            }
        }
    }

    pub fn deliver(&mut self, n: usize) {
        let Some(message) = self.clients[n].down.pop_front() else { return };
        let client = &mut self.clients[n];
        let taken = match message {
            Down::Joined(joined) => client.replica.joined(&client.author.client, &client.author.by, *joined),
            Down::Commits(commits, digest) => client.replica.commits(commits, digest.as_deref(), None),
            Down::Forgotten(seq) => Taken { changes: client.replica.forgotten(seq), lost: None },
            Down::Rejected(seq, code, reason, expected) => {
                assert_eq!(code, Code::OutOfOrder, "{reason}");
                Taken { changes: client.replica.rejected(seq, code, reason, expected), lost: None }
            }
        };
        client.notices.extend(taken.changes.notices);
        assert_eq!(taken.lost, None, "a copy that follows in order is never lost (S11)");
    }

    pub fn cut(&mut self, n: usize) {
        let client = &mut self.clients[n];
        client.online = false;
        client.up.clear();
        client.down.clear();
        client.replica.disconnected();
    }

    pub fn join(&mut self, n: usize) {
        // Every other join finds that the tail is gone.
        let resume = self.clients[n].replica.resume().filter(|_| self.now.is_multiple_of(2));
        self.join_with(n, resume);
    }

    /// Joins to get the tail after `resume`, or a snapshot.
    pub fn join_with(&mut self, n: usize, resume: Option<Resume>) {
        self.cut(n);
        let client = &mut self.clients[n];
        let tail = resume.map(|resume| {
            let after = |c: &&Commit| c.revision > resume.revision;
            self.log.iter().filter(after).cloned().collect::<Vec<_>>()
        });
        let joined = Joined {
            dashboard: DashboardId::new("d1").expect("an id"),
            role: Role::Editor,
            owner: false,
            epoch: self.room.epoch().to_owned(),
            revision: self.room.revision(),
            token: None,
            last_seq: self.room.last_seq(&client.author.client),
            snapshot: tail.is_none().then(|| self.room.dashboard().clone()),
            commits: tail,
            peers: Peers::new(),
        };
        client.online = true;
        // As it travels: what a client sees went through JSON.
        let text = serde_json::to_string(&joined).expect("JSON");
        client.down.push_back(Down::Joined(Box::new(serde_json::from_str(&text).expect("JSON"))));
    }

    pub fn quiet(&mut self) {
        for n in 0..CLIENTS {
            self.join(n);
        }
        for _ in 0..200 {
            for n in 0..CLIENTS {
                self.step(&Step::Push(n));
                while !self.clients[n].up.is_empty() {
                    self.step(&Step::Up(n));
                }
            }
            for n in 0..CLIENTS {
                while !self.clients[n].down.is_empty() {
                    self.deliver(n);
                }
            }
            if self.clients.iter().all(|client| client.replica.pending() == 0) {
                return;
            }
        }
        panic!("it never becomes quiet");
    }
}

/// A character that stands for one keystroke: every other one takes two units of UTF-16.
fn character(n: u32) -> char {
    char::from_u32(if n.is_multiple_of(2) { 0x4e00 + n } else { 0x2_0000 + n }).expect("an ideograph")
}

/// A widget that the client sees, or one that it does not.
pub fn pick(replica: &Replica, n: usize) -> WidgetId {
    replica.view().widgets.keys().nth(n).cloned().unwrap_or_else(|| widget_id(n))
}
