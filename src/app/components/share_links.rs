//! Share links of a dashboard in its dialog: those that count, and the form that makes one.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

use super::one_time::OneTime;
use super::roles::{role_label, role_name};
use super::share_dialog::Share;
use crate::app::access::{LinkCard, LinkWish, MadeLink, Role};
use crate::app::clock::Clock;
use crate::app::dynamic::{attr, each, live};
use crate::app::{dom, format, requests};

/// The `id` attribute of the heading.
const HEADING: &str = "share-links";
/// Days that a link counts at most; the server takes no more.
const MAX_DAYS: u64 = 365;
/// Characters of what a link is called; the server takes no more.
const MAX_LABEL_CHARS: usize = 80;

#[component]
pub fn ShareLinks(share: Share) -> impl IntoView {
    let made = RwSignal::new(None::<String>);
    let making = RwSignal::new(false);
    let links = move || {
        let sharing = share.sharing.read();
        sharing.iter().flat_map(|sharing| &sharing.links).cloned().collect::<Vec<_>>()
    };
    view! {
        <section aria-labelledby=HEADING>
            <h3 id=HEADING tabindex="-1">"Links"</h3>
            <p class="quiet">"Anyone with a link opens this dashboard without an account, and nothing else."</p>
            <ul class="grants">
                {each(links, |card| format!("{}:{}", card.id, card.here), move |card| view! { <LinkRow card share/> })}
            </ul>
            {live(move || made.get().map(|address| view! {
                <OneTime
                    label="Address of the link"
                    address
                    says="Anyone with this address gets in until the link expires or you revoke it."
                />
            }))}
            {live(move || if making.get() {
                view! { <LinkForm share made making/> }.into_any()
            } else {
                view! {
                    <button
                        type="button"
                        class="button line"
                        data-testid="link-new"
                        on:click=move |_| { made.set(None); making.set(true); }
                    >
                        "New link"
                    </button>
                }
                .into_any()
            })}
        </section>
    }
}

/// One link, with the way to revoke it.
#[component]
fn LinkRow(card: LinkCard, share: Share) -> impl IntoView {
    let clock = Clock::here();
    let name = if card.label.is_empty() { format!("Made by {}", card.made_by) } else { card.label.clone() };
    let (id, expires_at, here) = (StoredValue::new(card.id.clone()), card.expires_at, card.here);
    let says = link_words(&card);
    let small = move || match clock.now() {
        0 => says.clone(),
        now => format!("{says} · ends {}", format::in_time(expires_at, now)),
    };
    let label = format!("Revoke the link: {name}");
    let revoke = move |_| {
        let dashboard = share.store.id.get_value();
        let address = id.with_value(|id| format!("/api/v1/dashboards/{dashboard}/links/{id}"));
        spawn_local(async move {
            let answer = requests::send("DELETE", &address, None).await;
            let problem = answer.as_ref().err().map(|error| format!("The link was not revoked. {error}"));
            // The dialog may be closed by then.
            if share.problem.try_set(problem).is_none() && answer.is_ok() {
                share.read();
                // What was pressed goes with its line.
                dom::focus_soon(HEADING);
            }
        });
    };
    view! {
        <li class="grant" data-testid="link" data-link=card.id>
            <div class="grant-words">
                <b>
                    {name}
                    {(here > 0).then(|| view! { <span class="here-now">{format!("{here} here now")}</span> })}
                </b>
                <small>{live(small)}</small>
            </div>
            <button type="button" class="button line" data-testid="link-revoke" aria-label=label on:click=revoke>
                "Revoke"
            </button>
        </li>
    }
}

/// What a link lets in, and what it asks for.
pub fn link_words(card: &LinkCard) -> String {
    let mut words = role_label(card.role).to_owned();
    for (is_so, says) in [
        (card.query, "may change queries"),
        (card.has_password, "with a password"),
        (card.name_required, "asks for a name"),
    ] {
        if is_so {
            words.push_str(" · ");
            words.push_str(says);
        }
    }
    words
}

#[component]
fn LinkForm(share: Share, made: RwSignal<Option<String>>, making: RwSignal<bool>) -> impl IntoView {
    let editor = RwSignal::new(false);
    let label = RwSignal::new(String::new());
    let days = RwSignal::new("30".to_owned());
    let password = RwSignal::new(String::new());
    let name_required = RwSignal::new(false);
    let query = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let make = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(days) = days_of(&days.read_untracked()) else {
            return share.problem.set(Some(format!("A link is valid for 1 to {MAX_DAYS} days.")));
        };
        let role = if editor.get_untracked() { Role::Editor } else { Role::Viewer };
        let wish = LinkWish {
            role,
            label: label.get_untracked(),
            days: Some(days),
            password: Some(password.get_untracked()).filter(|password| !password.is_empty()),
            name_required: name_required.get_untracked(),
            query: role == Role::Editor && query.get_untracked(),
        };
        busy.set(true);
        let address = format!("/api/v1/dashboards/{}/links", share.store.id.get_value());
        spawn_local(async move {
            let answer = requests::request::<MadeLink>("POST", &address, Some(&json!(wish))).await;
            let problem = answer.as_ref().err().map(|error| format!("No link was made. {error}"));
            // The dialog may be closed by then.
            if share.problem.try_set(problem).is_some() {
                return;
            }
            let _ = busy.try_set(false);
            if let Ok(MadeLink { address, .. }) = answer {
                made.set(Some(address));
                making.set(false);
                share.read();
            }
        });
    };
    let option = move |role: Role| view! { <option value=role_name(role)>{role_label(role)}</option> };
    view! {
        <form class="line-form" data-testid="link-form" on:submit=make>
            <label class="field">
                <span class="label">"What it is for"</span>
                <input
                    type="text"
                    data-testid="link-label"
                    maxlength=MAX_LABEL_CHARS.to_string()
                    autocomplete="off"
                    placeholder="Such as: screen in the hall"
                    on:input:target=move |event| label.set(event.target().value())
                />
            </label>
            <select
                class="role-select"
                data-testid="link-role"
                aria-label="Role of guests"
                on:change:target=move |event| editor.set(event.target().value() == role_name(Role::Editor))
            >
                {[Role::Viewer, Role::Editor].map(option).collect_view()}
            </select>
            <label class="field short">
                <span class="label">"Valid for (days)"</span>
                <input
                    type="number"
                    min="1"
                    max=MAX_DAYS.to_string()
                    data-testid="link-days"
                    value="30"
                    on:input:target=move |event| days.set(event.target().value())
                />
            </label>
            <label class="field">
                <span class="label">"Password"</span>
                <input
                    type="password"
                    data-testid="link-password"
                    autocomplete="new-password"
                    placeholder="none"
                    on:input:target=move |event| password.set(event.target().value())
                />
            </label>
            <label class="tick">
                <input
                    type="checkbox"
                    data-testid="link-name-required"
                    on:change:target=move |event| name_required.set(event.target().checked())
                />
                "Guests must enter a name"
            </label>
            <label class="tick" class:hidden=attr(move || !editor.get())>
                <input
                    type="checkbox"
                    data-testid="link-query"
                    on:change:target=move |event| query.set(event.target().checked())
                />
                "Guests may change queries: they can then read every series and source"
            </label>
            <button type="submit" class="button primary" data-testid="link-make" disabled=attr(move || busy.get())>
                "Make the link"
            </button>
            <button type="button" class="button line" on:click=move |_| making.set(false)>"Cancel"</button>
        </form>
    }
}

/// A number of days that a link can count; `None` for what is none.
fn days_of(text: &str) -> Option<u64> {
    text.trim().parse::<u64>().ok().filter(|days| (1..=MAX_DAYS).contains(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_what_it_lets_in_and_counts_some_days() {
        let card = LinkCard {
            id: "a".to_owned(),
            role: Role::Editor,
            query: true,
            label: String::new(),
            has_password: true,
            name_required: false,
            made_by: "Ada".to_owned(),
            made_at: 1,
            expires_at: 2,
            here: 0,
        };
        assert_eq!(link_words(&card), "Editor · may change queries · with a password");
        let viewer = LinkCard { role: Role::Viewer, query: false, has_password: false, ..card };
        assert_eq!(link_words(&viewer), "Viewer");
        assert_eq!(days_of(" 365 "), Some(365));
        for wrong in ["", "0", "366", "1.5", "-1"] {
            assert_eq!(days_of(wrong), None, "{wrong}");
        }
    }
}
