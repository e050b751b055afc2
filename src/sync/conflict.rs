//! Weighing an op against what others wrote meanwhile: is it a real conflict (S5, S6), and which
//! value shows?

mod cells;
mod records;

use std::sync::Arc;

use serde_json::Value;

use crate::dashboard::op::{REMOVED, TEXT};
use crate::dashboard::text::Update;
use crate::dashboard::{
    Cell, Choice, ClientId, Conflict, ConflictId, Dashboard, Op, OpError, Side, Stamp, Strategy, WidgetId,
};

use super::protocol::MAX_OP_BYTES;

pub use cells::{CellLog, CellLogs};
pub use records::{follow_writes, keep_covered, made_in, record_id};

/// Open conflicts of one dashboard: more than a person can settle, and a bound on every snapshot.
pub const MAX_OPEN_CONFLICTS: usize = 500;

/// What is to be done with an op.
#[derive(Debug)]
pub enum Weighed {
    /// Nobody wrote here meanwhile.
    Perform,
    /// Somebody did the same meanwhile: it is done.
    Agree,
    /// It takes effect, and this record keeps the value that it covers.
    PerformOver(Box<Conflict>),
    /// It takes no effect, and this record keeps it.
    Keep(Box<Conflict>),
    Refuse(OpError),
}

/// The cell under which it is noted who wrote last: a choice has one of its own.
pub fn written_cell(op: &Op) -> Option<Cell> {
    match op {
        Op::SettleConflict { conflict, .. } => Some(Cell::dashboard(&format!("conflict.{conflict}"))),
        op => op.cell(),
    }
}

/// What an op is weighed with.
pub struct Scales<'a> {
    pub dashboard: &'a Dashboard,
    pub cells: &'a CellLogs,
    pub client: &'a ClientId,
    pub base: u64,
    pub stamp: &'a Stamp,
    /// The id that a new record gets.
    pub id: ConflictId,
}

impl Scales<'_> {
    /// Weighs one op. Pure; the caller performs what comes out.
    pub fn weigh(&self, op: &Op) -> Weighed {
        match op {
            Op::Set { id, value, .. } => match self.dashboard.removed.contains_key(id) {
                true => self.edit_of_removed(id, op),
                false => self.value(op, value),
            },
            Op::EditText { id, .. } if self.dashboard.removed.contains_key(id) => {
                self.edit_of_removed(id, op)
            }
            Op::SetDashboard { value, .. } => self.value(op, value),
            Op::RemoveWidget { id } => self.removal(id),
            Op::SettleConflict { conflict, choose: Choice::Reopen } => {
                let cell = written_cell(op);
                let others = cell.and_then(|cell| self.cells.written_since(&cell, self.base, self.client));
                match others {
                    Some(_) => Weighed::Refuse(OpError::ChosenSince),
                    None if self.removes_edits(conflict) => Weighed::Refuse(OpError::EditedSince),
                    None => Weighed::Perform,
                }
            }
            _ => Weighed::Perform,
        }
    }

    fn value(&self, op: &Op, value: &Value) -> Weighed {
        let Some(cell) = op.cell() else { return Weighed::Perform };
        let Some(log) = self.cells.written_since(&cell, self.base, self.client) else {
            return Weighed::Perform;
        };
        let there = self.dashboard.value(&cell);
        if there == *value {
            return Weighed::Perform;
        }
        let base = log.value_at(self.base).cloned().unwrap_or(Value::Null);
        let mine = self.mine(value.clone());
        let theirs = theirs(log, there);
        match self.dashboard.strategy() {
            Strategy::Latest => {
                let mine = Side { revision: Some(self.stamp.revision), ..mine };
                self.record(cell, base, mine, Side { revision: None, ..theirs }, Weighed::PerformOver)
            }
            Strategy::First | Strategy::Ask => match self.own_beside(&cell) {
                // Both are this tab's own, and only the later is meant.
                Some(open) => Weighed::Keep(Box::new(Conflict { other: mine, kept: theirs, ..open })),
                None => self.record(cell, base, theirs, mine, Weighed::Keep),
            },
        }
    }

    /// The open record in which an earlier value of this tab waits beside what shows.
    fn own_beside(&self, cell: &Cell) -> Option<Conflict> {
        let own = |conflict: &&Arc<Conflict>| {
            conflict.cell == *cell && conflict.other.client.as_ref() == Some(self.client)
        };
        self.dashboard.open_conflicts().find(own).map(|open| Conflict::clone(open))
    }

    /// An edit to a widget that is a tombstone: kept beside it if its writer could not know (S6).
    ///
    /// The widget stays removed under every strategy: to bring it back is a person's choice.
    fn edit_of_removed(&self, id: &WidgetId, op: &Op) -> Weighed {
        let cell = Cell::widget(id, REMOVED);
        let Some(log) = self.cells.written_since(&cell, self.base, self.client) else {
            return Weighed::Refuse(OpError::WidgetRemoved);
        };
        let Ok(edit) = serde_json::to_value(op) else { return Weighed::Refuse(OpError::TooLarge) };
        let open = self.dashboard.open_conflicts().find(|conflict| {
            conflict.cell == cell
                && conflict.kept.value == Value::Bool(true)
                && conflict.other.by.id == self.stamp.by.id
        });
        if let Some(open) = open {
            let mut open = Conflict::clone(open);
            if let Value::Array(edits) = &mut open.other.value {
                edits.push(edit);
            }
            // The same bound as an op's: what is kept here is sent as one.
            return match open.other.value.to_string().len() > MAX_OP_BYTES {
                true => Weighed::Refuse(OpError::TooLarge),
                false => Weighed::Keep(Box::new(open)),
            };
        }
        let kept = theirs(log, Value::Bool(true));
        self.record(cell, Value::Bool(false), kept, self.mine(Value::Array(vec![edit])), Weighed::Keep)
    }

    /// A removal of a widget that somebody edited meanwhile (S6).
    fn removal(&self, id: &WidgetId) -> Weighed {
        let cell = Cell::widget(id, REMOVED);
        let gone = self.dashboard.removed.contains_key(id);
        if gone && self.cells.written_since(&cell, self.base, self.client).is_some() {
            return Weighed::Agree;
        }
        let edits = self.cells.edits_since(self.dashboard, id, self.base, self.client);
        let (Some(widget), Some((_, log))) =
            (self.dashboard.widgets.get(id), edits.iter().max_by_key(|(_, l)| l.revision))
        else {
            return Weighed::Perform;
        };
        let ops = edits.iter().filter_map(|(field, _)| {
            let op = match field.as_str() {
                // The tombstone's text has the edits already; an empty update marks that there were some.
                TEXT => Op::EditText { id: id.clone(), update: Update::new([0, 0]) },
                field => Op::Set { id: id.clone(), field: field.to_owned(), value: widget.value(field) },
            };
            serde_json::to_value(op).ok()
        });
        let edited = theirs(log, Value::Array(ops.collect()));
        let removal = self.mine(Value::Bool(true));
        let base = Value::Bool(false);
        match self.dashboard.strategy() {
            Strategy::Latest => {
                let removal = Side { revision: Some(self.stamp.revision), ..removal };
                self.record(cell, base, removal, Side { revision: None, ..edited }, Weighed::PerformOver)
            }
            Strategy::First | Strategy::Ask => self.record(cell, base, edited, removal, Weighed::Keep),
        }
    }

    /// True where to open a conflict again would remove a widget that others have edited since the choice
    /// brought it back (S6).
    fn removes_edits(&self, conflict: &ConflictId) -> bool {
        let Some(conflict) = self.dashboard.conflicts.get(conflict) else { return false };
        let (Some(id), Some(settled)) = (&conflict.cell.id, &conflict.settled) else { return false };
        conflict.cell.field == REMOVED
            && conflict.kept.value == Value::Bool(true)
            && self
                .cells
                .edits_since(self.dashboard, id, 0, self.client)
                .iter()
                .any(|(_, log)| log.at > settled.at && log.by.id != self.stamp.by.id)
    }

    fn mine(&self, value: Value) -> Side {
        let Stamp { by, at, .. } = self.stamp.clone();
        Side { value, by, client: Some(self.client.clone()), at, revision: None }
    }

    fn record(
        &self,
        cell: Cell,
        base: Value,
        kept: Side,
        other: Side,
        weighed: impl FnOnce(Box<Conflict>) -> Weighed,
    ) -> Weighed {
        if self.dashboard.open_conflicts().count() >= MAX_OPEN_CONFLICTS {
            return Weighed::Refuse(OpError::TooManyConflicts);
        }
        weighed(Box::new(Conflict { id: self.id.clone(), cell, base, kept, other, settled: None }))
    }
}

fn theirs(log: &CellLog, value: Value) -> Side {
    let CellLog { revision, client, by, at, .. } = log.clone();
    Side { value, by, client: Some(client), at, revision: Some(revision) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind, User, UserId, Widget};
    use crate::sync::protocol::{Change, Commit, Role};
    use crate::sync::room::{Author, Room, Verdict};

    fn id() -> WidgetId {
        WidgetId::new("w1").expect("an id")
    }

    fn set(field: &str, value: &str) -> Op {
        Op::Set { id: id(), field: field.to_owned(), value: value.into() }
    }

    fn settle(conflict: &Conflict, choose: Choice) -> Op {
        Op::SettleConflict { conflict: conflict.id.clone(), choose }
    }

    const REMOVE: fn() -> Op = || Op::RemoveWidget { id: id() };

    /// A room with one widget, added in revision 1, under a strategy set in revision 2.
    struct Table(Room);

    impl Table {
        fn new(strategy: &str) -> Self {
            let mut table = Self(Room::new("e1".to_owned(), Dashboard::new("Test")));
            let widget = Widget::new(Kind::Stat, "Orders", Frame::new(0, 0, 6, 4));
            table.now("katherine", widget.add_op(id()));
            table.now("katherine", Op::SetDashboard { field: "conflicts".into(), value: strategy.into() });
            table
        }

        /// What somebody does who has seen everything.
        fn now(&mut self, who: &str, op: Op) -> Commit {
            self.since(self.0.revision(), who, op)
        }

        /// What somebody does who has seen nothing since a revision.
        fn since(&mut self, base: u64, who: &str, op: Op) -> Commit {
            let user = UserId::new(who).expect("an id");
            let by = User { id: user, name: who.to_owned(), color: String::new() };
            let author = Author { client: ClientId::new(who).expect("an id"), by, role: Role::Editor };
            let change = Change { seq: self.0.last_seq(&author.client) + 1, base, ops: vec![op] };
            match self.0.judge(&author, &change, 1000 + self.0.revision()) {
                Verdict::Committed(commit) => *commit,
                other => panic!("not committed: {other:?}"),
            }
        }

        fn title(&self) -> Option<&str> {
            Some(self.0.dashboard().widgets.get("w1")?.title.as_str())
        }

        /// The only open conflict.
        fn open(&self) -> Conflict {
            let open: Vec<_> = self.0.dashboard().open_conflicts().collect();
            assert_eq!(open.len(), 1, "{open:?}");
            Conflict::clone(open[0])
        }

        fn sides(&self) -> (Value, Value) {
            let Conflict { kept, other, .. } = self.open();
            (kept.value, other.value)
        }
    }

    #[test]
    fn s4_a_choice_that_another_person_takes_back_brings_back_what_showed() {
        for choose in [Choice::Other, Choice::Value("C".into())] {
            let mut table = Table::new("latest");
            table.since(2, "ada", set("title", "A"));
            table.since(2, "grace", set("title", "B"));
            let conflict = table.open();
            table.now("ada", settle(&conflict, choose.clone()));
            assert_ne!(table.title(), Some("B"));
            table.now("katherine", settle(&conflict, Choice::Reopen));
            assert_eq!((table.title(), table.sides()), (Some("B"), ("B".into(), "A".into())));
            // What somebody wrote since the choice stays, and the record says so.
            table.now("ada", settle(&conflict, choose));
            table.now("grace", set("title", "D"));
            table.now("katherine", settle(&conflict, Choice::Reopen));
            assert_eq!((table.title(), table.sides()), (Some("D"), ("D".into(), "A".into())));
        }
    }

    #[test]
    fn s6_a_choice_about_a_removal_that_is_taken_back_removes_or_restores_again() {
        let mut table = Table::new("latest");
        table.since(2, "ada", REMOVE());
        table.since(2, "grace", set("title", "B"));
        let conflict = table.open();
        table.now("ada", settle(&conflict, Choice::Other));
        assert_eq!(table.title(), Some("B"));
        table.now("grace", settle(&conflict, Choice::Reopen));
        assert_eq!(table.title(), None);
        assert_eq!(table.open().kept.value, true);

        let mut table = Table::new("first");
        table.since(2, "grace", set("title", "B"));
        table.since(2, "ada", REMOVE());
        let conflict = table.open();
        table.now("ada", settle(&conflict, Choice::Other));
        assert_eq!(table.title(), None);
        table.now("grace", settle(&conflict, Choice::Reopen));
        assert_eq!(table.title(), Some("B"));
    }

    #[test]
    fn s4_a_value_that_a_choice_wrote_over_comes_back_with_the_conflict() {
        let mut table = Table::new("latest");
        table.since(2, "ada", REMOVE());
        table.since(2, "grace", set("title", "B"));
        let conflict = table.open();
        table.now("katherine", Op::RestoreWidget { id: id() });
        table.now("katherine", set("title", "D"));
        table.now("ada", settle(&conflict, Choice::Other));
        assert_eq!(table.title(), Some("B"));
        table.now("grace", settle(&conflict, Choice::Reopen));
        assert_eq!(table.title(), Some("D"));
    }

    #[test]
    fn s4_a_conflict_about_a_field_of_a_removed_widget_keeps_its_values() {
        let mut table = Table::new("latest");
        table.since(2, "ada", set("title", "A"));
        table.since(2, "grace", set("title", "B"));
        let conflict = table.open();
        table.now("ada", settle(&conflict, Choice::Kept));
        table.now("ada", REMOVE());
        table.now("katherine", settle(&conflict, Choice::Reopen));
        assert_eq!(table.sides(), ("B".into(), "A".into()));
    }

    #[test]
    fn s6_opening_a_conflict_again_removes_no_widget_that_others_edited_since() {
        let mut table = Table::new("latest");
        table.since(2, "ada", REMOVE());
        table.since(2, "grace", set("title", "B"));
        let conflict = table.open();
        table.now("ada", settle(&conflict, Choice::Other));
        table.now("grace", set("unit", "ms"));
        let refused = table.now("katherine", settle(&conflict, Choice::Reopen));
        assert_eq!(refused.refused[0].reason, OpError::EditedSince.to_string());
        assert_eq!(table.title(), Some("B"));
        table.now("grace", settle(&conflict, Choice::Reopen));
        assert_eq!(table.title(), None, "what they edited is their own");
    }

    #[test]
    fn s4_of_two_who_settle_at_once_the_later_is_told_why_not() {
        let mut table = Table::new("latest");
        table.since(2, "ada", set("title", "A"));
        table.since(2, "grace", set("title", "B"));
        let conflict = table.open();
        table.now("ada", settle(&conflict, Choice::Other));
        let late = table.since(4, "grace", settle(&conflict, Choice::Kept));
        assert_eq!(late.refused[0].reason, OpError::Settled.to_string());
        assert_eq!(table.title(), Some("A"));
    }

    #[test]
    fn s6_a_record_about_a_removal_follows_who_restores_or_removes() {
        let mut table = Table::new("latest");
        table.since(2, "ada", REMOVE());
        table.since(2, "grace", set("title", "B"));
        let edits = table.open().other.value;
        table.now("katherine", Op::RestoreWidget { id: id() });
        assert_eq!(table.sides(), (Value::Array(Vec::new()), edits.clone()));
        table.now("katherine", REMOVE());
        assert_eq!(table.sides(), (true.into(), edits));
        table.now("ada", settle(&table.open(), Choice::Kept));
        assert_eq!(table.title(), None);

        let mut table = Table::new("first");
        table.since(2, "grace", set("title", "B"));
        table.since(2, "ada", REMOVE());
        let edits = table.open().kept.value;
        table.now("katherine", REMOVE());
        assert_eq!(table.sides(), (true.into(), edits), "what was edited waits beside the removal");
        table.now("ada", settle(&table.open(), Choice::Other));
        assert_eq!(table.title(), Some("B"));
    }

    #[test]
    fn s5_two_who_remove_the_same_widget_agree() {
        let mut table = Table::new("latest");
        table.since(2, "ada", REMOVE());
        let again = table.since(2, "grace", REMOVE());
        assert!(again.refused.is_empty() && again.conflicts.is_empty(), "{again:?}");
        let knowing = table.now("grace", REMOVE());
        assert_eq!(knowing.refused.len(), 1);
    }

    #[test]
    fn s4_values_that_one_tab_wrote_after_each_other_wait_as_one() {
        for strategy in ["first", "ask", "latest"] {
            let mut table = Table::new(strategy);
            table.since(2, "ada", set("title", "A"));
            for title in ["B", "C", "D"] {
                table.since(2, "grace", set("title", title));
            }
            let (kept, other) = table.sides();
            let expected = if strategy == "latest" { ("D", "A") } else { ("A", "D") };
            assert_eq!((kept, other), (expected.0.into(), expected.1.into()), "{strategy}");
        }
        // Another tab, of the same person or not, keeps a record of its own.
        let mut table = Table::new("first");
        table.since(2, "ada", set("title", "A"));
        table.since(2, "grace", set("title", "B"));
        table.since(2, "katherine2", set("title", "C"));
        assert_eq!(table.0.dashboard().open_conflicts().count(), 2);
    }
}
