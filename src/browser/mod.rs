//! The browser's side: IO around `sync::Replica`, and the start of the page.

mod clock;
mod data;

mod live;
mod outgoing;
mod service_provider;
mod service_worker;
mod services;
mod socket;
mod told;

use leptos::prelude::*;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::app::dashboard_store::DashboardStore;
use crate::app::{App, PAGE_DATA, Page, PageData, ThisTab};

use service_provider::ServiceProvider;

/// Wakes the page that the server rendered, and on a dashboard starts its sync services.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    let Some(data) = page_data() else {
        // The server writes it into every page. Without it the page stays as it was rendered.
        leptos::logging::error!("The page came without its data.");
        return;
    };
    leptos::mount::hydrate_body(move || {
        let tab = ThisTab { services: RwSignal::new(Vec::new()), from_device: false };
        service_worker::start(tab);
        provide_context(tab);
        if let Page::Dashboard { id, epoch, revision, dashboard } = &data.page {
            let store = DashboardStore::new(id.clone(), dashboard, data.user.clone());
            provide_context(store);
            ServiceProvider::start(store, dashboard.clone(), epoch.clone(), *revision, &data);
        }
        provide_context(data.clone());
        view! { <App/> }
    });
}

fn page_data() -> Option<PageData> {
    let json = document().get_element_by_id(PAGE_DATA)?.text_content()?;
    serde_json::from_str(&json).ok()
}
