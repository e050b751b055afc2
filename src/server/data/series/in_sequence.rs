//! Look-up in an index map by keys that mostly come in the order of its entries.

use std::hash::{BuildHasher, Hash};

use indexmap::{Equivalent, IndexMap};

/// The place of a key. It is looked for first at the place `next`, which is the one behind it from then on.
pub(super) fn find_in_sequence<K, V, S: BuildHasher, Q: ?Sized + Hash + Equivalent<K>>(
    map: &IndexMap<K, V, S>,
    key: &Q,
    next: &mut usize,
) -> Option<usize> {
    let is_next = map.get_index(*next).is_some_and(|(known, _)| key.equivalent(known));
    let place = if is_next { *next } else { map.get_index_of(key)? };
    *next = place + 1;
    Some(place)
}
