//! The time that the page shows: the dashboard's, which all share, or one that this person looks at alone.
//! With it go the moment under the pointer, which shows on all charts, and the moments that people marked.

pub mod words;

mod crosshair;
mod mark;
mod marks;
mod moments;
mod own_time;
mod picker;
mod points;

use std::collections::BTreeMap;

use leptos::prelude::*;

use super::dashboard_store::{DashboardStore, WidgetData, WidgetSignals};
use super::dom;
use super::dynamic::{effect, memo};
use crate::dashboard::range::TimeRange;
use crate::dashboard::settings::{self, ANNOTATION, RANGE, Settings};
use crate::dashboard::{Op, WidgetId};
use crate::sync::protocol::DataFrame;

pub use crosshair::{ChartMoments, ChartPlace, Charts, Pointed};
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
    /// True once moments are read by this browser's clock.
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
            let mut marks: Vec<Mark> = settings::annotations(&settings.read()).map(mark).collect();
            marks.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
            marks
        });
        Self {
            shared,
            own,
            range: memo(move || own.get().unwrap_or_else(|| shared.get())),
            marks,
            pointed: RwSignal::new(None),
            marking: RwSignal::new(None),
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

    /// Sets the time of the dashboard, for everybody.
    pub fn share(self, range: TimeRange) -> Op {
        self.own.set(None);
        Op::SetDashboard { field: RANGE.to_owned(), value: range.to_string().into() }
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

/// Begins to read moments by this browser's clock, once the page stands as it was rendered, and to keep the
/// charts at the present.
pub fn keep(store: DashboardStore) {
    let time = store.time;
    effect(move || {
        words::use_own_zone();
        time.zoned.set(true);
    });
    own_time::remember(store);
    crosshair::keep_moving(store);
}
