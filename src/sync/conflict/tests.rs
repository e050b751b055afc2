//! Tests of conflicts: edits that meet, on a room without anything around it.

use super::*;
use crate::dashboard::{Frame, Kind, NoteText, User, UserId, Widget};
use crate::sync::protocol::{Change, Commit, Role};
use crate::sync::room::{Author, Room, Verdict};

fn id() -> WidgetId {
    WidgetId::new("w1").expect("an id")
}

fn set(field: &str, value: &str) -> Op {
    Op::Set { id: id(), field: field.to_owned(), value: value.into() }
}

fn settle(conflict: &Conflict, choose: Choice) -> Op {
    Op::SettleConflict { conflict: conflict.id.clone(), choose }
}

const REMOVE: fn() -> Op = || Op::RemoveWidget { id: id() };

/// A room with one widget, added in revision 1, under a strategy set in revision 2.
struct Table(Room);

impl Table {
    fn new(strategy: &str) -> Self {
        let mut table = Self(Room::new("e1".to_owned(), Dashboard::new("Test")));
        let widget = Widget::new(Kind::Stat, "Orders", Frame::new(0, 0, 6, 4));
        table.now("katherine", widget.add_op(id()));
        table.now("katherine", Op::SetDashboard { field: "conflicts".into(), value: strategy.into() });
        table
    }

    /// What somebody does who has seen everything.
    fn now(&mut self, who: &str, op: Op) -> Commit {
        self.since(self.0.revision(), who, op)
    }

    /// What somebody does who has seen nothing since a revision.
    fn since(&mut self, base: u64, who: &str, op: Op) -> Commit {
        self.change(base, who, vec![op])
    }

    fn change(&mut self, base: u64, who: &str, ops: Vec<Op>) -> Commit {
        let user = UserId::new(who).expect("an id");
        let by = User { id: user, name: who.to_owned(), color: String::new() };
        let author =
            Author { client: ClientId::new(who).expect("an id"), by, role: Role::Editor, may_query: true };
        let change = Change { seq: self.0.last_seq(&author.client) + 1, base, ops, age_ms: None };
        match self.0.judge(&author, &change, 1000 + self.0.revision()) {
            Verdict::Committed(commit) => *commit,
            other => panic!("not committed: {other:?}"),
        }
    }

    fn title(&self) -> Option<&str> {
        Some(self.0.dashboard().widgets.get("w1")?.title.as_str())
    }

    /// The only open conflict.
    fn open(&self) -> Conflict {
        let open: Vec<_> = self.0.dashboard().open_conflicts().collect();
        assert_eq!(open.len(), 1, "{open:?}");
        Conflict::clone(open[0])
    }

    fn sides(&self) -> (Value, Value) {
        let Conflict { kept, other, .. } = self.open();
        (kept.value, other.value)
    }
}

#[test]
fn s4_a_choice_that_another_person_takes_back_brings_back_what_showed() {
    for choose in [Choice::Other, Choice::Value("C".into())] {
        let mut table = Table::new("latest");
        table.since(2, "ada", set("title", "A"));
        table.since(2, "grace", set("title", "B"));
        let conflict = table.open();
        table.now("ada", settle(&conflict, choose.clone()));
        assert_ne!(table.title(), Some("B"));
        table.now("katherine", settle(&conflict, Choice::Reopen));
        assert_eq!((table.title(), table.sides()), (Some("B"), ("B".into(), "A".into())));
        // What somebody wrote since the choice stays, and the record says so.
        table.now("ada", settle(&conflict, choose));
        table.now("grace", set("title", "D"));
        table.now("katherine", settle(&conflict, Choice::Reopen));
        assert_eq!((table.title(), table.sides()), (Some("D"), ("D".into(), "A".into())));
    }
}

#[test]
fn s6_a_choice_about_a_removal_that_is_taken_back_removes_or_restores_again() {
    let mut table = Table::new("latest");
    table.since(2, "ada", REMOVE());
    table.since(2, "grace", set("title", "B"));
    let conflict = table.open();
    table.now("ada", settle(&conflict, Choice::Other));
    assert_eq!(table.title(), Some("B"));
    table.now("grace", settle(&conflict, Choice::Reopen));
    assert_eq!(table.title(), None);
    assert_eq!(table.open().kept.value, true);

    let mut table = Table::new("first");
    table.since(2, "grace", set("title", "B"));
    table.since(2, "ada", REMOVE());
    let conflict = table.open();
    table.now("ada", settle(&conflict, Choice::Other));
    assert_eq!(table.title(), None);
    table.now("grace", settle(&conflict, Choice::Reopen));
    assert_eq!(table.title(), Some("B"));
}

#[test]
fn s4_a_value_that_a_choice_wrote_over_comes_back_with_the_conflict() {
    let mut table = Table::new("latest");
    table.since(2, "ada", REMOVE());
    table.since(2, "grace", set("title", "B"));
    let conflict = table.open();
    table.now("katherine", Op::RestoreWidget { id: id() });
    table.now("katherine", set("title", "D"));
    table.now("ada", settle(&conflict, Choice::Other));
    assert_eq!(table.title(), Some("B"));
    table.now("grace", settle(&conflict, Choice::Reopen));
    assert_eq!(table.title(), Some("D"));
}

#[test]
fn s4_a_conflict_about_a_field_of_a_removed_widget_keeps_its_values() {
    let mut table = Table::new("latest");
    table.since(2, "ada", set("title", "A"));
    table.since(2, "grace", set("title", "B"));
    let conflict = table.open();
    table.now("ada", settle(&conflict, Choice::Kept));
    table.now("ada", REMOVE());
    table.now("katherine", settle(&conflict, Choice::Reopen));
    assert_eq!(table.sides(), ("B".into(), "A".into()));

    // Opened while nothing shows, it says what does once the widget is back.
    let mut table = Table::new("ask");
    table.since(2, "ada", set("title", "A"));
    table.since(2, "grace", set("title", "B"));
    let conflict = table.open();
    table.now("ada", settle(&conflict, Choice::Other));
    table.now("ada", REMOVE());
    table.now("katherine", settle(&conflict, Choice::Reopen));
    table.now("grace", Op::RestoreWidget { id: id() });
    assert_eq!(table.title(), Some("B"));
    assert_eq!(table.0.dashboard().open_conflicts().count(), 0, "both say so");
    table.now("ada", set("title", "C"));
    table.since(8, "grace", set("title", "D"));
    assert_eq!(table.sides(), ("C".into(), "D".into()));
}

#[test]
fn s6_opening_a_conflict_again_removes_no_widget_that_others_edited_since() {
    let mut table = Table::new("latest");
    table.since(2, "ada", REMOVE());
    table.since(2, "grace", set("title", "B"));
    let conflict = table.open();
    table.now("ada", settle(&conflict, Choice::Other));
    table.now("grace", set("unit", "ms"));
    let refused = table.now("katherine", settle(&conflict, Choice::Reopen));
    assert_eq!(refused.refused[0].reason, OpError::EditedSince.to_string());
    assert_eq!(table.title(), Some("B"));
    table.now("grace", settle(&conflict, Choice::Reopen));
    assert_eq!(table.title(), None, "what they edited is their own");
}

#[test]
fn s4_of_two_who_settle_at_once_the_later_is_told_why_not() {
    let mut table = Table::new("latest");
    table.since(2, "ada", set("title", "A"));
    table.since(2, "grace", set("title", "B"));
    let conflict = table.open();
    table.now("ada", settle(&conflict, Choice::Other));
    let late = table.since(4, "grace", settle(&conflict, Choice::Kept));
    assert_eq!(late.refused[0].reason, OpError::Settled.to_string());
    assert_eq!(table.title(), Some("A"));
}

#[test]
fn s6_a_record_about_a_removal_follows_who_restores_or_removes() {
    let mut table = Table::new("latest");
    table.since(2, "ada", REMOVE());
    table.since(2, "grace", set("title", "B"));
    let edits = table.open().other.value;
    table.now("katherine", Op::RestoreWidget { id: id() });
    assert_eq!(table.sides(), (Value::Array(Vec::new()), edits.clone()));
    table.now("katherine", REMOVE());
    assert_eq!(table.sides(), (true.into(), edits));
    table.now("ada", settle(&table.open(), Choice::Kept));
    assert_eq!(table.title(), None);

    let mut table = Table::new("first");
    table.since(2, "grace", set("title", "B"));
    table.since(2, "ada", REMOVE());
    let edits = table.open().kept.value;
    table.now("katherine", REMOVE());
    assert_eq!(table.sides(), (true.into(), edits), "what was edited waits beside the removal");
    table.now("ada", settle(&table.open(), Choice::Other));
    assert_eq!(table.title(), Some("B"));
}

#[test]
fn s5_two_who_remove_the_same_widget_agree() {
    let mut table = Table::new("latest");
    table.since(2, "ada", REMOVE());
    let again = table.since(2, "grace", REMOVE());
    assert!(again.refused.is_empty() && again.conflicts.is_empty(), "{again:?}");
    let knowing = table.now("grace", REMOVE());
    assert_eq!(knowing.refused.len(), 1);
}

#[test]
fn s4_values_that_one_tab_wrote_after_each_other_wait_as_one() {
    for strategy in ["first", "ask", "latest"] {
        let mut table = Table::new(strategy);
        table.since(2, "ada", set("title", "A"));
        for title in ["B", "C", "D"] {
            table.since(2, "grace", set("title", title));
        }
        let (kept, other) = table.sides();
        let expected = if strategy == "latest" { ("D", "A") } else { ("A", "D") };
        assert_eq!((kept, other), (expected.0.into(), expected.1.into()), "{strategy}");
    }
    // Another tab, of the same person or not, keeps a record of its own.
    let mut table = Table::new("first");
    table.since(2, "ada", set("title", "A"));
    table.since(2, "grace", set("title", "B"));
    table.since(2, "katherine2", set("title", "C"));
    assert_eq!(table.0.dashboard().open_conflicts().count(), 2);
}

/// A note beside the widget, added in the next revision.
fn with_note(table: &mut Table, reads: &str) -> WidgetId {
    let id = WidgetId::new("n1").expect("an id");
    let mut note = Widget::new(Kind::Note, "Note", Frame::new(0, 4, 6, 4));
    note.text = Some(NoteText::from_plain(reads, 1));
    table.now("katherine", note.add_op(id.clone()));
    id
}

/// The op that types at the end of a note as it reads now, as somebody with this Yjs client id.
fn typing(table: &Table, id: &WidgetId, author: u64, text: &str) -> Op {
    let dashboard = table.0.dashboard();
    let removed = || dashboard.removed.get(id)?.widget.text.as_ref();
    let now = dashboard.text(id).or_else(removed).expect("a note");
    Op::edit_text(id, now.splice(author, now.len_utf16(), 0, text).0)
}

#[test]
fn s6_a_removal_meets_an_unseen_edit_over_which_its_author_or_a_third_has_written() {
    for strategy in ["latest", "first", "ask"] {
        for over in [&["ada"][..], &["katherine"], &["katherine", "ada"], &["ada", "katherine"]] {
            let mut table = Table::new(strategy);
            let note = with_note(&mut table, "text");
            let base = table.0.revision();
            let [bobs, adas] =
                ["bob ", "ada "].map(|text| typing(&table, &note, text.len() as u64 + 90, text));
            let katherines = typing(&table, &note, 77, "katherine ");
            table.since(base, "bob", bobs);
            for who in over {
                match *who {
                    "ada" => drop(table.since(base, "ada", adas.clone())),
                    who => drop(table.now(who, katherines.clone())),
                }
            }
            let gone = table.since(base, "ada", Op::RemoveWidget { id: note.clone() });
            assert_eq!(gone.conflicts.len(), 1, "{strategy}, {over:?}");
            let open = table.open();
            assert_eq!(open.cell, Cell::widget(&note, REMOVED));
            let removal = if strategy == "latest" { &open.kept } else { &open.other };
            assert_eq!((&removal.value, &*removal.by.name), (&Value::Bool(true), "ada"));
            let stays = strategy != "latest";
            assert_eq!(table.0.dashboard().widgets.contains_key(&note), stays);
            table.now("bob", settle(&open, if stays { Choice::Kept } else { Choice::Other }));
            let text = table.0.dashboard().text(&note).expect("it is there with the edits").plain();
            assert!(text.contains("bob"), "{text}");
        }
    }
}

#[test]
fn s6_a_removal_keeps_the_title_over_which_its_author_wrote_unaware() {
    let mut table = Table::new("latest");
    table.since(2, "bob", set("title", "B"));
    table.since(2, "ada", set("title", "A"));
    let title = table.open();
    let gone = table.since(2, "ada", REMOVE());
    let removal = gone.conflicts.iter().find(|conflict| conflict.cell.field == REMOVED).expect("a conflict");
    assert_eq!((&*removal.other.by.name, removal.kept.value == true), ("bob", true));
    table.now("bob", settle(removal, Choice::Other));
    assert_eq!(table.title(), Some("B"), "back with his title");
    let settled = table.0.dashboard().conflicts[&title.id].settled.clone().expect("its sides say the same");
    assert!(settled.agreed);
    let again = table.now("bob", settle(&title, Choice::Reopen));
    assert_eq!(again.refused[0].reason, OpError::Agreed.to_string());

    // Under the others her title waits, and the removal too.
    for strategy in ["first", "ask"] {
        let mut table = Table::new(strategy);
        table.since(2, "bob", set("title", "B"));
        table.since(2, "ada", set("title", "A"));
        table.since(2, "ada", REMOVE());
        assert_eq!((table.title(), table.0.dashboard().open_conflicts().count()), (Some("B"), 2));
    }
}

#[test]
fn s5_an_agreed_value_is_still_anothers() {
    // Both wrote the same unaware; what one of them writes next is over the other's.
    for (strategy, shows) in [("latest", "C"), ("first", "B")] {
        let mut table = Table::new(strategy);
        table.since(2, "bob", set("title", "B"));
        assert!(table.since(2, "ada", set("title", "B")).conflicts.is_empty());
        table.since(2, "ada", set("title", "C"));
        let open = table.open();
        assert_eq!(table.title(), Some(shows), "{strategy}");
        let theirs = if strategy == "latest" { open.other } else { open.kept };
        assert_eq!((theirs.value, &*theirs.by.name), ("B".into(), "bob"));
        // And in one change.
        let mut table = Table::new(strategy);
        table.since(2, "bob", set("title", "B"));
        table.change(2, "ada", vec![set("title", "B"), set("title", "C")]);
        assert_eq!((table.title(), table.open().cell.field), (Some(shows), "title".to_owned()));
    }
}

#[test]
fn s5_a_removal_unaware_of_a_restoration_meets_it() {
    for (strategy, there) in [("latest", false), ("first", true), ("ask", true)] {
        let mut table = Table::new(strategy);
        table.now("ada", REMOVE());
        let base = table.0.revision();
        table.now("katherine", Op::RestoreWidget { id: id() });
        // Ada brings it back herself, unaware of katherine, and removes it again.
        table.since(base, "ada", Op::RestoreWidget { id: id() });
        let gone = table.since(base, "ada", REMOVE());
        assert_eq!(gone.conflicts.len(), 1, "{strategy}");
        assert_eq!(table.0.dashboard().widgets.contains_key(&id()), there, "{strategy}");
        let back = Value::Array(Vec::new());
        let expected = if there { (back, true.into()) } else { (true.into(), back) };
        assert_eq!(table.sides(), expected);
    }
}

#[test]
fn s5_a_restoration_unaware_of_another_removal_meets_it() {
    for (strategy, there) in [("latest", true), ("first", false)] {
        let mut table = Table::new(strategy);
        table.now("ada", REMOVE());
        let base = table.0.revision();
        table.now("katherine", Op::RestoreWidget { id: id() });
        table.now("katherine", REMOVE());
        table.since(base, "ada", Op::RestoreWidget { id: id() });
        assert_eq!(table.0.dashboard().widgets.contains_key(&id()), there, "{strategy}");
        let back = Value::Array(Vec::new());
        let expected = if there { (back, true.into()) } else { (true.into(), back) };
        assert_eq!(table.sides(), expected);
    }
}

#[test]
fn s5_two_who_restore_the_same_widget_agree() {
    let mut table = Table::new("latest");
    table.now("ada", REMOVE());
    let base = table.0.revision();
    table.now("katherine", Op::RestoreWidget { id: id() });
    let again = table.since(base, "grace", Op::RestoreWidget { id: id() });
    assert!(again.refused.is_empty() && again.conflicts.is_empty(), "{again:?}");
    let knowing = table.now("grace", Op::RestoreWidget { id: id() });
    assert_eq!(knowing.refused[0].reason, OpError::NotRemoved.to_string());
}

#[test]
fn s5_values_are_compared_as_values() {
    let max = |value: Value| Op::Set { id: id(), field: "max".to_owned(), value };
    let mark = |at: Value| Op::SetDashboard {
        field: "annotation.a".to_owned(),
        value: serde_json::json!({ "at": at, "text": "Deployed" }),
    };
    for strategy in ["latest", "first"] {
        let mut table = Table::new(strategy);
        table.since(2, "ada", max(100.into()));
        assert!(table.since(2, "grace", max(100.0.into())).conflicts.is_empty());
        table.since(2, "ada", mark(1_000.into()));
        let marked = table.since(2, "grace", mark(1_000.0.into()));
        assert!(marked.conflicts.is_empty(), "{marked:?}");
        assert_eq!(table.since(2, "grace", max(101.into())).conflicts.len(), 1);
    }
}

#[test]
fn s4_a_choice_that_cannot_be_done_whole_changes_nothing() {
    // What waits was taken by a build that kept more than can be performed.
    let mut table = Table::new("latest");
    let note = with_note(&mut table, "text");
    let base = table.0.revision();
    let typed = typing(&table, &note, 90, "more");
    table.now("ada", Op::RemoveWidget { id: note.clone() });
    table.since(base, "grace", typed);
    let open = table.open();
    let mut state = serde_json::to_value(table.0.state()).expect("a state");
    let edits = &mut state["dashboard"]["conflicts"][open.id.as_str()]["other"]["value"];
    let broken = Op::edit_text(&note, Update::new(*b"no update"));
    edits.as_array_mut().expect("edits").push(serde_json::to_value(broken).expect("an op"));
    table.0 = Room::from_state(serde_json::from_value(state).expect("a state")).replayed();
    let before = table.0.dashboard().clone();
    for _ in 0..2 {
        let refused = table.now("grace", settle(&open, Choice::Other));
        assert_eq!(refused.refused[0].reason, OpError::NotAnUpdate.to_string());
        assert!(refused.ops.is_empty() && refused.conflicts.is_empty(), "{refused:?}");
        assert_eq!(*table.0.dashboard(), before);
    }
    for value in [Value::from("no list"), serde_json::json!([REMOVE()])] {
        let refused = table.now("grace", settle(&open, Choice::Value(value)));
        assert_eq!((refused.refused.len(), refused.ops.len()), (1, 0));
    }
}

#[test]
fn s4_what_cannot_be_performed_is_refused_and_not_kept() {
    let mut table = Table::new("latest");
    let note = with_note(&mut table, "text");
    let base = table.0.revision();
    let text = table.0.dashboard().text(&note).expect("a note").clone();
    let mut long = text.clone();
    let mut typed = |length: usize| {
        let update = long.splice(90, long.len_utf16(), 0, &"x".repeat(length)).0;
        long = long.apply(&update).expect("own typing applies");
        Op::edit_text(&note, update)
    };
    let [first, second, third] = [30_000, 30_000, 5].map(&mut typed);
    table.now("ada", Op::RemoveWidget { id: note.clone() });
    assert!(table.since(base, "grace", first).refused.is_empty());
    let reason = |commit: Commit| commit.refused.first().map(|refused| refused.reason.clone());
    assert_eq!(reason(table.since(base, "grace", second)), Some(OpError::TooLarge.to_string()));
    // It builds on what was not kept.
    assert_eq!(reason(table.since(base, "grace", third)), Some(OpError::TextUnknownBase.to_string()));
    for (update, error) in [
        (&b"no update"[..], OpError::NotAnUpdate),
        (&[], OpError::NotAnUpdate),
        (&[0, 0], OpError::EmptyUpdate),
    ] {
        let op = Op::edit_text(&note, Update::new(update));
        assert_eq!(reason(table.since(base, "grace", op)), Some(error.to_string()));
    }
    let on_a_number = Op::edit_text(&id(), Update::new([0, 1, 5, 1, 0, 1]));
    table.now("ada", REMOVE());
    assert_eq!(reason(table.since(base, "grace", on_a_number)), Some(OpError::NoText.to_string()));
    table.now("grace", settle(&table.open(), Choice::Other));
    let length = table.0.dashboard().text(&note).expect("it is back").len_utf16();
    assert_eq!(length, 30_004);
}

#[test]
fn s4_a_choice_is_not_over_what_its_author_has_not_seen() {
    let mut table = Table::new("latest");
    table.since(2, "ada", set("title", "A"));
    table.since(2, "grace", set("title", "B"));
    let (open, base) = (table.open(), table.0.revision());
    table.now("katherine", set("title", "D"));
    for choose in [Choice::Kept, Choice::Other, Choice::Value("C".into())] {
        let refused = table.since(base, "ada", settle(&open, choose));
        assert_eq!(refused.refused[0].reason, OpError::WrittenSince.to_string());
    }
    assert_eq!((table.title(), table.sides()), (Some("D"), ("D".into(), "A".into())));

    // To let a widget go that others have edited meanwhile.
    let mut table = Table::new("first");
    table.since(2, "grace", set("title", "B"));
    table.since(2, "ada", REMOVE());
    let (open, base) = (table.open(), table.0.revision());
    table.now("katherine", set("unit", "ms"));
    let refused = table.since(base, "ada", settle(&open, Choice::Other));
    assert_eq!(refused.refused[0].reason, OpError::EditedSince.to_string());
    assert_eq!(table.title(), Some("B"));
    table.now("ada", settle(&open, Choice::Other));
    assert_eq!(table.title(), None);

    // To bring edits back over others' newer ones.
    let mut table = Table::new("latest");
    table.since(2, "ada", REMOVE());
    table.since(2, "grace", set("title", "B"));
    table.now("katherine", Op::RestoreWidget { id: id() });
    let (open, base) = (table.open(), table.0.revision());
    table.now("katherine", set("title", "D"));
    let refused = table.since(base, "ada", settle(&open, Choice::Other));
    assert_eq!(refused.refused[0].reason, OpError::WrittenSince.to_string());
    assert_eq!(table.title(), Some("D"));
}

#[test]
fn s4_two_who_write_one_step_behind_each_other_have_one_record() {
    for strategy in ["latest", "first", "ask"] {
        let mut table = Table::new(strategy);
        let mut seen = [2, 2];
        for n in 0..20 {
            let (who, name) = (n % 2, ["ada", "grace"][n % 2]);
            let base = seen[who];
            seen[who] = table.0.revision();
            table.since(base, name, set("title", &format!("{name} {n}")));
        }
        let open = table.open();
        let mut sides = [open.kept, open.other].map(|side| (side.by.name, side.value));
        sides.sort_by(|one, other| one.0.cmp(&other.0));
        let [(ada, of_ada), (grace, of_grace)] = sides;
        assert_eq!((&*ada, &*grace), ("ada", "grace"), "{strategy}: a tab never meets itself");
        if strategy == "latest" {
            assert_eq!((of_ada, of_grace), ("ada 18".into(), "grace 19".into()), "the last value of each");
        }
    }
}

#[test]
fn s4_a_record_whose_sides_say_the_same_is_settled_by_itself() {
    let mut table = Table::new("latest");
    table.since(2, "ada", set("title", "A"));
    table.since(2, "grace", set("title", "B"));
    let open = table.open();
    let same = table.now("katherine", set("title", "A"));
    let settled = same.conflicts[0].settled.clone().expect("settled");
    assert_eq!((settled.agreed, &*settled.by.name, settled.choose), (true, "katherine", Choice::Kept));
    assert_eq!(table.0.dashboard().open_conflicts().count(), 0);
    assert_eq!(table.0.dashboard().conflicts[&open.id].base, Value::from("Orders"));

    // A removal that meets edits, and somebody brings the widget back with them.
    let mut table = Table::new("latest");
    table.since(2, "grace", set("title", "B"));
    table.since(2, "ada", REMOVE());
    let back = table.now("katherine", Op::RestoreWidget { id: id() });
    assert!(back.conflicts[0].settled.as_ref().is_some_and(|settled| settled.agreed), "{back:?}");
    // Edits that the widget does not have go on waiting until somebody makes them.
    let mut table = Table::new("latest");
    table.since(2, "ada", REMOVE());
    table.since(2, "grace", set("title", "B"));
    table.now("katherine", Op::RestoreWidget { id: id() });
    assert_eq!(table.0.dashboard().open_conflicts().count(), 1);
    table.now("katherine", set("title", "B"));
    assert_eq!(table.0.dashboard().open_conflicts().count(), 0);
}

#[test]
fn s4_what_a_tab_writes_knowingly_over_its_own_waiting_value_leaves_the_others() {
    let mut table = Table::new("first");
    table.since(2, "ada", set("title", "A"));
    table.since(2, "grace", set("title", "B"));
    table.now("grace", set("title", "C"));
    assert_eq!((table.title(), table.sides()), (Some("C"), ("C".into(), "A".into())));
}

#[test]
fn s5_of_writes_before_all_writers_were_noted_nothing_is_silent() {
    let mut table = Table::new("latest");
    table.since(2, "bob", set("title", "B"));
    table.since(2, "ada", set("title", "B"));
    let mut state = serde_json::to_value(table.0.state()).expect("a state");
    // As the build before kept it.
    state.as_object_mut().expect("fields").remove("writers_from");
    for cell in state["cells"].as_array_mut().expect("cells") {
        let log = cell[1].as_object_mut().expect("a log");
        log.remove("other");
        log.remove("agreed");
    }
    table.0 = Room::from_state(serde_json::from_value(state).expect("an older state")).replayed();
    let gone = table.since(2, "ada", REMOVE());
    assert_eq!(gone.conflicts[0].other.by.name, "Somebody", "{gone:?}");
    let mut again = Table::new("latest");
    again.now("ada", set("title", "A"));
    assert!(again.now("ada", REMOVE()).conflicts.is_empty());
}
