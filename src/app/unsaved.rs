//! Own edits that came to nothing, in words and with their content, so that nothing written is lost (S4).

use std::sync::Arc;

use serde_json::{Value, json};

use super::format::{field_label, title};
use super::settings_in_words;
use crate::dashboard::text::Update;
use crate::dashboard::{Choice, NoteText, Op, Widget, WidgetId};

/// Edits that are listed one by one. Beyond, the oldest two become one, with all of their content.
pub const MAX_UNSAVED: usize = 100;

/// One own edit that is not saved.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unsaved {
    pub id: u32,
    /// What it was: `Title of “Orders”`.
    pub what: String,
    /// What was written.
    pub content: String,
    /// Why it is not saved.
    pub reason: String,
}

/// What somebody wrote in one edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrote {
    pub what: String,
    pub content: String,
    /// True for a piece of typing: it goes on where the piece before it ended.
    pub typed: bool,
}

/// What an op was and what it held. `widget` is how its widget is without it, as far as that is known.
///
/// `None` for a widget that only made room for another: nobody chose that place.
pub fn describe(op: &Op, widget: impl Fn(&WidgetId) -> Option<Arc<Widget>>) -> Option<Wrote> {
    describe_among(op, widget, "a removed widget")
}

/// The same with nothing in it but what the op holds, for whoever may see no more of the dashboard.
pub fn describe_alone(op: &Op) -> Option<Wrote> {
    describe_among(op, |_| None, "a widget")
}

/// `unknown` is what a widget is called that is not there.
fn describe_among(
    op: &Op,
    widget: impl Fn(&WidgetId) -> Option<Arc<Widget>>,
    unknown: &str,
) -> Option<Wrote> {
    let of = |id: &WidgetId| widget(id).map_or_else(|| unknown.to_owned(), |w| title(&w.title));
    let (what, content) = match op {
        Op::Place { settled: true, .. } => return None,
        Op::AddWidget { widget, .. } => {
            let what = format!("New {}: {}", widget.kind.label().to_ascii_lowercase(), title(&widget.title));
            (what, whole(widget))
        }
        Op::RemoveWidget { id } => (format!("Removal of {}", of(id)), "Remove it".to_owned()),
        Op::RestoreWidget { id } => (format!("Return of {}", of(id)), "Restore it".to_owned()),
        Op::Place { id, frame, .. } => {
            let (x, y, w, h) = (frame.x.saturating_add(1), frame.y.saturating_add(1), frame.w, frame.h);
            (format!("Place of {}", of(id)), format!("Column {x}, row {y}, {w} wide, {h} high"))
        }
        Op::Set { id, field, value } => (format!("{} of {}", field_label(field), of(id)), in_words(value)),
        Op::SetDashboard { field, value } => match settings_in_words::reads(field, value) {
            Some(content) => (title_case(&settings_in_words::about(field, [value])), content),
            None => (format!("{} of the dashboard", field_label(field)), in_words(value)),
        },
        Op::EditText { id, update, .. } => {
            let base = widget(id).and_then(|widget| widget.text.clone()).unwrap_or_default();
            let (content, typed) = match typing(update, &base) {
                Typing::Inserted(text) => (text, true),
                Typing::Removed(text) => (format!("Removed: “{text}”"), false),
                Typing::Unknown => ("Text in a note was changed.".to_owned(), false),
            };
            return Some(Wrote { what: format!("Text in {}", of(id)), content, typed });
        }
        Op::SettleConflict { choose, .. } => {
            let content = match choose {
                Choice::Kept => "The value that shows".to_owned(),
                Choice::Other => "The value that does not show".to_owned(),
                Choice::Value(value) => in_words(value),
                Choice::Reopen => "Open it again".to_owned(),
            };
            ("Choice in a conflict".to_owned(), content)
        }
    };
    Some(Wrote { what, content, typed: false })
}

fn title_case(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// Lists an edit as the newest, within [`MAX_UNSAVED`] entries and without dropping any content.
pub fn list(all: &mut Vec<Unsaved>, id: u32, wrote: Wrote, reason: &str) {
    let Wrote { what, content, typed } = wrote;
    if let Some(last) = all.last_mut()
        && typed
        && (&*last.what, &*last.reason) == (&*what, reason)
    {
        // Typing comes in pieces of a few letters, which people read as one text.
        last.id = id;
        last.content.push_str(&content);
        return;
    }
    all.push(Unsaved { id, what, content, reason: reason.to_owned() });
    if all.len() > MAX_UNSAVED {
        const OLDER: &str = "Older edits";
        let oldest = all.remove(0);
        let next = &mut all[0];
        let line = |one: &Unsaved| format!("{}: {} ({})", one.what, one.content, one.reason);
        let before = if oldest.what == OLDER { oldest.content } else { line(&oldest) };
        next.content = format!("{before}\n{}", line(next));
        OLDER.clone_into(&mut next.what);
        "Each has its own reason beside it.".clone_into(&mut next.reason);
    }
}

/// A whole widget as JSON that people can read.
fn whole(widget: &Widget) -> String {
    let mut all = json!({ "kind": widget.kind.name(), "title": widget.title, "options": widget.options });
    if let Some(text) = widget.text.as_ref().filter(|text| !text.plain().is_empty()) {
        all["text"] = Value::from(text.plain());
    }
    serde_json::to_string_pretty(&all).unwrap_or_else(|_| all.to_string())
}

/// A value as it was written.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What an update does to a text.
#[derive(Debug, PartialEq, Eq)]
enum Typing {
    Inserted(String),
    Removed(String),
    Unknown,
}

/// What an update does to a text that does not have it.
fn typing(update: &Update, base: &NoteText) -> Typing {
    let written = update.typed().filter(|text| !text.is_empty());
    let with = base.apply(update).ok().filter(|with| with != base);
    match (written, with) {
        // Typed in one go, which a comparison of the texts would only guess at.
        (Some(text), Some(with)) if with.plain().contains(&text) => Typing::Inserted(text),
        (_, Some(with)) => match difference(base.plain(), with.plain()) {
            (removed, "") => Typing::Removed(removed.to_owned()),
            (_, inserted) => Typing::Inserted(inserted.to_owned()),
        },
        // It builds on typing that is not saved either, or is in the text already.
        (Some(text), None) => Typing::Inserted(text),
        (None, None) => Typing::Unknown,
    }
}

/// What stands in one text and not in the other, between what they begin and end with alike.
fn difference<'a>(before: &'a str, after: &'a str) -> (&'a str, &'a str) {
    let same = |(a, b): &(char, char)| a == b;
    let start: usize = before.chars().zip(after.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
    let (before, after) = (&before[start..], &after[start..]);
    let pairs = before.chars().rev().zip(after.chars().rev());
    let end: usize = pairs.take_while(same).map(|(c, _)| c.len_utf8()).sum();
    (&before[..before.len() - end], &after[..after.len() - end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind};

    fn id() -> WidgetId {
        WidgetId::new("w1").expect("a short id is an id")
    }

    fn note(text: &NoteText) -> Arc<Widget> {
        let mut note = Widget::new(Kind::Note, "Runbook", Frame { x: 0, y: 0, w: 8, h: 8 });
        note.text = Some(text.clone());
        Arc::new(note)
    }

    #[test]
    fn an_edit_keeps_its_name_and_its_content() {
        let widget = note(&NoteText::default());
        let set = Op::Set { id: id(), field: "warn_at".to_owned(), value: json!(80) };
        let wrote = describe(&set, |_| Some(widget.clone())).expect("somebody chose it");
        assert_eq!((&*wrote.what, &*wrote.content), ("Warn from of “Runbook”", "80"));
        let add =
            Op::AddWidget { id: id(), widget: Box::new((*note(&NoteText::from_plain("é", 1))).clone()) };
        let wrote = describe(&add, |_| None).expect("somebody chose it");
        assert_eq!(wrote.what, "New note: “Runbook”");
        assert!(wrote.content.contains("\"text\": \"é\""), "{}", wrote.content);
        let settled = Op::Place { id: id(), frame: Frame { x: 0, y: 0, w: 1, h: 1 }, settled: true };
        assert_eq!(describe(&settled, |_| None), None);
    }

    #[test]
    fn an_edit_alone_says_nothing_of_its_widget() {
        let text = NoteText::from_plain("Call Zoe at night", 1);
        let removal = Op::edit_text(&id(), text.splice(2, 0, 8, "").0);
        let wrote = describe(&removal, |_| Some(note(&text))).expect("somebody typed it");
        assert_eq!((&*wrote.what, &*wrote.content), ("Text in “Runbook”", "Removed: “Call Zoe”"));
        let alone = describe_alone(&removal).expect("somebody typed it");
        assert_eq!((&*alone.what, &*alone.content), ("Text in a widget", "Text in a note was changed."));
        let typed = Op::edit_text(&id(), text.splice(2, 0, 0, "Soon: ").0);
        assert_eq!(describe_alone(&typed).expect("somebody typed it").content, "Soon: ");
        let set = Op::Set { id: id(), field: "title".to_owned(), value: json!("Mine") };
        let alone = describe_alone(&set).expect("somebody chose it");
        assert_eq!((&*alone.what, &*alone.content), ("Title of a widget", "Mine"));
    }

    #[test]
    fn typing_is_read_with_and_without_what_it_builds_on() {
        let inserted = |text: &str| Typing::Inserted(text.to_owned());
        let base = NoteText::from_plain("one three", 1);
        let (first, _) = base.splice(2, 4, 0, "two ");
        let with = base.apply(&first).expect("own typing applies");
        let (second, _) = with.splice(2, 8, 0, "ünd ");
        assert_eq!(typing(&first, &base), inserted("two "));
        assert_eq!(typing(&first, &NoteText::default()), inserted("two "));
        assert_eq!(typing(&second, &base), inserted("ünd "));
        let both = first.merged(&second).expect("both can be read");
        assert_eq!(typing(&both, &NoteText::default()), inserted("two ünd "));
        let (a, _) = NoteText::default().splice(3, 0, 0, "ac");
        let ac = NoteText::default().apply(&a).expect("own typing applies");
        let (b, _) = ac.splice(3, 1, 0, "b");
        let abc = a.merged(&b).expect("both can be read");
        assert_eq!(typing(&abc, &NoteText::default()), inserted("abc"));
        let (removal, _) = base.splice(2, 0, 4, "");
        assert_eq!(typing(&removal, &base), Typing::Removed("one ".to_owned()));
        assert_eq!(typing(&removal, &NoteText::default()), Typing::Unknown);
    }

    #[test]
    fn the_list_is_bounded_and_drops_no_content() {
        let mut all = Vec::new();
        for n in 0..250 {
            let wrote = Wrote { what: "Title".to_owned(), content: format!("<{n}>"), typed: false };
            list(&mut all, n, wrote, "Gone.");
        }
        assert_eq!(all.len(), MAX_UNSAVED);
        let text: String = all.iter().map(|one| one.content.as_str()).collect();
        assert!((0..250).all(|n| text.contains(&format!("<{n}>"))));
        let typed =
            |content: &str| Wrote { what: "Text".to_owned(), content: content.to_owned(), typed: true };
        list(&mut all, 300, typed("ab"), "Gone.");
        list(&mut all, 301, typed("c"), "Gone.");
        assert_eq!(all.last().map(|one| &*one.content), Some("abc"));
    }
}
