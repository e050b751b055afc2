//! Widgets on the clipboard: copied here, pasted on any dashboard, as a document of Lockstep.

use leptos::ev::Custom;
use leptos::prelude::*;
use serde_json::Value;
use web_sys::ClipboardEvent;

use super::commands::look_at;
use super::widget_title::UNTITLED;
use crate::app::dashboard_store::DashboardStore;
use crate::app::{dom, format};
use crate::dashboard::export::{Report, export_widgets, read_widgets};
use crate::dashboard::layout::free_place;
use crate::dashboard::settings::{CHOSEN, VARIABLE, mentioned};
use crate::dashboard::widget::Widget;
use crate::dashboard::{Frame, Op, WidgetId};
use crate::sync::protocol::{MAX_FRAME_BYTES, MAX_OP_BYTES, MAX_OPS};

/// Takes the page's copies and pastes that are of no text. Shows nothing.
#[component]
pub fn Clipboard(store: DashboardStore) -> impl IntoView {
    // What is in a field, a dialog or a selection is copied as everywhere.
    let elsewhere = |event: &ClipboardEvent| dom::on_text(event) || dom::dialog_is_open();
    dom::on_window(Custom::<ClipboardEvent>::new("copy"), move |event| {
        if elsewhere(&event) || dom::text_is_selected() {
            return;
        }
        let Some(id) = store.selected.get_untracked() else { return };
        if let (Some(text), Some(data)) = (document(store, &id), event.clipboard_data())
            && data.set_data("text/plain", &text).is_ok()
        {
            event.prevent_default();
            store.toast(copied(store, &id), None);
        }
    });
    dom::on_window(Custom::<ClipboardEvent>::new("paste"), move |event| {
        if elsewhere(&event) {
            return;
        }
        let text = event.clipboard_data().and_then(|data| data.get_data("text/plain").ok());
        if text.is_some_and(|text| paste(store, &text)) {
            event.prevent_default();
        }
    });
}

/// Puts a widget on the clipboard, where the browser lets a page do that.
pub fn copy(store: DashboardStore, id: &WidgetId) {
    let Some(text) = document(store, id) else { return };
    let (id, says) = (id.clone(), copied(store, id));
    dom::copy(&text, move |done| match done {
        true => store.toast(says, None),
        false => {
            store.selected.set(Some(id));
            store.toast("This browser lets no button copy here. The widget is selected: press Ctrl+C.", None);
        }
    });
}

fn copied(store: DashboardStore, id: &WidgetId) -> String {
    let title = store.known(id).map(|widget| widget.title.clone()).filter(|title| !title.trim().is_empty());
    format!("Copied “{}”. Ctrl+V pastes it on any dashboard.", title.as_deref().unwrap_or(UNTITLED))
}

/// A widget as a document, with the variables that it names.
fn document(store: DashboardStore, id: &WidgetId) -> Option<String> {
    let widget = store.widget(id)?.widget.get_untracked();
    let settings = store.settings.read_untracked();
    let mut with = serde_json::Map::new();
    let texts = ["query", "legend"].map(|option| widget.text_option(option));
    let note = widget.text.as_ref().map_or("", |text| text.plain());
    for name in texts.into_iter().chain([&*widget.title, note]).flat_map(mentioned) {
        for family in [VARIABLE, CHOSEN] {
            let field = format!("{family}{name}");
            if let Some(value) = settings.get(&field) {
                with.insert(field, value.clone());
            }
        }
    }
    let mut document = export_widgets(&store.title.read_untracked(), std::iter::once(&*widget));
    document["settings"] = Value::Object(with);
    Some(document.to_string())
}

/// Adds the widgets of a document, as one step. False for a text that is none: somebody else's paste.
fn paste(store: DashboardStore, text: &str) -> bool {
    if !text.trim_start().starts_with('{') || !text.contains("\"lockstep\"") {
        return false;
    }
    let Ok(document) = serde_json::from_str::<Value>(text) else { return false };
    if document.get("lockstep").is_none() {
        return false;
    }
    if !store.may_edit.get_untracked() {
        store.toast("Not pasted: you can only read here.", None);
        return true;
    }
    let mut report = Report::default();
    let widgets = match read_widgets(&document, MAX_OPS, &mut report) {
        Ok(widgets) if widgets.is_empty() => {
            store.toast("There is no widget in what was pasted.", None);
            return true;
        }
        Ok(widgets) => widgets.into_iter().map(|(_, widget)| widget).collect::<Vec<_>>(),
        Err(error) => {
            store.toast(format!("Not pasted. {error}"), None);
            return true;
        }
    };
    let (count, left) = (widgets.len(), report.done().len());
    let mut ops = variables(store, &document);
    let ids = add(store, widgets, &mut ops);
    if !fits(&ops) {
        let says = "Not pasted: this is too much for one step. Import it on the page of all dashboards.";
        store.toast(says, None);
        return true;
    }
    store.edit(ops);
    let mut says = format!("Pasted {}.", format::count(count, "widget", "widgets"));
    if left > 0 {
        says += &format!(" {} in it did not fit here.", format::count(left, "thing", "things"));
    }
    store.toast(says, None);
    if let Some(first) = ids.into_iter().next() {
        look_at(store, first);
    }
    true
}

/// The variables that came along and are not here yet.
fn variables(store: DashboardStore, document: &Value) -> Vec<Op> {
    let here = store.settings.read_untracked();
    let settings = document.get("settings").and_then(Value::as_object);
    let missing = settings.into_iter().flatten().filter(|(field, _)| {
        let name = field.strip_prefix(VARIABLE).or_else(|| field.strip_prefix(CHOSEN));
        name.is_some_and(|name| !here.contains_key(&format!("{VARIABLE}{name}")))
    });
    let set =
        |(field, value): (&String, &Value)| Op::SetDashboard { field: field.clone(), value: value.clone() };
    missing.map(set).collect()
}

/// Adds the ops that add widgets: one at the first free place, several as they stood, below everything.
fn add(store: DashboardStore, widgets: Vec<Widget>, ops: &mut Vec<Op>) -> Vec<WidgetId> {
    let frame = |id: &WidgetId| Some(store.widget(id)?.widget.with_untracked(|widget| widget.frame));
    let frames: Vec<Frame> = store.order.read_untracked().iter().filter_map(frame).collect();
    let bottom = frames.iter().map(|frame| frame.bottom()).max().unwrap_or(0) as u16;
    let top = widgets.iter().map(|widget| widget.frame.y).min().unwrap_or(0);
    let one = widgets.len() == 1;
    let mut ids = Vec::new();
    for mut widget in widgets {
        let Frame { y, w, h, .. } = widget.frame;
        widget.frame = match one {
            true => free_place(frames.iter().copied(), w, h),
            false => Frame { y: bottom.saturating_add(y - top), ..widget.frame }.clamped(),
        };
        let id = WidgetId::new(dom::random_id()).expect("random ids are in base64url");
        ids.push(id.clone());
        ops.push(widget.add_op(id));
    }
    ids
}

/// True for what the server takes as one change.
fn fits(ops: &[Op]) -> bool {
    /// For what stands around the ops in a frame.
    const AROUND: usize = 4 * 1024;
    let long = |op: &Op| serde_json::to_string(op).map_or(usize::MAX, |text| text.len());
    let lengths: Vec<usize> = ops.iter().map(long).collect();
    lengths.iter().all(|long| *long <= MAX_OP_BYTES)
        && lengths.iter().fold(AROUND, |all, long| all.saturating_add(*long)) <= MAX_FRAME_BYTES
        && ops.len() <= MAX_OPS
}
