//! Page in place of one that the server could not make: why, that nothing is lost, and what to do.

use leptos::prelude::*;

use crate::app::components::SiteHeader;
use crate::dashboard::User;

#[component]
pub fn Failed(why: String, user: Option<User>) -> impl IntoView {
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <div class="empty" data-testid="failed">
                <h1>"This cannot be shown right now"</h1>
                <p>{why}</p>
                <p>"Nothing that was saved is touched by this. Load the page again in a moment."</p>
                // An empty address is the page itself.
                <a class="button primary" href="">"Load again"</a>
            </div>
        </main>
    }
}
