//! The HTTP interface: dashboards, the guest's name, and how the server is.

pub mod data;
pub mod documents;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::auth::{Guest, MAX_NAME_CHARS, clean_name};
use super::clock::now_ms;
use super::errors::ApiError;
use super::rooms::input::Read;
use super::state::AppState;
use super::store::Listed;
use crate::app::{DashboardCard, ServerService, ServerStatus};
use crate::dashboard::{Dashboard, DashboardId, MAX_TITLE_CHARS, User};
use crate::sync::protocol::Code;

/// The build that answers.
const BUILD: &str = env!("CARGO_PKG_VERSION");
/// A store that takes longer than this to answer counts as down.
const PING_WAIT: Duration = Duration::from_secs(2);
/// The built-in source samples once per second; older than this it stands still.
const SAMPLE_AGE_MS: u64 = 3_000;

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

#[derive(Serialize)]
pub struct Snapshot {
    epoch: String,
    revision: u64,
    dashboard: std::sync::Arc<Dashboard>,
}

/// `GET /api/v1/dashboards/{id}`: `{"epoch","revision","dashboard"}`.
pub async fn read(
    State(state): State<AppState>,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<Json<Snapshot>, ApiError> {
    let Read { epoch, revision, dashboard, .. } = state.rooms.snapshot(&id?.0).await?;
    Ok(Json(Snapshot { epoch, revision, dashboard }))
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

#[derive(Serialize)]
pub struct Health {
    status: &'static str,
}

/// `GET /healthz`: the process lives.
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// `GET /readyz`: the store answers and the server is not stopping; else 503.
pub async fn readyz(State(state): State<AppState>) -> Result<Json<Health>, ApiError> {
    if state.is_draining() {
        return Err(ApiError::new(Code::Full, "The server is stopping."));
    }
    match ping(&state).await {
        Ok(_) => Ok(Json(Health { status: "ok" })),
        Err(reason) => Err(ApiError::new(Code::Full, format!("The store does not answer: {reason}."))),
    }
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
    ] {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// `GET /api/v1/status`: every service's state, in words.
pub async fn status(State(state): State<AppState>) -> Json<ServerStatus> {
    Json(server_status(&state).await)
}

/// The state of the server's own services.
pub async fn server_status(state: &AppState) -> ServerStatus {
    let uptime_ms = u64::try_from(state.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut services =
        vec![store_service(state).await, rooms_service(state), bus_service(), source_service(state)];
    services.extend(state.rooms.sources().all().map(|source| {
        let is = source.state();
        let name = if source.name().is_empty() { "pushed" } else { source.name() };
        ServerService {
            name: format!("source-{name}"),
            state: is.state.to_owned(),
            says: is.says,
            last_error: is.last_error,
            latency_ms: is.latency_ms,
            queue: None,
        }
    }));
    ServerStatus { build: BUILD.to_owned(), uptime_ms, services }
}

async fn store_service(state: &AppState) -> ServerService {
    let queue = Some(state.store.queue());
    let name = "store".to_owned();
    match ping(state).await {
        Ok(latency) => ServerService {
            name,
            state: "ok".to_owned(),
            says: "Every edit is on disk before anyone is told of it.".to_owned(),
            last_error: None,
            latency_ms: Some((latency.as_secs_f64() * 100_000.0).round() / 100.0),
            queue,
        },
        Err(reason) => ServerService {
            name,
            state: "down".to_owned(),
            says: "The store does not answer. Edits wait in the browsers until it does.".to_owned(),
            last_error: Some(reason),
            latency_ms: None,
            queue,
        },
    }
}

fn rooms_service(state: &AppState) -> ServerService {
    let (rooms, sessions) = (state.metrics.rooms.load(Relaxed), state.metrics.sessions.load(Relaxed));
    let (is, says) = if state.is_draining() {
        ("waiting", "The server is stopping. Browsers come back by themselves.".to_owned())
    } else {
        ("ok", format!("{} open, with {}.", count(rooms, "dashboard"), count(sessions, "session")))
    };
    service("rooms", is, says)
}

fn bus_service() -> ServerService {
    service("bus", "ok", "In this process: one server, so there is nobody else to tell.".to_owned())
}

fn source_service(state: &AppState) -> ServerService {
    let age = state.source.last_sample().map(|at| now_ms().saturating_sub(at));
    let (is, says) = match age {
        Some(age) if age <= SAMPLE_AGE_MS => ("ok", "Sampled once per second.".to_owned()),
        Some(age) => ("down", format!("The last sample is {} s old.", age / 1000)),
        None => ("waiting", "The first sample is on its way.".to_owned()),
    };
    service("source-this-server", is, says)
}

fn service(name: &str, state: &str, says: String) -> ServerService {
    let (name, state) = (name.to_owned(), state.to_owned());
    ServerService { name, state, says, last_error: None, latency_ms: None, queue: None }
}

fn count(n: i64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

async fn ping(state: &AppState) -> Result<Duration, String> {
    let started = Instant::now();
    match tokio::time::timeout(PING_WAIT, state.store.ping()).await {
        Ok(Ok(())) => Ok(started.elapsed()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PING_WAIT.as_secs())),
    }
}
