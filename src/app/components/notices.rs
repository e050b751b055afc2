//! Lines above the grid for what lasts: an end of the connection, or many changes told as one.

use leptos::prelude::*;

use super::WhileAway;
use super::icon::{Glyph, Icon};
use super::kept_edits::{KeptEdits, SafetyNotice};
use crate::app::dashboard_store::{DashboardStore, SyncState};
use crate::app::dom;

/// The `id` attribute of the place where these lines stand.
pub const NOTICES: &str = "notices";

#[component]
pub fn Notices(store: DashboardStore) -> impl IntoView {
    let ended = move || match store.sync.get() {
        SyncState::Error { reason } => Some(view! {
            <div class="notice bad" role="alert">
                <span>{reason}</span>
                <span class="grow"></span>
                <KeptEdits store/>
                <button type="button" class="button line" on:click=|_| dom::reload()>"Reload"</button>
            </div>
        }),
        _ => None,
    };
    let summary = move || {
        store.summary.get().map(|summary| {
            view! {
                <div class="notice" data-testid="summary">
                    <span>{summary}</span>
                    <span class="grow"></span>
                    <button
                        type="button"
                        class="button icon"
                        aria-label="Dismiss"
                        on:click=move |_| { store.summary.set(None); dom::focus_soon(NOTICES); }
                    >
                        <Glyph icon=Icon::Close/>
                    </button>
                </div>
            }
        })
    };
    // What is already there when something comes is what a screen reader reads from.
    view! {
        <div class="notices" id=NOTICES tabindex="-1" role="status" aria-atomic="false">
            {ended}
            <SafetyNotice store/>
            <WhileAway store/>
            {summary}
        </div>
    }
}
