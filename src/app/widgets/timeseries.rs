//! Courses over time, drawn by uPlot, with a legend below that is their table too.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::app::dynamic::{attr, each, effect, live, memo};
use leptos::html::Div;
use leptos::prelude::*;

use super::columns::align;
use super::empty::Empty;
use super::uplot::{Chart, Colors, Look, OfTime, Style, loaded};
use super::values;
use crate::app::chunks::{Part, Parts};
use crate::app::components::Theming;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::time::{ChartMoments, ChartPlace, HiddenSeries, value_at};
use crate::app::{dom, format};
use crate::dashboard::lines::COLORS;
use crate::dashboard::{Widget, WidgetId, lines};
use crate::sync::protocol::Series;

/// Series of one chart: more lines than these nobody tells apart.
pub const MAX_SERIES: usize = 20;

/// A line of the legend: what a series comes down to, in words.
#[derive(Clone, Debug, Default, PartialEq)]
struct Line {
    /// What the widget calls it; empty where it has its own name.
    name: String,
    /// The place of its colour among those with a name.
    color: Option<usize>,
    right: bool,
    last: String,
    min: String,
    max: String,
    mean: String,
}

impl Line {
    fn of(series: &Series, widget: &Widget) -> Self {
        let words = |shows: &str| {
            let value = values::value(&series.points, shows);
            format::in_words(value, values::unit_of(&series.name, widget), values::decimals(widget))
        };
        let says = lines::of(widget.text_option("lines"), &series.name);
        Self {
            name: says.name.unwrap_or_default().to_owned(),
            color: says.color,
            right: says.right,
            last: words("last"),
            min: words("min"),
            max: words("max"),
            mean: words("mean"),
        }
    }
}

/// Half the time from point to point, given the first and the last, in seconds.
fn half_a_step(signals: WidgetSignals, (first, last): (f64, f64)) -> f64 {
    let points = signals.series_untracked(|all| all.iter().map(|one| one.points.len()).max());
    (last - first) / points.unwrap_or(0).saturating_sub(1).max(1) as f64 / 2.0
}

#[component]
pub fn Timeseries(id: WidgetId, signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let time = store.time;
    let place = time.charts.enter(id.clone());
    let theming = Theming::here();
    let plot = NodeRef::<Div>::new();
    let chart = StoredValue::new_local(None::<Chart>);
    // What this person does not want to see, or what the widget hides and they want to; the names, so that it
    // holds whatever comes and goes.
    let hidden = RwSignal::new(BTreeSet::<String>::new());
    let names = memo(move || {
        let name = |series: &Series| series.name.clone();
        signals.series(|series| series.iter().take(MAX_SERIES).map(name).collect::<Vec<_>>())
    });
    // One that the widget hides is drawn once somebody asks for it.
    let not_drawn = memo(move || {
        let (names, toggled) = (names.read(), hidden.read());
        signals.shown.with(|widget| {
            let hides = |name: &String| lines::of(widget.text_option("lines"), name).hidden;
            let mut not_drawn = BTreeSet::new();
            // One after the other: a set that is collected is sorted first, by a sort of its own.
            not_drawn.extend(names.iter().filter(|name| toggled.contains(*name) != hides(name)).cloned());
            not_drawn
        })
    });
    let look = memo(move || {
        let (names, not_drawn, dark) = (names.read(), not_drawn.read(), theming.is_dark());
        let shown = names.iter().cloned().zip(0..).filter(|(name, _)| !not_drawn.contains(name));
        signals.shown.with(|widget| Look::of(widget, shown, dark))
    });
    let ready = loaded();
    // To draw is the dearest thing that a page does; what nobody sees is drawn when it is seen.
    dom::watch_screen(plot, signals.seen);
    let on_screen = signals.seen;
    let was_seen = Memo::new(move |was: Option<&bool>| was == Some(&true) || on_screen.get());
    let columns = move |series: &[Series], look: &Look| {
        let shown = series.iter().zip(0..).filter(|(_, n)| look.series.iter().any(|one| one.place == *n));
        let mut columns = align(shown.map(|(series, _)| series), look.together());
        if look.stacked && look.has_right() {
            columns.stack(|n| look.series.get(n).is_some_and(|one| !one.right));
        }
        columns
    };
    effect(move || {
        let look = look.get();
        let Some(target) = plot.get() else { return };
        chart.update_value(|chart| *chart = None);
        // What replaces it says where it stands.
        place.set(None);
        if !ready.get() || !was_seen.get() || look.series.is_empty() {
            return;
        }
        let colors = Colors {
            series: (0..COLORS.len()).map(|n| dom::custom_property(values::line_color(n))).collect(),
            text: dom::custom_property("--text-3"),
            line: dom::custom_property("--line"),
            warn: dom::custom_property("--warn"),
            bad: dom::custom_property("--bad"),
        };
        let data = signals.series_untracked(|series| columns(series, &look));
        let within = target.clone();
        let placed = move |at: ChartPlace| {
            let (left, top) = (f64::from(within.offset_left()), f64::from(within.offset_top()));
            let at = ChartPlace { left: at.left + left, top: at.top + top, ..at };
            if place.try_get_untracked() != Some(Some(at)) {
                place.try_set(Some(at));
            }
        };
        let bars = look.style == Style::Bars;
        let of_time = OfTime {
            window: Box::new(move |points| {
                let shown = time.window_of(signals, points);
                // Where the points say what time shows, the first and the last bar are whole too.
                let margin = if bars && shown == points { half_a_step(signals, points) } else { 0.0 };
                (shown.0 - margin, shown.1 + margin)
            }),
            placed: Box::new(placed),
            chosen: Rc::new(move |chosen| time.zoom(chosen)),
        };
        chart.set_value(Chart::new(&target, &look, &colors, &data, of_time, None));
    });
    effect(move || {
        if !on_screen.get() {
            return;
        }
        let data = signals.series(|series| look.with_untracked(|look| columns(series, look)));
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
    let lines = memo(move || {
        signals.shown.with(|widget| {
            let line = |series: &Series| Line::of(series, widget);
            signals.series(|series| series.iter().take(MAX_SERIES).map(line).collect::<Vec<_>>())
        })
    });
    let empty = memo(move || lines.read().iter().all(|line| line.last == format::NO_VALUE));
    // Once it is drawn, what stands over its points.
    let drawn = memo(move || place.read().is_some() && !empty.get());
    let moments = live(move || {
        drawn.get().then(|| {
            provide_context(ChartMoments { id: id.clone(), place });
            provide_context(HiddenSeries(not_drawn));
            Parts::here().show_later(Part::Moments)
        })
    });
    // The values at the moment under the pointer, wherever on the page that is.
    let at_moment = memo(move || {
        let at = time.pointed.read().as_ref().filter(|_| on_screen.get())?.at;
        let near = place.read().filter(|place| place.x(at).is_some())?.near_ms();
        let value = |series: &Series, widget: &Widget| {
            let value = value_at(&series.points, at, near);
            format::in_words(value, values::unit_of(&series.name, widget), values::decimals(widget))
        };
        Some(signals.shown.with(|widget| {
            signals.series(|all| all.iter().map(|series| value(series, widget)).collect::<Vec<_>>())
        }))
    });
    let short =
        memo(move || values::told_apart(&names.read().iter().map(String::as_str).collect::<Vec<_>>()));
    let row = move |(n, name): (usize, String)| {
        let line = memo(move || lines.read().get(n).cloned().unwrap_or_default());
        let (key, toggled) = (StoredValue::new(name.clone()), name.clone());
        let shows = memo(move || key.with_value(|name| !not_drawn.read().contains(name)));
        let toggle = move |event: leptos::ev::MouseEvent| {
            event.stop_propagation();
            hidden.update(|hidden| {
                if !hidden.remove(&toggled) {
                    hidden.insert(toggled.clone());
                }
            });
        };
        view! {
            <tr class:off=attr(move || !shows.get())>
                <th scope="row">
                    <button
                        type="button"
                        data-testid="legend-series"
                        aria-pressed=attr(move || if shows.get() { "true" } else { "false" })
                        title=format!("{name}: show or hide, for you")
                        on:click=toggle
                    >
                        <i style=attr(move || match line.read().color {
                            Some(color) => format!("background:var({})", values::line_color(color)),
                            None => format!("background:{}", values::color(n)),
                        })></i>
                        <span>{live(move || match &*line.read() {
                            Line { name, .. } if !name.is_empty() => name.clone(),
                            _ => short.read().get(n).cloned().unwrap_or_default(),
                        })}</span>
                        {live(move || line.read().right.then_some(" (right)"))}
                    </button>
                </th>
                <td class="last">{live(move || match &*at_moment.read() {
                    Some(values) => values.get(n).cloned().unwrap_or_default(),
                    None => line.read().last.clone(),
                })}</td>
                <td>{live(move || line.read().min.clone())}</td>
                <td>{live(move || line.read().max.clone())}</td>
                <td>{live(move || line.read().mean.clone())}</td>
            </tr>
        }
    };
    let several = memo(move || names.read().len() > 1);
    view! {
        <div class="timeseries" class:several=several>
            {live(move || empty.get().then(|| view! { <Empty signals store/> }))}
            <div class="plot" node_ref=plot aria-hidden="true" class:hidden-plot=empty></div>
            {moments}
            <div
                class="legend"
                tabindex="0"
                role="group"
                aria-label="Series"
                class:hidden=empty
                class:at-moment=attr(move || at_moment.read().is_some())
            >
                <table>
                    <thead>
                        <tr>
                            <th scope="col"><span class="sr-only">"Series"</span></th>
                            <th scope="col">{live(move || if at_moment.read().is_some() { "Then" } else { "Last" })}</th>
                            <th scope="col">"Min"</th>
                            <th scope="col">"Max"</th>
                            <th scope="col">"Avg"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {each(
                            move || names.get().into_iter().enumerate().collect(),
                            |(n, name)| format!("{n} {name}"),
                            row,
                        )}
                    </tbody>
                </table>
            </div>
        </div>
    }
}
