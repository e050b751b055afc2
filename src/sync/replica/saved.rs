//! Own changes that the log has: kept for a while, because a server that is restored to an earlier state
//! has them no more (S4).

use std::collections::VecDeque;

use crate::sync::protocol::{Change, Refused};

use super::Notice;
use super::queue::weight;

/// Changes that are kept: an hour or so of somebody's edits.
const MOST: usize = 500;
/// Bytes of them, far below what waits at most.
const MAX_BYTES: usize = 512 * 1024;

/// The last of them, without what was refused in them.
#[derive(Debug, Default)]
pub(super) struct Saved {
    changes: VecDeque<Change>,
    bytes: usize,
    /// The highest `seq` that was heard of as saved.
    last: u64,
}

impl Saved {
    pub(super) fn keep(&mut self, change: &Change, refused: &[Refused]) {
        self.last = self.last.max(change.seq);
        let ops = change.ops.iter().enumerate();
        let ops = ops.filter(|(index, _)| refused.iter().all(|refused| refused.index != *index));
        let ops = ops.map(|(_, op)| op.clone()).collect();
        let kept = Change { ops, ..*change };
        self.bytes += weight(&kept);
        self.changes.push_back(kept);
        while self.changes.len() > MOST || self.bytes > MAX_BYTES {
            let Some(oldest) = self.changes.pop_front() else { break };
            self.bytes -= weight(&oldest);
        }
    }

    /// What to say of a log that took the place of the one that had these, and has them up to this `seq`.
    pub(super) fn restored(&mut self, last_seq: u64) -> Notice {
        let missing = self.last.saturating_sub(last_seq);
        let mut changes = Vec::from(std::mem::take(self).changes);
        changes.retain(|change| change.seq > last_seq);
        Notice::Restored { missing, changes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{ClientId, Dashboard, Op, User};
    use crate::sync::protocol::Role;
    use crate::sync::replica::Replica;
    use crate::sync::replica::fixtures::joined;
    use crate::sync::room::{Author, Room, Verdict};

    fn author() -> Author {
        let client = ClientId::new("c1").expect("an id");
        Author { client, by: User::default(), role: Role::Editor, may_query: true }
    }

    fn join(room: &Room, replica: &mut Replica) -> Vec<Notice> {
        let joined = joined(room, &author().client);
        let taken = replica.joined(&author().client, &User::default(), joined);
        assert_eq!(taken.lost, None);
        taken.changes.notices
    }

    fn edit(replica: &mut Replica, title: &str) {
        let op = Op::SetDashboard { field: "title".to_owned(), value: title.into() };
        replica.edit(vec![op]).expect("an edit");
    }

    fn push(room: &mut Room, replica: &mut Replica) {
        for change in replica.to_push() {
            let Verdict::Committed(commit) = room.judge(&author(), &change, 1) else { panic!("{change:?}") };
            replica.commits(vec![*commit], None, None);
        }
    }

    #[test]
    fn s4_saved_edits_that_a_restored_server_lacks_go_back_to_their_author() {
        let mut room = Room::new("e1".to_owned(), Dashboard::default());
        let mut replica = Replica::new(7, Dashboard::default(), User::default());
        assert_eq!(join(&room, &mut replica), []);
        edit(&mut replica, "in the backup");
        push(&mut room, &mut replica);
        let mut backup = room.state();
        for title in ["saved", "saved too"] {
            edit(&mut replica, title);
            push(&mut room, &mut replica);
        }
        edit(&mut replica, "waits");
        backup.epoch = "e2".to_owned();
        let mut room = Room::from_state(backup);
        let notices = join(&room, &mut replica);
        let [Notice::Restored { missing: 2, changes }] = &notices[..] else { panic!("{notices:?}") };
        let titles: Vec<_> = changes.iter().map(|change| change.ops[0].clone()).collect();
        let title =
            |text: &str| Op::SetDashboard { field: "title".to_owned(), value: text.to_owned().into() };
        assert_eq!(titles, [title("saved"), title("saved too")]);
        // What waits is for the log that there is, and nothing is said a second time.
        push(&mut room, &mut replica);
        assert_eq!((&*room.dashboard().title, room.revision()), ("waits", 2));
        assert_eq!(join(&room, &mut replica), []);
    }

    #[test]
    fn s10_what_is_kept_of_saved_edits_is_bounded_and_counted() {
        let mut saved = Saved::default();
        for seq in 1..=MOST as u64 + 100 {
            let op = Op::SetDashboard { field: "title".to_owned(), value: "x".repeat(2_000).into() };
            saved.keep(&Change { seq, base: 0, ops: vec![op], age_ms: None }, &[]);
        }
        assert!(saved.bytes <= MAX_BYTES && saved.changes.len() < MOST, "{}", saved.bytes);
        let Notice::Restored { missing, changes } = saved.restored(10) else { panic!("it was restored") };
        assert_eq!(missing, MOST as u64 + 90);
        assert_eq!(changes.last().map(|change| change.seq), Some(MOST as u64 + 100));
    }
}
