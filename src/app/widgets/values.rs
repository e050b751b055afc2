//! The one value that a series comes down to, and what it means to a widget.

use crate::app::format::{self, Figure};
use crate::dashboard::mapping::mapped;
use crate::dashboard::{Kind, Widget, lines};
use crate::sync::protocol::Series;

/// Points of a series.
pub type Points = [(u64, Option<f64>)];

/// The custom properties of the series' colours, in turn.
pub const SERIES_COLORS: [&str; 10] =
    ["--s1", "--s2", "--s3", "--s4", "--s5", "--s6", "--s7", "--s8", "--s9", "--s10"];

/// The colour of a series, by its place.
pub fn color(n: usize) -> String {
    format!("var({})", SERIES_COLORS[n % SERIES_COLORS.len()])
}

/// The custom property of the colour that a line has by name, by its place in [`lines::COLORS`].
pub fn line_color(n: usize) -> &'static str {
    // What is not in the palette is red.
    SERIES_COLORS.get(n).copied().unwrap_or("--bad")
}

/// What a series comes down to: `mean`, `min`, `max`, `sum`, and its last value for anything else.
pub fn value(points: &Points, shows: &str) -> Option<f64> {
    let mut values = points.iter().filter_map(|(_, value)| *value);
    match shows {
        "mean" => {
            let (count, sum) = values.fold((0u32, 0.0), |(count, sum), value| (count + 1, sum + value));
            (count > 0).then(|| sum / f64::from(count))
        }
        "min" => values.reduce(f64::min),
        "max" => values.reduce(f64::max),
        "sum" => values.reduce(|sum, value| sum + value),
        _ => values.next_back(),
    }
}

/// The series whose value is one of now, where the last values are shown: one that is not in the newest answers of
/// its source any more has none. Where the source is not asked, or all of a time counts, all of them.
pub fn living<'a>(series: &'a [Series], shows: &str, every_ms: Option<u64>) -> Vec<&'a Series> {
    let last = |one: &Series| one.points.iter().rev().find(|(_, value)| value.is_some()).map(|(at, _)| *at);
    let counts_all = matches!(shows, "mean" | "min" | "max" | "sum");
    let newest = series.iter().filter_map(last).max();
    let (Some(every), Some(newest), false) = (every_ms, newest, counts_all) else {
        return series.iter().collect();
    };
    let has_now = |one: &&Series| last(one).is_some_and(|last| last + 2 * every > newest);
    series.iter().filter(has_now).collect()
}

/// Series' names as they are told apart next to each other: where all have labels behind the same name, the
/// labels alone.
pub fn told_apart(names: &[&str]) -> Vec<String> {
    fn split(name: &str) -> Option<(&str, &str)> {
        // A backslash before a brace makes it part of the name.
        let brace = name.match_indices('{').find(|(at, _)| !name[..*at].ends_with('\\'))?.0;
        Some((&name[..brace], name[brace + 1..].strip_suffix('}')?))
    }
    let parts: Option<Vec<(&str, &str)>> = names.iter().map(|name| split(name)).collect();
    match parts {
        Some(parts) if parts.len() > 1 && parts.iter().all(|(name, _)| *name == parts[0].0) => {
            parts.iter().map(|(_, labels)| (*labels).to_owned()).collect()
        }
        _ => names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// The digits that a widget asks for.
pub fn decimals(widget: &Widget) -> Option<usize> {
    widget.options.get("decimals").and_then(serde_json::Value::as_u64).map(|decimals| decimals as usize)
}

/// The unit of a series in a widget: its own, else that of its axis, else that of all.
pub fn unit_of<'a>(series: &str, widget: &'a Widget) -> &'a str {
    if widget.kind == Kind::Timeseries {
        let line = lines::of(widget.text_option("lines"), series);
        let of_right =
            || Some(widget.text_option("right_unit")).filter(|unit| line.right && !unit.is_empty());
        return line.unit.or_else(of_right).unwrap_or_else(|| widget.text_option("unit"));
    }
    match widget.text_option(&format!("unit.{series}")) {
        "" => widget.text_option("unit"),
        own => own,
    }
}

/// How a widget writes a value of a series: the words that it has for it, else the number in its unit; and what it
/// has where there is none.
pub fn figure(value: Option<f64>, series: &str, widget: &Widget) -> Figure {
    let only = |text: &str| Figure { number: text.to_owned(), unit: String::new() };
    let words = mapped(widget.text_option("mappings"), value).map_or("", |mapped| mapped.text);
    match value {
        _ if !words.is_empty() => only(words),
        Some(value) => format::figure(value, unit_of(series, widget), decimals(widget)),
        None if !widget.text_option("no_value").is_empty() => only(widget.text_option("no_value")),
        None => only(format::NO_VALUE),
    }
}

/// The same as one string.
pub fn words(value: Option<f64>, series: &str, widget: &Widget) -> String {
    figure(value, series, widget).to_string()
}

/// `ok`, `warn` or `alert`, by the words that a widget has for the value, else by its thresholds.
pub fn level(value: Option<f64>, widget: &Widget) -> &'static str {
    if let Some(level) = mapped(widget.text_option("mappings"), value).and_then(|mapped| mapped.level) {
        return level;
    }
    value.map_or("ok", |value| level_by_thresholds(value, widget))
}

/// The level of a value by the widget's thresholds alone.
pub fn level_by_thresholds(value: f64, widget: &Widget) -> &'static str {
    let past =
        |from: &str, below: &str| is_past(value, widget.number_option(from), widget.number_option(below));
    if past("alert_at", "alert_below") {
        "alert"
    } else if past("warn_at", "warn_below") {
        "warn"
    } else {
        "ok"
    }
}

/// True from one threshold on, and below the other. Where the first is the smaller, true between the two.
fn is_past(value: f64, from: Option<f64>, below: Option<f64>) -> bool {
    match (from, below) {
        (Some(from), Some(below)) if from < below => (from..below).contains(&value),
        (from, below) => from.is_some_and(|from| value >= from) || below.is_some_and(|below| value < below),
    }
}

/// What a level is to those who do not see its colour.
pub fn level_words(level: &str) -> &'static str {
    match level {
        "warn" => ", past the warning",
        "alert" => ", past the alert",
        _ => "",
    }
}

/// The ends of a widget's scale: what its options say, and else what holds nothing and all of the values.
pub fn scale(values: impl Iterator<Item = f64>, widget: &Widget) -> (f64, f64) {
    let (least, most) =
        values.fold((0.0, 0.0), |(least, most): (f64, f64), value| (least.min(value), most.max(value)));
    let percent = match widget.text_option("unit") {
        "%" | "percent" if most <= 100.0 => Some(100.0),
        "0-1" | "percentunit" if most <= 1.0 => Some(1.0),
        _ => None,
    };
    let min = widget.number_option("min").unwrap_or(least);
    let max = widget.number_option("max").or(percent.filter(|_| least >= 0.0)).unwrap_or(most);
    if max > min { (min, max) } else { (min, min + 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_is_gone_has_no_value_of_now() {
        let series = |name: &str, times: &[u64]| Series {
            name: name.to_owned(),
            points: times.iter().map(|at| (*at, Some(1.0))).collect(),
            ..Series::default()
        };
        let all =
            [series("a", &[10, 20]), series("b", &[10, 20, 30]), series("c", &[30, 40]), series("d", &[])];
        let names = |shows, every_ms| -> Vec<&str> {
            living(&all, shows, every_ms).into_iter().map(|one| one.name.as_str()).collect()
        };
        assert_eq!(names("last", Some(10)), ["b", "c"], "within two refreshes");
        assert_eq!(names("max", Some(10)), ["a", "b", "c", "d"], "all of the time counts");
        assert_eq!(names("last", None), ["a", "b", "c", "d"], "nobody says how often points come");
    }
    use crate::dashboard::{Frame, Kind};

    #[test]
    fn a_series_comes_down_to_what_is_asked() {
        let points = [(0, Some(2.0)), (1, None), (2, Some(6.0)), (3, Some(1.0)), (4, None)];
        for (shows, expected) in
            [("", 1.0), ("last", 1.0), ("mean", 3.0), ("min", 1.0), ("max", 6.0), ("sum", 9.0)]
        {
            assert_eq!(value(&points, shows), Some(expected), "{shows}");
            assert_eq!(value(&[(0, None)], shows), None, "{shows}");
        }
    }

    #[test]
    fn a_name_that_all_share_is_left_out() {
        for (names, expected) in [
            (&["cpu{core=0}", "cpu{core=1}"][..], &["core=0", "core=1"][..]),
            (&["{a=\"1\"}", "{a=\"2\"}"], &["a=\"1\"", "a=\"2\""]),
            (&["a\\{b{c=1}", "a\\{b{c=2}"], &["c=1", "c=2"]),
            (&["cpu{core=0}"], &["cpu{core=0}"]),
            (&["cpu{core=0}", "cpu"], &["cpu{core=0}", "cpu"]),
            (&["cpu{core=0}", "io{core=0}"], &["cpu{core=0}", "io{core=0}"]),
            (&["up{a=1} (1)", "up{a=1} (2)"], &["up{a=1} (1)", "up{a=1} (2)"]),
            (&["a", "b"], &["a", "b"]),
            (&[], &[]),
        ] {
            assert_eq!(told_apart(names), expected);
        }
    }

    #[test]
    fn words_stand_for_the_values_that_have_some() {
        let mut widget = Widget::new(Kind::Stat, "", Frame::default());
        widget.options.insert("unit".to_owned(), "ms".into());
        let words = |value: Option<f64>, widget: &Widget| words(value, "a", widget);
        assert_eq!((&*words(Some(5.0), &widget), &*words(None, &widget)), ("5 ms", format::NO_VALUE));
        widget.options.insert("unit.b".to_owned(), "bytes".into());
        assert_eq!(super::words(Some(2048.0), "b", &widget), "2 KiB");
        widget.options.insert("no_value".to_owned(), "0".into());
        widget.options.insert("mappings".to_owned(), "5 = Five\n6 = [warn]".into());
        for (value, expected) in [(Some(5.0), "Five"), (Some(6.0), "6 ms"), (Some(7.0), "7 ms"), (None, "0")]
        {
            assert_eq!(words(value, &widget), expected);
        }
        widget.options.insert("mappings".to_owned(), "none = Nothing".into());
        assert_eq!(words(None, &widget), "Nothing");
    }

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
        widget.options.insert("mappings".to_owned(), "7 = [ok] Lucky\nnone = [alert]".into());
        assert_eq!((level(Some(7.0), &widget), level(None, &widget)), ("ok", "alert"));
    }

    #[test]
    fn thresholds_below_and_between_count_too() {
        let of = |options: &[(&str, f64)], values: &[f64]| {
            let mut widget = Widget::new(Kind::Stat, "", Frame::default());
            widget.options.extend(options.iter().map(|(name, at)| ((*name).to_owned(), (*at).into())));
            values.iter().map(|value| level(Some(*value), &widget)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[("alert_below", 1.0)], &[0.0, 0.9, 1.0]), ["alert", "alert", "ok"]);
        // From 0 to below 1, and fine again from there on.
        assert_eq!(
            of(&[("alert_at", 0.0), ("alert_below", 1.0)], &[-1.0, 0.0, 0.9, 1.0]),
            ["ok", "alert", "alert", "ok"]
        );
        let both = [("alert_below", 1.0), ("warn_below", 2.0), ("warn_at", 8.0), ("alert_at", 9.0)];
        assert_eq!(of(&both, &[0.0, 1.0, 2.0, 8.0, 9.0]), ["alert", "warn", "ok", "warn", "alert"]);
    }

    #[test]
    fn a_scale_holds_zero_and_every_value() {
        let mut widget = Widget::new(Kind::Bar, "", Frame::default());
        let of = |widget: &Widget, values: &[f64]| scale(values.iter().copied(), widget);
        assert_eq!(of(&widget, &[3.0, 8.0]), (0.0, 8.0));
        assert_eq!(of(&widget, &[-3.0, -8.0]), (-8.0, 0.0));
        assert_eq!(of(&widget, &[]), (0.0, 1.0));
        widget.options.insert("unit".to_owned(), "%".into());
        assert_eq!(of(&widget, &[30.0]), (0.0, 100.0));
        assert_eq!(of(&widget, &[130.0]), (0.0, 130.0));
        widget.options.insert("min".to_owned(), 50.into());
        assert_eq!(of(&widget, &[30.0]), (50.0, 100.0));
        widget.options.insert("max".to_owned(), 40.into());
        assert_eq!(of(&widget, &[30.0]), (50.0, 51.0));
    }
}
