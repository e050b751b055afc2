//! Outgoing presence of this tab, sent at most 30 times a second and not while alone.

use crate::sync::protocol::Presence;

/// The shortest time between two frames of presence.
pub const INTERVAL_MS: u64 = 33;
/// After this long without a sign of life a person is away.
pub const AWAY_MS: u64 = 60_000;

/// The presence of this tab, and what of it the others know.
#[derive(Debug, Default)]
pub struct Outgoing {
    now: Presence,
    sent: Option<Presence>,
    sent_at: u64,
    active_at: u64,
}

impl Outgoing {
    /// Changes what this tab does; counts as a sign of life.
    pub fn change(&mut self, now_ms: u64, change: impl FnOnce(&mut Presence)) {
        self.active_at = now_ms;
        self.now.away = false;
        change(&mut self.now);
    }

    /// A new connection: nobody knows anything of this tab.
    pub fn forget_sent(&mut self) {
        self.sent = None;
    }

    /// Notes that the person has been away for long enough.
    pub fn tick(&mut self, now_ms: u64) {
        self.now.away = now_ms.saturating_sub(self.active_at) >= AWAY_MS;
    }

    /// What to send now; `None` while there is nothing new. `Some(wait)` in the error says that
    /// there is, in so many milliseconds.
    pub fn take(&mut self, now_ms: u64) -> Result<Presence, Option<u64>> {
        if self.sent.as_ref() == Some(&self.now) {
            return Err(None);
        }
        let since = now_ms.saturating_sub(self.sent_at);
        if self.sent.is_some() && since < INTERVAL_MS {
            return Err(Some(INTERVAL_MS - since));
        }
        self.sent = Some(self.now.clone());
        self.sent_at = now_ms;
        Ok(self.now.clone())
    }
}
