//! A person's own steps back and forth, played as edits like any other.

use serde_json::Value;

use crate::dashboard::op::REMOVED;
use crate::dashboard::splice::{Splice, units};
use crate::dashboard::{Cell, Choice, Dashboard, NoteText, Op, WidgetId};
use crate::sync::conflict::waiting;
use crate::sync::undo::{Step, TextStep, UndoStack};

use super::typing::{Typed, Typing};
use super::{Changes, EditError, Replica, Seen};

/// What goes along with an edit because of it, as the uses of a name go along with the name.
#[derive(Clone, Debug, Default)]
pub struct Along {
    pub ops: Vec<Op>,
    /// What is replaced in notes, a note once, its places in their order and apart from each other.
    pub texts: Vec<(WidgetId, Vec<Splice>)>,
    /// Cells that are one thing with the edit, also those that it leaves as they are: the step is taken back
    /// only while nobody else has written any of them.
    pub whole: Vec<Cell>,
}

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
        if step.whole.iter().any(|cell| self.foreign.wrote_cell_since(cell, step.at)) {
            return Ok(None);
        }
        let mut view = self.view.clone();
        let mut typing = Typing::new(self, &mut view)?;
        let is_there = |text: &&TextStep| self.view.text(&text.id).is_some();
        let (now, later): (Vec<&TextStep>, Vec<&TextStep>) = step.texts.iter().rev().partition(is_there);
        type_back(&mut typing, &now)?;
        let met = |op: &&Op| self.foreign.wrote_since(op, step.at) || self.chooses_over(op, step.at);
        let ops: Vec<&Op> = step.ops.iter().filter(|op| !met(op)).collect();
        // Of a step that was a change of its own, places alone are no reason to do half of it.
        if ops.iter().any(|op| !matches!(op, Op::Place { .. })) || ops.len() == step.ops.len() {
            for op in ops {
                typing.attempt(op);
            }
        }
        // In a note that has come back with them.
        type_back(&mut typing, &later)?;
        let (queue, typed, inverse) = typing.finish();
        if queue.is_empty() {
            return Ok(None);
        }
        let step = self.step(typed, inverse, &view).whole(step.whole.clone());
        let changes = self.enact(view, queue, self.revision)?;
        Ok(Some((changes, step)))
    }

    /// Whether a choice that is taken back, or made again, would touch what others have written since a moment.
    fn chooses_over(&self, op: &Op, at: u64) -> bool {
        let Op::SettleConflict { conflict, choose } = op else { return false };
        let Some(conflict) = self.view.conflicts.get(conflict) else { return false };
        let removed = conflict.cell.id.as_ref().filter(|_| conflict.cell.field == REMOVED);
        let wrote = |cell: &Cell| self.foreign.wrote_cell_since(cell, at);
        let value = match choose {
            Choice::Kept => return false,
            Choice::Reopen => {
                return removed
                    .is_some_and(|id| self.foreign.wrote_since(&Op::RemoveWidget { id: id.clone() }, at));
            }
            Choice::Other => &conflict.other.value,
            Choice::Value(value) => value,
        };
        let fields = removed.map(|_| waiting::values(value)).unwrap_or_default();
        let edited = |(field, _): &(String, Value)| {
            conflict.cell.id.as_ref().is_some_and(|id| wrote(&Cell::widget(id, field)))
        };
        wrote(&conflict.cell) || fields.iter().any(edited)
    }

    /// What takes back what was done on a view, given what that was.
    pub(super) fn step(&self, typed: Typed, inverse: Vec<Op>, view: &Dashboard) -> Step {
        let texts = typed.into_iter().filter_map(|(id, splices)| {
            let (before, after) = (text_of(&self.view, &id)?, text_of(view, &id)?);
            let mut text = TextStep::new(id, before);
            text.fold(before, &splices, after);
            Some(text)
        });
        Step::new(inverse, texts.collect(), self.foreign.now())
    }

    /// As [`Replica::edit_begun`], and with it as one step what goes along: what that does is done as it is
    /// seen now. An error means that nothing was done.
    pub fn edit_along(&mut self, ops: Vec<Op>, began: Seen, along: Along) -> Result<Changes, EditError> {
        let now = self.revision;
        let first = if ops.is_empty() { now } else { self.base(began) };
        let mut view = self.view.clone();
        let mut typing = Typing::new(self, &mut view)?;
        typing.perform(ops)?;
        typing.perform(along.ops)?;
        for (id, splices) in &along.texts {
            // From the last to the first, so that each finds its place.
            for Splice { at, removed, inserted } in splices.iter().rev() {
                typing.splice(id, *at, units(removed), inserted)?;
            }
        }
        let (queue, typed, inverse) = typing.finish();
        let step = self.step(typed, inverse, &view).whole(along.whole);
        let bases = std::iter::once(first).chain(std::iter::repeat(now));
        let changes = self.enact_from(view, queue.into_iter().zip(bases).collect())?;
        self.undo.did(step);
        Ok(changes)
    }

    fn keep(&mut self, outcome: Option<(Changes, Step)>, keep: fn(&mut UndoStack, Step)) -> Undone {
        match outcome {
            Some((changes, step)) => {
                keep(&mut self.undo, step);
                self.undo.refresh(|id| self.view.text(id));
                Undone::Done(changes)
            }
            None => Undone::Skipped,
        }
    }
}

/// Takes back what was typed, as far as it is there.
fn type_back(typing: &mut Typing, texts: &[&TextStep]) -> Result<(), EditError> {
    for text in texts {
        let back = typing.text(&text.id).map(|now| text.back(now));
        for Splice { at, removed, inserted } in back.unwrap_or_default() {
            typing.splice(&text.id, at, units(&removed), &inserted)?;
        }
    }
    Ok(())
}

/// The text of a note that is there, or was when it was removed.
fn text_of<'a>(dashboard: &'a Dashboard, id: &WidgetId) -> Option<&'a NoteText> {
    let removed = || dashboard.removed.get(id)?.widget.text.as_ref();
    dashboard.text(id).or_else(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::text::MAX_NOTE_CHARS;
    use crate::dashboard::{ClientId, Frame, Kind, OpError, User, Widget};
    use crate::sync::protocol::Commit;
    use crate::sync::replica::MAX_PENDING;
    use proptest::prelude::*;
    use serde_json::json;

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
        assert_eq!(error, OpError::TextTooLong(MAX_NOTE_CHARS).into());
        assert!(reads(&replica, &id) == text);
        assert_eq!(replica.pending(), pending, "nothing is queued");

        let (mut replica, id) = with_note("");
        fill(&mut replica, 2);
        let pending = replica.pending();
        let error = replica.type_text(&id, 0, 0, &text, 5_000).expect_err("no room for so many changes");
        assert_eq!(error, EditError::QueueFull);
        assert_eq!((reads(&replica, &id), replica.pending()), ("", pending));
    }

    /// Takes steps back, or does them again, until there are no more. How it read after each.
    fn all_the_way(replica: &mut Replica, id: &WidgetId, step: fn(&mut Replica) -> Undone) -> Vec<String> {
        let mut read = vec![reads(replica, id).to_owned()];
        loop {
            match step(replica) {
                Undone::Done(_) => read.push(reads(replica, id).to_owned()),
                Undone::Skipped => panic!("nobody else wrote here"),
                Undone::Nothing => return read,
            }
        }
    }

    fn undo(replica: &mut Replica) -> Undone {
        replica.undo().expect("there is room")
    }

    fn redo(replica: &mut Replica) -> Undone {
        replica.redo().expect("there is room")
    }

    /// Somebody else types into the note.
    fn typed_by_another(replica: &mut Replica, id: &WidgetId, at: u32, insert: &str) {
        let (update, _) = replica.confirmed().text(id).expect("a note").splice(99, at, 0, insert);
        written_by_another(replica, vec![Op::edit_text(id, update)]);
    }

    fn written_by_another(replica: &mut Replica, ops: Vec<Op>) {
        let client = ClientId::new("other").expect("an id");
        let revision = replica.revision() + 1;
        let (seq, by) = (revision, User::default());
        let (refused, conflicts) = (Vec::new(), Vec::new());
        let commit = Commit { revision, client, seq, by, at: 0, written_at: None, ops, refused, conflicts };
        assert_eq!(replica.commits(vec![commit], None, None).lost, None);
    }

    #[test]
    fn s4_what_goes_along_with_an_edit_is_one_step_of_it() {
        let (mut replica, id) = with_note("on $a and $a");
        let set =
            |field: &str, value: &str| Op::SetDashboard { field: field.to_owned(), value: value.into() };
        let places = [4, 11].map(|at| Splice { at, removed: "a".to_owned(), inserted: "bc".to_owned() });
        let title = Op::Set { id: id.clone(), field: "title".to_owned(), value: "$bc".into() };
        let along =
            Along { ops: vec![title], texts: vec![(id.clone(), places.to_vec())], ..Along::default() };
        let (began, pending) = (replica.seen(), replica.pending());
        replica.edit_along(vec![set("title", "Mine")], began, along.clone()).expect("there is room");
        assert_eq!(replica.pending() - pending, 3, "the value, what goes along, and the text");
        let now = |replica: &Replica| {
            let view = replica.view();
            (view.title.clone(), view.widgets[&id].title.clone(), reads(replica, &id).to_owned())
        };
        let shows =
            |title: &str, widget: &str, text: &str| (title.to_owned(), widget.to_owned(), text.to_owned());
        for _ in 0..2 {
            assert_eq!(now(&replica), shows("Mine", "$bc", "on $bc and $bc"));
            undo(&mut replica);
            assert_eq!(now(&replica), shows("Start", "Note", "on $a and $a"));
            redo(&mut replica);
        }
        undo(&mut replica);

        // What others wrote beside it stays, and all of it is done or nothing.
        replica.confirmed = replica.view.clone();
        replica.pending.clear();
        replica.edit_along(vec![set("title", "Mine")], began, along.clone()).expect("there is room");
        typed_by_another(&mut replica, &id, 0, "Look ");
        undo(&mut replica);
        assert_eq!(reads(&replica, &id), "Look on $a and $a");
        fill(&mut replica, 2);
        let before = now(&replica);
        let error = replica.edit_along(vec![set("title", "Mine")], began, along).expect_err("room for two");
        assert_eq!((error, now(&replica)), (EditError::QueueFull, before));
    }

    #[test]
    fn s4_a_step_that_is_one_thing_takes_nobody_elses_part_of_it_away() {
        let (mut replica, id) = with_note("on $a");
        let set = |field: &str, value: Value| Op::SetDashboard { field: field.to_owned(), value };
        let choices = json!({ "choices": ["x", "y"] });
        replica.edit(vec![set("variable.a", choices.clone())]).expect("there is room");
        let rename = |replica: &mut Replica| {
            let ops = vec![set("variable.a", Value::Null), set("variable.bc", choices.clone())];
            let place = Splice { at: 4, removed: "a".to_owned(), inserted: "bc".to_owned() };
            let along = Along {
                texts: vec![(id.clone(), vec![place])],
                whole: ["variable.bc", "value.bc"].map(Cell::dashboard).into(),
                ..Along::default()
            };
            replica.edit_along(ops, replica.seen(), along).expect("there is room");
            replica.confirmed = replica.view.clone();
            replica.pending.clear();
        };
        let value = |replica: &Replica| replica.view().settings.get("value.bc").cloned();
        rename(&mut replica);
        written_by_another(&mut replica, vec![set("title", "Theirs".into())]);
        assert!(matches!(undo(&mut replica), Undone::Done(_)), "what is no part of it is in no way");
        assert_eq!(reads(&replica, &id), "on $a");
        assert!(matches!(redo(&mut replica), Undone::Done(_)));
        replica.confirmed = replica.view.clone();
        replica.pending.clear();
        written_by_another(&mut replica, vec![set("value.bc", "y".into())]);
        assert!(matches!(undo(&mut replica), Undone::Skipped));
        assert_eq!((reads(&replica, &id), value(&replica)), ("on $bc", Some("y".into())));
        assert!(replica.view().settings.contains_key("variable.bc"));
    }

    #[test]
    fn s4_what_backspace_took_comes_back_in_its_order() {
        let (mut replica, id) = with_note("Hello");
        for at in [4, 3, 2] {
            replica.type_text(&id, at, 1, "", 5_000).expect("removed");
        }
        undo(&mut replica);
        assert_eq!(reads(&replica, &id), "Hello");
    }

    #[test]
    fn s4_text_that_came_back_can_be_taken_back_itself() {
        let (mut replica, id) = with_note("Hello");
        replica.type_text(&id, 0, 2, "", 5_000).expect("removed");
        undo(&mut replica);
        assert!(matches!(undo(&mut replica), Undone::Done(_)));
        assert_eq!(reads(&replica, &id), "");
        // And where somebody else has typed since.
        let (mut replica, id) = with_note("Hello");
        replica.type_text(&id, 0, 2, "", 5_000).expect("removed");
        undo(&mut replica);
        replica.confirmed = replica.view.clone();
        replica.pending.clear();
        typed_by_another(&mut replica, &id, 5, " Ada");
        assert!(matches!(undo(&mut replica), Undone::Done(_)));
        assert_eq!(reads(&replica, &id), " Ada");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn s4_undo_and_redo_go_the_same_way_back_and_forth(
            keys in prop::collection::vec((0u32..20, 0u32..4, "[a-z😀]{0,3}", any::<bool>()), 1..40),
            walk in prop::collection::vec(any::<bool>(), 0..30),
        ) {
            let (mut replica, id) = with_note("To be or not");
            let mut now = 5_000;
            for (at, remove, insert, pause) in &keys {
                now += if *pause { 2_000 } else { 50 };
                replica.type_text(&id, *at, *remove, insert, now).expect("there is room");
            }
            let end = reads(&replica, &id).to_owned();
            let back = all_the_way(&mut replica, &id, undo);
            prop_assert_eq!(reads(&replica, &id), "");
            let mut forth = all_the_way(&mut replica, &id, redo);
            prop_assert_eq!(reads(&replica, &id), end);
            forth.reverse();
            prop_assert_eq!(&forth, &back);
            let mut depth = 0;
            for is_undo in walk {
                let done = if is_undo { undo(&mut replica) } else { redo(&mut replica) };
                match done {
                    Undone::Done(_) if is_undo => depth += 1,
                    Undone::Done(_) => depth -= 1,
                    _ => {}
                }
                prop_assert_eq!(reads(&replica, &id), &back[depth]);
            }
        }

        #[test]
        fn s4_steps_among_others_words_leave_these(
            doings in prop::collection::vec((0u32..20, "[a-y]{1,3}", 0u8..6), 1..40),
        ) {
            let (mut replica, id) = with_note("");
            replica.type_text(&id, 0, 0, "x", 5_000).expect("there is room");
            let (mut now, mut others) = (5_000, 0);
            for (at, insert, doing) in &doings {
                match doing {
                    0 | 1 => {
                        now += 700;
                        replica.type_text(&id, *at, 0, insert, now).expect("there is room");
                    }
                    2 | 3 => {
                        let length = replica.confirmed().text(&id).expect("a note").len_utf16();
                        typed_by_another(&mut replica, &id, (*at).min(length), "Z");
                        others += 1;
                    }
                    4 => {
                        let before = reads(&replica, &id).to_owned();
                        if let Undone::Done(_) = undo(&mut replica) {
                            prop_assert!(matches!(redo(&mut replica), Undone::Done(_)));
                            prop_assert_eq!(reads(&replica, &id), before);
                        }
                    }
                    _ => drop(undo(&mut replica)),
                }
                prop_assert_eq!(reads(&replica, &id).matches('Z').count(), others);
            }
        }
    }
}
