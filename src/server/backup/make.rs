//! Making a backup: copied under a name that does not count, read back, and only then given its own.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::check::{Report, check_files};
use super::copy::{Interrupt, copy};
use super::manifest::{self, FORMAT, FileEntry, Manifest, weigh};
use super::{BackupError, DATABASE, FILES, UNFINISHED, Utc, list, name_of};
use crate::server::clock::now_ms;
use crate::server::disk::room;
use crate::server::health;

/// The file that whoever makes backups into a directory holds locked.
const LOCK: &str = ".lockstep-backup.lock";
/// Bytes that stay free for the server where the backups are on the disk of the data.
const FOR_THE_SERVER: u64 = 64 * 1024 * 1024;

/// A backup that was made, and counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub path: PathBuf,
    pub manifest: Manifest,
    /// Older ones that were removed.
    pub removed: usize,
}

/// Backs a data directory up into a directory of backups, and removes the oldest of more than `keep`.
///
/// After an error there is nothing that counts, and no older backup was touched.
pub async fn make(
    data: &Path,
    into: &Path,
    keep: Option<usize>,
    interrupt: &Interrupt,
) -> Result<Made, BackupError> {
    if !data.join(DATABASE).is_file() {
        let data = data.display();
        return Err(BackupError::Usage(format!("{data} is no data directory: it has no {DATABASE}")));
    }
    let into = prepare(data, into)?;
    let _lock = lock(&into)?;
    remove_unfinished(&into)?;
    check_room(data, &into)?;
    let (name, made_at_ms) = free_name(&into)?;
    let unfinished = Unfinished::begin(&into, &name)?;
    for file in FILES {
        if data.join(file).exists() {
            copy(&data.join(file), &unfinished.path.join(file), interrupt).await?;
        }
    }
    let manifest = verify(&unfinished.path, made_at_ms, interrupt).await?;
    write_manifest(&unfinished.path, &manifest)?;
    let path = unfinished.finish(&into, &name)?;
    let removed = keep.map_or(Ok(0), |keep| remove_oldest(&into, keep, &path))?;
    Ok(Made { path, manifest, removed })
}

/// Makes the directory of backups where it is not there, and refuses one inside the data directory.
fn prepare(data: &Path, into: &Path) -> Result<PathBuf, BackupError> {
    match std::fs::metadata(into) {
        Ok(there) if !there.is_dir() => {
            return Err(BackupError::Usage(format!("{} is not a directory", into.display())));
        }
        Ok(_) => {}
        // Looked at before it is made, so that nothing is left in the data directory.
        Err(_) if is_inside(into, data) => {}
        Err(_) => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(into)
            .map_err(BackupError::io(format!("{} cannot be made", into.display())))?,
    }
    if is_inside(into, data) {
        let (into, data) = (into.display(), data.display());
        return Err(BackupError::Usage(format!(
            "{into} is inside the data directory {data}: what happens to that happens to its backups. Use \
             another directory, best on another disk"
        )));
    }
    into.canonicalize().map_err(BackupError::io(format!("{} cannot be used", into.display())))
}

/// Whether a path, which need not be there, is a directory or below it.
fn is_inside(path: &Path, dir: &Path) -> bool {
    let Ok(dir) = dir.canonicalize() else { return false };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // The nearest that is there: links are followed as far as they lead.
    let there = path.ancestors().find_map(|there| Some((there, there.canonicalize().ok()?)));
    there.is_some_and(|(_, there)| there.starts_with(dir))
}

/// One backup at a time into a directory: what another left unfinished is then known to be left.
fn lock(into: &Path) -> Result<File, BackupError> {
    let path = into.join(LOCK);
    let wrong = || BackupError::io(format!("{} cannot be written to", into.display()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(wrong())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(BackupError::Usage(format!("another backup into {} is under way", into.display())))
        }
        Err(TryLockError::Error(error)) => Err(wrong()(error)),
    }
}

/// Removes what a process left that was killed, or that could not remove it.
fn remove_unfinished(into: &Path) -> Result<(), BackupError> {
    let wrong = || BackupError::io(format!("{} cannot be read", into.display()));
    for entry in std::fs::read_dir(into).map_err(wrong())? {
        let entry = entry.map_err(wrong())?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(UNFINISHED)) {
            let path = entry.path();
            std::fs::remove_dir_all(&path)
                .map_err(BackupError::io(format!("{} is left over and cannot be removed", path.display())))?;
        }
    }
    Ok(())
}

/// Errors where the copies would not fit, before anything is written: on the disk of the data a backup
/// must not be what fills it.
fn check_room(data: &Path, into: &Path) -> Result<(), BackupError> {
    let size = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |there| there.len());
    // The log of a file is in use beside its copy until it is brought back.
    let logs: u64 = FILES.iter().map(|name| size(&format!("{name}-wal"))).sum();
    let wanted = FILES.iter().map(|name| size(name)).sum::<u64>() + logs;
    let device = |path: &Path| std::fs::metadata(path).map(|there| there.dev()).ok();
    let reserve = if device(data) == device(into) { FOR_THE_SERVER } else { 0 };
    let room = room(into).map_err(BackupError::io(into.display()))?;
    let free = room.free;
    // A file system that does not say how large it is says nothing about what is free either.
    if room.size == 0 || free >= wanted.saturating_add(reserve) {
        return Ok(());
    }
    let shared = if reserve > 0 { ", and the server needs some of that itself" } else { "" };
    Err(BackupError::Full(format!(
        "{} has {} free{shared}; the backup needs about {}",
        into.display(),
        health::bytes(free),
        health::bytes(wanted)
    )))
}

/// A name that no backup has. Two in one second are a second apart.
fn free_name(into: &Path) -> Result<(String, u64), BackupError> {
    for _ in 0..3 {
        let now = now_ms();
        let name = name_of(now);
        if !into.join(&name).exists() {
            return Ok((name, now));
        }
        std::thread::sleep(std::time::Duration::from_millis(1_000 - now % 1_000));
    }
    let path = into.join(name_of(now_ms()));
    Err(BackupError::Usage(format!("{} is there already; the clock may have been set back", path.display())))
}

/// Reads the copies back: as files, and as what they say.
async fn verify(dir: &Path, made_at_ms: u64, interrupt: &Interrupt) -> Result<Manifest, BackupError> {
    let mut report = Report::default();
    check_files(dir, &mut report, interrupt).await?;
    if !report.is_whole() {
        return Err(BackupError::Damaged(format!(
            "the copy is not whole, so that it does not count. Look at the data itself with `lockstep check`.\n{report}"
        )));
    }
    let mut files = Vec::new();
    for file in &report.files {
        let path = dir.join(file.name);
        let (bytes, sha256) = weigh(&path).map_err(BackupError::io(path.display()))?;
        files.push(FileEntry { name: file.name.to_owned(), bytes, sha256, tables: file.tables });
    }
    Ok(Manifest {
        format: FORMAT,
        program: concat!("lockstep ", env!("CARGO_PKG_VERSION")).to_owned(),
        made_at: Utc::of(made_at_ms).to_string(),
        made_at_ms,
        files,
        dashboards: report.dashboards,
        commits: report.commits,
        last_change: report.last_change,
        series: report.series,
        points: report.points,
    })
}

fn write_manifest(dir: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let path = dir.join(manifest::NAME);
    let text = serde_json::to_string_pretty(manifest).expect("a manifest has only texts and numbers");
    let wrong = || BackupError::io(path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(wrong())?;
    file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(wrong())
}

/// Removes the oldest of more than `keep`, and never the one that was just made.
fn remove_oldest(into: &Path, keep: usize, made: &Path) -> Result<usize, BackupError> {
    let all = list(into).map_err(BackupError::io(into.display()))?;
    let many = all.len().saturating_sub(keep.max(1));
    let old: Vec<PathBuf> = all.into_iter().filter(|path| path != made).take(many).collect();
    for path in &old {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let leaving = into.join(format!("{UNFINISHED}{name}"));
        let wrong = || BackupError::io(format!("the old backup {} cannot be removed", path.display()));
        // At once it does not count any more; half of it never does.
        std::fs::rename(path, &leaving).map_err(wrong())?;
        std::fs::remove_dir_all(&leaving).map_err(wrong())?;
    }
    Ok(old.len())
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), BackupError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    match synced {
        // Some file systems have nothing to sync there.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        other => other.map_err(BackupError::io(dir.display())),
    }
}

/// A backup on its way. It is removed where it is not finished.
struct Unfinished {
    path: PathBuf,
    finished: bool,
}

impl Unfinished {
    fn begin(into: &Path, name: &str) -> Result<Self, BackupError> {
        let path = into.join(format!("{UNFINISHED}{name}"));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(BackupError::io(format!("{} cannot be made", path.display())))?;
        Ok(Self { path, finished: false })
    }

    /// Gives it its name; from then on it counts.
    fn finish(mut self, into: &Path, name: &str) -> Result<PathBuf, BackupError> {
        sync_dir(&self.path)?;
        let path = into.join(name);
        std::fs::rename(&self.path, &path).map_err(BackupError::io(path.display()))?;
        self.finished = true;
        sync_dir(into)?;
        Ok(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed now does not count, and the next backup removes it.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_inside_is_told_through_links_and_dots() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        std::fs::create_dir(&data).expect("made");
        std::os::unix::fs::symlink(&data, dir.path().join("link")).expect("linked");
        for inside in ["data", "data/a/b", "link/backups", "data/../data/x"] {
            assert!(is_inside(&dir.path().join(inside), &data), "{inside}");
        }
        for outside in ["database", "backups", "."] {
            assert!(!is_inside(&dir.path().join(outside), &data), "{outside}");
        }
    }

    #[test]
    fn the_oldest_go_and_the_new_one_stays_even_where_its_name_is_older() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |n: u64| dir.path().join(name_of(n * 1_000));
        for n in 1..=4 {
            std::fs::create_dir(path(n)).expect("made");
            std::fs::write(path(n).join(manifest::NAME), "{}").expect("written");
        }
        // The clock was set back: the newest has the oldest name.
        assert_eq!(remove_oldest(dir.path(), 2, &path(1)).expect("removed"), 2);
        assert_eq!(list(dir.path()).expect("reads"), [path(1), path(4)]);
    }
}
