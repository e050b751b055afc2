//! Which pages may use this server: those that it served itself, and those of allowed origins.
//!
//! A browser says in `Origin` whose page makes a request and in `Host` whom it meant to reach. Both must
//! be ours, or any page on the web could edit dashboards through the browser of somebody who visits it.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

use super::config::Config;

/// The origins and hosts that count as this server.
#[derive(Clone, Debug)]
pub struct Origins {
    allowed: Vec<String>,
    /// True where it listens on this machine only. A foreign `Host` is then a page that made its own
    /// name point here (DNS rebinding), and passes for the same origin.
    local: bool,
}

impl Origins {
    pub fn new(config: &Config) -> Self {
        Self { allowed: config.allowed_origins.clone(), local: config.addr.ip().is_loopback() }
    }

    /// Whether the request means this server.
    pub fn is_own_host(&self, headers: &HeaderMap) -> bool {
        if !self.local {
            return true;
        }
        // A request without a host comes from no browser.
        let Some(host) = headers.get(HOST) else { return true };
        let Some(host) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else {
            return false;
        };
        let name = host.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let local = name == "localhost"
            || name.ends_with(".localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        local || self.allowed.iter().any(|allowed| authority(allowed).is_some_and(|a| a.host() == name))
    }

    /// Whether a request that changes something may come from where it comes. Without an `Origin` it is
    /// no browser's cross-site request.
    pub fn may_change(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        let origin = origin.to_ascii_lowercase();
        self.allowed.contains(&origin) || is_same_host(&origin, headers)
    }
}

/// Whether an origin's host and port are those that the request went to.
fn is_same_host(origin: &str, headers: &HeaderMap) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let (Some(origin), Some(host)) = (uri.authority(), host) else { return false };
    origin.host().eq_ignore_ascii_case(host.host())
        && origin.port_u16().unwrap_or(default) == host.port_u16().unwrap_or(default)
}

fn authority(origin: &str) -> Option<Authority> {
    origin.parse::<Uri>().ok()?.into_parts().authority
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn origins(local: bool) -> Origins {
        Origins { allowed: vec!["https://wall.example.com".to_owned()], local }
    }

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        let mut headers = HeaderMap::from_iter([(HOST, value(host))]);
        if let Some(origin) = origin {
            headers.insert(ORIGIN, value(origin));
        }
        headers
    }

    #[test]
    fn changes_come_from_own_pages_or_from_none() {
        let may = |host, origin| origins(false).may_change(&headers(host, origin));
        assert!(may("127.0.0.1:3000", None));
        assert!(may("127.0.0.1:3000", Some("http://127.0.0.1:3000")));
        assert!(may("a.example", Some("https://A.example:443")));
        assert!(may("127.0.0.1:3000", Some("https://wall.example.com")));
        for origin in [
            "null",
            "http://127.0.0.1:3001",
            "http://127.0.0.1",
            "https://wall.example.com.evil",
            "",
            "http://[",
        ] {
            assert!(!may("127.0.0.1:3000", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn on_this_machine_no_foreign_name_is_ours() {
        let own = |host| origins(true).is_own_host(&headers(host, None));
        for host in
            ["localhost:3000", "127.0.0.1", "127.8.8.8:1", "[::1]:3000", "a.localhost", "wall.example.com"]
        {
            assert!(own(host), "{host}");
        }
        for host in ["evil.example:3000", "10.0.0.1", "localhost.evil.example", "@", ""] {
            assert!(!own(host), "{host}");
        }
        assert!(origins(false).is_own_host(&headers("anything", None)));
    }
}
