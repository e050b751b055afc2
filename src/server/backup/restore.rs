//! Putting a backup back: verified first, and what was there is kept beside it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::check::check;
use super::copy::Interrupt;
use super::make::sync_dir;
use super::manifest::{self, Manifest, weigh};
use super::{BackupError, FILES, Utc};
use crate::server::clock::now_ms;
use crate::server::data_dir::{ASIDE, DataDir, INCOMING};

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    pub manifest: Manifest,
    /// Where that is which was there; `None` where there was nothing.
    pub aside: Option<PathBuf>,
}

/// Puts a backup into the data directory of a server that does not run.
///
/// After an error before the last step the data directory is as it was. The last step is a few renames;
/// a crash between them leaves a directory that no server starts on, and both sets of files in it.
pub async fn restore(backup: &Path, data: &Path, interrupt: &Interrupt) -> Result<Restored, BackupError> {
    if !backup.join(manifest::NAME).is_file() {
        let (backup, name) = (backup.display(), manifest::NAME);
        return Err(BackupError::Usage(format!("{backup} is no backup that counts: it has no {name}")));
    }
    let manifest = Manifest::read(backup)?;
    let held = DataDir::hold(data).map_err(|error| BackupError::Usage(error.to_string()))?;
    let report = check(backup, interrupt).await?;
    if !report.is_whole() {
        let backup = backup.display();
        return Err(BackupError::Damaged(format!("{backup} is not whole. Nothing was changed.\n{report}")));
    }
    let incoming = data.join(INCOMING);
    // Of a restore that did not come to its end.
    let _ = std::fs::remove_dir_all(&incoming);
    let made = DirBuilder::new().mode(0o700).create(&incoming);
    made.map_err(BackupError::io(format!("{} cannot be made", incoming.display())))?;
    if let Err(error) = copy_in(backup, &incoming, &manifest) {
        let _ = std::fs::remove_dir_all(&incoming);
        return Err(error);
    }
    // From here on a directory without its database is one that lacks something.
    held.mark().map_err(|error| BackupError::Usage(error.to_string()))?;
    let aside = move_aside(data)?;
    // The dashboards last: without them no server starts here, so that it never finds one of the two alone.
    for file in manifest.files.iter().rev() {
        let to = data.join(&file.name);
        std::fs::rename(incoming.join(&file.name), &to).map_err(BackupError::io(to.display()))?;
    }
    sync_dir(data)?;
    // Empty by now; the next restore removes one that is left.
    let _ = std::fs::remove_dir(&incoming);
    Ok(Restored { manifest, aside })
}

fn copy_in(backup: &Path, incoming: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    for entry in &manifest.files {
        // The manifest is a file that anybody may have written: it names nothing else than these.
        if !FILES.contains(&entry.name.as_str()) {
            return Err(BackupError::Damaged(format!("the manifest names a file {:?}", entry.name)));
        }
        let (from, to) = (backup.join(&entry.name), incoming.join(&entry.name));
        let wrong = || BackupError::io(format!("{} could not be copied to {}", from.display(), to.display()));
        let mut source = File::open(&from).map_err(wrong())?;
        let copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to);
        let mut copy = copy.map_err(wrong())?;
        std::io::copy(&mut source, &mut copy).and_then(|_| copy.sync_all()).map_err(wrong())?;
        if weigh(&to).map_err(wrong())? != (entry.bytes, entry.sha256.clone()) {
            return Err(BackupError::Damaged(format!("{} changed while it was copied", from.display())));
        }
    }
    sync_dir(incoming)
}

/// Moves the databases that are there, with what belongs to them, into a directory of their own.
fn move_aside(data: &Path) -> Result<Option<PathBuf>, BackupError> {
    let belongs =
        |name: &str| FILES.iter().any(|file| name == *file || name.starts_with(&format!("{file}-")));
    let mut there = Vec::new();
    let unread = || BackupError::io(data.display());
    for entry in std::fs::read_dir(data).map_err(unread())? {
        let name = entry.map_err(unread())?.file_name();
        if name.to_str().is_some_and(belongs) {
            there.push(name);
        }
    }
    if there.is_empty() {
        return Ok(None);
    }
    // The dashboards first, and each database before its log: what a crash leaves between two of these no
    // server starts on, rather than without the end of its log.
    there.sort();
    let aside = (0..)
        .map(|second| data.join(format!("{ASIDE}{}", Utc::of(now_ms() + second * 1_000).compact())))
        .find(|path| !path.exists())
        .expect("some second is free");
    DirBuilder::new().mode(0o700).create(&aside).map_err(BackupError::io(aside.display()))?;
    for name in there {
        let to = aside.join(&name);
        std::fs::rename(data.join(&name), &to).map_err(BackupError::io(to.display()))?;
    }
    sync_dir(&aside)?;
    sync_dir(data)?;
    Ok(Some(aside))
}
