//! Values in their units, as people read them: never a zero, a whole or the next unit that they are not.

use std::fmt;

use super::locale;
use super::units::{DAY, HOUR, MINUTE, Measure, SECOND, Scale};
use crate::app::time::words;

/// A number and the unit that stands beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    pub number: String,
    pub unit: String,
}

/// What shows where there is no value.
pub const NO_VALUE: &str = "–";
/// Digits after the point that anybody reads.
const MAX_PLACES: usize = 8;
/// Digits after the point that tell labels of an axis apart, at most: a number has no more.
const MAX_AXIS_PLACES: usize = 15;
/// Below this a number has an exponent, as `1e-7`, and from the other one on.
const TINY: f64 = 1e-6;
const HUGE: f64 = 1e21;
/// What counting leaves of a whole: a number this near is one.
const NOISE: f64 = 1e-12;

/// Formats a value in a unit, one of [`UNITS`](super::UNITS) or any other word.
///
/// `decimals` fixes the digits after the point; without it there are about three significant ones.
pub fn figure(value: f64, unit: &str, decimals: Option<usize>) -> Figure {
    if !value.is_finite() {
        return Figure { number: NO_VALUE.to_owned(), unit: String::new() };
    }
    let scale = Scale::of(value, unit);
    let number = match Measure::of(unit).0 {
        Measure::Date => moment(value),
        _ => {
            let scaled = without_noise(scale.scaled(value));
            match decimals {
                Some(places) => digits(below(scaled, places, scale.limit), places),
                None => written(scaled, scale.limit),
            }
        }
    };
    Figure { number, unit: scale.unit }
}

/// The figure as one string, for labels and tables.
pub fn in_words(value: Option<f64>, unit: &str, decimals: Option<usize>) -> String {
    let Some(value) = value else { return NO_VALUE.to_owned() };
    figure(value, unit, decimals).to_string()
}

impl fmt::Display for Figure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&joined(&self.number, &self.unit))
    }
}

/// Labels for the values of an axis: all in one scale, with as many digits as tell them apart.
pub fn axis(values: &[f64], unit: &str) -> Vec<String> {
    if Measure::of(unit).0 == Measure::Date {
        return values.iter().map(|value| in_words(Some(*value), unit, None)).collect();
    }
    let most = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let scale = Scale::of(most, unit);
    let scaled: Vec<f64> = values.iter().map(|value| scale.scaled(*value)).collect();
    let step = scaled.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|step| *step > 0.0);
    let step = step.fold(f64::INFINITY, f64::min);
    let label = |number: String| joined(&number, &scale.unit);
    if step < TINY && scaled.iter().all(|value| value.abs() < TINY) {
        return scaled.iter().map(|value| label(written(*value, scale.limit))).collect();
    }
    let enough = |places: &usize| {
        let fine = step * 10f64.powi(*places as i32);
        fine >= 1.0 && (fine - fine.round()).abs() < fine * 1e-3
    };
    let places = if step.is_finite() { (0..6).find(enough).unwrap_or(6) } else { 2 };
    let different = count_different(values);
    // Steps that are no round numbers may need more digits.
    for places in places..=MAX_AXIS_PLACES {
        let labels: Vec<String> = scaled.iter().map(|value| label(digits(*value, places))).collect();
        if count_different(&labels) >= different {
            return labels;
        }
    }
    scaled.iter().map(|value| label(value.to_string())).collect()
}

/// How many of these are no others': an axis has few.
fn count_different<T: PartialEq>(all: &[T]) -> usize {
    (0..all.len()).filter(|at| !all[..*at].contains(&all[*at])).count()
}

/// What an axis of a unit steps by: halves of its names rather than of tens; `None` where tens are right.
pub fn axis_steps(unit: &str) -> Option<Vec<f64>> {
    let times = |ms: f64| {
        let tens = (-6..3).flat_map(|n| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(n)));
        let seconds = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0].map(|n| n * SECOND);
        let minutes = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0].map(|n| n * MINUTE);
        let hours = [1.0, 2.0, 4.0, 6.0, 12.0].map(|n| n * HOUR);
        let days = (0..5).flat_map(|n| [1.0, 2.0, 5.0].map(|digit| digit * DAY * 10f64.powi(n)));
        let all = tens.chain(seconds).chain(minutes).chain(hours).chain(days);
        Some(all.map(|step| step / ms).collect())
    };
    match Measure::of(unit).0 {
        Measure::Steps { base: 1024.0, .. } => Some((0..56).map(|n| 2f64.powi(n)).collect()),
        Measure::Duration(ms) => times(ms),
        Measure::Date => times(1.0),
        _ => None,
    }
}

fn joined(number: &str, unit: &str) -> String {
    let tight = unit.is_empty() || unit.starts_with('/');
    if tight { format!("{number}{unit}") } else { format!("{number} {unit}") }
}

/// A number with about three significant digits, and more where fewer would round it up to a whole or to the
/// limit, or would make it zero.
fn written(value: f64, limit: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(TINY..HUGE).contains(&size) {
        return with_exponent(value);
    }
    let least = places(size);
    let falsely_whole = |places: usize| {
        let shown = rounded(size, places);
        let more_digits = || shown.log10().floor() > size.log10().floor();
        shown > size
            && shown.fract() == 0.0
            && (least > 0 || (size < limit && shown >= limit) || more_digits())
    };
    match (least..=MAX_PLACES).find(|places| !falsely_whole(*places)) {
        Some(places) => digits(value, places),
        None => digits(cut(value, MAX_PLACES), MAX_PLACES),
    }
}

/// A value that these digits do not round up to the limit.
fn below(value: f64, places: usize, limit: f64) -> f64 {
    let reaches = value.abs() < limit && rounded(value.abs(), places) >= limit;
    if reaches { cut(value, places) } else { value }
}

/// Digits after the point for about three significant ones in all.
fn places(size: f64) -> usize {
    match size {
        size if size >= 100.0 || size.fract() == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        size if size >= 0.01 => 3,
        size if size >= 0.001 => 4,
        size if size >= 1e-4 => 6,
        size if size >= 1e-5 => 7,
        _ => MAX_PLACES,
    }
}

/// A whole number instead of one that differs from it by what counting leaves.
fn without_noise(value: f64) -> f64 {
    let whole = value.round();
    if (value - whole).abs() <= whole.abs() * NOISE { whole } else { value }
}

/// The nearest value with so many digits, halves away from zero.
fn rounded(value: f64, places: usize) -> f64 {
    let tens = 10f64.powi(places as i32);
    let many = value * tens;
    // A number this large has no digits after the point.
    if many.abs() < 9e15 { many.round() / tens } else { value }
}

/// The nearest value to zero with so many digits.
fn cut(value: f64, places: usize) -> f64 {
    let tens = 10f64.powi(places as i32);
    (value * tens).trunc() / tens
}

fn digits(value: f64, places: usize) -> String {
    let value = rounded(value, places);
    // What reads as zero has no sign.
    let value = if value == 0.0 { 0.0 } else { value };
    if value.abs() >= HUGE {
        return with_exponent(value);
    }
    locale::digits(value, places).unwrap_or_else(|| plain(value, places))
}

/// Three significant digits and an exponent, as `1e-7` or `3.3e-8`. The standard library's own way to write one
/// would bring its tables to the page.
fn with_exponent(value: f64) -> String {
    // In two steps, as the power of the smallest numbers is none itself.
    let (value, shift) = if value.abs() < 1e-290 { (value * 1e290, 290) } else { (value, 0) };
    let exponent = value.abs().log10().floor() as i32;
    let three = |exponent: i32| (value / 10f64.powi(exponent) * 100.0).round() / 100.0;
    // What rounds up to ten is one of the next.
    let exponent = if three(exponent).abs() < 10.0 { exponent } else { exponent + 1 };
    let text = format!("{:.2}", three(exponent));
    format!("{}e{}", text.trim_end_matches('0').trim_end_matches('.'), exponent - shift)
}

/// Unix milliseconds as a date and a time of day, by the clock of whoever reads it.
fn moment(ms: f64) -> String {
    /// The end of the last year that has four digits.
    const LAST_MS: f64 = 253_402_300_799_999.0;
    match (0.0..=LAST_MS).contains(&ms) {
        true => words::for_input(ms as u64).replace('T', " "),
        false => digits(ms, 0),
    }
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
    use crate::app::format::UNITS;
    use crate::dashboard::grafana::unit::{self, Unit};

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
            (2_000.0, "Bps", None, "2 kB/s"),
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
            // One prefix, never two: a unit may have one already.
            (65_536.0, "MB", None, "65.5 GB"),
            (1_234.5, "kB/s", None, "1.23 MB/s"),
            (65_536.0, "MiB", None, "64 GiB"),
            (10_000.0, "kbit/s", None, "10 Mbit/s"),
            (65_536.0, "binbits", None, "64 Kibit"),
            (0.000_42, "MB", None, "420 B"),
            (0.0, "MB", None, "0 MB"),
            (43_210.0, "kW", None, "43.2 MW"),
            (0.5, "kW", None, "500 W"),
            (1e12, "Hz", None, "1 THz"),
            (1e-13, "V", None, "100 fV"),
            (1_500.0, "MH/s", None, "1.50 GH/s"),
            // Plain numbers keep their digits.
            (43_210.0, "none", None, "43,210"),
            (43_210.0, "°C", None, "43,210 °C"),
            (43_210.0, "connections", None, "43,210 connections"),
            (43_210.0, "km/h", None, "43,210 km/h"),
            (1e15, "none", None, "1,000,000,000,000,000"),
            (1e24, "none", None, "1e24"),
            // What is not zero does not read as zero.
            (1e-7, "none", None, "1e-7"),
            (-3.3e-8, "", None, "-3.3e-8"),
            (0.000_012, "%", None, "0.0000120 %"),
            // What is not whole does not read as a whole above it.
            (99.9996, "%", None, "99.9996 %"),
            (0.999_999_999, "0-1", None, "99.9999999 %"),
            (99.999_999_999, "%", None, "99.99999999 %"),
            (99.97, "%", Some(1), "99.9 %"),
            (99.7, "%", Some(0), "99 %"),
            (100.0, "%", Some(1), "100.0 %"),
            (100.04, "%", None, "100 %"),
            (150.6, "%", None, "151 %"),
            (0.1 + 0.2 + 0.7, "", None, "1"),
            (1.999, "s", None, "1.999 s"),
            (999.96, "", None, "999.96"),
            (9_999.7, "", None, "9,999.7"),
            // Nor does it pass its prefix.
            (1_048_576.0, "bytes", None, "1 MiB"),
            (1_048_300.0, "bytes", None, "1,023.7 KiB"),
            (1_048_300.0, "bytes", Some(0), "1,023 KiB"),
            (999_999.0, "decbytes", None, "999.999 kB"),
            (1_099_511_627_776.0, "bytes", None, "1 TiB"),
            // Moments.
            (1e12, "date", None, "2001-09-09 01:46:40"),
            (1_709_164_800_000.0, "date", None, "2024-02-29 00:00:00"),
            (-1.0, "date", None, "-1"),
        ] {
            assert_eq!(in_words(Some(value), unit, decimals), expected, "{value} {unit}");
        }
        assert_eq!(in_words(None, "ms", None), NO_VALUE);
    }

    #[test]
    fn units_of_grafana_read_as_there() {
        for (id, value, expected) in [
            ("decmbytes", 65_536.0, "65.5 GB"),
            ("decbytes", 65_536.0, "65.5 kB"),
            ("mbytes", 65_536.0, "64 GiB"),
            ("kbytes", 10_000.0, "9.77 MiB"),
            ("bytes", 65_536.0, "64 KiB"),
            ("bits", 65_536.0, "64 Kibit"),
            ("decbits", 65_536.0, "65.5 kbit"),
            ("Bps", 65_536.0, "65.5 kB/s"),
            ("bps", 65_536.0, "65.5 kbit/s"),
            ("binBps", 65_536.0, "64 KiB/s"),
            ("binbps", 65_536.0, "64 Kibit/s"),
            ("KBs", 1_234.5, "1.23 MB/s"),
            ("KiBs", 1_536.0, "1.50 MiB/s"),
            ("Kbits", 10_000.0, "10 Mbit/s"),
            ("none", 43_210.0, "43,210"),
            ("", 43_210.0, "43,210"),
            ("short", 43_210.0, "43.2 k"),
            ("none", 1e-7, "1e-7"),
            ("celsius", 43_210.0, "43,210 °C"),
            ("velocitykmh", 43_210.0, "43,210 km/h"),
            ("connections", 43_210.0, "43,210 connections"),
            ("hertz", 1e12, "1 THz"),
            ("kwatt", 43_210.0, "43.2 MW"),
            ("mamp", 0.5, "500 µA"),
            ("reqps", 43_210.0, "43.2 k req/s"),
            ("percent", 99.9996, "99.9996 %"),
            ("percentunit", 0.999_96, "99.996 %"),
            ("s", 0.000_42, "420 µs"),
            ("timeticks", 150.0, "1.50 s"),
            ("dateTimeAsIso", 1e12, "2001-09-09 01:46:40"),
        ] {
            let Unit::Plain(unit) = unit::read(id) else { panic!("{id} is no unit here") };
            assert_eq!(in_words(Some(value), &unit, None), expected, "{id}");
        }
    }

    #[test]
    fn no_figure_is_rounded_to_what_it_is_not() {
        for (unit, _) in UNITS {
            if unit == "date" {
                continue;
            }
            for exponent in -14..18 {
                for digits in [1.0, 1.000_4, 1.023_999, 4.321, 9.994, 9.996, 9.999_96] {
                    let value = digits * 10f64.powi(exponent);
                    let Figure { number, .. } = figure(value, unit, None);
                    let read: f64 = number.replace(',', "").parse().expect("a number");
                    let scaled = without_noise(Scale::of(value, unit).scaled(value));
                    assert!(read > 0.0, "{value} {unit} reads as {number}");
                    assert!((read - scaled).abs() <= scaled * 0.05, "{value} {unit} reads as {number}");
                    let limit = Scale::of(value, unit).limit;
                    let passes = scaled < limit && read >= limit;
                    let crossed = read > scaled && (passes || (scaled < 100.0 && read.fract() == 0.0));
                    assert!(!crossed, "{value} {unit} reads as {number}");
                }
            }
        }
    }

    #[test]
    fn numbers_beyond_digits_have_an_exponent() {
        for value in [1e-7, 3.3e-8, 9.996e-9, 9.994e-9, 5e-324, 2.5e-310, 1e-290, 1e21, 1.7e308, -4.1e-7] {
            let written = with_exponent(value);
            let expected = format!("{value:.2e}");
            let (digits, exponent) = expected.split_once('e').expect("an exponent");
            let digits = digits.trim_end_matches('0').trim_end_matches('.');
            assert_eq!(written, format!("{digits}e{exponent}"));
        }
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
        assert_eq!(axis(&[0.0, 1e-7, 2e-7], ""), ["0", "1e-7", "2e-7"]);
        assert_eq!(axis(&[1e9, 1e9 + 1.0], ""), ["1.000000000 G", "1.000000001 G"]);
        for (values, unit) in [
            (vec![0.000_000_1, 0.000_1, 1.0], ""),
            (vec![1e9, 1e9 + 0.25, 1e9 + 0.5], "bytes"),
            (vec![99.999_999, 99.999_999_5, 100.0], "%"),
            (vec![1e300, 1.000_000_1e300], "none"),
            (vec![1e12, 1e12 + 1_000.0], "date"),
        ] {
            let labels = axis(&values, unit);
            assert_eq!(count_different(&labels), values.len(), "{labels:?}");
        }
    }

    #[test]
    fn steps_of_an_axis_are_those_of_its_unit_and_grow() {
        for unit in ["bytes", "bytes/s", "MiB", "s", "ms", "h", "date"] {
            let steps = axis_steps(unit).expect("these units have steps of their own");
            assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{unit}: {steps:?}");
        }
        assert_eq!(axis_steps("%"), None);
    }
}
