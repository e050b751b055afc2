//! The header of the pages that are no dashboard.

use leptos::prelude::*;

use super::avatar::Avatar;
use super::theming::ThemeToggle;
use crate::dashboard::User;

/// The way home, as a mark.
#[component]
pub fn Logo() -> impl IntoView {
    view! {
        <a class="logo" href="/" aria-label="Lockstep: all dashboards" title="All dashboards">
            <i></i><i></i><i></i><i></i>
        </a>
    }
}

/// Mark, name, the way to the status page, theme, and who I am.
#[component]
pub fn SiteHeader(user: User) -> impl IntoView {
    let name = user.name.clone();
    view! {
        <header class="top">
            <Logo/>
            <a class="wordmark" href="/">"Lockstep"</a>
            <span class="grow"></span>
            <a class="button" href="/status">"Status"</a>
            <ThemeToggle/>
            <span class="me" title=format!("You are {name}")>
                <Avatar user=Signal::stored(user)/>
                <span class="sr-only">{format!("You are {name}")}</span>
            </span>
        </header>
    }
}
