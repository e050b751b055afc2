//! Conflicts in words: what they are about, what each side wrote, what was chosen, and which value shows.

use std::sync::Arc;

use serde_json::Value;

use super::format::{self, ago, count, field_label, span};
use super::{settings_in_words, unsaved, widgets};
use crate::dashboard::op::REMOVED;
use crate::dashboard::{Choice, Conflict, Op, Side, Strategy, UserId, Widget};
use crate::sync::protocol::MIN_AGE_MS;
use crate::sync::replica::Landed;

/// Characters of a value in the middle of a sentence.
const SHORT: usize = 60;

/// What shows in a conflict, in the order in which people are offered it.
pub const STRATEGIES: [(Strategy, &str); 3] =
    [(Strategy::Latest, "latest"), (Strategy::First, "first"), (Strategy::Ask, "ask")];

/// A strategy's name for people.
pub const fn label(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Latest => "The last to arrive",
        Strategy::First => "The first to arrive",
        Strategy::Ask => "Ask the last to arrive",
    }
}

/// What a strategy does.
pub const fn promise(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Latest => {
            "What arrives last shows, whenever it was written. Whoever was there before is told at once."
        }
        Strategy::First => "What arrived first goes on showing. Whoever comes later is told at once.",
        Strategy::Ask => {
            "What arrived first goes on showing, and whoever comes later is asked at once which it shall be."
        }
    }
}

/// One thing that somebody wrote, with its name where there are several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub label: Option<String>,
    pub text: String,
}

/// True for a conflict between a removal and edits.
pub fn is_removal(conflict: &Conflict) -> bool {
    conflict.cell.field == REMOVED
}

/// What a conflict is about: `the title of “Orders”`. `widget` as far as it is known.
pub fn about(conflict: &Conflict, widget: Option<&Widget>) -> String {
    let name = || widget.map_or_else(|| "a widget".to_owned(), |widget| format::title(&widget.title));
    match (conflict.cell.id.is_some(), conflict.cell.field.as_str()) {
        (true, REMOVED) => name(),
        // By the name that both knew it by: the two new ones are what it is about.
        (true, "title") => {
            let before = conflict.base.as_str().filter(|before| !before.trim().is_empty());
            format!("the title of {}", before.map_or_else(name, format::title))
        }
        (true, field) => match widget.and_then(|widget| widgets::item_label(widget, field)) {
            Some(item) => format!("{item} in {}", name()),
            None => format!("“{}” of {}", field_label(field), name()),
        },
        (false, "title") => "the title of this dashboard".to_owned(),
        (false, field) => {
            let Conflict { base, kept, other, .. } = conflict;
            settings_in_words::about(field, [base, &kept.value, &other.value])
        }
    }
}

/// What a side of a conflict holds, line by line.
pub fn lines(conflict: &Conflict, side: &Side, widget: Option<&Arc<Widget>>) -> Vec<Line> {
    let line = |text: &str| vec![Line { label: None, text: text.to_owned() }];
    match &side.value {
        Value::Bool(true) => line("Removed it"),
        Value::Array(edits) if edits.is_empty() => line("Brought it back as it was"),
        Value::Array(_) => edits(&side.value, widget),
        value => line(&reads(conflict, value)),
    }
}

/// The edits that a removal met, each field once, as it reads in the end.
fn edits(value: &Value, widget: Option<&Arc<Widget>>) -> Vec<Line> {
    let ops: Vec<Op> = serde_json::from_value(value.clone()).unwrap_or_default();
    let mut lines: Vec<Line> = Vec::new();
    for op in &ops {
        let (label, text, goes_on) = match op {
            Op::Set { field, value, .. } => (field_label(field), plain(value), false),
            Op::EditText { update, .. } if update.as_bytes().len() <= 2 => {
                let reads =
                    widget.and_then(|widget| widget.text.as_ref()).map(|text| text.plain().to_owned());
                ("Text".to_owned(), reads.unwrap_or_default(), false)
            }
            op => {
                let Some(wrote) = unsaved::describe(op, |_| widget.cloned()) else { continue };
                ("Text".to_owned(), wrote.content, wrote.typed)
            }
        };
        match lines.iter_mut().find(|line| line.label.as_ref() == Some(&label)) {
            Some(line) if goes_on => line.text.push_str(&text),
            Some(line) => line.text = text,
            None => lines.push(Line { label: Some(label), text }),
        }
    }
    lines
}

/// A value as it was written.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if text.is_empty() => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as the cell of a conflict shows it.
pub fn reads(conflict: &Conflict, value: &Value) -> String {
    let setting = conflict.cell.id.is_none().then(|| settings_in_words::reads(&conflict.cell.field, value));
    let tick = || match (conflict.cell.field.starts_with("done."), value) {
        (true, Value::Bool(true)) => Some("Ticked".to_owned()),
        (true, Value::Null) => Some("Not ticked".to_owned()),
        _ => None,
    };
    setting.flatten().or_else(tick).unwrap_or_else(|| plain(value))
}

/// A value in the middle of a sentence.
fn quoted(conflict: &Conflict, value: &Value) -> String {
    let text = reads(conflict, value);
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => format!("“{}…”", &text[..end]),
        None => format!("“{text}”"),
    }
}

/// What a choice did; follows a name: `chose “Orders” for the title of “Sales”`.
pub fn chosen(conflict: &Conflict, choose: &Choice, widget: Option<&Widget>) -> String {
    let about = about(conflict, widget);
    let value = match choose {
        Choice::Reopen => return format!("opened the conflict about {about} again"),
        Choice::Kept => &conflict.kept.value,
        Choice::Other => &conflict.other.value,
        Choice::Value(value) => value,
    };
    match (is_removal(conflict), value) {
        (false, value) => format!("chose {} for {about}", quoted(conflict, value)),
        (true, Value::Bool(true)) => format!("let {about} go"),
        (true, Value::Array(edits)) if edits.is_empty() => format!("kept {about} as it is"),
        (true, _) => format!("kept {about} with the edits"),
    }
}

/// What an edit did that brought both sides to the same; follows a name: `wrote “A” for the title of “Sales”, and
/// both sides agree`.
pub fn agreed(conflict: &Conflict, widget: Option<&Widget>) -> String {
    let about = about(conflict, widget);
    match is_removal(conflict) {
        true => format!("left nothing to choose about {about}"),
        false => {
            format!("wrote {} for {about}, and both sides agree", quoted(conflict, &conflict.kept.value))
        }
    }
}

/// The two sides as somebody sees them who wrote one of them: theirs, the other's, and whether theirs
/// shows.
pub fn sides<'a>(conflict: &'a Conflict, me: &UserId) -> (&'a Side, &'a Side, bool) {
    let mine_shows = conflict.kept.by.id == *me && conflict.other.by.id != *me;
    match mine_shows {
        true => (&conflict.kept, &conflict.other, true),
        false => (&conflict.other, &conflict.kept, false),
    }
}

/// What somebody is told whose value met another's.
pub fn met(conflict: &Conflict, widget: Option<&Widget>, me: &UserId, asks: bool) -> String {
    let about = about(conflict, widget);
    let (mine, theirs, mine_shows) = sides(conflict, me);
    let who = if theirs.by.id == *me { "You, in another tab," } else { &theirs.by.name };
    if is_removal(conflict) {
        let removed = mine.value == Value::Bool(true);
        let what = if removed { "edited" } else { "removed" };
        let did = if removed { "removed" } else { "edited" };
        let shows = match (removed, mine_shows) {
            (true, true) => "It is removed; the edits are kept.",
            (true, false) => "It stays; nothing is lost.",
            (false, true) => "It stays with your edits.",
            (false, false) => "It is removed; your edits are kept.",
        };
        return format!("{who} {what} {about} while you {did} it. {shows}");
    }
    let (mine, theirs) = (quoted(conflict, &mine.value), quoted(conflict, &theirs.value));
    match (mine_shows, asks) {
        (true, _) => {
            format!("{who} wrote {theirs} for {about} at the same time. Yours, {mine}, shows; both are kept.")
        }
        (false, false) => format!(
            "{who} wrote {theirs} for {about} at the same time, and it shows. Yours, {mine}, is kept."
        ),
        (false, true) => format!("{who} wrote {theirs} for {about}, you wrote {mine}. Which shall it be?"),
    }
}

/// What a button says that chooses a side.
pub fn choice(conflict: &Conflict, side: &Side, me: &UserId) -> String {
    match (is_removal(conflict), &side.value) {
        (true, Value::Bool(true)) => "Let it go".to_owned(),
        (true, Value::Array(edits)) if edits.is_empty() => "Keep it as it is".to_owned(),
        (true, _) => "Keep it with the edits".to_owned(),
        (false, _) if side.by.id == *me => "Use mine".to_owned(),
        (false, _) => format!("Use {}’s", side.by.name),
    }
}

/// What became of own edits that waited: `7 of your edits are saved, 2 meet edits of others.`
pub fn came_back(landed: Landed) -> String {
    let Landed { saved, met, .. } = landed;
    let are = |n: usize| if n == 1 { "is" } else { "are" };
    match (saved, met) {
        (1, 0) => "Your edit is saved.".to_owned(),
        (saved, 0) => format!("Your {saved} edits are saved."),
        (0, met) => {
            format!(
                "{} of yours {} edits of others. Both sides are kept.",
                count(met, "edit", "edits"),
                meets(met)
            )
        }
        (saved, met) => {
            format!("{saved} of your edits {} saved, {met} {} edits of others.", are(saved), meets(met))
        }
    }
}

/// When a side of a conflict came, and how much earlier it was written, against now.
pub fn when(side: &Side, now_ms: u64) -> String {
    let arrived = format!("arrived {}", ago(side.at, now_ms));
    match side.written_at.map(|written| side.at.saturating_sub(written)) {
        Some(waited) if waited >= MIN_AGE_MS => format!("{arrived}, written {} earlier", span(waited)),
        _ => arrived,
    }
}

/// What is said where several edits of others meet own ones at once.
pub fn met_at_once(n: usize) -> String {
    format!("{} of others {} yours. Both sides are kept.", count(n, "edit", "edits"), meets(n))
}

const fn meets(n: usize) -> &'static str {
    if n == 1 { "meets" } else { "meet" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Cell, ConflictId, Frame, Kind, NoteText, User, WidgetId};
    use serde_json::json;

    fn side(name: &str, value: Value) -> Side {
        let by = User { id: UserId::new(name).expect("an id"), name: name.to_owned(), ..User::default() };
        Side { value, by, client: None, at: 0, written_at: None, revision: None }
    }

    fn conflict(field: &str, kept: Side, other: Side) -> Conflict {
        let cell = Cell::widget(&WidgetId::new("w1").expect("an id"), field);
        let id = ConflictId::new("k1").expect("an id");
        Conflict { id, cell, base: Value::Null, kept, other, settled: None }
    }

    fn note() -> Arc<Widget> {
        let mut note = Widget::new(Kind::Note, "Runbook", Frame::default());
        note.text = Some(NoteText::from_plain("call the person on duty", 1));
        Arc::new(note)
    }

    #[test]
    fn edits_beside_a_removal_show_as_what_they_were() {
        let (widget, text) = (note(), NoteText::from_plain("call the person on duty", 1));
        let (first, _) = text.splice(2, 0, 0, "first ");
        let with = text.apply(&first).expect("own typing applies");
        let (second, _) = with.splice(2, 6, 0, "of all ");
        let typed = |update| Op::edit_text(&WidgetId::new("w1").expect("an id"), update);
        let title = |title: &str| json!({"op": "set", "id": "w1", "field": "title", "value": title});
        let ops = json!([title("A"), typed(first), title("B"), typed(second)]);
        let line = |label: &str, text: &str| Line { label: Some(label.to_owned()), text: text.to_owned() };
        let about = conflict(REMOVED, side("Grace", json!(true)), side("Ada", json!([])));
        let read = lines(&about, &side("Ada", ops), Some(&widget));
        assert_eq!(read, [line("Title", "B"), line("Text", "first of all ")]);
        let marked = json!([{"op": "edit_text", "id": "w1", "update": "AAA="}]);
        let read = lines(&about, &side("Ada", marked), Some(&widget));
        assert_eq!(read, [line("Text", "call the person on duty")]);
    }

    #[test]
    fn who_met_another_is_told_what_shows() {
        let me = UserId::new("Grace").expect("an id");
        let widget = note();
        let (a, b) = (side("Ada", json!("A")), side("Grace", json!("B")));
        let says = |conflict: &Conflict, asks| met(conflict, Some(&widget), &me, asks);
        assert_eq!(
            says(&conflict("title", b.clone(), a.clone()), false),
            "Ada wrote “A” for the title of “Runbook” at the same time. Yours, “B”, shows; both are kept."
        );
        let hidden = conflict("title", a, b);
        assert_eq!(
            says(&hidden, false),
            "Ada wrote “A” for the title of “Runbook” at the same time, and it shows. Yours, “B”, is kept."
        );
        assert_eq!(
            says(&hidden, true),
            "Ada wrote “A” for the title of “Runbook”, you wrote “B”. Which shall it be?"
        );
        let removed = conflict(REMOVED, side("Ada", json!(true)), side("Grace", json!([])));
        assert_eq!(
            says(&removed, false),
            "Ada removed “Runbook” while you edited it. It is removed; your edits are kept."
        );
        assert_eq!(chosen(&hidden, &Choice::Other, Some(&widget)), "chose “B” for the title of “Runbook”");
        assert_eq!(chosen(&removed, &Choice::Kept, Some(&widget)), "let “Runbook” go");
        assert_eq!(
            agreed(&hidden, Some(&widget)),
            "wrote “A” for the title of “Runbook”, and both sides agree"
        );
    }

    #[test]
    fn a_side_tells_when_it_arrived_and_how_much_earlier_it_was_written() {
        let arrived = Side { at: 100_000, ..side("Ada", json!("A")) };
        assert_eq!(when(&arrived, 103_000), "arrived just now");
        let offline = Side { written_at: Some(78_000), ..arrived.clone() };
        assert_eq!(when(&offline, 103_000), "arrived just now, written 22 s earlier");
        assert_eq!(when(&offline, 400_000), "arrived 5 min ago, written 22 s earlier");
        // What was on its way, and what nobody can have written.
        for odd in [99_500, 100_001] {
            let odd = Side { written_at: Some(odd), ..arrived.clone() };
            assert_eq!(when(&odd, 103_000), "arrived just now");
        }
    }

    #[test]
    fn a_return_is_told_in_one_sentence() {
        let landed = |saved, met| came_back(Landed { saved, met, returned: 0 });
        assert_eq!(landed(1, 0), "Your edit is saved.");
        assert_eq!(landed(7, 0), "Your 7 edits are saved.");
        assert_eq!(landed(7, 2), "7 of your edits are saved, 2 meet edits of others.");
        assert_eq!(landed(1, 1), "1 of your edits is saved, 1 meets edits of others.");
        assert_eq!(landed(0, 1), "1 edit of yours meets edits of others. Both sides are kept.");
    }
}
