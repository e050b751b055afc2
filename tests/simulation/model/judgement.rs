//! What has to become of each op of a change.

use std::sync::Arc;

use lockstep::dashboard::text::Update;
use lockstep::dashboard::{
    Cell, Choice, Conflict, Dashboard, Op, OpError, Side, Strategy, User, Widget, WidgetId,
};
use lockstep::sync::protocol::{Change, Commit};
use lockstep::sync::room::Author;
use serde_json::Value;

use super::history::{History, PRESENCE, TEXT, Write, read, same, widget, writes};
use super::{Broken, MAX_OPEN, must};

/// Writes of a cell of which a room still knows the value before.
const KNOWN_PAST: usize = 16;

/// The four ends of an op (S4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Applied,
    Over,
    Kept,
    Refused,
}

/// A change, and what a room made of it.
pub struct Judgement<'a> {
    pub history: History<'a>,
    pub author: &'a Author,
    pub change: &'a Change,
    pub commit: &'a Commit,
    pub after: &'a Dashboard,
}

/// The dashboard within a change, as far as conflicts depend on it.
struct Within {
    /// Cells that ops of this change have written.
    written: Vec<Cell>,
    /// Widgets that came or went by it.
    there: Vec<(WidgetId, bool)>,
    values: Vec<(Cell, Value)>,
    strategy: Strategy,
    /// A choice in it may have written anything.
    chose: bool,
}

impl Judgement<'_> {
    /// Checks all of it. Returns the end of each op.
    pub fn check(&self) -> Result<Vec<End>, Broken> {
        let Self { history, author, change, commit, .. } = self;
        let next = history.next_seq(&author.client);
        must(change.seq == next, || format!("S2: change {} is taken where {next} is next", change.seq))?;
        let revision = commit.revision - 1;
        must(change.base <= revision, || format!("S5: base {} is taken at {revision}", change.base))?;
        let mut within = Within {
            written: Vec::new(),
            there: Vec::new(),
            values: Vec::new(),
            strategy: self.before().strategy(),
            chose: false,
        };
        let ends: Result<Vec<End>, Broken> =
            (0..change.ops.len()).map(|index| self.end_of(index, &mut within)).collect();
        let ends =
            ends.map_err(|why| format!("{why}; base {} in {:?} as {commit:?}", change.base, change.ops))?;
        self.check_new_records(&ends)?;
        self.check_records()?;
        self.check_choices()?;
        self.check_effects()?;
        Ok(ends)
    }

    pub(super) fn before(&self) -> &Dashboard {
        self.history.at(self.commit.revision - 1)
    }

    pub(super) fn refusal(&self, index: usize) -> Option<&str> {
        self.commit
            .refused
            .iter()
            .find(|refused| refused.index == index)
            .map(|refused| refused.reason.as_str())
    }

    /// Whether an op is among those that took effect, whatever frame it got.
    fn took_effect(&self, op: &Op) -> bool {
        self.commit.ops.iter().any(|effective| is_effect_of(effective, op))
    }

    fn end_of(&self, index: usize, within: &mut Within) -> Result<End, Broken> {
        let op = &self.change.ops[index];
        if let Some(reason) = self.refusal(index) {
            self.check_refusal(index, reason, within)?;
            return Ok(End::Refused);
        }
        let applied = self.took_effect(op);
        let end = match op {
            Op::Set { id, field, value } if self.is_there(id, within) => {
                self.value(index, &Cell::widget(id, field), value, applied, within)?
            }
            Op::SetDashboard { field, value } => {
                self.value(index, &Cell::dashboard(field), value, applied, within)?
            }
            Op::Set { id, .. } | Op::EditText { id, .. } if !self.is_there(id, within) => {
                self.edit_of_removed(id, op, within)?
            }
            Op::RemoveWidget { id } => self.removal(index, id, applied, within)?,
            Op::RestoreWidget { id }
                if self.is_kept(&Cell::widget(id, PRESENCE)) || self.waits(id, applied) =>
            {
                // Somebody removed it, again, and this one did not know.
                let met = self.others_worked_on(id) || within.chose;
                must(met || applied, || format!("S6: {id} stays removed, and nobody removed it meanwhile"))?;
                if applied && met {
                    End::Over
                } else if applied {
                    End::Applied
                } else {
                    End::Kept
                }
            }
            // Others may have removed the same text already.
            Op::EditText { update, .. } if update.typed().is_some_and(|typed| typed.is_empty()) => {
                End::Applied
            }
            // A widget that is placed and removed by one change was placed.
            Op::Place { .. } => End::Applied,
            _ => {
                must(applied, || "S4: an op has no end".to_owned())?;
                End::Applied
            }
        };
        if matches!(end, End::Applied | End::Over) {
            within.note(op, self.before());
        }
        Ok(end)
    }

    /// A value for a cell that is there (S5).
    fn value(
        &self,
        index: usize,
        cell: &Cell,
        value: &Value,
        applied: bool,
        within: &Within,
    ) -> Result<End, Broken> {
        if within.chose {
            return must(applied || self.is_kept(cell), || "S4: a value has no end".to_owned())
                .map(|()| if applied { End::Applied } else { End::Kept });
        }
        let there = within.read(self.before(), cell);
        let last = self.history.writes(cell, self.change.base).next_back();
        let last = last.filter(|last| last.past.client != self.author.client);
        // Who writes what another has written agrees, and it stays that one's value.
        let agrees = last.is_some_and(|last| written(last.op).is_some_and(|value| same(value, &there)));
        let own = within.written.contains(cell) && !agrees;
        let last = last.filter(|_| !own);
        let others = || {
            self.history.writes(cell, self.change.base).any(|write| write.past.client != self.author.client)
        };
        if last.is_none() && !own && self.is_met(cell) && others() {
            // This tab wrote the same as another one, and it is that one's value still.
            return Ok(if applied { End::Over } else { End::Kept });
        }
        let Some(last) = last.filter(|_| !same(&there, value)) else {
            must(applied, || "S5: a value that meets nobody's has no effect".to_owned())?;
            return Ok(End::Applied);
        };
        let mine = self.mine(value.clone());
        let theirs = Expected { value: there, by: &last.past.by, client: Some(last.past.client.as_str()) };
        let latest = within.strategy == Strategy::Latest;
        must(applied == latest, || format!("S5: {cell:?} does not show what the setting says"))?;
        let (kept, other) = if latest { (mine, theirs) } else { (theirs, mine) };
        if self.is_alone(index) {
            let record = self
                .after
                .open_conflicts()
                .find(|record| record.cell == *cell && kept.is(&record.kept) && other.is(&record.other));
            let record = record.ok_or_else(|| {
                format!("S5: no record has both values of {cell:?}: shown {kept:?}, waiting {other:?}")
            })?;
            self.check_base(record, cell)?;
        } else {
            must(self.is_kept(cell), || format!("S5: there is no record for {cell:?}"))?;
        }
        Ok(if latest { End::Over } else { End::Kept })
    }

    /// What a new record says that both began with.
    fn check_base(&self, record: &Conflict, cell: &Cell) -> Result<(), Broken> {
        let known = self.history.writes(cell, self.change.base).count() < KNOWN_PAST;
        let base = self.history.at(self.change.base);
        let there = cell.id.as_ref().is_none_or(|id| widget(base, id).is_some());
        if self.before().conflicts.contains_key(&record.id) || !known || !there {
            return Ok(());
        }
        let base = read(base, cell);
        must(same(&record.base, &base), || {
            format!("S5: {} began with {base}, and the record says {}", cell.field, record.base)
        })
    }

    /// An edit to a widget that is not there (S6).
    fn edit_of_removed(&self, id: &WidgetId, op: &Op, within: &Within) -> Result<End, Broken> {
        let cell = Cell::widget(id, PRESENCE);
        let own = within.written.contains(&cell);
        // A removal that its author made as well, not knowing of the other, is the other's still.
        let others = |others: bool, write: Write<'_>| match write.op {
            Op::RemoveWidget { .. } => others || write.past.client != self.author.client,
            _ => false,
        };
        let unseen = self.history.writes(&cell, self.change.base).fold(false, others) && !own;
        must(unseen || within.chose, || "S6: an edit of a removed widget is taken".to_owned())?;
        let waits = |record: &&Arc<Conflict>| {
            record.cell == cell
                && same(&record.kept.value, &Value::Bool(true))
                && record.other.by.id == self.author.by.id
                && has(&record.other.value, op)
        };
        let found = self.after.open_conflicts().any(|record| waits(&record));
        let later = within.chose || self.change.ops.len() > 1;
        must(found || (later && self.is_kept(&cell)), || {
            format!("S6: no record keeps an edit of {id}, which was removed meanwhile")
        })?;
        Ok(End::Kept)
    }

    /// A removal (S6).
    fn removal(&self, index: usize, id: &WidgetId, applied: bool, within: &Within) -> Result<End, Broken> {
        let cell = Cell::widget(id, PRESENCE);
        if within.chose {
            return must(applied || self.is_kept(&cell), || "S4: a removal has no end".to_owned())
                .map(|()| if applied { End::Applied } else { End::Kept });
        }
        if !self.is_there(id, within) {
            let mut others = self.history.writes(&cell, self.change.base);
            let agrees = others.any(|write| write.past.client != self.author.client);
            must(agrees && applied, || format!("S6: {id} is removed, and it was not there"))?;
            return Ok(End::Applied);
        }
        let edits = self.history.unseen_edits(id, self.change.base, &self.author.client);
        // A removal that waits already is kept as it is when it comes again.
        let mine = self.mine(true.into());
        let waits = self.after.open_conflicts().any(|record| record.cell == cell && mine.is(&record.other));
        let meets = (self.is_kept(&cell) || (waits && !applied)) && self.others_worked_on(id);
        if edits.is_empty() {
            if meets {
                return Ok(if applied { End::Over } else { End::Kept });
            }
            must(applied, || format!("S6: {id} stays, and nobody edited it meanwhile"))?;
            return Ok(End::Applied);
        }
        let others = self.history.since(self.change.base).filter(|write| write.op.widget_id() == Some(id));
        let others: Vec<_> = others.map(|write| write.past.by.id.clone()).collect();
        let latest = within.strategy == Strategy::Latest;
        must(applied == latest, || format!("S6: {id} is not there as the setting says"))?;
        let alone = self.is_alone(index);
        let record = self.after.open_conflicts().find(|record| {
            let (removal, edited) =
                if latest { (&record.kept, &record.other) } else { (&record.other, &record.kept) };
            let their_own = others.contains(&edited.by.id);
            record.cell == cell
                && (!alone || (mine.is(removal) && their_own))
                && edits.iter().all(|(field, _)| {
                    let now = widget(self.before(), id).map(|widget| value_of(widget, field));
                    !alone || has_edit(&edited.value, id, field, now.as_ref())
                })
        });
        let fields: Vec<&str> = edits.iter().map(|(field, _)| *field).collect();
        must(record.is_some() || (!alone && self.is_kept(&cell)), || {
            format!("S6: no record keeps {fields:?} of {id}, which others wrote unseen, beside its removal")
        })?;
        Ok(if latest { End::Over } else { End::Kept })
    }

    /// Whether a restoration that has no effect waits already, as it did before it came again.
    fn waits(&self, id: &WidgetId, applied: bool) -> bool {
        let (cell, mine) = (Cell::widget(id, PRESENCE), self.mine(Value::Array(Vec::new())));
        !applied && self.after.open_conflicts().any(|record| record.cell == cell && mine.is(&record.other))
    }

    /// Whether another tab has written in a widget, removed it or brought it back, since the base.
    fn others_worked_on(&self, id: &WidgetId) -> bool {
        self.history.since(self.change.base).any(|write| {
            let place = matches!(write.op, Op::Place { .. });
            !place && write.op.widget_id() == Some(id) && write.past.client != self.author.client
        })
    }

    /// A reason that can be looked at has to be true.
    fn check_refusal(&self, index: usize, reason: &str, within: &Within) -> Result<(), Broken> {
        must(!reason.is_empty(), || "S4: an op is refused without a reason".to_owned())?;
        if within.chose {
            return Ok(());
        }
        let op = &self.change.ops[index];
        let is = |error: OpError| error.to_string() == reason;
        let before = self.before();
        let about = match op {
            Op::SettleConflict { conflict, .. } => {
                before.conflicts.get(conflict).and_then(|record| record.cell.id.clone())
            }
            op => op.widget_id().cloned(),
        };
        let there = about.as_ref().map(|id| self.is_there(id, within));
        let settled = |id| before.conflicts.get(id).map(|record| record.settled.is_some());
        let known =
            |id: &WidgetId| widget(before, id).is_some() || within.there.iter().any(|(of, _)| of == id);
        let holds = match op {
            _ if is(OpError::WidgetRemoved) => there == Some(false),
            Op::AddWidget { id, .. } if is(OpError::IdTaken) => known(id),
            Op::RestoreWidget { .. } if is(OpError::NoSuchWidget) => {
                !about.is_some_and(|id| before.removed.contains_key(&id) && !self.is_there(&id, within))
            }
            _ if is(OpError::NoSuchWidget) => about.is_none_or(|id| !known(&id)),
            Op::SettleConflict { conflict, .. } if is(OpError::Settled) => settled(conflict) == Some(true),
            Op::SettleConflict { conflict, .. } if is(OpError::NotSettled) => {
                settled(conflict) == Some(false)
            }
            Op::SettleConflict { conflict, .. } if is(OpError::NoSuchConflict) => settled(conflict).is_none(),
            Op::SettleConflict { conflict, .. } if is(OpError::ChosenSince) => {
                self.chosen_since(conflict, self.change.base)
            }
            _ if is(OpError::TooManyConflicts) => {
                before.open_conflicts().count() + self.change.ops.len() > MAX_OPEN
            }
            _ => true,
        };
        must(holds, || format!("S4: an op is refused with {reason:?}, which is not so"))
    }

    /// Whether another tab has chosen in a conflict since.
    pub(super) fn chosen_since(&self, conflict: &lockstep::dashboard::ConflictId, base: u64) -> bool {
        self.history.since(base).any(|write| {
            let chosen = matches!(write.op, Op::SettleConflict { conflict: of, .. } if of == conflict);
            chosen && write.past.client != self.author.client
        })
    }

    /// A record that was not there before is one that an op has to have.
    fn check_new_records(&self, ends: &[End]) -> Result<(), Broken> {
        let met = |end: &&End| matches!(end, End::Over | End::Kept);
        // What shows behind a choice of the same change is not known here.
        let unsure = ends.len() > 1 && self.choices().next().is_some();
        let met = if unsure { ends.len() } else { ends.iter().filter(met).count() };
        let before = self.before();
        let new = self.after.conflicts.keys().filter(|id| !before.conflicts.contains_key(*id));
        let new = new.count();
        must(new <= met, || {
            format!("S5: {new} records are made where {met} ops met something: {:?}", self.commit)
        })
    }

    /// Whether a record about a cell was made or changed.
    fn is_kept(&self, cell: &Cell) -> bool {
        let before = self.before();
        self.after.conflicts.values().any(|record| {
            let old = before.conflicts.get(&record.id);
            record.cell == *cell && old.is_none_or(|old| old != record)
        })
    }

    /// Whether no other op of the change has to do with what this one writes.
    fn is_alone(&self, index: usize) -> bool {
        let op = &self.change.ops[index];
        let cell = op.cell();
        let others = self.change.ops.iter().enumerate().filter(|(other, _)| *other != index);
        !others.map(|(_, other)| other).any(|other| {
            let same_widget = op.widget_id().is_some() && other.widget_id() == op.widget_id();
            let strategy = matches!(other, Op::SetDashboard { field, .. } if field == "conflicts");
            let chosen = matches!(other, Op::SettleConflict { .. });
            same_widget || strategy || chosen || cell.as_ref().is_some_and(|cell| writes(other, cell))
        })
    }

    /// Whether this very commit has noted a value of the author in an open record about a cell.
    fn is_met(&self, cell: &Cell) -> bool {
        self.is_kept(cell) && self.after.open_conflicts().any(|record| record.cell == *cell)
    }

    fn is_there(&self, id: &WidgetId, within: &Within) -> bool {
        let now = within.there.iter().rev().find(|(of, _)| of == id).map(|(_, there)| *there);
        now.unwrap_or_else(|| self.before().widgets.contains_key(id))
    }

    fn mine(&self, value: Value) -> Expected<'_> {
        Expected { value, by: &self.author.by, client: Some(self.author.client.as_str()) }
    }
}

impl Within {
    fn note(&mut self, op: &Op, before: &Dashboard) {
        // Who writes what is there already has it from whoever wrote it.
        let agrees = |cell: &Cell| written(op).is_some_and(|value| same(&self.read(before, cell), value));
        let agrees = op.cell().as_ref().is_some_and(agrees);
        match op {
            Op::AddWidget { id, .. } | Op::RestoreWidget { id } => self.there.push((id.clone(), true)),
            Op::RemoveWidget { id } => self.there.push((id.clone(), false)),
            Op::SetDashboard { field, value } if field == "conflicts" => {
                self.strategy = value.as_str().and_then(Strategy::parse).unwrap_or_default();
            }
            Op::SettleConflict { .. } => self.chose = true,
            _ => {}
        }
        if let Op::Set { value, .. } | Op::SetDashboard { value, .. } = op {
            self.values.extend(op.cell().map(|cell| (cell, value.clone())));
        }
        self.written.extend(op.cell().filter(|_| !agrees));
    }

    fn read(&self, before: &Dashboard, cell: &Cell) -> Value {
        let own = self.values.iter().rev().find(|(of, _)| of == cell);
        own.map_or_else(|| read(before, cell), |(_, value)| value.clone())
    }
}

/// A side that a record has to have.
#[derive(Debug)]
struct Expected<'a> {
    value: Value,
    by: &'a User,
    client: Option<&'a str>,
}

impl Expected<'_> {
    fn is(&self, side: &Side) -> bool {
        let client = side.client.as_ref().map(|client| client.as_str());
        same(&self.value, &side.value) && self.by.id == side.by.id && (client == self.client)
    }
}

/// What took effect of an op: frames may be others, because widgets made room.
/// The value that an op writes.
fn written(op: &Op) -> Option<&Value> {
    match op {
        Op::Set { value, .. } | Op::SetDashboard { value, .. } => Some(value),
        _ => None,
    }
}

/// Whether an op is what another one that was asked for has become.
pub fn is_effect_of(effective: &Op, op: &Op) -> bool {
    match (effective, op) {
        (Op::Place { id: a, .. }, Op::Place { id: b, .. }) => a == b,
        (Op::AddWidget { id: a, .. }, Op::AddWidget { id: b, .. }) => a == b,
        // Made before a compaction, it is said anew.
        (Op::EditText { id: a, update: said, .. }, Op::EditText { id: b, update, .. }) => {
            a == b && (said == update || said.typed() == update.typed())
        }
        (a, b) => a == b,
    }
}

pub(super) fn value_of(widget: &Widget, field: &str) -> Value {
    match field {
        "title" => widget.title.as_str().into(),
        option => widget.options.get(option).cloned().unwrap_or(Value::Null),
    }
}

/// Whether the edits that wait have one of this field: of a text any, of a value that one.
fn has_edit(edits: &Value, id: &WidgetId, field: &str, value: Option<&Value>) -> bool {
    let Some(edits) = edits.as_array() else { return false };
    edits.iter().any(|edit| match serde_json::from_value(edit.clone()) {
        Ok(Op::EditText { id: of, .. }) => of == *id && field == TEXT,
        Ok(Op::Set { id: of, field: set, value: to }) => {
            of == *id && set == field && value.is_some_and(|value| same(value, &to))
        }
        _ => false,
    })
}

/// Whether a choice takes another one back.
pub(super) fn is_reopening(choose: &Choice) -> bool {
    matches!(choose, Choice::Reopen)
}

/// The edits that wait in a side.
pub(super) fn edits_of(side: &Value) -> Vec<Op> {
    let edits = side.as_array().map(Vec::as_slice).unwrap_or_default();
    edits.iter().filter_map(|edit| serde_json::from_value(edit.clone()).ok()).collect()
}

/// Whether the edits that wait in a side have this one: by itself, or text with what was typed before and after.
pub(super) fn has(side: &Value, edit: &Op) -> bool {
    let typed = |update: &Update| update.typed().unwrap_or_default();
    edits_of(side).iter().any(|waiting| match (waiting, edit) {
        (Op::EditText { id: a, update: all, .. }, Op::EditText { id: b, update, .. }) => {
            // What others of its author's sittings typed may stand in between.
            let all_typed = typed(all);
            a == b
                && (all == update || typed(update).split_inclusive('😀').all(|one| all_typed.contains(one)))
        }
        (a, b) => a == b,
    })
}
