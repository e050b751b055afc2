//! One open room: a task with an inbox, timers and the store, around the [`Host`] that decides. It takes
//! everything that waits, and while an append is under way the inbox fills for the next.

mod perform;
mod store;

pub(super) use self::store::host_limits;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::answers::Answers;
use super::feed::Feed;
use super::input::{EncodedRead, Endpoint, Merged, NotMerged, Read, RoomMessage, Unanswered};
use super::outbound::Outbound;
use super::resume_token::ResumeTokens;
use super::{Rooms, Slot, frames, random_id};
use crate::app::access::Role;
use crate::dashboard::{ClientId, DashboardId, SessionId};
use crate::server::access::who::Principal;
use crate::server::clock::now_ms;
use crate::server::store::{Deletion, Opened, StoreError};
use crate::sync::host::{Ended, Grant, Host, Input, Join, Member, Merge, Output, Tick, Time};

/// Messages taken at once: bounds how long a batch can be judged before anybody hears of it.
const TAKE: usize = 512;

/// An open room's task.
pub(super) struct RoomActor {
    id: DashboardId,
    rooms: Rooms,
    slot: Arc<Slot>,
    host: Host<Endpoint>,
    begun: Instant,
    /// Told when roles may have changed.
    access: watch::Receiver<u64>,
    feed: Feed,
    tokens: ResumeTokens,
    answers: Answers,
    asked: Asked,
    /// What is to be performed: one buffer for all inputs.
    outputs: Vec<Output<Endpoint>>,
    /// Readers that turned out too slow, or gone.
    lost: Vec<SessionId>,
    /// Open conflicts, as far as the metrics know.
    open_conflicts: i64,
    saving: Option<JoinHandle<Result<(), StoreError>>>,
}

/// What the message that is being taken came with, for its answer.
#[derive(Default)]
struct Asked {
    sender: Option<Arc<Outbound>>,
    unanswered: Option<Unanswered>,
    /// The large part of the answer to a join.
    content: Option<frames::Content>,
    merge: Option<oneshot::Sender<Result<Merged, NotMerged>>>,
    delete: Option<Deleting>,
}

/// A dashboard that goes into the bin, once all that came before is durable.
struct Deleting {
    deletion: Deletion,
    /// Dashboards that the bin holds.
    most: usize,
    answer: oneshot::Sender<Result<bool, StoreError>>,
}

impl RoomActor {
    /// The room of what came out of the store. Errors where that does not read.
    pub(super) fn new(
        id: DashboardId,
        rooms: Rooms,
        slot: Arc<Slot>,
        opened: Opened,
        tokens: ResumeTokens,
    ) -> Result<Self, serde_json::Error> {
        let (limits, tail) = (host_limits(rooms.limits()), rooms.tail());
        let begun = Time { unix_ms: now_ms(), ..Time::default() };
        let host = Host::new(id.clone(), limits, opened.into(), tail, begun)?;
        let mut actor = Self {
            access: rooms.access().changes(),
            feed: Feed::new(rooms.sources().clone(), rooms.unsent().clone()),
            id,
            rooms,
            slot,
            host,
            begun: Instant::now(),
            tokens,
            answers: Answers::default(),
            asked: Asked::default(),
            outputs: Vec::new(),
            lost: Vec::new(),
            open_conflicts: 0,
            saving: None,
        };
        actor.count_open_conflicts();
        Ok(actor)
    }

    /// Lives until nobody needs it any more.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<RoomMessage>) {
        let mut messages = VecDeque::new();
        let living = AssertUnwindSafe(self.live(&mut inbox, &mut messages)).catch_unwind().await;
        let ended = living.unwrap_or_else(|_| {
            // Whatever it was about is half done. Only what is in the store is true: the next to come
            // opens it anew.
            tracing::error!(dashboard = %self.id, "a step of a room panicked");
            self.rooms.metrics().panics_caught.fetch_add(1, Relaxed);
            Ended::Failed
        });
        self.finish(ended, messages, inbox).await;
    }

    async fn live(
        &mut self,
        inbox: &mut mpsc::Receiver<RoomMessage>,
        messages: &mut VecDeque<RoomMessage>,
    ) -> Ended {
        let mut taken = Vec::new();
        loop {
            if self.saving.as_ref().is_some_and(JoinHandle::is_finished) {
                self.end_saving().await;
            }
            let deadline = self.begun + self.host.deadline();
            let anybody = self.host.members().len() > 0;
            let done = tokio::select! {
                count = inbox.recv_many(&mut taken, TAKE) => {
                    messages.extend(taken.drain(..));
                    match count {
                        0 => Err(Ended::Idle),
                        _ => self.take_all(messages).await,
                    }
                }
                Ok(()) = self.access.changed(), if anybody => {
                    self.update_roles();
                    self.handle(Input::Flush).await
                }
                () = self.feed.ticked(), if anybody => {
                    self.follow_roles();
                    self.send_news();
                    self.perform().map(drop)
                }
                () = sleep_until(deadline) => Ok(()),
            };
            let done = match done {
                Ok(()) => self.keep_time(inbox.is_empty()).await,
                ended => ended,
            };
            if let Err(ended) = done {
                return ended;
            }
        }
    }

    /// Takes all messages. What stays in the queue came after the end.
    async fn take_all(&mut self, messages: &mut VecDeque<RoomMessage>) -> Result<(), Ended> {
        while let Some(message) = messages.pop_front() {
            let taken = self.take(message).await;
            self.asked = Asked::default();
            taken?;
        }
        self.handle(Input::Flush).await
    }

    async fn take(&mut self, message: RoomMessage) -> Result<(), Ended> {
        match message {
            RoomMessage::Join { member, resume, unanswered } => {
                self.asked.unanswered = Some(unanswered);
                let grant = self.grant(&member.endpoint.principal);
                let vouched = resume.as_ref().and_then(|resume| {
                    self.tokens.read(&resume.epoch, resume.revision, resume.token.as_deref()?)
                });
                self.handle(Input::Join(Box::new(Join { member, grant, resume, vouched }))).await
            }
            RoomMessage::Leave(session) => self.handle(Input::Leave(session)).await,
            RoomMessage::Push { session, outbound, changes } => {
                self.asked.sender = Some(outbound);
                self.handle(Input::Push { session, changes }).await
            }
            RoomMessage::Presence { session, outbound, presence } => {
                self.asked.sender = Some(outbound);
                self.handle(Input::Presence { session, presence }).await
            }
            RoomMessage::Touch(session) => self.handle(Input::Touch(session)).await,
            RoomMessage::Read(answer) => {
                self.handle(Input::Flush).await?;
                let (room, token) = (self.host.room(), self.token(self.host.log_end()));
                let (epoch, revision) = (room.epoch().to_owned(), room.revision());
                let (dashboard, bytes) = (Arc::new(room.dashboard().clone()), room.bytes());
                // Whoever asked may be gone.
                let _ = answer.send(Read { epoch, revision, token, dashboard, bytes });
                Ok(())
            }
            RoomMessage::Encode(answer) => {
                self.handle(Input::Flush).await?;
                let encoded = self.encoded();
                let (room, token) = (self.host.room(), self.token(self.host.log_end()));
                let (epoch, revision) = (room.epoch().to_owned(), room.revision());
                // The same.
                let _ =
                    answer.send(encoded.map(|dashboard| EncodedRead { epoch, revision, token, dashboard }));
                Ok(())
            }
            RoomMessage::Merge { document, by, answer } => {
                self.asked.merge = Some(answer);
                let client = ClientId::new(random_id()).expect("base64 without padding is an id");
                let merge = Merge { document, by, client, typist: rand::random() };
                self.handle(Input::Merge(Box::new(merge))).await
            }
            RoomMessage::Delete { deletion, most, answer } => {
                let by = deletion.by.clone();
                self.asked.delete = Some(Deleting { deletion, most, answer });
                self.handle(Input::Delete { by }).await
            }
            RoomMessage::Drain { retry_after_ms } => self.handle(Input::Drain { retry_after_ms }).await,
        }
    }

    /// Hands an input to the host and performs what follows, until it is ready for the next one.
    async fn handle(&mut self, input: Input<Endpoint>) -> Result<(), Ended> {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            self.follow_roles();
            self.host.handle(self.now(), input, &mut self.outputs);
            if let Some(request) = self.perform()? {
                next = Some(Input::Answer(self.answer(request).await));
            }
        }
        Ok(())
    }

    fn now(&self) -> Time {
        Time { elapsed: self.begun.elapsed(), unix_ms: now_ms() }
    }

    /// Takes changes of roles since the last look: before anything is judged, and before anything is told. In
    /// between the room waits for the disk.
    fn follow_roles(&mut self) {
        if self.access.has_changed().unwrap_or(false) {
            self.update_roles();
        }
    }

    fn update_roles(&mut self) {
        self.access.mark_unchanged();
        let members = self.host.members().chain(self.host.joining());
        let granted =
            |member: &Member<Endpoint>| (member.session.clone(), self.grant(&member.endpoint.principal));
        let grants = members.map(granted).collect();
        self.host.handle(self.now(), Input::Roles(grants), &mut self.outputs);
    }

    /// What somebody may do here by now.
    fn grant(&self, principal: &Principal) -> Option<Grant> {
        let access = self.rooms.access();
        let role = access.role(principal, &self.id)?;
        let may_query = access.may_query_on(principal, &self.id);
        Some(Grant { role: role.to_wire(), owner: role == Role::Owner, may_query })
    }

    /// Does whatever is due by now.
    async fn keep_time(&mut self, is_quiet: bool) -> Result<(), Ended> {
        let rooms = usize::try_from(self.rooms.metrics().rooms.load(Relaxed)).unwrap_or(1);
        self.handle(Input::Tick(Tick { rooms, is_quiet })).await?;
        // Roles were followed before what was just told; who has another hears of it now.
        if self.host.has_role_replies() { self.handle(Input::Flush).await } else { Ok(()) }
    }

    /// Says goodbye, saves, and passes on what still came in.
    async fn finish(
        mut self,
        ended: Ended,
        messages: VecDeque<RoomMessage>,
        mut inbox: mpsc::Receiver<RoomMessage>,
    ) {
        self.asked = Asked::default();
        self.rooms.metrics().open_conflicts.fetch_sub(self.open_conflicts, Relaxed);
        self.host.take_members().iter().for_each(|member| say_goodbye(member, &ended));
        self.end_saving().await;
        // Where it is not whole, the log ends behind what the room holds, or a panic left the dashboard half
        // changed: only what is in the store is true.
        if ended.is_whole() && self.host.begin_last_snapshot(self.now()) {
            self.save_snapshot(true);
            self.end_saving().await;
        }
        self.rooms.unsent().note_freed(self.host.bytes());
        self.rooms.forget(&self.id, &self.slot);
        inbox.close();
        let mut late = messages;
        while let Some(message) = inbox.recv().await {
            late.push_back(message);
        }
        if ended == Ended::Idle && !late.is_empty() {
            // Somebody came through the door as it closed: the next room takes them.
            if let Ok(next) = self.rooms.open_next(&self.id).await {
                for message in late.drain(..) {
                    if let Err(message) = next.send(message).await {
                        turn_away(message, &Ended::Failed);
                    }
                }
            }
        }
        for message in late {
            turn_away(message, &ended);
        }
    }
}

/// Answers a message that this room takes no more. Those that wait for an answer see it fail.
fn turn_away(message: RoomMessage, ended: &Ended) {
    if let RoomMessage::Join { member, .. } = message {
        say_goodbye(&member, ended);
    }
}

fn say_goodbye(member: &Member<Endpoint>, ended: &Ended) {
    let (message, code, reason) = ended.goodbye();
    let outbound = &member.endpoint.outbound;
    outbound.send(frames::frame(&message));
    outbound.end(code, reason);
}

#[cfg(test)]
mod tests;
