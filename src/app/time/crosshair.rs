//! Crosshair shared by the charts of the page: the moment under the pointer shows on all of them.

use std::collections::{BTreeMap, BTreeSet};

use leptos::prelude::*;

use super::{pixel_ms, words};
use crate::app::clock::Clock;
use crate::app::components::element_id;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::dom;
use crate::app::drawing::draw_soon;
use crate::app::dynamic::effect;
use crate::app::pasted::Pasted;
use crate::dashboard::WidgetId;
use crate::sync::protocol::Series;

/// A chart that shows the present is drawn anew at the latest this long after the last time, where no points
/// come that draw it anyway.
const STILL_MS: u64 = 1_500;

/// The moment under a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointed {
    /// Unix milliseconds.
    pub at: u64,
    /// The chart that the pointer is on.
    pub on: WidgetId,
}

/// Where a chart shows its points, in CSS pixels of what it stands in, and which time, in Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChartPlace {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    pub from: f64,
    pub to: f64,
}

impl ChartPlace {
    /// How far right of the chart's edge a moment is, in CSS pixels; `None` for one that it does not show.
    pub fn x(&self, at_ms: u64) -> Option<f64> {
        let at = at_ms as f64;
        let within = self.to > self.from && (self.from..=self.to).contains(&at);
        within.then(|| (at - self.from) / (self.to - self.from) * self.width)
    }

    /// The moment that is so far right of the chart's edge; `None` beside the chart.
    pub fn at(&self, x: f64) -> Option<u64> {
        let within = self.to > self.from && self.width >= 1.0 && (0.0..=self.width).contains(&x);
        within.then(|| (self.from + x / self.width * (self.to - self.from)).round() as u64)
    }

    /// A point this close to a moment, in milliseconds, is what shows there.
    pub fn near_ms(&self) -> u64 {
        self.span_ms(24.0)
    }

    /// A moment, as fine as it can be told here.
    pub fn in_words(&self, at_ms: u64, now_ms: u64) -> String {
        if self.span_ms(1.0) < 30_000 { words::clock_s(at_ms) } else { words::moment(at_ms, now_ms) }
    }

    /// The time that so many pixels stand for.
    pub fn span_ms(&self, pixels: f64) -> u64 {
        (pixels / self.width.max(1.0) * (self.to - self.from)).max(0.0) as u64
    }
}

/// What a chart provides to what stands over its points.
#[derive(Clone)]
pub struct ChartMoments {
    pub id: WidgetId,
    pub place: RwSignal<Option<ChartPlace>>,
}

/// What a chart provides beside: the series that are not drawn, by name.
#[derive(Clone, Copy)]
pub struct HiddenSeries(pub Memo<BTreeSet<String>>);

/// What a chart provides whose values are others than those of its series: the rows of a heat map.
#[derive(Clone, Copy)]
pub struct OwnSeries(pub Memo<Vec<Series>>);

/// The charts of the page.
#[derive(Clone, Copy)]
pub struct Charts(StoredValue<BTreeMap<WidgetId, RwSignal<Option<ChartPlace>>>>);

impl Charts {
    pub(super) fn new() -> Self {
        Self(StoredValue::new(BTreeMap::new()))
    }

    /// Makes a chart known for as long as the caller's owner lives; its place is `None` until it is drawn.
    pub fn enter(self, id: WidgetId) -> RwSignal<Option<ChartPlace>> {
        let place = RwSignal::new(None);
        self.0.update_value(|all| {
            all.insert(id.clone(), place);
        });
        on_cleanup(move || {
            // One of the same widget, gone and back, may have taken its place by now.
            self.0.try_update_value(|all| {
                if all.get(&id) == Some(&place) {
                    all.remove(&id);
                }
            });
        });
        place
    }

    /// Where a chart shows its points.
    pub fn place(self, id: &WidgetId) -> Option<RwSignal<Option<ChartPlace>>> {
        self.0.with_value(|all| all.get(id).copied())
    }

    /// The moment that a chart shows at a place of the window; `None` beside its points.
    pub fn time_at(self, id: &WidgetId, x: f64, y: f64) -> Option<u64> {
        let place = self.place(id)?.get_untracked()?;
        let tile = dom::by_id(&element_id(id.as_str()))?;
        let area = tile.query_selector(".u-over").ok().flatten()?.get_bounding_client_rect();
        if !(area.top()..=area.bottom()).contains(&y) {
            return None;
        }
        place.at(x - area.left())
    }

    /// Where a chart shows a moment, in CSS pixels of the window from the left; `None` where it does not.
    pub fn x_of(self, id: &WidgetId, at_ms: u64) -> Option<f64> {
        let x = self.place(id)?.get_untracked()?.x(at_ms)?;
        let tile = dom::by_id(&element_id(id.as_str()))?;
        Some(tile.query_selector(".u-over").ok().flatten()?.get_bounding_client_rect().left() + x)
    }

    fn all(self) -> Vec<(WidgetId, Option<ChartPlace>)> {
        self.0.with_value(|all| all.iter().map(|(id, place)| (id.clone(), place.get_untracked())).collect())
    }
}

/// Draws the charts anew when they are to show another time, and as that moves on where no points come.
pub(super) fn keep_moving(store: DashboardStore) {
    let time = store.time;
    let clock = Clock::here();
    let draw = move |stale: &dyn Fn(WidgetSignals, ChartPlace) -> bool| {
        for (id, place) in time.charts.all() {
            if let (Some(signals), Some(place)) = (store.widget(&id), place)
                && stale(signals, place)
            {
                draw_soon(signals);
            }
        }
    };
    effect(move || {
        time.range.track();
        time.zone.track();
        draw(&|_, _| true);
    });
    effect(move || {
        let range = time.range.get_untracked();
        if clock.now() > 0 && range.moves() {
            let late = pixel_ms(range).max(STILL_MS);
            let now = time.now();
            draw(&|signals, place| {
                // Data in the widget itself does not move.
                place.to as u64 + late <= now && signals.pasted.with_untracked(|own| *own == Pasted::No)
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_its_place_on_charts_of_any_width_and_range() {
        let chart = ChartPlace { width: 400.0, from: 1_000.0, to: 5_000.0, ..ChartPlace::default() };
        let other = ChartPlace { width: 90.0, from: 2_000.0, to: 3_000.0, ..ChartPlace::default() };
        let at = chart.at(150.0).expect("it lies on the chart");
        assert_eq!((at, chart.x(at), other.x(at)), (2_500, Some(150.0), Some(45.0)));
        for beside in [-1.0, 401.0, f64::NAN] {
            assert_eq!(chart.at(beside), None, "{beside}");
        }
        assert_eq!((other.x(1_999), other.x(3_001)), (None, None));
        assert_eq!(ChartPlace::default().at(0.0), None, "a chart without a place shows nothing");
        assert_eq!(chart.span_ms(4.0), 40);
    }
}
