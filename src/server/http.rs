//! The HTTP interface: dashboards, the guest's name, and metrics.

pub mod dashboards;
pub mod data;
pub mod documents;

mod etag;

use std::fmt::Write as _;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;

use super::access::AccessError;
use super::auth::{Guest, clean_name};
use super::errors::ApiError;
use super::state::AppState;
use crate::sync::protocol::Code;

#[derive(Deserialize)]
pub struct Rename {
    name: String,
}

/// `PUT /api/v1/me` `{"name":"..."}`: the guest under the new name, known by a new cookie.
pub async fn rename(
    State(state): State<AppState>,
    guest: Option<Extension<Guest>>,
    headers: HeaderMap,
    body: Result<Json<Rename>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(Rename { name }) = body?;
    let Some(name) = clean_name(&name) else {
        return Err(ApiError::new(Code::Invalid, AccessError::NoName.to_string()));
    };
    let guest = guest.map_or_else(Guest::someone, |Extension(guest)| guest);
    let guest = Guest::new(guest.user.id, name);
    let cookie = state.guests.cookie(&guest, is_secure(&headers));
    Ok(([(SET_COOKIE, cookie)], Json(guest.user)).into_response())
}

/// Whether the browser came over TLS, as the proxy in front says.
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
