//! What a step back may touch: what its own tab did, and nothing that others did since.

use lockstep::dashboard::{Cell, ClientId, Dashboard, Op, WidgetId};
use lockstep::sync::protocol::Change;
use serde_json::Value;

use super::history::{History, PRESENCE, read, same};
use super::{Broken, must};

/// What a tab showed before a step back.
pub struct Shown {
    pub view: Dashboard,
    pub pending: Vec<Change>,
    /// How much of the log was in it.
    pub revision: u64,
}

impl Shown {
    /// Checks what a step back of this tab made of it.
    pub fn check_undo(&self, history: History<'_>, client: &ClientId, now: &Dashboard) -> Result<(), Broken> {
        let seen = History { commits: &history.commits[..self.revision as usize], ..history };
        for cell in self.changed_values(now) {
            let last = seen.writes(&cell, 0).next_back();
            let others = last.is_some_and(|last| last.past.client != *client);
            must(!others || self.wrote(&cell), || {
                let (from, to) = (read(&self.view, &cell), read(now, &cell));
                format!("S4: undo by {client} takes back what others wrote: {cell:?} from {from} to {to}")
            })?;
        }
        for id in self.view.widgets.keys().filter(|id| !now.widgets.contains_key(*id)) {
            self.check_gone(seen, client, id)?;
        }
        for id in now.widgets.keys().filter(|id| self.view.removed.contains_key(*id)) {
            let cell = Cell::widget(id, PRESENCE);
            let last = seen.writes(&cell, 0).next_back();
            let others = last.is_some_and(|last| last.past.client != *client);
            must(!others || self.wrote(&cell), || {
                format!("S4: undo brings back {id}, which others removed")
            })?;
        }
        self.check_texts(client, now)
    }

    /// A widget that a step back removes was added, or brought back, by it, and nobody else has edited it since.
    fn check_gone(&self, seen: History<'_>, client: &ClientId, id: &WidgetId) -> Result<(), Broken> {
        let cell = Cell::widget(id, PRESENCE);
        if self.wrote(&cell) {
            return Ok(());
        }
        let mut edited = seen.since(0).filter(|write| {
            write.op.widget_id() == Some(id) && !matches!(write.op, Op::Place { settled: true, .. })
        });
        let last = edited.next_back();
        let came = seen.writes(&cell, 0).next_back();
        let mine = came.is_some_and(|came| came.past.client == *client);
        let edits = last.is_some_and(|last| last.past.client != *client);
        must(mine && !edits, || format!("S4: undo by {client} removes {id}, on which others worked"))
    }

    /// The cells whose values are others, of widgets that are there before and after.
    fn changed_values(&self, now: &Dashboard) -> Vec<Cell> {
        let mut changed = Vec::new();
        let mut note = |cell: Cell, from: &Value, to: &Value| {
            if !same(from, to) {
                changed.push(cell);
            }
        };
        let (from, to) = (self.view.title.as_str().into(), now.title.as_str().into());
        note(Cell::dashboard("title"), &from, &to);
        for field in self.view.settings.keys().chain(now.settings.keys()) {
            let cell = Cell::dashboard(field);
            let (from, to) = (read(&self.view, &cell), read(now, &cell));
            note(cell, &from, &to);
        }
        for (id, widget) in &self.view.widgets {
            let Some(then) = now.widgets.get(id).filter(|then| !std::sync::Arc::ptr_eq(then, widget)) else {
                continue;
            };
            let options = widget.options.keys().chain(then.options.keys()).map(String::as_str);
            for field in options.chain(["title"]) {
                let cell = Cell::widget(id, field);
                let (from, to) = (read(&self.view, &cell), read(now, &cell));
                note(cell, &from, &to);
            }
        }
        changed
    }

    /// Whether the tab has written a cell, and the log does not have it yet. A choice may write any.
    fn wrote(&self, cell: &Cell) -> bool {
        let ops = self.pending.iter().flat_map(|change| &change.ops);
        ops.into_iter().any(|op| super::history::writes(op, cell) || matches!(op, Op::SettleConflict { .. }))
    }

    /// No letter that others typed goes from a note.
    fn check_texts(&self, client: &ClientId, now: &Dashboard) -> Result<(), Broken> {
        for (id, widget) in &self.view.widgets {
            let Some(then) = now.widgets.get(id).filter(|then| then.text != widget.text) else { continue };
            let letters = |widget: &lockstep::dashboard::Widget| {
                let text = widget.text.as_ref().map_or("", |text| text.plain());
                text.chars().filter(|letter| is_of_another(*letter, client)).count()
            };
            let (from, to) = (letters(widget), letters(then));
            must(from <= to, || format!("S4: undo by {client} takes {} letters of others", from - to))?;
        }
        Ok(())
    }
}

/// The letter that a tab types, beside others that all type.
pub fn letter_of(client: &ClientId) -> char {
    let last = client.as_str().bytes().last().unwrap_or(b'0');
    char::from(b'A' + last.wrapping_sub(b'0') % 26)
}

fn is_of_another(letter: char, client: &ClientId) -> bool {
    letter.is_ascii_uppercase() && letter != letter_of(client)
}
