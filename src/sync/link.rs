//! State machine of a tab's connection: when to connect, ping and back off. It has no
//! socket: it takes what happened with the time (milliseconds, any origin, never back) and a random
//! number, and says what to do.

use super::protocol::{HEARTBEAT_MS, close};

/// The first wait after a cut, before jitter.
pub const BASE_MS: u64 = 500;
/// The longest wait while the tab is visible.
pub const CAP_VISIBLE_MS: u64 = 20_000;
/// The longest wait while it is hidden.
pub const CAP_HIDDEN_MS: u64 = 60_000;
/// A connection that held this long was a good one: the next wait is a first wait again.
pub const STABLE_MS: u64 = 30_000;
/// A ping unanswered for this long means that the connection is dead.
pub const PING_TIMEOUT_MS: u64 = 15_000;
/// A connection that is not open and welcomed after this long is given up.
pub const CONNECT_TIMEOUT_MS: u64 = 10_000;
/// Spread of the immediate retry when a network or a tab comes back, so that a building full of
/// laptops does not come back in one moment.
pub const WAKE_SPREAD_MS: u64 = 1_000;

/// Why a link ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    NotSignedIn,
    Forbidden,
    NotFound,
    /// The server speaks another protocol: the page is to be loaded anew.
    OtherProtocol,
}

/// Where the connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Connecting { since: u64 },
    Open { since: u64, heard_at: u64, ping: Option<Ping>, ping_at: u64 },
    Waiting { until: u64 },
    Ended(Ended),
}

/// A ping that waits for its pong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    pub id: u64,
    pub sent_at: u64,
}

/// What the IO around a link is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Do {
    Connect,
    Ping {
        id: u64,
    },
    /// Drop the socket without waiting for its close: it is dead.
    Drop,
}

/// The life of one connection and the ones after it.
#[derive(Clone, Debug)]
pub struct Link {
    state: State,
    attempt: u32,
    visible: bool,
    next_ping: u64,
    /// Milliseconds between ping and pong, of the last pong.
    latency_ms: Option<u64>,
    /// The wait that a draining server asked for.
    asked_wait_ms: Option<u64>,
}

impl Link {
    /// A link that connects at once.
    pub fn new(now: u64) -> (Self, Do) {
        let link = Self {
            state: State::Connecting { since: now },
            attempt: 0,
            visible: true,
            next_ping: 1,
            latency_ms: None,
            asked_wait_ms: None,
        };
        (link, Do::Connect)
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn latency_ms(&self) -> Option<u64> {
        self.latency_ms
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// The server has welcomed us.
    pub fn welcomed(&mut self, now: u64) {
        self.state = State::Open { since: now, heard_at: now, ping: None, ping_at: now + HEARTBEAT_MS };
        self.asked_wait_ms = None;
    }

    /// Any frame came.
    pub fn heard(&mut self, now: u64) {
        if let State::Open { heard_at, .. } = &mut self.state {
            *heard_at = now;
        }
    }

    /// A pong came.
    pub fn ponged(&mut self, now: u64, id: u64) {
        if let State::Open { ping, heard_at, .. } = &mut self.state {
            *heard_at = now;
            if let Some(answered) = ping.filter(|ping| ping.id == id) {
                self.latency_ms = Some(now.saturating_sub(answered.sent_at));
                *ping = None;
            }
        }
    }

    /// The server says when to come back.
    pub fn asked_to_wait(&mut self, retry_after_ms: u64) {
        self.asked_wait_ms = Some(retry_after_ms.min(CAP_HIDDEN_MS));
    }

    /// The socket closed, or never opened. `random` is any number; it spreads the waits.
    pub fn closed(&mut self, now: u64, code: u16, random: u64) {
        let ended = match code {
            close::NOT_SIGNED_IN => Some(Ended::NotSignedIn),
            close::FORBIDDEN => Some(Ended::Forbidden),
            close::NOT_FOUND => Some(Ended::NotFound),
            close::PROTOCOL => Some(Ended::OtherProtocol),
            _ => None,
        };
        if let Some(ended) = ended {
            self.state = State::Ended(ended);
            return;
        }
        if let State::Open { since, .. } = self.state
            && now.saturating_sub(since) >= STABLE_MS
        {
            self.attempt = 0;
        }
        let wait = match self.asked_wait_ms.take() {
            // All clients of a draining server hear the same number.
            Some(asked) => asked + random % (asked / 2 + WAKE_SPREAD_MS),
            None => random % (self.backoff_ms() + 1),
        };
        self.attempt = self.attempt.saturating_add(1);
        self.latency_ms = None;
        self.state = State::Waiting { until: now + wait };
    }

    /// The network is back, or the tab shows again: do not wait out a long pause.
    pub fn wake(&mut self, now: u64, random: u64) {
        match &mut self.state {
            State::Waiting { until } => *until = (*until).min(now + random % WAKE_SPREAD_MS),
            // What looks open may be dead after a sleep: ask now.
            State::Open { ping: None, ping_at, .. } => *ping_at = now.min(*ping_at),
            _ => {}
        }
    }

    /// A person asks to connect now. What was not there the last time may have come back.
    pub fn retry(&mut self, now: u64) {
        if let State::Waiting { .. } | State::Ended(Ended::NotFound) = self.state {
            self.state = State::Waiting { until: now };
        }
    }

    /// Whether the tab shows.
    pub fn visible(&mut self, visible: bool) {
        self.visible = visible;
    }

    /// When [`Link::tick`] wants to be called next; `None` where it is over.
    pub fn deadline(&self) -> Option<u64> {
        match self.state {
            State::Connecting { since } => Some(since + CONNECT_TIMEOUT_MS),
            State::Open { ping: Some(ping), .. } => Some(ping.sent_at + PING_TIMEOUT_MS),
            State::Open { ping_at, .. } => Some(ping_at),
            State::Waiting { until } => Some(until),
            State::Ended(_) => None,
        }
    }

    /// Time has passed. After `Do::Drop` the IO calls [`Link::closed`].
    pub fn tick(&mut self, now: u64) -> Option<Do> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        match &mut self.state {
            State::Connecting { .. } => Some(Do::Drop),
            State::Open { ping: Some(_), .. } => Some(Do::Drop),
            State::Open { ping, ping_at, .. } => {
                let id = self.next_ping;
                self.next_ping += 1;
                *ping = Some(Ping { id, sent_at: now });
                *ping_at = now + HEARTBEAT_MS;
                Some(Do::Ping { id })
            }
            State::Waiting { .. } => {
                self.state = State::Connecting { since: now };
                Some(Do::Connect)
            }
            State::Ended(_) => None,
        }
    }

    /// The longest wait of the next try: full jitter draws from 0 to this.
    fn backoff_ms(&self) -> u64 {
        let cap = if self.visible { CAP_VISIBLE_MS } else { CAP_HIDDEN_MS };
        BASE_MS.saturating_mul(1 << self.attempt.min(16)).min(cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOST: u16 = 1006;

    fn open(now: u64) -> Link {
        let (mut link, _) = Link::new(now);
        link.welcomed(now);
        link
    }

    #[test]
    fn a_cut_is_tried_again_soon_and_then_less_often() {
        let (mut link, _) = Link::new(0);
        let mut longest = Vec::new();
        for _ in 0..10 {
            longest.push(link.backoff_ms());
            link.closed(0, LOST, 0);
        }
        assert_eq!(longest[..4], [500, 1000, 2000, 4000]);
        assert_eq!(longest[9], CAP_VISIBLE_MS);
    }

    #[test]
    fn a_stable_connection_starts_over() {
        let mut link = open(0);
        link.attempt = 9;
        link.closed(STABLE_MS, LOST, 0);
        assert_eq!(link.attempt, 1);
    }

    #[test]
    fn a_half_open_connection_is_found() {
        let mut link = open(0);
        assert_eq!(link.tick(HEARTBEAT_MS), Some(Do::Ping { id: 1 }));
        assert_eq!(link.tick(HEARTBEAT_MS + PING_TIMEOUT_MS - 1), None);
        assert_eq!(link.tick(HEARTBEAT_MS + PING_TIMEOUT_MS), Some(Do::Drop));
    }

    #[test]
    fn what_looks_open_is_asked_at_once_after_a_sleep() {
        // The clock counts from the load of the page, so a young page is a case of its own.
        for now in [1_000, HEARTBEAT_MS * 3] {
            let mut link = open(now - 500);
            assert_eq!(link.tick(now), None);
            link.wake(now, 0);
            assert_eq!(link.tick(now), Some(Do::Ping { id: 1 }));
            assert_eq!(link.tick(now + HEARTBEAT_MS), None, "one ping at a time");
        }
    }

    #[test]
    fn a_pong_tells_the_latency() {
        let mut link = open(0);
        link.tick(HEARTBEAT_MS);
        link.ponged(HEARTBEAT_MS + 7, 1);
        assert_eq!(link.latency_ms(), Some(7));
        assert_eq!(link.tick(HEARTBEAT_MS + PING_TIMEOUT_MS), Some(Do::Ping { id: 2 }));
    }

    #[test]
    fn what_cannot_be_mended_by_trying_ends_it() {
        for (code, ended) in [
            (close::NOT_SIGNED_IN, Ended::NotSignedIn),
            (close::FORBIDDEN, Ended::Forbidden),
            (close::NOT_FOUND, Ended::NotFound),
            (close::PROTOCOL, Ended::OtherProtocol),
        ] {
            let mut link = open(0);
            link.closed(1, code, 0);
            assert_eq!(link.state(), State::Ended(ended));
            assert_eq!(link.tick(u64::MAX), None);
        }
    }

    #[test]
    fn what_was_not_there_is_asked_for_again_where_somebody_wants_it() {
        let mut link = open(0);
        link.closed(1, close::NOT_FOUND, 0);
        link.wake(2, 0);
        assert_eq!(link.tick(3), None);
        link.retry(4);
        assert_eq!(link.tick(4), Some(Do::Connect));
        let mut link = open(0);
        link.closed(1, close::FORBIDDEN, 0);
        link.retry(2);
        assert_eq!(link.state(), State::Ended(Ended::Forbidden));
    }

    #[test]
    fn a_draining_server_is_given_its_time() {
        let mut link = open(0);
        link.asked_to_wait(2_000);
        link.closed(10, close::DRAINING, 0);
        assert_eq!(link.state(), State::Waiting { until: 2_010 });
    }

    #[test]
    fn waking_up_does_not_wait_out_a_long_pause() {
        let (mut link, _) = Link::new(0);
        link.attempt = 10;
        link.closed(0, LOST, 19_999);
        link.wake(100, 500);
        assert_eq!(link.deadline(), Some(600));
        assert_eq!(link.tick(600), Some(Do::Connect));
    }

    proptest! {
        #[test]
        fn it_never_gives_up_and_never_waits_past_the_cap(
            randoms in prop::collection::vec(any::<u64>(), 1..60), visible in any::<bool>(),
        ) {
            let (mut link, _) = Link::new(0);
            link.visible(visible);
            let mut now = 0;
            for random in randoms {
                link.closed(now, LOST, random);
                let until = link.deadline().expect("still alive");
                let cap = if visible { CAP_VISIBLE_MS } else { CAP_HIDDEN_MS };
                prop_assert!(until - now <= cap);
                now = until;
                prop_assert_eq!(link.tick(now), Some(Do::Connect));
            }
        }
    }
}
