//! Times and sizes in names and in words.

use std::fmt;

/// A moment in UTC, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl Utc {
    /// The moment of so many Unix milliseconds.
    pub fn of(ms: u64) -> Self {
        let (days, second_of_day) = (ms / 86_400_000, ms / 1_000 % 86_400);
        // Howard Hinnant's `civil_from_days`: years begin in March, so that the day that is not always
        // there is the last one.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        Self { year, month, day, second_of_day }
    }

    /// `20261128-031200Z`
    pub fn compact(self) -> String {
        let Self { year, month, day, .. } = self;
        let (hour, minute, second) = self.clock();
        format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}Z")
    }

    /// `03:12` of the same day as another moment, else `2026-11-28 03:12`; UTC is said by whoever shows it.
    pub fn seen_from(self, now: Self) -> String {
        let (hour, minute, _) = self.clock();
        if (self.year, self.month, self.day) == (now.year, now.month, now.day) {
            format!("{hour:02}:{minute:02}")
        } else {
            format!("{:04}-{:02}-{:02} {hour:02}:{minute:02}", self.year, self.month, self.day)
        }
    }

    fn clock(self) -> (u64, u64, u64) {
        let second = self.second_of_day;
        (second / 3_600, second / 60 % 60, second % 60)
    }
}

/// As in RFC 3339: `2026-11-28T03:12:00Z`.
impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, .. } = self;
        let (hour, minute, second) = self.clock();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Bytes with the unit that suits them: `14 MB`.
pub fn size_in_words(bytes: u64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let bytes = bytes as f64;
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) if bytes / unit < 10.0 => format!("{:.1} {name}", bytes / unit),
        Some((name, unit)) => format!("{:.0} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (ms, says) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_799_999, "2000-02-29T23:59:59Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (1_795_835_520_000, "2026-11-28T02:32:00Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Utc::of(ms).to_string(), says);
        }
        assert_eq!(Utc::of(951_868_799_999).compact(), "20000229-235959Z");
        let (then, now) = (Utc::of(951_782_400_000), Utc::of(951_868_799_999));
        assert_eq!(then.seen_from(now), "00:00");
        assert_eq!(then.seen_from(Utc::of(0)), "2000-02-29 00:00");
    }

    #[test]
    fn sizes_have_two_digits_that_count() {
        for (bytes, says) in
            [(999, "999 bytes"), (1_500, "1.5 kB"), (14_200_000, "14 MB"), (1 << 30, "1.1 GB")]
        {
            assert_eq!(size_in_words(bytes), says);
        }
    }
}
