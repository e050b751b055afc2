//! Changes judged by the host, what is noted of it in the ledger, and what is broken on purpose: what the host is
//! asked, or what is written, told and noted of its verdict. The host itself is never another one.

use std::sync::Arc;

use lockstep::dashboard::{Choice, Conflict, Op, WidgetId};
use lockstep::sync::conflict::MAX_OPEN_CONFLICTS;
use lockstep::sync::host::{DecodedChange, Input, LogCommit, Output};
use lockstep::sync::protocol::{Change, Code, Commit, ServerMessage};
use lockstep::sync::room::{Author, Room, RoomState, Verdict};
use serde_json::Value;

use super::session_of;
use crate::check::MadeId;
use crate::model::History;
use crate::network::ConnId;
use crate::world::{Fault, World};

/// Of a hundred changes, how many are followed by one that no client of ours makes.
const KNOCKS: u64 = 3;

/// A change that the host is asked to judge.
pub struct Judging {
    conn: ConnId,
    author: Author,
    change: Change,
    id: MadeId,
    /// True where its role decides.
    is_next: bool,
    /// The room before it, where what comes after may be another than the host's.
    before: Option<Room>,
}

impl World {
    /// Has a change judged.
    pub(super) fn judge(&mut self, conn: ConnId, change: Change, id: MadeId) {
        if !self.node.has(conn) {
            return;
        }
        self.follow_roles(&Input::Flush);
        let (session, fault) = (session_of(conn), self.fault);
        let Some(host) = &self.node.host else { return self.answer_stranger(conn) };
        let mut asked = change.clone();
        if let Some(member) = host.member(&session) {
            let (author, room) = (member.author.clone(), host.room());
            if let Some(fault) = fault {
                asked = self::asked(fault, self.ledger.history(), room, &author, &change);
            }
            let is_next = change.seq == room.last_seq(&author.client) + 1 && change.base <= room.revision();
            // A choice may type, too.
            let types = |op: &Op| matches!(op, Op::EditText { .. } | Op::SettleConflict { .. });
            let may_compact = change.ops.iter().any(types);
            let before = (fault.is_some() || may_compact).then(|| room.clone());
            self.node.judging = Some(Judging { conn, author, change, id, is_next, before });
        }
        self.node.sender = conn;
        self.give(Input::Push { session, changes: vec![DecodedChange::Change(asked)] });
    }

    /// Answers one who pushes and is not in the room.
    pub(super) fn answer_stranger(&mut self, conn: ConnId) {
        let (code, reason) = (Code::NotJoined, "Join the dashboard first.".to_owned());
        let (retry_after_ms, dashboard) = (None, None);
        self.say(conn, ServerMessage::Error { code, reason, retry_after_ms, in_bin: false, dashboard });
    }

    /// Notes in the ledger what the host made of the change that it was asked to judge.
    pub(super) fn note_judged(&mut self) {
        let Some(judging) = self.node.judging.take() else { return };
        let Judging { conn, author, change, id, is_next, before } = judging;
        let Some(host) = &self.node.host else { return };
        let noted_before = self.node.noted;
        let new = host.judged().map(|judged| &*judged.commit);
        let new: Vec<Commit> = new.filter(|commit| commit.revision > noted_before).cloned().collect();
        let (mut new, tab) = (new.into_iter(), self.conns[conn as usize].tab);
        let Some(mut commit) = new.next() else {
            if is_next {
                self.check_judged(tab, false, change.seq);
            }
            return;
        };
        let compaction = new.next();
        self.node.noted = compaction.as_ref().unwrap_or(&commit).revision;
        self.check_judged(tab, true, change.seq);
        let mut after = None;
        if let Some(before) = before {
            let falsified = self.fault.is_some_and(|fault| noted(fault, &before, &mut commit));
            let forgets = self.fault == Some(Fault::ForgetsNeededTombstones);
            if falsified {
                let body = serde_json::to_string(&commit).expect("JSON").into();
                self.node.falsified.insert(commit.revision, body);
            }
            if falsified || forgets || compaction.is_some() {
                let mut room = before;
                room.replay(&commit);
                after = Some(room);
            }
            if let Some(room) = after.as_mut().filter(|_| forgets) {
                forget_needed(room, &commit);
            }
        }
        let Some(host) = &self.node.host else { return };
        let room = after.as_ref().unwrap_or(host.room());
        self.ledger.judged(room, &author, &change, id, &commit);
        if let Some(compaction) = compaction {
            self.report.compactions += 1;
            self.ledger.compacted(host.room(), &compaction);
        }
        self.knock(&author);
    }

    /// Whether an output of the host gets lost on purpose.
    pub(super) fn is_dropped(&self, output: &Output<ConnId>) -> bool {
        match (self.fault, output) {
            (Some(Fault::SaysNothingAgain), Output::Again { .. }) => true,
            (Some(Fault::SaysNothingAgain), Output::Send { message, .. }) => {
                matches!(message, ServerMessage::Commits { .. })
            }
            (Some(Fault::SaysNothingOfFailedAppends), Output::Send { message, .. }) => {
                matches!(message, ServerMessage::Rejected { code: Code::Internal, .. })
            }
            _ => false,
        }
    }

    /// What is written in the place of commits.
    pub(super) fn falsify(&self, mut commits: Vec<LogCommit>) -> Vec<LogCommit> {
        for commit in &mut commits {
            if let Some(falsified) = self.node.falsified.get(&commit.revision) {
                commit.body = falsified.clone();
            }
        }
        if self.fault == Some(Fault::SwapsCommits)
            && let [.., one, two] = &mut commits[..]
        {
            std::mem::swap(one, two);
            std::mem::swap(&mut one.revision, &mut two.revision);
            for commit in [one, two] {
                let read: Commit = serde_json::from_str(&commit.body).expect("a commit");
                let moved = Commit { revision: commit.revision, ..read };
                commit.body = serde_json::to_string(&moved).expect("JSON").into();
            }
        }
        commits
    }

    /// What is told in the place of a commit.
    pub(super) fn told(&self, body: &str) -> Commit {
        let commit: Commit = serde_json::from_str(body).expect("a commit");
        match self.node.falsified.get(&commit.revision) {
            Some(falsified) => serde_json::from_str(falsified).expect("a commit"),
            None => commit,
        }
    }

    /// What somebody sends who follows no rule: turned down, whatever the room is.
    fn knock(&mut self, author: &Author) {
        if !self.strangers.percent(KNOCKS) {
            return;
        }
        let Some(room) = self.node.room() else { return };
        let (base, seq) = (room.revision(), room.last_seq(&author.client) + 1);
        let ahead = 1 + self.strangers.below(3);
        let title = Op::SetDashboard { field: "title".to_owned(), value: "Knock".into() };
        let change = Change { seq, base, ops: vec![title], age_ms: None };
        let (change, wanted) = match self.strangers.below(3) {
            0 => (Change { base: base + ahead, ..change }, Code::Invalid),
            1 => (Change { seq: seq + ahead, ..change }, Code::OutOfOrder),
            _ => (Change { ops: Vec::new(), ..change }, Code::Invalid),
        };
        let mut room = room.clone();
        let asked = match self.fault {
            Some(fault) => asked(fault, self.ledger.history(), &room, author, &change),
            None => change.clone(),
        };
        match room.judge(author, &asked, self.wall_ms()) {
            Verdict::Rejected { code, .. } if code == wanted => {}
            taken => self.ledger.fails(format!("S5: at {base}, {change:?} is taken: {taken:?}")),
        }
    }
}

/// What the room is asked in the place of a change.
fn asked(fault: Fault, history: History<'_>, room: &Room, author: &Author, change: &Change) -> Change {
    let (mut asked, next) = (change.clone(), room.last_seq(&author.client) + 1);
    let removes = |op: &Op| matches!(op, Op::RemoveWidget { .. });
    let typing = |op: &Op| match op {
        Op::RemoveWidget { id } => {
            let edits = history.unseen_edits(id, change.base, &author.client);
            !edits.is_empty() && edits.iter().all(|(_, write)| matches!(write.op, Op::EditText { .. }))
        }
        _ => false,
    };
    let ahead = change.base > room.revision();
    let sees_all = match fault {
        Fault::TakesBasesAhead => ahead,
        _ if ahead => false,
        Fault::ForgetsSeqs if change.seq < next => {
            asked.seq = next;
            false
        }
        Fault::TakesGaps if change.seq > next => {
            asked.seq = next;
            false
        }
        Fault::OverlooksUnseenWrites => !change.ops.iter().any(removes),
        Fault::RemovesSilently => change.ops.iter().any(removes),
        Fault::TakesTypingForNoEdit => change.ops.iter().any(typing),
        Fault::WritesOverWhereFull => room.dashboard().open_conflicts().count() >= MAX_OPEN_CONFLICTS,
        _ => false,
    };
    if sees_all {
        asked.base = room.revision();
    }
    asked
}

/// Notes something else of a verdict than what it is. False where it stays as it is.
fn noted(fault: Fault, before: &Room, commit: &mut Commit) -> bool {
    let record = |id| before.dashboard().conflicts.get(id);
    let choice = commit.ops.iter().find_map(|op| match op {
        Op::SettleConflict { conflict, choose } => Some((record(conflict)?.clone(), choose.clone())),
        _ => None,
    });
    let ops = commit.ops.len();
    match (fault, choice) {
        (Fault::ChoosesHalf, Some(_)) => {
            commit.ops.retain(|op| matches!(op, Op::SettleConflict { .. } | Op::Place { .. }));
        }
        (Fault::RestoresWithoutEdits, Some((record, Choice::Other))) if record.other.value.is_array() => {
            commit.ops.retain(|op| !matches!(op, Op::Set { .. } | Op::EditText { .. }));
        }
        (Fault::AppliesTwice, _) if commit.revision.is_multiple_of(10) => {
            let again = commit.ops.iter().find(|op| !matches!(op, Op::Place { .. })).cloned();
            commit.ops.extend(again);
        }
        (Fault::LosesOtherValues, None) => {
            let open = |record: &&mut Arc<Conflict>| {
                before.dashboard().conflicts.get(&record.id).is_some_and(|old| old.settled.is_none())
            };
            let known: Vec<_> = commit.conflicts.iter_mut().filter(open).collect();
            let any = !known.is_empty();
            known.into_iter().for_each(|record| Arc::make_mut(record).other.value = Value::Null);
            return any;
        }
        _ => {}
    }
    commit.ops.len() != ops
}

/// Drops the tombstones that open conflicts need, when a widget is removed.
fn forget_needed(room: &mut Room, commit: &Commit) {
    let removes = commit.ops.iter().any(|op| matches!(op, Op::RemoveWidget { .. }));
    if removes {
        let needed = room.dashboard().open_conflicts().filter_map(|record| record.cell.id.clone());
        let needed: Vec<WidgetId> = needed.collect();
        *room = without_tombstones(room, |id| needed.iter().any(|needed| needed.as_str() == id));
    }
}

/// A room without some of its tombstones.
pub(super) fn without_tombstones(room: &Room, goes: impl Fn(&str) -> bool) -> Room {
    let mut state = serde_json::to_value(room.state()).expect("JSON");
    if let Some(removed) = state["dashboard"]["removed"].as_object_mut() {
        removed.retain(|id, _| !goes(id));
    }
    Room::from_state(serde_json::from_value::<RoomState>(state).expect("a state"))
}
