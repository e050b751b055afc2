//! Small whole documents as Grafana writes them, in `src/dashboard/grafana/tests`, one for each subject.

use serde_json::{Value, json};

use super::{read, titled};
use crate::dashboard::export::Imported;
use crate::dashboard::settings::with_variables;
use crate::dashboard::{Frame, Kind};

fn document(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn imported(text: &str) -> (Imported, Vec<String>) {
    read(&document(text))
}

#[test]
fn the_resource_schema_comes_over_in_each_of_its_forms() {
    let v2 = document(include_str!("schema-v2.json"));
    let mut v2beta1 = v2.clone();
    v2beta1["apiVersion"] = json!("dashboard.grafana.app/v2beta1");
    // In its first form a plugin is the kind itself, and the source stands beside the query.
    let mut v2alpha1 = v2.clone();
    v2alpha1["apiVersion"] = json!("dashboard.grafana.app/v2alpha1");
    let panel = &mut v2alpha1["spec"]["elements"]["panel-1"]["spec"];
    panel["vizConfig"] = json!({ "kind": "timeseries", "spec": {
        "pluginVersion": "12.0.0", "options": {}, "fieldConfig": { "defaults": { "unit": "short" }, "overrides": [] } } });
    panel["data"]["spec"]["queries"][0]["spec"] = json!({ "refId": "A", "hidden": false,
        "datasource": { "type": "prometheus", "uid": "p" }, "query": { "kind": "prometheus", "spec": { "expr": "up" } } });
    let wrapped = json!({ "dashboard": v2, "meta": {} });
    for document in [v2.clone(), v2beta1, v2alpha1, wrapped, v2["spec"].clone()] {
        let (imported, said) = read(&document);
        assert_eq!(said, Vec::<String>::new(), "{}", document["apiVersion"]);
        assert_eq!(imported.dashboard.title, "R12");
        assert_eq!(imported.dashboard.settings["range"], json!("6h"));
        let up = titled(&imported, "Up");
        assert_eq!((up.kind, up.frame), (Kind::Timeseries, Frame::new(0, 0, 12, 8)));
        assert_eq!(json!(up.options), json!({ "source": "main", "query": "up", "style": "line" }));
    }
}

/// A panel of the resource schema.
fn element(title: &str, group: &str) -> Value {
    json!({ "kind": "Panel", "spec": { "id": 1, "title": title, "links": [], "data": { "kind": "QueryGroup", "spec": {
        "queries": [{ "kind": "PanelQuery", "spec": { "refId": "A", "hidden": false, "query": {
            "kind": "DataQuery", "group": "prometheus", "spec": { "expr": "rate(a[$__rate_interval])" } } } }],
        "transformations": [], "queryOptions": { "interval": "30s" } } },
        "vizConfig": { "kind": "VizConfig", "group": group, "spec": { "options": {}, "fieldConfig": {} } } } })
}

fn item(kind: &str, name: &str, more: Value) -> Value {
    let mut spec = json!({ "element": { "kind": "ElementReference", "name": name } });
    for (field, value) in more.as_object().expect("an object") {
        spec[field] = value.clone();
    }
    json!({ "kind": kind, "spec": spec })
}

#[test]
fn layouts_nest_and_what_shows_only_sometimes_is_said() {
    let at = |x: u16, y: u16, w: u16, h: u16| json!({ "x": x, "y": y, "width": w, "height": h });
    let grid = |items: Value| json!({ "kind": "GridLayout", "spec": { "items": items } });
    let automatic = |items: Value| {
        json!({ "kind": "AutoGridLayout", "spec": {
        "columnWidthMode": "standard", "rowHeightMode": "standard", "items": items } })
    };
    let condition = json!({ "kind": "ConditionalRenderingGroup", "spec": {} });
    let auto = |name: &str| item("AutoGridLayoutItem", name, json!({}));
    let rows = json!({ "kind": "RowsLayout", "spec": { "rows": [
        { "kind": "RowsLayoutRow", "spec": { "title": "First", "collapse": true, "conditionalRendering": condition, "layout":
            grid(json!([item("GridLayoutItem", "a", at(0, 0, 12, 4)), item("GridLayoutItem", "b", at(12, 2, 12, 4))])) } },
        { "kind": "RowsLayoutRow", "spec": { "title": "Second", "hideHeader": true, "layout":
            automatic(json!([auto("c"), auto("d"), auto("e"), auto("f")])) } },
    ] } });
    let (imported, said) = read(&json!({
        "apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard", "metadata": {}, "spec": {
            "title": "Nested", "tags": ["t"], "links": [],
            "elements": { "a": element("a", "timeseries"), "b": element("b", "timeseries"), "c": element("c", "stat"),
                "d": element("d", "stat"), "e": element("e", "stat"), "f": element("f", "stat"), "g": element("g", "gauge"),
                "unused": element("u", "stat") },
            "annotations": [
                { "kind": "AnnotationQuery", "spec": { "name": "x", "builtIn": true } },
                { "kind": "AnnotationQuery", "spec": { "name": "Deploys" } },
            ],
            "timeSettings": { "from": "now-1h", "to": "now", "autoRefresh": "10s", "timezone": "utc" },
            "variables": [
                { "kind": "QueryVariable", "spec": { "name": "job", "hide": "hideVariable", "regex": "", "multi": false,
                    "current": { "text": "a", "value": "a" }, "options": [],
                    "query": { "kind": "DataQuery", "group": "prometheus", "spec": { "query": "label_values(up, job)" } } } },
                { "kind": "CustomVariable", "spec": { "name": "top", "hide": "dontHide", "query": "5,10", "current": { "value": "10" } } },
                { "kind": "SwitchVariable", "spec": { "name": "on", "enabledValue": "1", "disabledValue": "0", "current": "0" } },
                { "kind": "DatasourceVariable", "spec": { "name": "ds", "pluginId": "prometheus", "current": { "value": "x" } } },
            ],
            "layout": { "kind": "TabsLayout", "spec": { "tabs": [
                { "kind": "TabsLayoutTab", "spec": { "title": "One", "layout": rows } },
                { "kind": "TabsLayoutTab", "spec": { "title": "Two", "layout": automatic(json!([
                    item("AutoGridLayoutItem", "g", json!({ "repeat": { "mode": "variable", "value": "job" }, "conditionalRendering": condition })),
                    item("AutoGridLayoutItem", "gone", json!({})),
                    item("AutoGridLayoutItem", "g", json!({})),
                ])) } },
            ] } },
        },
    }));
    let mut frames: Vec<(&str, [u16; 4])> = imported
        .dashboard
        .widgets
        .values()
        .map(|widget| (&*widget.title, [widget.frame.x, widget.frame.y, widget.frame.w, widget.frame.h]))
        .collect();
    frames.sort_by_key(|(_, [x, y, ..])| (*y, *x));
    // Free space above a panel closes.
    let expected = [
        ("One", [0, 0, 24, 1]),
        ("First", [0, 1, 24, 1]),
        ("a", [0, 2, 12, 4]),
        ("b", [12, 2, 12, 4]),
        ("d", [8, 6, 8, 9]),
        ("c", [0, 6, 8, 9]),
        ("e", [16, 6, 8, 9]),
        ("f", [0, 15, 8, 9]),
        ("Two", [0, 24, 24, 1]),
        ("g", [0, 25, 8, 9]),
    ];
    for (title, frame) in expected {
        assert!(frames.contains(&(title, frame)), "{title} {frame:?} is not among {frames:?}");
    }
    assert_eq!(frames.len(), expected.len());
    let settings = &imported.dashboard.settings;
    assert_eq!(
        (&settings["range"], &settings["refresh"], &settings["tags"]),
        (&json!("1h"), &json!(10), &json!(["t"]))
    );
    assert_eq!(settings["timezone"], json!("utc"));
    assert_eq!(settings["variable.job"]["hidden"], json!(true));
    assert_eq!(settings["variable.job"]["values_of"]["label"], json!("job"));
    assert_eq!(
        (&settings["value.job"], &settings["value.top"], &settings["value.on"]),
        (&json!("a"), &json!("10"), &json!("0"))
    );
    assert_eq!(settings["variable.ds"]["choices"], json!(["main"]));
    assert_eq!(titled(&imported, "a").options["min_step"], json!(30));
    for expected in [
        "Tabs: Each stands under a heading",
        "“First”: Not taken over: the condition under which it shows",
        "“g”: Not taken over: the condition under which it shows (it always does here)",
        "“g”: Repeating for each $job was not taken over",
        "“gone”: The document holds no such element",
        "“g”: The layout has this element more than once",
        "1 element: The layout has no place",
        "Annotations “Deploys”",
    ] {
        assert!(said.iter().any(|one| one.starts_with(expected)), "{expected} is not among {said:#?}");
    }
    assert_eq!(said.len(), 8, "{said:#?}");
}

#[test]
fn rows_of_the_first_form_of_the_schema_unfold() {
    let at = |y: u16| json!({ "x": 0, "y": y, "width": 24, "height": 4 });
    let (imported, said) = read(&json!({
        "elements": { "a": element("a", "stat"), "b": element("b", "stat") },
        "layout": { "kind": "GridLayout", "spec": { "items": [
            { "kind": "GridLayoutRow", "spec": { "y": 0, "collapsed": true, "title": "Row",
                "elements": [item("GridLayoutItem", "a", at(0))] } },
            item("GridLayoutItem", "b", at(1)),
        ] } },
    }));
    assert_eq!(said, Vec::<String>::new());
    let y = |title: &str| titled(&imported, title).frame.y;
    assert_eq!((y("Row"), y("a"), y("b")), (0, 1, 5));
}

#[test]
fn the_first_step_of_thresholds_is_the_base() {
    let (imported, said) = imported(include_str!("first-step.json"));
    let up = titled(&imported, "Up");
    assert_eq!((up.number_option("alert_at"), up.number_option("alert_below")), (None, Some(1.0)));
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn what_gets_better_again_is_fine_from_there_on() {
    let (imported, said) = imported(include_str!("better-again.json"));
    let up = titled(&imported, "Up");
    assert_eq!((up.number_option("alert_at"), up.number_option("alert_below")), (Some(0.0), Some(1.0)));
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn a_panel_without_a_place_has_the_usual_one() {
    let (imported, _) = imported(include_str!("no-gridpos.json"));
    assert_eq!(titled(&imported, "First").frame, Frame::new(0, 0, 6, 3));
    assert_eq!(titled(&imported, "Second").frame, Frame::new(6, 0, 6, 3));
}

#[test]
fn a_variable_whose_query_is_not_known_keeps_its_value() {
    let (imported, said) = imported(include_str!("query-result.json"));
    let settings = &imported.dashboard.settings;
    assert_eq!(
        (&settings["variable.ns"], &settings["value.ns"]),
        (&json!({ "choices": ["a"] }), &json!("a"))
    );
    let asked = imported.dashboard.query(titled(&imported, "Up")).expect("it asks");
    assert_eq!(with_variables(settings, &asked.text), "up{ns=\"a\"}");
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("query_result(count by (ns) (up))"), "{said:?}");
}

#[test]
fn a_number_shows_each_series() {
    let (imported, said) = imported(include_str!("several-series.json"));
    assert_eq!(titled(&imported, "By code").options["each"], json!(true));
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn the_least_step_of_a_query_comes_over() {
    let (imported, said) = imported(include_str!("min-step.json"));
    let asked = imported.dashboard.query(titled(&imported, "Rate")).expect("it asks");
    assert_eq!((&*asked.text, asked.min_step_s), ("rate(requests_total[$__rate_interval])", 60));
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn least_steps_of_variables_and_panels_count_where_a_query_counts_by_them() {
    let panel = |title: &str, expr: &str, panel: &str, target: &str| json!({ "type": "timeseries", "title": title, "interval": panel, "targets": [{ "expr": expr, "interval": target }] });
    let (imported, said) = read(&json!({
        "templating": { "list": [{ "type": "interval", "name": "every", "query": "30s,2m", "current": { "value": "2m" } }] },
        "panels": [
            panel("of a variable", "rate(a[$__rate_interval])", "", "$every"),
            panel("of both", "rate(a[${__interval}])", ">10s", "1m"),
            panel("of no use", "a", "1m", ""),
            panel("not known", "rate(a[$__rate_interval])", "", "often"),
        ],
    }));
    let step = |title: &str| titled(&imported, title).number_option("min_step");
    assert_eq!(
        (step("of a variable"), step("of both"), step("of no use"), step("not known")),
        (Some(120.0), Some(60.0), None, None)
    );
    assert_eq!(said, ["“not known”: Not taken over: the least step “often”."]);
}

#[test]
fn constant_inputs_are_filled_in() {
    let (imported, said) = imported(include_str!("constant-input.json"));
    assert_eq!(imported.dashboard.settings["variable.job"], json!({ "choices": ["node"], "hidden": true }));
    let asked = imported.dashboard.query(titled(&imported, "Up")).expect("it asks");
    assert_eq!(with_variables(&imported.dashboard.settings, &asked.text), "up{job=\"node\"}");
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn what_stands_where_there_is_no_value_comes_over() {
    let (imported, said) = imported(include_str!("no-value.json"));
    assert_eq!(titled(&imported, "Failed").options["no_value"], json!("0"));
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn units_and_words_as_units_come_over() {
    let (imported, said) = imported(include_str!("units.json"));
    for (title, unit) in
        [("decmbytes", "MB"), ("mbytes", "MiB"), ("connections", "connections"), ("none", "none")]
    {
        assert_eq!(titled(&imported, title).text_option("unit"), unit, "{title}");
    }
    assert_eq!(said, Vec::<String>::new());
    let (imported, said) =
        read(&json!({ "panels": [{ "type": "stat", "title": "On", "targets": [{ "expr": "up" }],
        "fieldConfig": { "defaults": { "unit": "bool_on_off", "mappings": [
            { "type": "value", "options": { "2": { "text": "Half" } } } ] } } }] }));
    assert_eq!(titled(&imported, "On").text_option("mappings"), "2 = Half\n0 = Off\n.. = On");
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn a_number_that_shows_a_name_says_so() {
    let (imported, said) = imported(include_str!("name.json"));
    assert_eq!(titled(&imported, "Version").options["text_mode"], json!("name"));
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn other_sources_of_promql_are_asked_too() {
    for kind in [
        "victoriametrics-metrics-datasource",
        "grafana-amazonprometheus-datasource",
        "grafana-azureprometheus-datasource",
    ] {
        let (imported, said) = read(&json!({ "panels": [
            { "type": "stat", "title": "Up", "datasource": { "type": kind, "uid": "x" }, "targets": [{ "expr": "up" }] },
        ] }));
        assert_eq!((titled(&imported, "Up").text_option("query"), said.len()), ("up", 0), "{kind}");
    }
}
