//! The command palette: Ctrl+K, a few letters, Enter. A modal dialog, so the keyboard stays inside and
//! goes back to where it was.

use crate::app::dynamic::{attr, effect, live, memo};
use leptos::ev::KeyboardEvent;
use leptos::html::Dialog;
use leptos::prelude::*;

use super::commands::{self, Command};
use super::icon::{Glyph, Icon};
use super::inspector::Panels;
use super::people::People;
use super::popup::Popups;
use super::theming::Theming;
use crate::app::dashboard_store::DashboardStore;
use crate::app::{dom, format};

/// The palette of the page. Its dialog is there only while it is open.
#[derive(Clone, Copy)]
pub struct Palette {
    open: RwSignal<bool>,
    dialog: NodeRef<Dialog>,
}

impl Palette {
    /// Starts taking Ctrl+K, wherever the keyboard is.
    pub fn new() -> Self {
        let palette = Self { open: RwSignal::new(false), dialog: NodeRef::new() };
        dom::on_keys_first(move |event| {
            let control = event.ctrl_key() || event.meta_key();
            if control && !event.shift_key() && !event.alt_key() && event.key().eq_ignore_ascii_case("k") {
                event.prevent_default();
                event.stop_propagation();
                palette.toggle();
            }
        });
        palette
    }

    pub fn here() -> Self {
        use_context().expect("the dashboard page provides its palette")
    }

    /// Opens it, or closes it where it is open.
    pub fn toggle(self) {
        match self.dialog.get_untracked().filter(|dialog| dialog.open()) {
            Some(dialog) => dialog.close(),
            // One that is still on its way does not come then.
            None => self.open.update(|open| *open = !*open),
        }
    }

    /// True while it is open, tracked.
    pub fn is_open(self) -> bool {
        self.open.get()
    }
}

impl Default for Palette {
    fn default() -> Self {
        Self::new()
    }
}

/// The `id` attribute of the nth command.
fn option_id(n: usize) -> String {
    format!("command-{n}")
}

#[component]
pub fn CommandPalette() -> impl IntoView {
    let palette = Palette::here();
    let store: DashboardStore = use_context().expect("the dashboard page provides its store");
    let (panels, popups) = (Panels::here(), Popups::here());
    let (people, theming) = (People::here(), Theming::here());
    let dialog = palette.dialog;
    // As it was when the palette was opened, so that nothing moves under a finger.
    let all = StoredValue::new(commands::all(store, people, theming));
    let query = RwSignal::new(String::new());
    // Which of the found ones Enter does.
    let at = RwSignal::new(0);
    let found = memo(move || all.with_value(|all| query.with(|query| commands::found(all, query))));
    effect(move || {
        if let Some(dialog) = dialog.get() {
            // Fails only for a dialog that is not in the document.
            let _ = dialog.show_modal();
        }
    });
    let ask = move |now: String| {
        query.set(now);
        at.set(0);
    };
    // Closes it, which gives the keyboard back, and then does the command: it may take the keyboard.
    let choose = move |command: Option<Command>| {
        let Some(command) = command else { return };
        palette.toggle();
        command.run(store, panels, popups, theming);
    };
    let chosen = move || found.with_untracked(|found| found.get(at.get_untracked()).cloned());
    let step = move |down: bool| {
        let count = found.with_untracked(Vec::len);
        if count > 0 {
            at.update(|at| *at = (*at + if down { 1 } else { count - 1 }) % count);
            dom::keep_in_view(&option_id(at.get_untracked()));
        }
    };
    let keys = move |event: KeyboardEvent| {
        // What is typed here is no key of the page. Esc is the dialog's own.
        event.stop_propagation();
        if !dom::on_text(&event) {
            // A button has keys of its own.
            return;
        }
        match event.key().as_str() {
            "ArrowDown" | "ArrowUp" => {
                event.prevent_default();
                step(event.key() == "ArrowDown");
            }
            "Enter" if !event.is_composing() => {
                event.prevent_default();
                choose(chosen());
            }
            _ => {}
        }
    };
    let row = move |(n, command): (usize, Command)| {
        let Command { label, keys, icon, .. } = command.clone();
        let keys: Vec<_> = keys.split_whitespace().map(|key| view! { <kbd>{key}</kbd> }).collect();
        view! {
            <li
                id=option_id(n)
                role="option"
                data-testid="command"
                aria-selected=move || if at.get() == n { "true" } else { "false" }
                on:pointermove=move |_| if at.get_untracked() != n { at.set(n) }
                on:click=move |_| choose(Some(command.clone()))
            >
                <Glyph icon/>
                <span class="says">{label}</span>
                <span class="keys" aria-hidden="true">{keys}</span>
            </li>
        }
    };
    view! {
        <dialog
            class="palette"
            node_ref=dialog
            data-testid="command-palette"
            aria-label="Commands"
            on:keydown=keys
            on:close=move |_| palette.open.set(false)
            on:click=move |event| {
                // The dialog itself is all that a press beside its content can hit.
                if event.target() == event.current_target() {
                    palette.toggle();
                }
            }
        >
            <div class="palette-head">
                <Glyph icon=Icon::Search/>
                <input
                    type="text"
                    role="combobox"
                    aria-label="Search the commands"
                    aria-expanded="true"
                    aria-autocomplete="list"
                    aria-controls="commands"
                    aria-activedescendant=attr(move || (!found.read().is_empty()).then(|| option_id(at.get())))
                    placeholder="What would you like to do?"
                    autocomplete="off"
                    spellcheck="false"
                    maxlength="80"
                    on:input:target=move |event| ask(event.target().value())
                />
                <button type="button" class="button" aria-label="Close" on:click=move |_| palette.toggle()>
                    <kbd>"Esc"</kbd>
                </button>
            </div>
            <ul id="commands" role="listbox" aria-label="Commands">
                {live(move || found.get().into_iter().enumerate().map(row).collect_view())}
            </ul>
            <p class="quiet" class:hidden=attr(move || !found.read().is_empty())>
                "No command and no widget is called that."
            </p>
            <span class="sr-only" role="status">
                {live(move || format::count(found.read().len(), "command", "commands"))}
            </span>
        </dialog>
    }
}
