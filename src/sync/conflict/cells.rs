//! Write log of each cell: its last writers and its earlier values. By this it is told who had not seen what.
//!
//! For every client it is known whether another one has written a cell since a revision. Two writes are enough
//! for that: the last one, and the last one of any other client than that.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dashboard::difference::SinceBase;
use crate::dashboard::number::same_value;
use crate::dashboard::op::{FRAME, REMOVED};
use crate::dashboard::{Cell, ClientId, Dashboard, Op, Side, Stamp, User, WidgetId};

use super::written_cell;

/// Earlier values kept for each cell, to tell what a writer started from.
const MAX_PAST: usize = 16;
/// Bytes of earlier values of a cell, beside the last.
const MAX_PAST_BYTES: usize = 16 * 1024;
/// Bytes of earlier values of all cells of a dashboard: those of the cells written longest ago go first.
/// They tell what two people started from who wrote different things, and are not needed to keep both.
const MAX_ALL_PAST_BYTES: usize = 4 * 1024 * 1024;
/// Writers kept of cells that came and went: who comes back after so many more writes meets none of them.
const MAX_GONE: usize = 2_000;

/// One write of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    pub revision: u64,
    /// `None` where it is not known who it was.
    pub client: Option<ClientId>,
    pub by: User,
    pub at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<u64>,
}

impl Write {
    pub(super) fn new(client: &ClientId, stamp: &Stamp) -> Self {
        let Stamp { by, at, written_at, revision } = stamp.clone();
        Self { revision, client: Some(client.clone()), by, at, written_at }
    }

    /// A write of which only the revision is known.
    fn unknown(revision: u64) -> Self {
        let by = User { name: "Somebody".to_owned(), color: "#6b7280".to_owned(), ..User::default() };
        Self { revision, client: None, by, at: 0, written_at: None }
    }

    /// A side of a conflict that holds what was written, in effect.
    pub(super) fn side(self, value: Value) -> Side {
        let Self { revision, client, by, at, written_at } = self;
        Side { value, by, client, at, written_at, revision: Some(revision) }
    }
}

/// Who wrote a cell, and what it said before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellLog {
    /// The last write.
    #[serde(flatten)]
    last: Write,
    /// The last write of another client than the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    other: Option<Write>,
    /// True where the last write said the same as the one before it, of another client: it is the value of both.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    agreed: bool,
    /// For each of the last writes its revision and the value before it, oldest first.
    past: Vec<(u64, Value)>,
}

impl CellLog {
    /// The last write.
    pub(super) fn last(&self) -> &Write {
        &self.last
    }

    /// The value at a revision; the oldest known where that is longer ago.
    pub(super) fn value_at(&self, revision: u64) -> Option<&Value> {
        self.past.iter().find(|(written, _)| *written > revision).map(|(_, before)| before)
    }

    /// Compares the value at a revision with another one.
    fn compare(&self, revision: u64, value: &Value) -> SinceBase {
        if self.last.revision <= revision {
            return SinceBase::Untouched;
        }
        let Some(at) = self.past.iter().position(|(written, _)| *written > revision) else {
            return SinceBase::Unknown;
        };
        if same_value(&self.past[at].1, value) {
            return SinceBase::Same;
        }
        // The oldest that is kept may stand for an older one that had no room.
        let bytes: usize = self.past.iter().rev().skip(1).map(|(_, value)| weight(value)).sum();
        let trimmed = self.past.len() == MAX_PAST || bytes + weight(value) > MAX_PAST_BYTES;
        if at == 0 && trimmed { SinceBase::Unknown } else { SinceBase::Different }
    }

    /// Bytes of the earlier values, about.
    fn past_bytes(&self) -> usize {
        self.past.iter().map(|(_, value)| weight(value)).sum()
    }

    fn is_by(&self, client: &ClientId) -> bool {
        self.last.client.as_ref() == Some(client)
    }

    /// The last write of another client after `base`. Of writes up to `exact_from` it may not be known whose
    /// they are; those count as another's.
    fn by_another(&self, base: u64, client: &ClientId, exact_from: u64) -> Option<Write> {
        let since = |write: &&Write| write.revision > base;
        if !self.is_by(client) {
            return Some(&self.last).filter(since).cloned();
        }
        if let Some(other) = self.other.as_ref().filter(since) {
            return Some(other.clone());
        }
        if base >= exact_from.min(self.last.revision) {
            return None;
        }
        let known = |revision: u64| revision == self.last.revision || revision > exact_from;
        let told = self.past.iter().map(|(revision, _)| *revision);
        let doubtful = told.filter(|revision| *revision > base && !known(*revision)).max();
        let trimmed = self.past.is_empty() || self.past.len() == MAX_PAST;
        doubtful.or_else(|| trimmed.then_some(base + 1)).map(Write::unknown)
    }

    /// The write of another client after `base` that what is there comes from.
    fn shown_by_another(&self, base: u64, client: &ClientId) -> Option<&Write> {
        let shown =
            if self.is_by(client) { self.other.as_ref().filter(|_| self.agreed) } else { Some(&self.last) };
        shown.filter(|write| write.revision > base)
    }
}

/// The writers of each cell of a dashboard.
#[derive(Clone, Debug, Default)]
pub struct CellLogs {
    logs: HashMap<Cell, CellLog>,
    /// Bytes of their earlier values together.
    past_bytes: usize,
    /// Up to this revision only the last writer of a cell was noted.
    exact_from: u64,
}

impl CellLogs {
    /// The logs as a room kept them that noted all writers from a revision on.
    pub fn from_state(logs: Vec<(Cell, CellLog)>, exact_from: u64) -> Self {
        let logs: HashMap<Cell, CellLog> = logs.into_iter().collect();
        let past_bytes = logs.values().map(CellLog::past_bytes).sum();
        Self { logs, past_bytes, exact_from }
    }

    /// The revision from which on all writers were noted.
    pub fn exact_from(&self) -> u64 {
        self.exact_from
    }

    /// Notes an effective op of a commit. `before` is what [`Dashboard::before`] said of it.
    pub fn note(&mut self, op: &Op, before: Value, client: &ClientId, stamp: &Stamp) {
        let after = match op {
            // Frames take the latest without asking (S5).
            Op::Place { .. } => return,
            Op::Set { value, .. } | Op::SetDashboard { value, .. } => value.clone(),
            Op::AddWidget { .. } | Op::RestoreWidget { .. } => Value::Bool(false),
            Op::RemoveWidget { .. } => Value::Bool(true),
            Op::EditText { .. } | Op::SettleConflict { .. } => Value::Null,
        };
        if let Some(cell) = written_cell(op) {
            self.write(cell, before, &after, client, stamp);
        }
    }

    /// Notes a write, with the values before and after it.
    fn write(&mut self, cell: Cell, before: Value, after: &Value, client: &ClientId, stamp: &Stamp) {
        let (mut past, mut other, mut agreed) = (Vec::new(), None, false);
        if let Some(log) = self.logs.remove(&cell) {
            self.past_bytes -= log.past_bytes();
            let same = same_value(&before, after);
            (other, agreed) = match log.is_by(client) {
                true => (log.other, log.agreed && same),
                false => (Some(log.last), same),
            };
            past = log.past;
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
        let log = CellLog { last: Write::new(client, stamp), other, agreed, past };
        self.past_bytes += log.past_bytes();
        self.logs.insert(cell, log);
        if self.past_bytes > MAX_ALL_PAST_BYTES {
            self.forget_past();
        }
    }

    /// Forgets the earlier values of the cells written longest ago, until half of the bound is free.
    fn forget_past(&mut self) {
        let mut oldest: Vec<(u64, &Cell)> = self
            .logs
            .iter()
            .filter(|(_, log)| !log.past.is_empty())
            .map(|(cell, log)| (log.last.revision, cell))
            .collect();
        // A map's own order differs from run to run.
        oldest.sort_unstable();
        let oldest: Vec<Cell> = oldest.into_iter().map(|(_, cell)| cell.clone()).collect();
        for cell in oldest {
            if self.past_bytes <= MAX_ALL_PAST_BYTES / 2 {
                break;
            }
            if let Some(log) = self.logs.get_mut(&cell) {
                self.past_bytes -= log.past_bytes();
                log.past = Vec::new();
            }
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
        let mut gone: Vec<u64> = gone.map(|(_, log)| log.last.revision).collect();
        if gone.len() > MAX_GONE {
            gone.sort_unstable();
            let oldest = gone[gone.len() - MAX_GONE];
            self.logs.retain(|cell, log| log.last.revision >= oldest || !came_and_went(cell, dashboard));
        }
        self.past_bytes = self.logs.values().map(CellLog::past_bytes).sum();
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Cell, &CellLog)> {
        self.logs.iter()
    }

    /// Compares what a cell said at a revision with a value.
    pub fn compare(&self, cell: &Cell, revision: u64, value: &Value) -> SinceBase {
        self.logs.get(cell).map_or(SinceBase::Untouched, |log| log.compare(revision, value))
    }

    /// The log of a cell, where it was written at all.
    pub(super) fn get(&self, cell: &Cell) -> Option<&CellLog> {
        self.logs.get(cell)
    }

    /// The last write of a cell by another client after `base`, whether or not it shows.
    pub(super) fn unseen(&self, cell: &Cell, base: u64, client: &ClientId) -> Option<Write> {
        self.logs.get(cell)?.by_another(base, client, self.exact_from)
    }

    /// The write of another client after `base` that what a cell says comes from.
    pub(super) fn shown_unseen(
        &self,
        cell: &Cell,
        base: u64,
        client: &ClientId,
    ) -> Option<(&CellLog, Write)> {
        let log = self.logs.get(cell)?;
        Some((log, log.shown_by_another(base, client)?.clone()))
    }

    /// The fields of a widget that others wrote after `base`, each with the last such write.
    pub(super) fn edits_since(
        &self,
        dashboard: &Dashboard,
        id: &WidgetId,
        base: u64,
        client: &ClientId,
    ) -> Vec<(String, Write)> {
        if !dashboard.widgets.contains_key(id) {
            return Vec::new();
        }
        let edited = self.logs.iter().filter(|(cell, _)| {
            cell.id.as_ref() == Some(id) && ![FRAME, REMOVED].contains(&cell.field.as_str())
        });
        let mut edited: Vec<_> = edited
            .filter_map(|(cell, log)| {
                Some((cell.field.clone(), log.by_another(base, client, self.exact_from)?))
            })
            .collect();
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
            cells.write(Cell::dashboard(field), Value::Null, &Value::Null, &client, &stamp);
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
            cells.write(Cell::dashboard(field), "x".repeat(bytes).into(), &Value::Null, &client, &stamp);
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
        let unseen = cells.unseen(&Cell::dashboard("small"), 0, &ClientId::new("c2").expect("an id"));
        assert!(unseen.is_some(), "its writer is known still");
    }

    #[test]
    fn the_value_at_a_revision_is_compared_as_far_as_it_is_known() {
        let mut cells = CellLogs::default();
        let (cell, client) = (Cell::dashboard("title"), ClientId::new("c1").expect("an id"));
        let mut write = |before: &str, after: &str, revision| {
            let stamp = Stamp { revision, ..Stamp::default() };
            cells.write(cell.clone(), Value::from(before), &Value::from(after), &client, &stamp);
        };
        write("a", "b", 5);
        write("b", "c", 9);
        for (revision, value, expected) in [
            (9, "a", SinceBase::Untouched),
            (8, "b", SinceBase::Same),
            (5, "a", SinceBase::Different),
            (4, "a", SinceBase::Same),
            (4, "b", SinceBase::Different),
        ] {
            let found = cells.compare(&cell, revision, &Value::from(value));
            assert_eq!(found, expected, "{value} at {revision}");
        }
        let other = Cell::dashboard("range");
        assert_eq!(cells.compare(&other, 1, &Value::Null), SinceBase::Untouched);
        for n in 0..20 {
            let stamp = Stamp { revision: 10 + n, ..Stamp::default() };
            cells.write(cell.clone(), Value::from(n), &Value::from(n + 1), &client, &stamp);
        }
        assert_eq!(cells.compare(&cell, 4, &Value::from("a")), SinceBase::Unknown, "it had no room");
        assert_eq!(cells.compare(&cell, 28, &Value::from(19)), SinceBase::Same);
    }
}
