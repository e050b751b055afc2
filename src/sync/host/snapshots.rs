//! Snapshots of a room: when one is due, and how much of the log stays behind it.

use std::time::Duration;

/// Commits after which a snapshot is due: bounds what opening has to repeat.
const SNAPSHOT_COMMITS: u64 = 200;
/// Bytes of commits after which one is due as well: what opening has to read.
const SNAPSHOT_BYTES: usize = 4 * 1024 * 1024;
/// The longest that a commit waits for a snapshot.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);
/// The shortest time between two snapshots of a busy room: encoding one costs as much as many commits.
const SNAPSHOT_REST: Duration = Duration::from_secs(5);
/// What a log may grow by before it is shortened again, as a part of its bound: to measure it is to read
/// through its rows.
const GROWTH_PART: usize = 8;

/// Schedule of the snapshots of one room.
#[derive(Debug)]
pub(super) struct Snapshots {
    saved_revision: u64,
    saved_at: Duration,
    /// Bytes of the commits after the last snapshot.
    unsaved_bytes: usize,
    /// Bytes that the log has grown by since it was shortened to its bound; `None` where it was not yet.
    log_growth: Option<usize>,
    is_saving: bool,
    has_failed: bool,
}

impl Snapshots {
    /// The schedule of a room that was opened from a snapshot at a revision.
    pub(super) fn new(saved_revision: u64, now: Duration) -> Self {
        Self {
            saved_revision,
            saved_at: now,
            unsaved_bytes: 0,
            log_growth: None,
            is_saving: false,
            has_failed: false,
        }
    }

    /// Notes commits that were appended.
    pub(super) fn appended(&mut self, bytes: usize) {
        self.unsaved_bytes += bytes;
        self.log_growth = self.log_growth.map(|growth| growth + bytes);
    }

    /// When the next snapshot is due; `None` while nothing changed or one is being saved.
    pub(super) fn due(&self, revision: u64) -> Option<Duration> {
        let commits = revision.saturating_sub(self.saved_revision);
        let many = commits >= SNAPSHOT_COMMITS || self.unsaved_bytes >= SNAPSHOT_BYTES;
        let rest = if many { SNAPSHOT_REST } else { SNAPSHOT_EVERY };
        (commits > 0 && !self.is_saving).then(|| self.saved_at + rest)
    }

    /// Begins one at a revision. True where the log is to be shortened to its bound of bytes, as the last one
    /// does in any case.
    pub(super) fn begin(&mut self, revision: u64, now: Duration, log_bytes: usize, last: bool) -> bool {
        self.note_failure();
        (self.saved_at, self.saved_revision) = (now, revision);
        self.unsaved_bytes = 0;
        self.is_saving = true;
        let bounded = last || self.log_growth.is_none_or(|growth| growth >= log_bytes / GROWTH_PART);
        if bounded {
            self.log_growth = Some(0);
        }
        bounded
    }

    /// True where the next one to open the room would have to repeat something.
    pub(super) fn is_last_due(&mut self, revision: u64) -> bool {
        self.note_failure();
        self.log_growth.is_some_and(|growth| growth > 0) || revision > self.saved_revision
    }

    /// The one that was begun was saved, or was not.
    pub(super) fn saved(&mut self, well: bool) {
        self.is_saving = false;
        self.has_failed |= !well;
    }

    fn note_failure(&mut self) {
        if std::mem::take(&mut self.has_failed) {
            (self.saved_revision, self.log_growth) = (0, None);
        }
    }
}
