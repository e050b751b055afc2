//! The table of `docs/conflicts.md`, row by row: what meets what, and what comes of it.

use super::*;
use crate::dashboard::{Frame, Kind, NoteText, User, UserId, Widget};
use crate::sync::protocol::{Change, Commit, Role};
use crate::sync::room::{Author, Room, Verdict};

const DOCUMENT: &str = include_str!("../../../docs/conflicts.md");
/// Where the table begins.
const HEAD: &str = "| Given | Meanwhile | Then Ada, unaware |";

fn id() -> WidgetId {
    WidgetId::new("n1").expect("an id")
}

/// A note, and people who write in it.
struct Scene {
    room: Room,
    /// The revision up to which everybody has seen everything.
    base: u64,
}

impl Scene {
    fn new(strategy: &str, given: &str) -> Self {
        let mut scene = Self { room: Room::new("e1".to_owned(), Dashboard::new("Test")), base: 0 };
        let mut note = Widget::new(Kind::Note, "Start", Frame::new(0, 0, 6, 4));
        note.text = Some(NoteText::from_plain("text", 1));
        scene.performs("Katherine", note.add_op(id()));
        let setting = Op::SetDashboard { field: "conflicts".to_owned(), value: strategy.into() };
        scene.performs("Katherine", setting);
        scene.base = scene.room.revision();
        for step in steps(given).filter(|step| *step != "a widget") {
            scene.does(step);
        }
        scene.base = scene.room.revision();
        scene
    }

    fn performs(&mut self, who: &str, op: Op) -> Commit {
        // Katherine has always seen everything.
        let base = if who == "Katherine" { self.room.revision() } else { self.base };
        let by = User { id: UserId::new(who).expect("an id"), name: who.to_owned(), color: String::new() };
        let author =
            Author { client: ClientId::new(who).expect("an id"), by, role: Role::Editor, may_query: true };
        let change =
            Change { seq: self.room.last_seq(&author.client) + 1, base, ops: vec![op], age_ms: None };
        match self.room.judge(&author, &change, 1_000 + self.room.revision()) {
            Verdict::Committed(commit) => *commit,
            other => panic!("not committed: {other:?}"),
        }
    }

    /// Plays a step such as `Grace writes B`.
    fn does(&mut self, step: &str) -> Commit {
        let (who, what) = step.split_once(' ').unwrap_or_else(|| panic!("{step:?} says nobody"));
        let op = self.op(who, what);
        self.performs(who, op)
    }

    fn op(&self, who: &str, what: &str) -> Op {
        let dashboard = self.room.dashboard();
        let conflict = dashboard.conflicts.values().next_back();
        let settle = |choose| {
            let conflict = conflict.expect("a conflict to choose in").id.clone();
            Op::SettleConflict { conflict, choose }
        };
        let (verb, value) = what.split_once(' ').unwrap_or((what, ""));
        match verb {
            "writes" => Op::Set { id: id(), field: "title".to_owned(), value: value.into() },
            "names" => Op::SetDashboard { field: "title".to_owned(), value: value.into() },
            "types" => {
                let removed = || dashboard.removed.get(&id())?.widget.text.as_ref();
                let text = dashboard.text(&id()).or_else(removed).expect("a text");
                let author = 100 + who.len() as u64 + self.room.revision();
                Op::edit_text(&id(), text.splice(author, 0, 0, who).0)
            }
            "moves" => {
                let x = if who == "Ada" { 6 } else { 12 };
                Op::Place { id: id(), frame: Frame::new(x, 0, 6, 4), settled: false }
            }
            "removes" => Op::RemoveWidget { id: id() },
            "restores" => Op::RestoreWidget { id: id() },
            "adds" => Widget::new(Kind::Stat, "Another", Frame::new(0, 0, 6, 4)).add_op(id()),
            "keeps" => settle(Choice::Kept),
            "takes" => settle(Choice::Other),
            "chooses" => settle(Choice::Value(value.into())),
            "reopens" => settle(Choice::Reopen),
            _ => panic!("nobody knows how one {what:?}"),
        }
    }

    /// What became of Ada's op, in the words of the table.
    fn comes_of(&mut self, what: &str) -> String {
        let before = self.room.dashboard().clone();
        let commit = self.does(&format!("Ada {what}"));
        let after = self.room.dashboard();
        if let Some(refused) = commit.refused.first() {
            assert_eq!((&before, commit.conflicts.len()), (after, 0), "what is refused changes nothing");
            return format!("refused: {}", refused.reason);
        }
        let open = commit.conflicts.iter().find(|conflict| conflict.settled.is_none());
        let settled =
            commit.conflicts.iter().any(|conflict| conflict.settled.as_ref().is_some_and(|s| s.agreed));
        let shows = |side: &Side| match side.by.name.as_str() {
            "Ada" => "hers".to_owned(),
            name => format!("{name}’s"),
        };
        match open {
            Some(open) => format!("{} shows, {} waits", shows(&open.kept), shows(&open.other)),
            None if settled => "settled".to_owned(),
            None if before == *after => "the same".to_owned(),
            None => "done".to_owned(),
        }
    }
}

fn steps(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(", ").map(str::trim).filter(|step| !step.is_empty())
}

fn rows() -> Vec<Vec<&'static str>> {
    let lines = DOCUMENT.lines().skip_while(|line| !line.starts_with(HEAD)).skip(2);
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn s4_to_s6_the_table_of_the_documentation_holds() {
    let rows = rows();
    let mut wrong = Vec::new();
    for row in &rows {
        let [given, meanwhile, then, latest, others] = row[..] else { panic!("five columns: {row:?}") };
        for (strategy, expected) in [("latest", latest), ("first", others), ("ask", others)] {
            let mut scene = Scene::new(strategy, given);
            steps(meanwhile).for_each(|step| drop(scene.does(step)));
            let came = scene.comes_of(then);
            if came != expected {
                wrong.push(format!("| {given} | {meanwhile} | {then} | {strategy}: {came}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_pair_of_ops() {
    let verb = |step: &str| step.split(' ').nth(1).map(str::to_owned);
    let mine: Vec<&str> = vec!["writes", "types", "moves", "removes", "restores", "adds"];
    let theirs = ["writes", "types", "moves", "removes", "restores"];
    let rows = rows();
    for other in theirs {
        for own in &mine {
            let found = rows.iter().any(|row| {
                row[2].split(' ').next() == Some(own)
                    && steps(row[1]).any(|step| verb(step).as_deref() == Some(other))
            });
            assert!(found, "no row says what comes of one who {own} where another {other} unseen");
        }
    }
    for own in ["keeps", "takes", "chooses", "reopens", "names"] {
        assert!(rows.iter().any(|row| row[2].split(' ').next() == Some(own)), "no row says who {own}");
    }
}
