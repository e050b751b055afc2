//! One number, big, with its recent course below and a colour past its thresholds; or one for each series.

use crate::app::dynamic::{attr, each, live, memo};
use leptos::html::Div;
use leptos::prelude::*;

use super::empty::Empty;
use super::values;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::dom;
use crate::app::format::{self, Figure};
use crate::app::pasted::Pasted;
use crate::app::time::words;
use crate::dashboard::Widget;
use crate::sync::protocol::Series;

/// Points of the sparkline; more than this many pixels are not there to draw them.
const SPARK_POINTS: usize = 120;
/// The sparkline's own units; it is stretched to its place. Whole numbers of them are fine enough to draw, and
/// quick to write and read.
const SPARK: (f64, f64) = (3000.0, 380.0);

/// Numbers of one widget: more of them nobody reads at a glance.
const MAX_NUMBERS: usize = 60;

/// One number, as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
struct Number {
    /// The name of its series as it is told from the others; empty where it does not show.
    name: String,
    figure: Figure,
    level: &'static str,
    /// True where there is a value.
    has_value: bool,
}

/// The numbers of a widget: of its first series, or of each. Before the source has answered there is nothing to
/// say of no value.
fn numbers(series: &[&Series], widget: &Widget, answered: bool) -> Vec<Number> {
    let most = if widget.value("each") == true { MAX_NUMBERS } else { 1 };
    let shown = &series[..series.len().min(most)];
    let names = values::told_apart(&shown.iter().map(|one| &*one.name).collect::<Vec<_>>());
    let mode = widget.text_option("text_mode");
    let (shows, several) = (widget.text_option("shows"), shown.len() > 1);
    let number = |(one, name): (&&Series, String)| {
        let value = values::value(&one.points, shows);
        let figure = match mode {
            // A value that is not there has no name to show for it.
            "name" if value.is_some() => Figure { number: name.clone(), unit: String::new() },
            _ => values::figure(value, &one.name, widget),
        };
        let named = match mode {
            "value" | "name" => false,
            "value_and_name" => true,
            _ => several,
        };
        let name = if named { name } else { String::new() };
        Number { name, figure, level: values::level(value, widget), has_value: value.is_some() }
    };
    let unknown = || Figure { number: format::NO_VALUE.to_owned(), unit: String::new() };
    let none = || Number {
        figure: if answered { values::figure(None, "", widget) } else { unknown() },
        level: if answered { values::level(None, widget) } else { "ok" },
        ..Number::default()
    };
    match shown.is_empty() {
        true => vec![none()],
        false => shown.iter().zip(names).map(number).collect(),
    }
}

#[component]
pub fn Stat(signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let all = memo(move || {
        let answered = signals.answered();
        signals.shown.with(|widget| signals.living(widget, |series| numbers(series, widget, answered)))
    });
    let several = memo(move || all.read().len() > 1);
    live(move || match several.get() {
        true => view! { <Numbers all signals/> }.into_any(),
        false => view! { <Only all signals store/> }.into_any(),
    })
}

/// A number for each series.
#[component]
fn Numbers(all: Memo<Vec<Number>>, signals: WidgetSignals) -> impl IntoView {
    let places = memo(move || (0..all.read().len()).collect::<Vec<usize>>());
    let more = memo(move || {
        let more = |series: &[&Series]| series.len().saturating_sub(MAX_NUMBERS);
        signals.shown.with(|widget| signals.living(widget, more))
    });
    let number = move |n: usize| {
        let one = memo(move || all.read().get(n).cloned().unwrap_or_default());
        view! {
            <li class="stat" data-level=attr(move || one.read().level) title=attr(move || one.read().name.clone())>
                <span class="name">{live(move || one.read().name.clone())}</span>
                <BigNumber number=one/>
            </li>
        }
    };
    view! {
        <div class="stats" data-testid="stats" tabindex="0" role="group" aria-label="Numbers">
            <ul>{each(move || places.get(), usize::to_string, number)}</ul>
            {live(move || (more.get() > 0).then(|| {
                let says = format!("and {} more", format::count(more.get(), "series", "series"));
                view! { <p class="quiet">{says}</p> }
            }))}
        </div>
    }
}

#[component]
fn BigNumber(number: Memo<Number>) -> impl IntoView {
    let chars = move || number.with(|number| width_of(&number.figure).to_string());
    view! {
        <p class="figure" style:--chars=attr(chars)>
            <span class="number">{live(move || number.read().figure.number.clone())}</span>
            " "
            <span class="unit">{live(move || number.read().figure.unit.clone())}</span>
            <span class="sr-only">{live(move || values::level_words(number.read().level))}</span>
        </p>
    }
}

/// How wide a figure is, in letters of its number: by that it is written as large as it shows whole.
fn width_of(Figure { number, unit }: &Figure) -> f64 {
    const UNIT: f64 = 0.5;
    number.chars().count() as f64 + UNIT * unit.chars().count() as f64
}

/// Reads the points of the series whose number shows.
fn first<T>(signals: WidgetSignals, read: impl FnOnce(&values::Points) -> T) -> T {
    signals.shown.with(|widget| {
        signals.living(widget, |series| read(series.first().map_or(&[][..], |first| &first.points)))
    })
}

/// The one number of a widget, with its course.
#[component]
fn Only(all: Memo<Vec<Number>>, signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let number = memo(move || all.read().first().cloned().unwrap_or_default());
    let delta = memo(move || {
        let change = signals.shown.with(|widget| {
            let of = |first: &&Series| change(&first.points, values::unit_of(&first.name, widget));
            let wanted = widget.value("delta") == true;
            wanted.then(|| signals.living(widget, |series| series.first().and_then(of)))?
        })?;
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
        first(signals, |points| spark_path(points, min, max))
    });
    // What stands there in place of a value says all that there is to say.
    let empty = memo(move || {
        let number = number.read();
        !number.has_value && number.figure.number == format::NO_VALUE
    });
    view! {
        <div class="stat" node_ref=place data-level=attr(move || number.read().level)>
            {live(move || empty.get().then(|| view! { <Empty signals store/> }))}
            <BigNumber number/>
            {live(move || {
                let name = number.read().name.clone();
                (!name.is_empty()).then(|| view! { <p class="name">{name}</p> })
            })}
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
    use crate::dashboard::{Frame, Kind};

    #[test]
    fn a_number_says_how_much_room_it_takes() {
        let number = Number {
            figure: Figure { number: "39,432,192".to_owned(), unit: "ms".to_owned() },
            ..Number::default()
        };
        let html = Owner::new_root(None).with(|| {
            let number = memo(move || number.clone());
            view! { <BigNumber number/> }.to_html()
        });
        assert!(html.contains("--chars:11"), "{html}");
    }

    #[test]
    fn numbers_are_of_the_first_series_or_of_each() {
        let one = |name: &str, value| Series {
            name: name.to_owned(),
            points: vec![(0, value)],
            ..Series::default()
        };
        let series = [one("a{code=200}", Some(5.0)), one("a{code=500}", Some(9.0)), one("a{code=404}", None)];
        let mut widget = Widget::new(Kind::Stat, "", Frame::default());
        let reads = |widget: &Widget, series: &[Series]| {
            let read = |one: Number| (one.name, one.figure.to_string(), one.level);
            numbers(&series.iter().collect::<Vec<_>>(), widget, true)
                .into_iter()
                .map(read)
                .collect::<Vec<_>>()
        };
        let row = |name: &str, text: &str, level| (name.to_owned(), text.to_owned(), level);
        assert_eq!(reads(&widget, &series), [row("", "5", "ok")]);
        widget.options.insert("each".to_owned(), true.into());
        widget.options.insert("alert_at".to_owned(), 9.into());
        let all = [row("code=200", "5", "ok"), row("code=500", "9", "alert"), row("code=404", "–", "ok")];
        assert_eq!(reads(&widget, &series), all);
        assert_eq!(reads(&widget, &series[..1]), [row("", "5", "ok")]);
        widget.options.insert("text_mode".to_owned(), "name".into());
        assert_eq!(reads(&widget, &series[..1]), [row("", "a{code=200}", "ok")]);
        assert_eq!(reads(&widget, &[]), [row("", "–", "ok")]);
        widget.options.insert("text_mode".to_owned(), "value_and_name".into());
        widget.options.insert("no_value".to_owned(), "0".into());
        assert_eq!(reads(&widget, &series[2..]), [row("a{code=404}", "0", "ok")]);
        assert_eq!(reads(&widget, &[]), [row("", "0", "ok")]);
        assert_eq!(numbers(&[], &widget, false)[0].figure.to_string(), "–", "nobody knows yet");
        let many = vec![one("a", Some(1.0)); MAX_NUMBERS + 1];
        assert_eq!(reads(&widget, &many).len(), MAX_NUMBERS);
    }

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
