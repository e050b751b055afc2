//! Keys that a program presses: the page hears them as any other. What a browser does by itself, it does for real keys
//! only, and is done here.

use std::cell::Cell;

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{
    Element, HtmlDialogElement, HtmlDocument, HtmlElement, HtmlFormElement, HtmlTextAreaElement,
    KeyboardEvent, KeyboardEventInit,
};

use super::{Key, is_letter};
use crate::app::dom;

thread_local! {
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

/// True while a kept text goes into a field, of which the browser tells as of any other.
pub fn is_writing() -> bool {
    WRITING.get()
}

/// Presses a key on what has the keyboard. True where all it did was to write there.
pub fn press(key: &Key) -> bool {
    let Some(target) = dom::focused() else { return false };
    let init = KeyboardEventInit::new();
    init.set_key(&key.key);
    init.set_code(&key.code);
    init.set_shift_key(key.shift);
    init.set_ctrl_key(key.control);
    init.set_meta_key(key.meta);
    init.set_bubbles(true);
    init.set_cancelable(true);
    let Ok(event) = KeyboardEvent::new_with_keyboard_event_init_dict("keydown", &init) else { return false };
    if target.dispatch_event(&event) == Ok(true) {
        follow(key, &target);
    }
    is_letter(&key.key) && !key.control && !key.meta && dom::takes_text(&target)
}

/// Writes a text into the field that has the keyboard, if one has. Answers as [`press`].
pub fn write(text: &str) -> bool {
    if dom::focused().is_some_and(|target| dom::takes_text(&target)) {
        command("insertText", text);
    }
    true
}

/// Edits the field that has the keyboard, with its selection, its bounds and its undo as they are. A browser without
/// this keeps the field as it is.
fn command(name: &str, text: &str) {
    let document: HtmlDocument = document().unchecked_into();
    WRITING.set(true);
    let _ = document.exec_command_with_show_ui_and_value(name, false, text);
    WRITING.set(false);
}

/// Does what a browser does after a key that nobody has taken.
fn follow(key: &Key, target: &Element) {
    let takes_text = dom::takes_text(target);
    let within = |selector: &str| target.closest(selector).ok().flatten();
    let click = || {
        if let Some(target) = target.dyn_ref::<HtmlElement>() {
            target.click();
        }
    };
    let on_button = matches!(target.tag_name().as_str(), "BUTTON" | "A");
    if key.control || key.meta {
        return match key.key.as_str() {
            _ if !takes_text => {}
            "a" | "A" => command("selectAll", ""),
            "Z" => command("redo", ""),
            "z" => command(if key.shift { "redo" } else { "undo" }, ""),
            _ => command("redo", ""),
        };
    }
    match key.key.as_str() {
        "Enter" | " " if on_button => click(),
        "Enter" if target.tag_name() == "INPUT" => {
            if let Some(form) = within("form").and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) {
                // Fails only for a form that is not in the document.
                let _ = form.request_submit();
            }
        }
        "Enter" if takes_text => command("insertText", "\n"),
        "Escape" => {
            if let Some(dialog) =
                within("dialog[open]").and_then(|one| one.dyn_into::<HtmlDialogElement>().ok())
            {
                dialog.close();
            }
        }
        "Tab" => dom::focus_next(target, key.shift),
        "Backspace" => command("delete", ""),
        "Delete" => command("forwardDelete", ""),
        "ArrowLeft" | "ArrowRight" | "Home" | "End" => move_caret(key, target),
        letter if is_letter(letter) && takes_text => command("insertText", letter),
        _ => {}
    }
}

/// Moves the caret of a field by one place, or to its begin or end; with Shift it selects.
fn move_caret(key: &Key, target: &Element) {
    if !matches!(target.tag_name().as_str(), "INPUT" | "TEXTAREA") {
        return;
    }
    // An input has the same selection.
    let field: &HtmlTextAreaElement = target.unchecked_ref();
    let (Ok(Some(start)), Ok(Some(end))) = (field.selection_start(), field.selection_end()) else { return };
    let last = js_sys::JsString::from(field.value()).length();
    let (from, to) = match (key.key.as_str(), key.shift) {
        ("Home", false) => (0, 0),
        ("Home", true) => (0, end),
        ("End", false) => (last, last),
        ("End", true) => (start, last),
        ("ArrowLeft", true) => (start.saturating_sub(1), end),
        ("ArrowRight", true) => (start, (end + 1).min(last)),
        ("ArrowLeft", false) if start == end => (start.saturating_sub(1), start.saturating_sub(1)),
        ("ArrowLeft", false) => (start, start),
        _ if start == end => ((end + 1).min(last), (end + 1).min(last)),
        _ => (end, end),
    };
    // Fails only for fields that have no text selection.
    let _ = field.set_selection_range(from, to);
}
