//! List of the people who have an account, and what an admin can do with each.

use leptos::prelude::*;
use serde_json::{Value, json};

use super::confirmed::Confirmed;
use super::identities::PersonIdentities;
use super::{Admin, Operation, address_in};
use crate::app::access::{AccountCard, IdentityCard, Membership};
use crate::app::components::{Avatar, Glyph, Icon, OneTime, Problem, role_name};
use crate::app::dynamic::{attr, derived, each, live, memo};
use crate::app::{address, dom, format};
use crate::dashboard::{User, UserId};

/// The `id` attribute of the heading.
const HEADING: &str = "people";
/// From so many on there is a field to search them.
const MANY: usize = 10;
/// People that show at once, until more are asked for.
const PAGE: usize = 100;

#[component]
pub fn PeopleList(admin: Admin) -> impl IntoView {
    let query = RwSignal::new(String::new());
    let most = RwSignal::new(PAGE);
    let total = memo(move || admin.people.read().accounts.len());
    let found = memo(move || {
        let people = admin.people.read();
        let query = query.read();
        let query = query.trim();
        let wanted = if query.is_empty() { String::new() } else { dom::in_small_letters(query) };
        let fits = |card: &&AccountCard| {
            let words = || dom::in_small_letters(&format!("{} {}", card.person.name, card.person.email));
            wanted.is_empty() || words().contains(&wanted)
        };
        people.accounts.iter().filter(fits).map(|card| card.person.id.clone()).collect::<Vec<UserId>>()
    });
    let shown = memo(move || found.read().iter().take(most.get()).cloned().collect::<Vec<_>>());
    let is_more = memo(move || found.read().len() > most.get());
    view! {
        <section class="block" aria-labelledby=HEADING>
            <div class="block-head">
                <h2 id=HEADING tabindex="-1">"Accounts"</h2>
                <span class="count-of">{live(move || total.get())}</span>
                <span class="grow"></span>
                {live(move || (total.get() >= MANY).then(|| view! {
                    <label class="search">
                        <Glyph icon=Icon::Search/>
                        <input
                            type="search"
                            data-testid="people-search"
                            aria-label="Search people"
                            placeholder="Search people"
                            on:input:target=move |event| {
                                query.set(event.target().value());
                                most.set(PAGE);
                            }
                        />
                    </label>
                }))}
            </div>
            <ul class="rows">
                {each(move || shown.get(), UserId::clone, move |id| view! { <PersonRow id admin/> })}
            </ul>
            <p class="quiet" role="status">{live(move || shown.read().is_empty().then_some("Nobody matches."))}</p>
            <div class="list-end" class:hidden=attr(move || !is_more.get())>
                <button
                    type="button"
                    class="button line"
                    data-testid="people-more"
                    disabled=admin.asleep
                    on:click=move |_| most.update(|most| *most += PAGE)
                >
                    "More"
                </button>
            </div>
        </section>
    }
}

#[component]
fn PersonRow(id: UserId, admin: Admin) -> impl IntoView {
    let key = StoredValue::new(id.clone());
    let card = memo(move || {
        let people = admin.people.read();
        key.with_value(|id| people.accounts.iter().find(|one| one.person.id == *id).cloned())
    });
    let is_me = admin.me.with_value(|me| *me == id);
    let open = RwSignal::new(false);
    let user = derived(move || {
        let person = card.get().map(|card| card.person).unwrap_or_default();
        User { id: person.id, name: person.name, color: person.color }
    });
    let name = derived(move || user.read().name.clone());
    let email = move || card.read().as_ref().map(|card| card.person.email.clone());
    let is_admin = memo(move || card.read().as_ref().is_some_and(|card| card.is_admin));
    let is_off = memo(move || card.read().as_ref().is_some_and(|card| card.disabled_at.is_some()));
    let has_factor = memo(move || card.read().as_ref().is_some_and(|card| card.second_factor));
    let identities = memo(move || card.get().map(|card| card.identities).unwrap_or_default());
    let teams = move || {
        let teams = card.get().map(|card| card.teams).unwrap_or_default();
        let one = |of: &Membership| format!("{} ({})", admin.team_name(&of.team), role_name(of.role));
        match &teams[..] {
            [] => "In no team".to_owned(),
            teams => teams.iter().map(one).collect::<Vec<_>>().join(", "),
        }
    };
    let used = move || card.read().as_ref().map(|card| used_words(card, admin.now.get()));
    let more = format!("more-{id}");
    view! {
        <li data-testid="person" data-user=id.to_string() class:off-now=is_off>
            <Avatar user/>
            <div class="row-words">
                <b>{live(move || name.get())}{is_me.then_some(" (you)")}</b>
                {live(move || is_admin.get().then(|| view! { <span class="badge">"Admin"</span> }))}
                {live(move || is_off.get().then(|| view! { <span class="badge off">"Disabled"</span> }))}
                {live(move || has_factor.get().then(|| view! {
                    <span class="badge" data-testid="person-second-factor">"Two-step"</span>
                }))}
                <small>{live(email)}</small>
            </div>
            <span class="row-side row-teams">{live(teams)}</span>
            <span class="row-side row-use">{live(used)}</span>
            <button
                type="button"
                class="button line"
                data-testid="person-manage"
                aria-expanded=attr(move || open.get().to_string())
                aria-controls=more.clone()
                aria-label=attr(move || format!("Manage {}", name.read()))
                disabled=admin.asleep
                on:click=move |_| open.update(|open| *open = !*open)
            >
                "Manage"
            </button>
            <div class="row-more" id=more class:hidden=attr(move || !open.get())>
                {live(move || open.get().then(|| view! {
                    <AccountActions id=key.get_value() is_me name is_admin is_off has_factor identities admin/>
                }))}
            </div>
        </li>
    }
}

/// When it was used last, and on how many browsers it is signed in. It is not known how long ago that is before
/// the page is awake.
fn used_words(card: &AccountCard, now: u64) -> String {
    let open = format::count(card.sessions, "session", "sessions");
    match (card.used_at, now) {
        (None, _) => "Not signed in".to_owned(),
        (_, 0) => open,
        (Some(at), now) => format!("{}, {open}", format::ago(at, now)),
    }
}

/// What can be done with an account.
#[component]
fn AccountActions(
    id: UserId,
    is_me: bool,
    name: Signal<String>,
    is_admin: Memo<bool>,
    is_off: Memo<bool>,
    has_factor: Memo<bool>,
    identities: Memo<Vec<IdentityCard>>,
    admin: Admin,
) -> impl IntoView {
    let operation = Operation::new();
    let link = RwSignal::new(None::<String>);
    let address = StoredValue::new(format!("/api/v1/admin/people/{id}"));
    let set = move |what: Value| {
        admin.change(operation, "PUT", address.get_value(), Some(what), |_| ());
    };
    let end_sessions = move |_| {
        admin.change(operation, "DELETE", format!("{}/sessions", address.get_value()), None, |_| ());
    };
    let remove_factor = Callback::new(move |()| {
        admin.change(operation, "DELETE", format!("{}/second-factor", address.get_value()), None, |_| ());
    });
    let factor_id = StoredValue::new(format!("remove-second-factor-{id}"));
    let reset = move |_| {
        link.set(None);
        admin.change(operation, "POST", format!("{}/reset", address.get_value()), None, move |answer| {
            let _ = link.try_set(answer.and_then(|answer| address_in(&answer)));
        });
    };
    let remove = Callback::new(move |()| {
        admin.change(operation, "DELETE", address.get_value(), None, |answer| {
            if answer.is_some() {
                // The line goes, and what was pressed with it.
                dom::focus_soon(HEADING);
            }
        });
    });
    view! {
        <div class="row-actions">
            <button
                type="button"
                class="button line"
                data-testid="person-admin"
                disabled=admin.asleep
                on:click=move |_| set(json!({ "is_admin": !is_admin.get_untracked() }))
            >
                {live(move || if is_admin.get() { "Remove as admin" } else { "Make admin" })}
            </button>
            {if is_me {
                view! { <a class="button line" href=address::to("/account")>"Your account"</a> }.into_any()
            } else {
                view! {
                    <button type="button" class="button line" data-testid="person-reset" disabled=admin.asleep on:click=reset>
                        "New password link"
                    </button>
                    <button
                        type="button"
                        class="button line"
                        data-testid="person-end-sessions"
                        disabled=admin.asleep
                        on:click=end_sessions
                    >
                        "End all sessions"
                    </button>
                    <button
                        type="button"
                        class="button line"
                        data-testid="person-disable"
                        disabled=admin.asleep
                        on:click=move |_| set(json!({ "disabled": !is_off.get_untracked() }))
                    >
                        {live(move || if is_off.get() { "Enable" } else { "Disable" })}
                    </button>
                    {live(move || has_factor.get().then(|| view! {
                        <Confirmed
                            id=factor_id.get_value()
                            label="Remove two-step sign-in"
                            about=name
                            warns="The password alone signs them in then. It ends all of their sessions."
                            testid="person-second-factor-remove"
                            disabled=admin.asleep
                            then=remove_factor
                        />
                    }))}
                    <span class="grow"></span>
                    <Confirmed
                        id=format!("remove-{id}")
                        label="Remove"
                        about=name
                        warns=removal_in_words(&admin.people.read_untracked().sign_up_services)
                        testid="person-remove"
                        disabled=admin.asleep
                        then=remove
                    />
                }
                .into_any()
            }}
        </div>
        {live(move || link.get().map(|address| view! {
            <OneTime
                label=format!("Where {} chooses another password", name.get_untracked())
                address
                says="Whoever has this address takes over the account, once. Send it to nobody else."
            />
        }))}
        <PersonIdentities id identities operation admin heading=HEADING/>
        <Problem problem=operation.problem/>
    }
}

/// What becomes of an account that is removed, and of its person where services make them another one.
fn removal_in_words(sign_up_services: &[String]) -> String {
    let goes = "The account goes for good; what it wrote stays.";
    if sign_up_services.is_empty() {
        return goes.to_owned();
    }
    let services = sign_up_services.join(" or ");
    format!(
        "{goes} Whoever comes by {services} again gets a new one: to keep somebody out, disable the account."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_removed_and_comes_back_by_a_service_is_told_of_before() {
        assert_eq!(removal_in_words(&[]), "The account goes for good; what it wrote stays.");
        let words = removal_in_words(&["Keycloak".to_owned(), "the proxy".to_owned()]);
        assert!(words.contains("comes by Keycloak or the proxy again gets a new one"), "{words}");
    }
}
