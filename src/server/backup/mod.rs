//! Backups of the data directory: made while the server runs, verified before they count, put back.
//!
//! A backup is a directory `lockstep-YYYYMMDD-HHMMSSZ` with one file for each of the server's databases
//! and a manifest. It is made under another name, and gets its own once it was read back and found whole.
//!
//! None of this runs inside the server's process: what a database's file is read through holds locks that
//! the process would lose for all of its own connections, and a backup must not take the server's memory
//! and processor. The schedule starts the same program once more.

pub mod check;
pub mod command;
pub mod make;
pub mod manifest;
pub mod restore;
pub mod schedule;

mod copy;
mod utc;

use std::path::{Path, PathBuf};

pub use self::utc::Utc;
use super::data_dir::{DATABASE, SERIES};

/// The databases of a data directory, and of a backup: dashboards, logs and secrets; and pushed points.
pub const FILES: [&str; 2] = [DATABASE, SERIES];
/// What begins the name of a backup.
const PREFIX: &str = "lockstep-";
/// What begins the name of one that is not finished, or on its way out; it never counts.
const UNFINISHED: &str = ".unfinished-";

/// Why a backup was not made, checked or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// What was asked for does not fit.
    #[error("{0}")]
    Usage(String),
    #[error("{what}: {error}")]
    Io { what: String, error: std::io::Error },
    #[error("{what}: {error}")]
    Database { what: String, error: sqlx::Error },
    /// There is not enough room where the copies go.
    #[error("{0}")]
    Full(String),
    /// What was read is not whole.
    #[error("{0}")]
    Damaged(String),
    #[error("interrupted; nothing that counts was left")]
    Interrupted,
}

impl BackupError {
    fn io(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.to_string();
        move |error| match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::Full(format!("{what}: there is no room left"))
            }
            std::io::ErrorKind::Interrupted => Self::Interrupted,
            _ => Self::Io { what, error },
        }
    }

    fn database(what: impl std::fmt::Display) -> impl FnOnce(sqlx::Error) -> Self {
        let what = what.to_string();
        |error| Self::Database { what, error }
    }
}

/// The backups of a directory that count, the oldest first.
pub fn list(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let named = path.file_name().and_then(|name| name.to_str()).is_some_and(is_name);
        if named && path.join(manifest::NAME).is_file() {
            found.push(path);
        }
    }
    // The time is in the name, from the year down to the second.
    found.sort();
    Ok(found)
}

/// `lockstep-20261128-031200Z`
fn name_of(at_ms: u64) -> String {
    format!("{PREFIX}{}", Utc::of(at_ms).compact())
}

fn is_name(name: &str) -> bool {
    let stamp = name.strip_prefix(PREFIX).and_then(|stamp| stamp.strip_suffix('Z'));
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    stamp.and_then(|stamp| stamp.split_once('-')).is_some_and(|(day, time)| digits(day, 8) && digits(time, 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_with_a_manifest_count() {
        let dir = tempfile::tempdir().expect("a directory");
        let newest = name_of(1_795_836_720_000);
        assert!(is_name(&newest), "{newest}");
        for name in
            [newest.as_str(), "lockstep-20250101-000000Z", ".unfinished-lockstep-20250101-000001Z", "mine"]
        {
            std::fs::create_dir(dir.path().join(name)).expect("made");
            std::fs::write(dir.path().join(name).join(manifest::NAME), "{}").expect("written");
        }
        std::fs::create_dir(dir.path().join("lockstep-20250101-000002Z")).expect("made");
        let found = list(dir.path()).expect("reads");
        assert_eq!(found, [dir.path().join("lockstep-20250101-000000Z"), dir.path().join(newest)]);
    }
}
