//! The HTTP interface: dashboards, the guest's name, and metrics.

pub mod data;
pub mod documents;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::auth::{Guest, MAX_NAME_CHARS, clean_name};
use super::errors::ApiError;
use super::large_body::large_body;
use super::rooms::frames;
use super::rooms::input::EncodedRead;
use super::state::AppState;
use super::store::Listed;
use crate::app::DashboardCard;
use crate::dashboard::{DashboardId, MAX_TITLE_CHARS, User};
use crate::sync::protocol::Code;

/// `GET /api/v1/dashboards`: an array, the one that changed last first.
pub async fn list(State(state): State<AppState>) -> Result<Json<Vec<DashboardCard>>, ApiError> {
    Ok(Json(cards(&state).await?))
}

/// The dashboards with who is in there now.
pub async fn cards(state: &AppState) -> Result<Vec<DashboardCard>, ApiError> {
    let listed = state.rooms.list().await?;
    let mut here: BTreeMap<DashboardId, Vec<User>> = state.rooms.here();
    let card = |one: Listed| DashboardCard {
        here: here.remove(&one.id).unwrap_or_default(),
        id: one.id,
        title: one.listing.title,
        widgets: one.listing.widgets,
        changed_at: one.listing.changed_at,
        changed_by: one.listing.changed_by,
    };
    Ok(listed.into_iter().map(card).collect())
}

#[derive(Deserialize)]
pub struct Create {
    title: String,
    /// The dashboard that the new one begins as; `None` for an empty one.
    #[serde(default)]
    copy_of: Option<DashboardId>,
}

#[derive(Serialize)]
pub struct Created {
    id: DashboardId,
}

/// `POST /api/v1/dashboards` `{"title":"...","copy_of":"..."}`, 1 to 200 characters: 201 `{"id":"..."}`.
pub async fn create(
    State(state): State<AppState>,
    body: Result<Json<Create>, JsonRejection>,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let Json(Create { title, copy_of }) = body?;
    let title = title.trim();
    let fits = (1..=MAX_TITLE_CHARS).contains(&title.chars().count()) && !title.chars().any(char::is_control);
    if !fits {
        let reason = format!("A title has 1 to {MAX_TITLE_CHARS} characters, on one line.");
        return Err(ApiError::new(Code::Invalid, reason));
    }
    let id = match copy_of {
        None => state.rooms.create(title).await?,
        Some(original) => state.rooms.copy(&original, title).await?,
    };
    Ok((StatusCode::CREATED, Json(Created { id })))
}

/// What stands before the dashboard.
#[derive(Serialize)]
struct Position {
    epoch: String,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// `GET /api/v1/dashboards/{id}`: `{"epoch","revision","token","dashboard"}`.
pub async fn read(
    State(state): State<AppState>,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<Response, ApiError> {
    let EncodedRead { epoch, revision, token, dashboard } = state.rooms.encoded(&id?.0).await?;
    let mut head = frames::json(&Position { epoch, revision, token });
    // The dashboard is encoded already: it is one more field.
    head.truncate(head.len() - 1);
    head.push_str(",\"dashboard\":");
    let mut response = large_body([head.into(), dashboard.bytes, "}".into()], dashboard.charge);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// `DELETE /api/v1/dashboards/{id}`: 204, also for those who have it open.
pub async fn delete(
    State(state): State<AppState>,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    state.rooms.delete(&id?.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

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
        let reason = format!("A name has 1 to {MAX_NAME_CHARS} characters that show, on one line.");
        return Err(ApiError::new(Code::Invalid, reason));
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
