//! Build information: version, commit, protocol, and whether the page is inside.

use std::sync::OnceLock;

use super::embedded::Embedded;
use crate::sync::protocol::PROTOCOL;

/// The version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit of a build that was told none, as one outside of a repository.
const UNKNOWN: &str = "unknown";

static COMMIT: OnceLock<&str> = OnceLock::new();

/// Sets the commit of this build, once, at the start.
pub fn set_commit(commit: Option<&'static str>) {
    let _ = COMMIT.set(commit.filter(|commit| !commit.is_empty()).unwrap_or(UNKNOWN));
}

/// The commit of this build as a short hash, with `-dirty` where files differed from it; `unknown` where nothing said it.
pub fn commit() -> &'static str {
    COMMIT.get().copied().unwrap_or(UNKNOWN)
}

/// The build information, one line each, as `lockstep --version` prints it behind the program's name.
pub fn describe() -> String {
    let is_inside = std::env::current_exe().is_ok_and(|executable| Embedded::is_in(&executable));
    let page = if is_inside { "built in" } else { "in a directory" };
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    format!("{VERSION}\ncommit: {}\nprotocol: {PROTOCOL}\npage: {page}\nplatform: {arch}-{os}", commit())
}
