//! What has to hold once it is quiet: all copies are equal, every op has one of the four ends, its
//! author knows of it, and every character typed is somewhere to be read.

use std::collections::BTreeSet;

use lockstep::dashboard::{Dashboard, Frame, Op, User};
use lockstep::sync::protocol::{Change, Commit};
use lockstep::sync::replica::Notice;

use crate::world::{Client, World};

/// All that has to hold once it is quiet.
pub fn check(world: &World) {
    let truth = world.room.dashboard();
    for client in &world.clients {
        assert_eq!(client.replica.confirmed(), truth);
        assert_eq!(client.replica.view(), truth);
        assert_eq!(client.replica.revision(), world.room.revision());
        let logged = world.changes.keys().filter(|(c, _)| *c == client.author.client).count() as u64;
        assert_eq!(logged, client.made, "S4: each change that was made is in the log, once");
        author_knows(world, client);
    }
    every_character_is_somewhere(world);
    let frames: Vec<Frame> = truth.frames().into_values().collect();
    for (n, a) in frames.iter().enumerate() {
        assert!(frames[n + 1..].iter().all(|b| !a.overlaps(*b)), "S9");
    }
}

/// S4: every op of a committed change has exactly one of the four ends.
pub fn one_end(change: &Change, commit: &Commit) {
    for (index, op) in change.ops.iter().enumerate() {
        let refused = commit.refused.iter().any(|refused| refused.index == index);
        let cell = op.cell();
        let record = commit.conflicts.iter().find(|conflict| Some(&conflict.cell) == cell.as_ref());
        let kept_out = commit.conflicts.iter().any(|conflict| {
            conflict.other.by == commit.by
                && (Some(&conflict.cell) == cell.as_ref() || conflict.cell.id.as_ref() == op.widget_id())
        });
        let effective = commit.ops.iter().any(|effective| match (effective, op) {
            (Op::Place { id: a, .. }, Op::Place { id: b, .. }) => a == b,
            (Op::AddWidget { id: a, .. }, Op::AddWidget { id: b, .. }) => a == b,
            (a, b) => a == b,
        });
        let ends = [refused, effective, !effective && !refused && kept_out];
        assert_eq!(ends.iter().filter(|end| **end).count(), 1, "{op:?} {record:?} {commit:?}");
    }
}

/// S4: what was refused is in its author's hands, once, and who met another value was told.
fn author_knows(world: &World, client: &Client) {
    let unknown = |seq: u64| {
        let forgotten = |n: &&Notice| matches!(n, Notice::Unknown { change } if change.seq == seq);
        client.notices.iter().filter(forgotten).count()
    };
    let mut refused = Vec::new();
    for commit in world.log.iter().filter(|commit| commit.client == client.author.client) {
        if unknown(commit.seq) > 0 {
            assert_eq!(unknown(commit.seq), 1, "S4: handed back once");
            continue;
        }
        let ops = &world.changes[&(commit.client.clone(), commit.seq)];
        refused.extend(commit.refused.iter().map(|refused| (&ops[refused.index], &refused.reason)));
        for conflict in &commit.conflicts {
            let told = client.notices.iter().any(
                |notice| matches!(notice, Notice::Conflict { conflict: met, .. } if met.id == conflict.id),
            );
            // A snapshot shows the record as it is by then, which may be about values of others only.
            let mine = |by: &User| by.id == client.author.by.id;
            let open = world
                .room
                .dashboard()
                .open_conflicts()
                .any(|open| open.id == conflict.id && (mine(&open.kept.by) || mine(&open.other.by)));
            assert!(told || !open, "S4: the author was not told of {conflict:?}");
        }
    }
    let handed_back: Vec<_> = client.notices.iter().filter_map(refusal).collect();
    assert_eq!(handed_back, refused, "S4: what was refused and what its author has of it");
}

fn refusal(notice: &Notice) -> Option<(&Op, &String)> {
    match notice {
        Notice::Refused { op, reason } => Some((op, reason)),
        _ => None,
    }
}

/// S4: every character is in a text, in a conflict record, in its author's hands, or somebody deleted it.
fn every_character_is_somewhere(world: &World) {
    let truth = world.room.dashboard();
    let mut found = characters(truth);
    for conflict in truth.conflicts.values() {
        for side in [&conflict.kept, &conflict.other] {
            let edits: Vec<Op> = serde_json::from_value(side.value.clone()).unwrap_or_default();
            found.extend(edits.iter().flat_map(typed));
        }
    }
    for (character, author) in &world.typed {
        let in_hand = world.clients[*author].notices.iter().any(|notice| match notice {
            Notice::Refused { op, .. } => typed(op).contains(character),
            Notice::SetAside { change, .. } | Notice::Unknown { change } => {
                change.ops.iter().any(|op| typed(op).contains(character))
            }
            Notice::Conflict { .. } | Notice::Restored { .. } => false,
        });
        let somewhere = found.contains(character) || world.deleted.contains(character) || in_hand;
        assert!(somewhere, "S4: {character} of client {author} is lost");
    }
}

/// The characters of all notes, of removed ones too.
pub fn characters(dashboard: &Dashboard) -> BTreeSet<char> {
    let removed = dashboard.removed.values().map(|removed| &removed.widget);
    let texts = dashboard.widgets.values().chain(removed).filter_map(|widget| widget.text.as_ref());
    texts.flat_map(|text| text.plain().chars()).collect()
}

fn typed(op: &Op) -> BTreeSet<char> {
    match op {
        Op::EditText { update, .. } => update.typed().unwrap_or_default().chars().collect(),
        _ => BTreeSet::new(),
    }
}
