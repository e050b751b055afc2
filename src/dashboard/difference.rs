//! Difference between a dashboard and the one that a document describes, as ops: what the document changed,
//! and nothing that others changed since the revision that it builds on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::export::{Remark, Report};
use super::number::same_value;
use super::op::{REMOVED, TEXT};
use super::{Cell, Conflict, Dashboard, Kind, Op, OpError, Widget, WidgetId, line_ends};

/// Tries to find an id beside one that is a widget's of another kind.
const MAX_TRIES: usize = 1_000;

/// What a cell has to do with the revision that a document builds on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinceBase {
    /// Nobody wrote it since.
    Untouched,
    /// Somebody wrote it since, and at that revision it said what the document says.
    Same,
    /// Somebody wrote it since, and at that revision it said something else.
    Different,
    /// Somebody wrote it since, and what it said is not known any more.
    Unknown,
}

/// What others did since the revision that a document builds on.
pub trait Base {
    /// Compares what a cell said at that revision with a value.
    fn compare(&self, cell: &Cell, value: &Value) -> SinceBase;
    /// True where nothing happened since.
    fn is_now(&self) -> bool {
        false
    }
    /// True where a widget was placed since, by a person or by what made room.
    fn moved(&self, id: &WidgetId) -> bool;
    /// True where a widget was added since.
    fn added(&self, id: &WidgetId) -> bool;
}

/// The base of a document that builds on what is there now.
pub struct Now;

impl Base for Now {
    fn is_now(&self) -> bool {
        true
    }

    fn compare(&self, _: &Cell, _: &Value) -> SinceBase {
        SinceBase::Untouched
    }

    fn moved(&self, _: &WidgetId) -> bool {
        false
    }

    fn added(&self, _: &WidgetId) -> bool {
        false
    }
}

/// What a document changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// In an order in which each finds room.
    pub ops: Vec<Op>,
    /// Cells of which it cannot be told who changed them.
    pub unknown: usize,
    /// What was left as others made it although the document says something else.
    pub left: Vec<Remark>,
}

/// Where a widget of a document is on the dashboard.
enum Place<'a> {
    Here(&'a Widget),
    Removed(&'a Widget),
    Nowhere,
}

/// The ops that make `now` the dashboard `wanted`, as far as others did not change it since `base`.
///
/// Widgets of `wanted` that are not among `named` are found by kind and title. `author` is the Yjs client id
/// that texts are typed by. Errors where a text does not fit.
pub fn difference(
    now: &Dashboard,
    wanted: &Dashboard,
    named: &BTreeSet<WidgetId>,
    base: &impl Base,
    author: u64,
) -> Result<Difference, OpError> {
    let homes = homes(now, wanted, named);
    let report = Report::default();
    let mut found = Finding { now, base, author, unset: Vec::new(), set: Vec::new(), unknown: 0, report };
    found.dashboard(wanted);
    let mut removals = Vec::new();
    let kept: BTreeSet<&WidgetId> = homes.values().collect();
    for id in now.widgets.keys().filter(|id| !kept.contains(id)) {
        let cell = Cell::widget(id, REMOVED);
        // What others edited since is a conflict with its removal, and that is made once.
        let waits = !base.is_now() && found.waits(&cell, &Value::Bool(true));
        if !base.added(id) && !waits && found.is_changed(&cell, &Value::Bool(true)) {
            removals.push(Op::RemoveWidget { id: id.clone() });
        }
    }
    let (mut arrivals, mut places) = (Vec::new(), Vec::new());
    for (name, widget) in &wanted.widgets {
        let Some(id) = homes.get(name) else { continue };
        match place_of(now, id) {
            Place::Nowhere => arrivals.push(widget.as_ref().clone().add_op(id.clone())),
            Place::Here(there) => {
                found.widget(id, there, widget)?;
                if there.frame != widget.frame && !base.moved(id) {
                    places.push(Op::Place { id: id.clone(), frame: widget.frame, settled: false });
                }
            }
            Place::Removed(there) => {
                // Where somebody removed it since, only what the document changed in it is said: the judge
                // keeps both.
                if base.compare(&Cell::widget(id, REMOVED), &Value::Bool(false)) != SinceBase::Same {
                    arrivals.push(Op::RestoreWidget { id: id.clone() });
                    places.push(Op::Place { id: id.clone(), frame: widget.frame, settled: false });
                }
                found.widget(id, there, widget)?;
            }
        }
    }
    let Finding { unset, set, unknown, report, .. } = found;
    let ops = [removals, arrivals, unset, set, places].concat();
    Ok(Difference { ops, unknown, left: report.done() })
}

/// What was found so far.
struct Finding<'a, B> {
    now: &'a Dashboard,
    base: &'a B,
    author: u64,
    unset: Vec<Op>,
    set: Vec<Op>,
    unknown: usize,
    report: Report,
}

impl<B: Base> Finding<'_, B> {
    fn dashboard(&mut self, wanted: &Dashboard) {
        let title = (self.now.title != wanted.title).then(|| "title".to_owned());
        let fields: BTreeSet<&String> = self.now.settings.keys().chain(wanted.settings.keys()).collect();
        for field in fields.into_iter().cloned().chain(title) {
            let cell = Cell::dashboard(&field);
            let value = wanted.value(&cell);
            if !same_value(&self.now.value(&cell), &value) && self.is_changed(&cell, &value) {
                self.write(Op::SetDashboard { field, value: value.clone() }, &value);
            }
        }
    }

    fn widget(&mut self, id: &WidgetId, there: &Widget, wanted: &Widget) -> Result<(), OpError> {
        let title = (there.title != wanted.title).then(|| "title".to_owned());
        let fields: BTreeSet<&String> = there.options.keys().chain(wanted.options.keys()).collect();
        for field in fields.into_iter().cloned().chain(title) {
            let value = wanted.value(&field);
            if !same_value(&there.value(&field), &value) && self.is_changed(&Cell::widget(id, &field), &value)
            {
                let op = Op::Set { id: id.clone(), field, value: value.clone() };
                if !self.waits_for_widget(id, &op) {
                    self.write(op, &value);
                }
            }
        }
        let (Some(text), Some(aim)) = (&there.text, &wanted.text) else { return Ok(()) };
        if line_ends::normalized(text.plain()) == line_ends::normalized(aim.plain()) {
            return Ok(());
        }
        if self.base.compare(&Cell::widget(id, TEXT), &Value::Null) == SinceBase::Untouched {
            let updates = text.edits_to(&line_ends::normalized(aim.plain()), self.author)?;
            self.set.extend(updates.into_iter().map(|update| Op::edit_text(id, update)));
        } else {
            let what =
                if there.title.is_empty() { "A note".to_owned() } else { format!("“{}”", there.title) };
            self.report.say(what, "Others have typed in its text since. It was left as it is.");
        }
        Ok(())
    }

    fn write(&mut self, op: Op, value: &Value) {
        if value.is_null() { self.unset.push(op) } else { self.set.push(op) }
    }

    /// True where the document changed a cell to a value, and this does not wait in a conflict already.
    fn is_changed(&mut self, cell: &Cell, value: &Value) -> bool {
        match self.base.compare(cell, value) {
            SinceBase::Untouched => true,
            SinceBase::Same => false,
            SinceBase::Different => !self.waits(cell, value),
            SinceBase::Unknown => {
                self.unknown += 1;
                false
            }
        }
    }

    /// True where a value waits in a conflict beside what shows.
    fn waits(&self, cell: &Cell, value: &Value) -> bool {
        let beside = |conflict: &Conflict| conflict.cell == *cell && same_value(&conflict.other.value, value);
        self.now.open_conflicts().any(|conflict| beside(conflict))
    }

    /// True where an edit of a removed widget waits in a conflict already.
    fn waits_for_widget(&self, id: &WidgetId, op: &Op) -> bool {
        let cell = Cell::widget(id, REMOVED);
        let Ok(edit) = serde_json::to_value(op) else { return false };
        let mut waiting = self.now.open_conflicts().filter(|conflict| conflict.cell == cell);
        waiting.any(|conflict| conflict.other.value.as_array().is_some_and(|edits| edits.contains(&edit)))
    }
}

fn place_of<'a>(now: &'a Dashboard, id: &WidgetId) -> Place<'a> {
    match (now.widgets.get(id), now.removed.get(id)) {
        (Some(widget), _) => Place::Here(widget),
        (None, Some(removed)) => Place::Removed(&removed.widget),
        (None, None) => Place::Nowhere,
    }
}

/// The id on the dashboard of each widget of a document.
///
/// The named ones keep theirs, unless a widget of another kind has it: a kind never changes, so they get one
/// beside it, the same each time. The others are those of their kind and title, in reading order, or new.
fn homes(now: &Dashboard, wanted: &Dashboard, named: &BTreeSet<WidgetId>) -> BTreeMap<WidgetId, WidgetId> {
    let mut homes: BTreeMap<WidgetId, WidgetId> = BTreeMap::new();
    let mut taken: BTreeSet<WidgetId> = BTreeSet::new();
    let fits = |id: &WidgetId, kind: Kind| match place_of(now, id) {
        Place::Here(there) | Place::Removed(there) => there.kind == kind,
        Place::Nowhere => true,
    };
    for id in named {
        let Some(widget) = wanted.widgets.get(id) else { continue };
        if let Some(home) = beside(id, |home| {
            fits(home, widget.kind) && !taken.contains(home) && (home == id || !named.contains(home))
        }) {
            taken.insert(home.clone());
            homes.insert(id.clone(), home);
        }
    }
    let mut there: Vec<(&WidgetId, &Widget)> =
        now.widgets.iter().map(|(id, one)| (id, one.as_ref())).collect();
    there.sort_by_key(|(_, widget)| (widget.frame.y, widget.frame.x));
    let mut unnamed: Vec<(&WidgetId, &Widget)> = wanted
        .widgets
        .iter()
        .filter(|(id, _)| !named.contains(*id))
        .map(|(id, one)| (id, one.as_ref()))
        .collect();
    unnamed.sort_by_key(|(_, widget)| (widget.frame.y, widget.frame.x));
    for (name, widget) in &unnamed {
        let like = |one: &Widget| one.kind == widget.kind && one.title == widget.title;
        let found = there.iter().find(|(id, one)| like(one) && !taken.contains(*id));
        if let Some((id, _)) = found {
            taken.insert((*id).clone());
            homes.insert((*name).clone(), (*id).clone());
        }
    }
    for (name, _) in unnamed {
        if homes.contains_key(name) {
            continue;
        }
        let is_new = |home: &WidgetId| {
            matches!(place_of(now, home), Place::Nowhere) && !taken.contains(home) && !named.contains(home)
        };
        if let Some(home) = beside(name, is_new) {
            taken.insert(home.clone());
            homes.insert(name.clone(), home);
        }
    }
    homes
}

/// An id that will do: this one, or the first with a number behind it.
fn beside(id: &WidgetId, will_do: impl Fn(&WidgetId) -> bool) -> Option<WidgetId> {
    let numbered = (2..MAX_TRIES).filter_map(|n| {
        let number = format!("-{n}");
        let room = super::id::MAX_ID_CHARS - number.len();
        let begin: String = id.as_str().chars().take(room).collect();
        WidgetId::new(begin + &number).ok()
    });
    std::iter::once(id.clone()).chain(numbered).find(|id| will_do(id))
}

#[cfg(test)]
mod tests;
