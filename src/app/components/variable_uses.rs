//! Uses of a variable in a dashboard, and their edits when the variable gets another name.

use std::sync::Arc;

use leptos::prelude::*;
use serde_json::Value;

use crate::app::dashboard_store::DashboardStore;
use crate::app::format;
use crate::dashboard::settings::{self, CHOSEN, Settings, VARIABLE, Variable};
use crate::dashboard::splice::{Splice, units};
use crate::dashboard::text::MAX_NOTE_CHARS;
use crate::dashboard::widget::{MAX_QUERY_CHARS, check_value};
use crate::dashboard::{Cell, Op, Widget, WidgetId};
use crate::sync::protocol::MAX_OPS;
use crate::sync::replica::Along;

/// The fields of a widget in which variables stand for their values, beside a note's text.
const FIELDS: [&str; 3] = ["title", "query", "legend"];
/// Fields that one step writes anew: a step back is one change with these and the variable itself.
const MAX_FIELDS: usize = MAX_OPS - 8;
/// Bytes of texts that one step writes anew, or that the step back does: with what is around them less than a
/// frame takes.
const MAX_BYTES: usize = 128 * 1024;
/// What a place in a note weighs among these, with what Yjs keeps of it.
const PLACE_BYTES: usize = 128;

/// The uses of a variable.
#[derive(Debug, Default)]
pub struct Uses {
    /// What writes the other name in their places.
    pub along: Along,
    /// How many places that are.
    pub places: usize,
    /// Places that have no room for the other name.
    pub left: usize,
    bytes: usize,
    /// Bytes by which the other name is shorter.
    shorter: usize,
}

impl Uses {
    /// The uses of a variable in what the page shows, with the other name that they are to get.
    pub fn in_store(store: DashboardStore, old: &str, new: &str) -> Self {
        let widget = |id: WidgetId| store.widget(&id).map(|signals| (id, signals.widget.get_untracked()));
        let widgets: Vec<_> = store.order.get_untracked().into_iter().filter_map(widget).collect();
        Self::of(&store.settings.read_untracked(), &widgets, old, new)
    }

    fn of(settings: &Settings, widgets: &[(WidgetId, Arc<Widget>)], old: &str, new: &str) -> Self {
        let mut uses = Self { shorter: old.len().saturating_sub(new.len()), ..Self::default() };
        // What others choose under the other name is not lost with it.
        let fields =
            [old, new].into_iter().flat_map(|name| [VARIABLE, CHOSEN].map(|of| format!("{of}{name}")));
        uses.along.whole = fields.map(|field| Cell::dashboard(&field)).collect();
        let renamed = |text: &str| renamed(settings, text, old, new);
        for (name, variable) in settings::variables(settings).filter(|(name, _)| *name != old) {
            let Some(values) = variable.values_of.clone() else { continue };
            if let Some((of, places)) = renamed(&values.of) {
                let fits = of.chars().count() <= MAX_QUERY_CHARS;
                let values_of = Some(settings::ValuesOf { of, ..values });
                let value = serde_json::to_value(Variable { values_of, ..variable }).unwrap_or_default();
                uses.write(Op::SetDashboard { field: format!("{VARIABLE}{name}"), value }, places, fits);
            }
        }
        for (id, widget) in widgets {
            for field in FIELDS {
                let Some((text, places)) = widget.value(field).as_str().and_then(renamed) else { continue };
                let value = Value::from(text);
                let fits = check_value(widget.kind, field, &value).is_ok();
                uses.write(Op::Set { id: id.clone(), field: field.to_owned(), value }, places, fits);
            }
            if let Some(text) = widget.text.as_ref().map(|text| text.plain()) {
                let (mut last, mut at) = (0, 0);
                let splice = |place: usize| {
                    at += units(&text[last..place]);
                    last = place;
                    Splice { at, removed: old.to_owned(), inserted: new.to_owned() }
                };
                let splices: Vec<Splice> = settings::uses(settings, text, old).map(splice).collect();
                uses.write_text(id, text, splices);
            }
        }
        uses
    }

    /// Writes a field with so many places anew, if that fits.
    fn write(&mut self, op: Op, places: usize, fits: bool) {
        let bytes = serde_json::to_string(&op).map_or(0, |op| op.len()) + places * self.shorter;
        if fits && self.along.ops.len() < MAX_FIELDS && self.has_room(bytes) {
            self.places += places;
            self.along.ops.push(op);
        } else {
            self.left += places;
        }
    }

    /// Writes the other name into a note: the places alone, so that whoever types there meets nothing.
    fn write_text(&mut self, id: &WidgetId, text: &str, splices: Vec<Splice>) {
        let longer: u32 = splices.iter().map(|splice| units(&splice.inserted)).sum();
        let fits = units(text) + longer < MAX_NOTE_CHARS;
        if fits && self.has_room(splices.len() * PLACE_BYTES) {
            self.places += splices.len();
            if !splices.is_empty() {
                self.along.texts.push((id.clone(), splices));
            }
        } else {
            self.left += splices.len();
        }
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        let fits = self.bytes + bytes <= MAX_BYTES;
        self.bytes += if fits { bytes } else { 0 };
        fits
    }

    /// What was done, for whoever did it.
    pub fn told(&self, old: &str, new: &str) -> String {
        let mut says = format!("${old} is ${new} now");
        if self.places > 0 {
            says += &format!(
                ", also in {}",
                format::count(self.places, "place that uses it", "places that use it")
            );
        }
        if self.left > 0 {
            let left = format::count(self.left, "more place has", "more places have");
            says += &format!(". {left} no room for it and still name ${old}");
        }
        says + "."
    }
}

/// A text with another name in the places of a variable's, and how many these are; `None` where there is none.
fn renamed(settings: &Settings, text: &str, old: &str, new: &str) -> Option<(String, usize)> {
    let (mut out, mut last, mut places) = (String::new(), 0, 0);
    for place in settings::uses(settings, text, old) {
        out.push_str(&text[last..place]);
        out.push_str(new);
        last = place + old.len();
        places += 1;
    }
    out.push_str(&text[last..]);
    (places > 0).then_some((out, places))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind, MAX_TITLE_CHARS, NoteText};
    use serde_json::json;

    fn settings() -> Settings {
        let of = |of: &str| json!({ "values_of": { "source": "main", "label": "job", "of": of } });
        [("variable.host", of("up{env=\"$env\"}")), ("variable.env", json!({ "choices": ["x"] }))]
            .map(|(field, value)| (field.to_owned(), value))
            .into()
    }

    fn widget(kind: Kind, title: &str, query: &str, text: &str) -> (WidgetId, Arc<Widget>) {
        let mut widget = Widget::new(kind, title, Frame::default());
        if !query.is_empty() {
            widget.options.insert("query".to_owned(), query.into());
        }
        if kind == Kind::Note {
            widget.text = Some(NoteText::from_plain(text, 1));
        }
        (WidgetId::new(format!("w{}", title.len())).expect("an id"), widget.into())
    }

    #[test]
    fn a_name_is_written_anew_wherever_it_stands_for_the_value() {
        let widgets = [
            widget(Kind::Stat, "$env", "up{e=\"${env:regex}\"} + $environment", ""),
            widget(Kind::Note, "A note", "", "Ünd 😀 $env, [[env]] and $envy"),
            widget(Kind::Stat, "Nothing of it", "up", ""),
        ];
        let uses = Uses::of(&settings(), &widgets, "env", "stage");
        assert_eq!((uses.places, uses.left), (5, 0));
        let written: Vec<String> = uses
            .along
            .ops
            .iter()
            .map(|op| match op {
                Op::Set { field, value, .. } | Op::SetDashboard { field, value } => {
                    format!("{field} {value}")
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(written[0].starts_with("variable.host") && written[0].contains("$stage"), "{}", written[0]);
        assert_eq!(
            written[1..],
            ["title \"$stage\"", "query \"up{e=\\\"${stage:regex}\\\"} + $environment\""]
        );
        let [(_, splices)] = &uses.along.texts[..] else { panic!("one note: {:?}", uses.along.texts) };
        assert_eq!(splices.iter().map(|splice| splice.at).collect::<Vec<_>>(), [8, 15], "in units of UTF-16");
        assert_eq!(uses.told("env", "stage"), "$env is $stage now, also in 5 places that use it.");
    }

    #[test]
    fn s10_what_has_no_room_is_counted_and_left() {
        let full = format!("$env {}", "x".repeat(MAX_TITLE_CHARS - 5));
        let uses = Uses::of(&settings(), &[widget(Kind::Stat, &full, "", "")], "env", "environment");
        assert_eq!((uses.places, uses.left), (1, 1));
        let widgets: Vec<_> =
            (0..90).map(|_| widget(Kind::Stat, "", &format!("$env {}", "x".repeat(3_000)), "")).collect();
        let uses = Uses::of(&settings(), &widgets, "env", "stage");
        assert_eq!(uses.places + uses.left, 91);
        assert!(uses.left > 40 && uses.places > 30, "{} of 91 fit", uses.places);
        // The step back carries the longer name.
        let query = "$environment".repeat(100);
        let widgets: Vec<_> = (0..150).map(|_| widget(Kind::Stat, "", &query, "")).collect();
        let settings: Settings = [("variable.environment".to_owned(), json!({ "choices": ["x"] }))].into();
        let uses = Uses::of(&settings, &widgets, "environment", "e");
        assert!(uses.along.ops.len() * query.len() <= MAX_BYTES, "{} of 150 fit", uses.along.ops.len());
        assert!(uses.along.ops.len() > 80, "{} of 150 fit", uses.along.ops.len());
    }
}
