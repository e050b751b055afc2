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
    /// Lines, areas or bars over time.
    Timeseries,
    /// One bar for each series.
    Bar,
    /// One value on a scale.
    Gauge,
    /// Rows and columns.
    Table,
    /// Text that several people type at once.
    Note,
    /// Items to tick, each a cell of its own.
    Checklist,
}

/// One option of a kind: its name on the wire, its label, and what it takes.
///
/// A name that ends in a dot stands for a family of options, as `item.` for `item.a1` and `item.b7`: each
/// is a cell of its own, so two people who write different ones never meet.
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
    /// A string of at most this many bytes as JSON writes it.
    Json(usize),
    /// A finite number.
    Number,
    /// A whole number from..=to.
    Whole(i64, i64),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// True or false.
    Flag,
}

/// Characters in a query: a long PromQL expression, with room.
pub const MAX_QUERY_CHARS: usize = 4096;
/// Characters in a unit.
pub const MAX_UNIT_CHARS: usize = 24;
/// Characters in the name of a source: the longest that the configuration takes.
pub const MAX_SOURCE_CHARS: usize = 64;
/// Bytes of table data pasted into a widget, as JSON writes it: an op carries it, with room for the rest of
/// the op.
pub const MAX_DATA_BYTES: usize = 60 * 1024;
/// Characters in a checklist's item: a sentence or two.
pub const MAX_ITEM_CHARS: usize = 500;
/// Characters of words for values: some twenty values with a few words each.
pub const MAX_MAPPINGS_CHARS: usize = 2_000;
/// Characters of what a chart says of single series: some twenty of them with a few words each.
pub const MAX_LINES_CHARS: usize = 2_000;
/// Characters of what stands where there is no value: a few words.
pub const MAX_NO_VALUE_CHARS: usize = 80;
/// Seconds from one scrape to the next: nothing is scraped less than once a day.
pub const MAX_MIN_STEP_S: i64 = 86_400;
/// The style of a chart that shows its values as colours.
pub const HEAT_MAP: &str = "heatmap";
/// Options of one family in one widget, and so items of a checklist and columns with a unit of their own.
pub const MAX_FAMILY: usize = 200;
/// Characters of an option's name after its family: a column's name.
pub const MAX_MEMBER_CHARS: usize = 64;

/// Where the query is asked: empty for series by name, `table` for the data pasted into the widget, else the
/// name of a source that the server's configuration knows.
const SOURCE: Field = Field { name: "source", label: "From", takes: Takes::Text(MAX_SOURCE_CHARS) };
/// Series by name, with commas between them; or what the source speaks, a query on each line.
const QUERY: Field = Field { name: "query", label: "Data", takes: Takes::Text(MAX_QUERY_CHARS) };
/// How series are called, as `{{host}}`; a line for each line of the query, or one for all.
const LEGEND: Field = Field { name: "legend", label: "Names", takes: Takes::Text(MAX_QUERY_CHARS) };
/// CSV with a header, or a JSON array of objects.
const DATA: Field = Field { name: "data", label: "Table data", takes: Takes::Json(MAX_DATA_BYTES) };
const SHOWS: Field =
    Field { name: "shows", label: "Shows", takes: Takes::OneOf(&["last", "mean", "min", "max", "sum"]) };
const DELTA: Field = Field { name: "delta", label: "Change over the time shown", takes: Takes::Flag };
const UNIT: Field = Field { name: "unit", label: "Unit", takes: Takes::Text(MAX_UNIT_CHARS) };
const DECIMALS: Field = Field { name: "decimals", label: "Decimals", takes: Takes::Whole(0, 6) };
const MIN: Field = Field { name: "min", label: "Scale from", takes: Takes::Number };
const MAX: Field = Field { name: "max", label: "Scale to", takes: Takes::Number };
const WARN_AT: Field = Field { name: "warn_at", label: "Warn from", takes: Takes::Number };
const ALERT_AT: Field = Field { name: "alert_at", label: "Alert from", takes: Takes::Number };
/// Below which value a widget warns. With [`WARN_AT`] below it, values between the two warn.
const WARN_BELOW: Field = Field { name: "warn_below", label: "Warn below", takes: Takes::Number };
const ALERT_BELOW: Field = Field { name: "alert_below", label: "Alert below", takes: Takes::Number };
/// Words for values, as [`mapping`](super::mapping) reads them: `0 = [alert] Down`, a line for each.
const MAPPINGS: Field =
    Field { name: "mappings", label: "Words for values", takes: Takes::Text(MAX_MAPPINGS_CHARS) };
/// What stands where there is no value.
const NO_VALUE: Field =
    Field { name: "no_value", label: "Without a value", takes: Takes::Text(MAX_NO_VALUE_CHARS) };
/// A number for each series, rather than for the first alone.
const EACH: Field = Field { name: "each", label: "A number for each series", takes: Takes::Flag };
/// Whether a number's value shows, its name, or both; with `auto` the name where there are several.
const TEXT_MODE: Field = Field {
    name: "text_mode",
    label: "Text",
    takes: Takes::OneOf(&["auto", "value", "name", "value_and_name"]),
};
/// Seconds from one scrape of the servers that are asked to the next, for `$__rate_interval`.
const MIN_STEP: Field =
    Field { name: "min_step", label: "Scraped every, in seconds", takes: Takes::Whole(1, MAX_MIN_STEP_S) };
const STYLE: Field =
    Field { name: "style", label: "Drawn as", takes: Takes::OneOf(&["area", "line", "bars", HEAT_MAP]) };
/// What is said of single series, as [`lines`](super::lines) reads it: `errors = right, red`, a line for each.
const LINES: Field = Field { name: "lines", label: "Single series", takes: Takes::Text(MAX_LINES_CHARS) };
/// The unit of the bounds beside the rows of a heat map.
const ROW_UNIT: Field =
    Field { name: "row_unit", label: "Unit of the rows", takes: Takes::Text(MAX_UNIT_CHARS) };
/// The unit of the right axis, for the series that [`LINES`] puts there.
const RIGHT_UNIT: Field =
    Field { name: "right_unit", label: "Unit of the right axis", takes: Takes::Text(MAX_UNIT_CHARS) };
const RIGHT_MIN: Field = Field { name: "right_min", label: "Right axis from", takes: Takes::Number };
const RIGHT_MAX: Field = Field { name: "right_max", label: "Right axis to", takes: Takes::Number };
const STACKED: Field = Field { name: "stacked", label: "Stacked", takes: Takes::Flag };
/// A column's name, with a minus before it for the largest first.
const SORT: Field = Field { name: "sort", label: "Sorted by", takes: Takes::Text(MAX_MEMBER_CHARS + 1) };
/// The unit of one column of a table, or of one series, by its name.
const UNIT_OF: Field = Field { name: "unit.", label: "Unit of", takes: Takes::Text(MAX_UNIT_CHARS) };
/// What an item says, by its id; the items stand in the order of `at.`, then of their ids.
const ITEM: Field = Field { name: "item.", label: "Item", takes: Takes::Text(MAX_ITEM_CHARS) };
const DONE: Field = Field { name: "done.", label: "Done", takes: Takes::Flag };
const AT: Field = Field { name: "at.", label: "Place in the list", takes: Takes::Number };

impl Field {
    /// True where the name stands for a family of options.
    pub fn is_family(&self) -> bool {
        self.name.ends_with('.')
    }

    /// True where this is the field of an option's name.
    fn covers(&self, name: &str) -> bool {
        if !self.is_family() {
            return self.name == name;
        }
        name.strip_prefix(self.name).is_some_and(|member| {
            (1..=MAX_MEMBER_CHARS).contains(&member.chars().count()) && !member.chars().any(char::is_control)
        })
    }
}

impl Kind {
    /// All kinds, in the order in which people are offered them.
    pub const ALL: [Self; 7] =
        [Self::Stat, Self::Timeseries, Self::Bar, Self::Gauge, Self::Table, Self::Note, Self::Checklist];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Timeseries => "timeseries",
            Self::Bar => "bar",
            Self::Gauge => "gauge",
            Self::Table => "table",
            Self::Note => "note",
            Self::Checklist => "checklist",
        }
    }

    /// The name that people read.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Stat => "Number",
            Self::Timeseries => "Time series",
            Self::Bar => "Bars",
            Self::Gauge => "Gauge",
            Self::Table => "Table",
            Self::Note => "Note",
            Self::Checklist => "Checklist",
        }
    }

    /// The options that widgets of this kind have, beside `title`.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::Stat => &[
                SOURCE,
                QUERY,
                LEGEND,
                MIN_STEP,
                DATA,
                SHOWS,
                EACH,
                TEXT_MODE,
                DELTA,
                UNIT,
                UNIT_OF,
                DECIMALS,
                NO_VALUE,
                MAPPINGS,
                MIN,
                MAX,
                WARN_AT,
                ALERT_AT,
                WARN_BELOW,
                ALERT_BELOW,
            ],
            Self::Timeseries => &[
                SOURCE, QUERY, LEGEND, MIN_STEP, DATA, STYLE, STACKED, LINES, UNIT, ROW_UNIT, DECIMALS, MIN,
                MAX, RIGHT_UNIT, RIGHT_MIN, RIGHT_MAX, WARN_AT, ALERT_AT,
            ],
            Self::Bar | Self::Gauge => &[
                SOURCE,
                QUERY,
                LEGEND,
                MIN_STEP,
                DATA,
                SHOWS,
                UNIT,
                UNIT_OF,
                DECIMALS,
                NO_VALUE,
                MAPPINGS,
                MIN,
                MAX,
                WARN_AT,
                ALERT_AT,
                WARN_BELOW,
                ALERT_BELOW,
            ],
            Self::Table => &[SOURCE, QUERY, LEGEND, MIN_STEP, DATA, SHOWS, SORT, UNIT, DECIMALS, UNIT_OF],
            Self::Note => &[],
            Self::Checklist => &[ITEM, DONE, AT],
        }
    }

    /// The field of an option's name, alone or as one of a family.
    pub fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.covers(name))
    }

    /// True where widgets of this kind show data that they ask for.
    pub fn asks(self) -> bool {
        self.field(QUERY.name).is_some()
    }

    /// Columns and rows of a new widget.
    pub const fn size(self) -> (u16, u16) {
        match self {
            Self::Stat => (6, 4),
            Self::Timeseries => (12, 8),
            Self::Bar | Self::Checklist => (8, 8),
            Self::Gauge => (6, 6),
            Self::Table => (12, 8),
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
            (Self::Json(most), Value::String(text)) => escaped_bytes(text) <= most,
            (Self::Number, Value::Number(_)) => true,
            (Self::Whole(from, to), Value::Number(number)) => {
                number.as_i64().is_some_and(|n| (from..=to).contains(&n))
            }
            (Self::OneOf(all), Value::String(text)) => all.contains(&text.as_str()),
            (Self::Flag, Value::Bool(_)) => true,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(match self {
            Self::Text(most) => format!("text of at most {most} characters"),
            Self::Json(most) => format!("text of at most {} KiB", most / 1024),
            Self::Number => "a number".to_owned(),
            Self::Whole(from, to) => format!("a whole number from {from} to {to}"),
            Self::OneOf(all) => format!("one of {}", all.join(", ")),
            Self::Flag => "true or false".to_owned(),
        })
    }
}

/// Bytes of a text in a JSON string, without the quotes around it.
pub(super) fn escaped_bytes(text: &str) -> usize {
    /// Bytes whose marks are counted in one byte, as processors count many at once.
    const COUNTED: usize = 48;
    let more = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 1u8,
        0..=31 => 5,
        _ => 0,
    };
    let pieces = text.as_bytes().chunks(COUNTED);
    text.len() + pieces.map(|piece| usize::from(piece.iter().map(more).sum::<u8>())).sum::<usize>()
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

    /// Bytes as JSON, about, at a glance. The same in every copy of a dashboard.
    pub(super) fn weight(&self) -> usize {
        const EACH: usize = 16;
        let options = self.options.iter().map(|(name, value)| match value {
            Value::String(text) => EACH + name.len() + text.len(),
            _ => EACH + name.len(),
        });
        let text = self.text.as_ref().map_or(0, NoteText::weight);
        8 * EACH + self.title.len() + options.sum::<usize>() + text
    }

    /// An option as text; empty where it is unset.
    pub fn text_option(&self, field: &str) -> &str {
        self.options.get(field).and_then(Value::as_str).unwrap_or("")
    }

    /// An option as a number.
    pub fn number_option(&self, field: &str) -> Option<f64> {
        self.options.get(field).and_then(Value::as_f64)
    }

    /// What each series is brought down to before it is sent, as `shows` says it, so that many more of them fit; `None`
    /// where their points count.
    pub fn reduces_to(&self) -> Option<&str> {
        let shows = Some(self.text_option(SHOWS.name)).filter(|shows| !shows.is_empty());
        (self.kind == Kind::Table).then(|| shows.unwrap_or("last"))
    }

    /// True for a chart that shows its values as colours.
    pub fn is_heat_map(&self) -> bool {
        self.kind == Kind::Timeseries && self.text_option(STYLE.name) == HEAT_MAP
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

    /// Checks that one more option, if it is one more, keeps within [`MAX_FAMILY`]. Answers the option that
    /// gives way to it, where there is no other room: what is left of an item that is gone, as where somebody
    /// ticked it while another removed it.
    pub(super) fn room_for(&self, name: &str, value: &Value) -> Result<Option<&str>, OpError> {
        let family = self.kind.field(name).filter(|field| field.is_family());
        let Some(family) = family.filter(|_| !value.is_null() && !self.options.contains_key(name)) else {
            return Ok(None);
        };
        let members = || self.options.keys().filter_map(|name| Some((name, name.strip_prefix(family.name)?)));
        if members().count() < MAX_FAMILY {
            return Ok(None);
        }
        let of_items = [DONE.name, AT.name].contains(&family.name);
        let gone = |id: &str| of_items && !self.options.contains_key(&format!("{}{id}", ITEM.name));
        let left = members().find(|(_, id)| gone(id)).map(|(name, _)| name.as_str());
        left.map(Some).ok_or(OpError::TooMany(MAX_FAMILY))
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
        for family in self.kind.fields().iter().filter(|field| field.is_family()) {
            if self.options.keys().filter(|name| name.starts_with(family.name)).count() > MAX_FAMILY {
                return Err(OpError::TooMany(MAX_FAMILY));
            }
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
    let takes = kind.field(field).ok_or_else(|| OpError::NoSuchField(field.to_owned()))?.takes;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Dashboard, Edit, Stamp};
    use serde_json::json;

    fn list() -> (Dashboard, WidgetId) {
        let id = WidgetId::new("w1").expect("an id");
        let mut dashboard = Dashboard::default();
        dashboard
            .apply(&Widget::new(Kind::Checklist, "", Frame::default()).add_op(id.clone()), &Stamp::default());
        (dashboard, id)
    }

    fn ops(widget: &WidgetId, options: &[(String, Value)]) -> Vec<Op> {
        let set = |(field, value): &(String, Value)| Op::Set {
            id: widget.clone(),
            field: field.clone(),
            value: value.clone(),
        };
        options.iter().map(set).collect()
    }

    fn item(n: usize) -> [(String, Value); 3] {
        [
            (format!("item.{n}"), json!("text")),
            (format!("at.{n}"), json!(n)),
            (format!("done.{n}"), json!(true)),
        ]
    }

    #[test]
    fn bytes_of_a_text_in_json_are_counted_as_they_are_written() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        for times in [0, 1, 7] {
            let text = all.repeat(times);
            let written = serde_json::to_string(&text).expect("JSON");
            assert_eq!(escaped_bytes(&text) + 2, written.len());
        }
        assert_eq!(escaped_bytes(&"\u{1}".repeat(1_000)), 6_000);
    }

    #[test]
    fn s10_what_is_left_of_items_that_are_gone_gives_way_to_new_ones() {
        let (mut dashboard, id) = list();
        let perform = |dashboard: &mut Dashboard, ops: Vec<Op>| {
            let mut edit = Edit::new(dashboard, Stamp::default());
            let done: Result<Vec<()>, OpError> = ops.iter().map(|op| edit.perform(op)).collect();
            done.map(|_| edit.finish())
        };
        for n in 0..400 {
            // Removed by somebody who saw neither its tick nor its place.
            let gone = (format!("item.{n}"), Value::Null);
            perform(&mut dashboard, ops(&id, &[&item(n)[..], &[gone]].concat())).expect("there is room");
        }
        let counted = |dashboard: &Dashboard, family: &str| {
            dashboard.widgets[&id].options.keys().filter(|name| name.starts_with(family)).count()
        };
        assert_eq!(counted(&dashboard, "done."), MAX_FAMILY, "what is left is bounded too");
        let before = dashboard.clone();
        let effect = perform(&mut dashboard, ops(&id, &item(400))).expect("there is room");
        assert_eq!(effect.ops.len(), 5, "the log says what gave way");
        let mut copy = before.clone();
        effect.ops.iter().for_each(|op| copy.apply(op, &Stamp::default()));
        assert_eq!(copy, dashboard);
        perform(&mut copy, effect.inverse).expect("it can be taken back");
        assert_eq!(copy, before);

        for n in 401..400 + MAX_FAMILY {
            perform(&mut dashboard, ops(&id, &item(n))).expect("there is room");
        }
        assert_eq!(["item.", "at.", "done."].map(|family| counted(&dashboard, family)), [MAX_FAMILY; 3]);
        for (field, value) in item(900) {
            let error = perform(&mut dashboard, ops(&id, &[(field, value)])).expect_err("it is full");
            assert_eq!(error, OpError::TooMany(MAX_FAMILY));
        }
    }

    #[test]
    fn s10_only_what_items_leave_gives_way() {
        let mut table = Widget::new(Kind::Table, "", Frame::default());
        table.options.extend((0..MAX_FAMILY).map(|n| (format!("unit.c{n}"), json!("ms"))));
        assert_eq!(table.room_for("unit.more", &json!("s")), Err(OpError::TooMany(MAX_FAMILY)));
        assert_eq!(table.room_for("unit.c1", &json!("s")), Ok(None));
        assert_eq!(table.room_for("unit.more", &Value::Null), Ok(None));
    }
}
