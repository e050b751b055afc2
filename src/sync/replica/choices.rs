//! Tests of two tabs and a room: what waits in a conflict, and choices that are taken back.

use super::fixtures::joined;
use crate::dashboard::{Choice, ClientId, Dashboard, Frame, Kind, Op, User, UserId, Widget, WidgetId};
use crate::sync::protocol::{Commit, Role};
use crate::sync::replica::{Replica, Undone};
use crate::sync::room::{Author, Room, Verdict};

const ADA: usize = 0;
const GRACE: usize = 1;

/// A room with a note and two tabs in it.
struct Scene {
    room: Room,
    log: Vec<Commit>,
    tabs: [(Author, Replica); 2],
}

fn id() -> WidgetId {
    WidgetId::new("note").expect("an id")
}

fn set(value: &str) -> Op {
    Op::Set { id: id(), field: "title".to_owned(), value: value.into() }
}

impl Scene {
    fn new() -> Self {
        let mut dashboard = Dashboard::new("Start");
        dashboard.widgets.insert(id(), Widget::new(Kind::Note, "Runbook", Frame::new(0, 0, 6, 4)).into());
        let room = Room::new("e1".to_owned(), dashboard);
        let tabs = ["ada", "grace"].map(|name| {
            let by = User { id: UserId::new(name).expect("an id"), ..User::default() };
            let author = Author {
                client: ClientId::new(name).expect("an id"),
                by,
                role: Role::Editor,
                may_query: true,
            };
            let mut replica = Replica::new(name.len() as u64, Dashboard::default(), author.by.clone());
            let joined = joined(&room, &author.client);
            assert_eq!(replica.joined(&author.client, &author.by, joined).lost, None);
            (author, replica)
        });
        Self { room, log: Vec::new(), tabs }
    }

    fn tab(&mut self, who: usize) -> &mut Replica {
        &mut self.tabs[who].1
    }

    fn edit(&mut self, who: usize, op: Op) {
        self.tab(who).edit(vec![op]).expect("an edit");
    }

    fn type_text(&mut self, who: usize, at: u32, insert: &str) {
        self.tab(who).type_text(&id(), at, 0, insert, 0).expect("typed");
    }

    /// What a tab has reaches the room. Nobody hears of it yet.
    fn push(&mut self, who: usize) {
        let (author, replica) = &mut self.tabs[who];
        for change in replica.to_push() {
            match self.room.judge(author, &change, 1_000) {
                Verdict::Committed(commit) => self.log.push(*commit),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Both hear what the room has said, and have what it has.
    fn hear(&mut self) {
        for (_, replica) in &mut self.tabs {
            let commits = self.log[replica.revision() as usize..].to_vec();
            let digest = self.room.full_digest();
            assert_eq!(replica.commits(commits, Some(&digest), None).lost, None);
            assert_eq!(replica.view(), self.room.dashboard());
        }
    }

    /// An edit of which both hear.
    fn now(&mut self, who: usize, op: Op) {
        self.edit(who, op);
        self.push(who);
        self.hear();
    }

    fn undo(&mut self, who: usize) -> Undone {
        let undone = self.tab(who).undo().expect("an undo");
        self.push(who);
        self.hear();
        undone
    }

    fn choose(&mut self, who: usize, choose: Choice) {
        let conflict = self.room.dashboard().conflicts.values().next_back().expect("one").id.clone();
        self.now(who, Op::SettleConflict { conflict, choose });
    }

    fn reads(&self) -> Option<&str> {
        Some(self.room.dashboard().text(&id())?.plain())
    }

    fn title(&self) -> Option<&str> {
        Some(self.room.dashboard().widgets.get(&id())?.title.as_str())
    }
}

#[test]
fn s4_what_is_typed_after_typing_that_waits_does_not_pass_for_it() {
    let mut scene = Scene::new();
    scene.type_text(ADA, 0, "one ");
    scene.push(ADA);
    scene.hear();
    scene.type_text(ADA, 4, "two ");
    scene.edit(GRACE, Op::RemoveWidget { id: id() });
    scene.push(GRACE);
    scene.push(ADA);
    scene.hear();
    scene.now(GRACE, Op::RestoreWidget { id: id() });
    scene.type_text(ADA, 4, "three ");
    scene.push(ADA);
    scene.hear();
    assert_eq!(scene.reads(), Some("one three "));
    scene.choose(GRACE, Choice::Other);
    let read = scene.reads().expect("it is there");
    assert!(["one two three ", "one three two "].contains(&read), "{read:?}");
}

#[test]
fn s4_a_step_back_over_a_reopening_brings_back_no_widget_that_others_removed() {
    let mut scene = Scene::new();
    scene.edit(ADA, Op::RemoveWidget { id: id() });
    scene.edit(GRACE, set("Mine"));
    scene.push(ADA);
    scene.push(GRACE);
    scene.hear();
    scene.choose(GRACE, Choice::Other);
    assert_eq!(scene.title(), Some("Mine"));
    scene.now(ADA, Op::RemoveWidget { id: id() });
    scene.choose(GRACE, Choice::Reopen);
    assert!(matches!(scene.undo(GRACE), Undone::Done(_)));
    assert_eq!(scene.title(), None);
    assert_eq!(scene.room.dashboard().open_conflicts().count(), 0, "it is settled again");
}

#[test]
fn s4_a_step_back_over_a_reopening_writes_over_nothing_that_others_wrote_since() {
    let mut scene = Scene::new();
    scene.edit(ADA, set("A"));
    scene.edit(GRACE, set("B"));
    scene.push(ADA);
    scene.push(GRACE);
    scene.hear();
    scene.choose(GRACE, Choice::Other);
    assert_eq!(scene.title(), Some("A"));
    scene.choose(GRACE, Choice::Reopen);
    assert_eq!(scene.title(), Some("B"));
    scene.now(ADA, set("C"));
    assert!(matches!(scene.undo(GRACE), Undone::Skipped));
    assert_eq!(scene.title(), Some("C"));
}
