//! Dates and times in the columns of a table, as Unix milliseconds.

use super::super::number;

/// Names of columns in which a number is a time.
const NAMES: [&str; 6] = ["time", "timestamp", "date", "at", "ts", "_time"];

/// True where numbers of a column are times, by its name.
pub fn is_named(column: &str) -> bool {
    NAMES.iter().any(|name| column.eq_ignore_ascii_case(name))
}

/// A Unix time in seconds or milliseconds, between 2001 and 5138 either way.
pub fn unix(number: f64) -> Option<u64> {
    match number {
        s if (1e9..1e11).contains(&s) => Some((s * 1000.0) as u64),
        ms if (1e12..1e14).contains(&ms) => Some(ms as u64),
        _ => None,
    }
}

/// `2026-11-22`, `2026-11-22 10:00`, `2026-11-22T10:00:00.5+01:00`; UTC where no zone is named.
pub fn read(text: &str) -> Option<u64> {
    let text = text.trim();
    let (date, time) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let (month, day) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || !(1970..10_000).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let ms = days(year, month, day) * 86_400_000 + time.map_or(Some(0), clock)?;
    u64::try_from(ms).ok()
}

/// A time of day and its zone, in milliseconds; less than nothing where the day in UTC is the one before.
fn clock(text: &str) -> Option<i64> {
    let (time, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0),
        None => match text.rfind(['+', '-']) {
            Some(at) => (&text[..at], zone(&text[at..])?),
            None => (text, 0),
        },
    };
    let mut parts = time.trim_end().split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (second, ms) = match parts.next() {
        None => (0, 0),
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            let plain = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
            let fraction = if plain { number::read(&format!("0.{fraction}"))? } else { return None };
            (digits(whole, 2)?, (fraction * 1000.0) as i64)
        }
    };
    let fits = parts.next().is_none() && hour < 24 && minute < 60 && second < 60;
    fits.then_some((hour * 3600 + minute * 60 + second) * 1000 + ms - zone)
}

/// `+01:00` or `+0100` or `+01`, in milliseconds.
fn zone(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let plain = text.get(1..)?.replace(':', "");
    let (hours, minutes) = (plain.get(..2)?, plain.get(2..)?);
    let minutes = if minutes.is_empty() { 0 } else { digits(minutes, 2)? };
    let hours = digits(hours, 2)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

fn digits(text: &str, how_many: usize) -> Option<i64> {
    let plain = text.len() == how_many && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, by counting years from March so that the leap day comes last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_times_are_read() {
        for (text, expected) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400_000),
            ("2026-11-23 10:00", 1_795_428_000_000),
            ("2026-11-23T10:00:00Z", 1_795_428_000_000),
            ("2026-11-23T10:00:00.250Z", 1_795_428_000_250),
            ("2026-11-23T11:00:00+01:00", 1_795_428_000_000),
            ("2026-11-23T06:30-0330", 1_795_428_000_000),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "a",
            "2026",
            "2026-11",
            "2026-13-01",
            "2025-02-29",
            "26-11-23",
            "2026-11-23T",
            "2026-11-23T25:00",
            "2026-11-23T10:00:00.Z",
            "2026-11-23T10:00+1",
            "1969-12-31",
            "12-11-2026",
            "2026-11-23T10:00é+01",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn unix_times_are_seconds_or_milliseconds() {
        assert_eq!(unix(1_795_428_000.0), Some(1_795_428_000_000));
        assert_eq!(unix(1_795_428_000_000.0), Some(1_795_428_000_000));
        assert_eq!(unix(42.0), None);
    }
}
