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

/// Mark, name, the way to the status page, theme, and who I am, where that is known.
#[component]
pub fn SiteHeader(user: Option<User>) -> impl IntoView {
    let me = user.map(|user| {
        let says = format!("You are {}", user.name);
        let title = says.clone();
        view! {
            <span class="me" title=title>
                <Avatar user=Signal::stored(user)/>
                <span class="sr-only">{says}</span>
            </span>
        }
    });
    view! {
        <header class="top">
            <Logo/>
            <a class="wordmark" href="/">"Lockstep"</a>
            <span class="grow"></span>
            <a class="button" href="/status">"Status"</a>
            <ThemeToggle/>
            {me}
        </header>
    }
}
