//! Tests of differences: what a document changes, what others changed, and that any dashboard becomes any other.

use super::super::export::export;
use super::super::{Edit, Frame, NoteText, Stamp};
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn id(text: &str) -> WidgetId {
    WidgetId::new(text).expect("an id")
}

fn stat(title: &str, y: u16) -> Widget {
    Widget::new(Kind::Stat, title, Frame::new(0, y, 6, 4))
}

fn of(widgets: &[(&str, Widget)]) -> Dashboard {
    let mut dashboard = Dashboard::new("T");
    let mut edit = Edit::new(&mut dashboard, Stamp::default());
    for (name, widget) in widgets {
        edit.perform(&widget.clone().add_op(id(name))).expect("fits");
    }
    edit.finish();
    dashboard
}

fn named(dashboard: &Dashboard) -> BTreeSet<WidgetId> {
    dashboard.widgets.keys().cloned().collect()
}

/// How a dashboard reads, whatever its widgets are called.
fn reading(dashboard: &Dashboard) -> Value {
    let mut document = export(dashboard);
    for widget in document["widgets"].as_array_mut().expect("a list") {
        widget.as_object_mut().expect("an object").remove("id");
    }
    document
}

fn perform(dashboard: &mut Dashboard, ops: &[Op]) {
    let mut edit = Edit::new(dashboard, Stamp::default());
    for op in ops {
        edit.perform(op).unwrap_or_else(|error| panic!("{error} {op:?}"));
    }
    edit.finish();
}

/// What others did since, told by the test.
#[derive(Default)]
struct Told {
    /// What cells said at the base that were written since; `None` where that is not known.
    were: BTreeMap<Cell, Option<Value>>,
    moved: BTreeSet<WidgetId>,
    added: BTreeSet<WidgetId>,
}

impl Base for Told {
    fn compare(&self, cell: &Cell, value: &Value) -> SinceBase {
        match self.were.get(cell) {
            None => SinceBase::Untouched,
            Some(None) => SinceBase::Unknown,
            Some(Some(was)) if same_value(was, value) => SinceBase::Same,
            Some(Some(_)) => SinceBase::Different,
        }
    }

    fn moved(&self, id: &WidgetId) -> bool {
        self.moved.contains(id)
    }

    fn added(&self, id: &WidgetId) -> bool {
        self.added.contains(id)
    }
}

#[test]
fn what_others_changed_since_stays() {
    let mut now = of(&[("a", stat("Theirs", 0)), ("b", stat("B", 4)), ("new", stat("New", 8))]);
    now.settings.insert("range".to_owned(), json!("1h"));
    let mut file = of(&[("a", stat("Old", 0)), ("b", stat("B of the file", 4))]);
    file.settings.insert("range".to_owned(), json!("6h"));
    let base = Told {
        were: [
            (Cell::widget(&id("a"), "title"), Some(json!("Old"))),
            (Cell::dashboard("range"), Some(json!("24h"))),
        ]
        .into(),
        added: [id("new")].into(),
        ..Told::default()
    };
    let ops = difference(&now, &file, &named(&file), &base, 1).expect("fits").ops;
    let range = Op::SetDashboard { field: "range".to_owned(), value: json!("6h") };
    let title = Op::Set { id: id("b"), field: "title".to_owned(), value: json!("B of the file") };
    assert_eq!(ops, [range, title], "both wrote the range: the judge keeps both");
}

#[test]
fn a_place_that_others_chose_since_stays() {
    let now = of(&[("a", stat("A", 4)), ("b", stat("B", 0))]);
    let file = of(&[("a", stat("A", 0)), ("b", stat("B", 4))]);
    let base = Told { moved: [id("a"), id("b")].into(), ..Told::default() };
    assert_eq!(difference(&now, &file, &named(&file), &base, 1).expect("fits"), Difference::default());
    assert_eq!(difference(&now, &file, &named(&file), &Now, 1).expect("fits").ops.len(), 2);
}

#[test]
fn a_widget_that_others_removed_since_comes_back_only_as_a_conflict() {
    let mut now = of(&[("a", stat("A", 0))]);
    perform(&mut now, &[Op::RemoveWidget { id: id("a") }]);
    let base =
        Told { were: [(Cell::widget(&id("a"), REMOVED), Some(json!(false)))].into(), ..Told::default() };
    let same = of(&[("a", stat("A", 0))]);
    assert_eq!(difference(&now, &same, &named(&same), &base, 1).expect("fits").ops, []);
    let edited = of(&[("a", stat("Other", 0))]);
    let ops = difference(&now, &edited, &named(&edited), &base, 1).expect("fits").ops;
    assert!(matches!(&ops[..], [Op::Set { .. }]), "{ops:?}");
    let back = difference(&now, &edited, &named(&edited), &Now, 1).expect("fits").ops;
    assert!(matches!(&back[..], [Op::RestoreWidget { .. }, Op::Set { .. }, Op::Place { .. }]), "{back:?}");
}

#[test]
fn a_text_that_others_typed_in_since_is_left_with_a_word() {
    let note = |text: &str| {
        let mut note = Widget::new(Kind::Note, "Runbook", Frame::new(0, 0, 8, 8));
        note.text = Some(NoteText::from_plain(text, 1));
        note
    };
    let (now, file) = (of(&[("n", note("a\r\nb"))]), of(&[("n", note("a\nb c"))]));
    let base = Told { were: [(Cell::widget(&id("n"), TEXT), Some(Value::Null))].into(), ..Told::default() };
    let found = difference(&now, &file, &named(&file), &base, 1).expect("fits");
    assert_eq!((found.ops.len(), found.left.len()), (0, 1));
    let as_it_is = of(&[("n", note("a\nb"))]);
    assert_eq!(difference(&now, &as_it_is, &named(&file), &Now, 1).expect("fits").ops, []);
}

#[test]
fn what_nobody_knows_any_more_is_counted() {
    let (now, file) = (of(&[("a", stat("A", 0))]), of(&[("a", stat("B", 0))]));
    let base = Told { were: [(Cell::widget(&id("a"), "title"), None)].into(), ..Told::default() };
    let found = difference(&now, &file, &named(&file), &base, 1).expect("fits");
    assert_eq!((found.ops.len(), found.unknown), (0, 1));
}

#[test]
fn widgets_without_an_id_are_found_by_kind_and_title() {
    let now = of(&[("x", stat("A", 0)), ("y", stat("A", 4)), ("w1", stat("B", 8))]);
    let mut file = of(&[("w1", stat("A", 0)), ("w2", stat("A", 4)), ("w3", stat("C", 8))]);
    file.title = now.title.clone();
    let ops = difference(&now, &file, &BTreeSet::new(), &Now, 1).expect("fits").ops;
    let [Op::RemoveWidget { id: gone }, Op::AddWidget { id: come, .. }] = &ops[..] else { panic!("{ops:?}") };
    assert_eq!((gone, come), (&id("w1"), &id("w3")));
}

fn any_widget() -> impl Strategy<Value = (WidgetId, Widget)> {
    let kind = prop::sample::select(vec![Kind::Stat, Kind::Note, Kind::Checklist, Kind::Table]);
    let frame = (0u16..24, 0u16..20, 1u16..24, 2u16..10);
    (
        "[a-e]",
        kind,
        "[A-C]{0,2}",
        frame,
        "[a-c \n😀]{0,20}",
        prop::collection::btree_map("[a-c]", "[x-z]", 0..4),
    )
        .prop_map(|(name, kind, title, (x, y, w, h), text, options)| {
            let mut widget = Widget::new(kind, title, Frame::new(x, y, w, h).clamped());
            let family = match kind {
                Kind::Checklist => "item.",
                Kind::Table | Kind::Stat => "unit.",
                _ => "",
            };
            if !family.is_empty() {
                widget.options = options
                    .into_iter()
                    .map(|(name, value)| (format!("{family}{name}"), json!(value)))
                    .collect();
            }
            widget.text = widget.text.map(|_| NoteText::from_plain(&text, 7));
            (id(&name), widget)
        })
}

fn any_dashboard() -> impl Strategy<Value = Dashboard> {
    let settings = prop::collection::btree_map("value\\.[a-c]", "[a-c]", 0..3);
    (
        "[A-C]",
        settings,
        prop::collection::btree_map("[a-e]", any_widget(), 0..6),
        prop::collection::vec("[a-e]", 0..3),
    )
        .prop_map(|(title, settings, widgets, gone)| {
            let mut dashboard = Dashboard::new(title);
            dashboard.settings = settings.into_iter().map(|(name, value)| (name, json!(value))).collect();
            let mut edit = Edit::new(&mut dashboard, Stamp::default());
            for (name, (_, widget)) in widgets {
                edit.perform(&widget.add_op(id(&name))).expect("fits");
            }
            for name in gone {
                // It may not be there.
                let _ = edit.perform(&Op::RemoveWidget { id: id(&name) });
            }
            edit.finish();
            dashboard
        })
}

proptest! {
    #[test]
    fn any_dashboard_becomes_any_other(now in any_dashboard(), wanted in any_dashboard(), all in any::<bool>()) {
        let named = if all { named(&wanted) } else { BTreeSet::new() };
        let mut then = now;
        let found = difference(&then, &wanted, &named, &Now, 9).expect("fits");
        prop_assert_eq!(&found.left, &vec![]);
        perform(&mut then, &found.ops);
        prop_assert_eq!(reading(&then), reading(&wanted));
        let again = difference(&then, &wanted, &named, &Now, 9).expect("fits");
        prop_assert_eq!(again.ops, vec![]);
    }
}
