//! Scene of one run of a script: its folder and disk, the failure planned for it, and the outcome.

use std::sync::Arc;
use std::time::Duration;

use lockstep::server::store::StoreError;

use crate::disk::{Disk, Left, Plan};
use crate::random::Random;

/// Attempts after which a store that does not come back has not come back. With the wait between them
/// they are the two seconds within which it is to write again.
const ATTEMPTS: u64 = 100;
const WAIT: Duration = Duration::from_millis(20);
/// Attempts after which somebody mends a disk that keeps a store from opening.
const PATIENCE: u64 = 3;

/// Something done wrong on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Writes are acknowledged before they are done.
    AcksEarly,
    /// Writes that failed are acknowledged.
    AcksFailures,
    /// Nothing waits for the disk, as with `synchronous=OFF`.
    NeverSyncs,
}

/// One run of a script.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub seed: u64,
    /// `None` to count the calls of a run in which nothing fails.
    pub plan: Option<Plan>,
    pub plant: Option<Plant>,
}

/// What came of runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Runs in which what was planned came about.
    pub struck: u64,
    pub acked: u64,
    /// Answered with an error.
    pub failed: u64,
    /// Of those, found afterwards all the same.
    pub found: u64,
    /// Attempts until the first write after the trouble, at most.
    pub attempts: u64,
}

impl Told {
    pub fn add(&mut self, other: &Self) {
        self.struck += other.struck;
        self.acked += other.acked;
        self.failed += other.failed;
        self.found += other.found;
        self.attempts = self.attempts.max(other.attempts);
    }
}

/// The folder of one run.
pub struct Scene {
    pub folder: tempfile::TempDir,
    pub disk: Arc<Disk>,
    pub random: Random,
    pub case: Case,
    pub told: Told,
    /// Nothing may fail before something was struck, nor after the first write that followed.
    settled: u64,
    /// Steps that are still to come with the trouble, and after it.
    troubled: u64,
    after: u64,
}

impl Scene {
    pub fn new(case: Case) -> Self {
        // Memory where there is such a folder: thousands of runs wait for thousands of syncs.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder");
        let disk = Disk::new(folder.path());
        let mut random = Random::new(case.seed);
        let (troubled, after) = (random.between(1, 4), random.between(1, 5));
        if let Some(plan) = case.plan {
            disk.plan(plan);
            // The script is the same for all that may fail in it; how it ends is not.
            let mut ends = Random::new(case.seed ^ (plan.nth << 8) ^ plan.failure as u64);
            return Self::begin(
                folder,
                disk,
                random,
                case,
                ends.between(1, troubled),
                ends.between(1, after),
            );
        }
        Self::begin(folder, disk, random, case, troubled, after)
    }

    fn begin(
        folder: tempfile::TempDir,
        disk: Arc<Disk>,
        random: Random,
        case: Case,
        troubled: u64,
        after: u64,
    ) -> Self {
        if case.plant == Some(Plant::NeverSyncs) {
            disk.lie();
        }
        Self { folder, disk, random, case, told: Told::default(), settled: 0, troubled, after }
    }

    /// True while an error may be answered.
    pub fn is_excused(&self) -> bool {
        self.disk.is_off() || self.disk.struck() > self.settled
    }

    /// True where the trouble is over and nothing was written since.
    pub fn is_to_settle(&self) -> bool {
        self.is_excused() && self.disk.is_well()
    }

    /// The store has written after the trouble.
    pub fn settle(&mut self, attempts: u64) {
        self.settled = self.disk.struck();
        self.told.attempts = self.told.attempts.max(attempts);
    }

    /// After a step: mends what has lasted for long enough. False where the script ends.
    pub fn goes_on(&mut self) -> bool {
        if self.disk.is_off() {
            return false;
        }
        if self.disk.struck() == 0 {
            return true;
        }
        if !self.disk.is_well() {
            self.troubled -= 1;
            if self.troubled == 0 {
                self.disk.mend();
                self.troubled = 1;
            }
            return true;
        }
        self.after = self.after.saturating_sub(1);
        self.after > 0
    }

    /// An error that nothing excuses is a fault of the store.
    pub fn excuse(&self, what: &str, error: &StoreError) -> Result<(), String> {
        if self.is_excused() {
            return Ok(());
        }
        Err(format!("{what} fails although nothing is wrong: {error}"))
    }

    /// Waits between two attempts at something that failed. Errors where it has been tried for too long.
    pub async fn wait(&self, attempt: u64, what: &str, error: &StoreError) -> Result<(), String> {
        self.excuse(what, error)?;
        if attempt >= ATTEMPTS {
            return Err(format!("{what} does not come back after {attempt} attempts: {error}"));
        }
        if attempt >= PATIENCE {
            self.disk.mend();
        }
        tokio::time::sleep(WAIT).await;
        Ok(())
    }

    /// Starts the machine again once nobody has a file open.
    pub async fn start(&self, left: Left) -> Result<(), String> {
        self.closed().await?;
        self.disk.start(left);
        Ok(())
    }

    /// Waits until nobody has a file open; threads of their own close them.
    pub async fn closed(&self) -> Result<(), String> {
        for _ in 0..30_000 {
            if self.disk.open_files() == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Err(format!("{} files stay open", self.disk.open_files()))
    }
}
