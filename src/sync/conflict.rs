//! Weighing an op against what others wrote meanwhile: is it a real conflict (S5, S6), and which
//! value shows?

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dashboard::op::{REMOVED, TEXT};
use crate::dashboard::text::Update;
use crate::dashboard::{
    Cell, ClientId, Conflict, ConflictId, Dashboard, Op, OpError, Side, Stamp, Strategy, User, WidgetId,
};

use super::protocol::MAX_OP_BYTES;

/// Open conflicts of one dashboard: more than a person can settle, and a bound on every snapshot.
pub const MAX_OPEN_CONFLICTS: usize = 500;
/// Earlier values kept for each cell, to tell what a writer started from.
const MAX_PAST: usize = 16;

/// Who wrote a cell last, and what it said before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellLog {
    pub revision: u64,
    pub client: ClientId,
    pub by: User,
    pub at: u64,
    /// For each of the last writes its revision and the value before it, oldest first.
    past: Vec<(u64, Value)>,
}

impl CellLog {
    /// The value at a revision; the oldest known where that is longer ago.
    fn value_at(&self, revision: u64) -> Option<&Value> {
        self.past.iter().find(|(written, _)| *written > revision).map(|(_, before)| before)
    }
}

/// The last writer of each cell of a dashboard.
#[derive(Clone, Debug, Default)]
pub struct CellLogs(HashMap<Cell, CellLog>);

impl CellLogs {
    /// Notes a write, with the value before it.
    pub fn write(&mut self, cell: Cell, before: Value, client: &ClientId, stamp: &Stamp) {
        let past = self.0.get_mut(&cell).map(|log| std::mem::take(&mut log.past));
        let mut past = past.unwrap_or_default();
        // Several writes of one commit are one: what counts is the value before the commit.
        if past.last().is_none_or(|(revision, _)| *revision != stamp.revision) {
            past.push((stamp.revision, before));
            let excess = past.len().saturating_sub(MAX_PAST);
            past.drain(..excess);
        }
        let Stamp { by, at, revision } = stamp.clone();
        self.0.insert(cell, CellLog { revision, client: client.clone(), by, at, past });
    }

    /// Forgets cells of widgets that are neither here nor among the tombstones.
    pub fn retain_known(&mut self, dashboard: &Dashboard) {
        self.0.retain(|cell, _| {
            cell.id
                .as_ref()
                .is_none_or(|id| dashboard.widgets.contains_key(id) || dashboard.removed.contains_key(id))
        });
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Cell, &CellLog)> {
        self.0.iter()
    }

    /// The last write of a cell where another client made it after `base`.
    fn written_since(&self, cell: &Cell, base: u64, client: &ClientId) -> Option<&CellLog> {
        self.0.get(cell).filter(|log| log.revision > base && log.client != *client)
    }

    /// The fields of a widget that others wrote after `base`, with their last writer.
    fn edits_since(
        &self,
        dashboard: &Dashboard,
        id: &WidgetId,
        base: u64,
        client: &ClientId,
    ) -> Vec<(String, &CellLog)> {
        let Some(widget) = dashboard.widgets.get(id) else { return Vec::new() };
        let mut fields: Vec<&str> = vec!["title", TEXT];
        fields.extend(widget.kind.fields().iter().map(|field| field.name));
        fields
            .into_iter()
            .filter_map(|field| {
                let log = self.written_since(&Cell::widget(id, field), base, client)?;
                Some((field.to_owned(), log))
            })
            .collect()
    }
}

impl FromIterator<(Cell, CellLog)> for CellLogs {
    fn from_iter<T: IntoIterator<Item = (Cell, CellLog)>>(logs: T) -> Self {
        Self(logs.into_iter().collect())
    }
}

/// What is to be done with an op.
#[derive(Debug)]
pub enum Weighed {
    /// Nobody wrote here meanwhile.
    Perform,
    /// It takes effect, and this record keeps the value that it covers.
    PerformOver(Box<Conflict>),
    /// It takes no effect, and this record keeps it.
    Keep(Box<Conflict>),
    Refuse(OpError),
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
            Strategy::First | Strategy::Ask => self.record(cell, base, theirs, mine, Weighed::Keep),
        }
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
        let cell = Cell::widget(id, REMOVED);
        let base = Value::Bool(false);
        match self.dashboard.strategy() {
            Strategy::Latest => {
                let removal = Side { revision: Some(self.stamp.revision), ..removal };
                self.record(cell, base, removal, Side { revision: None, ..edited }, Weighed::PerformOver)
            }
            Strategy::First | Strategy::Ask => self.record(cell, base, edited, removal, Weighed::Keep),
        }
    }

    fn mine(&self, value: Value) -> Side {
        Side { value, by: self.stamp.by.clone(), at: self.stamp.at, revision: None }
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
    Side { value, by: log.by.clone(), at: log.at, revision: Some(log.revision) }
}

/// Brings the open conflicts of cells that a commit wrote to the value that shows now.
///
/// Returns the ids of the records that changed.
pub fn follow_writes(dashboard: &mut Dashboard, ops: &[Op], stamp: &Stamp) -> Vec<ConflictId> {
    if dashboard.conflicts.is_empty() {
        return Vec::new();
    }
    let written: Vec<Cell> = ops
        .iter()
        .filter(|op| matches!(op, Op::Set { .. } | Op::SetDashboard { .. }))
        .filter_map(Op::cell)
        .collect();
    let stale: Vec<(ConflictId, Value)> = dashboard
        .open_conflicts()
        .filter(|conflict| written.contains(&conflict.cell))
        .map(|conflict| (conflict.id.clone(), dashboard.value(&conflict.cell)))
        .collect();
    let mut changed = Vec::new();
    for (id, value) in stale {
        if let Some(conflict) =
            dashboard.conflicts.get_mut(&id).filter(|conflict| conflict.kept.value != value)
        {
            let Stamp { by, at, revision } = stamp.clone();
            Arc::make_mut(conflict).kept = Side { value, by, at, revision: Some(revision) };
            changed.push(id);
        }
    }
    changed
}
