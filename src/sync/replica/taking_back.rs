//! Taking back of another person's steps: an own edit, made of what takes each of them back where the value is
//! still the one that they left.

use crate::dashboard::op::TEXT;
use crate::dashboard::splice::{Splice, units};
use crate::dashboard::{Cell, UserId};
use crate::sync::undo::{Inverse, Part, Pending, Steps, Writer};

use super::typing::Typing;
use super::{Changes, EditError, Replica};

/// What became of the taking back of steps.
#[derive(Debug, Default)]
pub struct TakenBack {
    pub changes: Changes,
    /// Steps of which something was taken back.
    pub steps: usize,
    /// What was left as it is.
    pub stays: Vec<Stays>,
}

/// A cell that was left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    pub cell: Cell,
    /// Who has written there since; `None` where it cannot be brought back for another reason.
    pub by: Option<Writer>,
}

impl Replica {
    /// How many steps of whom can be taken back.
    pub fn others_steps(&self) -> Vec<(UserId, usize)> {
        self.others.counts()
    }

    /// Takes back steps of somebody, the newest first, as one own step. What others have written since stays, and so
    /// does what this person has written since in another way. An error means that nothing was done.
    pub fn take_back(&mut self, by: &UserId, steps: &Steps) -> Result<TakenBack, EditError> {
        let pending = self.pending.iter().filter(|one| one.change.seq > self.logged);
        let pending = Pending(pending.flat_map(|one| &one.change.ops).collect());
        let mut view = self.view.clone();
        let mut typing = Typing::new(self, &mut view)?;
        let (mut count, mut stays, mut back) = (0, Vec::new(), Vec::new());
        for step in self.others.of(by, steps) {
            let written_over = |inverse: &Inverse, typing: &Typing| {
                self.others.written_over(step, inverse, typing.dashboard(), &pending)
            };
            let (mut any, mut moved) = (false, false);
            for part in step.parts(steps) {
                let (cell, is_done, writer) = match part {
                    Part::Text(text) => {
                        let splices = typing.text(&text.id).map(|now| text.back(now)).unwrap_or_default();
                        let is_whole = splices.len() == text.places();
                        any |= !splices.is_empty();
                        for Splice { at, removed, inserted } in splices {
                            typing.splice(&text.id, at, units(&removed), &inserted)?;
                        }
                        let writer = || self.others.typed_over(step, &text.id);
                        (Some(Cell::widget(&text.id, TEXT)), is_whole, (!is_whole).then(writer))
                    }
                    Part::Op(inverse) => {
                        let writer = written_over(inverse, &typing);
                        let is_done = writer.is_none() && typing.attempt(&inverse.op);
                        (any, moved) = (any || is_done, moved || is_done && inverse.is_layout());
                        // Of a choice, the cells that it brought are told of.
                        (inverse.op.cell(), is_done, writer)
                    }
                };
                match (cell, is_done) {
                    (Some(cell), true) => back.push(cell),
                    (Some(cell), false) => stays.push(Stays { cell, by: writer }),
                    (None, _) => {}
                }
            }
            for inverse in step.made_room().filter(|_| moved) {
                if written_over(inverse, &typing).is_none() {
                    typing.attempt(&inverse.op);
                }
            }
            count += usize::from(any);
        }
        let mut told: Vec<Stays> = Vec::new();
        for one in stays {
            if !back.contains(&one.cell) && told.iter().all(|told| told.cell != one.cell) {
                told.push(one);
            }
        }
        let (queue, typed, inverse) = typing.finish();
        if count == 0 || queue.is_empty() {
            return Ok(TakenBack { stays: told, ..TakenBack::default() });
        }
        let step = self.step(typed, inverse, &view);
        let changes = self.enact(view, queue, self.revision)?;
        self.undo.did(step);
        self.others.remove(by, steps);
        Ok(TakenBack { changes, steps: count, stays: told })
    }
}

#[cfg(test)]
mod tests;
