//! A dashboard as a document of its own: what an export writes, and what an import reads of it.
//!
//! The document is `{"lockstep": 1, "title", "settings", "widgets"}`; `docs/export.md` describes it. What
//! does not fit is left out with a remark, so that nothing is dropped silently.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::edit::OpError;
use super::layout::{COLUMNS, MAX_ROWS, MAX_Y};
use super::widget::{MAX_FAMILY, check_value};
use super::{
    Dashboard, Edit, Frame, Kind, MAX_TITLE_CHARS, NoteText, Op, Stamp, Widget, WidgetId, grafana, line_ends,
};

/// The format that is written, and the only one there has been.
pub const FORMAT: u64 = 1;
/// Remarks that a report has room for. The rest is counted.
pub const MAX_REMARKS: usize = 1_000;
/// Characters of a thing's name in a remark.
const MAX_WHAT_CHARS: usize = 120;
/// The title of a dashboard that came without one.
const NO_TITLE: &str = "Imported dashboard";

/// One thing that was not taken over as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Which thing, as people find it in the document.
    pub what: String,
    /// What became of it.
    pub why: String,
}

/// All remarks of one reading, within a bound.
#[derive(Clone, Debug, Default)]
pub struct Report {
    remarks: Vec<Remark>,
    more: usize,
}

impl Report {
    /// Adds a remark.
    pub fn say(&mut self, what: impl AsRef<str>, why: impl Into<String>) {
        if self.remarks.len() >= MAX_REMARKS {
            self.more += 1;
            return;
        }
        let what = what.as_ref().chars().take(MAX_WHAT_CHARS).collect();
        self.remarks.push(Remark { what, why: why.into() });
    }

    /// The remarks in the order in which they were made; the last counts those that had no room.
    pub fn done(mut self) -> Vec<Remark> {
        if self.more > 0 {
            let what = format!("{} more", self.more);
            self.remarks.push(Remark { what, why: "There is no room for all remarks here.".to_owned() });
        }
        self.remarks
    }
}

/// What an import is free to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    /// The source that charts of a Prometheus ask.
    pub source: String,
    /// Widgets that the new dashboard may have.
    pub max_widgets: usize,
}

/// What an import read.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    pub dashboard: Dashboard,
    pub report: Vec<Remark>,
}

/// Why a document is no dashboard at all. The text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    #[error(
        "This is no dashboard: it has neither “lockstep” and “widgets”, as an export of Lockstep has, nor \
         “panels” or “rows”, as one of Grafana has."
    )]
    NoDashboard,
    #[error("This export has the format {0}; this server reads {FORMAT}. Import it into a newer server.")]
    Format(String),
    #[error("“{0}” has to be {1}.")]
    Shape(&'static str, &'static str),
}

/// The document of a dashboard: title, settings and widgets, in reading order.
pub fn export(dashboard: &Dashboard) -> Value {
    let mut widgets: Vec<&Widget> = dashboard.widgets.values().map(AsRef::as_ref).collect();
    widgets.sort_by_key(|widget| (widget.frame.y, widget.frame.x));
    document(&dashboard.title, json!(dashboard.settings), widgets.into_iter())
}

/// The document of some widgets: what a copy puts on the clipboard.
pub fn export_widgets<'a>(title: &str, widgets: impl Iterator<Item = &'a Widget>) -> Value {
    document(title, json!({}), widgets)
}

fn document<'a>(title: &str, settings: Value, widgets: impl Iterator<Item = &'a Widget>) -> Value {
    let widget = |widget: &Widget| {
        let mut one = json!({
            "kind": widget.kind.name(),
            "title": widget.title,
            "frame": widget.frame,
            "options": widget.options,
        });
        if let Some(text) = &widget.text {
            one["text"] = Value::from(text.plain());
        }
        one
    };
    let widgets: Vec<Value> = widgets.map(widget).collect();
    json!({ "lockstep": FORMAT, "title": title, "settings": settings, "widgets": widgets })
}

/// Reads a dashboard out of a document of Lockstep or of Grafana, known by its shape.
pub fn import(document: &Value, choices: &Choices) -> Result<Imported, ImportError> {
    if document.get("lockstep").is_some() {
        return import_own(document, choices);
    }
    grafana::import(document, choices)
}

fn import_own(document: &Value, choices: &Choices) -> Result<Imported, ImportError> {
    let mut report = Report::default();
    let widgets = read_widgets(document, choices.max_widgets, &mut report)?;
    let settings = match document.get("settings") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(settings)) => settings.clone().into_iter().collect(),
        Some(_) => return Err(ImportError::Shape("settings", "an object")),
    };
    let known = ["lockstep", "title", "settings", "widgets"];
    unknown(document, &known, "The document", &mut report);
    let title = title_of(document.get("title"), "The dashboard", &mut report);
    let title = if title.is_empty() { NO_TITLE.to_owned() } else { title };
    Ok(build(title, settings, widgets, choices, report))
}

/// Reads the widgets of a document of Lockstep, at most so many, each with the frame that it wants.
pub fn read_widgets(document: &Value, most: usize, report: &mut Report) -> Result<Vec<Widget>, ImportError> {
    match document.get("lockstep") {
        None => return Err(ImportError::NoDashboard),
        Some(format) if format.as_u64() == Some(FORMAT) => {}
        Some(Value::String(format)) => return Err(ImportError::Format(format.chars().take(40).collect())),
        Some(format) => return Err(ImportError::Format(format.to_string().chars().take(40).collect())),
    }
    let widgets = document.get("widgets").and_then(Value::as_array);
    let widgets = widgets.ok_or(ImportError::Shape("widgets", "a list"))?;
    let mut read: Vec<Widget> = Vec::new();
    let mut bottom = 0;
    for (n, widget) in widgets.iter().enumerate().take(most) {
        let Some(widget) = read_widget(n, widget, bottom, report) else { continue };
        bottom = bottom.max(widget.frame.bottom());
        read.push(widget);
    }
    if widgets.len() > most {
        let why = format!("A dashboard has at most {most} widgets. The rest was left out.");
        report.say(format!("{} widgets", widgets.len() - most), why);
    }
    Ok(read)
}

fn read_widget(n: usize, document: &Value, bottom: u32, report: &mut Report) -> Option<Widget> {
    let nth = format!("Widget {}", n + 1);
    let Some(fields) = document.as_object() else {
        report.say(nth, "It is no object, and was left out.");
        return None;
    };
    let title = fields.get("title").and_then(Value::as_str).unwrap_or_default();
    let what = if title.trim().is_empty() { nth } else { format!("“{}”", title.trim()) };
    let named = fields.get("kind").and_then(Value::as_str).unwrap_or_default();
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == named) else {
        let kinds: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        let why = format!("Its kind is none of {}, and it was left out.", kinds.join(", "));
        report.say(what, why);
        return None;
    };
    let title = title_of(fields.get("title"), &what, report);
    let frame = read_frame(fields.get("frame")).unwrap_or_else(|| {
        report.say(&what, "Its “frame” has no x, y, w and h in whole numbers. It stands at the end.");
        let (w, h) = kind.size();
        Frame::new(0, bottom.min(u32::from(MAX_Y)) as u16, w, h)
    });
    let mut widget = Widget::new(kind, title, frame);
    match fields.get("options") {
        None | Some(Value::Null) => {}
        Some(Value::Object(options)) => {
            for (name, value) in options {
                set_option(&mut widget, name, value.clone(), &what, report);
            }
        }
        Some(_) => report.say(&what, "Its “options” are no object, and were left out."),
    }
    match (fields.get("text"), kind) {
        (None | Some(Value::Null), _) => {}
        (Some(Value::String(text)), Kind::Note) => set_text(&mut widget, text, &what, report),
        (Some(_), Kind::Note) => report.say(&what, "Its “text” is no text, and was left out."),
        (Some(_), _) => report.say(&what, "Only a note has a text; this one was left out."),
    }
    unknown(document, &["kind", "title", "frame", "options", "text"], &what, report);
    Some(widget)
}

/// A frame of whole numbers, brought onto the grid.
fn read_frame(frame: Option<&Value>) -> Option<Frame> {
    let number = |name: &str, most: u16| -> Option<u16> {
        let number = frame?.get(name)?.as_f64()?;
        (number.fract() == 0.0).then(|| number.clamp(0.0, f64::from(most)) as u16)
    };
    let (x, y) = (number("x", COLUMNS)?, number("y", MAX_Y)?);
    Some(Frame::new(x, y, number("w", COLUMNS)?, number("h", MAX_ROWS)?).clamped())
}

/// Sets an option that fits, and remarks on one that does not.
pub(super) fn set_option(widget: &mut Widget, name: &str, value: Value, what: &str, report: &mut Report) {
    if value.is_null() {
        return;
    }
    let checked = match name {
        "title" => Err(OpError::NoSuchField(name.to_owned())),
        _ => check_value(widget.kind, name, &value).and_then(|()| match widget.room_for(name, &value)? {
            // What is read is all there is to be: none of it gives way.
            Some(_) => Err(OpError::TooMany(MAX_FAMILY)),
            None => Ok(()),
        }),
    };
    match checked {
        Ok(()) => {
            widget.options.insert(name.to_owned(), value);
        }
        Err(error) => report.say(what, format!("{error} It was left out.")),
    }
}

/// Gives a note its text, as much of it as a note takes.
pub(super) fn set_text(widget: &mut Widget, text: &str, what: &str, report: &mut Report) {
    // A new document, so any author will do.
    let (text, whole) = NoteText::from_long_plain(&line_ends::normalized(text), 1);
    if !whole {
        report.say(what, "Its text is longer than a note takes; the rest was left out.");
    }
    widget.text = Some(text);
}

/// A title on one line and within its bound.
pub(super) fn title_of(title: Option<&Value>, what: &str, report: &mut Report) -> String {
    let title = match title {
        None | Some(Value::Null) => "",
        Some(Value::String(title)) => title.trim(),
        Some(_) => {
            report.say(what, "Its “title” is no text, and was left out.");
            ""
        }
    };
    let title: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if title.chars().count() <= MAX_TITLE_CHARS {
        return title;
    }
    report.say(what, format!("Its title was cut after {MAX_TITLE_CHARS} characters."));
    title.chars().take(MAX_TITLE_CHARS).collect()
}

fn unknown(document: &Value, known: &[&str], what: &str, report: &mut Report) {
    let names: BTreeSet<&str> =
        document.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
    for name in names.into_iter().filter(|name| !known.contains(name)) {
        let name: String = name.chars().take(40).collect();
        report.say(what, format!("There is no field named “{name}” here. It was left out."));
    }
}

/// Makes the dashboard, as people would: what an edit refuses becomes a remark.
pub(super) fn build(
    title: String,
    settings: Vec<(String, Value)>,
    widgets: Vec<Widget>,
    choices: &Choices,
    mut report: Report,
) -> Imported {
    let mut dashboard = Dashboard::new(title);
    let mut edit = Edit::new(&mut dashboard, Stamp::default()).max_widgets(choices.max_widgets);
    for (field, value) in settings {
        let op = Op::SetDashboard { field: field.clone(), value };
        let performed =
            if field == "title" { Err(OpError::NoSuchField(field.clone())) } else { edit.perform(&op) };
        if let Err(error) = performed {
            report.say(format!("Setting “{field}”"), format!("{error} It was left out."));
        }
    }
    for (n, widget) in widgets.into_iter().enumerate() {
        let id = WidgetId::new(format!("w{}", n + 1)).expect("a letter and digits");
        let what = if widget.title.is_empty() {
            format!("Widget {}", n + 1)
        } else {
            format!("“{}”", widget.title)
        };
        if let Err(error) = edit.perform(&widget.add_op(id)) {
            report.say(what, format!("{error} It was left out."));
        }
    }
    edit.finish();
    Imported { dashboard, report: report.done() }
}

#[cfg(test)]
mod tests {
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
        let Imported { dashboard: again, report } = read(document.clone());
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
        let Imported { dashboard, report } = read(note(&text));
        assert_eq!(report, []);
        assert_eq!(
            dashboard.widgets.values().next().and_then(|w| w.text.as_ref()?.plain().into()),
            Some(&*text)
        );
        let Imported { report, .. } = read(note(&"x".repeat(400_000)));
        assert!(report[0].why.contains("longer"), "{report:?}");
    }

    #[test]
    fn nothing_is_left_out_without_a_word() {
        let frame = json!({ "x": 0, "y": 0, "w": 6, "h": 4 });
        let Imported { dashboard, report } = read(json!({
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
}
