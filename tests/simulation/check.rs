//! The ledger: what became of every op that anybody ever made, and what anybody ever saw. It knows the
//! rules and nothing of how they are kept.

use std::collections::{BTreeMap, VecDeque};

use lockstep::dashboard::{ClientId, Dashboard, Op};
use lockstep::sync::protocol::{Change, Commit, Refused};
use lockstep::sync::replica::{Changes, Notice};
use lockstep::sync::room::{Author, Room};

use super::model::{End, History, Judgement, Past, Shown, is_effect_of};
use super::tab::{KEPT_WITHIN_MS, Tab};

/// A change as the ledger counts them: in the order of making.
pub type MadeId = usize;
/// What a tab reads of an own change: the revision, its `seq`, and what was refused in it.
pub type Verdict = (u64, u64, Vec<Refused>);
/// What no tab made.
const NOBODYS: MadeId = MadeId::MAX;

/// What a person was told of an edit without effect, and still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Refused(MadeId, usize),
    SetAside(MadeId),
    /// It is in the log, which cannot tell any more what became of it.
    Unknown(MadeId),
    /// It was saved, and an older backup does not have it.
    Restored(MadeId),
    /// Nothing was left of it to save.
    Void(MadeId),
}

impl Ended {
    /// The change that it is about.
    pub fn id(&self) -> MadeId {
        match self {
            Self::Refused(id, _)
            | Self::SetAside(id)
            | Self::Unknown(id)
            | Self::Restored(id)
            | Self::Void(id) => *id,
        }
    }
}

struct Made {
    tab: usize,
    made_at: u64,
    /// When it was made, or typed on.
    touched: u64,
    /// It is more than the removal of text.
    writes: bool,
    /// The tab died with it before the device had it.
    lost: bool,
    /// The load of its tab's page that heard that the log has it.
    acked: Option<u64>,
    /// It was in a log of which an older backup took the place.
    rolled_back: bool,
    /// How often a backup had taken the log's place when it was made.
    after: u64,
}

/// What came of a run, to be added up over seeds.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub commits: u64,
    pub joins: u64,
    pub snapshot_joins: u64,
    /// Changes of which nothing was left to save.
    pub void: u64,
    pub server_crashes: u64,
    pub tab_crashes: u64,
    pub syncs_failed: u64,
    pub reads_failed: u64,
    /// Rooms that could not go on.
    pub rooms_failed: u64,
    /// What was answered with an error and was in the log after a crash all the same.
    pub came_back: u64,
    pub rollbacks: u64,
    /// Those that kept the log's name, and how many of these were noticed.
    pub silent_rollbacks: u64,
    pub noticed: u64,
    /// Notes that were compacted.
    pub compactions: u64,
    /// Changes that came again, and were answered.
    pub again: u64,
    /// Changes made, and what became of them.
    pub changes: u64,
    pub set_aside: u64,
    /// Changes that wait with somebody who has no role.
    pub held: u64,
    /// Roles that changed, sessions that were let go of for it, changes that were made again.
    pub role_changes: u64,
    pub let_go: u64,
    pub sent_again: u64,
    pub lost_with_tab: u64,
    pub rolled_back: u64,
    pub twice_after_rollback: u64,
    /// Ops in the log: applied, applied over, kept in a conflict, refused.
    pub ends: [u64; 4],
}

impl Report {
    pub fn add(&mut self, other: &Self) {
        self.commits += other.commits;
        self.joins += other.joins;
        self.snapshot_joins += other.snapshot_joins;
        self.server_crashes += other.server_crashes;
        self.tab_crashes += other.tab_crashes;
        self.syncs_failed += other.syncs_failed;
        self.reads_failed += other.reads_failed;
        self.rooms_failed += other.rooms_failed;
        self.came_back += other.came_back;
        self.rollbacks += other.rollbacks;
        self.silent_rollbacks += other.silent_rollbacks;
        self.noticed += other.noticed;
        self.compactions += other.compactions;
        self.again += other.again;
        self.changes += other.changes;
        self.set_aside += other.set_aside;
        self.held += other.held;
        self.role_changes += other.role_changes;
        self.let_go += other.let_go;
        self.sent_again += other.sent_again;
        self.lost_with_tab += other.lost_with_tab;
        self.rolled_back += other.rolled_back;
        self.void += other.void;
        self.twice_after_rollback += other.twice_after_rollback;
        self.ends.iter_mut().zip(other.ends).for_each(|(sum, more)| *sum += more);
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [applied, over, kept, refused] = self.ends;
        write!(
            f,
            "{} changes made; {} commits whose ops were {applied} applied, {over} applied over, {kept} kept in \
             a conflict, {refused} refused; {} changes set aside, {} held without a role, {} lost with their tab within the time to \
             write, {} rolled back with the log, {} in it twice after that, {} of which nothing was left; {} joins, {} of them with a \
             snapshot; {} compactions; {} changes came again; {} crashes of the server, {} of tabs; {} syncs failed, {} \
             writes of them were there after a crash, {} reads failed, {} rooms could not go on; {} \
             rollbacks, {} of them without a word, {} of these noticed; {} changes of roles, {} sessions let go, {} \
             changes sent again",
            self.changes,
            self.commits,
            self.set_aside,
            self.held,
            self.lost_with_tab,
            self.rolled_back,
            self.twice_after_rollback,
            self.void,
            self.joins,
            self.snapshot_joins,
            self.compactions,
            self.again,
            self.server_crashes,
            self.tab_crashes,
            self.syncs_failed,
            self.came_back,
            self.reads_failed,
            self.rooms_failed,
            self.rollbacks,
            self.silent_rollbacks,
            self.noticed,
            self.role_changes,
            self.let_go,
            self.sent_again,
        )
    }
}

#[derive(Default)]
pub struct Ledger {
    made: Vec<Made>,
    /// The dashboard before the log.
    start: Dashboard,
    /// The log of this epoch, by revision from 1 on.
    log: Vec<Past>,
    /// What a room had judged that was not in the log when it was opened last, and the revision before it: it
    /// may be there after a crash all the same.
    doubtful: (u64, Vec<Past>),
    epoch: String,
    /// How often another log took its place or its name.
    rollbacks: u64,
    /// What was seen of the log of this epoch, by revision.
    seen: BTreeMap<u64, (ClientId, u64)>,
    seen_revision: u64,
    pub failure: Option<String>,
}

impl Ledger {
    pub fn new(epoch: &str, start: Dashboard) -> Self {
        Self { epoch: epoch.to_owned(), start, ..Self::default() }
    }

    /// All that was ever written.
    pub fn history(&self) -> History<'_> {
        History { start: &self.start, commits: &self.log }
    }

    /// A rule is broken. The first time counts.
    pub fn fails(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    fn expect(&mut self, holds: bool, why: impl FnOnce() -> String) {
        if !holds {
            self.fails(why());
        }
    }

    pub fn made(&mut self, tab: usize, now: u64) -> MadeId {
        self.made.push(Made {
            tab,
            made_at: now,
            touched: now,
            writes: false,
            lost: false,
            acked: None,
            rolled_back: false,
            after: self.rollbacks,
        });
        self.made.len() - 1
    }

    /// Notes what a change asks for.
    pub fn asks(&mut self, id: MadeId, change: &Change) {
        let removes = |op: &Op| matches!(op, Op::EditText { update, .. } if update.typed().is_some_and(|typed| typed.is_empty()));
        self.made[id].writes |= !change.ops.iter().all(removes);
    }

    pub fn touched(&mut self, id: MadeId, now: u64) {
        self.made[id].touched = now;
    }

    /// A change leaves its tab, and says how long it has waited.
    pub fn pushed(&mut self, id: MadeId, change: &Change, now: u64) {
        let waited = now - self.made[id].made_at;
        self.expect(change.age_ms == Some(waited), || {
            format!("S4: a change that waited {waited} ms says {:?}", change.age_ms)
        });
    }

    /// A tab died with a change that its device did not have. While it slept it could write nothing.
    pub fn lost_with_tab(&mut self, id: MadeId, woke_at: u64, now: u64) {
        self.made[id].lost = true;
        let age = now.saturating_sub(self.made[id].touched.max(woke_at));
        self.expect(age <= KEPT_WITHIN_MS, || {
            format!("S4: change {id} was not on the device after {age} ms")
        });
    }

    /// The room has judged a change. Nobody has heard of it yet.
    pub fn judged(&mut self, room: &Room, author: &Author, change: &Change, id: MadeId, commit: &Commit) {
        if self.failure.is_some() {
            return;
        }
        self.log.truncate(commit.revision as usize - 1);
        // A tab cannot know what a log has that took the place of the one that it pushed to.
        let again = self.rollbacks == 0 && self.log.iter().any(|past| past.id == id);
        self.expect(!again, || format!("S2: change {id} is judged again at revision {}", commit.revision));
        let after = room.dashboard();
        let judgement = Judgement { history: self.history(), author, change, commit, after };
        let ends = match judgement.check() {
            Ok(ends) => ends,
            Err(why) => return self.fails(why),
        };
        self.log.push(Past {
            id,
            client: commit.client.clone(),
            seq: commit.seq,
            by: commit.by.clone(),
            asked: change.ops.clone(),
            ends,
            ops: commit.ops.clone(),
            written_at: commit.written_at,
            after: after.clone(),
        });
    }

    /// The room has compacted a note. Nobody has heard of it yet.
    pub fn compacted(&mut self, room: &Room, commit: &Commit) {
        if self.failure.is_some() {
            return;
        }
        self.log.truncate(commit.revision as usize - 1);
        let before = self.history().at(commit.revision - 1);
        let same = before.full_digest() == room.full_digest() && before.settings == room.dashboard().settings;
        self.expect(same, || format!("S1: the compaction {commit:?} changed something"));
        self.log.push(Past {
            id: NOBODYS,
            client: commit.client.clone(),
            seq: commit.seq,
            by: commit.by.clone(),
            asked: Vec::new(),
            ends: Vec::new(),
            // Nobody wrote it.
            ops: Vec::new(),
            written_at: None,
            after: room.dashboard().clone(),
        });
    }

    /// The room was built from the disk: what was seen is there, and what is there is what was judged.
    pub fn opened(&mut self, room: &Room) {
        if room.epoch() != self.epoch {
            return self.fails("S1: the log is another one".to_owned());
        }
        let (revision, seen) = (room.revision(), self.seen_revision);
        self.expect(revision >= seen, || format!("S3: revision {seen} was seen; the log ends at {revision}"));
        let matches = |past: Option<&Past>| past.is_some_and(|past| past.after == *room.dashboard());
        let (from, doubtful) = &mut self.doubtful;
        let count = revision.saturating_sub(*from) as usize;
        if count > 0 && !matches(self.log.get(revision as usize - 1)) && matches(doubtful.get(count - 1)) {
            self.log.truncate(*from as usize);
            self.log.extend(doubtful.drain(..count));
        }
        if self.log.len() as u64 > revision {
            self.doubtful = (revision, self.log.split_off(revision as usize));
        }
        let same = self.log.len() as u64 == revision;
        self.expect(same, || format!("S1: nobody has judged what the log has at {revision}"));
        if same {
            let judged = self.history().at(revision);
            let differs = difference(judged, room.dashboard());
            self.expect(differs.is_none(), || {
                format!("S1: the log gives another room at {revision}: {}", differs.unwrap_or_default())
            });
        }
    }

    /// An older backup took the log's place: it ends earlier, and may have another name.
    pub fn rolled_back(&mut self, revision: u64, epoch: &str) {
        for entry in self.log.drain(revision as usize..) {
            if let Some(made) = self.made.get_mut(entry.id) {
                made.rolled_back = true;
            }
        }
        self.epoch = epoch.to_owned();
        self.doubtful = Default::default();
        self.rollbacks += 1;
        self.seen.clear();
        self.seen_revision = 0;
    }

    /// The log goes on under another name: what it has of a tab that was not there, that tab cannot know.
    pub fn renamed(&mut self, epoch: &str) {
        self.rollbacks += 1;
        self.epoch = epoch.to_owned();
    }

    /// Somebody has received commits.
    pub fn seen(&mut self, epoch: &str, commits: &[Commit]) {
        if epoch != self.epoch {
            return;
        }
        for commit in commits {
            self.seen.insert(commit.revision, (commit.client.clone(), commit.seq));
            self.seen_revision = self.seen_revision.max(commit.revision);
        }
    }

    /// Somebody has received the dashboard at a revision.
    pub fn seen_revision(&mut self, epoch: &str, revision: u64) {
        if epoch == self.epoch {
            self.seen_revision = self.seen_revision.max(revision);
        }
    }

    /// Compares a copy with the log at its revision (S11).
    pub fn compare(&mut self, tab: &Tab) {
        let Some(stored) = tab.life.as_ref().and_then(|life| life.replica.stored_dashboard()) else { return };
        if stored.epoch != self.epoch || stored.revision == 0 {
            return;
        }
        if stored.revision as usize > self.log.len() {
            return;
        }
        let differs = difference(self.history().at(stored.revision), &stored.dashboard);
        let client = &tab.author.client;
        self.expect(differs.is_none(), || {
            let what = differs.unwrap_or_default();
            format!("S11: the copy of {client} differs at revision {}: {what}", stored.revision)
        });
    }

    /// What a tab shows, where it follows this log.
    pub fn shown(&self, tab: &Tab) -> Option<Shown> {
        let replica = &tab.life.as_ref()?.replica;
        let revision = replica.revision();
        let follows = replica.resume().is_some_and(|at| at.epoch == self.epoch);
        // What a copy has of a log that a backup took the place of nobody knows any more.
        let known = self.rollbacks == 0 && follows && revision as usize <= self.log.len();
        let pending = replica.stored_queue().changes;
        known.then(|| Shown { view: replica.view().clone(), pending, revision })
    }

    /// A tab took a step back.
    pub fn undone(&mut self, shown: &Shown, tab: &Tab) {
        let Some(life) = &tab.life else { return };
        let undone = shown.check_undo(self.history(), &tab.author.client, life.replica.view());
        undone.unwrap_or_else(|why| self.fails(why));
    }

    /// Takes out of a queue what left it, and returns what its author was told.
    pub fn ends_of(
        &mut self,
        ids: &mut VecDeque<(u64, MadeId)>,
        changes: &Changes,
        verdicts: &[Verdict],
        (tab, load, left): (usize, u64, usize),
    ) -> Vec<Ended> {
        let mut told = Vec::new();
        let mut refused_ops: Vec<&Op> = Vec::new();
        let mut leave = |seq: u64| {
            let at = ids.iter().position(|(of, _)| *of == seq)?;
            ids.remove(at).map(|(_, id)| id)
        };
        for notice in &changes.notices {
            match notice {
                Notice::SetAside { change, .. } => told.extend(leave(change.seq).map(Ended::SetAside)),
                Notice::Unknown { change } => told.extend(leave(change.seq).map(Ended::Unknown)),
                Notice::Refused { op, .. } => refused_ops.push(op),
                Notice::Restored { .. } => {
                    let gone = |made: &Made| made.tab == tab && made.rolled_back && made.acked == Some(load);
                    let gone = self.made.iter().enumerate().filter(|(_, made)| gone(made));
                    told.extend(gone.map(|(id, _)| Ended::Restored(id)));
                }
                Notice::Conflict { .. } => {}
            }
        }
        let mut void = Vec::new();
        for change in &changes.void {
            void.extend(leave(change.seq));
        }
        told.extend(void.iter().copied().map(Ended::Void));
        for (_, seq, refused) in verdicts {
            let Some(id) = leave(*seq) else { continue };
            self.made[id].acked = Some(load);
            for Refused { index, .. } in refused {
                let op = self.log.iter().find(|past| past.id == id).and_then(|past| past.asked.get(*index));
                if let Some(at) =
                    refused_ops.iter().position(|refused| op.is_some_and(|op| is_begun(refused, op)))
                {
                    refused_ops.remove(at);
                    told.push(Ended::Refused(id, *index));
                }
            }
        }
        for id in void {
            let nothing = !self.made[id].writes;
            self.expect(nothing, || {
                format!("S4: change {id} of tab {tab} was dropped, and it writes something")
            });
        }
        let right = ids.len() == left;
        self.expect(right, || format!("S4: {left} changes wait where {} should", ids.len()));
        told
    }

    /// Once it is quiet: every op has one end, and what was seen is there.
    pub fn finish(&mut self, room: &Room, tabs: &[Tab], report: &mut Report) {
        self.opened(room);
        for (revision, (client, seq)) in std::mem::take(&mut self.seen) {
            let entry = &self.log[revision as usize - 1];
            let same = entry.client == client && entry.seq == seq;
            self.expect(same, || format!("S3: revision {revision} was seen as {client}'s change {seq}"));
        }
        report.commits += self.log.len() as u64;
        report.changes += self.made.len() as u64;
        let mut last_of = vec![None; tabs.len()];
        let mut logged = vec![Vec::new(); self.made.len()];
        for at in 0..self.log.len() {
            let Past { id, ends, .. } = &self.log[at];
            let id = *id;
            if id == NOBODYS {
                continue;
            }
            ends.iter().for_each(|end| report.ends[*end as usize] += 1);
            logged[id].push(at);
            let made = &self.made[id];
            let (tab, again) = (made.tab, made.rolled_back || logged[id].len() > 1);
            let in_order = last_of[tab].is_none_or(|last| last < id) || again;
            last_of[tab] = last_of[tab].max(Some(id));
            self.expect(in_order, || {
                format!("S7: change {id} is in the log behind a later one of its author")
            });
        }
        for (id, logged) in logged.iter().enumerate() {
            self.finish_one(id, logged, tabs, report);
        }
    }

    fn finish_one(&mut self, id: MadeId, logged: &[usize], tabs: &[Tab], report: &mut Report) {
        let Made { tab, lost, acked, rolled_back, after, .. } = self.made[id];
        let told = tabs[tab].told();
        let aside = told.contains(&Ended::SetAside(id));
        let held = tabs[tab].holds(id);
        match logged {
            [] if aside => report.set_aside += 1,
            [] if held => report.held += 1,
            [] if lost => report.lost_with_tab += 1,
            [] if told.contains(&Ended::Void(id)) => report.void += 1,
            [] if rolled_back && acked.is_some() => {
                report.rolled_back += 1;
                // A page that is loaded again has forgotten what was saved.
                let here = acked == Some(tabs[tab].lives) && !tabs[tab].is_turned_away();
                let here = here && !told.contains(&Ended::Restored(id));
                self.expect(!here, || {
                    format!("S4: nobody told tab {tab} that change {id} is not in the log any more")
                });
            }
            // Handed back with the word that the log had it.
            [] if rolled_back && told.contains(&Ended::Unknown(id)) => report.rolled_back += 1,
            [] => self.fails(format!("S4: change {id} of tab {tab} is nowhere")),
            [once] if !aside => {
                let Past { ends, asked, .. } = &self.log[*once];
                // Of what is no edit nothing is missing.
                let is_edit = |index: usize| asked.get(index).is_none_or(|op| !op.is_empty_typing());
                let ends = ends.iter().enumerate();
                let refused = ends.filter(|(index, end)| **end == End::Refused && is_edit(*index));
                let mut refused = refused.map(|(index, _)| index);
                let silent = refused.find(|index| !told.contains(&Ended::Refused(id, *index)));
                let excused = lost || held || told.contains(&Ended::Unknown(id));
                if let Some(index) = silent.filter(|_| !excused) {
                    self.fails(format!(
                        "S4: nobody told tab {tab} that op {index} of change {id} was refused"
                    ));
                }
            }
            // Once in the log that the backup brought, and once from its tab, which cannot know.
            more if (self.rollbacks - after) as usize >= more.len() + usize::from(aside) - 1 => {
                report.twice_after_rollback += 1;
            }
            more => {
                let count = more.len();
                self.fails(format!(
                    "S2: change {id} of tab {tab} is {count} times in the log, set aside: {aside}"
                ));
            }
        }
    }
}

/// Whether a device had an op as it was asked for, or typing as it was when the device was last written.
fn is_begun(kept: &Op, asked: &Op) -> bool {
    let more = match (kept, asked) {
        (Op::EditText { id: a, update, .. }, Op::EditText { id: b, update: more, .. }) if a == b => {
            more.typed().zip(update.typed()).is_some_and(|(more, typed)| more.starts_with(&typed))
        }
        _ => false,
    };
    more || is_effect_of(kept, asked)
}

/// What of two dashboards is not the same.
fn difference(one: &Dashboard, other: &Dashboard) -> Option<String> {
    let parts = [
        ("title", one.title == other.title),
        ("settings", one.settings == other.settings),
        ("widgets", one.widgets == other.widgets),
        ("tombstones", one.removed == other.removed),
        ("conflicts", one.conflicts == other.conflicts),
    ];
    let part = parts.iter().find(|(_, same)| !same).map(|(part, _)| *part)?;
    Some(format!("its {part}: {one:?} and {other:?}"))
}
