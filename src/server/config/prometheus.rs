//! The settings of Prometheus servers: the only ones that can be asked, whatever a dashboard says.

use std::path::Path;
use std::time::Duration;

use super::tables::{self, Access, check_name, read_url};

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
        check_name(name)?;
        let (url, access) = read_url(url).ok_or_else(|| {
            let fits = "an address such as http://127.0.0.1:9090 or https://metrics.example.com/prometheus";
            format!("{fits} (of {name:?})")
        })?;
        Ok(Self { name: name.to_owned(), url, access, overlap: DEFAULT_OVERLAP })
    }
}

/// Reads `main=http://127.0.0.1:9090,other=https://user:password@metrics.example.com`.
pub(super) fn read_list(text: &str) -> Option<Vec<Prometheus>> {
    tables::read_list(text, Prometheus::new)
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
    let known = ["url", "user", "password", "password_file", "token", "token_file", "overlap"];
    tables::read_tables("prometheus", tables, dir, &known, |table| {
        let mut server = Prometheus::new(table.name, &table.url()?)?;
        server.overlap = overlap.unwrap_or(server.overlap);
        if let Some(own) = table.get("overlap") {
            server.overlap =
                read_overlap(&own.to_string()).ok_or_else(|| table.wants("seconds for `overlap`"))?;
        }
        if let Some(access) = table.access()? {
            server.access = access;
        }
        Ok(server)
    })
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
