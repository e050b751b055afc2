//! Verdicts of a room, alone.

use super::*;
use crate::dashboard::{Frame, Kind, Side, Strategy, UserId, Widget, WidgetId};
use crate::sync::protocol::{MAX_AGE_MS, MIN_AGE_MS};
use serde_json::Value;

fn author(name: &str) -> Author {
    let by =
        User { id: UserId::new(name).expect("an id"), name: name.to_owned(), color: "#000000".to_owned() };
    Author { client: ClientId::new(name).expect("an id"), by, role: Role::Editor, may_query: true }
}

fn id(name: &str) -> WidgetId {
    WidgetId::new(name).expect("an id")
}

fn set(field: &str, value: &str) -> Op {
    Op::Set { id: id("w1"), field: field.to_owned(), value: value.into() }
}

/// A room with one widget, added by a third person in revision 1.
fn room() -> Room {
    let mut room = Room::new("e1".to_owned(), Dashboard::new("Test"));
    let widget = Widget::new(Kind::Stat, "Orders", Frame::new(0, 0, 6, 4));
    commit(&mut room, "katherine", 1, 0, vec![widget.add_op(id("w1"))]);
    room
}

fn commit(room: &mut Room, who: &str, seq: u64, base: u64, ops: Vec<Op>) -> Commit {
    match room.judge(&author(who), &Change { seq, base, ops, age_ms: None }, 1000 + room.revision()) {
        Verdict::Committed(commit) => *commit,
        other => panic!("not committed: {other:?}"),
    }
}

#[test]
fn s4_a_side_says_when_it_was_written_and_when_it_arrived() {
    const NOW: u64 = 2 * MAX_AGE_MS;
    for (age_ms, now, written_at) in [
        (None, NOW, None),
        (Some(MIN_AGE_MS - 1), NOW, None),
        (Some(22_000), NOW, Some(NOW - 22_000)),
        (Some(MAX_AGE_MS + 1), NOW, Some(NOW - MAX_AGE_MS)),
        (Some(u64::MAX), 5, Some(0)),
    ] {
        let mut room = room();
        let mut judge = |who: &str, change: Change, now: u64| match room.judge(&author(who), &change, now) {
            Verdict::Committed(commit) => *commit,
            other => panic!("not committed: {other:?}"),
        };
        let change = Change { seq: 1, base: 1, ops: vec![set("title", "A")], age_ms };
        assert_eq!(judge("ada", change, now).written_at, written_at, "{age_ms:?}");
        let change = Change { seq: 1, base: 1, ops: vec![set("title", "B")], age_ms: Some(MIN_AGE_MS) };
        let met = judge("grace", change, now + 7_000);
        let times = |side: &Side| (side.at, side.written_at);
        assert_eq!(times(&met.conflicts[0].other), (now, written_at), "what was there");
        assert_eq!(times(&met.conflicts[0].kept), (now + 7_000, Some(now + 6_000)), "what met it");
        // Where there is nothing to say, an older build reads what it always read.
        let reads = serde_json::to_string(&met.conflicts[0].other).expect("JSON");
        assert_eq!(reads.contains("written_at"), written_at.is_some(), "{reads}");
    }
}

fn strategy(room: &mut Room, name: &str) {
    let op = Op::SetDashboard { field: "conflicts".to_owned(), value: name.into() };
    let (seq, base) = (room.last_seq(&author("katherine").client) + 1, room.revision());
    commit(room, "katherine", seq, base, vec![op]);
}

fn title(room: &Room) -> &str {
    &room.dashboard().widgets["w1"].title
}

#[test]
fn s2_a_change_that_comes_again_is_not_applied_again() {
    let mut room = room();
    let change = Change { seq: 1, base: 1, ops: vec![set("title", "A")], age_ms: None };
    assert!(matches!(room.judge(&author("ada"), &change, 0), Verdict::Committed(_)));
    assert!(matches!(room.judge(&author("ada"), &change, 0), Verdict::Again));
    assert_eq!(room.revision(), 2);
}

#[test]
fn s2_a_gap_in_seq_is_out_of_order_and_takes_no_seq() {
    let mut room = room();
    let change = Change { seq: 3, base: 1, ops: vec![set("title", "A")], age_ms: None };
    let verdict = room.judge(&author("ada"), &change, 0);
    assert!(matches!(verdict, Verdict::Rejected { code: Code::OutOfOrder, expected: 1, .. }), "{verdict:?}");
    assert_eq!(room.last_seq(&author("ada").client), 0);
}

#[test]
fn s5_different_fields_merge_and_equal_values_agree() {
    let mut room = room();
    commit(&mut room, "ada", 1, 1, vec![set("title", "A")]);
    let other = commit(&mut room, "grace", 1, 1, vec![set("unit", "ms"), set("title", "A")]);
    assert!(other.conflicts.is_empty() && other.refused.is_empty());
    assert_eq!(room.dashboard().widgets["w1"].text_option("unit"), "ms");
}

#[test]
fn s4_two_values_meet_and_both_are_kept_under_every_strategy() {
    for (name, kind, shows) in
        [("latest", Strategy::Latest, "B"), ("first", Strategy::First, "A"), ("ask", Strategy::Ask, "A")]
    {
        let mut room = room();
        strategy(&mut room, name);
        assert_eq!(room.dashboard().strategy(), kind);
        commit(&mut room, "ada", 1, 2, vec![set("title", "A")]);
        let met = commit(&mut room, "grace", 1, 2, vec![set("title", "B")]);
        assert_eq!(title(&room), shows, "{name}");
        let conflict = &met.conflicts[0];
        assert_eq!(conflict.base, Value::from("Orders"));
        assert_eq!(conflict.kept.value, Value::from(shows));
        let (mut values, mut authors) = (
            [&conflict.kept.value, &conflict.other.value].map(|v| v.as_str().expect("a text").to_owned()),
            [&conflict.kept.by, &conflict.other.by].map(|u| u.name.clone()),
        );
        values.sort();
        authors.sort();
        assert_eq!((values, authors), (["A".into(), "B".into()], ["ada".into(), "grace".into()]));
    }
}

#[test]
fn s4_a_choice_settles_and_can_be_taken_back() {
    let mut room = room();
    commit(&mut room, "ada", 1, 1, vec![set("title", "A")]);
    let met = commit(&mut room, "grace", 1, 1, vec![set("title", "B")]);
    let conflict = met.conflicts[0].id.clone();
    let choose = |choose| vec![Op::SettleConflict { conflict: conflict.clone(), choose }];
    commit(&mut room, "ada", 2, 3, choose(crate::dashboard::Choice::Other));
    assert_eq!(title(&room), "A");
    assert_eq!(room.dashboard().open_conflicts().count(), 0);
    commit(&mut room, "ada", 3, 4, choose(crate::dashboard::Choice::Reopen));
    assert_eq!(room.dashboard().open_conflicts().count(), 1);
}

#[test]
fn s6_an_edit_of_a_removed_widget_is_kept_and_restores_with_it() {
    let mut room = room();
    commit(&mut room, "ada", 1, 1, vec![Op::RemoveWidget { id: id("w1") }]);
    let met = commit(&mut room, "grace", 1, 1, vec![set("title", "B")]);
    assert!(met.ops.is_empty() && met.refused.is_empty());
    commit(&mut room, "grace", 2, 1, vec![set("unit", "ms")]);
    assert_eq!(room.dashboard().open_conflicts().count(), 1, "one record keeps both edits");
    let choice =
        Op::SettleConflict { conflict: met.conflicts[0].id.clone(), choose: crate::dashboard::Choice::Other };
    commit(&mut room, "grace", 3, 4, vec![choice]);
    assert_eq!(title(&room), "B");
    assert_eq!(room.dashboard().widgets["w1"].text_option("unit"), "ms");
}

#[test]
fn s6_a_removal_of_an_edited_widget_keeps_both() {
    for (name, there) in [("latest", false), ("first", true)] {
        let mut room = room();
        strategy(&mut room, name);
        commit(&mut room, "ada", 1, 2, vec![set("title", "A")]);
        let met = commit(&mut room, "grace", 1, 2, vec![Op::RemoveWidget { id: id("w1") }]);
        assert_eq!(met.conflicts.len(), 1, "{name}");
        assert_eq!(room.dashboard().widgets.contains_key("w1"), there, "{name}");
        let seq_base = (2, room.revision());
        let choice = Op::SettleConflict {
            conflict: met.conflicts[0].id.clone(),
            choose: crate::dashboard::Choice::Other,
        };
        commit(&mut room, "grace", seq_base.0, seq_base.1, vec![choice]);
        assert_eq!(room.dashboard().widgets.contains_key("w1"), !there, "{name}");
    }
}

#[test]
fn s6_a_removal_that_saw_the_edit_is_no_conflict() {
    let mut room = room();
    commit(&mut room, "ada", 1, 1, vec![set("title", "A")]);
    let gone = commit(&mut room, "grace", 1, 2, vec![Op::RemoveWidget { id: id("w1") }]);
    assert!(gone.conflicts.is_empty());
}

#[test]
fn a_refused_op_leaves_the_others_of_its_change() {
    let mut room = room();
    let made = commit(&mut room, "ada", 1, 1, vec![set("nonsense", "x"), set("title", "A")]);
    assert_eq!(made.refused.iter().map(|refused| refused.index).collect::<Vec<_>>(), [0]);
    assert_eq!(title(&room), "A");
}

#[test]
fn s4_of_edits_to_a_removed_widget_the_last_of_each_field_is_kept() {
    let mut room = room();
    commit(&mut room, "ada", 1, 1, vec![Op::RemoveWidget { id: id("w1") }]);
    commit(&mut room, "grace", 1, 1, vec![set("unit", "u1")]);
    let met = commit(&mut room, "grace", 2, 1, vec![set("unit", "u2"), set("title", "T")]);
    let kept: Vec<Op> = serde_json::from_value(met.conflicts[0].other.value.clone()).expect("ops");
    assert_eq!(kept, [set("unit", "u2"), set("title", "T")]);
}

#[test]
fn s5_a_refused_op_does_not_hide_a_conflict_of_the_next() {
    let mut room = room();
    commit(&mut room, "ada", 1, 1, vec![set("title", "A")]);
    let bad = Op::Set { id: id("w1"), field: "title".to_owned(), value: 5.into() };
    let met = commit(&mut room, "grace", 1, 1, vec![bad, set("title", "B")]);
    assert_eq!((met.refused.len(), met.conflicts.len()), (1, 1));
}

#[test]
fn s10_a_room_that_is_full_refuses_with_a_reason_and_takes_what_makes_it_smaller() {
    let mut room = room().max_bytes(5_000).replayed();
    let query = |n: usize| set("query", &"q".repeat(n));
    assert!(commit(&mut room, "ada", 1, 1, vec![query(2_000)]).refused.is_empty());
    // Grace has not seen it: her value, and a record of his.
    let met = commit(&mut room, "grace", 1, 1, vec![query(2_100), set("unit", "ms")]);
    assert_eq!(met.refused.len(), 1);
    assert!(met.refused[0].reason.starts_with("This dashboard is full: it may have 5000 bytes"), "{met:?}");
    assert_eq!((met.ops.len(), met.conflicts.len()), (1, 0), "the rest of the change counts");
    let widget = Widget::new(Kind::Note, "x".repeat(200), Frame::new(0, 0, 6, 4));
    let adds = (0..20).map(|n| widget.clone().add_op(id(&format!("n{n}")))).collect();
    let added = commit(&mut room, "ada", 2, 3, adds);
    assert!((1..20).contains(&added.refused.len()) && room.bytes() <= 5_000 && room.bytes() > 4_500);
    assert!(commit(&mut room, "ada", 3, 4, vec![query(10)]).refused.is_empty());
    assert!(commit(&mut room, "ada", 4, 5, vec![widget.add_op(id("one"))]).refused.is_empty());
    assert!(room.bytes().abs_diff(json_bytes(room.dashboard())) < 100);
}

#[test]
fn s1_state_and_replay_give_the_same_room() {
    let mut room = room();
    let early = room.state();
    let log = [
        commit(&mut room, "ada", 1, 1, vec![set("title", "A")]),
        commit(&mut room, "grace", 1, 1, vec![set("title", "B")]),
        commit(&mut room, "ada", 2, 3, vec![Op::RemoveWidget { id: id("w1") }]),
    ];
    let mut again = Room::from_state(early);
    log.iter().for_each(|commit| again.replay(commit));
    assert_eq!(again.dashboard(), room.dashboard());
    assert_eq!(again.digest(), room.digest());
    let text = |room: &Room| serde_json::to_value(room.state()).expect("state is JSON");
    assert_eq!(text(&again), text(&room));
}

#[test]
fn a10_an_edit_of_what_is_asked_is_refused_without_the_capability_and_the_rest_is_not() {
    let mut room = room();
    let guest = Author { may_query: false, ..author("guest") };
    let ops = vec![set("query", "secret"), set("title", "Mine")];
    let Verdict::Committed(judged) =
        room.judge(&guest, &Change { seq: 1, base: 1, ops, age_ms: None }, 2_000)
    else {
        panic!("not committed");
    };
    assert_eq!(judged.ops, [set("title", "Mine")]);
    assert_eq!(judged.refused.len(), 1);
    assert!(judged.refused[0].index == 0 && judged.refused[0].reason.starts_with("Forbidden"));
    assert_eq!(room.dashboard().widgets[&id("w1")].options.get("query"), None);
    let ada = commit(&mut room, "ada", 1, 2, vec![set("query", "up")]);
    assert!(ada.refused.is_empty());
}
