//! Capacity of the server: how much of each of its bounds is used, for `/metrics` and in words.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;

use rustix::process::{Resource, getrlimit};
use sysinfo::System;

use super::{bytes, service};
use crate::app::ServerService;
use crate::dashboard::number::grouped;
use crate::server::backup::FILES;
use crate::server::clock::now_ms;
use crate::server::data::series::key::selectors;
use crate::server::data::this_server::MEMORY;
use crate::server::disk::room;
use crate::server::state::AppState;
use crate::server::store::Reader;

/// From so many percent of a bound on it is told as a warning.
const NEAR: u64 = 90;
/// This process' open files, on Linux and macOS.
const OPEN_FILES: &str = "/dev/fd";

/// Something that there is only so much of.
struct Used {
    /// In the names of the metrics.
    name: &'static str,
    help: &'static str,
    /// Behind the numbers, in words.
    what: &'static str,
    value: u64,
    /// `None` where there is no bound, or none is known.
    limit: Option<u64>,
    /// Whether it is an amount of bytes.
    in_bytes: bool,
    /// Whether `/metrics` has the value already.
    is_told: bool,
}

impl Used {
    fn is_near(&self) -> bool {
        // As a share: the product of a large limit would not fit.
        self.limit.is_some_and(|limit| self.value as f64 * 100.0 >= limit as f64 * NEAR as f64)
    }

    fn in_words(&self) -> String {
        let number = |n: u64| if self.in_bytes { bytes(n) } else { grouped(n) };
        match self.limit {
            Some(limit) => format!("{} of {} {}", number(self.value), number(limit), self.what),
            None => format!("{} {}", number(self.value), self.what),
        }
    }
}

/// All that is bounded, as it is now.
async fn all(state: &AppState) -> Vec<Used> {
    let (limits, metrics) = (state.rooms.limits(), &state.metrics);
    let now = |gauge: &std::sync::atomic::AtomicI64| u64::try_from(gauge.load(Relaxed)).unwrap_or(0);
    let series = state.series.memory().size();
    let count = |name, help, what, value: u64, limit: usize, is_told| {
        let limit = Some(limit as u64);
        Used { name, help, what, value, limit, in_bytes: false, is_told }
    };
    let mut all = Vec::new();
    if let Some(value) = memory(state) {
        let (name, help, what) = ("lockstep_memory_bytes", "Memory that this process holds.", "memory");
        all.push(Used { name, help, what, value, limit: memory_limit(), in_bytes: true, is_told: false });
    }
    if let Some(value) = open_files() {
        let (name, help, what) =
            ("lockstep_open_files", "Files and connections that are open.", "open files");
        let limit = getrlimit(Resource::Nofile).current;
        all.push(Used { name, help, what, value, limit, in_bytes: false, is_told: false });
    }
    all.push(count("lockstep_sessions", "", "sessions", now(&metrics.sessions), limits.sessions, true));
    all.push(count("lockstep_rooms", "", "open dashboards", now(&metrics.rooms), limits.rooms, true));
    if let Ok(kept) = state.store.count().await {
        let help = "Dashboards that are kept.";
        all.push(count("lockstep_dashboards", help, "dashboards", kept as u64, limits.dashboards, false));
    }
    if let Ok(bin) = state.store.bin(&Reader::Anyone, None, 1).await {
        let help = "Dashboards in the bin.";
        all.push(count("lockstep_bin", help, "dashboards in the bin", bin.total as u64, limits.bin, false));
    }
    all.push(count("lockstep_series", "", "series", series.series as u64, limits.series, true));
    all.push(count("lockstep_series_points", "", "points", series.points as u64, limits.points, true));
    all
}

/// Bytes of this process' memory, a second old at most.
fn memory(state: &AppState) -> Option<u64> {
    let (found, _) = state.series.memory().find(&selectors(MEMORY)[0], 1, |_| 0, u64::MAX);
    let (_, bytes) = found.first()?.last?;
    Some(bytes as u64).filter(|bytes| *bytes > 0)
}

/// What the container may have, else what the machine has.
fn memory_limit() -> Option<u64> {
    static LIMIT: OnceLock<u64> = OnceLock::new();
    let limit = *LIMIT.get_or_init(|| {
        let mut system = System::new();
        system.refresh_memory();
        let machine = system.total_memory();
        system.cgroup_limits().map_or(machine, |limits| limits.total_memory.min(machine))
    });
    Some(limit).filter(|bytes| *bytes > 0)
}

fn open_files() -> Option<u64> {
    // One of them is the look itself.
    Some((std::fs::read_dir(OPEN_FILES).ok()?.count() as u64).saturating_sub(1))
}

/// The databases and their write-ahead logs, with their sizes.
fn files(dir: &Path) -> impl Iterator<Item = (String, u64)> {
    let sized = |name: String| {
        let size = std::fs::metadata(dir.join(&name)).map_or(0, |there| there.len());
        (name, size)
    };
    FILES.into_iter().flat_map(move |name| [name.to_owned(), format!("{name}-wal")]).map(sized)
}

/// For `/metrics`.
pub async fn prometheus_text(state: &AppState) -> String {
    let mut out = String::new();
    let mut write = |name: &str, help: &str, value: u64| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    };
    for used in all(state).await {
        if !used.is_told {
            write(used.name, used.help, used.value);
        }
        if let Some(limit) = used.limit {
            let name = match used.name.strip_suffix("_bytes") {
                Some(name) => format!("{name}_limit_bytes"),
                None => format!("{}_limit", used.name),
            };
            write(&name, &format!("The most that {} may become.", used.name), limit);
        }
    }
    if let Ok(room) = room(state.backups.data_dir()) {
        write("lockstep_disk_free_bytes", "Room where the data directory is.", room.free);
        write("lockstep_disk_bytes", "The size of that disk.", room.size);
    }
    let name = "lockstep_file_bytes";
    let _ = writeln!(out, "# HELP {name} The databases and their write-ahead logs.\n# TYPE {name} gauge");
    for (file, size) in files(state.backups.data_dir()) {
        let _ = writeln!(out, "{name}{{file=\"{file}\"}} {size}");
    }
    out
}

/// The rows of `/status` about what is used up, and about backups where any are made.
pub async fn services(state: &AppState) -> Vec<ServerService> {
    let (says, is_near) = in_words(state).await;
    let row = |name, warns: bool, says| service(name, if warns { "waiting" } else { "ok" }, says);
    let mut rows = vec![row("capacity", is_near, says)];
    if let Some(state) = state.backups.state() {
        let (says, warns) = state.in_words(now_ms());
        rows.push(row("backup", warns, says));
    }
    rows
}

/// In words, and whether something comes near its bound.
async fn in_words(state: &AppState) -> (String, bool) {
    let all = all(state).await;
    let near: Vec<String> = all
        .iter()
        .filter(|used| used.is_near())
        .map(|used| format!("Nearly all of it is used: {}. ", used.in_words()))
        .collect();
    let words: Vec<String> = all.iter().map(Used::in_words).collect();
    let files: Vec<String> =
        files(state.backups.data_dir()).map(|(name, size)| format!("{name} {}", bytes(size))).collect();
    let says = format!("{}{}. {}.", near.concat(), words.join(", "), files.join(", "));
    (says, !near.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_near_its_bound_is_told() {
        let mut used = Used {
            name: "lockstep_dashboards",
            help: "",
            what: "dashboards",
            value: 8_999,
            limit: Some(10_000),
            in_bytes: false,
            is_told: false,
        };
        assert_eq!((used.in_words().as_str(), used.is_near()), ("8,999 of 10,000 dashboards", false));
        used.value = 9_000;
        assert!(used.is_near());
        used.limit = Some(u64::MAX);
        assert!(!used.is_near());
        used.limit = None;
        assert_eq!((used.in_words().as_str(), used.is_near()), ("9,000 dashboards", false));
    }

    #[test]
    fn this_process_has_some_open_files_and_the_machine_some_memory() {
        let before = open_files().expect("the system says");
        let _open = std::fs::File::open(env!("CARGO_MANIFEST_DIR")).expect("opens");
        assert!(before > 2 && open_files().is_some_and(|after| after > 0));
        assert!(memory_limit().is_some_and(|bytes| bytes > 1_000_000));
    }
}
