//! Freshness of a widget's data, so that what is old never looks live.

use crate::app::dynamic::{attr, live, memo};
use leptos::prelude::*;

use super::{items, values};
use crate::app::clock::Clock;
use crate::app::dashboard_store::{DashboardStore, WidgetData, WidgetSignals};
use crate::app::format;
use crate::app::pasted::Pasted;
use crate::app::time::words;
use crate::dashboard::query::TABLE;
use crate::dashboard::{Kind, Widget};

/// Where points come more often than this, one that is this much behind is not late yet.
const LATE_MS: u64 = 5_000;
/// Where nobody knows how often points come, this much without one is late.
const LATE_UNKNOWN_MS: u64 = 60_000;
/// This much without a point is not late any more: nothing comes.
const SILENT_MS: u64 = 5 * 60_000;
/// Figures that are younger than this are not called old, however often others come.
const STALE_MS: u64 = 60_000;
/// Points by which a series shows how often it gets one.
const RECENT: usize = 10;

/// How fresh data is.
#[derive(Clone, Debug, PartialEq)]
enum Fresh {
    /// Nobody knows yet.
    Waiting,
    /// It does not change with the time.
    Still,
    /// There is none.
    Nothing,
    Live,
    /// The newest point is so many milliseconds old.
    Late(u64),
    /// The newest point is of so long ago, in Unix milliseconds, that nothing seems to come.
    Silent(u64),
    /// The source says why nothing comes.
    Down(String),
}

impl Fresh {
    /// The value of `data-fresh`.
    const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Still => "still",
            Self::Nothing => "none",
            Self::Live => "live",
            Self::Late(_) => "late",
            Self::Silent(_) => "silent",
            Self::Down(_) => "down",
        }
    }
}

/// How fresh data is by a clock that the points were made by.
fn fresh(data: &WidgetData, now: u64) -> Fresh {
    if let Some(error) = &data.error {
        return Fresh::Down(error.clone());
    }
    let Some(newest) = newest(data) else {
        return if data.received_at == 0 { Fresh::Waiting } else { Fresh::Nothing };
    };
    let late = interval(data).map_or(LATE_UNKNOWN_MS, |every| (every * 5 / 2).max(LATE_MS));
    match now.saturating_sub(newest) {
        age if age < late => Fresh::Live,
        age if age < SILENT_MS.max(late * 4) => Fresh::Late(age),
        _ => Fresh::Silent(newest),
    }
}

/// The time of the newest point that has a value.
fn newest(data: &WidgetData) -> Option<u64> {
    let newest = |series: &crate::sync::protocol::Series| {
        series.points.iter().rev().find(|(_, value)| value.is_some()).map(|(at, _)| *at)
    };
    data.series.iter().filter_map(newest).max()
}

/// Milliseconds from one point to the next: what the source says, or what the points show.
fn interval(data: &WidgetData) -> Option<u64> {
    data.every_ms.or_else(|| data.series.iter().filter_map(|series| pace(&series.points)).min())
}

/// True for a widget whose figures come from a source.
fn is_fed(widget: &Widget) -> bool {
    widget.kind.asks()
        && widget.text_option("source") != TABLE
        && !widget.text_option("query").trim().is_empty()
}

/// How old the newest figures on the page are, in milliseconds, where those of no widget are younger than three of
/// their intervals; `None` where some are, or none has any. By the clock that points are made by.
pub fn stale_for(store: DashboardStore, now: u64) -> Option<u64> {
    let order = store.order.get_untracked();
    let fed = order.iter().filter_map(|id| store.widget(id));
    let fed = fed.filter(|signals| signals.widget.with_untracked(|widget| is_fed(widget)));
    let ages: Vec<(u64, bool)> =
        fed.filter_map(|signals| signals.data.with_untracked(|data| age(data, now))).collect();
    let is_stale = ages.iter().all(|(_, is_stale)| *is_stale);
    ages.into_iter().map(|(age, _)| age).min().filter(|_| is_stale)
}

/// The age of the newest figures, and whether that is more than three of their intervals.
fn age(data: &WidgetData, now: u64) -> Option<(u64, bool)> {
    let age = now.saturating_sub(newest(data)?);
    Some((age, age >= interval(data).map_or(STALE_MS, |every| (every * 3).max(STALE_MS))))
}

/// True where the newest figures of some widget are as young as they should be, or where none asks for any. By
/// the clock that points are made by.
pub fn figures_come(store: DashboardStore, now: u64) -> bool {
    let (mut asks, mut come) = (false, false);
    for id in store.order.get_untracked() {
        let Some(signals) = store.widget(&id) else { continue };
        let live = signals.widget.with_untracked(|widget| is_fed(widget));
        asks |= live;
        come |= live
            && matches!(signals.data.with_untracked(|data| fresh(data, now)), Fresh::Live | Fresh::Waiting);
        if come {
            break;
        }
    }
    come || !asks
}

/// Milliseconds from one of the last points to the next, on average.
fn pace(points: &values::Points) -> Option<u64> {
    let recent = &points[points.len().saturating_sub(RECENT)..];
    let (first, last) = (recent.first()?, recent.last()?);
    (recent.len() > 1).then(|| (last.0 - first.0) / (recent.len() as u64 - 1))
}

/// How fresh a widget's data is, as a dot and, where it is not live, in words.
#[component]
pub fn Freshness(kind: Kind, signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    if kind == Kind::Checklist {
        return view! { <Progress signals/> }.into_any();
    }
    if !kind.asks() {
        return ().into_any();
    }
    let clock = Clock::here();
    let state = memo(move || {
        let now = clock.now();
        if *signals.pasted.read() != Pasted::No || !store.time.range.get().moves() {
            return Fresh::Still;
        }
        let data = signals.data.read();
        match now {
            0 => Fresh::Waiting,
            now => fresh(&data, now.saturating_add_signed(store.server_ahead_ms.get_value().unwrap_or(0))),
        }
    });
    let says = memo(move || match &*state.read() {
        Fresh::Waiting => String::new(),
        // As it should be; and then there is room for what else there is to say.
        Fresh::Still | Fresh::Live => signals.data.read().note.clone().unwrap_or_default(),
        Fresh::Nothing => "no data".to_owned(),
        Fresh::Late(age) => format!("late {}", format::span(*age)),
        Fresh::Silent(since) => format!("no data since {}", words::moment(*since, clock.now())),
        // A sentence about the source by its name, or about the query.
        Fresh::Down(why) => why.clone(),
    });
    let title = move || match &*state.read() {
        Fresh::Live => "live".to_owned(),
        _ => says.get(),
    };
    view! {
        <span class="freshness" data-testid="freshness" data-fresh=attr(move || state.read().name()) title=attr(title)>
            <small>{live(move || says.get())}</small>
            <span class="sr-only">{live(move || (*state.read() == Fresh::Live).then_some("live"))}</span>
            <i aria-hidden="true"></i>
        </span>
    }
    .into_any()
}

/// How far a checklist has come: that is its news.
#[component]
fn Progress(signals: WidgetSignals) -> impl IntoView {
    let progress = memo(move || signals.shown.with(|widget| items::progress(widget)));
    let says = move || {
        let (done, all) = progress.get();
        (all > 0).then(|| format!("{done} of {all}"))
    };
    view! { <span class="freshness progress" data-testid="checklist-progress"><small>{live(says)}</small></span> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::WidgetId;
    use crate::sync::protocol::Series;

    fn data(times: &[u64]) -> WidgetData {
        let points = times.iter().map(|at| (*at, Some(1.0))).collect();
        let series = vec![Series { name: String::new(), points, ..Series::default() }];
        WidgetData { series, received_at: 1, ..WidgetData::default() }
    }

    #[test]
    fn what_is_old_never_looks_live() {
        let (second, minute) = (1_000, 60_000);
        let each_second = data(&[8 * second, 9 * second, 10 * second]);
        assert_eq!(fresh(&each_second, 12 * second), Fresh::Live);
        assert_eq!(fresh(&each_second, 50 * second), Fresh::Late(40 * second));
        assert_eq!(fresh(&each_second, 10 * minute), Fresh::Silent(10 * second));
        let each_minute = data(&[minute, 2 * minute, 3 * minute]);
        assert_eq!(fresh(&each_minute, 5 * minute), Fresh::Live);
        assert_eq!(fresh(&each_minute, 6 * minute), Fresh::Late(3 * minute));
        assert_eq!(fresh(&data(&[minute]), 2 * minute - 1), Fresh::Live, "one point shows no pace");
        let said = WidgetData { every_ms: Some(30 * second), ..data(&[minute]) };
        assert_eq!(fresh(&said, 2 * minute + 30 * second), Fresh::Late(90 * second));
    }

    #[test]
    fn figures_are_old_after_three_of_their_intervals_and_not_within_a_minute() {
        let (second, minute) = (1_000, 60_000);
        let each_second = data(&[8 * second, 9 * second, 10 * second]);
        assert_eq!(age(&each_second, 40 * second), Some((30 * second, false)));
        assert_eq!(age(&each_second, 70 * second), Some((60 * second, true)));
        let each_minute = data(&[minute, 2 * minute, 3 * minute]);
        assert_eq!(age(&each_minute, 5 * minute), Some((2 * minute, false)));
        assert_eq!(age(&each_minute, 6 * minute), Some((3 * minute, true)));
        assert_eq!(age(&WidgetData::default(), minute), None, "nothing has come yet");
    }

    #[test]
    fn figures_on_a_page_are_old_where_none_is_young() {
        let owner = Owner::new();
        owner.set();
        let mut dashboard = crate::dashboard::Dashboard::new("Orders");
        for id in ["a", "b", "note"] {
            let kind = if id == "note" { Kind::Note } else { Kind::Stat };
            let mut widget = Widget::new(kind, id, crate::dashboard::Frame::default());
            if kind == Kind::Stat {
                widget.options.insert("query".to_owned(), "orders".into());
            }
            dashboard.widgets.insert(WidgetId::new(id).expect("an id"), widget.into());
        }
        let id = crate::dashboard::DashboardId::new("d").expect("an id");
        let store = DashboardStore::new(id, &dashboard, crate::dashboard::User::default());
        let minute = 60_000;
        assert_eq!(stale_for(store, 9 * minute), None, "nothing has come yet");
        let set = |id: &str, at: u64| {
            let signals = store.widget(&WidgetId::new(id).expect("an id")).expect("is there");
            signals.data.set(data(&[at]));
        };
        set("a", minute);
        set("b", 4 * minute);
        assert_eq!(stale_for(store, 9 * minute), Some(5 * minute), "the newest of all");
        set("a", 9 * minute);
        assert_eq!(stale_for(store, 9 * minute), None, "one is young");
    }

    #[test]
    fn a_source_that_is_down_says_why() {
        let down = WidgetData { error: Some("it refused".to_owned()), ..data(&[1]) };
        assert_eq!(fresh(&down, 2), Fresh::Down("it refused".to_owned()));
        assert_eq!(fresh(&WidgetData::default(), 2), Fresh::Waiting);
        assert_eq!(fresh(&WidgetData { received_at: 1, ..WidgetData::default() }, 2), Fresh::Nothing);
    }
}
