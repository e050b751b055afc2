//! Edits performed on a copy of the view, in as many changes as their size asks for, of which then all
//! come into effect or none.

use crate::dashboard::splice::Splice;
use crate::dashboard::{Dashboard, Edit, NoteText, Op, OpError, WidgetId};

use super::queue::gather;
use super::{EditError, Replica};

/// Bytes of text that one op inserts: with the CRDT's own below what an update may have.
const MAX_INSERT_BYTES: usize = 32 * 1024;

/// A note's splices, and other ops with them, on their way.
pub(super) struct Typing<'a> {
    edit: Edit<'a>,
    author: u64,
    queue: Vec<Vec<Op>>,
    typed: Typed,
}

impl<'a> Typing<'a> {
    /// Begins on a copy of this replica's view. Errors where nothing may be edited now.
    pub(super) fn new(replica: &Replica, view: &'a mut Dashboard) -> Result<Self, EditError> {
        replica.may_edit()?;
        let edit = Edit::new(view, replica.stamp());
        Ok(Self { edit, author: replica.author, queue: Vec::new(), typed: Vec::new() })
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
            match self.typed.last_mut() {
                Some((note, splices)) if note == id => splices.push(splice),
                _ => self.typed.push((id.clone(), vec![splice])),
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
        ops.iter().try_for_each(|op| self.edit.perform(op))?;
        if !ops.is_empty() {
            self.queue.push(ops);
        }
        Ok(())
    }

    /// Performs the ops that have an effect as one more change.
    pub(super) fn perform_possible(&mut self, ops: Vec<&Op>) {
        let possible: Vec<Op> = ops.into_iter().filter(|op| self.edit.perform(op).is_ok()).cloned().collect();
        if !possible.is_empty() {
            self.queue.push(possible);
        }
    }

    /// The changes to queue, what was done to texts, and the ops that take the other ops back.
    pub(super) fn finish(self) -> (Vec<Vec<Op>>, Typed, Vec<Op>) {
        (self.queue, self.typed, self.edit.finish().inverse)
    }
}

/// What was done to texts, note after note, in the order of doing.
pub(super) type Typed = Vec<(WidgetId, Vec<Splice>)>;

/// Where to cut what is inserted, so that each piece is an op of a size that travels.
fn piece_end(text: &str) -> usize {
    let mut end = text.len().min(MAX_INSERT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}
