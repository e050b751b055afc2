//! Compactions of notes as a tab meets them: what waits for the log, and what takes own steps back, was made on
//! the text before.

use std::collections::BTreeMap;

use crate::dashboard::text::Update;
use crate::dashboard::{NoteText, Op, Stamp, WidgetId};

use super::queue::{Pending, weight};
use super::{Changes, Replica};

impl Replica {
    /// Performs a compaction, and says anew what builds on the text before it: own typing that waits, and what
    /// takes own steps back.
    pub(super) fn compacted(&mut self, id: &WidgetId, op: &Op, stamp: &Stamp) {
        self.undo.seal(id);
        let generation = self.confirmed.text(id).and_then(NoteText::generation);
        self.confirmed.apply(op, stamp);
        let Some(text) = self.confirmed.text(id) else { return };
        self.undo.compacted(id, text);
        self.others.compacted(id, text);
        if self.texts.get(id).is_some_and(|typed_on| typed_on.generation() != generation) {
            // What waits was typed on another text still, from which it is said anew once.
            return;
        }
        self.texts.remove(id);
        let mut text = text.clone();
        let logged = self.logged;
        let mut changed = false;
        for change in
            self.pending.iter_mut().map(|pending| &mut pending.change).filter(|change| change.seq > logged)
        {
            for op in &mut change.ops {
                if let Op::EditText { id: note, update, .. } = op
                    && note == id
                    && let Ok((after, rebased)) = text.take(update)
                {
                    changed |= *update != rebased;
                    (text, *update) = (after, rebased);
                }
            }
        }
        if changed {
            // What the device has, it could not say anew after the page is gone.
            self.numbering.changed();
        }
    }

    /// The notes in which pending typing is, each as it was when it was typed there; but for those that are
    /// larger.
    pub(super) fn typed_on(&self, most_bytes: usize) -> BTreeMap<WidgetId, NoteText> {
        let ops = self.pending.iter().flat_map(|pending| &pending.change.ops);
        let notes = ops.filter_map(|op| if let Op::EditText { id, .. } = op { Some(id) } else { None });
        let text = |id| self.texts.get(id).or_else(|| self.confirmed.text(id));
        let texts = notes.filter_map(|id| Some((id.clone(), text(id)?.clone())));
        texts.filter(|(_, text)| text.state_bytes() <= most_bytes).collect()
    }

    /// Says typing anew that waits for the log and was made on another generation of a note's text. What the
    /// log has already up to `logged` is in the text by now.
    pub(super) fn say_anew(&mut self) {
        let mut changed = false;
        for (id, mut text) in std::mem::take(&mut self.texts) {
            let Some(now) = self.confirmed.text(&id).filter(|now| now.generation() != text.generation())
            else {
                continue;
            };
            let mut typed: Vec<&mut Update> = Vec::new();
            for change in self.pending.iter_mut().map(|pending| &mut pending.change) {
                for op in &mut change.ops {
                    match op {
                        Op::EditText { id: note, .. } if *note != id => {}
                        // What follows builds on it.
                        Op::EditText { update, .. } if change.seq <= self.logged => {
                            text = text.apply(update).unwrap_or(text);
                        }
                        Op::EditText { update, .. } => typed.push(update),
                        _ => {}
                    }
                }
            }
            if !typed.is_empty() {
                // What cannot be said anew will be refused by the room, and goes back to its author.
                text.rebase_updates(now, typed);
                changed = true;
            }
        }
        if changed {
            self.numbering.changed();
        }
    }

    /// Takes out typing that is no edit any more: others have removed the same, and a compaction came since. For
    /// a moment at which nothing is on its way; numbers are to be given anew.
    pub(super) fn drop_empty_typing(&mut self, changes: &mut Changes) {
        let mut index = 0;
        while let Some(Pending { change, .. }) = self.pending.get_mut(index) {
            if change.seq > self.logged && change.ops.iter().any(Op::is_empty_typing) {
                let before = weight(change);
                change.ops.retain(|op| !op.is_empty_typing());
                let gone = before.saturating_sub(weight(change));
                let is_done = change.ops.is_empty();
                self.pending_bytes = self.pending_bytes.saturating_sub(gone);
                self.numbering.changed();
                if is_done {
                    changes.void.extend(self.take_out(index));
                    changes.landed.saved += 1;
                    continue;
                }
            }
            index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::text::Side;
    use crate::dashboard::{ClientId, Dashboard, Frame, Kind, NoteText, User, Widget};
    use crate::sync::protocol::{Change, Code, Commit, Joined, Role};
    use crate::sync::replica::fixtures::joined;
    use crate::sync::replica::{StoredQueue, Undone};
    use crate::sync::room::{Author, Room, Verdict};

    struct Scene {
        room: Room,
        tail: Vec<Commit>,
    }

    fn author() -> Author {
        let client = ClientId::new("c1").expect("an id");
        Author { client, by: User::default(), role: Role::Editor, may_query: true }
    }

    fn note() -> WidgetId {
        WidgetId::new("note").expect("an id")
    }

    fn title(text: &str) -> Op {
        Op::SetDashboard { field: "title".to_owned(), value: text.into() }
    }

    fn reads(dashboard: &Dashboard) -> &str {
        dashboard.text(&note()).expect("a note").plain()
    }

    impl Scene {
        fn new() -> Self {
            let mut widget = Widget::new(Kind::Note, "Runbook", Frame::new(0, 0, 6, 4));
            widget.text = Some(NoteText::from_plain("call the person on duty", 1));
            let mut dashboard = Dashboard::new("Start");
            dashboard.widgets.insert(note(), widget.into());
            Self { room: Room::new("e1".to_owned(), dashboard), tail: Vec::new() }
        }

        fn load(&self, queue: StoredQueue) -> Replica {
            let user = User::default();
            Replica::new(7, self.room.dashboard().clone(), user)
                .at("e1".to_owned(), 0, None)
                .with_queue(queue)
        }

        /// Joins, with the tail of the log or with a snapshot.
        fn join(&self, replica: &mut Replica, with_tail: bool) {
            let from = replica.revision() as usize;
            let whole = joined(&self.room, &author().client);
            let joined = match with_tail {
                true => Joined { snapshot: None, commits: Some(self.tail[from..].to_vec()), ..whole },
                false => whole,
            };
            assert_eq!(replica.joined(&author().client, &User::default(), joined).lost, None);
            replica.stored(replica.numbering());
        }

        /// Others type, and the note is compacted.
        fn others(&mut self, at: u32, remove: u32, insert: &str) {
            let other = Author { client: ClientId::new("c2").expect("an id"), ..author() };
            let text = self.room.dashboard().text(&note()).expect("a note");
            let op = Op::edit_text(&note(), text.splice(99, at, remove, insert).0);
            let seq = self.room.last_seq(&other.client) + 1;
            let change = Change { seq, base: self.room.revision(), age_ms: None, ops: vec![op] };
            let Verdict::Committed(commit) = self.room.judge(&other, &change, 1) else {
                panic!("{change:?}")
            };
            self.tail.push(*commit);
            self.tail.push(self.room.compact_note(&note(), 2).expect("a note"));
        }

        /// What a replica pushes reaches the log; what was refused of it.
        fn push(&mut self, replica: &mut Replica) -> usize {
            let mut refused = 0;
            for change in replica.to_push() {
                match self.room.judge(&author(), &change, 1) {
                    Verdict::Committed(commit) => {
                        refused += commit.refused.len();
                        self.tail.push(*commit);
                    }
                    Verdict::Again => {}
                    rejected => panic!("{rejected:?}"),
                }
            }
            refused
        }

        fn hear(&self, replica: &mut Replica) {
            let commits = self.tail[replica.revision() as usize..].to_vec();
            let digest = self.room.full_digest();
            assert_eq!(replica.commits(commits, Some(&digest), None).lost, None);
            replica.stored(replica.numbering());
        }
    }

    #[test]
    fn s4_typing_that_was_on_its_way_is_where_it_was_meant() {
        let mut scene = Scene::new();
        let mut replica = scene.load(StoredQueue::default());
        scene.join(&mut replica, true);
        replica.type_text(&note(), 9, 6, "people", 0).expect("typed");
        let on_its_way = replica.to_push();
        replica.type_text(&note(), 15, 0, " who are", 9_000).expect("typed");
        scene.others(0, 4, "Page");
        for change in on_its_way {
            let Verdict::Committed(commit) = scene.room.judge(&author(), &change, 1) else { panic!() };
            assert_eq!(commit.refused, []);
            scene.tail.push(*commit);
        }
        scene.hear(&mut replica);
        assert_eq!(reads(replica.view()), "Page the people who are on duty");
        assert_eq!(scene.push(&mut replica), 0);
        scene.hear(&mut replica);
        assert_eq!(reads(scene.room.dashboard()), "Page the people who are on duty");
        assert_eq!(replica.view(), scene.room.dashboard());
    }

    #[test]
    fn s8_typing_without_a_network_goes_in_after_any_number_of_compactions() {
        for with_tail in [true, false] {
            let mut scene = Scene::new();
            let mut replica = scene.load(StoredQueue::default());
            scene.join(&mut replica, true);
            replica.disconnected();
            replica.type_text(&note(), 9, 6, "people", 0).expect("typed");
            replica.type_text(&note(), 23, 0, "!", 9_000).expect("typed");
            for word in ["Page", "Wake", "Send", "Tell", "Find", "Text"] {
                scene.others(0, 4, word);
            }
            scene.join(&mut replica, with_tail);
            assert_eq!(reads(replica.view()), "Text the people on duty!", "with the tail: {with_tail}");
            assert_eq!(scene.push(&mut replica), 0);
            assert_eq!(reads(scene.room.dashboard()), "Text the people on duty!");
        }
    }

    #[test]
    fn s8_removing_what_others_have_removed_meanwhile_is_no_edit_any_more() {
        for (with_tail, pushed) in [(true, false), (false, false), (true, true), (false, true)] {
            let mut scene = Scene::new();
            let mut replica = scene.load(StoredQueue::default());
            scene.join(&mut replica, true);
            replica.type_text(&note(), 0, 5, "", 0).expect("typed");
            if pushed {
                assert_eq!(replica.to_push().len(), 1, "and never arrives");
            }
            replica.disconnected();
            replica.edit(vec![title("After it")]).expect("an edit");
            scene.others(0, 5, "");
            scene.join(&mut replica, with_tail);
            assert_eq!(replica.pending(), 1, "with the tail: {with_tail}, pushed: {pushed}");
            assert_eq!(scene.push(&mut replica), 0);
            scene.hear(&mut replica);
            assert_eq!(replica.pending(), 0);
            assert_eq!(scene.room.dashboard().title, "After it");
            assert_eq!(reads(scene.room.dashboard()), "the person on duty");
        }
    }

    #[test]
    fn s4_typing_that_became_none_while_connected_is_not_handed_back() {
        let mut scene = Scene::new();
        let mut replica = scene.load(StoredQueue::default());
        scene.join(&mut replica, true);
        replica.type_text(&note(), 0, 5, "", 0).expect("typed");
        let on_its_way = replica.to_push();
        // The server has no time for it just now.
        replica.rejected(on_its_way[0].seq, Code::RateLimited, String::new(), 1);
        scene.others(0, 5, "");
        scene.hear(&mut replica);
        scene.push(&mut replica);
        let commits = scene.tail[replica.revision() as usize..].to_vec();
        let changes = replica.commits(commits, None, None).changes;
        assert_eq!((changes.notices.len(), changes.landed.returned), (0, 0), "{:?}", changes.notices);
        assert_eq!(replica.pending(), 0);
    }

    #[test]
    fn s8_typing_of_a_tab_that_ended_is_said_anew_once() {
        for with_tail in [true, false] {
            let mut scene = Scene::new();
            let mut replica = scene.load(StoredQueue::default());
            scene.join(&mut replica, true);
            scene.others(0, 4, "Page");
            scene.hear(&mut replica);
            replica.disconnected();
            replica.type_text(&note(), 9, 6, "people", 0).expect("typed");
            let (queue, at) = (replica.stored_queue(), replica.revision());
            // Loaded again with the dashboard that was beside it on the device.
            let mut replica =
                scene.load(StoredQueue::default()).at("e1".to_owned(), at, None).with_queue(queue);
            scene.others(0, 4, "Wake");
            scene.join(&mut replica, with_tail);
            assert_eq!(scene.push(&mut replica), 0, "with the tail: {with_tail}");
            assert_eq!(reads(scene.room.dashboard()), "Wake the people on duty");
        }
    }

    #[test]
    fn s8_what_was_pushed_before_and_never_heard_of_is_not_said_twice() {
        for with_tail in [true, false] {
            let mut scene = Scene::new();
            let mut replica = scene.load(StoredQueue::default());
            scene.join(&mut replica, true);
            replica.type_text(&note(), 23, 0, " now", 0).expect("typed");
            assert_eq!(scene.push(&mut replica), 0);
            replica.disconnected();
            replica.type_text(&note(), 27, 0, ", please", 9_000).expect("typed");
            scene.others(0, 4, "Page");
            scene.join(&mut replica, with_tail);
            assert_eq!(scene.push(&mut replica), 0);
            assert_eq!(reads(scene.room.dashboard()), "Page the person on duty now, please");
        }
    }

    #[test]
    fn s8_what_a_closed_tab_left_goes_in_where_it_was_meant() {
        for heard in [true, false] {
            let mut scene = Scene::new();
            let mut replica = scene.load(StoredQueue::default());
            scene.join(&mut replica, true);
            replica.type_text(&note(), 23, 0, " now", 0).expect("typed");
            assert_eq!(scene.push(&mut replica), 0);
            if heard {
                scene.hear(&mut replica);
            }
            replica.type_text(&note(), 27, 0, ", please", 9_000).expect("typed");
            let left = serde_json::to_string(&replica.stored_queue()).expect("JSON");
            scene.others(0, 4, "Page");
            scene.others(0, 4, "Wake");
            // The page as it is opened later has nothing of how it was.
            let revision = scene.room.revision();
            let mut again = scene.load(StoredQueue::default()).at("e1".to_owned(), revision, None);
            again = again.with_queue(serde_json::from_str(&left).expect("a queue"));
            scene.join(&mut again, true);
            assert_eq!(scene.push(&mut again), 0, "heard: {heard}");
            assert_eq!(reads(scene.room.dashboard()), "Wake the person on duty now, please");
        }
    }

    #[test]
    fn own_steps_are_taken_back_across_a_compaction() {
        let mut scene = Scene::new();
        let mut replica = scene.load(StoredQueue::default());
        scene.join(&mut replica, true);
        replica.type_text(&note(), 9, 6, "people", 0).expect("typed");
        scene.push(&mut replica);
        replica.type_text(&note(), 23, 0, "!", 9_000).expect("typed");
        let caret = replica.view().text(&note()).and_then(|text| text.anchor(15, Side::Before));
        scene.others(0, 4, "Everybody, page");
        scene.hear(&mut replica);
        let text = replica.view().text(&note()).expect("a note");
        assert_eq!(text.index_of(&caret.expect("an anchor")), Some(26), "the caret stays where it was");
        let mut seen = Vec::new();
        for step in [Replica::undo, Replica::undo, Replica::redo, Replica::redo] {
            assert!(matches!(step(&mut replica), Ok(Undone::Done(_))), "{seen:?}");
            seen.push(reads(replica.view()).to_owned());
        }
        assert_eq!(
            seen,
            [
                "Everybody, page the people on duty",
                "Everybody, page the person on duty",
                "Everybody, page the people on duty",
                "Everybody, page the people on duty!",
            ]
        );
    }
}
