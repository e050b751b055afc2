//! The header of the pages that are no dashboard.

use leptos::prelude::*;

use super::avatar::Avatar;
use super::theming::ThemeToggle;
use crate::app::access::Rights;
use crate::app::address;
use crate::dashboard::User;

/// The way home, as a mark.
#[component]
pub fn Logo() -> impl IntoView {
    view! {
        <a class="logo" href=address::to("/") aria-label="Lockstep: all dashboards" title="All dashboards">
            <i></i><i></i><i></i><i></i>
        </a>
    }
}

/// Mark, name, the ways to other pages, theme, and who I am, where that is known: with an account the way to it.
#[component]
pub fn SiteHeader(user: Option<User>) -> impl IntoView {
    let rights = Rights::here();
    let me = user.map(|user| {
        let says = format!("You are {}", user.name);
        let title = says.clone();
        if rights.has_account {
            view! {
                <a class="me" href=address::to("/account") data-testid="me" title=format!("{title}. Your account")>
                    <Avatar user=Signal::stored(user)/>
                    <span class="sr-only">{says}". Your account"</span>
                </a>
            }
            .into_any()
        } else {
            view! {
                <span class="me" title=title>
                    <Avatar user=Signal::stored(user)/>
                    <span class="sr-only">{says}</span>
                </span>
            }
            .into_any()
        }
    });
    view! {
        <header class="top">
            <Logo/>
            <a class="wordmark" href=address::to("/")>"Lockstep"</a>
            <span class="grow"></span>
            {rights.is_admin.then(|| view! { <a class="button" href=address::to("/admin") data-testid="people-link">"People"</a> })}
            {(rights.has_account && rights.may_create).then(|| view! {
                <a class="button screens-link" href=address::to("/screens") data-testid="screens-link">"Screens"</a>
            })}
            {(!rights.is_visitor).then(|| view! { <a class="button" href=address::to("/status")>"Status"</a> })}
            {rights.may_sign_in.then(|| view! {
                <a class="button" href=address::to("/sign-in") data-testid="sign-in-link">"Sign in"</a>
            })}
            <ThemeToggle/>
            {me}
        </header>
    }
}
