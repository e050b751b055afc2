//! The built-in source "this server": what the process itself does, sampled once per second.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::RoomData;
use crate::server::clock::now_ms;
use crate::sync::protocol::Series;

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

/// The names that a query can ask for.
pub const NAMES: [&str; 5] = [CPU, MEMORY, SESSIONS, COMMITS, COMMIT_LATENCY];

/// Points kept of each series: 15 minutes.
pub const KEPT: usize = 900;
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

/// The points of each of [`NAMES`].
type Kept = [VecDeque<(u64, Option<f64>)>; NAMES.len()];

/// The source. Made once; [`ThisServer::run`] feeds it.
pub struct ThisServer {
    kept: Mutex<Kept>,
    tick: watch::Sender<u64>,
}

impl Default for ThisServer {
    fn default() -> Self {
        Self { kept: Mutex::default(), tick: watch::Sender::new(0) }
    }
}

impl ThisServer {
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
            let (sessions, commits) = (load.sessions as f64, commits as f64);
            self.push(now_ms(), [cpu, memory, Some(sessions), Some(commits), load.commit_latency_ms]);
        }
    }

    /// When the last sample was taken, Unix milliseconds.
    pub fn last_sample(&self) -> Option<u64> {
        self.kept()[0].back().map(|(at, _)| *at)
    }

    /// Keeps one value for each of [`NAMES`].
    fn push(&self, at: u64, values: [Option<f64>; NAMES.len()]) {
        let mut kept = self.kept();
        for (points, value) in kept.iter_mut().zip(values) {
            // The system's clock may be set back; the points stay in time order.
            let at = points.back().map_or(at, |(last, _)| at.max(last + 1));
            points.push_back((at, value.filter(|value| value.is_finite())));
            if points.len() > KEPT {
                points.pop_front();
            }
        }
        drop(kept);
        self.tick.send_modify(|tick| *tick += 1);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RoomData for ThisServer {
    fn subscribe(&self) -> watch::Receiver<u64> {
        self.tick.subscribe()
    }

    fn since(&self, query: &str, after_ms: u64) -> Vec<Series> {
        let kept = self.kept();
        // A name counts once, which bounds an answer by what is kept, however long the query.
        let mut seen = BTreeSet::new();
        let names = query.split(',').map(str::trim).filter(|name| !name.is_empty());
        names
            .filter(|name| seen.insert(*name))
            .map(|name| {
                let points = NAMES.iter().position(|known| *known == name).map(|index| {
                    let points = &kept[index];
                    let first = points.partition_point(|(at, _)| *at <= after_ms);
                    points.range(first..).copied().collect()
                });
                Series { name: name.to_owned(), points: points.unwrap_or_default(), tags: Vec::new() }
            })
            .collect()
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
    use super::*;

    fn filled(samples: u64) -> ThisServer {
        let source = ThisServer::default();
        for n in 1..=samples {
            source.push(n * 1000, [Some(n as f64), Some(5.0), Some(0.0), None, Some(f64::NAN)]);
        }
        source
    }

    #[test]
    fn a_query_names_series_in_its_own_order_and_each_once() {
        let source = filled(2);
        let series = source.window(" server.memory, server.cpu,server.memory,, nobody");
        let names: Vec<_> = series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["server.memory", "server.cpu", "nobody"]);
        assert_eq!(series[1].points, [(1000, Some(1.0)), (2000, Some(2.0))]);
        assert!(series[2].points.is_empty());
        assert!(source.window("").is_empty());
    }

    #[test]
    fn only_what_came_after_is_told() {
        let source = filled(3);
        assert_eq!(source.since(CPU, 2000)[0].points, [(3000, Some(3.0))]);
        assert!(source.since(CPU, 3000)[0].points.is_empty());
    }

    #[test]
    fn what_has_no_number_is_a_gap() {
        assert_eq!(filled(1).window("server.commits, server.commit_latency")[1].points, [(1000, None)]);
    }

    #[test]
    fn fifteen_minutes_are_kept_in_time_order_whatever_the_clock_does() {
        let source = filled(KEPT as u64 + 10);
        source.push(5, [Some(1.0); NAMES.len()]);
        let points = &source.window(CPU)[0].points;
        assert_eq!(points.len(), KEPT);
        assert!(points.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(*source.subscribe().borrow(), KEPT as u64 + 11);
    }

    #[tokio::test]
    async fn the_first_sample_is_true_and_comes_within_a_second() {
        let source = ThisServer::default();
        let mut ticks = source.subscribe();
        let first = async { ticks.changed().await.expect("the source lives") };
        tokio::select! {
            never = source.run(|| Load { sessions: 3, ..Load::default() }) => match never {},
            () = first => {}
            () = tokio::time::sleep(EVERY) => panic!("no sample within a second"),
        }
        let value = |name| source.window(name)[0].points[0].1;
        assert_eq!(value(SESSIONS), Some(3.0));
        assert!(value(MEMORY).is_some_and(|bytes| bytes > 1e6));
        assert!(value(CPU).is_some_and(|percent| percent >= 0.0));
    }
}
