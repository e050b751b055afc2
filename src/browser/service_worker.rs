//! The service worker, which lets the page open without a network: its registration, and how it does.

use js_sys::{Array, Function, Promise};
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{EventTarget, ServiceWorkerContainer};

use super::account;
use crate::app::dashboard_store::{ServiceState, ServiceStatus};
use crate::app::{ThisTab, address};

const SCRIPT: &str = "/service-worker.js";
const NAME: &str = "service worker";
const NOT_KEPT: &str = "The page's files could not be kept: it does not open without a network.";
const NO_REASON: &str = "The browser gave no reason.";

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
    // Before there is a worker: one that fails at once has told its reason by the time it is registered.
    let told = told_reason(&container, tab);
    let registered = JsFuture::from(container.register(&address::to(SCRIPT))).await;
    let ready = match (registered, container.ready()) {
        (Ok(registration), Ok(ready)) => {
            let first = Promise::race(&Array::of2(&ready, &given_up(&registration)));
            JsFuture::from(first).await
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match ready {
        Ok(registration) => {
            // A page that was on its way while the worker took over is not in its hands, and would get no
            // part of itself from it.
            if !get(&container, "controller").is_object() {
                let worker = get(&registration, "active");
                if let Ok(post) = get(&worker, "postMessage").dyn_into::<Function>() {
                    // Where it has ended again, the next one has this page.
                    let _ = post.call1(&worker, &JsValue::NULL);
                }
            }
            tell_account(&registration);
            service(ServiceState::Ok, "The page opens without a network.", told.get_untracked())
        }
        Err(error) => {
            let reason =
                told.get_untracked().or_else(|| words(&error)).unwrap_or_else(|| NO_REASON.to_owned());
            service(ServiceState::Down, NOT_KEPT, Some(reason))
        }
    }
}

/// Tells the worker whose copies this device has: it looks whether there is one before it waits for a slow line.
fn tell_account(registration: &JsValue) {
    let worker = get(registration, "active");
    let message = js_sys::Object::new();
    let account = account::current().unwrap_or_default();
    if let Ok(post) = get(&worker, "postMessage").dyn_into::<Function>()
        && js_sys::Reflect::set(&message, &"account".into(), &account.into()).is_ok()
    {
        // Where it has ended again, the next page tells it.
        let _ = post.call1(&worker, &message);
    }
}

/// The reason that a worker gave when it was given up: the browser itself tells that it was, in no order
/// with this. What comes after the page has called the service down is told still.
fn told_reason(container: &ServiceWorkerContainer, tab: ThisTab) -> RwSignal<Option<String>> {
    let reason = RwSignal::new(None);
    let tell = Closure::<dyn Fn(JsValue)>::new(move |event| {
        let Some(said) = words(&get(&event, "data")) else { return };
        reason.set(Some(said.clone()));
        let is_down = |one: &ServiceStatus| one.name == NAME && one.state == ServiceState::Down;
        if tab.services.with_untracked(|all| all.iter().any(is_down)) {
            tab.tell(service(ServiceState::Down, NOT_KEPT, Some(said)));
        }
    });
    container.set_onmessage(Some(tell.as_ref().unchecked_ref()));
    // It is there for as long as the page is.
    tell.forget();
    reason
}

/// Fails when the worker that is being installed is given up: without it nobody is told, and `ready`
/// waits for a next one.
fn given_up(registration: &JsValue) -> Promise {
    let worker = ["installing", "waiting", "active"].map(|name| get(registration, name));
    let worker = worker.into_iter().find(JsValue::is_object);
    Promise::new(&mut |_, reject| {
        let Some(worker) = &worker else {
            // A function of the browser's own takes any value.
            let _ = reject.call0(&JsValue::UNDEFINED);
            return;
        };
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

fn get(of: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(of, &name.into()).unwrap_or_default()
}

fn words(error: &JsValue) -> Option<String> {
    get(error, "message").as_string()
}

fn service(state: ServiceState, says: &str, last_error: Option<String>) -> ServiceStatus {
    ServiceStatus {
        name: NAME,
        label: "Opening offline",
        state,
        says: says.to_owned(),
        last_error,
        latency_ms: None,
        queue: None,
    }
}
