//! A batch on its way in: points by series, and what of it does not fit, by line.

use std::collections::HashMap;

use crate::server::data::series::Run;
use crate::server::data::series::key::Key;
use crate::server::data::series::memory::in_order;

/// How far ahead of this server's clock a point's time may be: clocks differ by less.
pub const AHEAD_MS: u64 = 3_600_000;
/// Refusals that are told one by one; the others are counted.
pub const TOLD: usize = 50;
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
    pub now: u64,
    kept_ms: u64,
    runs: Vec<Run>,
    by_key: HashMap<Key, usize>,
    pub refused: Refusals,
    /// Fields whose value is a text: a chart has no place for them.
    pub texts: u64,
}

impl Batch {
    pub fn new(now: u64, kept_ms: u64) -> Self {
        Self {
            now,
            kept_ms,
            runs: Vec::new(),
            by_key: HashMap::new(),
            refused: Refusals::default(),
            texts: 0,
        }
    }

    /// The place of a series in this batch.
    pub fn series(&mut self, key: Key, place: usize) -> usize {
        let next = self.runs.len();
        let index = *self.by_key.entry(key).or_insert(next);
        if index == next {
            // Filled below, from the map, so that each name is kept once.
            self.runs.push(Run { key: Key::own("", Vec::new()), points: Vec::new(), place });
        }
        index
    }

    /// Checks a time. Errors say why it does not fit.
    pub fn check_time(&self, at: i64) -> Result<u64, String> {
        let ahead = self.now.saturating_add(AHEAD_MS);
        let oldest = self.now.saturating_sub(self.kept_ms);
        match u64::try_from(at) {
            Ok(at) if at > ahead => Err(format!(
                "its time is {} ahead of this server's clock; is the precision right?",
                long(at - self.now)
            )),
            Ok(at) if at >= oldest => Ok(at),
            older => Err(format!(
                "its time is {} ago, and this server keeps {}; is the precision right?",
                long(self.now.saturating_sub(older.unwrap_or(0))),
                long(self.kept_ms)
            )),
        }
    }

    /// Adds a point; the time was checked.
    pub fn add(&mut self, series: usize, at: u64, value: f64) {
        self.runs[series].points.push((at, value));
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

/// A time in words: the largest unit that it has two of.
fn long(ms: u64) -> String {
    let units = [(86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes")];
    let fits = units.into_iter().find(|(unit, _)| ms >= 2 * unit);
    fits.map_or_else(|| format!("{} seconds", ms / 1000), |(unit, name)| format!("{} {name}", ms / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_out_of_place_say_how_far() {
        let batch = Batch::new(1_000_000_000, 86_400_000);
        assert_eq!(batch.check_time(1_000_000_000 + 3_600_000), Ok(1_003_600_000));
        let far = batch.check_time(1_000_000_000 + 3 * 86_400_000).expect_err("refused");
        assert!(far.starts_with("its time is 3 days ahead"), "{far}");
        let old = batch.check_time(0).expect_err("refused");
        assert!(old.contains("11 days ago") && old.contains("keeps 24 hours"), "{old}");
        assert!(batch.check_time(-5).is_err() && batch.check_time(i64::MAX).is_err());
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
