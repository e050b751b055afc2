//! A batch on its way in: points by series, and what of it does not fit, by line.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::server::data::series::key::Key;
use crate::server::data::series::memory::{Id, Memory};
use crate::server::data::series::points::Point;
use crate::server::data::series::retention::{Window, long};
use crate::server::data::series::runs::{Named, Runs};
use crate::server::data::series::spelling::{Learned, Way};

/// Refusals that are told one by one; the others are counted.
pub const TOLD: usize = 50;
/// Bytes of the names of one batch: a few bytes of a request may stand for a name of kilobytes.
const MAX_NAME_BYTES: usize = 16 * 1024 * 1024;
/// From the least to the greatest number of series up to which it is noted for each whether it is there: 128 KiB.
const MAX_RANGE: usize = 1 << 20;
/// Characters of a reason: the names in it may be as long as a request.
const REASON: usize = 200;

/// What was not taken of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Where, from 1, and why; in the order of the places.
    told: Vec<(usize, String)>,
    count: u64,
    /// True where some of it would be taken a while later.
    pub is_for_now: bool,
}

impl Refusals {
    pub fn add(&mut self, place: usize, count: u64, why: impl Into<String>) {
        self.count += count;
        let at = self.told.partition_point(|(known, _)| *known <= place);
        if at < TOLD {
            let mut why = why.into();
            if let Some((end, _)) = why.char_indices().nth(REASON) {
                why.truncate(end);
                why.push('…');
            }
            self.told.insert(at, (place, why));
            self.told.truncate(TOLD);
        }
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first of them.
    pub fn told(&self) -> &[(usize, String)] {
        &self.told
    }

    /// All of it as one text, as `line 3: ...; line 5: ...`.
    pub fn words(&self, place: &str) -> String {
        let each: Vec<String> = self.told.iter().map(|(at, why)| format!("{place} {at}: {why}")).collect();
        let more = self.count.saturating_sub(self.told.len() as u64);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("{}{more}", each.join("; "))
    }
}

/// Gathers what a request brings.
pub struct Batch {
    window: Window,
    /// The series that are known, where it is more than reading.
    memory: Option<Arc<Memory>>,
    /// How often series had been removed before anything was read.
    removals: u64,
    /// Each with where it came first.
    series: Vec<(Named, usize)>,
    by_key: HashMap<Arc<Key>, u32>,
    name_bytes: usize,
    points: Vec<Point>,
    /// Of each point the place of its series.
    of: Vec<u32>,
    learned: Vec<Learned>,
    /// What the names of all series have to begin with.
    prefix: Option<String>,
    pub refused: Refusals,
    /// Fields whose value is a text: a chart has no place for them.
    pub texts: u64,
}

impl Batch {
    pub fn new(window: Window) -> Self {
        Self {
            window,
            memory: None,
            removals: 0,
            series: Vec::new(),
            by_key: HashMap::new(),
            name_bytes: 0,
            points: Vec::new(),
            of: Vec::new(),
            learned: Vec::new(),
            prefix: None,
            refused: Refusals::default(),
            texts: 0,
        }
    }

    /// One that finds series by how they are spelled, where somebody has pushed them before.
    pub fn of(window: Window, memory: Arc<Memory>) -> Self {
        Self { removals: memory.removals(), memory: Some(memory), ..Self::new(window) }
    }

    /// The same where the names of series have to begin so.
    pub fn within(self, prefix: Option<String>) -> Self {
        Self { prefix, ..self }
    }

    /// The series that are known, for those who find them by how they are spelled. Nobody does where each name is to be
    /// checked.
    pub fn memory(&self) -> Option<Arc<Memory>> {
        self.memory.clone().filter(|_| self.prefix.is_none())
    }

    /// The place of a series in this batch. Errors where there is no room for one more, or its name is not one of those
    /// that may be pushed.
    pub fn series(&mut self, key: Key, place: usize) -> Result<u32, String> {
        if let Some(prefix) = self.prefix.as_ref().filter(|prefix| !key.name().starts_with(prefix.as_str())) {
            let name = key.name();
            return Err(format!(
                "the series {name:?}: this token pushes those whose names begin with {prefix:?}"
            ));
        }
        if let Some(index) = self.by_key.get(&key) {
            return Ok(*index);
        }
        self.name_bytes += key.whole().len();
        if self.name_bytes > MAX_NAME_BYTES {
            return Err("there are too many names in one request; send it in parts".to_owned());
        }
        let key = Arc::new(key);
        let index = self.add_series(Named::Key(key.clone()), place);
        self.by_key.insert(key, index);
        Ok(index)
    }

    /// The place of a series that is known. Not the same again for the same series.
    pub fn known(&mut self, id: Id, place: usize) -> u32 {
        self.add_series(Named::Known(id), place)
    }

    fn add_series(&mut self, named: Named, place: usize) -> u32 {
        // A request has less than 2^32 bytes.
        let index = self.series.len() as u32;
        self.series.push((named, place));
        index
    }

    /// Notes how a series is spelled, for the requests to come.
    pub fn learn(&mut self, way: Way, head: &[u8], field: &[u8], series: u32) {
        if self.memory.is_some() {
            self.learned.push(Learned { way, head: head.into(), field: field.into(), series });
        }
    }

    /// The time of a point that brings none. Errors where this server does not know the time.
    pub fn now(&self) -> Result<u64, String> {
        if self.window.may_stamp {
            return Ok(self.window.now);
        }
        Err("it brings no time, and this server's clock was never set; set it, or send the time".to_owned())
    }

    /// Checks a time. Errors say why it does not fit.
    pub fn check_time(&self, at: i64) -> Result<u64, String> {
        let Window { now, oldest, latest, kept_ms, .. } = self.window;
        match u64::try_from(at) {
            Ok(at) if at > latest => Err(format!(
                "its time is {} ahead of this server's clock; is the precision right?",
                long(at.saturating_sub(now))
            )),
            Ok(at) if at >= oldest => Ok(at),
            older => Err(format!(
                "its time is {} ago, and this server keeps {}; is the precision right?",
                long(now.saturating_sub(older.unwrap_or(0))),
                long(kept_ms)
            )),
        }
    }

    /// Adds a point; the time was checked.
    pub fn add(&mut self, series: u32, at: u64, value: f64) {
        self.points.push((at, value));
        self.of.push(series);
    }

    /// Makes room for so many points.
    pub fn reserve(&mut self, points: usize) {
        self.points.reserve(points);
        self.of.reserve(points);
    }

    /// How many points were added.
    pub fn added(&self) -> usize {
        self.points.len()
    }

    /// Gives the points from a place on a time.
    pub fn set_time(&mut self, from: usize, at: u64) {
        self.points[from..].iter_mut().for_each(|point| point.0 = at);
    }

    /// Lets go of the points from a place on.
    pub fn truncate(&mut self, from: usize) {
        self.points.truncate(from);
        self.of.truncate(from);
    }

    /// Lets go of all points; what was refused stays.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// The runs in order, what was refused, and how many texts were passed over.
    pub fn finish(mut self) -> (Runs, Refusals, u64) {
        let removals = self.memory.take().map_or(0, |memory| self.find(&memory));
        let Self { series, points, of, refused, texts, .. } = self;
        (Runs::sorted(series, points, &of, removals), refused, texts)
    }

    /// Finds the series that are there, once each, and remembers how they were spelled. How often series had been
    /// removed when the first of them was found.
    fn find(&mut self, memory: &Memory) -> u64 {
        let removals = self.removals;
        let key_of = |named: &Named| match named {
            Named::Key(key) => Some(key.clone()),
            Named::Known(_) => None,
        };
        let new: Vec<(u32, Arc<Key>)> =
            (0..).zip(&self.series).filter_map(|(index, (named, _))| Some((index, key_of(named)?))).collect();
        let found = memory.known(new.iter().map(|(_, key)| &**key));
        for ((index, _), id) in new.iter().zip(found) {
            if let Some(id) = id {
                self.series[*index as usize].0 = Named::Known(id);
            }
        }
        if self.has_twice() {
            self.join_twice();
        }
        let learned = std::mem::take(&mut self.learned).into_iter().filter_map(|learned| {
            match self.series.get(learned.series as usize)?.0 {
                Named::Known(id) => Some((learned, id)),
                Named::Key(_) => None,
            }
        });
        let learned: Vec<(Learned, Id)> = learned.collect();
        if !learned.is_empty() {
            memory.learn(learned, removals);
        }
        removals
    }

    /// The numbers of series that are known, with their places.
    fn ids(&self) -> impl Iterator<Item = (u32, Id)> {
        let id = |(index, (named, _)): (u32, &(Named, usize))| match named {
            Named::Known(id) => Some((index, *id)),
            Named::Key(_) => None,
        };
        (0..).zip(&self.series).filter_map(id)
    }

    /// True where a series that is known may be there twice.
    fn has_twice(&self) -> bool {
        let (least, most) =
            self.ids().fold((Id::MAX, 0), |(least, most), (_, id)| (least.min(id), most.max(id)));
        let range = most.saturating_sub(least) as usize;
        if range > MAX_RANGE {
            return true;
        }
        let mut seen = vec![0_u64; range / 64 + 1];
        self.ids().any(|(_, id)| {
            let at = (id - least) as usize;
            let bit = 1 << (at % 64);
            let is_twice = seen[at / 64] & bit != 0;
            seen[at / 64] |= bit;
            is_twice
        })
    }

    /// Gives the points of series that are spelled in two ways to the first.
    fn join_twice(&mut self) {
        let mut first: FxHashMap<Id, u32> = FxHashMap::default();
        let firsts: Vec<(u32, u32)> =
            self.ids().map(|(index, id)| (index, *first.entry(id).or_insert(index))).collect();
        let others: FxHashMap<u32, u32> =
            firsts.into_iter().filter(|(index, first)| index != first).collect();
        if others.is_empty() {
            return;
        }
        for series in &mut self.of {
            *series = others.get(series).copied().unwrap_or(*series);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::data::series::Bounds;

    #[test]
    fn a11_only_names_with_the_prefix_are_taken() {
        let bounds = Bounds { series: 9, points_per_series: 9, points: 9, kept_ms: 86_400_000 };
        let window = Window::around(1_000_000_000, 86_400_000);
        let mut batch = Batch::of(window, Arc::new(Memory::new(bounds))).within(Some("app.".to_owned()));
        assert!(batch.memory().is_none(), "no name is passed over");
        let key = |name: &str| Key::new(name, vec![("a".to_owned(), "b".to_owned())]).expect("a key");
        assert_eq!(batch.series(key("app.load"), 1), Ok(0));
        for other in ["app", "App.load", "other", "x.app."] {
            let why = batch.series(key(other), 2).expect_err("refused");
            assert!(why.contains(&format!("{other:?}")) && why.contains("\"app.\""), "{why}");
        }
    }

    #[test]
    fn times_out_of_place_say_how_far() {
        let window = Window::around(1_000_000_000, 86_400_000);
        let batch = Batch::new(window);
        assert_eq!(batch.check_time(1_000_000_000 + 3_600_000), Ok(1_003_600_000));
        let far = batch.check_time(1_000_000_000 + 3 * 86_400_000).expect_err("refused");
        assert!(far.starts_with("its time is 3 days ahead"), "{far}");
        let old = batch.check_time(0).expect_err("refused");
        assert!(old.contains("11 days ago") && old.contains("keeps 24 hours"), "{old}");
        assert!(batch.check_time(-5).is_err() && batch.check_time(i64::MAX).is_err());
        assert_eq!(batch.now(), Ok(1_000_000_000));
        let unset = Batch::new(Window { may_stamp: false, ..window });
        assert!(unset.now().is_err_and(|why| why.contains("never set")));
    }

    #[test]
    fn s10_a_batch_of_nothing_good_has_a_short_answer() {
        let mut refused = Refusals::default();
        for place in (1..=1_000).rev() {
            refused.add(place, 1, "no");
        }
        assert_eq!((refused.count(), refused.told().len(), refused.told()[0].0), (1_000, TOLD, 1));
        assert!(refused.words("line").ends_with("; and 950 more"));
        refused.add(0, 1, "é".repeat(100_000));
        assert_eq!(refused.told()[0].1.chars().count(), REASON + 1);
    }
}
