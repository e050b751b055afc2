//! Short words that pass by, at the foot of the page.

use std::time::Duration;

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use super::inspector::{Panel, Panels};
use crate::app::dashboard_store::{DashboardStore, Toast, ToastAction};

/// How long a toast stays: enough to read a sentence and to reach its button.
const STAY: Duration = Duration::from_secs(8);

#[component]
pub fn Toasts(store: DashboardStore) -> impl IntoView {
    view! {
        <div class="toasts" role="region" aria-label="Notices">
            <For
                each=move || store.toasts.get()
                key=|toast| toast.id
                children=move |toast| view! { <ToastCard toast store/> }
            />
        </div>
    }
}

#[component]
fn ToastCard(toast: Toast, store: DashboardStore) -> impl IntoView {
    let panels = Panels::here();
    let Toast { id, text, action } = toast;
    Effect::new(move |_| set_timeout(move || store.dismiss(id), STAY));
    let button = action.map(|action| {
        let label = match &action {
            ToastAction::Undo => "Undo".to_owned(),
            ToastAction::Edit { label, .. } => label.clone(),
            ToastAction::Conflicts => "Show".to_owned(),
        };
        let act = move |_| {
            match &action {
                ToastAction::Undo => store.live(|live| live.undo()),
                ToastAction::Edit { ops, .. } => store.edit(ops.clone()),
                ToastAction::Conflicts => panels.open.set(Some(Panel::Conflicts)),
            }
            store.dismiss(id);
        };
        view! { <button type="button" class="button link" data-testid="toast-action" on:click=act>{label}</button> }
    });
    view! {
        <div class="toast" data-testid="toast" role="status">
            <span>{text}</span>
            {button}
            <button type="button" class="button icon" aria-label="Dismiss" on:click=move |_| store.dismiss(id)>
                <Glyph icon=Icon::Close/>
            </button>
        </div>
    }
}
