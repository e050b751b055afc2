//! The authority for one dashboard: judges changes in order and says what became of each (S1 to S6).
//!
//! The room knows no socket and no disk. Who runs it appends a commit to the log before anybody hears
//! of it (S3), and builds the room anew from the log if that fails.

mod compaction;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dashboard::capability::needs_query;
use crate::dashboard::difference::SinceBase;
use crate::dashboard::size::{MAX_DASHBOARD_BYTES, json_bytes};
use crate::dashboard::{
    Cell, ClientId, Conflict, ConflictId, Dashboard, Edit, MAX_WIDGETS, Op, Removed, Stamp, User, WidgetId,
};

use super::conflict::{CellLog, CellLogs, Scales, Weighed, follow_writes, keep_covered, record_id};
use super::protocol::{Change, Code, Commit, MAX_OPS, Refused, Role};

pub use self::compaction::COMPACT_FROM;

/// Clients whose last `seq` is remembered; the one that wrote longest ago is forgotten first. A tab
/// that comes back after this many others have written starts as a new client.
pub const MAX_CLIENTS: usize = 10_000;
/// Revisions between two looks for cells that nobody needs to know of any more.
const FORGET_EVERY: u64 = 256;
/// Why an edit is turned down that changes what is asked, for those who may not.
const NO_QUERY: &str =
    "Forbidden: you may edit this dashboard, and not change what is asked of which source.";

/// The authority for one dashboard.
#[derive(Clone, Debug)]
pub struct Room {
    epoch: String,
    revision: u64,
    /// The time of the last commit, where it is known.
    at: Option<u64>,
    dashboard: Dashboard,
    cells: CellLogs,
    clients: HashMap<ClientId, LastSeq>,
    max_widgets: usize,
    max_bytes: usize,
    compact_from: usize,
    /// Bytes of the dashboard as JSON, where they were counted.
    bytes: Option<usize>,
    /// Tombstones that went while the log was repeated.
    gone: BTreeMap<WidgetId, Arc<Removed>>,
}

/// The last change of a client.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct LastSeq {
    seq: u64,
    revision: u64,
}

/// All that a room knows, as a store keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomState {
    pub epoch: String,
    pub revision: u64,
    #[serde(default)]
    at: Option<u64>,
    pub dashboard: Dashboard,
    cells: Vec<(Cell, CellLog)>,
    /// The revision from which on all writers of the cells were noted; absent in states of older builds, which
    /// noted the last one only.
    #[serde(default)]
    writers_from: Option<u64>,
    clients: BTreeMap<ClientId, LastSeq>,
}

/// Who a change comes from, as the server knows them.
#[derive(Clone, Debug)]
pub struct Author {
    pub client: ClientId,
    pub by: User,
    pub role: Role,
    /// True for who may also change what is asked of which source.
    pub may_query: bool,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Judged and applied; to be appended, then sent to everybody.
    Committed(Box<Commit>),
    /// The log has this `seq` of the client already (S2).
    Again,
    /// It never reaches the log.
    Rejected {
        code: Code,
        /// For people.
        reason: String,
        /// The `seq` that is taken next from this client.
        expected: u64,
    },
}

impl Room {
    /// A room at the beginning of a log.
    pub fn new(epoch: String, dashboard: Dashboard) -> Self {
        Self {
            epoch,
            revision: 0,
            at: None,
            dashboard,
            cells: CellLogs::default(),
            clients: HashMap::new(),
            max_widgets: MAX_WIDGETS,
            max_bytes: MAX_DASHBOARD_BYTES,
            compact_from: COMPACT_FROM,
            bytes: None,
            gone: BTreeMap::new(),
        }
    }

    /// A room as [`Room::state`] wrote it down.
    pub fn from_state(state: RoomState) -> Self {
        Self {
            epoch: state.epoch,
            revision: state.revision,
            at: state.at,
            dashboard: state.dashboard,
            cells: CellLogs::from_state(state.cells, state.writers_from.unwrap_or(state.revision)),
            clients: state.clients.into_iter().collect(),
            max_widgets: MAX_WIDGETS,
            max_bytes: MAX_DASHBOARD_BYTES,
            compact_from: COMPACT_FROM,
            bytes: None,
            gone: BTreeMap::new(),
        }
    }

    /// Sets another limit of widgets than [`MAX_WIDGETS`].
    pub fn max_widgets(mut self, most: usize) -> Self {
        self.max_widgets = most;
        self
    }

    /// Sets another limit of the dashboard's bytes than [`MAX_DASHBOARD_BYTES`].
    pub fn max_bytes(mut self, most: usize) -> Self {
        self.max_bytes = most;
        self
    }

    /// Sets another size of notes than [`COMPACT_FROM`].
    pub fn compact_from(mut self, bytes: usize) -> Self {
        self.compact_from = bytes;
        self
    }

    /// Bytes of the dashboard as JSON, but for some digits of frames.
    pub fn bytes(&self) -> usize {
        self.bytes.unwrap_or_else(|| json_bytes(&self.dashboard))
    }

    /// The log's end is reached: from here on changes are judged.
    pub fn replayed(mut self) -> Self {
        self.gone = BTreeMap::new();
        self.bytes = Some(json_bytes(&self.dashboard));
        self
    }

    /// All that the room knows, to be kept by a store.
    pub fn state(&self) -> RoomState {
        let mut cells: Vec<_> = self.cells.iter().map(|(cell, log)| (cell.clone(), log.clone())).collect();
        cells.sort_by(|(a, _), (b, _)| a.cmp(b));
        RoomState {
            epoch: self.epoch.clone(),
            revision: self.revision,
            at: self.at,
            dashboard: self.dashboard.clone(),
            cells,
            writers_from: Some(self.cells.exact_from()),
            clients: self.clients.iter().map(|(client, last)| (client.clone(), *last)).collect(),
        }
    }

    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The time of the last commit, in Unix milliseconds; `None` where there is none.
    pub fn at(&self) -> Option<u64> {
        self.at
    }

    pub fn dashboard(&self) -> &Dashboard {
        &self.dashboard
    }

    /// The highest `seq` of a client in the log; 0 where it has none.
    pub fn last_seq(&self, client: &ClientId) -> u64 {
        self.clients.get(client).map_or(0, |last| last.seq)
    }

    /// Compares what a cell said at a revision with a value, for a document that builds on that revision.
    pub fn compare(&self, cell: &Cell, revision: u64, value: &Value) -> SinceBase {
        self.cells.compare(cell, revision, value)
    }

    /// The digest of the dashboard as it stands (S11).
    pub fn digest(&self) -> String {
        self.dashboard.digest()
    }

    /// The digest of the dashboard with all that it keeps beside what shows (S11).
    pub fn full_digest(&self) -> String {
        self.dashboard.full_digest()
    }

    /// Judges one change at `now_ms` (Unix milliseconds). A committed one has been applied here.
    pub fn judge(&mut self, author: &Author, change: &Change, now_ms: u64) -> Verdict {
        let last = self.last_seq(&author.client);
        let rejected =
            |code, reason: &str| Verdict::Rejected { code, reason: reason.to_owned(), expected: last + 1 };
        // Before the role, which may have been another when it was judged.
        if change.seq <= last {
            return Verdict::Again;
        }
        if change.seq != last + 1 {
            return rejected(Code::OutOfOrder, "An earlier change of this client is missing.");
        }
        // After the order: a client numbers anew what follows a change that was turned down, and would
        // take the answer to one of them for the answer to another.
        if author.role == Role::Viewer {
            return rejected(Code::Forbidden, "Your role here is viewer.");
        }
        if change.base > self.revision {
            return rejected(Code::Invalid, "The change builds on a revision that is not in this log.");
        }
        if change.ops.is_empty() {
            return rejected(Code::Invalid, "The change has no ops.");
        }
        if change.ops.len() > MAX_OPS {
            return rejected(Code::TooLarge, "The change has too many ops.");
        }
        let (written_at, revision) = (change.written_at(now_ms), self.revision + 1);
        let stamp = Stamp { by: author.by.clone(), at: now_ms, written_at, revision };
        let commit = self.perform(author, change, &stamp);
        self.reached(&stamp, &author.client, change.seq);
        Verdict::Committed(Box::new(commit))
    }

    /// Repeats a commit of the log, on the way to its end.
    pub fn replay(&mut self, commit: &Commit) {
        let stamp = commit.stamp();
        for op in &commit.ops {
            self.cells.note(op, self.dashboard.before(op), &commit.client, &stamp);
            if let Op::RestoreWidget { id } = op
                && let Some(removed) = self.gone.remove(id)
            {
                // It was there when this was judged, by a build with another bound.
                self.dashboard.removed.entry(id.clone()).or_insert(removed);
            }
            self.dashboard.apply(op, &stamp);
        }
        for conflict in &commit.conflicts {
            self.dashboard.conflicts.insert(conflict.id.clone(), conflict.clone());
        }
        self.gone.extend(self.dashboard.keep_bounds(&commit.ops).removed);
        self.bytes = None;
        self.reached(&stamp, &commit.client, commit.seq);
    }

    /// Notes that the log has one more commit.
    fn reached(&mut self, stamp: &Stamp, client: &ClientId, seq: u64) {
        (self.revision, self.at) = (stamp.revision, Some(stamp.at));
        self.note_client(client, seq);
        if self.revision.is_multiple_of(FORGET_EVERY) {
            self.cells.retain_known(&self.dashboard);
        }
    }

    fn perform(&mut self, author: &Author, change: &Change, stamp: &Stamp) -> Commit {
        let client = &author.client;
        let mut refused = Vec::new();
        let mut records: BTreeSet<ConflictId> = BTreeSet::new();
        let mut written: Vec<Cell> = Vec::new();
        let bytes = self.bytes();
        let edit = Edit::new(&mut self.dashboard, stamp.clone());
        let mut edit = edit.max_widgets(self.max_widgets).max_bytes(bytes, self.max_bytes);
        for (index, op) in change.ops.iter().enumerate() {
            if !author.may_query && needs_query(op, edit.dashboard()) {
                refused.push(Refused { index, reason: NO_QUERY.to_owned() });
                continue;
            }
            let cell = op.cell();
            // A cell that this very change wrote over has no other writer in between.
            let own = cell.as_ref().is_some_and(|cell| written.contains(cell));
            let weighed = if own {
                Weighed::Perform
            } else {
                let id = record_id(stamp.revision, index);
                let (dashboard, base) = (edit.dashboard(), change.base);
                Scales { dashboard, cells: &self.cells, client, base, stamp, id }.weigh(op)
            };
            let mut wrote = true;
            let outcome = match weighed {
                Weighed::Perform => edit.perform(op).map(|()| None),
                Weighed::Agree => {
                    // What is there is another's still.
                    wrote = false;
                    match op {
                        Op::RemoveWidget { .. } | Op::RestoreWidget { .. } => {
                            edit.agree(op);
                            Ok(None)
                        }
                        op => edit.perform(op).map(|()| None),
                    }
                }
                Weighed::PerformOver(conflict) => {
                    edit.check_record(&conflict).and_then(|()| edit.perform(op)).map(|()| Some(conflict))
                }
                Weighed::Keep(conflict) => {
                    wrote = false;
                    edit.check_record(&conflict).and_then(|()| edit.check(op)).map(|()| Some(conflict))
                }
                Weighed::Refuse(error) => Err(error),
            };
            match outcome {
                Ok(conflict) => {
                    written.extend(cell.filter(|_| wrote));
                    if let Some(conflict) = conflict {
                        records.insert(conflict.id.clone());
                        edit.keep(*conflict);
                    }
                }
                Err(error) => refused.push(Refused { index, reason: error.to_string() }),
            }
        }
        let bytes = edit.bytes();
        let effect = edit.finish();
        for (op, before) in effect.ops.iter().zip(effect.before) {
            self.cells.note(op, before, client, stamp);
        }
        let before = self.dashboard.conflicts.clone();
        let mut followed = keep_covered(&mut self.dashboard, &effect.ops, &effect.inverse);
        followed.extend(follow_writes(
            &mut self.dashboard,
            &self.cells,
            &effect.ops,
            client,
            stamp,
            &records,
        ));
        let size = |of: &BTreeMap<ConflictId, Arc<Conflict>>| {
            followed.iter().filter_map(|id| of.get(id)).map(json_bytes).sum::<usize>()
        };
        let grown = (bytes + size(&self.dashboard.conflicts)).saturating_sub(size(&before));
        records.extend(followed);
        let record = |id: &ConflictId| self.dashboard.conflicts.get(id).cloned();
        let changed: Vec<Arc<Conflict>> = records.iter().filter_map(record).collect();
        self.bytes = Some(grown.saturating_sub(self.dashboard.keep_bounds(&effect.ops).bytes()));
        let Stamp { by, at, written_at, revision } = stamp.clone();
        let (client, seq, ops) = (client.clone(), change.seq, effect.ops);
        Commit { revision, client, seq, by, at, written_at, ops, refused, conflicts: changed }
    }

    fn note_client(&mut self, client: &ClientId, seq: u64) {
        self.clients.insert(client.clone(), LastSeq { seq, revision: self.revision });
        if self.clients.len() > MAX_CLIENTS
            && let Some(oldest) =
                self.clients.iter().min_by_key(|(_, last)| last.revision).map(|(id, _)| id.clone())
        {
            self.clients.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod replay;
#[cfg(test)]
mod tests;
