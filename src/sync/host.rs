//! The life of one open room: judge, append, tell; members, roles and presence; recovery, where an append
//! failed or judging panicked; the end.
//!
//! A [`Host`] takes one [`Input`] at a time and says what follows as [`Output`]s, which whoever runs it performs
//! in their order. It asks for one thing at a time ([`Request`], always the last output) and takes no other
//! inputs until the [`Answer`] is there: what was judged is durable before anybody hears of it (S3), and while an
//! append is under way the inbox fills for the next.

mod limits;
mod log;
mod members;
mod merge;
mod messages;
mod recovery;
mod restored;
mod snapshots;
mod tail;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

pub use self::limits::HostLimits;
pub use self::log::{Judged, LogCommit, StoredLog, Summary, rebuild};
pub use self::members::{Grant, Member, MemberKind};
pub use self::merge::{Counts, Merge, Merged, NotMerged};
pub use self::messages::{
    Admitted, Answer, DecodedChange, Digests, Effects, Ended, FAILED_RETRY_MS, Input, InvalidChange, Join,
    LogError, Output, Preparation, Prepared, Request, ResumePoint, Tick, Time, Trouble,
};
pub use self::tail::{Tail, TailBudget};

use self::log::{Appending, Batch, Judging};
use self::members::EXPIRE_EVERY;
use self::merge::Merging;
use self::recovery::Recovery;
use self::snapshots::Snapshots;
use crate::dashboard::{ClientId, DashboardId, SessionId, User};
use crate::sync::presence::PresenceSet;
use crate::sync::protocol::ServerMessage;
use crate::sync::room::Room;

/// An open room. `E` is the way to a session.
pub struct Host<E> {
    id: DashboardId,
    limits: HostLimits,
    room: Room,
    members: BTreeMap<SessionId, Member<E>>,
    /// Who is being let in, and is no member yet.
    joining: Option<Box<Join<E>>>,
    presence: PresenceSet,
    tail: Tail,
    /// The last revision that everybody here was told of.
    heard: u64,
    batch: Batch,
    /// What lists show after the last commit that was judged.
    summary: Summary,
    /// True where its outline is of before some of them.
    outline_outdated: bool,
    /// What to tell single sessions once the judged commits are durable.
    replies: Vec<(SessionId, ServerMessage)>,
    /// What to tell them before that, of roles that changed.
    role_replies: Vec<(SessionId, ServerMessage)>,
    open_conflicts: usize,
    digest_at: Duration,
    presence_due: Option<Duration>,
    presence_at: Duration,
    expire_at: Duration,
    empty_since: Duration,
    snapshots: Snapshots,
    phase: Phase,
    /// What is to be done once the host is ready, the next one last.
    steps: Vec<Step>,
}

/// What a host waits for.
#[derive(Debug)]
enum Phase {
    /// The next input.
    Ready,
    Appending(Appending),
    Reopening(Recovery),
    /// What the log has and nobody here has heard of; with the tail that takes the place of the one before.
    CatchingUp(Recovery, Tail),
    Finding {
        session: SessionId,
        client: ClientId,
        seq: u64,
    },
    ComparingHistory {
        said: u64,
        at: u64,
    },
    Renewing,
    /// The answer to a join; `after` is what the tail may not reach back to.
    Preparing {
        after: Option<u64>,
    },
    ReadingTail {
        after: u64,
    },
    ReadingBase {
        merge: Box<Merge>,
        base: u64,
    },
    Deleting {
        by: Option<User>,
    },
    /// Nothing: the room has ended.
    Ended,
}

/// A part of what an input asks for.
#[derive(Debug)]
enum Step {
    /// What is judged has to be durable first.
    Flush,
    Push {
        session: SessionId,
        changes: vec::IntoIter<DecodedChange>,
    },
    Find {
        session: SessionId,
        client: ClientId,
        seq: u64,
    },
    Join,
    Leave(SessionId),
    Merge(Box<Merge>),
    Merged(Box<Merging>),
    Delete {
        by: Option<User>,
    },
    End(Ended),
}

impl<E> Host<E> {
    /// The room of what came out of the store. Errors where that does not read.
    pub fn new(
        id: DashboardId,
        limits: HostLimits,
        log: StoredLog,
        mut tail: Tail,
        now: Time,
    ) -> Result<Self, serde_json::Error> {
        let saved_revision = log.revision;
        let room = rebuild(log, &limits, &mut tail)?;
        let mut host = Self {
            id,
            limits,
            heard: room.revision(),
            summary: Summary::of(room.dashboard()),
            room,
            members: BTreeMap::new(),
            joining: None,
            presence: PresenceSet::new(),
            tail,
            batch: Batch::default(),
            outline_outdated: false,
            replies: Vec::new(),
            role_replies: Vec::new(),
            open_conflicts: 0,
            digest_at: now.elapsed,
            presence_due: None,
            presence_at: now.elapsed,
            expire_at: now.elapsed + EXPIRE_EVERY,
            empty_since: now.elapsed,
            snapshots: Snapshots::new(saved_revision, now.elapsed),
            phase: Phase::Ready,
            steps: Vec::new(),
        };
        host.count_open_conflicts();
        Ok(host)
    }

    /// Takes an input, and appends to `out` what follows from it. After the end that is nothing.
    pub fn handle(&mut self, now: Time, input: Input<E>, out: &mut Vec<Output<E>>) {
        if matches!(self.phase, Phase::Ended) && !matches!(input, Input::SnapshotSaved(_)) {
            return;
        }
        match input {
            Input::Roles(grants) => self.set_roles(grants, now, out),
            Input::Lost(session) => self.leave(&session, now, out),
            Input::SnapshotSaved(well) => self.snapshots.saved(well),
            Input::Tick(tick) => self.keep_time(tick, now, out),
            Input::Touch(session) => self.presence.touch(&session, now.unix_ms),
            Input::Presence { session, presence } => self.set_presence(&session, presence, now, out),
            Input::Push { session, .. } if !self.members.contains_key(&session) => {
                out.push(Output::NotJoined);
            }
            Input::Push { session, changes } => {
                self.steps.push(Step::Push { session, changes: changes.into_iter() });
            }
            // The others look at what everybody may see: what is judged has to be durable first (S3).
            Input::Join(join) => {
                self.joining = Some(join);
                self.after_flush(Step::Join);
            }
            Input::Leave(session) => self.after_flush(Step::Leave(session)),
            Input::Merge(merge) => self.after_flush(Step::Merge(merge)),
            Input::Delete { by } => self.after_flush(Step::Delete { by }),
            Input::Drain { retry_after_ms } => {
                self.after_flush(Step::End(Ended::Drained { retry_after_ms }));
            }
            Input::Flush => self.steps.push(Step::Flush),
            Input::Answer(answer) => self.take_answer(answer, now, out),
        }
        self.proceed(now, out);
    }

    fn after_flush(&mut self, step: Step) {
        self.steps.push(step);
        self.steps.push(Step::Flush);
    }

    fn take_answer(&mut self, answer: Answer, now: Time, out: &mut Vec<Output<E>>) {
        match (std::mem::replace(&mut self.phase, Phase::Ready), answer) {
            (Phase::Appending(appending), Answer::Appended(appended)) => {
                self.appended(appending, appended, now, out);
            }
            (Phase::Reopening(recovery), Answer::Opened(opened)) => self.reopened(recovery, opened, out),
            (Phase::CatchingUp(recovery, tail), Answer::Tail(missed)) => {
                self.caught_up(recovery, tail, missed, out);
            }
            (Phase::Finding { session, client, seq }, Answer::Found(found)) => {
                self.found(&session, &client, seq, found, out);
            }
            (Phase::ComparingHistory { said, at }, Answer::Tail(found)) => {
                self.compared_history(said, at, found, now, out);
            }
            (Phase::Renewing, Answer::Renewed(renewed)) => {
                self.end(if renewed.is_ok() { Ended::Restored } else { Ended::Failed }, out);
            }
            (Phase::Preparing { after }, Answer::Prepared(prepared)) => {
                self.prepared(after, prepared, now, out);
            }
            (Phase::ReadingTail { after }, Answer::Tail(read)) => self.read_tail(after, read, out),
            (Phase::ReadingBase { merge, base }, Answer::Tail(read)) => {
                self.read_base(&merge, base, read, now, out);
            }
            (Phase::Deleting { by }, Answer::Deleted(true)) => self.end(Ended::Deleted { by }, out),
            (Phase::Deleting { .. }, Answer::Deleted(false)) => {}
            // An answer to something else.
            (phase, _) => self.phase = phase,
        }
    }

    /// Does one step after the other, until one has to wait.
    fn proceed(&mut self, now: Time, out: &mut Vec<Output<E>>) {
        while self.is_ready()
            && let Some(step) = self.steps.pop()
        {
            match step {
                Step::Flush => self.flush(out),
                Step::Push { session, changes } => self.judge_all(session, changes, now, out),
                Step::Find { session, client, seq } => self.answer_again(session, client, seq, out),
                Step::Join => self.check_history(now, out),
                Step::Leave(session) => self.leave(&session, now, out),
                Step::Merge(merge) => self.merge(merge, now, out),
                Step::Merged(merging) => self.merged(*merging, out),
                Step::Delete { by } => {
                    self.phase = Phase::Deleting { by };
                    out.push(Output::Request(Request::Delete));
                }
                Step::End(ended) => self.end(ended, out),
            }
        }
    }

    fn judge_all(
        &mut self,
        session: SessionId,
        mut changes: vec::IntoIter<DecodedChange>,
        now: Time,
        out: &mut Vec<Output<E>>,
    ) {
        while let Some(change) = changes.next() {
            let change = match change {
                DecodedChange::Change(change) => change,
                DecodedChange::Invalid(invalid) => {
                    self.reject_invalid(&session, invalid);
                    continue;
                }
            };
            let next = match self.judge(&session, &change, now, out) {
                Judging::Done => continue,
                Judging::Full => Some(Step::Flush),
                Judging::Again(client) => {
                    Some(Step::Find { session: session.clone(), client, seq: change.seq })
                }
                Judging::Panicked => None,
            };
            self.steps.push(Step::Push { session, changes });
            match next {
                Some(find @ Step::Find { .. }) => self.after_flush(find),
                other => self.steps.extend(other),
            }
            return;
        }
    }

    fn keep_time(&mut self, tick: Tick, now: Time, out: &mut Vec<Output<E>>) {
        self.keep_presence(tick, now, out);
        if self.snapshots.due(self.room.revision()).is_some_and(|due| due <= now.elapsed) {
            let bounded = self.begin_snapshot(now, false);
            out.push(Output::SaveSnapshot { bounded });
        }
        if self.members.is_empty() && self.idle_at() <= now.elapsed && tick.is_quiet {
            self.end(Ended::Idle, out);
        }
    }

    fn begin_snapshot(&mut self, now: Time, last: bool) -> bool {
        self.snapshots.begin(self.room.revision(), now.elapsed, self.limits.log_bytes, last)
    }

    /// Begins the snapshot of a room that has ended; false where the next one to open it has nothing to repeat.
    pub fn begin_last_snapshot(&mut self, now: Time) -> bool {
        let due = self.snapshots.is_last_due(self.room.revision());
        due && self.begin_snapshot(now, true)
    }

    fn end(&mut self, ended: Ended, out: &mut Vec<Output<E>>) {
        self.phase = Phase::Ended;
        self.steps.clear();
        out.push(Output::Ended(ended));
    }

    /// When the next [`Input::Tick`] is due.
    pub fn deadline(&self) -> Duration {
        let due = [self.presence_due, self.snapshots.due(self.room.revision())];
        let idle = self.members.is_empty().then(|| self.idle_at());
        due.into_iter().chain([idle]).flatten().fold(self.expire_at, Duration::min)
    }

    fn idle_at(&self) -> Duration {
        self.empty_since + Duration::from_millis(self.limits.idle_ms)
    }

    /// True where it takes any input: nothing is under way.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// True where somebody hears with the next flush of a role that changed.
    pub fn has_role_replies(&self) -> bool {
        !self.role_replies.is_empty()
    }

    pub fn id(&self) -> &DashboardId {
        &self.id
    }

    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Commits that are judged and not in the log yet, in their order.
    pub fn judged(&self) -> impl Iterator<Item = &Judged> {
        let appending = match &self.phase {
            Phase::Appending(appending) => &*appending.judged,
            _ => &[],
        };
        appending.iter().chain(&self.batch.judged)
    }

    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member<E>> {
        self.members.values()
    }

    pub fn member(&self, session: &SessionId) -> Option<&Member<E>> {
        self.members.get(session)
    }

    /// Who is being let in, and is no member yet.
    pub fn joining(&self) -> Option<&Member<E>> {
        self.joining.as_ref().map(|join| &join.member)
    }

    /// Lets go of everybody, those who were being let in too.
    pub fn take_members(&mut self) -> Vec<Member<E>> {
        let members = std::mem::take(&mut self.members).into_values();
        members.chain(self.joining.take().map(|join| join.member)).collect()
    }

    /// Conflicts that wait for a person.
    pub fn open_conflicts(&self) -> usize {
        self.open_conflicts
    }

    /// Bytes of the dashboard and of the tail of its log.
    pub fn bytes(&self) -> usize {
        self.room.bytes() + self.tail.bytes()
    }

    /// The bodies of every commit after a revision; `None` where the tail does not reach back that far.
    pub fn commits_after(&self, revision: u64) -> Option<Vec<Arc<str>>> {
        self.tail.after(revision)
    }
}

#[cfg(test)]
mod tests;
