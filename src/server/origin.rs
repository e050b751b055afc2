//! Origins of the pages that may use this server: its own, and allowed ones.
//!
//! A browser says in `Origin` whose page makes a request and in `Host` whom it meant to reach. Both must
//! be ours, or any page on the web could edit dashboards through the browser of somebody who visits it. A
//! page can make its own name point at this server (DNS rebinding) and pass for the same origin, so of names
//! only those count that are known to be ours. An address counts: no name is looked up to reach it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::config::Config;
use super::http::is_secure;
use crate::app::address::BasePath;

/// Characters of a host's name, as DNS has them.
const MAX_HOST_CHARS: usize = 253;
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Scheme, host and port of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads one as browsers write it, `https://host[:port]`. Anything more, such as a path or a
    /// user, is none; so is `null`, which a page says that has none.
    pub fn read(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let (host, port) = host_and_port(authority)?;
        Some(Self { https, host, port: port.unwrap_or(default_port(https)) })
    }

    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { https, host, port } = self;
        let scheme = if *https { "https" } else { "http" };
        let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.clone() };
        match *port == default_port(*https) {
            true => write!(f, "{scheme}://{host}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// Host and port of an authority without a user; the host in lower case, an address as it is written
/// shortest and without brackets.
fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
            (host.parse::<Ipv6Addr>().ok()?.to_string(), port)
        }
        None => {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            if host.is_empty() || host.len() > MAX_HOST_CHARS || !host.chars().all(known) {
                return None;
            }
            (host.to_ascii_lowercase(), port)
        }
    };
    let port = match port {
        None => None,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
        Some(_) => return None,
    };
    Some((host, port))
}

/// The origins and hosts that count as this server.
#[derive(Clone, Debug)]
pub struct Origins {
    /// The one of the settings under which this server is reached, and those whose pages may use it.
    allowed: Vec<Origin>,
    /// The one of the settings under which this server is reached.
    public: Option<Origin>,
    /// Names of this machine.
    names: Vec<String>,
    base: BasePath,
}

impl Origins {
    pub fn new(config: &Config) -> Self {
        let uname = rustix::system::uname();
        let allowed = config.public_url.iter().chain(&config.allowed_origins).cloned().collect();
        let (public, names) = (config.public_url.clone(), names_of(&uname.nodename().to_string_lossy()));
        Self { allowed, public, names, base: config.base_path.clone() }
    }

    /// The address of a path for somebody who is to open it elsewhere: under the origin of the settings, else under
    /// that of this request.
    pub fn address(&self, path: &str, headers: &HeaderMap) -> String {
        let said = || {
            let host = headers.get(HOST)?.to_str().ok()?;
            Origin::read(&format!("{}://{host}", if is_secure(headers) { "https" } else { "http" }))
        };
        let origin = self.public.clone().or_else(said).map(|origin| origin.to_string());
        format!("{}{}", origin.unwrap_or_default(), self.base.to(path))
    }

    /// What counts as this server's host beside addresses, for people.
    pub fn hosts(&self) -> Vec<&str> {
        let names = ["localhost"].into_iter().chain(self.names.iter().map(String::as_str));
        let mut all: Vec<&str> = names.chain(self.allowed.iter().map(Origin::host)).collect();
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|host| seen.insert(*host));
        all
    }

    /// Whether the request means this server.
    pub fn is_own_host(&self, headers: &HeaderMap) -> bool {
        let mut said = headers.get_all(HOST).iter();
        // A request without a host comes from no browser.
        let Some(host) = said.next() else { return true };
        let host = host.to_str().ok().and_then(host_and_port).filter(|_| said.next().is_none());
        let Some((host, _)) = host else { return false };
        host.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.ends_with(".localhost")
            || self.names.contains(&host)
            || self.allowed.iter().any(|allowed| allowed.host == host)
    }

    /// Whether a request may be answered that changes nothing: other sites' pages may lead here with a link,
    /// and have no other use for what is here.
    pub fn may_read(&self, method: &Method, headers: &HeaderMap) -> bool {
        let is = |name: HeaderName, wanted: &str| headers.get(name).is_some_and(|value| value == wanted);
        let visit =
            [Method::GET, Method::HEAD].contains(method) && is(MODE, "navigate") && is(DEST, "document");
        !is(SITE, "cross-site") || visit || headers.get(ORIGIN).is_some_and(|origin| self.allows(origin))
    }

    /// Whether a request that changes something may come from where it comes. Without an `Origin` it is
    /// no browser's cross-site request; what browsers say in `Sec-Fetch-Site` they say of all.
    pub fn may_change(&self, headers: &HeaderMap) -> bool {
        let mut said = headers.get_all(ORIGIN).iter();
        let cross_site = headers.get(SITE).is_some_and(|site| site == "cross-site");
        let Some(origin) = said.next() else { return !cross_site };
        if said.next().is_some() {
            return false;
        }
        self.allows(origin) || !cross_site && is_same_host(origin, headers)
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        read(origin).is_some_and(|origin| self.allowed.contains(&origin))
    }
}

fn read(origin: &HeaderValue) -> Option<Origin> {
    Origin::read(origin.to_str().ok()?)
}

/// Whether an origin's host and port are those that the request went to. The scheme is not compared:
/// a proxy in front may have taken TLS off.
fn is_same_host(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host_and_port(host.to_str().ok()?));
    let (Some(origin), Some((host, port))) = (read(origin), host) else { return false };
    origin.host == host && origin.port == port.unwrap_or(default_port(origin.https))
}

/// A machine's name as others may write it: whole, its first part, and that as mDNS has it.
fn names_of(machine: &str) -> Vec<String> {
    let Some((whole, None)) = host_and_port(machine.trim_end_matches('.')) else { return Vec::new() };
    let first = whole.split('.').next().unwrap_or_default().to_owned();
    let local = format!("{first}.local");
    let mut names = vec![whole, first, local];
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        let allowed = vec![Origin::read("https://wall.example.com").expect("an origin")];
        Origins { allowed, public: None, names: names_of("Rack7.lan"), base: BasePath::default() }
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_str(value).expect("a header"));
        }
        headers
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for (text, shown) in [
            ("https://A.example", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("https://a.example:8443", "https://a.example:8443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[0:0::1]", "http://[::1]"),
        ] {
            assert_eq!(Origin::read(text).expect(text).to_string(), shown);
        }
        for text in [
            "null",
            "",
            "a.example",
            "ftp://a.example",
            "https://",
            "https://a.example/",
            "https://a.example/path",
            "https://a.example?b",
            "https://a.example#b",
            "https://a@a.example",
            "https://a.example@b.example",
            "https://a.example:",
            "https://a.example:x",
            "https://a.example:+80",
            "https://a.example:70000",
            "https://a.example\\b",
            "https://a example",
            "https://a.example, https://b.example",
            "http://[",
            "http://[::1",
            "http://[::1]x",
            "http://[a.example]",
        ] {
            assert_eq!(Origin::read(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_to_open_elsewhere_is_that_of_the_settings_or_of_the_request() {
        let here = headers(&[(HOST, "192.0.2.7:3000")]);
        assert_eq!(origins().address("/screens", &here), "http://192.0.2.7:3000/screens");
        let proxied = headers(&[(HOST, "rack7"), (HeaderName::from_static("x-forwarded-proto"), "https")]);
        assert_eq!(origins().address("/screens", &proxied), "https://rack7/screens");
        assert_eq!(origins().address("/screens", &HeaderMap::new()), "/screens");
        let public = Origins { public: Origin::read("https://wall.example.com"), ..origins() };
        assert_eq!(public.address("/screens", &here), "https://wall.example.com/screens");
        let below = Origins { base: BasePath::read("/dash").expect("a path"), ..public };
        assert_eq!(below.address("/screens", &here), "https://wall.example.com/dash/screens");
    }

    #[test]
    fn only_addresses_and_known_names_are_this_server() {
        let own = |host: &str| origins().is_own_host(&headers(&[(HOST, host)]));
        for host in [
            "localhost:3000",
            "a.localhost",
            "127.0.0.1",
            "10.0.0.1:3000",
            "[::1]:3000",
            "[2001:db8::1]",
            "rack7",
            "RACK7.lan:3000",
            "rack7.local",
            "wall.example.com",
        ] {
            assert!(own(host), "{host}");
        }
        for host in [
            "evil.example:3000",
            "localhost.evil.example",
            "wall.example.com.evil.example",
            "10.0.0.1.evil.example",
            "rack7.evil.example",
            "rack8",
            "user@127.0.0.1",
            "@",
            "",
            "[evil.example]",
        ] {
            assert!(!own(host), "{host}");
        }
        assert!(origins().is_own_host(&headers(&[])), "no browser's");
        assert!(!origins().is_own_host(&headers(&[(HOST, "localhost"), (HOST, "evil.example")])));
    }

    #[test]
    fn changes_come_from_own_pages_or_from_none() {
        let may =
            |host: &str, origin: &str| origins().may_change(&headers(&[(HOST, host), (ORIGIN, origin)]));
        assert!(origins().may_change(&headers(&[(HOST, "127.0.0.1:3000")])));
        assert!(may("127.0.0.1:3000", "http://127.0.0.1:3000"));
        assert!(may("a.example", "https://A.example:443"));
        assert!(may("127.0.0.1:3000", "https://wall.example.com"));
        for origin in [
            "null",
            "http://127.0.0.1:3001",
            "http://127.0.0.1",
            "http://127.0.0.1:3000/",
            "http://a@127.0.0.1:3000",
            "https://wall.example.com.evil",
            "http://wall.example.com",
            "https://wall.example.com:444",
            "",
            "http://[",
        ] {
            assert!(!may("127.0.0.1:3000", origin), "{origin}");
        }
    }

    #[test]
    fn what_a_browser_calls_cross_site_is_refused_unless_somebody_follows_a_link() {
        let with = |method: Method, more: &[(HeaderName, &str)]| {
            let mut all = vec![(HOST, "127.0.0.1:3000"), (SITE, "cross-site")];
            all.extend(more.iter().cloned());
            let headers = headers(&all);
            (origins().may_read(&method, &headers), origins().may_change(&headers))
        };
        let link = [(MODE, "navigate"), (DEST, "document")];
        assert_eq!(with(Method::GET, &link), (true, false));
        assert_eq!(with(Method::POST, &link), (false, false), "a form");
        assert_eq!(with(Method::GET, &[(MODE, "navigate"), (DEST, "iframe")]), (false, false));
        assert_eq!(with(Method::GET, &[(MODE, "no-cors"), (DEST, "image")]), (false, false));
        assert_eq!(with(Method::GET, &[]), (false, false));
        assert_eq!(with(Method::POST, &[(ORIGIN, "http://127.0.0.1:3000")]), (false, false));
        assert_eq!(with(Method::POST, &[(ORIGIN, "https://wall.example.com")]), (true, true));
        let near = |origin: &str| {
            let site = (SITE, "same-site");
            origins().may_change(&headers(&[(HOST, "a.example"), site, (ORIGIN, origin)]))
        };
        assert!(near("http://a.example") && !near("http://b.a.example"));
        for site in ["same-origin", "none"] {
            let headers = headers(&[(HOST, "127.0.0.1"), (SITE, site)]);
            assert!(origins().may_read(&Method::GET, &headers) && origins().may_change(&headers));
        }
    }
}
