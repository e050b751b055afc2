//! A widget, its kinds, and the fields that each kind has. A new kind is added here and in `app/widgets`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::edit::OpError;
use super::layout::Frame;
use super::op::{FRAME, TEXT};
use super::text::NoteText;
use super::{MAX_TITLE_CHARS, Op, WidgetId};

/// One tile of a dashboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Widget {
    pub kind: Kind,
    #[serde(default)]
    pub title: String,
    pub frame: Frame,
    #[serde(default)]
    pub options: BTreeMap<String, Value>,
    /// A note's text; no other kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<NoteText>,
}

/// What a widget shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One number, big, with its recent course.
    Stat,
    /// Lines over time.
    Timeseries,
    /// Text that several people type at once.
    Note,
}

/// One option of a kind: its name on the wire, its label, and what it takes.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub takes: Takes,
}

/// What values an option takes. Every option also takes `null`, which unsets it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Takes {
    /// A string of at most this many characters.
    Text(usize),
    /// A finite number.
    Number,
    /// A whole number from..=to.
    Whole(i64, i64),
    /// One of these strings.
    OneOf(&'static [&'static str]),
}

/// Characters in a query: a long PromQL expression, with room.
pub const MAX_QUERY_CHARS: usize = 4096;
/// Characters in a unit.
pub const MAX_UNIT_CHARS: usize = 24;

const QUERY: Field = Field { name: "query", label: "Data", takes: Takes::Text(MAX_QUERY_CHARS) };
const UNIT: Field = Field { name: "unit", label: "Unit", takes: Takes::Text(MAX_UNIT_CHARS) };
const DECIMALS: Field = Field { name: "decimals", label: "Decimals", takes: Takes::Whole(0, 6) };
const MIN: Field = Field { name: "min", label: "Scale from", takes: Takes::Number };
const MAX: Field = Field { name: "max", label: "Scale to", takes: Takes::Number };
const WARN_AT: Field = Field { name: "warn_at", label: "Warn from", takes: Takes::Number };
const ALERT_AT: Field = Field { name: "alert_at", label: "Alert from", takes: Takes::Number };
const STYLE: Field = Field { name: "style", label: "Drawn as", takes: Takes::OneOf(&["area", "line"]) };

impl Kind {
    /// All kinds, in the order in which people are offered them.
    pub const ALL: [Self; 3] = [Self::Stat, Self::Timeseries, Self::Note];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Timeseries => "timeseries",
            Self::Note => "note",
        }
    }

    /// The name that people read.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Stat => "Number",
            Self::Timeseries => "Time series",
            Self::Note => "Note",
        }
    }

    /// The options that widgets of this kind have, beside `title`.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::Stat => &[QUERY, UNIT, DECIMALS, MIN, MAX, WARN_AT, ALERT_AT],
            Self::Timeseries => &[QUERY, UNIT, DECIMALS, MIN, MAX, WARN_AT, ALERT_AT, STYLE],
            Self::Note => &[],
        }
    }

    /// Columns and rows of a new widget.
    pub const fn size(self) -> (u16, u16) {
        match self {
            Self::Stat => (6, 4),
            Self::Timeseries => (12, 8),
            Self::Note => (8, 8),
        }
    }
}

impl Takes {
    /// Checks a value; errors say what would fit.
    pub fn check(self, value: &Value) -> Result<(), String> {
        let fits = match (self, value) {
            (_, Value::Null) => true,
            (Self::Text(most), Value::String(text)) => text.chars().count() <= most,
            (Self::Number, Value::Number(_)) => true,
            (Self::Whole(from, to), Value::Number(number)) => {
                number.as_i64().is_some_and(|n| (from..=to).contains(&n))
            }
            (Self::OneOf(all), Value::String(text)) => all.contains(&text.as_str()),
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(match self {
            Self::Text(most) => format!("text of at most {most} characters"),
            Self::Number => "a number".to_owned(),
            Self::Whole(from, to) => format!("a whole number from {from} to {to}"),
            Self::OneOf(all) => format!("one of {}", all.join(", ")),
        })
    }
}

impl Widget {
    /// A new widget without options.
    pub fn new(kind: Kind, title: impl Into<String>, frame: Frame) -> Self {
        let text = (kind == Kind::Note).then(NoteText::default);
        Self { kind, title: title.into(), frame, options: BTreeMap::new(), text }
    }

    /// The value of one of the widget's cells as JSON; `Null` where it is unset.
    pub fn value(&self, field: &str) -> Value {
        match field {
            "title" => Value::from(self.title.as_str()),
            FRAME => serde_json::to_value(self.frame).unwrap_or(Value::Null),
            TEXT => self.text.as_ref().map_or(Value::Null, |text| Value::from(text.plain())),
            option => self.options.get(option).cloned().unwrap_or(Value::Null),
        }
    }

    /// An option as text; empty where it is unset.
    pub fn text_option(&self, field: &str) -> &str {
        self.options.get(field).and_then(Value::as_str).unwrap_or("")
    }

    /// An option as a number.
    pub fn number_option(&self, field: &str) -> Option<f64> {
        self.options.get(field).and_then(Value::as_f64)
    }

    /// Writes `title` or an option. The value has passed [`check_value`].
    pub(super) fn set(&mut self, field: &str, value: &Value) {
        match (field, value) {
            ("title", Value::String(title)) => self.title.clone_from(title),
            ("title", _) => {}
            (option, Value::Null) => {
                self.options.remove(option);
            }
            (option, value) => {
                self.options.insert(option.to_owned(), value.clone());
            }
        }
    }

    /// Takes a widget as somebody sent it: checks every value and reads its text anew.
    ///
    /// Errors name the field that does not fit.
    pub(super) fn accepted(mut self) -> Result<Self, OpError> {
        check_value(self.kind, "title", &Value::from(self.title.as_str()))?;
        self.options.retain(|_, value| !value.is_null());
        for (field, value) in &self.options {
            check_value(self.kind, field, value)?;
        }
        self.frame = self.frame.clamped();
        self.text = match (self.kind, self.text.take()) {
            (Kind::Note, Some(text)) => Some(text.accepted()?),
            (Kind::Note, None) => Some(NoteText::default()),
            _ => None,
        };
        Ok(self)
    }

    /// The op that adds a copy of this widget.
    pub fn add_op(self, id: WidgetId) -> Op {
        Op::AddWidget { id, widget: Box::new(self) }
    }
}

/// Checks a value for `title` or an option of a kind. Errors say what would fit.
pub fn check_value(kind: Kind, field: &str, value: &Value) -> Result<(), OpError> {
    if field == "title" {
        return check_title(value);
    }
    let known = kind.fields().iter().find(|known| known.name == field);
    let takes = known.ok_or_else(|| OpError::NoSuchField(field.to_owned()))?.takes;
    takes.check(value).map_err(|wants| OpError::BadValue { field: field.to_owned(), wants })
}

/// Checks the title of a dashboard or a widget.
pub fn check_title(value: &Value) -> Result<(), OpError> {
    let fits = value.as_str().is_some_and(|title| title.chars().count() <= MAX_TITLE_CHARS);
    if fits {
        return Ok(());
    }
    let wants = format!("text of at most {MAX_TITLE_CHARS} characters");
    Err(OpError::BadValue { field: "title".to_owned(), wants })
}
