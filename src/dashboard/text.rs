//! A note's text: a Yjs document of its own with one root text named `text`, so that any number of
//! people type in it at once. Positions count UTF-16 units, as the browser's text fields do.
//!
//! A Yjs document keeps a trace of all that was ever typed. A compaction puts the text as it reads in its
//! place, under ids of a new generation. The text before it is remembered, so that edits and anchors which
//! were made on it are said anew.

mod compaction;
mod edits;
mod rebase;
mod state;
mod update;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize, Serializer};
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Assoc, Doc, IndexedSequence, ReadTxn, StickyIndex, Text, TextRef};

use super::edit::OpError;
use super::splice::{Splice, cut, units};
use super::widget::escaped_bytes;

use self::compaction::author_in;
use self::rebase::Rebase;
use self::state::{Reading, State};
pub use self::update::{MAX_UPDATE_BYTES, Update};

/// Characters of a note, in UTF-16 units: a long runbook.
pub const MAX_NOTE_CHARS: u32 = 250_000;
/// Bytes of a note's Yjs state: of the longest text in any script, and of a history of edits until it is
/// compacted.
pub const MAX_NOTE_BYTES: usize = 1024 * 1024;
/// Bits of a Yjs client id, the same bound that JavaScript's whole numbers have.
pub const AUTHOR_MASK: u64 = (1 << 53) - 1;

/// The name of the one root of the document.
const ROOT: &str = "text";

/// A note's text: its Yjs state, and how it reads.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "Stored")]
pub struct NoteText {
    state: Option<State>,
    plain: Arc<str>,
    /// The length of the text in UTF-16 units.
    units: u32,
    /// Bytes of the text as JSON.
    escaped: usize,
    /// The Yjs client id under which the last compaction wrote the text; `None` where there was none.
    generation: Option<u64>,
    /// The text before the last compaction, where it is known.
    older: Option<Arc<NoteText>>,
    /// True where the last edit was made before the last compaction: more of the kind may be on their way.
    is_behind: bool,
}

/// A text as it is stored and sent.
#[derive(Serialize, Deserialize)]
struct Stored {
    state: Option<Update>,
    plain: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
}

impl From<Stored> for NoteText {
    fn from(Stored { state, plain, generation }: Stored) -> Self {
        let reading = Reading { units: units(&plain), plain };
        Self { generation, ..Self::default() }.reading(state.map(State::from), reading)
    }
}

impl Serialize for NoteText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let state = self.state.as_ref().map(|state| state.bytes().clone());
        Stored { state, plain: self.plain.clone(), generation: self.generation }.serialize(serializer)
    }
}

impl std::fmt::Debug for NoteText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NoteText({:?})", self.plain)
    }
}

/// Two texts are equal where they read the same and are of one generation: the same edits in another order are
/// encoded differently and mean the same.
impl PartialEq for NoteText {
    fn eq(&self, other: &Self) -> bool {
        self.plain == other.plain && self.generation == other.generation
    }
}

/// A place between two characters that stays with them while others type (a Yjs sticky index).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor(StickyIndex);

impl Anchor {
    /// As bytes in base64, for the wire.
    pub fn encode(&self) -> String {
        BASE64.encode(self.0.encode_v1())
    }

    /// Reads what [`Anchor::encode`] wrote; `None` for anything else.
    pub fn decode(text: &str) -> Option<Self> {
        // An anchor is an id and a flag; more is not one.
        const MAX_ANCHOR_CHARS: usize = 64;
        if text.len() > MAX_ANCHOR_CHARS {
            return None;
        }
        let bytes = BASE64.decode(text).ok()?;
        StickyIndex::decode_v1(&bytes).ok().map(Self)
    }

    fn index<T: ReadTxn>(&self, txn: &T) -> Option<u32> {
        self.0.get_offset(txn).map(|offset| offset.index)
    }
}

/// Which neighbour an [`Anchor`] stays with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// The characters beside a splice, by which it is found again.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// Of what it inserted, the first; where it inserted nothing, what stands before it.
    start: Option<Anchor>,
    /// The last of what it inserted; `None` where it inserted nothing.
    end: Option<Anchor>,
}

impl NoteText {
    /// A note that reads `plain`, written by `author` (53 bits, unique).
    pub fn from_plain(plain: &str, author: u64) -> Self {
        let empty = Self::default();
        if plain.is_empty() {
            return empty;
        }
        let (update, _) = empty.splice(author, 0, 0, plain);
        empty.apply(&update).unwrap_or(empty)
    }

    /// A note that reads `plain` however long it is, as much of it as a note takes; and whether that is all.
    pub fn from_long_plain(plain: &str, author: u64) -> (Self, bool) {
        /// Characters of one piece: in any script an update of it is small enough.
        const PIECE: usize = 8 * 1024;
        let mut text = Self::default();
        let mut rest = plain;
        while !rest.is_empty() {
            let end = rest.char_indices().nth(PIECE).map_or(rest.len(), |(at, _)| at);
            let (update, _) = text.splice(author, text.len_utf16(), 0, &rest[..end]);
            match text.apply(&update) {
                Ok(longer) => text = longer,
                Err(_) => return (text, false),
            }
            rest = &rest[end..];
        }
        (text, true)
    }

    /// How it reads.
    pub fn plain(&self) -> &str {
        &self.plain
    }

    /// Bytes as JSON at most, but for what is the same of every text.
    pub(super) fn json_bytes(&self) -> usize {
        self.state.as_ref().map_or("null".len(), |state| state.size().div_ceil(3) * 4 + 2) + self.escaped
    }

    /// The same, about, at a glance.
    pub(super) fn weight(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.size() / 3 * 4) + self.plain.len()
    }

    /// The length of the text in UTF-16 units.
    pub fn len_utf16(&self) -> u32 {
        self.units
    }

    /// The text after somebody's edit. Errors where the update is none, builds on edits that this text does
    /// not have, leaves clocks of an author out, or makes the note longer than [`MAX_NOTE_CHARS`].
    pub fn apply(&self, update: &Update) -> Result<Self, OpError> {
        self.take(update).map(|(text, _)| text)
    }

    /// The text after somebody's edit, and the update that this is here: one that was made before the last
    /// compaction is said anew. Errors as [`Self::apply`].
    pub fn take(&self, update: &Update) -> Result<(Self, Update), OpError> {
        update.check()?;
        match self.take_as_it_is(update) {
            Ok(text) => Ok((text, update.clone())),
            Err(OpError::TextUnknownBase) => {
                let said_anew = self.said_anew(
                    |rebase, update| rebase.update(update),
                    update,
                    |update| {
                        // What others have removed as well is no edit any more.
                        let text =
                            if update.is_empty() { Ok(self.clone()) } else { self.take_as_it_is(update) };
                        match text {
                            Err(OpError::TextUnknownBase) => None,
                            text => Some(text.map(|text| Self { is_behind: true, ..text })),
                        }
                    },
                );
                let (update, text) = said_anew.ok_or(OpError::TextUnknownBase)?;
                Ok((text?, update))
            }
            Err(error) => Err(error),
        }
    }

    fn take_as_it_is(&self, update: &Update) -> Result<Self, OpError> {
        let after = self.after(update, true)?;
        if after.units > MAX_NOTE_CHARS && after.units > self.units {
            return Err(OpError::TextTooLong(MAX_NOTE_CHARS));
        }
        Ok(Self { is_behind: false, ..after })
    }

    /// The text after an update of the log, as it is: whoever let it in has judged it.
    pub fn repeat(&self, update: &Update) -> Result<Self, OpError> {
        self.after(update, false)
    }

    fn after(&self, update: &Update, whole: bool) -> Result<Self, OpError> {
        let state = self.state.clone().unwrap_or_default();
        let (state, reading) = state.after(update, whole)?;
        if state.size() > MAX_NOTE_BYTES && state.bytes().as_bytes().len() > MAX_NOTE_BYTES {
            return Err(OpError::TooLarge);
        }
        Ok(self.clone().reading(Some(state), reading))
    }

    /// This text with another state, which reads so.
    fn reading(self, state: Option<State>, reading: Reading) -> Self {
        let Reading { plain, units } = reading;
        Self { state, escaped: escaped_bytes(&plain), plain, units, ..self }
    }

    /// The update that replaces `remove` units from `at` on with `insert`, and what it does here.
    ///
    /// `author` is the Yjs client id (53 bits) of this replica. Positions past the end and inside
    /// a surrogate pair are brought to the nearest that is fine.
    pub fn splice(&self, author: u64, at: u32, remove: u32, insert: &str) -> (Update, Splice) {
        let (at, end) = self.char_bounds(at, at.saturating_add(remove));
        let removed = cut(&self.plain, at, end);
        let state = self.state.clone().unwrap_or_default();
        let update = state.edit(author_in(self.generation, author), |txn, text| {
            if end > at {
                text.remove_range(txn, at, end - at);
            }
            if !insert.is_empty() {
                text.insert(txn, at, insert);
            }
        });
        (update, Splice { at, removed, inserted: insert.to_owned() })
    }

    /// The characters beside splices of which this is the text after all.
    pub fn bounds(&self, splices: &[Splice]) -> Vec<Bounds> {
        let Some(state) = &self.state else {
            return vec![Bounds { start: None, end: None }; splices.len()];
        };
        state.read(|txn, text| {
            let of = |one: &Splice| {
                let side = if one.inserted.is_empty() { Assoc::Before } else { Assoc::After };
                let end = (!one.inserted.is_empty()).then(|| sticky(text, txn, one.end(), Assoc::Before));
                Bounds { start: sticky(text, txn, one.at, side), end: end.flatten() }
            };
            splices.iter().map(of).collect()
        })
    }

    /// Where these are now, as the first position and the one behind the last; `None` for what is not
    /// known here.
    pub fn find(&self, bounds: &[Bounds]) -> Vec<Option<(u32, u32)>> {
        let places = |place: &dyn Fn(&Anchor) -> Option<u32>| {
            let of = |one: &Bounds| {
                let start = one.start.as_ref().map_or(Some(0), place)?;
                let end = one.end.as_ref().map_or(Some(start), place)?;
                (start <= end).then_some((start, end))
            };
            bounds.iter().map(of).collect()
        };
        match &self.state {
            Some(state) => state.read(|txn, _| places(&|anchor| anchor.index(txn))),
            None => places(&|_| None),
        }
    }

    /// An anchor at a position in UTF-16 units; `None` in an empty text.
    pub fn anchor(&self, at: u32, side: Side) -> Option<Anchor> {
        let assoc = if side == Side::Before { Assoc::Before } else { Assoc::After };
        self.state.as_ref()?.read(|txn, text| sticky(text, txn, at.min(self.units), assoc))
    }

    /// Where an anchor is now, in UTF-16 units; `None` where its character is not known here.
    pub fn index_of(&self, anchor: &Anchor) -> Option<u32> {
        let index = |anchor: &Anchor| self.state.as_ref()?.read(|txn, _| anchor.index(txn));
        let said_anew = || {
            let say = |rebase: &Rebase, anchor: &Anchor| rebase.anchor(anchor);
            self.said_anew(say, anchor, index).map(|(_, index)| index)
        };
        index(anchor).or_else(said_anew)
    }

    /// Takes a text as somebody sent it: only its state counts, and must be whole.
    pub(super) fn accepted(self) -> Result<Self, OpError> {
        match &self.state {
            None => Ok(Self::default()),
            Some(state) if state.size() > MAX_NOTE_BYTES => Err(OpError::TooLarge),
            Some(state) => Self::default().after(state.bytes(), true),
        }
    }

    /// A document of its own, with this text.
    fn document(&self, author: u64) -> (Doc, TextRef) {
        self.state.clone().unwrap_or_default().document(author)
    }

    /// Brings a range to the bounds of characters within the text.
    fn char_bounds(&self, from: u32, to: u32) -> (u32, u32) {
        let mut at = 0u32;
        let (mut start, mut end) = (None, None);
        for c in self.plain.chars() {
            if start.is_none() && at >= from {
                start = Some(at);
            }
            if end.is_none() && at >= to {
                end = Some(at);
                break;
            }
            at += c.len_utf16() as u32;
        }
        let start = start.unwrap_or(at);
        (start, end.unwrap_or(at).max(start))
    }
}

fn sticky<T: ReadTxn>(text: &TextRef, txn: &T, at: u32, assoc: Assoc) -> Option<Anchor> {
    text.sticky_index(txn, at, assoc).map(Anchor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &NoteText, author: u64, at: u32, remove: u32, insert: &str) -> (NoteText, Update, Splice) {
        let (update, splice) = text.splice(author, at, remove, insert);
        (text.apply(&update).expect("own update applies"), update, splice)
    }

    #[test]
    fn two_people_type_in_one_note_and_both_stay() {
        let base = NoteText::from_plain("Hello", 1);
        let (ada, from_ada, _) = typed(&base, 2, 5, 0, " Ada");
        let (grace, from_grace, _) = typed(&base, 3, 0, 0, "Oh. ");
        let a = ada.apply(&from_grace).expect("merges");
        let b = grace.apply(&from_ada).expect("merges");
        assert_eq!(a.plain(), "Oh. Hello Ada");
        assert_eq!(a, b);
    }

    #[test]
    fn positions_count_utf16_units_and_never_split_a_character() {
        let base = NoteText::from_plain("a😀b", 1);
        assert_eq!(typed(&base, 2, 3, 0, "-").0.plain(), "a😀-b");
        assert_eq!(typed(&base, 2, 2, 0, "-").0.plain(), "a😀-b");
        assert_eq!(typed(&base, 2, 1, 2, "").0.plain(), "ab");
        assert_eq!(typed(&base, 2, 99, 5, "!").0.plain(), "a😀b!");
    }

    #[test]
    fn a_splice_is_found_again_among_others_words() {
        let base = NoteText::from_plain("one two", 1);
        let (mine, _, splice) = typed(&base, 2, 4, 3, "three");
        let bounds = mine.bounds(&[splice]);
        let (both, _, _) = typed(&mine, 3, 0, 0, "zero ");
        assert_eq!(both.find(&bounds), [Some((9, 14))]);
        let (within, _, _) = typed(&mine, 3, 6, 0, "XX");
        assert_eq!(within.find(&bounds), [Some((4, 11))], "with what others wrote into it");
        let (mine, _, removal) = typed(&mine, 2, 4, 5, "");
        let bounds = mine.bounds(&[removal]);
        assert_eq!(typed(&mine, 3, 0, 0, "zero ").0.find(&bounds), [Some((9, 9))]);
    }

    #[test]
    fn an_anchor_stays_with_its_character() {
        let base = NoteText::from_plain("abc", 1);
        let anchor = base.anchor(2, Side::After).expect("an anchor");
        let sent = Anchor::decode(&anchor.encode()).expect("round trip");
        let (longer, _, _) = typed(&base, 2, 0, 0, ">>");
        assert_eq!(longer.index_of(&sent), Some(4));
    }

    #[test]
    fn an_update_that_leaves_a_clock_of_its_author_out_is_an_error() {
        let base = NoteText::from_plain("abc", 1);
        let (one, first, _) = typed(&base, 7, 0, 0, "x");
        let (two, second, _) = typed(&one, 7, 4, 0, "y");
        let (_, third, _) = typed(&two, 7, 0, 0, "z");
        let one = base.apply(&first).expect("the first");
        // Its neighbours are known: the library alone would take it.
        assert_eq!(one.apply(&third), Err(OpError::TextUnknownBase));
        assert_eq!(one.repeat(&third).expect("as a log may have it").plain(), "zxabc");
        let with_hole = first.merged(&third).expect("two updates");
        assert_eq!(base.apply(&with_hole), Err(OpError::TextUnknownBase));
        assert_eq!(one.apply(&with_hole), Err(OpError::TextUnknownBase));
        let whole = first.merged(&second).and_then(|both| both.merged(&third)).expect("three updates");
        for text in [&base, &one] {
            assert_eq!(text.apply(&whole).expect("no hole").plain(), "zxabcy");
        }
        let holed = NoteText { state: one.repeat(&third).expect("repeats").state, ..NoteText::default() };
        assert_eq!(holed.accepted(), Err(OpError::TextUnknownBase));
    }

    #[test]
    fn deleting_what_nobody_has_is_an_error() {
        let base = NoteText::from_plain("abc", 1);
        // No blocks; of client 1, so many clocks from 2 on.
        let deleting = |clocks| Update::new([0, 1, 1, 1, 2, clocks]);
        assert_eq!(base.apply(&deleting(1)).expect("the last one").plain(), "ab");
        assert_eq!(base.apply(&deleting(2)), Err(OpError::TextUnknownBase));
        assert_eq!(NoteText::default().apply(&deleting(1)), Err(OpError::TextUnknownBase));
    }

    #[test]
    fn an_update_of_nothing_is_no_edit() {
        let base = NoteText::from_plain("abc", 1);
        for nothing in [&[0, 0][..], &[0, 1, 1, 0], &[0, 1, 1, 1, 0, 0]] {
            assert_eq!(base.apply(&Update::new(nothing)), Err(OpError::EmptyUpdate), "{nothing:?}");
        }
        // What somebody else has deleted already is no mistake to delete.
        let (without, deletion, _) = typed(&base, 2, 0, 1, "");
        assert_eq!(without.apply(&deletion).expect("agrees").plain(), "bc");
    }

    #[test]
    fn garbage_is_an_error() {
        let base = NoteText::from_plain("abc", 1);
        for bytes in [&b"\xff\xff\xff\xff"[..], b"", b"{}", &[1, 1, 200, 200, 200]] {
            assert!(base.apply(&Update::new(bytes)).is_err(), "{bytes:?}");
        }
        let (ahead, _, _) = typed(&base, 7, 0, 0, "x");
        let (_, late, _) = typed(&ahead, 7, 0, 0, "y");
        assert_eq!(base.apply(&late), Err(OpError::TextUnknownBase));
    }
}
