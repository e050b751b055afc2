//! Whether one has a second factor, and the way to the page where it is set up.

use leptos::prelude::*;

use super::Account;
use crate::app::access::SecondFactorCard;
use crate::app::dynamic::{live, memo};
use crate::app::{address, format};

#[component]
pub fn SecondFactor(account: Account) -> impl IntoView {
    let card = memo(move || account.own.read().second_factor);
    view! {
        <section class="block" aria-labelledby="second-factor">
            <h2 id="second-factor">"Two-step sign-in"</h2>
            <p class="quiet" data-testid="second-factor-state">{live(move || in_words(card.get()))}</p>
            <a class="button line" href=address::to("/account/second-factor") data-testid="second-factor">
                {live(move || if card.get().since.is_some() { "Change it" } else { "Set it up" })}
            </a>
        </section>
    }
}

fn in_words(card: SecondFactorCard) -> String {
    if card.since.is_none() {
        return "Off. With it, signing in asks for a code of an app on your phone after the password."
            .to_owned();
    }
    let left = format::count(card.recovery_codes, "recovery code is left", "recovery codes are left");
    format!("On: signing in asks for a code of your app. {left}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_whether_it_is_on_and_what_is_left_for_the_day_without_a_phone() {
        let off = SecondFactorCard::default();
        assert!(in_words(off).starts_with("Off."));
        let on = SecondFactorCard { since: Some(5), recovery_codes: 1, ..off };
        assert!(in_words(on).ends_with(" 1 recovery code is left."), "{}", in_words(on));
    }
}
