//! The settings of Prometheus servers: the only ones that can be asked, whatever a dashboard says.

use std::path::Path;
use std::time::Duration;

use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::secret::{self, Secret};
use crate::dashboard::Id;

/// Sources that this server has anyway.
const TAKEN: [&str; 4] = ["table", "series", "push", "this-server"];

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
    /// How long it may still correct or complete what it answered.
    pub overlap: Duration,
}

/// How long a server may correct what it answered, where the settings do not say: a scrape each minute, the
/// answer of a slow target, and what a server holds back of the newest points.
const DEFAULT_OVERLAP: Duration = Duration::from_secs(120);
/// The longest that can be set: a day.
const MAX_OVERLAP_S: u64 = 24 * 60 * 60;

/// Reads seconds.
pub(super) fn read_overlap(text: &str) -> Option<Duration> {
    text.trim().parse().ok().filter(|seconds| *seconds <= MAX_OVERLAP_S).map(Duration::from_secs)
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
        let (name, url) = (name.to_owned(), url.trim_end_matches('/').to_owned());
        Ok(Self { name, url, access, overlap: DEFAULT_OVERLAP })
    }
}

/// `user:password` as the header says it.
fn basic(user: &str) -> Access {
    Access::Header(Secret::new(&format!("Basic {}", STANDARD.encode(user))))
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
/// server asks for them; both may stand in files, `password_file` and `token_file`, whose paths begin at
/// `dir`; and `overlap` in seconds, without which that of all servers counts. With the servers come warnings.
/// Errors say what would fit.
pub(super) fn read_tables(
    tables: &toml::Table,
    dir: &Path,
    overlap: Option<Duration>,
) -> Result<(Vec<Prometheus>, Vec<String>), String> {
    let mut warnings = Vec::new();
    let mut read = |(name, table): (&String, &toml::Value)| {
        let wants = |what: &str| format!("{what} in [lockstep.prometheus.{name}]");
        let table = table.as_table().ok_or_else(|| wants("a table with `url`"))?;
        let known = ["url", "user", "password", "password_file", "token", "token_file", "overlap"];
        if let Some(other) = table.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(wants(&format!("{}, and not {other:?},", known.join(", "))));
        }
        let text = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wants(&format!("text for `{key}`"))),
        };
        let mut secret = |key: &str| {
            let file = format!("{key}_file");
            let secret = match (text(key)?, text(&file)?) {
                (Some(_), Some(_)) => return Err(wants(&format!("either `{key}` or `{file}`"))),
                (own, None) => own,
                (None, Some(path)) => {
                    let (text, warning) = secret::read_file(&dir.join(path))
                        .map_err(|reason| wants(&format!("a file to read for `{file}` ({reason})")))?;
                    warnings.extend(warning);
                    Some(text)
                }
            };
            match secret.as_deref().map(str::trim) {
                Some("") => Err(wants(&format!("a `{key}` that is not empty"))),
                _ => Ok(secret),
            }
        };
        let url = text("url")?.ok_or_else(|| wants("`url`"))?;
        let mut server = Prometheus::new(name, &url)?;
        server.overlap = overlap.unwrap_or(server.overlap);
        if let Some(own) = table.get("overlap") {
            server.overlap = read_overlap(&own.to_string()).ok_or_else(|| wants("seconds for `overlap`"))?;
        }
        match (text("user")?, secret("password")?, secret("token")?) {
            (None, None, None) => {}
            (Some(user), password, None) => {
                server.access = basic(&format!("{user}:{}", password.unwrap_or_default()));
            }
            (None, None, Some(token)) => {
                server.access = Access::Header(Secret::new(&format!("Bearer {}", token.trim())));
            }
            _ => return Err(wants("either `user` with `password`, or `token`,")),
        }
        Ok(server)
    };
    let servers = tables.iter().map(&mut read).collect::<Result<_, String>>()?;
    Ok((servers, warnings))
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
        let (servers, _) = read_tables(&file.parse().expect("TOML"), Path::new(""), None).expect("reads");
        let said: Vec<&str> = servers.iter().map(header).collect();
        assert_eq!(said, ["", "Bearer xyz", "Basic dTpw"]);
        assert!(!format!("{servers:?}").contains("xyz"));
        let file =
            "[main]\nurl = 'http://a:1'\noverlap = 30\n[other]\nurl = 'http://b'".parse().expect("TOML");
        let overlaps = |all| -> Vec<u64> {
            let (servers, _) = read_tables(&file, Path::new(""), all).expect("reads");
            servers.iter().map(|server| server.overlap.as_secs()).collect()
        };
        assert_eq!(overlaps(None), [30, 120]);
        assert_eq!(overlaps(Some(Duration::ZERO)), [30, 0]);
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
            "[a]\nurl='http://b'\ntoken=''",
            "[a]\nurl='http://b'\noverlap='long'",
            "[a]\nurl='http://b'\noverlap=-1",
            "[a]\nurl='http://b'\ntoken='t'\ntoken_file='f'",
            "[a]\nurl='http://b'\ntoken_file='none'",
        ] {
            assert!(read_tables(&file.parse().expect("TOML"), Path::new(""), None).is_err(), "{file}");
        }
    }
}
