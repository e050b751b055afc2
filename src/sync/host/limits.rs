//! Limits that a host keeps, each set by the server (S10).

/// Limits of one room.
#[derive(Clone, Debug)]
pub struct HostLimits {
    /// Widgets on the dashboard.
    pub widgets: usize,
    /// Bytes of the dashboard as JSON.
    pub dashboard_bytes: usize,
    /// Bytes of a note's state below which it is not compacted.
    pub compact_from: usize,
    /// Sessions of people.
    pub sessions: usize,
    /// The same from one network.
    pub sessions_per_network: usize,
    /// Screens, which take no place of a person.
    pub screens: usize,
    /// Bytes that may wait for one reader: frames are a part of it.
    pub outbound_bytes: usize,
    /// Milliseconds that the room stays open without sessions.
    pub idle_ms: u64,
    /// Commits that the log keeps behind its newest snapshot.
    pub log_commits: usize,
    /// Bytes of the same.
    pub log_bytes: usize,
    /// Bytes of commits that are read for one who resumes.
    pub tail_bytes: usize,
}
