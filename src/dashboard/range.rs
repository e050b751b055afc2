//! The time that a dashboard shows: the last so-and-so much, or from one moment to another.

use std::fmt;
use std::str::FromStr;

/// The shortest time that charts can show.
pub const MIN_RANGE_MS: u64 = 60 * 1000;
/// The longest: two years of days still have a point for each pixel.
pub const MAX_RANGE_MS: u64 = 732 * DAY_MS;
/// 9999-12-31: later than this the dates of browsers and of SQLite differ.
pub const MAX_TIME_MS: u64 = 253_402_300_799_000;

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The time that charts show. Written as `15m`, `6h`, `7d`, or as two Unix times in milliseconds with a
/// slash between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeRange {
    /// Up to now, and moving with it: this many milliseconds.
    Last(u64),
    /// From one Unix time to another, in milliseconds.
    Fixed(u64, u64),
}

impl Default for TimeRange {
    fn default() -> Self {
        Self::Last(15 * MINUTE_MS)
    }
}

impl TimeRange {
    /// First and last moment, Unix milliseconds.
    pub fn at(self, now_ms: u64) -> (u64, u64) {
        match self {
            Self::Last(long) => (now_ms.saturating_sub(long), now_ms),
            Self::Fixed(from, to) => (from, to),
        }
    }

    /// From the first moment to the last, in milliseconds.
    pub fn length(self) -> u64 {
        match self {
            Self::Last(long) => long,
            Self::Fixed(from, to) => to - from,
        }
    }

    /// True where it moves with the time.
    pub fn moves(self) -> bool {
        matches!(self, Self::Last(_))
    }
}

/// What is wrong with a text that wants to be a time range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time range is written 15m, 6h or 7d (a minute to two years), or from/to in Unix milliseconds")]
pub struct RangeError;

impl FromStr for TimeRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
            true => text.parse::<u64>().map_err(|_| RangeError),
            false => Err(RangeError),
        };
        let range = match text.split_once('/') {
            Some((from, to)) => Self::Fixed(number(from)?, number(to)?),
            None => {
                let unit = match text.bytes().last() {
                    Some(b's') => SECOND_MS,
                    Some(b'm') => MINUTE_MS,
                    Some(b'h') => HOUR_MS,
                    Some(b'd') => DAY_MS,
                    _ => return Err(RangeError),
                };
                Self::Last(number(&text[..text.len() - 1])?.checked_mul(unit).ok_or(RangeError)?)
            }
        };
        let fits = match range {
            Self::Last(long) => (MIN_RANGE_MS..=MAX_RANGE_MS).contains(&long),
            Self::Fixed(from, to) => {
                to <= MAX_TIME_MS
                    && to.checked_sub(from).is_some_and(|long| (MIN_RANGE_MS..=MAX_RANGE_MS).contains(&long))
            }
        };
        if fits { Ok(range) } else { Err(RangeError) }
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Fixed(from, to) => write!(f, "{from}/{to}"),
            Self::Last(long) => {
                let units = [(DAY_MS, 'd'), (HOUR_MS, 'h'), (MINUTE_MS, 'm'), (SECOND_MS, 's')];
                let (unit, letter) =
                    units.into_iter().find(|(unit, _)| long % unit == 0).unwrap_or((SECOND_MS, 's'));
                write!(f, "{}{letter}", long / unit)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_reads_as_it_is_written() {
        for text in ["5m", "15m", "1h", "6h", "1d", "7d", "90s", "1795000000000/1795003600000"] {
            assert_eq!(text.parse::<TimeRange>().map(|range| range.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("60m".parse(), Ok(TimeRange::Last(HOUR_MS)));
        for text in [
            "",
            "m",
            "5",
            "5w",
            "-5m",
            "+5m",
            "1s",
            "9999d",
            "99999999999999999999d",
            "2/1",
            "1/2",
            "a/b",
            "5 m",
            "é",
            "0/1795000000000",
        ] {
            assert_eq!(text.parse::<TimeRange>(), Err(RangeError), "{text}");
        }
    }

    #[test]
    fn the_last_minutes_move_and_a_fixed_time_stays() {
        assert_eq!(TimeRange::Last(MINUTE_MS).at(100_000), (40_000, 100_000));
        assert_eq!(TimeRange::Last(MINUTE_MS).at(5), (0, 5));
        assert_eq!(TimeRange::Fixed(7, 9).at(100_000), (7, 9));
    }
}
