//! The time, as the wire tells it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A time for people, in UTC: `12:03`, or `2026-03-04 12:03` where it is not of the day of `now`. Both in Unix
/// milliseconds.
pub fn utc(at: u64, now: u64) -> String {
    const DAY_MS: u64 = 86_400_000;
    let (day, minute) = (at / DAY_MS, at % DAY_MS / 60_000);
    let time = format!("{:02}:{:02}", minute / 60, minute % 60);
    if day == now / DAY_MS {
        return time;
    }
    // Years that begin in March, so that the odd day is the last (Howard Hinnant, "chrono-Compatible
    // Low-Level Date Algorithms").
    let days = day + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year + month / 10, if month < 10 { month + 3 } else { month - 9 });
    format!("{year:04}-{month:02}-{day:02} {time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_today_are_short() {
        let at = 1_709_208_180_000;
        assert_eq!(utc(at, at + 60_000), "12:03");
        assert_eq!(utc(at, at + 86_400_000), "2024-02-29 12:03");
        assert_eq!(utc(0, at), "1970-01-01 00:00");
        assert_eq!(utc(1_767_225_599_000, at), "2025-12-31 23:59");
    }
}
