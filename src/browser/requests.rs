//! Requests of this tab's services to their server.

use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestInit, Response};

use crate::app::address;

/// The text at a path of this server; `None` where it could not be had.
pub async fn text(path: &str) -> Option<String> {
    let response = JsFuture::from(window().fetch_with_str(&address::to(path))).await.ok()?;
    let response: Response = response.unchecked_into();
    if !response.ok() {
        return None;
    }
    JsFuture::from(response.text().ok()?).await.ok()?.as_string()
}

/// The status that a path of this server answers with; `None` where it could not be had.
pub async fn status(path: &str) -> Option<u16> {
    let response = JsFuture::from(window().fetch_with_str(&address::to(path))).await.ok()?;
    Some(response.unchecked_into::<Response>().status())
}

/// Sends JSON; the answer's text, or `None` where it did not go well.
pub async fn send(method: &str, path: &str, json: &str) -> Option<String> {
    let headers = Headers::new().ok()?;
    headers.set("content-type", "application/json").ok()?;
    let init = RequestInit::new();
    init.set_method(method);
    init.set_headers(&headers);
    init.set_body(&JsValue::from_str(json));
    let response = JsFuture::from(window().fetch_with_str_and_init(&address::to(path), &init)).await.ok()?;
    let response: Response = response.unchecked_into();
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    response.ok().then_some(text)
}
