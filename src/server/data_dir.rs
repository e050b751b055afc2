//! Data directory at the start: whose it is, who may read it, and whether it is the one that was meant.
//!
//! One process has it, by a lock that the system frees however that process ends. It is for its owner alone:
//! the database has the secret that signs cookies. And a marker in it says that it was used before, so that a
//! database that is missing is not taken for the first start.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The database's file.
pub const DATABASE: &str = "lockstep.db";
/// The pushed points', apart from it, so that neither waits for the other.
pub const SERIES: &str = "series.db";
/// Where the files of a backup are until all of them are there.
pub const INCOMING: &str = ".restoring";
/// What begins the name of the directory into which goes what was there before.
pub const ASIDE: &str = "before-restore-";
/// What says whose directory it is while a server runs.
const LOCK: &str = "lockstep.lock";
/// What says that it was used before.
const MARKER: &str = "lockstep.data";
const MARKER_TEXT: &str = "This directory is Lockstep's. With this file here, a start without lockstep.db is refused: the database \
     is missing then. Remove this file to begin anew.\n";

/// How long a server that stops is waited for: it takes at most 9 s to drain.
const DRAINS: Duration = Duration::from_secs(10);
/// From one look at the lock to the next.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Bytes of a lock file that are read: a number and a line's end.
const LOCK_BYTES: u64 = 32;

/// Why a data directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("data_dir: {} cannot be used: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error(
        "data_dir: {} is in use by another Lockstep{}. Two would write over each other: stop that one, or give \
         this one a directory of its own with LOCKSTEP_DATA_DIR.",
        path.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse { path: PathBuf, pid: Option<u32> },
    #[error(
        "data_dir: {} was used before, and lockstep.db in it is {what}. Nothing was changed. If a disk is not \
         mounted, mount it; if the file is lost, put back a backup; to begin anew, without the dashboards of \
         before, move everything in this directory away.",
        path.display()
    )]
    Missing { path: PathBuf, what: &'static str },
    #[error(
        "data_dir: {} has no lockstep.db, and LOCKSTEP_DATA_MUST_EXIST says that it has to. Is the disk mounted? \
         For the very first start, leave that setting out.",
        path.display()
    )]
    NotThere { path: PathBuf },
}

/// A data directory that is this process's own, until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// True where there was no database.
    is_new: bool,
    lock: File,
}

impl DataDir {
    /// Takes a directory, made where there is none: locked, for its owner alone, and the one that was meant.
    /// Where `must_exist`, a database has to be there already. Blocks for up to 10 s while another has it.
    pub fn open(path: &Path, must_exist: bool) -> Result<Self, DataDirError> {
        let fails = |error| DataDirError::Io { path: path.to_owned(), error };
        if must_exist && length(path, DATABASE) == 0 {
            return Err(DataDirError::NotThere { path: path.to_owned() });
        }
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fails)?;
        let lock = lock(path, DRAINS)?;
        // For the files that are made from here on, by SQLite too, which makes those beside a database as it is.
        tighten(path).map_err(fails)?;
        let is_new = is_new(path)?;
        if is_new {
            // SQLite would make it readable for all.
            open_private(&path.join(DATABASE)).map_err(fails)?;
        }
        if !path.join(SERIES).exists() {
            open_private(&path.join(SERIES)).map_err(fails)?;
        }
        Ok(Self { path: path.to_owned(), is_new, lock })
    }

    /// Takes a directory that is to be filled: made where there is none, locked, and for its owner alone,
    /// whatever is in it. Errors at once while another has it.
    pub fn hold(path: &Path) -> Result<Self, DataDirError> {
        let fails = |error| DataDirError::Io { path: path.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fails)?;
        let lock = lock(path, Duration::ZERO)?;
        tighten(path).map_err(fails)?;
        Ok(Self { path: path.to_owned(), is_new: false, lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True where there was no database, and nothing that says that there was one.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    pub fn series(&self) -> PathBuf {
        self.path.join(SERIES)
    }

    /// Notes that there is a database now.
    pub fn mark(&self) -> Result<(), DataDirError> {
        let mark = || {
            if self.path.join(MARKER).exists() {
                return Ok(());
            }
            let mut marker = open_private(&self.path.join(MARKER))?;
            marker.write_all(MARKER_TEXT.as_bytes())?;
            marker.sync_all()
        };
        mark().map_err(|error| DataDirError::Io { path: self.path.clone(), error })
    }

    /// Keeps the lock until the process has ended: what still writes then has the directory to itself, too.
    pub fn keep(self) {
        std::mem::forget(self.lock);
    }
}

/// Locks a directory for this process. Waits for whoever has it up to a time; then it says who.
fn lock(dir: &Path, wait: Duration) -> Result<File, DataDirError> {
    let path = dir.join(LOCK);
    let fails = |error| DataDirError::Io { path: path.clone(), error };
    let mut file = open_private(&path).map_err(fails)?;
    let begun = Instant::now();
    let mut is_said = false;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {
                let pid = holder(&mut file);
                if begun.elapsed() >= wait {
                    return Err(DataDirError::InUse { path: dir.to_owned(), pid });
                }
                if !is_said {
                    is_said = true;
                    tracing::warn!(dir = %dir.display(), pid, "another Lockstep has the data directory; waiting for it to end");
                }
                std::thread::sleep(LOOK_EVERY);
            }
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(dir = %dir.display(), "this file system has no locks: nothing keeps a second server away");
                break;
            }
            Err(TryLockError::Error(error)) => return Err(fails(error)),
        }
    }
    if let Err(error) = sign(&mut file) {
        // A full disk, say. The lock holds all the same.
        tracing::debug!(%error, "the lock does not say whose it is");
    }
    Ok(file)
}

/// Writes into a lock whose it is.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Who has the lock, as it says.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(LOCK_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Opens a file that only its owner may read and write, made where it is not there. What is in it stays.
fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Takes the rights of others on what is the server's, and says so.
fn tighten(dir: &Path) -> io::Result<()> {
    let mut only_ours = true;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = is_ours(&name);
        // What a file system has of its own in its root.
        only_ours &= ours || name == "lost+found";
        if ours && entry.file_type()?.is_file() {
            restrict(&entry.path(), 0o600);
        }
    }
    let is_shared = fs::metadata(dir)?.mode() & 0o1000 != 0;
    if only_ours && !is_shared {
        restrict(dir, 0o700);
    } else {
        tracing::warn!(
            dir = %dir.display(),
            "the data directory has files that are not Lockstep's, so others may go on reading it; a directory of \
             its own is better"
        );
    }
    Ok(())
}

/// True for what a server makes in its data directory.
fn is_ours(name: &str) -> bool {
    let ours = [DATABASE, SERIES, LOCK, MARKER, ASIDE, INCOMING];
    ours.iter().any(|ours| name.starts_with(ours)) || name == "backups"
}

/// Gives a file or directory these rights where others have more.
fn restrict(path: &Path, mode: u32) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let before = metadata.mode() & 0o777;
    if metadata.is_symlink() || before & 0o077 == 0 {
        return;
    }
    match fs::set_permissions(path, Permissions::from_mode(mode)) {
        Ok(()) => tracing::warn!(
            path = %path.display(),
            "others could read this ({before:03o}); it is for its owner alone now ({mode:03o})"
        ),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "others may read this ({before:03o}), and that cannot be changed");
        }
    }
}

/// True where nothing says that there was a database. Errors where one is missing.
fn is_new(dir: &Path) -> Result<bool, DataDirError> {
    if length(dir, DATABASE) > 0 {
        return Ok(false);
    }
    let traces = [MARKER.to_owned(), format!("{DATABASE}-wal"), SERIES.to_owned(), format!("{SERIES}-wal")];
    if traces.iter().any(|name| length(dir, name) > 0) {
        let what = if dir.join(DATABASE).exists() { "empty" } else { "missing" };
        return Err(DataDirError::Missing { path: dir.to_owned(), what });
    }
    Ok(true)
}

/// Bytes of a file; 0 where there is none.
fn length(dir: &Path, name: &str) -> u64 {
    fs::metadata(dir.join(name)).map_or(0, |file| file.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("is there").mode() & 0o777
    }

    #[test]
    fn what_was_open_for_all_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        fs::create_dir(&data).expect("made");
        fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("set");
        for name in ["lockstep.db", "lockstep.db-wal", "series.db"] {
            fs::write(data.join(name), "x").expect("written");
            fs::set_permissions(data.join(name), Permissions::from_mode(0o644)).expect("set");
        }
        let opened = DataDir::open(&data, false).expect("opens");
        opened.mark().expect("marked");
        assert!(!opened.is_new());
        assert_eq!(mode(&data), 0o700);
        for entry in fs::read_dir(&data).expect("reads") {
            let path = entry.expect("reads").path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }

    #[test]
    fn a_directory_that_is_others_too_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("set");
        fs::write(dir.path().join("letter.txt"), "x").expect("written");
        let opened = DataDir::open(dir.path(), false).expect("opens");
        assert_eq!(mode(dir.path()), 0o755);
        assert_eq!((mode(&opened.database()), mode(&opened.series())), (0o600, 0o600));
    }

    #[test]
    fn a_database_that_is_missing_is_not_taken_for_the_first_start() {
        let dir = tempfile::tempdir().expect("a directory");
        let open = || DataDir::open(dir.path(), false);
        assert!(open().expect("opens").is_new());
        assert!(open().expect("opens").is_new(), "it was not used yet");
        assert!(matches!(DataDir::open(&dir.path().join("mnt"), true), Err(DataDirError::NotThere { .. })));
        fs::write(dir.path().join(SERIES), "points").expect("written");
        let refused = open().expect_err("refused").to_string();
        assert!(refused.contains("lockstep.db in it is empty") && refused.contains("backup"), "{refused}");
        fs::write(dir.path().join(DATABASE), "dashboards").expect("written");
        open().expect("opens").mark().expect("marked");
        fs::remove_file(dir.path().join(SERIES)).expect("removed");
        assert!(!open().expect("opens").is_new(), "points may be thrown away");
        fs::remove_file(dir.path().join(DATABASE)).expect("removed");
        let refused = open().expect_err("refused").to_string();
        assert!(refused.contains("lockstep.db in it is missing"), "{refused}");
    }

    #[test]
    fn only_one_has_it_and_the_other_is_told_who() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = DataDir::open(dir.path(), false).expect("opens");
        let refused = lock(dir.path(), Duration::ZERO).expect_err("refused");
        let pid = Some(std::process::id());
        assert!(matches!(refused, DataDirError::InUse { pid: told, .. } if told == pid), "{refused}");
        drop(first);
        lock(dir.path(), Duration::ZERO).expect("free again");
    }
}
