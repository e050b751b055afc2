//! Records of a dashboard in the storage of this device: a copy of it, and for each tab the
//! changes that wait for the log. A tab owns its queue by a lock; the queue of a tab that ended goes to
//! the one that gets the lock next.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use leptos::prelude::window;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

use crate::app::access::Role;
use crate::app::unsaved::Unsaved;
use crate::app::{Waiting, address, json};
use crate::dashboard::order::sorted;
use crate::dashboard::{DashboardId, User};
use crate::sync::replica::{StoredDashboard, StoredQueue};

use super::account;
use super::clock::{random_id, sleep};
use super::locks::{Lock, try_lock};
use super::storage::{self, Kept, MAX_DASHBOARDS, Storage, StorageError, Write};

/// A page opens without what has not been read by then.
const PATIENCE_MS: i32 = 3_000;
/// How often, and after which wait each time, a page that is loaded again asks for its own queue: a copy
/// of the tab asks as long, for one that it does not get.
const RELOAD_TRIES: usize = 10;
const RELOAD_WAIT_MS: i32 = 50;

/// What a list shows of a kept copy, without reading all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub id: DashboardId,
    pub title: String,
    pub widgets: usize,
    /// When it was kept, Unix milliseconds by this device's clock.
    pub at: u64,
    /// Who it was shown to.
    pub user: User,
    /// What they may do with it.
    #[serde(default = "Role::highest")]
    pub role: Role,
}

/// The record of a queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueRecord {
    /// Who made the changes.
    pub user: User,
    pub queue: StoredQueue,
    /// When it was written, Unix milliseconds by this device's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// What the server did not take, and its author is not done with.
    #[serde(default)]
    pub unsaved: Vec<Unsaved>,
}

/// A queue that is this tab's own for as long as it holds the lock.
pub struct OwnQueue {
    /// The client's secret.
    pub secret: String,
    pub lock: Lock,
    pub record: QueueRecord,
    /// True where the device has a record of it already.
    pub there: bool,
}

/// All that there is of one dashboard when its page opens.
pub struct OnDevice {
    pub storage: Result<Storage, StorageError>,
    pub copy: Option<(Head, StoredDashboard)>,
    /// `None` where this device keeps nothing.
    pub own: Option<OwnQueue>,
}

impl QueueRecord {
    /// The record at a later time of this device's clock: its changes have become older since it was written.
    pub fn read_at(self, now_ms: u64) -> Self {
        // A clock that was set back says nothing.
        let lay = self.at.map_or(0, |at| now_ms.saturating_sub(at));
        Self { queue: self.queue.aged(lay), at: Some(now_ms), ..self }
    }

    /// True where nobody loses anything with it.
    pub fn is_empty(&self) -> bool {
        self.queue.changes.is_empty() && self.unsaved.is_empty()
    }
}

impl OnDevice {
    /// Reads what there is of a dashboard, and makes one queue of it this tab's own: one that a closed
    /// tab left, or a new one.
    pub async fn load(id: &DashboardId) -> Self {
        let found: Rc<RefCell<Option<Self>>> = Rc::default();
        let (id, slot) = (id.clone(), found.clone());
        let loading = future_to_promise(async move {
            let loaded = Self::try_load(&id).await.unwrap_or_else(Self::nothing);
            *slot.borrow_mut() = Some(loaded);
            Ok(JsValue::UNDEFINED)
        });
        // What comes too late is let go again, with its lock: the page does not wait for it.
        storage::within(&loading, PATIENCE_MS).await;
        found.take().unwrap_or_else(|| Self::nothing(StorageError::Silent))
    }

    /// Lets go of the copy, here and on the device. Edits that wait stay.
    pub async fn forget_copy(&mut self, id: &DashboardId) {
        if let (Some(_), Ok(storage)) = (self.copy.take(), &self.storage) {
            // One that stays goes with the next page of it.
            let _ = storage.write(vec![remove_copy(id)]).await;
        }
    }

    /// As where this device keeps nothing.
    pub const fn nothing(why: StorageError) -> Self {
        Self { storage: Err(why), copy: None, own: None }
    }

    async fn try_load(id: &DashboardId) -> Result<Self, StorageError> {
        let storage = Storage::open().await?;
        let copy = storage.read(Kept::Dashboards, id.as_str()).await?.and_then(|text| parse_copy(&text));
        let copy = copy.filter(|(head, _)| account::may_show(head.at));
        let mut own: Option<OwnQueue> = None;
        let before = session().and_then(|session| session.get_item(&session_key(id)).ok().flatten());
        for secret in secrets(&storage, id).await? {
            let mut next = take(&storage, id, &secret).await?;
            // A page that is loaded again may come before its lock is free.
            let mut tries = if before.as_ref() == Some(&secret) { RELOAD_TRIES } else { 0 };
            while next.is_none() && tries > 0 {
                tries -= 1;
                sleep(RELOAD_WAIT_MS).await;
                next = take(&storage, id, &secret).await?;
            }
            let Some(next) = next else { continue };
            // The queue with something in it; a second one of these waits for its turn.
            let spare = match &own {
                Some(first) if next.record.is_empty() || !first.record.is_empty() => Some(next),
                _ => own.replace(next),
            };
            if let Some(spare) = spare.filter(|spare| spare.record.is_empty()) {
                storage.write(vec![remove(id, &spare.secret)]).await?;
            }
        }
        let own = match own {
            Some(own) => own,
            None => new_queue(id).await?,
        };
        remember(id, &own.secret);
        Ok(Self { storage: Ok(storage), copy, own: Some(own) })
    }
}

/// The first queue that a closed tab of this person left with something in it, now this tab's own. Empty
/// ones are cleared away.
pub async fn left_queue(
    storage: &Storage,
    id: &DashboardId,
    mine: &str,
    user: &User,
) -> Result<Option<OwnQueue>, StorageError> {
    for secret in secrets(storage, id).await? {
        if secret == mine {
            continue;
        }
        let Some(left) = take(storage, id, &secret).await? else { continue };
        if left.record.is_empty() {
            storage.write(vec![remove(id, &left.secret)]).await?;
        } else if left.record.user.id == user.id {
            return Ok(Some(left));
        }
    }
    Ok(None)
}

/// What is to be shown of the copies that may be, the newest first.
pub async fn heads(storage: &Storage) -> Result<Vec<Head>, StorageError> {
    let mut heads = all_heads(storage).await?;
    heads.retain(|head| account::may_show(head.at));
    Ok(heads)
}

async fn all_heads(storage: &Storage) -> Result<Vec<Head>, StorageError> {
    let texts = storage.read_all(Kept::Dashboards).await?;
    let heads = texts.iter().filter_map(|text| json::read(text.split_once('\n')?.0).ok()).collect();
    Ok(sorted(heads, |a: &Head, b: &Head| b.at.cmp(&a.at)))
}

/// Dashboards with edits of tabs that were closed. Those of open tabs are on their way.
pub async fn waiting(storage: &Storage) -> Result<Vec<Waiting>, StorageError> {
    let mut found: BTreeMap<DashboardId, usize> = BTreeMap::new();
    for key in storage.keys(Kept::Queues, "").await? {
        let Some((id, secret)) = key.split_once('/') else { continue };
        let Ok(id) = DashboardId::new(id) else { continue };
        if let Some(left) = take(storage, &id, secret).await?
            && !left.record.queue.changes.is_empty()
        {
            *found.entry(id).or_default() += left.record.queue.changes.len();
        }
    }
    let mut waiting = Vec::new();
    for (id, edits) in found {
        let title = title(storage, &id).await?;
        waiting.push(Waiting { id, title, edits });
    }
    Ok(waiting)
}

/// Dashboards with edits that are not saved, of open tabs and closed ones, and with those that the server did not take.
pub async fn unsaved(storage: &Storage) -> Result<Vec<Unsent>, StorageError> {
    let mut found: BTreeMap<DashboardId, Unsent> = BTreeMap::new();
    for key in storage.keys(Kept::Queues, "").await? {
        let Some((id, _)) = key.split_once('/') else { continue };
        let Ok(id) = DashboardId::new(id) else { continue };
        let Some(text) = storage.read(Kept::Queues, &key).await? else { continue };
        // One that does not read is of another build, and may have edits in it.
        let record = json::read::<QueueRecord>(&text).ok();
        if record.as_ref().is_some_and(QueueRecord::is_empty) {
            continue;
        }
        let one = found.entry(id.clone()).or_insert_with(|| Unsent { id, ..Unsent::default() });
        let (changes, refused) =
            record.map_or((1, 0), |record| (record.queue.changes.len(), record.unsaved.len()));
        one.changes += changes;
        one.refused += refused;
        one.records.push(text);
    }
    let mut unsaved: Vec<Unsent> = found.into_values().collect();
    for one in &mut unsaved {
        one.title = title(storage, &one.id).await?;
    }
    Ok(unsaved)
}

/// Edits of a dashboard that are not saved.
#[derive(Clone, Debug, Default)]
pub struct Unsent {
    pub id: DashboardId,
    pub title: String,
    pub changes: usize,
    /// Edits that the server did not take, and whose author is not done with them.
    pub refused: usize,
    /// The queues, as JSON.
    pub records: Vec<String>,
}

/// The title of a dashboard as far as this device knows it.
async fn title(storage: &Storage, id: &DashboardId) -> Result<String, StorageError> {
    let copy = storage.read(Kept::Dashboards, id.as_str()).await?;
    Ok(copy.and_then(|text| Some(parse_copy(&text)?.0.title)).unwrap_or_else(|| id.to_string()))
}

/// Forgets which queues were this tab's.
pub fn forget_session() {
    if let Some(session) = session() {
        // A browser that keeps nothing has nothing to forget.
        let _ = session.clear();
    }
}

/// Removes all copies. Edits that wait stay.
pub async fn forget_all_copies(storage: &Storage) -> Result<(), StorageError> {
    let ids = storage.keys(Kept::Dashboards, "").await?.into_iter();
    let gone = ids.map(|key| Write { store: Kept::Dashboards, key, text: None });
    storage.write(gone.collect()).await
}

/// Removes the copies that may not be shown any more, other than those that edits wait for.
pub async fn forget_old_copies(storage: &Storage) -> Result<(), StorageError> {
    let mut old = Vec::new();
    for head in all_heads(storage).await?.into_iter().filter(|head| !account::may_show(head.at)) {
        let mut waits = false;
        for key in storage.keys(Kept::Queues, &queue_key(&head.id, "")).await? {
            let text = storage.read(Kept::Queues, &key).await?.unwrap_or_default();
            // One that does not read is of another build, which knows what is in it.
            waits |= json::read::<QueueRecord>(&text).map_or(true, |record| !record.is_empty());
        }
        if !waits {
            old.push(remove_copy(&head.id));
        }
    }
    storage.write(old).await
}

/// Makes room for another dashboard: the oldest copies go, other than those that edits wait for.
pub async fn clear_away(storage: &Storage) -> Result<(), StorageError> {
    if storage.keys(Kept::Dashboards, "").await?.len() <= MAX_DASHBOARDS {
        return Ok(());
    }
    let queues = storage.keys(Kept::Queues, "").await?;
    let waits = |head: &Head| queues.iter().any(|key| key.starts_with(&queue_key(&head.id, "")));
    let old = all_heads(storage).await?.into_iter().skip(MAX_DASHBOARDS).filter(|head| !waits(head));
    storage.write(old.map(|head| remove_copy(&head.id)).collect()).await
}

/// Writes a copy, its head on a line of its own before it.
pub fn copy(head: &Head, dashboard: &StoredDashboard) -> Result<Write, serde_json::Error> {
    let text = format!("{}\n{}", serde_json::to_string(head)?, serde_json::to_string(dashboard)?);
    Ok(Write { store: Kept::Dashboards, key: head.id.to_string(), text: Some(text) })
}

/// Writes a queue.
pub fn queue(id: &DashboardId, secret: &str, record: &QueueRecord) -> Result<Write, serde_json::Error> {
    let text = Some(serde_json::to_string(record)?);
    Ok(Write { store: Kept::Queues, key: queue_key(id, secret), text })
}

/// Removes a copy.
pub fn remove_copy(id: &DashboardId) -> Write {
    Write { store: Kept::Dashboards, key: id.to_string(), text: None }
}

/// Removes a queue.
pub fn remove(id: &DashboardId, secret: &str) -> Write {
    Write { store: Kept::Queues, key: queue_key(id, secret), text: None }
}

/// A queue that no tab had before.
pub async fn new_queue(id: &DashboardId) -> Result<OwnQueue, StorageError> {
    let secret = random_id();
    let lock = try_lock(&lock_name(id, &secret)).await.map_err(|_| StorageError::Unavailable)?;
    let lock = lock.ok_or(StorageError::Unavailable)?;
    Ok(OwnQueue { secret, lock, record: QueueRecord::default(), there: false })
}

/// Takes a queue if no tab has it. One that does not read is left for a build that reads it.
async fn take(storage: &Storage, id: &DashboardId, secret: &str) -> Result<Option<OwnQueue>, StorageError> {
    let lock = try_lock(&lock_name(id, secret)).await.map_err(|_| StorageError::Unavailable)?;
    let Some(lock) = lock else { return Ok(None) };
    // Read under the lock: the tab before wrote until it ended.
    let text = storage.read(Kept::Queues, &queue_key(id, secret)).await?;
    let record = text.and_then(|text| json::read(&text).ok());
    Ok(record.map(|record| OwnQueue { secret: secret.to_owned(), lock, record, there: true }))
}

/// Notes which queue is this tab's, for when its page is loaded again.
pub fn remember(id: &DashboardId, secret: &str) {
    if let Some(session) = session() {
        // A browser that forgets it finds the queue a little later.
        let _ = session.set_item(&session_key(id), secret);
    }
}

fn session() -> Option<web_sys::Storage> {
    window().session_storage().ok().flatten()
}

async fn secrets(storage: &Storage, id: &DashboardId) -> Result<Vec<String>, StorageError> {
    let begin = queue_key(id, "");
    let keys = storage.keys(Kept::Queues, &begin).await?;
    Ok(keys.iter().filter_map(|key| key.strip_prefix(&begin)).map(str::to_owned).collect())
}

fn parse_copy(text: &str) -> Option<(Head, StoredDashboard)> {
    let (head, dashboard) = text.split_once('\n')?;
    Some((json::read(head).ok()?, json::read(dashboard).ok()?))
}

fn queue_key(id: &DashboardId, secret: &str) -> String {
    format!("{id}/{secret}")
}

fn session_key(id: &DashboardId) -> String {
    address::name(&queue_key(id, ""))
}

fn lock_name(id: &DashboardId, secret: &str) -> String {
    address::name(&format!("lockstep/{}", queue_key(id, secret)))
}
