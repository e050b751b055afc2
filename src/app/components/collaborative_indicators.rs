//! Avatars of the people on the dashboard. A click follows one; whoever leaves fades after a grace period.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::dynamic::{attr, derived, each, effect, live, memo};
use leptos::prelude::*;

use super::avatar::Avatar;
use super::people::{People, Person};
use super::popup::{Popup, Popups};
use crate::app::access::Rights;
use crate::app::chunks::{Part, Parts};
use crate::app::dashboard_store::DashboardStore;
use crate::app::{address, format};
use crate::dashboard::UserId;

/// Somebody who reloads the page is back within this, and never seems to have left.
const GRACE: Duration = Duration::from_secs(10);
/// Avatars in the header; more people show as a number.
const MOST: usize = 8;

#[component]
pub fn CollaborativeIndicators(store: DashboardStore) -> impl IntoView {
    let people = People::here();
    let shown = RwSignal::new(BTreeMap::<UserId, Person>::new());
    let withdrawn = memo(move || store.safety.read().withdrawn);
    effect(move || {
        let now = people.persons.get();
        let mut gone = Vec::new();
        if withdrawn.get() {
            // Who was there is nothing for this person any more.
            shown.set(BTreeMap::new());
            return;
        }
        shown.update(|shown| {
            for (id, person) in shown.iter_mut() {
                if person.devices > 0 && !now.iter().any(|one| one.user.id == *id) {
                    person.devices = 0;
                    gone.push(id.clone());
                }
            }
            shown.extend(now.into_iter().map(|person| (person.user.id.clone(), person)));
        });
        if !gone.is_empty() {
            set_timeout(
                move || {
                    // Signals of a page that was left are gone too.
                    let _ = shown.try_update(|shown| {
                        shown.retain(|id, person| person.devices > 0 || !gone.contains(id));
                    });
                },
                GRACE,
            );
        }
    });
    let ids = memo(move || shown.read().keys().take(MOST).cloned().collect::<Vec<_>>());
    let more = move || shown.read().len().checked_sub(MOST + 1).map(|more| format!("+{}", more + 1));
    let avatar = move |id: UserId| {
        let person = Memo::new({
            let id = id.clone();
            move |_| {
                shown.read().get(&id).cloned().unwrap_or_else(|| Person {
                    user: Default::default(),
                    devices: 0,
                    away: true,
                })
            }
        });
        view! { <PersonButton id person store/> }
    };
    view! {
        <div class="people" role="group" aria-label="Who is here">
            {each(move || ids.get(), UserId::clone, avatar)}
            <span class="more">{more}</span>
            <Me store/>
        </div>
    }
}

#[component]
fn PersonButton(id: UserId, person: Memo<Person>, store: DashboardStore) -> impl IntoView {
    let who = id.clone();
    let followed = memo(move || store.following.read().as_ref() == Some(&who));
    let says = move || {
        let person = person.read();
        let name = &person.user.name;
        let program = if person.user.id.is_program() { ", a program" } else { "" };
        let devices = match person.devices {
            0 => " has left".to_owned(),
            1 => String::new(),
            n => format!(", on {n} devices"),
        };
        let away = if person.away && person.devices > 0 { ", away" } else { "" };
        format!("{name}{program}{devices}{away}")
    };
    let user = derived(move || person.read().user.clone());
    let is_program = id.is_program();
    let follow = {
        let id = id.clone();
        move |_| store.following.set((!followed.get_untracked()).then(|| id.clone()))
    };
    view! {
        <button
            type="button"
            class="person"
            class:left=attr(move || person.read().devices == 0)
            class:away=attr(move || person.read().away)
            class:followed=followed
            class:program=is_program
            data-testid="collaborator"
            data-user=id.to_string()
            data-devices=attr(move || person.read().devices.to_string())
            aria-pressed=attr(move || if followed.get() { "true" } else { "false" })
            aria-label=attr(move || format!("{}. Follow", says()))
            style:--who=attr(move || user.read().color.clone())
            on:click=follow
        >
            <Avatar user/>
            <span class="devices" aria-hidden="true">
                {live(move || Some(person.read().devices).filter(|devices| *devices > 1))}
            </span>
            <span class="tip" aria-hidden="true">{says}</span>
        </button>
    }
}

/// My own avatar: the way to my account, or without one to another name.
#[component]
fn Me(store: DashboardStore) -> impl IntoView {
    let (people, parts) = (People::here(), Parts::here());
    let has_account = Rights::here().has_account;
    let user = derived(move || store.me.get());
    let says = derived(move || {
        let devices = match people.my_devices.get() {
            1 => String::new(),
            n => format!(", on {}", format::count(n, "device", "devices")),
        };
        let leads = if has_account { "Your account" } else { "Change your name" };
        format!("You are {}{devices}. {leads}", store.me.read().name)
    });
    let face = move || {
        view! {
            <Avatar user/>
            <span class="devices" aria-hidden="true">
                {live(move || Some(people.my_devices.get()).filter(|devices| *devices > 1))}
            </span>
        }
    };
    view! {
        <div class="me" data-user=attr(move || store.me.read().id.to_string())>
            {if has_account {
                view! {
                    <a class="person" href=address::to("/account") data-testid="me" aria-label=says title=says>{face()}</a>
                }
                .into_any()
            } else {
                view! {
                    <Popup
                        name="me"
                        testid="me"
                        class="person"
                        role="dialog"
                        label=says
                        from_end=true
                        face=ViewFn::from(face)
                    >
                        {parts.show(Part::MyName)}
                    </Popup>
                }
                .into_any()
            }}
        </div>
    }
}

/// Where my name is changed.
#[component]
pub fn NameForm(store: DashboardStore) -> impl IntoView {
    /// Characters in a guest's name; the server takes no longer one.
    const MAX_CHARS: usize = 40;
    let popups = Popups::here();
    let name = RwSignal::new(store.me.get_untracked().name);
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let name = name.get_untracked().trim().to_owned();
        if !name.is_empty() && name != store.me.get_untracked().name {
            store.live(|live| live.rename_me(&name));
        }
        popups.close();
    };
    view! {
        <form class="name-form" on:submit=save>
            <label class="field">
                <span class="label">"Your name, as others see it"</span>
                <input
                    type="text"
                    data-testid="my-name"
                    maxlength=MAX_CHARS.to_string()
                    autocomplete="nickname"
                    prop:value=attr(move || name.get())
                    on:input:target=move |event| name.set(event.target().value())
                />
            </label>
            <button type="submit" class="button primary">"Save"</button>
        </form>
    }
}
