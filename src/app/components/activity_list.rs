//! The side panel that says who changed what, each line with a way to look at it.

use crate::app::dynamic::{attr, each, live, memo};
use leptos::html::Button;
use leptos::prelude::*;

use super::avatar::Avatar;
use super::commands::look_at;
use super::inspector::{SIDE, SideHead};
use crate::app::activity::Activity;
use crate::app::clock::Clock;
use crate::app::dashboard_store::DashboardStore;
use crate::app::{dom, format};
use crate::dashboard::Op;

#[component]
pub fn ActivityList(store: DashboardStore) -> impl IntoView {
    view! {
        <aside class="side" id=SIDE tabindex="-1" data-testid="activity" aria-label="Activity">
            <SideHead title="Activity" close="Close the activity"/>
            <ol class="activity">
                {each(
                    move || store.activity.get().into_iter().rev().collect(),
                    |one| one.id,
                    move |one| view! { <Line one store/> },
                )}
            </ol>
            <p class="quiet">
                {live(move || if store.activity.read().is_empty() {
                    "Nothing has changed since you opened this page. What you and others do shows here as it happens."
                } else {
                    "Since you opened this page."
                })}
            </p>
        </aside>
    }
}

#[component]
fn Line(one: Activity, store: DashboardStore) -> impl IntoView {
    let clock = Clock::here();
    let me = store.me.read_untracked().id.clone();
    let meanwhile =
        store.absence.with_untracked(|away| away.as_ref().is_some_and(|away| away.covers(&one, &me)));
    let Activity { by, at, deed, .. } = one;
    let who = if by.id == me { "You".to_owned() } else { by.name.clone() };
    let (user, id) = (by.id.to_string(), deed.widget.as_ref().map(ToString::to_string));
    let widget = StoredValue::new(deed.widget);
    let is_there = memo(move || {
        let order = store.order.read();
        widget.with_value(|id| id.as_ref().is_some_and(|id| order.contains(id)))
    });
    let glower = by.clone();
    let look = move |_| {
        let Some(id) = widget.get_value().filter(|_| is_there.get_untracked()) else { return };
        store.glow(&id, &glower);
        look_at(store, id);
    };
    let line = NodeRef::<Button>::new();
    let restore = move |_| {
        if let Some(id) = widget.get_value() {
            store.edit(vec![Op::RestoreWidget { id }]);
            // This button goes, and the one beside it can be pressed again.
            dom::soon(move || {
                if let Some(line) = line.try_get_untracked().flatten() {
                    let _ = line.focus();
                }
            });
        }
    };
    let removed = deed.words.starts_with("removed ");
    view! {
        <li data-testid="activity-item" data-user=user data-widget=id class:meanwhile=meanwhile>
            <Avatar user=Signal::stored(by) small=true/>
            <button
                type="button"
                node_ref=line
                class="deed"
                title="Show the widget"
                disabled=attr(move || !is_there.get())
                on:click=look
            >
                <span><b>{who}</b> " " {deed.words}</span>
                <small>{live(move || format::ago(at, clock.now()))}</small>
            </button>
            {live(move || (removed && !is_there.get() && store.may_edit.get()).then(|| view! {
                <button type="button" class="button link" on:click=restore>"Restore"</button>
            }))}
        </li>
    }
}
