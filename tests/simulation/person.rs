//! What people do to a dashboard: anything that the page lets them, at any moment.

use lockstep::dashboard::{Choice, Frame, Kind, Op, Widget, WidgetId};
use lockstep::sync::replica::{Replica, Undone};

use serde_json::{Value, json};

use super::model::letter_of;
use super::random::Random;
use super::world::World;

/// Widgets on which there is nothing more to add: people meet on few of them.
const ENOUGH_WIDGETS: usize = 6;

impl World {
    /// The person at a tab does something.
    pub fn act(&mut self, n: usize) {
        let now = self.now;
        let what = self.random.below(100);
        let letter = letter_of(&self.tabs[n].author.client);
        let Some(life) = &mut self.tabs[n].life else { return };
        life.replica.set_time(now);
        match what {
            0..=24 => {
                let (at, remove) = (self.random.below(12) as u32, self.random.below(3) as u32);
                let typed = format!("{letter}{}é😀", self.random.below(100));
                let note = |widget: &&WidgetId| life.replica.view().widgets[*widget].text.is_some();
                let notes: Vec<WidgetId> = life.replica.view().widgets.keys().filter(note).cloned().collect();
                if let Some(id) = self.random.pick(&notes) {
                    // What cannot be typed was not typed.
                    let _ = life.replica.type_text(id, at, remove, &typed, now);
                }
            }
            25..=29 => return self.undo(n),
            30..=32 => {
                let _ = undone(life.replica.redo());
            }
            _ => {
                let count = if self.random.percent(15) { self.random.between(2, 3) } else { 1 };
                let ops: Vec<Op> = (0..count).filter_map(|_| self.op(n)).collect();
                if let (Some(life), false) = (&mut self.tabs[n].life, ops.is_empty()) {
                    let _ = life.replica.edit(ops);
                }
            }
        }
        self.made(n);
    }

    /// The person at a tab takes a step back.
    pub fn undo(&mut self, n: usize) {
        let (shown, now) = (self.ledger.shown(&self.tabs[n]), self.now);
        let Some(life) = &mut self.tabs[n].life else { return };
        life.replica.set_time(now);
        if undone(life.replica.undo())
            && let Some(shown) = shown
        {
            self.ledger.undone(&shown, &self.tabs[n]);
        }
        self.made(n);
    }

    /// The person at a tab uses what does not show of the latest conflict.
    pub fn choose(&mut self, n: usize) {
        let now = self.now;
        let Some(life) = &mut self.tabs[n].life else { return };
        life.replica.set_time(now);
        let latest = life.replica.view().open_conflicts().max_by_key(|conflict| conflict.other.at);
        let conflict = latest.map(|conflict| conflict.id.clone());
        if let Some(conflict) = conflict {
            let _ = life.replica.edit(vec![Op::SettleConflict { conflict, choose: Choice::Other }]);
        }
        self.made(n);
    }

    fn op(&mut self, n: usize) -> Option<Op> {
        self.counter += 1;
        let (counter, random) = (self.counter, &mut self.random);
        let replica = &self.tabs[n].life.as_ref()?.replica;
        let view = replica.view();
        let widgets: Vec<&WidgetId> = view.widgets.keys().collect();
        let what = if widgets.len() < 2 { 0 } else { random.below(100) };
        let frame = Frame::new(
            random.below(20) as u16,
            random.below(20) as u16,
            random.between(1, 12) as u16,
            random.between(1, 8) as u16,
        );
        Some(match what {
            0..=14 if widgets.len() < ENOUGH_WIDGETS => {
                let kind = if random.percent(50) { Kind::Note } else { *random.pick(&Kind::ALL)? };
                let id = WidgetId::new(format!("w{n}-{counter}")).expect("an id");
                Op::AddWidget { id, widget: Box::new(Widget::new(kind, format!("W{counter}"), frame)) }
            }
            0..=22 => Op::RemoveWidget { id: (*random.pick(&widgets)?).clone() },
            23..=30 => {
                let removed: Vec<&WidgetId> = view.removed.keys().collect();
                Op::RestoreWidget { id: (*random.pick(&removed)?).clone() }
            }
            31..=45 => Op::Place { id: (*random.pick(&widgets)?).clone(), frame, settled: false },
            46..=65 => set(random.pick(&widgets)?, "title", format!("T{counter}")),
            66..=75 => {
                let id = random.pick(&widgets)?;
                match view.widgets[*id].kind {
                    Kind::Checklist => item(id, random, counter),
                    _ => set(id, "unit", format!("u{counter}")),
                }
            }
            76..=85 => setting(random, counter),
            86..=88 => {
                let value = *random.pick(&["latest", "first", "ask"])?;
                Op::SetDashboard { field: "conflicts".to_owned(), value: value.into() }
            }
            _ => {
                let open: Vec<_> = view.conflicts.values().map(|conflict| &conflict.id).collect();
                let choose = match random.below(4) {
                    0 => Choice::Kept,
                    1 => Choice::Other,
                    2 => Choice::Value(format!("V{counter}").into()),
                    _ => Choice::Reopen,
                };
                Op::SettleConflict { conflict: (*random.pick(&open)?).clone(), choose }
            }
        })
    }
}

fn set(id: &WidgetId, field: &str, value: String) -> Op {
    Op::Set { id: id.clone(), field: field.to_owned(), value: value.into() }
}

/// Few items, so that people meet on them.
fn item(id: &WidgetId, random: &mut Random, counter: u64) -> Op {
    let item = random.below(3);
    match random.below(3) {
        0 => set(id, &format!("item.{item}"), format!("I{counter}")),
        1 => Op::Set { id: id.clone(), field: format!("item.{item}"), value: Value::Null },
        _ => Op::Set { id: id.clone(), field: format!("done.{item}"), value: random.percent(50).into() },
    }
}

/// The title, or a setting: one of those that are there by name, or one of a family.
fn setting(random: &mut Random, counter: u64) -> Op {
    let (field, value) = match random.below(8) {
        0..=2 => ("title", format!("D{counter}").into()),
        3 => ("range", format!("{}m", random.between(1, 90)).into()),
        4 => ("variable.host", json!({"choices": ["a", "b", format!("h{counter}")]})),
        5 => ("value.host", format!("h{counter}").into()),
        6 => ("annotation.a", Value::Null),
        _ => ("annotation.a", json!({"at": counter, "text": format!("A{counter}")})),
    };
    Op::SetDashboard { field: field.to_owned(), value }
}

fn undone<E>(outcome: Result<Undone, E>) -> bool {
    matches!(outcome, Ok(Undone::Done(_)))
}

/// Whether a copy shows what this log says up to this revision, with nothing left to say.
pub fn is_settled(replica: &Replica, epoch: &str, revision: u64) -> bool {
    let same_log = replica.resume().is_some_and(|at| at.epoch == epoch);
    same_log && replica.pending() == 0 && replica.revision() == revision
}
