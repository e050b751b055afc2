//! Deletion into the bin, restoration out of it, and removal for good.

use std::sync::atomic::Ordering::SeqCst;

use super::input::RoomMessage;
use super::{RoomError, Rooms};
use crate::dashboard::{DashboardId, User};
use crate::server::clock::{now_ms, utc};
use crate::server::store::{Deletion, StoreError};

/// Since when a dashboard is in the bin, for people.
pub(super) fn in_words(deletion: &Deletion) -> String {
    let by = deletion.by.as_ref().map(|user| format!(", by {}", user.name)).unwrap_or_default();
    let since = utc(deletion.at, 0);
    format!("This dashboard was moved to the bin on {since} (UTC){by}. It can be restored from there.")
}

impl Rooms {
    /// Moves a dashboard into the bin; those who are in it are told. Errors with `NotFound` where there is
    /// none, and with `InBin` where it is in there.
    pub async fn delete(&self, id: &DashboardId, by: Option<User>) -> Result<(), RoomError> {
        let deletion = Deletion { at: now_ms(), by };
        // Through the room, so that nothing is judged between the removal and its end.
        let deleted = self
            .ask(id, |answer| RoomMessage::Delete {
                deletion: deletion.clone(),
                most: self.limits().bin,
                answer,
            })
            .await?;
        match deleted {
            Ok(true) => {
                self.listing_changed();
                self.0.access.note_change();
                Ok(())
            }
            Ok(false) => Err(RoomError::NotFound),
            Err(StoreError::TooMany) => Err(RoomError::BinFull),
            Err(error) => Err(error.into()),
        }
    }

    /// Brings a dashboard back out of the bin, at its address and with its log. True where this call did it,
    /// false where it is out already. Errors with `NotFound` where there is none.
    pub async fn restore(&self, id: &DashboardId) -> Result<bool, RoomError> {
        if self.is_draining() {
            return Err(RoomError::Draining);
        }
        // Its room may be saying goodbye yet, and would turn away whoever comes back to it.
        self.gone(id).await?;
        match self.0.store.restore(id, self.limits().dashboards).await {
            Ok(true) => {
                self.listing_changed();
                self.0.access.note_change();
                Ok(true)
            }
            // Somebody else was first, or it never was in there.
            Ok(false) => self.open(id).await.map(|_| false),
            Err(StoreError::TooMany) => Err(RoomError::NoMoreDashboards),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a dashboard for good that is in the bin; false where it is not in there.
    pub async fn purge(&self, id: &DashboardId) -> Result<bool, RoomError> {
        if self.is_draining() {
            return Err(RoomError::Draining);
        }
        let purged = self.0.store.purge(id, u64::MAX).await?;
        if purged {
            self.0.access.forget(id).await;
        }
        Ok(purged)
    }

    /// Waits until no room of a dashboard in the bin is open.
    async fn gone(&self, id: &DashboardId) -> Result<(), StoreError> {
        loop {
            // From before the look on, so that nothing is missed between the two.
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            let open = self.slots().get(id).is_some_and(|slot| {
                // One whose task died before its end leaves the list when somebody asks for it.
                slot.room.get().is_none_or(|room| !room.inbox.is_closed())
            });
            // Looked up each time: somebody else may have restored it, and then its room stays.
            if !open || self.0.store.binned(id).await?.is_none() {
                return Ok(());
            }
            changed.await;
        }
    }

    /// Counts what changes the list of dashboards, or who is where. Called after it has.
    pub(super) fn listing_changed(&self) {
        self.0.listing.fetch_add(1, SeqCst);
    }

    /// A number that has changed where the list, or who is where, may have.
    pub fn listing_generation(&self) -> u64 {
        self.0.listing.load(SeqCst)
    }
}
