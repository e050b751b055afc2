//! Values of settings out of their texts.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::server::origin::Origin;

/// A value as it would stand in the environment.
pub(super) fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

pub(super) fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))),
        None => text.parse().ok(),
    }
}

pub(super) fn origins(text: &str) -> Option<Vec<Origin>> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(origin).collect()
}

pub(super) fn networks(text: &str) -> Option<Vec<IpNet>> {
    let network = |text: &str| text.parse().ok().or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)));
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(network).collect()
}

/// An origin as people write it, with a slash at its end or without.
pub(super) fn origin(text: &str) -> Option<Origin> {
    Origin::read(text.strip_suffix('/').unwrap_or(text))
}
