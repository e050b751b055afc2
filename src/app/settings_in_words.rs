//! The settings of a dashboard and their values in words, for the activity and for conflicts.

use serde::Deserialize;
use serde_json::Value;

use super::conflicts;
use super::format::field_label;
use super::time::words;
use crate::dashboard::Strategy;
use crate::dashboard::range::TimeRange;
use crate::dashboard::settings::{
    ANNOTATION, Annotation, CHOSEN, RANGE, TAGS, TIME_ZONE, TimeZone, VARIABLE, Variable,
};
use crate::dashboard::several::each_of;

/// What a setting is called in a sentence, by one of the values that it has or had: `the mark at 10:02`.
pub fn about<'a>(field: &str, values: impl IntoIterator<Item = &'a Value>) -> String {
    if field == RANGE {
        return "the time that is shown".to_owned();
    }
    if field == TIME_ZONE {
        return "the time zone".to_owned();
    }
    if field == TAGS {
        return "the tags".to_owned();
    }
    if let Some(name) = field.strip_prefix(VARIABLE) {
        return format!("the variable ${name}");
    }
    if let Some(name) = field.strip_prefix(CHOSEN) {
        return format!("what is chosen for ${name}");
    }
    if !field.starts_with(ANNOTATION) {
        return format!("“{}”", field_label(field));
    }
    match values.into_iter().find_map(|value| Annotation::deserialize(value).ok()) {
        Some(mark) => format!("the mark at {}", words::clock(mark.at)),
        None => "a mark".to_owned(),
    }
}

/// What a setting of this value says, where that is not the value as it was written.
pub fn reads(field: &str, value: &Value) -> Option<String> {
    match field {
        "conflicts" => {
            let strategy = value.as_str().and_then(Strategy::parse).unwrap_or_default();
            Some(conflicts::label(strategy).to_owned())
        }
        RANGE | TAGS | TIME_ZONE => Some(in_words(field, value)),
        _ if field.starts_with(VARIABLE) => Some(in_words(field, value)),
        _ if field.starts_with(ANNOTATION) => {
            let mark = Annotation::deserialize(value).ok()?;
            Some(format!("{}: {}", words::clock_s(mark.at), mark.text))
        }
        _ => None,
    }
}

/// A value of a setting in a sentence: `the last 6 h`.
pub fn in_words(field: &str, value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    match field {
        // Without the present at hand, a day stands with its year.
        RANGE => words::of(text.parse::<TimeRange>().unwrap_or_default(), 0),
        TIME_ZONE => match TimeZone::parse(text).unwrap_or_default() {
            TimeZone::Browser => "everybody's own".to_owned(),
            TimeZone::Utc => "UTC".to_owned(),
            TimeZone::Named(name) => name,
        },
        TAGS => {
            let tags: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if tags.is_empty() { "none".to_owned() } else { tags.join(", ") }
        }
        _ if field.starts_with(VARIABLE) => match Variable::deserialize(value) {
            Ok(Variable { label, choices, values_of, .. }) => {
                let label = if label.is_empty() { String::new() } else { format!("{label}: ") };
                let values = values_of.map(|of| format!("values of {} in {}", of.label, of.source));
                format!("{label}{}", values.unwrap_or_else(|| choices.join(", ")))
            }
            Err(_) => "removed".to_owned(),
        },
        _ if field.starts_with(CHOSEN) => each_of(text).join(", "),
        _ => text.to_owned(),
    }
}

/// What somebody did to a variable, or chose for it; follows a name. `None` for what only goes along with
/// something that is told.
pub fn varied(field: &str, before: &Value, now: &Value) -> Option<String> {
    if let Some(name) = field.strip_prefix(CHOSEN) {
        let chosen = each_of(now.as_str()?).join(", ");
        return Some(format!("set ${name} to “{chosen}”"));
    }
    let name = field.strip_prefix(VARIABLE)?;
    Some(match (before.is_null(), now.is_null()) {
        (_, true) => format!("removed the variable ${name}"),
        (true, false) => format!("added the variable ${name}"),
        (false, false) => format!("changed the variable ${name}"),
    })
}

/// What somebody did to a mark; follows a name: `marked 10:02: “Deployed 4.2”`.
pub fn marked(before: &Value, now: &Value) -> String {
    let read = |value| Annotation::deserialize(value).ok();
    let quoted = |mark: &Annotation| format!("{}: “{}”", words::clock(mark.at), mark.text);
    match (read(before), read(now)) {
        (None, Some(now)) => format!("marked {}", quoted(&now)),
        (Some(before), Some(now)) if before.at == now.at => {
            format!("changed the mark at {}", quoted(&now))
        }
        (Some(before), Some(now)) => {
            format!("moved the mark at {} to {}", words::clock(before.at), quoted(&now))
        }
        (Some(before), None) => format!("removed the mark at {}", quoted(&before)),
        (None, None) => "removed a mark".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// 2026-11-22 10:02:33 in Greenwich.
    const AT: u64 = 1_795_341_753_000;

    #[test]
    fn settings_read_as_people_say_them() {
        let mark = json!({"at": AT, "text": "Deployed"});
        assert_eq!(about("annotation.a", [&Value::Null, &mark]), "the mark at 10:02");
        assert_eq!(about("annotation.a", [&Value::Null]), "a mark");
        assert_eq!(about("range", []), "the time that is shown");
        assert_eq!(about("refresh", []), "“refresh”");
        assert_eq!(reads("annotation.a", &mark).as_deref(), Some("10:02:33: Deployed"));
        assert_eq!(reads("range", &json!("6h")).as_deref(), Some("the last 6 h"));
        assert_eq!(reads("range", &Value::Null).as_deref(), Some("the last 15 min"));
        assert_eq!(reads("title", &json!("x")), None);
        assert_eq!(about("tags", []), "the tags");
        assert_eq!(reads("tags", &json!(["prod", "eu"])).as_deref(), Some("prod, eu"));
        assert_eq!(reads("tags", &Value::Null).as_deref(), Some("none"));
        let variable = json!({"label": "Host", "choices": ["a", "b"]});
        assert_eq!(about("variable.host", [&variable]), "the variable $host");
        assert_eq!(about("value.host", []), "what is chosen for $host");
        assert_eq!(reads("variable.host", &variable).as_deref(), Some("Host: a, b"));
        assert_eq!(reads("variable.host", &Value::Null).as_deref(), Some("removed"));
        let told = |field: &str, before: &Value, now: &Value| varied(field, before, now).unwrap_or_default();
        assert_eq!(told("value.host", &Value::Null, &json!("b")), "set $host to “b”");
        assert_eq!(told("variable.host", &Value::Null, &variable), "added the variable $host");
        assert_eq!(told("variable.host", &variable, &Value::Null), "removed the variable $host");
        assert_eq!(varied("value.host", &json!("b"), &Value::Null), None);
    }

    #[test]
    fn what_happens_to_a_mark_is_told() {
        let mark = |at: u64, text: &str| json!({"at": at, "text": text});
        let (first, worded, moved) = (mark(AT, "a"), mark(AT, "b"), mark(AT + 60_000, "b"));
        assert_eq!(marked(&Value::Null, &first), "marked 10:02: “a”");
        assert_eq!(marked(&first, &worded), "changed the mark at 10:02: “b”");
        assert_eq!(marked(&worded, &moved), "moved the mark at 10:02 to 10:03: “b”");
        assert_eq!(marked(&moved, &Value::Null), "removed the mark at 10:03: “b”");
    }
}
