//! The compaction of a text: what it reads put anew in the place of all that was ever typed, and what was made
//! before that said anew.

use std::collections::VecDeque;
use std::sync::Arc;

use yrs::{Text, Transact};

use super::rebase::Rebase;
use super::state::State;
use super::{AUTHOR_MASK, Bounds, MAX_NOTE_BYTES, NoteText, Update};

/// Bytes of a Yjs state from which on it is compacted without waiting for anybody, below the largest with room
/// for edits that are on their way.
const URGENT_BYTES: usize = MAX_NOTE_BYTES / 4 * 3;
/// Texts before compactions that are remembered: an edit that met more of them on its way is refused.
pub(super) const MAX_OLDER: usize = 4;

impl NoteText {
    /// The compaction that it had last; `None` where it had none.
    pub fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// True where its state is so much larger than the text, and than `floor` bytes, that a compaction is due.
    pub fn is_overgrown(&self, floor: usize) -> bool {
        /// What one block and what stands around it take beside its text, and a little more.
        const BLOCK: usize = 32;
        let least = self.plain.len() + BLOCK;
        // A third of the state at least goes with it, so that the next one is far.
        let most = (least * 3).min(URGENT_BYTES).max(least + least / 2).max(floor);
        self.is_larger_than(most)
    }

    /// True where the last edit was made before the last compaction.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// True where there is little room left for edits before the state is too large.
    pub fn is_urgent(&self) -> bool {
        self.is_larger_than(URGENT_BYTES)
    }

    /// Bytes of its Yjs state.
    pub fn state_bytes(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.bytes().as_bytes().len())
    }

    fn is_larger_than(&self, most: usize) -> bool {
        // Measured only where it may be.
        self.state.as_ref().is_some_and(|state| state.size() > most) && self.state_bytes() > most
    }

    /// The update that puts the text anew in the place of all that was ever typed, as the client `generation`.
    pub fn compaction(&self, generation: u64) -> Update {
        let (doc, text) = self.document(generation);
        let mut txn = doc.transact_mut();
        let length = text.len(&txn);
        text.remove_range(&mut txn, 0, length);
        if !self.plain.is_empty() {
            text.insert(&mut txn, 0, &self.plain);
        }
        txn.commit();
        Update::new(txn.encode_update_v1())
    }

    /// The text after that compaction.
    pub fn compacted(&self, generation: u64) -> Self {
        let state = || State::written(generation, |txn, text| text.insert(txn, 0, &self.plain));
        let older =
            Self { state: self.state.as_ref().map(State::at_rest), ..self.remembering(MAX_OLDER - 1) };
        Self {
            state: (!self.plain.is_empty()).then(state),
            generation: Some(generation & AUTHOR_MASK),
            older: Some(Arc::new(older)),
            is_behind: false,
            ..self.clone()
        }
    }

    /// This text with so many of those before its compactions.
    fn remembering(&self, count: usize) -> Self {
        let older = self.older.as_ref().filter(|_| count > 0);
        let older = older.map(|older| Arc::new(older.remembering(count - 1)));
        Self { older, ..self.clone() }
    }

    /// From the text before the last compaction to what that made of it, where the former is known.
    fn rebase(&self) -> Option<Rebase> {
        Rebase::compacted(self.older.as_ref()?, self.generation?)
    }

    /// Says edits of this text, which follow each other, anew for a later one of another generation: by what
    /// both read. What cannot be said there stays as it is.
    pub fn rebase_updates(&self, later: &Self, updates: Vec<&mut Update>) {
        let Some(rebase) = Rebase::between(self, later) else { return };
        for update in updates {
            if let Some(rebased) = rebase.update(update) {
                *update = rebased;
            }
        }
    }

    /// Says the neighbours of splices that were made before the last compaction as they are after it.
    pub fn rebase_bounds<'a>(&self, all: impl Iterator<Item = &'a mut Bounds>) {
        let mut all = all.peekable();
        if all.peek().is_none() {
            return;
        }
        let Some(rebase) = self.rebase() else { return };
        for anchor in all.flat_map(|bounds| bounds.start.iter_mut().chain(&mut bounds.end)) {
            if let Some(rebased) = rebase.anchor(anchor) {
                *anchor = rebased;
            }
        }
    }

    /// Says what was made before the last compaction, or one of some before it, as it is here: of the first of
    /// them of which it makes sense here.
    pub(super) fn said_anew<T: Clone, R>(
        &self,
        say: impl Fn(&Rebase, &T) -> Option<T>,
        of: &T,
        here: impl Fn(&T) -> Option<R>,
    ) -> Option<(T, R)> {
        let mut rebases = VecDeque::new();
        let mut newer = self;
        loop {
            rebases.push_front(newer.rebase()?);
            let said = rebases.iter().try_fold(of.clone(), |of, rebase| say(rebase, &of));
            if let Some(said) = said
                && let Some(made) = here(&said)
            {
                return Some((said, made));
            }
            newer = newer.older.as_ref()?;
        }
    }
}

/// The Yjs client id of somebody's typing in a generation of a text. The clocks of a client begin anew with
/// each, and an id stands for one character only.
pub(super) fn author_in(generation: Option<u64>, author: u64) -> u64 {
    let Some(generation) = generation else { return author };
    // The finalizer of SplitMix64 (Steele, Lea, Flood 2014), by which every bit depends on all.
    let mut mixed = author ^ generation.rotate_left(32);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) & AUTHOR_MASK
}
