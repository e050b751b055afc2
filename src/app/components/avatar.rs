//! A person as a small round mark in their colour.

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
            style:--who=move || user.read().color.clone()
        >
            {move || initials(&user.read().name)}
        </span>
    }
}
