//! Type-ahead: keys that are pressed while what takes them is on its way are kept, and given to it in order.
//!
//! What opens says so with [`TypeAhead::hold`], and has the keys once it takes the keyboard.

use std::collections::VecDeque;
use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlDialogElement, HtmlDocument, HtmlElement, HtmlFormElement, KeyboardEvent};

use crate::app::dom;

/// Keys that are kept at once: more than anybody types without seeing a letter of it.
const MAX_KEYS: usize = 200;
/// What is there and has not taken the keyboard after this long is not going to: it takes a few frames.
const PATIENCE: Duration = Duration::from_millis(250);
/// Keys beside those of a letter that are kept. All others are the browser's own.
const NAMED: [&str; 10] = [
    "Enter",
    "Escape",
    "Tab",
    "Backspace",
    "Delete",
    "ArrowUp",
    "ArrowDown",
    "ArrowLeft",
    "ArrowRight",
    "F2",
];

/// A key that was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    key: String,
    code: String,
    shift: bool,
}

#[derive(Default)]
struct State {
    /// True from the moment at which something opens until it takes the keyboard.
    waiting: bool,
    /// True while kept keys are given out: those that are pressed meanwhile come after them.
    giving: bool,
    /// Counts what opened, so that what is over does not end the waiting for something later.
    turn: u32,
    /// What had the keyboard before.
    before: Option<Element>,
    keys: VecDeque<Key>,
}

/// The keys of the page that wait for what is to take them.
#[derive(Clone, Copy)]
pub struct TypeAhead(StoredValue<State, LocalStorage>);

impl TypeAhead {
    /// Starts to follow the keyboard. What takes keys before anything else does has to come later than this.
    pub fn new() -> Self {
        let ahead = Self(StoredValue::new_local(State::default()));
        dom::on_keys_first(move |event| ahead.pressed(event));
        dom::on_window(leptos::ev::focusin, move |_| ahead.focused());
        // Whoever points somewhere means the keys for what is there.
        dom::on_window(leptos::ev::pointerdown, move |_| ahead.forget());
        ahead
    }

    /// Keeps keys from now on, until the keyboard goes to something else than now. Answers the number of this
    /// turn. For the browser only.
    pub fn hold(self) -> u32 {
        let before = dom::focused();
        let turn = self.0.try_update_value(|state| {
            state.turn += 1;
            state.waiting = true;
            state.before = before;
            state.turn
        });
        turn.unwrap_or_default()
    }

    /// What keys are kept for is there, and takes the keyboard within moments.
    pub fn expect(self, turn: u32) {
        set_timeout(move || self.end(turn, false), PATIENCE);
    }

    /// What keys are kept for is not going to take them.
    pub fn give_up(self, turn: u32) {
        self.end(turn, true);
    }

    fn end(self, turn: u32, forget: bool) {
        let ended = self.0.try_update_value(|state| {
            let ends = state.waiting && state.turn == turn;
            if ends {
                state.waiting = false;
                if forget {
                    state.keys.clear();
                }
            }
            ends
        });
        if ended == Some(true) {
            self.give();
        }
    }

    fn forget(self) {
        let _ = self.0.try_update_value(|state| {
            state.waiting = false;
            state.keys.clear();
        });
    }

    fn pressed(self, event: &KeyboardEvent) {
        // Those that are given out pass here too.
        if !event.is_trusted() || event.is_composing() || !keeps(event) {
            return;
        }
        let key = Key { key: event.key(), code: event.code(), shift: event.shift_key() };
        let kept = self.0.try_update_value(|state| {
            let keeps = state.waiting || state.giving;
            if keeps && state.keys.len() < MAX_KEYS {
                state.keys.push_back(key);
            }
            keeps
        });
        if kept == Some(true) {
            event.prevent_default();
            event.stop_immediate_propagation();
        }
    }

    fn focused(self) {
        let now = dom::focused();
        let taken = self.0.try_update_value(|state| {
            let taken = state.waiting && now.is_some() && now != state.before;
            state.waiting &= !taken;
            taken
        });
        if taken == Some(true) {
            self.give();
        }
    }

    /// Gives out the keys that are kept, one after the other. What a key other than a letter's does may take
    /// until the page is drawn, or open something that the next keys are kept for.
    fn give(self) {
        let started = self.0.try_update_value(|state| {
            let starts = !state.giving && !state.keys.is_empty();
            state.giving |= starts;
            starts
        });
        if started == Some(true) {
            // What takes the keyboard has prepared itself for it by then.
            dom::soon(move || self.next());
        }
    }

    fn next(self) {
        loop {
            let key = self.0.try_update_value(|state| {
                let key = if state.waiting { None } else { state.keys.pop_front() };
                state.giving = key.is_some();
                key
            });
            let Some(key) = key.flatten() else { return };
            press(&key);
            if !is_letter(&key.key) {
                dom::soon(move || dom::soon(move || self.next()));
                return;
            }
        }
    }
}

impl Default for TypeAhead {
    fn default() -> Self {
        Self::new()
    }
}

fn is_letter(key: &str) -> bool {
    key.chars().count() == 1
}

/// True for a key that writes or moves, and for no shortcut.
fn keeps(event: &KeyboardEvent) -> bool {
    let shortcut = event.ctrl_key() || event.meta_key() || event.alt_key();
    let writes = !shortcut || event.get_modifier_state("AltGraph");
    let key = event.key();
    writes && (is_letter(&key) || NAMED.contains(&key.as_str()))
}

/// Presses a key on what has the keyboard. The page hears it as any other; what a browser does by itself, it
/// does for real keys only, and is done here.
fn press(key: &Key) {
    let Some(target) = dom::focused() else { return };
    let init = web_sys::KeyboardEventInit::new();
    init.set_key(&key.key);
    init.set_code(&key.code);
    init.set_shift_key(key.shift);
    init.set_bubbles(true);
    init.set_cancelable(true);
    let Ok(event) = KeyboardEvent::new_with_keyboard_event_init_dict("keydown", &init) else { return };
    if target.dispatch_event(&event) == Ok(true) {
        follow(key, &target);
    }
}

/// Does what a browser does after a key that nobody has taken.
fn follow(key: &Key, target: &Element) {
    let within = |selector: &str| target.closest(selector).ok().flatten();
    let command = |name: &str, text: &str| {
        let document: HtmlDocument = document().unchecked_into();
        // With the selection, the bounds and the undo of the field as they are. A browser without this keeps
        // the field as it is.
        let _ = document.exec_command_with_show_ui_and_value(name, false, text);
    };
    let click = || {
        if let Some(target) = target.dyn_ref::<HtmlElement>() {
            target.click();
        }
    };
    let on_button = matches!(target.tag_name().as_str(), "BUTTON" | "A");
    match key.key.as_str() {
        "Enter" | " " if on_button => click(),
        "Enter" if target.tag_name() == "INPUT" => {
            if let Some(form) = within("form").and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) {
                // Fails only for a form that is not in the document.
                let _ = form.request_submit();
            }
        }
        "Enter" if dom::takes_text(target) => command("insertText", "\n"),
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
        letter if is_letter(letter) && dom::takes_text(target) => command("insertText", letter),
        _ => {}
    }
}
