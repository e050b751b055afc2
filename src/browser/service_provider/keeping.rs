//! Keeps the tab's queue and its copy of the dashboard on this device: what is written when, how that
//! goes, and how the queue of a tab that ended becomes this tab's.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::app::format;
use crate::app::unsaved::Unsaved;
use crate::dashboard::User;
use crate::sync::protocol::Resume;
use crate::sync::replica::Replica;

use super::super::clock::{monotonic_ms, wall_ms};
use super::super::device::{self, Head, OwnQueue, QueueRecord};
use super::super::locks::Lock;
use super::super::storage::{self, Storage, StorageError, Write};
use super::{ServiceProvider, Services};

/// An edit is on the device after this long and the time of a write. Most are with the server by then,
/// and need not be kept at all.
const SOON_MS: u64 = 100;
/// The wait of what may be lost: others' edits, and what is done with.
const LATER_MS: u64 = 2_000;
/// The shortest time between two copies while others edit: all of the dashboard is written each time.
const COPY_EVERY_MS: u64 = 5_000;
/// The wait after a write that failed.
const RETRY_MS: u64 = 5_000;
/// How often queues are looked for that tabs left when they ended.
const LOOK_EVERY_MS: u64 = 3_000;

/// What of this tab is on the device.
pub struct Keeping {
    storage: Option<Storage>,
    /// Says that the queue is this tab's.
    lock: Option<Lock>,
    error: Option<StorageError>,
    /// Who made the changes that wait.
    pub(super) made_by: User,
    /// Counts what became other in the queue.
    turn: u64,
    /// The turn that the device has.
    kept_turn: u64,
    /// The changes and unsaved edits that it has, of that turn; `None` while it has no record.
    kept: Option<(usize, usize)>,
    /// The queue as it was looked at last: changes, numbering, unsaved edits.
    seen: (usize, u64, Vec<u32>),
    /// The copy that the device has, and since when.
    copy: Option<Resume>,
    copied_at: Option<u64>,
    /// Whether the browser was asked not to clear this away when it wants place.
    asked_to_stay: bool,
    /// Writes under way. One that takes all along waits for none before it: they end in the order of their beginning.
    writing: usize,
    /// The turn and the copy that the device has once these have ended well.
    offered: Option<(u64, Option<Resume>)>,
    /// When the next write is to be looked at.
    planned: Option<u64>,
    retry_at: u64,
    looking: bool,
    look_at: u64,
}

/// A write under way.
struct Job {
    secret: String,
    turn: u64,
    /// True where the queue is written.
    queue: bool,
    changes: usize,
    unsaved: usize,
    numbering: u64,
    copy: Option<Resume>,
}

impl Keeping {
    /// What the page found on the device. `copy` is where the copy stands that it has.
    pub fn new(
        storage: Result<Storage, StorageError>,
        own: Option<OwnQueue>,
        copy: Option<Resume>,
        user: &User,
    ) -> (Self, Option<(String, QueueRecord)>) {
        let (storage, error) = match storage {
            Ok(storage) => (Some(storage), None),
            Err(error) => (None, Some(error)),
        };
        let mut keeping = Self {
            storage,
            lock: None,
            error,
            made_by: user.clone(),
            turn: 0,
            kept_turn: 0,
            kept: None,
            seen: (0, 0, Vec::new()),
            copy,
            copied_at: None,
            asked_to_stay: false,
            writing: 0,
            offered: None,
            planned: None,
            retry_at: 0,
            looking: false,
            look_at: 0,
        };
        let queue = own.map(|own| keeping.take(own));
        (keeping, queue)
    }

    /// Why edits are not kept here; `None` where they are.
    pub fn error(&self) -> Option<&StorageError> {
        self.error.as_ref()
    }

    /// The device's store, where there is one.
    pub(super) fn storage(&self) -> Option<Storage> {
        self.storage.clone()
    }

    /// Keeps nothing more: the page goes elsewhere with what is there now, which is of the turn returned.
    pub(super) fn stop(&mut self) -> u64 {
        self.storage = None;
        self.turn
    }

    /// Keeps again: the page stays.
    pub(super) fn go_on(&mut self, storage: Storage) {
        self.storage = Some(storage);
    }

    /// Notes that the page goes elsewhere with what was there at a turn. False where more came since.
    pub(super) fn went_along(&mut self, turn: u64) -> bool {
        self.kept_turn = turn;
        self.kept = Some((self.seen.0, self.seen.2.len()));
        self.turn == turn
    }

    /// How many of the changes that wait are on the device.
    pub fn kept(&self, pending: usize) -> usize {
        match self.kept {
            Some(_) if self.turn == self.kept_turn => pending,
            // The last may be one that typing went on in.
            Some((kept, _)) => kept.min(pending.saturating_sub(1)),
            None => 0,
        }
    }

    /// Notes that the device is to have no copy any more.
    pub(super) fn forget_copy(&mut self) {
        self.copy = None;
        self.copied_at = None;
    }

    /// Makes a queue this tab's; the lock of the one before goes.
    fn take(&mut self, own: OwnQueue) -> (String, QueueRecord) {
        let OwnQueue { secret, lock, record, there } = own;
        let record = record.read_at(wall_ms());
        self.lock = Some(lock);
        // A new queue has to be written, with nothing in it: it is who this tab is after a reload.
        self.turn += 1;
        self.kept_turn = if there { self.turn } else { 0 };
        self.kept = there.then_some((record.queue.changes.len(), record.unsaved.len()));
        self.seen.0 = record.queue.changes.len();
        if self.seen.0 > 0 {
            self.made_by = record.user.clone();
        }
        (secret, record)
    }

    /// Notes what became of the queue. `edited` says that something was added to it.
    fn look(&mut self, replica: &Replica, unsaved: Vec<u32>, user: &User, edited: bool) {
        let seen = (replica.pending(), replica.numbering(), unsaved);
        if self.seen.0 == 0 && seen.0 > 0 {
            self.made_by = user.clone();
        }
        if edited || seen != self.seen {
            self.turn += 1;
            self.seen = seen;
        }
        if self.seen.0 == 0 && self.seen.2.is_empty() && self.kept == Some((0, 0)) {
            // It came and went before it had to be kept.
            self.kept_turn = self.turn;
        }
    }

    /// How long the next write may wait; `None` where there is none to do.
    fn wait(&self, replica: &Replica, now: u64) -> Option<u64> {
        if self.storage.is_none() || self.lock.is_none() || self.writing > 0 {
            return None;
        }
        let queue = (self.turn != self.kept_turn).then(|| {
            let (pending, _, unsaved) = &self.seen;
            match () {
                () if replica.waits_for_device() => 0,
                () if *pending > 0 || !unsaved.is_empty() => SOON_MS,
                () => LATER_MS,
            }
        });
        let rested = self.copied_at.map_or(0, |at| (at + COPY_EVERY_MS).saturating_sub(now));
        let copy = (replica.resume() != self.copy).then_some(rested.max(LATER_MS));
        let wait = queue.into_iter().chain(copy).min()?;
        Some(wait.max(self.retry_at.saturating_sub(now)))
    }
}

impl ServiceProvider {
    /// Sees to it that the device has what changed, soon. `edited` says that something was added to the
    /// queue.
    pub(super) fn plan_keep(&self, edited: bool) {
        let now = monotonic_ms();
        let mut services = self.0.borrow_mut();
        let services = &mut *services;
        let unsaved = services.store.unsaved.with_untracked(|all| all.iter().map(|one| one.id).collect());
        let keeping = &mut services.keeping;
        keeping.look(&services.replica, unsaved, &services.user, edited);
        let Some(wait) = keeping.wait(&services.replica, now) else { return };
        if keeping.planned.is_some_and(|at| at <= now + wait) {
            return;
        }
        keeping.planned = Some(now + wait);
        let provider = self.clone();
        set_timeout(move || provider.keep(false), Duration::from_millis(wait));
    }

    /// Writes what the device does not have yet. `all` takes along what could wait: the page may be about
    /// to end.
    pub(super) fn keep(&self, all: bool) {
        let mut services = self.0.borrow_mut();
        let services = &mut *services;
        services.keeping.planned = None;
        if (services.keeping.writing > 0 && !all) || services.keeping.lock.is_none() {
            return;
        }
        let Some(storage) = services.keeping.storage.clone() else { return };
        let now = monotonic_ms();
        let resume = services.replica.resume();
        let rested = services.keeping.copied_at.is_none_or(|at| now >= at + COPY_EVERY_MS);
        let there = (services.keeping.kept_turn, services.keeping.copy.clone());
        let (turn, there) = services.keeping.offered.clone().unwrap_or(there);
        let copy = resume.filter(|resume| there.as_ref() != Some(resume) && (all || rested));
        let job = Job {
            secret: services.secret.clone(),
            turn: services.keeping.turn,
            queue: services.keeping.turn != turn,
            changes: services.replica.pending(),
            unsaved: services.store.unsaved.with_untracked(Vec::len),
            numbering: services.replica.numbering(),
            copy,
        };
        let first_copy = services.keeping.copied_at.is_none() && job.copy.is_some();
        let first_edits = job.changes > 0 && !services.keeping.asked_to_stay;
        services.keeping.asked_to_stay |= first_edits;
        let writes = match services.writes(&job) {
            Ok(writes) if writes.is_empty() => return,
            Ok(writes) => writes,
            Err(error) => return leptos::logging::error!("A record that cannot be written: {error}"),
        };
        services.keeping.writing += 1;
        services.keeping.offered = Some((job.turn, job.copy.clone().or(there)));
        if job.copy.is_some() {
            services.keeping.copied_at = Some(now);
        }
        let provider = self.clone();
        spawn_local(async move {
            let outcome = storage.write(writes).await;
            if outcome.is_ok() && first_copy {
                // Too many copies are as good as the right number until the next time.
                let _ = device::clear_away(&storage).await;
            }
            let written = outcome.is_ok();
            provider.wrote(job, outcome);
            if written && first_edits {
                storage::ask_to_stay().await;
            }
        });
    }

    fn wrote(&self, job: Job, outcome: Result<(), StorageError>) {
        self.0.borrow_mut().wrote(job, outcome);
        self.plan_push(Duration::ZERO);
        self.plan_keep(false);
        self.show_status();
    }

    /// Forgets the copy of a dashboard that is not there any more, for this person or for anybody. Own edits that wait
    /// here stay: where people sign in alone, and else with the copy, of which their author can make a new dashboard.
    pub(super) fn forget_copy(&self) {
        let mut services = self.0.borrow_mut();
        let services = &mut *services;
        // Where people sign in, nobody is told whether a dashboard was deleted or is not theirs to see.
        let was_withdrawn = services.rights.has_account && services.withdraw();
        let edits = services.replica.pending() + services.store.unsaved.with_untracked(Vec::len);
        if edits > 0 && !was_withdrawn {
            return;
        }
        let storage = match edits {
            0 => services.keeping.storage.take(),
            _ => services.keeping.storage.clone(),
        };
        let Some(storage) = storage else { return };
        let mut writes = vec![device::remove_copy(&services.dashboard)];
        if edits > 0 {
            // In one step: what waited had the texts in it that it was typed in.
            let record = services.record();
            match device::queue(&services.dashboard, &services.secret, &record) {
                Ok(record) => writes.push(record),
                Err(error) => leptos::logging::error!("A record that cannot be written: {error}"),
            }
        } else {
            writes.push(device::remove(&services.dashboard, &services.secret));
        }
        spawn_local(async move {
            // What stays takes place, and goes when a page of it is opened again.
            let _ = storage.write(writes).await;
        });
    }

    /// Looks for a queue that a tab left when it ended, while this one has nothing of its own to save.
    pub(super) fn look_for_left(&self) {
        let now = monotonic_ms();
        let mut services = self.0.borrow_mut();
        let services = &mut *services;
        let keeping = &mut services.keeping;
        let busy = keeping.looking || keeping.writing > 0 || services.replica.pending() > 0;
        if busy || now < keeping.look_at || keeping.lock.is_none() {
            return;
        }
        let Some(storage) = keeping.storage.clone() else { return };
        keeping.looking = true;
        keeping.look_at = now + LOOK_EVERY_MS;
        let (id, mine) = (services.dashboard.clone(), services.secret.clone());
        let (user, provider) = (services.user.clone(), self.clone());
        spawn_local(async move {
            let found = device::left_queue(&storage, &id, &mine, &user).await;
            provider.0.borrow_mut().keeping.looking = false;
            // A store that cannot be read now is asked again.
            if let Ok(Some(left)) = found {
                provider.take_over(&storage, left);
            }
        });
    }

    /// Goes on as the client whose tab ended, with the edits that it left.
    fn take_over(&self, storage: &Storage, left: OwnQueue) {
        let connected = {
            let mut services = self.0.borrow_mut();
            let services = &mut *services;
            if services.replica.pending() > 0 || services.keeping.writing > 0 {
                // Its lock goes here; the next look finds it again.
                return;
            }
            let count = left.record.queue.changes.len();
            let before = services.keeping.lock.take();
            let (secret, record) = services.keeping.take(left);
            let old = std::mem::replace(&mut services.secret, secret);
            let changes = services.replica_now().take_over(record.queue);
            services.show(changes);
            let mut unsaved = record.unsaved;
            if services.withdrawn {
                unsaved.iter_mut().for_each(Unsaved::reduce);
            }
            services.store.list_unsaved(unsaved);
            if count > 0 {
                let edits = format::count(count, "edit", "edits");
                services.store.toast(format!("{edits} of a tab that was closed are here now."), None);
            }
            let (id, storage) = (services.dashboard.clone(), storage.clone());
            device::remember(&id, &services.secret);
            // What was unsaved in the old one goes along in the same step.
            let record = services.record();
            let both = device::queue(&id, &services.secret, &record);
            spawn_local(async move {
                if let Ok(record) = both {
                    // The old one stays where this fails: nothing is lost by that.
                    let _ = storage.write(vec![record, device::remove(&id, &old)]).await;
                }
                drop(before);
            });
            services.socket.is_some()
        };
        if connected {
            self.reconnect();
        } else if self.0.borrow().is_gone() {
            self.forget_copy();
        }
        self.plan_keep(false);
        self.show_status();
    }
}

impl Services {
    fn wrote(&mut self, job: Job, outcome: Result<(), StorageError>) {
        let keeping = &mut self.keeping;
        keeping.writing -= 1;
        if keeping.writing == 0 {
            keeping.offered = None;
        }
        if job.secret != self.secret {
            // A queue that was left for another one meanwhile is no concern any more.
            return;
        }
        match outcome {
            Ok(()) => {
                keeping.error = None;
                keeping.kept_turn = job.turn;
                keeping.kept = Some((job.changes, job.unsaved));
                keeping.copy = job.copy.or(keeping.copy.take());
            }
            Err(error) => {
                leptos::logging::warn!("What this tab does is not kept on this device: {error}");
                keeping.error = Some(error);
                keeping.retry_at = monotonic_ms() + RETRY_MS;
            }
        }
        // Kept or not, editing goes on; the page says which.
        self.replica.stored(job.numbering);
    }

    /// The record of the queue as it is now.
    pub(super) fn record(&mut self) -> QueueRecord {
        let queue = self.replica_now().stored_queue();
        let user = if self.replica.pending() > 0 { &self.keeping.made_by } else { &self.user };
        let unsaved = self.store.unsaved.get_untracked();
        QueueRecord { user: user.clone(), queue, at: Some(wall_ms()), unsaved }
    }

    fn writes(&mut self, job: &Job) -> Result<Vec<Write>, serde_json::Error> {
        let mut writes = Vec::new();
        if job.queue {
            let record = self.record();
            writes.push(device::queue(&self.dashboard, &job.secret, &record)?);
        }
        if job.copy.is_some()
            && let Some(stored) = self.replica.stored_dashboard()
        {
            let head = Head {
                id: self.dashboard.clone(),
                title: stored.dashboard.title.clone(),
                widgets: stored.dashboard.widgets.len(),
                at: wall_ms(),
                user: self.user.clone(),
                role: self.store.role.get_untracked(),
            };
            writes.push(device::copy(&head, &stored)?);
        }
        Ok(writes)
    }
}
