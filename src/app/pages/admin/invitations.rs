//! Invitations: the form that makes one, and those that can still be used.

use leptos::prelude::*;
use serde_json::{Map, Value, json};

use super::{Admin, Operation, address_in};
use crate::app::access::{InvitationCard, Role, TeamCard};
use crate::app::components::{OneTime, Problem, RoleSelect, role_name};
use crate::app::dynamic::{attr, each, live, memo};
use crate::app::{dom, format, requests};

/// The `id` attribute of the heading.
const HEADING: &str = "invitations";
/// How often an invitation can be used at most.
const MAX_USES: u32 = 100;

#[component]
pub fn Invitations(admin: Admin) -> impl IntoView {
    let open = memo(move || admin.people.read().invitations.clone());
    view! {
        <section class="block" aria-labelledby=HEADING>
            <div class="block-head">
                <h2 id=HEADING tabindex="-1">"Invite"</h2>
            </div>
            <p class="quiet">"An invitation is a link with which somebody makes an account and joins a team."</p>
            <Form admin/>
            <ul class="rows" aria-label="Open invitations">
                {each(move || open.get(), in_short, move |card| view! { <Row card admin/> })}
            </ul>
        </section>
    }
}

/// What tells an invitation from itself before it was used.
fn in_short(card: &InvitationCard) -> String {
    format!("{}:{}", card.id, card.uses_left)
}

#[component]
fn Form(admin: Admin) -> impl IntoView {
    let operation = Operation::new();
    let teams = memo(move || admin.people.read().teams.clone());
    let chosen = RwSignal::new(String::new());
    // The first one until another is chosen, or where that has gone.
    let team = memo(move || {
        let (teams, chosen) = (teams.read(), chosen.read());
        let found = teams.iter().find(|team| team.id.as_str() == *chosen).or_else(|| teams.first());
        found.map(|team| team.id.to_string()).unwrap_or_default()
    });
    let role = RwSignal::new(Role::Editor);
    let email = RwSignal::new(String::new());
    let uses = RwSignal::new("1".to_owned());
    // An invitation for one person is used once.
    let is_bound = memo(move || !email.read().trim().is_empty());
    let link = RwSignal::new(None::<String>);
    let invite = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let uses = if is_bound.get_untracked() { "1".to_owned() } else { uses.get_untracked() };
        let email = email.get_untracked();
        let Some(body) = body(&team.read_untracked(), role.get_untracked(), &email, &uses) else {
            return operation.problem.set(Some(format!("It can be used 1 to {MAX_USES} times.")));
        };
        link.set(None);
        admin.change(operation, "POST", "/api/v1/admin/invitations".to_owned(), Some(body), move |answer| {
            let _ = link.try_set(answer.as_deref().and_then(address_in));
        });
    };
    let options = move || {
        let now = team.get();
        let option = |team: TeamCard| {
            let id = team.id.to_string();
            let is_now = id == now;
            view! { <option value=id selected=is_now>{team.name}</option> }
        };
        teams.get().into_iter().map(option).collect_view()
    };
    view! {
        <form class="line-form" on:submit=invite>
            <label class="field">
                <span class="label">"Team"</span>
                <select
                    data-testid="invite-team"
                    prop:value=attr(move || team.get())
                    on:change:target=move |event| chosen.set(event.target().value())
                >
                    {live(options)}
                </select>
            </label>
            <RoleSelect
                role
                label="Role in the team"
                testid="invite-role"
                choose=Callback::new(move |(chosen, _)| role.set(chosen))
            />
            <label class="field">
                <span class="label">"Only for this mail address"</span>
                <input
                    type="email"
                    data-testid="invite-email"
                    autocomplete="off"
                    placeholder="anybody"
                    prop:value=attr(move || email.get())
                    on:input:target=move |event| email.set(event.target().value())
                />
            </label>
            <label class="field short">
                <span class="label">"Uses"</span>
                <input
                    type="number"
                    disabled=attr(move || is_bound.get())
                    title=attr(move || if is_bound.get() { "For one mail address it is valid once" } else { "" })
                    min="1"
                    max=MAX_USES.to_string()
                    data-testid="invite-uses"
                    value="1"
                    prop:value=attr(move || if is_bound.get() { "1".to_owned() } else { uses.get() })
                    on:input:target=move |event| uses.set(event.target().value())
                />
            </label>
            <button
                type="submit"
                class="button primary"
                data-testid="invite"
                disabled=attr(move || admin.asleep.get() || team.read().is_empty())
            >
                "Invite"
            </button>
        </form>
        <p class="quiet" class:hidden=attr(move || !teams.read().is_empty())>"Make a team first, below."</p>
        {live(move || link.get().map(|address| view! {
            <OneTime
                label="Address of the invitation"
                address
                says="Send it to whom you invite: Lockstep sends no mail."
            />
        }))}
        <Problem problem=operation.problem/>
    }
}

/// What is sent; `None` where the number of uses is none.
fn body(team: &str, role: Role, email: &str, uses: &str) -> Option<Value> {
    let uses = uses.trim().parse::<u32>().ok().filter(|uses| (1..=MAX_USES).contains(uses))?;
    let mut body = Map::new();
    body.insert("team".to_owned(), team.into());
    body.insert("role".to_owned(), role_name(role).into());
    body.insert("uses".to_owned(), json!(uses));
    if !email.trim().is_empty() {
        body.insert("email".to_owned(), email.trim().into());
    }
    Some(Value::Object(body))
}

#[component]
fn Row(card: InvitationCard, admin: Admin) -> impl IntoView {
    let operation = Operation::new();
    let InvitationCard { id, team, role, email, uses_left, expires_at, made_by, .. } = card;
    let says = move || format!("{}, as {}", admin.team_name(&team), role_name(role));
    let whom = email.map_or_else(|| "For anybody".to_owned(), |email| format!("For {email}"));
    let uses = format::count(uses_left as usize, "use left", "uses left");
    let small = move || match admin.now.get() {
        0 => format!("{whom} · {uses} · by {made_by}"),
        now => format!("{whom} · {uses} · ends {} · by {made_by}", format::in_time(expires_at, now)),
    };
    let (key, label) = (StoredValue::new(id.clone()), says.clone());
    let revoke = move |_| {
        let address = key.with_value(|id| format!("/api/v1/admin/invitations/{}", requests::in_address(id)));
        admin.change(operation, "DELETE", address, None, |answer| {
            if answer.is_some() {
                // What was pressed goes with its line.
                dom::focus_soon(HEADING);
            }
        });
    };
    view! {
        <li data-testid="invitation" data-invitation=id>
            <div class="row-words"><b>{live(says)}</b><small>{live(small)}</small></div>
            <button
                type="button"
                class="button line"
                data-testid="invitation-revoke"
                aria-label=attr(move || format!("Revoke the invitation: {}", label()))
                disabled=admin.asleep
                on:click=revoke
            >
                "Revoke"
            </button>
            <Problem problem=operation.problem/>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_has_a_number_of_uses_and_an_address_where_one_is_given() {
        let made = |email: &str, uses: &str| body("t", Role::Editor, email, uses);
        assert_eq!(made("", " 3 "), Some(json!({ "team": "t", "role": "editor", "uses": 3 })));
        let bound = json!({ "team": "t", "role": "editor", "uses": 1, "email": "ada@x.org" });
        assert_eq!(made(" ada@x.org ", "1"), Some(bound));
        for wrong in ["", "0", "101", "1.5", "-1"] {
            assert_eq!(made("", wrong), None, "{wrong}");
        }
    }
}
