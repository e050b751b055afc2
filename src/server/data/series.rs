//! Points that clients push, by series: on the disk before anybody is answered, and in memory, compact, for
//! those who ask.

pub mod key;
pub mod memory;
pub mod points;

mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::key::Key;
use self::memory::Memory;
use self::points::Point;
use self::writer::Waiting;
use crate::server::limits::Limits;
use crate::server::store::StoreError;

/// Batches that wait for the writer. Those who bring more wait with their answer.
const WAITING: usize = 64;

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

/// Points of one series out of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub key: Key,
    /// In time order, each time once.
    pub points: Vec<Point>,
    /// Where in the request the series came first: a line or an item, from 1.
    pub place: usize,
}

/// What became of a batch that is on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub points: u64,
    /// Series that were not taken: where they came first, how many points, and why.
    pub refused: Vec<(usize, u64, String)>,
}

/// All pushed series of one server.
pub struct SeriesStore {
    memory: Arc<Memory>,
    inbox: Mutex<Option<mpsc::Sender<Waiting>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl SeriesStore {
    /// Opens the file, makes it where it is not there, and reads what it keeps.
    pub async fn open(file: &Path, bounds: Bounds) -> Result<Self, StoreError> {
        let memory = Arc::new(Memory::new(bounds));
        let writer = writer::Writer::open(file, memory.clone()).await?;
        let (inbox, waiting) = mpsc::channel(WAITING);
        let task = tokio::spawn(writer.run(waiting));
        Ok(Self { memory, inbox: Mutex::new(Some(inbox)), task: Mutex::new(Some(task)) })
    }

    /// What is kept, for those who ask.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Takes a batch; when this returns it survives the machine. After an error nothing of it is kept.
    pub async fn push(&self, runs: Vec<Run>) -> Result<Taken, StoreError> {
        if runs.is_empty() {
            return Ok(Taken::default());
        }
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let inbox = inbox.ok_or(StoreError::Closed)?;
        let (done, outcome) = oneshot::channel();
        inbox.send(Waiting { runs, done }).await.map_err(|_| StoreError::Closed)?;
        drop(inbox);
        outcome.await.unwrap_or(Err(StoreError::Closed))
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
