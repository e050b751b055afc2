//! Own edits that the server did not take: to be copied, and gone only when their author says so.

use crate::app::dynamic::{each, live};
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;
use crate::app::unsaved::Unsaved;

/// The `id` attribute of the panel.
pub const UNSAVED: &str = "unsaved";

/// What has more lines than this is folded away, so that the grid keeps its place.
const SHORT_LINES: usize = 3;

#[component]
pub fn UnsavedList(store: DashboardStore) -> impl IntoView {
    view! {
        <section class="unsaved" id=UNSAVED tabindex="-1" aria-label="Not saved" data-testid="unsaved">
            <h2>"Not saved"</h2>
            <p class="quiet">{live(move || where_kept(store.safety.read().not_kept.is_none()))}</p>
            <ul>
                {each(
                    move || store.unsaved.get(),
                    // A row that took in another's content is drawn anew.
                    |one| format!("{}:{}", one.id, one.content.len()),
                    move |one| view! { <Row one store/> },
                )}
            </ul>
        </section>
    }
}

const fn where_kept(on_device: bool) -> &'static str {
    match on_device {
        true => {
            "These edits of yours are kept on this device until you dismiss them. Copy what you still need."
        }
        false => "These edits of yours are kept in this tab only. Copy what you still need.",
    }
}

#[component]
fn Row(one: Unsaved, store: DashboardStore) -> impl IntoView {
    let Unsaved { id, what, content, reason, .. } = one;
    let copied = RwSignal::new(None::<bool>);
    let element = format!("unsaved-{id}");
    let copy = {
        let (element, content) = (element.clone(), content.clone());
        move |_| {
            let element = element.clone();
            dom::copy(&content, move |done| {
                if !done {
                    dom::unfold_and_select(&element);
                }
                // The row may be gone by then.
                copied.try_set(Some(done));
            });
        }
    };
    let dismiss = move |_| store.unsaved.update(|all| all.retain(|one| one.id != id));
    let says = move || match copied.get() {
        None => "Copy",
        Some(true) => "Copied",
        Some(false) => "Selected: press Ctrl+C",
    };
    let text = view! { <pre id=element tabindex="0">{content.clone()}</pre> };
    let (copy_label, dismiss_label) = (format!("Copy: {what}"), format!("Dismiss: {what}"));
    view! {
        <li data-testid="unsaved-edit">
            <div class="unsaved-head">
                <strong>{what}</strong>
                <span class="why">{reason}</span>
            </div>
            <button type="button" class="button line" data-testid="unsaved-copy" title=copy_label on:click=copy>
                <span aria-live="polite">{says}</span>
            </button>
            <button
                type="button"
                class="button icon"
                data-testid="unsaved-dismiss"
                aria-label=dismiss_label
                on:click=dismiss
            >
                <Glyph icon=Icon::Close/>
            </button>
            {if content.lines().count() > SHORT_LINES {
                view! { <details><summary>"What it held"</summary>{text}</details> }.into_any()
            } else {
                text.into_any()
            }}
        </li>
    }
}
