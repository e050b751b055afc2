//! Numbers, times and names as people read them. No clock; numbers follow the viewer's locale once the page
//! is awake.

pub mod locale;
mod numbers;
mod units;

use crate::dashboard::Kind;
use crate::dashboard::number::grouped;

pub use numbers::{Figure, NO_VALUE, axis, axis_steps, figure, in_words};
pub use units::UNITS;

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

/// When something will be, against now: `in 29 days`, `in 3 h`, `any moment`.
pub fn in_time(then_ms: u64, now_ms: u64) -> String {
    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    // A page's clock may be a little behind: 30 days from now are not 31.
    let up = |left: u64, unit: u64| left.saturating_sub(MINUTE).div_ceil(unit);
    match then_ms.saturating_sub(now_ms) {
        ..MINUTE => "any moment".to_owned(),
        left @ ..HOUR => format!("in {} min", left / MINUTE),
        left if left <= 48 * HOUR => format!("in {} h", up(left, HOUR).max(1)),
        left => format!("in {} days", up(left, 24 * HOUR)),
    }
}

/// One or two letters for a person's avatar, which shows them as capitals.
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().find(|c| is_letter(*c)));
    let (first, last) = (words.next(), words.next_back());
    let letters = match (first, last) {
        (Some(first), Some(last)) => format!("{first}{last}"),
        _ => name.chars().filter(|c| is_letter(*c)).take(2).collect(),
    };
    if letters.is_empty() { "?".to_owned() } else { letters }
}

/// What is no blank and no punctuation of ASCII.
fn is_letter(c: char) -> bool {
    !c.is_whitespace() && !c.is_ascii_punctuation() && !c.is_control()
}

/// `1 widget`, `2 widgets`, `1,000 widgets`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(n as u64)) }
}

/// A widget's title in a sentence.
pub fn title(title: &str) -> String {
    if title.trim().is_empty() { "an untitled widget".to_owned() } else { format!("“{title}”") }
}

/// A widget's title as a heading.
pub fn plain_title(title: &str) -> String {
    if title.trim().is_empty() { "Untitled".to_owned() } else { title.to_owned() }
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
    fn times_are_short() {
        assert_eq!(ago(1_000, 5_000), "just now");
        assert_eq!(ago(0, 40_000), "40 s ago");
        assert_eq!(ago(0, 300_000), "5 min ago");
        assert_eq!(span(86_400_000 * 3), "3 d");
        const DAY: u64 = 86_400_000;
        assert_eq!(in_time(DAY * 30, 1), "in 30 days");
        assert_eq!(in_time(DAY * 30 + 1, 0), "in 30 days");
        assert_eq!(in_time(DAY * 29 + 90_000, 0), "in 30 days");
        assert_eq!(in_time(DAY / 24, 0), "in 1 h");
        assert_eq!(in_time(DAY, 0), "in 24 h");
        assert_eq!(in_time(90_000, 0), "in 1 min");
        assert_eq!(in_time(0, 90_000), "any moment");
    }

    #[test]
    fn initials_of_any_name() {
        assert_eq!(initials("Ada Lovelace"), "AL");
        assert_eq!(initials("grace"), "gr");
        assert_eq!(initials("Ada B. Lovelace"), "AL");
        assert_eq!(initials("  "), "?");
    }
}
