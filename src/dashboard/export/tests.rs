//! Tests of documents: what is written reads the same, and what does not fit is said.

use super::super::{Frame, Kind, MAX_TITLE_CHARS, NoteText};
use super::*;
use proptest::prelude::*;

fn choices() -> Choices {
    Choices { source: "main".to_owned(), max_widgets: 5 }
}

fn read(document: Value) -> Imported {
    import(&document, &choices()).expect("a dashboard")
}

#[test]
fn what_is_written_reads_the_same() {
    let mut dashboard = Dashboard::new("Orders");
    let mut edit = Edit::new(&mut dashboard, Stamp::default());
    let mut stat = Widget::new(Kind::Stat, "Orders", Frame::new(0, 0, 6, 4));
    stat.options = [("query".to_owned(), json!("orders")), ("min".to_owned(), json!(0))].into();
    let mut list = Widget::new(Kind::Checklist, "To do", Frame::new(6, 0, 8, 8));
    list.options = [("item.a".to_owned(), json!("Call")), ("done.a".to_owned(), json!(true))].into();
    let mut note = Widget::new(Kind::Note, "Runbook", Frame::new(0, 4, 6, 6));
    note.text = Some(NoteText::from_plain("## Höher\n- 😀", 7));
    for (id, widget) in [("x", stat), ("b", list), ("m", note)] {
        edit.perform(&widget.add_op(WidgetId::new(id).expect("an id"))).expect("fits");
    }
    for (field, value) in [
        ("range", json!("6h")),
        ("variable.host", json!({ "choices": ["a", "b"] })),
        ("value.host", json!("b")),
        ("annotation.a1", json!({ "at": 5, "text": "deployed" })),
    ] {
        edit.perform(&Op::SetDashboard { field: field.to_owned(), value }).expect("fits");
    }
    edit.finish();
    let document = export(&dashboard);
    let Imported { dashboard: again, report, .. } = read(document.clone());
    assert_eq!(report, []);
    assert_eq!(export(&again), document);
    assert_eq!(again.settings, dashboard.settings);
}

#[test]
fn a_long_note_comes_over_whole_and_one_too_long_says_so() {
    let note = |text: &str| {
        json!({ "lockstep": 1, "title": "T", "widgets": [
        { "kind": "note", "title": "N", "frame": { "x": 0, "y": 0, "w": 8, "h": 8 }, "text": text },
    ] })
    };
    let text = "Zeile – é😀\n".repeat(9_000);
    let Imported { dashboard, report, .. } = read(note(&text));
    assert_eq!(report, []);
    assert_eq!(dashboard.widgets.values().next().and_then(|w| w.text.as_ref()?.plain().into()), Some(&*text));
    let Imported { report, .. } = read(note(&"x".repeat(400_000)));
    assert!(report[0].why.contains("longer"), "{report:?}");
}

#[test]
fn nothing_is_left_out_without_a_word() {
    let frame = json!({ "x": 0, "y": 0, "w": 6, "h": 4 });
    let Imported { dashboard, report, .. } = read(json!({
        "lockstep": 1,
        "title": "x".repeat(300),
        "colour": "red",
        "settings": { "range": "soon", "refresh": 5, "title": "other", "value.a b": "c" },
        "widgets": [
            7,
            { "kind": "pie", "title": "Shares", "frame": frame },
            { "kind": "stat", "title": "Fine", "frame": frame, "options": { "unit": "%", "decimals": 9, "hue": 1 } },
            { "kind": "stat", "frame": { "x": 1.5 }, "text": "of no use", "options": [] },
            { "kind": "note", "frame": frame, "text": 4 },
            { "kind": "stat", "frame": frame },
            { "kind": "stat", "frame": frame },
        ],
    }));
    assert_eq!(dashboard.title.chars().count(), MAX_TITLE_CHARS);
    assert_eq!(dashboard.settings, [("refresh".to_owned(), json!(5))].into());
    assert_eq!(dashboard.widgets.len(), 3);
    let all: Vec<String> = report.into_iter().map(|one| format!("{}: {}", one.what, one.why)).collect();
    for expected in [
        "Widget 1: It is no object",
        "“Shares”: Its kind is none of",
        "“Fine”: decimals takes",
        "“Fine”: There is no field named \"hue\"",
        "Widget 4: Its “frame”",
        "Widget 4: Its “options”",
        "Widget 4: Only a note",
        "Widget 5: Its “text”",
        "2 widgets: A dashboard has at most 5",
        "The document: There is no field named “colour”",
        "The dashboard: Its title was cut",
        "Setting “range”",
        "Setting “title”",
        "Setting “value.a b”",
    ] {
        assert!(all.iter().any(|one| one.starts_with(expected)), "{expected} is not among {all:#?}");
    }
    assert_eq!(all.len(), 14, "{all:#?}");
}

#[test]
fn what_is_no_dashboard_is_an_error_that_says_why() {
    for (document, says) in [
        (json!(null), "neither"),
        (json!([1]), "neither"),
        (json!({ "title": "x" }), "neither"),
        (json!({ "lockstep": 2, "widgets": [] }), "format 2"),
        (json!({ "lockstep": "one", "widgets": [] }), "format one"),
        (json!({ "lockstep": 1 }), "“widgets” has to be a list"),
        (json!({ "lockstep": 1, "widgets": [], "settings": 1 }), "“settings” has to be an object"),
        (json!({ "apiVersion": "dashboard.grafana.app/v2", "spec": { "elements": {} } }), "neither"),
    ] {
        let error = import(&document, &choices()).expect_err("no dashboard").to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// Any JSON, with the words in it that readers look for.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "lockstep",
        "title",
        "settings",
        "widgets",
        "kind",
        "stat",
        "note",
        "frame",
        "options",
        "text",
        "x",
        "y",
        "w",
        "h",
        "range",
        "6h",
        "query",
        "panels",
        "rows",
        "gridPos",
        "type",
        "row",
        "graph",
        "timeseries",
        "targets",
        "expr",
        "$__interval",
        "legendFormat",
        "fieldConfig",
        "defaults",
        "thresholds",
        "steps",
        "value",
        "unit",
        "templating",
        "list",
        "name",
        "custom",
        "current",
        "time",
        "from",
        "now-6h",
        "datasource",
        "uid",
        "collapsed",
        "span",
        "height",
        "table",
        "overrides",
        "content",
        "mode",
        "html",
        "elements",
        "layout",
        "spec",
        "items",
        "tabs",
        "element",
        "GridLayout",
        "GridLayoutRow",
        "AutoGridLayout",
        "RowsLayout",
        "TabsLayout",
        "Panel",
        "vizConfig",
        "group",
        "data",
        "queries",
        "variables",
        "mappings",
        "options",
        "interval",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![-1i64, 0, 1, 2, 24, 70_000, i64::MAX, i64::MIN]).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 96, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..8)
                .prop_map(|all| all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_reads_or_says_why_not(inner in any_json(), shape in 0..6) {
        let document = match shape {
            0 => inner,
            1 => json!({ "lockstep": 1, "title": inner, "settings": inner, "widgets": [inner, { "kind": "note", "frame": inner, "text": inner, "options": inner }] }),
            2 => json!({ "panels": [inner, { "type": "timeseries", "gridPos": inner, "targets": [inner, { "expr": inner }], "fieldConfig": inner }], "templating": { "list": [inner, { "name": "a", "type": "custom", "query": inner }] }, "time": inner }),
            3 => json!({ "elements": { "x": inner, "y": { "kind": "Panel", "spec": { "vizConfig": { "kind": "stat", "spec": inner }, "data": { "spec": { "queries": [{ "spec": inner }] } } } } }, "layout": { "kind": "AutoGridLayout", "spec": { "maxColumnCount": inner, "items": [inner, { "kind": "a", "spec": { "element": { "name": "y" } } }] } }, "variables": [{ "kind": "QueryVariable", "spec": inner }], "timeSettings": inner }),
            4 => json!({ "elements": inner, "layout": { "kind": "TabsLayout", "spec": { "tabs": [{ "kind": "TabsLayoutTab", "spec": { "title": "x", "layout": inner } }, { "kind": "t", "spec": inner }] } }, "annotations": inner }),
            _ => json!({ "rows": [inner, { "panels": [inner, { "type": "graph", "span": inner, "targets": [inner] }] }], "refresh": inner }),
        };
        if let Ok(Imported { dashboard, .. }) = import(&document, &choices()) {
            prop_assert!(dashboard.widgets.len() <= 5);
            // It is whole: what it writes reads without a remark.
            let again = import(&export(&dashboard), &choices()).expect("own export");
            prop_assert_eq!(again.report, vec![]);
        }
    }
}
