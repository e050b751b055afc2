//! The points that a standing query holds, and what an answer changes of them.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use crate::dashboard::range::TimeRange;
use crate::server::data::{Answer, Curve, MAX_SERIES, Point, WANTED_POINTS};

use super::Snapshot;

/// Deltas kept for those who did not look yet; who is further behind gets everything.
const MAX_DELTAS: usize = 32;
/// Points of a curve above which it is asked for whole again: thinner, and with the same course.
const MAX_POINTS: usize = WANTED_POINTS as usize * 3 / 2;
/// How far two values may be apart, as a part of them, and still be one: servers add up the same numbers in
/// another order each time.
const SAME_WITHIN: f64 = 1e-12;

/// The curves of a query over the time that is shown.
#[derive(Default)]
pub(super) struct Window {
    /// Counts the whole answers; 0 before the first answer.
    pub(super) generation: u64,
    /// Counts the deltas, over all generations.
    pub(super) seq: u64,
    pub(super) curves: Vec<Curve>,
    /// Series that there are, and those of them that have a value at the end.
    pub(super) count: usize,
    pub(super) living: usize,
    stamp: u64,
    /// What the source says of its answer.
    pub(super) notes: Vec<String>,
    pub(super) error: Option<String>,
    pub(super) deltas: VecDeque<(u64, Arc<Vec<Delta>>)>,
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Points that were told have changed, or are too many; or a curve without its beginning has a place now.
    pub(super) stale: bool,
    /// There were more curves than places.
    pub(super) crowded: bool,
    pub(super) whole_at: Option<Instant>,
    /// The end of the time that was asked for last, Unix milliseconds.
    pub(super) asked_to: u64,
    /// When there was something to tell last.
    pub(super) told_at: Option<Instant>,
}

/// The change of one curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    /// The place of the curve.
    pub curve: usize,
    /// Points from this time on are gone, Unix milliseconds; `None` where there only are new ones.
    pub replaces_from: Option<u64>,
    /// In time order, after those that stay.
    pub points: Vec<Point>,
}

impl Window {
    pub(super) fn has_all(&self, answer: &Answer) -> bool {
        let same = |(old, new): (&Curve, &Curve)| old.is_same(new);
        self.curves.len() == answer.curves.len() && self.curves.iter().zip(&answer.curves).all(same)
    }

    /// Takes everything anew.
    pub(super) fn reset(&mut self, answer: Answer) -> bool {
        self.generation += 1;
        self.seq += 1;
        self.deltas.clear();
        self.count(&answer);
        (self.curves, self.stamp) = (answer.curves, answer.stamp);
        self.stale = false;
        self.whole_at = Some(Instant::now());
        true
    }

    fn count(&mut self, answer: &Answer) {
        (self.count, self.living) = (answer.count, answer.living);
    }

    /// Takes the same series with their latest points.
    pub(super) fn update_latest(&mut self, answer: Answer) -> bool {
        let mut deltas = Vec::new();
        self.count(&answer);
        for (at, (old, new)) in self.curves.iter_mut().zip(answer.curves).enumerate() {
            if old.points != new.points {
                // One that is not later than the one before takes its place, and so does none at all.
                let last = |points: &[Point]| points.last().map(|(at, _)| *at);
                let replaces_from = (last(&new.points) <= last(&old.points)).then_some(0);
                old.points.clone_from(&new.points);
                deltas.push(Delta { curve: at, replaces_from, points: new.points });
            }
        }
        self.push(deltas)
    }

    /// Takes points after those that are known; true where there is something to tell.
    pub(super) fn append(&mut self, answer: Answer, from: u64) -> bool {
        let (mut deltas, mut anew) = (Vec::new(), self.remove_left(&answer, from));
        self.count = self.count.max(answer.count);
        self.living = answer.living;
        self.stale |= self.stamp != answer.stamp;
        for mut new in answer.curves {
            match self.place_of(&new) {
                Some(at) => {
                    let old = &mut self.curves[at];
                    let last = old.points.last().map_or(0, |(at, _)| *at);
                    new.points.retain(|(at, _)| *at > last);
                    if !new.points.is_empty() {
                        old.points.extend(&new.points);
                        deltas.push(Delta { curve: at, replaces_from: None, points: new.points });
                    }
                }
                None => anew |= self.add(new),
            }
        }
        self.end(anew, deltas, from)
    }

    /// Takes an answer that is complete from `complete_from` on: what was told of that time and is not in it
    /// is corrected. Where a step has no value there is a gap; where points lie at times of their own there is
    /// no step, which is `u64::MAX` then.
    pub(super) fn revise(&mut self, answer: Answer, complete_from: u64, step: u64, from: u64) -> bool {
        let (mut deltas, mut anew) = (Vec::new(), self.remove_left(&answer, from));
        self.count = self.count.max(answer.count);
        self.living = answer.living;
        let answered = |line: usize| answer.failed.iter().all(|failed| *failed != line);
        for (at, old) in self.curves.iter_mut().enumerate() {
            if !answered(old.line) {
                continue;
            }
            let new = answer.curves.iter().find(|new| old.is_same(new)).map_or(&[][..], |new| &new.points);
            if let Some((replaces_from, points)) = revise(&mut old.points, new, complete_from, step) {
                deltas.push(Delta { curve: at, replaces_from, points });
            }
        }
        let end = answer.curves.iter().filter_map(|curve| curve.points.last()).map(|(at, _)| *at).max();
        let has_ended = |curve: &Curve| !curve.is_living(end.unwrap_or(0), step);
        for new in answer.curves {
            if self.place_of(&new).is_none() {
                // One that has ended holds no place that one with values needs: whole answers have those first.
                self.stale |= self.curves.len() >= MAX_SERIES && self.curves.iter().any(has_ended);
                anew |= self.add(new);
            }
        }
        self.end(anew, deltas, from)
    }

    fn place_of(&self, curve: &Curve) -> Option<usize> {
        self.curves.iter().position(|old| old.is_same(curve))
    }

    /// Takes another curve where there is a place for it.
    fn add(&mut self, curve: Curve) -> bool {
        let has_place = self.curves.len() < MAX_SERIES;
        if has_place {
            self.curves.push(curve);
        } else {
            self.crowded = true;
        }
        has_place
    }

    fn end(&mut self, anew: bool, deltas: Vec<Delta>, from: u64) -> bool {
        for curve in &mut self.curves {
            let old = curve.points.partition_point(|(at, _)| *at < from);
            // Not at each point: moving the others up costs more than the few that are too old.
            if old > curve.points.len() / 8 {
                curve.points.drain(..old);
            }
            self.stale |= curve.points.len() > MAX_POINTS;
        }
        if anew {
            self.generation += 1;
            self.seq += 1;
            self.deltas.clear();
            return true;
        }
        self.push(deltas)
    }

    /// Removes curves that the shown time has left behind: their places are for others. True where there were
    /// any.
    fn remove_left(&mut self, answer: &Answer, from: u64) -> bool {
        let before = self.curves.len();
        self.curves.retain(|old| {
            // One without points is a name that is waited for.
            let left = old.points.last().is_some_and(|(last, _)| *last < from);
            !left || answer.curves.iter().any(|new| old.is_same(new))
        });
        let left = before - self.curves.len();
        self.count = self.count.saturating_sub(left);
        // Whoever had no place is asked for whole: what came by itself would begin in the middle.
        self.stale |= left > 0 && std::mem::take(&mut self.crowded);
        left > 0
    }

    fn push(&mut self, deltas: Vec<Delta>) -> bool {
        if deltas.is_empty() {
            return false;
        }
        self.seq += 1;
        self.deltas.push_back((self.seq, Arc::new(deltas)));
        if self.deltas.len() > MAX_DELTAS {
            self.deltas.pop_front();
        }
        true
    }

    /// The curves as those have them who were here all the time: without what their time has left behind.
    pub(super) fn shown(&self, range: TimeRange) -> Vec<Curve> {
        let mut curves = self.curves.clone();
        let newest = curves.iter().filter_map(|curve| curve.points.last()).map(|(at, _)| *at).max();
        if let Some(newest) = newest.filter(|_| range.moves()) {
            for curve in &mut curves {
                // One before the edge stays: the line comes in from there.
                let left = curve.points.partition_point(|(at, _)| at + range.length() < newest);
                curve.points.drain(..left.saturating_sub(1));
            }
        }
        curves
    }

    /// What people read beside the curves: how many are not here, and what the source says.
    pub(super) fn note(&self) -> Option<String> {
        let shown = count_note(self.curves.len(), self.count, self.living);
        join_notes(shown, &self.notes)
    }
}

/// Puts the points of an answer that is complete from a time on in the place of those that are there. What
/// changed: from when on the ones of before are gone, and what comes after those that stay; `None` where
/// nothing did.
fn revise(
    points: &mut Vec<Point>,
    new: &[Point],
    complete_from: u64,
    step: u64,
) -> Option<(Option<u64>, Vec<Point>)> {
    let cut = points.partition_point(|(at, _)| *at < complete_from);
    let before = points[..cut].last().copied();
    let gap = match (before, new.first()) {
        (Some((last, Some(_))), Some((first, _))) if *first > last.saturating_add(step) => {
            Some((last + step, None))
        }
        _ => None,
    };
    let new: Vec<Point> = gap.into_iter().chain(new.iter().copied()).collect();
    let same = points[cut..].iter().zip(&new).take_while(|(old, new)| is_same_point(old, new)).count();
    let replaced = points[cut..].get(same).map(|(at, _)| *at);
    let tail = new[same..].to_vec();
    if replaced.is_none() && tail.is_empty() {
        return None;
    }
    points.truncate(cut + same);
    points.extend(&tail);
    let first = tail.first().map(|(at, _)| *at);
    Some((replaced.map(|at| first.map_or(at, |first| first.min(at))), tail))
}

fn is_same_point(old: &Point, new: &Point) -> bool {
    let same_value = match (old.1, new.1) {
        (Some(old), Some(new)) => (old - new).abs() <= old.abs().max(new.abs()) * SAME_WITHIN,
        (old, new) => old == new,
    };
    old.0 == new.0 && same_value
}

/// A word where there are more series than are shown.
pub fn count_note(shown: usize, count: usize, living: usize) -> Option<String> {
    if count <= shown {
        return None;
    }
    Some(if living < count {
        format!("Showing {shown} of {count} series, first those {living} that have values now.")
    } else {
        format!("Showing the first {shown} of {count} series.")
    })
}

/// All words about an answer as one text.
pub fn join_notes(count: Option<String>, notes: &[String]) -> Option<String> {
    let all: Vec<&str> = count.iter().chain(notes).map(String::as_str).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = 10;

    fn curve(name: &str, points: &[Point]) -> Curve {
        Curve { name: name.to_owned(), points: points.to_vec(), ..Curve::default() }
    }

    fn answer(curves: Vec<Curve>) -> Answer {
        Answer { count: curves.len(), living: curves.len(), curves, ..Answer::default() }
    }

    fn numbered(names: impl IntoIterator<Item = usize>, at: u64) -> Answer {
        answer(names.into_iter().map(|n| curve(&format!("s{n}"), &[(at, Some(1.0))])).collect())
    }

    fn window(points: &[Point]) -> Window {
        let mut window = Window::default();
        window.reset(answer(vec![curve("a", points)]));
        window
    }

    fn last(window: &Window) -> &Delta {
        let (_, deltas) = window.deltas.back().expect("something to tell");
        &deltas[0]
    }

    #[test]
    fn a_series_that_ended_gives_its_place_to_another() {
        let mut window = Window::default();
        window.reset(numbered(0..MAX_SERIES, 1_000));
        assert!(!window.append(numbered([MAX_SERIES], 2_000), 1_000), "there is no place yet");
        assert!(window.crowded && !window.stale && window.curves.len() == MAX_SERIES);
        assert!(!window.append(numbered([], 0), 1_000), "the first moment is still shown");
        let before = window.generation;
        assert!(window.append(numbered(5..=MAX_SERIES, 3_000), 2_000), "those are told anew");
        let names: Vec<&str> = window.curves.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!((names.len(), names[0], names[15]), (16, "s5", "s20"));
        assert!(window.generation > before && window.count == 16, "{}", window.count);
        assert!(window.stale && !window.crowded, "the new one is asked for from its beginning");
    }

    #[test]
    fn a_name_that_is_waited_for_stays() {
        let mut window = Window::default();
        window.reset(answer(vec![curve("nobody", &[])]));
        assert!(!window.append(answer(vec![curve("nobody", &[])]), 9_000));
        assert_eq!((window.curves.len(), window.count), (1, 1));
    }

    #[test]
    fn what_the_source_corrects_is_corrected_and_nothing_else_is_told() {
        let first = [(10, Some(1.0)), (20, Some(2.0)), (30, Some(3.0))];
        let mut window = window(&first);
        assert!(!window.revise(answer(vec![curve("a", &first[1..])]), 20, STEP, 0), "nothing changed");
        let nearly = [(20, Some(2.0 + 4e-16)), (30, Some(3.0))];
        assert!(!window.revise(answer(vec![curve("a", &nearly)]), 20, STEP, 0), "added up in another order");
        let longer = [(20, Some(2.0)), (30, Some(3.0)), (40, Some(4.0))];
        assert!(window.revise(answer(vec![curve("a", &longer)]), 20, STEP, 0));
        assert_eq!(last(&window), &Delta { curve: 0, replaces_from: None, points: vec![(40, Some(4.0))] });
        let other = [(20, Some(2.0)), (30, Some(3.5)), (40, Some(4.0)), (50, Some(5.0))];
        assert!(window.revise(answer(vec![curve("a", &other)]), 20, STEP, 0));
        assert_eq!(last(&window), &Delta { curve: 0, replaces_from: Some(30), points: other[1..].to_vec() });
        let withdrawn = [(20, Some(2.0)), (30, Some(3.5))];
        assert!(window.revise(answer(vec![curve("a", &withdrawn)]), 20, STEP, 0));
        assert_eq!(last(&window), &Delta { curve: 0, replaces_from: Some(40), points: vec![] });
        let all: Vec<u64> = window.curves[0].points.iter().map(|(at, _)| *at).collect();
        assert_eq!(all, [10, 20, 30]);
        let filled = [(20, Some(2.0)), (25, Some(2.2)), (30, Some(3.5))];
        assert!(window.revise(answer(vec![curve("a", &filled)]), 20, STEP, 0));
        assert_eq!(last(&window).replaces_from, Some(25), "from the first point that was not there");
    }

    #[test]
    fn a_latest_value_that_is_gone_or_corrected_takes_the_place_of_the_one_before() {
        let mut window = window(&[(10, Some(1.0))]);
        for (points, replaces_from) in [
            (vec![(20, Some(2.0))], None),
            (vec![(20, Some(3.0))], Some(0)),
            (vec![], Some(0)),
            (vec![(30, Some(4.0))], None),
        ] {
            assert!(window.update_latest(answer(vec![curve("a", &points)])));
            assert_eq!(last(&window), &Delta { curve: 0, replaces_from, points });
        }
    }

    #[test]
    fn a_gap_of_one_series_is_a_gap_whatever_the_others_have() {
        let mut window = Window::default();
        let (a, b) = (curve("a", &[(10, Some(1.0))]), curve("b", &[(10, Some(1.0))]));
        window.reset(answer(vec![a, b]));
        for at in [20, 30, 40] {
            window.revise(answer(vec![curve("b", &[(at, Some(1.0))])]), at, STEP, 0);
        }
        let back = vec![curve("a", &[(50, Some(5.0))]), curve("b", &[(50, Some(1.0))])];
        window.revise(answer(back), 50, STEP, 0);
        assert_eq!(window.curves[0].points, [(10, Some(1.0)), (20, None), (50, Some(5.0))]);
        assert!(window.curves[1].points.iter().all(|(_, value)| value.is_some()));
        assert_eq!(last(&window).points, [(20, None), (50, Some(5.0))]);
    }

    #[test]
    fn a_query_that_failed_takes_no_points_away() {
        let mut window = window(&[(10, Some(1.0)), (20, Some(2.0))]);
        let failed = Answer { failed: vec![0], ..answer(vec![]) };
        assert!(!window.revise(failed, 10, STEP, 0));
        assert_eq!(window.curves[0].points.len(), 2);
    }

    #[test]
    fn one_with_values_does_not_wait_for_the_place_of_one_that_ended() {
        let mut window = Window::default();
        window.reset(numbered(0..MAX_SERIES, 100));
        window.revise(numbered(0..=MAX_SERIES, 110), 110, STEP, 0);
        assert!(!window.stale && window.crowded, "all of them have values");
        window.revise(numbered(1..=MAX_SERIES, 150), 120, STEP, 0);
        assert!(window.stale, "the first has none any more: a whole answer has those with values first");
    }

    #[test]
    fn who_joins_has_what_those_have_who_are_here() {
        let points: Vec<Point> = (0..20).map(|n| (n * 10, Some(1.0))).collect();
        let window = window(&points);
        let shown = window.shown(TimeRange::Last(100));
        let first = shown[0].points[0].0;
        assert_eq!((first, shown[0].points.len()), (80, 12), "the time shown, and one before its edge");
        assert_eq!(window.shown(TimeRange::Fixed(0, 100))[0].points.len(), 20);
    }

    #[test]
    fn words_have_the_true_numbers() {
        assert_eq!(count_note(20, 20, 3), None);
        assert_eq!(count_note(20, 1500, 1500).as_deref(), Some("Showing the first 20 of 1500 series."));
        assert_eq!(
            count_note(20, 30, 10).as_deref(),
            Some("Showing 20 of 30 series, first those 10 that have values now.")
        );
        let notes = ["The answer is partial.".to_owned()];
        assert_eq!(
            join_notes(Some("Showing.".to_owned()), &notes).as_deref(),
            Some("Showing. The answer is partial.")
        );
        assert_eq!(join_notes(None, &[]), None);
    }
}
