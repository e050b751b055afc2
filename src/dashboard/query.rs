//! Query of a widget, with the chosen values of the variables in it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::settings::{Chosen, chosen_in, in_words};
use super::{Dashboard, Widget};

/// The source that is the widget's own pasted data.
pub const TABLE: &str = "table";

/// What a widget asks for. Two widgets that ask the same share one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query {
    /// The source's name; empty for series by name.
    pub source: String,
    /// Series by name, with commas between them; or what the source speaks. Variables stand in it by their
    /// names: each source writes their values as its language needs them.
    pub text: String,
    /// What is chosen of the variables in the text, by name.
    pub variables: BTreeMap<String, Chosen>,
    /// How the series are called, as `{{host}}`; a line for each line of the query, or one for all. Empty
    /// for the source's own names.
    pub legend: String,
    /// Seconds from one scrape of the servers to the next, as far as the widget says so; 0 where it does not.
    pub min_step_s: u64,
}

impl Dashboard {
    /// What a widget asks a source of the server for; `None` where it asks for nothing, or has its data in
    /// itself.
    pub fn query(&self, widget: &Widget) -> Option<Query> {
        let (source, text) = (widget.text_option("source"), widget.text_option("query"));
        let asks = widget.kind.asks() && source != TABLE && !text.trim().is_empty();
        asks.then(|| Query {
            source: source.to_owned(),
            text: text.to_owned(),
            variables: chosen_in(&self.settings, text),
            legend: in_words(&self.settings, widget.text_option("legend")),
            min_step_s: widget.options.get("min_step").and_then(Value::as_u64).unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind};
    use serde_json::json;

    #[test]
    fn a_query_has_what_is_chosen_and_a_legend_names_it() {
        let mut dashboard = Dashboard::new("d");
        for (field, value) in [
            ("variable.host", json!({ "choices": ["a.b", "c"], "multi": true })),
            ("value.host", json!(r"(a\\.b|c)")),
            ("variable.zone", json!({ "choices": ["eu|us"] })),
            ("variable.other", json!({ "choices": ["x"] })),
        ] {
            dashboard.settings.insert(field.to_owned(), value);
        }
        let mut widget = Widget::new(Kind::Timeseries, "", Frame::default());
        for (option, value) in [
            ("source", "main"),
            ("query", "up{h=~\"$host\",z=~\"${zone}\"} + $none"),
            ("legend", "{{job}} of $host"),
        ] {
            widget.options.insert(option.to_owned(), value.into());
        }
        widget.options.insert("min_step".to_owned(), 60.into());
        let query = dashboard.query(&widget).expect("it asks");
        assert_eq!(query.text, "up{h=~\"$host\",z=~\"${zone}\"} + $none");
        let chosen = |values: &[&str], is_literal| Chosen {
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            is_literal,
            offered: None,
        };
        let expected = [("host", chosen(&["a.b", "c"], true)), ("zone", chosen(&["eu|us"], false))];
        assert_eq!(query.variables, expected.map(|(name, one)| (name.to_owned(), one)).into());
        assert_eq!(query.legend, "{{job}} of a.b, c");
        assert_eq!(query.min_step_s, 60);
    }
}
