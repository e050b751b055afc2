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

/// The id of a character, or of the first one of several: a client, and a clock of it.
pub type Id = (u64, u64);

/// A part of an update, in the order in which it stands there.
pub enum Part<'a> {
    Block(Block<'a>),
    /// Clocks of a client that are deleted, from the first to behind the last.
    Deleted {
        client: u64,
        from: u64,
        to: u64,
    },
}

/// Characters of one client that stand beside each other.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    pub client: u64,
    /// The first of its clocks.
    pub clock: u64,
    /// What it was put behind, and before.
    pub left: Option<Id>,
    pub right: Option<Id>,
    pub content: Content<'a>,
}

/// What a block holds; lengths count clocks.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Deleted, with its place forgotten.
    Gone(u64),
    /// Deleted, at its place.
    Deleted(u64),
    /// Left out.
    Skipped(u64),
    Text(&'a str),
}

impl Block<'_> {
    /// The clock behind its last.
    pub fn end(&self) -> u64 {
        self.clock
            + match self.content {
                Content::Gone(length) | Content::Deleted(length) | Content::Skipped(length) => length,
                Content::Text(text) => text.encode_utf16().count() as u64,
            }
    }

    fn is_here(&self) -> bool {
        !matches!(self.content, Content::Skipped(_))
    }
}

/// Reads the parts of an update, the blocks of each client together; `None` where it is no plain text.
pub fn parts(update: &[u8]) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    Reader { rest: update }.update(|part| parts.push(part))?;
    Some(parts)
}

/// Writes an update of blocks, those of a client together in the order of their clocks, and of what is
/// deleted of each client: a clock and a length each.
pub fn write(blocks: &[Block], deleted: &BTreeMap<u64, Vec<(u64, u64)>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let of_clients = || blocks.chunk_by(|a, b| a.client == b.client);
    put(&mut bytes, of_clients().count() as u64);
    for blocks in of_clients() {
        put(&mut bytes, blocks.len() as u64);
        put(&mut bytes, blocks[0].client);
        put(&mut bytes, blocks[0].clock);
        blocks.iter().for_each(|block| put_block(&mut bytes, block));
    }
    put(&mut bytes, deleted.len() as u64);
    for (client, ranges) in deleted {
        put(&mut bytes, *client);
        put(&mut bytes, ranges.len() as u64);
        for (clock, length) in ranges {
            put(&mut bytes, *clock);
            put(&mut bytes, *length);
        }
    }
    bytes
}

fn put_block(bytes: &mut Vec<u8>, block: &Block) {
    let kind = match block.content {
        Content::Gone(length) | Content::Skipped(length) => {
            bytes.push(if block.is_here() { GC } else { SKIP });
            return put(bytes, length);
        }
        Content::Deleted(_) => DELETED,
        Content::Text(_) => STRING,
    };
    let neighbour = |id: Option<Id>, flag| if id.is_some() { flag } else { 0 };
    bytes.push(kind | neighbour(block.left, HAS_LEFT) | neighbour(block.right, HAS_RIGHT));
    for (client, clock) in block.left.into_iter().chain(block.right) {
        put(bytes, client);
        put(bytes, clock);
    }
    if block.left.is_none() && block.right.is_none() {
        put(bytes, 1);
        put_bytes(bytes, ROOT);
    }
    match block.content {
        Content::Text(text) => put_bytes(bytes, text.as_bytes()),
        Content::Gone(length) | Content::Deleted(length) | Content::Skipped(length) => put(bytes, length),
    }
}

fn put_bytes(bytes: &mut Vec<u8>, more: &[u8]) {
    put(bytes, more.len() as u64);
    bytes.extend_from_slice(more);
}

/// Writes a whole number in groups of seven bits, the lowest first.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// True where the bytes are a whole update of plain text in the root `text`, and nothing else.
pub fn is_plain_text(update: &[u8]) -> bool {
    Reader { rest: update }.update(|_| ()).is_some()
}

/// The strings that an update inserts, in the order of typing; `None` where it is no plain text.
pub fn typed(update: &[u8]) -> Option<String> {
    let mut typed = String::new();
    Reader { rest: update }.update(|part| {
        if let Part::Block(Block { content: Content::Text(text), .. }) = part {
            typed.push_str(text);
        }
    })?;
    Some(typed)
}

/// True where an update inserts and deletes nothing; `None` where it is no plain text.
pub fn is_empty(update: &[u8]) -> Option<bool> {
    let mut empty = true;
    Reader { rest: update }.update(|part| {
        empty &= match part {
            Part::Block(block) => !block.is_here() || block.clock == block.end(),
            Part::Deleted { from, to, .. } => from == to,
        };
    })?;
    Some(empty)
}

/// True where an update leaves no clock of any client out, and deletes only what is there, given how many
/// clocks of a client are known; `None` where it is no plain text. A peer that waits for the clocks in between
/// would wait for ever.
pub fn follows(update: &[u8], known: impl Fn(u64) -> u64) -> Option<bool> {
    let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
    let mut follows = true;
    Reader { rest: update }.update(|part| match part {
        Part::Block(block) if block.is_here() => {
            let end = ends.entry(block.client).or_insert_with(|| known(block.client));
            follows &= block.clock <= *end;
            *end = block.end().max(*end);
        }
        Part::Block(_) => {}
        Part::Deleted { client, to, .. } => {
            follows &= to <= ends.get(&client).copied().unwrap_or_else(|| known(client));
        }
    })?;
    Some(follows)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Hands every part on. `None` at the first thing that does not belong into a note.
    fn update(mut self, mut part: impl FnMut(Part<'a>)) -> Option<()> {
        for _ in 0..self.number()? {
            let blocks = self.number()?;
            let (client, mut clock) = self.id()?;
            for _ in 0..blocks {
                let block = self.block(client, clock)?;
                clock = within(block.end(), CLOCKS)?;
                part(Part::Block(block));
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

    fn block(&mut self, client: u64, clock: u64) -> Option<Block<'a>> {
        let info = self.byte()?;
        let kind = info & KIND;
        let (mut left, mut right) = (None, None);
        if kind == GC || kind == SKIP {
            let length = self.clock()?;
            let content = if kind == GC { Content::Gone(length) } else { Content::Skipped(length) };
            return Some(Block { client, clock, left, right, content });
        }
        if info & HAS_LEFT != 0 {
            left = Some(self.id()?);
        }
        if info & HAS_RIGHT != 0 {
            right = Some(self.id()?);
        }
        if left.is_none() && right.is_none() {
            // Without neighbours a block names its parent: the root, and no key in it.
            let of_root = self.number()? == 1 && self.bytes()? == ROOT && info & HAS_KEY == 0;
            of_root.then_some(())?;
        }
        let content = match kind {
            DELETED => Content::Deleted(self.clock()?),
            STRING => Content::Text(std::str::from_utf8(self.bytes()?).ok()?),
            _ => return None,
        };
        Some(Block { client, clock, left, right, content })
    }

    fn id(&mut self) -> Option<Id> {
        Some((self.client()?, self.clock()?))
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

    fn bytes(&mut self) -> Option<&'a [u8]> {
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
        let number = |number: u64| {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
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

    #[test]
    fn what_was_read_is_written_as_it_was() {
        let doc = Doc::with_client_id(7);
        let text = doc.get_or_insert_text("text");
        text.insert(&mut doc.transact_mut(), 0, "Hello, Ada 😀");
        text.remove_range(&mut doc.transact_mut(), 2, 3);
        text.insert(&mut doc.transact_mut(), 1, "é");
        let bytes = update(&doc);
        let (mut blocks, mut deleted) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for part in parts(&bytes).expect("plain text") {
            match part {
                Part::Block(block) => blocks.push(block),
                Part::Deleted { client, from, to } => {
                    deleted.entry(client).or_default().push((from, to - from))
                }
            }
        }
        assert_eq!(write(&blocks, &deleted), bytes);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = is_plain_text(&bytes);
        }
    }
}
