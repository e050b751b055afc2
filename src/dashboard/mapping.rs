//! Words for values, a line each: `1 = Up`, `0 = [alert] Down`, `2..5 = Busy`, `none = Nothing yet`.
//!
//! The first line that fits a value counts. A range holds both of its ends, and is open where one is left out.
//! A level in brackets stands instead of what thresholds say; a line without words leaves the value as it is.

use super::number;

/// What a line says of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped<'a> {
    /// Empty where the value itself shows.
    pub text: &'a str,
    /// `ok`, `warn` or `alert`; `None` where thresholds decide.
    pub level: Option<&'static str>,
}

/// The words for a value, or for none.
pub fn mapped(mappings: &str, value: Option<f64>) -> Option<Mapped<'_>> {
    mappings.lines().find_map(|line| {
        let (key, says) = line.split_once('=')?;
        fits(key.trim(), value.filter(|value| !value.is_nan())).then(|| read(says.trim()))
    })
}

fn fits(key: &str, value: Option<f64>) -> bool {
    let Some(value) = value else { return key == "none" };
    if let Some((from, to)) = key.split_once("..") {
        let end = |text: &str, open: f64| match text.trim() {
            "" => Some(open),
            text => number::read(text),
        };
        return match (end(from, f64::NEG_INFINITY), end(to, f64::INFINITY)) {
            (Some(from), Some(to)) => (from..=to).contains(&value),
            _ => false,
        };
    }
    number::read(key) == Some(value)
}

fn read(says: &str) -> Mapped<'_> {
    let levels = [("[ok]", "ok"), ("[warn]", "warn"), ("[alert]", "alert")];
    let found = levels.into_iter().find_map(|(mark, level)| Some((says.strip_prefix(mark)?, level)));
    match found {
        Some((text, level)) => Mapped { text: text.trim_start(), level: Some(level) },
        None => Mapped { text: says, level: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let all = "1 = Up\n 0=[alert] Down = off\n2..5 = Busy\n6.. = [warn]\nnone = Nothing yet\nbroken\nx = y\n3 = never";
        let text = |text, level| Some(Mapped { text, level });
        for (value, expected) in [
            (Some(1.0), text("Up", None)),
            (Some(0.0), text("Down = off", Some("alert"))),
            (Some(2.0), text("Busy", None)),
            (Some(3.0), text("Busy", None)),
            (Some(5.0), text("Busy", None)),
            (Some(5.5), None),
            (Some(1e9), text("", Some("warn"))),
            (Some(-1.0), None),
            (None, text("Nothing yet", None)),
            (Some(f64::NAN), text("Nothing yet", None)),
        ] {
            assert_eq!(mapped(all, value), expected, "{value:?}");
        }
    }
}
