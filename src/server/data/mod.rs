//! Live data: sources that answer queries, each asked once for all who look.

pub mod http;
pub mod legend;
pub mod local;
pub mod pick;
pub mod prometheus;
pub mod reduced;
mod rows;
pub mod series;
pub mod sources;
pub mod sql;
pub mod standing;
mod thinning;
pub mod this_server;
mod upstream;
mod variables;

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::sync::watch;

pub use self::upstream::in_one_line;
use crate::dashboard::settings::Chosen;

/// Points of a chart's line: more than it has pixels for tell nobody more.
pub const WANTED_POINTS: u64 = 1_000;
/// Series of an answer that is drawn over time: more lines nobody tells apart.
pub const MAX_SERIES: usize = 20;
/// Series of an answer of which only the latest point counts: the rows of a table.
pub const MAX_ROWS: usize = 1_000;
/// Values of a label in one answer.
pub const MAX_VALUES: usize = 1_000;

/// Unix milliseconds and a value; `None` for a gap.
pub type Point = (u64, Option<f64>);

/// A source of live figures.
#[async_trait]
pub trait Source: Send + Sync {
    /// What a widget's `source` says; empty for series by name.
    fn name(&self) -> &str;

    /// What it is: `series`, `prometheus` ...
    fn kind(&self) -> &'static str;

    /// True where it answers out of memory, at the first poll.
    fn is_here(&self) -> bool {
        false
    }

    /// Counts up whenever there are new points; `None` for a source that has to be asked again and again.
    fn news(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// For how long it may still correct what it answered, in milliseconds: that much of the end is asked for
    /// again, and its answers are complete from [`Answer::complete_from`] on. `None` where points only come
    /// after those before.
    fn overlap_ms(&self) -> Option<u64> {
        None
    }

    /// The shortest time between two points that is worth asking for, in milliseconds; and how often it is
    /// asked where a dashboard does not say.
    fn every_ms(&self) -> u64;

    /// Answers a query. Errors say in words why not.
    async fn ask(&self, ask: &Ask) -> Result<Answer, SourceError>;

    /// The values that a label has, in order; all series count where `of` is empty. What is chosen of the
    /// variables in `of` comes with it, by name.
    async fn values(
        &self,
        label: &str,
        of: &str,
        variables: &BTreeMap<String, Chosen>,
    ) -> Result<Vec<String>, SourceError>;

    /// How it is.
    fn state(&self) -> SourceState;
}

/// What a source is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// In the source's own language, with variables by their names.
    pub text: String,
    /// What is chosen of the variables in the text, by name.
    pub variables: BTreeMap<String, Chosen>,
    /// Unix milliseconds, both included.
    pub from: u64,
    pub to: u64,
    /// Milliseconds from one point to the next, as far as the source has a say in it.
    pub step: u64,
    /// How often what is asked about has a new value, in milliseconds; 0 where the query does not say.
    pub min_step: u64,
    /// Only the latest point of each series.
    pub latest: bool,
    /// Whoever asks brings each series down to one value: many more of them fit.
    pub reduce: Option<reduced::Reduce>,
    /// Asked once for somebody, not again and again for all who look.
    pub single: bool,
    /// By series, the time of the last point that is known already: earlier ones are not wanted again, but
    /// from `since` on.
    pub known: BTreeMap<String, u64>,
    /// What was before is known and does not change any more, Unix milliseconds; `None` where all is wanted.
    pub since: Option<u64>,
}

impl Ask {
    /// Series that fit in an answer.
    pub fn most(&self) -> usize {
        if self.latest || self.reduce.is_some() { MAX_ROWS } else { MAX_SERIES }
    }
}

/// What a source answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// In the source's order, as many as fit.
    pub curves: Vec<Curve>,
    /// How many series there are, and how many of them have a value at the end of the time asked for.
    pub count: usize,
    pub living: usize,
    /// From when on all that there is is here, Unix milliseconds: what was told of that time and is not, is
    /// gone. `None` where points only come after those before.
    pub complete_from: Option<u64>,
    /// Lines of the query that got no answer; a note says why.
    pub failed: Vec<usize>,
    pub times: Times,
    /// What the source says of its answer, in words for people: warnings, and why a line has none.
    pub notes: Vec<String>,
    /// Another value than before tells that points have changed which were told already.
    pub stamp: u64,
}

/// When the points of an answer are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// At whole steps, where one without a point is a gap.
    #[default]
    Steps,
    /// Whenever the source has them. A gap is a point without a value.
    Own,
    /// At the moment of asking: a source without a history. What it answered before stays.
    Now,
}

/// One series of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The source's own name of it; no two curves of a query's line have the same.
    pub name: String,
    /// Without its labels.
    pub base: String,
    /// In the order of the labels.
    pub tags: Vec<(String, String)>,
    /// Which line of the query it answers, from 0.
    pub line: usize,
    /// In time order.
    pub points: Vec<Point>,
}

impl Curve {
    /// True for the same series of the same line.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.line, &self.name) == (other.line, &other.name)
    }

    /// True where it has a value at the end of the time asked for, or in the step before.
    pub fn is_living(&self, end: u64, step: u64) -> bool {
        let last = self.points.iter().rev().find(|(_, value)| value.is_some());
        last.is_some_and(|(last, _)| last.saturating_add(step.saturating_mul(2)) > end)
    }
}

impl Answer {
    /// Keeps as many curves as fit, first those that have values now.
    pub fn keep(&mut self, most: usize, ask: &Ask) {
        if self.curves.len() > most {
            let end = ask.to / ask.step.max(1) * ask.step.max(1);
            self.curves.sort_by_key(|curve| !ask.latest && !curve.is_living(end, ask.step));
            self.curves.truncate(most);
        }
    }
}

/// Why there is no answer, in words for people. It never says where a source is or what lets us in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// How a source is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceState {
    /// `ok`, `waiting` or `down`.
    pub state: &'static str,
    /// In words.
    pub says: String,
    pub last_error: Option<String>,
    pub latency_ms: Option<f64>,
    /// Queries that it was asked so far, and how many of them failed; `None` where asking costs nothing.
    pub asked: Option<(u64, u64)>,
}

/// A step that people would choose, not shorter than this: 1, 2, 5, 10, 15, 20, 30 of a unit of time.
pub fn round_step(least_ms: u64) -> u64 {
    const STEPS: [u64; 27] = [
        250,
        500,
        1_000,
        2_000,
        5_000,
        10_000,
        15_000,
        20_000,
        30_000,
        60_000,
        120_000,
        300_000,
        600_000,
        900_000,
        1_200_000,
        1_800_000,
        3_600_000,
        7_200_000,
        10_800_000,
        14_400_000,
        21_600_000,
        28_800_000,
        43_200_000,
        86_400_000,
        172_800_000,
        432_000_000,
        864_000_000,
    ];
    STEPS.into_iter().find(|step| *step >= least_ms).unwrap_or(least_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (range, step) in [(60_000, 250), (900_000, 1_000), (3_600_000, 5_000), (86_400_000, 120_000)] {
            assert_eq!(round_step(range / WANTED_POINTS), step);
        }
    }
}
