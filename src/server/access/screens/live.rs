//! Uses of screens since the start: when and where each was used last, and who is to hear of its end.

use std::collections::HashMap;
use std::net::IpAddr;

use tokio::sync::watch;

use super::{ScreenId, ScreenUse};
use crate::server::access::sessions::Ended;

/// How much later a use has to be to be noted: each note is written.
const NOTED_AFTER_MS: u64 = 60_000;

struct Entry {
    used_at: u64,
    address: Option<IpAddr>,
    /// The time of use that the store has; `None` before the first note.
    noted_at: Option<u64>,
    ended: watch::Sender<bool>,
}

impl Entry {
    /// True while a socket, or a request that waits for news, is open.
    fn is_on(&self) -> bool {
        self.ended.receiver_count() > 0
    }
}

/// Those that were used: at most as many as there are screens.
#[derive(Default)]
pub struct LiveScreens(HashMap<ScreenId, Entry>);

impl LiveScreens {
    /// Uses a screen at a time, Unix milliseconds.
    pub fn begin_use(&mut self, id: &ScreenId, now: u64, address: Option<IpAddr>) -> Ended {
        let entry = self.0.entry(id.clone()).or_insert_with(|| Entry {
            used_at: now,
            address,
            noted_at: None,
            ended: watch::Sender::new(false),
        });
        entry.used_at = entry.used_at.max(now);
        entry.address = address.or(entry.address);
        entry.ended.subscribe()
    }

    /// When a screen was used last; `None` where it was not since the start.
    pub fn used_at(&self, id: &ScreenId) -> Option<u64> {
        self.0.get(id).map(|entry| entry.used_at)
    }

    /// Where a screen was used last; `None` where that is not known since the start.
    pub fn address(&self, id: &ScreenId) -> Option<String> {
        Some(self.0.get(id)?.address?.to_string())
    }

    pub fn is_on(&self, id: &ScreenId) -> bool {
        self.0.get(id).is_some_and(Entry::is_on)
    }

    /// Keeps some; whoever holds one of the others hears of its end.
    pub fn retain(&mut self, mut keep: impl FnMut(&ScreenId) -> bool) {
        self.0.retain(|id, entry| {
            let stays = keep(id);
            if !stays {
                entry.ended.send_replace(true);
            }
            stays
        });
    }

    /// The uses that the store is to have. A screen that is on is used now.
    pub fn uses(&mut self, now: u64) -> Vec<ScreenUse> {
        let mut used = Vec::new();
        for (id, entry) in &mut self.0 {
            if entry.is_on() {
                entry.used_at = entry.used_at.max(now);
            }
            if entry.noted_at.is_none_or(|at| entry.used_at >= at.saturating_add(NOTED_AFTER_MS)) {
                entry.noted_at = Some(entry.used_at);
                let address = entry.address.map(|address| address.to_string()).unwrap_or_default();
                used.push(ScreenUse { id: id.clone(), at: entry.used_at, address });
            }
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_noted_once_a_minute_with_the_last_address_and_ends_are_heard() {
        let (mut live, id) = (LiveScreens::default(), ScreenId::from_text("1").expect("an id"));
        let use_of = |at, address: &str| ScreenUse { id: id.clone(), at, address: address.to_owned() };
        let ended = live.begin_use(&id, 5, Some([192, 0, 2, 1].into()));
        assert_eq!(live.uses(5), [use_of(5, "192.0.2.1")]);
        assert!(live.is_on(&id));
        // It is on, and so it is used.
        assert_eq!(live.uses(4 + NOTED_AFTER_MS), []);
        assert_eq!(live.used_at(&id), Some(4 + NOTED_AFTER_MS));
        drop(live.begin_use(&id, 5 + NOTED_AFTER_MS, Some([192, 0, 2, 2].into())));
        assert_eq!(live.uses(5 + NOTED_AFTER_MS), [use_of(5 + NOTED_AFTER_MS, "192.0.2.2")]);
        live.retain(|_| false);
        assert!(*ended.borrow() && live.used_at(&id).is_none());
        drop(ended);
        drop(live.begin_use(&id, 9, None));
        assert!(!live.is_on(&id), "nobody holds it");
        assert_eq!(live.uses(99 + NOTED_AFTER_MS), [use_of(9, "")], "it was not used since");
    }
}
