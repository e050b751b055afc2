//! Changing a dashboard: an [`Edit`] performs ops one by one, then settles the grid once, and says
//! what took effect and what undoes it. `apply` repeats effective ops as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::layout::{Came, Frame, settle};
use super::op::{Cell, Choice, Op, REMOVED};
use super::settings::{check_setting, has_room_for};
use super::size::{Size, entry_bytes, field_bytes, json_bytes};
use super::text::MAX_UPDATE_BYTES;
use super::widget::{Widget, check_value};
use super::{
    Conflict, Dashboard, MAX_REMOVED, MAX_REMOVED_BYTES, MAX_WIDGETS, MOST_WIDGETS, Removed, Settled, User,
    WidgetId,
};

/// Settled conflicts kept for the record; the earliest settled goes first.
const MAX_SETTLED: usize = 100;
/// Bytes of a choice as it is recorded, beside the value that was chosen.
const CHOICE_BYTES: usize = 512;

/// Why an op has no effect. The text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    #[error("There is no such widget here.")]
    NoSuchWidget,
    #[error("The widget was removed.")]
    WidgetRemoved,
    #[error("A widget with this id is or was here already.")]
    IdTaken,
    #[error("The dashboard is full: it takes no more widgets.")]
    Full,
    #[error("There is no field named {0:?} here.")]
    NoSuchField(String),
    #[error("{field} takes {wants}.")]
    BadValue { field: String, wants: String },
    #[error("There are {0} of these here, and there is no room for more.")]
    TooMany(usize),
    #[error("This widget has no text.")]
    NoText,
    #[error("This is no Yjs update.")]
    NotAnUpdate,
    #[error("The edit builds on text that is not here.")]
    TextUnknownBase,
    #[error("The text is too large.")]
    TooLarge,
    #[error("There are too many open conflicts here; settle some first.")]
    TooManyConflicts,
    #[error("There is no such conflict.")]
    NoSuchConflict,
    #[error("Somebody has settled this conflict already.")]
    Settled,
    #[error("Somebody else has chosen since.")]
    ChosenSince,
    #[error("Others have edited the widget since, and to open this again would remove it.")]
    EditedSince,
    #[error("This conflict is open.")]
    NotSettled,
    #[error("This dashboard is full: it may have {} as JSON. Remove what nobody needs, or begin another one.", mebibytes(*.0))]
    DashboardTooLarge(usize),
}

/// Who does something and when; what tombstones and choices remember.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stamp {
    pub by: User,
    /// Unix milliseconds from the server; 0 while pending.
    pub at: u64,
    /// 0 while pending.
    pub revision: u64,
}

/// What an [`Edit`] did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// The ops to repeat elsewhere with [`Dashboard::apply`].
    pub ops: Vec<Op>,
    /// The ops that, performed as one group, take it back. Note text is not among them; see
    /// [`super::splice`].
    pub inverse: Vec<Op>,
}

/// A group of ops being performed on a dashboard.
pub struct Edit<'a> {
    dashboard: &'a mut Dashboard,
    stamp: Stamp,
    ops: Vec<Op>,
    inverse: Vec<Op>,
    placed: BTreeMap<WidgetId, Came>,
    /// Everybody's frame before the first op that touched the layout.
    frames: Option<BTreeMap<WidgetId, Frame>>,
    max_widgets: usize,
    /// `None` where nobody minds.
    size: Option<Size>,
}

/// What went as an op was applied, because of a bound.
#[derive(Default)]
struct Dropped {
    removed: Vec<(WidgetId, Arc<Removed>)>,
    conflict: Option<Arc<Conflict>>,
}

impl Dropped {
    fn bytes(&self) -> usize {
        let removed = self.removed.iter().map(|(id, removed)| entry_bytes(id.as_str(), removed));
        let conflict = self.conflict.iter().map(|one| entry_bytes(one.id.as_str(), one));
        removed.chain(conflict).sum()
    }
}

impl<'a> Edit<'a> {
    pub fn new(dashboard: &'a mut Dashboard, stamp: Stamp) -> Self {
        Self {
            dashboard,
            stamp,
            ops: Vec::new(),
            inverse: Vec::new(),
            placed: BTreeMap::new(),
            frames: None,
            max_widgets: MAX_WIDGETS,
            size: None,
        }
    }

    /// Sets another limit of widgets than [`MAX_WIDGETS`].
    pub fn max_widgets(mut self, most: usize) -> Self {
        self.max_widgets = most.min(MOST_WIDGETS);
        self
    }

    /// Sets a limit of the dashboard's bytes as JSON, of which it has so many now. One that is larger can
    /// still be made smaller.
    pub fn max_bytes(mut self, now: usize, most: usize) -> Self {
        self.size = Some(Size { bytes: now, max_bytes: most });
        self
    }

    /// The dashboard's bytes after what was done so far, but for the digits of frames; 0 where there is no
    /// limit.
    pub fn bytes(&self) -> usize {
        self.size.map_or(0, |size| size.bytes)
    }

    /// The dashboard as it stands within the group.
    pub fn dashboard(&self) -> &Dashboard {
        self.dashboard
    }

    /// Performs one op. An error means that it changed nothing.
    pub fn perform(&mut self, op: &Op) -> Result<(), OpError> {
        match op {
            Op::AddWidget { id, widget } => self.add(id, widget),
            Op::RemoveWidget { id } => self.remove(id),
            Op::RestoreWidget { id } => self.restore(id),
            Op::Place { id, frame, .. } => self.place(id, *frame),
            Op::Set { id, field, value } => self.set(id, field, value),
            Op::EditText { id, update } => {
                let before = self.widget(id)?.text.as_ref().ok_or(OpError::NoText)?;
                let text = before.apply(update)?;
                if self.size.is_some() {
                    let bytes = (before.json_bytes(), text.json_bytes());
                    self.resize(|| bytes)?;
                }
                self.dashboard.widget_mut(id).ok_or(OpError::NoSuchWidget)?.text = Some(text);
                self.ops.push(op.clone());
                Ok(())
            }
            Op::SetDashboard { field, value } => self.set_dashboard(field, value),
            Op::SettleConflict { conflict, choose } => self.settle_conflict(conflict.as_str(), choose),
        }
    }

    /// Checks that there is room for a conflict record and for the value that is written with it.
    pub fn check_record(&self, conflict: &Conflict) -> Result<(), OpError> {
        let value = || json_bytes(&conflict.kept.value);
        self.size.map_or(Ok(()), |size| size.check(entry_bytes(conflict.id.as_str(), conflict) + value()))
    }

    /// Keeps a conflict record, new or grown, so that later ops of the group find it.
    pub fn keep(&mut self, conflict: Conflict) {
        let id = conflict.id.clone();
        let new = self.size.map_or(0, |_| entry_bytes(id.as_str(), &conflict));
        let old = self.dashboard.conflicts.insert(id, Arc::new(conflict));
        if let Some(size) = &mut self.size {
            let old = old.map_or(0, |old| entry_bytes(old.id.as_str(), &old));
            size.bytes = (size.bytes + new).saturating_sub(old);
        }
    }

    /// Counts one size in another's place, where there is room for it.
    fn resize(&mut self, old_and_new: impl FnOnce() -> (usize, usize)) -> Result<(), OpError> {
        let Some(size) = &mut self.size else { return Ok(()) };
        let (old, new) = old_and_new();
        size.replace(old, new)
    }

    /// Checks an op that is kept beside another value instead of performed.
    pub fn check(&self, op: &Op) -> Result<(), OpError> {
        match op {
            Op::Set { id, field, value } => {
                let removed = self.dashboard.removed.get(id).map(|removed| &removed.widget);
                let widget = self.dashboard.widgets.get(id).or(removed).ok_or(OpError::NoSuchWidget)?;
                check_value(widget.kind, field, value)
            }
            Op::SetDashboard { field, value } => check_setting(field, value),
            Op::EditText { update, .. } if update.as_bytes().len() > MAX_UPDATE_BYTES => {
                Err(OpError::TooLarge)
            }
            _ => Ok(()),
        }
    }

    /// Settles the grid and says what the whole group did.
    pub fn finish(mut self) -> Effect {
        if let Some(before) = self.frames.take() {
            self.settle(&before);
        }
        self.inverse.reverse();
        Effect { ops: self.ops, inverse: self.inverse }
    }

    fn widget(&self, id: &WidgetId) -> Result<&Arc<Widget>, OpError> {
        self.dashboard.widgets.get(id).ok_or_else(|| {
            if self.dashboard.removed.contains_key(id) {
                OpError::WidgetRemoved
            } else {
                OpError::NoSuchWidget
            }
        })
    }

    fn layout_changes(&mut self) {
        if self.frames.is_none() {
            self.frames = Some(self.dashboard.frames());
        }
    }

    fn done(&mut self, op: Op, inverse: Op) {
        let dropped = self.dashboard.apply_op(&op, &self.stamp);
        if let Some(size) = &mut self.size {
            size.bytes = size.bytes.saturating_sub(dropped.bytes());
        }
        self.ops.push(op);
        self.inverse.push(inverse);
    }

    fn add(&mut self, id: &WidgetId, widget: &Widget) -> Result<(), OpError> {
        if self.dashboard.widgets.contains_key(id) || self.dashboard.removed.contains_key(id) {
            return Err(OpError::IdTaken);
        }
        self.has_room()?;
        let widget = widget.clone().accepted()?;
        self.resize(|| (0, entry_bytes(id.as_str(), &widget)))?;
        self.layout_changes();
        self.placed.insert(id.clone(), Came::Up);
        self.done(widget.add_op(id.clone()), Op::RemoveWidget { id: id.clone() });
        Ok(())
    }

    fn has_room(&self) -> Result<(), OpError> {
        if self.dashboard.widgets.len() < self.max_widgets { Ok(()) } else { Err(OpError::Full) }
    }

    fn remove(&mut self, id: &WidgetId) -> Result<(), OpError> {
        self.widget(id)?;
        self.layout_changes();
        self.done(Op::RemoveWidget { id: id.clone() }, Op::RestoreWidget { id: id.clone() });
        if let (Some(size), Some(removed)) = (&mut self.size, self.dashboard.removed.get(id)) {
            // Never too much: what makes room later may take a little now.
            size.bytes += removed.bytes_around();
        }
        Ok(())
    }

    fn restore(&mut self, id: &WidgetId) -> Result<(), OpError> {
        let removed = self.dashboard.removed.get(id).ok_or(OpError::NoSuchWidget)?;
        self.has_room()?;
        if let Some(size) = &mut self.size {
            size.bytes = size.bytes.saturating_sub(removed.bytes_around());
        }
        self.layout_changes();
        self.placed.insert(id.clone(), Came::Up);
        self.done(Op::RestoreWidget { id: id.clone() }, Op::RemoveWidget { id: id.clone() });
        Ok(())
    }

    fn place(&mut self, id: &WidgetId, frame: Frame) -> Result<(), OpError> {
        let old = self.widget(id)?.frame;
        let frame = frame.clamped();
        self.layout_changes();
        self.placed.insert(id.clone(), if frame.y > old.y { Came::Down } else { Came::Up });
        // The inverse is written when the group has settled: the frames that changed, all at once.
        let op = Op::Place { id: id.clone(), frame, settled: false };
        self.dashboard.apply(&op, &self.stamp);
        self.ops.push(op);
        Ok(())
    }

    fn set(&mut self, id: &WidgetId, field: &str, value: &Value) -> Result<(), OpError> {
        let widget = self.widget(id)?;
        check_value(widget.kind, field, value)?;
        let gives_way = widget.room_for(field, value)?.map(|name| (name.to_owned(), widget.value(name)));
        let old = widget.value(field);
        let left = gives_way.as_ref().map_or(0, |(name, left)| field_bytes(name, left));
        self.resize(|| (field_bytes(field, &old) + left, field_bytes(field, value)))?;
        let set = |field: &str, value: Value| Op::Set { id: id.clone(), field: field.to_owned(), value };
        if let Some((name, left)) = gives_way {
            self.done(set(&name, Value::Null), set(&name, left));
        }
        self.done(set(field, value.clone()), set(field, old));
        Ok(())
    }

    fn set_dashboard(&mut self, field: &str, value: &Value) -> Result<(), OpError> {
        check_setting(field, value)?;
        has_room_for(&self.dashboard.settings, field, value)?;
        let old = self.dashboard.value(&Cell::dashboard(field));
        self.resize(|| (field_bytes(field, &old), field_bytes(field, value)))?;
        let set = |value: Value| Op::SetDashboard { field: field.to_owned(), value };
        self.done(set(value.clone()), set(old));
        Ok(())
    }

    fn settle_conflict(&mut self, id: &str, choose: &Choice) -> Result<(), OpError> {
        let conflict = self.dashboard.conflicts.get(id).cloned().ok_or(OpError::NoSuchConflict)?;
        let value = match (choose, &conflict.settled) {
            (Choice::Reopen, None) => return Err(OpError::NotSettled),
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
        if let Some(value) = value {
            self.choose(&conflict, value)?;
        }
        self.count_choice(&conflict, choose);
        let settle = |choose: Choice| Op::SettleConflict { conflict: conflict.id.clone(), choose };
        let back = match choose {
            Choice::Reopen => {
                conflict.settled.as_ref().map_or(Choice::Kept, |settled| settled.choose.clone())
            }
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
                json_bytes(&Settled { choose: choose.clone(), by, at })
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
            _ => self.dashboard.value(cell) == *value,
        }
    }

    /// Takes an op as done that somebody else has done already.
    pub fn agree(&mut self, op: &Op) {
        self.ops.push(op.clone());
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
                if self.dashboard.removed.contains_key(id) {
                    self.restore(id)?;
                }
                let edits: Vec<Op> = serde_json::from_value(value.clone()).unwrap_or_default();
                for edit in edits.iter().filter(|edit| edit.widget_id() == Some(id)) {
                    self.perform(edit)?;
                }
                Ok(())
            }
        }
    }

    fn settle(&mut self, before: &BTreeMap<WidgetId, Frame>) {
        let wanted = self.dashboard.frames();
        let settled = settle(&wanted, &self.placed);
        for (id, frame) in &settled {
            if wanted.get(id) != Some(frame) && !self.amend(id, *frame) {
                self.ops.push(Op::Place { id: id.clone(), frame: *frame, settled: true });
            }
            if wanted.get(id) != Some(frame)
                && let Some(widget) = self.dashboard.widget_mut(id)
            {
                widget.frame = *frame;
            }
        }
        // Performed first where it comes last here: the inverse is turned round in the end, and a
        // place of a widget that a later step restores must come after that step.
        let now = |id: &WidgetId| {
            let removed = || self.dashboard.removed.get(id).map(|removed| removed.widget.frame);
            settled.get(id).copied().or_else(removed)
        };
        let back = before
            .iter()
            .filter(|(id, frame)| now(id).is_some_and(|now| now != **frame))
            .map(|(id, frame)| Op::Place { id: id.clone(), frame: *frame, settled: false });
        let mut places: Vec<Op> = back.collect();
        places.append(&mut self.inverse);
        self.inverse = places;
    }

    /// Writes the settled frame into the op that placed or added the widget, if one did.
    fn amend(&mut self, id: &WidgetId, to: Frame) -> bool {
        for op in self.ops.iter_mut().rev() {
            match op {
                Op::Place { id: placed, frame, .. } if placed == id => {
                    *frame = to;
                    return true;
                }
                Op::AddWidget { id: added, widget } if added == id => {
                    widget.frame = to;
                    return true;
                }
                Op::RestoreWidget { id: restored } | Op::RemoveWidget { id: restored } if restored == id => {
                    return false;
                }
                _ => {}
            }
        }
        false
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

impl Dashboard {
    /// Repeats an effective op as it is: no judging, no settling (S1). An op about something that is
    /// not here changes nothing.
    pub fn apply(&mut self, op: &Op, stamp: &Stamp) {
        self.apply_op(op, stamp);
    }

    /// As [`Dashboard::apply`]; returns the tombstones that went because of their bound.
    pub fn repeat(&mut self, op: &Op, stamp: &Stamp) -> Vec<(WidgetId, Arc<Removed>)> {
        self.apply_op(op, stamp).removed
    }

    fn apply_op(&mut self, op: &Op, stamp: &Stamp) -> Dropped {
        let mut dropped = Dropped::default();
        match op {
            Op::AddWidget { id, widget } => {
                self.widgets.insert(id.clone(), Arc::new((**widget).clone()));
            }
            Op::RemoveWidget { id } => {
                if let Some(widget) = self.widgets.remove(id) {
                    let Stamp { by, at, revision } = stamp.clone();
                    self.removed.insert(id.clone(), Arc::new(Removed { widget, by, at, revision }));
                    dropped.removed = self.forget_old_tombstones(id);
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
            Op::EditText { id, update } => {
                let text = self.widgets.get(id).and_then(|widget| widget.text.as_ref()?.apply(update).ok());
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
                    Arc::make_mut(conflict).settled =
                        (*choose != Choice::Reopen).then(|| Settled { choose: choose.clone(), by, at });
                    dropped.conflict = self.forget_old_choices();
                }
            }
        }
        dropped
    }

    /// Everybody's frame.
    pub fn frames(&self) -> BTreeMap<WidgetId, Frame> {
        self.widgets.iter().map(|(id, widget)| (id.clone(), widget.frame)).collect()
    }

    fn widget_mut(&mut self, id: &WidgetId) -> Option<&mut Widget> {
        self.widgets.get_mut(id).map(Arc::make_mut)
    }

    /// Keeps tombstones within [`MAX_REMOVED`] and, beside the latest, [`MAX_REMOVED_BYTES`]; those that an
    /// open conflict needs stay. Returns those that went.
    fn forget_old_tombstones(&mut self, latest: &WidgetId) -> Vec<(WidgetId, Arc<Removed>)> {
        let sizes = self.removed.iter().filter(|(id, _)| *id != latest);
        let mut bytes: usize = sizes.map(|(_, removed)| removed.widget.weight()).sum();
        let mut gone = Vec::new();
        while self.removed.len() > MAX_REMOVED || bytes > MAX_REMOVED_BYTES {
            let too_many = self.removed.len() > MAX_REMOVED;
            let needed =
                |id: &WidgetId| self.open_conflicts().any(|conflict| conflict.cell.id.as_ref() == Some(id));
            let oldest = self
                .removed
                .iter()
                .filter(|(id, removed)| removed.revision > 0 && (too_many || *id != latest) && !needed(id))
                .min_by_key(|(id, removed)| (removed.revision, (*id).clone()))
                .map(|(id, _)| id.clone());
            let Some(entry) = oldest.and_then(|id| self.removed.remove_entry(&id)) else { break };
            bytes = bytes.saturating_sub(entry.1.widget.weight());
            gone.push(entry);
        }
        gone
    }

    /// Keeps settled conflicts within [`MAX_SETTLED`]. Returns the one that went.
    fn forget_old_choices(&mut self) -> Option<Arc<Conflict>> {
        let settled =
            || self.conflicts.values().filter_map(|c| c.settled.as_ref().map(|s| (s.at, c.id.clone())));
        if settled().count() <= MAX_SETTLED {
            return None;
        }
        let (_, id) = settled().min()?;
        self.conflicts.remove(&id)
    }
}

impl Removed {
    /// Bytes as JSON of what stands around the widget.
    fn bytes_around(&self) -> usize {
        json_bytes(self).saturating_sub(json_bytes(&self.widget))
    }
}

/// Bytes in words.
fn mebibytes(bytes: usize) -> String {
    const MIB: usize = 1024 * 1024;
    if bytes.is_multiple_of(MIB) { format!("{} MiB", bytes / MIB) } else { format!("{bytes} bytes") }
}
