//! Series overrides of Grafana as lines of a chart's option, and the right axis that they name.

use serde_json::Value;

use super::super::lines::COLORS;
use super::unit::{self, Unit};

/// Names that a regular expression is taken apart into; more are hardly about single series.
const MAX_NAMES: usize = 16;

/// What one property says.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// A word of the line; none where it says what holds anyhow.
    Word(String),
    /// An option of the right axis.
    RightAxis(&'static str, Value),
}

/// A property of an override, of a series that stands on the right axis or not. `None` for what has no
/// counterpart.
pub fn property(id: &str, value: &Value, right: bool) -> Option<Says> {
    let word = |word: &str| Some(Says::Word(word.to_owned()));
    let text = value.as_str().unwrap_or_default();
    match (id, text) {
        ("custom.axisPlacement", "right" | "left") => word(text),
        ("custom.axisPlacement", "auto") => word(""),
        ("custom.drawStyle", "line" | "bars" | "points") => word(text),
        ("custom.fillOpacity", _) => word(if value.as_f64()? > 0.0 { "area" } else { "line" }),
        ("custom.lineStyle", _) => {
            word(if matches!(value.get("fill")?.as_str()?, "dash" | "dot") { "dashed" } else { "" })
        }
        ("custom.hideFrom", _) => word(if value.get("viz")?.as_bool()? { "hidden" } else { "" }),
        // What stands on the right is in no stack here.
        ("custom.stacking", _) if right && value.get("mode")? == "none" => word(""),
        ("color", _) => {
            let fixed = value.get("fixedColor").and_then(Value::as_str).and_then(color);
            word(fixed.unwrap_or_default())
        }
        ("unit", _) => match unit::read(text) {
            Unit::Plain(unit) if right => Some(Says::RightAxis("right_unit", Value::from(unit))),
            Unit::Plain(unit) if !unit.contains([',', '\n']) => Some(Says::Word(format!("unit {unit}"))),
            _ => None,
        },
        ("min", _) if right => Some(Says::RightAxis("right_min", value.clone())),
        ("max", _) if right => Some(Says::RightAxis("right_max", value.clone())),
        ("displayName", name) if !name.trim().is_empty() && !name.contains([',', '\n', '$']) => {
            Some(Says::Word(format!("as {}", name.trim())))
        }
        _ => None,
    }
}

/// A property of an override of the graphs before time series panels.
pub fn property_of_a_graph(id: &str, value: &Value) -> Option<Says> {
    let word = |word: &str| Some(Says::Word(word.to_owned()));
    match id {
        "yaxis" => word(if value.as_f64()? == 2.0 { "right" } else { "left" }),
        "bars" if value.as_bool()? => word("bars"),
        "lines" if value.as_bool()? => word("line"),
        "points" if value.as_bool()? => word("points"),
        "fill" => word(if value.as_f64()? > 0.0 { "area" } else { "line" }),
        "dashes" => word(if value.as_bool()? { "dashed" } else { "" }),
        "hiddenSeries" => word(if value.as_bool()? { "hidden" } else { "" }),
        "color" => word(value.as_str().and_then(color).unwrap_or_default()),
        _ => None,
    }
}

/// A line of the option, of names as [`names`] and [`exactly`] write them; `None` where it says nothing.
pub fn line(names: &str, words: &[String]) -> Option<String> {
    let mut said: Vec<&str> = Vec::new();
    for word in words.iter().map(String::as_str).filter(|word| !word.is_empty()) {
        // Bars and points have no area.
        let drawn = ["bars", "points"].iter().any(|drawn| words.iter().any(|word| word == drawn));
        if !(said.contains(&word) || drawn && matches!(word, "area" | "line")) {
            said.push(word);
        }
    }
    (!said.is_empty()).then(|| format!("{names} = {}", said.join(", ")))
}

/// One name as it stands in a line. `None` where it cannot.
pub fn exactly(name: &str) -> Option<String> {
    let mut out = String::new();
    name.chars().for_each(|c| push(&mut out, c));
    (name == name.trim() && !name.is_empty() && !name.contains(['\n', '\r']) && !name.contains(" = "))
        .then_some(out)
}

/// The names of a query's series, as a line has them: its legend, with any text for each label.
pub fn of_legend(legend: &str) -> Option<String> {
    let (mut out, mut rest) = (String::new(), legend);
    while let Some((before, after)) = rest.split_once("{{") {
        before.chars().for_each(|c| push(&mut out, c));
        out.push('*');
        rest = after.split_once("}}")?.1;
    }
    rest.chars().for_each(|c| push(&mut out, c));
    (!out.trim().is_empty() && out.trim() == out && !out.contains(['\n', '\r']) && !out.contains(" = "))
        .then_some(out)
}

/// The names that a regular expression finds, as a line has them. `None` for one that names cannot say.
pub fn names(regex: &str) -> Option<String> {
    let inner = regex.strip_prefix('/').map(|inner| inner.strip_suffix('/'));
    // Without slashes it is about the whole name.
    let (regex, whole) = match inner {
        Some(inner) => (inner?, false),
        None => (regex, true),
    };
    let chars: Vec<char> = regex.chars().collect();
    let mut all = Vec::new();
    for one in alternatives(&chars)? {
        let begins = one.first() == Some(&'^');
        let inner = one.strip_prefix(&['^']).unwrap_or(one);
        let ends = matches!(inner, [.., last, '$'] if *last != '\\') || inner == ['$'];
        let inner = &inner[..inner.len() - usize::from(ends)];
        for name in expanded(inner)? {
            let before = if begins || whole { "" } else { "*" };
            let after = if ends || whole { "" } else { "*" };
            let mut name = format!("{before}{name}{after}");
            while name.contains("**") {
                name = name.replace("**", "*");
            }
            all.push(name);
        }
    }
    let fits = |name: &String| name.trim() == name && !name.is_empty() && !name.contains(" = ");
    (all.len() <= MAX_NAMES && all.iter().all(fits)).then(|| all.join(" | "))
}

/// The alternatives at the top of a regular expression.
fn alternatives(regex: &[char]) -> Option<Vec<&[char]>> {
    let (mut all, mut from, mut depth, mut escaped) = (Vec::new(), 0, 0u32, false);
    for (at, c) in regex.iter().enumerate() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            '|' if depth == 0 => {
                all.push(&regex[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    all.push(&regex[from..]);
    (depth == 0 && !escaped && all.len() <= MAX_NAMES).then_some(all)
}

/// The names of one alternative, each group in it once for each of its own.
fn expanded(regex: &[char]) -> Option<Vec<String>> {
    let mut all = vec![String::new()];
    let mut at = 0;
    while let Some(c) = regex.get(at) {
        let next = regex.get(at + 1).copied();
        match c {
            '.' if matches!(next, Some('*' | '+')) => {
                all.iter_mut().for_each(|name| name.push('*'));
                at += if regex.get(at + 2) == Some(&'?') { 3 } else { 2 };
                continue;
            }
            '\\' => {
                let literal = next.filter(|c| !c.is_alphanumeric())?;
                all.iter_mut().for_each(|name| push(name, literal));
                at += 1;
            }
            '(' => {
                let end = at + closing(&regex[at..])?;
                let inner = &regex[at + 1..end];
                let inner = inner.strip_prefix(&['?', ':']).unwrap_or(inner);
                let mut groups = Vec::new();
                for one in alternatives(inner)? {
                    groups.extend(expanded(one)?);
                }
                all = all
                    .iter()
                    .flat_map(|name| groups.iter().map(move |group| format!("{name}{group}")))
                    .collect();
                at = end;
            }
            '.' | '[' | ']' | '{' | '}' | '*' | '+' | '?' | '^' | '$' | ')' | '|' => return None,
            c if c.is_control() => return None,
            c => all.iter_mut().for_each(|name| push(name, *c)),
        }
        at += 1;
        // What repeats is no name.
        if matches!(regex.get(at), Some('*' | '+' | '?' | '{')) || all.len() > MAX_NAMES {
            return None;
        }
    }
    Some(all)
}

/// The place of the bracket that closes the first one.
fn closing(regex: &[char]) -> Option<usize> {
    let (mut depth, mut escaped) = (0u32, false);
    regex.iter().position(|c| {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

fn push(name: &mut String, c: char) {
    if matches!(c, '*' | '|' | '\\') {
        name.push('\\');
    }
    name.push(c);
}

/// The colour of the palette that is nearest to one of Grafana's.
fn color(fixed: &str) -> Option<&'static str> {
    let family = fixed.rsplit('-').next()?;
    if let Some(known) = COLORS.into_iter().find(|color| *color == family) {
        return Some(known);
    }
    let hex = u32::from_str_radix(fixed.strip_prefix('#').filter(|hex| hex.len() == 6)?, 16).ok()?;
    let [_, r, g, b] = hex.to_be_bytes().map(f64::from);
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let span = most - least;
    if span < most * 0.15 {
        return Some("gray");
    }
    let sector = match most {
        most if most == r => ((g - b) / span).rem_euclid(6.0),
        most if most == g => (b - r) / span + 2.0,
        _ => (r - g) / span + 4.0,
    };
    let hue = sector * 60.0;
    let ends = [
        (15.0, "red"),
        (42.0, "orange"),
        (66.0, "yellow"),
        (160.0, "green"),
        (185.0, "teal"),
        (208.0, "sky"),
        (255.0, "blue"),
        (300.0, "purple"),
        (345.0, "pink"),
    ];
    Some(ends.into_iter().find(|(end, _)| hue < *end).map_or("red", |(_, color)| color))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::lines;

    #[test]
    fn regular_expressions_become_names_where_they_can() {
        for (regex, expected) in [
            ("/.*errors.*/", Some("*errors*")),
            ("/errors/", Some("*errors*")),
            ("/^5/", Some("5*")),
            ("/^(in|out)$/", Some("in | out")),
            ("/^rx (?:a|b)-.+$/", Some("rx a-* | rx b-*")),
            ("/total|sum$/", Some("*total* | *sum")),
            ("errors.*", Some("errors*")),
            ("/10\\.0\\.0\\.1/", Some("*10.0.0.1*")),
            ("/a\\|b/", Some("*a\\|b*")),
            ("/cost \\$/", Some("*cost $*")),
            ("/.*/", Some("*")),
            ("/[45]xx/", None),
            ("/a.b/", None),
            ("/ab+/", None),
            ("/(a|b)*/", None),
            ("/\\d+/", None),
            ("/errors/i", None),
            ("/(a/", None),
            ("", None),
        ] {
            assert_eq!(names(regex).as_deref(), expected, "{regex}");
        }
        let names = names("/^(in|out) .*$/").expect("names");
        let line = line(&names, &["right".to_owned()]).expect("a line");
        assert!(lines::of(&line, "out a").right && !lines::of(&line, "about").right);
    }

    #[test]
    fn names_are_found_as_they_are_written() {
        for name in ["errors", "a*b|c\\d", "orders{host=a}"] {
            let line = line(&exactly(name).expect("a name"), &["right".to_owned()]).expect("a line");
            assert!(lines::of(&line, name).right, "{line}");
            assert!(!lines::of(&line, "other").right, "{line}");
        }
        assert_eq!(exactly("a = b"), None);
        assert_eq!(of_legend("{{host}} errors").as_deref(), Some("* errors"));
        assert_eq!(of_legend("{{host"), None);
    }

    #[test]
    fn colours_are_the_nearest_of_the_palette() {
        for (fixed, expected) in [
            ("dark-red", Some("red")),
            ("semi-dark-blue", Some("blue")),
            ("#E24D42", Some("red")),
            ("#7EB26D", Some("green")),
            ("#EAB839", Some("yellow")),
            ("#6ED0E0", Some("sky")),
            ("#1F78C1", Some("sky")),
            ("#BA43A9", Some("pink")),
            ("#999999", Some("gray")),
            ("transparent", None),
            ("#12", None),
        ] {
            assert_eq!(color(fixed), expected, "{fixed}");
        }
    }
}
