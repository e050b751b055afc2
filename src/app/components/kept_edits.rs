//! Notices about edits that cannot be sent as they are, with what can be done, and about edits that are not
//! safe.

use crate::app::dynamic::{live, memo};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::dashboard_store::{DashboardStore, Safety, Settle, SyncState};
use crate::app::{format, requests};
use crate::sync::link::Ended;

/// From here on a nearly full queue is told, in percent.
const NEARLY_FULL: usize = 80;

/// The ways out where the connection has ended for good: for edits that wait, and for a dashboard that is in
/// the bin.
#[component]
pub fn KeptEdits(store: DashboardStore) -> impl IntoView {
    let sure = RwSignal::new(false);
    let settle = move |what: Settle| move |_| store.live(|live| live.settle(what));
    let waits = memo(move || store.pending.get() + store.unsaved.read().len());
    move || {
        let Safety { kept, ended, held, in_bin, withdrawn, .. } = store.safety.get();
        let pending = store.pending.get();
        let over = matches!(ended, Some(Ended::NotFound | Ended::Forbidden));
        let edits = (waits.get() > 0).then(|| {
            view! {
                <span data-testid="kept-edits">{words(pending, kept, over, in_bin)}</span>
                {in_bin.then(|| view! { <Restore store saves={pending > 0}/> })}
                {held.then(|| view! {
                    <button type="button" class="button line" data-testid="kept-send" on:click=settle(Settle::SendAsMe)>
                        "Send as me"
                    </button>
                })}
                <button type="button" class="button line" data-testid="kept-export" on:click=settle(Settle::Export)>
                    "Export"
                </button>
                {(over && !withdrawn).then(|| view! {
                    <button type="button" class="button line" data-testid="kept-copy" on:click=settle(Settle::Copy)>
                        "Make a new dashboard of it"
                    </button>
                })}
                {over.then(|| view! {
                    <button
                        type="button"
                        class="button line"
                        data-testid="kept-discard"
                        on:click=move |_| {
                            if sure.get_untracked() {
                                store.live(|live| live.settle(Settle::Discard));
                            }
                            sure.set(true);
                        }
                    >
                        {live(move || if sure.get() { "Discard for good" } else { "Discard" })}
                    </button>
                })}
            }
        });
        let nothing_waits = in_bin && edits.is_none();
        view! {
            {edits}
            {nothing_waits.then(|| view! { <Restore store saves=false/> })}
            {in_bin.then(|| view! {
                <button
                    type="button"
                    class="button line"
                    data-testid="try-again"
                    on:click=move |_| store.live(|live| live.retry())
                >
                    "Try again"
                </button>
            })}
        }
    }
}

/// Brings the dashboard back from the bin and this page back to it; what waits here is saved by that.
#[component]
fn Restore(store: DashboardStore, saves: bool) -> impl IntoView {
    let restore = move |_| {
        spawn_local(async move {
            let address = format!("/api/v1/bin/{}/restore", store.id.get_value());
            match requests::send("POST", &address, None).await {
                Ok(_) => store.live(|live| live.retry()),
                Err(error) => store.toast(format!("The dashboard was not restored. {error}"), None),
            }
        });
    };
    view! {
        <button type="button" class="button primary" data-testid="bin-restore" on:click=restore>
            {if saves { "Restore the dashboard and save" } else { "Restore" }}
        </button>
    }
}

/// What is said of the edits that wait. `over` says that they will not be sent by themselves.
fn words(pending: usize, kept: usize, over: bool, in_bin: bool) -> String {
    let edits = format::count(pending, "edit", "edits");
    match (pending, over) {
        (0, _) => "What was not saved is listed below.".to_owned(),
        (_, true) if in_bin => format!("{edits} not sent. They are saved once the dashboard is restored."),
        (_, true) => format!("{edits} not sent. What you see has everything."),
        (_, false) if kept == pending => format!("{edits} kept on this device, and sent when you are back."),
        (_, false) => format!("{edits} in this tab only: export them first."),
    }
}

/// A line for as long as editing is not safe: nothing is kept on this device while the server is away, or
/// there is hardly room for more.
#[component]
pub fn SafetyNotice(store: DashboardStore) -> impl IntoView {
    let says = memo(move || {
        let safety = store.safety.get();
        let away = matches!(*store.sync.read(), SyncState::Offline | SyncState::Reconnecting { .. });
        match safety.not_kept {
            _ if safety.fullness >= 100 => Some(
                "Editing has stopped: as many edits wait for the server as can be kept. Nothing is lost; it goes on \
                 when the server has taken them."
                    .to_owned(),
            ),
            Some(reason) if away => {
                Some(format!("Edits are in this tab only, and gone if it closes before they are saved. {reason}"))
            }
            _ if safety.fullness >= NEARLY_FULL => Some(format!(
                "{} % of the room for edits that wait for the server is taken. When it is full, editing stops.",
                safety.fullness
            )),
            _ => None,
        }
    });
    move || {
        says.get().map(|says| {
            view! { <div class="notice bad" role="alert" data-testid="not-safe">{says}</div> }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_device_has_is_called_kept() {
        assert_eq!(words(3, 3, false, false), "3 edits kept on this device, and sent when you are back.");
        assert_eq!(words(3, 2, false, false), "3 edits in this tab only: export them first.");
        assert_eq!(words(1, 1, true, false), "1 edit not sent. What you see has everything.");
        assert_eq!(
            words(2, 2, true, true),
            "2 edits not sent. They are saved once the dashboard is restored."
        );
        assert_eq!(words(0, 0, true, false), "What was not saved is listed below.");
    }
}
