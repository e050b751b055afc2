//! Log of others' steps: what takes each of them back, and who has written the same cells since.
//!
//! It follows the commits of the log as a copy applies them, so it knows what each cell said before. Own commits are
//! in it as writers only; what takes those back is in the [`UndoStack`](super::UndoStack).

use std::collections::VecDeque;

use serde_json::Value;

use super::{MAX_KEYS, TYPING_PAUSE_MS, TextStep};
use crate::dashboard::number::same_value;
use crate::dashboard::op::{REMOVED, TEXT};
use crate::dashboard::size::json_bytes;
use crate::dashboard::splice::Splice;
use crate::dashboard::{Cell, Choice, Dashboard, Frame, NoteText, Op, Stamp, User, UserId, WidgetId};
use crate::sync::conflict::written_cell;
use crate::sync::protocol::Commit;

/// Commits that are noted, of everybody; the oldest are forgotten first.
pub const MAX_NOTED: usize = 1_000;
/// Bytes of them, about.
const MAX_NOTED_BYTES: usize = 2 * 1024 * 1024;
/// Bytes that a cell or an op takes beside its content, about.
const ENTRY_BYTES: usize = 96;
/// Newest commits among which one looks for the one that it goes on from.
const JOINED_WITHIN: usize = 8;

/// A choice among the steps of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Revisions of the first and of the last of them.
    pub from: u64,
    pub to: u64,
    /// Cells that they wrote; all where this is empty.
    pub cells: Vec<Cell>,
}

impl Steps {
    /// All steps of a person.
    pub const ALL: Self = Self { from: 0, to: u64::MAX, cells: Vec::new() };

    /// What one commit wrote in these cells, or all of it.
    pub fn of(revision: u64, cells: Vec<Cell>) -> Self {
        Self { from: revision, to: revision, cells }
    }

    fn take(&self, part: &Part) -> bool {
        let cell = match part {
            Part::Text(text) => Some(Cell::widget(&text.id, TEXT)),
            Part::Op(inverse) => written_cell(&inverse.op).filter(|_| !inverse.made_room),
        };
        cell.is_some_and(|cell| self.cells.is_empty() || self.cells.contains(&cell))
    }
}

/// What takes one op of a commit back.
#[derive(Clone, Debug)]
pub struct Inverse {
    pub op: Op,
    /// What the cell said when the commit was applied.
    left: Value,
    /// True where nobody chose this: a widget that made room goes back to its place.
    pub made_room: bool,
}

impl Inverse {
    /// True for an op that changes the layout.
    pub fn is_layout(&self) -> bool {
        !matches!(self.op, Op::Set { .. } | Op::SetDashboard { .. })
    }
}

/// A part of a commit that can be taken back.
#[derive(Clone, Debug)]
pub enum Part {
    Op(Inverse),
    Text(TextStep),
}

impl Part {
    fn bytes(&self) -> usize {
        ENTRY_BYTES
            + match self {
                Self::Op(Inverse { op, left, .. }) => json_bytes(op) + json_bytes(left),
                Self::Text(text) => text.bytes(),
            }
    }
}

/// A commit as it is applied, or several of one person's typing.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Revisions of the first and of the last commit.
    from: u64,
    to: u64,
    /// The time of the last one, Unix milliseconds.
    at: u64,
    /// `None` for this tab.
    by: Option<User>,
    cells: Vec<Cell>,
    parts: Vec<Part>,
    /// The text before a commit that is typing and nothing else, and what it did there.
    typed: Option<(NoteText, Splice)>,
    /// Commits of typing in this.
    keys: usize,
}

impl Noted {
    /// Begins to note a commit; `mine` for one of this tab.
    pub fn new(commit: &Commit, mine: bool) -> Self {
        let by = (!mine).then(|| commit.by.clone());
        let (cells, parts) = (Vec::new(), Vec::new());
        Self {
            from: commit.revision,
            to: commit.revision,
            at: commit.at,
            by,
            cells,
            parts,
            typed: None,
            keys: 1,
        }
    }

    /// Applies an op of the commit and notes what takes it back.
    pub fn apply(&mut self, dashboard: &mut Dashboard, op: &Op, stamp: &Stamp) {
        let made_room = matches!(op, Op::Place { settled: true, .. });
        if let Some(cell) = written_cell(op).filter(|cell| !made_room && !self.cells.contains(cell)) {
            self.cells.push(cell);
        }
        if self.by.is_none() {
            return dashboard.apply(op, stamp);
        }
        if let Op::EditText { id, .. } = op {
            let before = dashboard.text(id).cloned();
            dashboard.apply(op, stamp);
            let after = dashboard.text(id);
            if let (Some(before), Some(after)) = (before, after)
                && let Some(splice) = Splice::between(before.plain(), after.plain())
            {
                let mut text = TextStep::new(id.clone(), &before);
                text.fold(&before, std::slice::from_ref(&splice), after);
                self.typed = self.parts.is_empty().then_some((before, splice));
                self.parts.push(Part::Text(text));
            }
            return;
        }
        let inverse = inverse(dashboard, op);
        dashboard.apply(op, stamp);
        if let Some(op) = inverse {
            self.typed = None;
            let left = reads(dashboard, &op);
            self.parts.push(Part::Op(Inverse { op, left, made_room }));
        }
    }

    /// Its parts among some steps, the last first.
    pub fn parts<'a>(&'a self, steps: &'a Steps) -> impl Iterator<Item = &'a Part> {
        self.parts.iter().rev().filter(|part| steps.take(part))
    }

    /// The same with what takes back that others made room for it.
    pub fn parts_with_room<'a>(&'a self, steps: &'a Steps) -> impl Iterator<Item = &'a Part> {
        let made_room = |part: &Part| matches!(part, Part::Op(inverse) if inverse.made_room);
        self.parts.iter().rev().filter(move |part| made_room(part) || steps.take(part))
    }

    fn is_by(&self, id: &UserId) -> bool {
        self.by.as_ref().is_some_and(|by| by.id == *id)
    }

    fn is_among(&self, steps: &Steps) -> bool {
        self.from <= steps.to && steps.from <= self.to
    }

    /// The note of a commit, or of several, that is typing and nothing else.
    fn note(&self) -> Option<&WidgetId> {
        match &self.parts[..] {
            [Part::Text(text)] => Some(&text.id),
            _ => None,
        }
    }

    /// Takes in a commit of the same writer that goes on from this: typing in one go, or more of what nobody takes
    /// back from here. False, and nothing is changed, where it is another step.
    fn join(&mut self, next: &Noted) -> bool {
        if self.parts.is_empty() && next.parts.is_empty() && self.cells == next.cells {
            self.to = next.to;
            return true;
        }
        let fits = self.note().is_some()
            && self.note() == next.note()
            && self.keys < MAX_KEYS
            && next.at.saturating_sub(self.at) < TYPING_PAUSE_MS;
        let ([Part::Text(text)], [Part::Text(typed)], Some((before, splice))) =
            (&mut self.parts[..], &next.parts[..], &next.typed)
        else {
            return false;
        };
        let Some(after) = typed.text().filter(|_| fits) else { return false };
        if !text.fold(before, std::slice::from_ref(splice), after) {
            return false;
        }
        text.seal();
        let is_nothing = text.is_empty();
        (self.to, self.at, self.keys) = (next.to, next.at, self.keys + 1);
        if is_nothing {
            self.parts.clear();
        }
        true
    }

    fn seal(&mut self) {
        self.typed = None;
        for part in &mut self.parts {
            if let Part::Text(text) = part {
                text.seal();
            }
        }
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES * (1 + self.cells.len()) + self.parts.iter().map(Part::bytes).sum::<usize>()
    }
}

/// Somebody who has written over a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    /// This tab.
    Me,
    Other(User),
}

/// What this tab has written and the log does not have yet.
pub struct Pending<'a>(pub Vec<&'a Op>);

/// The last commits, the newest last.
#[derive(Debug, Default)]
pub struct StepLog {
    noted: VecDeque<Noted>,
    bytes: usize,
}

impl StepLog {
    /// Notes a commit that was applied.
    pub fn note(&mut self, mut noted: Noted) {
        if noted.cells.is_empty() && noted.parts.is_empty() {
            return;
        }
        let mut newest = self.noted.iter_mut().rev().take(JOINED_WITHIN);
        if let Some(before) = newest.find(|one| one.by == noted.by) {
            let bytes = before.bytes();
            if before.join(&noted) {
                self.bytes = (self.bytes + before.bytes()).saturating_sub(bytes);
                return;
            }
        }
        noted.seal();
        self.bytes += noted.bytes();
        self.noted.push_back(noted);
        while self.noted.len() > MAX_NOTED || self.bytes > MAX_NOTED_BYTES {
            let Some(oldest) = self.noted.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// Forgets all: what was written meanwhile is not known.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Takes up that a note was compacted: what was typed there is found by the characters that it has now.
    pub fn compacted(&mut self, id: &WidgetId, text: &NoteText) {
        let parts = self.noted.iter_mut().flat_map(|noted| &mut noted.parts);
        let texts = parts.filter_map(|part| match part {
            Part::Text(text) if text.id == *id => Some(text),
            _ => None,
        });
        text.rebase_bounds(texts.flat_map(TextStep::bounds_mut));
    }

    /// How many steps of whom can be taken back.
    pub fn counts(&self) -> Vec<(UserId, usize)> {
        let mut counts: Vec<(UserId, usize)> = Vec::new();
        for by in
            self.noted.iter().filter(|noted| !noted.parts.is_empty()).filter_map(|noted| noted.by.as_ref())
        {
            match counts.iter_mut().find(|(id, _)| *id == by.id) {
                Some((_, count)) => *count += 1,
                None => counts.push((by.id.clone(), 1)),
            }
        }
        counts
    }

    /// The steps of somebody that are chosen, the newest first.
    pub fn of<'a>(&'a self, by: &'a UserId, steps: &'a Steps) -> impl Iterator<Item = &'a Noted> {
        let chosen = move |noted: &&Noted| noted.is_by(by) && noted.is_among(steps);
        self.noted.iter().rev().filter(chosen)
    }

    /// Removes steps that were taken back. Who wrote what stays noted.
    pub fn remove(&mut self, by: &UserId, steps: &Steps) {
        let chosen = self.noted.iter_mut().filter(|noted| noted.is_by(by) && noted.is_among(steps));
        for noted in chosen {
            let before = noted.bytes();
            let moves = |part: &Part| matches!(part, Part::Op(inverse) if inverse.is_layout());
            let moved = noted.parts(steps).any(moves);
            let made_room = |part: &Part| moved && matches!(part, Part::Op(inverse) if inverse.made_room);
            noted.parts.retain(|part| !steps.take(part) && !made_room(part));
            self.bytes = (self.bytes + noted.bytes()).saturating_sub(before);
        }
    }

    /// Who has written, since a step, over what takes a part of it back. `None` where the value is still the one that
    /// the step left. What others wrote counts whatever it says; what this tab and the same person wrote, where it says
    /// something else.
    pub fn written_over(
        &self,
        step: &Noted,
        inverse: &Inverse,
        now: &Dashboard,
        pending: &Pending,
    ) -> Option<Writer> {
        let op = &inverse.op;
        let since = || self.noted.iter().rev().filter(|noted| noted.to > step.to);
        let wrote = |noted: &&Noted| noted.cells.iter().any(|cell| touches(op, cell, now));
        let step_by = step.by.as_ref().map(|by| &by.id);
        let other =
            since().find(|noted| noted.by.as_ref().is_some_and(|by| Some(&by.id) != step_by) && wrote(noted));
        if let Some(by) = other.and_then(|noted| noted.by.clone()) {
            return Some(Writer::Other(by));
        }
        let removes = matches!(op, Op::RemoveWidget { .. });
        if !removes && same_value(&reads(now, op), &inverse.left) {
            return None;
        }
        let pending =
            || pending.0.iter().filter_map(|op| written_cell(op)).any(|cell| touches(op, &cell, now));
        if since().any(|noted| noted.by.is_none() && wrote(&noted)) || pending() {
            return Some(Writer::Me);
        }
        // A later step of the same person that is not taken back with it.
        let later = since().any(|noted| noted.by.is_some() && wrote(&noted));
        step.by.clone().filter(|_| later && !removes).map(Writer::Other)
    }

    /// Who else has written in the note of a step since.
    pub fn typed_over(&self, step: &Noted, id: &WidgetId) -> Writer {
        let cells = [Cell::widget(id, TEXT), Cell::widget(id, REMOVED)];
        let wrote = |noted: &&Noted| {
            noted.to > step.from && noted.by != step.by && noted.cells.iter().any(|cell| cells.contains(cell))
        };
        let by = self.noted.iter().rev().find(wrote).and_then(|noted| noted.by.clone());
        by.map_or(Writer::Me, Writer::Other)
    }
}

/// Whether who wrote a cell has written over what an op would write.
fn touches(op: &Op, cell: &Cell, now: &Dashboard) -> bool {
    match op {
        // To remove a widget takes all of its fields away.
        Op::RemoveWidget { id } => cell.id.as_ref() == Some(id),
        Op::SettleConflict { conflict, .. } => {
            let about = now.conflicts.get(conflict).map(|conflict| &conflict.cell);
            let is_about = |about: &Cell| about == cell || (about.field == REMOVED && about.id == cell.id);
            written_cell(op).as_ref() == Some(cell) || about.is_some_and(is_about)
        }
        op => {
            let is_gone = |id: &WidgetId| {
                !now.widgets.contains_key(id) && cell.field == REMOVED && cell.id.as_ref() == Some(id)
            };
            op.cell().as_ref() == Some(cell) || op.widget_id().is_some_and(is_gone)
        }
    }
}

/// The op that takes back another one that is about to be applied as it is; `None` where it changes nothing, and for
/// typing.
fn inverse(dashboard: &Dashboard, op: &Op) -> Option<Op> {
    Some(match op {
        Op::AddWidget { id, .. } => Op::RemoveWidget { id: id.clone() },
        Op::RemoveWidget { id } => {
            dashboard.widgets.get(id)?;
            Op::RestoreWidget { id: id.clone() }
        }
        Op::RestoreWidget { id } => {
            dashboard.removed.get(id)?;
            Op::RemoveWidget { id: id.clone() }
        }
        Op::Place { id, .. } => {
            let frame = dashboard.widgets.get(id)?.frame;
            Op::Place { id: id.clone(), frame, settled: false }
        }
        Op::Set { id, field, .. } => {
            let value = dashboard.widgets.get(id)?.value(field);
            Op::Set { id: id.clone(), field: field.clone(), value }
        }
        Op::SetDashboard { field, .. } => {
            let value = dashboard.value(&Cell::dashboard(field));
            Op::SetDashboard { field: field.clone(), value }
        }
        Op::SettleConflict { conflict, choose } => {
            dashboard.conflicts.get(conflict)?;
            // What a choice brought is in ops of its own.
            let choose = if *choose == Choice::Reopen { Choice::Kept } else { Choice::Reopen };
            Op::SettleConflict { conflict: conflict.clone(), choose }
        }
        Op::EditText { .. } => return None,
    })
}

/// What the cell of an op says.
fn reads(dashboard: &Dashboard, op: &Op) -> Value {
    match op {
        Op::Place { id, .. } => dashboard.widgets.get(id).map_or(Value::Null, |widget| {
            let Frame { x, y, w, h } = widget.frame;
            Value::from(vec![x, y, w, h])
        }),
        op => dashboard.before(op),
    }
}
