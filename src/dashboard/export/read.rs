//! Reader of a document's widgets: what does not fit is left out with a remark.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::edit::OpError;
use super::super::layout::{COLUMNS, MAX_ROWS, MAX_Y};
use super::super::widget::{MAX_FAMILY, check_value};
use super::super::{Frame, Kind, MAX_TITLE_CHARS, NoteText, Widget, WidgetId, line_ends};
use super::{FORMAT, ImportError, Report};

/// Reads the widgets of a document of Lockstep, at most so many, each with the frame that it wants and the id
/// that it names.
pub fn read_widgets(
    document: &Value,
    most: usize,
    report: &mut Report,
) -> Result<Vec<(Option<WidgetId>, Widget)>, ImportError> {
    match document.get("lockstep") {
        None => return Err(ImportError::NoDashboard),
        Some(format) if format.as_u64() == Some(FORMAT) => {}
        Some(Value::String(format)) => return Err(ImportError::Format(format.chars().take(40).collect())),
        Some(format) => return Err(ImportError::Format(format.to_string().chars().take(40).collect())),
    }
    let widgets = document.get("widgets").and_then(Value::as_array);
    let widgets = widgets.ok_or(ImportError::Shape("widgets", "a list"))?;
    let mut read: Vec<(Option<WidgetId>, Widget)> = Vec::new();
    let mut bottom = 0;
    for (n, widget) in widgets.iter().enumerate().take(most) {
        let id = widget.get("id").and_then(Value::as_str).and_then(|id| WidgetId::new(id).ok());
        let Some(widget) = read_widget(n, widget, bottom, report) else { continue };
        bottom = bottom.max(widget.frame.bottom());
        read.push((id, widget));
    }
    if widgets.len() > most {
        let why = format!("A dashboard has at most {most} widgets. The rest was left out.");
        report.say(format!("{} widgets", widgets.len() - most), why);
    }
    Ok(read)
}

fn read_widget(n: usize, document: &Value, bottom: u32, report: &mut Report) -> Option<Widget> {
    let nth = format!("Widget {}", n + 1);
    let Some(fields) = document.as_object() else {
        report.say(nth, "It is no object, and was left out.");
        return None;
    };
    let title = fields.get("title").and_then(Value::as_str).unwrap_or_default();
    let what = if title.trim().is_empty() { nth } else { format!("“{}”", title.trim()) };
    let named = fields.get("kind").and_then(Value::as_str).unwrap_or_default();
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == named) else {
        let kinds: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        let why = format!("Its kind is none of {}, and it was left out.", kinds.join(", "));
        report.say(what, why);
        return None;
    };
    let title = title_of(fields.get("title"), &what, report);
    let frame = read_frame(fields.get("frame")).unwrap_or_else(|| {
        report.say(&what, "Its “frame” has no x, y, w and h in whole numbers. It stands at the end.");
        let (w, h) = kind.size();
        Frame::new(0, bottom.min(u32::from(MAX_Y)) as u16, w, h)
    });
    let mut widget = Widget::new(kind, title, frame);
    match fields.get("options") {
        None | Some(Value::Null) => {}
        Some(Value::Object(options)) => {
            for (name, value) in options {
                set_option(&mut widget, name, value.clone(), &what, report);
            }
        }
        Some(_) => report.say(&what, "Its “options” are no object, and were left out."),
    }
    match (fields.get("text"), kind) {
        (None | Some(Value::Null), _) => {}
        (Some(Value::String(text)), Kind::Note) => set_text(&mut widget, text, &what, report),
        (Some(_), Kind::Note) => report.say(&what, "Its “text” is no text, and was left out."),
        (Some(_), _) => report.say(&what, "Only a note has a text; this one was left out."),
    }
    if fields.get("id").is_some_and(|id| id.as_str().is_none_or(|id| WidgetId::new(id).is_err())) {
        report.say(&what, "Its “id” is none of 1 to 64 letters, digits, _ and -, and was left out.");
    }
    unknown(document, &["id", "kind", "title", "frame", "options", "text"], &what, report);
    Some(widget)
}

/// A frame of whole numbers, brought onto the grid.
fn read_frame(frame: Option<&Value>) -> Option<Frame> {
    let number = |name: &str, most: u16| -> Option<u16> {
        let number = frame?.get(name)?.as_f64()?;
        (number.fract() == 0.0).then(|| number.clamp(0.0, f64::from(most)) as u16)
    };
    let (x, y) = (number("x", COLUMNS)?, number("y", MAX_Y)?);
    Some(Frame::new(x, y, number("w", COLUMNS)?, number("h", MAX_ROWS)?).clamped())
}

/// Sets an option that fits, and remarks on one that does not.
pub(in crate::dashboard) fn set_option(
    widget: &mut Widget,
    name: &str,
    value: Value,
    what: &str,
    report: &mut Report,
) {
    if value.is_null() {
        return;
    }
    let checked = match name {
        "title" => Err(OpError::NoSuchField(name.to_owned())),
        _ => check_value(widget.kind, name, &value).and_then(|()| match widget.room_for(name, &value)? {
            // What is read is all there is to be: none of it gives way.
            Some(_) => Err(OpError::TooMany(MAX_FAMILY)),
            None => Ok(()),
        }),
    };
    match checked {
        Ok(()) => {
            widget.options.insert(name.to_owned(), value);
        }
        Err(error) => report.say(what, format!("{error} It was left out.")),
    }
}

/// Gives a note its text, as much of it as a note takes.
pub(in crate::dashboard) fn set_text(widget: &mut Widget, text: &str, what: &str, report: &mut Report) {
    // A new document, so any author will do.
    let (text, whole) = NoteText::from_long_plain(&line_ends::normalized(text), 1);
    if !whole {
        report.say(what, "Its text is longer than a note takes; the rest was left out.");
    }
    widget.text = Some(text);
}

/// A title on one line and within its bound.
pub(in crate::dashboard) fn title_of(title: Option<&Value>, what: &str, report: &mut Report) -> String {
    let title = match title {
        None | Some(Value::Null) => "",
        Some(Value::String(title)) => title.trim(),
        Some(_) => {
            report.say(what, "Its “title” is no text, and was left out.");
            ""
        }
    };
    let title: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if title.chars().count() <= MAX_TITLE_CHARS {
        return title;
    }
    report.say(what, format!("Its title was cut after {MAX_TITLE_CHARS} characters."));
    title.chars().take(MAX_TITLE_CHARS).collect()
}

pub(super) fn unknown(document: &Value, known: &[&str], what: &str, report: &mut Report) {
    let names: BTreeSet<&str> =
        document.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
    for name in names.into_iter().filter(|name| !known.contains(name)) {
        let name: String = name.chars().take(40).collect();
        report.say(what, format!("There is no field named “{name}” here. It was left out."));
    }
}
