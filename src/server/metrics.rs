//! Metrics of the server itself: atomics, readable as Prometheus text.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::build_info;
use crate::sync::protocol::{Code, PROTOCOL};

/// Upper bounds of the append latency's buckets, in microseconds: an SSD's fsync lies in the middle.
const BUCKETS_US: [u64; 10] = [250, 500, 1_000, 2_000, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000];
/// Appends whose mean is the recent latency: a moment of a busy server.
const RECENT: usize = 64;

/// Every code, in the order of the counters.
const CODES: [(Code, &str); 9] = [
    (Code::Invalid, "invalid"),
    (Code::Forbidden, "forbidden"),
    (Code::NotJoined, "not_joined"),
    (Code::NotFound, "not_found"),
    (Code::TooLarge, "too_large"),
    (Code::RateLimited, "rate_limited"),
    (Code::OutOfOrder, "out_of_order"),
    (Code::Full, "full"),
    (Code::Internal, "internal"),
];

/// The counters of one server. Totals only grow; the others go up and down.
#[derive(Debug, Default)]
pub struct Metrics {
    pub sessions: AtomicI64,
    pub rooms: AtomicI64,
    /// Connections of any kind.
    pub connections: AtomicI64,
    /// How many there may be.
    pub connections_limit: AtomicI64,
    pub sessions_total: AtomicU64,
    pub commits_total: AtomicU64,
    /// Ops without effect.
    pub refused_total: AtomicU64,
    /// Commits times the sessions that each was sent to.
    pub deliveries_total: AtomicU64,
    pub frames_out: AtomicU64,
    pub bytes_out: AtomicU64,
    pub slow_readers_closed: AtomicU64,
    pub presence_frames: AtomicU64,
    /// Conflict records made.
    pub conflicts_total: AtomicU64,
    /// Conflicts that wait for a person, over the open rooms.
    pub open_conflicts: AtomicI64,
    /// Clients that came to another dashboard than the room (S11), as far as they said.
    pub digest_differs: AtomicU64,
    /// Panics that a room caught and healed.
    pub panics_caught: AtomicU64,
    /// Requests that brought points.
    pub ingest_requests: AtomicU64,
    /// Of those, the ones of which nothing was taken.
    pub ingest_failed: AtomicU64,
    /// Points that were taken.
    pub ingest_points: AtomicU64,
    /// Points, lines and items that did not fit.
    pub ingest_refused: AtomicU64,
    /// Fields whose value is a text, passed over.
    pub ingest_texts: AtomicU64,
    /// Connections that were turned away, because there were too many.
    pub connections_refused: AtomicU64,
    /// Connections that were closed because something did not come in time.
    pub connections_late: AtomicU64,
    rejected: [AtomicU64; CODES.len()],
    appends: Histogram,
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
    recent_us: Mutex<VecDeque<u64>>,
}

impl Metrics {
    /// Counts a change that never reached the log, or an `error`.
    pub fn rejected(&self, code: Code) {
        if let Some(at) = CODES.iter().position(|(known, _)| *known == code) {
            self.rejected[at].fetch_add(1, Relaxed);
        }
    }

    /// How often a code was the answer.
    pub fn rejected_total(&self, code: Code) -> u64 {
        CODES
            .iter()
            .zip(&self.rejected)
            .find(|((known, _), _)| *known == code)
            .map_or(0, |(_, n)| n.load(Relaxed))
    }

    /// Counts one append of a batch, from the judged commits to their being durable.
    pub fn appended(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.iter().position(|bound| us <= *bound).unwrap_or(BUCKETS_US.len());
        self.appends.buckets[bucket].fetch_add(1, Relaxed);
        self.appends.sum_us.fetch_add(us, Relaxed);
        if let Ok(mut recent) = self.appends.recent_us.lock() {
            if recent.len() == RECENT {
                recent.pop_front();
            }
            recent.push_back(us);
        }
    }

    /// The mean of the last appends in milliseconds; `None` before the first.
    pub fn append_latency_ms(&self) -> Option<f64> {
        let recent = self.appends.recent_us.lock().ok()?;
        let count = recent.len();
        (count > 0).then(|| recent.iter().sum::<u64>() as f64 / count as f64 / 1_000.0)
    }

    /// Appends so far and the microseconds that they took together.
    pub fn append_totals(&self) -> (u64, u64) {
        let count = self.appends.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum();
        (count, self.appends.sum_us.load(Relaxed))
    }

    /// All of it in Prometheus' text format.
    pub fn prometheus_text(&self) -> String {
        let mut out = String::with_capacity(4096);
        let name = "lockstep_build_info";
        let (version, commit) = (build_info::VERSION, build_info::commit());
        let _ = writeln!(
            out,
            "# HELP {name} The build that answers.\n# TYPE {name} gauge\n\
             {name}{{version=\"{version}\",commit=\"{commit}\",protocol=\"{PROTOCOL}\"}} 1"
        );
        let gauges = [
            ("lockstep_sessions", "WebSocket sessions now.", &self.sessions),
            ("lockstep_rooms", "Rooms open now.", &self.rooms),
            ("lockstep_connections", "Connections now, of any kind.", &self.connections),
            ("lockstep_connections_limit", "How many connections there may be.", &self.connections_limit),
            (
                "lockstep_open_conflicts",
                "Conflicts that wait for a person, in open rooms.",
                &self.open_conflicts,
            ),
        ];
        for (name, help, value) in gauges {
            let _ =
                writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {}", value.load(Relaxed));
        }
        let counters = [
            ("lockstep_sessions_total", "Sessions so far.", &self.sessions_total),
            ("lockstep_commits_total", "Commits appended to logs.", &self.commits_total),
            ("lockstep_refused_ops_total", "Ops without effect.", &self.refused_total),
            (
                "lockstep_deliveries_total",
                "Commits times the sessions they were sent to.",
                &self.deliveries_total,
            ),
            ("lockstep_frames_out_total", "Frames sent.", &self.frames_out),
            ("lockstep_bytes_out_total", "Bytes of the frames sent.", &self.bytes_out),
            (
                "lockstep_slow_readers_closed_total",
                "Sessions too slow for their queue.",
                &self.slow_readers_closed,
            ),
            ("lockstep_presence_frames_total", "Presence frames made.", &self.presence_frames),
            ("lockstep_conflicts_total", "Conflict records made.", &self.conflicts_total),
            ("lockstep_digest_differs_total", "Copies that differed from the room.", &self.digest_differs),
            ("lockstep_panics_caught_total", "Panics that a room caught and healed.", &self.panics_caught),
            ("lockstep_ingest_requests_total", "Requests that brought points.", &self.ingest_requests),
            ("lockstep_ingest_failed_total", "Of those, the ones turned down whole.", &self.ingest_failed),
            ("lockstep_ingest_points_total", "Points taken.", &self.ingest_points),
            ("lockstep_ingest_refused_total", "Points and lines that did not fit.", &self.ingest_refused),
            (
                "lockstep_connections_refused_total",
                "Connections turned away, because there were too many.",
                &self.connections_refused,
            ),
            (
                "lockstep_connections_late_total",
                "Connections closed because something did not come in time.",
                &self.connections_late,
            ),
            ("lockstep_ingest_texts_total", "Text fields passed over.", &self.ingest_texts),
        ];
        for (name, help, value) in counters {
            let _ =
                writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", value.load(Relaxed));
        }
        let name = "lockstep_rejected_total";
        let _ =
            writeln!(out, "# HELP {name} Changes and requests turned down, by code.\n# TYPE {name} counter");
        for ((_, code), value) in CODES.iter().zip(&self.rejected) {
            let _ = writeln!(out, "{name}{{code=\"{code}\"}} {}", value.load(Relaxed));
        }
        self.appends.write(&mut out);
        out
    }
}

impl Histogram {
    fn write(&self, out: &mut String) {
        let name = "lockstep_append_seconds";
        let _ = writeln!(out, "# HELP {name} From judged to durable, per batch.\n# TYPE {name} histogram");
        let mut count = 0;
        for (bound, bucket) in BUCKETS_US.iter().zip(&self.buckets) {
            count += bucket.load(Relaxed);
            let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {count}", *bound as f64 / 1e6);
        }
        count += self.buckets[BUCKETS_US.len()].load(Relaxed);
        let sum = self.sum_us.load(Relaxed) as f64 / 1e6;
        let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_show_in_the_text() {
        let metrics = Metrics::default();
        metrics.rejected(Code::TooLarge);
        metrics.appended(Duration::from_millis(3));
        metrics.appended(Duration::from_secs(9));
        let text = metrics.prometheus_text();
        for line in [
            "lockstep_rejected_total{code=\"too_large\"} 1",
            "lockstep_append_seconds_bucket{le=\"0.005\"} 1",
            "lockstep_append_seconds_bucket{le=\"+Inf\"} 2",
            "lockstep_sessions 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        assert_eq!(metrics.append_latency_ms(), Some(4501.5));
    }
}
