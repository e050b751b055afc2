//! Values in their units: bytes, bits, durations, percent, rates, and plain numbers with a prefix.

use super::locale;

/// A number and the unit that stands beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    pub number: String,
    pub unit: String,
}

/// What shows where there is no value.
pub const NO_VALUE: &str = "–";

/// Units that are offered, with what they do. Any other word is a unit too.
pub const UNITS: [(&str, &str); 18] = [
    ("%", "percent, 0 to 100"),
    ("0-1", "percent, 0 to 1"),
    ("bytes", "KiB, MiB, GiB"),
    ("decbytes", "kB, MB, GB"),
    ("bits", "kbit, Mbit, Gbit"),
    ("bytes/s", "KiB/s, MiB/s"),
    ("decbytes/s", "kB/s, MB/s"),
    ("bits/s", "kbit/s, Mbit/s"),
    ("ns", "a duration, in nanoseconds"),
    ("us", "a duration, in microseconds"),
    ("ms", "a duration, in milliseconds"),
    ("s", "a duration, in seconds"),
    ("min", "a duration, in minutes"),
    ("h", "a duration, in hours"),
    ("/s", "a rate"),
    ("req/s", "requests per second"),
    ("W", "with prefixes: mW, kW, MW"),
    ("Hz", "with prefixes: kHz, MHz"),
];

const IEC: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DECIMAL: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
const BITS: [&str; 6] = ["bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit"];
const PREFIXES: [&str; 6] = ["", "k", "M", "G", "T", "P"];
/// Units that take prefixes in both directions, tight at their front.
const SI: [&str; 9] = ["V", "A", "W", "Wh", "J", "Hz", "Pa", "g", "m"];
/// Steps of durations, in milliseconds.
const MS: f64 = 1.0;
const SECOND: f64 = 1000.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;
/// Digits after the point that anybody reads.
const MOST_PLACES: usize = 6;

/// How values of a unit are written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure<'a> {
    /// With a factor, and `%`.
    Percent(f64),
    /// In steps of a base, each with a name.
    Steps(f64, [&'static str; 6]),
    /// So many milliseconds each.
    Duration(f64),
    /// With prefixes from `n` to `P`.
    Si(&'a str),
    /// Anything that is counted, with `k` and `M` from ten thousand on.
    Counted(&'a str),
}

impl<'a> Measure<'a> {
    /// What a unit means, and `/s` or the like where it is a rate.
    fn of(unit: &'a str) -> (Self, &'a str) {
        let unit = match unit {
            "percent" => "%",
            "percentunit" => "0-1",
            "Bps" => "bytes/s",
            "bps" => "bits/s",
            "ops" => "ops/s",
            "rps" | "reqps" => "req/s",
            "hertz" => "Hz",
            "short" | "none" => "",
            unit => unit,
        };
        let (base, rate) = match unit.rfind('/') {
            Some(at) if at > 0 => unit.split_at(at),
            _ => (unit, ""),
        };
        let measure = match base {
            "%" => Self::Percent(1.0),
            "0-1" => Self::Percent(100.0),
            "bytes" | "B" => Self::Steps(1024.0, IEC),
            "decbytes" => Self::Steps(1000.0, DECIMAL),
            "bits" | "bit" => Self::Steps(1000.0, BITS),
            "ns" => Self::Duration(MS / 1e6),
            "us" | "µs" => Self::Duration(MS / 1e3),
            "ms" => Self::Duration(MS),
            "s" => Self::Duration(SECOND),
            "min" => Self::Duration(MINUTE),
            "h" => Self::Duration(HOUR),
            "d" => Self::Duration(DAY),
            si if SI.contains(&si) => Self::Si(si),
            _ => return (Self::Counted(unit), ""),
        };
        (measure, rate)
    }
}

/// What values of about one size are multiplied with, and what stands beside them.
#[derive(Clone, Debug, PartialEq)]
struct Scale {
    factor: f64,
    unit: String,
}

impl Scale {
    /// The scale in which a value of this size reads well.
    fn of(size: f64, unit: &str) -> Self {
        let size = size.abs();
        let (measure, rate) = Measure::of(unit);
        let (factor, name) = match measure {
            Measure::Percent(factor) => (factor, "%".to_owned()),
            Measure::Steps(base, names) => {
                let (factor, name) = step(size, base, &names);
                (factor, name.to_owned())
            }
            Measure::Duration(ms) => {
                let (of, name) = duration(size * ms, unit);
                (ms / of, name.to_owned())
            }
            Measure::Si(name) => {
                let (factor, prefix) = prefix(size);
                (factor, format!("{prefix}{name}"))
            }
            Measure::Counted(name) if size < 10_000.0 => (1.0, name.to_owned()),
            Measure::Counted(name) => {
                let (factor, prefix) = step(size, 1000.0, &PREFIXES);
                let tight = name.is_empty() || name.starts_with('/');
                (factor, if tight { format!("{prefix}{name}") } else { format!("{prefix} {name}") })
            }
        };
        Self { factor, unit: format!("{name}{rate}") }
    }
}

/// Formats a value in a unit, one of [`UNITS`] or any other word.
///
/// `decimals` fixes the digits after the point; without it there are about three significant ones.
pub fn figure(value: f64, unit: &str, decimals: Option<usize>) -> Figure {
    if !value.is_finite() {
        return Figure { number: NO_VALUE.to_owned(), unit: String::new() };
    }
    let Scale { factor, unit } = Scale::of(value, unit);
    let scaled = value * factor;
    Figure { number: digits(scaled, decimals.unwrap_or_else(|| places(scaled))), unit }
}

/// The figure as one string, for labels and tables.
pub fn in_words(value: Option<f64>, unit: &str, decimals: Option<usize>) -> String {
    let Some(value) = value else { return NO_VALUE.to_owned() };
    let Figure { number, unit } = figure(value, unit, decimals);
    joined(&number, &unit)
}

/// Labels for the values of an axis: all in one scale, with as many digits as tell them apart.
pub fn axis(values: &[f64], unit: &str) -> Vec<String> {
    let most = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let Scale { factor, unit } = Scale::of(most, unit);
    let step = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(f64::INFINITY, f64::min) * factor;
    let enough = |places: &usize| {
        let fine = step * 10f64.powi(*places as i32);
        fine >= 1.0 && (fine - fine.round()).abs() < fine * 1e-3
    };
    let places = if step.is_finite() { (0..MOST_PLACES).find(enough).unwrap_or(MOST_PLACES) } else { 2 };
    values.iter().map(|value| joined(&digits(value * factor, places), &unit)).collect()
}

/// What an axis of a unit steps by: halves of its names rather than of tens; `None` where tens are right.
pub fn axis_steps(unit: &str) -> Option<Vec<f64>> {
    match Measure::of(unit).0 {
        Measure::Steps(1024.0, _) => Some((0..56).map(|n| 2f64.powi(n)).collect()),
        Measure::Duration(ms) => {
            let tens = (-6..3).flat_map(|n| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(n)));
            let seconds = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0].map(|n| n * SECOND);
            let minutes = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0].map(|n| n * MINUTE);
            let hours = [1.0, 2.0, 4.0, 6.0, 12.0].map(|n| n * HOUR);
            let days = (0..5).flat_map(|n| [1.0, 2.0, 5.0].map(|digit| digit * DAY * 10f64.powi(n)));
            let all = tens.chain(seconds).chain(minutes).chain(hours).chain(days);
            Some(all.map(|step| step / ms).collect())
        }
        _ => None,
    }
}

fn joined(number: &str, unit: &str) -> String {
    let tight = unit.is_empty() || unit.starts_with('/');
    if tight { format!("{number}{unit}") } else { format!("{number} {unit}") }
}

fn step<'a>(size: f64, base: f64, names: &[&'a str]) -> (f64, &'a str) {
    let (mut factor, mut step) = (1.0, 0);
    while size * factor >= base && step + 1 < names.len() {
        factor /= base;
        step += 1;
    }
    (factor, names[step])
}

fn prefix(size: f64) -> (f64, &'static str) {
    match size {
        0.0 => (1.0, ""),
        size if size < 1e-6 => (1e9, "n"),
        size if size < 1e-3 => (1e6, "µ"),
        size if size < 1.0 => (1e3, "m"),
        size => step(size, 1000.0, &PREFIXES),
    }
}

/// The milliseconds of the unit in which a duration reads well, and its name. Nothing at all reads as it
/// was given.
fn duration(ms: f64, given: &str) -> (f64, &'static str) {
    if ms == 0.0 {
        return if matches!(given, "s" | "min" | "h" | "d") { (SECOND, "s") } else { (MS, "ms") };
    }
    match ms {
        ms if ms < MS / 1e3 => (MS / 1e6, "ns"),
        ms if ms < MS => (MS / 1e3, "µs"),
        ms if ms < SECOND => (MS, "ms"),
        ms if ms < 2.0 * MINUTE => (SECOND, "s"),
        ms if ms < 2.0 * HOUR => (MINUTE, "min"),
        ms if ms < 2.0 * DAY => (HOUR, "h"),
        _ => (DAY, "d"),
    }
}

/// Digits after the point for about three significant ones in all.
fn places(value: f64) -> usize {
    match value.abs() {
        size if size >= 100.0 || size.fract() < 1e-9 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        size if size >= 0.01 => 3,
        size if size >= 0.001 => 4,
        _ => MOST_PLACES,
    }
}

fn digits(value: f64, places: usize) -> String {
    let places = places.min(MOST_PLACES);
    // What reads as zero has no sign.
    let value = if (value.abs() * 10f64.powi(places as i32)).round() == 0.0 { 0.0 } else { value };
    locale::digits(value, places).unwrap_or_else(|| plain(value, places))
}

/// As the server writes it, and a browser until the page is awake.
fn plain(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, ""), |(whole, fraction)| (whole, fraction));
    let mut out = String::from(sign);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well_in_their_units() {
        for (value, unit, decimals, expected) in [
            (1284.0, "", None, "1,284"),
            (0.0, "", None, "0"),
            (0.371, "%", None, "0.37 %"),
            (0.371, "0-1", None, "37.1 %"),
            (84_200.0, "", None, "84.2 k"),
            (-0.001, "", Some(1), "0.0"),
            (-1234.5, "", Some(1), "-1,234.5"),
            (0.000_42, "", None, "0.000420"),
            (1_572_864.0, "bytes", None, "1.50 MiB"),
            (1_572_864.0, "bytes/s", None, "1.50 MiB/s"),
            (1_500_000.0, "decbytes", None, "1.50 MB"),
            (1_500_000.0, "bits/s", None, "1.50 Mbit/s"),
            (2_000.0, "bps", None, "2 kbit/s"),
            (182.4, "ms", None, "182 ms"),
            (0.42, "ms", None, "420 µs"),
            (250.0, "ns", None, "250 ns"),
            (0.0, "s", None, "0 s"),
            (5400.0, "s", None, "90 min"),
            (90.0, "h", None, "3.75 d"),
            (12.0, "/s", None, "12/s"),
            (42_000.0, "/s", None, "42 k/s"),
            (12.0, "reqps", None, "12 req/s"),
            (42_000.0, "req/s", None, "42 k req/s"),
            (3.0, "orders", None, "3 orders"),
            (2_300.0, "W", None, "2.30 kW"),
            (0.002, "A", None, "2 mA"),
            (f64::NAN, "ms", None, "–"),
        ] {
            assert_eq!(in_words(Some(value), unit, decimals), expected, "{value} {unit}");
        }
        assert_eq!(in_words(None, "ms", None), NO_VALUE);
    }

    #[test]
    fn an_axis_has_one_scale_and_no_label_twice() {
        assert_eq!(axis(&[0.0, 0.25, 0.5], ""), ["0.00", "0.25", "0.50"]);
        assert_eq!(axis(&[0.0, 5.0, 10.0], "%"), ["0 %", "5 %", "10 %"]);
        assert_eq!(axis(&[0.0, 0.5, 1.0], "0-1"), ["0 %", "50 %", "100 %"]);
        let half = 512.0 * 1024.0 * 1024.0;
        assert_eq!(axis(&[0.0, half, 2.0 * half], "bytes"), ["0.0 GiB", "0.5 GiB", "1.0 GiB"]);
        assert_eq!(axis(&[0.0, 1_800.0, 3_600.0, 7_200.0], "s"), ["0.0 h", "0.5 h", "1.0 h", "2.0 h"]);
        assert_eq!(axis(&[7.0], ""), ["7.00"]);
        assert_eq!(axis(&[], ""), Vec::<String>::new());
    }

    #[test]
    fn steps_of_an_axis_are_those_of_its_unit_and_grow() {
        for unit in ["bytes", "bytes/s", "s", "ms", "h"] {
            let steps = axis_steps(unit).expect("these units have steps of their own");
            assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{unit}: {steps:?}");
        }
        assert_eq!(axis_steps("%"), None);
    }
}
