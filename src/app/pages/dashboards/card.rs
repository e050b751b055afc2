//! A dashboard in the list: its preview, who changed it last, who is in there now, and what can be done with it.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::state::{ListState, element_id};
use crate::app::access::{Rights, Role};
use crate::app::components::{Avatar, Glyph, Icon, Passing, Preview};
use crate::app::dynamic::{attr, live, memo};
use crate::app::{DashboardCard, address, dom, format, requests};
use crate::dashboard::{DashboardId, User};

/// Avatars on a card; more people show as a number.
const FACES: usize = 5;

/// `now` is the time of day, which moves on now and then.
#[component]
pub fn Card(
    card: RwSignal<DashboardCard>,
    list: ListState,
    passing: Passing,
    now: Memo<u64>,
) -> impl IntoView {
    let id = card.with_untracked(|card| card.id.clone());
    let title = memo(move || named(&card.read().title));
    let changed = move || {
        let now = now.get();
        let card = card.read();
        let by = card.changed_by.as_ref().map(|user| format!(" by {}", user.name)).unwrap_or_default();
        if list.kept.get() {
            format!("Kept here {}", format::ago(card.changed_at, now))
        } else if now == 0 {
            format!("Changed{by}")
        } else {
            format!("Changed {}{by}", format::ago(card.changed_at, now))
        }
    };
    let outline = memo(move || card.read().outline.clone().unwrap_or_default());
    let tags = memo(move || card.read().tags.clone());
    let here = memo(move || card.read().here.clone());
    let owned = memo(move || card.read().role == Role::Owner);
    let is_guest = Rights::here().is_visitor;
    let favourite = memo(move || card.read().favourite);
    let like = move |_| like(card, list);
    let remove = {
        let id = id.clone();
        move |_| move_to_bin(id.clone(), title.get_untracked(), list, passing)
    };
    let tag = move |tag: String| {
        let (says, chosen) = (format!("Only dashboards tagged {tag}"), tag.clone());
        let choose = move |_| list.ask_for(|filter| filter.tag.clone_from(&chosen), false);
        view! {
            <button type="button" class="chip" data-testid="tag" data-tag=tag.clone() title=says on:click=choose>
                {tag.clone()}
            </button>
        }
    };
    view! {
        <article class="card" data-testid="dashboard-card" data-dashboard=id.to_string()>
            <a class="cover" id=element_id(&id) href=address::to(&format!("/d/{id}"))>
                {live(move || view! { <Preview outline=outline.get()/> })}
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
                <span class="chips">{live(move || tags.get().into_iter().map(tag).collect_view())}</span>
                <button
                    class="button icon quiet-button"
                    type="button"
                    data-testid="move-to-bin"
                    aria-label=attr(move || format!("Move to bin: {}", title.read()))
                    title="Move to bin"
                    class:hidden=attr(move || list.kept.get() || !owned.get())
                    on:click=remove
                >
                    <Glyph icon=Icon::Trash/>
                </button>
                <button
                    class="button icon favourite"
                    type="button"
                    data-testid="favourite"
                    aria-pressed=attr(move || favourite.get().to_string())
                    aria-label=attr(move || format!("Favourite: {}", title.read()))
                    title=attr(move || if favourite.get() { "No favourite any more" } else { "Make it a favourite" })
                    class:hidden=attr(move || list.kept.get() || is_guest)
                    on:click=like
                >
                    <Glyph icon=Icon::Star/>
                </button>
            </div>
        </article>
    }
}

/// The title as a heading.
pub fn named(title: &str) -> String {
    if title.trim().is_empty() { "Untitled dashboard".to_owned() } else { title.to_owned() }
}

/// Makes a dashboard a favourite of whoever looks, or no more one: at once, and back where that fails.
fn like(card: RwSignal<DashboardCard>, list: ListState) {
    let (id, before) = card.with_untracked(|card| (card.id.clone(), card.favourite));
    let set = move |now: bool| {
        list.turned();
        card.update(|card| card.favourite = now);
    };
    set(!before);
    spawn_local(async move {
        let method = if before { "DELETE" } else { "PUT" };
        match requests::send(method, &format!("/api/v1/me/favourites/{id}"), None).await {
            // An answer that began before this one does not know of it.
            Ok(_) => list.turned(),
            Err(error) => {
                set(before);
                list.problem.set(Some(format!("The favourite is as it was. {error}")));
            }
        }
    });
}

/// Moves a dashboard to the bin, off the list at once, and says how to have it back.
fn move_to_bin(id: DashboardId, title: String, list: ListState, passing: Passing) {
    let Some(at) = list.take_out(&id) else { return };
    // The keyboard goes to what is there now.
    let next = list.order.with_untracked(|order| order.get(at).or_else(|| order.last()).map(element_id));
    dom::focus_soon(next.as_deref().unwrap_or(super::SEARCH));
    spawn_local(async move {
        match requests::send("DELETE", &format!("/api/v1/dashboards/{id}"), None).await {
            Ok(_) => {
                list.is_out(&id);
                let words = format!("Moved to the bin: “{title}”");
                passing.say_done(words, move || restore(id.clone(), title.clone(), at, list, passing));
            }
            Err(error) => {
                list.put_back(&id, at);
                list.problem.set(Some(format!("“{title}” was not moved to the bin. {error}")));
            }
        }
    });
}

/// Brings a dashboard back from the bin, to where it stood.
fn restore(id: DashboardId, title: String, at: usize, list: ListState, passing: Passing) {
    spawn_local(async move {
        match requests::send("POST", &format!("/api/v1/bin/{id}/restore"), None).await {
            Ok(_) => {
                list.put_back(&id, at);
                passing.say(format!("“{title}” is back."));
                dom::focus_soon(&element_id(&id));
            }
            Err(error) => list.problem.set(Some(format!("“{title}” is still in the bin. {error}"))),
        }
    });
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
