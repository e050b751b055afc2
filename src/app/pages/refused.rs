//! Page of what is there, and not for whoever asks: why, and where to go.

use leptos::prelude::*;

use crate::app::address;
use crate::app::components::SiteHeader;
use crate::dashboard::User;

#[component]
pub fn Refused(why: String, user: Option<User>) -> impl IntoView {
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <div class="empty">
                <h1>"You cannot open this page"</h1>
                <p>{why}</p>
                <a class="button primary" href=address::to("/")>"All dashboards"</a>
            </div>
        </main>
    }
}
