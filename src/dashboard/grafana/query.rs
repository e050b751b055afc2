//! Queries of Grafana's panels as queries here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::settings::{FILLED_IN, Settings, VARIABLE, mentioned};
use super::super::widget::MAX_QUERY_CHARS;
use super::overrides::{self, Named};
use super::{Lost, text_of};

/// The plugins whose sources are asked in PromQL.
const PROMQL: [&str; 6] = [
    "prometheus",
    "victoriametrics-metrics-datasource",
    "victoriametrics-datasource",
    "grafana-amazonprometheus-datasource",
    "grafana-azureprometheus-datasource",
    "grafana-googlemanagedprometheus-datasource",
];

/// What the data sources of a dashboard are, by the names that it has for them.
#[derive(Clone, Debug, Default)]
pub struct Sources(BTreeMap<String, String>);

/// A panel's queries, one on each line, and what their series are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub query: String,
    pub legend: String,
    /// The queries as overrides name them.
    pub queries: Vec<Named>,
    /// The least steps that the queries and the panel name, as `1m` or `$interval`.
    pub steps: Vec<String>,
}

impl Sources {
    /// Reads what `__inputs` and the variables say of the names.
    pub fn of(dashboard: &Value) -> Self {
        let list = |at: &str| dashboard.pointer(at).and_then(Value::as_array).into_iter().flatten();
        let inputs = list("/__inputs").map(|input| (text_of(input, "name"), text_of(input, "pluginId")));
        let is_source = |variable: &&Value| text_of(variable, "type") == "datasource";
        let variables = list("/templating/list").filter(is_source);
        let variables = variables.map(|variable| (text_of(variable, "name"), text_of(variable, "query")));
        Self(inputs.chain(variables).collect())
    }

    /// The kind of source that is meant, as `prometheus` or `loki`; empty where nothing says it.
    fn kind(&self, source: Option<&Value>) -> String {
        let name = match source {
            Some(Value::String(name)) => name.clone(),
            Some(source) => match text_of(source, "type") {
                kind if kind.is_empty() => text_of(source, "uid"),
                kind => return kind,
            },
            None => return String::new(),
        };
        let bare = name.trim_start_matches("${").trim_start_matches('$').trim_end_matches('}');
        match self.0.get(bare) {
            Some(kind) => kind.clone(),
            None if name.to_lowercase().contains("loki") => "loki".to_owned(),
            None => String::new(),
        }
    }

    /// The kind of a source that is not asked in PromQL.
    pub fn is_other(&self, source: Option<&Value>) -> Option<String> {
        let kind = self.kind(source);
        let of_all = matches!(kind.as_str(), "" | "mixed" | "datasource" | "grafana");
        (!of_all && !PROMQL.contains(&kind.as_str())).then_some(kind)
    }
}

/// Reads the queries of a panel.
pub fn read(panel: &Value, sources: &Sources, lost: &mut Lost) -> Asked {
    let mut queries: Vec<(String, String, Named)> = Vec::new();
    let mut steps = vec![text_of(panel, "interval")];
    let (mut hidden, mut without) = (0, 0);
    for target in panel.get("targets").and_then(Value::as_array).into_iter().flatten() {
        let source = target.get("datasource").filter(|source| !source.is_null()).or(panel.get("datasource"));
        if let Some(kind) = sources.is_other(source) {
            lost.say(format!("a query of {kind}"));
            continue;
        }
        if target.get("hide").and_then(Value::as_bool).unwrap_or(false) {
            hidden += 1;
            continue;
        }
        let expr = one_line(&text_of(target, "expr"));
        if expr.is_empty() {
            without += 1;
            continue;
        }
        steps.push(text_of(target, "interval"));
        let legend = one_line(&text_of(target, "legendFormat"));
        let legend = if legend == "__auto" { String::new() } else { legend };
        let named = Named { letter: text_of(target, "refId"), legend };
        let other = overrides::of(panel).filter(|one| one.is_about(&named)).find_map(|one| one.name());
        queries.push((expr, other.unwrap_or_else(|| named.legend.clone()), named));
    }
    if hidden > 0 {
        lost.count(hidden, "hidden query", "hidden queries");
    }
    if without > 0 {
        lost.count(without, "query without PromQL", "queries without PromQL");
    }
    let mut room = MAX_QUERY_CHARS;
    let before = queries.len();
    let fits = |(query, legend, _): &(String, String, Named)| {
        let long = query.chars().count().max(legend.chars().count()) + 1;
        let fits = long <= room;
        room = room.saturating_sub(if fits { long } else { 0 });
        fits
    };
    queries.retain(fits);
    if queries.len() < before {
        lost.say(format!(
            "{} of its queries, for which {MAX_QUERY_CHARS} characters are no room",
            before - queries.len()
        ));
    }
    let lines =
        |one: fn(&(String, String, Named)) -> &str| queries.iter().map(one).collect::<Vec<_>>().join("\n");
    let same = queries.windows(2).all(|two| two[0].1 == two[1].1);
    let legend = match queries.first() {
        Some((_, legend, _)) if same => legend.clone(),
        // A last line without a name is one all the same: alone, the first would be for all.
        _ if queries.last().is_some_and(|(_, legend, _)| legend.is_empty()) => {
            format!("{} ", lines(|one| &one.1))
        }
        _ => lines(|one| &one.1),
    };
    let query = lines(|one| &one.0);
    steps.retain(|step| !step.trim().is_empty());
    Asked { query, legend, queries: queries.into_iter().map(|one| one.2).collect(), steps }
}

/// Says which names in a text mean nothing here.
pub fn tell_unknown(text: &str, settings: &Settings, lost: &mut Lost) {
    for name in mentioned(text) {
        let known = settings.contains_key(&format!("{VARIABLE}{name}")) || FILLED_IN.contains(&name);
        if !known {
            lost.say(format!("a value for ${name}, which means nothing here"));
        }
    }
}

/// A query on one line: PromQL takes a space for a line's end, and comments go.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let line = without_comment(line).trim();
        if !line.is_empty() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(line);
        }
    }
    out
}

/// A line up to a `#` that stands in no string.
fn without_comment(line: &str) -> &str {
    let mut within = None;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match within {
            _ if escaped => escaped = false,
            Some(quote) => match c {
                '\\' if quote != '`' => escaped = true,
                c if c == quote => within = None,
                _ => {}
            },
            None => match c {
                '"' | '\'' | '`' => within = Some(c),
                '#' => return &line[..at],
                _ => {}
            },
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(panel: &Value) -> (Asked, String) {
        let dashboard = json!({
            "__inputs": [{ "name": "DS_PROM", "pluginId": "prometheus" }, { "name": "DS_L", "pluginId": "loki" }],
            "templating": { "list": [{ "type": "datasource", "name": "ds", "query": "prometheus" }] },
        });
        let mut lost = Lost::default();
        let asked = read(panel, &Sources::of(&dashboard), &mut lost);
        (asked, lost.words())
    }

    #[test]
    fn several_queries_are_several_lines_with_a_name_each() {
        let (asked, lost) = asked(&json!({ "datasource": { "uid": "${ds}" }, "targets": [
            { "expr": "sum(\n  rate(a[5m]) # per job\n) by (x)", "legendFormat": "{{x}}" },
            { "expr": "b{c=\"#1\"}", "legendFormat": "b" },
        ] }));
        assert_eq!(asked.query, "sum( rate(a[5m]) ) by (x)\nb{c=\"#1\"}");
        assert_eq!((&*asked.legend, asked.queries.len(), &*lost), ("{{x}}\nb", 2, ""));
    }

    #[test]
    fn a_last_query_without_a_name_keeps_its_line() {
        let (asked, _) =
            asked(&json!({ "targets": [{ "expr": "a", "legendFormat": "{{x}}" }, { "expr": "b" }] }));
        assert_eq!(asked.legend.lines().map(str::trim).collect::<Vec<_>>(), ["{{x}}", ""]);
    }

    #[test]
    fn one_name_for_all_is_said_once_and_what_is_left_out_is_said() {
        let (asked, lost) = asked(&json!({ "datasource": "${DS_PROM}", "targets": [
            { "expr": "a", "legendFormat": "__auto" },
            { "expr": "b" },
            { "expr": "c", "hide": true },
            { "expr": "d", "datasource": { "type": "loki", "uid": "x" } },
            { "expr": "e", "datasource": "${DS_L}" },
            { "query": "SELECT 1" },
            7,
            { "expr": "x".repeat(5000) },
        ] }));
        assert_eq!((&*asked.query, &*asked.legend, asked.queries.len()), ("a\nb", "", 2));
        for expected in ["a query of loki", "1 hidden query", "2 queries without PromQL", "4096"] {
            assert!(lost.contains(expected), "{expected} is not in {lost}");
        }
    }
}
