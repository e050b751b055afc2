//! One number, big, with its recent course below and a colour past its thresholds.

use crate::app::dynamic::{attr, live, memo};
use leptos::html::Div;
use leptos::prelude::*;

use super::empty::Empty;
use super::values;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::dom;
use crate::app::format::{self, Figure};
use crate::app::pasted::Pasted;
use crate::app::time::words;

/// Points of the sparkline; more than this many pixels are not there to draw them.
const SPARK_POINTS: usize = 120;
/// The sparkline's own units; it is stretched to its place. Whole numbers of them are fine enough to draw, and
/// quick to write and read.
const SPARK: (f64, f64) = (3000.0, 380.0);

#[component]
pub fn Stat(signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let value = memo(move || {
        let shows = signals.shown.with(|widget| widget.text_option("shows").to_owned());
        signals.series(|series| values::value(&series.first()?.points, &shows))
    });
    let figure = memo(move || match value.get() {
        Some(value) => signals
            .shown
            .with(|widget| format::figure(value, widget.text_option("unit"), values::decimals(widget))),
        None => Figure { number: format::NO_VALUE.to_owned(), unit: String::new() },
    });
    let level = memo(move || signals.shown.with(|widget| values::level(value.get(), widget)));
    let delta = memo(move || {
        let (wanted, unit) = signals
            .shown
            .with(|widget| (widget.value("delta") == true, widget.text_option("unit").to_owned()));
        let change = wanted.then(|| signals.series(|series| change(&series.first()?.points, &unit)))??;
        let over = match *signals.pasted.read() {
            Pasted::No => format!("in {}", words::length(store.time.range.get().length())),
            _ => "from first to last".to_owned(),
        };
        Some((change, over))
    });
    // The course is for the eye: off the screen only the number is kept true.
    let place = NodeRef::<Div>::new();
    dom::watch_screen(place, signals.seen);
    let spark = Memo::new(move |was: Option<&Option<String>>| {
        if !signals.seen.get() {
            return was.cloned().flatten();
        }
        let (min, max) =
            signals.shown.with(|widget| (widget.number_option("min"), widget.number_option("max")));
        signals.series(|series| spark_path(series.first().map_or(&[][..], |first| &first.points), min, max))
    });
    let empty = memo(move || value.read().is_none());
    view! {
        <div class="stat" node_ref=place data-level=level>
            {live(move || empty.get().then(|| view! { <Empty signals store/> }))}
            <p class="figure">
                <span class="number">{live(move || figure.read().number.clone())}</span>
                " "
                <span class="unit">{live(move || figure.read().unit.clone())}</span>
                <span class="sr-only">{live(move || values::level_words(level.get()))}</span>
            </p>
            {live(move || delta.get().map(|(change, over)| view! {
                <p class="delta" data-testid="stat-delta">{change}" "<small>{over}</small></p>
            }))}
            <svg class="spark" viewBox="0 0 3000 380" preserveAspectRatio="none" aria-hidden="true">
                <path class="area" d=attr(move || spark.read().as_ref().map(|line| format!("{line}L3000 380L0 380Z")))></path>
                <path class="line" d=attr(move || spark.get())></path>
            </svg>
        </div>
    }
}

/// How a series changed from its first value to its last: `▲ 12 %`. What is in percent itself, and what
/// began with nothing, changed by so much rather than by so many percent.
fn change(points: &values::Points, unit: &str) -> Option<String> {
    let mut all = points.iter().filter_map(|(_, value)| *value);
    let (first, last) = (all.next()?, all.next_back()?);
    let by = last - first;
    let sign = match by {
        by if by > 0.0 => "▲",
        by if by < 0.0 => "▼",
        _ => "=",
    };
    let percent = matches!(unit, "%" | "percent" | "0-1" | "percentunit");
    let words = match percent || first == 0.0 {
        true => format::in_words(Some(by.abs()), unit, None),
        false => format::in_words(Some(rounded(by.abs() / first.abs() * 100.0)), "%", None),
    };
    Some(format!("{sign} {words}"))
}

/// Two significant digits are all that a change in percent is good for.
fn rounded(percent: f64) -> f64 {
    if percent >= 10.0 { percent.round() } else { (percent * 10.0).round() / 10.0 }
}

/// An SVG path through the last points; `None` with fewer than two.
fn spark_path(points: &[(u64, Option<f64>)], min: Option<f64>, max: Option<f64>) -> Option<String> {
    use std::fmt::Write;
    let points: Vec<f64> = points.iter().filter_map(|(_, value)| *value).collect();
    let points = &points[points.len().saturating_sub(SPARK_POINTS)..];
    if points.len() < 2 {
        return None;
    }
    let low = min.unwrap_or_else(|| points.iter().copied().fold(f64::INFINITY, f64::min));
    let high = max.unwrap_or_else(|| points.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    // A flat line lies in the middle, but zero all along lies on the floor.
    let (low, high) = match high <= low {
        true if low == 0.0 => (0.0, 1.0),
        true => (low - 1.0, high + 1.0),
        false => (low, high),
    };
    let step = SPARK.0 / (points.len() - 1) as f64;
    let mut path = String::new();
    for (n, value) in points.iter().enumerate() {
        let x = (n as f64 * step) as u32;
        let y = (SPARK.1 - 30.0) - ((value - low) / (high - low)).clamp(0.0, 1.0) * (SPARK.1 - 60.0);
        // Writing into a String does not fail.
        let _ = write!(path, "{}{x} {}", if n == 0 { 'M' } else { 'L' }, y as u32);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_percent_where_that_says_something() {
        let change = |first, last, unit| change(&[(0, Some(first)), (1, None), (2, Some(last))], unit);
        assert_eq!(change(100.0, 112.4, "ms").as_deref(), Some("▲ 12 %"));
        assert_eq!(change(-100.0, -104.24, "").as_deref(), Some("▼ 4.20 %"));
        assert_eq!(change(0.42, 0.37, "%").as_deref(), Some("▼ 0.050 %"));
        assert_eq!(change(0.0, 7.0, "orders").as_deref(), Some("▲ 7 orders"));
        assert_eq!(change(3.0, 3.0, "").as_deref(), Some("= 0 %"));
        assert_eq!(super::change(&[(0, Some(1.0))], ""), None);
    }

    #[test]
    fn a_sparkline_needs_two_points() {
        assert_eq!(spark_path(&[(0, Some(1.0)), (1, None)], None, None), None);
        let flat = spark_path(&[(0, Some(1.0)), (1, Some(1.0))], None, None);
        assert_eq!(flat.as_deref(), Some("M0 190L3000 190"));
    }
}
