//! Page at the address of a dashboard in the bin: who moved it there, and the way back.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::dashboards::named;
use crate::app::access::Role;
use crate::app::clock::Clock;
use crate::app::components::{Preview, SiteHeader};
use crate::app::dynamic::{attr, effect, live};
use crate::app::{BinEntry, address, dom, format, requests};
use crate::dashboard::User;

/// `dashboard` is how it stands in the bin, as far as that is known.
#[component]
pub fn InBin(title: String, dashboard: Option<BinEntry>, user: Option<User>) -> impl IntoView {
    let clock = Clock::here();
    let id = StoredValue::new(dashboard.as_ref().map(|entry| entry.card.id.clone()));
    let by = dashboard.as_ref().and_then(|entry| entry.deleted_by.as_ref()).map(|user| user.name.clone());
    let by = by.unwrap_or_else(|| "Somebody".to_owned());
    let times = dashboard.as_ref().map(|entry| (entry.deleted_at, entry.gone_at));
    let owned = dashboard.as_ref().is_none_or(|entry| entry.card.role == Role::Owner);
    let outline = dashboard.and_then(|entry| entry.card.outline).unwrap_or_default();
    let when = move || match (clock.now(), times) {
        (1.., Some((deleted_at, _))) => {
            format!("{by} moved this dashboard to the bin {}.", format::ago(deleted_at, clock.now()))
        }
        _ => format!("{by} moved this dashboard to the bin."),
    };
    let left = move || match (clock.now(), times) {
        (now @ 1.., Some((_, gone_at))) => format!(
            "It goes for good {}. Until then it can be restored as it was.",
            format::in_time(gone_at, now),
        ),
        _ => "It can be restored as it was.".to_owned(),
    };
    // Until the page is awake a press would be lost.
    let busy = RwSignal::new(true);
    effect(move || busy.set(false));
    let problem = RwSignal::new(None::<String>);
    let restore = move |_| {
        let Some(id) = id.get_value() else { return };
        busy.set(true);
        spawn_local(async move {
            match requests::send("POST", &format!("/api/v1/bin/{id}/restore"), None).await {
                Ok(_) => dom::reload(),
                Err(error) => {
                    busy.set(false);
                    problem.set(Some(format!("It was not restored. {error}")));
                }
            }
        });
    };
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <div class="empty in-bin" data-testid="in-bin">
                <Preview outline/>
                <h1>{format!("“{}” is in the bin", named(&title))}</h1>
                <p>{live(when)} " " {live(left)}</p>
                <p class="quiet" class:hidden=owned>"Ask an owner of it to do that."</p>
                <p class="problem" role="alert" class:hidden=attr(move || problem.read().is_none())>
                    {live(move || problem.get())}
                </p>
                <p class="ways">
                    <button
                        type="button"
                        class="button primary"
                        data-testid="bin-restore"
                        class:hidden=!owned
                        disabled=busy
                        on:click=restore
                    >
                        "Restore"
                    </button>
                    <a class="button line" href=address::to("/bin")>"The bin"</a>
                    <a class="button line" href=address::to("/")>"All dashboards"</a>
                </p>
            </div>
        </main>
    }
}
