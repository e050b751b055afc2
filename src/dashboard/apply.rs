//! Repeats a commit as it is: its ops, and then what is forgotten because of bounds.
//!
//! A room, its replay and every replica take a commit in the same three steps, so that all of them keep the
//! same: the ops, the conflict records, [`Dashboard::keep_bounds`]. What is kept depends on records, which a
//! commit brings whole, and so nothing is forgotten before they are in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::layout::Frame;
use super::size::entry_bytes;
use super::{
    Choice, Conflict, Dashboard, MAX_REMOVED, MAX_REMOVED_BYTES, Op, Removed, Settled, Stamp, Widget,
    WidgetId,
};

/// Settled conflicts kept for the record; the earliest settled goes first.
const MAX_SETTLED: usize = 100;

/// What a dashboard forgot because of its bounds.
#[derive(Debug, Default)]
pub struct Forgotten {
    pub removed: Vec<(WidgetId, Arc<Removed>)>,
    pub conflicts: Vec<Arc<Conflict>>,
}

impl Forgotten {
    /// Their bytes as JSON.
    pub fn bytes(&self) -> usize {
        let removed = self.removed.iter().map(|(id, removed)| entry_bytes(id.as_str(), removed));
        let conflicts = self.conflicts.iter().map(|one| entry_bytes(one.id.as_str(), one));
        removed.chain(conflicts).sum()
    }
}

impl Dashboard {
    /// Repeats an effective op as it is: no judging, no settling (S1). An op about something that is
    /// not here changes nothing.
    pub fn apply(&mut self, op: &Op, stamp: &Stamp) {
        match op {
            Op::AddWidget { id, widget } => {
                self.widgets.insert(id.clone(), Arc::new((**widget).clone()));
            }
            Op::RemoveWidget { id } => {
                if let Some(widget) = self.widgets.remove(id) {
                    let Stamp { by, at, revision, .. } = stamp.clone();
                    self.removed.insert(id.clone(), Arc::new(Removed { widget, by, at, revision }));
                }
            }
            Op::RestoreWidget { id } => {
                if let Some(removed) = self.removed.remove(id) {
                    self.widgets.insert(id.clone(), removed.widget.clone());
                }
            }
            Op::Place { id, frame, .. } => {
                if let Some(widget) = self.widget_mut(id) {
                    widget.frame = *frame;
                }
            }
            Op::Set { id, field, value } => {
                if let Some(widget) = self.widget_mut(id) {
                    widget.set(field, value);
                }
            }
            Op::EditText { id, update, compacted } => {
                let before = self.widgets.get(id).and_then(|widget| widget.text.as_ref());
                let text = before.and_then(|before| match compacted {
                    Some(generation) => Some(before.compacted(*generation)),
                    None => before.repeat(update).ok(),
                });
                if let (Some(text), Some(widget)) = (text, self.widget_mut(id)) {
                    widget.text = Some(text);
                }
            }
            Op::SetDashboard { field, value } => match (field.as_str(), value) {
                ("title", Value::String(title)) => self.title.clone_from(title),
                ("title", _) => {}
                (_, Value::Null) => {
                    self.settings.remove(field);
                }
                _ => {
                    self.settings.insert(field.clone(), value.clone());
                }
            },
            Op::SettleConflict { conflict, choose } => {
                if let Some(conflict) = self.conflicts.get_mut(conflict) {
                    let Stamp { by, at, .. } = stamp.clone();
                    Arc::make_mut(conflict).settled = (*choose != Choice::Reopen).then(|| Settled {
                        choose: choose.clone(),
                        by,
                        at,
                        agreed: false,
                    });
                }
            }
        }
    }

    /// What an op's cell says before the op is applied: its value, or for a widget's being there whether it is
    /// removed. `Null` for cells that hold no value.
    pub fn before(&self, op: &Op) -> Value {
        match op {
            Op::Set { .. } | Op::SetDashboard { .. } => {
                op.cell().map_or(Value::Null, |cell| self.value(&cell))
            }
            Op::AddWidget { id, .. } | Op::RemoveWidget { id } | Op::RestoreWidget { id } => {
                Value::Bool(self.removed.contains_key(id))
            }
            Op::Place { .. } | Op::EditText { .. } | Op::SettleConflict { .. } => Value::Null,
        }
    }

    /// Forgets the tombstones and settled conflicts that are beyond their bounds, when the ops of a commit
    /// have been applied and its records are in.
    pub fn keep_bounds(&mut self, ops: &[Op]) -> Forgotten {
        let last = ops.iter().rev().find_map(|op| match op {
            Op::RemoveWidget { id } if self.removed.contains_key(id) => Some(id),
            _ => None,
        });
        let removed = last.map(|last| self.forget_old_tombstones(last)).unwrap_or_default();
        Forgotten { removed, conflicts: self.forget_old_choices() }
    }

    /// Everybody's frame.
    pub fn frames(&self) -> BTreeMap<WidgetId, Frame> {
        self.widgets.iter().map(|(id, widget)| (id.clone(), widget.frame)).collect()
    }

    pub(super) fn widget_mut(&mut self, id: &WidgetId) -> Option<&mut Widget> {
        self.widgets.get_mut(id).map(Arc::make_mut)
    }

    /// Keeps tombstones within [`MAX_REMOVED`] and, beside the latest, [`MAX_REMOVED_BYTES`]; those that an
    /// open conflict needs stay. Returns those that went.
    fn forget_old_tombstones(&mut self, latest: &WidgetId) -> Vec<(WidgetId, Arc<Removed>)> {
        let sizes = self.removed.iter().filter(|(id, _)| *id != latest);
        let mut bytes: usize = sizes.map(|(_, removed)| removed.widget.weight()).sum();
        if self.removed.len() <= MAX_REMOVED && bytes <= MAX_REMOVED_BYTES {
            return Vec::new();
        }
        let needed: BTreeSet<&WidgetId> =
            self.open_conflicts().filter_map(|conflict| conflict.cell.id.as_ref()).collect();
        let mut oldest: Vec<(u64, WidgetId)> = self
            .removed
            .iter()
            .filter(|(id, removed)| removed.revision > 0 && *id != latest && !needed.contains(id))
            .map(|(id, removed)| (removed.revision, id.clone()))
            .collect();
        oldest.sort_unstable();
        let mut gone = Vec::new();
        for (_, id) in oldest {
            if self.removed.len() <= MAX_REMOVED && bytes <= MAX_REMOVED_BYTES {
                break;
            }
            if let Some(entry) = self.removed.remove_entry(&id) {
                bytes = bytes.saturating_sub(entry.1.widget.weight());
                gone.push(entry);
            }
        }
        gone
    }

    /// Keeps settled conflicts within [`MAX_SETTLED`]. Returns those that went.
    fn forget_old_choices(&mut self) -> Vec<Arc<Conflict>> {
        let settled = self.conflicts.values().filter(|conflict| conflict.settled.is_some()).count();
        let excess = settled.saturating_sub(MAX_SETTLED);
        if excess == 0 {
            return Vec::new();
        }
        let settled = |conflict: &Arc<Conflict>| Some((conflict.settled.as_ref()?.at, conflict.id.clone()));
        let mut oldest: Vec<_> = self.conflicts.values().filter_map(settled).collect();
        oldest.sort_unstable();
        oldest.into_iter().take(excess).filter_map(|(_, id)| self.conflicts.remove(&id)).collect()
    }
}
