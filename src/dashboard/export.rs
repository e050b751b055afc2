//! A dashboard as a document of its own: what an export writes, and what an import reads of it.
//!
//! The document is `{"lockstep": 1, "title", "settings", "widgets"}`; `docs/export.md` describes it. What
//! does not fit is left out with a remark, so that nothing is dropped silently.

mod read;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::edit::OpError;
use super::{Dashboard, Edit, Op, Stamp, Widget, WidgetId, grafana};

pub use self::read::read_widgets;
pub(super) use self::read::{set_option, set_text, title_of};

use self::read::unknown;

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
    /// Widgets whose id the document names.
    pub named: BTreeSet<WidgetId>,
    /// The revision that the document says it builds on.
    pub base: Option<u64>,
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
    let mut widgets: Vec<(&WidgetId, &Widget)> =
        dashboard.widgets.iter().map(|(id, widget)| (id, widget.as_ref())).collect();
    widgets.sort_by_key(|(_, widget)| (widget.frame.y, widget.frame.x));
    let mut document =
        document(&dashboard.title, json!(dashboard.settings), widgets.iter().map(|(_, widget)| *widget));
    for (n, (id, _)) in widgets.into_iter().enumerate() {
        document["widgets"][n]["id"] = Value::from(id.as_str());
    }
    document
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

/// Reads a dashboard out of a document of Lockstep.
pub fn import_own(document: &Value, choices: &Choices) -> Result<Imported, ImportError> {
    let mut report = Report::default();
    let widgets = read_widgets(document, choices.max_widgets, &mut report)?;
    let settings = match document.get("settings") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(settings)) => settings.clone().into_iter().collect(),
        Some(_) => return Err(ImportError::Shape("settings", "an object")),
    };
    let base = match document.get("base") {
        None | Some(Value::Null) => None,
        Some(base) => Some(base.as_u64().ok_or(ImportError::Shape("base", "a revision, a whole number"))?),
    };
    let known = ["lockstep", "base", "title", "settings", "widgets"];
    unknown(document, &known, "The document", &mut report);
    let title = title_of(document.get("title"), "The dashboard", &mut report);
    let title = if title.is_empty() { NO_TITLE.to_owned() } else { title };
    Ok(Imported { base, ..build(title, settings, widgets, choices, report) })
}

/// Makes the dashboard, as people would: what an edit refuses becomes a remark.
pub(super) fn build(
    title: String,
    settings: Vec<(String, Value)>,
    widgets: Vec<(Option<WidgetId>, Widget)>,
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
    let mut named: BTreeSet<WidgetId> = widgets.iter().filter_map(|(id, _)| id.clone()).collect();
    let free = |n: &usize| WidgetId::new(format!("w{n}")).ok().filter(|id| !named.contains(id));
    let free: Vec<WidgetId> = (1..).map(|n| free(&n)).take(2 * widgets.len()).flatten().collect();
    let mut free = free.into_iter();
    let mut given: BTreeSet<WidgetId> = BTreeSet::new();
    for (n, (id, widget)) in widgets.into_iter().enumerate() {
        let what = if widget.title.is_empty() {
            format!("Widget {}", n + 1)
        } else {
            format!("“{}”", widget.title)
        };
        if id.as_ref().is_some_and(|id| given.contains(id)) {
            report.say(&what, "Another widget of the document has its “id” too. It got one of its own.");
        }
        let Some(id) = id.filter(|id| !given.contains(id)).or_else(|| free.next()) else { continue };
        given.insert(id.clone());
        if let Err(error) = edit.perform(&widget.add_op(id)) {
            report.say(what, format!("{error} It was left out."));
        }
    }
    edit.finish();
    named.retain(|id| dashboard.widgets.contains_key(id));
    Imported { dashboard, named, base: None, report: report.done() }
}

#[cfg(test)]
mod tests;
