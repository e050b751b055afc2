//! The log: to standard error, as the settings say, and without what people send.
//!
//! Libraries below write at the level `trace` what comes and goes byte by byte, and with it the secrets of
//! tabs, cookies and tokens. Of that level only this server's own words are let through, whatever is asked for.

use std::io::IsTerminal as _;

use axum::extract::Request;
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
