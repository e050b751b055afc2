//! Documents that come into an open room: judged as one change, like anybody's edit, or not at all.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;

use serde_json::Value;

use super::super::input::{Counts, Merged, NotMerged};
use super::super::random_id;
use super::{Ended, Live};
use crate::dashboard::difference::{Base, Difference, Now, SinceBase, difference};
use crate::dashboard::export::Imported;
use crate::dashboard::text::AUTHOR_MASK;
use crate::dashboard::{Cell, ClientId, Op, SessionId, User, WidgetId};
use crate::server::store::{KEEP_COMMITS, Most};
use crate::sync::protocol::{Change, Commit, MAX_OPS, Role};
use crate::sync::room::{Author, Room, Verdict};

/// Refusals that an answer names; the rest is counted.
const NAMED: usize = 3;

/// What others did since a revision.
struct Since<'a> {
    room: &'a Room,
    revision: u64,
    moved: BTreeSet<WidgetId>,
    added: BTreeSet<WidgetId>,
}

impl Base for Since<'_> {
    fn compare(&self, cell: &Cell, value: &Value) -> SinceBase {
        self.room.compare(cell, self.revision, value)
    }

    fn moved(&self, id: &WidgetId) -> bool {
        self.moved.contains(id)
    }

    fn added(&self, id: &WidgetId) -> bool {
        self.added.contains(id)
    }
}

impl Live {
    /// Brings a document in. It is durable, and everybody was told, when this answers.
    pub(super) async fn merge(
        &mut self,
        document: &Imported,
        by: User,
        now_ms: u64,
    ) -> Result<Result<Merged, NotMerged>, Ended> {
        let revision = self.room.revision();
        let base = document.base.unwrap_or(revision);
        if base > revision {
            return Ok(Err(NotMerged::Ahead { base, revision }));
        }
        let Some(since) = self.commits_since(base).await else { return Ok(Err(NotMerged::TooOld(base))) };
        // On a copy, so that a document that does not fit leaves nothing behind, a panic neither.
        let mut room = self.room.clone();
        let judge = || judge(&mut room, document, base, &since, by, now_ms);
        let judged = catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| {
            tracing::error!(dashboard = %self.id, "judging a document panicked");
            self.rooms.metrics().panics_caught.fetch_add(1, Relaxed);
            Err(NotMerged::Failed)
        });
        let (mut merged, commit) = match judged {
            Ok(judged) => judged,
            Err(error) => return Ok(Err(error)),
        };
        let Some(commit) = commit else { return Ok(Ok(merged)) };
        self.room = room;
        self.list(&commit.ops);
        let (client, seq) = (commit.client.clone(), commit.seq);
        // No session has this id, so nobody is told that a push of theirs failed.
        self.judged(SessionId::new(random_id()).ok(), commit);
        let all_follow = self.members.values().all(|member| member.follows_compactions);
        if merged.changed.texts > 0
            && let Some(compaction) = self.room.compact(all_follow, now_ms)
        {
            self.judged(None, Box::new(compaction));
        }
        self.flush().await?;
        if self.room.last_seq(&client) != seq {
            return Ok(Err(NotMerged::Failed));
        }
        merged.revision = self.room.revision();
        Ok(Ok(merged))
    }

    /// The commits after a revision; `None` where the log does not reach back that far.
    async fn commits_since(&self, base: u64) -> Option<Vec<Commit>> {
        let due = self.room.revision() - base;
        if due == 0 {
            return Some(Vec::new());
        }
        let bodies = match self.tail.after(base) {
            Some(bodies) => bodies,
            None => {
                let most = Most::commits(KEEP_COMMITS as usize);
                let stored = self.rooms.store().tail(&self.id, base, most).await.ok()?;
                stored.into_iter().map(|commit| commit.body).collect()
            }
        };
        let commits: Option<Vec<Commit>> =
            bodies.iter().map(|body| serde_json::from_str(body).ok()).collect();
        commits.filter(|commits| commits.len() as u64 == due)
    }
}

/// Judges what a document changes, by the rules that hold for everybody. No commit where that is nothing.
fn judge(
    room: &mut Room,
    document: &Imported,
    base: u64,
    since: &[Commit],
    by: User,
    now_ms: u64,
) -> Result<(Merged, Option<Box<Commit>>), NotMerged> {
    let Imported { dashboard: wanted, named, .. } = document;
    let typist = rand::random::<u64>() & AUTHOR_MASK;
    let found = if base == room.revision() {
        difference(room.dashboard(), wanted, named, &Now, typist)
    } else {
        let ops = || since.iter().flat_map(|commit| &commit.ops);
        let moved = ops().filter_map(|op| match op {
            Op::Place { id, .. } => Some(id.clone()),
            _ => None,
        });
        let added = ops().filter_map(|op| match op {
            Op::AddWidget { id, .. } => Some(id.clone()),
            _ => None,
        });
        let since = Since { room, revision: base, moved: moved.collect(), added: added.collect() };
        difference(room.dashboard(), wanted, named, &since, typist)
    };
    let Difference { ops, unknown, left } = found?;
    if unknown > 0 {
        return Err(NotMerged::TooOld(base));
    }
    let mut merged = Merged { revision: room.revision(), changed: Counts::default(), conflicts: 0, left };
    if ops.is_empty() {
        return Ok((merged, None));
    }
    if ops.len() > MAX_OPS {
        return Err(NotMerged::TooMany(ops.len()));
    }
    let client = ClientId::new(random_id()).map_err(|_| NotMerged::Failed)?;
    let author = Author { client, by, role: Role::Editor, may_query: true };
    let before = room.dashboard().clone();
    let commit = match room.judge(&author, &Change { seq: 1, base, ops, age_ms: None }, now_ms) {
        Verdict::Committed(commit) => commit,
        Verdict::Again => return Err(NotMerged::Failed),
        Verdict::Rejected { reason, .. } => return Err(NotMerged::Refused(reason)),
    };
    if !commit.refused.is_empty() {
        return Err(NotMerged::Refused(refusals(&commit)));
    }
    if *room.dashboard() == before {
        return Ok((merged, None));
    }
    merged.changed = counted(&commit.ops);
    merged.conflicts = commit.conflicts.iter().filter(|conflict| conflict.settled.is_none()).count();
    Ok((merged, Some(commit)))
}

fn refusals(commit: &Commit) -> String {
    let mut reasons: Vec<&str> = commit.refused.iter().map(|refused| refused.reason.as_str()).collect();
    reasons.dedup();
    let more = reasons.len().saturating_sub(NAMED);
    let named = reasons[..reasons.len().min(NAMED)].join(" ");
    if more > 0 { format!("{named} And {more} more.") } else { named }
}

fn counted(ops: &[Op]) -> Counts {
    let mut counts = Counts::default();
    let mut texts: BTreeSet<&WidgetId> = BTreeSet::new();
    for op in ops {
        match op {
            Op::SetDashboard { .. } => counts.settings += 1,
            Op::AddWidget { .. } => counts.added += 1,
            Op::RemoveWidget { .. } => counts.removed += 1,
            Op::RestoreWidget { .. } => counts.restored += 1,
            Op::Place { settled: false, .. } => counts.moved += 1,
            Op::Set { .. } => counts.options += 1,
            Op::EditText { id, .. } => {
                texts.insert(id);
            }
            Op::Place { .. } | Op::SettleConflict { .. } => {}
        }
    }
    counts.texts = texts.len();
    counts
}
