//! Any changes of any number of clients, in any interleaving, with loss, duplication, reordering
//! across clients and reconnects: once it is quiet, all copies are equal and every op has one end.

use std::collections::{BTreeMap, VecDeque};

use lockstep::dashboard::{
    Choice, ClientId, Dashboard, DashboardId, Edit, Frame, Kind, Op, Stamp, User, UserId, Widget, WidgetId,
};
use lockstep::sync::protocol::{Change, Code, Commit, Joined, Peers, Role};
use lockstep::sync::replica::{Replica, Undone};
use lockstep::sync::room::{Author, Room, Verdict};
use proptest::prelude::*;

const CLIENTS: usize = 4;
const WIDGETS: usize = 5;

#[derive(Clone, Debug)]
enum Doing {
    Add(usize, Kind, Frame),
    Remove(usize),
    Restore(usize),
    Place(usize, Frame),
    Title(usize, u8),
    Unit(usize, u8),
    DashboardTitle(u8),
    Strategy(u8),
    Type(usize, u32, u32, u8),
    Settle(u8),
    Undo,
    Redo,
}

#[derive(Clone, Debug)]
enum Step {
    Do(usize, Doing),
    Push(usize),
    Up(usize),
    UpTwice(usize),
    Down(usize),
    Cut(usize),
    Join(usize),
    /// The room is built anew from its log, as after a crash.
    Reopen,
}

enum Down {
    Joined(Box<Joined>),
    Commits(Vec<Commit>, Option<String>),
    Rejected(u64, Code, String, u64),
}

struct Client {
    replica: Replica,
    author: Author,
    online: bool,
    up: VecDeque<Vec<Change>>,
    down: VecDeque<Down>,
    made: u64,
    set_aside: u64,
}

struct World {
    room: Room,
    start: lockstep::sync::room::RoomState,
    log: Vec<Commit>,
    /// Every change as it was committed, by its author and seq.
    changes: BTreeMap<(ClientId, u64), Vec<Op>>,
    clients: Vec<Client>,
    now: u64,
}

fn widget_id(n: usize) -> WidgetId {
    WidgetId::new(format!("w{n}")).expect("an id")
}

impl World {
    fn new() -> Self {
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
                    author: Author { client, by, role: Role::Editor },
                    online: false,
                    up: VecDeque::new(),
                    down: VecDeque::new(),
                    made: 0,
                    set_aside: 0,
                }
            })
            .collect();
        Self { start: room.state(), room, log: Vec::new(), changes: BTreeMap::new(), clients, now: 1 }
    }

    fn step(&mut self, step: &Step) {
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
            Step::Join(n) => self.join(*n),
            Step::Reopen => {
                let mut again = Room::from_state(self.start.clone());
                self.log.iter().for_each(|commit| again.replay(commit));
                assert_eq!(again.digest(), self.room.digest(), "S1: the log gives the room");
                self.room = again;
            }
        }
    }

    fn act(&mut self, n: usize, doing: &Doing) {
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
                if replica.type_text(&id, at, remove, &format!("{v}é😀"), self.now).is_ok() {
                    client.made += (replica.pending() - before) as u64;
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
            Doing::Undo | Doing::Redo => {
                let undone = match doing {
                    Doing::Undo => replica.undo(),
                    _ => replica.redo(),
                };
                if let Ok(Undone::Done(_)) = undone {
                    client.made += (replica.pending() - before) as u64;
                }
                return;
            }
        };
        if replica.edit(vec![op]).is_ok() {
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
                    one_end(change, &commit);
                    self.log.push((*commit).clone());
                    let digest = Some(self.room.digest());
                    for client in self.clients.iter_mut().filter(|client| client.online) {
                        client.down.push_back(Down::Commits(vec![(*commit).clone()], digest.clone()));
                    }
                }
                Verdict::Again => {
                    let same = |c: &&Commit| c.client == author.client && c.seq == change.seq;
                    let commit = self.log.iter().find(same).cloned().expect("in the log already");
                    self.clients[n].down.push_back(Down::Commits(vec![commit], None));
                }
                Verdict::Rejected { code, reason, expected } => {
                    self.clients[n].down.push_back(Down::Rejected(change.seq, code, reason, expected));
                }
            }
        }
    }

    fn deliver(&mut self, n: usize) {
        let Some(message) = self.clients[n].down.pop_front() else { return };
        let client = &mut self.clients[n];
        let lost = match message {
            Down::Joined(joined) => {
                client.replica.joined(&client.author.client, &client.author.by, *joined).lost
            }
            Down::Commits(commits, digest) => client.replica.commits(commits, digest.as_deref()).lost,
            Down::Rejected(seq, code, reason, expected) => {
                assert_eq!(code, Code::OutOfOrder, "{reason}");
                let changes = client.replica.rejected(seq, code, reason, expected);
                client.set_aside += changes.notices.len() as u64;
                None
            }
        };
        assert_eq!(lost, None, "a copy that follows in order is never lost (S11)");
    }

    fn cut(&mut self, n: usize) {
        let client = &mut self.clients[n];
        client.online = false;
        client.up.clear();
        client.down.clear();
        client.replica.disconnected();
    }

    fn join(&mut self, n: usize) {
        self.cut(n);
        let client = &mut self.clients[n];
        let resume = client.replica.resume();
        // Every third join finds that the tail is gone.
        let tail = resume.filter(|_| !self.now.is_multiple_of(3)).map(|resume| {
            let after = |c: &&Commit| c.revision > resume.revision;
            self.log.iter().filter(after).cloned().collect::<Vec<_>>()
        });
        let joined = Joined {
            dashboard: DashboardId::new("d1").expect("an id"),
            role: Role::Editor,
            epoch: self.room.epoch().to_owned(),
            revision: self.room.revision(),
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

    fn quiet(&mut self) {
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

    fn check(&self) {
        let truth = self.room.dashboard();
        for client in &self.clients {
            assert_eq!(client.replica.confirmed(), truth);
            assert_eq!(client.replica.view(), truth);
            assert_eq!(client.replica.revision(), self.room.revision());
            // Snapshots that skip verdicts aside, each change that was made is in the log, once.
            let logged = self.changes.keys().filter(|(c, _)| *c == client.author.client).count() as u64;
            assert_eq!(logged + client.set_aside, client.made, "S4: {:?}", client.author.client);
        }
        let frames: Vec<Frame> = truth.frames().into_values().collect();
        for (n, a) in frames.iter().enumerate() {
            assert!(frames[n + 1..].iter().all(|b| !a.overlaps(*b)), "S9");
        }
    }
}

/// A widget that the client sees, or one that it does not.
fn pick(replica: &Replica, n: usize) -> WidgetId {
    replica.view().widgets.keys().nth(n).cloned().unwrap_or_else(|| widget_id(n))
}

/// S4: every op of a committed change has exactly one of the four ends.
fn one_end(change: &Change, commit: &Commit) {
    for (index, op) in change.ops.iter().enumerate() {
        let refused = commit.refused.iter().any(|refused| refused.index == index);
        let cell = op.cell();
        let record = commit.conflicts.iter().find(|conflict| Some(&conflict.cell) == cell.as_ref());
        let kept_out = commit.conflicts.iter().any(|conflict| {
            conflict.other.by == commit.by
                && (Some(&conflict.cell) == cell.as_ref() || conflict.cell.id.as_ref() == op.widget_id())
        });
        let effective = commit.ops.iter().any(|effective| match (effective, op) {
            (Op::Place { id: a, .. }, Op::Place { id: b, .. }) => a == b,
            (Op::AddWidget { id: a, .. }, Op::AddWidget { id: b, .. }) => a == b,
            (a, b) => a == b,
        });
        let ends = [refused, effective, !effective && !refused && kept_out];
        assert_eq!(ends.iter().filter(|end| **end).count(), 1, "{op:?} {record:?} {commit:?}");
    }
}

fn frame() -> impl Strategy<Value = Frame> {
    (0u16..20, 0u16..20, 1u16..12, 1u16..8).prop_map(|(x, y, w, h)| Frame::new(x, y, w, h))
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL.to_vec())
}

fn doing() -> impl Strategy<Value = Doing> {
    let w = 0..WIDGETS;
    prop_oneof![
        3 => (w.clone(), kind(), frame()).prop_map(|(w, k, f)| Doing::Add(w, k, f)),
        1 => w.clone().prop_map(Doing::Remove),
        1 => w.clone().prop_map(Doing::Restore),
        3 => (w.clone(), frame()).prop_map(|(w, f)| Doing::Place(w, f)),
        3 => (w.clone(), any::<u8>()).prop_map(|(w, v)| Doing::Title(w, v)),
        2 => (w.clone(), any::<u8>()).prop_map(|(w, v)| Doing::Unit(w, v)),
        1 => any::<u8>().prop_map(Doing::DashboardTitle),
        1 => any::<u8>().prop_map(Doing::Strategy),
        4 => (w, 0u32..20, 0u32..3, any::<u8>()).prop_map(|(w, at, r, v)| Doing::Type(w, at, r, v)),
        1 => any::<u8>().prop_map(Doing::Settle),
        2 => Just(Doing::Undo),
        1 => Just(Doing::Redo),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..CLIENTS;
    prop_oneof![
        8 => (n.clone(), doing()).prop_map(|(n, d)| Step::Do(n, d)),
        5 => n.clone().prop_map(Step::Push),
        5 => n.clone().prop_map(Step::Up),
        1 => n.clone().prop_map(Step::UpTwice),
        8 => n.clone().prop_map(Step::Down),
        1 => n.clone().prop_map(Step::Cut),
        2 => n.prop_map(Step::Join),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s1_to_s11_all_copies_agree_once_quiet(steps in prop::collection::vec(step(), 0..150)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.quiet();
        world.check();
    }

    #[test]
    fn inverse_undoes_and_undo_after_redo_is_the_identity(
        before in prop::collection::vec(doing(), 1..30), group in prop::collection::vec(doing(), 1..5),
    ) {
        let mut world = World::new();
        for doing in &before {
            world.act(0, doing);
        }
        let replica = &mut world.clients[0].replica;
        let ops: Vec<Op> = group.iter().filter_map(|doing| plain_op(replica, doing)).collect();
        let start = replica.view().clone();
        // What `inverse` says of one group, performed on the dashboard itself.
        let mut copy = start.clone();
        let mut edit = Edit::new(&mut copy, Stamp::default());
        let done: Vec<Op> = ops.iter().filter(|op| edit.perform(op).is_ok()).cloned().collect();
        let effect = edit.finish();
        let mut edit = Edit::new(&mut copy, Stamp::default());
        for op in &effect.inverse {
            prop_assert!(edit.perform(op).is_ok(), "{:?}", op);
        }
        edit.finish();
        prop_assert_eq!(shown(&copy), shown(&start));
        // Repeating the effective ops elsewhere gives the same.
        let mut elsewhere = start.clone();
        effect.ops.iter().for_each(|op| elsewhere.apply(op, &Stamp::default()));
        let mut again = start.clone();
        let mut edit = Edit::new(&mut again, Stamp::default());
        done.iter().for_each(|op| edit.perform(op).expect("performed before"));
        edit.finish();
        prop_assert_eq!(&elsewhere, &again);
        // The same through undo and redo.
        if !effect.inverse.is_empty() && replica.edit(done).is_ok() {
            let after = replica.view().clone();
            if matches!(replica.undo(), Ok(Undone::Done(_))) {
                prop_assert_eq!(shown(replica.view()), shown(&start));
                prop_assert!(matches!(replica.redo(), Ok(Undone::Done(_))));
                prop_assert_eq!(shown(replica.view()), shown(&after));
            }
        }
    }
}

#[test]
fn s4_typing_while_cut_off_is_not_added_to_what_the_log_may_have() {
    let mut world = World::new();
    let note = widget_id(0);
    world.join(0);
    world.deliver(0);
    let widget = Box::new(Widget::new(Kind::Note, "Note", Frame::default()));
    world.clients[0].replica.edit(vec![Op::AddWidget { id: note.clone(), widget }]).expect("a note");
    world.quiet();
    world.clients[0].replica.type_text(&note, 0, 0, "before ", 1).expect("typed");
    world.step(&Step::Push(0));
    world.step(&Step::Up(0));
    // The log has it; the answer is lost.
    world.cut(0);
    world.clients[0].replica.type_text(&note, 7, 0, "meanwhile", 2).expect("typed");
    world.quiet();
    let text = |dashboard: &Dashboard| dashboard.widgets[&note].text.clone().expect("a text");
    assert_eq!(text(world.room.dashboard()).plain(), "before meanwhile");
    assert_eq!(text(world.clients[0].replica.view()).plain(), "before meanwhile");
}

/// What a person sees of a dashboard.
fn shown(dashboard: &Dashboard) -> impl PartialEq + std::fmt::Debug + use<> {
    (dashboard.title.clone(), dashboard.settings.clone(), dashboard.widgets.clone())
}

fn plain_op(replica: &Replica, doing: &Doing) -> Option<Op> {
    Some(match doing.clone() {
        Doing::Add(w, kind, frame) => {
            let widget = Box::new(Widget::new(kind, "New", frame));
            Op::AddWidget { id: widget_id(100 + w), widget }
        }
        Doing::Remove(w) => Op::RemoveWidget { id: pick(replica, w) },
        Doing::Restore(w) => Op::RestoreWidget { id: replica.view().removed.keys().nth(w)?.clone() },
        Doing::Place(w, frame) => Op::Place { id: pick(replica, w), frame, settled: false },
        Doing::Title(w, v) => {
            Op::Set { id: pick(replica, w), field: "title".into(), value: format!("T{v}").into() }
        }
        Doing::Unit(w, v) => {
            Op::Set { id: pick(replica, w), field: "unit".into(), value: format!("u{v}").into() }
        }
        Doing::DashboardTitle(v) => Op::SetDashboard { field: "title".into(), value: format!("D{v}").into() },
        _ => return None,
    })
}
