//! Sources that settings name: on one line, or as tables of the file with secrets in files of their own.

use std::path::Path;

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

impl Access {
    /// `user:password` as the header says it.
    pub(super) fn basic(user: &str) -> Self {
        Self::Header(Secret::new(&format!("Basic {}", STANDARD.encode(user))))
    }
}

/// Checks the name of a source. Errors say what would fit.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if Id::new(name).is_err() || TAKEN.contains(&name) {
        let fits = "a name of up to 64 letters, digits, _ and -, which is not one of this server's own";
        return Err(format!("{fits} (of {name:?})"));
    }
    Ok(())
}

/// Reads `main=...,other=...`; `None` where a part does not read, or a name stands there twice.
pub(super) fn read_list<T>(text: &str, read: impl Fn(&str, &str) -> Result<T, String>) -> Option<Vec<T>> {
    let (mut all, mut names) = (Vec::new(), Vec::new());
    for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let (name, address) = one.split_once('=')?;
        all.push(read(name.trim(), address.trim()).ok()?);
        if names.contains(&name.trim()) {
            return None;
        }
        names.push(name.trim());
    }
    Some(all)
}

/// Without percent signs, as they stand for bytes in an address.
pub(super) fn decoded(text: &str) -> String {
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

/// An address of HTTP without what lets us in, and that by itself. `None` where it is none.
pub(super) fn read_url(url: &str) -> Option<(String, Access)> {
    let parts = url.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find('/').unwrap_or(rest.len());
        let (user, host) = rest[..end].rsplit_once('@')?;
        Some((format!("{scheme}://{host}{}", &rest[end..]), Access::basic(&decoded(user))))
    });
    let (url, access) = parts.unwrap_or_else(|| (url.to_owned(), Access::Open));
    let fits = url.parse::<axum::http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.query().is_none()
    });
    fits.then(|| (url.trim_end_matches('/').to_owned(), access))
}

/// The table of one source, as `[lockstep.prometheus.main]`.
pub(super) struct Table<'a> {
    setting: &'static str,
    pub(super) name: &'a str,
    table: &'a toml::Table,
    /// What paths begin at.
    pub(super) dir: &'a Path,
    pub(super) warnings: Vec<String>,
}

impl<'a> Table<'a> {
    /// Errors where it is no table, or has a key that is not known.
    pub(super) fn new(
        setting: &'static str,
        (name, value): (&'a String, &'a toml::Value),
        dir: &'a Path,
        known: &[&str],
    ) -> Result<Self, String> {
        let no_table = || format!("a table with `url` in [lockstep.{setting}.{name}]");
        let table = value.as_table().ok_or_else(no_table)?;
        let read = Self { setting, name, table, dir, warnings: Vec::new() };
        match table.keys().find(|key| !known.contains(&key.as_str())) {
            Some(other) => Err(read.wants(&format!("{}, and not {other:?},", known.join(", ")))),
            None => Ok(read),
        }
    }

    /// What would fit.
    pub(super) fn wants(&self, what: &str) -> String {
        format!("{what} in [lockstep.{}.{}]", self.setting, self.name)
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a toml::Value> {
        self.table.get(key)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, String> {
        match self.table.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wants(&format!("text for `{key}`"))),
        }
    }

    pub(super) fn url(&self) -> Result<String, String> {
        self.text("url")?.ok_or_else(|| self.wants("`url`"))
    }

    /// A secret under its key, or in the file that the key with `_file` behind it names.
    pub(super) fn secret(&mut self, key: &str) -> Result<Option<String>, String> {
        let file = format!("{key}_file");
        let secret = match (self.text(key)?, self.text(&file)?) {
            (Some(_), Some(_)) => return Err(self.wants(&format!("either `{key}` or `{file}`"))),
            (own, None) => own,
            (None, Some(path)) => {
                let (text, warning) = secret::read_file(&self.dir.join(path))
                    .map_err(|reason| self.wants(&format!("a file to read for `{file}` ({reason})")))?;
                self.warnings.extend(warning);
                Some(text)
            }
        };
        match secret.as_deref().map(str::trim) {
            Some("") => Err(self.wants(&format!("a `{key}` that is not empty"))),
            _ => Ok(secret),
        }
    }

    /// `user` with `password`, or `token`; `None` where the table says nothing of it.
    pub(super) fn access(&mut self) -> Result<Option<Access>, String> {
        match (self.text("user")?, self.secret("password")?, self.secret("token")?) {
            (None, None, None) => Ok(None),
            (Some(user), password, None) => {
                Ok(Some(Access::basic(&format!("{user}:{}", password.unwrap_or_default()))))
            }
            (None, None, Some(token)) => {
                Ok(Some(Access::Header(Secret::new(&format!("Bearer {}", token.trim())))))
            }
            _ => Err(self.wants("either `user` with `password`, or `token`,")),
        }
    }
}

/// Reads all tables of a setting. With what they name come warnings.
pub(super) fn read_tables<T>(
    setting: &'static str,
    tables: &toml::Table,
    dir: &Path,
    known: &[&str],
    read: impl Fn(&mut Table<'_>) -> Result<T, String>,
) -> Result<(Vec<T>, Vec<String>), String> {
    let (mut all, mut warnings) = (Vec::new(), Vec::new());
    for entry in tables {
        let mut table = Table::new(setting, entry, dir, known)?;
        all.push(read(&mut table)?);
        warnings.append(&mut table.warnings);
    }
    Ok((all, warnings))
}
