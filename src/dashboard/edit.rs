//! Changing a dashboard: an [`Edit`] performs ops one by one, then settles the grid once, and says
//! what took effect and what undoes it.

mod choice;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::layout::{Came, Frame, settle};
use super::number::grouped;
use super::op::{Cell, Op};
use super::settings::{check_setting, has_room_for};
use super::size::{Size, entry_bytes, field_bytes, json_bytes};
use super::widget::{Widget, check_value};
use super::{Conflict, Dashboard, MAX_WIDGETS, Removed, User, WIDGETS_THAT_FIT, WidgetId};

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
    #[error("The update holds no edit.")]
    EmptyUpdate,
    #[error("The edit builds on text that is not here.")]
    TextUnknownBase,
    #[error("The text is too large.")]
    TooLarge,
    #[error("A note takes {} characters, and these would be more.", grouped((*.0).into()))]
    TextTooLong(u32),
    #[error("There are too many open conflicts here; settle some first.")]
    TooManyConflicts,
    #[error("There is no such conflict.")]
    NoSuchConflict,
    #[error("Somebody has settled this conflict already.")]
    Settled,
    #[error("Somebody else has chosen since.")]
    ChosenSince,
    #[error("Others have edited the widget since, and this would remove it.")]
    EditedSince,
    #[error("Somebody has written here since; look again before you choose.")]
    WrittenSince,
    #[error("This conflict is open.")]
    NotSettled,
    #[error("Both sides of this conflict say the same by now.")]
    Agreed,
    #[error("The widget is here.")]
    NotRemoved,
    #[error("This dashboard is full: it may have {} as JSON. Remove what nobody needs, or begin another one.", mebibytes(*.0))]
    DashboardTooLarge(usize),
}

/// Who does something and when; what tombstones and choices remember.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stamp {
    pub by: User,
    /// Unix milliseconds from the server; 0 while pending.
    pub at: u64,
    /// When it was written, on the same clock, where that was earlier and is known.
    pub written_at: Option<u64>,
    /// 0 while pending.
    pub revision: u64,
}

/// What an [`Edit`] did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// The ops to repeat elsewhere with [`Dashboard::apply`].
    pub ops: Vec<Op>,
    /// For each of them what its cell said before, as [`Dashboard::before`] tells.
    pub before: Vec<Value>,
    /// The ops that, performed as one group, take it back. Note text is not among them; see
    /// [`super::splice`].
    pub inverse: Vec<Op>,
}

/// A group of ops being performed on a dashboard.
pub struct Edit<'a> {
    dashboard: &'a mut Dashboard,
    stamp: Stamp,
    ops: Vec<Op>,
    before: Vec<Value>,
    inverse: Vec<Op>,
    placed: BTreeMap<WidgetId, Came>,
    /// Everybody's frame before the first op that touched the layout.
    frames: Option<BTreeMap<WidgetId, Frame>>,
    max_widgets: usize,
    /// `None` where nobody minds.
    size: Option<Size>,
}

/// An edit before an op that may fail halfway.
struct Checkpoint {
    dashboard: Dashboard,
    done: usize,
    undone: usize,
    placed: BTreeMap<WidgetId, Came>,
    frames: Option<BTreeMap<WidgetId, Frame>>,
    size: Option<Size>,
}

impl<'a> Edit<'a> {
    pub fn new(dashboard: &'a mut Dashboard, stamp: Stamp) -> Self {
        Self {
            dashboard,
            stamp,
            ops: Vec::new(),
            before: Vec::new(),
            inverse: Vec::new(),
            placed: BTreeMap::new(),
            frames: None,
            max_widgets: MAX_WIDGETS,
            size: None,
        }
    }

    /// Sets another limit of widgets than [`MAX_WIDGETS`].
    pub fn max_widgets(mut self, most: usize) -> Self {
        self.max_widgets = most.min(WIDGETS_THAT_FIT);
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
            Op::EditText { id, update, .. } => {
                let before = self.widget(id)?.text.as_ref().ok_or(OpError::NoText)?;
                let (text, update) = before.take(update)?;
                if update.is_empty() {
                    return Ok(());
                }
                if self.size.is_some() {
                    let bytes = (before.json_bytes(), text.json_bytes());
                    self.resize(|| bytes)?;
                }
                self.dashboard.widget_mut(id).ok_or(OpError::NoSuchWidget)?.text = Some(text);
                self.push(Op::edit_text(id, update));
                Ok(())
            }
            Op::SetDashboard { field, value } => self.set_dashboard(field, value),
            Op::SettleConflict { conflict, choose } => {
                let checkpoint = self.checkpoint();
                let done = self.settle_conflict(conflict.as_str(), choose);
                done.inspect_err(|_| self.back_to(checkpoint))
            }
        }
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            dashboard: self.dashboard.clone(),
            done: self.ops.len(),
            undone: self.inverse.len(),
            placed: self.placed.clone(),
            frames: self.frames.clone(),
            size: self.size,
        }
    }

    fn back_to(&mut self, checkpoint: Checkpoint) {
        *self.dashboard = checkpoint.dashboard;
        self.ops.truncate(checkpoint.done);
        self.before.truncate(checkpoint.done);
        self.inverse.truncate(checkpoint.undone);
        (self.placed, self.frames, self.size) = (checkpoint.placed, checkpoint.frames, checkpoint.size);
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

    /// Checks that an op that is kept beside another value instead of performed could be performed there.
    pub fn check(&self, op: &Op) -> Result<(), OpError> {
        match op {
            Op::Set { id, field, value } => {
                let removed = self.dashboard.removed.get(id).map(|removed| &removed.widget);
                let widget = self.dashboard.widgets.get(id).or(removed).ok_or(OpError::NoSuchWidget)?;
                check_value(widget.kind, field, value)?;
                widget.room_for(field, value).map(|_| ())
            }
            Op::SetDashboard { field, value } => {
                check_setting(field, value)?;
                has_room_for(&self.dashboard.settings, field, value)
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
        Effect { ops: self.ops, before: self.before, inverse: self.inverse }
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
        let before = self.dashboard.before(&op);
        self.dashboard.apply(&op, &self.stamp);
        self.ops.push(op);
        self.before.push(before);
        self.inverse.push(inverse);
    }

    /// Notes an op of a cell that holds no value.
    fn push(&mut self, op: Op) {
        self.ops.push(op);
        self.before.push(Value::Null);
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
        let removed = self.dashboard.removed.get(id).ok_or_else(|| {
            let there = self.dashboard.widgets.contains_key(id);
            if there { OpError::NotRemoved } else { OpError::NoSuchWidget }
        })?;
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
        self.push(op);
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

    /// Takes an op as done that somebody else has done already.
    pub fn agree(&mut self, op: &Op) {
        self.before.push(self.dashboard.before(op));
        self.ops.push(op.clone());
    }

    fn settle(&mut self, before: &BTreeMap<WidgetId, Frame>) {
        let wanted = self.dashboard.frames();
        let settled = settle(&wanted, &self.placed);
        for (id, frame) in &settled {
            if wanted.get(id) != Some(frame) && !self.amend(id, *frame) {
                self.push(Op::Place { id: id.clone(), frame: *frame, settled: true });
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
