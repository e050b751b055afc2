//! Rows and colours of a heat map: the buckets of a histogram, or any series, over time.

use super::columns::{Columns, Together, align};
use super::{timeseries, values};
use crate::app::format;
use crate::dashboard::{Widget, number};
use crate::sync::protocol::Series;

/// How strong the weakest colour is, as a part of the strongest: to be told from nothing.
const MIN_STRENGTH: f64 = 0.12;
/// The part by which counts of a histogram may fall from one bucket to the next: they are asked for at one
/// moment, and added up in another order each.
const ROUNDING: f64 = 1e-9;

/// A heat map, as it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    /// Unix seconds, in order.
    pub times: Vec<f64>,
    /// The lowest first.
    pub rows: Vec<Row>,
    /// The value of the weakest colour, and of the strongest.
    pub scale: (f64, f64),
}

/// One row, with a cell for each time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// What stands beside it.
    pub label: String,
    /// `None` where there is no value.
    pub cells: Vec<Option<f64>>,
}

impl Map {
    /// What series come down to. Those whose names say up to which value they count are the buckets of a
    /// histogram.
    pub fn of(series: &[Series], widget: &Widget) -> Self {
        let series = &series[..series.len().min(timeseries::MAX_SERIES)];
        let columns = align(series.iter(), Together::InSteps);
        let times = columns.times.clone();
        let cells = (0..series.len()).map(|n| cells(&columns, n));
        let bounds: Option<Vec<f64>> = series.iter().map(|one| bound(&one.name)).collect();
        let rows = match bounds.filter(|bounds| bounds.len() > 1) {
            Some(bounds) => buckets(bounds.into_iter().zip(cells).collect(), widget),
            None => {
                let names = values::told_apart(&series.iter().map(|one| &*one.name).collect::<Vec<_>>());
                let mut rows: Vec<Row> =
                    names.into_iter().zip(cells).map(|(label, cells)| Row { label, cells }).collect();
                // The first stands above the others, as in a legend.
                rows.reverse();
                rows
            }
        };
        let scale = scale(&rows, widget);
        Self { times, rows, scale }
    }

    /// The rows as series, the highest first.
    pub fn series(&self) -> Vec<Series> {
        let series = |row: &Row| Series {
            name: row.label.clone(),
            points: self.times.iter().map(|at| (at * 1000.0) as u64).zip(row.cells.iter().copied()).collect(),
            ..Series::default()
        };
        self.rows.iter().rev().map(series).collect()
    }

    /// How strong the colour of a value is, from 0 to 1; none for what a histogram counts as nothing.
    pub fn strength(&self, value: f64) -> f64 {
        let (least, most) = self.scale;
        if value <= 0.0 && least >= 0.0 {
            return 0.0;
        }
        let part = if most > least { ((value - least) / (most - least)).clamp(0.0, 1.0) } else { 1.0 };
        MIN_STRENGTH + (1.0 - MIN_STRENGTH) * part
    }

    /// From where to where a time's cells reach, in Unix seconds: half of the way to its neighbours, and not
    /// further than they usually are, so that gaps stay gaps.
    pub fn reach(&self, n: usize) -> (f64, f64) {
        let Some(at) = self.times.get(n) else { return (0.0, 0.0) };
        let half = self.step() / 2.0;
        let before = n.checked_sub(1).map_or(half, |n| (at - self.times[n]) / 2.0);
        let after = self.times.get(n + 1).map_or(half, |next| (next - at) / 2.0);
        (at - before.min(half), at + after.min(half))
    }

    /// Seconds from one time to the next: the median.
    fn step(&self) -> f64 {
        let mut apart: Vec<f64> = self.times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let middle = apart.len() / 2;
        if apart.is_empty() {
            return 1.0;
        }
        *apart.select_nth_unstable_by(middle, f64::total_cmp).1
    }

    /// The place of the time that is nearest to a moment, where one is near.
    pub fn nearest(&self, at_s: f64) -> Option<usize> {
        let after = self.times.partition_point(|time| *time < at_s);
        let mut near = [after.checked_sub(1), Some(after)].into_iter().flatten();
        near.find(|n| {
            let (from, to) = self.reach(*n);
            *n < self.times.len() && (from..=to).contains(&at_s)
        })
    }
}

fn cells(columns: &Columns, n: usize) -> Vec<Option<f64>> {
    let column = &columns.series[n];
    let mut cells: Vec<Option<f64>> = column.values.iter().map(|value| Some(*value)).collect();
    for gap in &column.gaps {
        cells[*gap as usize] = None;
    }
    for (from, end) in &column.absent {
        cells[*from as usize..*end as usize].fill(None);
    }
    cells
}

/// Up to which value a series of this name counts: `0.5`, `+Inf`, `{le="0.5"}`, `requests{le=0.5,job=a}`.
fn bound(name: &str) -> Option<f64> {
    let labelled = name.match_indices("le=").find(|(at, _)| {
        name[..*at].chars().next_back().is_some_and(|before| matches!(before, '{' | ',' | ' '))
    });
    let text = match labelled {
        Some((at, label)) => name[at + label.len()..].split([',', '}']).next()?,
        None => name,
    };
    match text.trim().trim_matches('"') {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        text => number::read(text),
    }
}

/// The rows of a histogram. Counts that grow with their bounds hold those below them, which are taken off.
fn buckets(mut all: Vec<(f64, Vec<Option<f64>>)>, widget: &Widget) -> Vec<Row> {
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut merged: Vec<(f64, Vec<Option<f64>>)> = Vec::new();
    for (bound, cells) in all {
        match merged.last_mut() {
            Some((last, sum)) if *last == bound => {
                for (sum, cell) in sum.iter_mut().zip(cells) {
                    *sum = sum.zip(cell).map(|(a, b)| a + b).or(*sum).or(cell);
                }
            }
            _ => merged.push((bound, cells)),
        }
    }
    let grows = |pair: &[(f64, Vec<Option<f64>>)]| {
        let mut both = pair[0].1.iter().zip(&pair[1].1).filter_map(|(below, above)| below.zip(*above));
        both.all(|(below, above)| above >= below - below.abs() * ROUNDING)
    };
    if merged.windows(2).all(grows) {
        for n in (1..merged.len()).rev() {
            let (below, above) = merged.split_at_mut(n);
            for (cell, under) in above[0].1.iter_mut().zip(&below[n - 1].1) {
                *cell = cell.zip(*under).map(|(all, under)| (all - under).max(0.0));
            }
        }
    }
    let words = |bound: f64| format::in_words(Some(bound), widget.text_option("row_unit"), None);
    let bounds: Vec<f64> = merged.iter().map(|(bound, _)| *bound).collect();
    let label = |n: usize| match (bounds[n].is_infinite(), n.checked_sub(1)) {
        (true, Some(below)) => format!("> {}", words(bounds[below])),
        (true, None) => "all".to_owned(),
        (false, _) => format!("≤ {}", words(bounds[n])),
    };
    merged.into_iter().enumerate().map(|(n, (_, cells))| Row { label: label(n), cells }).collect()
}

/// The values of the weakest and the strongest colour: those of the widget, else what there is, from zero where
/// nothing is below it.
fn scale(rows: &[Row], widget: &Widget) -> (f64, f64) {
    let all = || rows.iter().flat_map(|row| &row.cells).flatten().copied().filter(|value| value.is_finite());
    let least = all().fold(0.0, f64::min);
    let most = all().fold(f64::NEG_INFINITY, f64::max);
    let least = widget.number_option("min").unwrap_or(least);
    let most = widget.number_option("max").unwrap_or(if most.is_finite() { most } else { 1.0 });
    (least, most.max(least))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind};

    fn series(name: &str, values: &[Option<f64>]) -> Series {
        let points = values.iter().zip(1u64..).map(|(value, n)| (n * 10_000, *value)).collect();
        Series { name: name.to_owned(), points, ..Series::default() }
    }

    fn widget() -> Widget {
        let mut widget = Widget::new(Kind::Timeseries, "", Frame::default());
        widget.options.insert("row_unit".to_owned(), "s".into());
        widget
    }

    #[test]
    fn buckets_hold_what_lies_between_their_bounds() {
        let all = [
            series("{le=\"+Inf\"}", &[Some(9.0), None]),
            series("{le=\"0.1\"}", &[Some(2.0), Some(1.0)]),
            series("{le=\"0.5\"}", &[Some(6.0), Some(1.0)]),
        ];
        let map = Map::of(&all, &widget());
        let rows: Vec<(&str, &[Option<f64>])> =
            map.rows.iter().map(|row| (&*row.label, &*row.cells)).collect();
        let expected: [(&str, &[Option<f64>]); 3] = [
            ("≤ 100 ms", &[Some(2.0), Some(1.0)]),
            ("≤ 500 ms", &[Some(4.0), Some(0.0)]),
            ("> 500 ms", &[Some(3.0), None]),
        ];
        assert_eq!(rows, expected);
        assert_eq!(map.scale, (0.0, 4.0));
        let top = &map.series()[0];
        assert_eq!((&*top.name, &*top.points), ("> 500 ms", &[(10_000, Some(3.0)), (20_000, None)][..]));
        assert_eq!((map.strength(4.0), map.strength(0.0)), (1.0, 0.0));
    }

    #[test]
    fn counts_that_do_not_grow_are_those_of_the_bucket_alone() {
        let all = [series("1", &[Some(5.0)]), series("2", &[Some(3.0)]), series("2", &[Some(1.0)])];
        let map = Map::of(&all, &widget());
        assert_eq!(map.rows.iter().map(|row| row.cells[0]).collect::<Vec<_>>(), [Some(5.0), Some(4.0)]);
    }

    #[test]
    fn any_series_are_rows_the_first_on_top() {
        let all = [series("cpu{core=0}", &[Some(-1.0)]), series("cpu{core=1}", &[Some(3.0)])];
        let map = Map::of(&all, &widget());
        assert_eq!(map.rows.iter().map(|row| &*row.label).collect::<Vec<_>>(), ["core=1", "core=0"]);
        assert_eq!(map.scale, (-1.0, 3.0));
        assert!(map.strength(-1.0) > 0.0);
        assert_eq!(Map::of(&[], &widget()).scale, (0.0, 1.0));
    }

    #[test]
    fn cells_reach_half_of_the_way_and_leave_gaps() {
        let map = Map { times: vec![0.0, 10.0, 20.0, 60.0, 70.0], ..Map::default() };
        assert_eq!(map.reach(1), (5.0, 15.0));
        assert_eq!(map.reach(2), (15.0, 25.0));
        assert_eq!(map.reach(3), (55.0, 65.0));
        assert_eq!((map.nearest(24.0), map.nearest(40.0), map.nearest(-6.0)), (Some(2), None, None));
        assert_eq!(Map { times: vec![5.0], ..Map::default() }.reach(0), (4.5, 5.5));
    }

    #[test]
    fn names_say_up_to_which_value_they_count() {
        for (name, expected) in [
            ("0.5", Some(0.5)),
            ("+Inf", Some(f64::INFINITY)),
            ("{le=\"0.5\"}", Some(0.5)),
            ("requests{job=a,le=2.5}", Some(2.5)),
            ("up{table=1}", None),
            ("rate", None),
        ] {
            assert_eq!(bound(name), expected, "{name}");
        }
    }
}
