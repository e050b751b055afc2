//! Dashboards in Grafana's resource schema (v2alpha1, v2beta1 and v2), as the classic document that is read
//! further. Elements stand apart from their layout there, and layouts nest in each other.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::export::Report;
use super::super::layout::COLUMNS;
use super::{many, text_of};

/// Pixels from one row of Grafana's grid to the next, and those of them that are free.
const ROW_PX: f64 = 38.0;
const GAP_PX: f64 = 8.0;
/// The width of a page by which automatic columns are counted: a usual screen without Grafana's menu.
const PAGE_PX: f64 = 1_600.0;
/// Columns of an automatic grid that does not say how many there may be.
const USUAL_COLUMNS: f64 = 3.0;

/// True for a dashboard of elements and a layout.
pub fn is_one(value: &Value) -> bool {
    value.get("elements").is_some_and(Value::is_object) && value.get("layout").is_some_and(Value::is_object)
}

/// Writes such a dashboard as a classic one.
pub fn classic(spec: &Value, report: &mut Report) -> Value {
    let mut layout = Layout {
        elements: &spec["elements"],
        placed: BTreeSet::new(),
        panels: Vec::new(),
        variables: Vec::new(),
        report,
    };
    layout.variables(spec);
    layout.place(&spec["layout"], 0.0);
    layout.tell_unplaced();
    let Layout { panels, variables, .. } = layout;
    let annotations: Vec<Value> = kinds(spec, "annotations").map(|(_, spec)| annotation(spec)).collect();
    let time = |name: &str| spec.pointer(&format!("/timeSettings/{name}")).cloned().unwrap_or_default();
    json!({
        "title": spec.get("title"),
        "tags": spec.get("tags"),
        "links": spec.get("links"),
        "time": { "from": time("from"), "to": time("to") },
        "refresh": time("autoRefresh"),
        "timezone": time("timezone"),
        "annotations": { "list": annotations },
        "templating": { "list": variables },
        "panels": panels,
        "__elements": spec.get("__elements"),
    })
}

/// The panels of a layout, with places on one grid.
struct Layout<'a> {
    elements: &'a Value,
    /// The elements that stand somewhere.
    placed: BTreeSet<String>,
    panels: Vec<Value>,
    variables: Vec<Value>,
    report: &'a mut Report,
}

impl Layout<'_> {
    /// Places all that a layout holds below `top`; returns the row below it.
    fn place(&mut self, layout: &Value, top: f64) -> f64 {
        let spec = layout.get("spec").unwrap_or(&Value::Null);
        match text_of(layout, "kind").as_str() {
            "GridLayout" => self.grid(spec, top),
            "AutoGridLayout" | "ResponsiveGridLayout" => self.automatic_grid(spec, top),
            "RowsLayout" => self.sections(spec, "rows", "A row without a title", top),
            "TabsLayout" => {
                let why = "Each stands under a heading of its own here, one below the other.";
                self.report.say("Tabs", why);
                self.sections(spec, "tabs", "A tab without a title", top)
            }
            "" => top,
            other => {
                let why = format!("“{other}” is no layout that is known here. What it holds was left out.");
                self.report.say("Layout", why);
                top
            }
        }
    }

    /// Items with a place each, which counts from the layout's own top.
    fn grid(&mut self, spec: &Value, top: f64) -> f64 {
        let mut bottom = top;
        for (kind, item) in kinds(spec, "items") {
            if kind != "GridLayoutRow" {
                bottom = bottom.max(self.item(item, top));
                continue;
            }
            // A row of the first form of the schema. What is folded away has no room of its own.
            let at = top + number(item, "y").unwrap_or(0.0);
            let folded = item.get("collapsed").and_then(Value::as_bool).unwrap_or(false);
            let before = self.panels.len();
            let mut below = at + 1.0;
            for (_, inner) in kinds(item, "elements") {
                below = below.max(self.item(inner, at + 1.0));
            }
            let inner = if folded { self.panels.split_off(before) } else { Vec::new() };
            self.panels.push(json!({
                "type": "row", "title": text_of(item, "title"), "repeat": repeat(item),
                "gridPos": { "x": 0, "y": at, "w": COLUMNS, "h": 1 }, "panels": inner,
            }));
            bottom = bottom.max(if folded { at + 1.0 } else { below });
        }
        bottom
    }

    fn item(&mut self, item: &Value, top: f64) -> f64 {
        let at = |name: &str, usual: f64| number(item, name).unwrap_or(usual);
        let (y, h) = (top + at("y", 0.0), at("height", 3.0));
        let place = json!({ "x": at("x", 0.0), "y": y, "w": at("width", 6.0), "h": h });
        self.element(item, place);
        y + h
    }

    /// Items side by side in as many columns as there is room for.
    fn automatic_grid(&mut self, spec: &Value, top: f64) -> f64 {
        let width = match text_of(spec, "columnWidthMode").as_str() {
            "narrow" => 192.0,
            "wide" => 768.0,
            "custom" => number(spec, "columnWidth").unwrap_or(448.0),
            _ => 448.0,
        };
        let height = match text_of(spec, "rowHeightMode").as_str() {
            "short" => 168.0,
            "tall" => 512.0,
            "custom" => number(spec, "rowHeight").unwrap_or(320.0),
            _ => 320.0,
        };
        let items: Vec<&Value> = kinds(spec, "items").map(|(_, item)| item).collect();
        let most = number(spec, "maxColumnCount").unwrap_or(USUAL_COLUMNS).min(f64::from(COLUMNS));
        let room = ((PAGE_PX + GAP_PX) / (width.max(1.0) + GAP_PX)).floor();
        // Columns without an item leave their room to the others.
        let columns = (room.min(most) as usize).clamp(1, items.len().max(1));
        let rows = ((height + GAP_PX) / ROW_PX).ceil().max(1.0);
        let edge = |column: usize| column * usize::from(COLUMNS) / columns;
        for (n, item) in items.iter().enumerate() {
            let (row, column) = (n / columns, n % columns);
            let (x, right) = (edge(column), edge(column + 1));
            let place = json!({ "x": x, "y": top + row as f64 * rows, "w": right - x, "h": rows });
            self.element(item, place);
        }
        top + items.len().div_ceil(columns) as f64 * rows
    }

    /// Rows or tabs: a heading each, with a layout below it.
    fn sections(&mut self, spec: &Value, name: &str, untitled: &str, top: f64) -> f64 {
        let mut y = top;
        for (_, section) in kinds(spec, name) {
            let title = text_of(section, "title");
            let hidden = section.get("hideHeader").and_then(Value::as_bool).unwrap_or(false);
            let heading = json!({
                "type": "row", "title": title, "repeat": repeat(section),
                "conditional": section.get("conditionalRendering"),
                "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
            });
            if !hidden && !title.trim().is_empty() {
                self.panels.push(heading);
                y += 1.0;
            } else {
                let what =
                    if title.trim().is_empty() { untitled.to_owned() } else { format!("“{title}”") };
                for (given, lost) in [
                    (!heading["conditional"].is_null(), CONDITION.to_owned()),
                    (!heading["repeat"].is_null(), "its repeating (it stands here once)".to_owned()),
                ] {
                    if given {
                        self.report.say(&what, format!("Not taken over: {lost}."));
                    }
                }
            }
            self.variables(section);
            y = self.place(section.get("layout").unwrap_or(&Value::Null), y);
        }
        y
    }

    /// Adds the panel that an item names.
    fn element(&mut self, item: &Value, place: Value) {
        let name = item.pointer("/element/name").and_then(Value::as_str).unwrap_or_default();
        let Some(element) = self.elements.get(name) else {
            self.report.say(format!("“{name}”"), "The document holds no such element. It was left out.");
            return;
        };
        if !self.placed.insert(name.to_owned()) {
            self.report
                .say(format!("“{name}”"), "The layout has this element more than once. It stands here once.");
            return;
        }
        let mut panel = panel(element);
        for (field, value) in [
            ("gridPos", place),
            ("repeat", json!(repeat(item))),
            ("conditional", item.get("conditionalRendering").cloned().unwrap_or_default()),
        ] {
            panel.insert(field.to_owned(), value);
        }
        self.panels.push(Value::Object(panel));
    }

    /// Adds the variables of the dashboard or of a part of it. They are all the dashboard's here.
    fn variables(&mut self, of: &Value) {
        for (kind, spec) in kinds(of, "variables") {
            let variable = variable(kind, spec);
            let same = |other: &&Value| other["name"] == variable["name"];
            match self.variables.iter().find(same) {
                None => self.variables.push(variable),
                Some(known) if *known == variable => {}
                Some(_) => self.report.say(
                    format!("Variable ${}", text_of(&variable, "name")),
                    "A part of the dashboard has another one of this name. That one was left out.",
                ),
            }
        }
    }

    fn tell_unplaced(&mut self) {
        let all = self.elements.as_object().into_iter().flat_map(Map::keys);
        let left = all.filter(|name| !self.placed.contains(name.as_str())).count();
        if left > 0 {
            let why = "The layout has no place for what they show. It was left out.";
            self.report.say(many(left, "element", "elements"), why);
        }
    }
}

/// What is lost of a part that shows only under a condition.
pub const CONDITION: &str = "the condition under which it shows (it always does here)";

/// The members of a list, each with its kind and its `spec`.
fn kinds<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let all = value.get(name).and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|one| {
        Some((one.get("kind").and_then(Value::as_str).unwrap_or_default(), one.get("spec")?))
    })
}

fn number(value: &Value, name: &str) -> Option<f64> {
    value.get(name)?.as_f64().filter(|number| number.is_finite())
}

/// The variable that something repeats for.
fn repeat(spec: &Value) -> Option<&Value> {
    spec.pointer("/repeat/value").filter(|value| value.is_string())
}

/// The plugin that a query or a picture is of: the kind itself in the first form of the schema, and a group
/// beside it since.
fn plugin(kind: &Value, general: &str) -> String {
    match (text_of(kind, "group"), text_of(kind, "kind")) {
        (group, kind) if group.is_empty() && kind != general => kind,
        (group, _) => group,
    }
}

fn panel(element: &Value) -> Map<String, Value> {
    let spec = element.get("spec").unwrap_or(&Value::Null);
    let at = |pointer: &str| spec.pointer(pointer).cloned().unwrap_or_default();
    let panel = if text_of(element, "kind") == "LibraryPanel" {
        json!({ "title": at("/title"), "libraryPanel": at("/libraryPanel") })
    } else {
        let viz = spec.get("vizConfig").unwrap_or(&Value::Null);
        let group = spec.pointer("/data/spec").unwrap_or(&Value::Null);
        let transformations: Vec<&Value> = kinds(group, "transformations").map(|(_, spec)| spec).collect();
        json!({
            "type": plugin(viz, "VizConfig"),
            "title": at("/title"),
            "description": at("/description"),
            "links": at("/links"),
            "options": viz.pointer("/spec/options"),
            "fieldConfig": viz.pointer("/spec/fieldConfig"),
            "targets": kinds(group, "queries").map(|(_, query)| target(query)).collect::<Vec<_>>(),
            "transformations": transformations,
            "interval": group.pointer("/queryOptions/interval"),
            "timeFrom": group.pointer("/queryOptions/timeFrom"),
            "timeShift": group.pointer("/queryOptions/timeShift"),
        })
    };
    panel.as_object().cloned().unwrap_or_default()
}

/// A query with the source that it is for.
fn target(query: &Value) -> Value {
    let of = query.get("query").unwrap_or(&Value::Null);
    let mut target = of.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in [
        ("refId", query.get("refId").cloned().unwrap_or_default()),
        ("hide", query.get("hidden").cloned().unwrap_or_default()),
        ("datasource", source(query, of)),
    ] {
        target.insert(name.to_owned(), value);
    }
    Value::Object(target)
}

/// The source of a query or of a variable, as classic documents name it.
fn source(of: &Value, query: &Value) -> Value {
    let named =
        [query.get("datasource"), of.get("datasource")].into_iter().flatten().find(|one| one.is_object());
    let text = |name: &str| named.map(|named| text_of(named, name)).unwrap_or_default();
    let kind = match plugin(query, "DataQuery") {
        kind if kind.is_empty() => text("type"),
        kind => kind,
    };
    let uid = if text("name").is_empty() { text("uid") } else { text("name") };
    json!({ "type": kind, "uid": uid })
}

fn annotation(spec: &Value) -> Value {
    let built_in = spec.get("builtIn").and_then(Value::as_bool).unwrap_or(false);
    json!({ "name": text_of(spec, "name"), "builtIn": u8::from(built_in) })
}

fn variable(kind: &str, spec: &Value) -> Value {
    let mut variable = spec.as_object().cloned().unwrap_or_default();
    let kind = match kind {
        "TextVariable" => "textbox".to_owned(),
        kind => kind.trim_end_matches("Variable").to_lowercase(),
    };
    match kind.as_str() {
        "datasource" => {
            variable.insert("query".to_owned(), spec.get("pluginId").cloned().unwrap_or_default());
        }
        "query" => {
            let query = spec.get("query").filter(|query| query.is_object());
            if let Some(query) = query {
                let inner = query.get("spec").unwrap_or(&Value::Null);
                let legacy = inner.get("__legacyStringValue").filter(|text| text.is_string());
                variable.insert("query".to_owned(), legacy.unwrap_or(inner).clone());
                variable.insert("datasource".to_owned(), source(spec, query));
            }
        }
        _ => {}
    }
    let hide = if text_of(spec, "hide") == "hideVariable" { 2 } else { 0 };
    variable.insert("hide".to_owned(), json!(hide));
    variable.insert("type".to_owned(), json!(kind));
    Value::Object(variable)
}
