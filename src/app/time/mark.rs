//! The dialog in which a moment is marked: what happened then, in a line.

use leptos::html::{Dialog, Input};
use leptos::prelude::*;

use super::moment_field::{MomentField, MomentInput};
use super::{Mark, mark_field};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;
use crate::app::dynamic::{attr, effect, live};
use crate::dashboard::Op;
use crate::dashboard::settings::{ANNOTATION, Annotation, MAX_ANNOTATION_CHARS};
use crate::sync::protocol::Editing;
use crate::sync::replica::Seen;

/// A mark while it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Marking {
    /// The mark that is changed; `None` for a new one.
    pub id: Option<String>,
    /// Unix milliseconds.
    pub at: u64,
    pub text: String,
    /// When it was begun.
    began: Seen,
}

/// Begins to mark a moment: the one given, else the one under the pointer, else the present or the end of what
/// shows.
pub fn begin(store: DashboardStore, at: Option<u64>) {
    if !store.may_edit.get_untracked() {
        return;
    }
    let time = store.time;
    let at = at.or_else(|| time.pointed.read_untracked().as_ref().map(|pointed| pointed.at));
    let at = at.unwrap_or_else(|| time.window().1.min(time.now()));
    time.marking.set(Some(Marking { id: None, at, text: String::new(), began: store.seen() }));
}

/// Begins to change a mark.
pub fn change(store: DashboardStore, mark: Mark) {
    let Mark { id, at, text } = mark;
    store.time.marking.set(Some(Marking { id: Some(id), at, text, began: store.seen() }));
}

/// What somebody else writes to a moment right now: when, and what so far.
pub fn drafted(editing: &Editing) -> Option<Annotation> {
    let of_mark = editing.id.is_none() && editing.field.starts_with(ANNOTATION);
    serde_json::from_str(editing.draft.as_ref().filter(|_| of_mark)?).ok()
}

/// Shows the others what is written to a moment; with `None` that nobody writes there any more.
fn announce(store: DashboardStore, field: &str, draft: Option<Annotation>) {
    let editing = draft.and_then(|draft| {
        let draft = serde_json::to_string(&draft).ok();
        Some(Editing { id: None, field: field.to_owned(), draft: Some(draft?), caret: None })
    });
    store.live(|live| live.editing(editing));
}

/// Removes a mark.
pub fn remove(store: DashboardStore, id: &str) {
    store.edit(vec![Op::SetDashboard { field: mark_field(id), value: serde_json::Value::Null }]);
}

#[component]
pub fn MarkDialog(store: DashboardStore) -> impl IntoView {
    let marking = store.time.marking;
    let dialog = NodeRef::<Dialog>::new();
    let text = NodeRef::<Input>::new();
    let wrong = RwSignal::new(None::<&'static str>);
    let shown = marking.get_untracked();
    let (at, words_before, new) = match &shown {
        Some(shown) => (shown.at, shown.text.clone(), shown.id.is_none()),
        None => (0, String::new(), true),
    };
    let moment = MomentField::new(at);
    let field = mark_field(&shown.as_ref().and_then(|shown| shown.id.clone()).unwrap_or_else(dom::random_id));
    let known = StoredValue::new(shown);
    let field = StoredValue::new(field);
    let tell = move || {
        let says = text.get_untracked().map(|text| text.value()).unwrap_or_default();
        let draft = moment.read().ok().map(|at| Annotation { at, text: says });
        field.with_value(|field| announce(store, field, draft));
    };
    effect(move || {
        if let Some(dialog) = dialog.get() {
            // Fails only for a dialog that is not in the document.
            let _ = dialog.show_modal();
            if let Some(text) = text.get_untracked() {
                dom::focus_and_select(&text);
            }
            tell();
        }
    });
    // What is open closes by itself and gives the keyboard back; then nothing is written any more.
    let close = move || match dialog.get_untracked().filter(|dialog| dialog.open()) {
        Some(dialog) => dialog.close(),
        None => marking.set(None),
    };
    let save = move || {
        let (Some(text), Some(shown)) = (text.get_untracked(), known.get_value()) else { return };
        let says: String = text.value().trim().chars().take(MAX_ANNOTATION_CHARS).collect();
        if says.is_empty() {
            wrong.set(Some("Write what happened."));
            dom::focus_quietly(&text);
            return;
        }
        let at = match moment.read() {
            Ok(at) => at,
            Err(why) => {
                wrong.set(Some(why));
                if let Some(input) = moment.input.get_untracked() {
                    dom::focus_quietly(&input);
                }
                return;
            }
        };
        if (at, &says) != (shown.at, &shown.text) || shown.id.is_none() {
            let field = field.get_value();
            let value = serde_json::to_value(Annotation { at, text: says }).unwrap_or_default();
            store.edit_begun(Op::SetDashboard { field, value }, shown.began);
        }
        close();
    };
    let let_go = move |_| {
        if let Some(id) = known.get_value().and_then(|shown| shown.id) {
            remove(store, &id);
        }
        close();
    };
    view! {
        <dialog
            class="mark-dialog"
            node_ref=dialog
            data-testid="mark-dialog"
            aria-label=if new { "Mark a moment" } else { "Change a mark" }
            // What is typed here is no key of the page. Esc is the dialog's own.
            on:keydown=|event| event.stop_propagation()
            on:close=move |_| {
                field.with_value(|field| announce(store, field, None));
                marking.set(None);
            }
        >
            <form on:submit=move |event| { event.prevent_default(); save(); }>
                <h2>{if new { "Mark this moment" } else { "A marked moment" }}</h2>
                <label class="field">
                    <span class="label">"What happened"</span>
                    <input
                        type="text"
                        node_ref=text
                        data-testid="mark-text"
                        value=words_before
                        maxlength=MAX_ANNOTATION_CHARS.to_string()
                        placeholder="Deployed 4.2"
                        autocomplete="off"
                        on:input=move |_| { wrong.set(None); tell(); }
                    />
                </label>
                <MomentInput
                    field=moment
                    label="When"
                    testid="mark-at"
                    wrong=false
                    changed=move |()| { wrong.set(None); tell(); }
                />
                <p class="quiet">"Everybody sees it on every chart of this dashboard."</p>
                <p class="wrong" role="alert">{live(move || wrong.get())}</p>
                <div class="row">
                    <button
                        type="button"
                        class="button danger"
                        class:hidden=attr(move || new)
                        data-testid="mark-remove"
                        on:click=let_go
                    >
                        "Remove"
                    </button>
                    <span class="grow"></span>
                    <button type="button" class="button" on:click=move |_| close()>"Cancel"</button>
                    <button type="submit" class="button primary" data-testid="mark-save">"Save"</button>
                </div>
            </form>
        </dialog>
    }
}
