//! The world of one seed: a queue of events in time, and all that takes part. Nothing in it is left to
//! chance but what the seed says.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::LazyLock;

use lockstep::dashboard::{
    Cell, Conflict, ConflictId, Dashboard, DashboardId, Frame, Kind, NoteText, Op, Side, Stamp, User, Widget,
    WidgetId,
};
use lockstep::server::access::directory::{Directory, Role};
use lockstep::sync::conflict::MAX_OPEN_CONFLICTS;
use lockstep::sync::room::Room;
use serde_json::{Value, json};

use super::check::{Ledger, Report};
use super::disk::Disk;
use super::network::{Conn, ConnId, Down, Up};
use super::node::Node;
use super::person::is_settled;
use super::random::Random;
use super::roles::Roles;
use super::tab::{Tab, Written};

/// Once the troubles end, all copies agree within this long: the link's longest wait, a half-open
/// connection that is found, and a join that is asked for again.
const QUIET_WITHIN_MS: u64 = 180_000;
/// A bound on what one seed may do, so that a loop is a failure.
const MAX_EVENTS: usize = 100_000;

/// Of a hundred dashboards, how many begin with notes that have outgrown their text.
const OLD_NOTES: u64 = 70;
/// The largest number of bytes from which notes are compacted: theirs are short.
const MAX_COMPACT_FROM: u64 = 200;
/// Of a hundred dashboards, how many have nearly as many open conflicts as there may be.
const CROWDED: u64 = 1;

/// Something that happens.
pub enum Event {
    Opened(ConnId),
    Up(ConnId, Up),
    Down(ConnId, Down),
    /// The server hears that a connection is gone.
    Lost(ConnId),
    /// The tab hears it.
    Broken(ConnId, u16),
    Silence(ConnId),
    Appended(u64, bool),
    Tell(u64),
    Tick(usize, u64),
    Push(usize, u64),
    Write(usize, u64),
    Written(usize, u64, Box<Written>, u64),
    Act(usize),
    Load(usize),
    TabEnds(usize, u64),
    /// The person at a tab takes a step back.
    Undo(usize, u64),
    /// The person at a tab uses what does not show of the latest conflict.
    Choose(usize, u64),
    Trouble,
    /// Trouble right after a tab has pushed.
    Strike(usize),
    StartServer,
    DiskHasRoom,
    DiskReads,
    /// The owner gives the person at a tab another role.
    ChangeRole(usize),
    /// The person at a tab may edit again.
    RoleBack(usize),
    /// The room hears that roles have changed.
    RolesChanged,
    /// A page that was turned away is loaded anew.
    Reload(usize),
    /// The person at a tab makes again what was handed back.
    SendAgain(usize, u64),
    /// No more troubles and no more edits from here on.
    Quiet,
}

/// A rule that the wiring breaks on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A change that comes again is taken for a new one (S2).
    ForgetsSeqs,
    /// Commits are told before the disk has them (S3).
    AcksBeforeAppend,
    /// What was pending is taken up in reverse (S7).
    RebasesInReverse,
    /// A room's state is kept without its tombstones (S6).
    ForgetsTombstones,
    /// A client of another log gets this one's tail (S7).
    ResumesFromStaleEpoch,
    /// Numbers are used before the device has them (S2, S4).
    PushesBeforeNumbersAreKept,
    /// A change that comes again is not answered (S2).
    SaysNothingAgain,
    /// Nobody looks at what a client gives back of the log that it followed (S7).
    IgnoresTokens,
    /// The store goes on with a connection whose sync failed, and acknowledges (S3).
    GoesOnAfterFailedSync,
    /// Authors are told what the log has while a failed write may be there after a crash all the same (S2, S4).
    TellsWhileInDoubt,
    /// The store keeps a connection whose transaction the engine has rolled back.
    KeepsConnection,
    /// A change is taken where an earlier one of its client is missing (S2).
    TakesGaps,
    /// A change is taken that says it has seen what is not in the log yet (S5).
    TakesBasesAhead,
    /// A value is written over another one that its writer had not seen, without a word (S5).
    OverlooksUnseenWrites,
    /// A widget is removed that others edited unseen, without a word (S6).
    RemovesSilently,
    /// As that, where all that others did was typing (S6).
    TakesTypingForNoEdit,
    /// Where there are as many open conflicts as there may be, a value is written over another without a word (S4).
    WritesOverWhereFull,
    /// A choice settles its record, and does not do what was chosen (S4).
    ChoosesHalf,
    /// A widget that a choice brings back has not the edits that waited for it (S6).
    RestoresWithoutEdits,
    /// An op takes effect twice (S2).
    AppliesTwice,
    /// A record that follows what is written loses the value that waits in it (S4).
    LosesOtherValues,
    /// The tombstones go that open conflicts need (S6).
    ForgetsNeededTombstones,
    /// Two commits change their places in the log (S1).
    SwapsCommits,
    /// A room is kept without who wrote what (S5).
    ForgetsWriters,
    /// The log is read without its records (S1).
    ReplaysWithoutRecords,
    /// The log is read with another bound of tombstones (S1).
    ReplaysOtherTombstones,
    /// Undo takes for its own what others did, of which a snapshot told (S4).
    UndoForgetsOthers,
    /// The room asks for a role at the join, and not before it judges (R1).
    AsksRolesAtJoinOnly,
    /// A pending edit goes with the role to edit, without a word (R2).
    DropsEditsOfViewers,
    /// Those who lost their role are told on (R3).
    TellsThoseWithoutRole,
    /// Nobody looks at roles once the disk has what is to be told (R3).
    TellsBeforeRoles,
    /// A device keeps its copy when the role is gone (R3).
    KeepsCopies,
    /// A tab that comes back does not hear which role it has by then (R4).
    LosesRoleOnReturn,
    /// The digest leaves out what notes say (S11).
    DigestsWithoutTexts,
    /// The room does not hear that a session has gone (S8).
    KeepsPresenceOfTheGone,
    /// Authors are not told that their changes were not appended (S4).
    SaysNothingOfFailedAppends,
}

/// What kind of a day it is.
pub struct Climate {
    /// Milliseconds that a frame takes, at least and at most.
    pub latency: (u64, u64),
    pub disk_ms: u64,
    /// Of a hundred appends, how many are done and said to have failed.
    pub disk_lies: u64,
    /// Of a hundred syncs and reads, how many fail.
    pub syncs_fail: u64,
    pub reads_fail: u64,
    /// Of a hundred batches, how many are followed by a snapshot.
    pub snapshots: u64,
    /// Commits behind the log's end that can still be looked up by their author's number.
    pub log_keeps: u64,
    /// Of a hundred pushes, how many are followed by trouble before their answer.
    pub strikes: u64,
    /// Bytes of a note's state from which it may be compacted.
    pub compact_from: usize,
    /// Whether what the server says goes through JSON on its way; that takes longer than all the rest.
    pub encodes: bool,
    troubles: u64,
    span_ms: u64,
    edits: u64,
}

/// A copy of the disk.
#[derive(Clone)]
pub struct Backup {
    /// The revision at which its log ends.
    pub end: u64,
    pub epoch: String,
    pub file: Vec<u8>,
    /// The accounts of that moment.
    pub directory: Directory,
}

pub struct World {
    pub now: u64,
    pub random: Random,
    /// What strangers do follows from the seed too, and from nothing else that happens.
    pub strangers: Random,
    pub climate: Climate,
    pub fault: Option<Fault>,
    pub roles: Roles,
    pub conns: Vec<Conn>,
    pub node: Node,
    pub disk: Disk,
    pub tabs: Vec<Tab>,
    pub ledger: Ledger,
    pub report: Report,
    /// Makes what people write different from all that was written before.
    pub counter: u64,
    queue: BinaryHeap<Reverse<Planned>>,
    order: u64,
    pub quiet: bool,
    /// How much the server's clock is off.
    pub wall: u64,
    pub backups: Vec<Backup>,
    /// Connections before this one had to do with a log of which a backup took the place.
    pub another_log_before: ConnId,
    pub epochs: u64,
    trace: bool,
}

/// A dashboard with notes in which so much was typed and removed that they are compacted with the next key.
static OLD: LazyLock<Dashboard> = LazyLock::new(|| {
    let mut dashboard = Dashboard::new("Start");
    for n in 0..4 {
        let id = WidgetId::new(format!("old{n}")).expect("an id");
        let mut note = Widget::new(Kind::Note, "Old", Frame::new(6 * n, 0, 6, 4));
        note.text = Some(NoteText::from_plain("....", 1));
        dashboard.widgets.insert(id.clone(), note.into());
        for author in 2..60 {
            let text = dashboard.text(&id).expect("a note");
            let typed = Op::edit_text(&id, text.splice(author, 0, 2, "..").0);
            let stamp = Stamp { by: User::default(), at: 0, written_at: None, revision: 0 };
            dashboard.apply(&typed, &stamp);
        }
    }
    dashboard
});

/// A dashboard on which as many conflicts are open as there may be, or one less.
fn crowd(random: &mut Random) -> Dashboard {
    let side = |value: Value| Side {
        value,
        by: User::default(),
        client: None,
        at: 0,
        written_at: None,
        revision: None,
    };
    let mut start = Dashboard::new("Crowd");
    for n in 0..MAX_OPEN_CONFLICTS as u64 - random.below(2) {
        let id = ConflictId::new(format!("k0-{n}")).expect("an id");
        let waits = side(json!({ "at": n, "text": "Waits" }));
        let cell = Cell::dashboard("annotation.crowd");
        let kept = side(Value::Null);
        let record = Conflict { id: id.clone(), cell, base: Value::Null, kept, other: waits, settled: None };
        start.conflicts.insert(id, record.into());
    }
    start
}

struct Planned(u64, u64, Event);

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

impl World {
    pub fn new(seed: u64, fault: Option<Fault>, trace: bool) -> Self {
        let mut random = Random::new(seed);
        let slow = random.percent(20);
        let mut climate = Climate {
            latency: if slow { (50, 900) } else { (1, random.between(5, 80)) },
            disk_ms: if random.percent(20) { 400 } else { 15 },
            disk_lies: if random.percent(20) { 5 } else { 0 },
            syncs_fail: if random.percent(20) { 8 } else { 0 },
            reads_fail: if random.percent(20) { 8 } else { 0 },
            snapshots: random.below(40),
            log_keeps: if random.percent(20) { random.below(8) } else { u64::MAX },
            strikes: if random.percent(60) { random.below(30) } else { 0 },
            encodes: random.percent(10),
            compact_from: 0,
            troubles: random.between(0, 10),
            span_ms: random.between(5_000, 50_000),
            edits: random.between(2, 14),
        };
        let id = DashboardId::new("d1").expect("an id");
        let mut strangers = Random::new(!seed);
        climate.compact_from = strangers.below(MAX_COMPACT_FROM) as usize;
        if fault == Some(Fault::TellsWhileInDoubt) {
            // On a usual day one seed in 40,000 has such a write come back when it matters.
            (climate.syncs_fail, climate.strikes) = (40, 40);
        }
        let crowded = strangers.percent(CROWDED) || fault == Some(Fault::WritesOverWhereFull);
        let start = match crowded {
            true => crowd(&mut strangers),
            false if strangers.percent(OLD_NOTES) => OLD.clone(),
            false => Dashboard::new("Start"),
        };
        let room = Room::new("e1".to_owned(), start.clone());
        let state = serde_json::to_string(&room.state()).expect("JSON");
        let reach = if random.percent(50) { u64::MAX } else { random.below(12) };
        // It is about snapshots, so everybody who comes back gets one.
        let reach = if fault == Some(Fault::UndoForgetsOthers) { 0 } else { reach };
        let tabs: Vec<Tab> = (0..random.between(2, 4) as usize).map(Tab::new).collect();
        let mut world = Self {
            now: 1_000,
            strangers,
            climate,
            fault,
            roles: Roles::new(seed, &tabs),
            conns: Vec::new(),
            node: Node::new(reach),
            disk: Disk::new(id, "e1", state),
            tabs,
            ledger: Ledger::new("e1", start),
            report: Report::default(),
            counter: 0,
            queue: BinaryHeap::new(),
            order: 0,
            quiet: false,
            wall: 1_795_000_000_000,
            backups: Vec::new(),
            another_log_before: 0,
            epochs: 1,
            trace,
            random,
        };
        world.start_server();
        world.plan_the_day();
        world
    }

    fn plan_the_day(&mut self) {
        let span = self.climate.span_ms;
        for n in 0..self.tabs.len() {
            let at = self.random.below(500);
            self.after(at, Event::Load(n));
            let mut at = self.random.below(span);
            for _ in 0..self.climate.edits {
                self.after(at, Event::Act(n));
                let hurried = self.random.percent(60);
                at += self.random.below(if hurried { 150 } else { span / 3 });
            }
        }
        for _ in 0..self.climate.troubles {
            let at = self.random.below(span);
            self.after(at, Event::Trouble);
        }
        self.plan_roles(span);
        self.after(span + span / 2, Event::Quiet);
    }

    pub fn at(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse(Planned(at.max(self.now), self.order, event)));
    }

    pub fn after(&mut self, wait: u64, event: Event) {
        self.at(self.now + wait, event);
    }

    /// The server's clock, which somebody may set.
    pub fn wall_ms(&self) -> u64 {
        self.wall + self.now
    }

    /// Runs until all is quiet, and says what came of it, or which rule was broken.
    pub fn run(mut self) -> Result<Report, String> {
        for _ in 0..MAX_EVENTS {
            let Some(Reverse(planned)) = self.queue.pop() else { break };
            self.now = planned.0;
            // What a sleeping tab would take waits for it, in its order, however often sleep is prolonged.
            match self.wakes_at(&planned.2) {
                Some(until) => self.queue.push(Reverse(Planned(until, planned.1, planned.2))),
                None => self.happen(planned.2),
            }
            if let Some(why) = self.ledger.failure.take() {
                return Err(why);
            }
            if self.quiet && self.is_settled() {
                return self.finish();
            }
            if self.quiet && self.now > self.climate.span_ms * 2 + QUIET_WITHIN_MS {
                break;
            }
        }
        let pending: Vec<_> =
            self.tabs.iter().map(|tab| tab.life.as_ref().map(|life| life.replica.pending())).collect();
        Err(format!("it never becomes quiet; pending: {pending:?}"))
    }

    fn finish(mut self) -> Result<Report, String> {
        let room = self.node.room().expect("the server is up").clone();
        self.check_roles()?;
        for (n, tab) in self.tabs.iter().enumerate() {
            let Some(life) = tab.life.as_ref().filter(|_| self.role_of(n).is_some()) else { continue };
            if life.replica.confirmed() != room.dashboard() || life.replica.view() != room.dashboard() {
                return Err(format!("S1: the copy of {} is not what the room has", tab.author.client));
            }
        }
        let frames: Vec<_> = room.dashboard().frames().into_values().collect();
        for (n, a) in frames.iter().enumerate() {
            if frames[n + 1..].iter().any(|b| a.overlaps(*b)) {
                return Err("S9: two widgets overlap".to_owned());
            }
        }
        for widget in room.dashboard().widgets.values().filter(|widget| widget.text.is_some()) {
            let mut other = room.dashboard().clone();
            let changed = other.widgets.values_mut().find(|of| std::sync::Arc::ptr_eq(of, widget));
            let text = NoteText::from_plain("something else", 1);
            if let Some(widget) = changed {
                std::sync::Arc::make_mut(widget).text = Some(text);
            }
            if self.digest(&other) == self.digest(room.dashboard()) {
                return Err("S11: two notes that say different things have one digest".to_owned());
            }
        }
        self.ledger.finish(&room, &self.tabs, &mut self.report);
        self.ledger.failure.take().map_or(Ok(self.report), Err)
    }

    /// The digest of a dashboard.
    fn digest(&self, dashboard: &Dashboard) -> String {
        let mut dashboard = dashboard.clone();
        if self.fault == Some(Fault::DigestsWithoutTexts) {
            dashboard.widgets.values_mut().for_each(|widget| std::sync::Arc::make_mut(widget).text = None);
        }
        dashboard.digest()
    }

    fn is_settled(&self) -> bool {
        let Some(room) = self.node.room().filter(|_| self.node.is_idle()) else { return false };
        self.tabs.iter().enumerate().all(|(n, tab)| {
            if self.role_of(n).is_none() {
                return tab.is_turned_away();
            }
            let life = tab.life.as_ref().filter(|life| life.joined && tab.asleep_until < self.now);
            // A connection that is dead at the server's end has yet to be found so.
            let live = |conn| self.node.has(conn) && self.has_arrived(conn);
            let life = life.filter(|life| life.conn.is_some_and(live));
            life.is_some_and(|life| is_settled(&life.replica, room.epoch(), room.revision()))
        })
    }

    fn happen(&mut self, event: Event) {
        if self.trace {
            eprintln!("{:>7} {}", self.now, event.name());
        }
        match event {
            Event::Up(conn, message) if self.arrives_up(conn) => self.server_hears(conn, message),
            Event::Lost(conn) => self.server_lost(conn),
            Event::Silence(conn) => self.server_listens(conn),
            Event::Appended(boot, well) => self.appended(boot, well),
            Event::Tell(boot) => self.tell(boot),
            Event::StartServer => self.start_server(),
            Event::DiskHasRoom => self.disk.full = false,
            Event::DiskReads => self.disk.unreadable = false,
            Event::Trouble => self.trouble(),
            Event::Strike(n) => self.strike(n),
            Event::ChangeRole(n) if !self.quiet => self.change_role(n),
            Event::RoleBack(n) if !self.quiet => self.give_role(n, Some(Role::Editor)),
            Event::RolesChanged => self.work(),
            Event::Reload(n) => self.reload(n),
            Event::Quiet => self.be_quiet(),
            Event::Load(n) => self.load(n),
            Event::Undo(n, life) if self.edits(n, life) => self.undo(n),
            Event::Choose(n, life) if self.edits(n, life) => self.choose(n),
            Event::SendAgain(n, life) if self.edits(n, life) => self.send_again(n),
            Event::TabEnds(n, life) if self.lives(n, life) => self.end_tab(n),
            Event::Act(n) if !self.quiet && !self.tabs[n].is_turned_away() => self.act(n),
            Event::Opened(conn) => self.on(conn, |world, n| world.opened(n)),
            Event::Down(conn, message) if self.arrives_down(conn) => {
                self.on(conn, |world, n| world.tab_hears(n, message));
            }
            Event::Broken(conn, code) => self.on(conn, |world, n| world.closed(n, code)),
            Event::Tick(n, life) if self.lives(n, life) => self.tick(n),
            Event::Push(n, life) if self.lives(n, life) => self.push(n),
            Event::Write(n, life) if self.lives(n, life) => self.write(n),
            Event::Written(n, life, device, numbering) if self.lives(n, life) => {
                self.written(n, *device, numbering);
            }
            // It does not arrive, or nobody is there any more.
            _ => {}
        }
    }

    fn lives(&self, n: usize, life: u64) -> bool {
        self.tabs[n].life.is_some() && self.tabs[n].lives == life
    }

    /// Whether somebody is there to edit at a load of a page, and sees the dashboard.
    fn edits(&self, n: usize, life: u64) -> bool {
        self.lives(n, life) && !self.quiet && !self.tabs[n].is_turned_away()
    }

    /// Does something at the tab whose connection this is, while it is.
    fn on(&mut self, conn: ConnId, then: impl FnOnce(&mut Self, usize)) {
        let n = self.conns[conn as usize].tab;
        if self.lives(n, self.conns[conn as usize].life) && self.tabs[n].conn() == Some(conn) {
            then(self, n);
        }
    }

    /// When the tab that an event needs wakes up, if it sleeps.
    fn wakes_at(&self, event: &Event) -> Option<u64> {
        let until = self.tabs[self.tab_of(event)?].asleep_until;
        (until > self.now).then_some(until)
    }

    /// The tab that has to be awake for an event.
    fn tab_of(&self, event: &Event) -> Option<usize> {
        match event {
            Event::Opened(conn) | Event::Down(conn, _) | Event::Broken(conn, _) => {
                Some(self.conns[*conn as usize].tab)
            }
            Event::Tick(n, _) | Event::Push(n, _) | Event::Write(n, _) | Event::Written(n, ..) => Some(*n),
            Event::TabEnds(n, _) | Event::Undo(n, _) | Event::Choose(n, _) | Event::SendAgain(n, _) => {
                Some(*n)
            }
            Event::Act(n) | Event::Reload(n) => Some(*n),
            _ => None,
        }
    }
}

impl Event {
    /// What a trace calls it.
    fn name(&self) -> String {
        match self {
            Self::Opened(conn) => format!("connection {conn} is open"),
            Self::Up(conn, Up::Push(push)) => format!("connection {conn} pushes {push:?}"),
            Self::Up(conn, Up::Join(resume)) => format!("connection {conn} joins from {resume:?}"),
            Self::Up(conn, _) => format!("connection {conn} says hello or pings"),
            Self::Down(conn, Down::Close(code)) => format!("connection {conn} is closed with {code}"),
            Self::Down(conn, Down::Says(message)) => {
                format!("connection {conn} hears {}", serde_json::to_string(message).unwrap_or_default())
            }
            Self::Lost(conn) => format!("the server loses connection {conn}"),
            Self::Broken(conn, _) => format!("connection {conn} breaks"),
            Self::Silence(conn) => format!("the server listens for connection {conn}"),
            Self::Appended(_, well) => format!("the disk answers: {well}"),
            Self::Tell(_) => "the room tells".to_owned(),
            Self::Tick(n, _) => format!("tab {n} ticks"),
            Self::Push(n, _) => format!("tab {n} wants to push"),
            Self::Write(n, _) => format!("tab {n} writes to its device"),
            Self::Written(n, ..) => format!("tab {n} has written to its device"),
            Self::Act(n) => format!("the person at tab {n} does something"),
            Self::TabEnds(n, _) => format!("tab {n} ends"),
            Self::Undo(n, _) => format!("the person at tab {n} takes a step back"),
            Self::Choose(n, _) => format!("the person at tab {n} chooses"),
            Self::Load(n) => format!("tab {n} loads"),
            Self::Trouble => "trouble".to_owned(),
            Self::Strike(n) => format!("trouble strikes tab {n}"),
            Self::StartServer => "the server starts".to_owned(),
            Self::DiskHasRoom => "the disk has room again".to_owned(),
            Self::DiskReads => "the disk can be read again".to_owned(),
            Self::ChangeRole(n) => format!("tab {n} gets another role"),
            Self::RoleBack(n) => format!("tab {n} may edit again"),
            Self::RolesChanged => "the room hears of roles".to_owned(),
            Self::Reload(n) => format!("tab {n} looks again"),
            Self::SendAgain(n, _) => format!("the person at tab {n} sends again"),
            Self::Quiet => "it becomes quiet".to_owned(),
        }
    }
}
