//! The commit that is built, and its time.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

/// Names the commit where there is no repository, as in a container's build.
pub const COMMIT: &str = "LOCKSTEP_COMMIT";
/// Seconds since 1970 that all files of a release carry (<https://reproducible-builds.org/specs/source-date-epoch/>).
const SOURCE_DATE: &str = "SOURCE_DATE_EPOCH";

/// The commit's short hash, with `-dirty` where files differ from it; `None` where nothing says it.
pub fn name(root: &Path) -> Option<String> {
    let told = std::env::var(COMMIT).ok().filter(|told| !told.is_empty());
    told.or_else(|| git(root, &["describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]))
}

/// The time of the commit in seconds since 1970, or what `SOURCE_DATE_EPOCH` says.
pub fn time(root: &Path) -> Result<u64> {
    let told = std::env::var(SOURCE_DATE).ok();
    let time = told.or_else(|| git(root, &["log", "-1", "--format=%ct"]));
    let time = time.with_context(|| format!("outside of a repository {SOURCE_DATE} has to be set"))?;
    time.parse().with_context(|| format!("{SOURCE_DATE} is not a number of seconds: {time:?}"))
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}
