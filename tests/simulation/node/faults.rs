//! Changes judged by the real room, and what is broken on purpose about that: what the room is asked, or what is
//! noted of its verdict. The room itself is never another one.

use std::sync::Arc;

use lockstep::dashboard::{Choice, Conflict, Op, WidgetId};
use lockstep::sync::conflict::MAX_OPEN_CONFLICTS;
use lockstep::sync::protocol::{Change, Code, Commit};
use lockstep::sync::room::{Author, Room, RoomState, Verdict};
use serde_json::Value;

use crate::model::History;
use crate::world::{Fault, World};

/// Of a hundred changes, how many are followed by one that no client of ours makes.
const KNOCKS: u64 = 3;

impl World {
    /// Judges a change. `None` where there is no room.
    pub(super) fn judge(&mut self, author: &Author, change: &Change) -> Option<Verdict> {
        let wall = self.wall_ms();
        let room = self.node.room.as_mut()?;
        Some(judge(self.fault, self.ledger.history(), room, author, change, wall))
    }

    /// What somebody sends who follows no rule: turned down, whatever the room is.
    pub(super) fn knock(&mut self, author: &Author) {
        if !self.strangers.percent(KNOCKS) {
            return;
        }
        let Some(room) = &self.node.room else { return };
        let (base, seq) = (room.revision(), room.last_seq(&author.client) + 1);
        let ahead = 1 + self.strangers.below(3);
        let title = Op::SetDashboard { field: "title".to_owned(), value: "Knock".into() };
        let change = Change { seq, base, ops: vec![title], age_ms: None };
        let (change, wanted) = match self.strangers.below(3) {
            0 => (Change { base: base + ahead, ..change }, Code::Invalid),
            1 => (Change { seq: seq + ahead, ..change }, Code::OutOfOrder),
            _ => (Change { ops: Vec::new(), ..change }, Code::Invalid),
        };
        let mut room = room.clone();
        match judge(self.fault, self.ledger.history(), &mut room, author, &change, self.wall + self.now) {
            Verdict::Rejected { code, .. } if code == wanted => {}
            taken => self.ledger.fails(format!("S5: at {base}, {change:?} is taken: {taken:?}")),
        }
    }
}

fn judge(
    fault: Option<Fault>,
    history: History<'_>,
    room: &mut Room,
    author: &Author,
    change: &Change,
    wall: u64,
) -> Verdict {
    let Some(fault) = fault else { return room.judge(author, change, wall) };
    let before = room.clone();
    match room.judge(author, &asked(fault, history, room, author, change), wall) {
        Verdict::Committed(mut commit) => {
            if noted(fault, &before, &mut commit) {
                *room = before;
                room.replay(&commit);
            }
            if fault == Fault::ForgetsNeededTombstones {
                forget_needed(room, &commit);
            }
            Verdict::Committed(commit)
        }
        verdict => verdict,
    }
}

/// What the room is asked in the place of a change.
fn asked(fault: Fault, history: History<'_>, room: &Room, author: &Author, change: &Change) -> Change {
    let (mut asked, next) = (change.clone(), room.last_seq(&author.client) + 1);
    let removes = |op: &Op| matches!(op, Op::RemoveWidget { .. });
    let typing = |op: &Op| match op {
        Op::RemoveWidget { id } => {
            let edits = history.unseen_edits(id, change.base, &author.client);
            !edits.is_empty() && edits.iter().all(|(_, write)| matches!(write.op, Op::EditText { .. }))
        }
        _ => false,
    };
    let ahead = change.base > room.revision();
    let sees_all = match fault {
        Fault::TakesBasesAhead => ahead,
        _ if ahead => false,
        Fault::ForgetsSeqs if change.seq < next => {
            asked.seq = next;
            false
        }
        Fault::TakesGaps if change.seq > next => {
            asked.seq = next;
            false
        }
        Fault::OverlooksUnseenWrites => !change.ops.iter().any(removes),
        Fault::RemovesSilently => change.ops.iter().any(removes),
        Fault::TakesTypingForNoEdit => change.ops.iter().any(typing),
        Fault::WritesOverWhereFull => room.dashboard().open_conflicts().count() >= MAX_OPEN_CONFLICTS,
        _ => false,
    };
    if sees_all {
        asked.base = room.revision();
    }
    asked
}

/// Notes something else of a verdict than what it is. False where it stays as it is.
fn noted(fault: Fault, before: &Room, commit: &mut Commit) -> bool {
    let record = |id| before.dashboard().conflicts.get(id);
    let choice = commit.ops.iter().find_map(|op| match op {
        Op::SettleConflict { conflict, choose } => Some((record(conflict)?.clone(), choose.clone())),
        _ => None,
    });
    let ops = commit.ops.len();
    match (fault, choice) {
        (Fault::ChoosesHalf, Some(_)) => {
            commit.ops.retain(|op| matches!(op, Op::SettleConflict { .. } | Op::Place { .. }));
        }
        (Fault::RestoresWithoutEdits, Some((record, Choice::Other))) if record.other.value.is_array() => {
            commit.ops.retain(|op| !matches!(op, Op::Set { .. } | Op::EditText { .. }));
        }
        (Fault::AppliesTwice, _) if commit.revision.is_multiple_of(10) => {
            let again = commit.ops.iter().find(|op| !matches!(op, Op::Place { .. })).cloned();
            commit.ops.extend(again);
        }
        (Fault::LosesOtherValues, None) => {
            let open = |record: &&mut Arc<Conflict>| {
                before.dashboard().conflicts.get(&record.id).is_some_and(|old| old.settled.is_none())
            };
            let known: Vec<_> = commit.conflicts.iter_mut().filter(open).collect();
            let any = !known.is_empty();
            known.into_iter().for_each(|record| Arc::make_mut(record).other.value = Value::Null);
            return any;
        }
        _ => {}
    }
    commit.ops.len() != ops
}

/// Drops the tombstones that open conflicts need, when a widget is removed.
fn forget_needed(room: &mut Room, commit: &Commit) {
    let removes = commit.ops.iter().any(|op| matches!(op, Op::RemoveWidget { .. }));
    if removes {
        let needed = room.dashboard().open_conflicts().filter_map(|record| record.cell.id.clone());
        let needed: Vec<WidgetId> = needed.collect();
        *room = without_tombstones(room, |id| needed.iter().any(|needed| needed.as_str() == id));
    }
}

/// A room without some of its tombstones.
pub(super) fn without_tombstones(room: &Room, goes: impl Fn(&str) -> bool) -> Room {
    let mut state = serde_json::to_value(room.state()).expect("JSON");
    if let Some(removed) = state["dashboard"]["removed"].as_object_mut() {
        removed.retain(|id, _| !goes(id));
    }
    Room::from_state(serde_json::from_value::<RoomState>(state).expect("a state"))
}
