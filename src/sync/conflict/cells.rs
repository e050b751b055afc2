//! Who wrote each cell last, and what it said before: by this it is told who had not seen what.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dashboard::op::{FRAME, REMOVED};
use crate::dashboard::{Cell, ClientId, Dashboard, Stamp, User, WidgetId};

/// Earlier values kept for each cell, to tell what a writer started from.
const MAX_PAST: usize = 16;

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

    /// Forgets cells of widgets that are neither here nor among the tombstones.
    pub fn retain_known(&mut self, dashboard: &Dashboard) {
        self.0.retain(|cell, _| {
            cell.id
                .as_ref()
                .is_none_or(|id| dashboard.widgets.contains_key(id) || dashboard.removed.contains_key(id))
        });
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

impl FromIterator<(Cell, CellLog)> for CellLogs {
    fn from_iter<T: IntoIterator<Item = (Cell, CellLog)>>(logs: T) -> Self {
        Self(logs.into_iter().collect())
    }
}
