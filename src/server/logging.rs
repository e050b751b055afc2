//! The log: to standard error, as the settings say, and without what people send.
//!
//! Libraries below write at the level `trace` what comes and goes byte by byte, and with it the secrets of
//! tabs, cookies and tokens. Of that level only this server's own words are let through, whatever is asked for.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::StatusCode;
use tower_http::classify::ServerErrorsFailureClass;
use tower_http::trace::OnFailure;
use tracing::{Level, Metadata, Span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::access::policy::without_secret;
use super::config::{Config, LogFormat};

/// The crate whose words hold no secrets at any level.
const OWN: &str = "lockstep";

/// Begins the log.
pub fn init(config: &Config) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&config.log))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Text => log.finish().with(filter_fn(is_safe)).init(),
        LogFormat::Json => log.json().finish().with(filter_fn(is_safe)).init(),
    }
}

/// What stands before the words about a request: its path alone, as some programs put their password behind it, and of
/// one with a secret in it the route.
pub fn request_span(request: &Request) -> Span {
    tracing::debug_span!("request", method = %request.method(), path = without_secret(request.uri().path()))
}

/// Logs the answers of 500 and above: each as an error but those of 503, which the server gives on purpose while it has
/// too much to do, thousands of them in a bad minute. Of these one line says how many there were; what broke has said so
/// where it broke.
#[derive(Clone)]
pub struct FailureLog(Arc<Refusals>);

struct Refusals {
    since: Instant,
    /// How many since the last line.
    count: AtomicU64,
    /// When a line may be written again, in ms from `since`.
    next: AtomicU64,
}

impl Default for FailureLog {
    fn default() -> Self {
        Self(Arc::new(Refusals { since: Instant::now(), count: AtomicU64::new(0), next: AtomicU64::new(0) }))
    }
}

impl FailureLog {
    /// Between two lines about answers of 503.
    const REFUSALS_EVERY: Duration = Duration::from_secs(10);

    /// How many refusals the line that is due now is about, where one is.
    fn count_refusal(&self, now: Duration) -> Option<u64> {
        let count = self.0.count.fetch_add(1, Ordering::Relaxed) + 1;
        let now = now.as_millis() as u64;
        let next = self.0.next.load(Ordering::Relaxed);
        let then = now + Self::REFUSALS_EVERY.as_millis() as u64;
        let due = now >= next
            && self.0.next.compare_exchange(next, then, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        due.then(|| {
            self.0.count.fetch_sub(count, Ordering::Relaxed);
            count
        })
    }
}

impl OnFailure<ServerErrorsFailureClass> for FailureLog {
    fn on_failure(&mut self, class: ServerErrorsFailureClass, latency: Duration, _: &Span) {
        match class {
            ServerErrorsFailureClass::StatusCode(StatusCode::SERVICE_UNAVAILABLE) => {
                if let Some(count) = self.count_refusal(self.0.since.elapsed()) {
                    tracing::warn!(count, "requests were answered 503: too busy, or without its store");
                }
            }
            class => tracing::error!(%class, latency_ms = latency.as_millis() as u64, "a request failed"),
        }
    }
}

fn is_safe(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let own = target.strip_prefix(OWN).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    *metadata.level() < Level::TRACE || own
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::body::Body;

    use super::*;

    #[test]
    fn refusals_are_one_line_in_ten_seconds_and_none_is_left_out() {
        let log = FailureLog::default();
        let lines: Vec<_> =
            (0..25_000).filter_map(|ms| log.count_refusal(Duration::from_millis(ms))).collect();
        assert_eq!(lines, [1, 10_000, 10_000]);
        assert_eq!(log.count_refusal(Duration::from_secs(60)), Some(5_000));
    }

    #[test]
    fn what_stands_behind_a_path_and_a_secret_in_it_are_in_no_log() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let writer = Mutex::new(file.reopen().expect("opens"));
        let log = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(writer).finish();
        let secret = ["/write?u=ada&p=", "/s/", "/invitation/", "/reset/", "//S/x/", "/s//", "/reset/x?y="];
        tracing::subscriber::with_default(log, || {
            for path in secret.map(|path| format!("{path}tell-nobody")).iter().chain([&"/d/wall".to_owned()])
            {
                let request = Request::get(path).body(Body::empty()).expect("a request");
                request_span(&request).in_scope(|| tracing::error!("the disk is full"));
            }
        });
        let said = std::fs::read_to_string(file.path()).expect("reads");
        for path in ["/write", "/s/{code}", "/invitation/{code}", "/reset/{code}", "/d/wall"] {
            assert!(said.contains(path), "{path}: {said}");
        }
        assert!(!said.contains("tell-nobody"), "{said}");
    }
}
