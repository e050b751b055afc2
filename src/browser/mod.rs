//! The browser's side: IO around `sync::Replica`, and the start of the page.

mod account;
mod clock;
mod data;
mod device;
mod download;
mod live;
mod locks;
mod opening;
mod outgoing;
mod requests;
mod service_provider;
mod service_worker;
mod services;
mod sign_out;
mod socket;
mod storage;
mod told;

use leptos::prelude::*;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use crate::app::{PAGE_DATA, PageData, address, json};

/// Wakes the page that the server rendered, and on a dashboard starts its sync services.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    address::begin();
    match page_data() {
        Some(data) => spawn_local(opening::open(data)),
        // The server writes it into every page. Without it the page stays as it was rendered.
        None => leptos::logging::error!("The page came without its data."),
    }
}

fn page_data() -> Option<PageData> {
    let json = document().get_element_by_id(PAGE_DATA)?.text_content()?;
    json::read(&json).ok()
}
