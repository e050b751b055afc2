//! What a choice does: all of it, or nothing.

use lockstep::dashboard::{Choice, Conflict, Op};
use serde_json::Value;

use super::history::{PRESENCE, read, same, widget};
use super::judgement::{Judgement, is_reopening, value_of};
use super::records::NO_EDIT;
use super::{Broken, must};

impl Judgement<'_> {
    /// Checks each choice of a change that has no other op.
    pub(super) fn check_choices(&self) -> Result<(), Broken> {
        let [Op::SettleConflict { conflict, choose }] = &self.change.ops[..] else { return Ok(()) };
        let (before, after) = (self.before(), self.after);
        let old = before.conflicts.get(conflict);
        if self.refusal(0).is_some() {
            return must(self.commit.ops.is_empty() && self.commit.conflicts.is_empty(), || {
                format!("S4: the choice in {conflict} was refused and did something")
            });
        }
        let old = old.ok_or_else(|| format!("S4: somebody chose in {conflict}, which is not there"))?;
        let new = after.conflicts.get(conflict);
        if is_reopening(choose) {
            must(old.settled.is_some(), || format!("S4: {conflict} was open and is opened again"))?;
            let since = self.chosen_since(conflict, self.change.base);
            must(!since, || format!("S4: {conflict} is opened again over another's choice"))?;
            // Where both sides have come to say the same there is nothing to choose.
            let agreed = |new: &Conflict| {
                new.settled.as_ref().is_some_and(|settled| settled.agreed) && self.agree(new)
            };
            return must(new.is_some_and(|new| new.settled.is_none() || agreed(new)), || {
                format!("S4: {conflict} was opened again and is not open")
            });
        }
        must(old.settled.is_none(), || format!("S4: somebody chose in {conflict}, which was settled"))?;
        if let Some(new) = new {
            let noted = new
                .settled
                .as_ref()
                .is_some_and(|settled| settled.choose == *choose && settled.by.id == self.author.by.id);
            must(noted, || format!("S4: {conflict} does not say what was chosen, and by whom"))?;
        }
        let done = match choose {
            Choice::Kept => self.commit.ops.len() == 1,
            Choice::Other => self.shows(old, &old.other.value),
            Choice::Value(value) => self.shows(old, value),
            Choice::Reopen => true,
        };
        must(done, || format!("S4: {choose:?} was chosen in {old:?} and is not what shows"))
    }

    /// Whether a record's cell says this.
    fn shows(&self, record: &Conflict, value: &Value) -> bool {
        let Some(id) = record.cell.id.as_ref().filter(|_| record.cell.field == PRESENCE) else {
            return same(&read(self.after, &record.cell), value);
        };
        let Some(edits) = value.as_array() else {
            return self.after.widgets.contains_key(id) != same(value, &Value::Bool(true));
        };
        let Some(widget) = widget(self.after, id).filter(|_| self.after.widgets.contains_key(id)) else {
            return false;
        };
        let edits = edits.iter().map(|edit| serde_json::from_value(edit.clone()));
        let mut later: Vec<String> = Vec::new();
        for edit in edits.rev() {
            match edit {
                Ok(Op::Set { field, value, .. }) if !later.contains(&field) => {
                    if !same(&value_of(widget, &field), &value) {
                        return false;
                    }
                    later.push(field);
                }
                Ok(Op::EditText { ref update, .. }) if update.as_bytes() == NO_EDIT => {}
                Ok(edit @ Op::EditText { .. }) if !self.commit.ops.contains(&edit) => return false,
                _ => {}
            }
        }
        true
    }
}
