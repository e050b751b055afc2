//! The side panel with all marked moments of the dashboard, the latest first.

use leptos::prelude::*;

use super::{Mark, mark, words};
use crate::app::components::{Glyph, Icon, SIDE, SideHead};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;
use crate::app::dynamic::{attr, each, live, memo};

#[component]
pub fn MarksList(store: DashboardStore) -> impl IntoView {
    let read_only = memo(move || !store.may_edit.get());
    view! {
        <aside class="side" id=SIDE tabindex="-1" data-testid="marks" aria-label="Marked moments">
            <SideHead title="Marked moments" close="Close the marked moments"/>
            <button
                type="button"
                class="button line"
                data-testid="mark-now"
                disabled=attr(move || read_only.get())
                on:click=move |_| mark::begin(store, Some(store.time.now()))
            >
                <Glyph icon=Icon::Flag/>
                "Mark this moment"
                <kbd>"M"</kbd>
            </button>
            <ol class="marks">
                {each(
                    move || store.time.marks.get().into_iter().rev().collect(),
                    |one| format!("{} {} {}", one.id, one.at, one.text),
                    move |one| view! { <Line one store read_only/> },
                )}
            </ol>
            <p class="quiet">
                {live(move || if store.time.marks.read().is_empty() {
                    "Nothing is marked yet. Point at a moment on a chart and press M: what you write stands on every chart, for everybody."
                } else {
                    "They stand on every chart of this dashboard, for everybody."
                })}
            </p>
        </aside>
    }
}

#[component]
fn Line(one: Mark, store: DashboardStore, read_only: Memo<bool>) -> impl IntoView {
    let when = words::moment(one.at, store.time.now());
    let (says, id) = (one.text.clone(), one.id.clone());
    let label = format!("Remove the mark at {when}: {says}");
    let is_old = {
        let at = one.at;
        memo(move || {
            store.time.range.track();
            let (from, to) = store.time.window();
            !(from..=to).contains(&at)
        })
    };
    let name = one.id.clone();
    view! {
        <li data-testid="mark" data-mark=name class:elsewhere=is_old>
            <button
                type="button"
                class="deed"
                title="Change it"
                disabled=attr(move || read_only.get())
                on:click=move |_| mark::change(store, one.clone())
            >
                <small>{when}</small>
                <span>{says}</span>
            </button>
            <button
                type="button"
                class="button icon"
                aria-label=label
                title="Remove it"
                disabled=attr(move || read_only.get())
                on:click=move |_| {
                    mark::remove(store, &id);
                    dom::focus_soon(SIDE);
                }
            >
                <Glyph icon=Icon::Trash/>
            </button>
        </li>
    }
}
