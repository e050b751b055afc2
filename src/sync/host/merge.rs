//! Documents that come into an open room: judged as one change, like anybody's edit, or not at all.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::log::{LogCommit, Origin};
use super::messages::{LogError, Output, Request, Time, Trouble};
use super::{Host, Phase, Step};
use crate::dashboard::difference::{Base, Difference, Now, SinceBase, difference};
use crate::dashboard::export::{Imported, Remark};
use crate::dashboard::text::AUTHOR_MASK;
use crate::dashboard::{Cell, ClientId, Op, OpError, User, WidgetId};
use crate::sync::protocol::{Change, Commit, MAX_OPS, Role};
use crate::sync::room::{Author, Room, Verdict};

/// Refusals that an answer names; the rest is counted.
const NAMED: usize = 3;

/// A document that is to be brought in.
#[derive(Clone, Debug)]
pub struct Merge {
    pub document: Arc<Imported>,
    pub by: User,
    /// An id that no client had before.
    pub client: ClientId,
    /// The Yjs client id that texts are typed by.
    pub typist: u64,
}

/// What became of a document.
#[derive(Clone, Debug, Serialize)]
pub struct Merged {
    /// The revision at which the dashboard has it.
    pub revision: u64,
    pub changed: Counts,
    /// Conflicts that it made: both values wait for a person.
    pub conflicts: usize,
    /// What was left as others made it although the document says something else.
    pub left: Vec<Remark>,
}

/// What a document changed, by count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The title and the settings of the dashboard.
    pub settings: usize,
    pub added: usize,
    pub removed: usize,
    pub restored: usize,
    pub moved: usize,
    /// Titles and options of widgets.
    pub options: usize,
    /// Texts of notes.
    pub texts: usize,
}

/// Why a document was not brought in. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMerged {
    #[error("The document builds on revision {base}, and this dashboard has come to {revision} only.")]
    Ahead { base: u64, revision: u64 },
    #[error(
        "The document builds on revision {0}, which is too long ago to tell what others changed since. Export \
         the dashboard again, or leave out the revision to make it as the document says."
    )]
    TooOld(u64),
    #[error("The document changes {0} things, and one step takes {MAX_OPS}. Bring it in in parts.")]
    TooMany(usize),
    #[error("It does not fit here: {0}")]
    Text(#[from] OpError),
    #[error("It does not fit here: {0}")]
    Refused(String),
    #[error("The document could not be brought in.")]
    Failed,
}

/// A document whose change is on its way into the log.
#[derive(Debug)]
pub(super) struct Merging {
    merged: Merged,
    client: ClientId,
    seq: u64,
}

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

impl<E> Host<E> {
    /// Brings a document in. It is durable, and everybody was told, when that is answered.
    pub(super) fn merge(&mut self, merge: Box<Merge>, now: Time, out: &mut Vec<Output<E>>) {
        let revision = self.room.revision();
        let base = merge.document.base.unwrap_or(revision);
        if base > revision {
            return out.push(Output::Merged(Err(NotMerged::Ahead { base, revision })));
        }
        if base == revision {
            return self.judge_document(&merge, base, &[], now, out);
        }
        match self.tail.after(base) {
            Some(bodies) => self.merge_since(&merge, base, &bodies, now, out),
            None => {
                self.phase = Phase::ReadingBase { merge, base };
                let commits = self.limits.log_commits;
                out.push(Output::Request(Request::Tail { after: base, commits, bytes: usize::MAX }));
            }
        }
    }

    /// The commits after the document's base have been read.
    pub(super) fn read_base(
        &mut self,
        merge: &Merge,
        base: u64,
        read: Result<Vec<LogCommit>, LogError>,
        now: Time,
        out: &mut Vec<Output<E>>,
    ) {
        match read {
            Ok(stored) => {
                let bodies: Vec<Arc<str>> = stored.into_iter().map(|commit| commit.body).collect();
                self.merge_since(merge, base, &bodies, now, out);
            }
            Err(_) => out.push(Output::Merged(Err(NotMerged::TooOld(base)))),
        }
    }

    fn merge_since(
        &mut self,
        merge: &Merge,
        base: u64,
        bodies: &[Arc<str>],
        now: Time,
        out: &mut Vec<Output<E>>,
    ) {
        let commits: Option<Vec<Commit>> =
            bodies.iter().map(|body| serde_json::from_str(body).ok()).collect();
        let due = self.room.revision() - base;
        match commits.filter(|commits| commits.len() as u64 == due) {
            Some(since) => self.judge_document(merge, base, &since, now, out),
            // The log does not reach back that far.
            None => out.push(Output::Merged(Err(NotMerged::TooOld(base)))),
        }
    }

    fn judge_document(
        &mut self,
        merge: &Merge,
        base: u64,
        since: &[Commit],
        now: Time,
        out: &mut Vec<Output<E>>,
    ) {
        // On a copy, so that a document that does not fit leaves nothing behind, a panic neither.
        let mut room = self.room.clone();
        let judge = || judge(&mut room, merge, base, since, now.unix_ms);
        let judged = catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| {
            out.push(Output::Trouble(Trouble::DocumentPanicked));
            Err(NotMerged::Failed)
        });
        let (merged, commit) = match judged {
            Ok((merged, Some(commit))) => (merged, commit),
            Ok((merged, None)) => return out.push(Output::Merged(Ok(merged))),
            Err(error) => return out.push(Output::Merged(Err(error))),
        };
        self.room = room;
        self.summarize(&commit.ops);
        let (client, seq) = (commit.client.clone(), commit.seq);
        self.note_judged(Origin::Document, commit);
        let all_follow = self.members.values().all(|member| member.follows_compactions);
        if merged.changed.texts > 0
            && let Some(compaction) = self.room.compact(all_follow, now.unix_ms)
        {
            self.note_judged(Origin::Compaction, Box::new(compaction));
        }
        self.steps.push(Step::Merged(Box::new(Merging { merged, client, seq })));
        self.steps.push(Step::Flush);
    }

    /// The document's change is in the log, or failed to be appended.
    pub(super) fn merged(&mut self, merging: Merging, out: &mut Vec<Output<E>>) {
        let Merging { mut merged, client, seq } = merging;
        let is_there = self.room.last_seq(&client) == seq;
        merged.revision = self.room.revision();
        out.push(Output::Merged(if is_there { Ok(merged) } else { Err(NotMerged::Failed) }));
    }
}

/// Judges what a document changes, by the rules that hold for everybody. No commit where that is nothing.
fn judge(
    room: &mut Room,
    merge: &Merge,
    base: u64,
    since: &[Commit],
    now_ms: u64,
) -> Result<(Merged, Option<Box<Commit>>), NotMerged> {
    let Imported { dashboard: wanted, named, .. } = &*merge.document;
    let typist = merge.typist & AUTHOR_MASK;
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
    let (client, by) = (merge.client.clone(), merge.by.clone());
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
