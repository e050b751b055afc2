//! Page of a large dashboard until the browser has fetched it.

use leptos::prelude::*;

use crate::app::components::SiteHeader;
use crate::dashboard::User;

#[component]
pub fn LargeDashboard(title: String, user: Option<User>) -> impl IntoView {
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <div class="empty" aria-busy="true" data-testid="large-dashboard">
                <h1>{title}</h1>
                <p>"This dashboard is large. It is on its way."</p>
            </div>
        </main>
    }
}
