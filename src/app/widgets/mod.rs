//! What widgets show, one file per kind.

mod markdown;
mod note;
mod stat;
mod timeseries;
mod uplot;

use crate::app::dynamic::{attr, live, memo};
use leptos::prelude::*;

use crate::app::clock::Clock;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::format;
use crate::dashboard::{Kind, WidgetId};

/// A source gives a point a second; this much without one is late.
const LATE_MS: u64 = 5_000;

/// The content of a widget by its kind.
#[component]
pub fn Content(id: WidgetId, kind: Kind, signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    match kind {
        Kind::Stat => view! { <stat::Stat signals/> }.into_any(),
        Kind::Timeseries => view! { <timeseries::Timeseries signals/> }.into_any(),
        Kind::Note => view! { <note::Note id signals store/> }.into_any(),
        Kind::Bar | Kind::Gauge | Kind::Table | Kind::Checklist => ().into_any(),
    }
}

/// How fresh a widget's data is, as a dot and, where it is not live, in words.
#[component]
pub fn Freshness(kind: Kind, signals: WidgetSignals) -> impl IntoView {
    if !kind.asks() {
        return ().into_any();
    }
    let clock = Clock::here();
    let state = memo(move || {
        let now = clock.now();
        let received = signals.data.read().received_at;
        match (now, received) {
            (0, _) => ("waiting", String::new()),
            (_, 0) => ("none", "no data".to_owned()),
            (now, received) if now.saturating_sub(received) < LATE_MS => ("live", String::new()),
            (now, received) => ("late", format!("late {}", format::span(now - received))),
        }
    });
    view! {
        <span class="freshness" data-fresh=attr(move || state.read().0) title=attr(move || if state.read().0 == "live" { "live" } else { "" })>
            <small>{live(move || state.read().1.clone())}</small>
            <span class="sr-only">{live(move || (state.read().0 == "live").then_some("live"))}</span>
            <i aria-hidden="true"></i>
        </span>
    }
    .into_any()
}
