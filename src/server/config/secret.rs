//! Secrets of the settings: texts that nothing shows, out of a setting or out of a file that it names.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Permissions that a file with a secret needs at most: its owner writes, its group reads.
const ENOUGH: u32 = 0o640;
/// Bytes of such a file: more is not the file that was meant.
const MAX_BYTES: u64 = 64 * 1024;

/// A text that no log, error or answer shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself, for those who send or compare it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Reads the file of a secret, without the line break at its end, with the warning of [`check_permissions`].
pub(super) fn read_file(path: &Path) -> Result<(String, Option<String>), String> {
    let wrong = |error: std::io::Error| error.to_string();
    let metadata = std::fs::metadata(path).map_err(wrong)?;
    if metadata.len() > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(wrong)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok((text.to_owned(), check_permissions(path, &metadata)))
}

/// A warning where others than the owner and the group of a file may read it, or others than its owner may write it.
pub(super) fn check_permissions(path: &Path, metadata: &Metadata) -> Option<String> {
    let mode = metadata.permissions().mode() & 0o777;
    let wide = mode & !ENOUGH != 0;
    wide.then(|| {
        let path = path.display();
        format!("{path} holds a secret and has the permissions {mode:04o}; chmod {ENOUGH:04o} is enough")
    })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_file_gives_its_secret_without_the_line_break_and_says_where_others_may_read_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("token");
        let read = |text: &str, mode: u32| {
            std::fs::write(&file, text).expect("written");
            std::fs::set_permissions(&file, Permissions::from_mode(mode)).expect("permissions");
            read_file(&file)
        };
        assert_eq!(read("s3cret\n", 0o600), Ok(("s3cret".to_owned(), None)));
        assert_eq!(read("s3cret \r\n", 0o640), Ok(("s3cret ".to_owned(), None)));
        assert_eq!(read("a\n\n", 0o400), Ok(("a\n".to_owned(), None)));
        for mode in [0o644, 0o660, 0o604, 0o700] {
            let (_, warning) = read("s3cret", mode).expect("reads");
            let warning = warning.expect("said");
            assert!(warning.contains(&format!("{mode:04o}")) && !warning.contains("s3cret"), "{warning}");
        }
        assert_eq!(read(" \n", 0o600), Err("it is empty".to_owned()));
        assert!(read(&"x".repeat(70_000), 0o600).is_err());
        assert!(read_file(&dir.path().join("none")).is_err());
    }
}
