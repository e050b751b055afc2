//! Numbers, times and names as people read them. The same everywhere: no locale, no clock.

use crate::dashboard::Kind;

/// A number and the unit that stands beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    pub number: String,
    pub unit: String,
}

/// What shows where there is no value.
pub const NO_VALUE: &str = "–";

/// Formats a value in a unit.
///
/// `bytes` and `B/s` scale by 1024, `ms` and `s` stay readable from microseconds to hours, `%` is shown
/// as it is, and any other unit scales by 1000 with `k`, `M`, `G`. `decimals` fixes the digits after
/// the point; without it there are about three significant ones.
pub fn figure(value: f64, unit: &str, decimals: Option<usize>) -> Figure {
    if !value.is_finite() {
        return Figure { number: NO_VALUE.to_owned(), unit: String::new() };
    }
    let (scaled, unit) = match unit {
        "bytes" | "B" => steps(value, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"]),
        "bytes/s" | "B/s" => steps(value, 1024.0, &["B/s", "KiB/s", "MiB/s", "GiB/s"]),
        "s" => duration(value * 1000.0),
        "ms" => duration(value),
        "%" => (value, "%".to_owned()),
        other => {
            let (scaled, prefix) = steps(value, 1000.0, &["", "k", "M", "G", "T"]);
            if value.abs() < 10_000.0 {
                (value, other.to_owned())
            } else if other.is_empty() || other.starts_with('/') {
                (scaled, format!("{prefix}{other}"))
            } else {
                (scaled, format!("{prefix} {other}"))
            }
        }
    };
    Figure { number: digits(scaled, decimals), unit }
}

/// The figure as one string, for labels and tables.
pub fn in_words(value: Option<f64>, unit: &str, decimals: Option<usize>) -> String {
    let Some(value) = value else { return NO_VALUE.to_owned() };
    let Figure { number, unit } = figure(value, unit, decimals);
    let tight = unit.is_empty() || unit.starts_with('/');
    if tight { format!("{number}{unit}") } else { format!("{number} {unit}") }
}

fn steps(value: f64, base: f64, names: &[&str]) -> (f64, String) {
    let mut scaled = value;
    let mut step = 0;
    while scaled.abs() >= base && step + 1 < names.len() {
        scaled /= base;
        step += 1;
    }
    (scaled, names[step].to_owned())
}

fn duration(ms: f64) -> (f64, String) {
    let size = ms.abs();
    let (scaled, unit) = if size == 0.0 {
        (0.0, "ms")
    } else if size < 1.0 {
        (ms * 1000.0, "µs")
    } else if size < 1000.0 {
        (ms, "ms")
    } else if size < 120_000.0 {
        (ms / 1000.0, "s")
    } else if size < 7_200_000.0 {
        (ms / 60_000.0, "min")
    } else {
        (ms / 3_600_000.0, "h")
    };
    (scaled, unit.to_owned())
}

fn digits(value: f64, decimals: Option<usize>) -> String {
    let places = decimals.unwrap_or_else(|| match value.abs() {
        size if size >= 100.0 || size.fract() < 1e-9 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    });
    let text = format!("{value:.places$}");
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, ""), |(whole, fraction)| (whole, fraction));
    let mut out = String::from(if rest.bytes().any(|b| (b'1'..=b'9').contains(&b)) { sign } else { "" });
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// How long ago something was: `now`, `40 s`, `5 min`, `3 h`, `12 d`.
pub fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => "now".to_owned(),
        1..=99 => format!("{s} s"),
        100..=5_999 => format!("{} min", s / 60),
        6_000..=172_799 => format!("{} h", s / 3600),
        _ => format!("{} d", s / 86_400),
    }
}

/// When something was, against now: `just now`, `5 min ago`.
pub fn ago(then_ms: u64, now_ms: u64) -> String {
    match now_ms.saturating_sub(then_ms) {
        0..=9_999 => "just now".to_owned(),
        past => format!("{} ago", span(past)),
    }
}

/// One or two letters for a person's avatar.
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let (first, last) = (words.next(), words.next_back());
    let letters = match (first, last) {
        (Some(first), Some(last)) => format!("{first}{last}"),
        _ => name.chars().filter(|c| c.is_alphanumeric()).take(2).collect(),
    };
    if letters.is_empty() { "?".to_owned() } else { letters.to_uppercase() }
}

/// `1 widget`, `2 widgets`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// A widget's title in a sentence.
pub fn title(title: &str) -> String {
    if title.trim().is_empty() { "an untitled widget".to_owned() } else { format!("“{title}”") }
}

/// The name that people read of a field, of a widget or the dashboard.
pub fn field_label(field: &str) -> String {
    match field {
        "title" => return "Title".to_owned(),
        "conflicts" => return "What shows in a conflict".to_owned(),
        _ => {}
    }
    Kind::ALL.into_iter().find_map(|kind| kind.field(field)).map_or(field, |known| known.label).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well_in_their_units() {
        for (value, unit, decimals, expected) in [
            (1284.0, "", None, "1,284"),
            (0.0, "", None, "0"),
            (0.371, "%", None, "0.37 %"),
            (84_200.0, "", None, "84.2 k"),
            (-0.001, "", Some(1), "0.0"),
            (-1234.5, "", Some(1), "-1,234.5"),
            (1_572_864.0, "bytes", None, "1.50 MiB"),
            (182.4, "ms", None, "182 ms"),
            (0.42, "ms", None, "420 µs"),
            (5400.0, "s", None, "90 min"),
            (12.0, "/s", None, "12/s"),
            (42_000.0, "/s", None, "42 k/s"),
            (3.0, "orders", None, "3 orders"),
            (f64::NAN, "ms", None, "–"),
        ] {
            assert_eq!(in_words(Some(value), unit, decimals), expected, "{value} {unit}");
        }
        assert_eq!(in_words(None, "ms", None), NO_VALUE);
    }

    #[test]
    fn times_are_short() {
        assert_eq!(ago(1_000, 5_000), "just now");
        assert_eq!(ago(0, 40_000), "40 s ago");
        assert_eq!(ago(0, 300_000), "5 min ago");
        assert_eq!(span(86_400_000 * 3), "3 d");
    }

    #[test]
    fn initials_of_any_name() {
        assert_eq!(initials("Ada Lovelace"), "AL");
        assert_eq!(initials("grace"), "GR");
        assert_eq!(initials("Ada B. Lovelace"), "AL");
        assert_eq!(initials("  "), "?");
    }
}
