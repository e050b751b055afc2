//! Contents of widgets, one file per kind.

mod axis;
mod bar;
mod checklist;
mod columns;
mod data_dialog;
mod empty;
mod freshness;
mod gauge;
mod heat;
mod heat_map;
mod items;
mod markdown;
mod note;
mod sheet;
mod stat;
mod table;
mod timeseries;
mod uplot;
mod values;

use leptos::prelude::*;

use crate::app::chunks::{Contents, comes_apart};
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::dynamic::{live, memo};
use crate::dashboard::{Kind, WidgetId};

pub use data_dialog::DataDialog;
pub use freshness::{Freshness, figures_come, stale_for};
pub use items::{deed, item_label, told_with_item};
pub use table::columns_of;
pub use timeseries::MAX_SERIES as MAX_CHART_SERIES;
pub use uplot::CHARTS_LOADED;
pub use values::{decimals, living, told_apart, unit_of};

/// The content of a widget by its kind.
#[component]
pub fn Content(id: WidgetId, kind: Kind, signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    match kind {
        Kind::Stat => view! { <stat::Stat signals store/> }.into_any(),
        Kind::Timeseries => {
            let heat = memo(move || signals.shown.with(|widget| widget.is_heat_map()));
            live(move || match (id.clone(), heat.get()) {
                (id, true) => Contents::here().show(id, kind, signals, store),
                (id, false) => view! { <timeseries::Timeseries id signals store/> }.into_any(),
            })
        }
        Kind::Note => view! { <note::Note id signals store/> }.into_any(),
        kind => {
            debug_assert!(comes_apart(kind));
            Contents::here().show(id, kind, signals, store)
        }
    }
}

/// The content of a widget whose kind, or style, comes apart; nothing for any other.
pub fn apart(id: WidgetId, kind: Kind, signals: WidgetSignals, store: DashboardStore) -> AnyView {
    match kind {
        Kind::Bar => view! { <bar::Bars signals store/> }.into_any(),
        Kind::Gauge => view! { <gauge::Gauges signals store/> }.into_any(),
        Kind::Table => view! { <table::Table signals store/> }.into_any(),
        Kind::Checklist => view! { <checklist::Checklist id signals store/> }.into_any(),
        Kind::Timeseries => view! { <heat_map::HeatMap id signals store/> }.into_any(),
        _ => ().into_any(),
    }
}
