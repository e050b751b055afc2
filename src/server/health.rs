//! Health of the server: whether it lives, whether it is ready, and the state of each service in words.

pub mod capacity;
pub mod check;

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::build_info;
use super::clock::{now_ms, utc};
use super::disk::room;
use super::errors::ApiError;
use super::state::AppState;
use super::store::StoreError;
use super::store::last_write::Failing;
use crate::app::{ServerService, ServerStatus};
use crate::sync::protocol::Code;

/// A store that takes longer than this to answer counts as down.
const PING_WAIT: Duration = Duration::from_secs(2);
/// The built-in source samples once per second; older than this it stands still.
const SAMPLE_AGE_MS: u64 = 3_000;
/// A disk with less than one part in so many free is nearly full.
const NEARLY_FULL: u64 = 10;

#[derive(Serialize)]
pub struct Health {
    status: &'static str,
}

/// `GET /healthz`: the process lives.
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// `GET /readyz`: edits and points can be written, and the server is not stopping; else 503.
pub async fn readyz(State(state): State<AppState>) -> Result<Json<Health>, ApiError> {
    if state.is_draining() {
        return Err(ApiError::new(Code::Full, "The server is stopping."));
    }
    let unready = |reason: String| ApiError::new(Code::Full, reason);
    let dir = state.data_dir.clone();
    let store = timed(state.store.ping()).await;
    store.map_err(|error| unready(trouble(EDITS, state.store.condition().failing.as_ref(), &error, &dir)))?;
    let series = timed(state.series.ping()).await;
    series.map_err(|error| unready(trouble(POINTS, state.series.failing().as_ref(), &error, &dir)))?;
    Ok(Json(Health { status: "ok" }))
}

/// `GET /api/v1/status`: every service's state, in words.
pub async fn status(State(state): State<AppState>) -> Json<ServerStatus> {
    Json(server_status(&state).await)
}

/// The state of the server's own services.
pub async fn server_status(state: &AppState) -> ServerStatus {
    let uptime_ms = u64::try_from(state.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut services = vec![
        store_service(state).await,
        points_service(state).await,
        disk_service(&state.data_dir),
        clock_service(state),
        rooms_service(state),
        bus_service(),
        source_service(state),
    ];
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
    services.extend(capacity::services(state).await);
    let (build, commit) = (build_info::VERSION.to_owned(), Some(build_info::commit().to_owned()));
    ServerStatus { build, commit, uptime_ms, services }
}

async fn store_service(state: &AppState) -> ServerService {
    let pinged = timed(state.store.ping()).await;
    let condition = state.store.condition();
    let queue = Some(state.store.queue());
    let service = match pinged {
        Ok(latency) => answering("store", latency, "Every edit is on disk before anyone is told of it."),
        Err(error) => {
            failing("store", trouble(EDITS, condition.failing.as_ref(), &error, &state.data_dir), error)
        }
    };
    if condition.damage.is_empty() || service.state == "down" {
        return ServerService { queue, ..service };
    }
    ServerService { queue, state: "waiting".to_owned(), says: condition.damage.join(" "), ..service }
}

async fn points_service(state: &AppState) -> ServerService {
    match timed(state.series.ping()).await {
        Ok(latency) => answering("points", latency, "Every point is on disk before its sender is answered."),
        Err(error) => failing(
            "points",
            trouble(POINTS, state.series.failing().as_ref(), &error, &state.data_dir),
            error,
        ),
    }
}

fn answering(name: &str, latency: Duration, says: &str) -> ServerService {
    let latency_ms = Some((latency.as_secs_f64() * 100_000.0).round() / 100.0);
    ServerService { latency_ms, ..service(name, "ok", says.to_owned()) }
}

fn failing(name: &str, says: String, error: StoreError) -> ServerService {
    ServerService { last_error: Some(error.to_string()), ..service(name, "down", says) }
}

/// What waits, and where, while it cannot be written.
const EDITS: &str = "Edits wait in the browsers and are saved by themselves as soon as that works again.";
const POINTS: &str =
    "Points are turned down until that works again; who sends them keeps them and tries again.";

/// Why nothing is written, since when, and what to do.
fn trouble(waits: &str, failing: Option<&Failing>, error: &StoreError, dir: &Path) -> String {
    match failing {
        Some(Failing { since, error: StoreError::Full(_) }) => format!(
            "The disk is full since {} (UTC). {waits} Make room where {} is.",
            utc(*since, now_ms()),
            dir.display()
        ),
        Some(Failing { since, error }) => {
            format!("Writing fails since {} (UTC): {error}. {waits}", utc(*since, now_ms()))
        }
        None => format!("The store does not answer: {error}. {waits}"),
    }
}

fn disk_service(dir: &Path) -> ServerService {
    match room(dir) {
        Ok(room) if room.size == 0 => {
            service("disk", "ok", "This disk does not say how large it is.".to_owned())
        }
        Ok(room) => {
            let words = format!("{} of {} are free.", bytes(room.free), bytes(room.size));
            match room.free < room.size / NEARLY_FULL {
                false => service("disk", "ok", words),
                true => {
                    let says =
                        format!("The disk is nearly full: {words} Make room where {} is.", dir.display());
                    service("disk", "waiting", says)
                }
            }
        }
        Err(error) => {
            let says = "How much room the disk has is not known.".to_owned();
            ServerService { last_error: Some(error.to_string()), ..service("disk", "waiting", says) }
        }
    }
}

fn clock_service(state: &AppState) -> ServerService {
    match state.series.strange_clock() {
        None => service("clock", "ok", "This machine's clock agrees with what is stored.".to_owned()),
        Some(strange) => service("clock", "waiting", strange.in_words()),
    }
}

/// An amount for people, as `1.5 GB`.
pub(in crate::server) fn bytes(n: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let fits = units.into_iter().find(|(unit, _)| n >= *unit);
    fits.map_or_else(|| format!("{n} bytes"), |(unit, name)| format!("{:.1} {name}", n as f64 / unit as f64))
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

/// How long an answer took. One that takes too long is an error.
async fn timed(answer: impl Future<Output = Result<(), StoreError>>) -> Result<Duration, StoreError> {
    let started = Instant::now();
    match tokio::time::timeout(PING_WAIT, answer).await {
        Ok(answer) => answer.map(|()| started.elapsed()),
        Err(_) => Err(StoreError::Io(format!("no answer within {} s", PING_WAIT.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_with_its_time_and_place() {
        let full = StoreError::Full("no room".to_owned());
        let since = now_ms();
        let failing = Failing { since, error: full.clone() };
        let words = trouble(EDITS, Some(&failing), &full, Path::new("/var/lib/lockstep"));
        let clock = utc(since, since);
        assert!(words.starts_with(&format!("The disk is full since {clock} (UTC). Edits wait")), "{words}");
        assert!(words.ends_with("Make room where /var/lib/lockstep is."), "{words}");
    }

    #[test]
    fn amounts_are_short() {
        assert_eq!([999, 1_500, 98_000_000_000].map(bytes), ["999 bytes", "1.5 kB", "98.0 GB"]);
    }
}
