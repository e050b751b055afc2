//! Summary of who may do what, for the log at the start: an open door is one that somebody chose.

use std::net::SocketAddr;

use super::Mode;
use crate::app::access::Role;
use crate::server::config::Config;
use crate::server::origin::Origins;

/// Says it, with what the settings say that may not be meant so.
pub fn log(config: &Config, mode: Mode, addr: SocketAddr, origins: &Origins) {
    for warning in &config.warnings {
        tracing::warn!("settings: {warning}");
    }
    for line in lines(config, mode, addr, origins) {
        tracing::info!("{line}");
    }
}

fn lines(config: &Config, mode: Mode, addr: SocketAddr, origins: &Origins) -> Vec<String> {
    let reach = if mode == Mode::Accounts {
        format!("people with an account, each what they have a role on, at {addr}")
    } else if addr.ip().is_loopback() {
        format!("everybody on this machine, at {addr}")
    } else {
        format!("everybody who reaches {addr} from any machine: there is no sign-in")
    };
    let push = match config.ingest_token {
        Some(_) if mode == Mode::Accounts => {
            "whoever sends the ingest token, or an API token that may push".to_owned()
        }
        Some(_) => "whoever sends the ingest token".to_owned(),
        None if mode == Mode::Accounts => "whoever sends an API token that may push".to_owned(),
        None => reach.clone(),
    };
    let guests = match config.guests {
        None => "nothing but what a share link opens",
        Some(Role::Viewer) => "looking at the dashboards of the team Everyone",
        Some(_) => "editing the dashboards of the team Everyone",
    };
    let named = config.proxy.as_ref().map_or_else(
        || "nobody".to_owned(),
        |proxy| format!("whom one of those proxies names in the header {}", proxy.user),
    );
    let list = |all: Vec<String>| if all.is_empty() { "none".to_owned() } else { all.join(", ") };
    let allowed = config.allowed_origins.iter().map(ToString::to_string).collect();
    let proxies = config.trusted_proxies.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!("who may read and edit dashboards: {reach}"),
        format!("who may push points and delete series: {push}"),
        format!("hosts that count as this server: any IP address, {}", origins.hosts().join(", ")),
        format!("other origins whose pages may use it: {}", list(allowed)),
        format!("proxies whose X-Forwarded-For counts: {}", list(proxies)),
    ];
    if mode == Mode::Accounts {
        lines.push(format!("what people without an account may do: {guests}"));
        lines.push(format!("who is signed in by a proxy: {named}"));
        if config.second_factor_required {
            lines.push("whoever signs in with a password needs a code of an app, too".to_owned());
        }
    }
    lines
}
