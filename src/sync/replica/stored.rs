//! State of a tab that its device keeps, so that closing it loses no edit (S4) and opening it again makes
//! none twice (S2).
//!
//! The IO around a replica writes [`Replica::stored_queue`] after each edit, and
//! [`Replica::stored_dashboard`] now and then. The two need not be of one moment. A queue belongs to one
//! `ClientId`, and one tab at a time.
//!
//! A change may leave for the server before the device has it; that is what makes an edit quick. But a
//! number that changed must be on the device before it is used: after a crash, the room's `last_seq` is
//! all that says which changes the log has, and it counts in the numbers under which they were pushed.
//! So `to_push` holds back until [`Replica::stored`] tells of the new numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dashboard::{Dashboard, NoteText, WidgetId};
use crate::sync::protocol::Change;

use super::queue::{Pending, weight};
use super::saved::Saved;
use super::{Changes, Replica};

/// Bytes of the state of a note that is kept beside what was typed in it, with each edit: a long one that was
/// compacted not long ago.
const MAX_STORED_TEXT: usize = 64 * 1024;

/// A dashboard as the log had it at a revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredDashboard {
    pub epoch: String,
    pub revision: u64,
    /// What the server gave with that revision, to resume from it.
    #[serde(default)]
    pub token: Option<String>,
    pub dashboard: Dashboard,
}

/// A client's changes that the log did not have yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredQueue {
    /// The log that they were made for; `None` where the tab did not know one yet.
    pub epoch: Option<String>,
    pub changes: Vec<Change>,
    /// The number of the next change.
    pub next_seq: u64,
    /// Up to this `seq`, the log may have them under these numbers. Later ones it has not.
    pub offered: u64,
    /// The notes that they type in, as the log had them: after a compaction only these tell what was meant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<WidgetId, NoteText>,
}

/// The queue of a client that never made a change.
impl Default for StoredQueue {
    fn default() -> Self {
        Self { epoch: None, changes: Vec::new(), next_seq: 1, offered: 0, texts: BTreeMap::new() }
    }
}

impl StoredQueue {
    /// The queue when it has lain on the device for so long: a tab's own clock begins anew with each load of the
    /// page, and cannot tell.
    pub fn aged(self, ms: u64) -> Self {
        let changes = self.changes.into_iter().map(|change| change.aged(ms)).collect();
        Self { changes, ..self }
    }
}

/// Whether the numbers of the pending changes may be used.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// Counts how often numbers were changed.
    now: u64,
    /// The highest of these that the device has.
    stored: u64,
    /// True where a device keeps the queue at all.
    kept: bool,
    /// True where an earlier load of the page may have used the numbers of what is made now: until the
    /// room has said where they begin.
    guessed: bool,
}

impl Numbering {
    pub(super) fn may_push(&self) -> bool {
        !self.kept || self.stored >= self.now
    }

    pub(super) fn changed(&mut self) {
        self.now += 1;
    }
}

impl Replica {
    /// Takes up what an earlier load of the page left on the device, or the empty queue where there is
    /// none: in both cases `to_push` waits for [`Replica::stored`] where it has to.
    pub fn with_queue(mut self, queue: StoredQueue) -> Self {
        self.take_up(queue);
        self
    }

    /// Goes on as another client, whose tab is gone, with the changes that it left. This copy has none of
    /// its own: the log has them all. The next join is that client's.
    pub fn take_over(&mut self, queue: StoredQueue) -> Changes {
        self.disconnected();
        self.client = None;
        self.logged = 0;
        self.saved = Saved::default();
        self.take_up(queue)
    }

    fn take_up(&mut self, queue: StoredQueue) -> Changes {
        let StoredQueue { epoch, changes, next_seq, offered, texts } = queue;
        self.texts = texts;
        self.pending_bytes = changes.iter().map(weight).sum();
        let since = self.now_ms;
        self.pending = changes.into_iter().map(|change| Pending { change, since }).collect();
        self.next_seq = next_seq;
        self.offered = offered;
        self.numbering = Numbering { kept: true, guessed: true, ..Numbering::default() };
        if epoch.is_some() && epoch != self.epoch {
            // Which of the two logs is the newer one the room will say. It is asked for a snapshot, and
            // the numbers count in the log of the queue.
            self.epoch = epoch;
            self.resumable = false;
            // Nobody here has seen a revision of that one.
            self.revision = 0;
            self.log += 1;
        }
        let mut shown = Changes::default();
        self.rebase(&mut shown);
        shown
    }

    /// What is to be kept of the log; `None` while it is not known to be right.
    pub fn stored_dashboard(&self) -> Option<StoredDashboard> {
        let epoch = self.epoch.clone().filter(|_| self.resumable)?;
        let (revision, token, dashboard) = (self.revision, self.token.clone(), self.confirmed.clone());
        Some(StoredDashboard { epoch, revision, token, dashboard })
    }

    /// What is to be kept of the own changes.
    pub fn stored_queue(&self) -> StoredQueue {
        let offered = if self.numbering.guessed { self.offered } else { self.next_seq - 1 };
        let changes = self.pending.iter().map(|one| one.at(self.now_ms)).collect();
        let (epoch, next_seq, texts) = (self.epoch.clone(), self.next_seq, self.typed_on(MAX_STORED_TEXT));
        StoredQueue { epoch, changes, next_seq, offered, texts }
    }

    /// Which numbering [`Replica::stored_queue`] has now.
    pub fn numbering(&self) -> u64 {
        self.numbering.now
    }

    /// True where nothing is pushed until the device has the queue as it is now.
    pub fn waits_for_device(&self) -> bool {
        !self.numbering.may_push()
    }

    /// The device has a queue of this numbering, or gave up keeping one: its changes may be pushed.
    pub fn stored(&mut self, numbering: u64) {
        self.numbering.stored = self.numbering.stored.max(numbering);
    }

    /// The room has said from where on this client's numbers are free.
    pub(super) fn settle_numbers(&mut self, first: u64) {
        // What was made before that is on the device as never pushed; from now on it may be.
        let guessed = std::mem::take(&mut self.numbering.guessed);
        if guessed && self.pending.iter().any(|one| one.change.seq > self.offered) {
            self.numbering.changed();
        }
        self.number_from(first);
    }

    /// The pending changes are for another log than they were made on: it has none of them, and every
    /// value in it may be news to them. Text that they build on may be gone.
    pub(super) fn made_on_another_log(&mut self) {
        self.offered = 0;
        self.pending.iter_mut().for_each(|one| one.change.base = 0);
        // The device has them as changes of the old log.
        self.numbering.changed();
        self.new_author();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{ClientId, Frame, Kind, Op, User, Widget, WidgetId};
    use crate::sync::protocol::{MAX_AGE_MS, Role};
    use crate::sync::replica::EditError;
    use crate::sync::replica::fixtures::joined;
    use crate::sync::room::{Author, Room, Verdict};

    fn title(text: &str) -> Vec<Op> {
        vec![Op::SetDashboard { field: "title".to_owned(), value: text.into() }]
    }

    struct World {
        room: Room,
        author: Author,
    }

    impl World {
        fn new() -> Self {
            let client = ClientId::new("c1").expect("an id");
            let author = Author { client, by: User::default(), role: Role::Editor, may_query: true };
            Self { room: Room::new("e1".to_owned(), Dashboard::new("Start")), author }
        }

        /// A new load of the page, with what the device has.
        fn load(&self, queue: StoredQueue) -> Replica {
            Replica::new(7, Dashboard::default(), User::default()).with_queue(queue)
        }

        fn join(&self, replica: &mut Replica) {
            let joined = joined(&self.room, &self.author.client);
            assert_eq!(replica.joined(&self.author.client, &User::default(), joined).lost, None);
        }

        /// What a replica pushes reaches the log, and nobody hears of it. How much was new there.
        fn take(&mut self, replica: &mut Replica) -> usize {
            let push = replica.to_push();
            let new = push.iter().filter(|change| match self.room.judge(&self.author, change, 1) {
                Verdict::Committed(_) => true,
                Verdict::Again => false,
                rejected => panic!("{rejected:?}"),
            });
            new.count()
        }
    }

    #[test]
    fn s4_a_queue_survives_the_tab() {
        let world = World::new();
        let mut replica = world.load(StoredQueue::default());
        replica.edit(title("A")).expect("an edit");
        let text = serde_json::to_string(&replica.stored_queue()).expect("JSON");
        let again = world.load(serde_json::from_str(&text).expect("a queue"));
        assert_eq!(again.view().title, "A");
        assert_eq!(again.pending(), 1);
    }

    #[test]
    fn what_lay_on_the_device_is_as_old_as_it_was_and_the_time_that_it_lay() {
        let world = World::new();
        let push = |queue: StoredQueue| {
            let mut again = world.load(queue);
            world.join(&mut again);
            again.stored(again.numbering());
            // The clock of another load of the page.
            again.set_time(700);
            again.to_push()[0].age_ms
        };
        let mut replica = world.load(StoredQueue::default());
        replica.set_time(1_000);
        replica.edit(title("A")).expect("an edit");
        replica.set_time(5_000);
        let text = serde_json::to_string(&replica.stored_queue()).expect("JSON");
        let kept = || serde_json::from_str::<StoredQueue>(&text).expect("a queue");
        assert_eq!(push(kept().aged(60_000)), Some(64_700));
        assert_eq!(push(kept().aged(0)), Some(4_700), "the clock of the device went back");
        assert_eq!(push(kept().aged(u64::MAX)), Some(MAX_AGE_MS));
        // What an older build stored did not say.
        let old =
            serde_json::from_str::<StoredQueue>(&text.replace(",\"age_ms\":4000", "")).expect("a queue");
        assert_eq!(push(old.aged(60_000)), None);
    }

    #[test]
    fn s2_what_was_pushed_before_the_tab_died_is_not_taken_again() {
        let mut world = World::new();
        let mut replica = world.load(StoredQueue::default());
        world.join(&mut replica);
        replica.edit(title("A")).expect("an edit");
        let kept = replica.stored_queue();
        assert_eq!(world.take(&mut replica), 1);
        let mut again = world.load(kept);
        world.join(&mut again);
        again.stored(again.numbering());
        assert_eq!(world.take(&mut again), 0);
        assert_eq!(again.view(), again.confirmed(), "nor performed again here");
    }

    #[test]
    fn s4_an_edit_after_a_crash_is_not_taken_for_one_that_was_pushed_and_never_kept() {
        let mut world = World::new();
        let mut replica = world.load(StoredQueue::default());
        world.join(&mut replica);
        let kept = replica.stored_queue();
        replica.edit(title("pushed, not kept")).expect("an edit");
        assert_eq!(world.take(&mut replica), 1);
        // The second load makes an edit, and is closed before it could join.
        let mut second = world.load(kept);
        second.edit(title("B")).expect("an edit");
        let mut third = world.load(second.stored_queue());
        world.join(&mut third);
        third.stored(third.numbering());
        assert_eq!(world.take(&mut third), 1);
        assert_eq!(world.room.dashboard().title, "B");
    }

    #[test]
    fn s2_new_numbers_are_on_the_device_before_they_are_used() {
        let mut world = World::new();
        let mut replica = world.load(StoredQueue::default());
        replica.edit(title("A")).expect("an edit");
        let kept = replica.stored_queue();
        world.join(&mut replica);
        assert_eq!(world.take(&mut replica), 0, "its number was a guess");
        // A crash now: the device still has it as never pushed, and it was not.
        let mut again = world.load(kept);
        world.join(&mut again);
        let kept = again.stored_queue();
        again.stored(again.numbering());
        assert_eq!(world.take(&mut again), 1);
        // A crash now: the device has it as one that may be in the log, and it is.
        let mut third = world.load(kept);
        world.join(&mut third);
        third.stored(third.numbering());
        assert_eq!(world.take(&mut third), 0);
        assert_eq!(world.room.revision(), 1);
    }

    #[test]
    fn s7_a_queue_for_another_log_is_kept_and_knows_nothing_of_it() {
        let world = World::new();
        let mut replica = world.load(StoredQueue::default());
        world.join(&mut replica);
        replica.edit(title("A")).expect("an edit");
        let queue = StoredQueue { epoch: Some("e0".to_owned()), ..replica.stored_queue() };
        let changes = vec![Change { base: 5, ..queue.changes[0].clone() }];
        let page = Replica::new(8, Dashboard::new("Page"), User::default()).at("e1".to_owned(), 0, None);
        let mut again = page.with_queue(StoredQueue { changes, ..queue });
        world.join(&mut again);
        again.stored(again.numbering());
        assert_eq!(again.to_push()[0].base, 0);
    }

    #[test]
    fn s2_a_queue_of_a_newer_log_than_the_dashboard_is_not_taken_twice() {
        let mut world = World::new();
        let mut replica = world.load(StoredQueue::default());
        world.join(&mut replica);
        replica.edit(title("A")).expect("an edit");
        assert_eq!(world.take(&mut replica), 1);
        let old = Replica::new(8, Dashboard::new("Old"), User::default()).at("e0".to_owned(), 3, None);
        let mut again = old.with_queue(StoredQueue { offered: 1, ..replica.stored_queue() });
        assert_eq!(again.resume(), None);
        world.join(&mut again);
        again.stored(again.numbering());
        assert_eq!(world.take(&mut again), 0);
    }

    #[test]
    fn s5_an_edit_on_the_dashboard_of_an_older_log_has_seen_nothing_of_the_newer_one() {
        let world = World::new();
        let mut replica = world.load(StoredQueue::default());
        world.join(&mut replica);
        let old = Replica::new(8, Dashboard::new("Old"), User::default()).at("e0".to_owned(), 3, None);
        let mut again = old.with_queue(replica.stored_queue());
        again.edit(title("A")).expect("an edit");
        world.join(&mut again);
        again.stored(again.numbering());
        assert_eq!(again.to_push().first().map(|change| change.base), Some(0));
    }

    #[test]
    fn s2_that_the_log_is_another_is_on_the_device_before_anything_is_pushed_to_it() {
        let mut world = World::new();
        let mut replica = world.load(StoredQueue::default());
        world.join(&mut replica);
        replica.edit(title("A")).expect("an edit");
        world.room = Room::new("e2".to_owned(), Dashboard::new("Start"));
        world.join(&mut replica);
        assert_eq!(world.take(&mut replica), 0);
        replica.stored(replica.numbering());
        assert_eq!(replica.stored_queue().epoch.as_deref(), Some("e2"));
        assert_eq!(world.take(&mut replica), 1);
    }

    #[test]
    fn s2_a_copy_takes_over_the_queue_of_a_tab_that_is_gone() {
        let mut world = World::new();
        let mut gone = world.load(StoredQueue::default());
        world.join(&mut gone);
        gone.edit(title("A")).expect("an edit");
        assert_eq!(world.take(&mut gone), 1);
        gone.edit(vec![Op::SetDashboard { field: "conflicts".to_owned(), value: "ask".into() }])
            .expect("an edit");
        let left = gone.stored_queue();
        let mut heir = world.load(StoredQueue::default());
        let shown = heir.take_over(left);
        assert!(shown.rest, "what was left shows at once");
        assert_eq!(heir.view().title, "A");
        assert!(heir.to_push().is_empty(), "until it has joined as that client");
        world.join(&mut heir);
        heir.stored(heir.numbering());
        let again: Vec<u64> = heir.to_push().iter().map(|change| change.seq).collect();
        assert_eq!(again, [1, 2], "the first is pushed again to be answered");
    }

    #[test]
    fn s10_a_queue_is_bounded_in_bytes_as_it_is_kept() {
        let world = World::new();
        let mut replica = world.load(StoredQueue::default());
        let mut made = 0;
        let refused = loop {
            let id = WidgetId::new(format!("w{made}")).expect("an id");
            let frame = Frame { x: 0, y: 0, w: 4, h: 4 };
            let note = Box::new(Widget::new(Kind::Note, "Long", frame));
            let added = replica.edit(vec![Op::AddWidget { id: id.clone(), widget: note }]);
            let typed = added.and_then(|_| replica.type_text(&id, 0, 0, &"x".repeat(200_000), 0));
            made += 1;
            if let Err(error) = typed {
                break error;
            }
        };
        assert_eq!(refused, EditError::QueueFull);
        assert!(replica.fullness() >= 100 && made < 50, "{made}");
        let again = world.load(replica.stored_queue());
        assert_eq!(again.pending(), replica.pending());
        assert!(again.fullness() >= 99, "{}", again.fullness());
    }

    #[test]
    fn what_is_kept_of_the_log_can_be_resumed_from() {
        let world = World::new();
        let mut replica = world.load(StoredQueue::default());
        assert_eq!(replica.stored_dashboard(), None);
        world.join(&mut replica);
        let StoredDashboard { epoch, revision, token, dashboard } =
            replica.stored_dashboard().expect("joined");
        let again = Replica::new(8, dashboard, User::default()).at(epoch, revision, token);
        assert_eq!(again.resume(), replica.resume());
        assert_eq!(again.view().title, "Start");
    }
}
