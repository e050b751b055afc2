//! Places at which a screen shows a dashboard that is higher than itself: at each for a while, so that every widget is
//! seen whole.

/// Places of one dashboard: one that is as high as this many screens has no place on a wall.
pub const MAX_STOPS: usize = 50;
/// For how long each place of a dashboard shows that is alone on its screen.
const ALONE_MS: u64 = 15_000;
/// The shortest time for which a place shows: in less nobody reads a number.
const MIN_STOP_MS: u64 = 5_000;
/// A widget whose edge is this near to that of the screen shows whole: browsers round.
const SLACK_PX: f64 = 2.0;

/// Upper and lower edge of a widget, in pixels of the whole page.
pub type Edges = (f64, f64);

/// How far down the page each place begins. `height` is the screen's, `total` the page's, and `margin` stays free above
/// a widget. The next place begins at the first widget that did not show whole; of one that is higher than the screen
/// it shows what follows.
pub fn stops(widgets: &[Edges], height: f64, total: f64, margin: f64) -> Vec<f64> {
    let mut stops = vec![0.0];
    let mut at = 0.0;
    while stops.len() < MAX_STOPS && height > 0.0 && at + height + SLACK_PX < total {
        let end = at + height;
        let is_cut = |(top, bottom): &&Edges| *bottom > end + SLACK_PX && *top - margin > at + SLACK_PX;
        let next = widgets.iter().filter(is_cut).map(|(top, _)| *top - margin).fold(end, f64::min);
        at = next.min(total - height);
        stops.push(at);
    }
    stops
}

/// What shows after a while: the place by its number, and whether the turn of the dashboard is over. `rotate_ms` is
/// `None` for one that has no turns. A turn lasts until all places have been seen.
pub fn place(elapsed_ms: u64, stops: usize, rotate_ms: Option<u64>) -> (usize, bool) {
    let stops = (stops as u64).max(1);
    let each = rotate_ms.map_or(ALONE_MS, |turn| (turn / stops).max(MIN_STOP_MS));
    // A single place of a short turn is not held any longer than the turn.
    let lasts = rotate_ms.map(|turn| if stops == 1 { turn } else { turn.max(each * stops) });
    ((elapsed_ms / each % stops) as usize, lasts.is_some_and(|lasts| elapsed_ms >= lasts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARGIN: f64 = 10.0;

    #[test]
    fn a_dashboard_that_fits_has_one_place() {
        assert_eq!(stops(&[(10.0, 990.0)], 1000.0, 1000.0, MARGIN), [0.0]);
        assert_eq!(stops(&[(10.0, 991.0)], 1000.0, 1001.0, MARGIN), [0.0], "browsers round");
        assert_eq!(stops(&[], 0.0, 1000.0, MARGIN), [0.0], "no screen is that low");
    }

    #[test]
    fn every_widget_shows_whole_at_some_place() {
        // Rows of uneven widgets, as people place them.
        let widgets: Vec<Edges> = (0_u32..40)
            .map(|n| {
                let top = f64::from(n / 2) * 310.0 + f64::from(n % 2) * 90.0 + MARGIN;
                (top, top + 200.0 + f64::from(n % 3) * 60.0)
            })
            .collect();
        let total = widgets.iter().map(|one| one.1).fold(0.0, f64::max) + MARGIN;
        let all = stops(&widgets, 1000.0, total, MARGIN);
        assert!(all.is_sorted() && all.len() > 3, "{all:?}");
        for (top, bottom) in widgets {
            assert!(all.iter().any(|at| *at <= top && bottom <= at + 1000.0), "{top} to {bottom} in {all:?}");
        }
        assert!((all.last().expect("a place") + 1000.0 - total).abs() < 0.1, "to the end");
    }

    #[test]
    fn one_that_is_higher_than_the_screen_is_seen_in_pieces() {
        let widgets = [(10.0, 2490.0), (10.0, 700.0), (800.0, 1500.0)];
        assert_eq!(stops(&widgets, 1000.0, 2500.0, MARGIN), [0.0, 790.0, 1500.0]);
        assert_eq!(stops(&[(0.0, 1e9)], 1000.0, 1e9, MARGIN).len(), MAX_STOPS);
    }

    #[test]
    fn a_turn_is_over_when_all_was_seen() {
        assert_eq!(place(0, 1, Some(30_000)), (0, false));
        assert_eq!(place(30_000, 1, Some(30_000)), (0, true));
        assert_eq!(place(4_999, 1, Some(5_000)), (0, false));
        assert_eq!(place(10_000, 3, Some(30_000)), (1, false));
        assert_eq!(place(29_999, 3, Some(30_000)), (2, false));
        // Too short for all of its places.
        assert_eq!(place(5_000, 3, Some(5_000)), (1, false));
        assert_eq!(place(15_000, 3, Some(5_000)), (0, true));
        assert_eq!(place(ALONE_MS * 4, 3, None), (1, false), "alone it goes round and round");
    }
}
