//! The own changes that wait for the log: numbered, pushed, and taken out when their verdict comes
//! (S2, S4).

use std::sync::Arc;

use crate::dashboard::size::json_bytes;
use crate::dashboard::{Conflict, Op};
use crate::sync::conflict::made_in;
use crate::sync::protocol::{Change, Code, Commit, Role};

use super::{Changes, EditError, Notice, Replica};

/// Own changes that wait for the log. At the limit editing stops; nothing is dropped.
pub const MAX_PENDING: usize = 5_000;
/// Bytes of these as they are kept on the device, where there may be no more place than that.
pub const MAX_PENDING_BYTES: usize = 5 * 1024 * 1024;
/// Bytes of the changes that one `push` carries, well below the largest frame.
pub(super) const MAX_PUSH_BYTES: usize = 128 * 1024;
/// Changes that one `push` carries: the burst that a server takes at once.
const MAX_PUSH_CHANGES: usize = 50;
/// Bytes of an update that typing is gathered into before it is sent.
const MAX_GATHERED_BYTES: usize = 8 * 1024;

/// A change that waits for the log.
#[derive(Debug)]
pub(super) struct Pending {
    /// With the age that it had at `since`, unless that is not known.
    pub(super) change: Change,
    /// A moment of the tab's own clock.
    pub(super) since: u64,
}

impl Pending {
    /// The change as it is to be pushed or stored now.
    pub(super) fn at(&self, now_ms: u64) -> Change {
        self.change.clone().aged(now_ms.saturating_sub(self.since))
    }
}

impl Replica {
    /// The changes to push now, marked as on their way. Empty where there is nothing, and until the
    /// room has answered the join.
    pub fn to_push(&mut self) -> Vec<Change> {
        if !self.live || !self.numbering.may_push() {
            return Vec::new();
        }
        let mut bytes = 0;
        let mut push = Vec::new();
        for pending in self.pending.iter().skip(self.sent).take(MAX_PUSH_CHANGES) {
            bytes += weight(&pending.change);
            if bytes > MAX_PUSH_BYTES && !push.is_empty() {
                break;
            }
            self.offered = self.offered.max(pending.change.seq);
            push.push(pending.at(self.now_ms));
        }
        self.sent += push.len();
        push
    }

    /// Takes a rejection. `rate_limited` and `internal` keep the change, to be pushed again when the
    /// server said; what else cannot be taken as it is, is set aside and handed back in a notice.
    pub fn rejected(&mut self, seq: u64, code: Code, reason: String, expected: u64) -> Changes {
        let mut changes = Changes::default();
        match code {
            // What this tab has heard of as saved since, the room did not expect any more when this arrived.
            Code::OutOfOrder if expected <= self.heard => {}
            Code::OutOfOrder => {
                if self.resent_from != Some(expected) {
                    self.resent_from = Some(expected);
                    self.number_from(expected);
                    self.sent = 0;
                }
            }
            Code::RateLimited | Code::Internal | Code::NotJoined => {
                self.resent_from = Some(expected);
                self.sent = 0;
            }
            _ => {
                let turned_down = self.pending.iter().position(|one| one.change.seq == seq);
                // What has this number now and was not pushed under it is another: one that is on its way
                // again is answered again.
                if let Some(index) = turned_down.filter(|index| *index < self.sent) {
                    // Who may not edit may not make the later ones either.
                    let last = if code == Code::Forbidden { self.pending.len() } else { index + 1 };
                    for change in (index..last).filter_map(|_| self.take_out(index)).collect::<Vec<_>>() {
                        let reason = reason.clone();
                        changes.landed.returned += 1;
                        changes.notices.push(Notice::SetAside { change, code, reason });
                    }
                    self.new_author();
                    self.number_from(expected);
                    // The next change gets the number of one that the device has as waiting still.
                    self.numbering.changed();
                    self.sent = 0;
                    // Those that were on their way behind it come back as out of order: an old story.
                    self.resent_from = Some(expected);
                    self.rebase(&mut changes);
                }
            }
        }
        changes
    }

    /// How much of the room for own changes is taken, in percent.
    pub fn fullness(&self) -> usize {
        (self.pending.len() * 100 / MAX_PENDING).max(self.pending_bytes * 100 / MAX_PENDING_BYTES)
    }

    pub(super) fn may_edit(&self) -> Result<(), EditError> {
        let fits = self.pending.len() < MAX_PENDING && self.pending_bytes < MAX_PENDING_BYTES;
        match (self.role, fits) {
            (Role::Viewer, _) => Err(EditError::ReadOnly),
            (_, false) => Err(EditError::QueueFull),
            _ => Ok(()),
        }
    }

    /// Whether so many changes fit as well. How large they are matters only before the first of them: no
    /// edit is large beside the queue.
    pub(super) fn have_room(&self, changes: usize) -> Result<(), EditError> {
        if self.pending.len() + changes <= MAX_PENDING { Ok(()) } else { Err(EditError::QueueFull) }
    }

    pub(super) fn queue(&mut self, ops: Vec<Op>, base: u64) {
        // What is gathered is as old as the first of it.
        if let Some(Pending { change: Change { seq, ops: last, .. }, .. }) = self.pending.back_mut()
            && *seq > self.offered.max(self.logged)
            && let Some(bytes) = gather(last, &ops)
        {
            self.pending_bytes += bytes;
            return;
        }
        let change = Change { seq: self.next_seq, base, ops, age_ms: Some(0) };
        self.pending_bytes += weight(&change);
        self.pending.push_back(Pending { change, since: self.now_ms });
        self.next_seq += 1;
    }

    /// Takes the answer to a change that was pushed again, whose commit the log no longer keeps: it has
    /// all of mine up to this `seq`, and what became of them cannot be told any more.
    pub fn forgotten(&mut self, seq: u64) -> Changes {
        let mut changes = Changes::default();
        // What has such a number now and was not pushed under it is another.
        let first_known = |replica: &Self| {
            replica.pending.iter().enumerate().position(|(index, one)| {
                one.change.seq <= seq && (one.change.seq <= replica.logged || index < replica.sent)
            })
        };
        while let Some(change) = first_known(self).and_then(|index| self.take_out(index)) {
            // It may be in no text here.
            self.new_author();
            changes.landed.returned += 1;
            changes.notices.push(Notice::Unknown { change });
        }
        changes
    }

    /// The log has one of my changes.
    pub(super) fn acked(&mut self, commit: &Commit, changes: &mut Changes) {
        self.resent_from = None;
        self.heard = self.heard.max(commit.seq.min(self.offered));
        let Some(change) = self
            .pending
            .iter()
            .position(|one| one.change.seq == commit.seq && commit.seq <= self.offered)
            .and_then(|index| self.take_out(index))
        else {
            return;
        };
        self.saved.keep(&change, &commit.refused);
        let met = |conflict: &Arc<Conflict>| {
            let own = Some(&commit.client);
            let settled = conflict.settled.is_some();
            // What this commit wrote over in passing, others have met.
            !settled && (made_in(&conflict.id, commit.revision) || conflict.other.client.as_ref() == own)
        };
        // Typing that has become none on its way was refused for that, and nothing is missing of it.
        let refused = || {
            let ops =
                commit.refused.iter().filter_map(|refused| Some((refused, change.ops.get(refused.index)?)));
            ops.filter(|(_, op)| !op.is_empty_typing())
        };
        match (refused().next().is_none(), commit.conflicts.iter().any(met)) {
            (false, _) => changes.landed.returned += 1,
            (_, true) => changes.landed.met += 1,
            _ => changes.landed.saved += 1,
        }
        // It was refused, or waits in a record: what is typed now must not pass for it.
        let typed_elsewhere = |op: &Op| {
            let Op::EditText { id, .. } = op else { return false };
            !commit.ops.iter().any(|done| matches!(done, Op::EditText { id: of, .. } if of == id))
        };
        if change.ops.iter().any(typed_elsewhere) {
            self.new_author();
        }
        for (refused, op) in refused() {
            changes.notices.push(Notice::Refused { op: op.clone(), reason: refused.reason.clone() });
        }
    }

    pub(super) fn take_out(&mut self, index: usize) -> Option<Change> {
        if index < self.sent {
            self.sent -= 1;
        }
        let change = self.pending.remove(index)?.change;
        let rest = self.pending_bytes.saturating_sub(weight(&change));
        // What was gathered weighs less than its parts did.
        self.pending_bytes = if self.pending.is_empty() { 0 } else { rest };
        Some(change)
    }

    /// Numbers what the log does not have, from `first` on.
    pub(super) fn number_from(&mut self, first: u64) {
        let logged = self.logged;
        self.next_seq = first;
        let unlogged = self.pending.iter_mut().map(|one| &mut one.change);
        for change in unlogged.filter(|change| change.seq > logged) {
            if change.seq != self.next_seq {
                change.seq = self.next_seq;
                self.numbering.changed();
            }
            self.next_seq += 1;
        }
    }

    /// Typing whose verdict is not known is in no text here: what is typed now must not pass for it.
    pub(super) fn type_anew(&mut self) {
        let typed = |change: &Change| change.ops.iter().any(|op| matches!(op, Op::EditText { .. }));
        if self.pending.iter().any(|one| one.change.seq <= self.logged && typed(&one.change)) {
            self.new_author();
        }
    }

    /// What this tab types from now on builds on nothing that was lost: a Yjs client id whose edits
    /// have a gap would wait for it forever.
    pub(super) fn new_author(&mut self) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.author = self.author.wrapping_add(ODD) & ((1 << 53) - 1);
    }
}

/// Adds typing to the typing before it, where both are in one note and small. Returns how many bytes
/// that added.
pub(super) fn gather(last: &mut [Op], next: &[Op]) -> Option<usize> {
    if let [Op::EditText { id, update, .. }] = next
        && let [Op::EditText { id: last_id, update: gathered, .. }] = last
        && last_id == id
        && gathered.as_bytes().len() + update.as_bytes().len() < MAX_GATHERED_BYTES
    {
        *gathered = gathered.merged(update)?;
        return Some(update.as_bytes().len());
    }
    None
}

/// Bytes of a change as it is pushed and kept.
pub(super) fn weight(change: &Change) -> usize {
    json_bytes(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{ClientId, Dashboard, Frame, Kind, User, Widget, WidgetId};
    use crate::sync::replica::{StoredQueue, fixtures};
    use crate::sync::room::{Author, Room, Verdict};

    fn title(text: &str) -> Vec<Op> {
        vec![Op::SetDashboard { field: "title".to_owned(), value: text.into() }]
    }

    fn author(role: Role) -> Author {
        Author { client: ClientId::new("c1").expect("an id"), by: User::default(), role, may_query: true }
    }

    fn joined(room: &Room) -> Replica {
        let mut replica = Replica::new(7, Dashboard::default(), User::default());
        join(room, &mut replica);
        replica
    }

    fn join(room: &Room, replica: &mut Replica) {
        let client = author(Role::Editor).client;
        replica.joined(&client, &User::default(), fixtures::joined(room, &client));
    }

    /// What the room answers to a push.
    fn judged(room: &mut Room, role: Role, push: &[Change]) -> Vec<(u64, Verdict)> {
        push.iter().map(|change| (change.seq, room.judge(&author(role), change, 1))).collect()
    }

    /// Takes answers; returns the titles that were set aside.
    fn take(replica: &mut Replica, answers: Vec<(u64, Verdict)>) -> Vec<String> {
        let mut aside = Vec::new();
        for (seq, answer) in answers {
            let changes = match answer {
                Verdict::Committed(commit) => replica.commits(vec![*commit], None, None).changes,
                Verdict::Rejected { code, reason, expected } => replica.rejected(seq, code, reason, expected),
                Verdict::Again => continue,
            };
            for notice in changes.notices {
                let Notice::SetAside { change, .. } = notice else { panic!("{notice:?}") };
                let [Op::SetDashboard { value, .. }] = &change.ops[..] else { panic!("{change:?}") };
                aside.push(value.as_str().expect("a title").to_owned());
            }
        }
        aside
    }

    #[test]
    fn s4_whose_role_went_and_came_back_has_each_edit_in_the_log_or_in_their_hands() {
        let mut room = Room::new("e1".to_owned(), Dashboard::default());
        let mut replica = joined(&room);
        for text in ["A", "B", "C"] {
            replica.edit(title(text)).expect("an edit");
        }
        let forbidden = judged(&mut room, Role::Viewer, &replica.to_push());
        let mut forbidden = forbidden.into_iter();
        let mut aside = take(&mut replica, forbidden.by_ref().take(1).collect());
        // The role is back before the other answers arrive.
        replica.edit(title("D")).expect("an edit");
        let taken = judged(&mut room, Role::Editor, &replica.to_push());
        aside.extend(take(&mut replica, forbidden.collect()));
        aside.extend(take(&mut replica, taken));
        let rest = judged(&mut room, Role::Editor, &replica.to_push());
        aside.extend(take(&mut replica, rest));
        assert_eq!(aside, ["A", "B", "C"]);
        assert_eq!((room.dashboard().title.as_str(), room.revision()), ("D", 1));
        assert_eq!(replica.pending(), 0);
    }

    #[test]
    fn s4_the_number_of_a_change_that_was_set_aside_is_used_once_the_device_knows() {
        let room = Room::new("e1".to_owned(), Dashboard::default());
        let mut replica = joined(&room).with_queue(StoredQueue::default());
        replica.disconnected();
        join(&room, &mut replica);
        replica.edit(title("A")).expect("an edit");
        replica.stored(replica.numbering());
        assert_eq!(replica.to_push().len(), 1);
        assert_eq!(replica.rejected(1, Code::Invalid, String::new(), 1).notices.len(), 1);
        replica.edit(title("B")).expect("an edit");
        assert_eq!(replica.to_push(), [], "on the device the number is that of A");
        replica.stored(replica.numbering());
        assert_eq!(replica.to_push().len(), 1);
    }

    #[test]
    fn a_change_says_how_long_it_has_waited() {
        let room = Room::new("e1".to_owned(), Dashboard::default());
        let mut replica = joined(&room);
        replica.set_time(1_000);
        replica.edit(title("A")).expect("an edit");
        replica.set_time(23_000);
        replica.edit(title("B")).expect("an edit");
        let ages = |push: Vec<Change>| push.into_iter().map(|change| change.age_ms).collect::<Vec<_>>();
        assert_eq!(ages(replica.to_push()), [Some(22_000), Some(0)]);
        // Pushed again they are older, and a clock that jumps back makes nothing younger.
        join(&room, &mut replica);
        replica.set_time(30_000);
        replica.set_time(2_000);
        assert_eq!(ages(replica.to_push()), [Some(29_000), Some(7_000)]);
    }

    #[test]
    fn typing_that_is_gathered_is_as_old_as_the_first_of_it() {
        let id = WidgetId::new("n1").expect("an id");
        let mut dashboard = Dashboard::default();
        dashboard.widgets.insert(id.clone(), Widget::new(Kind::Note, "Note", Frame::default()).into());
        let room = Room::new("e1".to_owned(), dashboard);
        let mut replica = joined(&room);
        replica.type_text(&id, 0, 0, "first", 1_000).expect("typed");
        replica.type_text(&id, 5, 0, " and last", 9_000).expect("typed");
        replica.set_time(10_000);
        let push = replica.to_push();
        assert_eq!((push.len(), push[0].age_ms), (1, Some(9_000)));
    }

    #[test]
    fn s4_a_rejection_that_arrives_after_the_commit_moves_no_numbers() {
        let mut room = Room::new("e1".to_owned(), Dashboard::default());
        let mut replica = joined(&room);
        for text in ["A", "B"] {
            replica.edit(title(text)).expect("an edit");
        }
        let push = replica.to_push();
        // The second overtook the first, which comes again with it.
        let early = judged(&mut room, Role::Editor, &push[1..]);
        let both = judged(&mut room, Role::Editor, &push);
        assert_eq!(take(&mut replica, both), [""; 0]);
        assert_eq!(take(&mut replica, early), [""; 0]);
        replica.edit(title("C")).expect("an edit");
        let next = judged(&mut room, Role::Editor, &replica.to_push());
        assert!(matches!(next[..], [(3, Verdict::Committed(_))]), "{next:?}");
    }

    #[test]
    fn s4_a_change_whose_commit_the_log_no_longer_keeps_goes_back_to_its_author() {
        let room = Room::new("e1".to_owned(), Dashboard::default());
        let mut replica = joined(&room);
        for text in ["A", "B"] {
            replica.edit(title(text)).expect("an edit");
        }
        assert_eq!(replica.to_push().len(), 2);
        replica.edit(title("C")).expect("an edit");
        let told = replica.forgotten(3).notices;
        assert!(matches!(told[..], [Notice::Unknown { .. }, Notice::Unknown { .. }]), "{told:?}");
        assert_eq!(replica.pending(), 1, "the third was not on its way");
    }

    #[test]
    fn s4_nothing_is_pushed_on_an_answer_while_another_join_is_unanswered() {
        let room = Room::new("e1".to_owned(), Dashboard::default());
        let mut replica = joined(&room);
        replica.edit(title("A")).expect("an edit");
        assert!(replica.begin_join());
        assert!(!replica.begin_join(), "its answer would be taken for that to the second");
        assert_eq!(replica.to_push(), []);
        replica.disconnected();
        assert!(replica.begin_join(), "on another connection");
        replica.join_failed();
        assert!(replica.begin_join(), "after the answer");
    }

    #[test]
    fn s4_a_late_rejection_takes_no_change_that_was_not_pushed() {
        let room = Room::new("e1".to_owned(), Dashboard::default());
        let mut replica = joined(&room);
        replica.edit(title("A")).expect("an edit");
        assert_eq!(replica.to_push().len(), 1);
        let reject = |replica: &mut Replica| replica.rejected(1, Code::Invalid, String::new(), 1);
        assert_eq!(reject(&mut replica).notices.len(), 1);
        replica.edit(title("B")).expect("an edit");
        assert_eq!(reject(&mut replica).notices.len(), 0);
        assert_eq!(replica.to_push().len(), 1);
    }
}
