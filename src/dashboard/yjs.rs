//! Reads a Yjs v1 update without building anything from it, and lets through what plain text needs.
//!
//! A Yjs document can hold trees of values, and the library that reads them goes as deep as they are
//! nested: an update from a stranger could exhaust the stack of a server, or of everybody's browser.
//! A note needs none of that, so whatever is no text is turned down before the library sees it.
//! The format: <https://github.com/yjs/yjs/blob/main/INTERNALS.md>.

use std::collections::BTreeMap;

/// Kinds of blocks, in the lower five bits of a block's first byte.
const GC: u8 = 0;
const DELETED: u8 = 1;
const STRING: u8 = 4;
const SKIP: u8 = 10;

const KIND: u8 = 0b0001_1111;
const HAS_LEFT: u8 = 0b1000_0000;
const HAS_RIGHT: u8 = 0b0100_0000;
const HAS_KEY: u8 = 0b0010_0000;

/// Client ids are below this: whole numbers in JavaScript. The library panics at others.
const CLIENTS: u64 = 1 << 53;
/// Clocks are below this, and what they add up to too: the library counts in 32 bits.
const CLOCKS: u64 = 1 << 31;

/// The name of the one root that a note has.
const ROOT: &[u8] = b"text";

/// A part of an update, in the order in which it stands there.
enum Part<'a> {
    /// A string that is inserted.
    Text(&'a str),
    /// Clocks of a client that are here, from the first to behind the last.
    Block { client: u64, from: u64, to: u64 },
    /// Clocks of a client that are deleted, from the first to behind the last.
    Deleted { client: u64, from: u64, to: u64 },
}

/// True where the bytes are a whole update of plain text in the root `text`, and nothing else.
pub fn is_plain_text(update: &[u8]) -> bool {
    Reader { rest: update }.update(|_| ()).is_some()
}

/// The strings that an update inserts, in the order of typing; `None` where it is no plain text.
pub fn typed(update: &[u8]) -> Option<String> {
    let mut typed = String::new();
    Reader { rest: update }.update(|part| {
        if let Part::Text(text) = part {
            typed.push_str(text);
        }
    })?;
    Some(typed)
}

/// True where an update inserts and deletes nothing; `None` where it is no plain text.
pub fn is_empty(update: &[u8]) -> Option<bool> {
    let mut empty = true;
    Reader { rest: update }.update(|part| {
        if let Part::Block { from, to, .. } | Part::Deleted { from, to, .. } = part {
            empty &= from == to;
        }
    })?;
    Some(empty)
}

/// True where an update leaves no clock of any client out, and deletes only what is there, given how many
/// clocks of a client are known. A peer that waits for the clocks in between would wait for ever.
pub fn follows(update: &[u8], known: impl Fn(u64) -> u64) -> bool {
    let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
    let mut follows = true;
    let read = Reader { rest: update }.update(|part| match part {
        Part::Text(_) => {}
        Part::Block { client, from, to } => {
            let end = ends.entry(client).or_insert_with(|| known(client));
            follows &= from <= *end;
            *end = to.max(*end);
        }
        Part::Deleted { client, to, .. } => {
            follows &= to <= ends.get(&client).copied().unwrap_or_else(|| known(client));
        }
    });
    read.is_some() && follows
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    /// Hands every part on. `None` at the first thing that does not belong into a note.
    fn update(mut self, mut part: impl FnMut(Part)) -> Option<()> {
        for _ in 0..self.number()? {
            let blocks = self.number()?;
            let client = self.client()?;
            let mut clock = self.clock()?;
            for _ in 0..blocks {
                let from = clock;
                let (length, here) = self.block(&mut part)?;
                clock = within(from + length, CLOCKS)?;
                if here {
                    part(Part::Block { client, from, to: clock });
                }
            }
        }
        for _ in 0..self.number()? {
            let client = self.client()?;
            for _ in 0..self.number()? {
                let from = self.clock()?;
                let to = within(from + self.clock()?, CLOCKS)?;
                part(Part::Deleted { client, from, to });
            }
        }
        self.rest.is_empty().then_some(())
    }

    /// Reads one block; returns its length, and whether it is here or only skipped.
    fn block(&mut self, part: &mut impl FnMut(Part)) -> Option<(u64, bool)> {
        let info = self.byte()?;
        let kind = info & KIND;
        if kind == GC || kind == SKIP {
            return Some((self.clock()?, kind == GC));
        }
        if info & HAS_LEFT != 0 {
            self.id()?;
        }
        if info & HAS_RIGHT != 0 {
            self.id()?;
        }
        if info & (HAS_LEFT | HAS_RIGHT) == 0 {
            // Without neighbours a block names its parent: the root, and no key in it.
            let of_root = self.number()? == 1 && self.bytes()? == ROOT && info & HAS_KEY == 0;
            of_root.then_some(())?;
        }
        match kind {
            DELETED => Some((self.clock()?, true)),
            STRING => {
                let text = std::str::from_utf8(self.bytes()?).ok()?;
                part(Part::Text(text));
                Some((text.encode_utf16().count() as u64, true))
            }
            _ => None,
        }
    }

    /// A client and a clock; returns the clock.
    fn id(&mut self) -> Option<u64> {
        self.client()?;
        self.clock()
    }

    fn client(&mut self) -> Option<u64> {
        within(self.number()?, CLIENTS)
    }

    /// A clock, or a length, which is counted in clocks.
    fn clock(&mut self) -> Option<u64> {
        within(self.number()?, CLOCKS)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// A whole number in groups of seven bits, the lowest first.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }
}

fn within(number: u64, bound: u64) -> Option<u64> {
    (number < bound).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use yrs::{Any, Array, ArrayPrelim, Doc, Map, ReadTxn, StateVector, Text, Transact};

    fn update(doc: &Doc) -> Vec<u8> {
        doc.transact().encode_state_as_update_v1(&StateVector::default())
    }

    #[test]
    fn text_is_let_through_with_all_that_deleting_leaves() {
        let doc = Doc::with_client_id(7);
        let text = doc.get_or_insert_text("text");
        text.insert(&mut doc.transact_mut(), 0, "Hello, Ada 😀");
        text.remove_range(&mut doc.transact_mut(), 2, 3);
        text.insert(&mut doc.transact_mut(), 1, "é");
        assert!(is_plain_text(&update(&doc)));
        assert!(is_plain_text(&[0, 0]));
    }

    #[test]
    fn whatever_is_no_text_is_turned_down() {
        let deep = (0..5_000).fold(Any::Null, |inner, _| Any::from(vec![inner]));
        let doc = Doc::with_client_id(7);
        doc.get_or_insert_array("text").push_back(&mut doc.transact_mut(), deep);
        assert!(!is_plain_text(&update(&doc)));
        let doc = Doc::with_client_id(7);
        doc.get_or_insert_map("text").insert(&mut doc.transact_mut(), "key", "value");
        assert!(!is_plain_text(&update(&doc)));
        let doc = Doc::with_client_id(7);
        doc.get_or_insert_array("text").push_back(&mut doc.transact_mut(), ArrayPrelim::default());
        assert!(!is_plain_text(&update(&doc)));
        let doc = Doc::with_client_id(7);
        doc.get_or_insert_text("other").insert(&mut doc.transact_mut(), 0, "x");
        assert!(!is_plain_text(&update(&doc)));
        let doc = Doc::with_client_id(7);
        doc.get_or_insert_text("text").insert_embed(&mut doc.transact_mut(), 0, "x");
        assert!(!is_plain_text(&update(&doc)));
    }

    #[test]
    fn numbers_that_the_library_does_not_hold_are_turned_down() {
        let number = |mut number: u64| {
            let mut bytes = Vec::new();
            while number > 0x7f {
                bytes.push(number as u8 | 0x80);
                number >>= 7;
            }
            bytes.push(number as u8);
            bytes
        };
        // One block of a client, deleted already, and nothing deleted beside it.
        let with = |client, clock, length| {
            let root = [&[DELETED, 1, 4][..], ROOT].concat();
            [vec![1, 1], number(client), number(clock), root, number(length), vec![0]].concat()
        };
        assert!(is_plain_text(&with(CLIENTS - 1, 5, 5)));
        for (client, clock, length) in
            [(CLIENTS, 0, 1), (u64::MAX, 0, 1), (1, CLOCKS, 1), (1, 0, CLOCKS), (1, CLOCKS - 1, 1)]
        {
            assert!(!is_plain_text(&with(client, clock, length)), "{client} {clock} {length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = is_plain_text(&bytes);
        }
    }
}
