//! `/bin`: deleted dashboards, which can be restored, and the page of one of them.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::components::SiteHeader;
use crate::app::dynamic::{attr, live};
use crate::app::{BinEntry, BinList, dom, format};
use crate::dashboard::{DashboardId, User};

#[component]
pub fn Bin(bin: BinList, user: Option<User>) -> impl IntoView {
    let none = bin.dashboards.is_empty();
    let keeps = format!(
        "Deleted dashboards can be restored for {}.",
        format::count(bin.days as usize, "day", "days")
    );
    let rows = bin.dashboards.into_iter().map(|one| {
        let BinEntry { card, .. } = one;
        view! {
            <article class="card" data-testid="bin-entry" data-dashboard=card.id.to_string()>
                <h2>{card.title}</h2>
                <Restore id=card.id.clone()/>
            </article>
        }
    });
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <div class="sheet-head"><h1>"Bin"</h1></div>
            <p class="quiet">{if none { "The bin is empty.".to_owned() } else { keeps }}</p>
            <div class="cards">{rows.collect_view()}</div>
            {bin.next.map(|next| view! { <a class="button" href=format!("/bin?after={next}")>"More"</a> })}
        </main>
    }
}

#[component]
pub fn InBin(dashboard: BinEntry, user: Option<User>) -> impl IntoView {
    let BinEntry { card, .. } = dashboard;
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <div class="empty">
                <h1>{format!("“{}” is in the bin", card.title)}</h1>
                <p>"Restore it to go on where it was left."</p>
                <Restore id=card.id.clone()/>
                <a class="button" href="/">"All dashboards"</a>
            </div>
        </main>
    }
}

/// Restores a dashboard and goes there.
#[component]
fn Restore(id: DashboardId) -> impl IntoView {
    let problem = RwSignal::new(None::<String>);
    let restore = move |_| {
        let id = id.clone();
        spawn_local(async move {
            match dom::send("POST", &format!("/api/v1/bin/{id}/restore"), None).await {
                Ok(_) => dom::go(&format!("/d/{id}")),
                Err(error) => problem.set(Some(format!("The dashboard was not restored. {error}"))),
            }
        });
    };
    view! {
        <button class="button primary" type="button" data-testid="restore" on:click=restore>"Restore"</button>
        <p class="problem" role="alert" class:hidden=attr(move || problem.read().is_none())>
            {live(move || problem.get())}
        </p>
    }
}
