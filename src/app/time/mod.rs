//! The time that the page shows: the dashboard's, which all share, or one that this person looks at alone.
//! With it go the moment under the pointer, which shows on all charts, and the moments that people marked.

pub mod words;

mod crosshair;
mod finger;
mod keys;
mod mark;
mod marks;
mod moment_field;
mod moments;
mod own_time;
mod picker;
mod points;
pub mod zone;

use std::collections::BTreeMap;

use leptos::prelude::*;

use super::dashboard_store::{DashboardStore, WidgetData, WidgetSignals};
use super::dom;
use super::dynamic::{effect, memo};
use super::pasted::Pasted;
use crate::dashboard::order::sorted;
use crate::dashboard::range::{MIN_RANGE_MS, TimeRange};
use crate::dashboard::settings::{self, ANNOTATION, RANGE, Settings, TimeZone};
use crate::dashboard::{Op, WidgetId};
use crate::sync::protocol::DataFrame;

pub use crosshair::{ChartMoments, ChartPlace, Charts, HiddenSeries, OwnSeries, Pointed};
pub use mark::{MarkDialog, Marking, begin as begin_mark};
pub use marks::MarksList;
pub use moments::Moments;
pub use own_time::OwnTime;
pub use picker::{RangeButton, RangePicker, TIME};
pub use points::value_at;

/// Pixels of the widest chart: time that is less than one of them moves nothing.
const WIDEST_PX: u64 = 2_000;

/// A moment that somebody marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub id: String,
    /// Unix milliseconds.
    pub at: u64,
    pub text: String,
}

/// What time the page shows, and what is shown of it. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
pub struct ShownTime {
    /// The dashboard's.
    pub shared: Memo<TimeRange>,
    /// What this person looks at alone.
    pub own: RwSignal<Option<TimeRange>>,
    /// What shows: their own, else the dashboard's.
    pub range: Memo<TimeRange>,
    /// The moments that people marked, the earliest first.
    pub marks: Memo<Vec<Mark>>,
    /// The moment under this tab's pointer.
    pub pointed: RwSignal<Option<Pointed>>,
    /// The mark that is being written.
    pub marking: RwSignal<Option<Marking>>,
    /// Which zone the dashboard reads moments in.
    pub zone: Memo<TimeZone>,
    /// True once moments are read in that zone.
    pub zoned: RwSignal<bool>,
    /// The charts of the page.
    pub charts: Charts,
    /// While a person looks at a time of their own: what everybody else sees.
    aside: StoredValue<Option<BTreeMap<WidgetId, WidgetData>>>,
    /// How far the server's clock is ahead of this browser's, once that is known.
    server_ahead_ms: StoredValue<Option<i64>>,
}

impl ShownTime {
    pub fn new(settings: RwSignal<Settings>, server_ahead_ms: StoredValue<Option<i64>>) -> Self {
        let shared = memo(move || settings::range(&settings.read()));
        let own = RwSignal::new(None);
        let marks = memo(move || {
            let mark = |(id, one): (&str, settings::Annotation)| Mark {
                id: id.to_owned(),
                at: one.at,
                text: one.text,
            };
            let marks = settings::annotations(&settings.read()).map(mark).collect();
            sorted(marks, |a: &Mark, b: &Mark| (a.at, &a.id).cmp(&(b.at, &b.id)))
        });
        Self {
            shared,
            own,
            range: memo(move || own.get().unwrap_or_else(|| shared.get())),
            marks,
            pointed: RwSignal::new(None),
            marking: RwSignal::new(None),
            zone: memo(move || settings::time_zone(&settings.read())),
            zoned: RwSignal::new(false),
            charts: Charts::new(),
            aside: StoredValue::new(None),
            server_ahead_ms,
        }
    }

    /// Unix milliseconds by the server's clock, which the points are stamped by, as far as it is known. For the
    /// browser only.
    pub fn now(self) -> u64 {
        dom::now_ms().saturating_add_signed(self.server_ahead_ms.get_value().unwrap_or(0))
    }

    /// The first and the last moment that a chart shows if it is drawn now. For the browser only.
    pub fn window(self) -> (u64, u64) {
        let range = self.range.get_untracked();
        range.at(self.now().next_multiple_of(pixel_ms(range)))
    }

    /// The time that a chart shows if it is drawn now, in Unix seconds: what all show; or, for data in the widget
    /// itself, which is of its own time, the time of all its points or what this person chose of it.
    pub fn window_of(self, signals: WidgetSignals, points: (f64, f64)) -> (f64, f64) {
        let own = || match self.own.get_untracked() {
            Some(TimeRange::Fixed(from, to)) => Some((from as f64 / 1000.0, to as f64 / 1000.0)),
            _ => None,
        };
        if points.1 > points.0 && signals.pasted.with_untracked(|pasted| *pasted != Pasted::No) {
            return own().filter(|own| own.0 < points.1 && own.1 > points.0).unwrap_or(points);
        }
        let (from, to) = self.window();
        (from as f64 / 1000.0, to as f64 / 1000.0)
    }

    /// Sets the time of the dashboard, for everybody.
    pub fn share(self, range: TimeRange) -> Op {
        self.own.set(None);
        Op::SetDashboard { field: RANGE.to_owned(), value: range.to_string().into() }
    }

    /// Shows this person what they chose with a drag over a chart, from one moment to another in Unix seconds;
    /// with `None` again what everybody sees.
    pub fn zoom(self, chosen: Option<(f64, f64)>) {
        self.own.set(chosen.and_then(chosen_range));
    }

    /// Takes what came for a widget of the time that everybody sees. True where it shows here.
    pub fn take(self, signals: WidgetSignals, frame: DataFrame, now_ms: u64) -> bool {
        let range = self.shared.get_untracked();
        let aside = self.aside.try_update_value(|aside| match aside {
            Some(aside) => {
                aside.entry(frame.widget.clone()).or_default().take(frame, range, now_ms);
                None
            }
            None => Some(frame),
        });
        let Some(frame) = aside.flatten() else { return false };
        signals.data.update_untracked(|data| data.take(frame, range, now_ms));
        true
    }
}

/// The time from one Unix second to another, at the least as long as a chart can show.
fn chosen_range((from, to): (f64, f64)) -> Option<TimeRange> {
    let (from, to) = ((from * 1000.0) as u64, (to * 1000.0) as u64);
    let lacks = MIN_RANGE_MS.saturating_sub(to.checked_sub(from)?);
    let from = from.saturating_sub(lacks / 2);
    let text = TimeRange::Fixed(from, to.max(from + MIN_RANGE_MS)).to_string();
    text.parse().ok()
}

/// The time that one pixel of the widest chart stands for, at least a second.
fn pixel_ms(range: TimeRange) -> u64 {
    (range.length() / WIDEST_PX).max(1_000)
}

/// What is said where somebody sets the time of the dashboard.
pub fn told(name: &str, value: &serde_json::Value, store: &DashboardStore) -> String {
    let range: TimeRange = value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
    let says = format!("{name} set the time to {}.", words::of(range, store.time.now()));
    match store.time.own.read_untracked().is_some() {
        true => format!("{says} You go on looking at your own."),
        false => says,
    }
}

/// The setting of a mark.
pub fn mark_field(id: &str) -> String {
    format!("{ANNOTATION}{id}")
}

/// Begins to read moments in the dashboard's zone, once the page stands as it was rendered, and to keep the
/// charts at the present.
pub fn keep(store: DashboardStore) {
    let time = store.time;
    effect(move || {
        zone::follow(&time.zone.read());
        time.zoned.set(true);
    });
    own_time::remember(store);
    crosshair::keep_moving(store);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Dashboard, DashboardId, Frame, Kind, User, Widget};
    use crate::sync::protocol::Series;

    #[test]
    fn what_is_dragged_over_is_shown_and_never_less_than_can_be() {
        let at = 1_795_341_753.25;
        assert_eq!(
            chosen_range((at, at + 90.0)),
            Some(TimeRange::Fixed(1_795_341_753_250, 1_795_341_843_250))
        );
        assert_eq!(
            chosen_range((at, at + 1.0)),
            Some(TimeRange::Fixed(1_795_341_723_750, 1_795_341_783_750))
        );
        assert_eq!(chosen_range((at, at - 1.0)), None);
        assert_eq!(chosen_range((0.0, f64::MAX)), None);
    }

    #[test]
    fn what_comes_while_somebody_looks_elsewhere_is_put_aside() {
        let owner = Owner::new();
        owner.set();
        let (id, widget) = (DashboardId::new("d").expect("an id"), WidgetId::new("w").expect("an id"));
        let mut dashboard = Dashboard::new("Orders");
        let chart = Widget::new(Kind::Timeseries, "", Frame::default());
        dashboard.apply(&chart.add_op(widget.clone()), &Default::default());
        let store = DashboardStore::new(id, &dashboard, User::default());
        let signals = store.widget(&widget).expect("it is there");
        let frame = |at: u64| DataFrame {
            widget: widget.clone(),
            reset: false,
            series: vec![Series { name: "a".to_owned(), points: vec![(at, Some(1.0))], ..Series::default() }],
            error: None,
            every_ms: None,
            note: None,
        };
        let shown = || signals.data.with_untracked(|data| data.series[0].points.len());
        assert!(store.time.take(signals, frame(1), 1));
        own_time::put_aside(store);
        assert!(!store.time.take(signals, frame(2), 2));
        assert_eq!(shown(), 1);
        own_time::take_back(store, |_| ());
        assert_eq!(shown(), 2, "it went on meanwhile");
        assert!(store.time.take(signals, frame(3), 3));
    }
}
