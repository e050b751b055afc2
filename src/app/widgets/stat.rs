//! One number, big, with its recent course below and a colour past its thresholds.

use crate::app::dynamic::{attr, live, memo};
use leptos::html::Div;
use leptos::prelude::*;

use crate::app::dashboard_store::WidgetSignals;
use crate::app::dom;
use crate::app::format::{self, Figure};
use crate::dashboard::Widget;

/// Points of the sparkline; more than this many pixels are not there to draw them.
const SPARK_POINTS: usize = 120;
/// The sparkline's own units; it is stretched to its place. Whole numbers of them are fine enough to draw, and
/// quick to write and read.
const SPARK: (f64, f64) = (3000.0, 380.0);

#[component]
pub fn Stat(signals: WidgetSignals) -> impl IntoView {
    let value = memo(move || {
        let data = signals.data.read();
        data.series.first().and_then(|series| series.points.iter().rev().find_map(|(_, value)| *value))
    });
    let figure = memo(move || {
        let Some(value) = value.get() else {
            return Figure { number: format::NO_VALUE.to_owned(), unit: String::new() };
        };
        signals.widget.with(|widget| format::figure(value, widget.text_option("unit"), decimals(widget)))
    });
    let level = memo(move || signals.widget.with(|widget| level(value.get(), widget)));
    // The course is for the eye: off the screen only the number is kept true.
    let place = NodeRef::<Div>::new();
    dom::watch_screen(place, signals.seen);
    let spark = Memo::new(move |was: Option<&Option<String>>| {
        if !signals.seen.get() {
            return was.cloned().flatten();
        }
        let data = signals.data.read();
        let points = data.series.first().map(|series| series.points.as_slice()).unwrap_or_default();
        let (min, max) =
            signals.widget.with(|widget| (widget.number_option("min"), widget.number_option("max")));
        spark_path(points, min, max)
    });
    view! {
        <div class="stat" node_ref=place data-level=level>
            <p class="figure">
                <span class="number">{live(move || figure.read().number.clone())}</span>
                " "
                <span class="unit">{live(move || figure.read().unit.clone())}</span>
                <span class="sr-only">
                    {live(move || match level.get() { "warn" => ", past the warning", "alert" => ", past the alert", _ => "" })}
                </span>
            </p>
            <svg class="spark" viewBox="0 0 3000 380" preserveAspectRatio="none" aria-hidden="true">
                <path class="area" d=attr(move || spark.read().as_ref().map(|line| format!("{line}L3000 380L0 380Z")))></path>
                <path class="line" d=attr(move || spark.get())></path>
            </svg>
        </div>
    }
}

/// The digits that a widget asks for.
pub fn decimals(widget: &Widget) -> Option<usize> {
    widget.options.get("decimals").and_then(serde_json::Value::as_u64).map(|decimals| decimals as usize)
}

/// `ok`, `warn` or `alert`, by the widget's thresholds.
fn level(value: Option<f64>, widget: &Widget) -> &'static str {
    let past =
        |field: &str| matches!((value, widget.number_option(field)), (Some(value), Some(at)) if value >= at);
    if past("alert_at") {
        "alert"
    } else if past("warn_at") {
        "warn"
    } else {
        "ok"
    }
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
    use crate::dashboard::{Frame, Kind};

    #[test]
    fn thresholds_colour_the_number() {
        let mut widget = Widget::new(Kind::Stat, "", Frame::default());
        assert_eq!(level(Some(9.0), &widget), "ok");
        widget.options.insert("warn_at".to_owned(), 5.into());
        widget.options.insert("alert_at".to_owned(), 9.into());
        assert_eq!(level(Some(4.9), &widget), "ok");
        assert_eq!(level(Some(5.0), &widget), "warn");
        assert_eq!(level(Some(9.0), &widget), "alert");
        assert_eq!(level(None, &widget), "ok");
    }

    #[test]
    fn a_sparkline_needs_two_points() {
        assert_eq!(spark_path(&[(0, Some(1.0)), (1, None)], None, None), None);
        let flat = spark_path(&[(0, Some(1.0)), (1, Some(1.0))], None, None);
        assert_eq!(flat.as_deref(), Some("M0 190L3000 190"));
    }
}
