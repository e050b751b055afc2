//! One option in the side panel: a field, a list or a switch, as a draft that becomes one op.
//!
//! What is typed shows on the widget at once, here and for everybody else who looks at it.

use crate::app::dynamic::{attr, live, memo};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlTextAreaElement};

use super::people::{Editor, People};
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::options::{as_text, parse};
use crate::dashboard::line_ends::normalized;
use crate::dashboard::widget::{Takes, check_value};
use crate::dashboard::{Kind, Op, WidgetId};
use crate::sync::protocol::Editing;
use crate::sync::replica::Seen;

/// Characters of a draft that others see as it is typed; of a longer one they see that it is.
const MAX_DRAFT_CHARS: usize = 4096;

/// How an option is written.
#[derive(Clone, PartialEq)]
pub enum Control {
    /// One line; with the `id` of a list of what could be meant.
    Line(Option<&'static str>),
    /// Several lines. Enter begins another; leaving the field, or Enter with Ctrl, keeps what was written.
    Lines,
    /// One of these: what it is, and what people read.
    Choice(Vec<(String, String)>),
    Switch,
}

/// An option as the side panel shows it.
#[derive(Clone, PartialEq)]
pub struct Shown {
    /// `title`, or an option's whole name.
    pub name: String,
    pub label: String,
    pub takes: Takes,
    pub control: Control,
    pub placeholder: &'static str,
}

#[component]
pub fn OptionField(
    store: DashboardStore,
    signals: WidgetSignals,
    id: WidgetId,
    kind: Kind,
    field: Shown,
) -> impl IntoView {
    let Shown { name, label, takes, control, placeholder } = field;
    let editors = People::here().editors_of(&id);
    let key = StoredValue::new(id);
    let testid = format!("field-{name}");
    let hint = format!("hint-{name}");
    let name = StoredValue::new(name);
    let value =
        memo(move || signals.widget.with(|widget| name.with_value(|name| as_text(&widget.value(name)))));
    // While I type, what others write does not take my words away.
    let draft = RwSignal::new(None::<String>);
    // The value that I began to type over, and when: back at it, I have written nothing, and what came
    // since I have not seen.
    let start = StoredValue::new((None::<String>, Seen::default()));
    let problem = RwSignal::new(None::<String>);
    // True while the others are told that I am in this field.
    let announced = StoredValue::new(false);
    let announce = move |draft: Option<String>| {
        announced.set_value(draft.is_some());
        let (id, field) = (Some(key.get_value()), name.get_value());
        let short = |draft: &String| draft.chars().count() <= MAX_DRAFT_CHARS;
        let editing = draft.map(|draft| Editing { id, field, draft: Some(draft).filter(short), caret: None });
        store.live(|live| live.editing(editing));
    };
    let typed = move |text: Option<String>| {
        let value = text.as_ref().and_then(|text| parse(takes, text).ok());
        // What is too long is told at once, as of a paste; a number may become one yet.
        let is_text = matches!(takes, Takes::Text(_) | Takes::Json(_));
        let unfit = value.as_ref().filter(|_| is_text).and_then(|value| {
            name.with_value(|name| check_value(kind, name, value)).err().map(|error| error.to_string())
        });
        let value = value.filter(|_| unfit.is_none());
        signals.preview(|drafts| drafts.mine = value.map(|value| (name.get_value(), value)));
        draft.set(text);
        problem.set(unfit);
    };
    let shown = memo(move || draft.get().unwrap_or_else(|| value.get()));
    let commit = move |text: String| {
        let (before, began) = start.get_value();
        // A text field has LF for each CR LF and CR of a value.
        let as_before = before.is_some_and(|before| normalized(&before) == text);
        if as_before || normalized(&value.read_untracked()) == text {
            typed(None);
            return true;
        }
        let parsed = parse(takes, &text);
        let checked =
            parsed.and_then(|value| match name.with_value(|name| check_value(kind, name, &value)) {
                Ok(()) => Ok(value),
                Err(error) => Err(error.to_string()),
            });
        match checked {
            Ok(value) => {
                let op = Op::Set { id: key.get_value(), field: name.get_value(), value };
                // A list shows the newest value until one is chosen: nothing was begun before.
                if draft.read_untracked().is_some() {
                    store.edit_begun(op, began)
                } else {
                    store.edit(vec![op])
                }
                typed(None);
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
        if let Some(text) = draft.try_get_untracked().flatten()
            && !commit(text)
        {
            signals.preview(|drafts| drafts.mine = None);
        }
        if announced.try_get_value() == Some(true) {
            announce(None);
        }
    };
    // Somebody removes the widget: what was typed so far counts, and is kept beside the removal.
    on_cleanup(end);
    let many = control == Control::Lines;
    let keys = move |event: leptos::ev::KeyboardEvent| {
        event.stop_propagation();
        match event.key().as_str() {
            "Enter" if !event.is_composing() && (!many || event.ctrl_key() || event.meta_key()) => {
                if let Some(text) = draft.get_untracked()
                    && commit(text)
                {
                    announce(Some(value.get_untracked()));
                }
            }
            "Escape" => {
                typed(None);
                // The value may be what it was before, which no signal would tell the input.
                let value = value.get_untracked();
                let Some(target) = event.target() else { return };
                if let Some(input) = target.dyn_ref::<HtmlInputElement>() {
                    input.set_value(&value);
                    let _ = input.blur();
                } else if let Some(area) = target.dyn_ref::<HtmlTextAreaElement>() {
                    area.set_value(&value);
                    let _ = area.blur();
                }
            }
            _ => {}
        }
    };
    let begins = move || {
        if draft.read_untracked().is_none() {
            start.set_value((Some(value.get_untracked()), store.seen()));
        }
    };
    let write = move |text: String| {
        begins();
        typed(Some(text.clone()));
        announce(Some(text));
    };
    let others = memo(move || name.with_value(|name| others_words(&editors.read(), name)));
    let invalid = move || problem.read().is_some().then_some("true");
    let control = match control {
        Control::Choice(all) => {
            let first = all.first().map(|(one, _)| one.clone()).unwrap_or_default();
            let options = all.into_iter().map(|(one, says)| {
                let mine = one.clone();
                view! { <option value=one selected=attr(move || *value.read() == mine)>{says}</option> }
            });
            view! {
                <select
                    data-testid=testid
                    prop:value=attr(move || if value.read().is_empty() { first.clone() } else { value.get() })
                    on:change:target=move |event| { commit(event.target().value()); }
                >
                    {options.collect_view()}
                </select>
            }
            .into_any()
        }
        Control::Switch => view! {
            <input
                type="checkbox"
                role="switch"
                data-testid=testid
                prop:checked=attr(move || *value.read() == "true")
                on:change:target=move |event| {
                    let on = event.target().checked();
                    commit(if on { "true".to_owned() } else { String::new() });
                }
            />
        }
        .into_any(),
        Control::Lines => view! {
            <textarea
                data-testid=testid
                rows="4"
                wrap="off"
                placeholder=placeholder
                autocomplete="off"
                spellcheck="false"
                aria-describedby=hint.clone()
                aria-invalid=attr(invalid)
                prop:value=attr(move || shown.get())
                on:focus=move |_| announce(Some(shown.get_untracked()))
                on:input:target=move |event| write(event.target().value())
                on:keydown=keys
                on:blur=move |_| end()
            ></textarea>
        }
        .into_any(),
        Control::Line(list) => view! {
            <input
                data-testid=testid
                type="text"
                inputmode=if matches!(takes, Takes::Text(_) | Takes::Json(_)) { "text" } else { "decimal" }
                list=list
                placeholder=placeholder
                autocomplete="off"
                spellcheck="false"
                aria-describedby=hint.clone()
                aria-invalid=attr(invalid)
                prop:value=attr(move || shown.get())
                on:focus=move |_| announce(Some(shown.get_untracked()))
                on:input:target=move |event| write(event.target().value())
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
    /// Characters of a draft that a line has room for.
    const SHORT: usize = 60;
    let editor = editors.iter().find(|editor| editor.editing.field == field)?;
    let name = &editor.user.name;
    let says = match editor.editing.draft.as_deref() {
        Some(draft) if !draft.is_empty() => {
            let short: String = draft.chars().take(SHORT).collect();
            let more = if short.len() < draft.len() { "…" } else { "" };
            format!("{name} is typing “{short}{more}”")
        }
        _ => format!("{name} is here"),
    };
    Some((says, editor.user.color.clone()))
}
