//! Open conflicts: both values side by side, with their authors, until somebody chooses.

use std::sync::Arc;

use crate::app::dynamic::{each, live};
use leptos::prelude::*;

use super::avatar::Avatar;
use super::icon::{Glyph, Icon};
use super::inspector::{Panels, SIDE};
use crate::app::clock::Clock;
use crate::app::dashboard_store::DashboardStore;
use crate::app::format;
use crate::dashboard::op::REMOVED;
use crate::dashboard::{Choice, Conflict, Op, Side};

#[component]
pub fn ConflictInbox(store: DashboardStore) -> impl IntoView {
    let panels = Panels::here();
    view! {
        <aside class="side" id=SIDE tabindex="-1" data-testid="conflict-inbox" aria-label="Conflicts">
            <div class="side-head">
                <h2>"Conflicts"</h2>
                <span class="count">{live(move || store.conflicts.read().len())}</span>
                <span class="grow"></span>
                <button type="button" class="button icon" aria-label="Close the conflicts" on:click=move |_| panels.leave()>
                    <Glyph icon=Icon::Close/>
                </button>
            </div>
            {each(
                move || store.conflicts.get(),
                |conflict| conflict.id.clone(),
                move |conflict| view! { <ConflictCard conflict store/> },
            )}
            <p class="quiet">
                {live(move || if store.conflicts.read().is_empty() {
                    "No open conflicts. When two people write the same field without having seen each other, both values wait here."
                } else {
                    "Nothing here blocks anyone. A choice can be undone."
                })}
            </p>
        </aside>
    }
}

#[component]
fn ConflictCard(conflict: Arc<Conflict>, store: DashboardStore) -> impl IntoView {
    let whose = |side: &Side| {
        if store.me.with_untracked(|me| me.id == side.by.id) {
            "yours".to_owned()
        } else {
            format!("{}’s", side.by.name)
        }
    };
    let removal = conflict.cell.field == REMOVED;
    let (place, field) = names(&conflict, store);
    let keep = if removal { keep_words(&conflict.kept) } else { format!("Keep {}", whose(&conflict.kept)) };
    let other = if removal { keep_words(&conflict.other) } else { format!("Use {}", whose(&conflict.other)) };
    let choose = |choose: Choice| {
        let id = conflict.id.clone();
        move |_| store.edit(vec![Op::SettleConflict { conflict: id.clone(), choose: choose.clone() }])
    };
    view! {
        <section class="conflict" data-testid="conflict" data-conflict=conflict.id.to_string()>
            <h3><b>{place}</b> " · " {field}</h3>
            {(!removal).then(|| view! {
                <p class="quiet">{format!("It was “{}” when both began.", format::value(&conflict.base))}</p>
            })}
            <SideCard side=conflict.kept.clone() shows=true/>
            <SideCard side=conflict.other.clone() shows=false/>
            <div class="choices">
                <button type="button" class="button primary" data-testid="conflict-keep" on:click=choose(Choice::Kept)>
                    {keep}
                </button>
                <button type="button" class="button line" data-testid="conflict-other" on:click=choose(Choice::Other)>
                    {other}
                </button>
            </div>
        </section>
    }
}

#[component]
fn SideCard(side: Side, shows: bool) -> impl IntoView {
    let clock = Clock::here();
    let name = side.by.name.clone();
    let at = side.at;
    let when = move || {
        let ago = format::ago(at, clock.now());
        if shows { format!("{name} · {ago} · shows now") } else { format!("{name} · {ago}") }
    };
    view! {
        <div class="value" class:shows=shows>
            <Avatar user=Signal::stored(side.by) small=true/>
            <div>
                <div class="reads">{format::value(&side.value)}</div>
                <small>{when}</small>
            </div>
        </div>
    }
}

/// What the conflict is about: the widget (or the dashboard) and the field.
fn names(conflict: &Conflict, store: DashboardStore) -> (String, String) {
    let place = match &conflict.cell.id {
        None => "This dashboard".to_owned(),
        Some(id) => store.widget(id).map_or_else(
            || "A removed widget".to_owned(),
            |signals| signals.widget.with_untracked(|w| w.title.clone()),
        ),
    };
    let field = match conflict.cell.field.as_str() {
        REMOVED => "removed by one, edited by the other".to_owned(),
        field => crate::dashboard::Kind::ALL
            .into_iter()
            .flat_map(crate::dashboard::Kind::fields)
            .find(|known| known.name == field)
            .map_or_else(|| field.to_owned(), |known| known.label.to_lowercase()),
    };
    (place, field)
}

/// A choice in words, where one side is a removal.
fn keep_words(side: &Side) -> String {
    if side.value == serde_json::Value::Bool(true) {
        "Let it go".to_owned()
    } else {
        "Keep it with the edits".to_owned()
    }
}
