//! The HTTP interface: dashboards, people and their access, the audit log, and metrics.

pub mod account;
pub mod admin;
pub mod audit;
mod cookie;
pub mod dashboards;
pub mod data;
pub mod documents;
pub mod links;
pub mod oidc;
pub mod screens;
pub mod second_factor;
pub mod sharing;
pub mod sign_in;
pub mod tokens;

mod etag;

use std::fmt::Write as _;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::access::who::Who;
use super::access::{AccessError, Requester};
use super::audit::Sender;
use super::auth::{clean_name, person, someone};
use super::errors::ApiError;
use super::state::AppState;
use crate::app::audit::{Action, Detail};

#[derive(Deserialize)]
pub struct Rename {
    name: String,
}

/// `PUT /api/v1/me` `{"name":"..."}`: whoever asks under the new name, a guest known by a new cookie.
pub async fn rename(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    from: Requester,
    headers: HeaderMap,
    body: Result<Json<Rename>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(Rename { name }) = body?;
    if let Some(visiting) = who.visiting() {
        let visit = state.access().rename_visitor(&visiting.visit.hash, &name, &from).await?;
        return Ok(Json(visit.person()).into_response());
    }
    if let Who::Public(guest) = who {
        let name = state.access().guests_wish(&name, &from)?;
        let cookie = state.guests.cookie(&person(guest.id.clone(), name.clone()), is_secure(&headers));
        let guest = state.access().guest(person(guest.id, name));
        return Ok(([(SET_COOKIE, cookie)], Json(guest)).into_response());
    }
    let name = clean_name(&name).ok_or(AccessError::NoName)?;
    if let Some(signed_in) = who.signed_in() {
        let account =
            state.access().change_account(&signed_in.account.id, |account| account.name = name).await?;
        let renamed_from = Some(signed_in.account.name.clone());
        let detail = Detail { renamed_from, ..Detail::default() };
        let entry = sender.did(Action::AccountChanged, account.as_target()).with(detail);
        state.access().record(vec![entry]).await;
        return Ok(Json(person(account.id, account.name)).into_response());
    }
    let guest = who.user().unwrap_or_else(someone);
    let guest = person(guest.id, name);
    let cookie = state.guests.cookie(&guest, is_secure(&headers));
    Ok(([(SET_COOKIE, cookie)], Json(guest)).into_response())
}

/// Whether the browser came over TLS, as the proxy in front says, or the connection itself.
pub fn is_secure(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// `GET /metrics`: Prometheus text.
pub async fn metrics(State(state): State<AppState>) -> Response {
    let mut text = state.metrics.prometheus_text();
    text.push_str(&state.rooms.sources().prometheus_text());
    text.push_str(&state.backups.prometheus_text());
    text.push_str(&super::health::capacity::prometheus_text(&state).await);
    let size = state.series.memory().size();
    for (name, help, value) in [
        ("lockstep_series", "Series that are pushed.", size.series),
        ("lockstep_series_points", "Points kept of them.", size.points),
        ("lockstep_series_bytes", "Bytes of memory that these take, about.", size.bytes),
        ("lockstep_unsent_bytes", "Bytes that wait to be sent.", state.rooms.unsent().bytes()),
        (
            "lockstep_tail_bytes",
            "Bytes of logs kept in memory for those who resume.",
            state.rooms.tail_bytes(),
        ),
    ] {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
