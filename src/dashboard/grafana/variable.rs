//! Grafana's template variables as variables here.

use serde_json::{Value, json};

use super::super::export::Report;
use super::super::settings::{
    CHOSEN, MAX_CHOICE_CHARS, MAX_CHOICES, MAX_CHOSEN_CHARS, MAX_REGEX_CHARS, VARIABLE, ValuesOf, Variable,
    is_variable_name,
};
use super::query::Sources;
use super::{Lost, text_of};

/// What stands for every value, in a matcher of label values.
const ALL: &str = ".*";

/// Reads one variable into its settings: what can be chosen, and what is. `source` is what its values, and
/// a variable that stands for a source, come from.
pub fn read(document: &Value, source: &str, sources: &Sources, report: &mut Report) -> Vec<(String, Value)> {
    let text = |name: &str| text_of(document, name);
    let name = text("name");
    if !is_variable_name(&name) {
        report.say(
            format!("Variable “{name}”"),
            "This is no name that a variable can have here. It was left out.",
        );
        return Vec::new();
    }
    let what = format!("Variable ${name}");
    let mut lost = Lost::default();
    let mut variable = Variable { label: text("label").trim().to_owned(), ..Variable::default() };
    // A variable that Grafana does not show either; with 1 it hides the label alone.
    variable.hidden = document.get("hide").and_then(Value::as_f64) == Some(2.0);
    let kind = text("type");
    let query = query_of(document);
    let flag = |name: &str| document.get(name).and_then(Value::as_bool).unwrap_or(false);
    match kind.as_str() {
        "constant" => variable.choices = vec![query.clone()],
        "textbox" => {
            variable.choices = vec![query.clone()];
            lost.say("free text is chosen from a list here, which can be edited");
        }
        "datasource" => variable.choices = vec![source.to_owned()],
        "custom" | "interval" => {
            variable.choices = choices(&query, &mut lost);
            if variable.choices.is_empty() {
                variable.choices = kept(document);
            }
        }
        "switch" => variable.choices = vec![text("enabledValue"), text("disabledValue")],
        "query" => {
            let other = sources.is_other(document.get("datasource"));
            match values_of(&query).filter(|_| other.is_none()) {
                Some((of, label)) => {
                    let mut regex = text("regex");
                    if regex.chars().count() > MAX_REGEX_CHARS {
                        regex.clear();
                        lost.say("the regex that picks from its values, which is too long");
                    }
                    if regex.contains("(?<text>") {
                        lost.say("the names of its values (the values show)");
                    }
                    variable.values_of = Some(ValuesOf { source: source.to_owned(), label, of, regex });
                }
                // What the document has of them is better than the name itself in a query.
                None => {
                    variable.choices = kept(document);
                    let asked = match other {
                        Some(kind) => format!("a query of {kind}"),
                        None if query.is_empty() => "an empty query".to_owned(),
                        None => format!("“{query}”"),
                    };
                    if variable.choices.is_empty() && !flag("includeAll") {
                        let why = format!(
                            "Its values come from {asked}, which cannot be asked here. It was left out."
                        );
                        report.say(what, why);
                        return Vec::new();
                    }
                    lost.say(format!(
                        "asking for its values ({asked}); those that the document has can be chosen"
                    ));
                }
            }
        }
        other => {
            report.say(what, format!("There are no variables of the type “{other}” here. It was left out."));
            return Vec::new();
        }
    }
    let all = text("allValue");
    let all = if all.is_empty() { ALL.to_owned() } else { all };
    if flag("includeAll") {
        variable.choices.insert(0, all.clone());
    }
    if flag("multi") {
        variable.multi = true;
    }
    if flag("auto") {
        lost.say("the automatic interval");
    }
    let long = |choice: &String| choice.chars().count() > MAX_CHOICE_CHARS;
    if variable.choices.iter().any(long) || variable.choices.len() > MAX_CHOICES {
        lost.say(format!("choices beyond {MAX_CHOICES}, or longer than {MAX_CHOICE_CHARS} characters"));
        variable.choices.retain(|choice| !long(choice));
        variable.choices.truncate(MAX_CHOICES);
    }
    let mut settings = Vec::new();
    let chosen = match kind.as_str() {
        // The choice there names another server's source.
        "datasource" | "constant" => None,
        _ => chosen(document, &all, &variable, &mut lost),
    };
    if let Ok(value) = serde_json::to_value(&variable) {
        settings.push((format!("{VARIABLE}{name}"), value));
    }
    if let Some(chosen) = chosen.filter(|chosen| {
        variable.values_of.is_some()
            || variable.values(chosen).iter().all(|one| variable.choices.contains(one))
    }) {
        settings.push((format!("{CHOSEN}{name}"), json!(chosen)));
    }
    lost.tell(&what, report);
    settings
}

/// The query, which is a text or an object with one.
fn query_of(document: &Value) -> String {
    let text = text_of(document, "query");
    if !text.is_empty() {
        return text;
    }
    let query = document.get("query");
    let inner = query.map(|query| text_of(query, "query")).unwrap_or_default();
    match (inner.is_empty(), query) {
        // Written by the form for label values.
        (true, Some(query)) if !text_of(query, "label").is_empty() => {
            format!("label_values({}, {})", text_of(query, "metric"), text_of(query, "label"))
        }
        _ => inner,
    }
}

/// The values that a document holds of a variable: those that could be chosen, and those that were.
fn kept(document: &Value) -> Vec<String> {
    let offered = document.get("options").and_then(Value::as_array).into_iter().flatten();
    let offered = offered.filter_map(|option| option.get("value"));
    let current = document.pointer("/current/value");
    let each = |value: &Value| match value {
        Value::Array(several) => several.clone(),
        one => vec![one.clone()],
    };
    let mut all: Vec<String> = Vec::new();
    for value in current.into_iter().chain(offered).flat_map(each) {
        match value.as_str() {
            Some(one)
                if !one.is_empty() && !one.starts_with("$__") && !all.iter().any(|known| known == one) =>
            {
                all.push(one.to_owned());
            }
            _ => {}
        }
    }
    all
}

/// `a, b, Label : value` as its values; a comma after a backslash is part of a value.
fn choices(query: &str, lost: &mut Lost) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let hidden = query.replace("\\,", "\u{0}");
    let mut labelled = false;
    for part in hidden.split(',') {
        let part = part.replace('\u{0}', ",");
        let value = match part.split_once(" : ") {
            Some((_, value)) => {
                labelled = true;
                value.trim().to_owned()
            }
            None => part.trim().to_owned(),
        };
        if !value.is_empty() && value != "auto" && !all.contains(&value) {
            all.push(value);
        }
    }
    if labelled {
        lost.say("labels of its choices (the values show)");
    }
    all
}

/// What a query asks for that a label of a source answers, as `(of, label)`.
fn values_of(query: &str) -> Option<(String, String)> {
    let names = query.trim().strip_prefix("metrics(").and_then(|inner| inner.strip_suffix(')'));
    match names.map(|names| names.trim().trim_matches(['"', '\''])) {
        // The pattern is found anywhere in a name there.
        Some(names) if !names.contains('"') => {
            let of = format!("{{__name__=~\".*({}).*\"}}", names.replace('\\', "\\\\"));
            Some((of, "__name__".to_owned()))
        }
        Some(_) => None,
        None => label_values(query),
    }
}

/// `label_values(of, label)` or `label_values(label)` as `(of, label)`.
fn label_values(query: &str) -> Option<(String, String)> {
    let inner = query.trim().strip_prefix("label_values(")?.strip_suffix(')')?;
    // What counts may have commas itself; a label has none.
    let (of, label) = inner.rsplit_once(',').unwrap_or(("", inner));
    let label = label.trim().trim_matches(['"', '\'']);
    let is_label = !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_label.then(|| (of.trim().to_owned(), label.to_owned()))
}

/// What was chosen, as one text: several values as what matches each of them.
fn chosen(document: &Value, all: &str, variable: &Variable, lost: &mut Lost) -> Option<String> {
    // A switch has its value alone.
    let current = document.get("current")?;
    let value = current.get("value").unwrap_or(current);
    let one = match value {
        Value::String(one) => one.clone(),
        Value::Array(several) => {
            let several: Option<Vec<String>> =
                several.iter().map(|one| one.as_str().map(str::to_owned)).collect();
            let several = several.filter(|several| !several.is_empty())?;
            // All are all, whatever else.
            match several.iter().find(|one| one.starts_with("$__")) {
                Some(one) => one.clone(),
                None => variable.chosen(&several)?,
            }
        }
        _ => return None,
    };
    match one.as_str() {
        "$__all" => Some(all.to_owned()),
        "" | "$__auto" => None,
        _ if one.starts_with("$__auto_interval") => None,
        _ if one.chars().count() > MAX_CHOSEN_CHARS => {
            lost.say("what was chosen of it");
            None
        }
        _ => Some(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(document: Value) -> (Vec<(String, Value)>, String) {
        let mut report = Report::default();
        let settings = read(&document, "main", &Sources::default(), &mut report);
        let said: Vec<String> = report.done().into_iter().map(|one| one.why).collect();
        (settings, said.join(" "))
    }

    #[test]
    fn constants_and_choices_come_over() {
        let (settings, said) =
            of(json!({ "name": "env", "type": "constant", "query": "prod", "label": "Env" }));
        let expected = json!({ "label": "Env", "choices": ["prod"] });
        assert_eq!((settings, said), (vec![("variable.env".to_owned(), expected)], String::new()));
        let (settings, said) = of(json!({
            "name": "q", "type": "custom", "query": "a, b\\,c, Best : 9", "current": { "value": "9" },
        }));
        assert_eq!(settings[0].1, json!({ "choices": ["a", "b,c", "9"] }));
        assert_eq!(settings[1], ("value.q".to_owned(), json!("9")));
        assert!(said.contains("labels of its choices"), "{said}");
        let (settings, said) =
            of(json!({ "name": "i", "type": "interval", "query": "auto,1m,5m", "auto": true }));
        assert_eq!(settings[0].1, json!({ "choices": ["1m", "5m"] }));
        assert!(said.contains("automatic interval"), "{said}");
        let (settings, _) =
            of(json!({ "name": "c", "type": "custom", "query": "", "options": [{ "value": "only" }] }));
        assert_eq!(settings[0].1, json!({ "choices": ["only"] }));
        let (settings, _) = of(json!({ "name": "ds", "type": "datasource", "query": "prometheus" }));
        assert_eq!(settings[0].1, json!({ "choices": ["main"] }));
    }

    #[test]
    fn label_values_are_asked_of_the_source() {
        for (query, label, series) in [
            (json!("label_values(up, instance)"), "instance", "up"),
            (json!({ "query": "label_values(up{a=\"x\",b=~\"$b\"},job)" }), "job", "up{a=\"x\",b=~\"$b\"}"),
            (json!("label_values(job)"), "job", ""),
            (json!({ "qryType": 1, "label": "pod", "metric": "up" }), "pod", "up"),
        ] {
            let (settings, said) = of(json!({ "name": "v", "type": "query", "query": query }));
            let values: ValuesOf =
                serde_json::from_value(settings[0].1["values_of"].clone()).expect("values");
            assert_eq!((&*values.source, &*values.label, &*values.of), ("main", label, series));
            assert_eq!(said, "");
        }
        let (settings, said) = of(json!({
            "name": "v", "type": "query", "query": "label_values(up, job)", "multi": true, "includeAll": true,
            "regex": "/a/", "current": { "value": ["$__all"] },
        }));
        assert_eq!(settings[0].1["choices"], json!([".*"]));
        assert_eq!(settings[1].1, json!(".*"));
        assert_eq!(settings[0].1["multi"], json!(true));
        assert_eq!((&settings[0].1["values_of"]["regex"], &*said), (&json!("/a/"), ""));
        let (settings, said) = of(json!({
            "name": "v", "type": "custom", "query": "a.b,c,d", "multi": true, "current": { "value": ["a.b", "c"] },
        }));
        assert_eq!(settings[0].1, json!({ "choices": ["a.b", "c", "d"], "multi": true }));
        assert_eq!((&settings[1].1, &*said), (&json!(r"(a\\.b|c)"), ""));
        let (settings, _) = of(json!({
            "name": "v", "type": "custom", "query": "a.b,c", "current": { "value": ["a.b"] },
        }));
        assert_eq!(settings[1].1, json!("a.b"), "of a variable that takes one");
    }

    #[test]
    fn values_that_cannot_be_asked_for_are_those_of_the_document() {
        for query in ["query_result(up)", "label_names()", "up", ""] {
            let (settings, said) = of(json!({ "name": "v", "type": "query", "query": query, "regex": "/a/",
                "options": [{ "value": "$__all" }, { "value": "a" }, { "value": "b" }],
                "current": { "text": "b", "value": "b" } }));
            let expected = [("variable.v", json!({ "choices": ["b", "a"] })), ("value.v", json!("b"))];
            assert_eq!(settings, expected.map(|(field, value)| (field.to_owned(), value)), "{query}");
            assert!(
                said.starts_with("Not taken over: asking for its values") && !said.contains("regex"),
                "{said}"
            );
        }
        let (settings, _) =
            of(json!({ "name": "v", "type": "query", "query": "query_result(up)", "multi": true,
            "includeAll": true, "current": { "value": ["$__all"] } }));
        assert_eq!(settings[0].1, json!({ "choices": [".*"], "multi": true }));
        assert_eq!(settings[1].1, json!(".*"));
        let (settings, said) = of(json!({ "name": "v", "type": "query", "query": "metrics(node_.*)" }));
        let expected =
            json!({ "source": "main", "label": "__name__", "of": "{__name__=~\".*(node_.*).*\"}" });
        assert_eq!((&settings[0].1["values_of"], &*said), (&expected, ""));
        let (settings, _) = of(json!({ "name": "v", "type": "query", "query": "label_values(job)",
            "datasource": { "type": "loki" }, "current": { "value": "a" } }));
        assert_eq!(settings[0].1, json!({ "choices": ["a"] }), "another source has other values");
    }

    #[test]
    fn what_is_not_known_is_said() {
        for document in [
            json!({ "name": "a b", "type": "custom", "query": "a" }),
            json!({ "name": "a", "type": "adhoc" }),
            json!({ "name": "a", "type": "query", "query": "query_result(up)" }),
            json!({ "name": "a", "type": "query" }),
            json!({ "name": "a", "type": "query", "query": "x", "current": { "value": "" } }),
            json!(7),
        ] {
            let (settings, said) = of(document);
            assert!(settings.is_empty() && said.contains("left out"), "{said}");
        }
    }
}
