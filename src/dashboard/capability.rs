//! Capability `query`: the edits by which somebody decides what is asked of which source.
//!
//! Who may edit a dashboard and has not this capability moves, words and draws what is asked already. Without the
//! difference an edit link would be a key to every series.

use serde::Deserialize as _;
use serde_json::Value;

use super::op::REMOVED;
use super::settings::{CHOSEN, VARIABLE, Variable};
use super::{Cell, Choice, Dashboard, Op, Settled};

/// The options of widgets that say what is asked.
const OPTIONS: [&str; 3] = ["source", "query", "legend"];

/// True where an op changes what is asked of a source, on the dashboard as it stands.
///
/// The definition of a variable stands in queries as it is written, and so may a choice: it has to be one of those that
/// the variable lists itself. What a source offers for it is not known here.
pub fn needs_query(op: &Op, dashboard: &Dashboard) -> bool {
    match op {
        Op::AddWidget { widget, .. } => {
            let says = |name: &&str| widget.options.get(*name).is_some_and(|value| !value.is_null());
            OPTIONS.iter().any(says)
        }
        Op::Set { field, .. } => OPTIONS.contains(&field.as_str()),
        Op::SetDashboard { field, value } => setting_needs_query(field, value, dashboard),
        Op::SettleConflict { conflict, choose } => {
            let Some(conflict) = dashboard.conflicts.get(conflict) else { return false };
            let values = match choose {
                Choice::Kept => return false,
                // It shows again what was kept, unless that is what shows.
                Choice::Reopen => match &conflict.settled {
                    None | Some(Settled { choose: Choice::Kept, .. }) => return false,
                    Some(_) => &conflict.kept.value,
                },
                Choice::Other => &conflict.other.value,
                Choice::Value(value) => value,
            };
            cell_needs_query(&conflict.cell, values, dashboard)
        }
        Op::RemoveWidget { .. } | Op::RestoreWidget { .. } | Op::Place { .. } | Op::EditText { .. } => false,
    }
}

fn cell_needs_query(cell: &Cell, value: &Value, dashboard: &Dashboard) -> bool {
    match cell.id {
        // What a removal was in conflict with are edits, which the choice performs.
        Some(_) if cell.field == REMOVED => Vec::<Op>::deserialize(value)
            .is_ok_and(|edits| edits.iter().any(|edit| needs_query(edit, dashboard))),
        Some(_) => OPTIONS.contains(&cell.field.as_str()),
        None => setting_needs_query(&cell.field, value, dashboard),
    }
}

fn setting_needs_query(field: &str, value: &Value, dashboard: &Dashboard) -> bool {
    if field.starts_with(VARIABLE) {
        return true;
    }
    let Some(name) = field.strip_prefix(CHOSEN) else { return false };
    let defined = dashboard.settings.get(&format!("{VARIABLE}{name}"));
    let Some(variable) = defined.and_then(|value| Variable::deserialize(value).ok()) else {
        return !value.is_null();
    };
    if value.is_null() {
        // Then it is the first of its choices, or nothing at all, which may match more.
        return variable.choices.is_empty();
    }
    let is_offered = |one: &String| variable.choices.contains(one);
    !value.as_str().is_some_and(|text| variable.values(text).iter().all(is_offered))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn op(value: Value) -> Op {
        serde_json::from_value(value).expect("an op")
    }

    fn dashboard() -> Dashboard {
        let mut dashboard = Dashboard::default();
        for (name, value) in [
            ("variable.host", json!({"choices": ["a", "b"]})),
            ("variable.many", json!({"choices": ["a", "b"], "multi": true})),
            ("variable.job", json!({"values_of": {"source": "p", "label": "job"}})),
        ] {
            dashboard.settings.insert(name.to_owned(), value);
        }
        dashboard
    }

    #[test]
    fn a10_what_decides_what_is_asked_needs_the_capability() {
        let frame = json!({"x": 0, "y": 0, "w": 6, "h": 4});
        let add = |options: Value| json!({"op": "add_widget", "id": "w", "widget": {"kind": "stat", "frame": frame, "options": options}});
        let set = |field: &str| json!({"op": "set", "id": "w", "field": field, "value": "x"});
        let setting =
            |field: &str, value: Value| json!({"op": "set_dashboard", "field": field, "value": value});
        for (value, needs) in [
            (add(json!({})), false),
            (add(json!({"unit": "ms"})), false),
            (add(json!({"query": "up"})), true),
            (add(json!({"legend": "{{host}}"})), true),
            (add(json!({"source": "prometheus"})), true),
            (set("query"), true),
            (set("source"), true),
            (set("legend"), true),
            (set("unit"), false),
            (set("title"), false),
            (json!({"op": "set", "id": "w", "field": "query", "value": null}), true),
            (setting("title", json!("A")), false),
            (setting("range", json!("1h")), false),
            (setting("variable.host", json!({"choices": ["secret"]})), true),
            (setting("variable.x", json!({"values_of": {"source": "p", "label": "l"}})), true),
            (setting("variable.job", Value::Null), true),
            (setting("value.host", json!("a")), false),
            (setting("value.host", json!("secret")), true),
            (setting("value.host", Value::Null), false),
            (setting("value.job", Value::Null), true),
            (setting("value.none", Value::Null), false),
            (setting("value.job", json!("anything")), true),
            (setting("value.many", json!("(a|b)")), false),
            (setting("value.many", json!("(a|secret)")), true),
            (setting("value.many", json!(".*")), true),
            (setting("value.none", json!("secret")), true),
            (json!({"op": "remove_widget", "id": "w"}), false),
            (json!({"op": "restore_widget", "id": "w"}), false),
            (json!({"op": "place", "id": "w", "frame": frame}), false),
        ] {
            assert_eq!(needs_query(&op(value.clone()), &dashboard()), needs, "{value}");
        }
    }

    #[test]
    fn a10_a_conflict_is_settled_by_those_who_may_write_its_cell() {
        let mut dashboard = dashboard();
        let side = |value: &str| json!({"value": value, "by": {"id": "u", "name": "Ada", "color": "#000"}, "at": 1, "revision": 1});
        for (id, field) in [("c1", "query"), ("c2", "unit"), ("c4", "removed")] {
            let conflict = json!({"id": id, "cell": {"id": "w", "field": field}, "base": null, "kept": side("a"), "other": side("b"), "settled": null});
            let conflict: super::super::Conflict = serde_json::from_value(conflict).expect("a conflict");
            dashboard.conflicts.insert(conflict.id.clone(), std::sync::Arc::new(conflict));
        }
        let settle =
            |id: &str, choose: Value| op(json!({"op": "settle_conflict", "conflict": id, "choose": choose}));
        let chosen = |choose: Value| json!({"choose": choose, "by": {"id": "u", "name": "Ada", "color": "#000"}, "at": 2});
        for (id, choose) in [("c5", json!("other")), ("c6", json!("kept"))] {
            let mut conflict = super::super::Conflict::clone(&dashboard.conflicts["c1"]);
            conflict.id = id.parse().expect("an id");
            conflict.settled = Some(serde_json::from_value(chosen(choose)).expect("a choice"));
            dashboard.conflicts.insert(conflict.id.clone(), std::sync::Arc::new(conflict));
        }
        for (id, choose, needs) in [
            // What an owner has put aside is asked again by it.
            ("c5", json!("reopen"), true),
            ("c6", json!("reopen"), false),
            ("c1", json!({"value": "up"}), true),
            ("c1", json!("other"), true),
            ("c1", json!("kept"), false),
            ("c1", json!("reopen"), false),
            ("c2", json!({"value": "ms"}), false),
            ("c3", json!({"value": "up"}), false),
            ("c4", json!({"value": [{"op": "set", "id": "w", "field": "unit", "value": "ms"}]}), false),
            ("c4", json!({"value": [{"op": "set", "id": "w", "field": "query", "value": "secret"}]}), true),
            ("c4", json!({"value": true}), false),
        ] {
            assert_eq!(needs_query(&settle(id, choose), &dashboard), needs, "{id}");
        }
    }
}
