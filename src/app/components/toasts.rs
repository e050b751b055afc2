//! Toasts: short notices at the foot of the page that go by themselves.

use std::time::Duration;

use crate::app::dynamic::{each, effect};
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use super::inspector::{Panel, Panels};
use super::screen_dialog::point_back;
use super::unsaved_edits::UNSAVED;
use crate::app::chunks::{Part, Parts};
use crate::app::dashboard_store::{DashboardStore, Toast, ToastAction};
use crate::app::dom;

/// How long a toast stays: enough to read a sentence and to reach its button.
const STAY: Duration = Duration::from_secs(8);
/// One that is held is looked at again after this.
const HELD: Duration = Duration::from_secs(2);

/// The place of toasts, which come once their code is there.
#[component]
pub fn Toasts() -> impl IntoView {
    // What is already there when something comes is what a screen reader reads from.
    view! {
        <div class="toasts" role="status" aria-atomic="false" aria-label="Notices">
            {Parts::here().show_later(Part::Toasts)}
        </div>
    }
}

#[component]
pub fn ToastCards(store: DashboardStore) -> impl IntoView {
    each(move || store.toasts.get(), |toast| toast.id, move |toast| view! { <ToastCard toast store/> })
}

#[component]
fn ToastCard(toast: Toast, store: DashboardStore) -> impl IntoView {
    let panels = Panels::here();
    let Toast { id, text, actions, about, stays } = toast;
    // Who points at it or has the keyboard in it is still at it.
    let held = StoredValue::new(false);
    if !stays {
        effect(move || leave(store, id, held, STAY));
    }
    if !about.is_empty() {
        effect(move || {
            // Settled, or in the inbox that is open now.
            if !store.any_open(&about) || panels.open.get() == Some(Panel::Conflicts) {
                store.dismiss(id);
            }
        });
    }
    let button = move |action: ToastAction| {
        let label = match &action {
            ToastAction::Undo | ToastAction::Screen { .. } => "Undo".to_owned(),
            ToastAction::Edit { label, .. } => label.clone(),
            ToastAction::Conflicts { label } => (*label).to_owned(),
            ToastAction::Unsaved => "Show".to_owned(),
        };
        let act = move |_| {
            match &action {
                ToastAction::Undo => store.live(|live| live.undo()),
                ToastAction::Edit { ops, .. } => store.edit(ops.clone()),
                ToastAction::Conflicts { .. } => panels.enter(Panel::Conflicts),
                ToastAction::Screen { id, dashboards } => point_back(store, id.clone(), dashboards.clone()),
                ToastAction::Unsaved => {
                    dom::bring_into_view(UNSAVED);
                    dom::focus_soon(UNSAVED);
                }
            }
            store.dismiss(id);
        };
        view! { <button type="button" class="button link" data-testid="toast-action" on:click=act>{label}</button> }
    };
    view! {
        <div
            class="toast"
            class:asks=stays
            data-testid="toast"
            on:pointerenter=move |_| held.set_value(true)
            on:pointerleave=move |_| held.set_value(false)
            on:focusin=move |_| held.set_value(true)
            on:focusout=move |_| held.set_value(false)
        >
            <span>{text}</span>
            {actions.into_iter().map(button).collect_view()}
            <button type="button" class="button icon" aria-label="Dismiss" on:click=move |_| store.dismiss(id)>
                <Glyph icon=Icon::Close/>
            </button>
        </div>
    }
}

/// Takes a toast away after a while, unless it is held by then.
fn leave(store: DashboardStore, id: u32, held: StoredValue<bool>, after: Duration) {
    let done = move || match held.try_get_value() {
        Some(true) => leave(store, id, held, HELD),
        _ => store.dismiss(id),
    };
    set_timeout(done, after);
}
