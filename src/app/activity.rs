//! Activity since the page was opened: each edit with who made it, in words; the newest last, within a bound. Others'
//! edits can be taken back from here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::settings_in_words as settings;
use super::{conflicts, format, widgets};
use crate::dashboard::settings::{ANNOTATION, CHOSEN, RANGE, TAGS, TIME_ZONE, VARIABLE};
use crate::dashboard::{Cell, Conflict, ConflictId, Op, Settings, Strategy, User, UserId, Widget, WidgetId};
use crate::sync::replica::TakenBack;
use crate::sync::undo::{Steps, Writer};

/// Lines that are kept. More than anybody reads; the history has the rest.
pub const MAX_ACTIVITY: usize = 200;
/// A change of more things than this is one line.
const MAX_DEEDS: usize = 10;
/// Among this many of the newest lines, the same deed of the same person is one line.
const SAME_WITHIN: usize = 8;
/// Persons whom a summary names.
const MAX_NAMED: usize = 3;

/// What one change did to one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// The widget, where it was done to one.
    pub widget: Option<WidgetId>,
    /// Follows a name: `renamed “Orders” to “Sales”`.
    pub words: String,
    /// The cells that it wrote; none where it stands for all of the change.
    pub cells: Vec<Cell>,
}

impl Deed {
    /// One that is told of as a whole.
    pub fn new(widget: Option<WidgetId>, words: String) -> Self {
        Self { widget, words, cells: Vec::new() }
    }

    fn says(&self, other: &Self) -> bool {
        self.widget == other.widget && self.words == other.words
    }
}

/// One line of the activity.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// Grows from line to line. A line that happens again gets a new one.
    pub id: u32,
    pub by: User,
    /// Unix milliseconds, by the server for others' changes.
    pub at: u64,
    pub deed: Deed,
    /// Steps of somebody else that it tells of, as long as they are not taken back.
    pub steps: Option<Steps>,
}

/// A time in which nobody watched this page, or it was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The last line before it.
    pub after: u32,
    /// Its begin and its end in Unix milliseconds.
    pub from: u64,
    pub to: u64,
    /// True once the person has seen to it.
    pub told: bool,
}

impl Absence {
    /// True for what others did meanwhile.
    pub fn covers(&self, one: &Activity, me: &UserId) -> bool {
        one.id > self.after && one.at < self.to && one.by.id != *me
    }
}

/// Puts changes into words. Titles given within the same run are known to the words after them.
pub struct Telling<'a> {
    known: &'a dyn Fn(&WidgetId) -> Option<Arc<Widget>>,
    conflict: &'a dyn Fn(&ConflictId) -> Option<Arc<Conflict>>,
    settings: Settings,
    titles: BTreeMap<WidgetId, String>,
}

impl<'a> Telling<'a> {
    /// `known` gives a widget as it is before these changes, `conflict` a conflict.
    pub fn new(
        known: &'a dyn Fn(&WidgetId) -> Option<Arc<Widget>>,
        conflict: &'a dyn Fn(&ConflictId) -> Option<Arc<Conflict>>,
    ) -> Self {
        Self { known, conflict, settings: Settings::new(), titles: BTreeMap::new() }
    }

    /// Also tells of settings as they are before these changes.
    pub fn knowing(mut self, settings: &Settings) -> Self {
        self.settings = settings.clone();
        self
    }

    /// What a change did, a thing once. Widgets that only made room for others are left out.
    pub fn deeds(&mut self, ops: &[Op]) -> Vec<Deed> {
        // A choice tells what it brought with it.
        let settles = |op: &&Op| matches!(op, Op::SettleConflict { .. });
        let ops: Vec<&Op> = match ops.iter().any(|op| settles(&op)) {
            true => ops.iter().filter(settles).collect(),
            false => ops.iter().filter(|op| !widgets::told_with_item(op, ops)).collect(),
        };
        let mut deeds: Vec<Deed> = Vec::new();
        for deed in ops.into_iter().filter_map(|op| self.deed(op)) {
            match deeds.iter_mut().find(|one| one.says(&deed)) {
                Some(one) => one.cells.extend(deed.cells),
                None => deeds.push(deed),
            }
        }
        if deeds.len() > MAX_DEEDS {
            let words = format!("changed {} things at once", deeds.len());
            deeds = vec![Deed::new(None, words)];
        }
        deeds
    }

    fn deed(&mut self, op: &Op) -> Option<Deed> {
        let words = match op {
            Op::Place { settled: true, .. } => return None,
            Op::AddWidget { id, widget } => {
                self.titles.insert(id.clone(), widget.title.clone());
                format!("added {}", format::title(&widget.title))
            }
            Op::RemoveWidget { id } => format!("removed {}", self.title(id)),
            Op::RestoreWidget { id } => format!("brought back {}", self.title(id)),
            Op::Place { id, frame, .. } => {
                let before = (self.known)(id).map(|widget| widget.frame);
                let grew = before.is_some_and(|before| (before.w, before.h) != (frame.w, frame.h));
                format!("{} {}", if grew { "resized" } else { "moved" }, self.title(id))
            }
            Op::Set { id, field, value } if field == "title" => {
                let before = self.title(id);
                let title = value.as_str().unwrap_or_default().to_owned();
                let words = format!("renamed {before} to {}", format::title(&title));
                self.titles.insert(id.clone(), title);
                words
            }
            Op::Set { id, field, value }
                if let Some(told) =
                    (self.known)(id).and_then(|widget| widgets::deed(&widget, field, value)) =>
            {
                told?
            }
            Op::Set { id, field, .. } => {
                format!("changed “{}” of {}", format::field_label(field), self.title(id))
            }
            Op::EditText { id, .. } => format!("typed in {}", self.title(id)),
            Op::SetDashboard { field, value } if field == "title" => {
                format!("renamed the dashboard to {}", format::title(value.as_str().unwrap_or_default()))
            }
            Op::SetDashboard { field, value } if field == "conflicts" => {
                let strategy = value.as_str().and_then(Strategy::parse).unwrap_or_default();
                format!("set what shows in a conflict to “{}”", conflicts::label(strategy))
            }
            Op::SetDashboard { field, value } if field == RANGE => {
                let words = format!("set the time to {}", settings::in_words(field, value));
                self.settings.insert(field.clone(), value.clone());
                words
            }
            Op::SetDashboard { field, value } if field == TIME_ZONE => {
                format!("set the time zone to {}", settings::in_words(field, value))
            }
            Op::SetDashboard { field, value } if field == TAGS => {
                format!("set the tags to “{}”", settings::in_words(field, value))
            }
            Op::SetDashboard { field, value } if field.starts_with(ANNOTATION) => {
                let before = self.settings.insert(field.clone(), value.clone()).unwrap_or_default();
                settings::marked(&before, value)
            }
            Op::SetDashboard { field, value } if field.starts_with(VARIABLE) || field.starts_with(CHOSEN) => {
                let before = self.settings.insert(field.clone(), value.clone()).unwrap_or_default();
                settings::varied(field, &before, value)?
            }
            Op::SetDashboard { .. } => "changed the settings of the dashboard".to_owned(),
            Op::SettleConflict { conflict, choose } => {
                let Some(conflict) = (self.conflict)(conflict) else {
                    return Some(Deed::new(None, "chose in a conflict".to_owned()));
                };
                let widget = conflict.cell.id.clone();
                let known = widget.as_ref().and_then(self.known);
                return Some(Deed::new(widget, conflicts::chosen(&conflict, choose, known.as_deref())));
            }
        };
        Some(Deed { widget: op.widget_id().cloned(), words, cells: op.cell().into_iter().collect() })
    }

    fn title(&self, id: &WidgetId) -> String {
        match self.titles.get(id) {
            Some(title) => format::title(title),
            None => {
                (self.known)(id).map_or_else(|| "a widget".to_owned(), |widget| format::title(&widget.title))
            }
        }
    }
}

/// Lists a deed as the newest. The same deed of the same person a moment ago becomes this one.
pub fn list(all: &mut Vec<Activity>, mut new: Activity) {
    let recent = all.len().saturating_sub(SAME_WITHIN);
    let same = |one: &Activity| one.by.id == new.by.id && one.deed.says(&new.deed);
    if let Some(again) = all[recent..].iter().position(same) {
        let before = all.remove(recent + again);
        new.steps = joined(before.steps, new.steps);
    } else if all.len() >= MAX_ACTIVITY {
        all.remove(0);
    }
    all.push(new);
}

/// The steps of two lines that say the same. Of what is told of as a whole, only the newer.
fn joined(before: Option<Steps>, new: Option<Steps>) -> Option<Steps> {
    match (before, new) {
        (Some(before), Some(mut new)) if !before.cells.is_empty() && !new.cells.is_empty() => {
            new.from = before.from;
            for cell in before.cells {
                if !new.cells.contains(&cell) {
                    new.cells.push(cell);
                }
            }
            Some(new)
        }
        (_, new) => new,
    }
}

/// Everybody who is named in these lines, whoever did something last first.
pub fn persons(all: &[Activity]) -> Vec<User> {
    let mut persons: Vec<User> = Vec::new();
    for one in all.iter().rev() {
        if persons.iter().all(|by| by.id != one.by.id) {
            persons.push(one.by.clone());
        }
    }
    persons
}

/// What became of the taking back of somebody's steps, in sentences.
pub fn taken_back(taken: &TakenBack, name: &str) -> String {
    let mut says = match (taken.steps, taken.stays.is_empty()) {
        (0, true) => return "Not taken back: that was too long ago.".to_owned(),
        (0, false) => "Nothing was taken back.".to_owned(),
        (steps, _) => format!("Took back {} of {name}.", format::count(steps, "step", "steps")),
    };
    let mut names: Vec<&str> = Vec::new();
    let mut changed = 0;
    for writer in taken.stays.iter().filter_map(|one| one.by.as_ref()) {
        let name = match writer {
            Writer::Me => "you",
            Writer::Other(by) => &by.name,
        };
        changed += 1;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if changed > 0 {
        let more = names.len().saturating_sub(MAX_NAMED);
        names.truncate(MAX_NAMED);
        let others = format::count(more, "other person", "others");
        if more > 0 {
            names.push(&others);
        }
        let by = match &names[..] {
            [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
            names => names.join(""),
        };
        let (was, stays) = if changed == 1 { ("was", "stays") } else { ("were", "stay") };
        says.push_str(&format!(" {changed} {was} changed since by {by} and {stays}."));
    }
    match taken.stays.len() - changed {
        0 => says,
        lost => format!("{says} {lost} could not be brought back."),
    }
}

/// Takes back the newest line of a person that says this.
pub fn forget(all: &mut Vec<Activity>, by: &UserId, widget: Option<&WidgetId>, words: &str) {
    let says =
        |one: &Activity| one.by.id == *by && one.deed.widget.as_ref() == widget && one.deed.words == words;
    if let Some(at) = all.iter().rposition(says) {
        all.remove(at);
    }
}

/// A server's time by this device's clock, in Unix milliseconds, and how far the server is ahead as far
/// as that is known. `live` says that the change came as it was made: it cannot have been made later than
/// it came, so the most that a clock was ever ahead is how far it is.
pub fn here_at(at: u64, now: u64, ahead: Option<i64>, live: bool) -> (u64, Option<i64>) {
    let seems = at as i64 - now as i64;
    let ahead = if live { Some(ahead.map_or(seems, |ahead| ahead.max(seems))) } else { ahead };
    let here = at.saturating_add_signed(-ahead.unwrap_or(0));
    (here.min(now.saturating_sub(1)), ahead)
}

/// What others did in an absence, as one line: `Ada changed 3 widgets, Grace added “Refunds”`.
pub fn summary(all: &[Activity], absence: &Absence, me: &UserId) -> Option<String> {
    let mut persons: Vec<(&User, Vec<&Deed>)> = Vec::new();
    for one in all.iter().filter(|one| absence.covers(one, me)) {
        match persons.iter_mut().find(|(by, _)| by.id == one.by.id) {
            Some((_, deeds)) => deeds.push(&one.deed),
            None => persons.push((&one.by, vec![&one.deed])),
        }
    }
    let line = |(by, deeds): &(&User, Vec<&Deed>)| {
        let mut widgets: Vec<&WidgetId> = Vec::new();
        for id in deeds.iter().filter_map(|deed| deed.widget.as_ref()) {
            if !widgets.contains(&id) {
                widgets.push(id);
            }
        }
        match (deeds.as_slice(), widgets.len()) {
            ([deed], _) => format!("{} {}", by.name, deed.words),
            (_, 0) => format!("{} made {} changes", by.name, deeds.len()),
            (_, n) => format!("{} changed {}", by.name, format::count(n, "widget", "widgets")),
        }
    };
    let mut lines: Vec<String> = persons.iter().take(MAX_NAMED).map(line).collect();
    let more = persons.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        lines.push(format!("so did {}", format::count(more, "other person", "others")));
    }
    (!lines.is_empty()).then(|| lines.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind};
    use crate::sync::replica::Stays;
    use serde_json::json;

    fn id(name: &str) -> WidgetId {
        WidgetId::new(name).expect("a short id is an id")
    }

    fn by(name: &str) -> User {
        User { id: UserId::new(name).expect("a short id is an id"), name: name.to_owned(), ..User::default() }
    }

    fn line(n: u32, name: &str, widget: &str, words: &str) -> Activity {
        let deed = Deed::new(Some(id(widget)), words.to_owned());
        Activity { id: n, by: by(name), at: u64::from(n) * 1000, deed, steps: None }
    }

    #[test]
    fn changes_read_as_sentences() {
        let orders = Arc::new(Widget::new(Kind::Stat, "Orders", Frame { x: 0, y: 0, w: 6, h: 4 }));
        let known = |_: &WidgetId| Some(orders.clone());
        let mut telling = Telling::new(&known, &|_| None);
        let title = |title: &str| Op::Set { id: id("w"), field: "title".to_owned(), value: json!(title) };
        let place = |w, settled| Op::Place { id: id("w"), frame: Frame { x: 0, y: 0, w, h: 4 }, settled };
        let words: Vec<String> = telling
            .deeds(&[title("Sales"), title("Revenue"), place(6, false), place(8, false), place(9, true)])
            .into_iter()
            .map(|deed| deed.words)
            .collect();
        assert_eq!(
            words,
            [
                "renamed “Orders” to “Sales”",
                "renamed “Sales” to “Revenue”",
                "moved “Revenue”",
                "resized “Revenue”"
            ]
        );
        let many: Vec<Op> = (0..14).map(|n| Op::RemoveWidget { id: id(&format!("w{n}")) }).collect();
        let unknown = |_: &WidgetId| None;
        let told = Telling::new(&unknown, &|_| None).deeds(&many);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].words, "changed 14 things at once");
    }

    #[test]
    fn the_list_is_bounded_and_says_nothing_twice() {
        let mut all = Vec::new();
        for n in 0..500 {
            list(&mut all, line(n, "Ada", "w", &format!("deed {n}")));
        }
        assert_eq!(all.len(), MAX_ACTIVITY);
        list(&mut all, line(500, "Ada", "w", "deed 498"));
        assert_eq!(all.len(), MAX_ACTIVITY);
        assert_eq!(all.last().map(|one| one.id), Some(500));
        assert_eq!(all.iter().filter(|one| one.deed.words == "deed 498").count(), 1);
    }

    #[test]
    fn a_line_that_happens_again_has_the_steps_of_both() {
        let mut all = Vec::new();
        let cell = |field: &str| Cell::widget(&id("w"), field);
        let mut add = |n: u32, words: &str, cells: Vec<Cell>| {
            let steps = Some(Steps::of(u64::from(n), cells));
            list(&mut all, Activity { steps, ..line(n, "Ada", "w", words) });
        };
        add(3, "moved “W”", vec![cell("frame")]);
        add(4, "renamed “W”", vec![cell("title")]);
        add(7, "moved “W”", vec![cell("frame")]);
        // What is told of as a whole takes nothing in between with it.
        add(8, "changed 12 things at once", Vec::new());
        add(9, "changed 12 things at once", Vec::new());
        let steps: Vec<_> =
            all.iter().filter_map(|one| one.steps.as_ref()).map(|one| (one.from, one.to)).collect();
        assert_eq!(steps, [(4, 4), (3, 7), (9, 9)]);
    }

    #[test]
    fn what_was_taken_back_and_what_stays_is_said_in_sentences() {
        let says = |steps, by: &[Option<Writer>]| {
            let stays = by.iter().map(|by| Stays { cell: Cell::dashboard("title"), by: by.clone() });
            taken_back(&TakenBack { steps, stays: stays.collect(), ..TakenBack::default() }, "Importer")
        };
        let other = |name: &str| Some(Writer::Other(by(name)));
        assert_eq!(says(1, &[]), "Took back 1 step of Importer.");
        assert_eq!(
            says(5, &[other("Bo"), other("Bo")]),
            "Took back 5 steps of Importer. 2 were changed since by Bo and stay."
        );
        assert_eq!(
            says(0, &[other("Bo"), Some(Writer::Me), None]),
            "Nothing was taken back. 2 were changed since by Bo and you and stay. 1 could not be brought back."
        );
        let many = ["A", "B", "C", "D", "E"].map(other);
        assert!(says(2, &many).contains("by A, B, C and 2 others and stay"), "{}", says(2, &many));
        assert_eq!(says(0, &[]), "Not taken back: that was too long ago.");
    }

    #[test]
    fn times_are_by_this_device_whatever_the_server_s_clock_says() {
        // Nothing is known yet, and nothing comes from the future.
        assert_eq!(here_at(5_000, 4_000, None, false), (3_999, None));
        // The server is an hour ahead: the change that took longest to come tells least.
        let (hour, at) = (3_600_000, 10_000_000);
        let (_, ahead) = here_at(at + hour, at + 900, None, true);
        let (here, ahead) = here_at(at + hour, at + 40, ahead, true);
        assert_eq!((here, ahead), (at + 39, Some(hour as i64 - 40)));
    }

    #[test]
    fn what_was_refused_is_taken_back() {
        let mut all = vec![line(1, "Ada", "w", "moved “W”"), line(2, "Me", "w", "moved “W”")];
        forget(&mut all, &by("Me").id, Some(&id("w")), "moved “W”");
        assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn an_absence_is_summed_up_by_person() {
        let me = by("Me").id;
        let all = [
            line(1, "Ada", "a", "moved “A”"),
            line(2, "Ada", "b", "moved “B”"),
            line(3, "Me", "c", "moved “C”"),
            line(4, "Ada", "c", "moved “C”"),
            line(5, "Grace", "d", "added “D”"),
            line(9, "Grace", "e", "added “E”"),
        ];
        let absence = Absence { after: 1, from: 1_000, to: 8_000, told: false };
        assert_eq!(summary(&all, &absence, &me).as_deref(), Some("Ada changed 2 widgets, Grace added “D”"));
        assert_eq!(summary(&all, &Absence { after: 9, ..absence }, &me), None);
    }
}
