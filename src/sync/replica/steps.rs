//! A person's own steps back and forth, played as edits like any other.

use crate::dashboard::{Edit, Op};
use crate::sync::undo::{Step, UndoStack};

use super::{Changes, EditError, Replica};

/// What became of an undo or a redo.
#[derive(Debug)]
pub enum Undone {
    Done(Changes),
    /// Somebody else has written there since; the step was skipped.
    Skipped,
    Nothing,
}

impl Replica {
    /// Takes back the last own step that nobody else has written over.
    pub fn undo(&mut self) -> Result<Undone, EditError> {
        // Before the step is taken, which an error would lose.
        self.may_edit()?;
        let Some(step) = self.undo.take_undo() else { return Ok(Undone::Nothing) };
        let undone = self.play(step)?;
        Ok(self.keep(undone, UndoStack::undone))
    }

    /// Does again what was undone last.
    pub fn redo(&mut self) -> Result<Undone, EditError> {
        self.may_edit()?;
        let Some(step) = self.undo.take_redo() else { return Ok(Undone::Nothing) };
        let redone = self.play(step)?;
        Ok(self.keep(redone, UndoStack::redone))
    }

    /// Performs what takes a step back, skipping what others have written over. Returns the step that
    /// takes this one back again.
    fn play(&mut self, step: Step) -> Result<Option<(Changes, Step)>, EditError> {
        let mut changes = Changes::default();
        let ops: Vec<Op> =
            step.ops.iter().filter(|op| !self.foreign.wrote_since(op, step.at)).cloned().collect();
        let mut splices = Vec::new();
        for (id, splice) in step.splices.iter().rev() {
            let text = self.view.widgets.get(id).and_then(|widget| widget.text.as_ref());
            if let Some((at, remove, insert)) = text.and_then(|text| text.unsplice(splice)) {
                let (more, back) = self.splice(id, at, remove, &insert)?;
                changes.merge(more);
                splices.push((id.clone(), back));
            }
        }
        let mut inverse = Vec::new();
        let mut performed = false;
        // Of a step that was a change of its own, places alone are no reason to do half of it.
        if ops.iter().any(|op| !matches!(op, Op::Place { .. })) || ops.len() == step.ops.len() {
            let possible = self.possible(&ops);
            if !possible.is_empty() {
                let (more, effect) = self.perform(possible, self.revision)?;
                changes.merge(more);
                inverse = effect.inverse;
                performed = true;
            }
        }
        let something = performed || !splices.is_empty();
        Ok(something.then(|| (changes, Step::new(inverse, splices, self.foreign.now()))))
    }

    /// The ops that have an effect on the view as it is.
    fn possible(&self, ops: &[Op]) -> Vec<Op> {
        let mut view = self.view.clone();
        let mut edit = Edit::new(&mut view, self.stamp());
        ops.iter().filter(|op| edit.perform(op).is_ok()).cloned().collect()
    }

    fn keep(&mut self, outcome: Option<(Changes, Step)>, keep: fn(&mut UndoStack, Step)) -> Undone {
        match outcome {
            Some((changes, step)) => {
                keep(&mut self.undo, step);
                Undone::Done(changes)
            }
            None => Undone::Skipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Dashboard, User};
    use crate::sync::replica::MAX_PENDING;

    #[test]
    fn s10_a_step_that_the_full_queue_does_not_take_is_not_lost() {
        let mut replica = Replica::new(1, Dashboard::new("Start"), User::default());
        for n in 0..MAX_PENDING {
            let value = format!("{n}").into();
            let op = Op::SetDashboard { field: "title".to_owned(), value };
            replica.edit(vec![op]).expect("there is room");
        }
        assert_eq!(replica.undo().expect_err("it is full"), EditError::QueueFull);
        assert!(replica.can_undo());
        assert_eq!(replica.pending(), MAX_PENDING, "nothing was dropped");
    }
}
