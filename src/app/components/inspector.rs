//! The side panel: the options of the selected widget, as drafts that become one op each.

use std::time::Duration;

use crate::app::dynamic::{attr, live, memo};
use leptos::html::Input;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::icon::{Glyph, Icon};
use super::notices::NOTICES;
use super::people::{Editor, People};
use crate::app::chunks::Parts;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::dom;
use crate::app::options::{as_text, parse};
use crate::dashboard::widget::{Field, Takes, check_value};
use crate::dashboard::{Kind, Op, WidgetId};
use crate::sync::protocol::Editing;
use crate::sync::replica::Seen;

/// Figures of this very server that a widget can show, and what they are.
pub const SERVER_QUERIES: [(&str, &str); 5] = [
    ("server.cpu", "CPU of this server, %"),
    ("server.memory", "Memory of this server, bytes"),
    ("server.sessions", "Open sessions"),
    ("server.commits", "Commits per second"),
    ("server.commit_latency", "Time to a durable commit, ms"),
];

/// The `id` attribute of the side panel.
pub const SIDE: &str = "side";

/// What the side panel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    Widget,
    Conflicts,
    Activity,
    Marks,
}

/// The side panel of the page.
#[derive(Clone, Copy)]
pub struct Panels {
    pub open: RwSignal<Option<Panel>>,
    /// What had the keyboard when it was opened, and gets it back.
    opener: StoredValue<Option<HtmlElement>, LocalStorage>,
    /// Counts clicks, so that a panel about to open after one knows of a later one.
    clicks: StoredValue<u32>,
    store: DashboardStore,
    parts: Parts,
}

impl Panels {
    pub fn new(store: DashboardStore, parts: Parts) -> Self {
        Self {
            open: RwSignal::new(None),
            opener: StoredValue::new_local(None),
            clicks: StoredValue::new(0),
            store,
            parts,
        }
    }

    pub fn here() -> Self {
        use_context().expect("the dashboard page provides its panels")
    }

    /// Shows a panel.
    pub fn show(self, panel: Panel) {
        if self.open.get_untracked().is_none() {
            self.opener.set_value(dom::focused().and_then(|focused| focused.dyn_into().ok()));
        }
        self.open.set(Some(panel));
    }

    /// Shows a panel and gives it the keyboard, where what was pressed for it goes.
    pub fn enter(self, panel: Panel) {
        self.show(panel);
        self.parts.when_there(|| dom::focus_soon(SIDE));
    }

    /// Shows the options of the selected widget.
    pub fn inspect(self) {
        self.clicks.update_value(|clicks| *clicks += 1);
        self.show(Panel::Widget);
    }

    /// As [`Self::inspect`], a moment after a click, so that what was clicked does not move away under a
    /// double click. A note or a checklist is for typing: its options open from its menu only.
    pub fn open_after_click(self, kind: Kind) {
        const DOUBLE_CLICK: Duration = Duration::from_millis(240);
        self.clicks.update_value(|clicks| *clicks += 1);
        let click = self.clicks.get_value();
        if !kind.asks() || self.open.get_untracked() == Some(Panel::Widget) {
            return;
        }
        set_timeout(
            move || {
                let still =
                    self.clicks.get_value() == click && self.store.selected.read_untracked().is_some();
                if still && matches!(self.open.get_untracked(), None | Some(Panel::Widget)) {
                    self.show(Panel::Widget);
                }
            },
            DOUBLE_CLICK,
        );
    }

    pub fn close(self) {
        self.clicks.update_value(|clicks| *clicks += 1);
        self.open.set(None);
    }

    /// Closes it and gives the keyboard back, unless it is elsewhere already.
    pub fn leave(self) {
        self.close();
        let selected = self.store.selected.get_untracked();
        dom::soon(move || {
            if !dom::nothing_focused() {
                return;
            }
            let opener = self.opener.try_update_value(Option::take).flatten();
            let opener = opener.filter(|opener| opener.is_connected() && opener.tag_name() != "BODY");
            let widget = || selected.and_then(|id| dom::by_id(&format!("t-{id}")));
            if let Some(back) = opener.or_else(widget).or_else(|| dom::by_id(NOTICES)) {
                dom::focus_quietly(&back);
            }
        });
    }

    /// Opens a panel, or closes it where it is open.
    pub fn toggle(self, panel: Panel) {
        match self.open.get_untracked() == Some(panel) {
            true => self.close(),
            false => self.show(panel),
        }
    }
}

/// The head of a side panel: what it is, and the way to close it.
#[component]
pub fn SideHead(
    title: &'static str,
    /// What its close button is called.
    close: &'static str,
) -> impl IntoView {
    let panels = Panels::here();
    view! {
        <div class="side-head">
            <h2>{title}</h2>
            <span class="grow"></span>
            <button type="button" class="button icon" aria-label=close on:click=move |_| panels.leave()>
                <Glyph icon=Icon::Close/>
            </button>
        </div>
    }
}

#[component]
pub fn Inspector(store: DashboardStore) -> impl IntoView {
    // Tracked through the order too: a widget that somebody removes takes its panel with it.
    let shown = memo(move || {
        let id = store.selected.get()?;
        store.order.read().contains(&id).then_some(id)
    });
    move || {
        let id = shown.get()?;
        let signals = store.widget(&id)?;
        let kind = signals.widget.with_untracked(|widget| widget.kind);
        let title =
            Field { name: "title", label: "Title", takes: Takes::Text(crate::dashboard::MAX_TITLE_CHARS) };
        let field = |field: Field| {
            view! { <FieldInput store signals id=id.clone() kind field/> }
        };
        let fields = std::iter::once(title)
            .chain(kind.fields().iter().copied().filter(|field| !field.is_family()))
            .map(field)
            .collect_view();
        let remove_id = id.clone();
        Some(view! {
            <aside class="side" id=SIDE tabindex="-1" data-testid="inspector" aria-label="Options of the selected widget">
                <SideHead title=kind.label() close="Close the options"/>
                <div class="fields">{fields}</div>
                <datalist id="queries">
                    {SERVER_QUERIES.map(|(query, says)| view! { <option value=query>{says}</option> }).collect_view()}
                </datalist>
                <button
                    type="button"
                    class="button danger"
                    on:click=move |_| super::widget_container::remove(store, &remove_id)
                >
                    <Glyph icon=Icon::Trash/>
                    "Remove this widget"
                </button>
            </aside>
        })
    }
}

#[component]
fn FieldInput(
    store: DashboardStore,
    signals: WidgetSignals,
    id: WidgetId,
    kind: Kind,
    field: Field,
) -> impl IntoView {
    let Field { name, label, takes } = field;
    let editors = People::here().editors_of(&id);
    let key = StoredValue::new(id);
    let value = memo(move || signals.widget.with(|widget| as_text(&widget.value(name))));
    // While I type, what others write does not take my words away.
    let draft = RwSignal::new(None::<String>);
    // The value that I began to type over, and when: back at it, I have written nothing, and what came
    // since I have not seen.
    let start = StoredValue::new((None::<String>, Seen::default()));
    let problem = RwSignal::new(None::<String>);
    let input = NodeRef::<Input>::new();
    // True while the others are told that I am in this field.
    let announced = StoredValue::new(false);
    let announce = move |draft: Option<String>| {
        announced.set_value(draft.is_some());
        let id = Some(key.get_value());
        let editing =
            draft.map(|draft| Editing { id, field: name.to_owned(), draft: Some(draft), caret: None });
        store.live(|live| live.editing(editing));
    };
    let shown = memo(move || draft.get().unwrap_or_else(|| value.get()));
    let commit = move |text: String| {
        let (before, began) = start.get_value();
        let as_before = before.as_ref() == Some(&text);
        if as_before || text == value.get_untracked() {
            draft.set(None);
            problem.set(None);
            return true;
        }
        let parsed = parse(takes, &text);
        let checked = parsed.and_then(|value| match check_value(kind, name, &value) {
            Ok(()) => Ok(value),
            Err(error) => Err(error.to_string()),
        });
        match checked {
            Ok(value) => {
                let op = Op::Set { id: key.get_value(), field: name.to_owned(), value };
                // A list shows the newest value until one is chosen: nothing was begun before.
                if draft.read_untracked().is_some() {
                    store.edit_begun(op, began)
                } else {
                    store.edit(vec![op])
                }
                draft.set(None);
                problem.set(None);
                true
            }
            Err(says) => {
                problem.set(Some(says));
                false
            }
        }
    };
    let end = move || {
        // A browser says that a field which is taken away has lost the keyboard: by then the signals may
        // have gone, and the end was told before.
        if let Some(text) = draft.try_get_untracked().flatten() {
            commit(text);
        }
        if announced.try_get_value() == Some(true) {
            announce(None);
        }
    };
    // Somebody removes the widget: what was typed so far counts, and is kept beside the removal.
    on_cleanup(end);
    let keys = move |event: leptos::ev::KeyboardEvent| {
        event.stop_propagation();
        match event.key().as_str() {
            "Enter" if !event.is_composing() => {
                if let Some(text) = draft.get_untracked()
                    && commit(text)
                {
                    announce(Some(value.get_untracked()));
                }
            }
            "Escape" => {
                draft.set(None);
                problem.set(None);
                if let Some(input) = input.get_untracked() {
                    // The value may be what it was before, which no signal would tell the input.
                    input.set_value(&value.get_untracked());
                    let _ = input.blur();
                }
            }
            _ => {}
        }
    };
    let others = memo(move || others_words(&editors.read(), name));
    let testid = format!("field-{name}");
    let hint = format!("hint-{name}");
    let control = match takes {
        Takes::OneOf(all) => {
            let options = all.iter().map(|one| {
                let one = *one;
                view! { <option value=one selected=attr(move || value.read().as_str() == one)>{one}</option> }
            });
            view! {
                <select
                    data-testid=testid
                    prop:value=attr(move || if value.read().is_empty() { all[0].to_owned() } else { value.get() })
                    on:change:target=move |event| { commit(event.target().value()); }
                >
                    {options.collect_view()}
                </select>
            }
            .into_any()
        }
        _ => view! {
            <input
                data-testid=testid
                node_ref=input
                type="text"
                inputmode=if matches!(takes, Takes::Text(_)) { "text" } else { "decimal" }
                list=(name == "query").then_some("queries")
                placeholder=placeholder(name)
                autocomplete="off"
                spellcheck="false"
                aria-describedby=hint.clone()
                aria-invalid=attr(move || problem.read().is_some().then_some("true"))
                prop:value=attr(move || shown.get())
                on:focus=move |_| announce(Some(shown.get_untracked()))
                on:input:target=move |event| {
                    let text = event.target().value();
                    if draft.read_untracked().is_none() {
                        start.set_value((Some(value.get_untracked()), store.seen()));
                    }
                    draft.set(Some(text.clone()));
                    problem.set(None);
                    announce(Some(text));
                }
                on:keydown=keys
                on:blur=move |_| end()
            />
        }
        .into_any(),
    };
    view! {
        <label class="field" class:busy=attr(move || others.read().is_some())>
            <span class="label">{label}</span>
            {control}
            <span class="hint" id=hint aria-live="polite">
                {live(move || match (problem.get(), others.get()) {
                    (Some(problem), _) => Some(view! { <span class="problem">{problem}</span> }.into_any()),
                    (None, Some((says, color))) => {
                        Some(view! { <span class="theirs" style:--who=color>{says}</span> }.into_any())
                    }
                    (None, None) => None,
                })}
            </span>
        </label>
    }
}

/// Who else types in a field, what it reads there, and in which colour.
fn others_words(editors: &[Editor], field: &str) -> Option<(String, String)> {
    let editor = editors.iter().find(|editor| editor.editing.field == field)?;
    let name = &editor.user.name;
    let says = match editor.editing.draft.as_deref() {
        Some(draft) if !draft.is_empty() => format!("{name} is typing “{draft}”"),
        _ => format!("{name} is here"),
    };
    Some((says, editor.user.color.clone()))
}

fn placeholder(field: &str) -> &'static str {
    match field {
        "query" => "server.cpu",
        "unit" => "%, ms, bytes, /s …",
        "decimals" | "min" | "max" => "automatic",
        "warn_at" | "alert_at" => "never",
        _ => "",
    }
}
