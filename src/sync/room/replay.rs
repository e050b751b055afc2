//! The room that was: by replay, by what a store keeps, and in a replica, compared field by field.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dashboard::{Choice, Frame, Kind, MAX_REMOVED, Strategy, UserId, Widget, WidgetId};
use crate::sync::replica::Replica;

/// Widgets of the room at its start, of which all but the last few are tombstones: at their bound.
const WIDGETS: usize = MAX_REMOVED + 6;

fn author(who: usize) -> Author {
    let name = ["ada", "grace", "katherine", "mary"][who];
    let by =
        User { id: UserId::new(name).expect("an id"), name: name.to_owned(), color: "#000000".to_owned() };
    Author { client: ClientId::new(name).expect("an id"), by, role: Role::Editor, may_query: true }
}

fn id(n: usize) -> WidgetId {
    WidgetId::new(format!("w{n}")).expect("an id")
}

fn judge(room: &mut Room, who: usize, back: u64, ops: Vec<Op>) -> Commit {
    let base = room.revision().saturating_sub(back);
    let author = author(who);
    let age_ms = (back > 0).then_some(back * 700);
    let change = Change { seq: room.last_seq(&author.client) + 1, base, ops, age_ms };
    match room.judge(&author, &change, 1_000_000 + room.revision()) {
        Verdict::Committed(commit) => *commit,
        other => panic!("not committed: {other:?}"),
    }
}

/// A room with as many tombstones as it keeps, made by a fourth person.
static FULL: LazyLock<Room> = LazyLock::new(|| {
    let mut room = Room::new("e1".to_owned(), Dashboard::new("Full"));
    for n in 0..WIDGETS {
        let kind = [Kind::Note, Kind::Stat, Kind::Checklist][n % 3];
        let widget = Widget::new(kind, format!("W{n}"), Frame::new(0, 0, 4, 4));
        judge(&mut room, 3, 0, vec![widget.add_op(id(n))]);
    }
    for n in 0..MAX_REMOVED {
        judge(&mut room, 3, 0, vec![Op::RemoveWidget { id: id(n) }]);
    }
    room
});

/// What somebody does, in numbers.
#[derive(Clone, Copy, Debug)]
struct Doing {
    what: u8,
    widget: usize,
    value: u8,
}

fn doing() -> impl Strategy_<Value = Doing> {
    // The oldest tombstones, the latest, and the widgets that are there.
    let widget = prop_oneof![0..4usize, MAX_REMOVED - 2..WIDGETS];
    (0u8..16, widget, 0u8..4).prop_map(|(what, widget, value)| Doing { what, widget, value })
}

use proptest::strategy::Strategy as Strategy_;

fn op(room: &Room, Doing { what, widget, value }: Doing) -> Op {
    let (id, dashboard) = (id(widget), room.dashboard());
    let conflict = || {
        let all: Vec<_> = dashboard.conflicts.keys().cloned().collect();
        let none = ConflictId::new("none").expect("an id");
        all.get(usize::from(value) % all.len().max(1)).cloned().unwrap_or(none)
    };
    match what {
        0 | 1 => Op::Set { id, field: "title".to_owned(), value: format!("T{value}").into() },
        2 => Op::Set { id, field: format!("item.{value}"), value: json!("text") },
        3 => Op::Set { id, field: format!("item.{value}"), value: Value::Null },
        4 | 5 => {
            let removed = || dashboard.removed.get(&id)?.widget.text.as_ref();
            let text = dashboard.text(&id).or_else(removed).cloned().unwrap_or_default();
            let author = 100 + u64::from(value) + room.revision() * 10;
            Op::edit_text(&id, text.splice(author, u32::from(value), 1, "typed").0)
        }
        6 | 7 => Op::RemoveWidget { id },
        8 => Op::RestoreWidget { id },
        9 => Op::Place { id, frame: Frame::new(u16::from(value), 0, 6, 4), settled: false },
        10 => Op::SetDashboard { field: "title".to_owned(), value: format!("D{value}").into() },
        11 => {
            let strategy = ["latest", "first", "ask", "latest"][usize::from(value)];
            Op::SetDashboard { field: "conflicts".to_owned(), value: strategy.into() }
        }
        12 => Op::SetDashboard { field: "annotation.a".to_owned(), value: json!({"at": value, "text": "M"}) },
        13 => Op::SettleConflict { conflict: conflict(), choose: Choice::Other },
        14 => Op::SettleConflict { conflict: conflict(), choose: Choice::Kept },
        _ => Op::SettleConflict { conflict: conflict(), choose: Choice::Reopen },
    }
}

fn fields(of: &impl Serialize) -> Value {
    serde_json::to_value(of).expect("it is JSON")
}

/// All that differs, by its path.
fn differences(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                let null = Value::Null;
                let (a, b) = (a.get(name).unwrap_or(&null), b.get(name).unwrap_or(&null));
                differences(&format!("{path}.{name}"), a, b, found);
            }
        }
        (a, b) if a != b => found.push(format!("{path}: {a} is {b}")),
        _ => {}
    }
}

fn assert_same(what: &str, one: &Value, other: &Value) {
    let mut found = Vec::new();
    differences("", one, other, &mut found);
    assert!(found.is_empty(), "{what}: {found:#?}");
}

/// What was done: by whom, how far back their copy was, and the ops of the change.
type Done = (usize, u64, Vec<Doing>);

/// Does all of it in a room, and compares what others make of its log.
fn compare(done: &[Done], saved_after: usize) {
    let mut room = FULL.clone();
    let mut stored = room.state();
    let mut log = Vec::new();
    let mut replica =
        Replica::new(7, room.dashboard().clone(), User::default()).at("e1".to_owned(), room.revision(), None);
    let mut later = None;
    for (n, (who, back, doings)) in done.iter().enumerate() {
        let ops = doings.iter().map(|doing| op(&room, *doing)).collect();
        let commit = judge(&mut room, *who, *back, ops);
        // As it is on the disk and on the wire.
        let commit: Commit = serde_json::from_value(fields(&commit)).expect("a commit");
        let digest = room.full_digest();
        assert_eq!(replica.commits(vec![commit.clone()], Some(&digest), None).lost, None);
        if let Some(joined) = &mut later {
            let joined: &mut Replica = joined;
            assert_eq!(joined.commits(vec![commit.clone()], Some(&digest), None).lost, None);
        }
        if n == saved_after {
            stored = serde_json::from_value(fields(&room.state())).expect("a state");
            log.clear();
            let snapshot = serde_json::from_value(fields(room.dashboard())).expect("a snapshot");
            later =
                Some(Replica::new(8, snapshot, User::default()).at("e1".to_owned(), room.revision(), None));
        } else {
            log.push(commit);
        }
    }
    let was = fields(&room.state());
    let mut again = Room::from_state(stored);
    log.iter().for_each(|commit| again.replay(commit));
    assert_same("by what was stored and replay", &was, &fields(&again.replayed().state()));
    assert_same("in a replica", &was["dashboard"], &fields(replica.confirmed()));
    if let Some(later) = later {
        assert_same("in a replica that came later", &was["dashboard"], &fields(later.confirmed()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s1_replay_state_and_replicas_give_the_room_that_was(
        done in prop::collection::vec(
            (0usize..3, prop_oneof![Just(0u64), 1u64..5, Just(300)], prop::collection::vec(doing(), 1..4)),
            1..60,
        ),
        saved_after in 0usize..80,
    ) {
        compare(&done, saved_after);
    }
}

#[test]
fn s6_a_tombstone_that_a_conflict_of_its_own_commit_needs_stays_in_every_copy() {
    let doing = |what, widget, value| Doing { what, widget, value };
    // Grace edits the oldest removed widget unaware, and removes another in the same change.
    let done = (1, 300, vec![doing(0, 0, 1), doing(6, MAX_REMOVED, 0)]);
    let mut room = FULL.clone();
    let ops = done.2.iter().map(|doing| op(&room, *doing)).collect();
    judge(&mut room, 1, 300, ops);
    assert!(room.dashboard().removed.contains_key(&id(0)), "its conflict needs it");
    assert!(!room.dashboard().removed.contains_key(&id(1)), "the next is the oldest");
    assert_eq!(room.dashboard().strategy(), Strategy::Latest);
    compare(&[done], usize::MAX);
}
