//! Tests of a tab whose person takes back the steps of a program, with somebody else at work beside it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::dashboard::{ClientId, Dashboard, Frame, Kind, NoteText, Op, User, Widget, WidgetId};
use crate::sync::protocol::{Change, Commit, MAX_OPS, Role};
use crate::sync::replica::Undone;
use crate::sync::replica::fixtures::joined;
use crate::sync::room::{Author, Room, Verdict};
use crate::sync::undo::MAX_NOTED;

const ADA: &str = "ada";
const BO: &str = "bo";
const ROBOT: &str = "robot";

/// A room, and the tab of Ada in it.
struct Scene {
    room: Room,
    log: Vec<Commit>,
    ada: Replica,
    seqs: BTreeMap<&'static str, u64>,
    now_ms: u64,
    /// From one edit to the next, in milliseconds.
    pause_ms: u64,
}

fn id(name: &str) -> WidgetId {
    WidgetId::new(name).expect("an id")
}

fn user(name: &str) -> User {
    User { id: UserId::new(name).expect("an id"), name: name.to_owned(), ..User::default() }
}

fn author(name: &str) -> Author {
    let client = ClientId::new(name).expect("an id");
    Author { client, by: user(name), role: Role::Editor, may_query: true }
}

fn title(widget: &str, value: &str) -> Op {
    Op::Set { id: id(widget), field: "title".to_owned(), value: value.into() }
}

fn add(widget: &str, kind: Kind) -> Op {
    Op::AddWidget { id: id(widget), widget: Widget::new(kind, widget, Frame::new(0, 0, 6, 4)).into() }
}

impl Scene {
    /// With two charts and a note.
    fn new() -> Self {
        let mut dashboard = Dashboard::new("Start");
        for (n, (name, kind)) in
            [("a", Kind::Stat), ("b", Kind::Stat), ("note", Kind::Note)].iter().enumerate()
        {
            let mut widget = Widget::new(*kind, *name, Frame::new(6 * n as u16, 0, 6, 4));
            widget.text = (*kind == Kind::Note).then(|| NoteText::from_plain("Call Zoe at night", 1));
            dashboard.widgets.insert(id(name), widget.into());
        }
        let room = Room::new("e1".to_owned(), dashboard);
        let mut ada = Replica::new(7, Dashboard::default(), user(ADA));
        let joined = joined(&room, &author(ADA).client);
        assert_eq!(ada.joined(&author(ADA).client, &user(ADA), joined).lost, None);
        Self { room, log: Vec::new(), ada, seqs: BTreeMap::new(), now_ms: 1, pause_ms: 5_000 }
    }

    /// An edit of somebody, of which Ada hears at once.
    fn does(&mut self, who: &'static str, ops: Vec<Op>) {
        let seq = self.seqs.entry(who).or_default();
        *seq += 1;
        let change = Change { seq: *seq, base: self.room.revision(), ops, age_ms: None };
        self.judge(who, &change);
        self.hear();
    }

    fn types(&mut self, who: &'static str, note: &str, at: u32, remove: u32, insert: &str) {
        let Some(text) = self.room.dashboard().text(&id(note)) else { return };
        let client = if who == BO { 21 } else { 22 };
        let (update, _) = text.splice(client, at, remove, insert);
        if !update.is_empty() {
            self.does(who, vec![Op::edit_text(&id(note), update)]);
        }
    }

    fn judge(&mut self, who: &str, change: &Change) {
        self.now_ms += self.pause_ms;
        match self.room.judge(&author(who), change, self.now_ms) {
            Verdict::Committed(commit) => self.log.push(*commit),
            other => panic!("{other:?}"),
        }
    }

    fn hear(&mut self) {
        let commits = self.log[self.ada.revision() as usize..].to_vec();
        let digest = self.room.full_digest();
        assert_eq!(self.ada.commits(commits, Some(&digest), None).lost, None);
    }

    /// What Ada has done reaches the room.
    fn push(&mut self) {
        loop {
            let push = self.ada.to_push();
            if push.is_empty() {
                break;
            }
            for change in push {
                assert!(change.ops.len() <= MAX_OPS);
                self.judge(ADA, &change);
                let refused = &self.log.last().expect("a commit").refused;
                assert!(refused.is_empty(), "{refused:?}");
            }
            self.hear();
        }
        assert_eq!(self.ada.view().widgets, self.room.dashboard().widgets);
    }

    fn take_back(&mut self) -> TakenBack {
        self.take_back_some(&Steps::ALL)
    }

    fn take_back_some(&mut self, steps: &Steps) -> TakenBack {
        let taken = self.ada.take_back(&user(ROBOT).id, steps).expect("there is room");
        self.push();
        taken
    }

    fn title(&self, widget: &str) -> Option<&str> {
        Some(&self.room.dashboard().widgets.get(&id(widget))?.title)
    }

    fn reads(&self, note: &str) -> &str {
        self.room.dashboard().text(&id(note)).expect("a note").plain()
    }

    fn steps(&self) -> Vec<(UserId, usize)> {
        self.ada.others_steps()
    }
}

fn stays(cell: Cell, who: &str) -> Stays {
    Stays { cell, by: Some(Writer::Other(user(who))) }
}

#[test]
fn s4_steps_of_a_program_go_as_one_step_and_others_values_stay() {
    let mut scene = Scene::new();
    scene.does(ROBOT, vec![title("a", "Orders"), title("b", "Sales")]);
    scene.does(ROBOT, vec![title("a", "Orders per day")]);
    scene.does(BO, vec![title("b", "Revenue")]);
    scene.does(ROBOT, vec![add("new", Kind::Stat)]);
    assert_eq!(scene.steps(), [(user(ROBOT).id, 3), (user(BO).id, 1)]);
    let taken = scene.take_back();
    assert_eq!((taken.steps, taken.stays), (3, vec![stays(Cell::widget(&id("b"), "title"), BO)]));
    assert_eq!([scene.title("a"), scene.title("b"), scene.title("new")], [Some("a"), Some("Revenue"), None]);
    assert_eq!(scene.steps(), [(user(BO).id, 1)]);

    assert!(matches!(scene.ada.undo(), Ok(Undone::Done(_))));
    scene.push();
    let titles = [scene.title("a"), scene.title("b"), scene.title("new")];
    assert_eq!(titles, [Some("Orders per day"), Some("Revenue"), Some("new")]);
}

#[test]
fn s4_a_value_goes_back_to_the_one_that_somebody_else_wrote_in_between() {
    let mut scene = Scene::new();
    scene.does(ROBOT, vec![title("a", "one")]);
    scene.does(BO, vec![title("a", "two")]);
    scene.does(ROBOT, vec![title("a", "three")]);
    let taken = scene.take_back();
    assert_eq!((taken.steps, taken.stays), (1, vec![]), "the cell went back");
    assert_eq!(scene.title("a"), Some("two"));
}

#[test]
fn s4_a_widget_that_somebody_else_has_edited_is_not_removed() {
    let mut scene = Scene::new();
    scene.does(ROBOT, vec![add("new", Kind::Note)]);
    scene.types(BO, "new", 0, 0, "Mine");
    let taken = scene.take_back();
    assert_eq!((taken.steps, taken.stays), (0, vec![stays(Cell::widget(&id("new"), "removed"), BO)]));
    assert_eq!(scene.reads("new"), "Mine");
    assert_eq!(scene.steps()[0].1, 1, "nothing was done, so it can be tried again");

    // And so where the edit is on its way.
    let mut scene = Scene::new();
    scene.does(ROBOT, vec![add("new", Kind::Stat)]);
    scene.ada.edit(vec![title("new", "Mine")]).expect("an edit");
    let taken = scene.take_back();
    assert_eq!(taken.stays, [Stays { cell: Cell::widget(&id("new"), "removed"), by: Some(Writer::Me) }]);
    assert_eq!(scene.title("new"), Some("Mine"));
}

#[test]
fn s4_a_removed_widget_comes_back_with_its_former_settings() {
    let mut scene = Scene::new();
    let before = scene.room.dashboard().clone();
    scene.does(ROBOT, vec![title("note", "Changed")]);
    scene.types(ROBOT, "note", 0, 4, "Ring");
    scene.does(ROBOT, vec![Op::RemoveWidget { id: id("note") }]);
    let taken = scene.take_back();
    assert_eq!((taken.steps, taken.stays), (3, vec![]));
    assert_eq!(scene.room.dashboard().widgets, before.widgets);
    // Of one that somebody has brought back already, that is left as it is.
    scene.does(ROBOT, vec![Op::RemoveWidget { id: id("a") }]);
    scene.does(BO, vec![Op::RestoreWidget { id: id("a") }]);
    let taken = scene.take_back();
    assert_eq!((taken.steps, taken.stays), (0, vec![stays(Cell::widget(&id("a"), "removed"), BO)]));
}

#[test]
fn s4_words_of_others_in_a_note_stay() {
    let mut scene = Scene::new();
    scene.types(ROBOT, "note", 17, 0, ", or Max");
    scene.types(BO, "note", 0, 0, "First: ");
    scene.types(ROBOT, "note", 7, 4, "Ring");
    assert_eq!(scene.reads("note"), "First: Ring Zoe at night, or Max");
    let taken = scene.take_back();
    assert_eq!((taken.steps, taken.stays), (2, vec![]));
    assert_eq!(scene.reads("note"), "First: Call Zoe at night");
    // What they wrote into it holds it.
    scene.types(ROBOT, "note", 0, 0, "abcd ");
    scene.types(BO, "note", 2, 0, "--");
    let taken = scene.take_back();
    assert_eq!((taken.steps, taken.stays), (0, vec![stays(Cell::widget(&id("note"), "text"), BO)]));
    assert_eq!(scene.reads("note"), "ab--cd First: Call Zoe at night");
}

#[test]
fn s4_single_steps_go_one_after_the_other() {
    let mut scene = Scene::new();
    scene.does(ROBOT, vec![title("a", "one"), title("b", "one")]);
    scene.does(ROBOT, vec![title("a", "two")]);
    let cell = || vec![Cell::widget(&id("a"), "title")];
    // The first alone would write over the second.
    let taken = scene.take_back_some(&Steps::of(1, cell()));
    assert_eq!((taken.steps, taken.stays), (0, vec![stays(cell().remove(0), ROBOT)]));
    for (revision, reads) in [(2, "one"), (1, "a")] {
        let taken = scene.take_back_some(&Steps::of(revision, cell()));
        assert_eq!((taken.steps, taken.stays), (1, vec![]));
        assert_eq!(scene.title("a"), Some(reads));
    }
    assert_eq!(scene.title("b"), Some("one"), "it was another part of the step");
    assert_eq!(scene.take_back().steps, 1);
    assert_eq!(scene.title("b"), Some("b"));
}

#[test]
fn s4_what_made_room_for_a_widget_goes_back_with_it() {
    let mut scene = Scene::new();
    let before = scene.room.dashboard().frames();
    scene.does(ROBOT, vec![add("new", Kind::Stat)]);
    assert_ne!(scene.room.dashboard().widgets[&id("a")].frame, before[&id("a")]);
    let revision = scene.room.revision();
    scene.take_back_some(&Steps::of(revision, vec![Cell::widget(&id("new"), "removed")]));
    assert_eq!(scene.room.dashboard().frames(), before);
}

#[test]
fn s10_the_log_of_steps_is_bounded_and_typing_in_one_go_is_one_step() {
    let mut scene = Scene::new();
    for n in 0..MAX_NOTED + 20 {
        scene.does(ROBOT, vec![title("a", &format!("{n}"))]);
    }
    assert_eq!(scene.steps(), [(user(ROBOT).id, MAX_NOTED)]);
    assert_eq!(scene.take_back().steps, MAX_NOTED);
    assert_eq!(scene.title("a"), Some("19"), "what came before is not known any more");

    let mut scene = Scene { pause_ms: 100, ..Scene::new() };
    scene.does(ROBOT, vec![title("a", "one")]);
    for n in 0..30 {
        scene.types(ROBOT, "note", n, 0, "x");
        // Own typing crowds nobody's steps out either.
        let typed = scene.ada.type_text(&id("note"), 18 + 2 * n, 0, "y", u64::from(n));
        typed.expect("there is room");
        scene.push();
    }
    assert_eq!(scene.steps(), [(user(ROBOT).id, 2)]);
    assert_eq!(scene.take_back().steps, 2);
    assert_eq!(scene.reads("note").replace('y', ""), "Call Zoe at night");
    assert_eq!((scene.reads("note").matches('y').count(), scene.title("a")), (30, Some("a")));
    // What was typed and removed again is no step.
    scene.types(ROBOT, "note", 0, 0, "abc");
    scene.types(ROBOT, "note", 0, 3, "");
    assert_eq!(scene.steps(), []);
}

/// What somebody may do: which, to which widget, and with what.
type Doing = (u8, u8, u16, u16, String);

fn doings(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(bool, Doing)>> {
    let doing = (0u8..8, any::<u8>(), 0u16..20, 0u16..12, "[a-y]{1,3}");
    prop::collection::vec((any::<bool>(), doing), count)
}

impl Scene {
    /// Does something by chance. What cannot be done is left. `mark` stands in all that is typed.
    fn does_any(&mut self, who: &'static str, (which, at, x, y, text): &Doing, mark: &str) {
        let dashboard = self.room.dashboard();
        let pick = |ids: Vec<&WidgetId>| (!ids.is_empty()).then(|| ids[usize::from(*at) % ids.len()].clone());
        let any = pick(dashboard.widgets.keys().collect());
        let ops = match which {
            0 => {
                let kind = if x % 2 == 0 { Kind::Stat } else { Kind::Note };
                let widget = Widget::new(kind, text, Frame::new(*x, *y, 4, 3));
                let name = format!("w{}", self.room.revision());
                Some(Op::AddWidget { id: id(&name), widget: widget.into() })
            }
            1 => any.map(|id| Op::RemoveWidget { id }),
            2 => pick(dashboard.removed.keys().collect()).map(|id| Op::RestoreWidget { id }),
            3 => any.map(|id| Op::Place { id, frame: Frame::new(*x, *y, 5, 3), settled: false }),
            4 => {
                any.map(|id| Op::Set { id, field: "title".to_owned(), value: format!("{text}{mark}").into() })
            }
            5 => Some(Op::SetDashboard { field: "title".to_owned(), value: format!("{text}{mark}").into() }),
            _ => {
                let notes = dashboard.widgets.iter().filter(|(_, widget)| widget.text.is_some());
                if let Some(note) = pick(notes.map(|(id, _)| id).collect()) {
                    let remove = if mark.is_empty() { u32::from(*y % 4) } else { 0 };
                    let length = self.room.dashboard().text(&note).map_or(0, NoteText::len_utf16);
                    let at = u32::from(*x) % (length + 1);
                    self.types(who, note.as_str(), at, remove, &format!("{text}{mark}"));
                }
                None
            }
        };
        if let Some(op) = ops {
            self.does(who, vec![op]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s4_with_nobody_else_at_work_all_is_as_it_was_before(doings in doings(1..30)) {
        let mut scene = Scene::new();
        let before = scene.room.dashboard().clone();
        for (_, doing) in &doings {
            scene.does_any(ROBOT, doing, "");
        }
        let after = scene.room.dashboard().clone();
        let taken = scene.take_back();
        prop_assert_eq!(taken.stays, []);
        let now = scene.room.dashboard();
        prop_assert_eq!(&now.widgets, &before.widgets);
        prop_assert_eq!((&now.title, &now.settings), (&before.title, &before.settings));
        prop_assert_eq!(scene.steps(), []);
        if taken.steps > 0 {
            prop_assert!(matches!(scene.ada.undo(), Ok(Undone::Done(_))));
            scene.push();
            prop_assert_eq!(&scene.room.dashboard().widgets, &after.widgets);
            prop_assert_eq!(&scene.room.dashboard().title, &after.title);
        }
    }

    #[test]
    fn s4_what_others_wrote_last_is_untouched(doings in doings(1..40)) {
        let mut scene = Scene::new();
        for (is_bo, doing) in &doings {
            if *is_bo { scene.does_any(BO, doing, "Z") } else { scene.does_any(ROBOT, doing, "") }
        }
        // Who wrote each cell last, and when.
        let mut last: BTreeMap<Cell, (u64, bool)> = BTreeMap::new();
        for commit in &scene.log {
            let chosen = commit.ops.iter().filter(|op| !matches!(op, Op::Place { settled: true, .. }));
            let is_bo = commit.by.id == user(BO).id;
            last.extend(chosen.filter_map(Op::cell).map(|cell| (cell, (commit.revision, is_bo))));
        }
        let before = scene.room.dashboard().clone();
        scene.take_back();
        let now = scene.room.dashboard();
        for (cell, (revision, _)) in last.iter().filter(|(_, (_, is_bo))| *is_bo) {
            let is_gone = |id: &&WidgetId| !now.widgets.contains_key(*id) && cell.field != "removed";
            if let Some(id) = cell.id.as_ref().filter(is_gone) {
                // It was removed before, or the program had brought back what was removed, and Bo did no more to it.
                let removed = last.get(&Cell::widget(id, "removed"));
                let by_program = removed.is_some_and(|(at, is_bo)| !is_bo && at > revision);
                prop_assert!(!before.widgets.contains_key(id) || by_program, "{:?}", cell);
                continue;
            }
            match (&cell.id, cell.field.as_str()) {
                (Some(id), "removed") => {
                    prop_assert_eq!(before.widgets.contains_key(id), now.widgets.contains_key(id));
                }
                // Where something comes back, all that is below makes room; what the program removed may come back.
                (Some(_), "frame") => {}
                (Some(id), "text") => {
                    let text = |dashboard: &Dashboard| dashboard.text(id).map(|text| text.plain().to_owned());
                    let count = |dashboard: &Dashboard| text(dashboard).map(|text| text.matches('Z').count());
                    prop_assert!(count(now) >= count(&before), "{:?} {:?}", text(&before), text(now));
                }
                (Some(id), _) if !before.widgets.contains_key(id) => {}
                _ => prop_assert_eq!(before.value(cell), now.value(cell), "{:?}", cell),
            }
        }
    }
}
