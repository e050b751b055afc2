//! The rooms of this node: opened once however many ask, closed when nobody needs them.

pub mod frames;
pub mod input;
pub mod outbound;

mod bin;
pub(super) mod feed;

mod actor;
mod answers;
mod outlines;
mod resume_token;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use tokio::sync::{Notify, OnceCell, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use self::actor::RoomActor;
use self::input::{EncodedRead, Merged, NotMerged, Read, RoomMessage};
use self::resume_token::ResumeTokens;
use super::access::Access;
use super::clock::now_ms;
use super::data::sources::Sources;
use super::limits::Limits;
use super::metrics::Metrics;
use super::store::{Deletion, Listed, Listing, NewDashboard, Store, StoreError};
use super::unsent::{Busy, Unsent};
use crate::dashboard::export::Imported;
use crate::dashboard::{Dashboard, DashboardId, User};
use crate::sync::host::{Summary, Tail, TailBudget};
use crate::sync::room::Room;

/// The longest that draining waits for sessions to take their last frames.
const GOODBYE: Duration = Duration::from_secs(3);

/// Why a room cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    #[error("There is no such dashboard.")]
    NotFound,
    #[error("{}", bin::in_words(.0))]
    InBin(Box<Deletion>),
    #[error("Too many dashboards are open on this server.")]
    Full,
    #[error("This server keeps as many dashboards as it may. Remove one that nobody needs.")]
    NoMoreDashboards,
    #[error(
        "The bin has as many dashboards as it may. Delete some in there for good first. Nothing was changed."
    )]
    BinFull,
    #[error("The server restarts.")]
    Draining,
    /// What is stored does not read.
    #[error(
        "What is stored of this dashboard is damaged and cannot be read. The other dashboards go on. Whoever \
         runs this server can put it back from a backup."
    )]
    Spoilt,
    #[error("More waits to be sent on this server than it has room for.")]
    Busy(#[from] Busy),
    #[error("The store does not answer.")]
    Store(StoreError),
}

impl From<StoreError> for RoomError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(why) => {
                tracing::error!(%why, "what is stored of a dashboard does not read");
                Self::Spoilt
            }
            error => Self::Store(error),
        }
    }
}

/// The handle to all rooms; cheap to copy.
#[derive(Clone)]
pub struct Rooms(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    access: Arc<Access>,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    sources: Sources,
    unsent: Unsent,
    tails: TailBudget,
    slots: Mutex<HashMap<DashboardId, Arc<Slot>>>,
    tasks: Mutex<JoinSet<()>>,
    sessions: Mutex<Sessions>,
    draining: AtomicBool,
    /// Grows whenever the list of dashboards, or who is where, may have changed.
    listing: AtomicU64,
    /// Told when a room opened or went, and when a session went.
    changed: Notify,
    /// Set at the end of draining: when sessions that are in no room come back.
    goodbye: watch::Sender<Option<u64>>,
}

/// The place of one room, from the first who asks for it to its end.
#[derive(Default)]
struct Slot {
    room: OnceCell<RoomHandle>,
    people: Mutex<Vec<User>>,
}

/// The way into one room.
#[derive(Clone, Debug)]
pub struct RoomHandle {
    id: DashboardId,
    inbox: mpsc::Sender<RoomMessage>,
}

/// How many sessions there are, in all and from each address.
#[derive(Debug, Default)]
struct Sessions {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to one session on this server, until it is dropped.
pub struct Admission {
    rooms: Rooms,
    address: Option<IpAddr>,
}

/// Why a session is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Turned {
    #[error("The server restarts.")]
    Draining,
    #[error("This server has no room for more people.")]
    Full,
    #[error(
        "As many people use this server from your network as may from one. The other places are for others."
    )]
    FullForAddress,
}

impl Admission {
    /// Where the session comes from, as far as its seats are counted by that.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl RoomHandle {
    pub fn id(&self) -> &DashboardId {
        &self.id
    }

    /// Waits for a place in the inbox. Gives the message back where the room has ended.
    pub async fn send(&self, message: RoomMessage) -> Result<(), RoomMessage> {
        self.inbox.send(message).await.map_err(|refused| refused.0)
    }

    /// The inbox, for those who wait for other things at the same time.
    pub fn inbox(&self) -> &mpsc::Sender<RoomMessage> {
        &self.inbox
    }
}

impl Rooms {
    pub fn new(
        store: Arc<dyn Store>,
        access: Arc<Access>,
        limits: Arc<Limits>,
        metrics: Arc<Metrics>,
        sources: Sources,
    ) -> Self {
        Self(Arc::new(Shared {
            unsent: Unsent::new(limits.unsent_bytes),
            tails: TailBudget::new(limits.tails_bytes),
            store,
            access,
            limits,
            metrics,
            sources,
            slots: Mutex::default(),
            tasks: Mutex::default(),
            sessions: Mutex::default(),
            draining: AtomicBool::new(false),
            listing: AtomicU64::new(0),
            changed: Notify::new(),
            goodbye: watch::Sender::new(None),
        }))
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Who may do what.
    pub fn access(&self) -> &Arc<Access> {
        &self.0.access
    }

    pub fn limits(&self) -> &Arc<Limits> {
        &self.0.limits
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    /// What may wait to be sent, of all sessions and pages together.
    pub fn unsent(&self) -> &Unsent {
        &self.0.unsent
    }

    /// Bytes of the ends of logs that all rooms keep in memory.
    pub fn tail_bytes(&self) -> usize {
        self.0.tails.bytes()
    }

    /// An empty tail for a room.
    fn tail(&self) -> Tail {
        Tail::new(self.0.limits.tail_commits, self.0.limits.tail_bytes, self.0.tails.clone())
    }

    /// Where the figures of the widgets come from.
    pub fn sources(&self) -> &Sources {
        &self.0.sources
    }

    /// True once [`Rooms::drain`] was called: nobody is let in any more.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(SeqCst)
    }

    /// Lets a session in, unless the server has as many as it takes, in all or from that address, or drains.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<Admission, Turned> {
        let (mut sessions, limits) = (self.sessions(), &self.0.limits);
        // Under the lock, so that draining does not miss one.
        if self.is_draining() {
            return Err(Turned::Draining);
        }
        if sessions.all >= limits.sessions {
            return Err(Turned::Full);
        }
        if let Some(address) = address {
            let from_there = sessions.by_address.entry(address).or_default();
            if *from_there >= limits.sessions_per_address {
                return Err(Turned::FullForAddress);
            }
            *from_there += 1;
        }
        sessions.all += 1;
        drop(sessions);
        self.0.metrics.sessions.fetch_add(1, Relaxed);
        self.0.metrics.sessions_total.fetch_add(1, Relaxed);
        Ok(Admission { rooms: self.clone(), address })
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        // No code panics while it holds the lock; the numbers are whole in any case.
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes to `Some(retry_after_ms)` when sessions that are in no room have to go.
    pub fn goodbye(&self) -> watch::Receiver<Option<u64>> {
        self.0.goodbye.subscribe()
    }

    /// The way into a dashboard's room, opened where it is not open. However many ask at once, it is
    /// read from the store once.
    pub async fn open(&self, id: &DashboardId) -> Result<RoomHandle, RoomError> {
        if self.is_draining() {
            return Err(RoomError::Draining);
        }
        let opening = {
            let mut slots = self.slots();
            if !slots.contains_key(id) && slots.len() >= self.0.limits.rooms {
                return Err(RoomError::Full);
            }
            Opening { rooms: self, id, slot: Some(slots.entry(id.clone()).or_default().clone()) }
        };
        let slot = opening.slot.as_ref().expect("taken only when it is dropped");
        let room = slot.room.get_or_try_init(|| self.start(id, slot)).await?.clone();
        self.0.changed.notify_waiters();
        if room.inbox.is_closed() {
            // It did not end in good order, or it would have left the list first.
            self.forget(id, slot);
        }
        Ok(room)
    }

    /// As [`Rooms::open`], for a room that passes on what came as it ended.
    fn open_next<'a>(&'a self, id: &'a DashboardId) -> BoxFuture<'a, Result<RoomHandle, RoomError>> {
        Box::pin(self.open(id))
    }

    async fn start(&self, id: &DashboardId, slot: &Arc<Slot>) -> Result<RoomHandle, RoomError> {
        let store = &self.0.store;
        let opened = match store.open(id).await? {
            Some(opened) => opened,
            None => match store.binned(id).await? {
                Some(binned) => return Err(RoomError::InBin(Box::new(binned.deletion))),
                // Where it was just being restored it is there now.
                None => store.open(id).await?.ok_or(RoomError::NotFound)?,
            },
        };
        let tokens = ResumeTokens::new(&self.0.store.secret(resume_token::SECRET).await?, id);
        let actor =
            RoomActor::new(id.clone(), self.clone(), slot.clone(), opened, tokens).map_err(|error| {
                tracing::error!(dashboard = %id, %error, "a stored dashboard does not read");
                RoomError::Spoilt
            })?;
        let (inbox, inputs) = mpsc::channel(self.0.limits.room_inbox.min(Semaphore::MAX_PERMITS));
        self.0.metrics.rooms.fetch_add(1, Relaxed);
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that ended are let go of here, so that the set stays as large as there are rooms.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(actor.run(inputs));
        Ok(RoomHandle { id: id.clone(), inbox })
    }

    /// A dashboard as it stands, durable.
    pub async fn snapshot(&self, id: &DashboardId) -> Result<Read, RoomError> {
        self.ask(id, RoomMessage::Read).await
    }

    /// As [`Rooms::snapshot`], encoded: once for all who ask for the same revision.
    pub async fn encoded(&self, id: &DashboardId) -> Result<EncodedRead, RoomError> {
        Ok(self.ask(id, RoomMessage::Encode).await??)
    }

    /// Brings the dashboard of a document into one, as one change of somebody.
    pub async fn merge(
        &self,
        id: &DashboardId,
        document: Arc<Imported>,
        by: User,
    ) -> Result<Result<Merged, NotMerged>, RoomError> {
        // Asked again it finds what was done, and does it no second time.
        let merge = |answer| RoomMessage::Merge { document: document.clone(), by: by.clone(), answer };
        self.ask(id, merge).await
    }

    /// Asks a room; a room that ended meanwhile is opened once more.
    async fn ask<T>(
        &self,
        id: &DashboardId,
        question: impl Fn(oneshot::Sender<T>) -> RoomMessage,
    ) -> Result<T, RoomError> {
        for _ in 0..3 {
            let room = self.open(id).await?;
            let (answer, answered) = oneshot::channel();
            if room.send(question(answer)).await.is_ok()
                && let Ok(answer) = answered.await
            {
                return Ok(answer);
            }
        }
        Err(RoomError::Store(StoreError::Io("the room ended".to_owned())))
    }

    /// Makes an empty dashboard with a title.
    pub async fn create(&self, title: &str) -> Result<DashboardId, RoomError> {
        self.create_with(Dashboard::new(title)).await
    }

    /// Makes a dashboard with another title that begins as one is now. What was removed there, and its
    /// conflicts, stay behind.
    pub async fn copy(&self, id: &DashboardId, title: &str) -> Result<DashboardId, RoomError> {
        let Read { dashboard, .. } = self.snapshot(id).await?;
        let (settings, widgets) = (dashboard.settings.clone(), dashboard.widgets.clone());
        self.create_with(Dashboard { settings, widgets, ..Dashboard::new(title) }).await
    }

    /// Makes a dashboard that begins as this one.
    pub async fn create_with(&self, dashboard: Dashboard) -> Result<DashboardId, RoomError> {
        if self.is_draining() {
            return Err(RoomError::Draining);
        }
        // Those who make one at this very moment are not counted: the bound is against loops, and a
        // loop meets it a moment later.
        if self.0.store.count().await? >= self.0.limits.dashboards {
            return Err(RoomError::NoMoreDashboards);
        }
        let id = DashboardId::new(random_id()).expect("base64 without padding is an id");
        let epoch = random_id();
        let listing = Listing::from(Summary { changed_at: now_ms(), ..Summary::of(&dashboard) });
        let state = frames::json(&Room::new(epoch.clone(), dashboard).state()).into();
        self.0.store.create(NewDashboard { id: id.clone(), epoch, state, listing }).await?;
        self.listing_changed();
        Ok(id)
    }

    /// All dashboards without their outlines, the one that changed last first.
    pub async fn list(&self) -> Result<Vec<Listed>, RoomError> {
        Ok(self.0.store.list().await?)
    }

    /// Who is where, a person once per dashboard.
    pub fn here(&self) -> BTreeMap<DashboardId, Vec<User>> {
        let slots = self.slots();
        let here = slots.iter().map(|(id, slot)| (id.clone(), slot.people().clone()));
        here.filter(|(_, people)| !people.is_empty()).collect()
    }

    /// Ends everything in good order: lets nobody in, finishes the logs, tells everybody when to come
    /// back, saves. Returns when all rooms have ended and the sessions had time to hear of it.
    pub async fn drain(&self, retry_after_ms: u64) {
        self.0.draining.store(true, SeqCst);
        loop {
            // From before the look on, so that nothing is missed between the two.
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            let slots: Vec<Arc<Slot>> = self.slots().values().cloned().collect();
            for slot in &slots {
                if let Some(room) = slot.room.get() {
                    // One that ended meanwhile needs no telling.
                    let _ = room.send(RoomMessage::Drain { retry_after_ms }).await;
                }
            }
            let mut tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
            while let Some(ended) = tasks.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a room ended badly");
                }
            }
            for slot in slots {
                // One whose task died before its end has not left the list, and no news will come of it.
                if let Some(room) = slot.room.get().filter(|room| room.inbox.is_closed()) {
                    self.forget(&room.id, &slot);
                }
            }
            // One that was being opened when it began is there by the next round.
            if self.slots().is_empty() {
                break;
            }
            changed.await;
        }
        self.0.goodbye.send_replace(Some(retry_after_ms));
        let gone = async {
            loop {
                let mut changed = std::pin::pin!(self.0.changed.notified());
                changed.as_mut().enable();
                if self.sessions().all == 0 {
                    break;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(GOODBYE, gone).await.is_err() {
            tracing::info!(left = self.sessions().all, "sessions did not take their goodbye");
        }
    }

    /// Takes a room that ended out of the list. What still comes for it opens it anew.
    fn forget(&self, id: &DashboardId, slot: &Arc<Slot>) {
        let mut slots = self.slots();
        if slots.get(id).is_some_and(|known| Arc::ptr_eq(known, slot)) {
            slots.remove(id);
            self.0.metrics.rooms.fetch_sub(1, Relaxed);
            self.0.changed.notify_waiters();
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<DashboardId, Arc<Slot>>> {
        // No code panics while it holds the lock; the map is whole in any case.
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn people(&self) -> MutexGuard<'_, Vec<User>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_people(&self, people: Vec<User>) {
        *self.people() = people;
    }
}

/// Somebody who waits for a room to open. The last of them takes an empty slot away again, so that
/// asking for what is not there leaves nothing behind.
struct Opening<'a> {
    rooms: &'a Rooms,
    id: &'a DashboardId,
    slot: Option<Arc<Slot>>,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let mut slots = self.rooms.slots();
        let Some(mine) = self.slot.take() else { return };
        // The list's own, and mine: all others have given up theirs, under this lock.
        let last = Arc::strong_count(&mine) == 2;
        if last
            && mine.room.get().is_none()
            && slots.get(self.id).is_some_and(|known| Arc::ptr_eq(known, &mine))
        {
            slots.remove(self.id);
            self.rooms.0.changed.notify_waiters();
        }
        drop(mine);
        drop(slots);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let Rooms(shared) = &self.rooms;
        let mut sessions = self.rooms.sessions();
        sessions.all -= 1;
        if let Some(address) = self.address
            && let Some(from_there) = sessions.by_address.get_mut(&address)
        {
            *from_there -= 1;
            if *from_there == 0 {
                sessions.by_address.remove(&address);
            }
        }
        drop(sessions);
        shared.changed.notify_waiters();
        shared.metrics.sessions.fetch_sub(1, Relaxed);
    }
}

/// 96 random bits as an id.
pub(super) fn random_id() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 12]>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::store::memory::MemoryStore;

    #[tokio::test]
    async fn s10_no_address_has_all_sessions_of_the_server() {
        let limits = Arc::new(Limits { sessions: 4, sessions_per_address: 3, ..Limits::default() });
        let sources = Sources::new([], Arc::default());
        let rooms = Rooms::new(
            Arc::new(MemoryStore::default()),
            Arc::new(Access::open_to_all()),
            limits,
            Arc::default(),
            sources,
        );
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let mut office: Vec<Admission> =
            (0..3).map(|_| rooms.admit(Some(one)).expect("there is a place")).collect();
        assert_eq!(rooms.admit(Some(one)).err(), Some(Turned::FullForAddress));
        let _elsewhere = rooms.admit(Some(other)).expect("the last place is for others");
        assert_eq!(rooms.admit(None).err(), Some(Turned::Full));
        office.pop();
        office.push(rooms.admit(Some(one)).expect("somebody went"));
        office.clear();
        assert_eq!(rooms.sessions().by_address.len(), 1, "nothing is kept of those who went");
    }

    #[tokio::test(start_paused = true)]
    async fn draining_does_not_wait_for_a_room_whose_task_died() {
        let sources = Sources::new([], Arc::default());
        let store = Arc::new(MemoryStore::default());
        let rooms =
            Rooms::new(store, Arc::new(Access::open_to_all()), Arc::default(), Arc::default(), sources);
        let id = rooms.create("Orders").await.expect("made");
        let room = rooms.open(&id).await.expect("opens");
        let mut tasks = std::mem::take(&mut *rooms.0.tasks.lock().expect("no panic"));
        tasks.shutdown().await;
        assert!(room.inbox.is_closed() && rooms.slots().contains_key(&id));
        tokio::time::timeout(Duration::from_secs(60), rooms.drain(100)).await.expect("it ends");
        assert!(rooms.slots().is_empty());
        assert_eq!(rooms.metrics().rooms.load(Relaxed), 0);
    }
}
