//! Page at an address without anything: what was looked for, and where to go.

use leptos::prelude::*;

use crate::app::address;
use crate::app::components::SiteHeader;
use crate::dashboard::User;

#[component]
pub fn NotFound(what: String, user: Option<User>) -> impl IntoView {
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <div class="empty">
                <h1>"There is nothing here"</h1>
                <p>{what}</p>
                <p>"It may have been removed, or the address has a typing error."</p>
                <a class="button primary" href=address::to("/")>"All dashboards"</a>
            </div>
        </main>
    }
}
