//! The settings of servers that can be asked for JSON.

use std::path::Path;

use axum::http::{HeaderName, HeaderValue};

use super::secret::Secret;
use super::tables::{self, Access, check_name, read_url};

/// Headers of one server that the settings name.
const MAX_HEADERS: usize = 20;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    pub name: String,
    /// Below which people may ask; without a slash at its end, and without what lets us in.
    pub url: String,
    pub access: Access,
    /// What every request has besides, by the names of the headers.
    pub headers: Vec<(String, Secret)>,
}

impl Http {
    /// A server under a name. Errors say what would fit.
    fn new(name: &str, url: &str) -> Result<Self, String> {
        check_name(name)?;
        let fits = "an address such as https://api.example.com/v1, without `?`, `..` and `%`";
        let plain = |url: &str| {
            !url.contains(['%', '\\', '#']) && !url.split('/').any(|part| matches!(part, "." | ".."))
        };
        let (url, access) =
            read_url(url).filter(|(url, _)| plain(url)).ok_or_else(|| format!("{fits} (of {name:?})"))?;
        Ok(Self { name: name.to_owned(), url, access, headers: Vec::new() })
    }
}

/// Reads `weather=https://api.open-meteo.com/v1,house=http://user:password@127.0.0.1:8123/api`.
pub(super) fn read_list(text: &str) -> Option<Vec<Http>> {
    tables::read_list(text, Http::new)
}

/// Reads the tables of `[lockstep.http.weather]`: `url`; `user` with `password` or `token`, which may stand in files;
/// and `headers`, a table of texts. With the servers come warnings. Errors say what would fit.
pub(super) fn read_tables(tables: &toml::Table, dir: &Path) -> Result<(Vec<Http>, Vec<String>), String> {
    let known = ["url", "user", "password", "password_file", "token", "token_file", "headers"];
    tables::read_tables("http", tables, dir, &known, |table| {
        let mut server = Http::new(table.name, &table.url()?)?;
        if let Some(access) = table.access()? {
            server.access = access;
        }
        let Some(headers) = table.get("headers") else { return Ok(server) };
        let wants =
            || table.wants(&format!("up to {MAX_HEADERS} names and texts that fit in headers for `headers`"));
        for (name, value) in headers.as_table().filter(|all| all.len() <= MAX_HEADERS).ok_or_else(wants)? {
            let value = value.as_str().ok_or_else(wants)?;
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| wants())?;
            HeaderValue::from_str(value).map_err(|_| wants())?;
            server.headers.push((name.clone(), Secret::new(value)));
        }
        Ok(server)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_read_from_a_line_or_from_tables() {
        let read =
            read_list("weather=https://api.example.com/v1/,house=http://a:b@127.0.0.1:8123").expect("reads");
        assert_eq!((read[0].url.as_str(), &read[0].access), ("https://api.example.com/v1", &Access::Open));
        assert_eq!(read[1].access, Access::basic("a:b"));
        let file = "[a]\nurl = 'http://b'\ntoken = 't'\n[a.headers]\n\"X-Api-Key\" = 'k3y'";
        let (read, _) = read_tables(&file.parse().expect("TOML"), Path::new("")).expect("reads");
        assert_eq!(read[0].headers, [("X-Api-Key".to_owned(), Secret::new("k3y"))]);
        assert!(!format!("{read:?}").contains("k3y"));
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for line in [
            "a=ftp://b",
            "a=http://b?c",
            "a=http://b/../c",
            "a=http://b/%2e%2e/c",
            "table=http://b",
            "a=http://b#c",
        ] {
            assert_eq!(read_list(line), None, "{line}");
        }
        for file in [
            "[a]",
            "[a]\nurl='http://b'\nheaders=1",
            "[a]\nurl='http://b'\n[a.headers]\n'a b'='c'",
            "[a]\nurl='http://b'\n[a.headers]\nb=\"c\\n\"",
        ] {
            assert!(read_tables(&file.parse().expect("TOML"), Path::new("")).is_err(), "{file}");
        }
    }
}
