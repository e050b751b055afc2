//! Section of the API tokens of all people, each of which can be revoked.

use leptos::prelude::*;

use super::super::account::{allowed_in_words, times_in_words};
use super::Admin;
use super::confirmed::Confirmed;
use super::listing::{Listing, Words};
use crate::app::access::TokenCard;
use crate::app::dynamic::live;

const WORDS: Words = Words {
    id: "admin-tokens",
    title: "API tokens",
    says: "What programs sign in with. None may do more than whoever made it.",
    search: "Search names, owners or prefixes",
    none: "No token matches.",
};

#[component]
pub fn Tokens(admin: Admin) -> impl IntoView {
    let list = Listing::<TokenCard>::new(WORDS, "/api/v1/admin/tokens", |one| &one.id);
    list.show(admin, move |one| row(one, list, admin))
}

fn row(card: TokenCard, list: Listing<TokenCard>, admin: Admin) -> AnyView {
    let (id, revoke) = (card.id.clone(), list.revoke(&card));
    let about = format!("{} of {}", card.name, card.owner);
    let (name, owner, expires_at) = (card.name.clone(), card.owner.clone(), card.expires_at);
    let is_over = move || expires_at.is_some_and(|at| admin.now.get() >= at);
    let shown = StoredValue::new(card);
    let allows = move || shown.with_value(|card| allowed_in_words(card, &admin.people.read().teams));
    let times = move || shown.with_value(|card| times_in_words(card, admin.now.get()));
    view! {
        <li data-testid="admin-token" data-token=id.clone()>
            <div class="row-words">
                <b>{name}</b>
                {live(move || is_over().then(|| view! { <span class="badge off">"Over"</span> }))}
                <small>"Of "{owner}</small>
                <small>{live(allows)}</small>
                <small>{live(times)}</small>
            </div>
            <Confirmed
                id=format!("revoke-token-{id}")
                label="Revoke"
                about=Signal::stored(about)
                warns="Programs that use it are cut off at once."
                testid="admin-token-revoke"
                disabled=admin.asleep
                then=revoke
            />
        </li>
    }
    .into_any()
}
