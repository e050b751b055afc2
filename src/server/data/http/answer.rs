//! Series that paths find in an answer.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::path::{Found, Path, Step};
use super::request::{Name, Request, Wanted};
use crate::dashboard::table::time;
use crate::server::data::thinning::thin;
use crate::server::data::{Ask, Curve, Point};

/// Series of one answer that are told apart; only some of them are shown.
const MAX_SERIES: usize = 10_000;
/// Characters of a series' name.
const MAX_NAME_CHARS: usize = 200;
/// Characters of a value that an error shows.
const MAX_SHOWN_CHARS: usize = 40;

/// The series of a document, and what is said of it. `line` is the number of its first values. Errors say which path
/// finds what does not fit.
pub fn read(
    document: &Value,
    request: &Request,
    ask: &Ask,
    line: usize,
) -> Result<(Vec<Curve>, Vec<String>), String> {
    let mut notes = Vec::new();
    let times = match &request.times {
        Some(path) => Some((path, times(document, path)?)),
        None => None,
    };
    let mut curves = Vec::new();
    for (at, wanted) in request.values.iter().enumerate() {
        let times = times.as_ref().map(|(path, times)| (*path, times));
        let found = series(document, wanted, times, ask, &mut notes)?;
        if curves.len() + found.len() > MAX_SERIES {
            return Err(format!("The answer has more than {MAX_SERIES} series."));
        }
        for (name, points) in found {
            let base = name.clone();
            curves.push(Curve { name, base, tags: Vec::new(), line: line + at, points });
        }
    }
    Ok((curves, notes))
}

fn found<'a>(what: &str, path: &Path, document: &'a Value) -> Result<Vec<Found<'a>>, String> {
    path.find(document).map_err(|error| format!("`{what}` {} {error}.", path.text()))
}

/// Unix milliseconds, by what was chosen on the way to them.
fn times(document: &Value, path: &Path) -> Result<HashMap<Vec<Step>, u64>, String> {
    let mut times = HashMap::new();
    for Found { node, steps } in found("time", path, document)? {
        let at = match node {
            Value::Null => continue,
            Value::Number(number) => number.as_f64().and_then(time::unix),
            Value::String(text) => time::read(text).or_else(|| time::unix(text.trim().parse().ok()?)),
            _ => None,
        };
        let at = at.ok_or_else(|| {
            format!(
                "`time` {} finds {}, which is no time: times are ISO 8601, or Unix seconds or milliseconds.",
                path.text(),
                shown(node)
            )
        })?;
        times.insert(steps, at);
    }
    Ok(times)
}

/// The series of one line, by their names in the order in which they come.
fn series(
    document: &Value,
    wanted: &Wanted,
    times: Option<(&Path, &HashMap<Vec<Step>, u64>)>,
    ask: &Ask,
    notes: &mut Vec<String>,
) -> Result<Vec<(String, Vec<Point>)>, String> {
    let path = &wanted.path;
    let values = found("value", path, document)?;
    if values.is_empty() {
        notes.push(format!("`value` {} finds nothing.", path.text()));
    }
    let names = names(document, wanted)?;
    let mut order: Vec<String> = Vec::new();
    let mut points: HashMap<String, BTreeMap<u64, Option<f64>>> = HashMap::new();
    let (mut timeless, mut wordy) = (0, None);
    for Found { node, steps } in values {
        let value = match number(node) {
            Ok(value) => value,
            Err(Odd::Text) => {
                wordy.get_or_insert_with(|| shown(node));
                None
            }
            Err(Odd::Other) => {
                return Err(format!("`value` {} finds {}, which is no number.", path.text(), shown(node)));
            }
        };
        // Of what was chosen on the way, what no time and no name tells apart.
        let (at, left, before) = match times {
            None => (Some(ask.to), &steps[..], 0),
            Some((of, times)) => {
                let deep = times.keys().next().map_or(0, Vec::len);
                let is_before = of.comes_from(path);
                let (own, left) = split(&steps, deep, is_before).ok_or_else(|| {
                    format!(
                        "`time` {} finds more than one for each of `value` {}: there has to be one for each.",
                        of.text(),
                        path.text()
                    )
                })?;
                (times.get(own).copied(), left, if is_before { deep } else { 0 })
            }
        };
        let Some(at) = at else {
            timeless += 1;
            continue;
        };
        let name = match &names {
            Names::Own(name) if left.is_empty() => name.clone(),
            Names::Own(_) => words(left),
            Names::Text(name) => with(name, left),
            Names::Found { of, names } => {
                let deep = names.keys().next().map_or(0, Vec::len);
                let own = split(&steps, deep, true).and_then(|(own, _)| names.get(own));
                let name = own.ok_or_else(|| {
                    let at = words(&steps);
                    format!(
                        "`name` {of} finds none for the value at {at}: there has to be one for each series."
                    )
                })?;
                with(name, &left[deep.saturating_sub(before).min(left.len())..])
            }
        };
        let known = points.entry(name.clone()).or_insert_with(|| {
            order.push(name);
            BTreeMap::new()
        });
        let inside = times.is_none() || (ask.from..=ask.to).contains(&at);
        if inside {
            known.insert(at, value);
        }
        if order.len() > MAX_SERIES {
            return Err(format!("The answer has more than {MAX_SERIES} series."));
        }
    }
    if timeless > 0 {
        notes.push(format!(
            "`value` {} finds {timeless} values without a time, which are left out.",
            path.text()
        ));
    }
    if let Some(words) = wordy {
        notes.push(format!(
            "`value` {} finds {words}, which is no number and is shown as a gap.",
            path.text()
        ));
    }
    let mut all = Vec::with_capacity(order.len());
    for name in order {
        let points: Vec<Point> = points.remove(&name).unwrap_or_default().into_iter().collect();
        let points = if ask.latest {
            points.into_iter().next_back().filter(|(_, value)| value.is_some()).into_iter().collect()
        } else if ask.reduce.is_some() {
            points
        } else {
            thin(points, ask.step)
        };
        all.push((name, points));
    }
    Ok(all)
}

/// Parts what was chosen on the way to a value in what a time has in common with it, and the rest. `None` where the
/// time has more.
fn split(steps: &[Step], deep: usize, is_before: bool) -> Option<(&[Step], &[Step])> {
    let rest = steps.len().checked_sub(deep)?;
    Some(if is_before || rest == 0 {
        steps.split_at(deep)
    } else {
        let (left, own) = steps.split_at(rest);
        (own, left)
    })
}

/// A name, with what else tells its series apart.
fn with(name: &str, left: &[Step]) -> String {
    if left.is_empty() { name.to_owned() } else { format!("{name} {}", words(left)) }
}

fn words(steps: &[Step]) -> String {
    steps.iter().map(Step::words).collect::<Vec<_>>().join(".")
}

/// What the series of a line are called.
enum Names {
    /// By the path of their values, where there is one.
    Own(String),
    Text(String),
    Found {
        of: String,
        names: HashMap<Vec<Step>, String>,
    },
}

fn names(document: &Value, wanted: &Wanted) -> Result<Names, String> {
    Ok(match &wanted.name {
        None => Names::Own(wanted.path.name().unwrap_or("value").to_owned()),
        Some(Name::Text(text)) => Names::Text(text.chars().take(MAX_NAME_CHARS).collect()),
        Some(Name::Path(path)) => {
            let mut names = HashMap::new();
            for Found { node, steps } in found("name", path, document)? {
                let name = match node {
                    Value::String(text) => text.chars().take(MAX_NAME_CHARS).collect(),
                    Value::Number(_) | Value::Bool(_) => node.to_string(),
                    _ => {
                        let what = shown(node);
                        return Err(format!("`name` {} finds {what}, which is no text.", path.text()));
                    }
                };
                names.insert(steps, name);
            }
            Names::Found { of: path.text().to_owned(), names }
        }
    })
}

/// Why a value is no number.
enum Odd {
    Text,
    Other,
}

/// A number; `None` for a gap.
fn number(node: &Value) -> Result<Option<f64>, Odd> {
    match node {
        Value::Null => Ok(None),
        Value::Bool(is) => Ok(Some(f64::from(u8::from(*is)))),
        Value::Number(number) => Ok(number.as_f64().filter(|number| number.is_finite())),
        Value::String(text) => {
            text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map(Some).ok_or(Odd::Text)
        }
        _ => Err(Odd::Other),
    }
}

/// A value as an error shows it.
pub fn shown(node: &Value) -> String {
    match node {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => other.to_string().chars().take(MAX_SHOWN_CHARS).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::data::http::request;
    use serde_json::json;

    const T: u64 = 1_760_000_040;

    fn read_all(document: &Value, lines: &str) -> Result<(Vec<Curve>, Vec<String>), String> {
        let ask = Ask {
            text: format!("/a\n{lines}"),
            from: T * 1_000,
            to: (T + 600) * 1_000,
            step: 1_000,
            ..Ask::default()
        };
        let requests = request::read(&ask)?;
        read(document, &requests[0], &ask, 0)
    }

    fn curves(document: &Value, lines: &str) -> Vec<String> {
        let (curves, _) = read_all(document, lines).expect(lines);
        let point = |(at, value): &Point| {
            let value = value.map_or("-".to_owned(), |value| value.to_string());
            format!("{}:{value}", at / 1_000 - T)
        };
        let points = |curve: &Curve| curve.points.iter().map(point).collect::<Vec<_>>().join(" ");
        curves.iter().map(|curve| format!("{} {}", curve.name, points(curve)).trim().to_owned()).collect()
    }

    #[test]
    fn lists_side_by_side_rows_and_series_are_read() {
        let lists = json!({"hourly": {"time": [T, T + 60, T + 120], "temperature": [1.5, null, 2], "wind": [3, 4, 5]}});
        let lines =
            "time: $.hourly.time[*]\nvalue: $.hourly.temperature[*]\nvalue: $.hourly.wind[*]\nname: Wind";
        assert_eq!(curves(&lists, lines), ["temperature 0:1.5 60:- 120:2", "Wind 0:3 60:4 120:5"]);
        let iso = |second: u64| format!("2025-10-09T08:5{}:00Z", 4 + second / 60);
        // One row lacks its value, another its time: the others stay where they belong.
        let rows = json!([{"t": iso(0), "v": 1, "k": "a"}, {"t": iso(60), "k": "b"}, {"v": 9, "k": "a"}, {"t": iso(120), "v": 3, "k": "b"}]);
        assert_eq!(curves(&rows, "time: $[*].t\nvalue: $[*].v"), ["v 0:1 120:3"]);
        assert_eq!(curves(&rows, "time: $[*].t\nvalue: $[*].v\nname: $[*].k"), ["a 0:1", "b 120:3"]);
        let pairs = json!({"series": [{"n": "x", "p": [[T * 1_000, 1], [T * 1_000 + 9_000, 2]]}, {"n": "y", "p": [[T * 1_000, 7]]}]});
        let lines = "time: $.series[*].p[*][0]\nvalue: $.series[*].p[*][1]";
        assert_eq!(curves(&pairs, &format!("{lines}\nname: $.series[*].n")), ["x 0:1 9:2", "y 0:7"]);
        let shared = json!({"t": [T, T + 1], "all": {"x": [1, 2], "y": [3, 4]}});
        assert_eq!(curves(&shared, "time: $.t[*]\nvalue: $.all.*[*]"), ["x 0:1 1:2", "y 0:3 1:4"]);
        let several = json!([{"at": T, "v": [1, 2]}, {"at": T + 1, "v": [3, 4]}]);
        assert_eq!(curves(&several, "time: $[*].at\nvalue: $[*].v[*]"), ["0 0:1 1:3", "1 0:2 1:4"]);
    }

    #[test]
    fn without_times_each_value_is_one_of_now() {
        let states = json!({"state": "21.5", "on": true, "attributes": {"battery": 80}});
        let lines = "value: $.state\nname: Kitchen\nvalue: $.attributes.battery\nvalue: $.on";
        assert_eq!(curves(&states, lines), ["Kitchen 600:21.5", "battery 600:80", "on 600:1"]);
        let all = json!([{"id": "a", "state": "1"}, {"id": "b", "state": "unavailable"}]);
        let (found, notes) = read_all(&all, "value: $[*].state\nname: $[*].id").expect("reads");
        assert_eq!((found[0].name.as_str(), found[1].points[0].1), ("a", None));
        assert!(
            notes[0].contains("finds \"unavailable\", which is no number and is shown as a gap"),
            "{notes:?}"
        );
        let nested = json!([{"n": "a", "v": [1, 2]}]);
        assert_eq!(curves(&nested, "value: $[*].v[*]\nname: $[*].n"), ["a 0 600:1", "a 1 600:2"]);
        let by_name = json!({"a": {"v": 1}, "b": {"v": 2}});
        assert_eq!(curves(&by_name, "value: $.*.v"), ["a 600:1", "b 600:2"]);
    }

    #[test]
    fn what_does_not_fit_names_its_path() {
        let document = json!({"t": [T, T + 1], "v": 3, "o": {}, "words": ["soon"], "rows": [{"v": 1}, {"v": 2}], "n": ["a"]});
        for (lines, words) in [
            ("time: $.words[*]\nvalue: $.v", "`time` $.words[*] finds \"soon\", which is no time"),
            ("time: $.t[*]\nvalue: $.v", "`time` $.t[*] finds more than one for each of `value` $.v"),
            ("value: $.o", "`value` $.o finds an object, which is no number"),
            ("value: $.rows[*].v\nname: $.o", "`name` $.o finds an object, which is no text"),
            ("value: $.rows[*].v\nname: $.n[*]", "`name` $.n[*] finds none for the value at 1"),
        ] {
            let said = read_all(&document, lines).expect_err(lines);
            assert!(said.contains(words), "{lines}: {said}");
        }
        let (_, notes) = read_all(&document, "value: $.nothing").expect("reads");
        assert_eq!(notes, ["`value` $.nothing finds nothing."]);
    }
}
