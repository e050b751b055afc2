//! A store in memory: for tests, and for trying things out. Nothing survives it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Appended, Listed, Listing, Most, NewDashboard, Opened, Store, StoreError, Stored};
use crate::dashboard::{ClientId, DashboardId};

/// Dashboards in a map.
#[derive(Default)]
pub struct MemoryStore(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    dashboards: BTreeMap<DashboardId, Log>,
    secrets: BTreeMap<String, [u8; 32]>,
    closed: bool,
}

struct Log {
    epoch: String,
    listing: Listing,
    state: Arc<str>,
    state_revision: u64,
    revision: u64,
    commits: BTreeMap<u64, Arc<str>>,
    seqs: BTreeMap<(ClientId, u64), u64>,
}

impl MemoryStore {
    fn kept(&self) -> Result<MutexGuard<'_, Kept>, StoreError> {
        // Every call leaves the map whole before it can panic, so a poisoned lock is still good.
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.closed { Err(StoreError::Closed) } else { Ok(kept) }
    }
}

impl Log {
    fn tail(&self, after: u64) -> impl Iterator<Item = Stored> {
        let later = self.commits.range(after.saturating_add(1)..);
        later.map(|(revision, body)| Stored { revision: *revision, body: body.clone() })
    }

    /// Forgets what the snapshot has in it, but for the latest commits as far as they fit.
    fn forget(&mut self, keep: Most) {
        let mut bytes = 0;
        let fits = |(_, body): &(&u64, &Arc<str>)| {
            bytes += body.len();
            bytes <= keep.bytes
        };
        let kept = self.commits.range(..=self.state_revision).rev().take(keep.commits).take_while(fits);
        let from = kept.last().map_or(self.state_revision + 1, |(revision, _)| *revision);
        self.commits = self.commits.split_off(&from);
        self.seqs.retain(|_, at| *at >= from);
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create(&self, new: NewDashboard) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        if kept.dashboards.contains_key(&new.id) {
            return Err(StoreError::Exists);
        }
        let log = Log {
            epoch: new.epoch,
            listing: new.listing,
            state: new.state,
            state_revision: 0,
            revision: 0,
            commits: BTreeMap::new(),
            seqs: BTreeMap::new(),
        };
        kept.dashboards.insert(new.id, log);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let kept = self.kept()?;
        let list = kept.dashboards.iter().map(|(id, log)| Listed {
            id: id.clone(),
            revision: log.revision,
            listing: log.listing.clone(),
        });
        let mut list: Vec<Listed> = list.collect();
        list.sort_by(|a, b| b.listing.changed_at.cmp(&a.listing.changed_at).then(a.id.cmp(&b.id)));
        Ok(list)
    }

    async fn count(&self) -> Result<usize, StoreError> {
        Ok(self.kept()?.dashboards.len())
    }

    async fn delete(&self, id: &DashboardId) -> Result<bool, StoreError> {
        Ok(self.kept()?.dashboards.remove(id).is_some())
    }

    async fn open(&self, id: &DashboardId) -> Result<Option<Opened>, StoreError> {
        let kept = self.kept()?;
        Ok(kept.dashboards.get(id).map(|log| Opened {
            epoch: log.epoch.clone(),
            state: log.state.to_string(),
            revision: log.state_revision,
            commits: log.tail(log.state_revision).collect(),
        }))
    }

    async fn tail(&self, id: &DashboardId, after: u64, most: Most) -> Result<Vec<Stored>, StoreError> {
        let kept = self.kept()?;
        let mut bytes = 0;
        let fits = |commit: &Stored| {
            bytes += commit.body.len();
            bytes <= most.bytes
        };
        let log = kept.dashboards.get(id);
        Ok(log.map(|log| log.tail(after).take(most.commits).take_while(fits).collect()).unwrap_or_default())
    }

    async fn append(
        &self,
        id: &DashboardId,
        commits: Vec<Appended>,
        listing: Listing,
    ) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        let log = kept.dashboards.get_mut(id).ok_or(StoreError::Gone)?;
        let follows = commits.iter().zip(log.revision + 1..).all(|(commit, next)| commit.revision == next);
        let mut new = std::collections::BTreeSet::new();
        let once = commits.iter().all(|commit| {
            let key = (commit.client.clone(), commit.seq);
            !log.seqs.contains_key(&key) && new.insert(key)
        });
        if !follows || !once {
            return Err(StoreError::Taken);
        }
        for commit in commits {
            log.revision = commit.revision;
            log.seqs.insert((commit.client, commit.seq), commit.revision);
            log.commits.insert(commit.revision, commit.body);
        }
        log.listing = listing;
        Ok(())
    }

    async fn find(
        &self,
        id: &DashboardId,
        client: &ClientId,
        seq: u64,
    ) -> Result<Option<Arc<str>>, StoreError> {
        let kept = self.kept()?;
        let Some(log) = kept.dashboards.get(id) else { return Ok(None) };
        let revision = log.seqs.get(&(client.clone(), seq));
        Ok(revision.and_then(|revision| log.commits.get(revision)).cloned())
    }

    async fn save_snapshot(
        &self,
        id: &DashboardId,
        revision: u64,
        state: Arc<str>,
        keep: Most,
    ) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        let log = kept.dashboards.get_mut(id).ok_or(StoreError::Gone)?;
        if revision > log.state_revision && revision <= log.revision {
            (log.state, log.state_revision) = (state, revision);
        }
        log.forget(keep);
        Ok(())
    }

    async fn renew(&self, id: &DashboardId, epoch: &str) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        let log = kept.dashboards.get_mut(id).ok_or(StoreError::Gone)?;
        epoch.clone_into(&mut log.epoch);
        Ok(())
    }

    async fn secret(&self, name: &str) -> Result<[u8; 32], StoreError> {
        let mut kept = self.kept()?;
        Ok(*kept.secrets.entry(name.to_owned()).or_insert_with(rand::random))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.kept().map(drop)
    }

    fn queue(&self) -> usize {
        0
    }

    async fn close(&self) {
        if let Ok(mut kept) = self.kept() {
            kept.closed = true;
        }
    }
}
