//! List of the names under which services sign one in, each of which can be removed.

use leptos::prelude::*;

use super::Account;
use super::removal::Removal;
use crate::app::access::IdentityCard;
use crate::app::clock::Clock;
use crate::app::components::Problem;
use crate::app::dynamic::{derived, each, live, memo};
use crate::app::format;
use crate::app::pages::admin::confirmed::Confirmed;

/// The `id` attribute of the heading.
const HEADING: &str = "identities";
/// How often it is said anew how long ago something was.
const AGES: u64 = 10_000;

#[component]
pub fn Identities(account: Account) -> impl IntoView {
    let clock = Clock::here();
    let now = memo(move || clock.now() / AGES * AGES);
    let removal = Removal::new(account, HEADING, "It signs you in still.");
    let row = move |id: String| {
        let key = StoredValue::new(id.clone());
        let card = memo(move || {
            let own = account.own.read();
            key.with_value(|id| own.identities.iter().find(|one| one.id == *id).cloned())
        });
        let may_remove = memo(move || card.read().as_ref().is_some_and(|card| card.may_remove));
        let remove = Callback::new(move |()| {
            key.with_value(|id| removal.remove(format!("/api/v1/me/identities/{id}")));
        });
        let button = move || {
            if !may_remove.get() {
                return view! { <span class="row-side">"Your only way in"</span> }.into_any();
            }
            view! {
                <Confirmed
                    id=format!("identity-remove-{}", key.get_value())
                    label="Remove"
                    about=derived(move || card.read().as_ref().map(named).unwrap_or_default())
                    warns="It is no way in to your account any more, and sessions that it opened end."
                    testid="identity-remove"
                    disabled=account.asleep
                    then=remove
                />
            }
            .into_any()
        };
        view! {
            <li data-testid="identity" data-identity=id>
                <IdentityWords card now/>
                {live(button)}
            </li>
        }
    };
    view! {
        <section class="block" aria-labelledby=HEADING>
            <h2 id=HEADING tabindex="-1">"Sign-in by other services"</h2>
            <p class="quiet">"Whoever these services know by such a name is signed in as you."</p>
            <Problem problem=removal.problem/>
            <ul class="rows" aria-label="Services that sign you in">
                {each(
                    move || account.own.read().identities.iter().map(|one| one.id.clone()).collect(),
                    String::clone,
                    row,
                )}
            </ul>
        </section>
    }
}

/// What there is to say of one, also to an admin.
#[component]
pub(in crate::app::pages) fn IdentityWords(
    card: Memo<Option<IdentityCard>>,
    now: Memo<u64>,
) -> impl IntoView {
    let counts = memo(move || card.read().as_ref().is_none_or(|card| card.counts));
    view! {
        <div class="row-words">
            <b>{live(move || card.read().as_ref().map(|card| format!("By {}", card.service)))}</b>
            {live(move || (!counts.get()).then(|| view! { <span class="badge off">"Not in use"</span> }))}
            <small>{live(move || card.read().as_ref().map(|card| in_words(card, now.get())))}</small>
        </div>
    }
}

/// A service with the name under which it knows somebody.
pub(in crate::app::pages) fn named(card: &IdentityCard) -> String {
    format!("{}, as {}", card.service, card.subject)
}

/// What the service calls the person, and when they signed in by it. Before the page is awake it is not known how long ago
/// that is.
fn in_words(card: &IdentityCard, now: u64) -> String {
    match now {
        0 => format!("as {}", card.subject),
        now => format!("as {} · last used {}", card.subject, format::ago(card.used_at, now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_under_which_name_and_when_it_was_used() {
        let card = IdentityCard {
            id: "1".to_owned(),
            service: "Keycloak".to_owned(),
            subject: "f3a9".to_owned(),
            counts: true,
            may_remove: true,
            made_at: 1,
            used_at: 1_000,
        };
        assert_eq!(in_words(&card, 0), "as f3a9");
        assert_eq!(in_words(&card, 301_000), "as f3a9 · last used 5 min ago");
        assert_eq!(named(&card), "Keycloak, as f3a9");
    }
}
