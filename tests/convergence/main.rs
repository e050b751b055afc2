//! Any changes of any number of clients, in any interleaving, with loss, duplication, reordering
//! across clients and reconnects: once it is quiet, all copies are equal and every op has one end.

mod choices;
mod ends;
mod world;

use std::sync::Arc;

use lockstep::dashboard::{Conflict, Dashboard, Edit, Frame, Kind, Op, Stamp, Widget, WidgetId};
use lockstep::sync::replica::{Notice, Replica, Undone};
use proptest::prelude::*;
use serde_json::Value;

use world::{CLIENTS, Doing, Step, WIDGETS, World, pick, widget_id};

fn frame() -> impl Strategy<Value = Frame> {
    (0u16..20, 0u16..20, 1u16..12, 1u16..8).prop_map(|(x, y, w, h)| Frame::new(x, y, w, h))
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL.to_vec())
}

fn doing() -> impl Strategy<Value = Doing> {
    let w = 0..WIDGETS;
    prop_oneof![
        3 => (w.clone(), kind(), frame()).prop_map(|(w, k, f)| Doing::Add(w, k, f)),
        2 => w.clone().prop_map(Doing::Remove),
        2 => w.clone().prop_map(Doing::Restore),
        3 => (w.clone(), frame()).prop_map(|(w, f)| Doing::Place(w, f)),
        3 => (w.clone(), any::<u8>()).prop_map(|(w, v)| Doing::Title(w, v)),
        2 => (w.clone(), any::<u8>()).prop_map(|(w, v)| Doing::Unit(w, v)),
        1 => any::<u8>().prop_map(Doing::DashboardTitle),
        1 => any::<u8>().prop_map(Doing::Strategy),
        4 => (w.clone(), 0u32..20, 0u32..3, any::<u8>()).prop_map(|(w, at, r, v)| Doing::Type(w, at, r, v)),
        2 => (w, 0usize..20, any::<u8>()).prop_map(|(w, at, v)| Doing::Along(w, at, v)),
        1 => any::<u8>().prop_map(Doing::Settle),
        2 => Just(Doing::Begin),
        2 => Just(Doing::Undo),
        1 => Just(Doing::Redo),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..CLIENTS;
    prop_oneof![
        8 => (n.clone(), doing()).prop_map(|(n, d)| Step::Do(n, d)),
        5 => n.clone().prop_map(Step::Push),
        5 => n.clone().prop_map(Step::Up),
        1 => n.clone().prop_map(Step::UpTwice),
        8 => n.clone().prop_map(Step::Down),
        1 => n.clone().prop_map(Step::Cut),
        2 => n.clone().prop_map(Step::Unanswered),
        2 => n.prop_map(Step::Join),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s1_to_s11_all_copies_agree_once_quiet(steps in prop::collection::vec(step(), 0..150)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.quiet();
        ends::check(&world);
    }

    #[test]
    fn inverse_undoes_and_undo_after_redo_is_the_identity(
        before in prop::collection::vec(doing(), 1..30), group in prop::collection::vec(doing(), 1..5),
    ) {
        let mut world = World::new();
        for doing in &before {
            world.act(0, doing);
        }
        let replica = &mut world.clients[0].replica;
        let ops: Vec<Op> = group.iter().filter_map(|doing| plain_op(replica, doing)).collect();
        let start = replica.view().clone();
        // What `inverse` says of one group, performed on the dashboard itself.
        let mut copy = start.clone();
        let mut edit = Edit::new(&mut copy, Stamp::default());
        let done: Vec<Op> = ops.iter().filter(|op| edit.perform(op).is_ok()).cloned().collect();
        let effect = edit.finish();
        let mut edit = Edit::new(&mut copy, Stamp::default());
        for op in &effect.inverse {
            prop_assert!(edit.perform(op).is_ok(), "{:?}", op);
        }
        edit.finish();
        prop_assert_eq!(shown(&copy), shown(&start));
        // Repeating the effective ops elsewhere gives the same.
        let mut elsewhere = start.clone();
        effect.ops.iter().for_each(|op| elsewhere.apply(op, &Stamp::default()));
        let mut again = start.clone();
        let mut edit = Edit::new(&mut again, Stamp::default());
        done.iter().for_each(|op| edit.perform(op).expect("performed before"));
        edit.finish();
        prop_assert_eq!(&elsewhere, &again);
        // The same through undo and redo.
        if !effect.inverse.is_empty() && replica.edit(done).is_ok() {
            let after = replica.view().clone();
            if matches!(replica.undo(), Ok(Undone::Done(_))) {
                prop_assert_eq!(shown(replica.view()), shown(&start));
                prop_assert!(matches!(replica.redo(), Ok(Undone::Done(_))));
                prop_assert_eq!(shown(replica.view()), shown(&after));
            }
        }
    }
}

#[test]
fn s4_typing_while_cut_off_is_not_added_to_what_the_log_may_have() {
    let mut world = World::new();
    let note = widget_id(0);
    world.join(0);
    world.deliver(0);
    let widget = Box::new(Widget::new(Kind::Note, "Note", Frame::default()));
    world.clients[0].replica.edit(vec![Op::AddWidget { id: note.clone(), widget }]).expect("a note");
    world.quiet();
    world.clients[0].replica.type_text(&note, 0, 0, "before ", 1).expect("typed");
    world.step(&Step::Push(0));
    world.step(&Step::Up(0));
    // The log has it; the answer is lost.
    world.cut(0);
    world.clients[0].replica.type_text(&note, 7, 0, "meanwhile", 2).expect("typed");
    world.quiet();
    let text = |dashboard: &Dashboard| dashboard.widgets[&note].text.clone().expect("a text");
    assert_eq!(text(world.room.dashboard()).plain(), "before meanwhile");
    assert_eq!(text(world.clients[0].replica.view()).plain(), "before meanwhile");
}

/// Somebody whose edits reach the log while the line is cut, and who comes back to a snapshot.
fn back_to_a_snapshot(world: &mut World, edit: Vec<Op>) -> Vec<Notice> {
    world.edit(0, edit);
    world.step(&Step::Push(0));
    world.step(&Step::Up(0));
    world.cut(0);
    world.join_with(0, None);
    world.deliver(0);
    assert_eq!(world.clients[0].replica.view(), world.room.dashboard(), "nothing is performed twice");
    world.quiet();
    world.clients[0].notices.clone()
}

#[test]
fn s4_what_was_refused_before_a_snapshot_is_in_its_authors_hands() {
    let mut world = World::new();
    world.forgets = false;
    let gone = widget_id(0);
    let stat = Box::new(Widget::new(Kind::Stat, "Orders", Frame::default()));
    world.edit(0, vec![Op::AddWidget { id: gone.clone(), widget: stat }]);
    world.quiet();
    world.edit(1, vec![Op::RemoveWidget { id: gone.clone() }]);
    world.step(&Step::Push(1));
    world.step(&Step::Up(1));
    // Client 0 has not heard of the removal.
    let place = Op::Place { id: gone, frame: Frame::new(3, 3, 6, 4), settled: false };
    let notices = back_to_a_snapshot(&mut world, vec![place.clone()]);
    let refused: Vec<_> = notices.iter().filter(|notice| matches!(notice, Notice::Refused { .. })).collect();
    assert!(matches!(refused[..], [Notice::Refused { op, .. }] if *op == place), "{notices:?}");
    ends::check(&world);
}

/// Client 2 begins to write; client 1 does something that client 2 gets; then client 2 ends with a title.
fn written_over(theirs: impl Fn(WidgetId) -> Op) -> World {
    let mut world = World::new();
    let id = widget_id(0);
    let stat = Box::new(Widget::new(Kind::Stat, "Orders", Frame::default()));
    world.edit(0, vec![Op::AddWidget { id: id.clone(), widget: stat }]);
    world.quiet();
    world.clients[2].began = Some(world.clients[2].replica.seen());
    world.edit(1, vec![theirs(id.clone())]);
    world.quiet();
    world.edit(2, vec![Op::Set { id, field: "title".into(), value: "Mine".into() }]);
    world.quiet();
    ends::check(&world);
    world
}

#[test]
fn s5_what_was_begun_before_anothers_value_came_meets_it() {
    let world = written_over(|id| Op::Set { id, field: "title".into(), value: "Theirs".into() });
    let open: Vec<_> = world.room.dashboard().open_conflicts().collect();
    let [conflict] = open[..] else { panic!("one conflict: {open:?}") };
    assert_eq!((&conflict.base, &conflict.kept.value), (&"Orders".into(), &"Mine".into()));
    assert_eq!(conflict.other.value, "Theirs");
    for n in [1, 2] {
        let told = |notice: &Notice| matches!(notice, Notice::Conflict { mine_shows, .. } if *mine_shows == (n == 2));
        assert!(world.clients[n].notices.iter().any(told), "client {n}: {:?}", world.clients[n].notices);
    }
}

#[test]
fn s6_what_was_begun_before_a_removal_is_kept_beside_it() {
    let world = written_over(|id| Op::RemoveWidget { id });
    let open: Vec<_> = world.room.dashboard().open_conflicts().collect();
    let [conflict] = open[..] else { panic!("one conflict: {open:?}") };
    assert_eq!(conflict.kept.value, true);
    assert!(conflict.other.value.to_string().contains("Mine"), "{conflict:?}");
}

/// What a person sees of a dashboard.
fn shown(dashboard: &Dashboard) -> impl PartialEq + std::fmt::Debug + use<> {
    (dashboard.title.clone(), dashboard.settings.clone(), dashboard.widgets.clone())
}

fn plain_op(replica: &Replica, doing: &Doing) -> Option<Op> {
    Some(match doing.clone() {
        Doing::Add(w, kind, frame) => {
            let widget = Box::new(Widget::new(kind, "New", frame));
            Op::AddWidget { id: widget_id(100 + w), widget }
        }
        Doing::Remove(w) => Op::RemoveWidget { id: pick(replica, w) },
        Doing::Restore(w) => Op::RestoreWidget { id: replica.view().removed.keys().nth(w)?.clone() },
        Doing::Place(w, frame) => Op::Place { id: pick(replica, w), frame, settled: false },
        Doing::Title(w, v) => {
            Op::Set { id: pick(replica, w), field: "title".into(), value: format!("T{v}").into() }
        }
        Doing::Unit(w, v) => {
            Op::Set { id: pick(replica, w), field: "unit".into(), value: format!("u{v}").into() }
        }
        Doing::DashboardTitle(v) => Op::SetDashboard { field: "title".into(), value: format!("D{v}").into() },
        _ => return None,
    })
}

#[test]
fn s4_a_value_that_two_wrote_is_not_written_over_by_one_of_them_unaware() {
    let mut world = World::new();
    let set = |value: Value| vec![Op::SetDashboard { field: "conflicts".into(), value }];
    world.quiet();
    // Nobody of the three has seen what the others write; the third agrees with the second, and then does not.
    for (n, value) in [(2, "latest"), (1, "ask"), (3, "ask")] {
        world.edit(n, set(value.into()));
    }
    world.edit(3, set(Value::Null));
    for n in [2, 1] {
        world.step(&Step::Push(n));
        world.step(&Step::Up(n));
    }
    let open = |world: &World| {
        let record = |conflict: &Arc<Conflict>| {
            let Conflict { kept, other, .. } = &**conflict;
            (kept.by.id.clone(), kept.value.clone(), other.value.clone())
        };
        world.room.dashboard().open_conflicts().map(record).collect::<Vec<_>>()
    };
    let first = world.clients[1].author.by.id.clone();
    let met = (first.clone(), "ask".into(), "latest".into());
    assert_eq!(open(&world), std::slice::from_ref(&met));
    world.cut(1);
    world.step(&Step::Push(3));
    world.step(&Step::Up(3));
    world.join_with(1, None);
    world.quiet();
    // The value that both wrote stays: the other one of them has not seen that one goes on from it.
    assert_eq!(open(&world), [met, (first, "ask".into(), Value::Null)]);
    ends::check(&world);
}

#[test]
fn s10_items_ticked_while_another_removes_them_leave_room_for_new_ones() {
    let mut world = World::new();
    let list = widget_id(0);
    let set = |field: String, value: Value| Op::Set { id: list.clone(), field, value };
    let widget = Box::new(Widget::new(Kind::Checklist, "List", Frame::default()));
    world.edit(0, vec![Op::AddWidget { id: list.clone(), widget }]);
    world.quiet();
    for round in 0..8 {
        let each = |ops: &dyn Fn(String) -> Vec<Op>| -> Vec<Op> {
            (0..50).flat_map(|n| ops(format!("{round}-{n}"))).collect()
        };
        let text = |id: &str, value: Value| set(format!("item.{id}"), value);
        let place = |id: &str, value: Value| set(format!("at.{id}"), value);
        world.edit(0, each(&|id| vec![text(&id, "It".into()), place(&id, 1.into())]));
        world.quiet();
        // Whoever removes has not seen the tick, and the other way round; both ways round.
        let (ticks, removes) = if round % 2 == 0 { (1, 2) } else { (2, 1) };
        world.edit(ticks, each(&|id| vec![set(format!("done.{id}"), true.into())]));
        world.edit(removes, each(&|id| vec![text(&id, Value::Null), place(&id, Value::Null)]));
        world.quiet();
    }
    ends::check(&world);
    // Ticks of new items, and those of items that are gone.
    let ticked = |world: &World| {
        let options = &world.room.dashboard().widgets[&list].options;
        let (new, gone): (Vec<&String>, Vec<&String>) = options
            .keys()
            .filter(|name| name.starts_with("done."))
            .partition(|name| name.starts_with("done.n"));
        (new.len(), gone.len())
    };
    let item = |n: usize| {
        [("item", "It".into()), ("done", true.into())].map(|(of, value)| set(format!("{of}.n{n}"), value))
    };
    world.edit(3, (0..100).flat_map(item).collect());
    world.quiet();
    ends::check(&world);
    assert_eq!(ticked(&world), (100, 100), "what is new has room");
    world.edit(3, (100..200).flat_map(item).collect());
    assert_eq!(world.clients[3].replica.view().widgets[&list].options.len(), 400, "and all else gives way");
    // A step back brings back what gave way, on every copy.
    world.act(3, &Doing::Undo);
    world.quiet();
    ends::check(&world);
    assert_eq!(ticked(&world), (100, 100));
}
