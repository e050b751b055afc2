//! `/`: the dashboards, who changed them last, and who is in there right now.

mod card;
mod filters;
mod state;
mod windows;

use leptos::html::Div;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

use self::card::Card;
pub use self::card::named;
use self::filters::{Filters, Search, in_words};
use self::state::{ListState, Loading, asked_of_device, element_id};
use crate::app::access::Rights;
use crate::app::clock::Clock;
use crate::app::components::{Glyph, Icon, ImportButton, Passing, PassingWords, SiteHeader};
use crate::app::dynamic::{attr, each, effect, live, memo};
use crate::app::{DashboardList, ListFilter, ThisTab, Waiting, address, dom, format, requests};
use crate::dashboard::{DashboardId, User};

/// The `id` attribute of the field that is searched with.
const SEARCH: &str = "search";
/// How often the cards say anew how long ago something was.
const AGES: u64 = 10_000;

#[derive(serde::Deserialize)]
struct Created {
    id: DashboardId,
}

#[component]
pub fn Dashboards(list: DashboardList, filter: ListFilter, user: Option<User>) -> impl IntoView {
    // What this device keeps, until the server answers.
    let tab = use_context::<ThisTab>();
    let kept = tab.is_some_and(|tab| tab.from_device);
    let filter = if kept { asked_of_device() } else { filter };
    let list = ListState::new(list, filter, kept);
    let passing = Passing::new();
    let clock = Clock::here();
    let now = memo(move || clock.now() / AGES * AGES);
    let cards = move |id: DashboardId| list.card(&id).map(|card| view! { <Card card list passing now/> });
    let Rights { may_create, is_visitor: is_guest, .. } = Rights::here();
    let none = memo(move || list.order.read().is_empty());
    let none_at_all = memo(move || none.get() && list.is_unfiltered());
    dom::on_window(leptos::ev::keydown, move |event| {
        let back = matches!(event.key().as_str(), "z" | "Z") && (event.ctrl_key() || event.meta_key());
        if back && !event.shift_key() && !dom::on_text(&event) && passing.go_back() {
            event.prevent_default();
        }
    });
    view! {
        <SiteHeader user/>
        <main class="sheet list">
            <div class="sheet-head">
                <h1>"Dashboards"</h1>
                <span class="grow"></span>
                <Search list/>
                {may_create.then(|| view! {
                    <ImportButton/>
                    <NewDashboard problem=list.problem testid="new-dashboard"/>
                })}
            </div>
            <Filters list/>
            <p class="notice" role="status" class:hidden=attr(move || !list.kept.get())>
                "The server cannot be reached. These dashboards are kept on this device."
            </p>
            {each(
                move || tab.map(|tab| tab.waiting.get()).unwrap_or_default(),
                |one| one.id.clone(),
                |one| view! { <WaitingEdits one/> },
            )}
            <p class="problem" role="alert" class:hidden=attr(move || list.problem.read().is_none())>
                {live(move || list.problem.get())}
            </p>
            <div class="list-says" class:hidden=none_at_all>
                <p class="quiet" role="status" data-testid="list-says">
                    {live(move || in_words(&list.shown.read(), list.total.get()))}
                </p>
                {live(move || (list.news.get() > 0).then(|| view! {
                    <button
                        type="button"
                        class="button link"
                        data-testid="list-news"
                        on:click=move |_| { list.show_news(); dom::to_top(); }
                    >
                        {live(move || format!("{} since: show", format::count(list.news.get(), "change", "changes")))}
                    </button>
                }))}
                <span class="grow"></span>
                <a
                    class="button"
                    href=address::to("/bin")
                    data-testid="bin-link"
                    class:hidden=attr(move || list.kept.get() || is_guest)
                >
                    <Glyph icon=Icon::Trash/>
                    <span class="bin-word">"Bin"</span>
                </a>
            </div>
            <div class="cards" class:hidden=none on:pointermove=move |_| list.pointed()>
                {each(move || list.order.get(), DashboardId::clone, cards)}
            </div>
            <More list/>
            <div class="empty" class:hidden=attr(move || !none.get() || none_at_all.get())>
                <h2>"Nothing fits"</h2>
                <p>"No dashboard is like that. Titles are searched, in capitals or not."</p>
                <button
                    class="button line"
                    type="button"
                    data-testid="list-all"
                    on:click=move |_| {
                        list.ask_for(|filter| *filter = ListFilter { order: filter.order, ..ListFilter::default() }, false);
                        dom::focus_soon(SEARCH);
                    }
                >
                    "Show all dashboards"
                </button>
            </div>
            <div class="empty" class:hidden=attr(move || !none_at_all.get())>
                <h2>"No dashboards yet"</h2>
                <p>
                    {if is_guest {
                        "Nothing here is for guests yet. Sign in to see yours."
                    } else if !may_create {
                        "Nobody has shared one with you yet. To make your own you have to be an editor in a team: ask an admin."
                    } else if Rights::here().has_account {
                        "Make one, add what you want to watch, and share it with your team: everybody who may edits with you."
                    } else {
                        "Make one, add what you want to watch, and send its address to your team: everybody who opens it edits with you."
                    }}
                </p>
                {may_create.then(|| view! { <NewDashboard problem=list.problem testid="new-dashboard-first"/> })}
                <p class="quiet" class:hidden=is_guest><a href=address::to("/bin")>"What was deleted is in the bin"</a></p>
            </div>
        </main>
        <PassingWords passing/>
    }
}

/// Loads what follows: by itself as the end comes near, and with a button for the keyboard.
#[component]
fn More(list: ListState) -> impl IntoView {
    let end = NodeRef::<Div>::new();
    let near = RwSignal::new(false);
    dom::watch_screen(end, near);
    effect(move || {
        // One that failed waits for a press.
        let waits = *list.loading.read() == Loading::Idle;
        if near.get() && waits && list.next.read().is_some() {
            list.load_more(|_| ());
        }
    });
    let says = move || match &*list.loading.read() {
        Loading::More => "Loading more".to_owned(),
        Loading::Failed(reason) => format!("{reason} Try again"),
        Loading::Idle | Loading::All => "More".to_owned(),
    };
    let press = move |_| list.load_more(|first| dom::focus_soon(&element_id(first)));
    view! {
        <div class="list-end" node_ref=end class:hidden=attr(move || list.next.read().is_none())>
            <button
                type="button"
                class="button line"
                data-testid="list-more"
                aria-busy=attr(move || (*list.loading.read() == Loading::More).to_string())
                on:click=press
            >
                {live(says)}
            </button>
        </div>
    }
}

/// Says where edits wait that a closed tab left on this device.
#[component]
fn WaitingEdits(one: Waiting) -> impl IntoView {
    let Waiting { id, title, edits } = one;
    let title = named(&title);
    let waits = if edits == 1 { "waits" } else { "wait" };
    view! {
        <p class="notice" data-testid="waiting-edits" data-dashboard=id.to_string()>
            <span>
                {format!("{} of yours {waits} on this device to be saved: ", format::count(edits, "edit", "edits"))}
                <a href=address::to(&format!("/d/{id}"))>{format!("open “{title}”")}</a>
            </span>
        </p>
    }
}

/// Makes a dashboard and goes there.
#[component]
fn NewDashboard(problem: RwSignal<Option<String>>, testid: &'static str) -> impl IntoView {
    // Until the page is awake a press would be lost.
    let busy = RwSignal::new(true);
    effect(move || busy.set(false));
    let make = move |_| {
        busy.set(true);
        spawn_local(async move {
            let body = json!({ "title": "Untitled dashboard" });
            match requests::request::<Created>("POST", "/api/v1/dashboards", Some(&body)).await {
                Ok(created) => dom::go(&format!("/d/{}", created.id)),
                Err(error) => {
                    busy.set(false);
                    problem.set(Some(format!("No dashboard was made. {error}")));
                }
            }
        });
    };
    view! {
        <button class="button primary" type="button" data-testid=testid disabled=busy on:click=make>
            <Glyph icon=Icon::Plus/>
            "New dashboard"
        </button>
    }
}
