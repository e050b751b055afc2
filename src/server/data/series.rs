//! Points that clients push, by series: on the disk before anybody is answered, and in memory, compact, for
//! those who ask.

mod deletion;
mod in_sequence;
pub mod key;
pub mod matching;
pub mod memory;
pub mod points;
pub mod retention;
pub mod runs;
pub mod sealed;
mod selector;
pub mod spelling;
pub mod variables;

mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::deletion::Deletion;
use self::matching::Match;
use self::memory::Memory;
use self::points::Point;
use self::retention::{Retention, Strange, Window};
pub use self::runs::Run;
use self::runs::Runs;
use self::writer::Waiting;
use crate::server::clock::now_ms;
use crate::server::limits::Limits;
use crate::server::store::StoreError;
use crate::server::store::last_write::{Failing, LastWrite};

/// Batches that wait for the writer. Those who bring more wait with their answer.
const WAITING: usize = 64;

/// Deletions that wait for it: each is one request of a person.
const DELETIONS: usize = 8;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub series: usize,
    pub points_per_series: usize,
    /// Of all series together.
    pub points: usize,
    /// How long, in milliseconds.
    pub kept_ms: u64,
}

impl Bounds {
    pub fn new(limits: &Limits, hours: u64) -> Self {
        Self {
            series: limits.series,
            points_per_series: limits.points_per_series,
            points: limits.points,
            kept_ms: hours.saturating_mul(3_600_000),
        }
    }
}

/// What became of a batch that is on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub points: u64,
    /// Series that were not taken: where they came first, how many points, and why.
    pub refused: Vec<(usize, u64, String)>,
}

/// The age of points by this machine's clocks.
pub(super) struct Ages {
    retention: Mutex<Retention>,
    begun: Instant,
}

impl Ages {
    /// `known` is the latest time of anything that is stored.
    fn new(bounds: Bounds, known: Option<u64>) -> Self {
        let retention = Retention::new(bounds.kept_ms, known, now_ms(), 0);
        if let Some(strange) = retention.strange() {
            tracing::warn!("{}", strange.in_words());
        }
        Self { retention: Mutex::new(retention), begun: Instant::now() }
    }

    /// From which time on points are kept; `None` where nothing goes for now.
    fn sweep_before(&self, memory: &Memory) -> Option<u64> {
        self.ask(|retention| retention.sweep_before(memory.newest()))
    }

    /// Looks at the clock and asks.
    fn ask<T>(&self, question: impl FnOnce(&Retention) -> T) -> T {
        // Each call leaves it whole before it can panic.
        let mut retention = self.retention.lock().unwrap_or_else(PoisonError::into_inner);
        let ticks = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(strange) = retention.observe(now_ms(), ticks) {
            tracing::warn!("{}", strange.in_words());
        }
        question(&retention)
    }
}

/// How many points a batch holds, as it stands in the file, and whether all of it reads.
pub fn points_of_batch(body: &[u8], is_sealed: bool) -> (u64, bool) {
    if is_sealed {
        let opened = sealed::open(body);
        return (opened.points(), !opened.damaged);
    }
    let points = |runs: &[(memory::Id, Vec<Point>)]| runs.iter().map(|(_, points)| points.len() as u64).sum();
    writer::read_body(body).map_or((0, false), |runs| (points(&runs), true))
}

/// All pushed series of one server.
pub struct SeriesStore {
    memory: Arc<Memory>,
    ages: Arc<Ages>,
    last: Arc<LastWrite>,
    inbox: Mutex<Option<Inbox>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// The ways to the writer.
#[derive(Clone)]
struct Inbox {
    pushes: mpsc::Sender<Waiting>,
    deletions: mpsc::Sender<Deletion>,
}

impl SeriesStore {
    /// Opens the file, makes it where it is not there, and reads what it keeps.
    pub async fn open(file: &Path, bounds: Bounds) -> Result<Self, StoreError> {
        Self::open_after(file, bounds, None).await
    }

    /// The same, where the last change of anything else that is stored was at a time (Unix milliseconds):
    /// by that the clock is judged, too.
    pub async fn open_after(
        file: &Path,
        bounds: Bounds,
        last_change: Option<u64>,
    ) -> Result<Self, StoreError> {
        let memory = Arc::new(Memory::new(bounds));
        let last = Arc::new(LastWrite::default());
        let mut writer = writer::Writer::open(file, memory.clone(), last.clone()).await?;
        let ages = Arc::new(Ages::new(bounds, memory.newest().max(last_change)));
        writer.tidy_up(ages.sweep_before(&memory)).await;
        let (pushes, waiting) = mpsc::channel(WAITING);
        let (deletions, to_delete) = mpsc::channel(DELETIONS);
        let inbox = Inbox { pushes, deletions };
        let task = tokio::spawn(writer.run(waiting, to_delete, ages.clone()));
        Ok(Self { memory, ages, last, inbox: Mutex::new(Some(inbox)), task: Mutex::new(Some(task)) })
    }

    /// Which times of points are taken now.
    pub fn window(&self) -> Window {
        self.ages.ask(|retention| retention.window(self.memory.newest()))
    }

    /// Why this machine's clock is not relied on; `None` where it is.
    pub fn strange_clock(&self) -> Option<Strange> {
        self.ages.ask(Retention::strange)
    }

    /// Answers where points can be written: with the outcome of the last real write, or of a small one made
    /// for it where the last says nothing about now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self.last.known() {
            Some(known) => known,
            None => self.write(Runs::default()).await.map(drop),
        }
    }

    /// Since when writing fails, and why; `None` where the last write succeeded.
    pub fn failing(&self) -> Option<Failing> {
        self.last.failing()
    }

    /// What is kept, for those who ask.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Takes a batch; when this returns it survives the machine. After an error nothing of it is kept.
    pub async fn push(&self, runs: impl Into<Runs>) -> Result<Taken, StoreError> {
        let runs = runs.into();
        if runs.is_empty() {
            return Ok(Taken::default());
        }
        self.write(runs).await
    }

    async fn write(&self, runs: Runs) -> Result<Taken, StoreError> {
        let inbox = self.inbox()?.pushes;
        let (done, outcome) = oneshot::channel();
        inbox.send(Waiting { runs, done }).await.map_err(|_| StoreError::Closed)?;
        drop(inbox);
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Deletes pushed series with their points; when this returns they stay deleted, and their places are free.
    /// How many there were.
    pub async fn delete(&self, wanted: Match) -> Result<usize, StoreError> {
        let inbox = self.inbox()?.deletions;
        let (done, outcome) = oneshot::channel();
        inbox.send(Deletion { wanted, done }).await.map_err(|_| StoreError::Closed)?;
        drop(inbox);
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    fn inbox(&self) -> Result<Inbox, StoreError> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)
    }

    /// Writes what waits and lets go of the file. Later pushes error with `Closed`.
    pub async fn close(&self) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the writer of series ended badly");
        }
    }
}
