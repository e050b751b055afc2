//! Overrides of single series of a chart, a line each: `errors = right, red, dashed`, `5* | *timeout* = area`.
//!
//! A name stands for itself; `*` in it for any text, and `|` between names for each of them. There are no
//! regular expressions here, as one that somebody writes could hold up everybody's page. Of several lines that fit
//! a series all count, the later ones over the earlier.

/// The colours that a line can have, in the order of the palette.
pub const COLORS: [&str; 11] =
    ["blue", "teal", "orange", "purple", "pink", "green", "sky", "yellow", "gray", "pine", "red"];

/// What a series is drawn as, where it differs from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    Line,
    Area,
    Bars,
    Points,
}

/// What is said of one series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// What it is called.
    pub name: Option<&'a str>,
    pub unit: Option<&'a str>,
    /// Its place in [`COLORS`].
    pub color: Option<usize>,
    pub right: bool,
    pub drawn: Option<Drawn>,
    pub dashed: bool,
    /// Not drawn until somebody asks for it.
    pub hidden: bool,
}

/// What the lines of an option say of a series.
pub fn of<'a>(lines: &'a str, series: &str) -> Line<'a> {
    let mut all = Line::default();
    for line in lines.lines() {
        // Names have labels with `=` in them: the spaces tell which one is meant.
        let Some((names, says)) = line.split_once(" = ").or_else(|| line.split_once('=')) else { continue };
        if fits(names.trim(), series) {
            says.split(',').for_each(|word| all.read(word.trim()));
        }
    }
    all
}

impl<'a> Line<'a> {
    fn read(&mut self, word: &'a str) {
        match word {
            "right" => self.right = true,
            "left" => self.right = false,
            "line" => self.drawn = Some(Drawn::Line),
            "area" => self.drawn = Some(Drawn::Area),
            "bars" => self.drawn = Some(Drawn::Bars),
            "points" => self.drawn = Some(Drawn::Points),
            "dashed" => self.dashed = true,
            "hidden" => self.hidden = true,
            word => {
                if let Some(unit) = word.strip_prefix("unit ") {
                    self.unit = Some(unit.trim());
                } else if let Some(name) = word.strip_prefix("as ") {
                    self.name = Some(name.trim());
                } else if let Some(color) = COLORS.iter().position(|color| *color == word) {
                    self.color = Some(color);
                }
            }
        }
    }
}

/// True where one of some names fits a series.
fn fits(names: &str, series: &str) -> bool {
    // As it is written it fits in any case, whatever signs it has.
    names == series || split(names, '|').any(|name| fits_one(name.trim(), series))
}

fn fits_one(name: &str, series: &str) -> bool {
    let mut rest = series;
    let mut pieces = split(name, '*').peekable();
    let mut first = true;
    while let Some(piece) = pieces.next() {
        let piece = plain(piece);
        let last = pieces.peek().is_none();
        rest = match (first, last) {
            (true, true) => return rest == piece,
            (true, false) => match rest.strip_prefix(&*piece) {
                Some(rest) => rest,
                None => return false,
            },
            (false, true) => return rest.ends_with(&*piece),
            // The first place will do: what stands between is any text.
            (false, false) => match rest.find(&*piece) {
                Some(at) => &rest[at + piece.len()..],
                None => return false,
            },
        };
        first = false;
    }
    false
}

/// The pieces of a text between signs that have no backslash before them.
fn split(text: &str, sign: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c: char| {
        let counts = c == sign && !escaped;
        escaped = c == '\\' && !escaped;
        counts
    })
}

/// A piece without the backslashes before signs.
fn plain(piece: &str) -> String {
    let mut out = String::with_capacity(piece.len());
    let mut escaped = false;
    for c in piece.chars() {
        let takes_sign = escaped && matches!(c, '*' | '|' | '\\');
        if escaped && !takes_sign {
            out.push('\\');
        }
        escaped = c == '\\' && !takes_sign;
        if !escaped {
            out.push(c);
        }
    }
    if escaped {
        out.push('\\');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_that_fit_count_the_later_over_the_earlier() {
        let lines = "* = area, blue\nerrors = right, red, dashed, unit ms, as Errors, what\n\nbroken\n5* | in = hidden, points";
        let errors = Line {
            name: Some("Errors"),
            unit: Some("ms"),
            color: Some(10),
            right: true,
            drawn: Some(Drawn::Area),
            dashed: true,
            hidden: false,
        };
        assert_eq!(of(lines, "errors"), errors);
        let area = Line { drawn: Some(Drawn::Area), color: Some(0), ..Line::default() };
        assert_eq!(of(lines, "other"), area);
        for name in ["500", "in"] {
            assert_eq!(of(lines, name), Line { drawn: Some(Drawn::Points), hidden: true, ..area }, "{name}");
        }
        assert_eq!(of("a = right\na = left", "a"), Line::default());
        assert_eq!(of("", "a"), Line::default());
    }

    #[test]
    fn names_stand_for_themselves_and_stars_for_any_text() {
        for (name, series, fit) in [
            ("errors", "errors", true),
            ("errors", "Errors", false),
            ("errors", "errors of a", false),
            ("*errors*", "all errors of a", true),
            ("*errors", "errors errors", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("in|out", "out", true),
            ("in|out", "in|out", true),
            ("orders{host=a}", "orders{host=a}", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a\\|b", "a|b", true),
            ("C:\\temp", "C:\\temp", true),
            ("C:\\temp*", "C:\\temp\\x", true),
            ("é*", "é😀", true),
            ("", "", true),
        ] {
            assert_eq!(fits(name, series), fit, "{name:?} {series:?}");
        }
    }
}
