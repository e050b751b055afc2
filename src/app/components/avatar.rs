//! A person as a small round mark in their colour.

use crate::app::dynamic::{attr, live};
use leptos::prelude::*;

use crate::app::format::initials;
use crate::dashboard::User;

/// Initials on the person's colour; the name stands beside or in a label.
#[component]
pub fn Avatar(#[prop(into)] user: Signal<User>, #[prop(optional)] small: bool) -> impl IntoView {
    view! {
        <span
            class="avatar"
            class:small=small
            aria-hidden="true"
            style:--who=attr(move || user.read().color.clone())
        >
            {live(move || initials(&user.read().name))}
        </span>
    }
}
