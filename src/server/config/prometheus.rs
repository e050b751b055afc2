//! The settings of Prometheus servers: the only ones that can be asked, whatever a dashboard says.

use std::fmt;

use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::dashboard::Id;

/// Sources that this server has anyway.
const TAKEN: [&str; 4] = ["table", "series", "push", "this-server"];

/// A text that no log, error or answer shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself, for those who send or compare it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// How a server lets us in: the value of the header `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    Open,
    Header(Secret),
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prometheus {
    pub name: String,
    /// Without a slash at its end, and without what lets us in.
    pub url: String,
    pub access: Access,
}

impl Prometheus {
    /// A server under a name. Errors say what would fit.
    fn new(name: &str, url: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("{what} (of {name:?})"));
        if Id::new(name).is_err() || TAKEN.contains(&name) {
            return wrong(
                "a name of up to 64 letters, digits, _ and -, which is not one of this server's own",
            );
        }
        // A password goes into the header, and the address has none from here on.
        let (url, access) = match url.split_once("://").and_then(|(scheme, rest)| {
            let end = rest.find('/').unwrap_or(rest.len());
            let (user, host) = rest[..end].rsplit_once('@')?;
            Some((format!("{scheme}://{host}{}", &rest[end..]), basic(&decoded(user))))
        }) {
            Some((url, access)) => (url, access),
            None => (url.to_owned(), Access::Open),
        };
        let fits = url.parse::<Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some()
                && uri.query().is_none()
        });
        if !fits {
            return wrong(
                "an address such as http://127.0.0.1:9090 or https://metrics.example.com/prometheus",
            );
        }
        Ok(Self { name: name.to_owned(), url: url.trim_end_matches('/').to_owned(), access })
    }
}

/// `user:password` as the header says it.
fn basic(user: &str) -> Access {
    Access::Header(Secret(format!("Basic {}", STANDARD.encode(user))))
}

/// Without percent signs, as they stand for bytes in an address.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let code = text.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(code) => {
                out.push(code);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads `main=http://127.0.0.1:9090,other=https://user:password@metrics.example.com`.
pub(super) fn read_list(text: &str) -> Option<Vec<Prometheus>> {
    let mut servers: Vec<Prometheus> = Vec::new();
    for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let (name, url) = one.split_once('=')?;
        let server = Prometheus::new(name.trim(), url.trim()).ok()?;
        if servers.iter().any(|known| known.name == server.name) {
            return None;
        }
        servers.push(server);
    }
    Some(servers)
}

/// Reads the tables of `[lockstep.prometheus.main]`: `url`, and `user` with `password` or `token` where the
/// server asks for them. Errors say what would fit.
pub(super) fn read_tables(tables: &toml::Table) -> Result<Vec<Prometheus>, String> {
    let read = |(name, table): (&String, &toml::Value)| {
        let wants = |what: &str| format!("{what} in [lockstep.prometheus.{name}]");
        let table = table.as_table().ok_or_else(|| wants("a table with `url`"))?;
        let known = ["url", "user", "password", "token"];
        if let Some(other) = table.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(wants(&format!("url, user, password and token, and not {other:?},")));
        }
        let text = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(wants(&format!("text for `{key}`"))),
        };
        let url = text("url")?.ok_or_else(|| wants("`url`"))?;
        let mut server = Prometheus::new(name, url)?;
        match (text("user")?, text("password")?, text("token")?) {
            (None, None, None) => {}
            (Some(user), password, None) => {
                server.access = basic(&format!("{user}:{}", password.unwrap_or_default()));
            }
            (None, None, Some(token)) => {
                server.access = Access::Header(Secret(format!("Bearer {token}")));
            }
            _ => return Err(wants("either `user` with `password`, or `token`,")),
        }
        Ok(server)
    };
    tables.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(server: &Prometheus) -> &str {
        match &server.access {
            Access::Open => "",
            Access::Header(secret) => secret.reveal(),
        }
    }

    #[test]
    fn servers_read_from_a_line_or_from_tables() {
        let line = "main=http://127.0.0.1:9090/, far=https://ada:p%40ss@metrics.example.com/prometheus";
        let servers = read_list(line).expect("reads");
        assert_eq!((servers[0].url.as_str(), header(&servers[0])), ("http://127.0.0.1:9090", ""));
        assert_eq!(servers[1].url, "https://metrics.example.com/prometheus");
        assert_eq!(header(&servers[1]), "Basic YWRhOnBAc3M=");
        let file = "[main]\nurl = 'http://a:1'\n[other]\nurl = 'https://b'\ntoken = 'xyz'\n[third]\nurl = 'http://c'\nuser = 'u'\npassword = 'p'";
        let servers = read_tables(&file.parse().expect("TOML")).expect("reads");
        let said: Vec<&str> = servers.iter().map(header).collect();
        assert_eq!(said, ["", "Bearer xyz", "Basic dTpw"]);
        assert!(!format!("{servers:?}").contains("xyz"));
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for line in [
            "http://a",
            "table=http://a",
            "a b=http://a",
            "a=ftp://b",
            "a=b",
            "a=http://b?c=d",
            "a=http://b,a=http://c",
        ] {
            assert_eq!(read_list(line), None, "{line}");
        }
        for file in [
            "[a]\nurl = 3",
            "[a]",
            "[a]\nurl = 'http://b'\npass = 'x'",
            "[a]\nurl='http://b'\ntoken='t'\nuser='u'",
            "a = 'http://b'",
        ] {
            assert!(read_tables(&file.parse().expect("TOML")).is_err(), "{file}");
        }
    }
}
