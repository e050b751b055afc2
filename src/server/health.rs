//! Health of the server: whether it lives, whether it is ready, and the state of each service in words.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::clock::now_ms;
use super::errors::ApiError;
use super::state::AppState;
use crate::app::{ServerService, ServerStatus};
use crate::sync::protocol::Code;

/// The build that answers.
const BUILD: &str = env!("CARGO_PKG_VERSION");
/// A store that takes longer than this to answer counts as down.
const PING_WAIT: Duration = Duration::from_secs(2);
/// The built-in source samples once per second; older than this it stands still.
const SAMPLE_AGE_MS: u64 = 3_000;

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
