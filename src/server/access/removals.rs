//! Removal of ended sessions from the store. What fails is tried again until it is done, as a restart would open these
//! sessions again.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::sessions::SessionHash;
use super::{Access, AccessError};

/// Sessions that wait to be removed: those of all people of a large team, many times over.
const MAX_WAITING: usize = 100_000;
/// Waits between two tries: the first, and the longest that it doubles to.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Ended sessions that the store has still.
#[derive(Default)]
pub(super) struct Removals {
    waiting: Mutex<BTreeSet<SessionHash>>,
    added: Notify,
}

impl Removals {
    fn add(&self, ended: Vec<SessionHash>) {
        let mut waiting = self.waiting();
        for hash in ended {
            if waiting.len() < MAX_WAITING {
                waiting.insert(hash);
            } else {
                tracing::error!("an ended session could not be removed: a restart may open it again");
            }
        }
        drop(waiting);
        self.added.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<SessionHash>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Access {
    /// Removes ended sessions from the store. Errors with `NotRemoved` where that fails now and is tried again.
    pub(super) async fn remove_ended(&self, ended: Vec<SessionHash>) -> Result<(), AccessError> {
        if ended.is_empty() {
            return Ok(());
        }
        let Err(error) = self.store.remove_sessions(ended.clone()).await else { return Ok(()) };
        tracing::warn!(%error, "ended sessions could not be removed from the store; it is tried again");
        self.removals.add(ended);
        Err(AccessError::NotRemoved)
    }

    /// Removes what could not be removed before, for as long as the server runs.
    pub async fn retry_removals(&self) -> Infallible {
        loop {
            self.removals.added.notified().await;
            let mut wait = FIRST_WAIT;
            while !self.remove_waiting().await {
                sleep(wait).await;
                wait = (2 * wait).min(MAX_WAIT);
            }
        }
    }

    /// Tries once. False where some are left.
    async fn remove_waiting(&self) -> bool {
        let waiting: Vec<SessionHash> = self.removals.waiting().iter().copied().collect();
        if waiting.is_empty() {
            return true;
        }
        if self.store.remove_sessions(waiting.clone()).await.is_err() {
            return false;
        }
        let mut left = self.removals.waiting();
        waiting.iter().for_each(|hash| {
            left.remove(hash);
        });
        left.is_empty()
    }
}
