//! The service worker, which lets the page open without a network: its registration, and how it does.

use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::app::ThisTab;
use crate::app::dashboard_store::{ServiceState, ServiceStatus};

const SCRIPT: &str = "/service-worker.js";

/// Registers the worker once the page has loaded, so that it takes nothing from the page's own files,
/// and tells how it is.
pub fn start(tab: ThisTab) {
    tab.tell(service(ServiceState::Waiting, "Starts when the page has loaded.", None));
    let begin = move || spawn_local(async move { tab.tell(register(tab).await) });
    if document().ready_state() == "complete" {
        begin();
    } else {
        window_event_listener(ev::load, move |_| begin());
    }
}

async fn register(tab: ThisTab) -> ServiceStatus {
    let navigator = window().navigator();
    let there =
        js_sys::Reflect::get(&navigator, &"serviceWorker".into()).is_ok_and(|found| found.is_object());
    if !there {
        let says = if window().is_secure_context() {
            "This browser has none: the page does not open without a network."
        } else {
            "The page opens without a network only where it came over https."
        };
        return service(ServiceState::Down, says, None);
    }
    let container = navigator.service_worker();
    tab.tell(service(ServiceState::Waiting, "Keeping the page's files on this device.", None));
    let registered = JsFuture::from(container.register(SCRIPT)).await;
    let ready = match (registered, container.ready()) {
        (Ok(_), Ok(ready)) => JsFuture::from(ready).await,
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match ready {
        Ok(_) => service(ServiceState::Ok, "The page opens without a network.", None),
        Err(error) => {
            let says = "The page's files could not be kept: it does not open without a network.";
            service(ServiceState::Down, says, Some(words(&error)))
        }
    }
}

fn words(error: &JsValue) -> String {
    let message = js_sys::Reflect::get(error, &"message".into()).ok().and_then(|text| text.as_string());
    message.unwrap_or_else(|| "The browser gave no reason.".to_owned())
}

fn service(state: ServiceState, says: &str, last_error: Option<String>) -> ServiceStatus {
    ServiceStatus {
        name: "service worker",
        label: "Opening offline",
        state,
        says: says.to_owned(),
        last_error,
        latency_ms: None,
        queue: None,
    }
}
