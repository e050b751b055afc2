//! List of one's API tokens, each of which can be revoked.

use leptos::prelude::*;

use super::Account;
use super::removal::Removal;
use super::token_form::TokenForm;
use crate::app::access::{Scope, TeamCard, TokenCard};
use crate::app::clock::Clock;
use crate::app::components::Problem;
use crate::app::dynamic::{attr, each, live, memo};
use crate::app::{format, requests};

/// The `id` attribute of the heading.
const HEADING: &str = "tokens";
/// How often it is said anew how long ago something was.
const AGES: u64 = 10_000;

#[component]
pub fn Tokens(account: Account) -> impl IntoView {
    let clock = Clock::here();
    let now = memo(move || clock.now() / AGES * AGES);
    let removal = Removal::new(account, HEADING, "The token counts still.");
    let may_make = memo(move || !account.own.read().scopes.is_empty());
    let revoke = move |id: &str| removal.remove(format!("/api/v1/me/tokens/{}", requests::in_address(id)));
    let row = move |id: String| {
        let key = StoredValue::new(id.clone());
        let card = memo(move || {
            let own = account.own.read();
            key.with_value(|id| own.tokens.iter().find(|one| one.id == *id).cloned())
        });
        let name = memo(move || card.read().as_ref().map(|card| card.name.clone()).unwrap_or_default());
        let is_over = memo(move || {
            let now = now.get();
            card.read().as_ref().and_then(|card| card.expires_at).is_some_and(|at| now >= at)
        });
        let allows = move || {
            let own = account.own.read();
            card.read().as_ref().map(|card| allowed_in_words(card, &own.teams))
        };
        let times = move || card.read().as_ref().map(|card| times_in_words(card, now.get()));
        view! {
            <li data-testid="token" data-token=id>
                <div class="row-words">
                    <b>{live(move || name.get())}</b>
                    {live(move || is_over.get().then(|| view! { <span class="badge off">"Over"</span> }))}
                    <small>{live(allows)}</small>
                    <small>{live(times)}</small>
                </div>
                <button
                    type="button"
                    class="button line"
                    data-testid="token-revoke"
                    aria-label=attr(move || format!("Revoke the token {}", name.get()))
                    disabled=account.asleep
                    on:click=move |_| key.with_value(|id| revoke(id))
                >
                    "Revoke"
                </button>
            </li>
        }
    };
    view! {
        <section class="block" aria-labelledby=HEADING>
            <h2 id=HEADING tabindex="-1">"Tokens"</h2>
            <p class="quiet">
                "By a token a program pushes points, or reads and edits dashboards of a team: never more than you may. It \
                 sends it as Authorization: Bearer."
            </p>
            {live(move || may_make.get().then(|| view! { <TokenForm account/> }))}
            <Problem problem=removal.problem/>
            <ul class="rows" aria-label="Your tokens">
                {each(
                    move || account.own.read().tokens.iter().map(|one| one.id.clone()).collect(),
                    String::clone,
                    row,
                )}
            </ul>
        </section>
    }
}

/// A scope in words, to choose it.
pub(super) fn in_words(scope: Scope) -> &'static str {
    match scope {
        Scope::Push => "Push points",
        Scope::ReadDashboards => "Read dashboards",
        Scope::WriteDashboards => "Edit dashboards",
        Scope::ReadSeries => "Read series and sources",
        Scope::Metrics => "Read the server's figures",
    }
}

/// What a token may do.
pub(in crate::app::pages) fn allowed_in_words(card: &TokenCard, teams: &[TeamCard]) -> String {
    let mut parts: Vec<String> = card.scopes.iter().map(|scope| in_words(*scope).to_owned()).collect();
    parts.extend(card.prefix.as_ref().map(|prefix| format!("names that begin with {prefix}")));
    parts.extend(card.team.as_ref().map(|team| match teams.iter().find(|one| one.id == *team) {
        Some(team) => format!("team {}", team.name),
        None => "a team that you are not in".to_owned(),
    }));
    parts.join(" · ")
}

/// When a token was used, and when it ends. Before the page is awake it is not known how long ago that is.
pub(in crate::app::pages) fn times_in_words(card: &TokenCard, now: u64) -> String {
    let used = match card.used_at {
        None => "never used".to_owned(),
        Some(_) if now == 0 => "used".to_owned(),
        Some(at) => format!("last used {}", format::ago(at, now)),
    };
    match card.expires_at {
        None => format!("{used} · does not end by itself"),
        Some(_) if now == 0 => used,
        Some(at) if now >= at => format!("{used} · ended {}", format::ago(at, now)),
        Some(at) => format!("{used} · ends {}", format::in_time(at, now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::Id;

    #[test]
    fn a_token_is_told_with_what_it_may_and_until_when() {
        let id = Id::new("shop").expect("an id");
        let card = TokenCard {
            id: "1".to_owned(),
            name: "Robot".to_owned(),
            owner: "Ada".to_owned(),
            scopes: vec![Scope::Push, Scope::ReadDashboards],
            prefix: Some("app.".to_owned()),
            team: Some(id.clone()),
            made_at: 0,
            expires_at: Some(1_000_000),
            used_at: None,
        };
        let teams = [TeamCard { id, name: "Shop".to_owned(), members: 1 }];
        let words = "Push points · Read dashboards · names that begin with app. · ";
        assert_eq!(allowed_in_words(&card, &teams), format!("{words}team Shop"));
        assert_eq!(allowed_in_words(&card, &[]), format!("{words}a team that you are not in"));
        assert_eq!(times_in_words(&card, 0), "never used");
        assert_eq!(times_in_words(&card, 400_000), "never used · ends in 10 min");
        let used = TokenCard { used_at: Some(990_000), ..card };
        assert_eq!(times_in_words(&used, 1_000_000), "last used 10 s ago · ended just now");
        let always = TokenCard { expires_at: None, ..used };
        assert_eq!(times_in_words(&always, 0), "used · does not end by itself");
    }
}
