//! The menu that adds a widget at the first free place, and brings it into view.

use leptos::prelude::*;

use super::commands::look_at;
use super::icon::{Glyph, Icon};
use super::inspector::Panels;
use super::popup::{MenuItem, Popup};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;
use crate::dashboard::layout::free_place;
use crate::dashboard::{Kind, Widget, WidgetId};

#[component]
pub fn AddWidget(store: DashboardStore) -> impl IntoView {
    let panels = Panels::here();
    let items = move || {
        Kind::ALL
            .into_iter()
            .map(|kind| {
                let icon = Icon::of(kind);
                let testid = format!("add-widget-{}", kind.name());
                view! { <MenuItem label=kind.label() icon testid choose=move |()| add(store, panels, kind)/> }
            })
            .collect_view()
    };
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
            {items()}
        </Popup>
    }
}

/// Adds a widget of a kind at the first free place, selected and in view.
pub fn add(store: DashboardStore, panels: Panels, kind: Kind) {
    let id = WidgetId::new(dom::random_id()).expect("random ids are in base64url");
    let ids = store.order.get_untracked();
    let frame = |id: &WidgetId| Some(store.widget(id)?.widget.with_untracked(|widget| widget.frame));
    let frames: Vec<_> = ids.iter().filter_map(frame).collect();
    let (w, h) = kind.size();
    let mut widget = Widget::new(kind, kind.label(), free_place(frames.iter().copied(), w, h));
    if kind != Kind::Note {
        // Something that lives at once; the options say what else there is.
        widget.options.insert("query".to_owned(), "server.cpu".into());
        widget.options.insert("unit".to_owned(), "%".into());
    }
    store.edit(vec![widget.add_op(id.clone())]);
    if kind != Kind::Note {
        panels.inspect();
    }
    look_at(store, id);
}
