//! Taking back of another person's steps: an own edit, made of what takes each of them back where the value is
//! still the one that they left.

use crate::dashboard::op::TEXT;
use crate::dashboard::splice::{Splice, units};
use crate::dashboard::{Cell, UserId};
use crate::sync::undo::{Inverse, Noted, Part, Pending, Steps, Writer};

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
        let (mut stays, mut back) = (Vec::new(), Vec::new());
        let chosen: Vec<&Noted> = self.others.of(by, steps).collect();
        let mut done = vec![false; chosen.len()];
        // All of these in one go, so that the grid settles once.
        for (step, done) in chosen.iter().zip(&mut done) {
            let written_over = |inverse: &Inverse, typing: &Typing| {
                self.others.written_over(step, inverse, typing.dashboard(), &pending)
            };
            let moves = step.parts(steps).any(|part| match part {
                Part::Op(inverse) => inverse.is_layout() && written_over(inverse, &typing).is_none(),
                Part::Text(_) => false,
            });
            for part in step.parts_with_room(steps) {
                let Part::Op(inverse) = part else { continue };
                if inverse.made_room && !moves {
                    continue;
                }
                let writer = written_over(inverse, &typing);
                let is_done = writer.is_none() && typing.attempt(&inverse.op);
                // Of a choice, the cells that it brought are told of.
                let Some(cell) = inverse.op.cell().filter(|_| !inverse.made_room) else {
                    *done |= is_done && !inverse.made_room;
                    continue;
                };
                *done |= is_done;
                match is_done {
                    true => back.push(cell),
                    false => stays.push(Stays { cell, by: writer }),
                }
            }
        }
        for (step, done) in chosen.iter().zip(&mut done) {
            for part in step.parts(steps) {
                let Part::Text(text) = part else { continue };
                let cell = Cell::widget(&text.id, TEXT);
                let splices = typing.text(&text.id).map(|now| text.back(now));
                let writer = self.others.typed_over(step, &text.id);
                // A note that is gone took its text with it, unless somebody else has removed it.
                let is_gone = splices.is_none() && writer == Writer::Me;
                let splices = splices.unwrap_or_default();
                *done |= !splices.is_empty();
                if is_gone || splices.len() == text.places() {
                    back.push(cell);
                } else {
                    stays.push(Stays { cell, by: Some(writer) });
                }
                for Splice { at, removed, inserted } in splices {
                    typing.splice(&text.id, at, units(&removed), &inserted)?;
                }
            }
        }
        let count = done.iter().filter(|done| **done).count();
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
