//! Conflict detection: an op is weighed against what others wrote meanwhile. Is it a real conflict (S5, S6), and which
//! value shows?

mod cells;
mod records;
pub(in crate::sync) mod waiting;

use std::sync::Arc;

use serde_json::Value;

use crate::dashboard::number::same_value;
use crate::dashboard::op::{REMOVED, TEXT};
use crate::dashboard::text::Update;
use crate::dashboard::{
    Cell, Choice, ClientId, Conflict, ConflictId, Dashboard, Op, OpError, Side, Stamp, Strategy, WidgetId,
};

pub use cells::{CellLog, CellLogs};
pub use records::{follow_writes, keep_covered, made_in, record_id};

use cells::Write;

/// Open conflicts of one dashboard: more than a person can settle, and a bound on every snapshot.
pub const MAX_OPEN_CONFLICTS: usize = 500;

/// What is to be done with an op.
#[derive(Debug)]
pub enum Weighed {
    /// Nobody wrote here meanwhile.
    Perform,
    /// Somebody did the same meanwhile.
    Agree,
    /// It takes effect, and this record keeps the value that it covers.
    PerformOver(Box<Conflict>),
    /// It takes no effect, and this record keeps it.
    Keep(Box<Conflict>),
    Refuse(OpError),
}

/// The cell under which it is noted who wrote: a choice has one of its own.
pub fn written_cell(op: &Op) -> Option<Cell> {
    match op {
        Op::SettleConflict { conflict, .. } => Some(choice_cell(conflict)),
        // Nobody wrote what a compaction puts there.
        Op::EditText { compacted: Some(_), .. } => None,
        op => op.cell(),
    }
}

/// The cell of the choice in a conflict.
fn choice_cell(conflict: &ConflictId) -> Cell {
    Cell::dashboard(&format!("conflict.{conflict}"))
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
            Op::EditText { update, .. } if update.is_empty() => Weighed::Refuse(OpError::EmptyUpdate),
            Op::Set { id, .. } | Op::EditText { id, .. } if self.dashboard.removed.contains_key(id) => {
                self.edit_of_removed(id, op)
            }
            Op::Set { value, .. } | Op::SetDashboard { value, .. } => self.value(op, value),
            Op::RemoveWidget { id } => self.removal(id),
            Op::RestoreWidget { id } => self.restoration(id),
            Op::SettleConflict { conflict, choose } => match self.choice(conflict, choose) {
                Ok(()) => Weighed::Perform,
                Err(error) => Weighed::Refuse(error),
            },
            Op::AddWidget { .. } | Op::EditText { .. } | Op::Place { .. } => Weighed::Perform,
        }
    }

    /// A value for a cell: it meets what is there where somebody else wrote that unseen.
    fn value(&self, op: &Op, value: &Value) -> Weighed {
        let Some(cell) = op.cell() else { return Weighed::Perform };
        let Some((log, write)) = self.cells.shown_unseen(&cell, self.base, self.client) else {
            return Weighed::Perform;
        };
        let there = self.dashboard.value(&cell);
        if same_value(&there, value) {
            return Weighed::Agree;
        }
        let base = log.value_at(self.base).cloned().unwrap_or(Value::Null);
        self.meet(cell, base, self.mine(value.clone()), write.side(there))
    }

    /// Mine and what shows, of which the strategy says what shows from now on.
    ///
    /// A cell and a tab have one record, with the last value of each: a value of this tab that waits beside
    /// what shows gives way to the newer one.
    fn meet(&self, cell: Cell, base: Value, mine: Side, theirs: Side) -> Weighed {
        // Edits of its own that wait for a widget are no value that it could give way with.
        let own = self
            .own_waiting(&cell)
            .filter(|own| cell.field != REMOVED || own.other.value.as_array().is_none_or(Vec::is_empty));
        let record = |kept, other| match own {
            Some(own) => Ok(Box::new(Conflict { kept, other, ..Conflict::clone(own) })),
            None => self.record(cell, base, kept, other),
        };
        match self.dashboard.strategy() {
            Strategy::Latest => {
                let mine = Side { revision: Some(self.stamp.revision), ..mine };
                record(mine, Side { revision: None, ..theirs })
                    .map_or_else(Weighed::Refuse, Weighed::PerformOver)
            }
            Strategy::First | Strategy::Ask => {
                record(theirs, mine).map_or_else(Weighed::Refuse, Weighed::Keep)
            }
        }
    }

    /// The open record of a cell in which something of this tab waits.
    fn own_waiting(&self, cell: &Cell) -> Option<&Arc<Conflict>> {
        self.dashboard
            .open_conflicts()
            .find(|conflict| conflict.cell == *cell && conflict.other.client.as_ref() == Some(self.client))
    }

    /// An edit to a widget that is a tombstone: kept beside it if its writer could not know (S6).
    ///
    /// The widget stays removed under every strategy: to bring it back is a person's choice.
    fn edit_of_removed(&self, id: &WidgetId, op: &Op) -> Weighed {
        let cell = Cell::widget(id, REMOVED);
        let Some((_, write)) = self.cells.shown_unseen(&cell, self.base, self.client) else {
            return Weighed::Refuse(OpError::WidgetRemoved);
        };
        let Some(removed) = self.dashboard.removed.get(id) else {
            return Weighed::Refuse(OpError::NoSuchWidget);
        };
        let own = self.own_waiting(&cell).filter(|own| own.other.value.is_array());
        let edits = match waiting::with_edit(own.map(|own| &own.other.value), op, &removed.widget) {
            Ok(edits) => edits,
            Err(error) => return Weighed::Refuse(error),
        };
        match own {
            Some(own) => {
                Weighed::Keep(Box::new(Conflict { other: self.mine(edits), ..Conflict::clone(own) }))
            }
            None => self
                .record(cell, Value::Bool(false), write.side(Value::Bool(true)), self.mine(edits))
                .map_or_else(Weighed::Refuse, Weighed::Keep),
        }
    }

    /// A removal: it meets whatever others wrote in the widget unseen, also where it was written over since,
    /// and that somebody brought the widget back (S6).
    fn removal(&self, id: &WidgetId) -> Weighed {
        let cell = Cell::widget(id, REMOVED);
        let back = self.cells.shown_unseen(&cell, self.base, self.client).map(|(_, write)| write);
        let Some(widget) = self.dashboard.widgets.get(id) else {
            let gone = self.dashboard.removed.contains_key(id);
            return if gone && back.is_some() { Weighed::Agree } else { Weighed::Perform };
        };
        let edits = self.cells.edits_since(self.dashboard, id, self.base, self.client);
        let last = edits.iter().map(|(_, write)| write).chain(&back).max_by_key(|write| write.revision);
        let Some(last) = last.cloned() else { return Weighed::Perform };
        let ops = edits.iter().filter_map(|(field, write)| {
            let op = match field.as_str() {
                // The tombstone's text has the edits already; an empty update marks that there were some.
                TEXT => Op::edit_text(id, Update::empty()),
                field => {
                    let value = self.written_by(id, field, write).unwrap_or_else(|| widget.value(field));
                    Op::Set { id: id.clone(), field: field.to_owned(), value }
                }
            };
            serde_json::to_value(op).ok()
        });
        let edited = last.side(Value::Array(ops.collect()));
        self.meet(cell, Value::Bool(false), self.mine(Value::Bool(true)), edited)
    }

    /// What another tab wrote in a field over which this one has written since: it waits in a record.
    fn written_by(&self, id: &WidgetId, field: &str, write: &Write) -> Option<Value> {
        let cell = Cell::widget(id, field);
        if self.cells.shown_unseen(&cell, self.base, self.client).is_some() {
            return None;
        }
        let theirs = |conflict: &&Arc<Conflict>| {
            conflict.cell == cell && write.client.is_some() && conflict.other.client == write.client
        };
        self.dashboard.open_conflicts().find(theirs).map(|conflict| conflict.other.value.clone())
    }

    /// A restoration: it agrees with whoever did the same unseen, and meets who removed the widget (again)
    /// unseen.
    fn restoration(&self, id: &WidgetId) -> Weighed {
        let cell = Cell::widget(id, REMOVED);
        let unseen = self.cells.shown_unseen(&cell, self.base, self.client);
        match (self.dashboard.removed.contains_key(id), unseen) {
            (_, None) => Weighed::Perform,
            (true, Some((_, write))) => {
                let mine = self.mine(Value::Array(Vec::new()));
                self.meet(cell, Value::Bool(true), mine, write.side(Value::Bool(true)))
            }
            (false, Some(_)) if self.dashboard.widgets.contains_key(id) => Weighed::Agree,
            (false, Some(_)) => Weighed::Perform,
        }
    }

    /// Checks that a choice is about what its author saw: it is one among values that showed, and not over
    /// what others wrote unseen.
    fn choice(&self, id: &ConflictId, choose: &Choice) -> Result<(), OpError> {
        let Some(conflict) = self.dashboard.conflicts.get(id) else { return Ok(()) };
        let chosen = choice_cell(id);
        if *choose == Choice::Reopen {
            return match self.cells.unseen(&chosen, self.base, self.client) {
                Some(_) => Err(OpError::ChosenSince),
                None if self.removes_edits(conflict, &chosen) => Err(OpError::EditedSince),
                None => Ok(()),
            };
        }
        if conflict.settled.is_some() {
            return Ok(());
        }
        let unseen = |cell: &Cell| self.cells.shown_unseen(cell, self.base, self.client).is_some();
        if unseen(&conflict.cell) {
            return Err(OpError::WrittenSince);
        }
        let value = match choose {
            Choice::Other => &conflict.other.value,
            Choice::Value(value) => value,
            Choice::Kept | Choice::Reopen => return Ok(()),
        };
        let Some(widget) = conflict.cell.id.as_ref().filter(|_| conflict.cell.field == REMOVED) else {
            return Ok(());
        };
        if *value == Value::Bool(true) {
            let edits = self.cells.edits_since(self.dashboard, widget, self.base, self.client);
            return if edits.is_empty() { Ok(()) } else { Err(OpError::EditedSince) };
        }
        let over = waiting::values(value).into_iter().any(|(field, value)| {
            let cell = Cell::widget(widget, &field);
            unseen(&cell) && !same_value(&self.dashboard.value(&cell), &value)
        });
        if over { Err(OpError::WrittenSince) } else { Ok(()) }
    }

    /// True where to open a conflict again would remove a widget that others have edited since the choice
    /// brought it back (S6).
    fn removes_edits(&self, conflict: &Conflict, chosen: &Cell) -> bool {
        let Some(id) = conflict.cell.id.as_ref().filter(|_| conflict.settled.is_some()) else {
            return false;
        };
        let since = self.cells.get(chosen).map_or(0, |log| log.last().revision);
        conflict.cell.field == REMOVED
            && conflict.kept.value == Value::Bool(true)
            && !self.cells.edits_since(self.dashboard, id, since, self.client).is_empty()
    }

    fn mine(&self, value: Value) -> Side {
        Side { revision: None, ..Write::new(self.client, self.stamp).side(value) }
    }

    /// A new record, where there is room for one more.
    fn record(&self, cell: Cell, base: Value, kept: Side, other: Side) -> Result<Box<Conflict>, OpError> {
        if self.dashboard.open_conflicts().count() >= MAX_OPEN_CONFLICTS {
            return Err(OpError::TooManyConflicts);
        }
        Ok(Box::new(Conflict { id: self.id.clone(), cell, base, kept, other, settled: None }))
    }
}

#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
