//! A checklist: items to tick, to write and to bring into order, by several people at once.

use crate::app::dynamic::{attr, each, live, memo};
use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::html::{Input, Ul};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::items::{self, ITEM, Item, items};
use crate::app::components::{Glyph, Icon};
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::dom;
use crate::dashboard::WidgetId;
use crate::dashboard::widget::{MAX_FAMILY, MAX_ITEM_CHARS};
use crate::sync::protocol::Editing;
use crate::sync::replica::Seen;

/// What all rows of one checklist share.
#[derive(Clone, Copy)]
struct List {
    id: StoredValue<WidgetId>,
    store: DashboardStore,
    items: Memo<Vec<Item>>,
    /// The item that is held, and the place at which it would land.
    held: RwSignal<Option<(String, usize)>>,
    root: NodeRef<Ul>,
    /// What was just done, for those who do not see it.
    says: RwSignal<String>,
}

#[component]
pub fn Checklist(id: WidgetId, signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let items = memo(move || signals.shown.with(|widget| items(widget)));
    let list = List {
        id: StoredValue::new(id),
        store,
        items,
        held: RwSignal::new(None),
        root: NodeRef::new(),
        says: RwSignal::new(String::new()),
    };
    let full = memo(move || items.read().len() >= MAX_FAMILY);
    // Keys mean the item here, and not the widget.
    let keys = |event: KeyboardEvent| {
        if matches!(event.key().as_str(), "Delete" | "Backspace" | "F2" | "Enter" | " ") {
            event.stop_propagation();
        }
    };
    view! {
        <div class="checklist" on:keydown=keys>
            <ul node_ref=list.root class:held=attr(move || list.held.read().is_some())>
                {each(
                    move || items.read().iter().map(|item| item.id.clone()).collect(),
                    |id| id.clone(),
                    move |id| view! { <Row id list/> },
                )}
            </ul>
            {live(move || store.may_edit.get().then(|| view! { <Add list full/> }))}
            <span class="sr-only" aria-live="polite">{live(move || list.says.get())}</span>
        </div>
    }
}

/// Takes new items as they are typed, one with each Enter.
#[component]
fn Add(list: List, full: Memo<bool>) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let add = move |event: KeyboardEvent| {
        event.stop_propagation();
        if event.key() != "Enter" || event.is_composing() {
            return;
        }
        event.prevent_default();
        let Some(input) = input.get_untracked() else { return };
        let text = input.value();
        let text = text.trim();
        if !text.is_empty() && !full.get_untracked() {
            let id = list.id.get_value();
            list.store.edit(items::add(&id, &list.items.read_untracked(), &dom::random_id(), text));
            input.set_value("");
        }
    };
    view! {
        <label class="add">
            <Glyph icon=Icon::Plus/>
            <input
                type="text"
                node_ref=input
                data-testid="checklist-add"
                aria-label="Add an item"
                placeholder=attr(move || if full.get() { "This list is full" } else { "Add an item" })
                disabled=full
                maxlength=MAX_ITEM_CHARS.to_string()
                autocomplete="off"
                on:keydown=add
            />
        </label>
    }
}

#[component]
fn Row(id: String, list: List) -> impl IntoView {
    let List { store, items, held, .. } = list;
    let key = StoredValue::new(id.clone());
    let item = memo(move || {
        key.with_value(|id| items.read().iter().find(|item| item.id == *id).cloned()).unwrap_or(Item::gone())
    });
    let editing = RwSignal::new(false);
    let place = move || key.with_value(|id| items.read_untracked().iter().position(|item| item.id == *id));
    let tick = move |_| {
        let done = !item.read_untracked().done;
        store.edit(vec![items::tick(&list.id.get_value(), &key.get_value(), done)]);
    };
    let remove = move || {
        let at = place().unwrap_or(0);
        list.says.set(format!("Removed “{}”", item.read_untracked().text));
        store.edit(items::remove(&list.id.get_value(), &item.read_untracked()));
        // The keyboard goes on with what stands there now.
        dom::soon(move || list.focus(at));
    };
    let read_only = memo(move || !store.may_edit.get());
    let keys = move |event: KeyboardEvent| {
        if read_only.get_untracked() || (dom::on_text(&event) && event.key() != "Delete") {
            return;
        }
        match event.key().as_str() {
            "Delete" if !editing.get_untracked() => {
                event.prevent_default();
                remove();
            }
            "F2" => editing.set(true),
            "ArrowUp" | "ArrowDown" if event.alt_key() => {
                event.prevent_default();
                list.step(&key.get_value(), event.key() == "ArrowUp");
            }
            _ => {}
        }
    };
    let lands = memo(move || {
        let held = held.read();
        let (held, to) = held.as_ref()?;
        let items = items.read();
        let from = items.iter().position(|item| item.id == *held)?;
        let at = key.with_value(|id| items.iter().position(|item| item.id == *id))?;
        (at == *to && from != *to).then_some(if from > *to { "above" } else { "below" })
    });
    let label = move || item.read().text.clone();
    let (words, said) = (id.clone(), id.clone());
    view! {
        <li
            data-testid="checklist-item"
            data-item=id
            class:done=attr(move || item.read().done)
            class:lifted=attr(move || held.read().as_ref().is_some_and(|(held, _)| key.with_value(|id| id == held)))
            data-lands=attr(move || lands.get())
            on:keydown=keys
        >
            <input
                type="checkbox"
                data-testid="checklist-tick"
                prop:checked=attr(move || item.read().done)
                checked=item.read_untracked().done
                disabled=read_only
                aria-label=attr(label)
                on:click=|event| event.stop_propagation()
                on:change=tick
            />
            {live(move || match editing.get() {
                true => view! { <Writing id=words.clone() item list editing/> }.into_any(),
                false => view! {
                    <button
                        type="button"
                        class="words"
                        title=attr(move || (!read_only.get()).then_some("Edit"))
                        disabled=read_only
                        data-testid="checklist-text"
                        on:click=move |event| {
                            event.stop_propagation();
                            editing.set(true);
                        }
                    >
                        {live(label)}
                    </button>
                }
                .into_any(),
            })}
            <span class="ends" class:hidden=read_only>
                <button
                    type="button"
                    class="tool drag"
                    id=format!("move-{said}")
                    data-testid="checklist-move"
                    aria-label=attr(move || format!("Move “{}”: arrows up and down", item.read().text))
                    title="Drag to move, or press the arrows"
                    on:pointerdown=move |event| list.drag(&event, &key.get_value())
                    on:keydown=move |event: KeyboardEvent| {
                        if matches!(event.key().as_str(), "ArrowUp" | "ArrowDown") && !event.alt_key() {
                            event.prevent_default();
                            event.stop_propagation();
                            list.step(&key.get_value(), event.key() == "ArrowUp");
                        }
                    }
                    on:click=|event| event.stop_propagation()
                >
                    <Glyph icon=Icon::Grip/>
                </button>
                <button
                    type="button"
                    class="tool"
                    data-testid="checklist-remove"
                    aria-label=attr(move || format!("Remove “{}”", item.read().text))
                    title="Remove"
                    on:click=move |event| {
                        event.stop_propagation();
                        remove();
                    }
                >
                    <Glyph icon=Icon::Close/>
                </button>
            </span>
        </li>
    }
}

/// The field in which an item is written: Enter or leaving keeps it, Esc does not, and nothing removes it.
#[component]
fn Writing(id: String, item: Memo<Item>, list: List, editing: RwSignal<bool>) -> impl IntoView {
    let List { store, .. } = list;
    let input = NodeRef::<Input>::new();
    let before = item.get_untracked().text;
    let began: StoredValue<Seen> = StoredValue::new(store.seen());
    let (field, key, first) = (format!("{ITEM}{id}"), StoredValue::new(id), StoredValue::new(before.clone()));
    let announce = move |draft: Option<String>| {
        let (id, field) = (Some(list.id.get_value()), field.clone());
        let editing = draft.map(|draft| Editing { id, field, draft: Some(draft), caret: None });
        store.live(|live| live.editing(editing));
    };
    let (tell, told) = (announce.clone(), announce.clone());
    // The input takes the keyboard once it is there.
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            dom::focus_and_select(&input);
        }
    });
    let end = move |keep: bool| {
        if editing.try_get_untracked() != Some(true) {
            return;
        }
        let text = input.get_untracked().map(|input| input.value()).unwrap_or_default();
        editing.set(false);
        told(None);
        let text = text.trim();
        let widget = list.id.get_value();
        match (keep, text.is_empty()) {
            (true, true) => store.edit(items::remove(&widget, &item.read_untracked())),
            (true, false) if first.with_value(|first| first != text) => {
                store.edit_begun(items::write(&widget, &key.get_value(), text), began.get_value());
            }
            _ => {}
        }
    };
    let left = end.clone();
    let keys = move |event: KeyboardEvent| {
        event.stop_propagation();
        match event.key().as_str() {
            "Enter" if !event.is_composing() => end(true),
            "Escape" => end(false),
            _ => return,
        }
        let place = list.place(&key.get_value());
        dom::soon(move || list.focus(place));
    };
    view! {
        <input
            type="text"
            class="words"
            node_ref=input
            data-testid="checklist-edit"
            aria-label="What the item says"
            value=before.clone()
            maxlength=MAX_ITEM_CHARS.to_string()
            autocomplete="off"
            on:focus=move |_| tell(Some(before.clone()))
            on:input:target=move |event| announce(Some(event.target().value()))
            on:keydown=keys
            on:click=|event| event.stop_propagation()
            on:blur=move |_| left(true)
        />
    }
}

impl Item {
    /// What shows of an item in the moment in which it goes.
    fn gone() -> Self {
        Self::new("", "")
    }
}

impl List {
    fn place(self, id: &str) -> usize {
        self.items.read_untracked().iter().position(|item| item.id == id).unwrap_or(0)
    }

    fn bring(self, from: usize, to: usize) {
        let ops = items::moved(&self.id.get_value(), &self.items.read_untracked(), from, to);
        if !ops.is_empty() {
            self.says.set(format!("Now {} of {}", to + 1, self.items.read_untracked().len()));
            self.store.edit(ops);
        }
    }

    /// Brings an item one place up or down; the keyboard stays at its handle.
    fn step(self, id: &str, up: bool) {
        let from = self.place(id);
        let to = if up { from.checked_sub(1) } else { Some(from + 1) };
        if let Some(to) = to.filter(|to| *to < self.items.read_untracked().len()) {
            self.bring(from, to);
            dom::focus_soon(&format!("move-{id}"));
        }
    }

    /// Gives the keyboard to the words of the item at a place, or to the last, or to the field for a new one.
    fn focus(self, place: usize) {
        let Some(list) = self.root.get_untracked() else { return };
        let Ok(words) = list.query_selector_all(".words") else { return };
        let at = place.min(words.length().saturating_sub(1) as usize) as u32;
        let item = words.get(at).and_then(|words| words.dyn_into().ok());
        let add = || list.parent_element()?.query_selector(".add input").ok()??.dyn_into().ok();
        if let Some(element) = item.or_else(add) {
            dom::focus_quietly(&element);
        }
    }

    /// Follows the pointer that holds an item, and brings it to where it is let go.
    fn drag(self, event: &PointerEvent, id: &str) {
        event.stop_propagation();
        if event.button() != 0 {
            return;
        }
        event.prevent_default();
        let id = id.to_owned();
        dom::track_pointer(event, move |step| match step {
            dom::Step::Move { y, .. } => {
                if let Some(to) = self.under(y) {
                    self.held.set(Some((id.clone(), to)));
                }
            }
            dom::Step::End => {
                if let Some((_, to)) = self.held.get_untracked() {
                    self.bring(self.place(&id), to);
                }
                self.held.set(None);
            }
            dom::Step::Cancel => self.held.set(None),
        });
    }

    /// The place of the item that a pointer is at, by its height in the window.
    fn under(self, y: f64) -> Option<usize> {
        let items: Vec<Element> = {
            let all = self.root.get_untracked()?.children();
            (0..all.length()).filter_map(|n| all.item(n)).collect()
        };
        let below = |item: &Element| item.get_bounding_client_rect().bottom() > y;
        Some(items.iter().position(below).unwrap_or(items.len().saturating_sub(1)))
    }
}
