//! Room on the disk that a directory is on.

use std::io;
use std::path::Path;

/// In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What a process without special rights may still write.
    pub free: u64,
    /// 0 where the file system does not say.
    pub size: u64,
}

/// The room where a directory is.
pub fn room(dir: &Path) -> io::Result<Room> {
    let found = rustix::fs::statvfs(dir)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Room { free: bytes(found.f_bavail), size: bytes(found.f_blocks) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_some_room() {
        let dir = tempfile::tempdir().expect("a directory");
        let room = room(dir.path()).expect("a disk");
        assert!(room.free <= room.size && room.size > 0, "{room:?}");
        assert!(super::room(&dir.path().join("nowhere")).is_err());
    }
}
