//! List of teams: their names, and who is in each with which role.

use leptos::prelude::*;
use serde_json::{Value, json};
use web_sys::HtmlSelectElement;

use super::confirmed::Confirmed;
use super::{Admin, Operation};
use crate::app::access::{AccountCard, Role, TeamCard};
use crate::app::components::{Glyph, Icon, Problem, RoleSelect, role_name};
use crate::app::dynamic::{attr, derived, each, live, memo};
use crate::app::{dom, format};
use crate::dashboard::{Id, UserId};

/// The `id` attribute of the heading.
const HEADING: &str = "teams";
/// Characters in a team's name; the server takes no longer one.
const MAX_NAME_CHARS: usize = 40;

#[component]
pub fn Teams(admin: Admin) -> impl IntoView {
    let ids = memo(move || admin.people.read().teams.iter().map(|team| team.id.clone()).collect::<Vec<Id>>());
    let operation = Operation::new();
    let name = RwSignal::new(String::new());
    let make = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let body = json!({ "name": name.read_untracked().trim() });
        admin.change(operation, "POST", "/api/v1/admin/teams".to_owned(), Some(body), move |answer| {
            if answer.is_some() {
                let _ = name.try_set(String::new());
            }
        });
    };
    view! {
        <section class="block" aria-labelledby=HEADING>
            <div class="block-head">
                <h2 id=HEADING tabindex="-1">"Teams"</h2>
                <span class="count-of">{live(move || ids.read().len())}</span>
            </div>
            <p class="quiet">"A team owns dashboards, and each of its members has one role on all of them."</p>
            <ul class="rows">{each(move || ids.get(), Id::clone, move |id| view! { <TeamRow id admin/> })}</ul>
            <form class="line-form" on:submit=make>
                <label class="field">
                    <span class="label">"New team"</span>
                    <input
                        type="text"
                        data-testid="team-new-name"
                        required
                        maxlength=MAX_NAME_CHARS.to_string()
                        autocomplete="off"
                        placeholder="Name"
                        prop:value=attr(move || name.get())
                        on:input:target=move |event| name.set(event.target().value())
                    />
                </label>
                <button
                    type="submit"
                    class="button line"
                    data-testid="team-new"
                    disabled=admin.asleep
                >
                    <Glyph icon=Icon::Plus/>
                    "Make the team"
                </button>
            </form>
            <Problem problem=operation.problem/>
        </section>
    }
}

#[component]
fn TeamRow(id: Id, admin: Admin) -> impl IntoView {
    let key = StoredValue::new(id.clone());
    let card = memo(move || {
        let people = admin.people.read();
        key.with_value(|id| people.teams.iter().find(|team| team.id == *id).cloned())
    });
    let open = RwSignal::new(false);
    let name =
        derived(move || card.read().as_ref().map(|team: &TeamCard| team.name.clone()).unwrap_or_default());
    let members = move || {
        let members = card.read().as_ref().map_or(0, |team| team.members);
        format::count(members, "person", "people")
    };
    let more = format!("more-{id}");
    view! {
        <li data-testid="team" data-team=id.to_string()>
            <span class="face"><Glyph icon=Icon::Team/></span>
            <div class="row-words"><b>{live(move || name.get())}</b><small>{live(members)}</small></div>
            <button
                type="button"
                class="button line"
                data-testid="team-manage"
                aria-expanded=attr(move || open.get().to_string())
                aria-controls=more.clone()
                aria-label=attr(move || format!("Manage the team {}", name.read()))
                disabled=admin.asleep
                on:click=move |_| open.update(|open| *open = !*open)
            >
                "Manage"
            </button>
            <div class="row-more" id=more class:hidden=attr(move || !open.get())>
                {live(move || open.get().then(|| view! { <Team id=key.get_value() name admin/> }))}
            </div>
        </li>
    }
}

/// Members of a team, its name, and its end.
#[component]
fn Team(id: Id, name: Signal<String>, admin: Admin) -> impl IntoView {
    let operation = Operation::new();
    let key = StoredValue::new(id.clone());
    let address = StoredValue::new(format!("/api/v1/admin/teams/{id}"));
    let wanted = RwSignal::new(name.get_untracked());
    let rename = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let body = json!({ "name": wanted.read_untracked().trim() });
        admin.change(operation, "PUT", address.get_value(), Some(body), |_| ());
    };
    let remove = Callback::new(move |()| {
        admin.change(operation, "DELETE", address.get_value(), None, |answer| {
            if answer.is_some() {
                // The line goes, and what was pressed with it.
                dom::focus_soon(HEADING);
            }
        });
    });
    let members = move || {
        let people = admin.people.read();
        let accounts = people.accounts.iter();
        let is_in =
            |card: &&AccountCard| key.with_value(|team| card.teams.iter().any(|one| one.team == *team));
        accounts.filter(is_in).map(|card| card.person.id.clone()).collect::<Vec<UserId>>()
    };
    view! {
        <ul class="rows">
            {each(members, UserId::clone, move |person| view! { <Member person team=key admin operation/> })}
        </ul>
        <NewMember team=key admin operation/>
        <form class="line-form" on:submit=rename>
            <label class="field">
                <span class="label">"Name of the team"</span>
                <input
                    type="text"
                    data-testid="team-name"
                    required
                    maxlength=MAX_NAME_CHARS.to_string()
                    autocomplete="off"
                    prop:value=attr(move || wanted.get())
                    on:input:target=move |event| wanted.set(event.target().value())
                />
            </label>
            <button
                type="submit"
                class="button line"
                data-testid="team-rename"
                disabled=admin.asleep
            >
                "Rename"
            </button>
        </form>
        <div class="row-actions">
            <Confirmed
                id=format!("remove-{id}")
                label="Remove the team"
                about=name
                warns="Its members lose the roles that they have by it."
                testid="team-remove"
                disabled=admin.asleep
                then=remove
            />
        </div>
        <Problem problem=operation.problem/>
    }
}

/// The address of somebody's place in a team.
fn place(team: &Id, person: &UserId) -> String {
    format!("/api/v1/admin/teams/{team}/members/{person}")
}

#[component]
fn Member(person: UserId, team: StoredValue<Id>, admin: Admin, operation: Operation) -> impl IntoView {
    let key = StoredValue::new(person.clone());
    let card = memo(move || {
        let people = admin.people.read();
        key.with_value(|id| people.accounts.iter().find(|one| one.person.id == *id).cloned())
    });
    let name = derived(move || card.read().as_ref().map(|card| card.person.name.clone()).unwrap_or_default());
    let email = move || card.read().as_ref().map(|card| card.person.email.clone());
    let role = memo(move || {
        let card = card.read();
        let mut teams = card.iter().flat_map(|card| &card.teams);
        team.with_value(|team| teams.find(|one| one.team == *team).map(|one| one.role)).unwrap_or_default()
    });
    let set = move |role: Value, then: Box<dyn FnOnce(bool)>| {
        let address = key.with_value(|person| team.with_value(|team| place(team, person)));
        let body = json!({ "role": role });
        admin.change(operation, "PUT", address, Some(body), move |answer| then(answer.is_some()));
    };
    let choose = Callback::new(move |(chosen, list): (Role, HtmlSelectElement)| {
        let back = move |taken: bool| {
            if !taken {
                list.set_value(role_name(role.get_untracked()));
            }
        };
        set(role_name(chosen).into(), Box::new(back));
    });
    let remove = move |_| {
        let adds = new_member_id(team);
        let go_on = move |taken: bool| {
            if taken {
                // What was pressed goes with its line.
                dom::focus_soon(&adds);
            }
        };
        set(Value::Null, Box::new(go_on));
    };
    view! {
        <li data-testid="team-member" data-user=person.to_string()>
            <div class="row-words"><b>{live(move || name.get())}</b><small>{live(email)}</small></div>
            <RoleSelect
                role
                label=derived(move || format!("Role of {}", name.read()))
                testid="team-member-role"
                disabled=admin.asleep
                choose
            />
            <button
                type="button"
                class="button icon"
                data-testid="team-member-remove"
                aria-label=attr(move || format!("Take {} out of the team", name.read()))
                title="Take out of the team"
                disabled=admin.asleep
                on:click=remove
            >
                <Glyph icon=Icon::Close/>
            </button>
        </li>
    }
}

/// The `id` attribute of the list of who can be added to a team.
fn new_member_id(team: StoredValue<Id>) -> String {
    team.with_value(|team| format!("add-to-{team}"))
}

/// Puts somebody who has an account in a team.
#[component]
fn NewMember(team: StoredValue<Id>, admin: Admin, operation: Operation) -> impl IntoView {
    let role = RwSignal::new(Role::Editor);
    let person = RwSignal::new(String::new());
    let others = memo(move || {
        let people = admin.people.read();
        let accounts = people.accounts.iter();
        let is_out =
            |card: &&AccountCard| team.with_value(|team| card.teams.iter().all(|one| one.team != *team));
        accounts.filter(is_out).map(|card| card.person.clone()).collect::<Vec<_>>()
    });
    let add = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Ok(id) = UserId::new(person.get_untracked()) else { return };
        let address = team.with_value(|team| place(team, &id));
        let body = json!({ "role": role_name(role.get_untracked()) });
        admin.change(operation, "PUT", address, Some(body), move |answer| {
            if answer.is_some() {
                let _ = person.try_set(String::new());
            }
        });
    };
    let options = move || {
        let one = |value: String, says: String| view! { <option value=value>{says}</option> };
        let mut all = vec![one(String::new(), "Choose somebody".to_owned())];
        for person in others.get() {
            all.push(one(person.id.to_string(), format!("{}, {}", person.name, person.email)));
        }
        all
    };
    view! {
        <form class="line-form" on:submit=add class:hidden=attr(move || others.read().is_empty())>
            <label class="field">
                <span class="label">"Add to the team"</span>
                <select
                    id=new_member_id(team)
                    data-testid="team-add-member"
                    required
                    prop:value=attr(move || person.get())
                    on:change:target=move |event| person.set(event.target().value())
                >
                    {live(options)}
                </select>
            </label>
            <RoleSelect
                role
                label="Role in the team"
                testid="team-add-role"
                choose=Callback::new(move |(chosen, _)| role.set(chosen))
            />
            <button
                type="submit"
                class="button line"
                data-testid="team-add"
                disabled=admin.asleep
            >
                "Add"
            </button>
        </form>
    }
}
