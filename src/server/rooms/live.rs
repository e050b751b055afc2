//! One open room: a task with an inbox. It takes everything that waits, judges it, appends it in one
//! go and tells everybody in one frame; while an append is under way the inbox fills for the next.

mod log;
mod merge;
mod people;
mod recovery;
mod restored;

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use self::log::Judged;
pub(super) use self::log::rebuild;
use super::answers::Answers;
use super::feed::Feed;
use super::input::{EncodedRead, Input, Member, Pushed, Read};
use super::resume_token::ResumeTokens;
use super::tail::Tail;
use super::{Rooms, Slot, frames, listing_of};
use crate::dashboard::{DashboardId, SessionId, User};
use crate::server::store::{Listing, Opened, StoreError};
use crate::sync::presence::PresenceSet;
use crate::sync::protocol::{Code, close};
use crate::sync::room::Room;

/// Inputs taken at once: bounds how long a batch can be judged before anybody hears of it.
const TAKE: usize = 512;
/// Presence goes out at most this often: as fast as a hand is seen to move.
const PRESENCE_EVERY: Duration = Duration::from_millis(33);
/// How often silent presence is looked for; its time to live is three times this.
const EXPIRE_EVERY: Duration = Duration::from_secs(10);
/// Commits after which a snapshot is due: bounds what opening has to repeat.
const SNAPSHOT_COMMITS: u64 = 200;
/// Bytes of commits after which one is due as well: what opening has to read.
const SNAPSHOT_BYTES: usize = 4 * 1024 * 1024;
/// The longest that a commit waits for a snapshot.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);
/// The shortest time between two snapshots of a busy room: encoding one costs as much as many commits.
const SNAPSHOT_REST: Duration = Duration::from_secs(5);
/// When clients come back to a room that failed, or push again what was not saved: a moment, in which a disk
/// may have caught itself. With the spread that a client adds (`sync::link`) it is back within 2 s.
const FAILED_RETRY_MS: u64 = 500;
/// The same where trying again changes nothing until somebody has mended the database.
const DAMAGED_RETRY_MS: u64 = 30_000;

/// Why a room ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    /// Nobody was here for a while.
    Idle,
    /// It is in the bin, or gone for good; `by` as far as that is known.
    Deleted {
        by: Option<User>,
    },
    Drained {
        retry_after_ms: u64,
    },
    /// The store did not let it go on, or a step of it panicked.
    Failed,
    /// An older state took the log's place, which has another name from now on.
    Restored,
}

/// An open room.
pub(super) struct Live {
    id: DashboardId,
    rooms: Rooms,
    slot: Arc<Slot>,
    room: Room,
    members: HashMap<SessionId, Member>,
    /// Who is being let in, and is no member yet: told too where that fails.
    joining: Option<Member>,
    presence: PresenceSet,
    /// Told when roles may have changed.
    access: watch::Receiver<u64>,
    feed: Feed,
    tail: Tail,
    tokens: ResumeTokens,
    answers: Answers,
    /// The last revision that everybody here was told of.
    heard: u64,
    /// Judged and not yet durable: nobody has heard of them.
    judged: Vec<Judged>,
    judged_bytes: usize,
    /// What the list of dashboards shows after the last of them.
    listing: Listing,
    /// True where its outline is of before some of them.
    outline_outdated: bool,
    /// What to tell single sessions once the judged commits are durable.
    replies: Vec<(SessionId, frames::Frame)>,
    /// Frames about roles that changed, which come after the commits that were judged before.
    role_frames: Vec<(SessionId, frames::Frame)>,
    /// Open conflicts, as far as the metrics know.
    open_conflicts: i64,
    digest_at: Instant,
    presence_due: Option<Instant>,
    presence_at: Instant,
    expire_at: Instant,
    empty_since: Instant,
    saved_revision: u64,
    saved_at: Instant,
    /// Bytes of the commits after the last snapshot.
    unsaved_bytes: usize,
    /// Bytes that the log has grown by since it was shortened to its bound; `None` where it was not yet.
    log_growth: Option<usize>,
    saving: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Live {
    /// The room of what came out of the store. Errors where that does not read.
    pub(super) fn new(
        id: DashboardId,
        rooms: Rooms,
        slot: Arc<Slot>,
        opened: Opened,
        tokens: ResumeTokens,
    ) -> Result<Self, serde_json::Error> {
        let limits = rooms.limits().clone();
        let saved_revision = opened.revision;
        let mut tail = rooms.tail();
        let room = log::rebuild(opened, &limits, &mut tail)?;
        let now = Instant::now();
        let listing = listing_of(room.dashboard(), 0, None);
        let mut live = Self {
            access: rooms.access().changes(),
            feed: Feed::new(rooms.sources().clone(), rooms.unsent().clone()),
            id,
            rooms,
            slot,
            heard: room.revision(),
            room,
            members: HashMap::new(),
            joining: None,
            presence: PresenceSet::new(),
            tail,
            tokens,
            answers: Answers::default(),
            judged: Vec::new(),
            judged_bytes: 0,
            listing,
            outline_outdated: false,
            replies: Vec::new(),
            role_frames: Vec::new(),
            open_conflicts: 0,
            digest_at: now,
            presence_due: None,
            presence_at: now,
            expire_at: now + EXPIRE_EVERY,
            empty_since: now,
            saved_revision,
            saved_at: now,
            unsaved_bytes: 0,
            log_growth: None,
            saving: None,
        };
        live.count_open_conflicts();
        Ok(live)
    }

    /// Lives until nobody needs it any more.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Input>) {
        let mut inputs = VecDeque::new();
        let living = AssertUnwindSafe(self.live(&mut inbox, &mut inputs)).catch_unwind().await;
        let ended = living.unwrap_or_else(|_| {
            // Whatever it was about is half done. Only what is in the store is true: the next to come
            // opens it anew.
            tracing::error!(dashboard = %self.id, "a step of a room panicked");
            self.rooms.metrics().panics_caught.fetch_add(1, Relaxed);
            Ended::Failed
        });
        self.finish(ended, inputs, inbox).await;
    }

    async fn live(&mut self, inbox: &mut mpsc::Receiver<Input>, inputs: &mut VecDeque<Input>) -> Ended {
        let mut taken = Vec::new();
        loop {
            let deadline = self.next_deadline();
            let anybody = !self.members.is_empty();
            let done = tokio::select! {
                count = inbox.recv_many(&mut taken, TAKE) => {
                    inputs.extend(taken.drain(..));
                    match count {
                        0 => Err(Ended::Idle),
                        _ => self.take(inputs).await,
                    }
                }
                Ok(()) = self.access.changed(), if anybody => {
                    self.update_roles();
                    self.reply();
                    Ok(())
                }
                () = self.feed.ticked(), if anybody => {
                    self.send_news();
                    Ok(())
                }
                () = sleep_until(deadline) => Ok(()),
            };
            if let Err(ended) = done {
                return ended;
            }
            if let Err(ended) = self.keep_time(inbox.is_empty()).await {
                return ended;
            }
            // Roles were followed before what was just told; who has another hears of it now.
            if !self.role_frames.is_empty() {
                self.reply();
            }
        }
    }

    /// Takes all inputs. What stays in the queue came after the end.
    async fn take(&mut self, inputs: &mut VecDeque<Input>) -> Result<(), Ended> {
        let now_ms = crate::server::clock::now_ms();
        while let Some(input) = inputs.pop_front() {
            self.follow_roles();
            self.take_one(input, now_ms).await?;
        }
        self.flush().await
    }

    async fn take_one(&mut self, input: Input, now_ms: u64) -> Result<(), Ended> {
        match input {
            Input::Push { session, outbound, .. } | Input::Presence { session, outbound, .. }
                if !self.members.contains_key(&session) =>
            {
                self.answer_stranger(&outbound);
            }
            Input::Push { session, changes, .. } => {
                for pushed in changes {
                    self.follow_roles();
                    match pushed {
                        Pushed::Change(change) => self.judge(&session, &change, now_ms).await?,
                        Pushed::Bad(bad) => self.reject_bad(&session, bad),
                    }
                }
            }
            Input::Presence { session, presence, .. } => self.set_presence(&session, presence, now_ms),
            Input::Touch(session) => self.presence.touch(&session, now_ms),
            // The others look at what everybody may see: what is judged has to be durable first (S3).
            Input::Join { member, resume, unanswered } => {
                self.joining = Some(member.clone());
                self.flush().await?;
                let resume = self.check_history(resume).await?;
                self.join(member, resume, unanswered, now_ms).await;
                self.joining = None;
            }
            Input::Leave(session) => {
                self.flush().await?;
                self.leave(&session);
            }
            Input::Read(answer) => {
                self.flush().await?;
                let (epoch, revision) = (self.room.epoch().to_owned(), self.room.revision());
                let (token, dashboard) = (self.token(), Arc::new(self.room.dashboard().clone()));
                // Whoever asked may be gone.
                let _ = answer.send(Read { epoch, revision, token, dashboard, bytes: self.room.bytes() });
            }
            Input::Encode(answer) => {
                self.flush().await?;
                let (epoch, revision, token) =
                    (self.room.epoch().to_owned(), self.room.revision(), self.token());
                let encoded = self.encoded();
                let read = |dashboard| EncodedRead { epoch, revision, token, dashboard };
                // The same.
                let _ = answer.send(encoded.map(read));
            }
            Input::Merge { document, by, answer } => {
                self.flush().await?;
                let merged = self.merge(&document, by, now_ms).await?;
                // The same.
                let _ = answer.send(merged);
            }
            Input::Delete { deletion, most, answer } => {
                self.flush().await?;
                let deleted = self.rooms.store().delete(&self.id, &deletion, most).await;
                let done = deleted.is_ok();
                let _ = answer.send(deleted);
                if done {
                    return Err(Ended::Deleted { by: deletion.by });
                }
            }
            Input::Drain { retry_after_ms } => {
                self.flush().await?;
                return Err(Ended::Drained { retry_after_ms });
            }
        }
        Ok(())
    }

    fn next_deadline(&self) -> Instant {
        let mut next = self.expire_at;
        let mut sooner = |at: Instant| next = next.min(at);
        if let Some(due) = self.presence_due {
            sooner(due);
        }
        if let Some(due) = self.snapshot_due() {
            sooner(due);
        }
        if self.members.is_empty() {
            sooner(self.idle_at());
        }
        next
    }

    fn idle_at(&self) -> Instant {
        self.empty_since + Duration::from_millis(self.rooms.limits().room_idle_ms)
    }

    /// Does whatever is due by now.
    async fn keep_time(&mut self, inbox_empty: bool) -> Result<(), Ended> {
        let now = Instant::now();
        if self.presence_due.is_some_and(|due| due <= now) {
            self.send_presence(now);
        }
        if self.expire_at <= now {
            self.expire_at = now + EXPIRE_EVERY;
            self.presence.expire(crate::server::clock::now_ms());
            let rooms = self.rooms.metrics().rooms.load(Relaxed);
            self.tail.share(usize::try_from(rooms).unwrap_or(1));
            self.presence_changed();
        }
        if self.snapshot_due().is_some_and(|due| due <= now) {
            self.save_snapshot(false).await;
        }
        let idle = self.members.is_empty() && self.idle_at() <= now && inbox_empty;
        if idle { Err(Ended::Idle) } else { Ok(()) }
    }

    /// Says goodbye, saves, and passes on what still came in.
    async fn finish(mut self, ended: Ended, inputs: VecDeque<Input>, mut inbox: mpsc::Receiver<Input>) {
        self.rooms.metrics().open_conflicts.fetch_sub(self.open_conflicts, Relaxed);
        let members = std::mem::take(&mut self.members).into_values().chain(self.joining.take());
        members.for_each(|member| say_goodbye(&member, &ended));
        match ended {
            // The log ends behind what the room holds, or a panic left the dashboard half changed: only
            // what is in the store is true.
            Ended::Failed | Ended::Deleted { .. } | Ended::Restored => self.end_saving().await,
            Ended::Idle | Ended::Drained { .. } => self.save_last_snapshot().await,
        }
        self.rooms.unsent().note_freed(self.room.bytes() + self.tail.bytes());
        self.rooms.forget(&self.id, &self.slot);
        inbox.close();
        let mut late = inputs;
        while let Some(input) = inbox.recv().await {
            late.push_back(input);
        }
        if ended == Ended::Idle && !late.is_empty() {
            // Somebody came through the door as it closed: the next room takes them.
            if let Ok(next) = self.rooms.open_next(&self.id).await {
                for input in late.drain(..) {
                    if let Err(input) = next.send(input).await {
                        self.turn_away(input, &Ended::Failed);
                    }
                }
            }
        }
        for input in late {
            self.turn_away(input, &ended);
        }
    }

    /// Answers an input that this room takes no more. Those that wait for an answer see it fail.
    fn turn_away(&self, input: Input, ended: &Ended) {
        if let Input::Join { member, .. } = input {
            say_goodbye(&member, ended);
        }
    }
}

fn say_goodbye(member: &Member, ended: &Ended) {
    let (frame, code, reason) = match ended {
        Ended::Deleted { by } => (
            frames::in_bin(match by {
                Some(user) => {
                    format!("{} moved this dashboard to the bin. It can be restored from there.", user.name)
                }
                None => "This dashboard was moved to the bin. It can be restored from there.".to_owned(),
            }),
            close::NOT_FOUND,
            "dashboard deleted",
        ),
        Ended::Drained { retry_after_ms } => (
            frames::error(Code::Internal, "The server restarts.", Some(*retry_after_ms)),
            close::DRAINING,
            "draining",
        ),
        Ended::Restored => (
            frames::error(
                Code::Internal,
                "The server was restored to an earlier state. What is not saved yet is sent again.",
                Some(FAILED_RETRY_MS),
            ),
            close::DRAINING,
            "restored",
        ),
        Ended::Idle | Ended::Failed => (
            frames::error(
                Code::Internal,
                "The server could not go on. What you did is not lost: it is sent again.",
                Some(FAILED_RETRY_MS),
            ),
            close::DRAINING,
            "room failed",
        ),
    };
    member.outbound.send(frame);
    member.outbound.end(code, reason);
}
