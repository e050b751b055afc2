//! The log: to standard error, as the settings say, and without what people send.
//!
//! Libraries below write at the level `trace` what comes and goes byte by byte, and with it the secrets of
//! tabs, cookies and tokens. Of that level only this server's own words are let through, whatever is asked for.

use std::io::IsTerminal as _;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

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

fn is_safe(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let own = target.strip_prefix(OWN).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    *metadata.level() < Level::TRACE || own
}
