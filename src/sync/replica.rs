//! The browser's copy of a dashboard: confirmed + pending = view (S1, S4, S7).
//!
//! Commits are applied to `confirmed` as they are. Own changes that the log does not have yet are
//! `pending`; the view is the confirmed dashboard with them performed on top, again whenever others'
//! commits come in between. Widgets are shared between the copies, so that what did not change costs
//! nothing and is known not to have changed.

mod changes;
#[cfg(test)]
mod choices;
mod compaction;
#[cfg(test)]
mod fixtures;
mod queue;
mod saved;
mod steps;
mod stored;
mod taking_back;
mod typing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::dashboard::{
    ClientId, Conflict, Dashboard, Edit, Effect, NoteText, Op, OpError, Stamp, User, WidgetId,
};

use super::protocol::{Commit, Joined, Resume, Role};
use super::undo::{Foreign, Noted, Step, StepLog, UndoStack};

use self::changes::differences;
pub use self::changes::{Changes, Landed, Notice};
pub use self::queue::MAX_PENDING;
use self::queue::Pending;
use self::saved::Saved;
pub use self::steps::{Along, Undone};
use self::stored::Numbering;
pub use self::stored::{StoredDashboard, StoredQueue};
pub use self::taking_back::{Stays, TakenBack};
use self::typing::Typing;

/// The copy of one dashboard in one tab.
#[derive(Debug)]
pub struct Replica {
    client: Option<ClientId>,
    user: User,
    role: Role,
    /// The Yjs client id of this tab's typing.
    author: u64,
    epoch: Option<String>,
    /// How many logs it has followed before this one.
    log: u32,
    revision: u64,
    /// What the server gave with that revision, to resume from it.
    token: Option<String>,
    /// False where the copy is spoilt: the next join takes a snapshot.
    resumable: bool,
    /// True while a join is on its way.
    joining: bool,
    /// True from `joined` until the connection is gone.
    live: bool,
    confirmed: Dashboard,
    view: Dashboard,
    pending: VecDeque<Pending>,
    /// What they weigh, about.
    pending_bytes: usize,
    /// How many of `pending`, from the front, are on their way.
    sent: usize,
    /// The highest `seq` that ever left this tab: up to it, the log may have a change as it was then.
    offered: u64,
    numbering: Numbering,
    /// Up to this `seq` the log has my changes. One that is pending even so was in a snapshot before its
    /// verdict was heard: it is not performed on top again, and pushed again only to be answered.
    logged: u64,
    /// The highest `seq` that this tab has heard of as in the log.
    heard: u64,
    next_seq: u64,
    /// The `expected` that an `out_of_order` was answered for; a second one is the same story.
    resent_from: Option<u64>,
    saved: Saved,
    /// Texts on which pending typing was made and that are not the confirmed ones: of the tab that left its
    /// queue, or from before a snapshot. Until the room has said what it has of it.
    texts: BTreeMap<WidgetId, NoteText>,
    undo: UndoStack,
    foreign: Foreign,
    others: StepLog,
    /// The time by the tab's own clock, as it was told last.
    now_ms: u64,
}

/// A moment of a copy: how far the person at it had seen the log then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    log: u32,
    revision: u64,
}

/// What came of something that the server said.
#[derive(Debug, Default)]
pub struct Taken {
    /// To be shown in any case.
    pub changes: Changes,
    /// Why the copy has to join again, where it has to.
    pub lost: Option<Lost>,
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
    #[error("As many edits wait for the server as can be kept. Editing goes on when it has taken them.")]
    QueueFull,
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
            log: 0,
            revision: 0,
            token: None,
            resumable: false,
            joining: false,
            live: false,
            view: dashboard.clone(),
            confirmed: dashboard,
            pending: VecDeque::new(),
            pending_bytes: 0,
            sent: 0,
            offered: 0,
            numbering: Numbering::default(),
            logged: 0,
            heard: 0,
            next_seq: 1,
            resent_from: None,
            saved: Saved::default(),
            texts: BTreeMap::new(),
            undo: UndoStack::default(),
            foreign: Foreign::default(),
            others: StepLog::default(),
            now_ms: 0,
        }
    }

    /// Says that the dashboard it began with is this revision of this log, for which the server gave that
    /// token, so that the first join can resume from it.
    pub fn at(mut self, epoch: String, revision: u64, token: Option<String>) -> Self {
        self.epoch = Some(epoch);
        self.revision = revision;
        self.token = token;
        self.resumable = true;
        self
    }

    /// Tells the time in milliseconds by the tab's own clock, which never goes back: what is edited, pushed or
    /// stored from here on is so then.
    pub fn set_time(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
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

    /// Takes another role, which the room judges by from now on. What it turned down by the one of before has been
    /// handed back to its author.
    pub fn set_role(&mut self, role: Role) {
        self.role = role;
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

    /// Begins to join. False while a join of this connection is unanswered: what is pushed on the first
    /// of two answers would be pushed again on the second, and of two copies of a change one could be
    /// turned down and the other one taken.
    #[must_use]
    pub fn begin_join(&mut self) -> bool {
        if self.joining {
            return false;
        }
        self.disconnected();
        self.joining = true;
        true
    }

    /// The room has answered a join with an error.
    pub fn join_failed(&mut self) {
        self.joining = false;
    }

    /// What a `join` says of where this copy is.
    pub fn resume(&self) -> Option<Resume> {
        let epoch = self.epoch.clone().filter(|_| self.resumable)?;
        Some(Resume { epoch, revision: self.revision, token: self.token.clone() })
    }

    /// Takes the answer to a `join` (S7). `client` is this tab's public id.
    pub fn joined(&mut self, client: &ClientId, user: &User, joined: Joined) -> Taken {
        let same_log = self.epoch.as_ref().is_none_or(|epoch| *epoch == joined.epoch);
        self.client = Some(client.clone());
        self.user = user.clone();
        self.role = joined.role;
        self.joining = false;
        self.sent = 0;
        self.resent_from = None;
        let mut changes = Changes::default();
        match (joined.snapshot, joined.commits) {
            (Some(snapshot), _) => {
                if same_log && self.epoch.is_some() {
                    self.met_meanwhile(&snapshot, &mut changes);
                }
                self.texts = self.typed_on(usize::MAX);
                self.confirmed = snapshot;
                self.foreign.forget();
                self.others.forget();
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
        self.token = joined.token;
        self.resumable = true;
        self.live = true;
        if !same_log {
            self.log += 1;
            self.made_on_another_log();
            changes.notices.push(self.saved.restored(joined.last_seq));
        }
        // Of another log it has nothing: `offered` is 0 by now.
        self.logged = joined.last_seq.min(self.offered);
        self.heard = self.logged;
        self.say_anew();
        self.drop_empty_typing(&mut changes);
        self.settle_numbers(joined.last_seq + 1);
        self.type_anew();
        self.rebase(&mut changes);
        Taken { changes, lost: None }
    }

    /// Takes commits from the socket, with either digest of the dashboard after the last of them.
    pub fn commits(&mut self, commits: Vec<Commit>, digest: Option<&str>, token: Option<String>) -> Taken {
        let mut changes = Changes::default();
        let last = commits.last().map(|commit| commit.revision);
        let mut lost = self.take(commits, &mut changes).err();
        if token.is_some() && last == Some(self.revision) {
            self.token = token;
        }
        self.rebase(&mut changes);
        if lost.is_none()
            && let Some(digest) = digest
            && last == Some(self.revision)
            && self.confirmed.full_digest() != digest
            && self.confirmed.digest() != digest
        {
            self.resumable = false;
            lost = Some(Lost::Digest);
        }
        Taken { changes, lost }
    }

    /// The connection is gone: nothing is on its way any more.
    pub fn disconnected(&mut self) {
        self.joining = false;
        self.live = false;
        self.sent = 0;
        self.resent_from = None;
    }

    /// This moment.
    pub fn seen(&self) -> Seen {
        Seen { log: self.log, revision: self.revision }
    }

    /// Performs ops as one change, on the view at once. An error means that nothing was done.
    pub fn edit(&mut self, ops: Vec<Op>) -> Result<Changes, EditError> {
        self.edit_begun(ops, self.seen())
    }

    /// As [`Replica::edit`], for what the person began to write at an earlier moment. A field that shows
    /// their draft shows nobody's newer value: what came since then, they have not seen (S5, S6).
    ///
    /// All of a change shares the moment, so what was written in one field goes in a change of its own.
    pub fn edit_begun(&mut self, ops: Vec<Op>, began: Seen) -> Result<Changes, EditError> {
        let (changes, effect) = self.perform(ops, self.base(began))?;
        self.undo.did(Step::new(effect.inverse, Vec::new(), self.foreign.now()));
        Ok(changes)
    }

    /// Replaces `remove` UTF-16 units from `at` on in a note's text. Typing within a second counts as
    /// one step of undo; `now_ms` tells. An error means that nothing was done.
    pub fn type_text(
        &mut self,
        id: &WidgetId,
        at: u32,
        remove: u32,
        insert: &str,
        now_ms: u64,
    ) -> Result<Changes, EditError> {
        self.set_time(now_ms);
        let mut view = self.view.clone();
        let mut typing = Typing::new(self, &mut view)?;
        typing.splice(id, at, remove, insert)?;
        let (queue, typed, _) = typing.finish();
        let before = self.view.text(id).cloned();
        let changes = self.enact(view, queue, self.revision)?;
        if let (Some(before), Some(after)) = (before, self.view.text(id)) {
            for (_, splices) in typed {
                self.undo.typed(id, (&before, after), &splices, self.foreign.now(), now_ms);
            }
        }
        Ok(changes)
    }

    /// The revision that somebody had seen at a moment. What another log had then is news to this one.
    fn base(&self, began: Seen) -> u64 {
        if began.log == self.log { began.revision.min(self.revision) } else { 0 }
    }

    /// The stamp of what is only pending.
    fn stamp(&self) -> Stamp {
        Stamp { by: self.user.clone(), ..Stamp::default() }
    }

    fn perform(&mut self, ops: Vec<Op>, base: u64) -> Result<(Changes, Effect), EditError> {
        self.may_edit()?;
        let mut view = self.view.clone();
        let mut edit = Edit::new(&mut view, self.stamp());
        for op in &ops {
            match edit.perform(op) {
                // Somebody removed it while this was written: the room keeps both (S6).
                Err(OpError::WidgetRemoved) if base < self.revision => {}
                done => done?,
            }
        }
        let effect = edit.finish();
        let changes = self.enact(view, vec![ops], base)?;
        Ok((changes, effect))
    }

    /// Shows a view on which changes were performed, and queues these: all of them, or where they have
    /// no room, none.
    fn enact(&mut self, view: Dashboard, queue: Vec<Vec<Op>>, base: u64) -> Result<Changes, EditError> {
        self.enact_from(view, queue.into_iter().map(|ops| (ops, base)).collect())
    }

    /// As [`Self::enact`], each change from a base of its own.
    fn enact_from(&mut self, view: Dashboard, queue: Vec<(Vec<Op>, u64)>) -> Result<Changes, EditError> {
        self.have_room(queue.len())?;
        let mut changes = Changes::default();
        differences(&self.view, &view, &mut changes);
        self.view = view;
        for (ops, base) in queue {
            self.queue(ops, base);
        }
        Ok(changes)
    }

    fn take(&mut self, commits: Vec<Commit>, changes: &mut Changes) -> Result<(), Lost> {
        for commit in commits {
            let mine = self.client.as_ref() == Some(&commit.client);
            if commit.revision <= self.revision {
                // The copy has it. What became of my change in it may be news even so.
                if mine && commit.seq <= self.logged {
                    self.acked(&commit, changes);
                }
                continue;
            }
            if commit.revision != self.revision + 1 {
                return Err(Lost::Gap);
            }
            let stamp = commit.stamp();
            let mut noted = Noted::new(&commit, mine);
            for op in &commit.ops {
                match op {
                    Op::EditText { id, compacted: Some(_), .. } => self.compacted(id, op, &stamp),
                    op => noted.apply(&mut self.confirmed, op, &stamp),
                }
            }
            if !commit.is_compaction() {
                self.others.note(noted);
            }
            for conflict in &commit.conflicts {
                self.confirmed.conflicts.insert(conflict.id.clone(), conflict.clone());
            }
            self.confirmed.keep_bounds(&commit.ops);
            self.revision = commit.revision;
            self.token = None;
            for conflict in commit.conflicts.iter().filter(|conflict| conflict.settled.is_none()) {
                self.met(conflict, mine, changes);
            }
            if mine {
                self.acked(&commit, changes);
            } else if !commit.is_compaction() {
                self.foreign.note(&commit.ops);
                changes.foreign.push(commit);
            }
        }
        Ok(())
    }

    /// Says that a value of mine met another's.
    fn met(&self, conflict: &Arc<Conflict>, my_commit: bool, changes: &mut Changes) {
        let (kept, other) = (&conflict.kept.by.id, &conflict.other.by.id);
        if my_commit || *kept == self.user.id || *other == self.user.id {
            let mine_shows = *kept == self.user.id && *other != self.user.id;
            changes.notices.push(Notice::Conflict { conflict: conflict.clone(), mine_shows });
        }
    }

    /// A snapshot tells of the conflicts that its commits would have told of.
    fn met_meanwhile(&self, snapshot: &Dashboard, changes: &mut Changes) {
        for conflict in snapshot.open_conflicts() {
            if self.confirmed.conflicts.get(&conflict.id) != Some(conflict) {
                self.met(conflict, false, changes);
            }
        }
    }

    /// Performs the pending changes on what the log says now.
    fn rebase(&mut self, changes: &mut Changes) {
        let mut view = self.confirmed.clone();
        let stamp = self.stamp();
        for Pending { change, .. } in self.pending.iter().filter(|one| one.change.seq > self.logged) {
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
