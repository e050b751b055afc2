//! The life of one session after `hello`: one task that reads, writes, and watches the time.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::bucket::Bucket;
use super::decode::{DecodeError, Decoded, decode};
use super::room_error;
use super::wire::{Heard, Wire};
use crate::dashboard::{ClientId, DashboardId, SessionId, User};
use crate::server::access::sessions::Ended;
use crate::server::access::who::Principal;
use crate::server::rooms::input::{
    DecodedChange, Endpoint, InvalidChange, JoinTicket, RoomMessage, Unanswered,
};
use crate::server::rooms::outbound::{End, Next, Outbound};
use crate::server::rooms::{Admission, RoomError, RoomHandle, Rooms, frames};
use crate::sync::protocol::{Code, Presence, Resume, ServerMessage, close};

/// What a join costs of the requests that a session may make: it can mean a snapshot.
const JOIN_COST: u32 = 5;
/// When rejected changes are worth another try: enough have a place again by then.
const RATE_RETRY_MS: u64 = 500;
/// Signs of life are passed on to the rooms this often: their time to live is six times as long.
const TOUCH_EVERY: Duration = Duration::from_secs(5);

/// How long whoever opened a socket may use it.
pub struct Term {
    /// Turns true when the session ends by which they are signed in, or the token, or the visit by a link.
    pub ended: Option<Ended>,
    /// When they have to open another one; `None` for never.
    pub until: Option<Instant>,
}

impl Term {
    /// Waits until it is over, for which there is `end` where it was ended.
    async fn over(self, end: End) -> End {
        let Self { mut ended, until } = self;
        let due = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = is_over(&mut ended) => end,
            () = due => RENEW,
        }
    }
}

/// Who a session is of.
pub struct Identity {
    pub id: SessionId,
    pub client: ClientId,
    pub user: User,
    /// Whose roles count.
    pub principal: Principal,
}

/// A session that said hello.
pub struct Session {
    rooms: Rooms,
    admission: Admission,
    id: SessionId,
    client: ClientId,
    user: User,
    principal: Principal,
    outbound: Arc<Outbound>,
    joined: BTreeMap<DashboardId, Joined>,
    /// Joins whose answers are not sent yet: one for each dashboard.
    unanswered: BTreeMap<DashboardId, Weak<()>>,
    changes: Bucket,
    /// Joins and mistakes: what costs us work and has no other bound.
    requests: Bucket,
    presence: Bucket,
    /// Presence that came too fast: the last one goes on when its time has come.
    held: Option<Held>,
    /// An input that waits for a place in its room; until then nothing more is read.
    waiting: Option<Waiting>,
    heard_at: Instant,
    touched_at: Instant,
    hidden: bool,
}

/// A room that this session asked to join.
struct Joined {
    room: RoomHandle,
    ticket: Weak<()>,
}

impl Joined {
    /// False once the room gave up the ticket, such as one that was full.
    fn is_seated(&self) -> bool {
        self.ticket.strong_count() > 0
    }
}

struct Held {
    dashboard: DashboardId,
    presence: Option<Box<Presence>>,
    due: Instant,
}

struct Waiting {
    inbox: mpsc::Sender<RoomMessage>,
    input: Box<RoomMessage>,
}

impl Session {
    pub fn new(
        rooms: Rooms,
        admission: Admission,
        Identity { id, client, user, principal }: Identity,
        outbound: Arc<Outbound>,
    ) -> Self {
        let (now, limits) = (Instant::now(), rooms.limits().clone());
        rooms.unsent().add_reader(id.clone(), &outbound);
        Self {
            rooms,
            admission,
            id,
            client,
            user,
            principal,
            outbound,
            joined: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            changes: Bucket::new(limits.changes_per_s, limits.changes_burst, now),
            requests: Bucket::new(limits.changes_per_s, limits.changes_burst, now),
            presence: Bucket::new(limits.presence_per_s, limits.presence_per_s, now),
            held: None,
            waiting: None,
            heard_at: now,
            touched_at: now,
            hidden: false,
        }
    }

    /// Lives until either side ends it, or whoever it is of is signed in no more.
    pub async fn run(mut self, mut wire: Wire, term: Term) {
        let over = match self.principal {
            Principal::Link(_) => LINK_OVER,
            Principal::Screen(_) => SCREEN_OVER,
            Principal::Anyone | Principal::Account(_) | Principal::Token(_) | Principal::Public => SIGNED_OUT,
        };
        let end = {
            let living = self.live(&mut wire);
            tokio::pin!(living);
            tokio::select! {
                biased;
                end = term.over(over) => end,
                end = &mut living => end,
            }
        };
        if end.code == close::TOO_SLOW {
            let slow = &self.rooms.metrics().slow_readers_closed;
            slow.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        // First, so that nobody sees a ghost while the other side takes its time to hear the close.
        self.leave_all().await;
        wire.close(end).await;
    }

    async fn live(&mut self, wire: &mut Wire) -> End {
        let outbound = self.outbound.clone();
        let mut goodbye = self.rooms.goodbye();
        loop {
            let deadline = self.deadline();
            tokio::select! {
                next = outbound.next() => match next {
                    Next::Send(frame) => {
                        if let Err(end) = self.write(wire, frame).await {
                            return end;
                        }
                    }
                    Next::End(end) => return end,
                },
                heard = wire.hear(), if self.waiting.is_none() => match heard {
                    Heard::Text(text) => {
                        // Boxed: only a session that is busy holds what it takes to be busy.
                        if let Err(end) = Box::pin(self.hear(&text)).await {
                            return end;
                        }
                    }
                    Heard::End(end) => return end,
                },
                placed = place(&self.waiting), if self.waiting.is_some() => {
                    let input = self.waiting.take().map(|waiting| waiting.input);
                    match (placed, input) {
                        (Some(permit), Some(input)) => {
                            permit.send(*input);
                        }
                        // The room has ended. Where it said why, that stands.
                        _ => outbound.end(close::DRAINING, "the room ended"),
                    }
                }
                () = sleep_until(deadline) => {
                    if let Err(end) = self.keep_time() {
                        return end;
                    }
                }
                _ = goodbye.changed() => {
                    let retry_after_ms = *goodbye.borrow_and_update();
                    outbound.send(frames::error(Code::Internal, "The server restarts.", retry_after_ms));
                    outbound.end(close::DRAINING, "draining");
                }
            }
        }
    }

    /// When something is due by itself.
    fn deadline(&self) -> Instant {
        let limits = self.rooms.limits();
        let silence = if self.hidden { limits.hidden_silence_ms } else { limits.silence_ms };
        let silent_at = self.heard_at + Duration::from_millis(silence);
        self.held.as_ref().map_or(silent_at, |held| held.due.min(silent_at))
    }

    fn keep_time(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.held.as_ref().is_some_and(|held| held.due <= now) {
            if self.waiting.is_some() {
                // The room is busy; what is held gets no older by a moment.
                if let Some(held) = &mut self.held {
                    held.due = now + Duration::from_millis(10);
                }
            } else if let Some(Held { dashboard, presence, .. }) = self.held.take() {
                let outbound = self.outbound.clone();
                // Where it left meanwhile, there is nobody to show it to.
                self.tell(&dashboard, |session| RoomMessage::Presence { session, outbound, presence });
            }
            return Ok(());
        }
        if self.waiting.is_none() && self.deadline() <= now {
            return Err(End { code: close::SILENT, reason: "silent too long" });
        }
        if self.waiting.is_some() {
            // Not silence: we did not listen.
            self.heard_at = now;
        }
        Ok(())
    }

    /// Sends a frame and what waits behind it. A socket that takes nothing for long is too slow.
    async fn write(&mut self, wire: &mut Wire, first: frames::Frame) -> Result<(), End> {
        let limit = Duration::from_millis(self.rooms.limits().silence_ms);
        let outbound = &self.outbound;
        let metrics = self.rooms.metrics();
        let sending = async {
            let (mut frames, mut bytes, mut next) = (0, 0, Some(first));
            while let Some(frame) = next {
                (frames, bytes) = (frames + 1, bytes + frame.size() as u64);
                wire.feed(frame).await?;
                next = outbound.try_next_frame();
            }
            wire.flush().await?;
            outbound.sent();
            metrics.frames_out.fetch_add(frames, std::sync::atomic::Ordering::Relaxed);
            metrics.bytes_out.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        };
        tokio::select! {
            biased;
            sent = tokio::time::timeout(limit, sending) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(super::wire::Gone)) => Err(End { code: close::MALFORMED, reason: "connection lost" }),
                Err(_) => Err(TOO_SLOW),
            },
            () = outbound.overflowed() => Err(TOO_SLOW),
        }
    }

    async fn hear(&mut self, text: &str) -> Result<(), End> {
        let now = Instant::now();
        self.heard_at = now;
        let decoded = match decode(text, self.rooms.limits().op_bytes) {
            Ok(decoded) => decoded,
            Err(DecodeError::NotAnObject) => {
                return Err(End { code: close::MALFORMED, reason: "a frame is one JSON object" });
            }
            Err(DecodeError::Invalid(reason)) => return self.mistake(Code::Invalid, reason),
        };
        match decoded {
            Decoded::Ping { id, hidden } => {
                self.hidden = hidden;
                self.outbound.send(frames::frame(&ServerMessage::Pong { id }));
                if now - self.touched_at >= TOUCH_EVERY {
                    self.touched_at = now;
                    self.touch();
                }
                Ok(())
            }
            Decoded::Push { dashboard, changes, unreadable } => {
                let changes = self.within_rate(changes, now);
                let outbound = self.outbound.clone();
                self.pass_on(&dashboard, |session| RoomMessage::Push { session, outbound, changes })?;
                unreadable.map_or(Ok(()), |reason| self.mistake(Code::Invalid, reason))
            }
            Decoded::Presence { dashboard, presence } => match self.presence.take(1, now) {
                Ok(()) => {
                    self.held = None;
                    let outbound = self.outbound.clone();
                    self.pass_on(&dashboard, |session| RoomMessage::Presence { session, outbound, presence })
                }
                Err(wait) => {
                    let due = self.held.as_ref().map_or(now + wait, |held| held.due);
                    self.held = Some(Held { dashboard, presence, due });
                    Ok(())
                }
            },
            Decoded::Join { dashboard, resume, compactions } => {
                self.join(dashboard, resume, compactions, now).await
            }
            Decoded::Leave { dashboard } => {
                let left = self.pass_on(&dashboard, RoomMessage::Leave);
                self.joined.remove(&dashboard);
                left
            }
            Decoded::Hello { .. } | Decoded::OtherProtocol => {
                self.mistake(Code::Invalid, "hello was said already")
            }
        }
    }

    /// Turns changes that come too fast into rejections. The first one tells for all that follow it in
    /// a push: none of them can be taken before it.
    fn within_rate(&mut self, changes: Vec<DecodedChange>, now: Instant) -> Vec<DecodedChange> {
        let mut within = Vec::with_capacity(changes.len());
        for pushed in changes {
            if self.changes.take(1, now).is_ok() {
                within.push(pushed);
                continue;
            }
            let seq = match &pushed {
                DecodedChange::Change(change) => change.seq,
                DecodedChange::Invalid(bad) => bad.seq,
            };
            let reason = format!(
                "At most {} changes a second, {} at once.",
                self.rooms.limits().changes_per_s,
                self.rooms.limits().changes_burst
            );
            let retry_after_ms = Some(RATE_RETRY_MS);
            within.push(DecodedChange::Invalid(InvalidChange {
                seq,
                code: Code::RateLimited,
                reason,
                retry_after_ms,
            }));
            break;
        }
        within
    }

    async fn join(
        &mut self,
        dashboard: DashboardId,
        resume: Option<Resume>,
        follows_compactions: bool,
        now: Instant,
    ) -> Result<(), End> {
        if let Err(wait) = self.requests.take(JOIN_COST, now) {
            self.error(Code::RateLimited, "Too many joins.", Some(wait.as_millis() as u64 + 1));
            return Ok(());
        }
        self.unanswered.retain(|_, join| join.strong_count() > 0);
        // Nobody needs two answers at once, and each may be as large as a dashboard.
        if self.unanswered.contains_key(&dashboard)
            || self.unanswered.len() >= self.rooms.limits().joins_per_session
        {
            let reason = "The answer to an earlier join waits to be read. Read it, then join again.";
            self.error(Code::RateLimited, reason, Some(RATE_RETRY_MS));
            return Ok(());
        }
        self.joined.retain(|_, joined| joined.is_seated());
        if !self.joined.contains_key(&dashboard) && self.joined.len() >= self.rooms.limits().joins_per_session
        {
            self.error(Code::Full, "This session is on as many dashboards as it may be.", None);
            return Ok(());
        }
        if self.rooms.access().role(&self.principal, &dashboard).is_none() {
            // As one that is not there.
            self.error(Code::NotFound, RoomError::NotFound.to_string(), None);
            return Ok(());
        }
        let room = match self.rooms.open(&dashboard).await {
            Ok(room) => room,
            Err(error) => {
                let (code, retry) = room_error(&error);
                if let RoomError::InBin(_) = &error {
                    self.rooms.metrics().rejected(code);
                    self.outbound.send(frames::in_bin(error.to_string()));
                } else {
                    self.error(code, error.to_string(), retry);
                }
                return Ok(());
            }
        };
        let (ticket, unanswered) = (JoinTicket::default(), Unanswered::default());
        self.joined.insert(dashboard.clone(), Joined { room, ticket: Arc::downgrade(&ticket) });
        self.unanswered.insert(dashboard.clone(), Arc::downgrade(&unanswered));
        let (principal, outbound) = (self.principal.clone(), self.outbound.clone());
        let person = (self.client.clone(), self.user.clone());
        let member = Endpoint { principal, outbound, ticket }.member(
            self.id.clone(),
            person,
            self.admission.address(),
            follows_compactions,
        );
        self.tell(&dashboard, |_| RoomMessage::Join { member, resume, unanswered });
        Ok(())
    }

    /// Passes an input on, where the dashboard is joined.
    fn pass_on(
        &mut self,
        dashboard: &DashboardId,
        input: impl FnOnce(SessionId) -> RoomMessage,
    ) -> Result<(), End> {
        if self.tell(dashboard, input) {
            return Ok(());
        }
        self.mistake(Code::NotJoined, "Join the dashboard first.")
    }

    /// Passes an input on at once where the room has a place for it, or when it has one.
    fn tell(&mut self, dashboard: &DashboardId, input: impl FnOnce(SessionId) -> RoomMessage) -> bool {
        let Some(joined) = self.joined.get(dashboard).filter(|joined| joined.is_seated()) else {
            return false;
        };
        let inbox = joined.room.inbox();
        let waits = match inbox.try_send(input(self.id.clone())) {
            Ok(()) => return true,
            Err(mpsc::error::TrySendError::Full(input) | mpsc::error::TrySendError::Closed(input)) => input,
        };
        self.waiting = Some(Waiting { inbox: inbox.clone(), input: Box::new(waits) });
        true
    }

    /// Says in every room that somebody is there. A room that is busy can do without.
    fn touch(&self) {
        for Joined { room, .. } in self.joined.values() {
            // One that ended says so to this session by itself.
            let _ = room.inbox().try_send(RoomMessage::Touch(self.id.clone()));
        }
    }

    /// Answers a mistake. Whoever makes nothing else is closed.
    fn mistake(&mut self, code: Code, reason: impl Into<String>) -> Result<(), End> {
        self.error(code, reason, None);
        match self.requests.take(1, Instant::now()) {
            Ok(()) => Ok(()),
            Err(_) => Err(End { code: close::TOO_MANY, reason: "too many mistakes" }),
        }
    }

    fn error(&self, code: Code, reason: impl Into<String>, retry_after_ms: Option<u64>) {
        self.rooms.metrics().rejected(code);
        self.outbound.send(frames::error(code, reason, retry_after_ms));
    }

    async fn leave_all(&mut self) {
        if let Some(Waiting { inbox, input }) = self.waiting.take() {
            // A room that ended has no more use for it.
            let _ = inbox.send(*input).await;
        }
        for (_, Joined { room, .. }) in std::mem::take(&mut self.joined) {
            // The same.
            let _ = room.send(RoomMessage::Leave(self.id.clone())).await;
        }
    }
}

/// However the task ends, its rooms find out.
impl Drop for Session {
    fn drop(&mut self) {
        self.rooms.unsent().remove_reader(&self.id);
        self.outbound.end(close::DRAINING, "session ended");
    }
}

/// Waits until a session of a person, or a visit by a link, has ended; for ever where there is none.
async fn is_over(ended: &mut Option<Ended>) {
    match ended {
        // An error says that it is gone, which it is only after its end.
        Some(ended) => drop(ended.wait_for(|ended| *ended).await),
        None => std::future::pending().await,
    }
}

const SIGNED_OUT: End = End { code: close::NOT_SIGNED_IN, reason: "signed out" };
/// Whoever hears it comes back by itself.
const RENEW: End = End { code: close::DRAINING, reason: "open another socket" };
const LINK_OVER: End = End { code: close::FORBIDDEN, reason: "link over" };
const SCREEN_OVER: End = End { code: close::FORBIDDEN, reason: "screen revoked" };
const TOO_SLOW: End = End { code: close::TOO_SLOW, reason: "reader too slow" };

/// Waits for a place in the inbox; `None` where the room has ended. Cancel safe.
async fn place(waiting: &Option<Waiting>) -> Option<mpsc::OwnedPermit<RoomMessage>> {
    let inbox = waiting.as_ref()?.inbox.clone();
    inbox.reserve_owned().await.ok()
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a8_a_socket_is_renewed_when_its_term_is_over_and_ended_when_its_session_is() {
        let (sender, ended) = watch::channel(false);
        let until = Instant::now() + Duration::from_secs(12 * 60 * 60);
        let term = || Term { ended: Some(ended.clone()), until: Some(until) };
        assert_eq!(term().over(SIGNED_OUT).await.code, close::DRAINING);
        assert!(Instant::now() >= until, "not before");
        sender.send_replace(true);
        assert_eq!(term().over(SIGNED_OUT).await.code, close::NOT_SIGNED_IN);
        assert_eq!(Term { until: None, ..term() }.over(LINK_OVER).await.code, close::FORBIDDEN);
    }
}
