//! One value on a scale, as an arc with the bands of its thresholds around it.

use crate::app::dynamic::{attr, each, live, memo};
use leptos::prelude::*;

use super::empty::Empty;
use super::values;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::format::{self, Figure};
use crate::dashboard::Widget;
use crate::sync::protocol::Series;

/// Gauges of one widget: smaller than these nobody reads them.
const MAX_GAUGES: usize = 12;
/// The arc begins at the lower left, a third of a turn is left open below.
const BEGINS: f64 = 150.0;
const TURNS: f64 = 240.0;
/// The middle of the arc in the picture's own units.
const MIDDLE: (f64, f64) = (100.0, 96.0);
/// Radius of the value's arc, and of the bands around it.
const ARC: f64 = 76.0;
const BANDS: f64 = 90.0;

/// The options where one level ends and another begins.
const THRESHOLDS: [&str; 4] = ["warn_at", "alert_at", "warn_below", "alert_below"];

/// One gauge, as it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
struct Gauge {
    name: String,
    /// The name as it is told from the others.
    short: String,
    figure: Figure,
    /// How much of the arc is full, in percent.
    full: f64,
    value: Option<f64>,
    min: f64,
    max: f64,
    /// What stands at the ends of the scale.
    ends: (String, String),
    level: &'static str,
    bands: Vec<Band>,
}

/// A part of the scale, in percent, and the level of the values in it.
#[derive(Clone, Debug, PartialEq)]
struct Band {
    from: f64,
    to: f64,
    level: &'static str,
}

fn gauges(series: &[&Series], widget: &Widget) -> Vec<Gauge> {
    let shows = widget.text_option("shows");
    let values: Vec<Option<f64>> =
        series.iter().take(MAX_GAUGES).map(|one| values::value(&one.points, shows)).collect();
    let thresholds = THRESHOLDS.map(|name| widget.number_option(name));
    let reach = values.iter().chain(&thresholds).flatten().copied();
    let (min, max) = values::scale(reach, widget);
    let at = |value: f64| ((value - min) / (max - min) * 100.0).clamp(0.0, 100.0);
    let end =
        |value: f64, one: &Series| format::in_words(Some(value), values::unit_of(&one.name, widget), None);
    let bands = bands(&thresholds, (min, max), |value| values::level_by_thresholds(value, widget));
    let short = values::told_apart(&series.iter().map(|one| &*one.name).collect::<Vec<_>>());
    let gauge = |((one, value), short): ((&&Series, &Option<f64>), String)| Gauge {
        name: one.name.clone(),
        short,
        figure: values::figure(*value, &one.name, widget),
        full: value.map_or(0.0, at),
        value: *value,
        min,
        max,
        ends: (end(min, one), end(max, one)),
        level: values::level(*value, widget),
        bands: bands.clone(),
    };
    series.iter().zip(&values).zip(short).map(gauge).collect()
}

/// The bands between thresholds in percent of the scale; none where there are no thresholds.
fn bands(
    thresholds: &[Option<f64>],
    (min, max): (f64, f64),
    level: impl Fn(f64) -> &'static str,
) -> Vec<Band> {
    let mut edges: Vec<f64> =
        thresholds.iter().flatten().copied().filter(|at| (min..max).contains(at)).collect();
    if thresholds.iter().all(Option::is_none) {
        return Vec::new();
    }
    edges.push(min);
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    let at = |value: f64| (value - min) / (max - min) * 100.0;
    let mut bands: Vec<Band> = Vec::new();
    for (n, from) in edges.iter().enumerate() {
        let (to, level) = (edges.get(n + 1).map_or(100.0, |next| at(*next)), level(*from));
        match bands.last_mut() {
            Some(last) if last.level == level => last.to = to,
            _ => bands.push(Band { from: at(*from), to, level }),
        }
    }
    bands
}

/// An SVG path along the arc, between two percents of the scale.
fn arc(radius: f64, from: f64, to: f64) -> String {
    let point = |percent: f64| {
        let angle = (BEGINS + TURNS * percent / 100.0).to_radians();
        (MIDDLE.0 + radius * angle.cos(), MIDDLE.1 + radius * angle.sin())
    };
    let ((x0, y0), (x1, y1)) = (point(from), point(to));
    let large = u8::from((to - from) / 100.0 * TURNS > 180.0);
    format!("M{x0:.2} {y0:.2}A{radius} {radius} 0 {large} 1 {x1:.2} {y1:.2}")
}

/// How large the number is written, so that it fits between the arms of the arc.
fn letters(figure: &Figure) -> &'static str {
    match figure.number.chars().count() + figure.unit.chars().count() / 2 {
        0..=5 => "38",
        6..=7 => "31",
        8..=9 => "25",
        _ => "19",
    }
}

#[component]
pub fn Gauges(signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let all =
        memo(move || signals.shown.with(|widget| signals.living(widget, |series| gauges(series, widget))));
    let names = memo(move || all.read().iter().map(|one| one.name.clone()).enumerate().collect::<Vec<_>>());
    let alone = memo(move || names.read().len() < 2);
    view! {
        <div class="gauges" class:alone=alone>
            <Empty signals store/>
            {each(
                move || names.get(),
                |(n, name)| format!("{n} {name}"),
                move |(n, name)| {
                    let gauge = memo(move || all.read().get(n).cloned().unwrap_or_default());
                    view! { <One gauge name/> }
                },
            )}
        </div>
    }
}

#[component]
fn One(gauge: Memo<Gauge>, name: String) -> impl IntoView {
    let title = name.clone();
    let says = move || {
        let gauge = gauge.read();
        let Figure { number, unit } = &gauge.figure;
        format!("{number} {unit}{}", values::level_words(gauge.level))
    };
    let band = |band: Band| {
        let level = band.level;
        view! { <path class="band" data-level=level d=arc(BANDS, band.from, band.to)></path> }
    };
    let bands = memo(move || gauge.read().bands.clone());
    view! {
        <div
            class="gauge"
            role="meter"
            aria-label=name
            aria-valuemin=attr(move || gauge.read().min.to_string())
            aria-valuemax=attr(move || gauge.read().max.to_string())
            aria-valuenow=attr(move || { let gauge = gauge.read(); gauge.value.unwrap_or(gauge.min).to_string() })
            aria-valuetext=attr(says)
            data-level=attr(move || gauge.read().level)
        >
            <svg viewBox="0 0 200 158" aria-hidden="true">
                {live(move || bands.get().into_iter().map(band).collect_view())}
                <path class="scale" d=arc(ARC, 0.0, 100.0)></path>
                <path
                    class="full"
                    d=arc(ARC, 0.0, 100.0)
                    pathLength="100"
                    stroke-dasharray=attr(move || format!("{:.2} 200", gauge.read().full))
                ></path>
                <text class="number" x="100" y="104" text-anchor="middle" font-size=attr(move || letters(&gauge.read().figure))>
                    {live(move || gauge.read().figure.number.clone())}
                    <tspan class="unit" dx="4" font-size="17">{live(move || gauge.read().figure.unit.clone())}</tspan>
                </text>
                <text class="end" x="34" y="154" text-anchor="middle">{live(move || gauge.read().ends.0.clone())}</text>
                <text class="end" x="166" y="154" text-anchor="middle">{live(move || gauge.read().ends.1.clone())}</text>
            </svg>
            <p class="name" aria-hidden="true" title=title>{live(move || gauge.read().short.clone())}</p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind};

    #[test]
    fn the_bands_of_thresholds_fill_the_scale() {
        let band = |from, to, level| Band { from, to, level };
        let of = |options: &[(&str, f64)]| {
            let mut widget = Widget::new(Kind::Gauge, "", Frame::default());
            widget.options.extend(options.iter().map(|(name, at)| ((*name).to_owned(), (*at).into())));
            let thresholds = THRESHOLDS.map(|name| widget.number_option(name));
            bands(&thresholds, (0.0, 100.0), |value| values::level_by_thresholds(value, &widget))
        };
        assert_eq!(of(&[]), []);
        assert_eq!(
            of(&[("warn_at", 70.0), ("alert_at", 90.0)]),
            [band(0.0, 70.0, "ok"), band(70.0, 90.0, "warn"), band(90.0, 100.0, "alert")]
        );
        assert_eq!(of(&[("alert_at", 50.0)]), [band(0.0, 50.0, "ok"), band(50.0, 100.0, "alert")]);
        assert_eq!(of(&[("warn_at", 0.0)]), [band(0.0, 100.0, "warn")]);
        assert_eq!(
            of(&[("warn_at", 90.0), ("alert_at", 50.0)]),
            [band(0.0, 50.0, "ok"), band(50.0, 100.0, "alert")]
        );
        assert_eq!(
            of(&[("alert_below", 10.0), ("warn_below", 20.0), ("alert_at", 95.0)]),
            [
                band(0.0, 10.0, "alert"),
                band(10.0, 20.0, "warn"),
                band(20.0, 95.0, "ok"),
                band(95.0, 100.0, "alert")
            ]
        );
        assert_eq!(of(&[("alert_below", 200.0)]), [band(0.0, 100.0, "alert")], "beyond the scale");
    }

    #[test]
    fn a_value_fills_its_part_of_the_arc() {
        let series = Series { name: "a".to_owned(), points: vec![(0, Some(50.0))], ..Series::default() };
        let mut widget = Widget::new(Kind::Gauge, "", Frame::default());
        widget.options.insert("max".to_owned(), 200.into());
        let all = gauges(&[&series], &widget);
        assert_eq!((all[0].full, all[0].min, all[0].max), (25.0, 0.0, 200.0));
        assert_eq!(arc(76.0, 0.0, 100.0), "M34.18 134.00A76 76 0 1 1 165.82 134.00");
        let none = Series { points: Vec::new(), ..series };
        let all = gauges(&[&none], &widget);
        assert_eq!((all[0].full, &*all[0].figure.number), (0.0, "–"));
    }
}
