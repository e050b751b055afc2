//! Edits of an older state of a text as edits of a newer one that has its characters under other ids: the
//! text after a compaction, and that of a snapshot.

use std::collections::BTreeMap;

use yrs::block::{ClientID, ID};
use yrs::{Assoc, Doc, IndexScope, ReadTxn, StateVector, StickyIndex, Transact};

use super::compaction::author_in;
use super::{Anchor, NoteText, Update};
use crate::dashboard::splice::units;
use crate::dashboard::yjs::{self, Block, Content, Id, Part};

/// Blocks of a text up to which it is looked for where each stands.
const MAX_BLOCKS: usize = 8_192;
/// Places that an update may name in the older text: each is looked for from the beginning.
const MAX_PLACES: usize = 8_192;
/// Bytes up to which two texts are compared character by character, between where they begin and end alike:
/// the work grows with their product.
const MAX_COMPARED: usize = 8_192;

/// Characters that two texts have in common, in UTF-16 units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) older: u32,
    pub(super) newer: u32,
    pub(super) length: u32,
}

/// Characters of the newer text that stand beside each other and have ids that follow each other.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u32,
    id: Id,
    length: u32,
}

/// The ids of an older state of a text as those of a newer one.
pub(super) struct Rebase {
    older: Doc,
    /// The clocks that the older state has of each client.
    known: StateVector,
    /// Those of them whose characters are there, by client.
    there: BTreeMap<u64, Vec<(u64, u64)>>,
    /// The clocks that the newer state had of each client to begin with.
    ahead: StateVector,
    runs: Vec<Run>,
    places: Vec<Place>,
    length: u32,
    generation: Option<u64>,
    /// How many places may be looked for still.
    budget: std::cell::Cell<usize>,
}

impl Rebase {
    /// From a text to what its compaction of that generation made of it.
    pub(super) fn compacted(older: &NoteText, generation: u64) -> Option<Self> {
        let length = older.len_utf16();
        let run = Run { older: 0, newer: 0, length };
        let place = Place { at: 0, id: (generation, 0), length };
        Self::new(older, Some(generation), vec![run], vec![place], StateVector::default(), length)
    }

    /// From a text to a later one of which only the texts tell what both have in common.
    pub(super) fn between(older: &NoteText, newer: &NoteText) -> Option<Self> {
        let (doc, _text) = newer.document(0);
        let txn = doc.transact();
        let blocks = there(newer)?;
        if blocks.values().map(Vec::len).sum::<usize>() > MAX_BLOCKS {
            return None;
        }
        let mut places = Vec::new();
        for (client, ranges) in &blocks {
            for (from, to) in ranges {
                let at = index(&txn, (*client, *from), Assoc::After)?;
                places.push(Place { at, id: (*client, *from), length: (to - from) as u32 });
            }
        }
        places.sort_by_key(|place| place.at);
        let runs = in_common(older.plain(), newer.plain());
        Self::new(older, newer.generation, runs, places, txn.state_vector(), newer.len_utf16())
    }

    fn new(
        older: &NoteText,
        generation: Option<u64>,
        runs: Vec<Run>,
        places: Vec<Place>,
        ahead: StateVector,
        length: u32,
    ) -> Option<Self> {
        let there = there(older)?;
        let (doc, _text) = older.document(0);
        let known = doc.transact().state_vector();
        let budget = MAX_PLACES.into();
        Some(Self { older: doc, known, there, ahead, runs, places, length, generation, budget })
    }

    /// An update of the older text as one of the newer; `None` where it cannot be told what it would be.
    pub(super) fn update(&self, update: &Update) -> Option<Update> {
        let mut blocks = Vec::new();
        let mut deleted: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
        for part in yjs::parts(update.as_bytes())? {
            match part {
                Part::Block(block) => blocks.push(self.block(block)?),
                Part::Deleted { client, from, to } => {
                    for ((client, clock), length) in self.deleted(client, from, to)? {
                        deleted.entry(client).or_default().push((clock, length));
                    }
                }
            }
        }
        Some(Update::new(yjs::write(&blocks, &deleted)))
    }

    /// An anchor in the older text as one in the newer.
    pub(super) fn anchor(&self, anchor: &Anchor) -> Option<Anchor> {
        let Some(id) = anchor.0.id() else { return Some(anchor.clone()) };
        let assoc = anchor.0.assoc;
        let id = (id.client.get(), u64::from(id.clock));
        let neighbour = if assoc == Assoc::Before { self.left(id)? } else { self.right(id)? };
        Some(Anchor(match neighbour {
            Some(id) => StickyIndex::from_id(yrs_id(id)?, assoc),
            None => StickyIndex::new(IndexScope::Root(super::ROOT.into()), assoc),
        }))
    }

    fn block<'b>(&self, block: Block<'b>) -> Option<Block<'b>> {
        let left_out = matches!(block.content, Content::Skipped(_) | Content::Gone(_));
        if left_out || self.is_known((block.client, block.clock)) {
            return None;
        }
        let (client, clock) = self.own((block.client, block.clock))?;
        // No neighbour is the text's begin or end.
        let left = block.left.map_or(Some(None), |id| self.left(id))?;
        let right = block.right.map_or(Some(None), |id| self.right(id))?;
        Some(Block { client, clock, left, right, content: block.content })
    }

    /// What is deleted of a client, as ids with lengths.
    fn deleted(&self, client: u64, from: u64, to: u64) -> Option<Vec<(Id, u64)>> {
        let known = self.known_of(client).clamp(from, to);
        let mut deleted = Vec::new();
        for (begin, end) in self.there.get(&client).into_iter().flatten() {
            let (begin, end) = ((*begin).max(from), (*end).min(known));
            if begin < end {
                let at = self.index((client, begin), Assoc::After)?;
                deleted.extend(self.ids(at, (end - begin) as u32));
            }
        }
        if known < to {
            deleted.push((self.own((client, known))?, to - known));
        }
        Some(deleted)
    }

    /// The ids that characters of the older text have in the newer, where they are there still.
    fn ids(&self, at: u32, length: u32) -> Vec<(Id, u64)> {
        let mut ids = Vec::new();
        for run in &self.runs {
            let (from, to) = (at.max(run.older), (at + length).min(run.older + run.length));
            if from >= to {
                continue;
            }
            let (from, to) = (from - run.older + run.newer, to - run.older + run.newer);
            for place in &self.places {
                let (begin, end) = (from.max(place.at), to.min(place.at + place.length));
                if begin < end {
                    let (client, clock) = place.id;
                    ids.push(((client, clock + u64::from(begin - place.at)), u64::from(end - begin)));
                }
            }
        }
        ids
    }

    /// What stands in the newer text where in the older this one does, or the one before its place.
    fn left(&self, id: Id) -> Option<Option<Id>> {
        if !self.is_known(id) {
            return self.own(id).map(Some);
        }
        let at = self.index(id, Assoc::Before)?;
        let run = self.runs.iter().rev().find(|run| run.older < at);
        let at = run.map_or(0, |run| run.newer + (at - run.older).min(run.length));
        if at == 0 { Some(None) } else { self.unit(at - 1).map(Some) }
    }

    /// What stands in the newer text where in the older this one does, or the one behind its place.
    fn right(&self, id: Id) -> Option<Option<Id>> {
        if !self.is_known(id) {
            return self.own(id).map(Some);
        }
        let at = self.index(id, Assoc::After)?;
        let run = self.runs.iter().find(|run| run.older + run.length > at);
        let at = run.map_or(self.length, |run| run.newer + at.saturating_sub(run.older));
        if at >= self.length { Some(None) } else { self.unit(at).map(Some) }
    }

    /// The id of a character of the newer text.
    fn unit(&self, at: u32) -> Option<Id> {
        let behind = self.places.partition_point(|place| place.at <= at);
        let place = self.places.get(behind.checked_sub(1)?)?;
        (at < place.at + place.length).then(|| (place.id.0, place.id.1 + u64::from(at - place.at)))
    }

    /// The id of a character that the older text has not yet.
    fn own(&self, (client, clock): Id) -> Option<Id> {
        let now = author_in(self.generation, client);
        let ahead = u64::from(self.ahead.get(&ClientID::new(now)));
        Some((now, clock.checked_sub(self.known_of(client))? + ahead))
    }

    fn is_known(&self, (client, clock): Id) -> bool {
        clock < self.known_of(client)
    }

    fn known_of(&self, client: u64) -> u64 {
        u64::from(self.known.get(&ClientID::new(client)))
    }

    /// Where a character of the older text is; where it is deleted, where it was.
    fn index(&self, id: Id, assoc: Assoc) -> Option<u32> {
        self.budget.set(self.budget.get().checked_sub(1)?);
        index(&self.older.transact(), id, assoc)
    }
}

fn index<T: ReadTxn>(txn: &T, id: Id, assoc: Assoc) -> Option<u32> {
    Anchor(StickyIndex::from_id(yrs_id(id)?, assoc)).index(txn)
}

fn yrs_id((client, clock): Id) -> Option<ID> {
    Some(ID::new(ClientID::new(client), u32::try_from(clock).ok()?))
}

/// The clocks of each client whose characters are in a text, in pieces that stand together in it.
fn there(text: &NoteText) -> Option<BTreeMap<u64, Vec<(u64, u64)>>> {
    let mut there: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    let Some(state) = &text.state else { return Some(there) };
    let mut deleted: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    for part in yjs::parts(state.bytes().as_bytes())? {
        match part {
            Part::Block(block) if matches!(block.content, Content::Text(_)) => {
                there.entry(block.client).or_default().push((block.clock, block.end()));
            }
            Part::Block(_) => {}
            Part::Deleted { client, from, to } => deleted.entry(client).or_default().push((from, to)),
        }
    }
    for (client, mut ranges) in deleted {
        ranges.sort_unstable();
        let Some(pieces) = there.get_mut(&client) else { continue };
        // A state has a block deleted as a whole or not at all.
        pieces.retain(|(from, _)| {
            let behind = ranges.partition_point(|(begin, _)| begin <= from);
            behind == 0 || ranges[behind - 1].1 <= *from
        });
    }
    Some(there)
}

/// What two texts have in common.
pub(super) fn in_common(older: &str, newer: &str) -> Vec<Run> {
    let begin = alike(older.chars(), newer.chars());
    let (older_rest, newer_rest) = (&older[begin..], &newer[begin..]);
    let end = alike(older_rest.chars().rev(), newer_rest.chars().rev());
    let (older_rest, newer_rest) =
        (&older_rest[..older_rest.len() - end], &newer_rest[..newer_rest.len() - end]);
    let mut chunks = vec![dissimilar::Chunk::Equal(&older[..begin])];
    if older_rest.len().max(newer_rest.len()) <= MAX_COMPARED {
        chunks.extend(dissimilar::diff(older_rest, newer_rest));
    } else {
        chunks.extend([dissimilar::Chunk::Delete(older_rest), dissimilar::Chunk::Insert(newer_rest)]);
    }
    chunks.push(dissimilar::Chunk::Equal(&older[older.len() - end..]));
    let (mut at, mut now) = (0, 0);
    let mut runs = Vec::new();
    for chunk in chunks {
        match chunk {
            dissimilar::Chunk::Equal(text) => {
                let length = units(text);
                runs.push(Run { older: at, newer: now, length });
                (at, now) = (at + length, now + length);
            }
            dissimilar::Chunk::Delete(text) => at += units(text),
            dissimilar::Chunk::Insert(text) => now += units(text),
        }
    }
    runs.retain(|run| run.length > 0);
    runs
}

/// Bytes in which two begin alike.
fn alike(a: impl Iterator<Item = char>, b: impl Iterator<Item = char>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::OpError;
    use crate::dashboard::text::Side;
    use crate::dashboard::text::compaction::MAX_OLDER;
    use proptest::prelude::*;

    const GENERATION: u64 = 77;

    /// A text with a history: words that were replaced, by several clients.
    fn aged(words: u64) -> NoteText {
        (0..words).fold(NoteText::from_plain("call the person on duty", 1), |text, n| {
            let (update, _) = text.splice(10 + n % 5, 5, 3, if n % 2 == 0 { "any" } else { "the" });
            text.apply(&update).expect("applies")
        })
    }

    fn typed(text: &NoteText, author: u64, at: u32, remove: u32, insert: &str) -> (NoteText, Update) {
        let (update, _) = text.splice(author, at, remove, insert);
        (text.apply(&update).expect("own typing applies"), update)
    }

    #[test]
    fn a_compacted_text_reads_the_same_and_weighs_what_it_reads() {
        let text = aged(500);
        let compacted = text.compacted(GENERATION);
        assert!(text.is_overgrown(0) && !compacted.is_overgrown(0));
        assert_eq!(compacted.plain(), text.plain());
        assert!(compacted.state_bytes() < text.plain().len() + 32, "{}", compacted.state_bytes());
        // Who does not know of compactions applies it as an edit.
        let elsewhere = text.repeat(&text.compaction(GENERATION)).expect("an update like any other");
        assert_eq!(elsewhere.plain(), text.plain());
        let empty = typed(&text, 3, 0, 1_000, "").0;
        assert_eq!(empty.compacted(GENERATION).state_bytes(), 0);
        assert_eq!(empty.repeat(&empty.compaction(GENERATION)).expect("an update").plain(), "");
    }

    #[test]
    fn typing_goes_on_after_a_compaction_also_elsewhere() {
        let text = aged(9);
        let (compaction, here) = (text.compaction(GENERATION), text.compacted(GENERATION));
        let elsewhere = text.repeat(&compaction).expect("an update like any other");
        // Client 10 had clocks before, and its ids are not used a second time.
        let (here, update) = typed(&here, 10, 9, 0, "nice ");
        assert_eq!(elsewhere.repeat(&update).expect("known neighbours").plain(), here.plain());
        assert_eq!(here.plain(), "call any nice person on duty");
    }

    #[test]
    fn an_edit_made_before_a_compaction_is_where_it_was_meant() {
        let text = aged(9);
        let (ahead, first) = typed(&text, 10, 23, 0, "!");
        let (ahead, second) = typed(&ahead, 10, 24, 0, "!");
        let (ahead, third) = typed(&ahead, 10, 9, 7, "");
        let (after, others) = typed(&text.compacted(GENERATION), 4, 0, 0, "Please ");
        let (after, first) = after.take(&first).expect("is said anew");
        let (after, second) = after.take(&second).expect("builds on the first");
        let (after, third) = after.take(&third).expect("deletes");
        assert_eq!(ahead.plain(), "call any on duty!!");
        assert_eq!(after.plain(), "Please call any on duty!!");
        // At its author's it becomes the same, whatever came in between.
        let own = [first, second, third, others];
        let own = own.iter().try_fold(text.compacted(GENERATION), |text, update| text.apply(update));
        assert_eq!(own.expect("applies"), after);
    }

    #[test]
    fn anchors_stay_with_their_characters() {
        let text = aged(9);
        let (text, _) = typed(&text, 4, 0, 5, "");
        let compacted = text.compacted(GENERATION);
        for side in [Side::Before, Side::After] {
            for at in 0..=text.len_utf16() {
                if let Some(anchor) = text.anchor(at, side) {
                    assert_eq!(compacted.index_of(&anchor), Some(at), "{side:?}");
                }
            }
        }
        let gone = aged(9).anchor(2, Side::After).expect("an anchor");
        assert_eq!(compacted.index_of(&gone), Some(0));
    }

    #[test]
    fn an_edit_on_a_text_of_which_only_the_words_are_known_is_at_the_same_words() {
        let before = aged(9);
        let (ahead, first) = typed(&before, 10, 16, 0, "who is ");
        let (ahead, mut second) = typed(&ahead, 10, 0, 5, "");
        assert_eq!(ahead.plain(), "any person who is on duty");
        let mut first = first;
        let now = typed(&before.compacted(GENERATION), 3, 16, 7, "off duty, or on leave").0;
        let now = typed(&now.compacted(GENERATION + 1), 3, 0, 0, "Please ").0;
        before.rebase_updates(&now, vec![&mut first, &mut second]);
        let after = now.apply(&first).and_then(|text| text.apply(&second)).expect("applies");
        assert_eq!(after.plain(), "Please any person who is off duty, or on leave");
    }

    #[test]
    fn what_builds_on_nothing_that_is_known_stays_an_error() {
        let text = aged(9);
        let (ahead, _) = typed(&text, 4, 0, 0, "x");
        let (_, late) = typed(&ahead, 4, 1, 0, "y");
        assert_eq!(text.compacted(GENERATION).apply(&late), Err(OpError::TextUnknownBase));
    }

    #[test]
    fn an_edit_may_meet_some_compactions_on_its_way_but_not_any_number() {
        let text = aged(9);
        let (ahead, first) = typed(&text, 4, 3, 0, "x");
        let (ahead, second) = typed(&ahead, 4, 4, 0, "y");
        let often = |count: u64| (0..count).fold(text.clone(), |text, n| text.compacted(GENERATION + n));
        for count in 1..=MAX_OLDER as u64 {
            let (after, _) = often(count).take(&first).expect("is said anew");
            assert!(after.is_behind());
            // Another compaction between the two.
            let after = after.compacted(5).apply(&second).map(|after| after.plain().to_owned());
            let known = count < MAX_OLDER as u64;
            let wanted = if known { Ok(ahead.plain().to_owned()) } else { Err(OpError::TextUnknownBase) };
            assert_eq!(after, wanted, "{count}");
        }
        let more = often(MAX_OLDER as u64 + 1);
        assert_eq!(more.apply(&first), Err(OpError::TextUnknownBase));
    }

    /// Edits of one person, as places in the text that they leave each other.
    fn edits() -> impl Strategy<Value = Vec<(u32, u32, String)>> {
        prop::collection::vec((0u32..40, 0u32..6, "[a-z😀]{0,3}"), 0..6)
    }

    proptest! {
        #[test]
        fn all_who_met_a_compaction_agree(before in edits(), mine in edits(), others in edits()) {
            let go = |text: NoteText, author: u64, edits: &[(u32, u32, String)]| {
                edits.iter().fold((text, Vec::new()), |(text, mut done), (at, remove, insert)| {
                    let (update, splice) = text.splice(author, *at, *remove, insert);
                    if splice.removed.is_empty() && splice.inserted.is_empty() {
                        return (text, done);
                    }
                    done.push(update.clone());
                    (text.apply(&update).expect("own typing applies"), done)
                })
            };
            let (base, _) = go(aged(6), 3, &before);
            let (mine_after, mine) = go(base.clone(), 10, &mine);
            let compacted = base.compacted(GENERATION);
            let (after_others, others) = go(compacted.clone(), 11, &others);
            // The room: the others' first, then mine, said anew.
            let mut room = after_others;
            let mut said = Vec::new();
            for update in &mine {
                let (text, update) = room.take(update).expect("is said anew");
                room = text;
                if !update.is_empty() {
                    said.push(update);
                }
            }
            // My tab: mine first, and what the room made of mine is what the tab makes of it.
            let mut tab = compacted;
            let mut here = Vec::new();
            for update in &mine {
                let (text, update) = tab.take(update).expect("is said anew");
                tab = text;
                if !update.is_empty() {
                    here.push(update);
                }
            }
            prop_assert_eq!(&here, &said);
            prop_assert_eq!(tab.plain(), mine_after.plain(), "nobody's words move");
            for update in &others {
                tab = tab.apply(update).expect("applies");
            }
            prop_assert_eq!(tab.plain(), room.plain());
            // By the words alone nothing is lost either.
            let mut again = mine.clone();
            base.rebase_updates(&base.compacted(5), again.iter_mut().collect());
            let by_words = again.iter().filter(|update| !update.is_empty());
            let by_words = by_words.fold(base.compacted(5), |text, update| text.apply(update).expect("applies"));
            prop_assert_eq!(by_words.plain(), mine_after.plain());
        }
    }
}
