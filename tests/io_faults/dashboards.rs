//! Scripted hour of the store of dashboards, as rooms use it, and the check of what it kept.

mod model;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::join_all;
use lockstep::dashboard::{ClientId, DashboardId};
use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{Appended, Listing, Most, NewDashboard, Store as _, StoreError};

use self::model::{Dash, Found, Model, Op};
use crate::disk::{Call, Failure, Left, Plan};
use crate::scene::{Case, Plant, Scene, Told};

/// Things that happen in the hour.
const STEPS: u64 = 20;
/// Of a hundred writes, how many are followed by a look at what was written.
const LOOKS: u64 = 20;
/// Dashboards at most.
const DASHBOARDS: u64 = 4;

/// Plays a case. Errors with the promise that was broken.
pub async fn play(case: Case) -> Result<(Told, BTreeMap<Call, u64>), String> {
    let mut player =
        Player { scene: Scene::new(case), store: None, model: Model::default(), secret: None, counter: 0 };
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

struct Player {
    scene: Scene,
    /// `None` while it could not be opened.
    store: Option<Arc<SqliteStore>>,
    model: Model,
    secret: Option<[u8; 32]>,
    counter: u64,
}

impl Player {
    fn file(&self) -> PathBuf {
        self.scene.folder.path().join("lockstep.db")
    }

    /// Opens the store, again where that fails; not while the machine is off.
    async fn open(&mut self) -> Result<(), String> {
        let mut attempt = 0;
        while !self.scene.disk.is_off() {
            match SqliteStore::open(&self.file()).await {
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

    /// The server ends, well or not, and starts again.
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
        self.open().await
    }

    async fn step(&mut self) -> Result<(), String> {
        let chance = self.scene.random.below(100);
        let known = self.model.known();
        let picked = self.scene.random.pick(&known).cloned();
        let binned = self.scene.random.pick(&self.model.binned()).cloned();
        match (chance, picked, binned) {
            (0..=6, _, Some(id)) => self.write(vec![Op::Restore { id }]).await,
            (7..=8, _, Some(id)) => self.write(vec![Op::Purge { id }]).await,
            (_, None, _) => self.create().await,
            (0..=14, _, _) if (known.len() as u64) < DASHBOARDS => self.create().await,
            (0..=64, _, _) => self.append_to(known).await,
            (65..=77, Some(id), _) => self.snapshot(id).await,
            (78..=81, Some(id), _) => {
                let epoch = format!("epoch-{}", self.next());
                self.write(vec![Op::Renew { id, epoch }]).await
            }
            (82..=87, Some(id), _) => self.write(vec![Op::Delete { id }]).await,
            (88..=91, _, _) => self.ask_for_the_secret().await,
            _ => {
                let left = match self.scene.random.below(3) {
                    0 => None,
                    1 => Some(Left::All),
                    _ => Some(Left::Synced(self.scene.random.next())),
                };
                self.restart(left).await?;
                self.look_at(self.model.all()).await
            }
        }
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn filling(&mut self, most: u64) -> String {
        let length = self.scene.random.between(10, most) as usize;
        format!("{}-", self.next()).repeat(length / 4)
    }

    fn listing(&mut self) -> Listing {
        let n = self.next();
        let tags = (0..n % 3).map(|tag| format!("tag {tag}")).collect();
        let (title, widgets) = (format!("title {n}"), n as usize % 9);
        Listing { title, widgets, changed_at: n, tags, ..Listing::default() }
    }

    async fn create(&mut self) -> Result<(), String> {
        let n = self.next();
        let id = DashboardId::new(format!("d{n}")).expect("an id");
        let state = self.filling(9_000).into();
        let new = NewDashboard { id, epoch: format!("epoch-{n}"), state, listing: self.listing() };
        self.write(vec![Op::Create(new)]).await
    }

    /// One to three rooms at once, some while somebody reads their tail.
    async fn append_to(&mut self, mut known: Vec<DashboardId>) -> Result<(), String> {
        let mut ops = Vec::new();
        for _ in 0..self.scene.random.between(1, 3) {
            if known.is_empty() {
                break;
            }
            let at = self.scene.random.below(known.len() as u64) as usize;
            let id = known.swap_remove(at);
            ops.push(self.append(id));
        }
        self.write(ops).await
    }

    fn append(&mut self, id: DashboardId) -> Op {
        let end = self.model.base(&id).map_or(0, |dash| dash.revision());
        let count = if self.scene.random.percent(5) { 40 } else { self.scene.random.between(1, 5) };
        let client = format!("c{}", self.scene.random.below(3));
        let commits = (1..=count).map(|n| {
            let seq = self.next();
            let text = self.filling(1_500);
            Appended {
                revision: end + n,
                client: ClientId::new(client.as_str()).expect("an id"),
                seq,
                body: format!("{{\"client\":\"{client}\",\"seq\":{seq},\"text\":\"{text}\"}}").into(),
            }
        });
        let commits = commits.collect();
        Op::Append { id, commits, listing: self.listing() }
    }

    async fn snapshot(&mut self, id: DashboardId) -> Result<(), String> {
        let revision = self.model.base(&id).map_or(0, |dash| dash.revision());
        let state = self.filling(9_000).into();
        self.write(vec![Op::Snapshot { id, revision, state }]).await
    }

    async fn ask_for_the_secret(&mut self) -> Result<(), String> {
        let Some(store) = self.store.clone() else { return Ok(()) };
        match (store.secret("one").await, self.secret) {
            (Ok(secret), Some(before)) if secret != before => Err("the secret is another one".to_owned()),
            (Ok(secret), _) => {
                self.secret = Some(secret);
                Ok(())
            }
            (Err(error), _) => self.scene.excuse("a secret", &error),
        }
    }

    /// Writes at once, each of another dashboard, and notes what is known afterwards.
    async fn write(&mut self, ops: Vec<Op>) -> Result<(), String> {
        let Some(store) = self.store.clone() else { return Ok(()) };
        if self.scene.case.plant == Some(Plant::AcksEarly) {
            for op in ops {
                self.model.done(&op)?;
                let store = store.clone();
                tokio::spawn(async move { op.perform(&store).await });
            }
            return Ok(());
        }
        let (outcomes, tails) = futures::join!(
            join_all(ops.iter().map(|op| op.perform(&store))),
            join_all(ops.iter().map(|op| store.tail(op.id(), 0, Most::commits(usize::MAX)))),
        );
        for ((op, outcome), tail) in ops.iter().zip(outcomes).zip(tails) {
            // What somebody has read is as good as acknowledged.
            let seen = tail.is_ok_and(|tail| op.is_in(&tail));
            match outcome {
                Ok(()) => {
                    self.scene.told.acked += 1;
                    self.model.done(op)?;
                }
                Err(StoreError::Taken | StoreError::Gone | StoreError::Exists) => self.model.refused(op)?,
                Err(error) => {
                    self.scene.excuse(op.name(), &error)?;
                    self.scene.told.failed += 1;
                    if seen || self.scene.case.plant == Some(Plant::AcksFailures) {
                        self.model.done(op)?;
                    } else {
                        self.model.unsure(op);
                    }
                }
            }
        }
        let mut looked_at = self.model.unclear();
        if self.scene.random.percent(LOOKS) {
            looked_at.extend(ops.iter().map(|op| op.id().clone()));
        }
        self.look_at(looked_at).await
    }

    /// Reads what is there as a room does that opens, and compares. From then on it can only be as it was read.
    async fn look_at(&mut self, ids: Vec<DashboardId>) -> Result<(), String> {
        for id in ids {
            let Some(store) = self.store.clone() else { return Ok(()) };
            match read(&store, &id).await {
                Ok(found) => self.scene.told.found += u64::from(self.model.found(&id, &found)?),
                Err(Unread::Failed(error)) => self.scene.excuse("reading", &error)?,
                Err(Unread::Spoilt(why)) => return Err(why),
            }
        }
        Ok(())
    }

    /// The trouble is over: writes again until one is taken.
    async fn settle(&mut self) -> Result<(), String> {
        let mut attempt = 0;
        while self.scene.is_to_settle() {
            if self.store.is_none() {
                self.open().await?;
            }
            let Some(store) = self.store.clone() else { break };
            let op = match self.model.known().pop() {
                Some(id) => self.append(id),
                None => Op::Create(NewDashboard {
                    id: DashboardId::new(format!("d{}", self.next())).expect("an id"),
                    epoch: "epoch".to_owned(),
                    state: "{}".into(),
                    listing: self.listing(),
                }),
            };
            attempt += 1;
            match op.perform(&store).await {
                Ok(()) => {
                    self.model.done(&op)?;
                    self.scene.settle(attempt);
                }
                Err(StoreError::Taken | StoreError::Gone | StoreError::Exists) => self.model.refused(&op)?,
                Err(error) => {
                    self.scene.wait(attempt, "writing", &error).await?;
                    self.model.unsure(&op);
                }
            }
            self.look_at(self.model.unclear()).await?;
        }
        Ok(())
    }

    /// The machine starts again, and what was promised is there.
    async fn end(&mut self) -> Result<(), String> {
        let was_off = self.scene.disk.is_off();
        self.scene.disk.mend();
        let seed = self.scene.random.next() ^ self.scene.case.plan.map_or(0, |plan| plan.nth << 20);
        let left = match seed % 4 {
            0 if !was_off => None,
            1 if !was_off => Some(Left::All),
            _ => Some(Left::Synced(seed)),
        };
        self.restart(left).await?;
        self.scene.settle(0);
        self.look_at(self.model.all()).await.map_err(|why| format!("after {left:?}: {why}"))?;
        self.compare_the_list().await?;
        self.ask_for_the_secret().await?;
        // What is in the bin is read whole once it is out of it.
        for id in self.model.binned() {
            self.write(vec![Op::Restore { id }]).await?;
        }
        self.create().await?;
        self.append_to(self.model.known()).await?;
        if let Some(store) = self.store.take() {
            store.close().await;
        }
        self.scene.closed().await?;
        check_the_file(&self.file()).await
    }

    async fn compare_the_list(&self) -> Result<(), String> {
        let Some(store) = &self.store else { return Err("the store is not open".to_owned()) };
        let mut listed: Vec<_> =
            store.list().await.map_err(|error| error.to_string())?.into_iter().map(|one| one.id).collect();
        listed.sort();
        let known = self.model.known();
        if listed != known {
            return Err(format!("the list has {listed:?}, and there are {known:?}"));
        }
        Ok(())
    }
}

/// Plays a write that fails at the last step, and so does whatever would take its place, until that is mended.
/// Errors with the promise that was broken.
pub async fn play_a_write_in_doubt() -> Result<(), String> {
    let mut scene = Scene::new(Case { seed: 1, plan: None, plant: None });
    let file = scene.folder.path().join("lockstep.db");
    let id = DashboardId::new("d1").expect("an id");
    let listing = Listing::default();
    let said = |error: StoreError| error.to_string();
    let commit = |revision| Appended {
        revision,
        client: ClientId::new("c1").expect("an id"),
        seq: revision,
        body: format!("{{\"revision\":{revision}}}").into(),
    };
    let store = SqliteStore::open(&file).await.map_err(said)?;
    let state: Arc<str> = "{}".into();
    let new = NewDashboard { id: id.clone(), epoch: "e1".to_owned(), state, listing: listing.clone() };
    store.create(new).await.map_err(said)?;
    store.append(&id, vec![commit(1)], listing.clone()).await.map_err(said)?;
    scene.disk.plan(Plan { failure: Failure::SyncForgotten, nth: 1, lasts: true });
    match store.append(&id, vec![commit(2)], listing).await {
        Err(StoreError::Unknown(_)) => {}
        other => return Err(format!("a sync that failed is {other:?}")),
    }
    if let Ok(opened) = store.open(&id).await {
        return Err(format!("it opens while its end is in doubt: {opened:?}"));
    }
    scene.disk.mend();
    let there = store.open(&id).await.map_err(said)?;
    scene.disk.cut_power();
    store.close().await;
    scene.start(Left::All).await?;
    let store = SqliteStore::open(&file).await.map_err(said)?;
    let now = store.open(&id).await.map_err(said)?;
    store.close().await;
    scene.settle(0);
    if there.as_ref().map(|opened| opened.commits.len()) != Some(1) || now != there {
        return Err(format!("what was opened as {there:?} is {now:?} after a restart"));
    }
    scene.closed().await
}

enum Unread {
    Failed(StoreError),
    Spoilt(String),
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// A dashboard as the store has it. Errors where its parts do not fit together.
async fn read(store: &SqliteStore, id: &DashboardId) -> Result<Found, Unread> {
    let Some(opened) = store.open(id).await? else {
        let binned = store.binned(id).await?;
        return Ok(binned.map_or(Found::Nothing, |binned| Found::Binned(binned.listing)));
    };
    let log = store.tail(id, 0, Most::commits(usize::MAX)).await?;
    let listed = store.list().await?.into_iter().find(|one| one.id == *id);
    let spoilt = |why: String| Err(Unread::Spoilt(format!("{id}: {why}")));
    let Some(listed) = listed else { return spoilt("it opens, and is not in the list".to_owned()) };
    let end = log.last().map_or(0, |last| last.revision);
    if listed.revision != end {
        return spoilt(format!("it is listed at {}, and its log ends at {end}", listed.revision));
    }
    if let Some((gap, _)) = (1..).zip(&log).find(|(n, commit)| *n != commit.revision) {
        return spoilt(format!("revision {gap} is missing in its log"));
    }
    let behind: Vec<_> = log.iter().filter(|commit| commit.revision > opened.revision).cloned().collect();
    if behind != opened.commits {
        return spoilt("it opens with another log than its tail".to_owned());
    }
    if let Some(last) = log.last() {
        let body: serde_json::Value =
            serde_json::from_str(&last.body).map_err(|error| Unread::Spoilt(error.to_string()))?;
        let client = ClientId::new(body["client"].as_str().unwrap_or_default()).expect("an id");
        let found = store.find(id, &client, body["seq"].as_u64().unwrap_or(0)).await?;
        if found.as_ref() != Some(&last.body) {
            return spoilt("its last commit is not found by its author's number".to_owned());
        }
    }
    let log = log.into_iter().map(|stored| (stored.revision, stored.body)).collect();
    let state = (opened.revision, opened.state.into());
    Ok(Found::Whole(Dash { epoch: opened.epoch, listing: listed.listing, state, log, binned: false }))
}

/// SQLite's own word on its file.
pub async fn check_the_file(file: &std::path::Path) -> Result<(), String> {
    use sqlx::{ConnectOptions as _, Connection as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut connection = options.connect().await.map_err(|error| error.to_string())?;
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await
        .map_err(|error| error.to_string())?;
    let strays = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&mut connection)
        .await
        .map_err(|error| error.to_string())?;
    connection.close().await.map_err(|error| error.to_string())?;
    if whole != "ok" || !strays.is_empty() {
        return Err(format!("the file is damaged: {whole}, {} rows of nothing", strays.len()));
    }
    Ok(())
}
