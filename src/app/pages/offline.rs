//! What shows without a network where this device keeps nothing of the page asked for.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::components::{SiteHeader, is_kiosk_tab};
use crate::app::{dom, requests};

/// How often a screen, at which nobody sits to try again, does so by itself.
const RETRY: Duration = Duration::from_secs(15);

#[component]
pub fn Offline() -> impl IntoView {
    dom::every(RETRY, || {
        if is_kiosk_tab() {
            spawn_local(async {
                if requests::send("GET", "/readyz", None).await.is_ok() {
                    dom::reload();
                }
            });
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
                <a class="button" href="/">"Dashboards on this device"</a>
            </div>
        </main>
    }
}
