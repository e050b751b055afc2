//! The ledger: what became of every op that anybody ever made, and what anybody ever saw. It knows the
//! rules and nothing of how they are kept.

use std::collections::{BTreeMap, VecDeque};

use lockstep::dashboard::{ClientId, Op};
use lockstep::sync::protocol::{Change, Commit, Refused};
use lockstep::sync::replica::{Changes, Notice};
use lockstep::sync::room::Room;

use super::tab::{KEPT_WITHIN_MS, Tab};

/// A change as the ledger counts them: in the order of making.
pub type MadeId = usize;
/// What a tab reads of an own change: the revision, its `seq`, and what was refused in it.
pub type Verdict = (u64, u64, Vec<Refused>);

/// What a person was told of an edit without effect, and still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Refused(MadeId, usize),
    SetAside(MadeId),
    /// It is in the log, which cannot tell any more what became of it.
    Unknown(MadeId),
    /// It was saved, and an older backup does not have it.
    Restored(MadeId),
}

impl Ended {
    /// The change that it is about.
    pub fn id(&self) -> MadeId {
        match self {
            Self::Refused(id, _) | Self::SetAside(id) | Self::Unknown(id) | Self::Restored(id) => *id,
        }
    }
}

struct Made {
    tab: usize,
    /// When it was made, or typed on.
    touched: u64,
    /// The tab died with it before the device had it.
    lost: bool,
    /// The load of its tab's page that heard that the log has it.
    acked: Option<u64>,
    /// It was in a log of which an older backup took the place.
    rolled_back: bool,
    /// How often a backup had taken the log's place when it was made.
    after: u64,
}

/// A commit of the log as it was judged.
struct Entry {
    client: ClientId,
    seq: u64,
    id: MadeId,
    digest: String,
    ops: Vec<Op>,
    refused: Vec<usize>,
    /// Records that keep a value of this commit.
    records: Vec<lockstep::dashboard::ConflictId>,
    ends: [u64; 4],
}

/// What came of a run, to be added up over seeds.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub commits: u64,
    pub joins: u64,
    pub snapshot_joins: u64,
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
    /// Changes that came again, and were answered.
    pub again: u64,
    /// Changes made, and what became of them.
    pub changes: u64,
    pub set_aside: u64,
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
        self.again += other.again;
        self.changes += other.changes;
        self.set_aside += other.set_aside;
        self.lost_with_tab += other.lost_with_tab;
        self.rolled_back += other.rolled_back;
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
             a conflict, {refused} refused; {} changes set aside, {} lost with their tab within the time to \
             write, {} rolled back with the log, {} in it twice after that; {} joins, {} of them with a \
             snapshot; {} changes came again; {} crashes of the server, {} of tabs; {} syncs failed, {} \
             writes of them were there after a crash, {} reads failed, {} rooms could not go on; {} \
             rollbacks, {} of them without a word, {} of these noticed",
            self.changes,
            self.commits,
            self.set_aside,
            self.lost_with_tab,
            self.rolled_back,
            self.twice_after_rollback,
            self.joins,
            self.snapshot_joins,
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
        )
    }
}

#[derive(Default)]
pub struct Ledger {
    made: Vec<Made>,
    /// The log of this epoch, by revision from 1 on.
    log: Vec<Entry>,
    /// What a room had judged that was not in the log when it was opened last, and the revision before it: it
    /// may be there after a crash all the same.
    doubtful: (u64, Vec<Entry>),
    epoch: String,
    rollbacks: u64,
    /// What was seen of the log of this epoch, by revision.
    seen: BTreeMap<u64, (ClientId, u64)>,
    seen_revision: u64,
    pub failure: Option<String>,
}

impl Ledger {
    pub fn new(epoch: &str) -> Self {
        Self { epoch: epoch.to_owned(), ..Self::default() }
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
            touched: now,
            lost: false,
            acked: None,
            rolled_back: false,
            after: self.rollbacks,
        });
        self.made.len() - 1
    }

    pub fn touched(&mut self, id: MadeId, now: u64) {
        self.made[id].touched = now;
    }

    /// A tab died with a change that its device did not have.
    pub fn lost_with_tab(&mut self, id: MadeId, now: u64) {
        self.made[id].lost = true;
        let age = now - self.made[id].touched;
        self.expect(age <= KEPT_WITHIN_MS, || {
            format!("S4: change {id} was not on the device after {age} ms")
        });
    }

    /// The room has judged a change. Nobody has heard of it yet.
    pub fn judged(&mut self, room: &Room, change: &Change, id: MadeId, commit: &Commit) {
        self.log.truncate(commit.revision as usize - 1);
        // A tab cannot know what a log has that took the place of the one that it pushed to.
        let again = self.rollbacks == 0 && self.log.iter().any(|entry| entry.id == id);
        self.expect(!again, || format!("S2: change {id} is judged again at revision {}", commit.revision));
        let mut entry = Entry {
            client: commit.client.clone(),
            seq: commit.seq,
            id,
            digest: room.digest(),
            ops: change.ops.clone(),
            refused: commit.refused.iter().map(|refused| refused.index).collect(),
            records: Vec::new(),
            ends: [0; 4],
        };
        for (index, op) in change.ops.iter().enumerate() {
            match end_of(index, op, commit) {
                Ok((end, record)) => {
                    entry.ends[end] += 1;
                    entry.records.extend(record);
                }
                Err(why) => self.fails(format!("S4: {op:?} {why} in {commit:?}")),
            }
        }
        self.log.push(entry);
    }

    /// The room was built from the disk: what was seen is there, and what is there is what was judged.
    pub fn opened(&mut self, room: &Room) {
        if room.epoch() != self.epoch {
            return self.fails("S1: the log is another one".to_owned());
        }
        let (revision, seen) = (room.revision(), self.seen_revision);
        self.expect(revision >= seen, || format!("S3: revision {seen} was seen; the log ends at {revision}"));
        let digest = room.digest();
        let matches = |entry: Option<&Entry>| entry.is_some_and(|entry| entry.digest == digest);
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
        if let Some(last) = self.log.last() {
            let same = last.digest == digest;
            self.expect(same, || format!("S1: the log gives another room at {revision}"));
        }
    }

    /// An older backup took the log's place: it ends earlier, and may have another name.
    pub fn rolled_back(&mut self, revision: u64, epoch: &str) {
        for entry in self.log.drain(revision as usize..) {
            self.made[entry.id].rolled_back = true;
        }
        self.epoch = epoch.to_owned();
        self.doubtful = Default::default();
        self.rollbacks += 1;
        self.seen.clear();
        self.seen_revision = 0;
    }

    /// The log goes on under another name.
    pub fn renamed(&mut self, epoch: &str) {
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
        let Some(entry) = self.log.get(stored.revision as usize - 1) else { return };
        let same = entry.digest == stored.dashboard.digest();
        let client = &tab.author.client;
        self.expect(same, || format!("S11: the copy of {client} differs at revision {}", stored.revision));
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
        for (_, seq, refused) in verdicts {
            let Some(id) = leave(*seq) else { continue };
            self.made[id].acked = Some(load);
            for Refused { index, .. } in refused {
                let op = self.log.iter().find(|entry| entry.id == id).and_then(|entry| entry.ops.get(*index));
                if let Some(at) = refused_ops.iter().position(|refused| Some(*refused) == op) {
                    refused_ops.remove(at);
                    told.push(Ended::Refused(id, *index));
                }
            }
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
            let Entry { id, ends, .. } = self.log[at];
            (0..4).for_each(|end| report.ends[end] += ends[end]);
            logged[id].push(at);
            let made = &self.made[id];
            let (tab, again) = (made.tab, made.rolled_back || logged[id].len() > 1);
            let in_order = last_of[tab].is_none_or(|last| last < id) || again;
            last_of[tab] = last_of[tab].max(Some(id));
            self.expect(in_order, || {
                format!("S7: change {id} is in the log behind a later one of its author")
            });
            let missing =
                self.log[at].records.iter().find(|id| !room.dashboard().conflicts.contains_key(*id));
            if let Some(missing) = missing.cloned() {
                self.fails(format!("S4: the record {missing} of change {id} is gone"));
            }
        }
        for (id, logged) in logged.iter().enumerate() {
            self.finish_one(id, logged, tabs, report);
        }
    }

    fn finish_one(&mut self, id: MadeId, logged: &[usize], tabs: &[Tab], report: &mut Report) {
        let Made { tab, lost, acked, rolled_back, after, .. } = self.made[id];
        let told = tabs[tab].told();
        let aside = told.contains(&Ended::SetAside(id));
        match logged {
            [] if aside => report.set_aside += 1,
            [] if lost => report.lost_with_tab += 1,
            [] if rolled_back && acked.is_some() => {
                report.rolled_back += 1;
                // A page that is loaded again has forgotten what was saved.
                let here = acked == Some(tabs[tab].lives) && !told.contains(&Ended::Restored(id));
                self.expect(!here, || {
                    format!("S4: nobody told tab {tab} that change {id} is not in the log any more")
                });
            }
            // Handed back with the word that the log had it.
            [] if rolled_back && told.contains(&Ended::Unknown(id)) => report.rolled_back += 1,
            [] => self.fails(format!("S4: change {id} of tab {tab} is nowhere")),
            [once] if !aside => {
                let refused = &self.log[*once].refused;
                let silent = refused.iter().find(|index| !told.contains(&Ended::Refused(id, **index)));
                let excused = lost || told.contains(&Ended::Unknown(id));
                if let Some(index) = silent.copied().filter(|_| !excused) {
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

/// Which of the four ends an op of a commit has, and the record that keeps it.
fn end_of(
    index: usize,
    op: &Op,
    commit: &Commit,
) -> Result<(usize, Option<lockstep::dashboard::ConflictId>), String> {
    let refused = commit.refused.iter().any(|refused| refused.index == index);
    let cell = op.cell();
    let about =
        |conflict: &&std::sync::Arc<lockstep::dashboard::Conflict>| Some(&conflict.cell) == cell.as_ref();
    let over = commit.conflicts.iter().filter(about).find(|c| c.kept.revision == Some(commit.revision));
    let kept = commit.conflicts.iter().find(|conflict| {
        let same_widget = op.widget_id().is_some() && conflict.cell.id.as_ref() == op.widget_id();
        conflict.other.by.id == commit.by.id && (about(conflict) || same_widget)
    });
    let effective = commit.ops.iter().any(|effective| match (effective, op) {
        (Op::Place { id: a, .. }, Op::Place { id: b, .. }) => a == b,
        (Op::AddWidget { id: a, .. }, Op::AddWidget { id: b, .. }) => a == b,
        (a, b) => a == b,
    });
    // A widget that is placed and removed by one change was placed.
    let effective = effective || (!refused && matches!(op, Op::Place { .. }));
    match (effective, refused, over, kept) {
        // A conflict that the same change opens again writes what was there before, and that may be the same op.
        (true, true, ..) if !commit.ops.iter().any(|op| matches!(op, Op::SettleConflict { .. })) => {
            Err("is both applied and refused".to_owned())
        }
        (_, true, ..) => Ok((3, None)),
        (true, false, Some(over), _) => Ok((1, Some(over.id.clone()))),
        (true, false, None, _) => Ok((0, None)),
        (false, false, _, Some(kept)) => Ok((2, Some(kept.id.clone()))),
        (false, false, _, None) => Err("has no end".to_owned()),
    }
}
