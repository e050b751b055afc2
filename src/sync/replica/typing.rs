//! Edits performed on a copy of the view, in as many changes as their size asks for, of which then all
//! come into effect or none.

use std::collections::BTreeSet;

use crate::dashboard::size::json_bytes;
use crate::dashboard::splice::Splice;
use crate::dashboard::{Cell, Dashboard, Edit, NoteText, Op, OpError, WidgetId};
use crate::sync::protocol::MAX_OPS;

use super::queue::{MAX_PUSH_BYTES, gather};
use super::{EditError, Replica};

/// Bytes of text that one op inserts: with the CRDT's own below what an update may have.
const MAX_INSERT_BYTES: usize = 32 * 1024;

/// A note's splices, and other ops with them, on their way.
pub(super) struct Typing<'a> {
    edit: Edit<'a>,
    author: u64,
    queue: Vec<Vec<Op>>,
    /// What was attempted since, to be queued together.
    attempted: Vec<Op>,
    typed: Typed,
}

impl<'a> Typing<'a> {
    /// Begins on a copy of this replica's view. Errors where nothing may be edited now.
    pub(super) fn new(replica: &Replica, view: &'a mut Dashboard) -> Result<Self, EditError> {
        replica.may_edit()?;
        let edit = Edit::new(view, replica.stamp());
        let (queue, attempted) = (Vec::new(), Vec::new());
        Ok(Self { edit, author: replica.author, queue, attempted, typed: Vec::new() })
    }

    /// The dashboard as it stands now.
    pub(super) fn dashboard(&self) -> &Dashboard {
        self.edit.dashboard()
    }

    /// A note's text as it stands now.
    pub(super) fn text(&self, id: &WidgetId) -> Option<&NoteText> {
        self.edit.dashboard().text(id)
    }

    /// Replaces `remove` UTF-16 units from `at` on, in pieces of a size that travels.
    pub(super) fn splice(
        &mut self,
        id: &WidgetId,
        at: u32,
        remove: u32,
        insert: &str,
    ) -> Result<(), OpError> {
        self.flush();
        let (mut at, mut remove, mut rest) = (at, remove, insert);
        loop {
            let (piece, later) = rest.split_at(piece_end(rest));
            let text = self.text(id).ok_or(OpError::NoText)?;
            let (update, splice) = text.splice(self.author, at, remove, piece);
            if splice.removed.is_empty() && splice.inserted.is_empty() {
                return Ok(());
            }
            let op = Op::edit_text(id, update);
            self.edit.perform(&op)?;
            match self.typed.iter_mut().find(|(note, _)| note == id) {
                Some((_, splices)) => splices.push(splice),
                None => self.typed.push((id.clone(), vec![splice])),
            }
            let ops = vec![op];
            // Many small ones are as much as the queue makes of them, and no more.
            if self.queue.last_mut().and_then(|last| gather(last, &ops)).is_none() {
                self.queue.push(ops);
            }
            if later.is_empty() {
                return Ok(());
            }
            at += piece.encode_utf16().count() as u32;
            (remove, rest) = (0, later);
        }
    }

    /// Performs ops as one more change. An error means that nothing of all this may be done.
    pub(super) fn perform(&mut self, ops: Vec<Op>) -> Result<(), OpError> {
        self.flush();
        ops.iter().try_for_each(|op| self.edit.perform(op))?;
        if !ops.is_empty() {
            self.queue.push(ops);
        }
        Ok(())
    }

    /// Performs an op where that has an effect, together with those attempted before and after it.
    pub(super) fn attempt(&mut self, op: &Op) -> bool {
        let is_done = self.edit.perform(op).is_ok();
        if is_done {
            self.attempted.push(op.clone());
        }
        is_done
    }

    /// Queues what was attempted: as one change, where it is no larger than one may be.
    fn flush(&mut self) {
        let (mut change, mut bytes) = (Vec::new(), 0);
        for op in without_overwritten(std::mem::take(&mut self.attempted)) {
            let more = json_bytes(&op);
            if change.len() == MAX_OPS || (bytes + more > MAX_PUSH_BYTES && bytes > 0) {
                self.queue.push(std::mem::take(&mut change));
                bytes = 0;
            }
            bytes += more;
            change.push(op);
        }
        if !change.is_empty() {
            self.queue.push(change);
        }
    }

    /// The changes to queue, what was done to texts, and the ops that take the other ops back.
    pub(super) fn finish(mut self) -> (Vec<Vec<Op>>, Typed, Vec<Op>) {
        self.flush();
        (self.queue, self.typed, self.edit.finish().inverse)
    }
}

/// What was done to texts, a note once, in the order of doing.
pub(super) type Typed = Vec<(WidgetId, Vec<Splice>)>;

/// Ops without the values that a later one of them writes over.
fn without_overwritten(ops: Vec<Op>) -> Vec<Op> {
    let is_value = |op: &Op| matches!(op, Op::Set { .. } | Op::SetDashboard { .. } | Op::Place { .. });
    let mut written: BTreeSet<Cell> = BTreeSet::new();
    let mut kept: Vec<Op> = ops
        .into_iter()
        .rev()
        .filter(|op| !is_value(op) || op.cell().is_none_or(|cell| written.insert(cell)))
        .collect();
    kept.reverse();
    kept
}

/// Where to cut what is inserted, so that each piece is an op of a size that travels.
fn piece_end(text: &str) -> usize {
    let mut end = text.len().min(MAX_INSERT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}
