//! A browser tab: the real `Replica` and `Link`, run as `browser/service_provider` runs them, and a device
//! that keeps what it is told to, a moment later. A tab dies at any time and is loaded again.

mod device;

use std::collections::VecDeque;

use lockstep::dashboard::{ClientId, Op, User, UserId};
use lockstep::server::store::Stored;
use lockstep::sync::link::{Do, Link, State};
use lockstep::sync::protocol::{Code, Commit, Joined, Role, ServerMessage, close};
use lockstep::sync::replica::{Changes, Lost, Notice, Replica, StoredDashboard, Taken};
use lockstep::sync::room::Author;

use self::device::Device;
pub use self::device::{KEPT_WITHIN_MS, Written};
use super::check::{Ended, MadeId, Verdict};
use super::network::{ConnId, Down, Up};
use super::world::{Event, Fault, World};

/// A connection on which the room has not answered a join for this long is given up.
const JOIN_ANSWER_MS: u64 = 10_000;
/// When a join that was turned down is tried again.
const JOIN_AGAIN_MS: u64 = 5_000;

/// Of a hundred times that the numbers of what waits change, how often the tab ends at once.
const ENDS_RENUMBERED: u64 = 40;

/// Of a hundred returns that take a snapshot, how often the person then takes steps back.
const UNDOES_AFTER_SNAPSHOT: u64 = 40;

/// Of a hundred times that a person hears of a conflict, how often they use what does not show.
const CHOOSES_AT_ONCE: u64 = 20;

pub struct Tab {
    pub author: Author,
    pub life: Option<Life>,
    /// Counts loads of the page.
    pub lives: u64,
    device: Device,
    pub unreachable_until: u64,
    /// Nothing happens in a tab before this moment: the lid is closed.
    pub asleep_until: u64,
}

/// One load of the page.
pub struct Life {
    pub replica: Replica,
    pub link: Link,
    pub conn: Option<ConnId>,
    pub joined: bool,
    join_by: Option<u64>,
    push_after: u64,
    push_planned: bool,
    tick_at: u64,
    write_planned: bool,
    /// When the last write that was begun is done: they are done in order.
    written_at: u64,
    /// True where the device does not have, nor is writing, what there is.
    unwritten: bool,
    /// What the ledger calls the pending changes, with their numbers.
    ids: VecDeque<(u64, MadeId)>,
    told: Vec<Ended>,
    /// What was handed back because the role to edit had gone.
    pub aside: Vec<Vec<Op>>,
    /// The copy went from the device, and does not come back.
    forgotten: bool,
}

impl Tab {
    pub fn new(n: usize) -> Self {
        // The first two tabs are two devices of one person.
        let id = UserId::new(format!("u{}", n.max(1))).expect("an id");
        let by = User { id, name: format!("N{n}"), color: "#123456".to_owned() };
        let client = ClientId::new(format!("c{n}")).expect("an id");
        Self {
            author: Author { client, by, role: Role::Editor, may_query: true },
            life: None,
            lives: 0,
            device: Device::default(),
            unreachable_until: 0,
            asleep_until: 0,
        }
    }

    pub fn conn(&self) -> Option<ConnId> {
        self.life.as_ref()?.conn
    }

    /// What the person has been told and still has, on the device or on the screen.
    pub fn told(&self) -> &[Ended] {
        self.life.as_ref().map_or(&self.device.told, |life| &life.told)
    }

    /// Whether the page has heard that the dashboard is not there for its person.
    pub fn is_turned_away(&self) -> bool {
        self.life.as_ref().is_some_and(|life| matches!(life.link.state(), State::Ended(_)))
    }

    /// Whether a change waits in a page that was turned away, and is not sent.
    pub fn holds(&self, id: MadeId) -> bool {
        let life = self.life.as_ref().filter(|_| self.is_turned_away());
        life.is_some_and(|life| life.ids.iter().any(|(_, waits)| *waits == id))
    }
}

impl World {
    /// The page is loaded, with what the device has.
    pub fn load(&mut self, n: usize) {
        if self.tabs[n].life.is_some() {
            return;
        }
        let now = self.now;
        let author = self.random.next() >> 11;
        let reversed = self.fault == Some(Fault::RebasesInReverse);
        let tab = &mut self.tabs[n];
        tab.lives += 1;
        let Device { dashboard, mut queue, at, mut ids, told } = tab.device.clone();
        if reversed {
            // The numbers stay in order; what they stand for does not.
            let seqs: Vec<u64> = queue.changes.iter().map(|change| change.seq).collect();
            queue.changes.reverse();
            queue.changes.iter_mut().zip(seqs).for_each(|(change, seq)| change.seq = seq);
            ids.make_contiguous().reverse();
        }
        let user = tab.author.by.clone();
        let mut replica = match dashboard {
            Some(StoredDashboard { epoch, revision, token, dashboard }) => {
                Replica::new(author, dashboard, user).at(epoch, revision, token)
            }
            None => Replica::new(author, Default::default(), user),
        };
        let ids = queue.changes.iter().map(|change| change.seq).zip(ids).collect();
        replica.set_time(now);
        let (link, first) = Link::new(now);
        tab.life = Some(Life {
            replica: replica.with_queue(queue.aged(now - at)),
            link,
            conn: None,
            joined: false,
            join_by: None,
            push_after: 0,
            push_planned: false,
            tick_at: u64::MAX,
            write_planned: false,
            written_at: 0,
            unwritten: false,
            ids,
            told,
            aside: Vec::new(),
            forgotten: false,
        });
        self.perform(n, first);
        self.plan(n);
    }

    /// The tab dies: only what is on the device is left.
    pub fn kill(&mut self, n: usize) {
        let Some(life) = self.tabs[n].life.take() else { return };
        self.report.tab_crashes += 1;
        let Device { ids: kept, told: known, .. } = &self.tabs[n].device;
        let waiting = life.ids.iter().map(|(_, id)| *id);
        let answered =
            life.told.iter().filter(|end| !known.contains(end) && !matches!(end, Ended::Restored(_)));
        let answered = answered.map(Ended::id);
        for id in waiting.chain(answered).filter(|id| !kept.contains(id)) {
            self.ledger.lost_with_tab(id, self.tabs[n].asleep_until, self.now);
        }
        if let Some(conn) = life.conn {
            self.hang_up(conn);
        }
    }

    fn perform(&mut self, n: usize, what: Do) {
        match what {
            Do::Connect => {
                let conn = self.connect(n, self.tabs[n].lives);
                if let Some(life) = &mut self.tabs[n].life {
                    life.conn = Some(conn);
                }
            }
            Do::Ping { id } => self.send(n, Up::Ping(id)),
            Do::Drop => self.closed(n, 0),
        }
    }

    fn send(&mut self, n: usize, message: Up) {
        if let Some(conn) = self.tabs[n].conn() {
            self.send_up(conn, message);
        }
    }

    /// The connection is open.
    pub fn opened(&mut self, n: usize) {
        self.send(n, Up::Hello);
        self.plan(n);
    }

    pub fn closed(&mut self, n: usize, code: u16) {
        let (now, random) = (self.now, self.random.next());
        let Some(life) = &mut self.tabs[n].life else { return };
        let conn = life.conn.take();
        life.joined = false;
        life.link.closed(now, code, random);
        life.replica.disconnected();
        if let Some(conn) = conn {
            self.hang_up(conn);
        }
        self.plan(n);
    }

    /// The network or the person is back.
    pub fn wake(&mut self, n: usize) {
        let (now, random) = (self.now, self.random.next());
        if let Some(life) = &mut self.tabs[n].life {
            life.link.wake(now, random);
        }
        self.plan(n);
    }

    pub fn tick(&mut self, n: usize) {
        let now = self.now;
        let Some(life) = &mut self.tabs[n].life else { return };
        life.tick_at = u64::MAX;
        if let Some(todo) = life.link.tick(now) {
            self.perform(n, todo);
        }
        let unanswered = self.tabs[n].life.as_ref().is_some_and(|life| {
            life.link.is_open() && !life.joined && life.join_by.is_some_and(|by| by <= now)
        });
        if unanswered && !self.ask_to_join(n) {
            self.closed(n, 0);
        }
        self.plan(n);
    }

    /// False while an earlier join is unanswered.
    fn ask_to_join(&mut self, n: usize) -> bool {
        let now = self.now;
        let Some(life) = self.tabs[n].life.as_mut() else { return true };
        if !life.replica.begin_join() {
            return false;
        }
        life.joined = false;
        life.join_by = Some(now + JOIN_ANSWER_MS);
        let resume = life.replica.resume();
        self.send(n, Up::Join(resume));
        true
    }

    /// A frame from the server.
    pub fn tab_hears(&mut self, n: usize, message: Down) {
        let now = self.now;
        let message = match message {
            Down::Close(code) => return self.closed(n, code),
            Down::Says(message) if self.climate.encodes => {
                let frame = serde_json::to_string(&message).expect("JSON");
                serde_json::from_str(&frame).expect("what was written is read")
            }
            Down::Says(message) => *message,
        };
        let Some(life) = &mut self.tabs[n].life else { return };
        life.link.heard(now);
        let rejoin = match message {
            ServerMessage::Welcome { .. } => {
                life.link.welcomed(now);
                true
            }
            ServerMessage::Pong { id } => {
                life.link.ponged(now, id);
                false
            }
            ServerMessage::Error { code, retry_after_ms, dashboard, .. } => {
                // The room let this tab go.
                life.joined &= dashboard.is_none();
                if let Some(wait) = retry_after_ms {
                    life.link.asked_to_wait(wait);
                }
                // While a join is unanswered it is about that.
                let joining = !life.joined && life.link.is_open();
                if joining {
                    life.replica.join_failed();
                    life.join_by = Some(now + retry_after_ms.unwrap_or(JOIN_AGAIN_MS));
                    match code {
                        Code::NotFound => return self.turned_away(n, close::NOT_FOUND),
                        Code::Forbidden => return self.turned_away(n, close::FORBIDDEN),
                        _ => {}
                    }
                }
                code == Code::NotJoined && !joining
            }
            other => self.follow(n, other),
        };
        if rejoin {
            self.ask_to_join(n);
        }
        self.plan(n);
    }

    /// What the replica takes. True where the room has to be joined again.
    fn follow(&mut self, n: usize, message: ServerMessage) -> bool {
        let (now, author) = (self.now, self.tabs[n].author.clone());
        // What was on its way from a log that is no more says nothing of this one.
        let current = self.tabs[n].conn() >= Some(self.another_log_before);
        let Some(life) = &mut self.tabs[n].life else { return false };
        let offered = life.replica.stored_queue().offered;
        let numbering = life.replica.numbering();
        let (mut came_back, mut role) = (false, None);
        let mine = |commits: &[Commit]| {
            let mine = commits.iter().filter(|commit| commit.client == author.client);
            let mine = mine.filter(|commit| commit.seq <= offered);
            mine.map(|commit| (commit.revision, commit.seq, commit.refused.clone())).collect::<Vec<_>>()
        };
        let (taken, mut verdicts, rejoin) = match message {
            ServerMessage::Joined(mut joined) => {
                let snapshot = joined.snapshot.is_some();
                if current {
                    self.ledger.seen(&joined.epoch, joined.commits.as_deref().unwrap_or_default());
                    self.ledger.seen_revision(&joined.epoch, joined.revision);
                }
                if self.fault == Some(Fault::UndoForgetsOthers) {
                    let at = life.replica.resume().filter(|at| at.epoch == joined.epoch);
                    let tail = at.map(|at| (at.revision, self.disk.tail(at.revision)));
                    take_for_own(&mut joined, tail, &author.client);
                }
                if self.fault == Some(Fault::LosesRoleOnReturn) && life.replica.resume().is_some() {
                    joined.role = life.replica.role();
                }
                role = Some(joined.role);
                let verdicts = mine(joined.commits.as_deref().unwrap_or_default());
                came_back = life.replica.can_undo() && snapshot;
                let taken = life.replica.joined(&author.client, &author.by, *joined);
                life.joined = taken.lost.is_none();
                (taken, verdicts, false)
            }
            ServerMessage::Commits { commits, full_digest: digest, token, forgotten, .. } => {
                let verdicts = mine(&commits);
                if let Some(epoch) =
                    life.replica.stored_dashboard().map(|stored| stored.epoch).filter(|_| current)
                {
                    self.ledger.seen(&epoch, &commits);
                }
                let mut taken = life.replica.commits(commits, digest.as_deref(), token);
                if let Some(seq) = forgotten {
                    taken.changes = life.replica.forgotten(seq);
                }
                (taken, verdicts, false)
            }
            ServerMessage::Rejected { seq, code, reason, expected, retry_after_ms, .. } => {
                if let Some(wait) = retry_after_ms {
                    life.push_after = now + wait;
                }
                let waited = life.replica.pending();
                let mut changes = life.replica.rejected(seq, code, reason, expected);
                if self.fault == Some(Fault::DropsEditsOfViewers) && code == Code::Forbidden {
                    changes.notices.pop();
                }
                let aside = changes.notices.iter().filter_map(|notice| match notice {
                    Notice::SetAside { change, code: Code::Forbidden, .. } => Some(change.ops.clone()),
                    _ => None,
                });
                let before = life.aside.len();
                life.aside.extend(aside);
                if code == Code::Forbidden && life.replica.pending() + life.aside.len() - before != waited {
                    let left = life.replica.pending();
                    self.ledger.fails(format!(
                        "R2: of {waited} changes {left} wait, and not all others were handed back"
                    ));
                }
                (Taken { changes, lost: None }, Vec::new(), code == Code::NotJoined)
            }
            ServerMessage::Role { role, .. } => {
                life.replica.set_role(role);
                self.role_came(n, role);
                return false;
            }
            _ => return false,
        };
        // What comes behind a gap is not taken.
        let revision = life.replica.revision();
        verdicts.retain(|(of, ..)| *of <= revision);
        let renumbered = life.replica.numbering() != numbering;
        self.settle(n, &taken.changes, &verdicts);
        if let Some(role) = role {
            self.role_came(n, role);
        }
        let met = taken.changes.notices.iter().any(|notice| matches!(notice, Notice::Conflict { .. }));
        if met && self.strangers.percent(CHOOSES_AT_ONCE) {
            let soon = self.strangers.between(1, 2_000);
            self.after(soon, Event::Choose(n, self.tabs[n].lives));
        }
        if came_back && self.strangers.percent(UNDOES_AFTER_SNAPSHOT) {
            for times in 1..=3 {
                self.after(10 * times, Event::Undo(n, self.tabs[n].lives));
            }
        }
        if renumbered && self.strangers.percent(ENDS_RENUMBERED) {
            // Before or after the device has the new numbers.
            let soon = self.strangers.between(20, KEPT_WITHIN_MS);
            self.after(soon, Event::TabEnds(n, self.tabs[n].lives));
        }
        match taken.lost {
            Some(Lost::Digest) => self.ledger.fails("S11: the digests of a copy and its room differ".into()),
            None if current => self.ledger.compare(&self.tabs[n]),
            _ => {}
        }
        rejoin || taken.lost.is_some()
    }

    /// Notes in the ledger what left the queue, and why.
    fn settle(&mut self, n: usize, changes: &Changes, verdicts: &[Verdict]) {
        let load = self.tabs[n].lives;
        let Some(life) = &mut self.tabs[n].life else { return };
        let queue = life.replica.stored_queue().changes;
        life.unwritten = true;
        life.told.extend(self.ledger.ends_of(&mut life.ids, changes, verdicts, (n, load, queue.len())));
        for ((seq, _), change) in life.ids.iter_mut().zip(&queue) {
            *seq = change.seq;
        }
    }

    /// Notes in the ledger what a person's step added to the queue.
    pub fn made(&mut self, n: usize) {
        let now = self.now;
        let Some(life) = &mut self.tabs[n].life else { return };
        let queue = life.replica.stored_queue().changes;
        life.unwritten = true;
        // What is typed may be gathered into the one before it.
        let from = life.ids.len().saturating_sub(1);
        for change in queue.iter().skip(life.ids.len()) {
            let id = self.ledger.made(n, now);
            life.ids.push_back((change.seq, id));
        }
        for ((_, id), change) in life.ids.iter().zip(&queue).skip(from) {
            self.ledger.asks(*id, change);
        }
        if let Some((_, id)) = life.ids.back() {
            self.ledger.touched(*id, now);
        }
        self.plan(n);
    }

    pub fn push(&mut self, n: usize) {
        let now = self.now;
        let Some(life) = &mut self.tabs[n].life else { return };
        life.push_planned = false;
        if !life.joined || now < life.push_after {
            return self.plan(n);
        }
        loop {
            let Some(life) = &mut self.tabs[n].life else { return };
            life.replica.set_time(now);
            let changes = life.replica.to_push();
            if changes.is_empty() {
                break;
            }
            let id_of = |seq: u64| life.ids.iter().find(|(s, _)| *s == seq).map(|(_, id)| *id);
            let push = changes.into_iter().map(|change| {
                let id = id_of(change.seq).expect("the ledger knows what is pending");
                self.ledger.pushed(id, &change, now);
                (change, id)
            });
            let push = push.collect();
            self.send(n, Up::Push(push));
            self.change_role_on_push(n);
            if self.random.percent(self.climate.strikes) {
                let wait = self.random.below(self.climate.latency.1 * 3);
                self.after(wait, Event::Strike(n));
            }
        }
    }

    /// Plans what a tab does next.
    pub fn plan(&mut self, n: usize) {
        let (now, lives) = (self.now, self.tabs[n].lives);
        let quick = self.random.below(40);
        let later = self.random.below(KEPT_WITHIN_MS * 4 / 5);
        let early = self.fault == Some(Fault::PushesBeforeNumbersAreKept);
        let tab = &mut self.tabs[n];
        let Some(life) = &mut tab.life else { return };
        let mut events = Vec::new();
        let join_by = life.join_by.filter(|_| life.link.is_open() && !life.joined);
        let deadline = life.link.deadline().into_iter().chain(join_by).min();
        if let Some(at) = deadline.filter(|at| *at < life.tick_at) {
            life.tick_at = at;
            events.push((at.max(now), Event::Tick(n, lives)));
        }
        if early {
            life.replica.stored(life.replica.numbering());
        }
        let unsent = life.replica.pending() > 0;
        if unsent && life.joined && !life.push_planned {
            life.push_planned = true;
            events.push((life.push_after.max(now + quick), Event::Push(n, lives)));
        }
        if !life.write_planned && life.unwritten {
            life.write_planned = true;
            events.push((now + later, Event::Write(n, lives)));
        }
        for (at, event) in events {
            self.at(at, event);
        }
    }
}

/// Takes what others did, of which a snapshot tells, for an own doing.
fn take_for_own(joined: &mut Joined, tail: Option<(u64, Vec<Stored>)>, client: &ClientId) {
    let Some((from, tail)) = tail.filter(|_| joined.snapshot.is_some()) else { return };
    let read = |stored: &Stored| serde_json::from_str::<Commit>(&stored.body).expect("a commit");
    let tail: Vec<Commit> =
        tail.iter().map(read).filter(|commit| commit.revision <= joined.revision).collect();
    let whole = tail.first().is_none_or(|first| first.revision == from + 1);
    if whole && from + tail.len() as u64 == joined.revision {
        let own = |commit: Commit| match commit.client == *client {
            true => commit,
            false => Commit { client: client.clone(), seq: 0, ..commit },
        };
        joined.snapshot = None;
        joined.commits = Some(tail.into_iter().map(own).collect());
    }
}
