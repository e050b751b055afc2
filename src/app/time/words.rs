//! Moments and ranges of time in words, by the clock of the zone that the page reads them in.

use super::zone::{self, Moments, Shown, shown};
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

/// The time of day: `10:02`; in an hour that comes twice with its offset, `02:30 UTC+2`.
pub fn clock(at_ms: u64) -> String {
    let Shown { hour, minute, .. } = shown(at_ms);
    format!("{hour:02}:{minute:02}{}", which(at_ms))
}

/// The time of day to the second: `10:02:33`.
pub fn clock_s(at_ms: u64) -> String {
    let Shown { hour, minute, second, .. } = shown(at_ms);
    format!("{hour:02}:{minute:02}:{second:02}{}", which(at_ms))
}

fn which(at_ms: u64) -> String {
    zone::repeated(at_ms).map_or_else(String::new, |ahead| format!(" {}", zone::offset_name(ahead)))
}

/// A time of day for a tick, which has little room: `10:02`, and `02:30+02` in an hour that comes twice.
pub fn tick(at_ms: u64) -> String {
    let Shown { hour, minute, .. } = shown(at_ms);
    let which = zone::repeated(at_ms).map(|ahead| {
        let (hours, minutes) = (ahead.abs() / 3600, ahead.abs() / 60 % 60);
        let minutes = if minutes == 0 { String::new() } else { format!(":{minutes:02}") };
        format!("{}{hours:02}{minutes}", if ahead < 0 { '-' } else { '+' })
    });
    format!("{hour:02}:{minute:02}{}", which.unwrap_or_default())
}

/// How far the clock is ahead of universal time at a moment, in seconds; both as Unix time.
pub fn ahead_s(at_s: f64) -> f64 {
    zone::ahead((at_s.max(0.0) * 1000.0) as u64) as f64
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

/// The moments that such an input may mean; `None` where it holds none.
pub fn from_input(text: &str) -> Option<Moments> {
    Shown::read(text).map(zone::moments)
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
    fn an_hour_that_comes_twice_says_which() {
        use super::zone::tests::{BACK_MS, berlin, read_as};
        let _there = read_as(berlin);
        let half = HOUR_MS / 2;
        assert_eq!(
            (clock(BACK_MS - half), clock(BACK_MS + half)),
            ("02:30 UTC+2".into(), "02:30 UTC+1".into())
        );
        assert_eq!((tick(BACK_MS - half), tick(BACK_MS + half)), ("02:30+02".into(), "02:30+01".into()));
        assert_eq!(clock_s(BACK_MS), "02:00:00 UTC+1");
        assert_eq!((clock(BACK_MS + HOUR_MS), tick(BACK_MS - HOUR_MS - 1)), ("03:00".into(), "01:59".into()));
        let night = TimeRange::Fixed(BACK_MS - HOUR_MS, BACK_MS + HOUR_MS);
        assert_eq!(range(night, BACK_MS), "02:00 UTC+2 – 03:00");
        assert_eq!(from_input("2026-10-25T02:30"), Some(Moments::Two(BACK_MS - half, BACK_MS + half)));
        assert_eq!(from_input("soon"), None);
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
