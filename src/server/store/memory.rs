//! A store in memory: for tests, and for trying things out. Nothing survives it.

mod audit;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::audit::AuditLog;
use super::accounts::{Accounts, AuditQuery};
use super::{
    Appended, BinPage, Binned, Cursor, Deletion, ListPage, ListQuery, Listed, Listing, MAX_ALL_FAVOURITES,
    MAX_COUNTED_TAGS, MAX_FAVOURITES, Most, NewDashboard, Opened, Order, Reader, Store, StoreError, Stored,
};
use crate::app::audit::AuditEntry;
use crate::dashboard::fold::fold;
use crate::dashboard::{ClientId, DashboardId, UserId};
use crate::server::access::directory::{Change, Directory, Role};
use crate::server::access::links::Link;
use crate::server::access::screens::ScreenUse;
use crate::server::access::second_factor::SecondFactor;
use crate::server::access::sessions::{Session, SessionHash};
use crate::server::access::visits::{Visit, VisitHash};

/// Dashboards in a map.
#[derive(Default)]
pub struct MemoryStore(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    dashboards: BTreeMap<DashboardId, Log>,
    favourites: BTreeSet<(UserId, DashboardId)>,
    secrets: BTreeMap<String, [u8; 32]>,
    directory: Directory,
    sessions: BTreeMap<SessionHash, Session>,
    audit: AuditLog,
    visits: BTreeMap<VisitHash, Visit>,
    second_factors: BTreeMap<UserId, SecondFactor>,
    closed: bool,
}

struct Log {
    epoch: String,
    listing: Listing,
    /// `None` where it is not in the bin.
    deletion: Option<Deletion>,
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

impl Kept {
    /// A dashboard that is not in the bin.
    fn log(&self, id: &DashboardId) -> Option<&Log> {
        self.dashboards.get(id).filter(|log| log.deletion.is_none())
    }

    fn log_mut(&mut self, id: &DashboardId) -> Result<&mut Log, StoreError> {
        let log = self.dashboards.get_mut(id).filter(|log| log.deletion.is_none());
        log.ok_or(StoreError::Gone)
    }

    fn count(&self) -> usize {
        self.dashboards.values().filter(|log| log.deletion.is_none()).count()
    }

    fn listed<'a>(&'a self, user: Option<&'a UserId>) -> impl Iterator<Item = Listed> + 'a {
        let favourite = move |id: &DashboardId| {
            user.is_some_and(|user| self.favourites.contains(&(user.clone(), id.clone())))
        };
        let logs = self.dashboards.iter().filter(|(_, log)| log.deletion.is_none());
        logs.map(move |(id, log)| Listed {
            id: id.clone(),
            revision: log.revision,
            listing: log.listing.clone(),
            favourite: favourite(id),
        })
    }

    fn role(&self, reader: &Reader, id: &DashboardId) -> Option<Role> {
        match reader {
            Reader::Anyone => Some(Role::Owner),
            Reader::Nobody => None,
            Reader::Team(team) => (self.directory.owner(id) == Some(team)).then_some(Role::Viewer),
            Reader::Account(account) => self.directory.role(account, id),
            Reader::Token { account, team } => {
                let of_team = self.directory.role_of_team(team, id)?;
                self.directory.role(account, id).map(|role| role.min(of_team).min(Role::Editor))
            }
        }
    }

    fn binned(&self) -> impl Iterator<Item = Binned> {
        self.dashboards.iter().filter_map(|(id, log)| {
            let deletion = log.deletion.clone()?;
            Some(Binned { id: id.clone(), listing: log.listing.clone(), deletion })
        })
    }
}

/// The first of an ordered list after a place, and where the rest begins.
fn part<T, K: Ord>(
    mut all: Vec<T>,
    key: impl Fn(&T) -> K,
    after: Option<K>,
    limit: usize,
    place: impl Fn(&T) -> Cursor,
) -> (Vec<T>, Option<Cursor>) {
    all.sort_by_key(&key);
    all.retain(|one| after.as_ref().is_none_or(|after| key(one) > *after));
    let next = if all.len() > limit { all[..limit].last().map(place) } else { None };
    all.truncate(limit);
    (all, next)
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
            deletion: None,
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
        let mut list: Vec<Listed> = self.kept()?.listed(None).collect();
        list.sort_by_key(|one| (Reverse(one.listing.changed_at), one.id.clone()));
        list.iter_mut().for_each(|one| one.listing.outline = None);
        Ok(list)
    }

    async fn page(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        let kept = self.kept()?;
        let matches = |one: &Listed| {
            kept.role(&query.reader, &one.id).is_some()
                && fold(&one.listing.title).contains(&query.search)
                && query.tag.as_ref().is_none_or(|tag| one.listing.tags.contains(tag))
                && query.team.as_ref().is_none_or(|team| kept.directory.owner(&one.id) == Some(team))
                && (!query.favourites || one.favourite)
        };
        let all: Vec<Listed> = kept.listed(query.user.as_ref()).filter(matches).collect();
        let total = all.len();
        let (dashboards, next) = match query.order {
            Order::Changed => {
                let after = match &query.after {
                    Some(Cursor::Changed(at, id)) => Some((Reverse(*at), id.clone())),
                    _ => None,
                };
                let key = |one: &Listed| (Reverse(one.listing.changed_at), one.id.clone());
                let place = |one: &Listed| Cursor::Changed(one.listing.changed_at, one.id.clone());
                part(all, key, after, query.limit, place)
            }
            Order::Title => {
                let after = match &query.after {
                    Some(Cursor::Title(title, id)) => Some((title.clone(), id.clone())),
                    _ => None,
                };
                let key = |one: &Listed| (fold(&one.listing.title), one.id.clone());
                let place = |one: &Listed| Cursor::Title(fold(&one.listing.title), one.id.clone());
                part(all, key, after, query.limit, place)
            }
        };
        let mut counts = BTreeMap::<String, usize>::new();
        let seen = kept.listed(None).filter(|one| kept.role(&query.reader, &one.id).is_some());
        for tag in seen.flat_map(|one| one.listing.tags.into_iter().collect::<BTreeSet<_>>()) {
            *counts.entry(tag).or_default() += 1;
        }
        let mut tags: Vec<(String, usize)> = counts.into_iter().collect();
        tags.sort_by_key(|(tag, count)| (Reverse(*count), tag.clone()));
        tags.truncate(MAX_COUNTED_TAGS);
        Ok(ListPage { dashboards, next, total, tags })
    }

    async fn count(&self) -> Result<usize, StoreError> {
        Ok(self.kept()?.count())
    }

    async fn delete(&self, id: &DashboardId, deletion: &Deletion, most: usize) -> Result<bool, StoreError> {
        let mut kept = self.kept()?;
        let full = kept.dashboards.len() - kept.count() >= most;
        let Ok(log) = kept.log_mut(id) else { return Ok(false) };
        if full {
            return Err(StoreError::TooMany);
        }
        log.deletion = Some(deletion.clone());
        Ok(true)
    }

    async fn restore(&self, id: &DashboardId, most: usize) -> Result<bool, StoreError> {
        let mut kept = self.kept()?;
        let full = kept.count() >= most;
        let Some(log) = kept.dashboards.get_mut(id).filter(|log| log.deletion.is_some()) else {
            return Ok(false);
        };
        if full {
            return Err(StoreError::TooMany);
        }
        log.deletion = None;
        Ok(true)
    }

    async fn purge(&self, id: &DashboardId, before: u64) -> Result<bool, StoreError> {
        let mut kept = self.kept()?;
        let deletion = kept.dashboards.get(id).and_then(|log| log.deletion.as_ref());
        if deletion.is_none_or(|deletion| deletion.at >= before) {
            return Ok(false);
        }
        kept.dashboards.remove(id);
        kept.favourites.retain(|(_, marked)| marked != id);
        kept.directory.change(Change::Forget(id.clone())).map_err(|_| StoreError::Taken)?;
        kept.visits.retain(|_, visit| visit.dashboard != *id);
        Ok(true)
    }

    async fn bin(
        &self,
        reader: &Reader,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<BinPage, StoreError> {
        let kept = self.kept()?;
        let owned = kept.binned().filter(|one| kept.role(reader, &one.id) == Some(Role::Owner));
        let all: Vec<Binned> = owned.collect();
        let total = all.len();
        let after = match after {
            Some(Cursor::Deleted(at, id)) => Some((Reverse(*at), id.clone())),
            _ => None,
        };
        let key = |one: &Binned| (Reverse(one.deletion.at), one.id.clone());
        let place = |one: &Binned| Cursor::Deleted(one.deletion.at, one.id.clone());
        let (dashboards, next) = part(all, key, after, limit, place);
        Ok(BinPage { dashboards, next, total })
    }

    async fn binned(&self, id: &DashboardId) -> Result<Option<Binned>, StoreError> {
        Ok(self.kept()?.binned().find(|one| one.id == *id))
    }

    async fn expired(&self, before: u64, limit: usize) -> Result<Vec<DashboardId>, StoreError> {
        let mut all: Vec<Binned> = self.kept()?.binned().filter(|one| one.deletion.at < before).collect();
        all.sort_by_key(|one| one.deletion.at);
        Ok(all.into_iter().take(limit).map(|one| one.id).collect())
    }

    async fn set_favourite(
        &self,
        user: &UserId,
        id: &DashboardId,
        favourite: bool,
    ) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        let mark = (user.clone(), id.clone());
        if !favourite {
            kept.favourites.remove(&mark);
            return Ok(());
        }
        kept.log(id).ok_or(StoreError::Gone)?;
        let own = kept.favourites.iter().filter(|(whose, _)| whose == user).count();
        let full = own >= MAX_FAVOURITES || kept.favourites.len() >= MAX_ALL_FAVOURITES;
        if full && !kept.favourites.contains(&mark) {
            return Err(StoreError::TooMany);
        }
        kept.favourites.insert(mark);
        Ok(())
    }

    async fn without_outline(
        &self,
        after: Option<&DashboardId>,
        limit: usize,
    ) -> Result<Vec<DashboardId>, StoreError> {
        let kept = self.kept()?;
        let unknown = kept.listed(None).filter(|one| one.listing.outline.is_none());
        let later = unknown.map(|one| one.id).filter(|id| after.is_none_or(|after| id > after));
        Ok(later.take(limit).collect())
    }

    async fn set_outline(&self, id: &DashboardId, outline: Arc<str>) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        if let Some(log) = kept.dashboards.get_mut(id) {
            log.listing.outline.get_or_insert(outline);
        }
        Ok(())
    }

    async fn open(&self, id: &DashboardId) -> Result<Option<Opened>, StoreError> {
        let kept = self.kept()?;
        Ok(kept.log(id).map(|log| Opened {
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
        let log = kept.log_mut(id)?;
        let follows = commits.iter().zip(log.revision + 1..).all(|(commit, next)| commit.revision == next);
        let mut new = BTreeSet::new();
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
        let outline = listing.outline.clone().or(log.listing.outline.take());
        log.listing = Listing { outline, ..listing };
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
        let log = kept.log_mut(id)?;
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

#[async_trait]
impl Accounts for MemoryStore {
    async fn directory(&self) -> Result<Directory, StoreError> {
        Ok(self.kept()?.directory.clone())
    }

    async fn change_directory(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        // All or none.
        let mut directory = kept.directory.clone();
        for change in changes {
            if let Change::SetTeam { dashboard, team: Some(_) }
            | Change::SetGrant { dashboard, role: Some(_), .. }
            | Change::PutLink(Link { dashboard, .. }) = &change
                && !kept.dashboards.contains_key(dashboard)
            {
                return Err(StoreError::Gone);
            }
            if let Change::PutScreen(screen) = &change
                && !screen.dashboards.iter().all(|id| kept.dashboards.contains_key(id))
            {
                return Err(StoreError::Gone);
            }
            if let Change::RemoveAccount(id) = &change {
                kept.sessions.retain(|_, session| session.account != *id);
                kept.visits.retain(|_, visit| visit.account.as_ref() != Some(id));
                kept.second_factors.remove(id);
            }
            if let Change::RemoveLink(id) = &change {
                kept.visits.retain(|_, visit| visit.link != *id);
            }
            directory.change(change).map_err(|_| StoreError::Taken)?;
        }
        kept.directory = directory;
        Ok(())
    }

    async fn orphans(&self) -> Result<Vec<DashboardId>, StoreError> {
        let kept = self.kept()?;
        Ok(kept.dashboards.keys().filter(|id| !kept.directory.knows(id)).cloned().collect())
    }

    async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        Ok(self.kept()?.sessions.values().cloned().collect())
    }

    async fn put_session(&self, session: Session, removed: Vec<SessionHash>) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        if kept.directory.account(&session.account).is_none() {
            return Err(StoreError::Gone);
        }
        kept.sessions.retain(|hash, _| !removed.contains(hash));
        kept.sessions.insert(session.hash, session);
        Ok(())
    }

    async fn note_uses(&self, used: Vec<(SessionHash, u64)>) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        for (hash, at) in used {
            if let Some(session) = kept.sessions.get_mut(&hash) {
                session.used_at = session.used_at.max(at);
            }
        }
        Ok(())
    }

    async fn remove_sessions(&self, hashes: Vec<SessionHash>) -> Result<(), StoreError> {
        self.kept()?.sessions.retain(|hash, _| !hashes.contains(hash));
        Ok(())
    }

    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        let Kept { audit, dashboards, .. } = &mut *kept;
        let title = |id: &str| Some(dashboards.get(id)?.listing.title.clone());
        entries.into_iter().for_each(|entry| audit.append(entry, title));
        Ok(())
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.kept()?.audit.read(query))
    }

    async fn forget_audit(&self, before: u64) -> Result<usize, StoreError> {
        Ok(self.kept()?.audit.forget(before))
    }

    async fn visits(&self) -> Result<Vec<Visit>, StoreError> {
        Ok(self.kept()?.visits.values().cloned().collect())
    }

    async fn put_visit(&self, visit: Visit, removed: Vec<VisitHash>) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        if kept.directory.link(&visit.link).is_none() {
            return Err(StoreError::Gone);
        }
        kept.visits.retain(|hash, _| !removed.contains(hash));
        kept.visits.insert(visit.hash, visit);
        Ok(())
    }

    async fn note_visits(&self, used: Vec<(VisitHash, u64)>) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        for (hash, at) in used {
            if let Some(visit) = kept.visits.get_mut(&hash) {
                visit.used_at = visit.used_at.max(at);
            }
        }
        Ok(())
    }

    async fn remove_visits(&self, hashes: Vec<VisitHash>) -> Result<(), StoreError> {
        self.kept()?.visits.retain(|hash, _| !hashes.contains(hash));
        Ok(())
    }

    async fn note_screens(&self, used: Vec<ScreenUse>) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        used.into_iter().for_each(|used| kept.directory.note_screen(used));
        Ok(())
    }

    async fn second_factors(&self) -> Result<Vec<SecondFactor>, StoreError> {
        Ok(self.kept()?.second_factors.values().cloned().collect())
    }

    async fn put_second_factor(&self, factor: SecondFactor) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        if kept.directory.account(&factor.account).is_none() {
            return Err(StoreError::Gone);
        }
        kept.second_factors.insert(factor.account.clone(), factor);
        Ok(())
    }

    async fn remove_second_factor(&self, account: &UserId) -> Result<(), StoreError> {
        self.kept()?.second_factors.remove(account);
        Ok(())
    }
}
