//! The Yjs state of a text, and the document that goes on with it from edit to edit.
//!
//! A state never changes: it is the bytes of an earlier one and the updates since. The document in it saves the
//! work of reading all of that for each edit. It moves on to the state after, and is made anew where somebody goes
//! on from the one before. A state knows the one after it: an own edit that was shown before the log had it is
//! worked out once.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use yrs::block::ClientID;
use yrs::updates::decoder::Decode;
use yrs::{
    Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, TextRef, Transact, Transaction,
    TransactionMut,
};

use super::{AUTHOR_MASK, ROOT, Update};
use crate::dashboard::edit::OpError;
use crate::dashboard::yjs::{self, is_plain_text};

/// Bytes of updates after which the whole state is written anew.
const MAX_SINCE_BYTES: usize = 1024;

/// The Yjs state of a text. Clones share it.
#[derive(Clone)]
pub(super) struct State(Arc<Shared>);

struct Shared {
    /// An earlier state.
    origin: Update,
    /// What was edited after it.
    since: Vec<Update>,
    /// Bytes of the two together: the state takes no more.
    size: usize,
    bytes: OnceLock<Update>,
    worked_out: Mutex<WorkedOut>,
}

/// What was worked out from a state, to be used again.
#[derive(Default)]
struct WorkedOut {
    live: Option<Live>,
    next: Option<Next>,
}

/// The state after an update, as long as anybody has it.
struct Next {
    update: Update,
    /// True where it was judged as a whole update.
    whole: bool,
    state: Weak<Shared>,
    plain: Weak<str>,
    units: u32,
}

/// A document of this state.
struct Live {
    doc: Doc,
    text: TextRef,
    author: u64,
    /// What the document has beyond the state: an edit that was made here and may become the next.
    ahead: Option<Update>,
}

/// How a text reads.
pub(super) struct Reading {
    pub plain: Arc<str>,
    /// Its length in UTF-16 units.
    pub units: u32,
}

impl Default for State {
    fn default() -> Self {
        Self::from(Update::empty())
    }
}

impl From<Update> for State {
    /// The state that these bytes are. Those that a disk or a peer has spoilt read as empty, which is found by their
    /// digest (S11).
    fn from(bytes: Update) -> Self {
        let size = bytes.as_bytes().len();
        let known = OnceLock::from(bytes.clone());
        Self(Arc::new(Shared {
            origin: bytes,
            since: Vec::new(),
            size,
            bytes: known,
            worked_out: Mutex::default(),
        }))
    }
}

impl State {
    /// A state of one edit, by `author`.
    pub fn written(author: u64, edit: impl FnOnce(&mut TransactionMut, &TextRef)) -> Self {
        let live = Live::empty(author);
        edit(&mut live.doc.transact_mut(), &live.text);
        let state = Self::from(live.encode());
        state.worked_out().live = Some(live);
        state
    }

    /// Its bytes.
    pub fn bytes(&self) -> &Update {
        self.0.bytes.get_or_init(|| {
            let live = &mut self.worked_out().live;
            match live {
                Some(live) if live.ahead.is_none() => live.encode(),
                // What is ahead of it goes on from here, so it stays.
                Some(_) => self.open(0).encode(),
                None => live.insert(self.open(0)).encode(),
            }
        })
    }

    /// The same without its document.
    pub fn at_rest(&self) -> Self {
        Self::from(self.bytes().clone())
    }

    /// How many bytes it takes at most: [`MAX_SINCE_BYTES`] too many of them.
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// Reads the document.
    pub fn read<R>(&self, read: impl FnOnce(&Transaction, &TextRef) -> R) -> R {
        let live = &mut self.worked_out().live;
        let ahead = live.as_ref().is_some_and(|live| live.ahead.is_some());
        if ahead {
            let live = self.open(0);
            return read(&live.doc.transact(), &live.text);
        }
        let live = live.get_or_insert_with(|| self.open(0));
        read(&live.doc.transact(), &live.text)
    }

    /// The update of an edit that `author` makes here. The state stays as it is.
    pub fn edit(&self, author: u64, edit: impl FnOnce(&mut TransactionMut, &TextRef)) -> Update {
        let live = &mut self.worked_out().live;
        live.take_if(|live| live.ahead.is_some() || live.author != author);
        let live = live.get_or_insert_with(|| self.open(author));
        let mut txn = live.doc.transact_mut();
        edit(&mut txn, &live.text);
        txn.commit();
        let update = Update::new(txn.encode_update_v1());
        drop(txn);
        live.ahead = (!update.is_empty()).then(|| update.clone());
        update
    }

    /// The state after an update, and how it reads. An update that goes on where its authors stand, as
    /// [`yjs::follows`] tells, is `whole`; of any other the library says whether it has what that needs.
    pub fn after(&self, update: &Update, whole: bool) -> Result<(Self, Reading), OpError> {
        if let Some(next) = self.next(update, whole) {
            return Ok(next);
        }
        let live = self.worked_out().live.take();
        let live = live.filter(|live| live.ahead.as_ref().is_none_or(|ahead| ahead == update));
        let mut live = live.unwrap_or_else(|| self.open(0));
        if whole && !self.is_whole(&live, update)? {
            if live.ahead.is_none() {
                self.worked_out().live = Some(live);
            }
            return Err(OpError::TextUnknownBase);
        }
        if live.ahead.take().is_none() {
            merge(&live.doc, update.as_bytes())?;
        }
        let txn = live.doc.transact();
        if txn.has_missing_updates() {
            return Err(OpError::TextUnknownBase);
        }
        let reading = Reading { plain: live.text.get_string(&txn).into(), units: live.text.len(&txn) };
        drop(txn);
        let state = self.go_on(update, live);
        self.worked_out().next = Some(Next {
            update: update.clone(),
            whole,
            state: Arc::downgrade(&state.0),
            plain: Arc::downgrade(&reading.plain),
            units: reading.units,
        });
        Ok((state, reading))
    }

    /// The state after an update, and how it reads, where that was worked out before and is still there.
    fn next(&self, update: &Update, whole: bool) -> Option<(Self, Reading)> {
        let worked_out = self.worked_out();
        let next = worked_out.next.as_ref()?;
        if next.update != *update || (whole && !next.whole) {
            return None;
        }
        let reading = Reading { plain: next.plain.upgrade()?, units: next.units };
        Some((Self(next.state.upgrade()?), reading))
    }

    fn is_whole(&self, live: &Live, update: &Update) -> Result<bool, OpError> {
        // What was edited here goes on from here.
        if live.ahead.is_some() {
            return Ok(true);
        }
        let known = live.doc.transact().state_vector();
        let known = |client| u64::from(known.get(&ClientID::new(client)));
        yjs::follows(update.as_bytes(), known).ok_or(OpError::NotAnUpdate)
    }

    fn go_on(&self, update: &Update, live: Live) -> Self {
        let size = self.0.size + update.as_bytes().len();
        let next = if size - self.0.origin.as_bytes().len() > MAX_SINCE_BYTES {
            Self::from(live.encode())
        } else {
            let since = self.0.since.iter().chain([update]).cloned().collect();
            let origin = self.0.origin.clone();
            let (bytes, worked_out) = (OnceLock::new(), Mutex::default());
            Self(Arc::new(Shared { origin, since, size, bytes, worked_out }))
        };
        next.worked_out().live = Some(live);
        next
    }

    fn open(&self, author: u64) -> Live {
        let live = Live::empty(author);
        for update in [&self.0.origin].into_iter().chain(&self.0.since) {
            // Each was merged before, or is spoilt.
            let _ = merge(&live.doc, update.as_bytes());
        }
        live
    }

    /// A document of its own.
    pub fn document(&self, author: u64) -> (Doc, TextRef) {
        let Live { doc, text, .. } = self.open(author);
        (doc, text)
    }

    fn worked_out(&self) -> MutexGuard<'_, WorkedOut> {
        // A panic may have left it between two states.
        self.0.worked_out.lock().unwrap_or_else(|poisoned| {
            self.0.worked_out.clear_poison();
            let mut worked_out = PoisonError::into_inner(poisoned);
            *worked_out = WorkedOut::default();
            worked_out
        })
    }
}

impl Live {
    fn empty(author: u64) -> Self {
        let author = author & AUTHOR_MASK;
        let mut options = Options::with_guid_and_client_id("note".into(), ClientID::new(author));
        options.offset_kind = OffsetKind::Utf16;
        let doc = Doc::with_options(options);
        let text = doc.get_or_insert_text(ROOT);
        Self { doc, text, author, ahead: None }
    }

    fn encode(&self) -> Update {
        Update::new(self.doc.transact().encode_state_as_update_v1(&StateVector::default()))
    }
}

fn merge(doc: &Doc, bytes: &[u8]) -> Result<(), OpError> {
    if !is_plain_text(bytes) {
        return Err(OpError::NotAnUpdate);
    }
    let update = yrs::Update::decode_v1(bytes).map_err(|_| OpError::NotAnUpdate)?;
    doc.transact_mut().apply_update(update).map_err(|_| OpError::NotAnUpdate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reads(state: &State) -> (String, u32) {
        state.read(|txn, text| (text.get_string(txn), text.len(txn)))
    }

    /// As the bytes alone read.
    fn stored(state: &State) -> (String, u32) {
        reads(&State::from(state.bytes().clone()))
    }

    proptest! {
        #[test]
        fn a_state_stays_as_it_is_whatever_goes_on_from_it(
            steps in prop::collection::vec((any::<prop::sample::Index>(), 1..4u64, any::<u32>(), 0..3u32, "[a-z😀]{0,9}", any::<bool>()), 1..60),
        ) {
            let mut states = vec![(State::default(), String::new())];
            for (from, author, at, remove, insert, goes_on) in steps {
                // Mostly from the last: a text goes on.
                let from = if goes_on { states.len() - 1 } else { from.index(states.len()) };
                let (state, plain) = states[from].clone();
                let mut chars: Vec<char> = plain.chars().collect();
                let at = at as usize % (chars.len() + 1);
                let end = (at + remove as usize).min(chars.len());
                let units = |chars: &[char]| chars.iter().map(|c| c.len_utf16() as u32).sum::<u32>();
                let (start, length) = (units(&chars[..at]), units(&chars[at..end]));
                // Each branch is another text, in which an author begins anew.
                let author = author + 4 * states.len() as u64;
                let update = state.edit(author, |txn, text| {
                    if length > 0 {
                        text.remove_range(txn, start, length);
                    }
                    text.insert(txn, start, &insert);
                });
                if goes_on {
                    prop_assert_eq!(reads(&state).0, plain, "an edit that is not taken leaves no trace");
                }
                if update.is_empty() {
                    continue;
                }
                let (after, reading) = state.after(&update, true).expect("goes on");
                chars.splice(at..end, insert.chars());
                let wanted: String = chars.into_iter().collect();
                prop_assert_eq!(&*reading.plain, wanted.as_str());
                prop_assert_eq!(reading.units, wanted.encode_utf16().count() as u32);
                prop_assert!(after.bytes().as_bytes().len() <= after.size() + MAX_SINCE_BYTES);
                states.push((after, wanted));
            }
            for (state, plain) in &states {
                prop_assert_eq!(&stored(state).0, plain);
                prop_assert_eq!(&reads(state).0, plain);
                prop_assert_eq!(reads(state), stored(&state.at_rest()));
            }
        }
    }

    #[test]
    fn an_edit_that_was_shown_is_not_worked_out_again() {
        let state = State::written(1, |txn, text| text.insert(txn, 0, "abc"));
        let update = state.edit(7, |txn, text| text.insert(txn, 3, "d"));
        let (shown, shows) = state.after(&update, true).expect("goes on");
        let (logged, reading) = state.after(&update, false).expect("goes on");
        assert!(Arc::ptr_eq(&shown.0, &logged.0) && Arc::ptr_eq(&shows.plain, &reading.plain));
        assert_eq!((&*reading.plain, reading.units), ("abcd", 4));
        // The document that its author goes on with is still there.
        let author = |state: &State| state.worked_out().live.as_ref().map(|live| live.author);
        assert_eq!(author(&logged), Some(7));
        let other = state.edit(8, |txn, text| text.insert(txn, 0, "-"));
        assert_eq!(&*state.after(&other, true).expect("goes on").1.plain, "-abc");
        drop((shown, logged));
        assert_eq!(&*state.after(&update, true).expect("goes on").1.plain, "abcd");
    }

    #[test]
    fn a_refused_update_changes_nothing() {
        let state = State::written(1, |txn, text| text.insert(txn, 0, "abc"));
        let next = state.edit(7, |txn, text| text.insert(txn, 3, "d"));
        let (ahead, _) = state.after(&next, true).expect("goes on");
        let last = ahead.edit(7, |txn, text| text.insert(txn, 4, "e"));
        for (refused, error) in
            [(last, OpError::TextUnknownBase), (Update::new([9, 9, 9]), OpError::NotAnUpdate)]
        {
            for whole in [true, false] {
                assert_eq!(state.after(&refused, whole).map(|_| ()), Err(error.clone()));
                assert_eq!(reads(&state).0, "abc");
            }
        }
        assert_eq!(&*state.after(&next, true).expect("goes on").1.plain, "abcd");
    }

    #[test]
    fn its_size_is_measured_before_it_is_far_off() {
        let mut state = State::default();
        for n in 0..500 {
            let update = state.edit(7, |txn, text| text.insert(txn, n, "x"));
            (state, _) = state.after(&update, true).expect("goes on");
            assert!(state.size() <= state.bytes().as_bytes().len() + MAX_SINCE_BYTES + 64);
        }
    }
}
