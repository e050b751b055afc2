//! Housekeeping beside the rooms: removing what was in the bin for long, what is old in the audit log and sessions that
//! ended, and making outlines that are missing.

use std::convert::Infallible;
use std::time::Duration;

use super::audit::{self, Event};
use super::clock::now_ms;
use super::rooms::Rooms;
use super::store::{ListQuery, Order, Reader, StoreError};

/// How often the bin is looked through.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// Dashboards that are looked up at once.
const AT_ONCE: usize = 50;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// A clock this far ahead of all that is known is either right after a long rest or wrong.
const STRANGE_MS: u64 = DAY_MS;
/// How long a strange clock has to stand before anything is removed by it: one that is set right after the start
/// is right by then.
const STANDS: Duration = Duration::from_secs(10 * 60);

/// Keeps house for as long as the server runs.
pub async fn run(rooms: Rooms, bin_days: u64) -> Infallible {
    let outlines = async {
        if let Err(error) = rooms.make_outlines().await {
            tracing::warn!(%error, "some dashboards have no preview yet; the next start makes them");
        }
    };
    let (_, never, _) = tokio::join!(outlines, empty_bin(&rooms, bin_days), rooms.access().retry_removals());
    never
}

/// Removes what was in the bin for so many days, now and then.
async fn empty_bin(rooms: &Rooms, days: u64) -> Infallible {
    loop {
        let rest = match look_through(rooms, days).await {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "the bin could not be looked through; it is tried again");
                STANDS
            }
        };
        tokio::time::sleep(rest).await;
    }
}

async fn look_through(rooms: &Rooms, days: u64) -> Result<(), StoreError> {
    let mut now = now_ms();
    while now.saturating_sub(newest(rooms).await?) > STRANGE_MS {
        tokio::time::sleep(STANDS).await;
        let later = now_ms();
        let stood = has_stood(now, later);
        now = later;
        if stood {
            break;
        }
        tracing::warn!("the clock was set: nothing is removed from the bin by it until it stands");
    }
    remove_before(rooms, now.saturating_sub(days * DAY_MS)).await?;
    rooms.access().forget_audit(now).await
}

/// True where a clock went on as time did while it was waited for [`STANDS`].
fn has_stood(before: u64, now: u64) -> bool {
    let stands = STANDS.as_millis() as u64;
    now.abs_diff(before.saturating_add(stands)) < stands / 2
}

/// The newest time that the store knows, Unix milliseconds.
async fn newest(rooms: &Rooms) -> Result<u64, StoreError> {
    let query = ListQuery { order: Order::Changed, limit: 1, ..ListQuery::default() };
    let changed = rooms.store().page(&query).await?.dashboards.first().map(|one| one.listing.changed_at);
    let deleted =
        rooms.store().bin(&Reader::Anyone, None, 1).await?.dashboards.first().map(|one| one.deletion.at);
    Ok(changed.max(deleted).unwrap_or(0))
}

/// Removes what came into the bin before a time, Unix milliseconds.
async fn remove_before(rooms: &Rooms, before: u64) -> Result<(), StoreError> {
    loop {
        let expired = rooms.store().expired(before, AT_ONCE).await?;
        if expired.is_empty() {
            return Ok(());
        }
        for id in expired {
            // One that was restored meanwhile stays.
            let title = rooms.store().binned(&id).await?.map(|one| one.listing.title).unwrap_or_default();
            if rooms.store().purge(&id, before).await? {
                rooms.access().forget(&id).await;
                audit::note(rooms.access(), Event::Expired, &id, &title, None).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dashboard::DashboardId;
    use crate::server::access::Access;
    use crate::server::data::sources::Sources;
    use crate::server::store::memory::MemoryStore;
    use crate::server::store::{Deletion, Listing, NewDashboard, Store};

    /// Rooms over a store with one dashboard that changed at a time, and one that was deleted at another.
    async fn rooms(changed_at: u64, deleted_at: u64) -> (Rooms, DashboardId) {
        let store = Arc::new(MemoryStore::default());
        for name in ["kept", "deleted"] {
            let id = DashboardId::new(name).expect("an id");
            let listing = Listing { changed_at, ..Listing::default() };
            let new = NewDashboard { id, epoch: "e".to_owned(), state: "{}".into(), listing };
            store.create(new).await.expect("made");
        }
        let id = DashboardId::new("deleted").expect("an id");
        assert_eq!(store.delete(&id, &Deletion { at: deleted_at, by: None }, 10).await, Ok(true));
        let access = Arc::new(Access::open_to_all());
        (Rooms::new(store, access, Arc::default(), Arc::default(), Sources::new([], Arc::default())), id)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_in_the_bin_for_long_goes_for_good() {
        let now = now_ms();
        for (deleted_at, stays) in [(now - 31 * DAY_MS, false), (now - 29 * DAY_MS, true)] {
            let (rooms, id) = rooms(now, deleted_at).await;
            look_through(&rooms, 30).await.expect("looks");
            assert_eq!(rooms.store().binned(&id).await.expect("reads").is_some(), stays);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_far_ahead_of_the_newest_edit_removes_nothing_at_once() {
        // By the clock of this machine 40 days have passed since anybody did anything.
        let long_ago = now_ms() - 40 * DAY_MS;
        let (rooms, id) = rooms(long_ago, long_ago).await;
        let looked = tokio::time::timeout(STANDS - Duration::from_secs(1), look_through(&rooms, 30)).await;
        assert!(looked.is_err(), "it waits whether the clock stands");
        assert!(rooms.store().binned(&id).await.expect("reads").is_some());
        assert!(has_stood(5 * DAY_MS, 5 * DAY_MS + 600_000));
        assert!(!has_stood(45 * DAY_MS, 5 * DAY_MS + 600_000), "it was set back");
        assert!(!has_stood(5 * DAY_MS, 45 * DAY_MS), "it was set forward");
    }
}
