//! The log of a room: judging, appending, telling, and the snapshots that shorten it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::{
    Ended, FAILED_RETRY_MS, Live, SNAPSHOT_BYTES, SNAPSHOT_COMMITS, SNAPSHOT_EVERY, SNAPSHOT_REST, frames,
};
use crate::dashboard::outline::changes_outline;
use crate::dashboard::settings::{TAGS, tags};
use crate::dashboard::{ClientId, Op, SessionId};
use crate::server::limits::Limits;
use crate::server::rooms::answers::Answers;
use crate::server::rooms::frames::Digests;
use crate::server::rooms::input::Bad;
use crate::server::rooms::tail::{Tail, TailCommit};
use crate::server::store::{Appended, KEEP_COMMITS, Listing, Most, Opened, StoreError, Stored};
use crate::sync::conflict::made_in;
use crate::sync::protocol::{Change, Code, Commit, ServerMessage};
use crate::sync::room::{Room, RoomState, Verdict};

/// Encoded commits that are appended and sent at once, as a part of what may wait for one reader: one
/// that keeps up never has more than a few batches before it.
const BATCH_PART: usize = 8;
/// What a log may grow by before it is shortened again, as a part of its bound: to measure it is to read
/// through its rows.
const GROWTH_PART: usize = 8;
/// A digest goes out with the batch that passes a multiple of this (S11) ...
const DIGEST_REVISIONS: u64 = 256;
/// ... and not more often than this: every replica has to make one too.
const DIGEST_EVERY: Duration = Duration::from_secs(1);

/// A commit on its way into the log.
pub(super) struct Judged {
    /// Who pushed it; `None` for a compaction.
    pub(super) session: Option<SessionId>,
    pub(super) commit: Box<Commit>,
    body: Arc<str>,
}

/// The room at the log's end.
pub(in crate::server::rooms) fn rebuild(
    opened: Opened,
    limits: &Limits,
    tail: &mut Tail,
) -> Result<Room, serde_json::Error> {
    let mut state: RoomState = serde_json::from_str(&opened.state)?;
    // The log's name may have changed since the state was saved.
    state.epoch = opened.epoch;
    let room = Room::from_state(state).max_widgets(limits.widgets);
    let mut room = room.max_bytes(limits.dashboard_bytes);
    for Stored { revision, body } in opened.commits {
        let commit: Commit = serde_json::from_str(&body)?;
        room.replay(&commit);
        tail.push(TailCommit { revision, author: Some((commit.client, commit.seq)), body });
    }
    Ok(room.replayed())
}

impl Live {
    /// Judges one change. What it commits waits for [`Live::flush`].
    pub(super) async fn judge(
        &mut self,
        session: &SessionId,
        change: &Change,
        now_ms: u64,
    ) -> Result<(), Ended> {
        // A session that left or was fenced off is heard no more.
        let Some(member) = self.members.get(session) else { return Ok(()) };
        let author = &member.author;
        let room = &mut self.room;
        let members = &self.members;
        let judge = || {
            let verdict = room.judge(author, change, now_ms);
            let typed = |op: &Op| matches!(op, Op::EditText { .. });
            let grew = matches!(&verdict, Verdict::Committed(commit) if commit.ops.iter().any(typed));
            let all_follow = || members.values().all(|member| member.follows_compactions);
            let compaction = if grew { room.compact(all_follow(), now_ms) } else { None };
            (verdict, compaction)
        };
        // Bytes of a stranger go through a library here. Should it panic, the room is built anew from
        // the log, so it does not matter in what state this left it.
        let Ok((verdict, compaction)) = catch_unwind(AssertUnwindSafe(judge)) else {
            let client = author.client.clone();
            return self.survive(session.clone(), &client, change.seq).await;
        };
        match verdict {
            Verdict::Committed(commit) => {
                self.list(&commit.ops);
                self.judged(Some(session.clone()), commit);
                if let Some(compaction) = compaction {
                    self.judged(None, Box::new(compaction));
                }
                if self.judged_bytes >= self.batch_bytes() {
                    self.flush().await?;
                }
            }
            Verdict::Again => {
                let client = author.client.clone();
                self.flush().await?;
                self.answer_again(session, &client, change.seq).await;
            }
            Verdict::Rejected { code, reason, expected } => {
                let bad = Bad { seq: change.seq, code, reason, retry_after_ms: None };
                self.reject(session, bad, expected);
            }
        }
        Ok(())
    }

    pub(super) fn judged(&mut self, session: Option<SessionId>, commit: Box<Commit>) {
        let body: Arc<str> = frames::json(&*commit).into();
        self.judged_bytes += body.len();
        self.judged.push(Judged { session, commit, body });
    }

    /// Follows what the list of dashboards shows.
    pub(super) fn list(&mut self, ops: &[Op]) {
        let dashboard = self.room.dashboard();
        self.listing.title.clone_from(&dashboard.title);
        self.listing.widgets = dashboard.widgets.len();
        for op in ops {
            match op {
                Op::SetDashboard { field, .. } if field == TAGS => {
                    self.listing.tags = tags(&dashboard.settings);
                }
                op => self.outline_outdated |= changes_outline(op),
            }
        }
    }

    /// Rejects a change that the socket found no good.
    pub(super) fn reject_bad(&mut self, session: &SessionId, bad: Bad) {
        let Some(member) = self.members.get(session) else { return };
        let expected = self.room.last_seq(&member.author.client) + 1;
        // A change whose turn it is not yet must not be set aside under a number that may be another's
        // by now: it comes again, and is turned down when its turn has come.
        let early = bad.seq != expected && bad.retry_after_ms.is_none();
        let bad = if early {
            let reason = "An earlier change of this client is missing.".to_owned();
            Bad { code: Code::OutOfOrder, reason, ..bad }
        } else {
            bad
        };
        self.reject(session, bad, expected);
    }

    pub(super) fn reject(&mut self, session: &SessionId, bad: Bad, expected: u64) {
        self.rooms.metrics().rejected(bad.code);
        let Bad { seq, code, reason, retry_after_ms } = bad;
        let dashboard = self.id.clone();
        let message = ServerMessage::Rejected { dashboard, seq, code, reason, expected, retry_after_ms };
        self.replies.push((session.clone(), frames::frame(&message)));
    }

    /// Tells a client what became of a change that it pushed before (S2).
    async fn answer_again(&mut self, session: &SessionId, client: &ClientId, seq: u64) {
        let found = match self.tail.find(client, seq) {
            Some(body) => Ok(Some(body)),
            None => self.rooms.store().find(&self.id, client, seq).await,
        };
        let frame = match found {
            Ok(Some(body)) => frames::commits(&self.id, &[body], None, None),
            // The log does not reach back that far.
            Ok(None) => frames::forgotten(&self.id, seq),
            Err(error) => {
                tracing::warn!(dashboard = %self.id, %error, "a commit could not be looked up");
                let bad = Bad {
                    seq,
                    code: Code::Internal,
                    reason: "The server could not look up what became of this.".to_owned(),
                    retry_after_ms: Some(FAILED_RETRY_MS),
                };
                let expected = self.room.last_seq(client) + 1;
                return self.reject(session, bad, expected);
            }
        };
        self.follow_roles();
        if let Some(member) = self.members.get(session) {
            member.outbound.send(frame);
        }
    }

    /// Makes the judged commits durable, then tells everybody (S3).
    pub(super) async fn flush(&mut self) -> Result<(), Ended> {
        let judged = std::mem::take(&mut self.judged);
        if self.outline_outdated && !judged.is_empty() {
            // Once for however many edits, and not at all for those that move nothing.
            self.outline_outdated = false;
            self.listing.outline = Some(frames::json(&self.room.dashboard().outline()).into());
        }
        match self.append(&judged).await {
            Ok(()) => self.tell(judged),
            Err(error) => return self.recover(judged, error).await,
        }
        self.reply();
        Ok(())
    }

    /// Makes judged commits durable.
    pub(super) async fn append(&mut self, judged: &[Judged]) -> Result<(), StoreError> {
        let bytes = std::mem::take(&mut self.judged_bytes);
        // What somebody did: a compaction follows in the same batch.
        let Some(last) = judged.iter().rfind(|judged| judged.session.is_some()) else { return Ok(()) };
        let (changed_at, changed_by) = (last.commit.at, Some(last.commit.by.clone()));
        let listing = Listing { changed_at, changed_by, ..self.listing.clone() };
        let commits = judged.iter().map(|Judged { commit, body, .. }| Appended {
            revision: commit.revision,
            client: commit.client.clone(),
            seq: commit.seq,
            body: body.clone(),
        });
        let begun = Instant::now();
        self.rooms.store().append(&self.id, commits.collect(), listing).await?;
        self.unsaved_bytes += bytes;
        self.log_growth = self.log_growth.map(|growth| growth + bytes);
        self.rooms.listing_changed();
        self.rooms.metrics().appended(begun.elapsed());
        self.rooms.metrics().commits_total.fetch_add(judged.len() as u64, Relaxed);
        Ok(())
    }

    /// Tells single sessions what waited for the judged commits.
    pub(super) fn reply(&mut self) {
        self.follow_roles();
        let of_roles = std::mem::take(&mut self.role_frames);
        for (session, frame) in of_roles.into_iter().chain(std::mem::take(&mut self.replies)) {
            if let Some(member) = self.members.get(&session) {
                member.outbound.send(frame);
            }
        }
    }

    /// Sends durable commits to everybody, in as few frames as they fit in.
    fn tell(&mut self, judged: Vec<Judged>) {
        let (Some(first), Some(last)) = (judged.first(), judged.last()) else { return };
        self.answers = Answers::default();
        self.heard = last.commit.revision;
        let passed =
            (first.commit.revision - 1) / DIGEST_REVISIONS != last.commit.revision / DIGEST_REVISIONS;
        let digests = (passed && self.digest_at.elapsed() >= DIGEST_EVERY).then(|| {
            self.digest_at = Instant::now();
            Digests { shown: self.room.digest(), full: self.room.full_digest() }
        });
        let bodies: Vec<Arc<str>> = judged.iter().map(|judged| judged.body.clone()).collect();
        self.send_commits(&bodies, digests.as_ref());
        let metrics = self.rooms.metrics().clone();
        let count = |counter: &std::sync::atomic::AtomicU64, by: usize| counter.fetch_add(by as u64, Relaxed);
        let ops = judged.iter().flat_map(|judged| &judged.commit.ops);
        let windows = self.feed.changed(self.room.dashboard(), ops);
        let mut touched = false;
        for Judged { commit, body, .. } in judged {
            count(&metrics.refused_total, commit.refused.len());
            let settles = commit.ops.iter().any(|op| matches!(op, Op::SettleConflict { .. }));
            touched |= settles || !commit.conflicts.is_empty();
            let made = commit.conflicts.iter().filter(|conflict| made_in(&conflict.id, commit.revision));
            count(&metrics.conflicts_total, made.count());
            let author = Some((commit.client, commit.seq));
            self.tail.push(TailCommit { revision: commit.revision, author, body });
        }
        if touched {
            self.count_open_conflicts();
        }
        self.send_data(windows);
    }

    fn batch_bytes(&self) -> usize {
        self.rooms.limits().outbound_bytes / BATCH_PART
    }

    /// What a client gives back that resumes from here; `None` where the log has no commit.
    pub(super) fn token(&self) -> Option<String> {
        let at = self.room.at()?;
        Some(self.tokens.token(self.room.epoch(), self.room.revision(), at))
    }

    /// Sends the commits up to the log's end to everybody.
    pub(super) fn send_commits(&mut self, bodies: &[Arc<str>], digests: Option<&Digests>) {
        let delivered = bodies.len() * self.members.len();
        self.rooms.metrics().deliveries_total.fetch_add(delivered as u64, Relaxed);
        let most = 2 * self.batch_bytes();
        let mut rest = bodies;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|body| {
                bytes += body.len();
                bytes <= most
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            let (digests, token) = match later.is_empty() {
                true => (digests, self.token()),
                false => (None, None),
            };
            self.send_all(frames::commits(&self.id, now, digests, token.as_deref()));
            rest = later;
        }
    }

    pub(super) fn count_open_conflicts(&mut self) {
        let open = self.room.dashboard().open_conflicts().count() as i64;
        self.rooms.metrics().open_conflicts.fetch_add(open - self.open_conflicts, Relaxed);
        self.open_conflicts = open;
    }

    /// When the next snapshot is due; `None` while nothing changed or one is being saved.
    pub(super) fn snapshot_due(&self) -> Option<Instant> {
        let busy = self.saving.as_ref().is_some_and(|saving| !saving.is_finished());
        let commits = self.room.revision().saturating_sub(self.saved_revision);
        let many = commits >= SNAPSHOT_COMMITS || self.unsaved_bytes >= SNAPSHOT_BYTES;
        let rest = if many { SNAPSHOT_REST } else { SNAPSHOT_EVERY };
        (commits > 0 && !busy).then(|| self.saved_at + rest)
    }

    /// Begins to save a snapshot, beside the room. The last one shortens the log in any case.
    pub(super) async fn save_snapshot(&mut self, last: bool) {
        self.end_saving().await;
        (self.saved_at, self.saved_revision) = (Instant::now(), self.room.revision());
        self.unsaved_bytes = 0;
        let mut keep = Most::commits(KEEP_COMMITS as usize);
        let most = self.rooms.limits().log_bytes;
        if last || self.log_growth.is_none_or(|growth| growth >= most / GROWTH_PART) {
            keep.bytes = most;
            self.log_growth = Some(0);
        }
        let (state, store, id) = (self.room.state(), self.rooms.store().clone(), self.id.clone());
        self.saving = Some(tokio::spawn(async move {
            let revision = state.revision;
            let text = tokio::task::spawn_blocking(move || frames::json(&state)).await;
            let text = text.map_err(|error| StoreError::Io(error.to_string()))?;
            store.save_snapshot(&id, revision, text.into(), keep).await
        }));
    }

    /// Waits for a snapshot that is being saved.
    pub(super) async fn end_saving(&mut self) {
        let Some(saving) = self.saving.take() else { return };
        let saved = saving.await.unwrap_or_else(|error| Err(StoreError::Io(error.to_string())));
        if let Err(error) = saved {
            tracing::warn!(dashboard = %self.id, %error, "a snapshot was not saved; the log has it all");
            (self.saved_revision, self.log_growth) = (0, None);
        }
    }

    /// Saves what the next one to open the room would have to repeat.
    pub(super) async fn save_last_snapshot(&mut self) {
        self.end_saving().await;
        let grown = self.log_growth.is_some_and(|growth| growth > 0);
        if grown || self.room.revision() > self.saved_revision {
            self.save_snapshot(true).await;
            self.end_saving().await;
        }
    }
}
