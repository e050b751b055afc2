//! The browser's copy of a dashboard: confirmed + pending = view (S1, S4, S7).
//!
//! Commits are applied to `confirmed` as they are. Own changes that the log does not have yet are
//! `pending`; the view is the confirmed dashboard with them performed on top, again whenever others'
//! commits come in between. Widgets are shared between the copies, so that what did not change costs
//! nothing and is known not to have changed.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::dashboard::text::Splice;
use crate::dashboard::{ClientId, Conflict, Dashboard, Edit, Effect, Op, OpError, Stamp, User, WidgetId};

use super::protocol::{Change, Code, Commit, Joined, Resume, Role};
use super::undo::{Foreign, Step, UndoStack};

/// Own changes that wait for the log. At the limit editing stops; nothing is dropped.
pub const MAX_PENDING: usize = 5_000;
/// Bytes of the changes that one `push` carries, well below the largest frame.
const MAX_PUSH_BYTES: usize = 128 * 1024;
/// Changes that one `push` carries: the burst that a server takes at once.
const MAX_PUSH_CHANGES: usize = 50;
/// Bytes of an update that typing is gathered into before it is sent.
const MAX_GATHERED_BYTES: usize = 8 * 1024;

/// Bytes of text that one op inserts: with the CRDT's own below what an update may have.
const MAX_INSERT_BYTES: usize = 32 * 1024;

/// The copy of one dashboard in one tab.
#[derive(Debug)]
pub struct Replica {
    client: Option<ClientId>,
    user: User,
    role: Role,
    /// The Yjs client id of this tab's typing.
    author: u64,
    epoch: Option<String>,
    revision: u64,
    /// False where the copy is spoilt: the next join takes a snapshot.
    resumable: bool,
    /// True from `joined` until the connection is gone.
    live: bool,
    confirmed: Dashboard,
    view: Dashboard,
    pending: VecDeque<Change>,
    /// How many of `pending`, from the front, are on their way.
    sent: usize,
    /// The highest `seq` that ever left this tab: up to it, the log may have a change as it was then.
    offered: u64,
    next_seq: u64,
    /// The `expected` that an `out_of_order` was answered for; a second one is the same story.
    resent_from: Option<u64>,
    undo: UndoStack,
    foreign: Foreign,
}

/// What a step changed, for the signals that show it.
#[derive(Debug, Default)]
pub struct Changes {
    /// Widgets whose view is another now, came, or went.
    pub widgets: BTreeSet<WidgetId>,
    /// Title, settings, tombstones or conflicts are others now.
    pub rest: bool,
    /// Commits of others, in order.
    pub foreign: Vec<Commit>,
    /// What the person at this tab is to be told.
    pub notices: Vec<Notice>,
}

/// What came of something that the server said.
#[derive(Debug, Default)]
pub struct Taken {
    /// To be shown in any case.
    pub changes: Changes,
    /// Why the copy has to join again, where it has to.
    pub lost: Option<Lost>,
}

/// Something that became of an own edit, other than that it was applied.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// An op had no effect; here it is.
    Refused { op: Op, reason: String },
    /// A change never reached the log; here it is.
    SetAside { change: Change, code: Code, reason: String },
    /// Another value met mine; both are kept.
    Conflict { conflict: Arc<Conflict>, mine_shows: bool },
}

/// The copy does not follow the log any more and has to join again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Commits are missing in between: resume.
    Gap,
    /// The digests differ (S11): take a snapshot.
    Digest,
}

/// Why an edit was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error(transparent)]
    Op(#[from] OpError),
    #[error("You can look at this dashboard, not change it.")]
    ReadOnly,
    #[error("{MAX_PENDING} edits wait for the server already. Editing goes on when it has taken them.")]
    QueueFull,
}

/// What became of an undo or a redo.
#[derive(Debug)]
pub enum Undone {
    Done(Changes),
    /// Somebody else has written there since; the step was skipped.
    Skipped,
    Nothing,
}

impl Replica {
    /// A copy of a dashboard as the page brought it. `author` is the Yjs client id of this tab's
    /// typing: 53 random bits, new with each load of the page.
    pub fn new(author: u64, dashboard: Dashboard, user: User) -> Self {
        Self {
            client: None,
            user,
            role: Role::Editor,
            author,
            epoch: None,
            revision: 0,
            resumable: false,
            live: false,
            view: dashboard.clone(),
            confirmed: dashboard,
            pending: VecDeque::new(),
            sent: 0,
            offered: 0,
            next_seq: 1,
            resent_from: None,
            undo: UndoStack::default(),
            foreign: Foreign::default(),
        }
    }

    /// Says that the dashboard it began with is this revision of this log, so that the first join can
    /// resume from it.
    pub fn at(mut self, epoch: String, revision: u64) -> Self {
        self.epoch = Some(epoch);
        self.revision = revision;
        self.resumable = true;
        self
    }

    /// What is shown.
    pub fn view(&self) -> &Dashboard {
        &self.view
    }

    /// What the log says.
    pub fn confirmed(&self) -> &Dashboard {
        &self.confirmed
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn role(&self) -> Role {
        self.role
    }

    /// Own changes that are not durable yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    pub fn can_undo(&self) -> bool {
        self.undo.can_undo()
    }

    pub fn can_redo(&self) -> bool {
        self.undo.can_redo()
    }

    /// What a `join` says of where this copy is.
    pub fn resume(&self) -> Option<Resume> {
        let epoch = self.epoch.clone().filter(|_| self.resumable)?;
        Some(Resume { epoch, revision: self.revision })
    }

    /// Takes the answer to a `join` (S7). `client` is this tab's public id.
    pub fn joined(&mut self, client: &ClientId, user: &User, joined: Joined) -> Taken {
        let same_log = self.epoch.as_ref().is_none_or(|epoch| *epoch == joined.epoch);
        self.client = Some(client.clone());
        self.user = user.clone();
        self.role = joined.role;
        self.sent = 0;
        self.resent_from = None;
        let mut changes = Changes::default();
        match (joined.snapshot, joined.commits) {
            (Some(snapshot), _) => {
                self.confirmed = snapshot;
                self.foreign.forget();
            }
            (None, Some(commits)) if same_log => {
                if let Err(lost) = self.take(commits, &mut changes) {
                    self.rebase(&mut changes);
                    return Taken { changes, lost: Some(lost) };
                }
            }
            _ => {
                self.resumable = false;
                return Taken { changes, lost: Some(Lost::Gap) };
            }
        }
        self.epoch = Some(joined.epoch);
        self.revision = joined.revision;
        self.resumable = true;
        self.live = true;
        self.pending.retain(|change| !same_log || change.seq > joined.last_seq);
        self.number_from(joined.last_seq + 1);
        if !same_log {
            // What these changes were made on is another log's: every value there may be news to them.
            self.pending.iter_mut().for_each(|change| change.base = 0);
        }
        self.rebase(&mut changes);
        Taken { changes, lost: None }
    }

    /// Takes commits from the socket.
    pub fn commits(&mut self, commits: Vec<Commit>, digest: Option<&str>) -> Taken {
        let mut changes = Changes::default();
        let last = commits.last().map(|commit| commit.revision);
        let mut lost = self.take(commits, &mut changes).err();
        self.rebase(&mut changes);
        if lost.is_none()
            && let Some(digest) = digest
            && last == Some(self.revision)
            && self.confirmed.digest() != digest
        {
            self.resumable = false;
            lost = Some(Lost::Digest);
        }
        Taken { changes, lost }
    }

    /// Takes a rejection. `rate_limited` and `internal` keep the change, to be pushed again when the
    /// server said; what else cannot be taken as it is, is set aside and handed back in a notice.
    pub fn rejected(&mut self, seq: u64, code: Code, reason: String, expected: u64) -> Changes {
        let mut changes = Changes::default();
        match code {
            Code::OutOfOrder => {
                if self.resent_from != Some(expected) {
                    self.resent_from = Some(expected);
                    self.number_from(expected);
                    self.sent = 0;
                }
            }
            Code::RateLimited | Code::Internal | Code::NotJoined => self.sent = 0,
            _ => {
                if let Some(index) = self.pending.iter().position(|change| change.seq == seq)
                    && let Some(change) = self.pending.remove(index)
                {
                    self.new_author();
                    changes.notices.push(Notice::SetAside { change, code, reason });
                    self.number_from(expected);
                    self.sent = 0;
                    self.resent_from = None;
                    self.rebase(&mut changes);
                }
            }
        }
        changes
    }

    /// The connection is gone: nothing is on its way any more.
    pub fn disconnected(&mut self) {
        self.live = false;
        self.sent = 0;
        self.resent_from = None;
    }

    /// Performs ops as one change, on the view at once. An error means that nothing was done.
    pub fn edit(&mut self, ops: Vec<Op>) -> Result<Changes, EditError> {
        let (changes, effect) = self.perform(ops)?;
        self.undo.did(Step::new(effect.inverse, Vec::new(), self.foreign.now()));
        Ok(changes)
    }

    /// Replaces `remove` UTF-16 units from `at` on in a note's text. Typing within a second counts as
    /// one step of undo; `now_ms` tells.
    pub fn type_text(
        &mut self,
        id: &WidgetId,
        at: u32,
        remove: u32,
        insert: &str,
        now_ms: u64,
    ) -> Result<Changes, EditError> {
        let mut changes = Changes::default();
        let (mut at, mut remove, mut rest) = (at, remove, insert);
        loop {
            let (piece, later) = rest.split_at(piece_end(rest));
            let (more, splice) = self.splice(id, at, remove, piece)?;
            changes.merge(more);
            self.undo.typed(id, splice, self.foreign.now(), now_ms);
            if later.is_empty() {
                return Ok(changes);
            }
            at += piece.encode_utf16().count() as u32;
            (remove, rest) = (0, later);
        }
    }

    /// Takes back the last own step that nobody else has written over.
    pub fn undo(&mut self) -> Result<Undone, EditError> {
        let Some(step) = self.undo.take_undo() else { return Ok(Undone::Nothing) };
        let undone = self.play(step)?;
        Ok(self.keep(undone, UndoStack::undone))
    }

    /// Does again what was undone last.
    pub fn redo(&mut self) -> Result<Undone, EditError> {
        let Some(step) = self.undo.take_redo() else { return Ok(Undone::Nothing) };
        let redone = self.play(step)?;
        Ok(self.keep(redone, UndoStack::redone))
    }

    /// The changes to push now, marked as on their way. Empty where there is nothing, and until the
    /// room has answered the join.
    pub fn to_push(&mut self) -> Vec<Change> {
        if !self.live {
            return Vec::new();
        }
        let mut bytes = 0;
        let mut push = Vec::new();
        for change in self.pending.iter().skip(self.sent).take(MAX_PUSH_CHANGES) {
            bytes += serde_json::to_string(change).map_or(0, |text| text.len());
            if bytes > MAX_PUSH_BYTES && !push.is_empty() {
                break;
            }
            self.offered = self.offered.max(change.seq);
            push.push(change.clone());
        }
        self.sent += push.len();
        push
    }

    fn may_edit(&self) -> Result<(), EditError> {
        match (self.role, self.pending.len() < MAX_PENDING) {
            (Role::Viewer, _) => Err(EditError::ReadOnly),
            (_, false) => Err(EditError::QueueFull),
            _ => Ok(()),
        }
    }

    /// The stamp of what is only pending.
    fn stamp(&self) -> Stamp {
        Stamp { by: self.user.clone(), at: 0, revision: 0 }
    }

    fn perform(&mut self, ops: Vec<Op>) -> Result<(Changes, Effect), EditError> {
        self.may_edit()?;
        let mut view = self.view.clone();
        let mut edit = Edit::new(&mut view, self.stamp());
        for op in &ops {
            edit.perform(op)?;
        }
        let effect = edit.finish();
        let mut changes = Changes::default();
        differences(&self.view, &view, &mut changes);
        self.view = view;
        self.queue(ops);
        Ok((changes, effect))
    }

    fn splice(
        &mut self,
        id: &WidgetId,
        at: u32,
        remove: u32,
        insert: &str,
    ) -> Result<(Changes, Splice), EditError> {
        let text =
            self.view.widgets.get(id).and_then(|widget| widget.text.as_ref()).ok_or(OpError::NoText)?;
        let (update, splice) = text.splice(self.author, at, remove, insert);
        let op = Op::EditText { id: id.clone(), update };
        let (changes, _) = self.perform(vec![op])?;
        Ok((changes, splice))
    }

    fn queue(&mut self, ops: Vec<Op>) {
        if let [Op::EditText { id, update }] = &ops[..]
            && let Some(Change { seq, ops: last, .. }) = self.pending.back_mut()
            && *seq > self.offered
            && let [Op::EditText { id: last_id, update: gathered }] = &mut last[..]
            && last_id == id
            && gathered.as_bytes().len() + update.as_bytes().len() < MAX_GATHERED_BYTES
            && let Some(both) = gathered.merged(update)
        {
            *gathered = both;
            return;
        }
        self.pending.push_back(Change { seq: self.next_seq, base: self.revision, ops });
        self.next_seq += 1;
    }

    /// Performs what takes a step back, skipping what others have written over. Returns the step that
    /// takes this one back again.
    fn play(&mut self, step: Step) -> Result<Option<(Changes, Step)>, EditError> {
        let mut changes = Changes::default();
        let ops: Vec<Op> =
            step.ops.iter().filter(|op| !self.foreign.wrote_since(op, step.at)).cloned().collect();
        let mut splices = Vec::new();
        for (id, splice) in step.splices.iter().rev() {
            let text = self.view.widgets.get(id).and_then(|widget| widget.text.as_ref());
            if let Some((at, remove, insert)) = text.and_then(|text| text.unsplice(splice)) {
                let (more, back) = self.splice(id, at, remove, &insert)?;
                changes.merge(more);
                splices.push((id.clone(), back));
            }
        }
        let mut inverse = Vec::new();
        let mut performed = false;
        // Of a step that was a change of its own, places alone are no reason to do half of it.
        if ops.iter().any(|op| !matches!(op, Op::Place { .. })) || ops.len() == step.ops.len() {
            let possible = self.possible(&ops);
            if !possible.is_empty() {
                let (more, effect) = self.perform(possible)?;
                changes.merge(more);
                inverse = effect.inverse;
                performed = true;
            }
        }
        let something = performed || !splices.is_empty();
        Ok(something.then(|| (changes, Step::new(inverse, splices, self.foreign.now()))))
    }

    /// The ops that have an effect on the view as it is.
    fn possible(&self, ops: &[Op]) -> Vec<Op> {
        let mut view = self.view.clone();
        let mut edit = Edit::new(&mut view, self.stamp());
        ops.iter().filter(|op| edit.perform(op).is_ok()).cloned().collect()
    }

    fn keep(&mut self, outcome: Option<(Changes, Step)>, keep: fn(&mut UndoStack, Step)) -> Undone {
        match outcome {
            Some((changes, step)) => {
                keep(&mut self.undo, step);
                Undone::Done(changes)
            }
            None => Undone::Skipped,
        }
    }

    fn take(&mut self, commits: Vec<Commit>, changes: &mut Changes) -> Result<(), Lost> {
        for commit in commits {
            if commit.revision <= self.revision {
                continue;
            }
            if commit.revision != self.revision + 1 {
                return Err(Lost::Gap);
            }
            let stamp = Stamp { by: commit.by.clone(), at: commit.at, revision: commit.revision };
            for op in &commit.ops {
                self.confirmed.apply(op, &stamp);
            }
            for conflict in &commit.conflicts {
                self.confirmed.conflicts.insert(conflict.id.clone(), conflict.clone());
            }
            self.revision = commit.revision;
            let mine = self.client.as_ref() == Some(&commit.client);
            for conflict in commit.conflicts.iter().filter(|conflict| conflict.settled.is_none()) {
                let (kept, other) = (&conflict.kept.by.id, &conflict.other.by.id);
                if mine || *kept == self.user.id || *other == self.user.id {
                    let mine_shows = *kept == self.user.id && *other != self.user.id;
                    changes.notices.push(Notice::Conflict { conflict: conflict.clone(), mine_shows });
                }
            }
            if mine {
                self.acked(&commit, changes);
            } else {
                self.foreign.note(&commit.ops);
                changes.foreign.push(commit);
            }
        }
        Ok(())
    }

    /// The log has one of my changes.
    fn acked(&mut self, commit: &Commit, changes: &mut Changes) {
        self.resent_from = None;
        while self.pending.front().is_some_and(|change| change.seq <= commit.seq) {
            let Some(change) = self.pending.pop_front() else { break };
            self.sent = self.sent.saturating_sub(1);
            if change.seq != commit.seq {
                continue;
            }
            for refused in &commit.refused {
                if let Some(op) = change.ops.get(refused.index) {
                    if matches!(op, Op::EditText { .. }) {
                        self.new_author();
                    }
                    changes.notices.push(Notice::Refused { op: op.clone(), reason: refused.reason.clone() });
                }
            }
        }
    }

    /// What this tab types from now on builds on nothing that was lost: a Yjs client id whose edits
    /// have a gap would wait for it forever.
    fn new_author(&mut self) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.author = self.author.wrapping_add(ODD) & ((1 << 53) - 1);
    }

    fn number_from(&mut self, first: u64) {
        for (change, seq) in self.pending.iter_mut().zip(first..) {
            change.seq = seq;
        }
        self.next_seq = first + self.pending.len() as u64;
    }

    /// Performs the pending changes on what the log says now.
    fn rebase(&mut self, changes: &mut Changes) {
        let mut view = self.confirmed.clone();
        let stamp = self.stamp();
        for change in &self.pending {
            let mut edit = Edit::new(&mut view, stamp.clone());
            for op in &change.ops {
                // What cannot be performed here will be refused by the room, with its reason.
                let _ = edit.perform(op);
            }
            edit.finish();
        }
        differences(&self.view, &view, changes);
        self.view = view;
    }
}

/// Where to cut what is inserted, so that each piece is an op of a size that travels.
fn piece_end(text: &str) -> usize {
    let mut end = text.len().min(MAX_INSERT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

impl Changes {
    fn merge(&mut self, more: Self) {
        self.widgets.extend(more.widgets);
        self.rest |= more.rest;
        self.foreign.extend(more.foreign);
        self.notices.extend(more.notices);
    }
}

/// Notes what differs between two views. Widgets that the copies share are equal without a look.
fn differences(old: &Dashboard, new: &Dashboard, changes: &mut Changes) {
    for (id, widget) in &new.widgets {
        match old.widgets.get(id) {
            Some(before) if Arc::ptr_eq(before, widget) || before == widget => {}
            _ => {
                changes.widgets.insert(id.clone());
            }
        }
    }
    changes.widgets.extend(old.widgets.keys().filter(|id| !new.widgets.contains_key(*id)).cloned());
    changes.rest |= old.title != new.title
        || old.settings != new.settings
        || !same(&old.conflicts, &new.conflicts)
        || !old.removed.keys().eq(new.removed.keys());
}

fn same<K: Ord, V: PartialEq>(
    old: &std::collections::BTreeMap<K, Arc<V>>,
    new: &std::collections::BTreeMap<K, Arc<V>>,
) -> bool {
    old.len() == new.len()
        && old.iter().zip(new).all(|((a, x), (b, y))| a == b && (Arc::ptr_eq(x, y) || x == y))
}
