//! Who wrote each cell last, and what it said before: by this it is told who had not seen what.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dashboard::op::{FRAME, REMOVED};
use crate::dashboard::{Cell, ClientId, Dashboard, Stamp, User, WidgetId};

/// Earlier values kept for each cell, to tell what a writer started from.
const MAX_PAST: usize = 16;
/// Writers kept of cells that came and went: who comes back after so many more writes meets none of them.
const MAX_GONE: usize = 2_000;

/// Who wrote a cell last, and what it said before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellLog {
    pub revision: u64,
    pub client: ClientId,
    pub by: User,
    pub at: u64,
    /// For each of the last writes its revision and the value before it, oldest first.
    past: Vec<(u64, Value)>,
}

impl CellLog {
    /// The value at a revision; the oldest known where that is longer ago.
    pub(super) fn value_at(&self, revision: u64) -> Option<&Value> {
        self.past.iter().find(|(written, _)| *written > revision).map(|(_, before)| before)
    }

    /// True where another client wrote after `base`.
    pub(super) fn is_others_since(&self, base: u64, client: &ClientId) -> bool {
        self.revision > base && self.client != *client
    }
}

/// The last writer of each cell of a dashboard.
#[derive(Clone, Debug, Default)]
pub struct CellLogs(HashMap<Cell, CellLog>);

impl CellLogs {
    /// Notes a write, with the value before it.
    pub fn write(&mut self, cell: Cell, before: Value, client: &ClientId, stamp: &Stamp) {
        let past = self.0.get_mut(&cell).map(|log| std::mem::take(&mut log.past));
        let mut past = past.unwrap_or_default();
        // Several writes of one commit are one: what counts is the value before the commit.
        if past.last().is_none_or(|(revision, _)| *revision != stamp.revision) {
            past.push((stamp.revision, before));
            let excess = past.len().saturating_sub(MAX_PAST);
            past.drain(..excess);
        }
        let Stamp { by, at, revision } = stamp.clone();
        self.0.insert(cell, CellLog { revision, client: client.clone(), by, at, past });
    }

    /// Forgets cells of widgets that are neither here nor among the tombstones, and of options and settings
    /// that came and went, such as a list's items, all but the last [`MAX_GONE`].
    pub fn retain_known(&mut self, dashboard: &Dashboard) {
        self.0.retain(|cell, _| {
            cell.id
                .as_ref()
                .is_none_or(|id| dashboard.widgets.contains_key(id) || dashboard.removed.contains_key(id))
        });
        let gone = self.0.iter().filter(|(cell, _)| came_and_went(cell, dashboard));
        let mut gone: Vec<u64> = gone.map(|(_, log)| log.revision).collect();
        if gone.len() > MAX_GONE {
            gone.sort_unstable();
            let oldest = gone[gone.len() - MAX_GONE];
            self.0.retain(|cell, log| log.revision >= oldest || !came_and_went(cell, dashboard));
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Cell, &CellLog)> {
        self.0.iter()
    }

    /// The last write of a cell where another client made it after `base`.
    pub(super) fn written_since(&self, cell: &Cell, base: u64, client: &ClientId) -> Option<&CellLog> {
        self.0.get(cell).filter(|log| log.is_others_since(base, client))
    }

    /// The fields of a widget that others wrote after `base`, with their last writer.
    pub(super) fn edits_since(
        &self,
        dashboard: &Dashboard,
        id: &WidgetId,
        base: u64,
        client: &ClientId,
    ) -> Vec<(String, &CellLog)> {
        if !dashboard.widgets.contains_key(id) {
            return Vec::new();
        }
        let edited = self.0.iter().filter(|(cell, log)| {
            cell.id.as_ref() == Some(id)
                && ![FRAME, REMOVED].contains(&cell.field.as_str())
                && log.is_others_since(base, client)
        });
        let mut edited: Vec<_> = edited.map(|(cell, log)| (cell.field.clone(), log)).collect();
        // A map's own order differs from run to run.
        edited.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        edited
    }
}

/// True for an option or a setting of a family that is not there now: of these there is no end of names,
/// which all have a dot.
fn came_and_went(cell: &Cell, dashboard: &Dashboard) -> bool {
    let there = match &cell.id {
        None => dashboard.settings.contains_key(&cell.field),
        Some(id) => {
            let removed = || dashboard.removed.get(id).map(|removed| &removed.widget);
            let widget = dashboard.widgets.get(id).or_else(removed);
            widget.is_some_and(|widget| widget.options.contains_key(&cell.field))
        }
    };
    cell.field.contains('.') && !there
}

impl FromIterator<(Cell, CellLog)> for CellLogs {
    fn from_iter<T: IntoIterator<Item = (Cell, CellLog)>>(logs: T) -> Self {
        Self(logs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_cells_that_came_and_went_are_forgotten_in_the_end() {
        let mut cells = CellLogs::default();
        let mut dashboard = Dashboard::new("");
        dashboard.settings.insert("annotation.0".to_owned(), Value::from(1));
        let client = ClientId::new("c1").expect("an id");
        let mut write = |field: &str, revision| {
            let stamp = Stamp { revision, ..Stamp::default() };
            cells.write(Cell::dashboard(field), Value::Null, &client, &stamp);
        };
        write("title", 1);
        for n in 0..=3 * MAX_GONE {
            write(&format!("annotation.{n}"), 2 + n as u64);
        }
        cells.retain_known(&dashboard);
        assert_eq!(cells.iter().count(), MAX_GONE + 2, "with the title, and with the one that is there");
        let last = Cell::dashboard(&format!("annotation.{}", 3 * MAX_GONE));
        assert!(cells.iter().any(|(cell, _)| *cell == last));
    }
}
