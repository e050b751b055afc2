//! Page without a network where this device keeps nothing of the page asked for.

use leptos::prelude::*;

use crate::app::components::{SiteHeader, begin_again, is_kiosk_tab};
use crate::app::dynamic::effect;
use crate::app::{address, dom};

#[component]
pub fn Offline() -> impl IntoView {
    // The page is nobody's: that it is on a screen only the tab knows.
    effect(|| {
        if is_kiosk_tab() {
            begin_again();
        }
    });
    view! {
        // The worker keeps this page for whoever comes: it names nobody.
        <SiteHeader user=None/>
        <main class="sheet">
            <div class="empty">
                <h1>"The server cannot be reached"</h1>
                <p>"This page is not kept on this device. Dashboards that you have opened here before are."</p>
                <button type="button" class="button primary" data-testid="retry" on:click=|_| dom::reload()>
                    "Try again"
                </button>
                <a class="button" href=address::to("/")>"Dashboards on this device"</a>
            </div>
        </main>
    }
}
