//! Settling a conflict: what a choice brings to the conflict's cell, all of it or nothing.

use serde_json::Value;

use super::{CHOICE_BYTES, Edit, OpError, Stamp};
use crate::dashboard::number::same_value;
use crate::dashboard::op::{Cell, Choice, Op, REMOVED};
use crate::dashboard::size::json_bytes;
use crate::dashboard::{Conflict, Settled};

impl Edit<'_> {
    pub(super) fn settle_conflict(&mut self, id: &str, choose: &Choice) -> Result<(), OpError> {
        let conflict = self.dashboard.conflicts.get(id).cloned().ok_or(OpError::NoSuchConflict)?;
        let value = match (choose, &conflict.settled) {
            (Choice::Reopen, None) => return Err(OpError::NotSettled),
            (Choice::Reopen, Some(settled)) if settled.agreed => return Err(OpError::Agreed),
            // What the choice brought goes with it, unless somebody has written there since.
            (Choice::Reopen, Some(settled)) => chosen(&conflict, &settled.choose)
                .filter(|value| self.reads(&conflict.cell, value))
                .map(|_| &conflict.kept.value),
            (_, Some(_)) => return Err(OpError::Settled),
            (choose, None) => chosen(&conflict, choose),
        };
        if let Some(size) = &self.size {
            // All of it or nothing: what a choice writes may be many edits, and it is recorded beside them.
            let value = value.map_or(0, json_bytes);
            size.check(if value == 0 { 0 } else { 2 * value + CHOICE_BYTES })?;
        }
        let brings = value.is_some();
        if let Some(value) = value {
            self.choose(&conflict, value)?;
        }
        self.count_choice(&conflict, choose);
        let settle = |choose: Choice| Op::SettleConflict { conflict: conflict.id.clone(), choose };
        let back = match (choose, &conflict.settled) {
            // Over what somebody has written since nothing was brought back, nor is it to be written again.
            (Choice::Reopen, Some(settled)) if brings => settled.choose.clone(),
            (Choice::Reopen, _) => Choice::Kept,
            _ => Choice::Reopen,
        };
        self.done(settle(choose.clone()), settle(back));
        Ok(())
    }

    /// Counts the record of a choice, or takes it back.
    fn count_choice(&mut self, conflict: &Conflict, choose: &Choice) {
        let Some(size) = &mut self.size else { return };
        let old = json_bytes(&conflict.settled);
        let new = match choose {
            Choice::Reopen => json_bytes(&None::<Settled>),
            choose => {
                let Stamp { by, at, .. } = self.stamp.clone();
                json_bytes(&Settled { choose: choose.clone(), by, at, agreed: false })
            }
        };
        size.bytes = (size.bytes + new).saturating_sub(old);
    }

    /// True where a cell says this. A widget with edits reads as there.
    fn reads(&self, cell: &Cell, value: &Value) -> bool {
        match &cell.id {
            Some(id) if cell.field == REMOVED => {
                self.dashboard.widgets.contains_key(id) == (*value != Value::Bool(true))
            }
            _ => same_value(&self.dashboard.value(cell), value),
        }
    }

    /// Brings a conflict's cell to the chosen value.
    fn choose(&mut self, conflict: &Conflict, value: &Value) -> Result<(), OpError> {
        match &conflict.cell.id {
            None => self.set_dashboard(&conflict.cell.field, value),
            Some(id) if conflict.cell.field != REMOVED => self.set(id, &conflict.cell.field, value),
            Some(id) if *value == Value::Bool(true) => match self.remove(id) {
                Err(OpError::WidgetRemoved) => Ok(()),
                other => other,
            },
            Some(id) => {
                let edits = edits(value).ok_or_else(|| OpError::BadValue {
                    field: REMOVED.to_owned(),
                    wants: "true or a list of edits".to_owned(),
                })?;
                if self.dashboard.removed.contains_key(id) {
                    self.restore(id)?;
                }
                self.widget(id)?;
                for edit in edits.iter().filter(|edit| edit.widget_id() == Some(id)) {
                    self.perform(edit)?;
                }
                Ok(())
            }
        }
    }
}

/// The value that a choice brings to a conflict's cell; `None` where what shows stays.
fn chosen<'a>(conflict: &'a Conflict, choose: &'a Choice) -> Option<&'a Value> {
    match choose {
        Choice::Kept | Choice::Reopen => None,
        Choice::Other => Some(&conflict.other.value),
        Choice::Value(value) => Some(value),
    }
}

/// The edits that a side of a conflict about a removal holds, without those that only mark that there were
/// some; `None` where it holds anything else.
fn edits(value: &Value) -> Option<Vec<Op>> {
    let mut edits: Vec<Op> = serde_json::from_value(value.clone()).ok()?;
    edits.retain(|edit| !matches!(edit, Op::EditText { update, .. } if update.is_empty()));
    edits.iter().all(|edit| matches!(edit, Op::Set { .. } | Op::EditText { .. })).then_some(edits)
}
