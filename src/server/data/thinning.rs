//! Fewer points with the same course: of each stretch of time the least, the greatest and the last value stay.

use std::collections::BTreeSet;

use super::{Point, WANTED_POINTS};

/// Thins points that are more than a chart can show. Stretches lie at whole multiples of three steps, so that later points
/// leave those of before as they are.
pub fn thin(points: Vec<Point>, step: u64) -> Vec<Point> {
    if points.len() as u64 <= WANTED_POINTS {
        return points;
    }
    let width = (3 * step).max(1);
    let (mut out, mut stretch): (Vec<Point>, Vec<Point>) = (Vec::new(), Vec::new());
    for point in points {
        if stretch.first().is_some_and(|(first, _)| first / width != point.0 / width) {
            thin_stretch(&mut stretch, &mut out);
        }
        stretch.push(point);
    }
    thin_stretch(&mut stretch, &mut out);
    out
}

/// Moves what stays of a stretch to the end of `out`: three points, and a gap.
pub fn thin_stretch(stretch: &mut Vec<Point>, out: &mut Vec<Point>) {
    if stretch.len() <= 3 {
        out.append(stretch);
        return;
    }
    let values = || stretch.iter().enumerate().filter_map(|(at, (_, value))| Some((at, (*value)?)));
    let least = values().min_by(|a, b| a.1.total_cmp(&b.1));
    let greatest = values().max_by(|a, b| a.1.total_cmp(&b.1));
    let gap = stretch.iter().rposition(|(_, value)| value.is_none());
    let chosen =
        [least.map(|one| one.0), greatest.map(|one| one.0), values().next_back().map(|one| one.0), gap];
    let chosen: BTreeSet<usize> = chosen.into_iter().flatten().collect();
    out.extend(chosen.into_iter().map(|at| stretch[at]));
    stretch.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_stay_and_more_points_change_nothing_of_those_before() {
        let point = |n: u64| (n * 100, Some(if n == 777 { 99.0 } else { (n % 7) as f64 }));
        let all: Vec<Point> = (0..5_000).map(point).collect();
        let thinned = thin(all.clone(), 1_000);
        assert!(thinned.len() <= 510, "{}", thinned.len());
        assert!(thinned.contains(&(77_700, Some(99.0))) && thinned.last() == all.last());
        let fewer = thin(all[..4_990].to_vec(), 1_000);
        let stretch = 4_990 * 100 / 3_000 * 3_000;
        let before =
            |points: &[Point]| points.iter().copied().filter(|(at, _)| *at < stretch).collect::<Vec<_>>();
        assert_eq!(before(&fewer), before(&thinned));
        let few: Vec<Point> = all[..1_000].to_vec();
        assert_eq!(thin(few.clone(), 1_000), few);
    }
}
