//! Toasts of pages that are no dashboard, each with a way back where there is one.

use std::sync::Arc;
use std::time::Duration;

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::app::dynamic::{each, effect};

/// How long a word stays: enough to read it and to reach its button.
const STAY: Duration = Duration::from_secs(8);
/// One that is held is looked at again after this.
const HELD: Duration = Duration::from_secs(2);
/// Words at once.
const MAX_WORDS: usize = 3;

/// What a press does.
type Back = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone)]
struct Word {
    id: u32,
    text: String,
    back: Option<Back>,
}

/// The words that show on this page.
#[derive(Clone, Copy)]
pub struct Passing {
    words: RwSignal<Vec<Word>>,
    last: StoredValue<u32>,
}

impl Passing {
    pub fn new() -> Self {
        Self { words: RwSignal::new(Vec::new()), last: StoredValue::new(0) }
    }

    /// Says something.
    pub fn say(self, text: impl Into<String>) {
        self.show(text.into(), None);
    }

    /// Says what was done, with a way back.
    pub fn say_done(self, text: impl Into<String>, back: impl Fn() + Send + Sync + 'static) {
        self.show(text.into(), Some(Arc::new(back)));
    }

    /// Goes the way back of the newest word that has one. False where none has.
    pub fn go_back(self) -> bool {
        let newest = self
            .words
            .with_untracked(|words| words.iter().rev().find_map(|word| Some((word.id, word.back.clone()?))));
        let Some((id, back)) = newest else { return false };
        self.dismiss(id);
        back();
        true
    }

    fn show(self, text: String, back: Option<Back>) {
        self.last.update_value(|last| *last += 1);
        let id = self.last.get_value();
        self.words.update(|words| {
            words.push(Word { id, text, back });
            let over = words.len().saturating_sub(MAX_WORDS);
            words.drain(..over);
        });
    }

    fn dismiss(self, id: u32) {
        self.words.update(|words| words.retain(|word| word.id != id));
    }

    /// Takes a word away after a while, unless it is held by then.
    fn leave(self, id: u32, held: StoredValue<bool>, after: Duration) {
        let done = move || match held.try_get_value() {
            Some(true) => self.leave(id, held, HELD),
            _ => self.dismiss(id),
        };
        set_timeout(done, after);
    }
}

impl Default for Passing {
    fn default() -> Self {
        Self::new()
    }
}

#[component]
pub fn PassingWords(passing: Passing) -> impl IntoView {
    // What is already there when something comes is what a screen reader reads from.
    view! {
        <div class="toasts" role="status" aria-atomic="false" aria-label="Notices">
            {each(
                move || passing.words.get(),
                |word| word.id,
                move |word| view! { <PassingWord word passing/> },
            )}
        </div>
    }
}

#[component]
fn PassingWord(word: Word, passing: Passing) -> impl IntoView {
    let Word { id, text, back } = word;
    // Who points at it or has the keyboard in it is still at it.
    let held = StoredValue::new(false);
    effect(move || passing.leave(id, held, STAY));
    let button = back.map(|back| {
        let press = move |_| {
            passing.dismiss(id);
            back();
        };
        view! { <button type="button" class="button link" data-testid="toast-action" on:click=press>"Undo"</button> }
    });
    view! {
        <div
            class="toast"
            data-testid="toast"
            on:pointerenter=move |_| held.set_value(true)
            on:pointerleave=move |_| held.set_value(false)
            on:focusin=move |_| held.set_value(true)
            on:focusout=move |_| held.set_value(false)
        >
            <span>{text}</span>
            {button}
            <button type="button" class="button icon" aria-label="Dismiss" on:click=move |_| passing.dismiss(id)>
                <Glyph icon=Icon::Close/>
            </button>
        </div>
    }
}
