//! A title that is edited where it stands: a draft for the others while it is typed, one op at the end.

use crate::app::dynamic::{attr, memo};
use leptos::html::Input;
use leptos::prelude::*;

use super::people::{People, of};
use crate::app::chunks::Parts;
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;
use crate::dashboard::{MAX_TITLE_CHARS, Op, WidgetId};
use crate::sync::protocol::Editing;
use crate::sync::replica::Seen;

/// What an empty title shows as.
pub const UNTITLED: &str = "Untitled";

/// Keeps the second press of a double click from doing what a press does.
fn one_press(event: leptos::ev::MouseEvent) {
    if event.detail() > 1 {
        event.prevent_default();
    }
}

/// The title of a widget, or of the dashboard where `id` is `None`.
#[component]
pub fn EditableTitle(
    store: DashboardStore,
    id: Option<WidgetId>,
    #[prop(into)] title: Signal<String>,
    /// True while it is edited; setting it begins.
    editing: RwSignal<bool>,
    testid: &'static str,
    /// For screen readers: what the title is of.
    label: &'static str,
    /// The element's id, for `aria-labelledby`.
    #[prop(into)]
    element_id: String,
    /// Begins on a single click too.
    #[prop(optional)]
    one_click: bool,
) -> impl IntoView {
    let (people, parts) = (People::here(), Parts::here());
    let key = StoredValue::new(id);
    let draft = RwSignal::new(String::new());
    // What the title was when editing began, and when that was: who leaves it as it was takes nobody's
    // new title back, and who writes another has not seen a newer one.
    let start = StoredValue::new((String::new(), Seen::default()));
    let input = NodeRef::<Input>::new();
    let theirs = memo(move || {
        let editors = people.editors.read();
        let editor = of(&editors, &key.get_value())?.iter().find(|editor| editor.editing.field == "title")?;
        Some((editor.editing.draft.clone()?, editor.user.color.clone()))
    });
    let announce = move |draft: Option<String>| {
        let editing = draft.map(|draft| Editing {
            id: key.get_value(),
            field: "title".to_owned(),
            draft: Some(draft),
            caret: None,
        });
        store.live(|live| live.editing(editing));
    };
    let may_edit = store.may_edit;
    let begin = move || {
        if may_edit.get_untracked() {
            editing.set(true);
        }
    };
    Effect::new(move |was: Option<bool>| {
        let now = editing.get();
        if now && was != Some(true) {
            let title = title.get_untracked();
            draft.set(title.clone());
            start.set_value((title.clone(), store.seen()));
            announce(Some(title));
            // What is typed before the field is there is for it.
            parts.hold_keys(None);
            dom::soon(move || {
                if let Some(input) = input.get_untracked() {
                    dom::focus_and_select(&input);
                }
            });
        }
        now
    });
    let end = move |keep: bool| {
        if editing.try_get_untracked() != Some(true) {
            return;
        }
        editing.set(false);
        announce(None);
        let draft = draft.get_untracked();
        let (before, began) = start.get_value();
        let written = keep && before != draft;
        let value: String = draft.trim().chars().take(MAX_TITLE_CHARS).collect();
        if written && value != title.get_untracked() {
            let (field, value) = ("title".to_owned(), value.into());
            let op = match key.get_value() {
                Some(id) => Op::Set { id, field, value },
                None => Op::SetDashboard { field, value },
            };
            store.edit_begun(op, began);
        }
    };
    // Somebody removes the widget: what was typed so far counts, and is kept beside the removal.
    on_cleanup(move || end(true));
    let hint = if one_click { "Click to rename" } else { "Double click to rename" };
    let element = StoredValue::new(element_id);
    let keys = move |event: leptos::ev::KeyboardEvent| {
        event.stop_propagation();
        match event.key().as_str() {
            "Enter" if !event.is_composing() => {
                event.prevent_default();
                end(true);
                dom::focus_soon(&element.get_value());
            }
            "Escape" => {
                end(false);
                dom::focus_soon(&element.get_value());
            }
            _ => {}
        }
    };
    let begin_keys = move |event: leptos::ev::KeyboardEvent| {
        if matches!(event.key().as_str(), "Enter" | "F2") {
            event.prevent_default();
            event.stop_propagation();
            begin();
        }
    };
    let reads = move || {
        let text = match (theirs.get(), key.with_value(Option::is_some)) {
            (Some((draft, _)), _) => draft,
            (None, true) => store.with_values(&title.read()),
            (None, false) => title.get(),
        };
        if text.trim().is_empty() { UNTITLED.to_owned() } else { text }
    };
    move || {
        if editing.get() {
            view! {
                <input
                    class="title-input"
                    type="text"
                    data-testid=testid
                    aria-label=label
                    maxlength=MAX_TITLE_CHARS.to_string()
                    autocomplete="off"
                    node_ref=input
                    prop:value=attr(move || draft.get())
                    on:input:target=move |event| {
                        let text = event.target().value();
                        draft.set(text.clone());
                        announce(Some(text));
                    }
                    on:keydown=keys
                    on:blur=move |_| end(true)
                    on:click=|event| event.stop_propagation()
                    // The second press of the double click that began this would select one word only.
                    on:mousedown=one_press
                />
            }
            .into_any()
        } else {
            view! {
                <span
                    class="title"
                    class:draft=attr(move || theirs.read().is_some())
                    style:--who=attr(move || theirs.get().map(|(_, color)| color).unwrap_or_default())
                    id=element.get_value()
                    role=attr(move || may_edit.get().then_some("button"))
                    // Who only reads passes by; the keyboard is brought here all the same.
                    tabindex=attr(move || if may_edit.get() { "0" } else { "-1" })
                    data-testid=testid
                    title=attr(move || may_edit.get().then_some(hint))
                    on:dblclick=move |_| begin()
                    on:click=move |_| if one_click { begin() }
                    on:keydown=begin_keys
                >
                    {reads}
                </span>
            }
            .into_any()
        }
    }
}
