//! Moments and ranges of time in words, by the clock of whoever reads them.

use std::cell::Cell;

use crate::dashboard::range::TimeRange;

/// What people are offered, the shortest first.
pub const OFFERED: [TimeRange; 7] = [
    TimeRange::Last(5 * MINUTE_MS),
    TimeRange::Last(15 * MINUTE_MS),
    TimeRange::Last(HOUR_MS),
    TimeRange::Last(6 * HOUR_MS),
    TimeRange::Last(DAY_MS),
    TimeRange::Last(2 * DAY_MS),
    TimeRange::Last(7 * DAY_MS),
];

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// A time shorter than this is told to the second.
const FINE_MS: u64 = 10 * MINUTE_MS;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment as a calendar and a clock show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    year: u32,
    /// 0 for January.
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl Shown {
    /// Seconds from 1970 on by its own calendar and clock.
    fn seconds(self) -> i64 {
        let (year, month) = (i64::from(self.year), i64::from(self.month) + 1);
        // The reverse of `greenwich`, with years that begin in March.
        let year = year - i64::from(month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        days * 86_400 + i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }
}

thread_local! {
    /// How moments are read here: as in Greenwich until the page is hydrated, so that the first render is the
    /// same everywhere.
    static CLOCK: Cell<fn(u64) -> Shown> = const { Cell::new(greenwich) };
}

/// Reads moments by this browser's clock from now on.
pub fn use_own_zone() {
    CLOCK.set(here);
}

fn shown(at_ms: u64) -> Shown {
    CLOCK.get()(at_ms)
}

/// By this browser's clock.
fn here(at_ms: u64) -> Shown {
    let date = js_sys::Date::new(&(at_ms as f64).into());
    Shown {
        year: date.get_full_year(),
        month: date.get_month(),
        day: date.get_date(),
        hour: date.get_hours(),
        minute: date.get_minutes(),
        second: date.get_seconds(),
    }
}

/// In universal time. The days are counted as in "chrono-Compatible Low-Level Date Algorithms" (H. Hinnant).
fn greenwich(at_ms: u64) -> Shown {
    let days = at_ms / DAY_MS + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let second = at_ms / 1000;
    Shown {
        year: (era * 400 + year_of_era + u64::from(month < 2)) as u32,
        month: month as u32,
        day: day as u32,
        hour: (second / 3600 % 24) as u32,
        minute: (second / 60 % 60) as u32,
        second: (second % 60) as u32,
    }
}

/// How far the clock that moments are read by is ahead of universal time at a moment, in seconds; both as Unix
/// time.
pub fn ahead_s(at_s: f64) -> f64 {
    let at = (at_s.max(0.0) * 1000.0) as u64;
    let read = shown(at);
    (read.seconds() - (at / 1000) as i64) as f64
}

/// The time of day: `10:02`.
pub fn clock(at_ms: u64) -> String {
    let Shown { hour, minute, .. } = shown(at_ms);
    format!("{hour:02}:{minute:02}")
}

/// The time of day to the second: `10:02:33`.
pub fn clock_s(at_ms: u64) -> String {
    format!("{}:{:02}", clock(at_ms), shown(at_ms).second)
}

/// The day: `22 Nov`.
pub fn day(at_ms: u64) -> String {
    let Shown { month, day, .. } = shown(at_ms);
    format!("{day} {}", MONTHS[month as usize % 12])
}

/// A moment, with its day where that is another than now's: `10:02`, `22 Nov 10:02`.
pub fn moment(at_ms: u64, now_ms: u64) -> String {
    moment_by(clock, at_ms, now_ms)
}

fn moment_by(clock: fn(u64) -> String, at_ms: u64, now_ms: u64) -> String {
    let (at, now) = (shown(at_ms), shown(now_ms));
    let whole_day = |one: Shown| (one.year, one.month, one.day);
    if whole_day(at) == whole_day(now) {
        clock(at_ms)
    } else if at.year == now.year {
        format!("{} {}", day(at_ms), clock(at_ms))
    } else {
        format!("{} {} {}", day(at_ms), at.year, clock(at_ms))
    }
}

/// A length: `15 min`, `6 h`, `7 days`.
pub fn length(ms: u64) -> String {
    match ms {
        _ if ms >= 2 * DAY_MS && ms.is_multiple_of(DAY_MS) => format!("{} days", ms / DAY_MS),
        _ if ms >= HOUR_MS && ms.is_multiple_of(HOUR_MS) => format!("{} h", ms / HOUR_MS),
        _ if ms.is_multiple_of(MINUTE_MS) => format!("{} min", ms / MINUTE_MS),
        _ => format!("{} s", ms / 1000),
    }
}

/// A range: `Last 15 min`, `10:02 – 10:14`, `22 Nov 10:02 – 23 Nov 08:00`.
pub fn range(range: TimeRange, now_ms: u64) -> String {
    match range {
        TimeRange::Last(ms) => format!("Last {}", length(ms)),
        TimeRange::Fixed(from, to) => {
            let clock = if to - from < FINE_MS { clock_s } else { clock };
            // The second day shows where it is another than the first.
            format!("{} – {}", moment_by(clock, from, now_ms), moment_by(clock, to, from))
        }
    }
}

/// As in the middle of a sentence: `the last 15 min`, `10:02 – 10:14`.
pub fn of(time: TimeRange, now_ms: u64) -> String {
    match time {
        TimeRange::Last(ms) => format!("the last {}", length(ms)),
        fixed => range(fixed, now_ms),
    }
}

/// A moment as an input of the type `datetime-local` holds it.
pub fn for_input(at_ms: u64) -> String {
    let Shown { year, month, day, hour, minute, second } = shown(at_ms);
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", month + 1)
}

/// What such an input holds, by this browser's clock, in Unix milliseconds; `None` where it holds no moment.
pub fn from_input(text: &str) -> Option<u64> {
    let at = js_sys::Date::new(&text.into()).get_time();
    (at.is_finite() && at >= 0.0).then_some(at as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 10:02:33 in Greenwich.
    const AT: u64 = 1_795_341_753_000;

    #[test]
    fn moments_read_as_on_a_calendar() {
        assert_eq!(for_input(0), "1970-01-01T00:00:00");
        assert_eq!(for_input(951_782_399_000), "2000-02-28T23:59:59");
        assert_eq!(for_input(951_782_400_000), "2000-02-29T00:00:00");
        assert_eq!(for_input(1_709_251_200_000), "2024-03-01T00:00:00");
        assert_eq!(for_input(1_798_761_599_000), "2026-12-31T23:59:59");
        assert_eq!(for_input(AT), "2026-11-22T10:02:33");
        assert_eq!((clock(AT), clock_s(AT), day(AT)), ("10:02".into(), "10:02:33".into(), "22 Nov".into()));
    }

    #[test]
    fn a_calendar_leads_back_to_its_moment() {
        for at in [0, 951_782_399, 951_782_400, 1_709_251_200, 1_798_761_599, 253_402_300_799] {
            assert_eq!(greenwich(at * 1000).seconds(), at as i64);
        }
        assert_eq!(ahead_s(1_795_341_753.0), 0.0);
    }

    #[test]
    fn a_moment_has_its_day_where_that_is_not_today() {
        assert_eq!(moment(AT, AT + 1000), "10:02");
        assert_eq!(moment(AT, AT + DAY_MS), "22 Nov 10:02");
        assert_eq!(moment(AT, AT + 60 * DAY_MS), "22 Nov 2026 10:02");
    }

    #[test]
    fn ranges_read_short() {
        let all: Vec<String> = OFFERED.iter().map(|one| range(*one, AT)).collect();
        assert_eq!(
            all,
            ["Last 5 min", "Last 15 min", "Last 1 h", "Last 6 h", "Last 24 h", "Last 2 days", "Last 7 days"]
        );
        assert_eq!(of(TimeRange::Last(90_000), AT), "the last 90 s");
        let fixed = |from, to| range(TimeRange::Fixed(from, to), AT);
        assert_eq!(fixed(AT, AT + 12 * MINUTE_MS), "10:02 – 10:14");
        assert_eq!(fixed(AT, AT + 90_000), "10:02:33 – 10:04:03");
        assert_eq!(fixed(AT - DAY_MS, AT - DAY_MS + HOUR_MS), "21 Nov 10:02 – 11:02");
        assert_eq!(fixed(AT - DAY_MS, AT), "21 Nov 10:02 – 22 Nov 10:02");
        assert_eq!(fixed(AT, AT + DAY_MS), "10:02 – 23 Nov 10:02");
    }
}
