//! Field overrides of Grafana's panels. Those come over that are said of all fields in fact, names of a query's
//! series, units of a table's columns, and what a chart can say of a line.

use serde_json::Value;

use super::super::Kind;
use super::lines::{self, Says};
use super::text_of;
use super::unit::{self, Unit};

/// A query as overrides name it: by its letter, or by what its series are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub letter: String,
    pub legend: String,
}

/// What all of a panel's series can be told by options of the widget.
const OF_ALL: [&str; 5] = ["unit", "decimals", "min", "max", "thresholds"];

/// The overrides of a panel.
pub fn of(panel: &Value) -> impl Iterator<Item = Override<'_>> {
    let all = panel.pointer("/fieldConfig/overrides").and_then(Value::as_array);
    all.into_iter().flatten().map(Override)
}

/// What a panel says of the series that one matcher finds.
#[derive(Clone, Copy, Debug)]
pub struct Override<'a>(&'a Value);

impl<'a> Override<'a> {
    /// The properties, with their values.
    pub fn properties(self) -> impl Iterator<Item = (String, &'a Value)> {
        let all = self.0.get("properties").and_then(Value::as_array);
        all.into_iter().flatten().filter_map(|one| Some((text_of(one, "id"), one.get("value")?)))
    }

    fn matcher(self) -> (&'a str, &'a str) {
        let text = |name: &str| self.0.pointer(name).and_then(Value::as_str).unwrap_or_default();
        (text("/matcher/id"), text("/matcher/options"))
    }

    /// True where it is about the series of this query and no others.
    pub fn is_about(self, query: &Named) -> bool {
        match self.matcher() {
            ("byFrameRefID", letter) => letter == query.letter,
            ("byName", name) => name == query.legend && !name.is_empty() && !name.contains("{{"),
            _ => false,
        }
    }

    /// True where it is about all that the panel shows.
    fn is_about_all(self, queries: &[Named]) -> bool {
        match (self.matcher(), queries) {
            (("byRegexp", ".*" | "/.*/") | ("byType", "number"), _) => true,
            (_, [only]) => self.is_about(only),
            _ => false,
        }
    }

    /// What it calls the series of a query, as names are written here.
    pub fn name(self) -> Option<String> {
        let named = self.properties().find(|(id, _)| id == "displayName")?.1.as_str()?;
        name(named)
    }

    /// The column of a table, or the one of several series, whose unit this is, and the unit.
    pub fn own_unit(self, queries: &[Named], kind: Kind) -> Option<(&'a str, String)> {
        if kind != Kind::Table && self.is_about_all(queries) {
            return None;
        }
        // What it calls them is what they are called here.
        let of_query = || queries.iter().find(|query| self.is_about(query)).and_then(|_| self.fixed_name());
        let name = match self.matcher() {
            ("byName", name) => of_query().unwrap_or(name),
            ("byFrameRefID", _) if kind != Kind::Table => of_query()?,
            _ => return None,
        };
        if kind == Kind::Timeseries {
            return None;
        }
        let unit = self.properties().find(|(id, _)| id == "unit")?.1.as_str()?;
        match unit::read(unit) {
            Unit::Plain(unit) if kind.field(&format!("unit.{name}")).is_some() => Some((name, unit)),
            _ => None,
        }
    }

    /// What it calls a series, where that is the same for all.
    fn fixed_name(self) -> Option<&'a str> {
        let named = self.properties().find(|(id, _)| id == "displayName")?.1.as_str()?.trim();
        (!named.is_empty() && !named.contains('$')).then_some(named)
    }

    /// The series that it is about, as a chart's lines name them.
    pub fn names(self, queries: &[Named]) -> Option<String> {
        match self.matcher() {
            ("byName", name) => lines::exactly(name),
            ("byRegexp", regex) => lines::names(regex),
            ("byFrameRefID", letter) => {
                lines::of_legend(&queries.iter().find(|query| query.letter == letter)?.legend)
            }
            _ => None,
        }
    }

    /// What a chart can say of a line, for a property; `None` where it is about all that the panel shows, or
    /// has no counterpart.
    pub fn says(self, id: &str, value: &Value, queries: &[Named], kind: Kind) -> Option<Says> {
        let of_lines = kind == Kind::Timeseries && !(OF_ALL.contains(&id) && self.is_about_all(queries));
        if !of_lines || (id == "displayName" && self.came_over(id, queries, kind)) {
            return None;
        }
        let right = self.properties().any(|(id, at)| id == "custom.axisPlacement" && at == "right");
        lines::property(id, value, right)
    }

    /// True where a property of it came over, as one of the panel, as a name or as a column's unit.
    pub fn came_over(self, property: &str, queries: &[Named], kind: Kind) -> bool {
        match property {
            "displayName" => self.name().is_some() && queries.iter().any(|query| self.is_about(query)),
            "unit" if self.own_unit(queries, kind).is_some() => true,
            other => OF_ALL.contains(&other) && kind != Kind::Table && self.is_about_all(queries),
        }
    }
}

/// What a panel says of all its series: its defaults, and the overrides that are about all of them.
pub fn of_all(panel: &Value, defaults: &Value, queries: &[Named], kind: Kind) -> Value {
    let mut all = defaults.clone();
    for one in of(panel) {
        let of_all = |id: &str| {
            id != "displayName" && one.own_unit(queries, kind).is_none() && one.came_over(id, queries, kind)
        };
        for (id, value) in one.properties().filter(|(id, _)| of_all(id)) {
            if let Some(all) = all.as_object_mut() {
                all.insert(id, value.clone());
            }
        }
    }
    all
}

/// A display name as names of series are written here: `${__field.labels.host}` is `{{host}}`. `None` for
/// what else Grafana would fill in.
pub fn name(display_name: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = display_name.trim();
    while let Some((before, inner)) = rest.split_once("${__") {
        let (what, after) = inner.split_once('}')?;
        let label = what.strip_prefix("field.labels")?;
        let label = label.strip_prefix('.').or_else(|| label.strip_prefix('[')?.strip_suffix(']'))?;
        out.push_str(before);
        out.push_str(&format!("{{{{{}}}}}", label.trim_matches(['"', '\''])));
        rest = after;
    }
    out.push_str(rest);
    (!out.is_empty() && !out.contains("$__")).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_they_are_here() {
        for (display, expected) in [
            ("CPU", Some("CPU")),
            (" ${__field.labels.host} of $env ", Some("{{host}} of $env")),
            ("${__field.labels[\"a b\"]}: ${__field.labels.x}", Some("{{a b}}: {{x}}")),
            ("${__series.name}", None),
            ("$__cell_0", None),
            ("${__field.labels.host", None),
            ("", None),
        ] {
            assert_eq!(name(display).as_deref(), expected, "{display}");
        }
    }
}
