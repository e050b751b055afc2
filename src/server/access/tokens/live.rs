//! Uses of tokens since the start: when each was used last, and who is to hear of its end.

use std::collections::HashMap;

use tokio::sync::watch;

use super::TokenId;
use crate::server::access::sessions::Ended;

/// How much later a use has to be to be noted: each note is written.
const NOTED_AFTER_MS: u64 = 60_000;

struct Entry {
    used_at: u64,
    /// The time of use that the store has; `None` before the first note.
    noted_at: Option<u64>,
    ended: watch::Sender<bool>,
}

/// Those that were used: at most as many as there are tokens.
#[derive(Default)]
pub struct LiveTokens(HashMap<TokenId, Entry>);

impl LiveTokens {
    /// Uses a token at a time, Unix milliseconds.
    pub fn begin_use(&mut self, id: &TokenId, now: u64) -> Ended {
        if let Some(entry) = self.0.get_mut(id) {
            entry.used_at = entry.used_at.max(now);
            return entry.ended.subscribe();
        }
        let entry = Entry { used_at: now, noted_at: None, ended: watch::Sender::new(false) };
        let ended = entry.ended.subscribe();
        self.0.insert(id.clone(), entry);
        ended
    }

    /// When a token was used last; `None` where it was not since the start.
    pub fn used_at(&self, id: &TokenId) -> Option<u64> {
        self.0.get(id).map(|entry| entry.used_at)
    }

    /// Keeps some; whoever holds one of the others hears of its end.
    pub fn retain(&mut self, mut keep: impl FnMut(&TokenId) -> bool) {
        self.0.retain(|id, entry| {
            let stays = keep(id);
            if !stays {
                entry.ended.send_replace(true);
            }
            stays
        });
    }

    /// The times of use that the store is to have.
    pub fn uses(&mut self) -> Vec<(TokenId, u64)> {
        let mut used = Vec::new();
        for (id, entry) in &mut self.0 {
            if entry.noted_at.is_none_or(|at| entry.used_at >= at.saturating_add(NOTED_AFTER_MS)) {
                entry.noted_at = Some(entry.used_at);
                used.push((id.clone(), entry.used_at));
            }
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::Id;

    #[test]
    fn uses_are_noted_once_a_minute_and_ends_are_heard() {
        let (mut live, id) = (LiveTokens::default(), TokenId(Id::new("1").expect("an id")));
        let ended = live.begin_use(&id, 5);
        assert_eq!(live.uses(), [(id.clone(), 5)]);
        live.begin_use(&id, 5 + NOTED_AFTER_MS - 1);
        assert_eq!((live.uses(), live.used_at(&id)), (vec![], Some(4 + NOTED_AFTER_MS)));
        live.begin_use(&id, 5 + NOTED_AFTER_MS);
        assert_eq!(live.uses(), [(id.clone(), 5 + NOTED_AFTER_MS)]);
        live.retain(|_| true);
        assert!(!*ended.borrow());
        live.retain(|_| false);
        assert!(*ended.borrow() && live.used_at(&id).is_none());
    }
}
