//! Backups that the server has made by itself: when the next is due, and what became of the last.
//!
//! Each is made by the same program as a process of its own, of a low priority.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::list;
use super::manifest::Manifest;
use crate::server::clock::{now_ms, utc};
use crate::server::health;

/// From a backup that failed to the next try, where the schedule is not faster.
const RETRY_MS: u64 = 15 * 60 * 1_000;
/// The longest sleep: so often the clock is looked at, which may have been set.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Bytes of what a failed backup said that are kept.
const MAX_WORDS: u64 = 4 * 1024;

/// What the settings say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the backups go.
    pub dir: PathBuf,
    pub every_ms: u64,
    /// Backups that stay.
    pub keep: usize,
}

/// The backups of one server. Without a plan it makes none.
pub struct Schedule {
    plan: Option<Plan>,
    data: PathBuf,
    state: Mutex<State>,
    failed_total: AtomicU64,
}

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The last that counts: when it was made, in Unix milliseconds, and its bytes.
    pub last: Option<(u64, u64)>,
    /// When the one began that is being made.
    pub since: Option<u64>,
    /// When the last try failed, and why; `None` where it did not.
    pub failed: Option<(u64, String)>,
    pub next_at: u64,
}

impl Schedule {
    pub fn new(plan: Option<Plan>, data: &Path) -> Self {
        let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
        let plan = plan.map(|plan| Plan { dir: std::path::absolute(&plan.dir).unwrap_or(plan.dir), ..plan });
        let schedule = Self { plan, data, state: Mutex::default(), failed_total: AtomicU64::new(0) };
        schedule.look();
        schedule
    }

    /// What is backed up.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// How it stands; `None` where no backups are made.
    pub fn state(&self) -> Option<State> {
        self.plan.as_ref().map(|_| self.lock().clone())
    }

    /// Makes backups for ever.
    pub async fn run(&self) -> Infallible {
        let Some(plan) = &self.plan else { return std::future::pending().await };
        loop {
            self.wait_until_due().await;
            self.lock().since = Some(now_ms());
            let outcome = self.make(plan).await;
            let now = now_ms();
            self.lock().since = None;
            match outcome {
                Ok(()) => {
                    self.look();
                    self.lock().failed = None;
                    tracing::info!(dir = %plan.dir.display(), "a backup was made and verified");
                }
                Err(reason) => {
                    tracing::error!(dir = %plan.dir.display(), reason, "a backup failed; the last one before still counts");
                    self.failed_total.fetch_add(1, Relaxed);
                    let mut state = self.lock();
                    state.failed = Some((now, reason));
                    state.next_at = now + plan.every_ms.min(RETRY_MS);
                }
            }
        }
    }

    /// Looks for the newest backup that is there, and reckons from it when the next is due.
    fn look(&self) {
        let Some(plan) = &self.plan else { return };
        let now = now_ms();
        let all = list(&plan.dir).unwrap_or_default();
        let newest = all.iter().rev().find_map(|path| Manifest::read(path).ok());
        let last = newest.map(|manifest| (manifest.made_at_ms, manifest.bytes()));
        let mut state = self.lock();
        state.last = last;
        // One from the future was made while the clock was wrong.
        state.next_at = last.map_or(now, |(at, _)| at.min(now) + plan.every_ms);
    }

    async fn wait_until_due(&self) {
        loop {
            let left = self.lock().next_at.saturating_sub(now_ms());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left).min(LOOK_EVERY)).await;
        }
    }

    /// Runs this program. Errors with what it said.
    async fn make(&self, plan: &Plan) -> Result<(), String> {
        let program =
            std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
        let child = Command::new(program)
            .arg("--data-dir")
            .arg(&self.data)
            .arg("backup")
            .arg(&plan.dir)
            .args(["--keep", &plan.keep.to_string()])
            // It needs none of the server's settings, and none of its secrets.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = Running(child.map_err(|error| format!("it could not be started: {error}"))?);
        let said = child.0.stderr.take();
        // It says what is wrong and ends: at the end of its words it is over.
        let said = tokio::task::spawn_blocking(move || {
            let mut words = String::new();
            if let Some(mut said) = said {
                // What is more is read too, or it would wait for ever to be heard.
                let _ = said.by_ref().take(MAX_WORDS).read_to_string(&mut words);
                let _ = std::io::copy(&mut said, &mut std::io::sink());
            }
            words
        });
        let said = said.await.unwrap_or_default();
        let ended = child.0.wait().map_err(|error| error.to_string())?;
        if ended.success() {
            return Ok(());
        }
        let said = said.trim().trim_start_matches("lockstep: ");
        if said.is_empty() { Err(format!("it ended with {ended}")) } else { Err(said.to_owned()) }
    }

    /// For `/metrics`.
    pub fn prometheus_text(&self) -> String {
        let mut out = String::new();
        let Some(state) = self.state() else { return out };
        let mut write = |name: &str, kind: &str, help: &str, value: String| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        };
        let (at, bytes) = state.last.unwrap_or_default();
        write(
            "lockstep_backup_last_success_timestamp_seconds",
            "gauge",
            "When the last backup was made that was verified; 0 where there is none.",
            (at / 1_000).to_string(),
        );
        write("lockstep_backup_last_success_bytes", "gauge", "Its size.", bytes.to_string());
        let failed = self.failed_total.load(Relaxed).to_string();
        write("lockstep_backup_failed_total", "counter", "Backups on schedule that failed.", failed);
        out
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every field is whole by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// In words, and whether that is a warning.
    pub fn in_words(&self, now_ms: u64) -> (String, bool) {
        let at = |ms: u64| utc(ms, now_ms);
        let last = match self.last {
            Some((ms, bytes)) => format!("Last verified backup {} UTC, {}", at(ms), health::bytes(bytes)),
            None => "No verified backup yet".to_owned(),
        };
        if let Some((ms, reason)) = &self.failed {
            let next = at(self.next_at);
            return (
                format!("{last}. The backup at {} failed: {reason}. Tried again at {next}.", at(*ms)),
                true,
            );
        }
        match self.since {
            Some(ms) => (format!("{last}; one is being made since {}.", at(ms)), false),
            None => (format!("{last}; next at {}.", at(self.next_at)), false),
        }
    }
}

/// A backup that is being made. It ends with the server.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already. What it leaves does not count, and the next one removes it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_told_in_words() {
        let day = 1_795_824_000_000;
        let mut state = State { next_at: day + 86_400_000, ..State::default() };
        assert_eq!(state.in_words(day).0, "No verified backup yet; next at 2026-11-29 00:00.");
        state.last = Some((day + 11_520_000, 14_200_000));
        let (says, warns) = state.in_words(day + 20_000_000);
        assert_eq!(says, "Last verified backup 03:12 UTC, 14.2 MB; next at 2026-11-29 00:00.");
        assert!(!warns);
        state.failed = Some((day + 12_000_000, "the disk is full".to_owned()));
        state.next_at = day + 12_900_000;
        let (says, warns) = state.in_words(day + 20_000_000);
        assert_eq!(
            says,
            "Last verified backup 03:12 UTC, 14.2 MB. The backup at 03:20 failed: the disk is full. Tried again at 03:35."
        );
        assert!(warns);
    }

    #[test]
    fn a_backup_that_is_there_counts_also_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let plan = Plan { dir: dir.path().to_owned(), every_ms: 3_600_000, keep: 7 };
        let schedule = Schedule::new(Some(plan.clone()), dir.path());
        assert!(schedule.state().expect("a plan").next_at <= now_ms());
        let made_at_ms = now_ms() - 60_000;
        let manifest = serde_json::json!({
            "format": 1, "program": "lockstep", "made_at": "", "made_at_ms": made_at_ms, "dashboards": 0,
            "commits": 0, "series": 0, "points": 0,
            "files": [{"name": "lockstep.db", "bytes": 77, "sha256": "", "tables": 1}],
        });
        let backup = dir.path().join(super::super::name_of(made_at_ms));
        std::fs::create_dir(&backup).expect("made");
        std::fs::write(backup.join(super::super::manifest::NAME), manifest.to_string()).expect("written");
        let state = Schedule::new(Some(plan), dir.path()).state().expect("a plan");
        assert_eq!((state.last, state.next_at), (Some((made_at_ms, 77)), made_at_ms + 3_600_000));
        let text = schedule.prometheus_text();
        assert!(text.contains("\nlockstep_backup_last_success_timestamp_seconds 0\n"), "{text}");
        assert!(Schedule::new(None, dir.path()).state().is_none());
    }
}
