//! Compactions: the text of a note put anew in the place of all that was ever typed there, as a commit that is
//! nobody's edit.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::dashboard::op::REMOVED;
use crate::dashboard::size::json_bytes;
use crate::dashboard::text::AUTHOR_MASK;
use crate::dashboard::{Cell, ClientId, Op, Stamp, User, UserId, Widget, WidgetId};
use crate::sync::protocol::Commit;

use super::Room;

/// Bytes of a note's Yjs state below which it is left as it is, however short the text has become.
pub const COMPACT_FROM: usize = 2 * 1024;
/// Who compacts, in the log.
const COMPACTION: &str = "compaction";
impl Room {
    /// Compacts a note whose state has outgrown its text, at `now_ms` (Unix milliseconds); the commit is to be
    /// appended and sent like any other. `None` where no note needs it. `all_follow` is true where everybody who
    /// is here can follow a compaction; where not, it waits until the state has hardly any room left.
    pub fn compact(&mut self, all_follow: bool, now_ms: u64) -> Option<Commit> {
        let from = self.compact_from;
        let overgrown = |widget: &Widget| {
            let text = widget.text.as_ref();
            text.is_some_and(|text| text.is_overgrown(from) && (all_follow || text.is_urgent()))
        };
        let notes = self.dashboard.widgets.iter().filter(|(_, widget)| overgrown(widget));
        let notes: Vec<WidgetId> = notes.map(|(id, _)| id.clone()).collect();
        notes.iter().find_map(|id| self.compact_note(id, now_ms))
    }

    /// Compacts a note. `None` where there is none, while edits from before its last compaction arrive, and where
    /// edits that wait beside its removal build on the text as it was then.
    pub fn compact_note(&mut self, id: &WidgetId, now_ms: u64) -> Option<Commit> {
        let text = self.dashboard.text(id).filter(|text| !text.is_behind() || text.is_urgent())?;
        let presence = Cell::widget(id, REMOVED);
        if self.dashboard.open_conflicts().any(|conflict| conflict.cell == presence) {
            return None;
        }
        let client = ClientId::new(COMPACTION).ok()?;
        let by =
            User { id: UserId::new(COMPACTION).ok()?, name: "Lockstep".to_owned(), color: String::new() };
        let stamp = Stamp { by, at: now_ms, written_at: None, revision: self.revision + 1 };
        let generation = generation(&self.epoch, id, &stamp);
        let (id, update) = (id.clone(), text.compaction(generation));
        let op = Op::EditText { id, update, compacted: Some(generation) };
        self.dashboard.apply(&op, &stamp);
        self.bytes = Some(json_bytes(&self.dashboard));
        // No other commit of a log has this number, and by it the last compaction is found.
        let seq = stamp.revision;
        self.reached(&stamp, &client, seq);
        let Stamp { by, at, written_at, revision } = stamp;
        let (ops, refused, conflicts) = (vec![op], vec![], vec![]);
        Some(Commit { revision, client, seq, by, at, written_at, ops, refused, conflicts })
    }

    /// The revision of the last compaction that is remembered; 0 where there is none.
    pub fn compacted_at(&self) -> u64 {
        ClientId::new(COMPACTION).map_or(0, |client| self.last_seq(&client))
    }
}

/// A Yjs client id that no compaction had before it.
fn generation(epoch: &str, id: &WidgetId, stamp: &Stamp) -> u64 {
    let mut hasher = DefaultHasher::new();
    (epoch, id.as_str(), stamp.revision, stamp.at).hash(&mut hasher);
    hasher.finish() & AUTHOR_MASK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::text::{MAX_NOTE_BYTES, Update};
    use crate::dashboard::{Dashboard, Frame, Kind, NoteText};
    use crate::sync::protocol::{Change, Role};
    use crate::sync::room::{Author, Verdict};

    fn author(name: &str) -> Author {
        let client = ClientId::new(name).expect("an id");
        Author {
            client,
            by: User { name: name.to_owned(), ..User::default() },
            role: Role::Editor,
            may_query: true,
        }
    }

    fn note() -> WidgetId {
        WidgetId::new("note").expect("an id")
    }

    fn room(text: &str) -> Room {
        let mut widget = Widget::new(Kind::Note, "Runbook", Frame::new(0, 0, 6, 4));
        widget.text = Some(NoteText::from_plain(text, 1));
        let mut dashboard = Dashboard::new("Start");
        dashboard.widgets.insert(note(), std::sync::Arc::new(widget));
        Room::new("e1".to_owned(), dashboard)
    }

    fn push(room: &mut Room, name: &str, base: u64, op: Op) -> Commit {
        let author = author(name);
        let seq = room.last_seq(&author.client) + 1;
        let change = Change { seq, base, age_ms: None, ops: vec![op] };
        let Verdict::Committed(commit) = room.judge(&author, &change, 1) else { panic!("{change:?}") };
        *commit
    }

    fn typing(text: &NoteText, client: u64, at: u32, remove: u32, insert: &str) -> Op {
        Op::edit_text(&note(), text.splice(client, at, remove, insert).0)
    }

    fn text(room: &Room) -> NoteText {
        room.dashboard().text(&note()).expect("a note").clone()
    }

    /// Replaces a word as often as it takes.
    fn outgrow(room: &mut Room) {
        for n in 0..600 {
            let op = typing(&text(room), 10 + n % 30, 0, 3, if n % 2 == 0 { "any" } else { "the" });
            let now = room.revision();
            push(room, "ada", now, op);
        }
    }

    #[test]
    fn a_note_that_has_outgrown_its_text_is_compacted_and_no_other() {
        let mut room = room("the person on duty");
        assert_eq!(room.compact(true, 1), None);
        outgrow(&mut room);
        let (before, digests) = (room.clone(), (room.digest(), room.full_digest()));
        let commit = room.compact(true, 7).expect("it has outgrown");
        assert!(commit.is_compaction() && commit.conflicts.is_empty());
        assert_eq!((commit.revision, room.compacted_at()), (601, 601));
        assert_eq!((room.digest(), room.full_digest()), digests, "nobody sees a difference");
        assert!(room.bytes() < before.bytes());
        assert_eq!(room.compact(true, 8), None);
        // Repeated from the log, and kept by a store, it is the same room.
        let mut repeated = before;
        repeated.replay(&commit);
        let state = |room: Room| serde_json::to_value(room.replayed().state()).expect("JSON");
        assert_eq!(state(repeated), state(room));
    }

    #[test]
    fn a_compaction_is_nobodys_edit_and_meets_none() {
        let mut room = room("the person on duty");
        outgrow(&mut room);
        let (base, seen) = (room.revision(), text(&room));
        room.compact(true, 1).expect("it has outgrown");
        // Both have not seen it.
        let late = push(&mut room, "grace", base, typing(&seen, 99, 18, 0, "!"));
        assert_eq!((late.refused, late.conflicts), (vec![], vec![]));
        assert_eq!(text(&room).plain(), "the person on duty!");
        let now = room.revision();
        let removal = push(&mut room, "grace", now, Op::RemoveWidget { id: note() });
        assert_eq!(removal.conflicts, []);
    }

    #[test]
    fn it_waits_for_who_cannot_follow_as_long_as_there_is_room() {
        let mut room = room("the person on duty");
        outgrow(&mut room);
        assert_eq!(room.compact(false, 1), None);
        // Only its size matters here.
        let large = serde_json::json!({ "state": Update::new(vec![0; MAX_NOTE_BYTES - 1]), "plain": "x" });
        let mut widget = (*room.dashboard.widgets[&note()]).clone();
        widget.text = Some(serde_json::from_value(large).expect("a text"));
        room.dashboard.widgets.insert(note(), widget.into());
        assert!(room.compact(false, 1).is_some());
    }

    #[test]
    fn what_waits_beside_a_removal_finds_the_text_that_it_builds_on() {
        let mut room = room("the person on duty");
        outgrow(&mut room);
        let (base, seen) = (room.revision(), text(&room));
        push(&mut room, "ada", base, Op::RemoveWidget { id: note() });
        let late = push(&mut room, "grace", base, typing(&seen, 99, 18, 0, "!"));
        assert_eq!(late.conflicts.len(), 1);
        let now = room.revision();
        push(&mut room, "ada", now, Op::RestoreWidget { id: note() });
        assert_eq!(room.compact(true, 1), None, "the edit waits still");
    }
}
