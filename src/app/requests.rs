//! Requests of pages to their server.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Request, RequestInit, Response};

use crate::app::address;

/// Why a request brought nothing, for people.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    #[error("The server cannot be reached.")]
    Unreachable,
    #[error("{0}")]
    Refused(String),
}

/// Sends a request to this server and reads its JSON answer.
pub async fn request<T: serde::de::DeserializeOwned>(
    method: &str,
    path: &str,
    body: Option<&serde_json::Value>,
) -> Result<T, RequestError> {
    read(&send(method, path, body).await?)
}

/// Sends a request to this server; the answer as text.
pub async fn send(
    method: &str,
    path: &str,
    body: Option<&serde_json::Value>,
) -> Result<String, RequestError> {
    send_text(method, path, body.map(ToString::to_string)).await
}

/// As [`send`], with a body that is JSON already, or wants to be.
pub async fn send_text(method: &str, path: &str, body: Option<String>) -> Result<String, RequestError> {
    let headers: &[_] = if body.is_some() { &[("content-type", "application/json")] } else { &[] };
    text_of(fetch(method, path, headers, body).await?).await
}

/// Why a request that may wait for its answer brought none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollError {
    /// This server knows whoever asks no more.
    Forbidden,
    /// It did not answer, or something else did.
    Failed,
}

/// Reads JSON of this server, which may wait before it answers. After `patience` it is given up.
pub async fn poll<T: serde::de::DeserializeOwned>(path: &str, patience: Duration) -> Result<T, PollError> {
    let aborts = AbortController::new().map_err(|_| PollError::Failed)?;
    let init = RequestInit::new();
    init.set_method("GET");
    init.set_signal(Some(&aborts.signal()));
    let late = set_timeout_with_handle(move || aborts.abort(), patience);
    let answer = answer_of(&address::to(path), &init).await;
    if let Ok(late) = late {
        late.clear();
    }
    let (status, text) = answer.ok_or(PollError::Failed)?;
    // What stands before the server may turn a request away, too: that says nothing of who asks.
    let is_own =
        || serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|body| body["code"].is_string());
    match status {
        200 => serde_json::from_str(&text).map_err(|_| PollError::Failed),
        401 | 403 if is_own() => Err(PollError::Forbidden),
        _ => Err(PollError::Failed),
    }
}

/// The status and the text of an answer that came whole.
async fn answer_of(url: &str, init: &RequestInit) -> Option<(u16, String)> {
    let response = JsFuture::from(window().fetch_with_str_and_init(url, init)).await.ok()?;
    let response: Response = response.unchecked_into();
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    Some((response.status(), text))
}

/// What an address has, with the mark by which the server knows the same again.
pub struct Fresh<T> {
    pub value: T,
    pub etag: Option<String>,
}

/// Reads JSON of this server; `None` where it is still what `etag` marks.
pub async fn read_if_changed<T: serde::de::DeserializeOwned>(
    path: &str,
    etag: Option<&str>,
) -> Result<Option<Fresh<T>>, RequestError> {
    const NOT_MODIFIED: u16 = 304;
    let known = etag.map(|etag| ("if-none-match", etag));
    let response = fetch("GET", path, known.as_slice(), None).await?;
    if response.status() == NOT_MODIFIED {
        return Ok(None);
    }
    let etag = response.headers().get("etag").ok().flatten();
    Ok(Some(Fresh { value: read(&text_of(response).await?)?, etag }))
}

async fn fetch(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<String>,
) -> Result<Response, RequestError> {
    let init = RequestInit::new();
    init.set_method(method);
    if let Some(body) = &body {
        init.set_body(&JsValue::from_str(body));
    }
    let request = Request::new_with_str_and_init(&address::to(path), &init).map_err(unreachable)?;
    for (name, value) in headers {
        request.headers().set(name, value).map_err(unreachable)?;
    }
    let response = JsFuture::from(window().fetch_with_request(&request)).await.map_err(unreachable)?;
    Ok(response.unchecked_into())
}

/// The body of an answer that went well; else its reason.
async fn text_of(response: Response) -> Result<String, RequestError> {
    let text = JsFuture::from(response.text().map_err(unreachable)?).await.map_err(unreachable)?;
    let text = text.as_string().unwrap_or_default();
    if response.ok() {
        return Ok(text);
    }
    let reason = serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|answer| Some(answer.get("reason")?.as_str()?.to_owned()));
    Err(RequestError::Refused(
        reason.unwrap_or_else(|| format!("The server refused with status {}.", response.status())),
    ))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, RequestError> {
    serde_json::from_str(text)
        .map_err(|_| RequestError::Refused("The server answered something else; reload the page.".to_owned()))
}

fn unreachable(_: JsValue) -> RequestError {
    RequestError::Unreachable
}

/// A text as a part of an address.
pub fn in_address(text: &str) -> String {
    js_sys::encode_uri_component(text).into()
}

/// The names and values of this page's query, as they were before they stood in an address. What does not
/// read is left out.
pub fn query() -> Vec<(String, String)> {
    let search = window().location().search().unwrap_or_default();
    let pairs = search.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(name, value)| Some((name.to_owned(), as_written(value)?))).collect()
}

fn as_written(value: &str) -> Option<String> {
    js_sys::decode_uri_component(&value.replace('+', " ")).ok()?.as_string()
}
