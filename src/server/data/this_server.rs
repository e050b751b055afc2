//! The built-in source "this server": what the process itself does, sampled once per second.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::{MissedTickBehavior, interval};

use super::series::memory::Memory;
use crate::server::clock::now_ms;

/// Percent of one core that this process used in the last second.
pub const CPU: &str = "server.cpu";
/// Bytes of memory that this process holds.
pub const MEMORY: &str = "server.memory";
/// Open sessions.
pub const SESSIONS: &str = "server.sessions";
/// Commits in the last second.
pub const COMMITS: &str = "server.commits";
/// Milliseconds to make a commit durable, the mean of the last second; a gap where there was none.
pub const COMMIT_LATENCY: &str = "server.commit_latency";

/// From one sample to the next.
const EVERY: Duration = Duration::from_secs(1);
/// Processor time is a difference of two readings; sooner than this the second one says nothing.
const PRIMING: Duration = Duration::from_millis(250);

/// What the rest of the server reports at each sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Sessions that are open now.
    pub sessions: u64,
    /// Commits since the start.
    pub commits: u64,
    /// Mean time to make a commit durable since the last sample, in milliseconds.
    pub commit_latency_ms: Option<f64>,
}

/// The one who samples. Made once; [`ThisServer::run`] does it. The points go where the pushed ones are, but
/// not into the file: after a restart they begin anew.
pub struct ThisServer {
    memory: Arc<Memory>,
    last: AtomicU64,
}

impl ThisServer {
    pub fn new(memory: Arc<Memory>) -> Self {
        Self { memory, last: AtomicU64::new(0) }
    }

    /// Samples once per second, for as long as it is polled. `load` is asked at each sample.
    pub async fn run(&self, mut load: impl FnMut() -> Load) -> Infallible {
        let mut process = Process::new();
        let mut commits_before = load().commits;
        tokio::time::sleep(PRIMING).await;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let load = load();
            let (cpu, memory) = process.usage();
            let commits = load.commits.saturating_sub(commits_before);
            commits_before = load.commits;
            let now = now_ms();
            self.memory.record(
                now,
                [
                    (CPU, cpu),
                    (MEMORY, memory),
                    (SESSIONS, Some(load.sessions as f64)),
                    (COMMITS, Some(commits as f64)),
                    (COMMIT_LATENCY, load.commit_latency_ms),
                ],
            );
            self.last.store(now, Relaxed);
        }
    }

    /// When the last sample was taken, Unix milliseconds.
    pub fn last_sample(&self) -> Option<u64> {
        Some(self.last.load(Relaxed)).filter(|at| *at > 0)
    }
}

/// This process as the operating system sees it.
struct Process {
    system: System,
    id: Option<sysinfo::Pid>,
}

impl Process {
    fn new() -> Self {
        let mut process = Self { system: System::new(), id: sysinfo::get_current_pid().ok() };
        process.usage();
        process
    }

    /// Percent of one core since the last call, and bytes of memory; `None` where the system does
    /// not say.
    fn usage(&mut self) -> (Option<f64>, Option<f64>) {
        let Some(id) = self.id else { return (None, None) };
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[id]), false, what);
        let process = self.system.process(id);
        (process.map(|p| f64::from(p.cpu_usage())), process.map(|p| p.memory() as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::super::series::Bounds;
    use super::super::series::key::selectors;
    use super::*;

    #[tokio::test]
    async fn the_first_sample_is_true_and_comes_within_a_second() {
        let bounds = Bounds { series: 1, points_per_series: 10, points: 100, kept_ms: 1_000 };
        let memory = Arc::new(Memory::new(bounds));
        let source = ThisServer::new(memory.clone());
        let mut ticks = memory.subscribe();
        let first = async { ticks.changed().await.expect("the source lives") };
        tokio::select! {
            never = source.run(|| Load { sessions: 3, ..Load::default() }) => match never {},
            () = first => {}
            () = tokio::time::sleep(EVERY) => panic!("no sample within a second"),
        }
        let value = |name| memory.find(&selectors(name)[0], 1, |_| 0, u64::MAX).0[0].last.map(|last| last.1);
        assert_eq!(value(SESSIONS), Some(3.0));
        assert!(value(MEMORY).is_some_and(|bytes| bytes > 1e6));
        assert!(value(CPU).is_some_and(|percent| percent >= 0.0));
        assert!(value(COMMIT_LATENCY).is_some_and(f64::is_nan), "a gap where there was none");
    }
}
