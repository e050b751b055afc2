//! Series of their own times as a chart's columns: one of all times, and one of values for each series.

use crate::sync::protocol::Series;

/// Times of one chart, where series have different ones; a wide screen has fewer pixels.
const MAX_TIMES: usize = 4_000;
/// Times that are left of more than that.
const SNAPPED: u64 = 2_000;

/// What a chart draws.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// Unix seconds, in order.
    pub times: Vec<f64>,
    pub series: Vec<Column>,
}

/// The values of one series, one for each time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// Zero where there is none.
    pub values: Vec<f64>,
    /// Places at which the series says that it has no value: drawn as gaps.
    pub gaps: Vec<u32>,
    /// Places, first and end, of times that only other series have: passed over.
    pub absent: Vec<(u32, u32)>,
    /// Places of values with a gap on both sides, of which no line would tell.
    pub alone: Vec<u32>,
}

/// What the values that several series have at about the same time have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// Nothing: each stands at its own time.
    No,
    /// They stand at one time, though they may not be made at the same moment.
    InSteps,
    /// So they do, and each lies on top of those after it: the first is the highest.
    Stacked,
}

type Points = Vec<(u64, Option<f64>)>;

/// Aligns series.
pub fn align<'a>(series: impl Iterator<Item = &'a Series>, together: Together) -> Columns {
    let all: Vec<&[(u64, Option<f64>)]> = series.map(|series| series.points.as_slice()).collect();
    let Some(longest) = all.iter().rev().max_by_key(|points| points.len()) else { return Columns::default() };
    let same = |points: &&[(u64, Option<f64>)]| {
        points.len() == longest.len() && points.iter().zip(*longest).all(|(one, other)| one.0 == other.0)
    };
    let mut columns = if all.iter().all(same) {
        Columns {
            times: longest.iter().map(|(at, _)| seconds(*at)).collect(),
            series: all.iter().map(|points| Column::whole(points)).collect(),
        }
    } else {
        let mut times = union(&all);
        let in_steps = together != Together::No;
        let pace = in_steps.then(|| all.iter().filter_map(|points| pace(points)).max()).flatten();
        let crowded = times.len() > MAX_TIMES && times.len() > 2 * longest.len();
        let long = times.last().unwrap_or(&0) - times.first().unwrap_or(&0);
        let step = pace.or(crowded.then(|| (long / SNAPPED).max(1)));
        // The steps go with the newest point, so that they stand still while points come at their pace.
        let from = longest.last().map_or(0, |(at, _)| *at);
        let snapped: Vec<Points> =
            step.map_or_else(Vec::new, |step| all.iter().map(|p| snap(p, from, step)).collect());
        let all: Vec<&[(u64, Option<f64>)]> =
            if step.is_some() { snapped.iter().map(Vec::as_slice).collect() } else { all };
        if step.is_some() {
            times = union(&all);
        }
        Columns {
            series: all.iter().map(|points| Column::among(points, &times)).collect(),
            times: times.into_iter().map(seconds).collect(),
        }
    };
    if together == Together::Stacked {
        columns.stack(|_| true);
    }
    columns
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn union(all: &[&[(u64, Option<f64>)]]) -> Vec<u64> {
    let mut union: Vec<u64> = Vec::new();
    for points in all {
        // Most series of a chart have points at the same times.
        if points.len() == union.len() && points.iter().zip(&union).all(|((at, _), time)| at == time) {
            continue;
        }
        let (mut old, mut new) =
            (union.iter().copied().peekable(), points.iter().map(|(at, _)| *at).peekable());
        let mut both = Vec::with_capacity(union.len().max(points.len()));
        while let Some(next) = match (old.peek(), new.peek()) {
            (Some(a), Some(b)) if a <= b => old.next(),
            (_, Some(_)) => new.next(),
            _ => old.next(),
        } {
            if both.last() != Some(&next) {
                both.push(next);
            }
        }
        union = both;
    }
    union
}

/// Milliseconds from value to value: the median, so that a series with gaps counts as no slower than it is.
fn pace(points: &[(u64, Option<f64>)]) -> Option<u64> {
    let (mut apart, mut last) = (Vec::new(), None);
    for (at, _) in points.iter().filter(|(_, value)| value.is_some()) {
        apart.extend(last.replace(*at).map(|last| at - last));
    }
    let middle = apart.len().checked_sub(1)? / 2;
    Some((*apart.select_nth_unstable(middle).1).max(1))
}

/// The last value of each step, or that there is none, at the step; one of the steps is at a moment `from`.
fn snap(points: &[(u64, Option<f64>)], from: u64, step: u64) -> Points {
    let phase = from % step;
    let mut snapped: Points = Vec::new();
    for (at, value) in points {
        // That of the two around it that is nearer.
        let at = phase + (at + step / 2).saturating_sub(phase) / step * step;
        match snapped.last_mut() {
            Some(last) if last.0 == at => last.1 = value.or(last.1),
            _ => snapped.push((at, *value)),
        }
    }
    snapped
}

impl Columns {
    /// Adds to each series what lies below it, of those by their places that are in the stack.
    pub fn stack(&mut self, is_in: impl Fn(usize) -> bool) {
        let mut below: Option<usize> = None;
        for n in (0..self.series.len()).rev().filter(|n| is_in(*n)) {
            if let Some(below) = below.replace(n) {
                let (above, rest) = self.series.split_at_mut(below);
                for (value, under) in above[n].values.iter_mut().zip(&rest[0].values) {
                    *value += under;
                }
            }
        }
    }
}

impl Column {
    /// A series that has every time.
    fn whole(points: &[(u64, Option<f64>)]) -> Self {
        let mut column = Self::default();
        column.values.reserve(points.len());
        for (_, value) in points {
            column.push(*value);
        }
        column.lonely();
        column
    }

    /// A series among the times of all.
    fn among(points: &[(u64, Option<f64>)], times: &[u64]) -> Self {
        let mut column = Self::default();
        column.values.reserve(times.len());
        let mut points = points.iter().peekable();
        for at in times {
            match points.next_if(|(point, _)| point == at) {
                Some((_, value)) => column.push(*value),
                None => {
                    let n = column.values.len() as u32;
                    match column.absent.last_mut() {
                        Some((_, end)) if *end == n => *end += 1,
                        _ => column.absent.push((n, n + 1)),
                    }
                    column.values.push(0.0);
                }
            }
        }
        column.lonely();
        column
    }

    fn push(&mut self, value: Option<f64>) {
        if value.is_none() {
            self.gaps.push(self.values.len() as u32);
        }
        self.values.push(value.unwrap_or(0.0));
    }

    /// Finds the values with a gap, or nothing more, on both sides.
    fn lonely(&mut self) {
        let mut absent = self.absent.iter().peekable();
        let mut gaps = self.gaps.iter().peekable();
        // The last own value, and whether it has no neighbour before it.
        let mut last: Option<(u32, bool)> = None;
        let (mut n, mut first) = (0, true);
        while (n as usize) < self.values.len() {
            if let Some((_, end)) = absent.next_if(|(from, _)| *from == n) {
                n = *end;
                continue;
            }
            if gaps.next_if(|gap| **gap == n).is_some() {
                if let Some((at, true)) = last.take() {
                    self.alone.push(at);
                }
                first = true;
            } else {
                last = Some((n, first));
                first = false;
            }
            n += 1;
        }
        if let Some((at, true)) = last {
            self.alone.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn series(points: &[(u64, Option<f64>)]) -> Series {
        Series { name: String::new(), points: points.to_vec(), ..Series::default() }
    }

    #[test]
    fn a_gap_is_told_from_a_time_of_another_series() {
        let a = series(&[(1_000, Some(1.0)), (2_000, None), (3_000, Some(3.0)), (4_000, None)]);
        let b = series(&[(1_000, Some(5.0)), (2_500, Some(6.0)), (4_000, Some(7.0))]);
        let columns = align([&a, &b].into_iter(), Together::No);
        assert_eq!(columns.times, [1.0, 2.0, 2.5, 3.0, 4.0]);
        assert_eq!(columns.series[0].gaps, [1, 4]);
        assert_eq!(columns.series[0].absent, [(2, 3)]);
        assert_eq!(columns.series[0].alone, [0, 3], "between gaps, whatever other series have there");
        assert_eq!(columns.series[1].values, [5.0, 0.0, 6.0, 0.0, 7.0]);
        assert_eq!(columns.series[1].absent, [(1, 2), (3, 4)]);
        assert_eq!(columns.series[1].alone, Vec::<u32>::new());
        assert_eq!(align([].into_iter(), Together::Stacked), Columns::default());
    }

    #[test]
    fn a_stack_has_the_first_on_top() {
        let a = series(&[(1_000, Some(1.0)), (2_000, Some(2.0))]);
        let b = series(&[(1_000, Some(10.0)), (2_000, None)]);
        let columns = align([&a, &b].into_iter(), Together::Stacked);
        assert_eq!(columns.series[0].values, [11.0, 2.0]);
        assert_eq!(
            (columns.series[1].values.clone(), columns.series[1].gaps.clone()),
            (vec![10.0, 0.0], vec![1])
        );
        // Points that are not made at the same moments lie in the same steps.
        let b = series(&[(1_400, Some(10.0)), (2_400, Some(20.0))]);
        let columns = align([&a, &b].into_iter(), Together::Stacked);
        assert_eq!((columns.times, columns.series[0].values.clone()), (vec![1.0, 2.0], vec![11.0, 22.0]));
        assert_eq!(
            snap(&[(950, Some(1.0)), (1_500, Some(2.0)), (2_040, None)], 2_000, 500),
            [(1_000, Some(1.0)), (1_500, Some(2.0)), (2_000, None)],
            "at the step that is nearest"
        );
        let columns = align([&a, &b].into_iter(), Together::InSteps);
        assert_eq!((columns.times, columns.series[0].values.clone()), (vec![1.0, 2.0], vec![1.0, 2.0]));
    }

    #[test]
    fn a_gap_makes_no_series_slower_and_takes_no_value_of_another() {
        let whole: Vec<_> = (0..60).map(|n| (n * 1_000 + 200, Some(n as f64))).collect();
        let holes: Vec<_> =
            (0..60).filter(|n| n % 30 < 5).map(|n| (n * 1_000, (n % 30 < 4).then_some(1.0))).collect();
        assert_eq!((pace(&whole), pace(&holes)), (Some(1_000), Some(1_000)));
        let (whole, holes) = (series(&whole), series(&holes));
        let columns = align([&whole, &holes].into_iter(), Together::InSteps);
        assert_eq!(columns.times.len(), 60);
        assert_eq!(columns.series[0].values, (0..60).map(f64::from).collect::<Vec<_>>());
        assert_eq!(columns.series[1].gaps, [4, 34]);
        assert_eq!(
            snap(&[(1_000, Some(1.0)), (1_100, None), (2_000, None), (2_100, Some(3.0))], 0, 1_000),
            [(1_000, Some(1.0)), (2_000, Some(3.0))],
            "a value is one, whatever stands beside it"
        );
        assert_eq!(pace(&[(1_000, Some(1.0)), (2_000, None)]), None);
    }

    #[test]
    fn series_of_all_times_there_are_stay_drawable() {
        let all: Vec<Series> = (0..20)
            .map(|n| series(&(0..5_000).map(|i| (i * 1_000 + n * 37, Some(i as f64))).collect::<Vec<_>>()))
            .collect();
        let columns = align(all.iter(), Together::No);
        assert!(columns.times.len() <= MAX_TIMES, "{}", columns.times.len());
        assert!(columns.series.iter().all(|column| column.values.len() == columns.times.len()));
    }

    proptest! {
        #[test]
        fn every_value_stands_at_its_time(
            all in prop::collection::vec(prop::collection::btree_map(0u64..60, prop::option::of(-9i32..9), 0..40), 0..5)
        ) {
            let all: Vec<Series> = all.iter()
                .map(|points| series(&points.iter().map(|(at, v)| (at * 1_000, v.map(f64::from))).collect::<Vec<_>>()))
                .collect();
            let columns = align(all.iter(), Together::No);
            prop_assert!(columns.times.windows(2).all(|pair| pair[0] < pair[1]));
            for (one, column) in all.iter().zip(&columns.series) {
                prop_assert_eq!(column.values.len(), columns.times.len());
                let mut read = Vec::new();
                for (n, at) in columns.times.iter().enumerate() {
                    let n = n as u32;
                    if !column.absent.iter().any(|(from, end)| (*from..*end).contains(&n)) {
                        let value = (!column.gaps.contains(&n)).then(|| column.values[n as usize]);
                        read.push(((at * 1000.0) as u64, value));
                    }
                }
                prop_assert_eq!(&read, &one.points);
                for n in &column.alone {
                    let at = read.iter().position(|(at, _)| *at == (columns.times[*n as usize] * 1000.0) as u64).expect("its own");
                    prop_assert!(read[at].1.is_some());
                    let there = |n: Option<usize>| n.and_then(|n| read.get(n)).is_some_and(|(_, value)| value.is_some());
                    prop_assert!(!there(at.checked_sub(1)) && !there(Some(at + 1)));
                }
            }
        }
    }
}
