//! Scripted hour of the store of pushed points, and the check of what it kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use lockstep::server::data::series::key::{Key, selectors};
use lockstep::server::data::series::{Bounds, Run, SeriesStore};

use crate::dashboards::check_the_file;
use crate::disk::{Call, Left};
use crate::scene::{Case, Plant, Scene, Told};

/// Things that happen in the hour.
const STEPS: u64 = 20;
/// How long points are kept.
const KEPT_MS: u64 = 3_600_000;
/// The series whose points are older than that when they come: they may go at any time.
const OLD: &str = "old";

/// Plays a case. Errors with the promise that was broken.
pub async fn play(case: Case) -> Result<(Told, BTreeMap<Call, u64>), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
    let mut player =
        Player { scene: Scene::new(case), store: None, batches: Vec::new(), series: 0, now, counter: 0 };
    player.open().await?;
    for _ in 0..STEPS {
        player.step().await?;
        if player.scene.is_to_settle() {
            player.settle().await?;
        }
        if !player.scene.goes_on() {
            break;
        }
    }
    let calls = player.scene.disk.calls();
    player.scene.told.struck = u64::from(player.scene.disk.struck() > 0);
    player.end().await?;
    Ok((player.scene.told, calls))
}

/// What one request brought: for each series the times of its points, whose values are their numbers.
struct Batch {
    points: Vec<(String, u64, f64)>,
    /// `None` where it was answered with an error: wholly there, or wholly not.
    acked: Option<bool>,
}

struct Player {
    scene: Scene,
    store: Option<Arc<SeriesStore>>,
    batches: Vec<Batch>,
    series: u64,
    now: u64,
    counter: u64,
}

impl Player {
    fn file(&self) -> std::path::PathBuf {
        self.scene.folder.path().join("series.db")
    }

    async fn open(&mut self) -> Result<(), String> {
        let bounds = Bounds { series: 1_000, points_per_series: 10_000, points: 1_000_000, kept_ms: KEPT_MS };
        let mut attempt = 0;
        while !self.scene.disk.is_off() {
            match SeriesStore::open(&self.file(), bounds).await {
                Ok(store) => {
                    self.store = Some(Arc::new(store));
                    return Ok(());
                }
                Err(error) => {
                    attempt += 1;
                    self.scene.wait(attempt, "opening", &error).await?;
                }
            }
        }
        Ok(())
    }

    async fn restart(&mut self, left: Option<Left>) -> Result<(), String> {
        if left.is_some() {
            self.scene.disk.cut_power();
        }
        if let Some(store) = self.store.take() {
            store.close().await;
        }
        if let Some(left) = left {
            self.scene.start(left).await?;
        }
        self.open().await?;
        self.look(true)
    }

    async fn step(&mut self) -> Result<(), String> {
        match self.scene.random.below(100) {
            0..=64 => {
                let batch = self.batch();
                self.push(vec![batch]).await
            }
            65..=79 => {
                let batches = (0..self.scene.random.between(2, 4)).map(|_| self.batch()).collect();
                self.push(batches).await
            }
            80..=87 => {
                let batch = self.old_batch();
                self.push(vec![batch]).await
            }
            _ => {
                let left = match self.scene.random.below(3) {
                    0 => None,
                    1 => Some(Left::All),
                    _ => Some(Left::Synced(self.scene.random.next())),
                };
                self.restart(left).await
            }
        }
    }

    /// Points of one to three series, some of them new.
    fn batch(&mut self) -> Vec<Run> {
        let mut names = BTreeSet::new();
        for _ in 0..self.scene.random.between(1, 3) {
            if self.series == 0 || self.scene.random.percent(15) {
                self.series += 1;
            }
            names.insert(format!("s{}", self.scene.random.below(self.series)));
        }
        let long = self.scene.random.percent(10);
        names.into_iter().map(|name| self.run(&name, KEPT_MS / 2, if long { 900 } else { 12 })).collect()
    }

    fn old_batch(&mut self) -> Vec<Run> {
        vec![self.run(OLD, KEPT_MS + 600_000, 5)]
    }

    fn run(&mut self, name: &str, age: u64, most: u64) -> Run {
        let points = (0..self.scene.random.between(1, most)).map(|_| {
            self.counter += 1;
            (self.now - age + self.counter, self.counter as f64)
        });
        Run { key: Key::new(name, Vec::new()).expect("a name"), points: points.collect(), place: 1 }
    }

    async fn push(&mut self, batches: Vec<Vec<Run>>) -> Result<(), String> {
        let Some(store) = self.store.clone() else { return Ok(()) };
        if self.scene.case.plant == Some(Plant::AcksEarly) {
            for runs in batches {
                self.note(&runs, Some(true));
                let store = store.clone();
                tokio::spawn(async move { store.push(runs).await });
            }
            return Ok(());
        }
        let outcomes = join_all(batches.iter().map(|runs| store.push(runs.clone()))).await;
        for (runs, outcome) in batches.iter().zip(outcomes) {
            match outcome {
                Ok(taken) => {
                    let count: usize = runs.iter().map(|run| run.points.len()).sum();
                    if taken.points != count as u64 {
                        return Err(format!("{} of {count} points were taken", taken.points));
                    }
                    self.scene.told.acked += 1;
                    self.note(runs, Some(true));
                }
                Err(error) => {
                    self.scene.excuse("pushing", &error)?;
                    self.scene.told.failed += 1;
                    let acks = self.scene.case.plant == Some(Plant::AcksFailures);
                    self.note(runs, acks.then_some(true));
                }
            }
        }
        match self.scene.case.plant {
            None => self.look(false),
            Some(_) => Ok(()),
        }
    }

    fn note(&mut self, runs: &[Run], acked: Option<bool>) {
        let points = runs
            .iter()
            .flat_map(|run| run.points.iter().map(|(at, value)| (run.key.whole().to_owned(), *at, *value)));
        self.batches.push(Batch { points: points.collect(), acked });
    }

    /// Compares what those who ask are shown with what was acknowledged. After a restart, what was
    /// answered with an error may have come about, and then it stays.
    fn look(&mut self, restarted: bool) -> Result<(), String> {
        let Some(store) = &self.store else { return Ok(()) };
        let mut there = BTreeSet::new();
        for n in 0..=self.series {
            let selector = &selectors(&format!("s{n}"))[0];
            for found in store.memory().find(selector, 9, |_| 0, u64::MAX).0 {
                found.view.each(|(at, value)| {
                    there.insert((found.key.whole().to_owned(), at, value as u64));
                });
            }
        }
        for (n, batch) in self.batches.iter_mut().enumerate() {
            let points: Vec<_> =
                batch.points.iter().map(|(name, at, value)| (name.clone(), *at, *value as u64)).collect();
            if points.iter().any(|(name, ..)| name == OLD) {
                continue;
            }
            let count = points.iter().filter(|point| there.remove(*point)).count();
            let all = match batch.acked {
                Some(acked) => acked,
                None if restarted => {
                    self.scene.told.found += u64::from(count > 0);
                    batch.acked = Some(count > 0);
                    count > 0
                }
                // Nobody is shown what may not be there after the next start.
                None => false,
            };
            let should = if all { points.len() } else { 0 };
            if count != should {
                return Err(format!("lost: batch {n} has {count} points, and should have {should}"));
            }
        }
        match there.first() {
            Some(stray) => Err(format!("nobody pushed {stray:?}")),
            None => Ok(()),
        }
    }

    async fn settle(&mut self) -> Result<(), String> {
        let mut attempt = 0;
        while self.scene.is_to_settle() {
            if self.store.is_none() {
                self.open().await?;
                self.look(true)?;
            }
            let Some(store) = self.store.clone() else { break };
            let runs = self.batch();
            attempt += 1;
            match store.push(runs.clone()).await {
                Ok(_) => {
                    self.note(&runs, Some(true));
                    self.scene.settle(attempt);
                }
                Err(error) => {
                    self.scene.wait(attempt, "pushing", &error).await?;
                    self.note(&runs, None);
                }
            }
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), String> {
        let was_off = self.scene.disk.is_off();
        self.scene.disk.mend();
        let seed = self.scene.random.next() ^ self.scene.case.plan.map_or(0, |plan| plan.nth << 20);
        let left = match seed % 4 {
            0 if !was_off => None,
            1 if !was_off => Some(Left::All),
            _ => Some(Left::Synced(seed)),
        };
        self.restart(left).await.map_err(|why| format!("after {left:?}: {why}"))?;
        self.scene.settle(0);
        let batch = self.batch();
        self.push(vec![batch]).await?;
        if let Some(store) = self.store.take() {
            store.close().await;
        }
        self.scene.closed().await?;
        check_the_file(&self.file()).await
    }
}
