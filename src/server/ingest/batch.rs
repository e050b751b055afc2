//! A batch on its way in: points by series, and what of it does not fit, by line.

use std::collections::HashMap;

use crate::server::data::series::Run;
use crate::server::data::series::key::Key;
use crate::server::data::series::memory::in_order;
use crate::server::data::series::retention::{Window, long};

/// Refusals that are told one by one; the others are counted.
pub const TOLD: usize = 50;
/// Bytes of the names of one batch: a few bytes of a request may stand for a name of kilobytes.
const MAX_NAME_BYTES: usize = 16 * 1024 * 1024;
/// Characters of a reason: the names in it may be as long as a request.
const REASON: usize = 200;

/// What was not taken of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Where, from 1, and why; in the order of the places.
    told: Vec<(usize, String)>,
    count: u64,
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
#[derive(Debug)]
pub struct Batch {
    window: Window,
    runs: Vec<Run>,
    by_key: HashMap<Key, usize>,
    name_bytes: usize,
    pub refused: Refusals,
    /// Fields whose value is a text: a chart has no place for them.
    pub texts: u64,
}

impl Batch {
    pub fn new(window: Window) -> Self {
        let refused = Refusals::default();
        Self { window, runs: Vec::new(), by_key: HashMap::new(), name_bytes: 0, refused, texts: 0 }
    }

    /// The place of a series in this batch. Errors where there is no room for one more.
    pub fn series(&mut self, key: Key, place: usize) -> Result<usize, String> {
        if let Some(index) = self.by_key.get(&key) {
            return Ok(*index);
        }
        self.name_bytes += key.whole().len();
        if self.name_bytes > MAX_NAME_BYTES {
            return Err("there are too many names in one request; send it in parts".to_owned());
        }
        let index = self.runs.len();
        self.by_key.insert(key, index);
        // Filled below, from the map, so that each name is kept once.
        self.runs.push(Run { key: Key::own("", Vec::new()), points: Vec::new(), place });
        Ok(index)
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
    pub fn add(&mut self, series: usize, at: u64, value: f64) {
        self.runs[series].points.push((at, value));
    }

    /// Lets go of all points; what was refused stays.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.by_key.clear();
    }

    /// The runs in order, what was refused, and how many texts were passed over.
    pub fn finish(mut self) -> (Vec<Run>, Refusals, u64) {
        for (key, index) in self.by_key {
            self.runs[index].key = key;
        }
        self.runs.iter_mut().for_each(in_order);
        self.runs.retain(|run| !run.points.is_empty());
        (self.runs, self.refused, self.texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
