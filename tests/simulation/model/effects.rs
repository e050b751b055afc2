//! What took effect: asked for, once, and nothing else is another.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use lockstep::dashboard::{Cell, Op, Widget, WidgetId};
use serde_json::Value;

use super::history::PRESENCE;
use super::judgement::{Judgement, is_effect_of};
use super::{Broken, must};

impl Judgement<'_> {
    pub(super) fn check_effects(&self) -> Result<(), Broken> {
        self.check_asked_for()?;
        self.check_settings()?;
        self.check_widgets()?;
        self.check_tombstones()
    }

    /// Every op that took effect was asked for: by an op, a choice, or a widget that needed room.
    fn check_asked_for(&self) -> Result<(), Broken> {
        let chosen = self.chosen_cells();
        let mut asked: Vec<&Op> = self.change.ops.iter().collect();
        for op in &self.commit.ops {
            if matches!(op, Op::Place { settled: true, .. }) {
                continue;
            }
            if let Some(at) = asked.iter().position(|asked| is_effect_of(op, asked)) {
                asked.remove(at);
                continue;
            }
            let by_choice = chosen.iter().any(|cell| is_part_of(op, cell));
            // An option of a family that is full gives way to another one.
            let gave_way = matches!(op, Op::Set { id, value: Value::Null, .. }
                if self.change.ops.iter().any(|of| matches!(of, Op::Set { id: of, .. } if of == id)));
            must(by_choice || gave_way, || {
                format!("S4: {op:?} took effect without being asked for, or twice, in {:?}", self.commit)
            })?;
        }
        Ok(())
    }

    fn check_settings(&self) -> Result<(), Broken> {
        let (before, after) = (self.before(), self.after);
        let mut settings = None;
        let mut title = before.title.as_str();
        for op in &self.commit.ops {
            let Op::SetDashboard { field, value } = op else { continue };
            let settings = settings.get_or_insert_with(|| before.settings.clone());
            match (field.as_str(), value) {
                ("title", Value::String(text)) => title = text,
                (field, Value::Null) => drop(settings.remove(field)),
                (field, value) => drop(settings.insert(field.to_owned(), value.clone())),
            }
        }
        let settings = settings.as_ref().unwrap_or(&before.settings);
        must(title == after.title, || format!("S4: the title is {:?}, not {title:?}", after.title))?;
        must(*settings == after.settings, || format!("S4: the settings are {:?}", after.settings))
    }

    /// What each widget has to be that is here, or was removed, now.
    fn check_widgets(&self) -> Result<(), Broken> {
        let (before, after) = (self.before(), self.after);
        let old = |id| before.widgets.get(id).or_else(|| before.removed.get(id).map(|gone| &gone.widget));
        let mut expected: BTreeMap<&WidgetId, Widget> = BTreeMap::new();
        let mut typed: Vec<&WidgetId> = Vec::new();
        let mut there: BTreeMap<&WidgetId, bool> = BTreeMap::new();
        for op in &self.commit.ops {
            let Some(id) = op.widget_id() else { continue };
            match op {
                Op::AddWidget { widget, .. } => {
                    expected.insert(id, (**widget).clone());
                    there.insert(id, true);
                    continue;
                }
                Op::RemoveWidget { .. } => drop(there.insert(id, false)),
                Op::RestoreWidget { .. } => drop(there.insert(id, true)),
                _ => {}
            }
            let widget = match expected.entry(id) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let Some(known) = old(id) else { continue };
                    entry.insert(Widget::clone(known))
                }
            };
            match op {
                Op::Set { field, value, .. } if field == "title" => {
                    widget.title = value.as_str().unwrap_or_default().to_owned();
                }
                Op::Set { field, value: Value::Null, .. } => drop(widget.options.remove(field)),
                Op::Set { field, value, .. } => drop(widget.options.insert(field.clone(), value.clone())),
                Op::Place { frame, .. } => widget.frame = *frame,
                Op::EditText { .. } => typed.push(id),
                _ => {}
            }
        }
        let gone = after.removed.iter().map(|(id, removed)| (id, &removed.widget));
        for (id, widget) in after.widgets.iter().chain(gone) {
            let right = match (expected.get(id), old(id)) {
                (Some(expected), _) => is_like(widget, expected, typed.contains(&id)),
                (None, Some(old)) => Arc::ptr_eq(widget, old) || widget == old,
                (None, None) => false,
            };
            must(right, || format!("S4: the widget {id} is not what was written: {widget:?}"))?;
        }
        for (id, there) in there {
            must(after.widgets.contains_key(id) == there, || {
                format!("S4: is {id} there? {there} was asked for")
            })?;
        }
        let missing = before
            .widgets
            .keys()
            .find(|id| !after.widgets.contains_key(*id) && !after.removed.contains_key(*id));
        must(missing.is_none(), || format!("S6: {missing:?} went without leaving a tombstone"))
    }

    /// Of new tombstones, whose they are.
    fn check_tombstones(&self) -> Result<(), Broken> {
        let before = self.before();
        for (id, removed) in &self.after.removed {
            let old = before.removed.get(id);
            if old.is_some_and(|old| Arc::ptr_eq(old, removed) || old == removed) {
                continue;
            }
            let mine = removed.by.id == self.author.by.id && removed.revision == self.commit.revision;
            must(mine, || format!("S6: the tombstone of {id} is {removed:?}"))?;
        }
        Ok(())
    }
}

/// Whether a choice about a cell may perform an op.
fn is_part_of(op: &Op, cell: &Cell) -> bool {
    match (&cell.id, cell.field.as_str()) {
        (Some(id), PRESENCE) => op.widget_id() == Some(id),
        _ => super::history::writes(op, cell),
    }
}

fn is_like(widget: &Widget, expected: &Widget, typed: bool) -> bool {
    widget.kind == expected.kind
        && widget.title == expected.title
        && widget.frame == expected.frame
        && widget.options == expected.options
        && (typed || widget.text == expected.text)
}
