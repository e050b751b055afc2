//! The zone that a dashboard sets for its times.

/// Characters of a zone's name: the longest of the IANA's has 32.
const MAX_ZONE_CHARS: usize = 64;

/// The zone in which a dashboard's moments are read and written. Written as `browser`, `utc`, or a name of the
/// IANA's time zone database; what names there are, each browser knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TimeZone {
    /// That of whoever looks.
    #[default]
    Browser,
    Utc,
    Named(String),
}

impl TimeZone {
    /// `None` for what cannot be a zone's name.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = |text: &str| {
            (1..=MAX_ZONE_CHARS).contains(&text.len())
                && text.starts_with(|first: char| first.is_ascii_alphabetic())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-/".contains(&b))
        };
        match text {
            "browser" => Some(Self::Browser),
            _ if text.eq_ignore_ascii_case("utc") => Some(Self::Utc),
            _ => is_name(text).then(|| Self::Named(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_the_browsers_universal_time_or_a_name() {
        for (text, expected) in [
            ("browser", Some(TimeZone::Browser)),
            ("utc", Some(TimeZone::Utc)),
            ("UTC", Some(TimeZone::Utc)),
            ("Europe/Berlin", Some(TimeZone::Named("Europe/Berlin".to_owned()))),
            ("Etc/GMT+5", Some(TimeZone::Named("Etc/GMT+5".to_owned()))),
            ("", None),
            ("Europe/Berlin ", None),
            ("../etc", None),
            ("+2", None),
        ] {
            assert_eq!(TimeZone::parse(text), expected, "{text}");
        }
        let longest = "x".repeat(MAX_ZONE_CHARS);
        assert!(TimeZone::parse(&longest).is_some() && TimeZone::parse(&format!("{longest}x")).is_none());
    }
}
