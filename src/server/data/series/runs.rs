//! Points of one request by series, all in one piece of memory.

use std::ops::Range;
use std::sync::Arc;

use super::key::Key;
use super::memory::{Id, in_time_order};
use super::points::Point;

/// Points of one series out of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub key: Key,
    /// In time order, each time once.
    pub points: Vec<Point>,
    /// Where in the request the series came first: a line or an item, from 1.
    pub place: usize,
}

/// A series, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Named {
    /// It was there when the request was read.
    Known(Id),
    Key(Arc<Key>),
}

/// A series of a request, and where its points are.
#[derive(Clone, Debug, PartialEq)]
pub struct OfSeries {
    pub named: Named,
    /// Where in the request the series came first: a line or an item, from 1.
    pub place: usize,
    points: Range<usize>,
}

impl OfSeries {
    pub fn count(&self) -> usize {
        self.points.len()
    }
}

/// The points of one request by series: of each in time order, each time once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    series: Vec<OfSeries>,
    points: Vec<Point>,
    /// How often series had been removed when the numbers were found.
    removals: u64,
}

impl From<Vec<Run>> for Runs {
    fn from(runs: Vec<Run>) -> Self {
        let mut all = Self::default();
        for Run { key, points, place } in runs {
            let begin = all.points.len();
            all.points.extend(points);
            let named = Named::Key(Arc::new(key));
            all.series.push(OfSeries { named, place, points: begin..all.points.len() });
        }
        all
    }
}

impl Runs {
    /// Sorts points by their series. `of` has the place in `series` of each. Of two of one time the later counts. The
    /// numbers were found when series had been removed so often.
    pub fn sorted(series: Vec<(Named, usize)>, points: Vec<Point>, of: &[u32], removals: u64) -> Self {
        let mut counts = vec![0; series.len()];
        of.iter().for_each(|of| counts[*of as usize] += 1);
        let mut points = if of.is_sorted() { points } else { by_series(&points, of, &counts) };
        let mut begin = 0;
        let mut of_series = Vec::with_capacity(series.len());
        for ((named, place), count) in series.into_iter().zip(counts) {
            let kept = in_order(&mut points[begin..begin + count]);
            if kept > 0 {
                of_series.push(OfSeries { named, place, points: begin..begin + kept });
            }
            begin += count;
        }
        Self { series: of_series, points, removals }
    }

    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Points of all series together.
    pub fn count(&self) -> usize {
        self.series.iter().map(OfSeries::count).sum()
    }

    /// How often series had been removed when the numbers were found.
    pub fn removals(&self) -> u64 {
        self.removals
    }

    pub fn series(&self) -> &[OfSeries] {
        &self.series
    }

    /// Each series with its points.
    pub fn iter(&self) -> impl Iterator<Item = (&OfSeries, &[Point])> {
        self.series.iter().map(|series| (series, &self.points[series.points.clone()]))
    }

    /// Keeps some of the series.
    pub fn retain(&mut self, keep: impl FnMut(&OfSeries) -> bool) {
        self.series.retain(keep);
    }

    /// Those of a request that was read where nothing was known.
    pub fn into_list(self) -> Vec<Run> {
        let one = |(series, points): (&OfSeries, &[Point])| match &series.named {
            Named::Key(key) => {
                Some(Run { key: (**key).clone(), points: points.to_vec(), place: series.place })
            }
            Named::Known(_) => None,
        };
        self.iter().filter_map(one).collect()
    }
}

/// The points of the first series, of the second, and so on.
fn by_series(points: &[Point], of: &[u32], counts: &[usize]) -> Vec<Point> {
    let mut end = 0;
    let begin_of = |count: &usize| {
        end += count;
        end - count
    };
    let mut next: Vec<usize> = counts.iter().map(begin_of).collect();
    let mut sorted = vec![(0, 0.0); points.len()];
    for (of, point) in of.iter().zip(points) {
        let at = &mut next[*of as usize];
        sorted[*at] = *point;
        *at += 1;
    }
    sorted
}

/// Puts points in time order at the front, each time once; how many those are.
fn in_order(points: &mut [Point]) -> usize {
    if points.is_sorted_by(|one, next| one.0 < next.0) {
        return points.len();
    }
    let mut ordered = points.to_vec();
    in_time_order(&mut ordered);
    points[..ordered.len()].copy_from_slice(&ordered);
    ordered.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_by_series_and_in_order() {
        let key = |name: &str| (Named::Key(Arc::new(Key::own(name, Vec::new()))), 1);
        let points = vec![(5, 1.0), (3, 1.0), (4, 2.0), (3, 7.0), (6, 3.0)];
        let series = || vec![key("a"), key("none"), key("c")];
        let runs = Runs::sorted(series(), points, &[2, 0, 2, 0, 2], 0);
        let grouped = vec![(3, 1.0), (3, 7.0), (5, 1.0), (4, 2.0), (6, 3.0)];
        let same = Runs::sorted(series(), grouped, &[0, 0, 2, 2, 2], 0);
        assert_eq!(same.into_list(), runs.clone().into_list());
        let list: Vec<(String, Vec<Point>)> = runs
            .clone()
            .into_list()
            .into_iter()
            .map(|run| (run.key.whole().to_owned(), run.points))
            .collect();
        assert_eq!(
            list,
            [("a".to_owned(), vec![(3, 7.0)]), ("c".to_owned(), vec![(4, 2.0), (5, 1.0), (6, 3.0)])]
        );
        assert_eq!(runs.count(), 4);
        assert_eq!(Runs::from(runs.into_list()).count(), 4);
    }
}
