//! Own edits that came to nothing, in words and with their content, so that nothing written is lost (S4).

use std::sync::Arc;

use serde_json::{Value, json};

use super::format::{field_label, title};
use super::settings_in_words;
use crate::dashboard::text::Update;
use crate::dashboard::{Choice, NoteText, Op, Widget, WidgetId};

/// Edits that are listed one by one. Beyond, the oldest two become one, with all of their content.
pub const MAX_UNSAVED: usize = 100;

/// What an entry is called that several became.
const OLDER: &str = "Older edits";
/// What an entry is called of which nothing more is to be said.
const EARLIER: &str = "An earlier edit";
/// What an edit of a note begins with, and its content where it only removed.
const TEXT_IN: &str = "Text in ";
const REMOVED: &str = "Removed: “";
/// Content of an edit of a note that cannot be read.
const TEXT_CHANGED: &str = "Text in a note was changed.";

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
    /// How it reads to whoever may see no more of the dashboard. Records of older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<Alone>,
}

/// Description of an edit without what others wrote.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Alone {
    pub what: String,
    /// `None` where it is the content of the edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Alone {
    /// `whole` is the content of the edit.
    fn new(what: String, content: String, whole: &str) -> Self {
        Self { what, content: (content != whole).then_some(content) }
    }
}

impl Unsaved {
    /// Drops what others wrote. What an older version described keeps its content, under no name.
    pub fn reduce(&mut self) {
        let (what, content) = self.words_alone();
        let (what, content) = (what.to_owned(), content.to_owned());
        self.alone = Some(Alone { what: what.clone(), content: None });
        (self.what, self.content) = (what, content);
    }

    /// Description and content without what others wrote.
    fn words_alone(&self) -> (&str, &str) {
        match &self.alone {
            Some(Alone { what, content }) => (what, content.as_deref().unwrap_or(&self.content)),
            None if self.what == OLDER => (OLDER, &self.content),
            None if self.what.starts_with(TEXT_IN) && self.content.starts_with(REMOVED) => {
                (EARLIER, TEXT_CHANGED)
            }
            None => (EARLIER, &self.content),
        }
    }
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
                Typing::Removed(text) => (format!("{REMOVED}{text}”"), false),
                Typing::Unknown => (TEXT_CHANGED.to_owned(), false),
            };
            return Some(Wrote { what: format!("{TEXT_IN}{}", of(id)), content, typed });
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

/// Lists an edit as the newest, within [`MAX_UNSAVED`] entries and without dropping any content. `alone` is how
/// [`describe_alone`] reads it.
pub fn list(all: &mut Vec<Unsaved>, id: u32, wrote: Wrote, alone: Wrote, reason: &str) {
    let Wrote { what, content, typed } = wrote;
    if let Some(last) = all.last_mut()
        && typed
        && (&*last.what, &*last.reason) == (&*what, reason)
    {
        // Typing comes in pieces of a few letters, which people read as one text.
        last.id = id;
        let content_alone = format!("{}{}", last.words_alone().1, alone.content);
        last.content.push_str(&content);
        last.alone = Some(Alone::new(alone.what, content_alone, &last.content));
        return;
    }
    let alone = Some(Alone::new(alone.what, alone.content, &content));
    all.push(Unsaved { id, what, content, reason: reason.to_owned(), alone });
    if all.len() > MAX_UNSAVED {
        let oldest = all.remove(0);
        let next = &mut all[0];
        let joined = |before: (&str, &str), after: (&str, &str)| {
            let line = |(what, content): (&str, &str), reason: &str| format!("{what}: {content} ({reason})");
            let first = if before.0 == OLDER { before.1.to_owned() } else { line(before, &oldest.reason) };
            format!("{first}\n{}", line(after, &next.reason))
        };
        let content = joined((&oldest.what, &oldest.content), (&next.what, &next.content));
        let content_alone = joined(oldest.words_alone(), next.words_alone());
        next.alone = Some(Alone::new(OLDER.to_owned(), content_alone, &content));
        next.content = content;
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
            list(&mut all, n, wrote.clone(), wrote, "Gone.");
        }
        assert_eq!(all.len(), MAX_UNSAVED);
        let text: String = all.iter().map(|one| one.content.as_str()).collect();
        assert!((0..250).all(|n| text.contains(&format!("<{n}>"))));
        let typed =
            |content: &str| Wrote { what: "Text".to_owned(), content: content.to_owned(), typed: true };
        list(&mut all, 300, typed("ab"), typed("ab"), "Gone.");
        list(&mut all, 301, typed("c"), typed("c"), "Gone.");
        assert_eq!(all.last().map(|one| &*one.content), Some("abc"));
    }

    #[test]
    fn a_listed_edit_is_reduced_to_what_its_author_wrote() {
        let text = NoteText::from_plain("Call Zoe at night", 1);
        let mut all = Vec::new();
        let add = |all: &mut Vec<Unsaved>, n: u32, op: &Op| {
            let wrote = describe(op, |_| Some(note(&text))).expect("somebody wrote it");
            let alone = describe_alone(op).expect("somebody wrote it");
            list(all, n, wrote, alone, "Gone.");
        };
        let removal = Op::edit_text(&id(), text.splice(2, 0, 8, "").0);
        let set = |value: &str| Op::Set { id: id(), field: "title".to_owned(), value: json!(value) };
        add(&mut all, 1, &removal);
        add(&mut all, 2, &set("Mine"));
        assert_eq!(all[1].what, "Title of “Runbook”");
        let kept = serde_json::to_string(&all).expect("can be written");
        let mut reduced: Vec<Unsaved> = serde_json::from_str(&kept).expect("can be read");
        reduced.iter_mut().for_each(Unsaved::reduce);
        let read = |all: &[Unsaved]| -> Vec<(String, String)> {
            all.iter().map(|one| (one.what.clone(), one.content.clone())).collect()
        };
        let own = [("Text in a widget", TEXT_CHANGED), ("Title of a widget", "Mine")];
        assert_eq!(read(&reduced), own.map(|(what, content)| (what.to_owned(), content.to_owned())));
        let once = reduced.clone();
        reduced.iter_mut().for_each(Unsaved::reduce);
        assert_eq!(reduced, once);
        for n in 0..MAX_UNSAVED as u32 {
            add(&mut all, 3 + n, &set(&format!("<{n}>")));
        }
        all.iter_mut().for_each(Unsaved::reduce);
        let kept = serde_json::to_string(&all).expect("can be written");
        assert!(!kept.contains("Runbook") && !kept.contains("Zoe"), "{kept}");
        assert!(kept.contains("Mine") && kept.contains("<0>"), "{kept}");
    }

    #[test]
    fn an_edit_that_an_older_version_listed_loses_its_name_and_keeps_its_content() {
        let reduced = |what: &str, content: &str| {
            let old = json!({ "id": 1, "what": what, "content": content, "reason": "Gone." });
            let mut one: Unsaved = serde_json::from_value(old).expect("can be read");
            one.reduce();
            (one.what, one.content)
        };
        let words = |what: &str, content: &str| (what.to_owned(), content.to_owned());
        assert_eq!(reduced("Title of “Runbook”", "Mine"), words(EARLIER, "Mine"));
        assert_eq!(reduced("Text in “Runbook”", "Removed: “Zoe”"), words(EARLIER, TEXT_CHANGED));
    }
}
