//! List of one's sessions, each of which can be ended.

use leptos::prelude::*;

use super::removal::Removal;
use super::{Account, browser};
use crate::app::access::SessionCard;
use crate::app::clock::Clock;
use crate::app::components::Problem;
use crate::app::dynamic::{attr, each, live, memo};
use crate::app::{format, requests};

/// The `id` attribute of the heading.
const HEADING: &str = "sessions";
/// How often it is said anew how long ago something was.
const AGES: u64 = 10_000;

#[component]
pub fn Sessions(account: Account) -> impl IntoView {
    let clock = Clock::here();
    let now = memo(move || clock.now() / AGES * AGES);
    let removal = Removal::new(account, HEADING, "It has not ended.");
    let others = memo(move || account.own.read().sessions.iter().filter(|one| !one.is_this).count());
    let row = move |id: String| {
        let key = StoredValue::new(id.clone());
        let card = memo(move || {
            let own = account.own.read();
            key.with_value(|id| own.sessions.iter().find(|one| one.id == *id).cloned())
        });
        let words = memo(move || card.read().as_ref().map(|one| browser::in_words(&one.agent)));
        let is_this = memo(move || card.read().as_ref().is_some_and(|one| one.is_this));
        let agent = move || card.read().as_ref().map(|one| one.agent.clone());
        let label = move || {
            let address = card.read().as_ref().map(|one| one.address.clone()).unwrap_or_default();
            format!("End the session of {} from {address}", words.get().unwrap_or_default())
        };
        view! {
            <li data-testid="session" data-session=id>
                <div class="row-words">
                    <b title=attr(agent)>{live(move || words.get())}</b>
                    {live(move || is_this.get().then(|| view! { <span class="badge">"This one"</span> }))}
                    <small>{live(move || card.read().as_ref().map(|card| in_words(card, now.get())))}</small>
                </div>
                <button
                    type="button"
                    class="button line"
                    class:hidden=is_this
                    data-testid="session-end"
                    aria-label=attr(label)
                    disabled=account.asleep
                    on:click=move |_| removal.remove(format!("/api/v1/me/sessions/{}", requests::in_address(&key.get_value())))
                >
                    "End"
                </button>
            </li>
        }
    };
    view! {
        <section class="block" aria-labelledby=HEADING>
            <div class="block-head">
                <h2 id=HEADING tabindex="-1">"Sessions"</h2>
                <span class="grow"></span>
                <button
                    type="button"
                    class="button line"
                    class:hidden=attr(move || others.get() == 0)
                    data-testid="sessions-end-others"
                    disabled=account.asleep
                    on:click=move |_| removal.remove("/api/v1/me/sessions".to_owned())
                >
                    "End all others"
                </button>
            </div>
            <p class="quiet">"Where you are signed in. If you do not recognise one, end it and change your password."</p>
            <Problem problem=removal.problem/>
            <ul class="rows">
                {each(
                    move || account.own.read().sessions.iter().map(|one| one.id.clone()).collect(),
                    String::clone,
                    row,
                )}
            </ul>
        </section>
    }
}

/// Where it was made from and when it was used. Before the page is awake it is not known how long ago that is.
pub(in crate::app::pages) fn in_words(card: &SessionCard, now: u64) -> String {
    let from = &card.address;
    match (now, card.is_this) {
        (0, _) => from.clone(),
        (_, true) => format!("{from} · signed in {}", format::ago(card.made_at, now)),
        _ => {
            let (used, made) = (format::ago(card.used_at, now), format::ago(card.made_at, now));
            format!("{from} · last used {used} · signed in {made}")
        }
    }
}
