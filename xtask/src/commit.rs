//! The commit that is built.

use std::path::Path;
use std::process::Command;

/// Names the commit where there is no repository, as in a container's build.
pub const COMMIT: &str = "LOCKSTEP_COMMIT";

/// The commit's short hash, with `-dirty` where files differ from it; `None` where nothing says it.
pub fn name(root: &Path) -> Option<String> {
    let told = std::env::var(COMMIT).ok().filter(|told| !told.is_empty());
    told.or_else(|| git(root, &["describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]))
}

/// What git says; `None` where it says nothing, as outside of a repository.
pub fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}
