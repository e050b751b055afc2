//! The service worker, which lets the page open without a network: its registration, and how it does.

use js_sys::{Array, Promise};
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{EventTarget, ServiceWorkerContainer};

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
        (Ok(registration), Ok(ready)) => {
            let first = Promise::race(&Array::of2(&ready, &given_up(&container, &registration)));
            JsFuture::from(first).await
        }
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

/// Fails when the worker that is being installed is given up, with the reason that it tells: without it
/// nobody is told, and `ready` waits for a next one.
fn given_up(container: &ServiceWorkerContainer, registration: &JsValue) -> Promise {
    let get = |of: &JsValue, name: &str| js_sys::Reflect::get(of, &name.into()).unwrap_or_default();
    let worker = ["installing", "waiting", "active"].map(|name| get(registration, name));
    let worker = worker.into_iter().find(JsValue::is_object);
    Promise::new(&mut |_, reject| {
        let Some(worker) = &worker else {
            // A function of the browser's own takes any value.
            let _ = reject.call0(&JsValue::UNDEFINED);
            return;
        };
        let told = reject.clone();
        let tell = Closure::<dyn Fn(JsValue)>::new(move |event| {
            let _ = told.call1(&JsValue::UNDEFINED, &get(&event, "data"));
        });
        container.set_onmessage(Some(tell.as_ref().unchecked_ref()));
        // Both are there for as long as the page is.
        tell.forget();
        let changed = Closure::<dyn Fn(JsValue)>::new(move |event| {
            if get(&get(&event, "target"), "state") == "redundant" {
                let _ = reject.call0(&JsValue::UNDEFINED);
            }
        });
        // It is one that the browser made, with this very event.
        let _ = worker
            .unchecked_ref::<EventTarget>()
            .add_event_listener_with_callback("statechange", changed.as_ref().unchecked_ref());
        changed.forget();
    })
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
