//! Lines over time, drawn by uPlot; the last values stand below, and in a table for screen readers.

use crate::app::dynamic::{effect, memo};
use leptos::html::Div;
use leptos::prelude::*;

use super::uplot::{Chart, Colors, Look, loaded};
use crate::app::clock::Clock;
use crate::app::components::Theming;
use crate::app::dashboard_store::WidgetSignals;
use crate::app::{dom, format};

/// The custom properties of the series' colours, in turn.
const SERIES_COLORS: [&str; 4] = ["--s1", "--s2", "--s3", "--s4"];

#[component]
pub fn Timeseries(signals: WidgetSignals) -> impl IntoView {
    let clock = Clock::here();
    let theming = Theming::here();
    let plot = NodeRef::<Div>::new();
    let chart = StoredValue::new_local(None::<Chart>);
    let names =
        memo(move || signals.data.read().series.iter().map(|series| series.name.clone()).collect::<Vec<_>>());
    let look = memo(move || {
        let (names, dark) = (names.get(), theming.is_dark());
        signals.widget.with(|widget| Look::of(widget, names, dark))
    });
    // The script may come after the page: then this looks again with each tick.
    let ready = Memo::new(move |was: Option<&bool>| was == Some(&true) || (clock.now() > 0 && loaded()));
    // To draw is the dearest thing that a page does; what nobody sees is drawn when it is seen.
    dom::watch_screen(plot, signals.seen);
    let on_screen = signals.seen;
    let was_seen = Memo::new(move |was: Option<&bool>| was == Some(&true) || on_screen.get());
    effect(move || {
        let look = look.get();
        let Some(target) = plot.get() else { return };
        chart.update_value(|chart| *chart = None);
        if !ready.get() || !was_seen.get() || look.names.is_empty() {
            return;
        }
        let colors = Colors {
            series: SERIES_COLORS.map(dom::custom_property).to_vec(),
            text: dom::custom_property("--text-3"),
            line: dom::custom_property("--line"),
            warn: dom::custom_property("--warn"),
            bad: dom::custom_property("--bad"),
        };
        let data = signals.data.read_untracked();
        chart.set_value(Chart::new(&target, &look, &colors, &data.series));
    });
    effect(move || {
        if !on_screen.get() {
            return;
        }
        let data = signals.data.read();
        chart.with_value(|chart| {
            if let Some(chart) = chart {
                chart.show(&data.series);
            }
        });
    });
    on_cleanup(move || {
        // What is disposed of already has taken its chart along.
        let _ = chart.try_update_value(|chart| *chart = None);
    });
    let last = memo(move || {
        let data = signals.data.read();
        signals.widget.with(|widget| {
            let value = |series: &crate::sync::protocol::Series| {
                let last = series.points.iter().rev().find_map(|(_, value)| *value);
                let words = format::in_words(last, widget.text_option("unit"), super::stat::decimals(widget));
                (series.name.clone(), words)
            };
            data.series.iter().map(value).collect::<Vec<_>>()
        })
    });
    let legend = move || {
        let entry = |(n, (name, value)): (usize, (String, String))| {
            let color = format!("var({})", SERIES_COLORS[n % SERIES_COLORS.len()]);
            view! { <li style:--series=color><i></i>{name}<b>{value}</b></li> }
        };
        last.get().into_iter().enumerate().map(entry).collect_view()
    };
    let rows = move || {
        let row = |(name, value)| view! { <tr><th scope="row">{name}</th><td>{value}</td></tr> };
        last.get().into_iter().map(row).collect_view()
    };
    // An empty chart says why, once there has been time for a value to come.
    let empty = move || {
        let named = !last.read().is_empty() && last.read().iter().all(|(_, value)| value == format::NO_VALUE);
        named.then(|| view! { <p class="none">"No values in this time yet"</p> })
    };
    view! {
        <div class="timeseries">
            {empty}
            <div class="plot" node_ref=plot aria-hidden="true"></div>
            <ul class="legend" aria-hidden="true">{legend}</ul>
            <table class="sr-only">
                <caption>"Last values"</caption>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
