//! Sync status indicator: a pill for one's own edits, and behind it the state of every service.

use std::time::Duration;

use crate::app::dynamic::{attr, derived, each, effect, live, memo};
use leptos::prelude::*;

use super::popup::{Popup, Popups};
use crate::app::chunks::{Part, Parts};
use crate::app::clock::Clock;
use crate::app::dashboard_store::{DashboardStore, ServiceStatus, SyncState};
use crate::app::{address, format};

/// "Saved" shows after so long without an edit on its way: keys are saved one by one, and the pill need not say so of
/// each.
const REST: Duration = Duration::from_millis(400);

#[component]
pub fn SyncStatusIndicator(store: DashboardStore) -> impl IntoView {
    let (clock, parts) = (Clock::here(), Parts::here());
    // When the wait for the next try ends, by this browser's clock.
    let due = RwSignal::new(None::<u64>);
    effect(move || {
        due.set(match store.sync.get() {
            SyncState::Reconnecting { retry_in_ms: Some(ms) } => Some(clock.now_untracked() + ms),
            _ => None,
        });
    });
    let shows = rested(store.sync);
    let words = memo(move || {
        let wait_s = due.get().map(|due| due.saturating_sub(clock.now()).div_ceil(1000));
        let safety = store.safety.read();
        match &*shows.read() {
            SyncState::Error { .. } if safety.in_bin => "In the bin".to_owned(),
            sync => words(sync, store.pending.get(), safety.kept, store.conflicts.read().len(), wait_s),
        }
    });
    view! {
        <div
            class="sync"
            data-testid="sync-status"
            data-state=attr(move || store.sync.read().name())
            data-shows=attr(move || shows.read().name())
            data-pending=attr(move || store.pending.get().to_string())
        >
            <Popup
                name="sync"
                testid="sync-details"
                class="pill"
                role="dialog"
                label=derived(move || format!("Sync: {}. Show the services.", words.read()))
                face=ViewFn::from(move || view! { <span class="pill-words">{words}</span> })
            >
                {parts.show(Part::SyncDetails)}
            </Popup>
            <span class="sr-only" role="status">{words}</span>
        </div>
    }
}

/// The state that the pill shows. It is never ahead of the one that is, and "saved" comes after a [`REST`].
fn rested(sync: RwSignal<SyncState>) -> RwSignal<SyncState> {
    let shows = RwSignal::new(sync.get_untracked());
    let turn = StoredValue::new(0u32);
    effect(move || {
        let now = sync.get();
        turn.update_value(|turn| *turn += 1);
        let rests = now == SyncState::Saved && shows.with_untracked(|shows| *shows == SyncState::Saving);
        if rests {
            let mine = turn.get_value();
            let show = move || {
                // The page may be gone by then.
                if turn.try_get_value() == Some(mine) {
                    shows.set(SyncState::Saved);
                }
            };
            set_timeout(show, REST);
        } else if shows.with_untracked(|shows| *shows != now) {
            shows.set(now);
        }
    });
    shows
}

/// What the pill says.
fn words(sync: &SyncState, pending: usize, kept: usize, conflicts: usize, wait_s: Option<u64>) -> String {
    match sync {
        SyncState::Connecting => "Connecting".to_owned(),
        SyncState::Saved => "Saved".to_owned(),
        SyncState::Saving => format!("Saving {}", pending.max(1)),
        SyncState::Offline if pending == 0 => "Offline".to_owned(),
        SyncState::Offline if kept == 0 => {
            format!("Offline: {} in this tab only", format::count(pending, "edit", "edits"))
        }
        SyncState::Offline => {
            format!("Offline: {} kept on this device", format::count(kept, "edit", "edits"))
        }
        SyncState::Reconnecting { .. } => match wait_s {
            Some(s) if s > 0 => format!("Reconnecting in {s} s"),
            _ => "Reconnecting now".to_owned(),
        },
        SyncState::Conflict => format::count(conflicts, "conflict", "conflicts"),
        SyncState::ReadOnly => "Read only".to_owned(),
        SyncState::Error { .. } => "Not connected".to_owned(),
    }
}

/// What the popup shows.
#[component]
pub fn SyncDetails(store: DashboardStore) -> impl IntoView {
    let popups = Popups::here();
    let waiting = move || matches!(*store.sync.read(), SyncState::Reconnecting { .. } | SyncState::Offline);
    view! {
        <div class="sync-details" tabindex="0">
            <p class="lead">{live(move || explanation(&store.sync.read(), store.pending.get()))}</p>
            {live(move || waiting().then(|| view! {
                <button
                    type="button"
                    class="button primary"
                    data-testid="retry"
                    on:click=move |_| { store.live(|live| live.retry()); popups.close(); }
                >
                    "Connect now"
                </button>
            }))}
            <ServiceList services=store.services/>
            <a class="quiet" href=address::to("/status")>"Status of the server"</a>
        </div>
    }
}

fn explanation(sync: &SyncState, pending: usize) -> String {
    let kept = match pending {
        0 => String::new(),
        n => {
            format!(" {} will be sent as soon as the connection is back.", format::count(n, "edit", "edits"))
        }
    };
    match sync {
        SyncState::Connecting => "Connecting to the server.".to_owned(),
        SyncState::Saved => "Everything you did is stored on the server.".to_owned(),
        SyncState::Saving => "The server is storing what you did.".to_owned(),
        SyncState::Offline => format!("There is no network. You can go on editing.{kept}"),
        SyncState::Reconnecting { .. } => format!("The connection was lost. You can go on editing.{kept}"),
        SyncState::Conflict => {
            "Two people wrote the same field. Both values are kept; choose one.".to_owned()
        }
        SyncState::ReadOnly => "You may look at this dashboard, not change it.".to_owned(),
        SyncState::Error { reason } => reason.clone(),
    }
}

/// Every sync service of this tab, with its state in words.
#[component]
pub fn ServiceList(services: RwSignal<Vec<ServiceStatus>>) -> impl IntoView {
    let names = memo(move || services.read().iter().map(|one| (one.name, one.label)).collect::<Vec<_>>());
    let row = move |(name, label): (&'static str, &'static str)| {
        let service = memo(move || services.read().iter().find(|one| one.name == name).cloned());
        let part = move |read: fn(&ServiceStatus) -> String| {
            move || service.read().as_ref().map(read).unwrap_or_default()
        };
        view! {
            <div
                class="service"
                data-testid="service"
                data-service=name
                data-state=part(|service| service.state.name().to_owned())
            >
                <span class="state" aria-hidden="true"></span>
                <div>
                    <strong>{label}</strong>
                    <p>{part(ServiceStatus::in_words)}</p>
                </div>
                <span class="figures">{part(|service| {
                    let latency = service.latency_ms.map(|ms| format!("{ms} ms"));
                    let queue = service.queue.map(|n| format!("{n} waiting"));
                    latency.into_iter().chain(queue).collect::<Vec<_>>().join(" · ")
                })}</span>
            </div>
        }
    };
    view! {
        <div class="services">
            {each(move || names.get(), |(name, _)| *name, row)}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pill_speaks_of_my_work() {
        assert_eq!(words(&SyncState::Saving, 3, 0, 0, None), "Saving 3");
        assert_eq!(words(&SyncState::Offline, 5, 5, 0, None), "Offline: 5 edits kept on this device");
        assert_eq!(words(&SyncState::Offline, 5, 0, 0, None), "Offline: 5 edits in this tab only");
        let waits = SyncState::Reconnecting { retry_in_ms: Some(4000) };
        assert_eq!(words(&waits, 0, 0, 0, Some(4)), "Reconnecting in 4 s");
        assert_eq!(words(&waits, 0, 0, 0, Some(0)), "Reconnecting now");
        assert_eq!(words(&SyncState::Conflict, 0, 0, 2, None), "2 conflicts");
    }
}
