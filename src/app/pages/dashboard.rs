//! `/d/{id}`: a dashboard, edited and watched by everybody who has it open.

use crate::app::dynamic::{attr, effect, live, memo};
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use crate::app::access::Rights;
use crate::app::chunks::{Contents, Part, Parts};
use crate::app::components::arranging::Arranging;
use crate::app::components::people::People;
use crate::app::components::{
    DashboardContainer, DashboardHeader, Notices, Palette, Panel, Panels, Popups, Toasts, VariableRow, remove,
};
use crate::app::dashboard_store::{DashboardStore, SyncState};
use crate::app::{dom, time};
use crate::dashboard::{Dashboard, DashboardId, User};

#[component]
pub fn DashboardPage(id: DashboardId, dashboard: Dashboard, user: User) -> impl IntoView {
    let store = use_context::<DashboardStore>()
        .unwrap_or_else(|| DashboardStore::new(id, &dashboard, user).with_role(Rights::here().role));
    let parts = Parts::new();
    let panels = Panels::new(store, parts);
    let contents = Contents::new();
    provide_context(store);
    provide_context(parts);
    provide_context(contents);
    provide_context(panels);
    provide_context(Popups::new());
    provide_context(People::new(store));
    provide_context(Arranging::new(store));
    let palette = Palette::new();
    provide_context(palette);
    Effect::new(move |before: Option<Option<_>>| {
        let selected = store.selected.get();
        if before.as_ref() != Some(&selected) {
            store.live(|live| live.select(selected.iter().cloned().collect()));
        }
        if selected.is_none() && panels.open.get_untracked() == Some(Panel::Widget) {
            panels.close();
        }
        selected
    });
    effect(move || document().set_title(&format!("{} · Lockstep", store.title.read())));
    dom::on_window(leptos::ev::keydown, move |event| keys(&event, store, panels));
    let side = memo(move || match panels.open.get() {
        Some(Panel::Widget) if store.selected.read().is_none() || !store.may_edit.get() => None,
        open => open,
    });
    let unsaved = memo(move || !store.unsaved.read().is_empty());
    // It is likely to be wanted, and quick only if it is here.
    effect(move || {
        if *store.sync.read() != SyncState::Connecting {
            parts.when_there(|| ());
            contents.fetch();
        }
    });
    time::keep(store);
    let marking = memo(move || store.time.marking.read().is_some());
    let tabled = memo(move || store.tabled.read().is_some());
    let empty = memo(move || store.order.read().is_empty() && !store.safety.read().withdrawn);
    view! {
        <DashboardHeader store/>
        <VariableRow store/>
        <div class="page" class:with-side=attr(move || side.read().is_some())>
            <main class="canvas">
                <Notices store/>
                {live(move || unsaved.get().then(|| parts.show(Part::Unsaved)))}
                <div class="empty" class:hidden=attr(move || !empty.get())>
                    <h2>"An empty dashboard"</h2>
                    <p>
                        {live(move || if store.may_edit.get() {
                            "Add a number, a chart or a note. Whoever opens this page sees it at the same moment."
                        } else {
                            "Whoever edits it adds something here, and you see it at the same moment."
                        })}
                    </p>
                </div>
                <DashboardContainer store/>
            </main>
            {live(move || side.get().map(|panel| parts.show(match panel {
                Panel::Widget => Part::Inspector,
                Panel::Conflicts => Part::Conflicts,
                Panel::Activity => Part::Activity,
                Panel::Marks => Part::Marks,
            })))}
        </div>
        {parts.show_later(Part::Follow)}
        <Toasts/>
        {live(move || tabled.get().then(|| parts.show(Part::Data)))}
        {live(move || palette.is_open().then(|| parts.show(Part::Commands)))}
        {live(move || marking.get().then(|| parts.show(Part::Mark)))}
        {live(move || store.editing_variables.get().then(|| parts.show(Part::VariablesEditor)))}
        {live(move || store.sharing.get().then(|| parts.show(Part::Share)))}
        {live(move || store.choosing_screen.get().then(|| parts.show(Part::Screens)))}
        {parts.show_later(Part::Clipboard)}
    }
}

/// The keys of the whole page.
fn keys(event: &KeyboardEvent, store: DashboardStore, panels: Panels) {
    let typing = dom::on_text(event);
    let with_control = event.ctrl_key() || event.meta_key();
    let may_edit = store.may_edit.get_untracked();
    match event.key().as_str() {
        "z" | "Z" if may_edit && with_control && !typing => {
            event.prevent_default();
            store.live(|live| if event.shift_key() { live.redo() } else { live.undo() });
        }
        "y" if may_edit && with_control && !typing => {
            event.prevent_default();
            store.live(|live| live.redo());
        }
        "Escape" => {
            if store.following.read_untracked().is_some() {
                store.following.set(None);
            } else if matches!(
                panels.open.get_untracked(),
                Some(Panel::Conflicts | Panel::Activity | Panel::Marks)
            ) {
                panels.leave();
            } else if store.selected.read_untracked().is_some() {
                if panels.open.get_untracked() == Some(Panel::Widget) {
                    panels.leave();
                }
                store.selected.set(None);
            }
        }
        "Delete" | "Backspace" if may_edit && !typing => {
            if let Some(id) = store.selected.get_untracked() {
                event.prevent_default();
                remove(store, &id);
            }
        }
        "t" | "T" if !typing && !with_control && !event.alt_key() => store.time.own.set(None),
        "m" | "M" if !typing && !with_control && !event.alt_key() => {
            event.prevent_default();
            time::begin_mark(store, None);
        }
        _ => {}
    }
}
