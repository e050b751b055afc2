//! What records hold until a person chose.

use std::sync::Arc;

use lockstep::dashboard::{Cell, Conflict, Op};
use serde_json::Value;

use super::history::{PRESENCE, read, same, writes};
use super::judgement::{Judgement, edits_of, has, is_reopening, value_of};
use super::{Broken, MAX_OPEN, must};

/// An update without any edit: it says that there were some, which the text has already.
pub const NO_EDIT: [u8; 2] = [0, 0];
/// The shortest wait of a change that is told of.
const TOLD_MS: u64 = 1_000;
/// Settled records that stay at least.
const KEPT_SETTLED: usize = 100;

impl Judgement<'_> {
    /// Checks what became of each record that was there, and that those that are open say what shows.
    pub(super) fn check_records(&self) -> Result<(), Broken> {
        let (before, after) = (self.before(), self.after);
        if before.conflicts.is_empty() && after.conflicts.is_empty() {
            return Ok(());
        }
        for (id, old) in &before.conflicts {
            match after.conflicts.get(id) {
                Some(new) if Arc::ptr_eq(old, new) || old == new => {}
                Some(new) => self.check_record(old, new)?,
                None => {
                    let settled = before.conflicts.values().filter(|record| record.settled.is_some()).count();
                    let bound = settled + self.change.ops.len() > KEPT_SETTLED;
                    must(self.chosen(old) || old.settled.is_some() && bound, || {
                        format!("S4: the record {id} went before anybody chose")
                    })?;
                }
            }
        }
        let open = after.open_conflicts().count();
        must(open <= MAX_OPEN, || format!("S10: {open} conflicts are open"))?;
        for record in after.open_conflicts() {
            let came_back =
                |op: &Op| matches!(op, Op::RestoreWidget { id } if record.cell.id.as_ref() == Some(id));
            let touched = self.commit.ops.iter().any(|op| writes(op, &record.cell) || came_back(op));
            let same_as_before = before.conflicts.get(&record.id).is_some_and(|old| Arc::ptr_eq(old, record));
            if touched || !same_as_before {
                self.check_shown(record)?;
                self.check_times(record)?;
            }
        }
        let gone = |id| !after.removed.contains_key(id) && !after.widgets.contains_key(id);
        if before.removed.keys().chain(before.widgets.keys()).any(gone) {
            for record in after.open_conflicts() {
                let needed = record.cell.id.as_ref().filter(|id| gone(id));
                must(needed.is_none(), || format!("S6: {needed:?} is gone, and {} needs it", record.id))?;
            }
        }
        Ok(())
    }

    /// Checks that the sides of a record say when they were written.
    fn check_times(&self, record: &Conflict) -> Result<(), Broken> {
        let waited = self.change.age_ms.filter(|age| *age >= TOLD_MS);
        let written_now = waited.map(|age| self.commit.at - age);
        let is_new = !self.before().conflicts.contains_key(&record.id);
        for side in [&record.kept, &record.other] {
            let mine = side.client.as_ref() == Some(&self.author.client);
            let written = match side.revision {
                Some(revision) if revision == self.commit.revision => written_now,
                Some(revision) => self.history.commits[revision as usize - 1].written_at,
                None if is_new && mine => written_now,
                None => continue,
            };
            must(side.written_at == written, || {
                format!("S4: a side of {} was written at {written:?}, and says {side:?}", record.id)
            })?;
        }
        Ok(())
    }

    fn check_record(&self, old: &Conflict, new: &Conflict) -> Result<(), Broken> {
        let id = &old.id;
        must(old.cell == new.cell && old.base == new.base, || format!("S4: {id} is about something else"))?;
        if old.settled.is_some() {
            let opened = self.choices().any(|(of, choose)| of == id && is_reopening(choose));
            return must(opened, || {
                format!("S4: the settled record {id} is another one: {old:?} became {new:?}")
            });
        }
        if new.settled.is_some() {
            return must(self.chosen(old) || self.agree(new), || {
                format!("S4: {id} is settled, and nobody chose: {new:?}")
            });
        }
        let held = match old.cell.field.as_str() {
            PRESENCE => self.holds_edits(old, new),
            _ => same(&old.other.value, &new.other.value) || self.is_superseded(old),
        };
        must(held, || format!("S4: {id} has lost a value: {old:?} became {new:?}"))?;
        let by_author = new.other.by.id == old.other.by.id || self.is_superseded(old) || is_edits(old);
        must(by_author, || format!("S4: {id} says that somebody else wrote what waits"))
    }

    /// Whether the tab whose value waited has written another one.
    fn is_superseded(&self, old: &Conflict) -> bool {
        let mine = old.other.client.as_ref() == Some(&self.author.client);
        // By a choice in another record about the same cell too.
        mine && self.change.ops.iter().chain(&self.commit.ops).any(|op| writes(op, &old.cell))
    }

    /// Whether what was settled without a choice says the same on both sides.
    pub(super) fn agree(&self, record: &Conflict) -> bool {
        let widget = record.cell.id.as_ref().filter(|_| record.cell.field == PRESENCE);
        let widget = widget.and_then(|id| self.after.widgets.get(id));
        let edits = edits_of(&record.other.value);
        match widget {
            Some(widget) if is_array(&record.kept.value) => edits.iter().all(|edit| match edit {
                Op::Set { field, value, .. } => same(&value_of(widget, field), value),
                Op::EditText { update, .. } => update.as_bytes() == NO_EDIT,
                _ => false,
            }),
            _ => same(&record.kept.value, &record.other.value),
        }
    }

    /// Whether the edits that a record about a removal had are in it still: beside a removal they wait, and a
    /// removal beside them may have come about. Of one field the last of a tab is meant.
    fn holds_edits(&self, old: &Conflict, new: &Conflict) -> bool {
        let mine = old.other.client.as_ref() == Some(&self.author.client);
        let newer = |edit: &Op| mine && self.change.ops.iter().any(|op| op.cell() == edit.cell());
        let all = |side: &Value, of: &Value| {
            is_array(side) && edits_of(of).iter().all(|edit| has(side, edit) || newer(edit))
        };
        match (is_array(&old.kept.value), is_array(&old.other.value)) {
            (_, true) => all(&new.other.value, &old.other.value) || self.is_superseded(old),
            // A removal that its tab says again has seen more of them.
            (true, false) => {
                all(&new.kept.value, &old.kept.value)
                    || all(&new.other.value, &old.kept.value)
                    || self.is_superseded(old)
            }
            (false, false) => true,
        }
    }

    /// What an open record says of what shows.
    fn check_shown(&self, record: &Conflict) -> Result<(), Broken> {
        let there = record.cell.id.as_ref().is_none_or(|id| self.after.widgets.contains_key(id));
        let shows = match record.cell.field.as_str() {
            PRESENCE => same(&record.kept.value, &Value::Bool(true)) != there,
            _ if !there => true,
            _ => same(&record.kept.value, &read(self.after, &record.cell)),
        };
        must(shows, || format!("S4: {} says {} shows, which does not", record.id, record.kept.value))
    }

    /// Whether somebody has chosen in a record that was open.
    fn chosen(&self, record: &Conflict) -> bool {
        self.choices().any(|(id, choose)| *id == record.id && !is_reopening(choose))
    }

    /// The cells of the records in which this commit chose.
    pub(super) fn chosen_cells(&self) -> Vec<&Cell> {
        let records = |id| self.after.conflicts.get(id).or_else(|| self.before().conflicts.get(id));
        self.choices().filter_map(|(id, _)| records(id)).map(|record| &record.cell).collect()
    }

    /// The choices that took effect.
    pub(super) fn choices(
        &self,
    ) -> impl Iterator<Item = (&lockstep::dashboard::ConflictId, &lockstep::dashboard::Choice)> {
        self.commit.ops.iter().filter_map(|op| match op {
            Op::SettleConflict { conflict, choose } => Some((conflict, choose)),
            _ => None,
        })
    }
}

fn is_array(value: &Value) -> bool {
    value.is_array()
}

fn is_edits(record: &Conflict) -> bool {
    is_array(&record.kept.value)
}
