//! Conflict records as the log goes on: they follow what is written to their cells.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::dashboard::number::same_value;
use crate::dashboard::op::REMOVED;
use crate::dashboard::{Cell, Choice, ClientId, Conflict, ConflictId, Dashboard, Op, Settled, Side, Stamp};

use super::CellLogs;
use super::cells::Write;
use super::waiting::are_in;

/// Keeps what a choice wrote over in the record that it settled, for when that is opened again: edits that
/// waited for a removed widget go, by it, onto one that somebody brought back and others may have edited.
///
/// Returns the ids of the records that changed.
pub fn keep_covered(dashboard: &mut Dashboard, ops: &[Op], inverse: &[Op]) -> Vec<ConflictId> {
    let mut kept = Vec::new();
    for op in ops {
        let Op::SettleConflict { conflict: id, choose: Choice::Other } = op else { continue };
        let Some(conflict) = dashboard.conflicts.get_mut(id) else { continue };
        if !conflict.kept.value.is_array() || !conflict.other.value.is_array() {
            continue;
        }
        let widget = conflict.cell.id.as_ref();
        let covered = inverse.iter().filter(|op| matches!(op, Op::Set { .. }) && op.widget_id() == widget);
        let covered = covered.filter_map(|op| serde_json::to_value(op).ok()).collect();
        Arc::make_mut(conflict).kept.value = Value::Array(covered);
        kept.push(id.clone());
    }
    kept
}

/// Brings the open conflicts of cells that a commit wrote, and those that it opened again, to what shows
/// now, and settles those whose sides have come to say the same. The `fresh` ones say already what their tabs
/// wrote last.
///
/// Returns the ids of the records that changed.
pub fn follow_writes(
    dashboard: &mut Dashboard,
    cells: &CellLogs,
    ops: &[Op],
    client: &ClientId,
    stamp: &Stamp,
    fresh: &BTreeSet<ConflictId>,
) -> Vec<ConflictId> {
    if dashboard.conflicts.is_empty() {
        return Vec::new();
    }
    let writer = |how, id| (how == Touch::Written && !fresh.contains(id)).then_some(client);
    let mut followed = Vec::new();
    for conflict in dashboard.open_conflicts() {
        let Some(how) = touch(conflict, ops) else { continue };
        let now = |value: Value| match cells.get(&conflict.cell) {
            Some(log) => log.last().clone().side(value),
            None => Write::new(client, stamp).side(value),
        };
        let is_removal = conflict.cell.field == REMOVED && conflict.cell.id.is_some();
        let (kept, other) = match is_removal {
            true => sides_of_removal(dashboard, conflict, now),
            false => sides_of_value(dashboard, conflict, writer(how, &conflict.id), now),
        };
        let agreed = agree(dashboard, &conflict.cell, &kept.value, &other.value);
        if agreed || kept != conflict.kept || other != conflict.other {
            followed.push((conflict.id.clone(), kept, other, agreed));
        }
    }
    let mut set = |(id, kept, other, agreed): (ConflictId, Side, Side, bool)| {
        if let Some(conflict) = dashboard.conflicts.get_mut(&id) {
            let conflict = Arc::make_mut(conflict);
            (conflict.kept, conflict.other) = (kept, Side { revision: None, ..other });
            if agreed {
                let Stamp { by, at, .. } = stamp.clone();
                conflict.settled = Some(Settled { choose: Choice::Kept, by, at, agreed });
            }
        }
        id
    };
    followed.into_iter().map(&mut set).collect()
}

/// How a commit has to do with a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// It wrote the record's cell, or a field of the widget that the record is about.
    Written,
    /// It opened the record again, or brought back the widget that the record's cell is of.
    Shown,
}

fn touch(conflict: &Conflict, ops: &[Op]) -> Option<Touch> {
    let reopens = |op: &Op| matches!(op, Op::SettleConflict { conflict: id, .. } if *id == conflict.id);
    let writes = |op: &Op| match op {
        Op::Place { .. } | Op::SettleConflict { .. } => false,
        op if conflict.cell.field == REMOVED && conflict.cell.id.is_some() => {
            op.widget_id() == conflict.cell.id.as_ref()
        }
        op => op.cell().as_ref() == Some(&conflict.cell),
    };
    let brings_back =
        |op: &Op| matches!(op, Op::RestoreWidget { id } if conflict.cell.id.as_ref() == Some(id));
    if ops.iter().any(reopens) {
        return Some(Touch::Shown);
    }
    if ops.iter().any(writes) {
        return Some(Touch::Written);
    }
    ops.iter().any(brings_back).then_some(Touch::Shown)
}

/// The sides of a record about a widget's removal, as the widget is now.
fn sides_of_removal(dashboard: &Dashboard, conflict: &Conflict, now: impl Fn(Value) -> Side) -> (Side, Side) {
    let Conflict { cell, kept, other, .. } = conflict;
    let gone = cell.id.as_ref().is_none_or(|id| !dashboard.widgets.contains_key(id));
    let waits = kept.value.as_array().is_some_and(|edits| !edits.is_empty());
    match (gone, kept.value.is_array()) {
        // Brought back as it was; the edits go on waiting.
        (false, false) => (now(Value::Array(Vec::new())), other.clone()),
        // Removed after all: what was edited waits now, where edits do not wait already.
        (true, true) if waits && !other.value.is_array() => (now(Value::Bool(true)), kept.clone()),
        (true, true) => (now(Value::Bool(true)), other.clone()),
        _ => (kept.clone(), other.clone()),
    }
}

/// The sides of a record about a value, as the cell reads now. What its `writer` had waiting in it has given way
/// to what they wrote now, and what showed before waits in its place.
fn sides_of_value(
    dashboard: &Dashboard,
    conflict: &Conflict,
    writer: Option<&ClientId>,
    now: impl Fn(Value) -> Side,
) -> (Side, Side) {
    let Conflict { cell, kept, other, .. } = conflict;
    // Of a widget that is gone no field says anything.
    if cell.id.as_ref().is_some_and(|id| !dashboard.widgets.contains_key(id)) {
        return (kept.clone(), other.clone());
    }
    let value = dashboard.value(cell);
    let own = writer.is_some() && other.client.as_ref() == writer && !same_value(&other.value, &value);
    match (same_value(&kept.value, &value), own) {
        (true, true) => (kept.clone(), now(value)),
        (true, false) => (kept.clone(), other.clone()),
        (false, true) => (now(value), kept.clone()),
        (false, false) => (now(value), other.clone()),
    }
}

/// True where the sides of a record say the same: two values that are equal, or edits that the widget has.
fn agree(dashboard: &Dashboard, cell: &Cell, kept: &Value, other: &Value) -> bool {
    let widget = cell.id.as_ref().filter(|_| cell.field == REMOVED);
    match widget {
        Some(id) if kept.is_array() && other.is_array() => {
            dashboard.widgets.get(id).is_some_and(|widget| are_in(other, widget))
        }
        Some(_) => kept == other,
        None => same_value(kept, other),
    }
}

/// The id of the record that the op at `index` of a commit makes.
pub fn record_id(revision: u64, index: usize) -> ConflictId {
    ConflictId::new(format!("k{revision}-{index}")).expect("digits make an id")
}

/// True for a record that the commit of this revision made, and did not only find.
pub fn made_in(id: &ConflictId, revision: u64) -> bool {
    id.as_str().starts_with(&format!("k{revision}-"))
}
