//! Who wrote each cell last, and what it said before: by this it is told who had not seen what.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dashboard::op::{FRAME, REMOVED};
use crate::dashboard::{Cell, ClientId, Dashboard, Stamp, User, WidgetId};

/// Earlier values kept for each cell, to tell what a writer started from.
const MAX_PAST: usize = 16;
/// Bytes of earlier values of a cell, beside the last.
const MAX_PAST_BYTES: usize = 16 * 1024;
/// Bytes of earlier values of all cells of a dashboard: those of the cells written longest ago go first.
/// They tell what two people started from who wrote different things, and are not needed to keep both.
const MAX_ALL_PAST_BYTES: usize = 4 * 1024 * 1024;
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

    /// Bytes of the earlier values, about.
    fn past_bytes(&self) -> usize {
        self.past.iter().map(|(_, value)| weight(value)).sum()
    }

    /// True where another client wrote after `base`.
    pub(super) fn is_others_since(&self, base: u64, client: &ClientId) -> bool {
        self.revision > base && self.client != *client
    }
}

/// The last writer of each cell of a dashboard.
#[derive(Clone, Debug, Default)]
pub struct CellLogs {
    logs: HashMap<Cell, CellLog>,
    /// Bytes of their earlier values together.
    past_bytes: usize,
}

impl CellLogs {
    /// Notes a write, with the value before it.
    pub fn write(&mut self, cell: Cell, before: Value, client: &ClientId, stamp: &Stamp) {
        let mut past = Vec::new();
        if let Some(log) = self.logs.get_mut(&cell) {
            self.past_bytes -= log.past_bytes();
            past = std::mem::take(&mut log.past);
        }
        // Several writes of one commit are one: what counts is the value before the commit.
        if past.last().is_none_or(|(revision, _)| *revision != stamp.revision) {
            past.push((stamp.revision, before));
            let excess = past.len().saturating_sub(MAX_PAST);
            past.drain(..excess);
            let mut bytes: usize = past.iter().rev().skip(1).map(|(_, value)| weight(value)).sum();
            while bytes > MAX_PAST_BYTES {
                bytes -= weight(&past.remove(0).1);
            }
        }
        let Stamp { by, at, revision } = stamp.clone();
        let log = CellLog { revision, client: client.clone(), by, at, past };
        self.past_bytes += log.past_bytes();
        self.logs.insert(cell, log);
        if self.past_bytes > MAX_ALL_PAST_BYTES {
            self.forget_past();
        }
    }

    /// Forgets the earlier values of the cells written longest ago, until half of the bound is free.
    fn forget_past(&mut self) {
        let mut oldest: Vec<(u64, &mut CellLog)> = self
            .logs
            .values_mut()
            .filter(|log| !log.past.is_empty())
            .map(|log| (log.revision, log))
            .collect();
        oldest.sort_unstable_by_key(|(revision, _)| *revision);
        for (_, log) in oldest {
            if self.past_bytes <= MAX_ALL_PAST_BYTES / 2 {
                break;
            }
            self.past_bytes -= log.past_bytes();
            log.past = Vec::new();
        }
    }

    /// Forgets cells of widgets that are neither here nor among the tombstones, and of options and settings
    /// that came and went, such as a list's items, all but the last [`MAX_GONE`].
    pub fn retain_known(&mut self, dashboard: &Dashboard) {
        self.logs.retain(|cell, _| {
            cell.id
                .as_ref()
                .is_none_or(|id| dashboard.widgets.contains_key(id) || dashboard.removed.contains_key(id))
        });
        let gone = self.logs.iter().filter(|(cell, _)| came_and_went(cell, dashboard));
        let mut gone: Vec<u64> = gone.map(|(_, log)| log.revision).collect();
        if gone.len() > MAX_GONE {
            gone.sort_unstable();
            let oldest = gone[gone.len() - MAX_GONE];
            self.logs.retain(|cell, log| log.revision >= oldest || !came_and_went(cell, dashboard));
        }
        self.past_bytes = self.logs.values().map(CellLog::past_bytes).sum();
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Cell, &CellLog)> {
        self.logs.iter()
    }

    /// The last write of a cell where another client made it after `base`.
    pub(super) fn written_since(&self, cell: &Cell, base: u64, client: &ClientId) -> Option<&CellLog> {
        self.logs.get(cell).filter(|log| log.is_others_since(base, client))
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
        let edited = self.logs.iter().filter(|(cell, log)| {
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

/// Bytes of a value in memory, about.
fn weight(value: &Value) -> usize {
    const EACH: usize = 32;
    EACH + match value {
        Value::String(text) => text.len(),
        Value::Array(all) => all.iter().map(weight).sum(),
        Value::Object(all) => all.iter().map(|(name, value)| name.len() + weight(value)).sum(),
        _ => 0,
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
        let logs: HashMap<Cell, CellLog> = logs.into_iter().collect();
        let past_bytes = logs.values().map(CellLog::past_bytes).sum();
        Self { logs, past_bytes }
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

    #[test]
    fn s10_earlier_values_are_kept_by_bytes_too() {
        let mut cells = CellLogs::default();
        let client = ClientId::new("c1").expect("an id");
        let mut revision = 0;
        let mut write = |cells: &mut CellLogs, field: &str, bytes: usize| {
            revision += 1;
            let stamp = Stamp { revision, ..Stamp::default() };
            cells.write(Cell::dashboard(field), "x".repeat(bytes).into(), &client, &stamp);
        };
        let past = |cells: &CellLogs, field: &str| cells.logs[&Cell::dashboard(field)].past.len();
        for _ in 0..20 {
            write(&mut cells, "small", 10);
            write(&mut cells, "middle", 5_000);
            write(&mut cells, "large", 60_000);
        }
        assert_eq!(["small", "middle", "large"].map(|field| past(&cells, field)), [MAX_PAST, 4, 1]);
        // Cells without end, each with one large value before.
        for n in 0..500 {
            write(&mut cells, &format!("c{n}"), 60_000);
            assert!(cells.past_bytes <= MAX_ALL_PAST_BYTES);
        }
        assert_eq!((past(&cells, "small"), past(&cells, "c499")), (0, 1), "the oldest went first");
        assert_eq!(cells.past_bytes, cells.logs.values().map(CellLog::past_bytes).sum::<usize>());
        let stale = &cells.logs[&Cell::dashboard("small")];
        assert!(stale.is_others_since(0, &ClientId::new("c2").expect("an id")), "its writer is known still");
    }
}
