//! `/`: all dashboards, who changed them last, and who is in there right now.

use std::time::Duration;

use crate::app::dynamic::{attr, each, effect, live, memo};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

use crate::app::clock::Clock;
use crate::app::components::{Avatar, Glyph, Icon, ImportButton, SiteHeader};
use crate::app::{DashboardCard, DashboardList, ListFilter, ListOrder, ThisTab, Waiting, dom, format};
use crate::dashboard::{DashboardId, User};

/// Avatars on a card; more people show as a number.
const FACES: usize = 5;

#[derive(serde::Deserialize)]
struct Created {
    id: DashboardId,
}

#[component]
pub fn Dashboards(list: DashboardList, filter: ListFilter, user: Option<User>) -> impl IntoView {
    let more = list.next.as_ref().map(|next| format!("/?{}", query(&filter, next)));
    let all = RwSignal::new(list.dashboards);
    let search = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    // What this device keeps, until the server answers.
    let tab = use_context::<ThisTab>();
    let kept = RwSignal::new(tab.is_some_and(|tab| tab.from_device));
    dom::every(Duration::from_secs(3), move || refresh(all, kept, query(&filter, "")));
    let shown = memo(move || {
        let wanted = search.read().to_lowercase();
        let fits = |card: &&DashboardCard| card.title.to_lowercase().contains(wanted.trim());
        all.read().iter().filter(fits).map(|card| card.id.clone()).collect::<Vec<_>>()
    });
    let none = memo(move || all.read().is_empty());
    let card = move |id: DashboardId| {
        let known = all.read_untracked().iter().find(|card| card.id == id).cloned();
        known.map(|known| {
            let fallback = known.clone();
            let card = memo(move || {
                let found = all.read().iter().find(|card| card.id == id).cloned();
                found.unwrap_or_else(|| fallback.clone())
            });
            view! { <Card card all kept problem/> }
        })
    };
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <div class="sheet-head">
                <h1>"Dashboards"</h1>
                <span class="grow"></span>
                <label class="search">
                    <Glyph icon=Icon::Search/>
                    <span class="sr-only">"Search dashboards by title"</span>
                    <input
                        type="search"
                        placeholder="Search"
                        autocomplete="off"
                        on:input:target=move |ev| search.set(ev.target().value())
                    />
                </label>
                <ImportButton/>
                <NewDashboard problem/>
            </div>
            <p class="quiet" role="status" class:hidden=attr(move || !kept.get())>
                "The server cannot be reached. These dashboards are kept on this device."
            </p>
            {each(
                move || tab.map(|tab| tab.waiting.get()).unwrap_or_default(),
                |one| one.id.clone(),
                |one| view! { <WaitingEdits one/> },
            )}
            <p class="problem" role="alert" class:hidden=attr(move || problem.read().is_none())>
                {live(move || problem.get())}
            </p>
            <div class="cards" class:hidden=none>
                {each(move || shown.get(), DashboardId::clone, card)}
            </div>
            {more.map(|href| view! { <a class="button" href=href>"More"</a> })}
            <p class="quiet" role="status">
                {live(move || {
                    let missed = shown.read().is_empty() && !none.get();
                    missed.then(|| format!("No dashboard has “{}” in its title.", search.read().trim()))
                })}
            </p>
            <div class="empty" class:hidden=attr(move || !none.get())>
                <h2>"No dashboards yet"</h2>
                <p>"Make one, add what you want to watch, and send its address to your team: everybody who opens it edits with you."</p>
                <NewDashboard problem/>
            </div>
        </main>
    }
}

/// Says where edits wait that a closed tab left on this device.
#[component]
fn WaitingEdits(one: Waiting) -> impl IntoView {
    let Waiting { id, title, edits } = one;
    let title = if title.trim().is_empty() { "Untitled dashboard".to_owned() } else { title };
    let waits = if edits == 1 { "waits" } else { "wait" };
    view! {
        <p class="notice" data-testid="waiting-edits" data-dashboard=id.to_string()>
            <span>
                {format!("{} of yours {waits} on this device to be saved: ", format::count(edits, "edit", "edits"))}
                <a href=format!("/d/{id}")>{format!("open “{title}”")}</a>
            </span>
        </p>
    }
}

/// Makes a dashboard and goes there.
#[component]
fn NewDashboard(problem: RwSignal<Option<String>>) -> impl IntoView {
    // Until the page is awake a press would be lost.
    let busy = RwSignal::new(true);
    effect(move || busy.set(false));
    let make = move |_| {
        busy.set(true);
        spawn_local(async move {
            let body = json!({ "title": "Untitled dashboard" });
            match dom::request::<Created>("POST", "/api/v1/dashboards", Some(&body)).await {
                Ok(created) => dom::go(&format!("/d/{}", created.id)),
                Err(error) => {
                    busy.set(false);
                    problem.set(Some(format!("No dashboard was made. {error}")));
                }
            }
        });
    };
    view! {
        <button class="button primary" type="button" data-testid="new-dashboard" disabled=busy on:click=make>
            <Glyph icon=Icon::Plus/>
            "New dashboard"
        </button>
    }
}

#[component]
fn Card(
    card: Memo<DashboardCard>,
    all: RwSignal<Vec<DashboardCard>>,
    kept: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
) -> impl IntoView {
    let clock = Clock::here();
    let id = card.get_untracked().id;
    let confirming = RwSignal::new(false);
    let title = memo(move || {
        let title = card.read().title.clone();
        if title.trim().is_empty() { "Untitled dashboard".to_owned() } else { title }
    });
    let changed = move || {
        let now = clock.now();
        let card = card.read();
        let by = card.changed_by.as_ref().map(|user| format!(" by {}", user.name)).unwrap_or_default();
        if kept.get() {
            format!("Kept here {}", format::ago(card.changed_at, now))
        } else if now == 0 {
            format!("Changed{by}")
        } else {
            format!("Changed {}{by}", format::ago(card.changed_at, now))
        }
    };
    let here = memo(move || card.read().here.clone());
    let remove = {
        let id = id.clone();
        move |_| {
            let id = id.clone();
            spawn_local(async move {
                match dom::send("DELETE", &format!("/api/v1/dashboards/{id}"), None).await {
                    Ok(_) => all.update(|all| all.retain(|card| card.id != id)),
                    Err(error) => problem.set(Some(format!("The dashboard was not deleted. {error}"))),
                }
            });
        }
    };
    view! {
        <article class="card" data-testid="dashboard-card" data-dashboard=id.to_string()>
            <a class="cover" href=format!("/d/{id}")>
                <h2>{title}</h2>
                <p class="quiet">
                    {live(move || format::count(card.read().widgets, "widget", "widgets"))} " · " {changed}
                </p>
            </a>
            <div class="card-foot">
                <span class="faces" role="img" aria-label=attr(move || here_label(&here.read()))>
                    {live(move || here.get().into_iter().take(FACES)
                        .map(|user| view! { <Avatar user=Signal::stored(user) small=true/> })
                        .collect_view())}
                    {live(move || here.read().len().checked_sub(FACES + 1).map(|more| format!("+{}", more + 1)))}
                </span>
                <span class="quiet">{live(move || here_words(&here.read()))}</span>
                <span class="grow"></span>
                <button
                    class="button icon quiet-button"
                    type="button"
                    aria-label=attr(move || format!("Delete {}", title.read()))
                    title="Delete"
                    class:hidden=confirming
                    on:click=move |_| confirming.set(true)
                >
                    <Glyph icon=Icon::Trash/>
                </button>
                <span class="confirm" class:hidden=attr(move || !confirming.get())>
                    <button class="button danger" type="button" on:click=remove>"Delete for everybody"</button>
                    <button class="button" type="button" on:click=move |_| confirming.set(false)>"Keep"</button>
                </span>
            </div>
        </article>
    }
}

fn here_words(here: &[User]) -> String {
    match here {
        [] => String::new(),
        [one] => format!("{} is here", one.name),
        more => format!("{} people are here", more.len()),
    }
}

fn here_label(here: &[User]) -> String {
    if here.is_empty() {
        return "Nobody is here right now".to_owned();
    }
    let names: Vec<&str> = here.iter().map(|user| user.name.as_str()).collect();
    format!("Here right now: {}", names.join(", "))
}

/// The query of a part of the list.
fn query(filter: &ListFilter, after: &str) -> String {
    let order = match filter.order {
        ListOrder::Changed => "changed",
        ListOrder::Title => "title",
    };
    let (search, tag) = (in_query(&filter.search), in_query(&filter.tag));
    format!("search={search}&order={order}&tag={tag}&favourites={}&after={after}", filter.favourites)
}

/// A text as a part of an address, the same on the server and in the browser.
fn in_query(text: &str) -> String {
    let byte = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => (byte as char).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Asks the server for the list again. A failed try shows nothing: the next one is three seconds away.
fn refresh(all: RwSignal<Vec<DashboardCard>>, kept: RwSignal<bool>, query: String) {
    spawn_local(async move {
        let url = format!("/api/v1/dashboards/list?{query}");
        if let Ok(DashboardList { dashboards: fresh, .. }) = dom::request("GET", &url, None).await
            && (kept.get_untracked() || all.with_untracked(|old| *old != fresh))
        {
            all.set(fresh);
            kept.set(false);
        }
    });
}
