//! All that was ever written, to tell who had not seen what.

use lockstep::dashboard::{Cell, ClientId, Dashboard, Op, User, Widget, WidgetId};
use serde_json::Value;

use super::judgement::End;
use crate::check::MadeId;

/// The field under which a widget's being there is written.
pub const PRESENCE: &str = "removed";
/// The field under which a note's text is written.
pub const TEXT: &str = "text";

/// A change that was judged, what came of it, and the dashboard after it.
pub struct Past {
    pub id: MadeId,
    pub client: ClientId,
    pub seq: u64,
    pub by: User,
    pub asked: Vec<Op>,
    pub ends: Vec<End>,
    /// What took effect.
    pub ops: Vec<Op>,
    /// When it was written, where it had waited.
    pub written_at: Option<u64>,
    pub after: Dashboard,
}

/// A log from its beginning.
#[derive(Clone, Copy)]
pub struct History<'a> {
    pub start: &'a Dashboard,
    pub commits: &'a [Past],
}

/// One write of a cell.
#[derive(Clone, Copy)]
pub struct Write<'a> {
    pub past: &'a Past,
    pub op: &'a Op,
}

impl<'a> History<'a> {
    /// The dashboard at a revision.
    pub fn at(self, revision: u64) -> &'a Dashboard {
        match revision.checked_sub(1) {
            Some(index) => &self.commits[index as usize].after,
            None => self.start,
        }
    }

    /// All that was written after a revision, in order.
    pub fn since(self, revision: u64) -> impl DoubleEndedIterator<Item = Write<'a>> {
        let later = self.commits.get(revision as usize..).unwrap_or_default();
        later.iter().flat_map(|past| past.ops.iter().map(move |op| Write { past, op }))
    }

    /// The writes of a cell after a revision, in order.
    pub fn writes(self, cell: &Cell, revision: u64) -> impl DoubleEndedIterator<Item = Write<'a>> {
        let cell = cell.clone();
        self.since(revision).filter(move |write| writes(write.op, &cell))
    }

    /// What others wrote in a widget after a revision, but for its place and its being there: the fields, each
    /// with its last write by anybody.
    pub fn unseen_edits(self, id: &WidgetId, revision: u64, client: &ClientId) -> Vec<(&'a str, Write<'a>)> {
        let mut last: Vec<(&str, Write<'_>)> = Vec::new();
        for write in self.since(revision) {
            let field = match write.op {
                Op::Set { id: of, field, .. } if of == id => field.as_str(),
                Op::EditText { id: of, .. } if of == id => TEXT,
                _ => continue,
            };
            last.retain(|(known, _)| *known != field);
            last.push((field, write));
        }
        last.retain(|(_, write)| write.past.client != *client);
        last
    }

    /// The next `seq` of a client.
    pub fn next_seq(self, client: &ClientId) -> u64 {
        let last = self.commits.iter().rev().find(|past| past.client == *client);
        last.map_or(0, |past| past.seq) + 1
    }
}

/// Whether an op writes a cell.
pub fn writes(op: &Op, cell: &Cell) -> bool {
    match op {
        Op::Set { id, field, .. } => cell.id.as_ref() == Some(id) && cell.field == *field,
        Op::EditText { id, .. } => cell.id.as_ref() == Some(id) && cell.field == TEXT,
        Op::SetDashboard { field, .. } => cell.id.is_none() && cell.field == *field,
        Op::AddWidget { id, .. } | Op::RemoveWidget { id } | Op::RestoreWidget { id } => {
            cell.id.as_ref() == Some(id) && cell.field == PRESENCE
        }
        Op::Place { .. } | Op::SettleConflict { .. } => false,
    }
}

/// The widget, there or removed.
pub fn widget<'a>(dashboard: &'a Dashboard, id: &WidgetId) -> Option<&'a Widget> {
    let removed = || dashboard.removed.get(id).map(|removed| &removed.widget);
    dashboard.widgets.get(id).or_else(removed).map(|widget| &**widget)
}

/// What a cell says, also one of a removed widget.
pub fn read(dashboard: &Dashboard, cell: &Cell) -> Value {
    let Some(id) = &cell.id else {
        return match cell.field.as_str() {
            "title" => dashboard.title.as_str().into(),
            setting => dashboard.settings.get(setting).cloned().unwrap_or(Value::Null),
        };
    };
    match (widget(dashboard, id), cell.field.as_str()) {
        (None, _) => Value::Null,
        (Some(widget), "title") => widget.title.as_str().into(),
        (Some(widget), option) => widget.options.get(option).cloned().unwrap_or(Value::Null),
    }
}

/// Whether two values mean the same.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}
