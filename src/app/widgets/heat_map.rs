//! Heat map: values over time as colours, with the scale of the colours and a table of the values below.

use std::collections::BTreeSet;
use std::rc::Rc;

use leptos::html::Div;
use leptos::prelude::*;

use super::columns::{Column, Columns};
use super::empty::Empty;
use super::heat::Map;
use super::uplot::{Chart, Colors, Look, OfTime, Paint, loaded};
use super::values;
use crate::app::chunks::{Part, Parts};
use crate::app::components::Theming;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::dynamic::{attr, each, effect, live, memo};
use crate::app::time::{ChartMoments, ChartPlace, HiddenSeries, OwnSeries};
use crate::app::{dom, format};
use crate::dashboard::WidgetId;

/// The custom property of the colour whose strength stands for a value.
const COLOR: &str = "--s1";
/// What is free between two cells, in pixels of the screen: there where cells are wide enough.
const GAP: f64 = 1.0;

#[component]
pub fn HeatMap(id: WidgetId, signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let time = store.time;
    let place = time.charts.enter(id.clone());
    let theming = Theming::here();
    let plot = NodeRef::<Div>::new();
    let chart = StoredValue::new_local(None::<Chart>);
    let map = memo(move || signals.shown.with(|widget| signals.series(|series| Map::of(series, widget))));
    let labels = memo(move || map.read().rows.iter().map(|row| row.label.clone()).collect::<Vec<_>>());
    let look = memo(move || Look::of_rows(labels.get(), theming.is_dark()));
    let ready = loaded();
    dom::watch_screen(plot, signals.seen);
    let on_screen = signals.seen;
    let was_seen = Memo::new(move |was: Option<&bool>| was == Some(&true) || on_screen.get());
    effect(move || {
        let look = look.get();
        let Some(target) = plot.get() else { return };
        chart.update_value(|chart| *chart = None);
        place.set(None);
        if !ready.get() || !was_seen.get() || look.rows.is_empty() {
            return;
        }
        let colors = Colors {
            // What is drawn of the one series that the chart has is its time alone.
            series: vec!["transparent".to_owned()],
            text: dom::custom_property("--text-3"),
            line: dom::custom_property("--line"),
            warn: String::new(),
            bad: String::new(),
        };
        let color = dom::custom_property(COLOR);
        let paint = move |paint: &Paint| {
            let _ = map.try_with_untracked(|map| draw(paint, map, &color));
        };
        let within = target.clone();
        let placed = move |at: ChartPlace| {
            let (left, top) = (f64::from(within.offset_left()), f64::from(within.offset_top()));
            let at = ChartPlace { left: at.left + left, top: at.top + top, ..at };
            if place.try_get_untracked() != Some(Some(at)) {
                place.try_set(Some(at));
            }
        };
        let of_time = OfTime {
            window: Box::new(move |points| time.window_of(signals, points)),
            placed: Box::new(placed),
            chosen: Rc::new(move |chosen| time.zoom(chosen)),
        };
        let data = map.with_untracked(times);
        chart.set_value(Chart::new(&target, &look, &colors, &data, of_time, Some(Box::new(paint))));
    });
    effect(move || {
        if !on_screen.get() {
            return;
        }
        let data = map.with(times);
        chart.with_value(|chart| {
            if let Some(chart) = chart {
                chart.show(&data);
            }
        });
    });
    on_cleanup(move || {
        // What is disposed of already has taken its chart along.
        let _ = chart.try_update_value(|chart| *chart = None);
    });
    let empty = memo(move || map.read().rows.iter().all(|row| row.cells.iter().all(Option::is_none)));
    let drawn = memo(move || place.read().is_some() && !empty.get());
    let none = memo(BTreeSet::new);
    let rows = memo(move || map.with(Map::series));
    let moments = live(move || {
        drawn.get().then(|| {
            provide_context(ChartMoments { id: id.clone(), place });
            provide_context(HiddenSeries(none));
            provide_context(OwnSeries(rows));
            Parts::here().show_later(Part::Moments)
        })
    });
    let words = move |value: Option<f64>| {
        signals
            .shown
            .with(|widget| format::in_words(value, widget.text_option("unit"), values::decimals(widget)))
    };
    // The place of the time under the pointer, wherever on the page that is.
    let column = memo(move || {
        let at = time.pointed.read().as_ref().filter(|_| on_screen.get())?.at;
        place.read().filter(|place| place.x(at).is_some())?;
        map.read().nearest(at as f64 / 1000.0)
    });
    // The row under the pointer.
    let row = RwSignal::new(None::<usize>);
    let moved = move |event: leptos::ev::PointerEvent| {
        let found = (|| {
            let (target, place) = (plot.get_untracked()?, place.get_untracked()?);
            let top = target.get_bounding_client_rect().top() + place.top - f64::from(target.offset_top());
            let part = 1.0 - (f64::from(event.client_y()) - top) / place.height.max(1.0);
            let rows = labels.with_untracked(Vec::len);
            (0.0..1.0).contains(&part).then_some((part * rows as f64) as usize)
        })();
        if row.get_untracked() != found {
            row.set(found);
        }
    };
    let at_pointer = move || {
        let (row, column) = (row.get()?, column.get()?);
        let map = map.read();
        let of = map.rows.get(row)?;
        Some(format!("{}: {}", of.label, words(of.cells.get(column).copied().flatten())))
    };
    let line = move |(n, label): (usize, String)| {
        let value = move || {
            let map = map.read();
            let row = map.rows.get(n)?;
            match column.get() {
                Some(column) => row.cells.get(column).copied().flatten(),
                None => row.cells.iter().rev().copied().flatten().next(),
            }
        };
        let most = move || {
            let map = map.read();
            map.rows.get(n)?.cells.iter().flatten().copied().reduce(f64::max)
        };
        view! {
            <tr>
                <th scope="row">{label}</th>
                <td class="last">{live(move || words(value()))}</td>
                <td>{live(move || words(most()))}</td>
            </tr>
        }
    };
    view! {
        <div
            class="timeseries heat several"
            data-testid="heat-map"
            on:pointermove=moved
            on:pointerleave=move |_| row.set(None)
        >
            {live(move || empty.get().then(|| view! { <Empty signals store/> }))}
            <div class="plot" node_ref=plot aria-hidden="true" class:hidden-plot=empty></div>
            {moments}
            <p class="heat-scale" class:hidden=empty data-testid="heat-scale">
                <span>{live(move || words(Some(map.read().scale.0)))}</span>
                <i aria-hidden="true"></i>
                <span>{live(move || words(Some(map.read().scale.1)))}</span>
                <b>{live(at_pointer)}</b>
            </p>
            <div
                class="legend"
                tabindex="0"
                role="group"
                aria-label="Values"
                class:hidden=empty
                class:at-moment=attr(move || column.read().is_some())
            >
                <table>
                    <thead>
                        <tr>
                            <th scope="col"><span class="sr-only">"Row"</span></th>
                            <th scope="col">{live(move || if column.read().is_some() { "Then" } else { "Last" })}</th>
                            <th scope="col">"Max"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {each(
                            move || labels.get().into_iter().enumerate().rev().collect(),
                            |(n, label)| format!("{n} {label}"),
                            line,
                        )}
                    </tbody>
                </table>
            </div>
        </div>
    }
}

/// The times of a map as the columns of a chart.
fn times(map: &Map) -> Columns {
    let column = Column { values: vec![0.0; map.times.len()], ..Column::default() };
    Columns { times: map.times.clone(), series: vec![column] }
}

/// Draws the cells of a map.
fn draw(paint: &Paint, map: &Map, color: &str) {
    let context = &paint.context;
    context.set_fill_style_str(color);
    let high = paint.height / map.rows.len().max(1) as f64;
    for n in 0..map.times.len() {
        let (from, to) = map.reach(n);
        let (left, right) = (paint.x(from), paint.x(to));
        if right < paint.left || left > paint.left + paint.width {
            continue;
        }
        // At least a pixel wide, so that what is there is seen.
        let gap = if right - left > 4.0 * GAP { GAP } else { 0.0 };
        let wide = (right - left - gap).max(1.0);
        for (row, cells) in map.rows.iter().enumerate() {
            let Some(value) = cells.cells.get(n).copied().flatten() else { continue };
            let strength = map.strength(value);
            if strength > 0.0 {
                context.set_global_alpha(strength);
                let top = paint.top + paint.height - high * (row + 1) as f64;
                context.fill_rect(left, top, wide, (high - gap).max(1.0));
            }
        }
    }
}
