//! The log of a room: judging, appending, telling.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::limits::HostLimits;
use super::messages::{
    Digests, Effects, FAILED_RETRY_MS, InvalidChange, LogError, Output, Request, ResumePoint, Time,
};
use super::recovery::PanickedChange;
use super::tail::Tail;
use super::{Host, Phase};
use crate::dashboard::outline::changes_outline;
use crate::dashboard::settings::{TAGS, tags};
use crate::dashboard::{ClientId, Dashboard, Op, SessionId, User};
use crate::sync::conflict::made_in;
use crate::sync::protocol::{Change, Code, Commit, ServerMessage};
use crate::sync::room::{Room, RoomState, Verdict};

/// Encoded commits that are appended and sent at once, as a part of what may wait for one reader: one
/// that keeps up never has more than a few batches before it.
const BATCH_PART: usize = 8;
/// A digest goes out with the batch that passes a multiple of this (S11) ...
const DIGEST_REVISIONS: u64 = 256;
/// ... and not more often than this: every replica has to make one too.
const DIGEST_EVERY: Duration = Duration::from_secs(1);

/// A commit on its way into the log, or out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogCommit {
    pub revision: u64,
    /// Whose change it is, and its number; empty for a commit out of the log, whose author is in its body.
    pub author: Option<(ClientId, u64)>,
    /// The commit as JSON, as it goes over the wire.
    pub body: Arc<str>,
}

/// A dashboard as it comes out of the store.
#[derive(Clone, Debug)]
pub struct StoredLog {
    pub epoch: String,
    /// The room's state at `revision`, as JSON.
    pub state: String,
    pub revision: u64,
    /// Every commit after `revision`, in order.
    pub commits: Vec<LogCommit>,
}

/// What lists of dashboards show of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub title: String,
    pub widgets: usize,
    pub tags: Vec<String>,
    /// As JSON.
    pub outline: Option<Arc<str>>,
    /// Unix milliseconds.
    pub changed_at: u64,
    pub changed_by: Option<User>,
}

impl Summary {
    /// The summary of a dashboard that nobody has changed yet.
    pub fn of(dashboard: &Dashboard) -> Self {
        Self {
            title: dashboard.title.clone(),
            widgets: dashboard.widgets.len(),
            tags: tags(&dashboard.settings),
            outline: Some(json(&dashboard.outline())),
            changed_at: 0,
            changed_by: None,
        }
    }
}

/// A commit that the log does not have yet.
#[derive(Debug)]
pub struct Judged {
    pub(super) origin: Origin,
    pub commit: Box<Commit>,
    body: Arc<str>,
}

/// What a commit came of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A push of a session.
    Session(SessionId),
    /// A document that was brought in: nobody is told that a push of theirs failed.
    Document,
    /// A compaction of a note, which is nobody's edit.
    Compaction,
}

/// Commits that are judged and not yet on their way into the log: nobody has heard of them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) judged: Vec<Judged>,
    bytes: usize,
}

/// A batch on its way into the log.
#[derive(Debug)]
pub(super) struct Appending {
    pub(super) judged: Vec<Judged>,
    bytes: usize,
    panicked: Option<PanickedChange>,
}

/// What is to be done after a change was judged, before the next one is.
pub(super) enum Judging {
    Done,
    /// The batch is as large as it may be.
    Full,
    /// The change came before: it is answered once the batch is durable.
    Again(ClientId),
    /// The room is built anew.
    Panicked,
}

/// The room at the log's end, which goes into the tail. Errors where what is stored does not read.
pub fn rebuild(log: StoredLog, limits: &HostLimits, tail: &mut Tail) -> Result<Room, serde_json::Error> {
    let mut state: RoomState = serde_json::from_str(&log.state)?;
    // The log's name may have changed since the state was saved.
    state.epoch = log.epoch;
    let room = Room::from_state(state).max_widgets(limits.widgets);
    let mut room = room.max_bytes(limits.dashboard_bytes).compact_from(limits.compact_from);
    for LogCommit { revision, body, .. } in log.commits {
        let commit: Commit = serde_json::from_str(&body)?;
        room.replay(&commit);
        tail.push(LogCommit { revision, author: Some((commit.client, commit.seq)), body });
    }
    Ok(room.replayed())
}

/// Encodes a value that has only strings, numbers and maps with string keys in it.
fn json(value: &impl Serialize) -> Arc<str> {
    serde_json::to_string(value).expect("maps with string keys are JSON").into()
}

impl<E> Host<E> {
    /// Judges one change. What it commits waits for the next flush.
    pub(super) fn judge(
        &mut self,
        session: &SessionId,
        change: &Change,
        now: Time,
        out: &mut Vec<Output<E>>,
    ) -> Judging {
        // A session that left or was fenced off is heard no more.
        let Some(member) = self.members.get(session) else { return Judging::Done };
        let author = &member.author;
        let room = &mut self.room;
        let members = &self.members;
        let judge = || {
            let verdict = room.judge(author, change, now.unix_ms);
            let typed = |op: &Op| matches!(op, Op::EditText { .. });
            let grew = matches!(&verdict, Verdict::Committed(commit) if commit.ops.iter().any(typed));
            let all_follow = || members.values().all(|member| member.follows_compactions);
            let compaction = if grew { room.compact(all_follow(), now.unix_ms) } else { None };
            (verdict, compaction)
        };
        // Bytes of a stranger go through a library here. Should it panic, the room is built anew from
        // the log, so it does not matter in what state this left it.
        let Ok((verdict, compaction)) = catch_unwind(AssertUnwindSafe(judge)) else {
            let (session, client) = (session.clone(), author.client.clone());
            self.survive(PanickedChange { session, client, seq: change.seq }, out);
            return Judging::Panicked;
        };
        match verdict {
            Verdict::Committed(commit) => {
                self.summarize(&commit.ops);
                self.note_judged(Origin::Session(session.clone()), commit);
                if let Some(compaction) = compaction {
                    self.note_judged(Origin::Compaction, Box::new(compaction));
                }
                if self.batch.bytes >= self.batch_bytes() { Judging::Full } else { Judging::Done }
            }
            Verdict::Again => Judging::Again(author.client.clone()),
            Verdict::Rejected { code, reason, expected } => {
                let invalid = InvalidChange { seq: change.seq, code, reason, retry_after_ms: None };
                self.reject(session, invalid, expected);
                Judging::Done
            }
        }
    }

    pub(super) fn note_judged(&mut self, origin: Origin, commit: Box<Commit>) {
        let body = json(&*commit);
        self.batch.bytes += body.len();
        self.batch.judged.push(Judged { origin, commit, body });
    }

    /// Follows what lists of dashboards show.
    pub(super) fn summarize(&mut self, ops: &[Op]) {
        let dashboard = self.room.dashboard();
        self.summary.title.clone_from(&dashboard.title);
        self.summary.widgets = dashboard.widgets.len();
        for op in ops {
            match op {
                Op::SetDashboard { field, .. } if field == TAGS => {
                    self.summary.tags = tags(&dashboard.settings);
                }
                op => self.outline_outdated |= changes_outline(op),
            }
        }
    }

    /// Rejects a change that the socket found no good.
    pub(super) fn reject_invalid(&mut self, session: &SessionId, invalid: InvalidChange) {
        let Some(member) = self.members.get(session) else { return };
        let expected = self.room.last_seq(&member.author.client) + 1;
        // A change whose turn it is not yet must not be set aside under a number that may be another's
        // by now: it comes again, and is turned down when its turn has come.
        let early = invalid.seq != expected && invalid.retry_after_ms.is_none();
        let invalid = if early {
            let reason = "An earlier change of this client is missing.".to_owned();
            InvalidChange { code: Code::OutOfOrder, reason, ..invalid }
        } else {
            invalid
        };
        self.reject(session, invalid, expected);
    }

    pub(super) fn reject(&mut self, session: &SessionId, invalid: InvalidChange, expected: u64) {
        let InvalidChange { seq, code, reason, retry_after_ms } = invalid;
        let dashboard = self.id.clone();
        let rejected = ServerMessage::Rejected { dashboard, seq, code, reason, expected, retry_after_ms };
        self.replies.push((session.clone(), rejected));
    }

    /// Tells a client what became of a change that it pushed before (S2).
    pub(super) fn answer_again(
        &mut self,
        session: SessionId,
        client: ClientId,
        seq: u64,
        out: &mut Vec<Output<E>>,
    ) {
        match self.tail.find(&client, seq) {
            Some(body) => self.found(&session, &client, seq, Ok(Some(body)), out),
            None => {
                out.push(Output::Request(Request::Find { client: client.clone(), seq }));
                self.phase = Phase::Finding { session, client, seq };
            }
        }
    }

    /// The commit of a change that came again was looked up.
    pub(super) fn found(
        &mut self,
        session: &SessionId,
        client: &ClientId,
        seq: u64,
        found: Result<Option<Arc<str>>, LogError>,
        out: &mut Vec<Output<E>>,
    ) {
        if !self.members.contains_key(session) {
            return;
        }
        let to = session.clone();
        match found {
            Ok(Some(body)) => out.push(Output::Again { to, body }),
            // The log does not reach back that far.
            Ok(None) => {
                let (dashboard, commits, forgotten) = (self.id.clone(), Vec::new(), Some(seq));
                let (digest, full_digest, token) = (None, None, None);
                let message =
                    ServerMessage::Commits { dashboard, commits, digest, full_digest, token, forgotten };
                out.push(Output::Send { to, message });
            }
            Err(_) => {
                let invalid = InvalidChange {
                    seq,
                    code: Code::Internal,
                    reason: "The server could not look up what became of this.".to_owned(),
                    retry_after_ms: Some(FAILED_RETRY_MS),
                };
                let expected = self.room.last_seq(client) + 1;
                self.reject(session, invalid, expected);
            }
        }
    }

    /// Sends the judged commits on their way into the log. Nobody is told before they are durable (S3).
    pub(super) fn flush(&mut self, out: &mut Vec<Output<E>>) {
        if self.outline_outdated && !self.batch.judged.is_empty() {
            // Once for however many edits, and not at all for those that move nothing.
            self.outline_outdated = false;
            self.summary.outline = Some(json(&self.room.dashboard().outline()));
        }
        if self.batch.judged.is_empty() {
            self.reply(out);
        } else {
            self.append(None, out);
        }
    }

    /// Appends the batch, and gives back what was to be done with it where it is empty.
    pub(super) fn append(
        &mut self,
        panicked: Option<PanickedChange>,
        out: &mut Vec<Output<E>>,
    ) -> Option<PanickedChange> {
        let Batch { judged, bytes } = std::mem::take(&mut self.batch);
        // What somebody did: a compaction follows in the same batch.
        let Some(last) = judged.iter().rfind(|judged| judged.origin != Origin::Compaction) else {
            return panicked;
        };
        let (changed_at, changed_by) = (last.commit.at, Some(last.commit.by.clone()));
        let summary = Summary { changed_at, changed_by, ..self.summary.clone() };
        let commits = judged.iter().map(|Judged { commit, body, .. }| LogCommit {
            revision: commit.revision,
            author: Some((commit.client.clone(), commit.seq)),
            body: body.clone(),
        });
        out.push(Output::Request(Request::Append { commits: commits.collect(), summary }));
        self.phase = Phase::Appending(Appending { judged, bytes, panicked });
        None
    }

    /// The store has taken a batch, or has not.
    pub(super) fn appended(
        &mut self,
        appending: Appending,
        appended: Result<(), LogError>,
        now: Time,
        out: &mut Vec<Output<E>>,
    ) {
        let Appending { judged, bytes, panicked } = appending;
        if let Err(error) = appended {
            return self.recover(judged, error, panicked, out);
        }
        self.snapshots.appended(bytes);
        match panicked {
            Some(panicked) => self.survived(panicked, out),
            None => {
                self.tell(judged, now, out);
                self.reply(out);
            }
        }
    }

    /// Tells single sessions what waited for the judged commits: first of roles that changed.
    pub(super) fn reply(&mut self, out: &mut Vec<Output<E>>) {
        let replies = self.role_replies.drain(..).chain(self.replies.drain(..));
        let here = replies.filter(|(session, _)| self.members.contains_key(session));
        out.extend(here.map(|(to, message)| Output::Send { to, message }));
    }

    /// Sends durable commits to everybody, in as few frames as they fit in.
    fn tell(&mut self, judged: Vec<Judged>, now: Time, out: &mut Vec<Output<E>>) {
        let (Some(first), Some(last)) = (judged.first(), judged.last()) else { return };
        self.heard = last.commit.revision;
        let passed =
            (first.commit.revision - 1) / DIGEST_REVISIONS != last.commit.revision / DIGEST_REVISIONS;
        let digests = (passed && now.elapsed >= self.digest_at + DIGEST_EVERY).then(|| {
            self.digest_at = now.elapsed;
            Digests { shown: self.room.digest(), full: self.room.full_digest() }
        });
        let bodies = judged.iter().map(|judged| judged.body.clone()).collect();
        self.send_commits(bodies, digests, out);
        let mut effects = Effects { ops: Vec::new(), refused: 0, conflicts: 0 };
        let mut touched = false;
        for Judged { commit, body, .. } in judged {
            let Commit { revision, client, seq, ops, refused, conflicts, .. } = *commit;
            effects.refused += refused.len();
            let settles = ops.iter().any(|op| matches!(op, Op::SettleConflict { .. }));
            touched |= settles || !conflicts.is_empty();
            effects.conflicts += conflicts.iter().filter(|conflict| made_in(&conflict.id, revision)).count();
            match effects.ops.is_empty() {
                true => effects.ops = ops,
                false => effects.ops.extend(ops),
            }
            self.tail.push(LogCommit { revision, author: Some((client, seq)), body });
        }
        if touched {
            self.count_open_conflicts();
        }
        out.push(Output::Committed(effects));
    }

    fn batch_bytes(&self) -> usize {
        self.limits.outbound_bytes / BATCH_PART
    }

    /// Where one resumes who has everything; `None` where the log has no commit.
    pub fn log_end(&self) -> Option<ResumePoint> {
        Some(ResumePoint { revision: self.room.revision(), at: self.room.at()? })
    }

    /// The bodies of commits that were read after a revision; `None` unless they are all up to the log's end.
    pub(super) fn whole_tail(&self, after: u64, read: Vec<LogCommit>) -> Option<Vec<Arc<str>>> {
        let whole = read.first()?.revision == after + 1 && read.last()?.revision == self.room.revision();
        whole.then(|| read.into_iter().map(|commit| commit.body).collect())
    }

    /// Sends the commits up to the log's end to everybody.
    pub(super) fn send_commits(
        &mut self,
        bodies: Vec<Arc<str>>,
        digests: Option<Digests>,
        out: &mut Vec<Output<E>>,
    ) {
        let most = 2 * self.batch_bytes();
        let mut rest = bodies;
        loop {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|body| {
                bytes += body.len();
                bytes <= most
            });
            let fits = fits.count().max(1);
            if fits >= rest.len() {
                let end = self.log_end();
                return out.push(Output::Commits { bodies: rest, digests, end });
            }
            let later = rest.split_off(fits);
            out.push(Output::Commits { bodies: rest, digests: None, end: None });
            rest = later;
        }
    }

    pub(super) fn count_open_conflicts(&mut self) {
        self.open_conflicts = self.room.dashboard().open_conflicts().count();
    }
}
