//! Times as they stand in names and manifests.

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
            (1_795_835_520_000, "2026-11-28T03:12:00Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Utc::of(ms).to_string(), says);
        }
        assert_eq!(Utc::of(951_868_799_999).compact(), "20000229-235959Z");
    }
}
