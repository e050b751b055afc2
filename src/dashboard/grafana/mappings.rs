//! Words that a Grafana panel has for single values, as lines of the option `mappings`.

use serde_json::Value;

use super::thresholds::{Level, level};
use super::{Lost, text_of};

/// Reads `mappings` of a panel, and the `valueMaps` and `rangeMaps` of old ones, as lines.
pub fn read(all: &[&Value], lost: &mut Lost) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut left = 0;
    for mapping in all {
        match one(mapping) {
            Some(more) => lines.extend(more),
            None => left += 1,
        }
    }
    lost.count(left, "value mapping", "value mappings");
    lines.join("\n")
}

/// The lines of one mapping; `None` for one that matches something other than numbers.
fn one(mapping: &Value) -> Option<Vec<String>> {
    let options = mapping.get("options");
    let line =
        |key: String, result: &Value| written(&key, &text_of(result, "text"), &text_of(result, "color"));
    match mapping.get("type") {
        Some(Value::String(kind)) => match kind.as_str() {
            "value" => {
                let mut all: Vec<(&String, &Value)> = options?.as_object()?.iter().collect();
                let turn = |value: &Value| value.get("index").and_then(Value::as_u64).unwrap_or(0);
                all.sort_by_key(|(_, result)| turn(result));
                let numbers: Vec<_> =
                    all.into_iter().filter(|(key, _)| key.trim().parse::<f64>().is_ok()).collect();
                (!numbers.is_empty()).then(|| {
                    numbers
                        .into_iter()
                        .flat_map(|(key, result)| line(key.trim().to_owned(), result))
                        .collect()
                })
            }
            "range" => {
                let options = options?;
                let key = range(options.get("from"), options.get("to"))?;
                Some(line(key, options.get("result")?).into_iter().collect())
            }
            "special" => {
                let options = options?;
                match text_of(options, "match").as_str() {
                    "null" | "nan" | "null+nan" => {
                        Some(for_none(&text_of(options.get("result")?, "text")).into_iter().collect())
                    }
                    _ => None,
                }
            }
            _ => None,
        },
        // Those of old: `{"op", "value", "text"}` and `{"from", "to", "text"}`, with a number for a type or none.
        _ => {
            let text = text_of(mapping, "text");
            let value = mapping.get("value").map(as_text).filter(|value| !value.is_empty());
            let (from, to) = (mapping.get("from"), mapping.get("to"));
            match value {
                Some(value) if value == "null" => Some(for_none(&text).into_iter().collect()),
                Some(value) if value.parse::<f64>().is_ok() => {
                    Some(written(&value, &text, "").into_iter().collect())
                }
                Some(_) => None,
                None if from.map(as_text).as_deref() == Some("null") => {
                    Some(for_none(&text).into_iter().collect())
                }
                None => Some(written(&range(from, to)?, &text, "").into_iter().collect()),
            }
        }
    }
}

/// Words for no value. Nearly every old panel says “N/A” for none, which is what shows anyway.
fn for_none(text: &str) -> Option<String> {
    (text != "N/A").then(|| written("none", text, ""))?
}

/// A line; `None` where it would say nothing.
fn written(key: &str, text: &str, color: &str) -> Option<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let level = match level(color) {
        _ if color.is_empty() => "",
        Level::Fine => "",
        Level::Warn => "[warn] ",
        Level::Alert => "[alert] ",
    };
    (!text.is_empty() || !level.is_empty()).then(|| format!("{key} = {level}{text}").trim_end().to_owned())
}

/// A number or a text as text.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `1..5`, open where an end is not given.
fn range(from: Option<&Value>, to: Option<&Value>) -> Option<String> {
    let end = |value: Option<&Value>| {
        let text = value.map(as_text).unwrap_or_default();
        let open = matches!(text.as_str(), "" | "-Infinity" | "Infinity");
        if open { Some(String::new()) } else { text.parse::<f64>().ok().map(|_| text) }
    };
    Some(format!("{}..{}", end(from)?, end(to)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_for_values_are_lines() {
        let all = json!([
            { "type": "value", "options": { "1": { "text": "Up", "color": "green", "index": 0 },
                                            "0": { "text": "Down", "color": "dark-red", "index": 1 } } },
            { "type": "range", "options": { "from": 2, "to": null, "result": { "text": "Many\nmore", "color": "orange" } } },
            { "type": "special", "options": { "match": "null+nan", "result": { "text": "Nothing" } } },
            { "type": "special", "options": { "match": "empty", "result": { "text": "x" } } },
            { "type": "regex", "options": { "pattern": "a", "result": { "text": "x" } } },
            { "op": "=", "text": "N/A", "value": "null" },
            { "op": "=", "text": "OK", "value": "7" },
            { "type": 2, "from": "8", "to": "9.5", "text": "Odd" },
            { "type": 1, "value": "words", "text": "x" },
        ]);
        let mut lost = Lost::default();
        let all: Vec<&Value> = all.as_array().expect("a list").iter().collect();
        assert_eq!(
            read(&all, &mut lost),
            "1 = Up\n0 = [alert] Down\n2.. = [warn] Many more\nnone = Nothing\n7 = OK\n8..9.5 = Odd"
        );
        assert_eq!(lost.words(), "3 value mappings");
    }
}
