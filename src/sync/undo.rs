//! A person's own undo and redo, in one tab. It never takes back another person's work: a step whose
//! cell somebody else has written since is skipped. To take back another person's steps is an edit of its own, by
//! the log of these steps.

mod step_log;
mod text_step;

use std::collections::{HashMap, VecDeque};

use crate::dashboard::splice::Splice;
use crate::dashboard::{Cell, NoteText, Op, WidgetId};
use crate::sync::conflict::written_cell;

pub use self::step_log::{Inverse, MAX_NOTED, Noted, Part, Pending, StepLog, Steps, Writer};
pub use self::text_step::TextStep;

/// Steps that can be undone, per person and tab.
pub const MAX_STEPS: usize = 100;
/// A pause in typing that begins a new step, in milliseconds.
const TYPING_PAUSE_MS: u64 = 1_000;
/// Keys that one step of typing gathers.
const MAX_KEYS: usize = 200;

/// What takes one own step back.
#[derive(Clone, Debug)]
pub struct Step {
    pub ops: Vec<Op>,
    /// What was typed, a note once.
    pub texts: Vec<TextStep>,
    /// Where somebody else has written one of these since, nothing of the step is taken back.
    pub whole: Vec<Cell>,
    /// The moment, in [`Foreign::now`], at which it was done.
    pub at: u64,
    typed_at: Option<u64>,
    keys: usize,
}

impl Step {
    pub fn new(ops: Vec<Op>, texts: Vec<TextStep>, at: u64) -> Self {
        Self { ops, texts, whole: Vec::new(), at, typed_at: None, keys: 0 }
    }

    /// With the cells of which others may have written none.
    pub fn whole(self, whole: Vec<Cell>) -> Self {
        Self { whole, ..self }
    }

    fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.texts.iter().all(TextStep::is_empty)
    }

    fn seal(&mut self) {
        self.texts.iter_mut().for_each(TextStep::seal);
    }
}

/// The steps of one tab.
#[derive(Debug, Default)]
pub struct UndoStack {
    undo: VecDeque<Step>,
    redo: Vec<Step>,
}

impl UndoStack {
    pub fn can_undo(&self) -> bool {
        !self.undo.is_empty()
    }

    pub fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    /// A new own step: what was undone before cannot be done again.
    pub fn did(&mut self, step: Step) {
        if !step.is_empty() {
            self.redo.clear();
            self.push(step);
        }
    }

    /// New own typing in a note, which joins the step before it if that was typing just now.
    pub fn typed(
        &mut self,
        id: &WidgetId,
        (before, after): (&NoteText, &NoteText),
        splices: &[Splice],
        at: u64,
        now_ms: u64,
    ) {
        self.redo.clear();
        if let Some(last) = self.undo.back_mut()
            && last.typed_at.is_some_and(|then| now_ms.saturating_sub(then) < TYPING_PAUSE_MS)
            && last.keys < MAX_KEYS
            && let [text] = &mut last.texts[..]
            && text.id == *id
            && text.fold(before, splices, after)
        {
            last.typed_at = Some(now_ms);
            last.keys += 1;
            if last.is_empty() {
                self.undo.pop_back();
            }
            return;
        }
        let mut text = TextStep::new(id.clone(), before);
        text.fold(before, splices, after);
        let step = Step { typed_at: Some(now_ms), keys: 1, ..Step::new(Vec::new(), vec![text], at) };
        if !step.is_empty() {
            self.push(step);
        }
    }

    /// Notes the characters beside what was typed in a note, so that its text itself need not be kept.
    pub fn seal(&mut self, id: &WidgetId) {
        self.texts(id).for_each(TextStep::seal);
    }

    /// Takes up that a note was compacted: what was typed there is found by the characters that it has now.
    pub fn compacted(&mut self, id: &WidgetId, text: &NoteText) {
        text.rebase_bounds(self.texts(id).flat_map(TextStep::bounds_mut));
    }

    fn texts<'a>(&'a mut self, id: &'a WidgetId) -> impl Iterator<Item = &'a mut TextStep> {
        let steps = self.undo.iter_mut().chain(&mut self.redo);
        steps.flat_map(|step| &mut step.texts).filter(move |text| text.id == *id)
    }

    pub fn take_undo(&mut self) -> Option<Step> {
        self.undo.pop_back()
    }

    pub fn take_redo(&mut self) -> Option<Step> {
        self.redo.pop()
    }

    /// A step was undone; this does it again.
    pub fn undone(&mut self, mut step: Step) {
        if !step.is_empty() {
            step.seal();
            self.redo.push(step);
        }
    }

    /// A step was done again; this undoes it.
    pub fn redone(&mut self, step: Step) {
        if !step.is_empty() {
            self.push(step);
        }
    }

    /// Says how texts read after a step back or forth: the steps next to it build on them.
    pub fn refresh<'a>(&mut self, text: impl Fn(&WidgetId) -> Option<&'a NoteText>) {
        for step in self.undo.back_mut().into_iter().chain(self.redo.last_mut()) {
            for one in &mut step.texts {
                if let Some(text) = text(&one.id) {
                    one.refresh(text);
                }
            }
        }
    }

    fn push(&mut self, step: Step) {
        // Only the newest goes on, and needs the text as it left it.
        if let Some(last) = self.undo.back_mut() {
            last.seal();
        }
        self.undo.push_back(step);
        if self.undo.len() > MAX_STEPS {
            self.undo.pop_front();
        }
    }
}

/// When others last wrote each cell, counted in their ops.
#[derive(Debug, Default)]
pub struct Foreign {
    count: u64,
    written: HashMap<Cell, u64>,
    /// The last write of any field of a widget.
    widgets: HashMap<WidgetId, u64>,
    /// Before this nothing is known: everything counts as written.
    known_from: u64,
}

impl Foreign {
    /// This moment.
    pub fn now(&self) -> u64 {
        self.count
    }

    /// Notes others' ops. Widgets that made room were not written by anybody.
    pub fn note(&mut self, ops: &[Op]) {
        for op in ops {
            let made_room = matches!(op, Op::Place { settled: true, .. });
            if let Some(cell) = written_cell(op).filter(|_| !made_room) {
                self.count += 1;
                if let Some(id) = op.widget_id() {
                    self.widgets.insert(id.clone(), self.count);
                }
                self.written.insert(cell, self.count);
            }
        }
    }

    /// A snapshot came: what was written meanwhile is not known.
    pub fn forget(&mut self) {
        self.count += 1;
        self.known_from = self.count;
        self.written.clear();
        self.widgets.clear();
    }

    /// Whether somebody else has written, since a moment, what this op would write.
    pub fn wrote_since(&self, op: &Op, at: u64) -> bool {
        if at < self.known_from {
            return true;
        }
        match op {
            // To remove a widget takes all of its fields away.
            Op::RemoveWidget { id } => self.widgets.get(id).is_some_and(|last| *last > at),
            op => written_cell(op).is_some_and(|cell| self.wrote_cell_since(&cell, at)),
        }
    }

    /// Whether somebody else has written a cell since a moment.
    pub fn wrote_cell_since(&self, cell: &Cell, at: u64) -> bool {
        at < self.known_from || self.written.get(cell).is_some_and(|last| *last > at)
    }
}
