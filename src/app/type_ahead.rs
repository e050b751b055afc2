//! Type-ahead: keys that are pressed while what takes them is on its way are kept, and given to it in order.
//!
//! What opens says so with [`TypeAhead::hold`], and has the keys once it takes the keyboard. What was typed and pressed
//! before the page was awake comes from the script in the page's head ([`EARLY_INPUT`]) and goes the same way.

mod press;

use std::collections::VecDeque;
use std::rc::Rc;

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ClipboardEvent, Element, Event, HtmlTextAreaElement, InputEvent, KeyboardEvent};

use crate::app::dom;
use crate::app::dynamic::effect;

/// Keys and texts that are kept at once: more than anybody types without seeing a letter of it.
const MAX_INPUTS: usize = 200;
/// UTF-16 units of a text that comes as one: a note takes no more.
const MAX_TEXT: u32 = 100_000;
/// Frames after which what is there and has not taken the keyboard is not going to: it takes one or two.
const PATIENCE: u32 = 6;
/// Keys beside those of a letter that are kept. All others are the browser's own.
const NAMED: [&str; 12] = [
    "Enter",
    "Escape",
    "Tab",
    "Backspace",
    "Delete",
    "ArrowUp",
    "ArrowDown",
    "ArrowLeft",
    "ArrowRight",
    "Home",
    "End",
    "F2",
];
/// Keys that edit a text with Ctrl or Cmd, and are kept for it: they would take back steps of the page.
const EDITS: [&str; 3] = ["a", "y", "z"];

/// The script that keeps what is typed and pressed before the page's code is there.
pub const EARLY_INPUT: &str = include_str!("type_ahead/early_input.js");

/// Closes what keys are kept for.
pub type Dismiss = Rc<dyn Fn()>;

/// A key that was pressed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Key {
    key: String,
    code: String,
    shift: bool,
    control: bool,
    meta: bool,
}

/// What somebody did that waits.
enum Input {
    Key(Key),
    /// A text that came as one: pasted, or composed of several keys.
    Text(String),
    /// What the page's first script kept, and how to do it again.
    Early(js_sys::Function),
}

/// A field in which a text is composed that is meant for something else.
struct Composition {
    field: HtmlTextAreaElement,
    value: String,
    caret: (u32, u32),
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
    /// Closes what is waited for, as Escape does.
    dismiss: Option<Dismiss>,
    composition: Option<Composition>,
    inputs: VecDeque<Input>,
}

/// The keys of the page that wait for what is to take them.
#[derive(Clone, Copy)]
pub struct TypeAhead(StoredValue<State, LocalStorage>);

impl TypeAhead {
    /// Starts to follow the keyboard. What takes keys before anything else does has to come later than this.
    pub fn new() -> Self {
        let ahead = Self(StoredValue::new_local(State::default()));
        dom::on_keys_first(move |event| ahead.pressed(event));
        for name in
            ["paste", "beforeinput", "input", "compositionstart", "compositionupdate", "compositionend"]
        {
            dom::on_first(name, move |event| ahead.wrote(event));
        }
        dom::on_window(leptos::ev::focusin, move |_| ahead.focused());
        // Whoever points somewhere means the keys for what is there.
        dom::on_window(leptos::ev::pointerdown, move |_| ahead.forget());
        dom::on_window(leptos::ev::blur, move |event| {
            if event.target().is_some_and(|left| left.is_instance_of::<web_sys::Window>()) {
                ahead.forget();
            }
        });
        effect(move || ahead.adopt());
        ahead
    }

    /// Keeps keys from now on, until the keyboard goes to something else than now. Answers the number of this
    /// turn. For the browser only.
    pub fn hold(self, dismiss: Option<Dismiss>) -> u32 {
        let before = dom::focused();
        let turn = self.0.try_update_value(|state| {
            state.turn += 1;
            state.waiting = true;
            state.before = before;
            state.dismiss = dismiss;
            state.turn
        });
        turn.unwrap_or_default()
    }

    /// What keys are kept for is there, and takes the keyboard within moments.
    pub fn expect(self, turn: u32) {
        self.expect_for(turn, PATIENCE);
    }

    fn expect_for(self, turn: u32, frames: u32) {
        match frames {
            0 => self.give_up(turn),
            _ => dom::soon(move || self.expect_for(turn, frames - 1)),
        }
    }

    /// What keys are kept for is not going to take them: nothing else gets them.
    pub fn give_up(self, turn: u32) {
        let is_late = self.0.try_with_value(|state| state.waiting && state.turn == turn);
        if is_late == Some(true) {
            self.forget();
        }
    }

    /// Drops the keys. What somebody did before the page was awake is done again all the same.
    fn forget(self) {
        let _ = self.0.try_update_value(|state| {
            state.waiting = false;
            state.dismiss = None;
            state.composition = None;
            state.inputs.retain(|input| matches!(input, Input::Early(_)));
        });
        self.give();
    }

    fn is_waiting(self) -> bool {
        self.0.try_with_value(|state| state.waiting) == Some(true)
    }

    fn is_keeping(self) -> bool {
        self.0.try_with_value(|state| state.waiting || state.giving) == Some(true)
    }

    fn keep(self, input: Input) {
        let _ = self.0.try_update_value(|state| {
            if state.inputs.len() < MAX_INPUTS {
                state.inputs.push_back(input);
            }
        });
    }

    /// Keeps a text that is neither empty nor too long.
    fn keep_text(self, text: String) {
        if !text.is_empty() && js_sys::JsString::from(text.as_str()).length() <= MAX_TEXT {
            self.keep(Input::Text(text));
        }
    }

    fn pressed(self, event: &KeyboardEvent) {
        // Those that are given out pass here too.
        if !event.is_trusted() || event.is_composing() || !self.is_keeping() || !keeps(event) {
            return;
        }
        take(event);
        let dismiss = match event.key().as_str() {
            "Escape" => self.0.try_update_value(|state| state.dismiss.take()).flatten(),
            _ => None,
        };
        match dismiss {
            Some(dismiss) => {
                self.forget();
                dismiss();
            }
            None if is_shortcut(event) => self.keep(Input::Key(Key::of(event))),
            None => self.keep(Input::Key(Key::of(event).plain())),
        }
    }

    /// What comes as text instead of keys: a paste, an input method, the keyboard of a phone.
    fn wrote(self, event: &Event) {
        let composes = self.0.try_with_value(|state| state.composition.is_some()) == Some(true);
        // A browser may say of the end of a composition that a program made it.
        let is_meant = composes || (event.is_trusted() && self.is_keeping());
        if !is_meant || press::is_writing() {
            return;
        }
        match event.type_().as_str() {
            "paste" => {
                take(event);
                let data = event.dyn_ref::<ClipboardEvent>().and_then(ClipboardEvent::clipboard_data);
                let text = data.and_then(|data| data.get_data("text/plain").ok()).unwrap_or_default();
                self.keep_text(text);
            }
            "compositionstart" if self.is_waiting() => {
                event.stop_immediate_propagation();
                let composition = dom::focused().and_then(Composition::begin);
                let _ = self.0.try_update_value(|state| state.composition = composition);
            }
            "compositionend" if composes => {
                event.stop_immediate_propagation();
                let composition = self.0.try_update_value(|state| state.composition.take()).flatten();
                if let Some(composition) = composition {
                    composition.undo();
                }
                self.keep_text(text_of(event).unwrap_or_default());
                self.give();
            }
            // What cannot be taken back is there already.
            "beforeinput" if !composes && event.cancelable() => {
                let kind = event.dyn_ref::<InputEvent>().map(InputEvent::input_type).unwrap_or_default();
                let text = text_of(event);
                match kind.as_str() {
                    "deleteContentBackward" => self.keep(Input::Key(Key::named("Backspace"))),
                    "insertLineBreak" | "insertParagraph" => self.keep(Input::Key(Key::named("Enter"))),
                    // A drop is for where it falls. Other deletions are not for what has the keyboard now.
                    kind if text.is_none() && (kind == "deleteByDrag" || !kind.starts_with("delete")) => {
                        return;
                    }
                    _ => self.keep_text(text.unwrap_or_default()),
                }
                take(event);
            }
            _ if composes => event.stop_immediate_propagation(),
            _ => {}
        }
    }

    fn focused(self) {
        let now = dom::focused();
        let taken = self.0.try_update_value(|state| {
            let taken = state.waiting && now.is_some() && now != state.before;
            if taken {
                state.waiting = false;
                state.dismiss = None;
            }
            taken
        });
        if taken == Some(true) {
            self.give();
        }
    }

    /// Takes over what the page's first script kept, which keeps nothing more.
    fn adopt(self) {
        let early = js_sys::Reflect::get(&window(), &"earlyInput".into()).unwrap_or_default();
        let Ok(early) = early.dyn_into::<js_sys::Function>() else { return };
        let Ok(kept) = early.call0(&JsValue::NULL) else { return };
        for one in js_sys::Array::from(&kept).iter() {
            self.keep(match one.dyn_into() {
                Ok(again) => Input::Early(again),
                // It has what an event of a key has.
                Err(key) => Input::Key(Key::of(&key.unchecked_into())),
            });
        }
        self.give();
    }

    /// Gives out the keys that are kept, one after the other. What a key other than a letter's does may take
    /// until the page is drawn, or open something that the next keys are kept for.
    fn give(self) {
        let started = self.0.try_update_value(|state| {
            let starts = !state.giving && !state.inputs.is_empty();
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
            let input = self.0.try_update_value(|state| {
                let input = if state.waiting { None } else { state.inputs.pop_front() };
                state.giving = input.is_some();
                input
            });
            let Some(input) = input.flatten() else { return };
            let writes = match &input {
                Input::Key(key) => press::press(key),
                Input::Text(text) => press::write(text),
                Input::Early(again) => {
                    // What has gone with the page that the server rendered is over.
                    let _ = again.call0(&JsValue::NULL);
                    false
                }
            };
            if !writes {
                dom::soon(move || dom::soon(move || self.next()));
                return;
            }
        }
    }

    /// Those of the page.
    pub fn here() -> Self {
        use_context().expect("App provides the type-ahead")
    }
}

impl Default for TypeAhead {
    fn default() -> Self {
        Self::new()
    }
}

impl Key {
    /// Of a key as it was pressed.
    fn of(event: &KeyboardEvent) -> Self {
        Self {
            key: event.key(),
            code: event.code(),
            shift: event.shift_key(),
            control: event.ctrl_key(),
            meta: event.meta_key(),
        }
    }

    /// The key without those by which a keyboard writes more letters.
    fn plain(self) -> Self {
        Self { control: false, meta: false, ..self }
    }

    fn named(name: &str) -> Self {
        Self { key: name.to_owned(), code: name.to_owned(), ..Self::default() }
    }
}

impl Composition {
    /// `None` for what takes no text.
    fn begin(field: Element) -> Option<Self> {
        if !matches!(field.tag_name().as_str(), "INPUT" | "TEXTAREA") {
            return None;
        }
        // An input has the same value and selection.
        let field: HtmlTextAreaElement = field.unchecked_into();
        let end = |at: Result<Option<u32>, JsValue>| at.ok().flatten().unwrap_or_default();
        let caret = (end(field.selection_start()), end(field.selection_end()));
        Some(Self { value: field.value(), caret, field })
    }

    fn undo(self) {
        self.field.set_value(&self.value);
        // Fails only for fields that have no text selection.
        let _ = self.field.set_selection_range(self.caret.0, self.caret.1);
    }
}

fn take(event: &Event) {
    event.prevent_default();
    event.stop_immediate_propagation();
}

/// The text that an event of writing brings, if any.
fn text_of(event: &Event) -> Option<String> {
    js_sys::Reflect::get(event, &"data".into()).ok().and_then(|data| data.as_string())
}

fn is_letter(key: &str) -> bool {
    key.chars().count() == 1
}

fn is_shortcut(event: &KeyboardEvent) -> bool {
    let more = event.ctrl_key() || event.meta_key() || event.alt_key();
    more && !event.get_modifier_state("AltGraph")
}

/// True for a key that writes, moves or edits, and for no shortcut of the browser or of the page.
fn keeps(event: &KeyboardEvent) -> bool {
    let key = event.key();
    match is_shortcut(event) {
        true => !event.alt_key() && EDITS.iter().any(|edit| key.eq_ignore_ascii_case(edit)),
        false => is_letter(&key) || NAMED.contains(&key.as_str()),
    }
}
