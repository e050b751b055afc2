//! Open files of this process: raised to what the machine grants, and how many connections fit in.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are no connections: databases with their logs, the page's files that are being sent,
/// connections to sources, and what the runtime holds.
const OTHERS: u64 = 128;

/// Raises the limit of open files as far as it may be, and returns it.
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let now = limit.current.unwrap_or(u64::MAX);
    if now >= most {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => most,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays at {now}, though {most} are granted");
            now
        }
    }
}

/// How many of the wanted connections fit into so many open files, beside the other files and `spare`
/// connections. Says where it is fewer.
pub fn fitting(wanted: usize, files: u64, spare: usize) -> usize {
    let fit =
        usize::try_from(files.saturating_sub(OTHERS)).unwrap_or(usize::MAX).saturating_sub(spare).max(1);
    if fit < wanted {
        tracing::warn!(
            "limit_connections: {wanted} do not fit into the {files} files that this process may open; it takes \
             {fit} connections. Raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd) for more."
        );
    }
    fit.min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_files() {
        assert_eq!(fitting(20_000, 1_048_576, 48), 20_000);
        assert_eq!(fitting(20_000, 1_024, 48), 848);
        assert_eq!(fitting(20_000, 100, 48), 1, "it serves one after the other");
        assert_eq!(fitting(10, u64::MAX, 48), 10);
    }
}
