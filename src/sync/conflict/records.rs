//! Conflict records as the log goes on: they follow what is written to their cells.

use std::sync::Arc;

use serde_json::Value;

use crate::dashboard::op::REMOVED;
use crate::dashboard::{Choice, ClientId, Conflict, ConflictId, Dashboard, Op, Side, Stamp};

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
/// now.
///
/// Returns the ids of the records that changed.
pub fn follow_writes(
    dashboard: &mut Dashboard,
    ops: &[Op],
    client: &ClientId,
    stamp: &Stamp,
) -> Vec<ConflictId> {
    if dashboard.conflicts.is_empty() {
        return Vec::new();
    }
    let now = |value: Value| {
        let Stamp { by, at, revision } = stamp.clone();
        Side { value, by, client: Some(client.clone()), at, revision: Some(revision) }
    };
    let touched = |conflict: &Conflict| {
        ops.iter().any(|op| match op {
            Op::Place { .. } | Op::EditText { .. } => false,
            Op::SettleConflict { conflict: id, .. } => *id == conflict.id,
            op => op.cell().as_ref() == Some(&conflict.cell),
        })
    };
    let mut followed = Vec::new();
    for conflict in dashboard.open_conflicts().filter(|conflict| touched(conflict)) {
        let Conflict { cell, kept, other, .. } = &**conflict;
        let sides = match &cell.id {
            Some(id) if cell.field == REMOVED => {
                let (gone, edited) = (!dashboard.widgets.contains_key(id), kept.value.is_array());
                match (gone, edited) {
                    // Brought back as it was; the edits go on waiting.
                    (false, false) => Some((now(Value::Array(Vec::new())), other.clone())),
                    // Removed after all: what was edited waits now, where edits do not wait already.
                    (true, true) if other.value.is_array() => Some((now(Value::Bool(true)), other.clone())),
                    (true, true) => Some((now(Value::Bool(true)), kept.clone())),
                    _ => None,
                }
            }
            // Of a widget that is gone no field says anything.
            Some(id) if !dashboard.widgets.contains_key(id) => None,
            _ => {
                let value = dashboard.value(cell);
                (kept.value != value).then(|| (now(value), other.clone()))
            }
        };
        if let Some(sides) = sides {
            followed.push((conflict.id.clone(), sides));
        }
    }
    let set = |(id, (kept, other)): (ConflictId, (Side, Side))| {
        if let Some(conflict) = dashboard.conflicts.get_mut(&id) {
            let conflict = Arc::make_mut(conflict);
            (conflict.kept, conflict.other) = (kept, Side { revision: None, ..other });
        }
        id
    };
    followed.into_iter().map(set).collect()
}

/// The id of the record that the op at `index` of a commit makes.
pub fn record_id(revision: u64, index: usize) -> ConflictId {
    ConflictId::new(format!("k{revision}-{index}")).expect("digits make an id")
}

/// True for a record that the commit of this revision made, and did not only find.
pub fn made_in(id: &ConflictId, revision: u64) -> bool {
    id.as_str().starts_with(&format!("k{revision}-"))
}
