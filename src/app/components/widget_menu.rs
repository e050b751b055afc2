//! Menu of a widget.

use leptos::prelude::*;

use super::icon::Icon;
use super::inspector::Panels;
use super::popup::MenuItem;
use super::{add_widget, clipboard, remove};
use crate::app::dashboard_store::DashboardStore;
use crate::app::time::begin_mark;
use crate::dashboard::{Kind, WidgetId};

/// The widget that a menu is of.
#[derive(Clone)]
pub struct MenuOf {
    pub id: WidgetId,
    pub kind: Kind,
    /// Set where the title is to be written.
    pub renaming: RwSignal<bool>,
}

#[component]
pub fn WidgetMenu(
    id: WidgetId,
    kind: Kind,
    renaming: RwSignal<bool>,
    store: DashboardStore,
) -> impl IntoView {
    let panels = Panels::here();
    let key = StoredValue::new(id);
    let options = move |()| {
        store.selected.set(Some(key.get_value()));
        panels.inspect();
    };
    let may_edit = store.may_edit.get();
    view! {
        {may_edit.then(|| view! {
            <MenuItem label="Rename" icon=Icon::Pencil testid="widget-rename" choose=move |()| renaming.set(true)/>
            <MenuItem label="Options" icon=Icon::Sliders testid="widget-options" choose=options/>
        })}
        {kind.asks().then(|| view! {
            <MenuItem
                label="Show as table"
                icon=Icon::Table
                testid="widget-table"
                choose=move |()| store.tabled.set(Some(key.get_value()))
            />
        })}
        {(may_edit && kind == Kind::Timeseries).then(|| view! {
            <MenuItem label="Mark a moment" icon=Icon::Flag testid="widget-mark" choose=move |()| begin_mark(store, None)/>
        })}
        {may_edit.then(|| view! {
            <MenuItem
                label="Duplicate"
                icon=Icon::Plus
                testid="widget-duplicate"
                choose=move |()| add_widget::duplicate(store, &key.get_value())
            />
        })}
        <MenuItem
            label="Copy"
            icon=Icon::Copy
            testid="widget-copy"
            choose=move |()| clipboard::copy(store, &key.get_value())
        />
        {may_edit.then(|| view! {
            <MenuItem
                label="Remove"
                icon=Icon::Trash
                testid="widget-remove"
                danger=true
                choose=move |()| remove(store, &key.get_value())
            />
        })}
    }
}
