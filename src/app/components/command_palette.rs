//! The command palette: Ctrl+K, a few letters, Enter. A modal dialog, so the keyboard stays inside and
//! goes back to where it was.

use crate::app::dynamic::{attr, live, memo};
use leptos::ev::KeyboardEvent;
use leptos::html::{Dialog, Input};
use leptos::prelude::*;

use super::commands::{self, Command};
use super::icon::{Glyph, Icon};
use super::inspector::Panels;
use super::people::People;
use super::popup::Popups;
use super::theming::Theming;
use crate::app::dashboard_store::DashboardStore;
use crate::app::{dom, format};

/// The palette of the page.
#[derive(Clone, Copy)]
pub struct Palette {
    dialog: NodeRef<Dialog>,
    input: NodeRef<Input>,
    /// What can be done, as it was when the palette was opened; empty while it is closed.
    all: RwSignal<Vec<Command>>,
    query: RwSignal<String>,
    /// Which of the found ones Enter does.
    at: RwSignal<usize>,
    store: DashboardStore,
    panels: Panels,
    popups: Popups,
    people: People,
    theming: Theming,
}

impl Palette {
    /// Starts taking Ctrl+K, wherever the keyboard is.
    pub fn new(store: DashboardStore) -> Self {
        let palette = Self {
            dialog: NodeRef::new(),
            input: NodeRef::new(),
            all: RwSignal::new(Vec::new()),
            query: RwSignal::new(String::new()),
            at: RwSignal::new(0),
            store,
            panels: Panels::here(),
            popups: Popups::here(),
            people: People::here(),
            theming: Theming::here(),
        };
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
        let Some(dialog) = self.dialog.get_untracked() else { return };
        if dialog.open() {
            dialog.close();
            return;
        }
        self.all.set(commands::all(self.store, self.people, self.theming));
        self.ask(String::new());
        if let Some(input) = self.input.get_untracked() {
            input.set_value("");
        }
        // Fails only for a dialog that is not in the document.
        let _ = dialog.show_modal();
    }

    fn ask(self, query: String) {
        self.query.set(query);
        self.at.set(0);
    }

    /// Closes it, which gives the keyboard back, and then does the command: it may take the keyboard.
    fn choose(self, command: Option<Command>) {
        let Some(command) = command else { return };
        if let Some(dialog) = self.dialog.get_untracked() {
            dialog.close();
        }
        command.run(self.store, self.panels, self.popups, self.theming);
    }
}

/// The `id` attribute of the nth command.
fn option_id(n: usize) -> String {
    format!("command-{n}")
}

#[component]
pub fn CommandPalette() -> impl IntoView {
    let palette = Palette::here();
    let Palette { dialog, input, all, query, at, .. } = palette;
    let found = memo(move || all.with(|all| query.with(|query| commands::found(all, query))));
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
                palette.choose(chosen());
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
                on:click=move |_| palette.choose(Some(command.clone()))
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
            on:close=move |_| all.set(Vec::new())
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
                    node_ref=input
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
                    on:input:target=move |event| palette.ask(event.target().value())
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
