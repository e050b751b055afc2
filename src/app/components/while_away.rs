//! Summary of what others did while the person was away, in one line.

use crate::app::dynamic::{effect, memo};
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use super::inspector::{Panel, Panels};
use super::notices::NOTICES;
use crate::app::activity::{self, Absence};
use crate::app::clock::Clock;
use crate::app::dashboard_store::{DashboardStore, SyncState};
use crate::app::{dom, format};

/// Who looks at another tab or loses the connection for less than this was not away.
const AWAY_MS: u64 = 60_000;

#[component]
pub fn WhileAway(store: DashboardStore) -> impl IntoView {
    let clock = Clock::here();
    let panels = Panels::here();
    // The last moment in which somebody watched what others did, and the last line by then.
    let watched = StoredValue::new((0, 0));
    effect(move || {
        // It stands still while the page is hidden and while the machine sleeps.
        let ticks = clock.now() > 0;
        let follows = matches!(
            *store.sync.read(),
            SyncState::Saved | SyncState::Saving | SyncState::Conflict | SyncState::ReadOnly
        );
        if !ticks || !follows || !dom::visible() {
            return;
        }
        // The last tick may be older than what was just listed.
        let now = dom::now_ms();
        let (from, after) = watched.get_value();
        if from > 0 && now.saturating_sub(from) > AWAY_MS {
            store.absence.set(Some(Absence { after, from, to: now, told: false }));
        }
        let last = store.activity.with_untracked(|all| all.last().map_or(after, |one| one.id));
        watched.set_value((now, last));
    });
    let news = memo(move || {
        let away = store.absence.get().filter(|away| !away.told)?;
        let me = store.me.read().id.clone();
        let line = activity::summary(&store.activity.read(), &away, &me)?;
        Some((format::span(away.to - away.from), line))
    });
    let told = move || {
        store.absence.update(|away| {
            if let Some(away) = away {
                away.told = true;
            }
        });
    };
    let dismiss = move |_| {
        told();
        dom::focus_soon(NOTICES);
    };
    let show = move |_| {
        let away = store.absence.get_untracked();
        panels.enter(Panel::Activity);
        told();
        let Some(away) = away else { return };
        let me = store.me.get_untracked().id;
        let mut first = None;
        for one in store.activity.get_untracked().iter().filter(|one| away.covers(one, &me)) {
            if let Some(id) = &one.deed.widget {
                store.glow(id, &one.by);
                first = first.or_else(|| store.widget(id).map(|_| super::element_id(id.as_str())));
            }
        }
        if let Some(first) = first {
            dom::soon(move || dom::bring_into_view(&first));
        }
    };
    move || {
        news.get().map(|(span, line)| {
            view! {
                <div class="notice" data-testid="while-away">
                    <span><b>{format!("While you were away ({span})")}</b> " " {line} "."</span>
                    <button type="button" class="button link" on:click=show>"Show me"</button>
                    <span class="grow"></span>
                    <button type="button" class="button icon" aria-label="Dismiss" on:click=dismiss>
                        <Glyph icon=Icon::Close/>
                    </button>
                </div>
            }
        })
    }
}
