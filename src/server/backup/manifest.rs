//! The manifest of a backup: what it holds, and how to tell that it still does.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::BackupError;
use crate::app::format::count;

/// The manifest's file in a backup.
pub const NAME: &str = "manifest.json";
/// The shape of the manifest itself.
pub const FORMAT: u32 = 1;
/// Bytes of a manifest at most: it has no list that grows with the data.
const MAX_BYTES: u64 = 64 * 1024;
/// Bytes read at once.
const PIECE: usize = 1024 * 1024;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The program that made it, with its version.
    pub program: String,
    /// UTC, as in RFC 3339.
    pub made_at: String,
    /// The same in Unix milliseconds.
    pub made_at_ms: u64,
    pub files: Vec<FileEntry>,
    pub dashboards: u64,
    /// Commits that the logs still have.
    pub commits: u64,
    /// The dashboard that changed last; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<LastChange>,
    pub series: u64,
    pub points: u64,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileEntry {
    pub name: String,
    pub bytes: u64,
    /// SHA-256 in hexadecimal digits, as `sha256sum` prints it.
    pub sha256: String,
    /// The version of its tables.
    pub tables: i64,
}

/// The end of the log that was written last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastChange {
    pub dashboard: String,
    pub revision: u64,
    /// UTC, as in RFC 3339.
    pub at: String,
}

impl Manifest {
    /// Reads the manifest of a backup.
    pub fn read(backup: &Path) -> Result<Self, BackupError> {
        let path = backup.join(NAME);
        let file = File::open(&path).map_err(BackupError::io(path.display()))?;
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(BackupError::io(path.display()))?;
        let spoilt = |why: String| BackupError::Damaged(format!("{} does not read: {why}", path.display()));
        let manifest: Self = serde_json::from_str(&text).map_err(|error| spoilt(error.to_string()))?;
        if manifest.format != FORMAT {
            let format = manifest.format;
            return Err(spoilt(format!("it is of format {format}, and this program knows {FORMAT}")));
        }
        Ok(manifest)
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// What differs between the files and the manifest, by file, in words.
    pub fn differences(&self, backup: &Path) -> Vec<(String, String)> {
        let differs = |entry: &FileEntry| {
            let says = match weigh(&backup.join(&entry.name)) {
                Ok((bytes, sha256)) if bytes == entry.bytes && sha256 == entry.sha256 => return None,
                Ok((bytes, _)) if bytes != entry.bytes => {
                    format!("it has {bytes} bytes; when the backup was made it had {}", entry.bytes)
                }
                Ok(_) => {
                    "its SHA-256 is not that of the manifest: it changed after the backup was made".to_owned()
                }
                Err(error) => format!("it cannot be read: {error}"),
            };
            Some((entry.name.clone(), says))
        };
        self.files.iter().filter_map(differs).collect()
    }
}

/// A file's size and SHA-256.
pub(super) fn weigh(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            break;
        }
        hash.update(&piece[..count]);
        bytes += count as u64;
    }
    let digits: Vec<String> = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, digits.concat()))
}

/// A number of dashboards and of their commits, for people.
pub fn dashboards_in_words(dashboards: u64, commits: u64) -> String {
    let [dashboards, commits] = [dashboards, commits].map(whole);
    format!("{} with {}", count(dashboards, "dashboard", "dashboards"), count(commits, "commit", "commits"))
}

/// A number of series and of their points, for people.
pub fn series_in_words(series: u64, points: u64) -> String {
    // One series is called as many are.
    format!("{series} series with {}", count(whole(points), "point", "points"))
}

fn whole(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(dashboards_in_words(1, 2), "1 dashboard with 2 commits");
        assert_eq!(series_in_words(1, 1), "1 series with 1 point");
    }
}
