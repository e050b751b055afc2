//! Index of series by their spelling in requests, byte by byte: a name is taken apart once.
//!
//! Collectors send the same names over and over. A name that is found here is neither unescaped nor sorted nor
//! copied again.

use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use indexmap::IndexMap;

use super::in_sequence::find_in_sequence;
use super::memory::Id;

/// Bytes of what is remembered, about: the names of a hundred thousand series. Beyond that it begins anew.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Fields of one head that are remembered: they are looked through one by one where they come in another order.
const MAX_FIELDS: usize = 64;
/// Bytes of an entry beside its text, about.
const ENTRY_BYTES: usize = 64;

/// What spells series in a way of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// Measurement and tags, and of each the fields.
    Line,
    /// The labels, without fields.
    RemoteWrite,
    /// The texts of the labels, without fields.
    RemoteWriteV2,
    /// Resource, metric and attributes, without fields.
    Otlp,
}

impl Way {
    const COUNT: usize = Self::Otlp as usize + 1;
}

/// Adds a text so that no two lists of texts are the same bytes.
pub fn spell(text: &[u8], out: &mut Vec<u8>) {
    // A request is below 2^32 bytes.
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text);
}

/// The names of fields, in the order in which they came first. Heads of one kind have one list in common.
type Names = Arc<[Box<[u8]>]>;

/// Fields that were learned of a head, each with the number of its series.
type New = Vec<(Box<[u8]>, Id)>;

/// What is known of a head: its fields, and the number of each one's series.
#[derive(Clone, Debug)]
pub struct Fields {
    names: Names,
    ids: Vec<Id>,
}

impl Fields {
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// The name of a field, by its place.
    pub fn name(&self, place: usize) -> Option<&[u8]> {
        self.names.get(place).map(|name| &**name)
    }

    /// The place of a field.
    pub fn find(&self, field: &[u8]) -> Option<usize> {
        self.names.iter().position(|name| **name == *field)
    }

    /// The series of a field, by its place.
    pub fn series(&self, place: usize) -> Id {
        self.ids[place]
    }
}

/// A spelling that was not known.
#[derive(Debug)]
pub struct Learned {
    pub way: Way,
    pub head: Box<[u8]>,
    pub field: Box<[u8]>,
    /// The series, by its place in the request.
    pub series: u32,
}

/// What is known of the spellings.
#[derive(Debug, Default)]
pub struct Spellings {
    heads: [IndexMap<Box<[u8]>, Fields, RandomState>; Way::COUNT],
    names: HashSet<Names>,
    bytes: usize,
    /// How often series were removed when this began.
    removals: u64,
}

impl Spellings {
    /// The head at a place, with its fields. Heads stand in the order in which they came first, and most often they come in
    /// that order again.
    pub fn head(&self, way: Way, place: usize) -> Option<(&[u8], &Fields)> {
        self.heads[way as usize].get_index(place).map(|(head, fields)| (&**head, fields))
    }

    /// The place of a head.
    pub fn find(&self, way: Way, head: &[u8]) -> Option<usize> {
        self.heads[way as usize].get_index_of(head)
    }

    /// The series of what has no fields. It is looked for first at the place `next`, which is the one behind it from
    /// then on.
    pub fn series(&self, way: Way, head: &[u8], next: &mut usize) -> Option<Id> {
        let place = find_in_sequence(&self.heads[way as usize], head, next)?;
        self.head(way, place).map(|(_, fields)| fields.series(0))
    }

    /// Takes fields of one head.
    fn learn(&mut self, way: Way, head: Box<[u8]>, learned: New) {
        let (mut names, mut ids) = match self.heads[way as usize].get(&head) {
            Some(known) => (known.names.to_vec(), known.ids.clone()),
            None => (Vec::new(), Vec::new()),
        };
        for (field, id) in learned {
            if names.len() < MAX_FIELDS && !names.contains(&field) {
                names.push(field);
                ids.push(id);
            }
        }
        let names: Names = names.into();
        let names = match self.names.get(&names) {
            Some(known) => known.clone(),
            None => {
                self.bytes += names.iter().map(|name| name.len() + ENTRY_BYTES).sum::<usize>();
                self.names.insert(names.clone());
                names
            }
        };
        self.bytes += head.len() + ENTRY_BYTES + size_of_val(&ids[..]);
        self.heads[way as usize].insert(head, Fields { names, ids });
    }
}

/// The spellings, as those who read requests share them.
#[derive(Debug, Default)]
pub(super) struct Shared(RwLock<Spellings>);

impl Shared {
    /// What is known while series were removed so often; `None` where it was learned before.
    pub(super) fn read(&self, removals: u64) -> Option<RwLockReadGuard<'_, Spellings>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(known).filter(|known| known.removals == removals)
    }

    /// Remembers spellings of series that were there when series had been removed so often. Nobody is waited for.
    pub(super) fn learn(&self, learned: impl IntoIterator<Item = (Learned, Id)>, removals: u64) {
        let Ok(mut known) = self.0.try_write() else { return };
        if known.removals < removals || known.bytes > MAX_BYTES {
            *known = Spellings { removals, ..Spellings::default() };
        }
        if known.removals != removals {
            return;
        }
        let mut by_head: HashMap<(Way, Box<[u8]>), New> = HashMap::new();
        for (Learned { way, head, field, .. }, id) in learned {
            by_head.entry((way, head)).or_default().push((field, id));
        }
        by_head.into_iter().for_each(|((way, head), fields)| known.learn(way, head, fields));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(head: &str, field: &str) -> Learned {
        let bytes = |text: &str| text.as_bytes().into();
        Learned { way: Way::Line, head: bytes(head), field: bytes(field), series: 0 }
    }

    fn fields_of<'k>(known: &'k Spellings, head: &[u8]) -> Option<&'k Fields> {
        known.head(Way::Line, known.find(Way::Line, head)?).map(|(_, fields)| fields)
    }

    #[test]
    fn what_comes_in_any_order_is_found() {
        let shared = Shared::default();
        shared.learn((1..=4).map(|n| (learned(&format!("h{n}"), ""), n)), 0);
        let known = shared.read(0).expect("known");
        let mut next = 0;
        for n in [1, 2, 4, 3, 4, 1, 9, 2, 2] {
            let head = format!("h{n}");
            assert_eq!(known.series(Way::Line, head.as_bytes(), &mut next), (n < 5).then_some(n));
        }
    }

    #[test]
    fn what_was_learned_is_known_until_series_are_removed() {
        let shared = Shared::default();
        shared.learn([(learned("cpu,host=a", "idle"), 7), (learned("cpu,host=a", "user"), 8)], 0);
        let fields = |removals| {
            let known = shared.read(removals)?;
            Some(fields_of(&known, b"cpu,host=a")?.ids.clone())
        };
        assert_eq!(fields(0), Some(vec![7, 8]));
        assert_eq!(fields(1), None);
        shared.learn([(learned("cpu,host=a", "idle"), 9)], 1);
        assert_eq!(fields(1), Some(vec![9]));
        shared.learn([(learned("cpu,host=a", "user"), 8)], 0);
        assert_eq!(fields(1), Some(vec![9]), "of before");
        assert_eq!(shared.read(1).expect("known").series(Way::Otlp, b"cpu,host=a", &mut 0), None);
    }

    #[test]
    fn s10_what_is_remembered_is_bounded() {
        let shared = Shared::default();
        for n in 0..MAX_FIELDS + 9 {
            shared.learn([(learned("a", &format!("f{n}")), 1)], 0);
        }
        let known = shared.read(0).expect("known");
        let fields = fields_of(&known, b"a").expect("known");
        assert_eq!((fields.count(), fields.find(b"f3")), (MAX_FIELDS, Some(3)));
        drop(known);
        let long = "x".repeat(MAX_BYTES / 4);
        for n in 0..6 {
            shared.learn([(learned(&format!("{long}{n}"), ""), 1)], 0);
        }
        assert!(shared.read(0).expect("known").bytes <= MAX_BYTES + MAX_BYTES / 3);
    }
}
