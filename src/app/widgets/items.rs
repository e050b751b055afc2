//! The items of a checklist: each a handful of options of its own, so that two people who tick different ones
//! never meet.

use serde_json::Value;

use crate::app::format;
use crate::dashboard::order::sorted;
use crate::dashboard::{Op, Widget, WidgetId};

/// What an item says, whether it is done, and where it stands: families of options, by the item's id.
pub const ITEM: &str = "item.";
pub const DONE: &str = "done.";
pub const AT: &str = "at.";

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub id: String,
    pub text: String,
    pub done: bool,
    /// Its place; the last where nobody gave it one.
    at: Option<f64>,
}

impl Item {
    /// An item without a place.
    pub fn new(id: &str, text: &str) -> Self {
        Self { id: id.to_owned(), text: text.to_owned(), done: false, at: None }
    }
}

/// The items of a checklist in the order in which they stand.
pub fn items(widget: &Widget) -> Vec<Item> {
    let item = |(name, value): (&String, &Value)| {
        let (id, text) = (name.strip_prefix(ITEM)?, value.as_str()?);
        let done = widget.options.get(&format!("{DONE}{id}")) == Some(&Value::Bool(true));
        let at = widget.number_option(&format!("{AT}{id}"));
        Some(Item { id: id.to_owned(), text: text.to_owned(), done, at })
    };
    let place = |item: &Item| item.at.unwrap_or(f64::INFINITY);
    sorted(widget.options.iter().filter_map(item).collect(), |a, b| {
        place(a).total_cmp(&place(b)).then_with(|| a.id.cmp(&b.id))
    })
}

/// How many items are done, and how many there are.
pub fn progress(widget: &Widget) -> (usize, usize) {
    let items = items(widget);
    (items.iter().filter(|item| item.done).count(), items.len())
}

/// The ops that add an item at the end.
pub fn add(widget: &WidgetId, items: &[Item], id: &str, text: &str) -> Vec<Op> {
    let last = items.iter().filter_map(|item| item.at).fold(0.0, f64::max);
    vec![set(widget, ITEM, id, text.into()), set(widget, AT, id, number(last.floor() + 1.0))]
}

/// The op that ticks an item, or takes its tick away.
pub fn tick(widget: &WidgetId, id: &str, done: bool) -> Op {
    set(widget, DONE, id, if done { true.into() } else { Value::Null })
}

/// The op that writes what an item says.
pub fn write(widget: &WidgetId, id: &str, text: &str) -> Op {
    set(widget, ITEM, id, text.into())
}

/// The ops that remove an item. What it does not have is not written, so that it meets nothing.
pub fn remove(widget: &WidgetId, item: &Item) -> Vec<Op> {
    let mut ops = vec![set(widget, ITEM, &item.id, Value::Null)];
    if item.done {
        ops.push(set(widget, DONE, &item.id, Value::Null));
    }
    if item.at.is_some() {
        ops.push(set(widget, AT, &item.id, Value::Null));
    }
    ops
}

/// The ops that bring the item at one place to another: one op for a place between its new neighbours, and
/// one for each item only where there is none.
pub fn moved(widget: &WidgetId, items: &[Item], from: usize, to: usize) -> Vec<Op> {
    let to = to.min(items.len().saturating_sub(1));
    if from == to || from >= items.len() {
        return Vec::new();
    }
    let mut order: Vec<&Item> = items.iter().collect();
    let item = order.remove(from);
    order.insert(to, item);
    let before = match to.checked_sub(1) {
        Some(n) => order[n].at,
        None => Some(order[1].at.map_or(0.0, |next| next - 2.0)),
    };
    let after = match order.get(to + 1) {
        Some(next) => next.at,
        None => before.map(|before| before + 2.0),
    };
    if let (Some(before), Some(after)) = (before, after) {
        let middle = before + (after - before) / 2.0;
        if before < middle && middle < after {
            return vec![set(widget, AT, &item.id, number(middle))];
        }
    }
    let numbered = order.iter().zip(1..).filter(|(item, n)| item.at != Some(f64::from(*n)));
    numbered.map(|(item, n)| set(widget, AT, &item.id, n.into())).collect()
}

/// What setting an option did to a checklist, in words that follow a name; `widget` as it was before. `None`
/// for an option of another kind, and `Some(None)` for what is told by another option of the same change.
pub fn deed(widget: &Widget, field: &str, value: &Value) -> Option<Option<String>> {
    let text = |id: &str| format::title(widget.text_option(&format!("{ITEM}{id}")));
    let title = format::title(&widget.title);
    if let Some(id) = field.strip_prefix(ITEM) {
        return Some(Some(match (widget.options.contains_key(field), value.as_str()) {
            (true, None) => format!("removed {} from {title}", text(id)),
            (true, Some(now)) => format!("rewrote {} in {title} as {}", text(id), format::title(now)),
            (false, now) => format!("added {} to {title}", format::title(now.unwrap_or_default())),
        }));
    }
    let there = |id: &str| widget.options.contains_key(&format!("{ITEM}{id}"));
    if let Some(id) = field.strip_prefix(DONE) {
        let did = if *value == Value::Bool(true) { "ticked" } else { "took the tick from" };
        return Some(there(id).then(|| format!("{did} {} in {title}", text(id))));
    }
    let id = field.strip_prefix(AT)?;
    Some((there(id) && !value.is_null()).then(|| format!("moved {} in {title}", text(id))))
}

/// True for the tick or the place of an item that the same change adds or removes.
pub fn told_with_item(op: &Op, change: &[Op]) -> bool {
    let Op::Set { id, field, .. } = op else { return false };
    let item = field.strip_prefix(DONE).or_else(|| field.strip_prefix(AT));
    item.is_some_and(|item| {
        let writes = |other: &Op| matches!(other, Op::Set { id: on, field, .. } if on == id && field.strip_prefix(ITEM) == Some(item));
        change.iter().any(writes)
    })
}

/// The name of a checklist's option in a conflict; `None` for any other.
pub fn item_label(widget: &Widget, field: &str) -> Option<String> {
    let (what, id) = [("", ITEM), ("the tick of ", DONE), ("the place of ", AT)]
        .into_iter()
        .find_map(|(what, family)| Some((what, field.strip_prefix(family)?)))?;
    let text = widget.text_option(&format!("{ITEM}{id}"));
    let item = if text.is_empty() { "an item".to_owned() } else { format!("the item “{text}”") };
    Some(format!("{what}{item}"))
}

fn set(widget: &WidgetId, family: &str, id: &str, value: Value) -> Op {
    Op::Set { id: widget.clone(), field: format!("{family}{id}"), value }
}

/// A whole number where it is one, as everywhere on the wire.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { (value as i64).into() } else { value.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind};
    use proptest::prelude::*;

    fn id() -> WidgetId {
        WidgetId::new("w").expect("a short id is an id")
    }

    fn perform(widget: &mut Widget, ops: Vec<Op>) {
        for op in ops {
            let Op::Set { field, value, .. } = op else { panic!("{op:?}") };
            match value {
                Value::Null => widget.options.remove(&field),
                value => widget.options.insert(field, value),
            };
        }
    }

    fn list(names: &[&str]) -> Widget {
        let mut widget = Widget::new(Kind::Checklist, "", Frame::default());
        for name in names {
            let ops = add(&id(), &items(&widget), name, name);
            perform(&mut widget, ops);
        }
        widget
    }

    fn order(widget: &Widget) -> Vec<String> {
        items(widget).into_iter().map(|item| item.id).collect()
    }

    #[test]
    fn items_are_added_ticked_and_removed() {
        let mut widget = list(&["c", "a", "b"]);
        assert_eq!(order(&widget), ["c", "a", "b"]);
        perform(&mut widget, vec![tick(&id(), "a", true)]);
        assert_eq!(progress(&widget), (1, 3));
        let item = items(&widget).remove(1);
        perform(&mut widget, remove(&id(), &item));
        assert_eq!(progress(&widget), (0, 2));
        assert!(widget.options.keys().all(|name| !name.ends_with(".a")), "nothing of it is left");
    }

    #[test]
    fn what_was_done_to_a_list_reads_as_a_sentence() {
        let widget = Widget { title: "Sale".to_owned(), ..list(&["a"]) };
        let did = |field: &str, value: Value| deed(&widget, field, &value);
        let says = |words: &str| Some(Some(words.to_owned()));
        assert_eq!(did("item.b", "Call".into()), says("added “Call” to “Sale”"));
        assert_eq!(did("at.b", 2.into()), Some(None), "that is told with the item");
        assert_eq!(did("item.a", "A".into()), says("rewrote “a” in “Sale” as “A”"));
        assert_eq!(did("done.a", true.into()), says("ticked “a” in “Sale”"));
        assert_eq!(did("done.a", Value::Null), says("took the tick from “a” in “Sale”"));
        assert_eq!(did("item.a", Value::Null), says("removed “a” from “Sale”"));
        assert_eq!(did("at.a", 5.into()), says("moved “a” in “Sale”"));
        assert_eq!(did("unit", "ms".into()), None);
        let gone = remove(&id(), &Item { done: true, ..items(&widget).remove(0) });
        assert_eq!(gone.iter().filter(|op| !told_with_item(op, &gone)).count(), 1);
        assert_eq!(item_label(&widget, "done.a").as_deref(), Some("the tick of the item “a”"));
    }

    #[test]
    fn a_move_writes_one_place_where_it_can() {
        let mut widget = list(&["a", "b", "c"]);
        let ops = moved(&id(), &items(&widget), 2, 0);
        assert_eq!(ops.len(), 1);
        perform(&mut widget, ops);
        assert_eq!(order(&widget), ["c", "a", "b"]);
        widget.options.retain(|name, _| !name.starts_with(AT));
        assert_eq!(order(&widget), ["a", "b", "c"], "without places they stand by their ids");
        let ops = moved(&id(), &items(&widget), 0, 2);
        perform(&mut widget, ops);
        assert_eq!(order(&widget), ["b", "c", "a"]);
        assert_eq!(moved(&id(), &items(&widget), 1, 1), []);
        assert_eq!(moved(&id(), &items(&widget), 7, 1), []);
    }

    proptest! {
        #[test]
        fn any_moves_end_as_in_a_plain_list(moves in prop::collection::vec((0usize..6, 0usize..6), 0..200)) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let mut widget = list(&names);
            let mut plain: Vec<&str> = names.to_vec();
            for (from, to) in moves {
                let ops = moved(&id(), &items(&widget), from, to);
                perform(&mut widget, ops);
                let item = plain.remove(from);
                plain.insert(to, item);
                prop_assert_eq!(order(&widget), plain.clone());
            }
        }
    }
}
