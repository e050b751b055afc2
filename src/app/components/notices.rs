//! Notices above the grid, for what lasts: an end of the connection, or many changes told as one.

use leptos::prelude::*;

use super::WhileAway;
use super::icon::{Glyph, Icon};
use super::kept_edits::SafetyNotice;
use crate::app::chunks::{Part, Parts};
use crate::app::dashboard_store::{DashboardStore, SyncState};
use crate::app::dom;
use crate::app::dynamic::{attr, live, memo};

/// The `id` attribute of the place where these lines stand.
pub const NOTICES: &str = "notices";

#[component]
pub fn Notices(store: DashboardStore) -> impl IntoView {
    let parts = Parts::here();
    let ended = move || match store.sync.get() {
        SyncState::Error { reason } => Some(view! {
            <div class="notice bad" role="alert">
                <span>{reason}</span>
                <span class="grow"></span>
                {parts.show(Part::KeptEdits)}
                <button
                    type="button"
                    class="button line"
                    class:hidden=attr(move || store.safety.read().in_bin)
                    on:click=|_| dom::reload()
                >
                    "Reload"
                </button>
            </div>
        }),
        _ => None,
    };
    // What is already there when something comes is what a screen reader reads from.
    view! {
        <div class="notices" id=NOTICES tabindex="-1" role="status" aria-atomic="false">
            {ended}
            <SafetyNotice store/>
            {parts.show_later(Part::Notices)}
        </div>
    }
}

/// The lines that can wait until the rest of the page is there.
#[component]
pub fn MoreNotices(store: DashboardStore) -> impl IntoView {
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
    let outdated = move || {
        store.outdated.get().then(|| {
            let safe = memo(move || {
                let safety = store.safety.read();
                let listed = safety.not_kept.is_none() || store.unsaved.read().is_empty();
                store.pending.get() <= safety.kept && listed
            });
            let says = move || match safe.get() {
                true => {
                    "There is a newer version of this page. Reload when it suits you: your edits are safe."
                }
                false => "There is a newer version of this page. It can be loaded once your edits are safe.",
            };
            view! {
                <div class="notice" data-testid="outdated">
                    <span>{live(says)}</span>
                    <span class="grow"></span>
                    <button
                        type="button"
                        class="button line"
                        data-testid="reload"
                        disabled=move || !safe.get()
                        on:click=|_| dom::reload()
                    >
                        "Reload"
                    </button>
                </div>
            }
        })
    };
    view! {
        {outdated}
        <WhileAway store/>
        {summary}
    }
}
