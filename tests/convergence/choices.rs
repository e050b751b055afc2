//! Choices in a conflict, taken back after somebody else has chosen otherwise.

use lockstep::dashboard::{Choice, ConflictId, Op, OpError};
use lockstep::sync::replica::{Notice, Undone};

use super::world::{Step, World};

/// Everybody hears all that was said.
fn hear(world: &mut World) {
    for n in 0..world.clients.len() {
        (0..20).for_each(|_| world.step(&Step::Down(n)));
    }
}

fn send(world: &mut World, n: usize) {
    world.step(&Step::Push(n));
    world.step(&Step::Up(n));
}

fn choose(world: &mut World, n: usize, conflict: &ConflictId, choose: Choice) {
    world.edit(n, vec![Op::SettleConflict { conflict: conflict.clone(), choose }]);
    send(world, n);
}

/// Two titles have met; client 1 has chosen one of them, and everybody knows.
fn chosen() -> (World, ConflictId) {
    let mut world = World::new();
    world.quiet();
    for n in [1, 2] {
        let value = format!("Title of {n}").into();
        world.edit(n, vec![Op::SetDashboard { field: "title".into(), value }]);
    }
    send(&mut world, 1);
    send(&mut world, 2);
    hear(&mut world);
    let conflict = world.room.dashboard().open_conflicts().next().expect("they met").id.clone();
    choose(&mut world, 1, &conflict, Choice::Other);
    hear(&mut world);
    assert_eq!(world.room.dashboard().title, "Title of 1");
    (world, conflict)
}

fn chosen_by_another(world: &mut World, conflict: &ConflictId) {
    choose(world, 2, conflict, Choice::Reopen);
    // It hears its own, and client 1 nothing yet.
    (0..5).for_each(|_| world.step(&Step::Down(2)));
    choose(world, 2, conflict, Choice::Kept);
}

/// What client 2 chose stands, in every copy.
fn stands(world: &mut World, conflict: &ConflictId) {
    world.quiet();
    let chooser = world.clients[2].author.by.id.clone();
    for dashboard in world.clients.iter().map(|client| client.replica.view()).chain([world.room.dashboard()])
    {
        let settled = dashboard.conflicts[conflict].settled.as_ref().expect("it is settled");
        assert_eq!((&settled.choose, &settled.by.id), (&Choice::Kept, &chooser));
        assert_eq!(dashboard.title, "Title of 2");
    }
}

#[test]
fn s4_undo_of_a_choice_takes_back_the_own_one() {
    let (mut world, conflict) = chosen();
    assert!(matches!(world.clients[1].replica.undo(), Ok(Undone::Done(_))));
    send(&mut world, 1);
    world.quiet();
    assert_eq!(world.room.dashboard().conflicts[&conflict].settled, None);
}

#[test]
fn s4_undo_of_a_choice_leaves_the_one_that_another_made_after_it() {
    let (mut world, conflict) = chosen();
    chosen_by_another(&mut world, &conflict);
    hear(&mut world);
    assert!(matches!(world.clients[1].replica.undo(), Ok(Undone::Skipped)));
    send(&mut world, 1);
    stands(&mut world, &conflict);
}

#[test]
fn s4_undo_of_a_choice_that_crosses_anothers_is_refused_and_told() {
    let (mut world, conflict) = chosen();
    chosen_by_another(&mut world, &conflict);
    assert!(matches!(world.clients[1].replica.undo(), Ok(Undone::Done(_))), "it has heard of nothing");
    send(&mut world, 1);
    stands(&mut world, &conflict);
    let told = |notice: &Notice| matches!(notice, Notice::Refused { reason, .. } if *reason == OpError::ChosenSince.to_string());
    assert!(world.clients[1].notices.iter().any(told), "{:?}", world.clients[1].notices);
}
