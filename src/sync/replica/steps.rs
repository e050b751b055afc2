//! A person's own steps back and forth, played as edits like any other.

use crate::dashboard::Op;
use crate::sync::undo::{Step, UndoStack};

use super::typing::Typing;
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
        let Some(step) = self.undo.take_undo() else { return Ok(Undone::Nothing) };
        let undone = self.play(&step).inspect_err(|_| self.undo.redone(step))?;
        Ok(self.keep(undone, UndoStack::undone))
    }

    /// Does again what was undone last.
    pub fn redo(&mut self) -> Result<Undone, EditError> {
        let Some(step) = self.undo.take_redo() else { return Ok(Undone::Nothing) };
        let redone = self.play(&step).inspect_err(|_| self.undo.undone(step))?;
        Ok(self.keep(redone, UndoStack::redone))
    }

    /// Performs what takes a step back, skipping what others have written over. Returns the step that
    /// takes this one back again. An error means that nothing was done.
    fn play(&mut self, step: &Step) -> Result<Option<(Changes, Step)>, EditError> {
        let mut view = self.view.clone();
        let mut typing = Typing::new(self, &mut view)?;
        for (id, splice) in step.splices.iter().rev() {
            if let Some((at, remove, insert)) = typing.text(id).and_then(|text| text.unsplice(splice)) {
                typing.splice(id, at, remove, &insert)?;
            }
        }
        let ops: Vec<&Op> = step.ops.iter().filter(|op| !self.foreign.wrote_since(op, step.at)).collect();
        // Of a step that was a change of its own, places alone are no reason to do half of it.
        if ops.iter().any(|op| !matches!(op, Op::Place { .. })) || ops.len() == step.ops.len() {
            typing.perform_possible(ops);
        }
        let (queue, splices, inverse) = typing.finish();
        if queue.is_empty() {
            return Ok(None);
        }
        let changes = self.enact(view, queue, self.revision)?;
        Ok(Some((changes, Step::new(inverse, splices, self.foreign.now()))))
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
    use crate::dashboard::{Dashboard, Frame, Kind, NoteText, OpError, User, Widget, WidgetId};
    use crate::sync::replica::MAX_PENDING;

    /// Far more than one op takes, and no two places of it alike.
    fn long() -> String {
        (0..12_000).map(|n| format!("{n:>6} line\n")).collect()
    }

    /// A copy with a note that reads so.
    fn with_note(text: &str) -> (Replica, WidgetId) {
        let id = WidgetId::new("n1").expect("an id");
        let mut dashboard = Dashboard::new("Start");
        let mut note = Widget::new(Kind::Note, "Note", Frame::default());
        note.text = Some(NoteText::default());
        dashboard.widgets.insert(id.clone(), note.into());
        let mut replica = Replica::new(1, dashboard, User::default());
        replica.type_text(&id, 0, 0, text, 0).expect("there is room");
        (replica, id)
    }

    fn reads<'a>(replica: &'a Replica, id: &WidgetId) -> &'a str {
        replica.view().widgets[id].text.as_ref().expect("a note").plain()
    }

    /// Makes as many changes as leave this much room.
    fn fill(replica: &mut Replica, room: usize) {
        for n in replica.pending()..MAX_PENDING - room {
            let value = format!("{n}").into();
            let op = Op::SetDashboard { field: "title".to_owned(), value };
            replica.edit(vec![op]).expect("there is room");
        }
    }

    #[test]
    fn s10_a_step_that_the_full_queue_does_not_take_is_not_lost() {
        let mut replica = Replica::new(1, Dashboard::new("Start"), User::default());
        fill(&mut replica, 0);
        assert_eq!(replica.undo().expect_err("it is full"), EditError::QueueFull);
        assert!(replica.can_undo());
        assert_eq!(replica.pending(), MAX_PENDING, "nothing was dropped");
    }

    #[test]
    fn s10_a_long_text_that_was_removed_comes_back_as_often_as_it_goes() {
        let text = long();
        let (mut replica, id) = with_note(&text);
        let len = text.len() as u32;
        replica.type_text(&id, 0, len, "", 5_000).expect("removed");
        for round in 0..3 {
            assert_eq!(reads(&replica, &id), "", "round {round}");
            assert!(matches!(replica.undo(), Ok(Undone::Done(_))), "round {round}");
            assert!(reads(&replica, &id) == text, "round {round}");
            assert!(matches!(replica.redo(), Ok(Undone::Done(_))), "round {round}");
        }

        // Pasted in pieces, it goes and comes back whole.
        let (mut replica, id) = with_note(&text);
        for round in 0..3 {
            assert!(matches!(replica.undo(), Ok(Undone::Done(_))), "round {round}");
            assert_eq!(reads(&replica, &id), "", "round {round}");
            assert!(matches!(replica.redo(), Ok(Undone::Done(_))), "round {round}");
            assert!(reads(&replica, &id) == text, "round {round}");
        }
    }

    #[test]
    fn s10_a_step_that_fits_in_part_is_not_begun_and_not_lost() {
        let text = long();
        let (mut replica, id) = with_note(&text);
        fill(&mut replica, 3);
        replica.type_text(&id, 0, text.len() as u32, "", 5_000).expect("removed");
        // Room for two, and the text takes more.
        let pending = replica.pending();
        assert_eq!(replica.undo().expect_err("it does not fit"), EditError::QueueFull);
        assert_eq!((reads(&replica, &id), replica.pending()), ("", pending));
        assert!(replica.can_undo() && !replica.can_redo());
        // With room again, the step is the one that comes back.
        replica.pending.clear();
        assert!(matches!(replica.undo(), Ok(Undone::Done(_))));
        assert!(reads(&replica, &id) == text);
    }

    #[test]
    fn s4_a_paste_that_fits_in_part_is_not_taken_at_all() {
        let text = long();
        let (mut replica, id) = with_note(&text);
        let pending = replica.pending();
        let error = replica.type_text(&id, 6, 0, &text, 5_000).expect_err("two are too large for a note");
        assert_eq!(error, OpError::TooLarge.into());
        assert!(reads(&replica, &id) == text);
        assert_eq!(replica.pending(), pending, "nothing is queued");

        let (mut replica, id) = with_note("");
        fill(&mut replica, 2);
        let pending = replica.pending();
        let error = replica.type_text(&id, 0, 0, &text, 5_000).expect_err("no room for so many changes");
        assert_eq!(error, EditError::QueueFull);
        assert_eq!((reads(&replica, &id), replica.pending()), ("", pending));
    }
}
