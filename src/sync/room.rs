//! The authority for one dashboard: judges changes in order and says what became of each (S1 to S6).
//!
//! The room knows no socket and no disk. Who runs it appends a commit to the log before anybody hears
//! of it (S3), and builds the room anew from the log if that fails.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dashboard::size::{MAX_DASHBOARD_BYTES, json_bytes};
use crate::dashboard::{
    Cell, ClientId, Conflict, ConflictId, Dashboard, Edit, MAX_WIDGETS, Op, Removed, Stamp, User, WidgetId,
};

use super::conflict::{
    CellLog, CellLogs, Scales, Weighed, follow_writes, keep_covered, record_id, written_cell,
};
use super::protocol::{Change, Code, Commit, MAX_OPS, Refused, Role};

/// Clients whose last `seq` is remembered; the one that wrote longest ago is forgotten first. A tab
/// that comes back after this many others have written starts as a new client.
pub const MAX_CLIENTS: usize = 10_000;
/// Revisions between two looks for cells that nobody needs to know of any more.
const FORGET_EVERY: u64 = 256;

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
    clients: BTreeMap<ClientId, LastSeq>,
}

/// Who a change comes from, as the server knows them.
#[derive(Clone, Debug)]
pub struct Author {
    pub client: ClientId,
    pub by: User,
    pub role: Role,
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
            cells: state.cells.into_iter().collect(),
            clients: state.clients.into_iter().collect(),
            max_widgets: MAX_WIDGETS,
            max_bytes: MAX_DASHBOARD_BYTES,
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
        let mut cells = self.cells.clone();
        cells.retain_known(&self.dashboard);
        let mut cells: Vec<_> = cells.iter().map(|(cell, log)| (cell.clone(), log.clone())).collect();
        cells.sort_by(|(a, _), (b, _)| a.cmp(b));
        RoomState {
            epoch: self.epoch.clone(),
            revision: self.revision,
            at: self.at,
            dashboard: self.dashboard.clone(),
            cells,
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

    /// The digest of the dashboard as it stands (S11).
    pub fn digest(&self) -> String {
        self.dashboard.digest()
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
        let stamp = Stamp { by: author.by.clone(), at: now_ms, revision: self.revision + 1 };
        let commit = self.perform(&author.client, change, &stamp);
        (self.revision, self.at) = (stamp.revision, Some(stamp.at));
        self.note_client(&author.client, change.seq);
        if self.revision.is_multiple_of(FORGET_EVERY) {
            self.cells.retain_known(&self.dashboard);
        }
        Verdict::Committed(Box::new(commit))
    }

    /// Repeats a commit of the log, on the way to its end.
    pub fn replay(&mut self, commit: &Commit) {
        let stamp = Stamp { by: commit.by.clone(), at: commit.at, revision: commit.revision };
        for op in &commit.ops {
            if let Some(cell) = logged_cell(op) {
                let before = self.dashboard.value(&cell);
                self.cells.write(cell, before, &commit.client, &stamp);
            }
            if let Op::RestoreWidget { id } = op
                && let Some(removed) = self.gone.remove(id)
            {
                // It was there when this was judged, by a build with another bound.
                self.dashboard.removed.entry(id.clone()).or_insert(removed);
            }
            self.gone.extend(self.dashboard.repeat(op, &stamp));
        }
        self.bytes = None;
        for conflict in &commit.conflicts {
            self.dashboard.conflicts.insert(conflict.id.clone(), conflict.clone());
        }
        (self.revision, self.at) = (commit.revision, Some(commit.at));
        self.note_client(&commit.client, commit.seq);
    }

    fn perform(&mut self, client: &ClientId, change: &Change, stamp: &Stamp) -> Commit {
        let mut refused = Vec::new();
        let mut records: BTreeSet<ConflictId> = BTreeSet::new();
        let mut kept_out: HashMap<Cell, ConflictId> = HashMap::new();
        let mut written: Vec<Cell> = Vec::new();
        let bytes = self.bytes();
        let edit = Edit::new(&mut self.dashboard, stamp.clone());
        let mut edit = edit.max_widgets(self.max_widgets).max_bytes(bytes, self.max_bytes);
        for (index, op) in change.ops.iter().enumerate() {
            let cell = op.cell();
            // A cell that this very change wrote has no other writer in between.
            let own = cell.as_ref().is_some_and(|cell| written.contains(cell));
            let weighed = if own {
                Weighed::Perform
            } else {
                let id = record_id(stamp.revision, index);
                let (dashboard, base) = (edit.dashboard(), change.base);
                Scales { dashboard, cells: &self.cells, client, base, stamp, id }.weigh(op)
            };
            let outcome = match weighed {
                Weighed::Perform => edit.perform(op).map(|()| (None, true)),
                Weighed::Agree => {
                    edit.agree(op);
                    Ok((None, true))
                }
                Weighed::PerformOver(conflict) => edit
                    .check_record(&conflict)
                    .and_then(|()| edit.perform(op))
                    .map(|()| (Some(conflict), true)),
                Weighed::Keep(conflict) => edit
                    .check_record(&conflict)
                    .and_then(|()| edit.check(op))
                    .map(|()| (Some(conflict), false)),
                Weighed::Refuse(error) => Err(error),
            };
            match outcome {
                Ok((conflict, performed)) => {
                    if let (true, Some(cell)) = (performed, &cell) {
                        written.push(cell.clone());
                    }
                    if let Some(mut conflict) = conflict {
                        // A second value of this change for a cell where another stays takes the place
                        // of the first: both are their author's, and only the later is meant.
                        if let (false, Some(cell)) = (performed, cell)
                            && conflict.cell == cell
                        {
                            conflict.id = kept_out.entry(cell).or_insert(conflict.id).clone();
                        }
                        records.insert(conflict.id.clone());
                        edit.keep(*conflict);
                    }
                }
                Err(error) => refused.push(Refused { index, reason: error.to_string() }),
            }
        }
        let bytes = edit.bytes();
        let effect = edit.finish();
        self.note_writes(client, &effect.ops, &effect.inverse, stamp);
        let before = self.dashboard.conflicts.clone();
        let mut followed = keep_covered(&mut self.dashboard, &effect.ops, &effect.inverse);
        followed.extend(follow_writes(&mut self.dashboard, &effect.ops, client, stamp));
        let size = |of: &BTreeMap<ConflictId, Arc<Conflict>>| {
            followed.iter().filter_map(|id| of.get(id)).map(json_bytes).sum::<usize>()
        };
        self.bytes = Some((bytes + size(&self.dashboard.conflicts)).saturating_sub(size(&before)));
        records.extend(followed);
        let record = |id: &ConflictId| self.dashboard.conflicts.get(id).cloned();
        let changed: Vec<Arc<Conflict>> = records.iter().filter_map(record).collect();
        let Stamp { by, at, revision } = stamp.clone();
        let client = client.clone();
        Commit { revision, client, seq: change.seq, by, at, ops: effect.ops, refused, conflicts: changed }
    }

    /// Notes the writer of every cell. The values before stand in the inverse, the earliest last.
    fn note_writes(&mut self, client: &ClientId, ops: &[Op], inverse: &[Op], stamp: &Stamp) {
        for op in ops {
            let Some(cell) = logged_cell(op) else { continue };
            let before = inverse.iter().rev().find_map(|op| match op {
                Op::Set { value, .. } | Op::SetDashboard { value, .. }
                    if op.cell().as_ref() == Some(&cell) =>
                {
                    Some(value.clone())
                }
                _ => None,
            });
            self.cells.write(cell, before.unwrap_or(Value::Null), client, stamp);
        }
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

/// The cell whose writers matter: frames take the latest without asking (S5).
fn logged_cell(op: &Op) -> Option<Cell> {
    match op {
        Op::Place { .. } => None,
        op => written_cell(op),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind, Strategy, UserId, Widget, WidgetId};

    fn author(name: &str) -> Author {
        let by = User {
            id: UserId::new(name).expect("an id"),
            name: name.to_owned(),
            color: "#000000".to_owned(),
        };
        Author { client: ClientId::new(name).expect("an id"), by, role: Role::Editor }
    }

    fn id(name: &str) -> WidgetId {
        WidgetId::new(name).expect("an id")
    }

    fn set(field: &str, value: &str) -> Op {
        Op::Set { id: id("w1"), field: field.to_owned(), value: value.into() }
    }

    /// A room with one widget, added by a third person in revision 1.
    fn room() -> Room {
        let mut room = Room::new("e1".to_owned(), Dashboard::new("Test"));
        let widget = Widget::new(Kind::Stat, "Orders", Frame::new(0, 0, 6, 4));
        commit(&mut room, "katherine", 1, 0, vec![widget.add_op(id("w1"))]);
        room
    }

    fn commit(room: &mut Room, who: &str, seq: u64, base: u64, ops: Vec<Op>) -> Commit {
        match room.judge(&author(who), &Change { seq, base, ops }, 1000 + room.revision()) {
            Verdict::Committed(commit) => *commit,
            other => panic!("not committed: {other:?}"),
        }
    }

    fn strategy(room: &mut Room, name: &str) {
        let op = Op::SetDashboard { field: "conflicts".to_owned(), value: name.into() };
        let (seq, base) = (room.last_seq(&author("katherine").client) + 1, room.revision());
        commit(room, "katherine", seq, base, vec![op]);
    }

    fn title(room: &Room) -> &str {
        &room.dashboard().widgets["w1"].title
    }

    #[test]
    fn s2_a_change_that_comes_again_is_not_applied_again() {
        let mut room = room();
        let change = Change { seq: 1, base: 1, ops: vec![set("title", "A")] };
        assert!(matches!(room.judge(&author("ada"), &change, 0), Verdict::Committed(_)));
        assert!(matches!(room.judge(&author("ada"), &change, 0), Verdict::Again));
        assert_eq!(room.revision(), 2);
    }

    #[test]
    fn s2_a_gap_in_seq_is_out_of_order_and_takes_no_seq() {
        let mut room = room();
        let change = Change { seq: 3, base: 1, ops: vec![set("title", "A")] };
        let verdict = room.judge(&author("ada"), &change, 0);
        assert!(
            matches!(verdict, Verdict::Rejected { code: Code::OutOfOrder, expected: 1, .. }),
            "{verdict:?}"
        );
        assert_eq!(room.last_seq(&author("ada").client), 0);
    }

    #[test]
    fn s5_different_fields_merge_and_equal_values_agree() {
        let mut room = room();
        commit(&mut room, "ada", 1, 1, vec![set("title", "A")]);
        let other = commit(&mut room, "grace", 1, 1, vec![set("unit", "ms"), set("title", "A")]);
        assert!(other.conflicts.is_empty() && other.refused.is_empty());
        assert_eq!(room.dashboard().widgets["w1"].text_option("unit"), "ms");
    }

    #[test]
    fn s4_two_values_meet_and_both_are_kept_under_every_strategy() {
        for (name, kind, shows) in
            [("latest", Strategy::Latest, "B"), ("first", Strategy::First, "A"), ("ask", Strategy::Ask, "A")]
        {
            let mut room = room();
            strategy(&mut room, name);
            assert_eq!(room.dashboard().strategy(), kind);
            commit(&mut room, "ada", 1, 2, vec![set("title", "A")]);
            let met = commit(&mut room, "grace", 1, 2, vec![set("title", "B")]);
            assert_eq!(title(&room), shows, "{name}");
            let conflict = &met.conflicts[0];
            assert_eq!(conflict.base, Value::from("Orders"));
            assert_eq!(conflict.kept.value, Value::from(shows));
            let (mut values, mut authors) = (
                [&conflict.kept.value, &conflict.other.value].map(|v| v.as_str().unwrap().to_owned()),
                [&conflict.kept.by, &conflict.other.by].map(|u| u.name.clone()),
            );
            values.sort();
            authors.sort();
            assert_eq!((values, authors), (["A".into(), "B".into()], ["ada".into(), "grace".into()]));
        }
    }

    #[test]
    fn s4_a_choice_settles_and_can_be_taken_back() {
        let mut room = room();
        commit(&mut room, "ada", 1, 1, vec![set("title", "A")]);
        let met = commit(&mut room, "grace", 1, 1, vec![set("title", "B")]);
        let conflict = met.conflicts[0].id.clone();
        let choose = |choose| vec![Op::SettleConflict { conflict: conflict.clone(), choose }];
        commit(&mut room, "ada", 2, 3, choose(crate::dashboard::Choice::Other));
        assert_eq!(title(&room), "A");
        assert_eq!(room.dashboard().open_conflicts().count(), 0);
        commit(&mut room, "ada", 3, 4, choose(crate::dashboard::Choice::Reopen));
        assert_eq!(room.dashboard().open_conflicts().count(), 1);
    }

    #[test]
    fn s6_an_edit_of_a_removed_widget_is_kept_and_restores_with_it() {
        let mut room = room();
        commit(&mut room, "ada", 1, 1, vec![Op::RemoveWidget { id: id("w1") }]);
        let met = commit(&mut room, "grace", 1, 1, vec![set("title", "B")]);
        assert!(met.ops.is_empty() && met.refused.is_empty());
        commit(&mut room, "grace", 2, 1, vec![set("unit", "ms")]);
        assert_eq!(room.dashboard().open_conflicts().count(), 1, "one record keeps both edits");
        let choice = Op::SettleConflict {
            conflict: met.conflicts[0].id.clone(),
            choose: crate::dashboard::Choice::Other,
        };
        commit(&mut room, "grace", 3, 4, vec![choice]);
        assert_eq!(title(&room), "B");
        assert_eq!(room.dashboard().widgets["w1"].text_option("unit"), "ms");
    }

    #[test]
    fn s6_a_removal_of_an_edited_widget_keeps_both() {
        for (name, there) in [("latest", false), ("first", true)] {
            let mut room = room();
            strategy(&mut room, name);
            commit(&mut room, "ada", 1, 2, vec![set("title", "A")]);
            let met = commit(&mut room, "grace", 1, 2, vec![Op::RemoveWidget { id: id("w1") }]);
            assert_eq!(met.conflicts.len(), 1, "{name}");
            assert_eq!(room.dashboard().widgets.contains_key("w1"), there, "{name}");
            let seq_base = (2, room.revision());
            let choice = Op::SettleConflict {
                conflict: met.conflicts[0].id.clone(),
                choose: crate::dashboard::Choice::Other,
            };
            commit(&mut room, "grace", seq_base.0, seq_base.1, vec![choice]);
            assert_eq!(room.dashboard().widgets.contains_key("w1"), !there, "{name}");
        }
    }

    #[test]
    fn s6_a_removal_that_saw_the_edit_is_no_conflict() {
        let mut room = room();
        commit(&mut room, "ada", 1, 1, vec![set("title", "A")]);
        let gone = commit(&mut room, "grace", 1, 2, vec![Op::RemoveWidget { id: id("w1") }]);
        assert!(gone.conflicts.is_empty());
    }

    #[test]
    fn a_refused_op_leaves_the_others_of_its_change() {
        let mut room = room();
        let made = commit(&mut room, "ada", 1, 1, vec![set("nonsense", "x"), set("title", "A")]);
        assert_eq!(made.refused.iter().map(|refused| refused.index).collect::<Vec<_>>(), [0]);
        assert_eq!(title(&room), "A");
    }

    #[test]
    fn s4_edits_of_one_change_to_a_removed_widget_are_all_kept() {
        let mut room = room();
        commit(&mut room, "ada", 1, 1, vec![Op::RemoveWidget { id: id("w1") }]);
        commit(&mut room, "grace", 1, 1, vec![set("unit", "u1")]);
        let met = commit(&mut room, "grace", 2, 1, vec![set("unit", "u2"), set("title", "T")]);
        let kept = met.conflicts[0].other.value.to_string();
        for value in ["u1", "u2", "T"] {
            assert!(kept.contains(&format!("\"{value}\"")), "{value} in {kept}");
        }
    }

    #[test]
    fn s5_a_refused_op_does_not_hide_a_conflict_of_the_next() {
        let mut room = room();
        commit(&mut room, "ada", 1, 1, vec![set("title", "A")]);
        let bad = Op::Set { id: id("w1"), field: "title".to_owned(), value: 5.into() };
        let met = commit(&mut room, "grace", 1, 1, vec![bad, set("title", "B")]);
        assert_eq!((met.refused.len(), met.conflicts.len()), (1, 1));
    }

    #[test]
    fn s10_a_room_that_is_full_refuses_with_a_reason_and_takes_what_makes_it_smaller() {
        let mut room = room().max_bytes(5_000).replayed();
        let query = |n: usize| set("query", &"q".repeat(n));
        assert!(commit(&mut room, "ada", 1, 1, vec![query(2_000)]).refused.is_empty());
        // Grace has not seen it: her value, and a record of his.
        let met = commit(&mut room, "grace", 1, 1, vec![query(2_100), set("unit", "ms")]);
        assert_eq!(met.refused.len(), 1);
        assert!(
            met.refused[0].reason.starts_with("This dashboard is full: it may have 5000 bytes"),
            "{met:?}"
        );
        assert_eq!((met.ops.len(), met.conflicts.len()), (1, 0), "the rest of the change counts");
        let widget = Widget::new(Kind::Note, "x".repeat(200), Frame::new(0, 0, 6, 4));
        let adds = (0..20).map(|n| widget.clone().add_op(id(&format!("n{n}")))).collect();
        let added = commit(&mut room, "ada", 2, 3, adds);
        assert!((1..20).contains(&added.refused.len()) && room.bytes() <= 5_000 && room.bytes() > 4_500);
        assert!(commit(&mut room, "ada", 3, 4, vec![query(10)]).refused.is_empty());
        assert!(commit(&mut room, "ada", 4, 5, vec![widget.add_op(id("one"))]).refused.is_empty());
        assert!(room.bytes().abs_diff(json_bytes(room.dashboard())) < 100);
    }

    #[test]
    fn s1_state_and_replay_give_the_same_room() {
        let mut room = room();
        let early = room.state();
        let log = [
            commit(&mut room, "ada", 1, 1, vec![set("title", "A")]),
            commit(&mut room, "grace", 1, 1, vec![set("title", "B")]),
            commit(&mut room, "ada", 2, 3, vec![Op::RemoveWidget { id: id("w1") }]),
        ];
        let mut again = Room::from_state(early);
        log.iter().for_each(|commit| again.replay(commit));
        assert_eq!(again.dashboard(), room.dashboard());
        assert_eq!(again.digest(), room.digest());
        let text = |room: &Room| serde_json::to_value(room.state()).expect("state is JSON");
        assert_eq!(text(&again), text(&room));
    }
}
