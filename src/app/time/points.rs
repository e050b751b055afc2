//! The points of a widget: what comes is put after what is there, and what the shown time has left behind goes.

use crate::app::dashboard_store::WidgetData;
use crate::dashboard::range::TimeRange;
use crate::sync::protocol::{DataFrame, Series};

/// Series of one widget: the rows of a table. The server sends charts far fewer.
const MAX_SERIES: usize = 1_000;
/// Points of one series: beyond, those that fall on the same pixel of any screen become fewer.
const MAX_POINTS: usize = 6_000;
/// Stretches of time that are told apart where points become fewer; each keeps its least, its greatest and
/// its last.
const STRETCHES: u64 = 1_500;

type Point = (u64, Option<f64>);

impl WidgetData {
    /// Takes what came at a moment, by this browser's clock in Unix milliseconds, for the time that is shown.
    pub fn take(&mut self, frame: DataFrame, range: TimeRange, now_ms: u64) {
        self.received_at = now_ms;
        self.error = frame.error;
        self.every_ms = frame.every_ms;
        if frame.reset {
            self.note = frame.note;
            self.series = frame.series;
        } else {
            if let Some(note) = frame.note {
                self.note = Some(note).filter(|note| !note.is_empty());
            }
            for new in frame.series {
                match self.series.iter_mut().find(|old| old.name == new.name) {
                    Some(old) => append(old, new, range),
                    None => self.series.push(Series { replaces_from: None, ..new }),
                }
            }
            self.leave_behind(range);
        }
        self.series.truncate(MAX_SERIES);
    }

    /// Removes what the shown time has left behind, of series too that have nothing new.
    fn leave_behind(&mut self, range: TimeRange) {
        let newest = self.series.iter().filter_map(|series| series.points.last()).map(|(at, _)| *at).max();
        let Some(newest) = newest.filter(|_| range.moves()) else { return };
        for Series { points, .. } in &mut self.series {
            // One before the edge stays: the line comes in from there.
            let left = points.partition_point(|(at, _)| at + range.length() < newest);
            points.drain(..left.saturating_sub(1));
        }
    }
}

/// Puts points after those that are there, or in their place where the source has corrected them.
fn append(series: &mut Series, new: Series, range: TimeRange) {
    let points = &mut series.points;
    if let Some(from) = new.replaces_from {
        points.truncate(points.partition_point(|(at, _)| *at < from));
    }
    let last = points.last().map_or(0, |(at, _)| *at);
    points.extend(new.points.into_iter().filter(|(at, _)| *at > last));
    if points.len() > MAX_POINTS {
        *points = thinned(points, (range.length() / STRETCHES).max(1));
    }
    let excess = points.len().saturating_sub(MAX_POINTS);
    points.drain(..excess);
}

/// Of each stretch of time, the least, the greatest and the last point, as they were; a gap stays a gap.
fn thinned(points: &[Point], stretch_ms: u64) -> Vec<Point> {
    let mut kept = Vec::new();
    for together in
        points.chunk_by(|a, b| a.0 / stretch_ms == b.0 / stretch_ms && a.1.is_some() == b.1.is_some())
    {
        let value = |n: &usize| together[*n].1.unwrap_or(0.0);
        let by_value = |a: &usize, b: &usize| value(a).total_cmp(&value(b));
        let all = || 0..together.len();
        let mut chosen =
            [all().min_by(by_value).unwrap_or(0), all().max_by(by_value).unwrap_or(0), together.len() - 1];
        chosen.sort_unstable();
        let mut before = None;
        for n in chosen {
            if before.replace(n) != Some(n) {
                kept.push(together[n]);
            }
        }
    }
    kept
}

/// The value that shows at a moment: the point nearest to it, unless that is further away than `within_ms`.
pub fn value_at(points: &[Point], at_ms: u64, within_ms: u64) -> Option<f64> {
    let after = points.partition_point(|(at, _)| *at < at_ms);
    let near = |n: usize| points.get(n).map(|(at, value)| (at.abs_diff(at_ms), *value));
    let (before, after) = (after.checked_sub(1).and_then(near), near(after));
    let (far, value) = match (before, after) {
        (Some(before), Some(after)) if before.0 <= after.0 => before,
        (before, after) => after.or(before)?,
    };
    value.filter(|_| far <= within_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::WidgetId;

    fn frame(reset: bool, points: Vec<Point>) -> DataFrame {
        let series = vec![Series { name: "a".to_owned(), points, ..Series::default() }];
        let widget = WidgetId::new("w").expect("an id");
        DataFrame { widget, reset, series, error: None, every_ms: None, note: None }
    }

    fn times(data: &WidgetData) -> Vec<u64> {
        data.series[0].points.iter().map(|(at, _)| *at).collect()
    }

    #[test]
    fn points_come_after_those_that_are_there_and_leave_with_the_time() {
        let mut data = WidgetData::default();
        let range = TimeRange::Last(60_000);
        data.take(frame(true, vec![(1_000, Some(1.0)), (2_000, None)]), range, 7);
        data.take(frame(false, vec![(2_000, Some(9.0)), (61_000, Some(2.0))]), range, 8);
        assert_eq!(times(&data), [1_000, 2_000, 61_000], "none twice, and the edge itself is shown");
        data.take(frame(false, vec![(63_000, Some(2.0))]), range, 9);
        assert_eq!(times(&data), [2_000, 61_000, 63_000], "one before the edge stays");
        data.take(frame(false, vec![(500_000, None)]), TimeRange::Fixed(0, 60_000), 9);
        assert_eq!(times(&data).len(), 4, "a fixed time leaves nothing behind");
        assert_eq!(data.received_at, 9);
    }

    #[test]
    fn what_is_corrected_stands_in_the_place_of_what_was_there() {
        let mut data = WidgetData::default();
        let range = TimeRange::Last(60_000);
        data.take(frame(true, (1..=5).map(|n| (n * 1_000, Some(1.0))).collect()), range, 7);
        let mut corrected = frame(false, vec![(3_500, Some(2.0)), (6_000, None)]);
        corrected.series[0].replaces_from = Some(3_500);
        data.take(corrected, range, 8);
        assert_eq!(times(&data), [1_000, 2_000, 3_000, 3_500, 6_000]);
        assert_eq!(data.series[0].points[3].1, Some(2.0));
        let mut withdrawn = frame(false, Vec::new());
        withdrawn.series[0].replaces_from = Some(3_000);
        data.take(withdrawn, range, 9);
        assert_eq!(times(&data), [1_000, 2_000]);
    }

    #[test]
    fn a_note_changes_where_a_frame_has_one() {
        let mut data = WidgetData::default();
        let range = TimeRange::Last(60_000);
        let noted =
            |note: Option<&str>| DataFrame { note: note.map(str::to_owned), ..frame(false, Vec::new()) };
        data.take(noted(Some("partial")), range, 1);
        data.take(noted(None), range, 2);
        assert_eq!(data.note.as_deref(), Some("partial"));
        data.take(noted(Some("")), range, 3);
        assert_eq!(data.note, None);
    }

    #[test]
    fn a_series_that_ended_leaves_with_the_time_too() {
        let mut data = WidgetData::default();
        let range = TimeRange::Last(60_000);
        data.take(frame(true, vec![(1_000, Some(1.0)), (2_000, Some(1.0)), (3_000, Some(1.0))]), range, 1);
        let mut other = frame(false, vec![(62_500, Some(1.0))]);
        other.series[0].name = "b".to_owned();
        data.take(other, range, 2);
        assert_eq!(times(&data), [2_000, 3_000]);
    }

    #[test]
    fn s10_a_series_is_bounded_and_keeps_its_peaks_its_gaps_and_its_ends() {
        let day = TimeRange::Last(86_400_000);
        let mut data = WidgetData::default();
        data.take(frame(true, vec![(0, Some(0.0))]), day, 1);
        for n in 1..40_000_u64 {
            let value = match n {
                777 => Some(-5.0),
                20_000 => Some(99.0),
                30_000 => None,
                _ => Some((n % 7) as f64),
            };
            data.take(frame(false, vec![(n * 2_000, value)]), day, 1);
        }
        let points = &data.series[0].points;
        assert!(points.len() <= MAX_POINTS && points.len() > 1_500, "{}", points.len());
        assert!(points.is_sorted_by(|a, b| a.0 < b.0));
        for kept in [(0, Some(0.0)), (777 * 2_000, Some(-5.0)), (40_000_000, Some(99.0)), (60_000_000, None)]
        {
            assert!(points.contains(&kept), "{kept:?}");
        }
        assert_eq!(points.last().map(|point| point.0), Some(39_999 * 2_000));
    }

    #[test]
    fn a_moment_has_the_value_of_the_nearest_point() {
        let points = [(1_000, Some(1.0)), (2_000, Some(2.0)), (9_000, None)];
        for (at, expected) in [
            (0, Some(1.0)),
            (1_400, Some(1.0)),
            (1_600, Some(2.0)),
            (4_500, None),
            (8_800, None),
            (20_000, None),
        ] {
            assert_eq!(value_at(&points, at, 1_500), expected, "{at}");
        }
        assert_eq!(value_at(&[], 5, 5), None);
    }
}
