//! The menu that adds a widget at the first free place, and brings it into view.

use leptos::prelude::*;

use super::commands::look_at;
use super::icon::{Glyph, Icon};
use super::inspector::Panels;
use super::popup::{MenuItem, Popup};
use crate::app::chunks::{Part, Parts};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;
use crate::dashboard::layout::free_place;
use crate::dashboard::{Kind, Widget, WidgetId};

#[component]
pub fn AddWidget() -> impl IntoView {
    let parts = Parts::here();
    view! {
        <Popup
            name="add"
            testid="add-widget"
            class="button primary"
            label="Add a widget"
            from_end=true
            face=ViewFn::from(|| view! {
                <Glyph icon=Icon::Plus/>
                <span class="hide-narrow">"Add"</span>
            })
        >
            {parts.show(Part::AddWidget)}
        </Popup>
    }
}

/// What there is to add.
#[component]
pub fn Kinds(store: DashboardStore) -> impl IntoView {
    let panels = Panels::here();
    let item = |kind: Kind| {
        let icon = Icon::of(kind);
        let testid = format!("add-widget-{}", kind.name());
        view! { <MenuItem label=kind.label() icon testid choose=move |()| add(store, panels, kind)/> }
    };
    Kind::ALL.map(item).collect_view()
}

/// Adds a copy of a widget right below it, selected and in view.
pub fn duplicate(store: DashboardStore, id: &WidgetId) {
    let Some(signals) = store.widget(id) else { return };
    let mut widget = Widget::clone(&signals.widget.get_untracked());
    widget.frame.y = widget.frame.y.saturating_add(widget.frame.h);
    let id = WidgetId::new(dom::random_id()).expect("random ids are in base64url");
    store.edit(vec![widget.add_op(id.clone())]);
    look_at(store, id);
}

/// Adds a widget of a kind at the first free place, selected and in view.
pub fn add(store: DashboardStore, panels: Panels, kind: Kind) {
    let id = WidgetId::new(dom::random_id()).expect("random ids are in base64url");
    let ids = store.order.get_untracked();
    let frame = |id: &WidgetId| Some(store.widget(id)?.widget.with_untracked(|widget| widget.frame));
    let frames: Vec<_> = ids.iter().filter_map(frame).collect();
    let (w, h) = kind.size();
    let mut widget = Widget::new(kind, kind.label(), free_place(frames.iter().copied(), w, h));
    // Something that lives at once; the options say what else there is.
    let starts: Vec<(&str, &str)> = match kind {
        Kind::Note | Kind::Checklist => Vec::new(),
        Kind::Table => vec![("query", "server.cpu, server.memory, server.sessions, server.commits")],
        _ => vec![("query", "server.cpu"), ("unit", "%")],
    };
    for (name, value) in starts {
        widget.options.insert(name.to_owned(), value.into());
    }
    store.edit(vec![widget.add_op(id.clone())]);
    if kind.asks() {
        panels.inspect();
    }
    look_at(store, id);
}
