//! A button that opens a small panel beside it. One is open at a time; Esc or a click elsewhere closes it.

use crate::app::dynamic::{attr, live};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, Node};

use super::icon::{Glyph, Icon};
use crate::app::chunks::Parts;
use crate::app::dom;

/// Which popup of the page is open, by its name.
#[derive(Clone, Copy)]
pub struct Popups(RwSignal<Option<String>>);

impl Popups {
    /// Starts closing popups where somebody presses elsewhere.
    pub fn new() -> Self {
        let popups = Self(RwSignal::new(None));
        dom::on_window(leptos::ev::pointerdown, move |event| {
            let Some(open) = popups.0.get_untracked() else { return };
            let target: Option<Element> = event.target().and_then(|target| target.dyn_into().ok());
            let within = target.and_then(|target| target.closest("[data-popup]").ok().flatten());
            if within.and_then(|within| within.get_attribute("data-popup")) != Some(open) {
                popups.close();
            }
        });
        popups
    }

    pub fn here() -> Self {
        use_context().expect("the dashboard page provides its popups")
    }

    /// True while the popup of this name is open, tracked.
    pub fn is_open(self, name: &str) -> bool {
        self.0.read().as_deref() == Some(name)
    }

    pub fn open(self, name: &str) {
        self.0.set(Some(name.to_owned()));
    }

    pub fn close(self) {
        if self.0.with_untracked(Option::is_some) {
            self.0.set(None);
        }
    }
}

impl Default for Popups {
    fn default() -> Self {
        Self::new()
    }
}

/// The button and, while it is open, its panel.
#[component]
pub fn Popup(
    /// Unique on the page.
    #[prop(into)]
    name: String,
    #[prop(into)] testid: String,
    /// What the button is for.
    #[prop(into)]
    label: Signal<String>,
    #[prop(into)] class: String,
    /// What shows on the button.
    face: ViewFn,
    /// `menu` for a list of things to do, `dialog` for anything else.
    #[prop(default = "menu")]
    role: &'static str,
    /// Opens towards the start of the line instead of its end.
    #[prop(optional)]
    from_end: bool,
    children: ChildrenFn,
) -> impl IntoView {
    let popups = Popups::here();
    let root = NodeRef::<leptos::html::Div>::new();
    let open = Memo::new({
        let name = name.clone();
        move |_| popups.is_open(&name)
    });
    let toggle = {
        let name = name.clone();
        move |_| if open.get_untracked() { popups.close() } else { popups.open(&name) }
    };
    let parts = Parts::here();
    // The first thing in the panel takes the keyboard when it is there.
    Effect::new(move |before: Option<bool>| {
        let now = open.get() && parts.is_there();
        if now && before == Some(false) {
            dom::soon(move || focus_first(root));
        }
        now
    });
    let keys = move |event: leptos::ev::KeyboardEvent| match event.key().as_str() {
        "Escape" if open.get_untracked() => {
            event.stop_propagation();
            popups.close();
            if let Some(button) = root.get_untracked().and_then(|root| find(&root, "button")) {
                let _ = button.focus();
            }
        }
        "ArrowDown" | "ArrowUp" if open.get_untracked() && role == "menu" => {
            event.prevent_default();
            event.stop_propagation();
            if let Some(root) = root.get_untracked() {
                walk(&root, event.key() == "ArrowDown");
            }
        }
        _ => {}
    };
    let left = move |event: leptos::ev::FocusEvent| {
        let to: Option<Node> = event.related_target().and_then(|to| to.dyn_into().ok());
        if let (Some(to), Some(root)) = (to, root.get_untracked())
            && open.get_untracked()
            && !root.contains(Some(&to))
        {
            popups.close();
        }
    };
    view! {
        <div class="popup" class:open=open node_ref=root data-popup=name on:keydown=keys on:focusout=left>
            <button
                type="button"
                class=class
                data-testid=testid
                aria-haspopup=role
                aria-expanded=attr(move || if open.get() { "true" } else { "false" })
                aria-label=label
                title=label
                on:click=toggle
            >
                {face.run()}
            </button>
            {live(move || open.get().then(|| view! {
                <div class="panel" class:from-end=from_end role=role aria-label=label>{children()}</div>
            }))}
        </div>
    }
}

/// One thing to do in a menu; choosing it closes the menu.
#[component]
pub fn MenuItem(
    #[prop(into)] label: String,
    icon: Icon,
    #[prop(into)] testid: String,
    #[prop(optional)] danger: bool,
    #[prop(into)] choose: Callback<()>,
) -> impl IntoView {
    let popups = Popups::here();
    view! {
        <button
            type="button"
            role="menuitem"
            class="item"
            class:danger=danger
            data-testid=testid
            on:click=move |event| {
                event.stop_propagation();
                // The keyboard goes back before what is chosen may take it: this item goes.
                let item: Option<Element> = event.target().and_then(|target| target.dyn_into().ok());
                let popup = item.and_then(|item| item.closest("[data-popup]").ok().flatten());
                if let Some(button) = popup.and_then(|popup| find(&popup, "button")) {
                    dom::focus_quietly(&button);
                }
                popups.close();
                choose.run(());
            }
        >
            <Glyph icon/>
            {label}
        </button>
    }
}

fn find(root: &Element, what: &str) -> Option<HtmlElement> {
    root.query_selector(what).ok().flatten()?.dyn_into().ok()
}

fn focus_first(root: NodeRef<leptos::html::Div>) {
    let first = root
        .get_untracked()
        .and_then(|root| find(&root, ".panel input, .panel button, .panel a, .panel [tabindex='0']"));
    if let Some(first) = first {
        // What has gone again needs no focus.
        let _ = first.focus();
    }
}

/// Moves the keyboard to the next or the previous thing of a menu, round and round.
fn walk(root: &Element, down: bool) {
    let Ok(items) = root.query_selector_all(".panel [role=menuitem]") else { return };
    let count = items.length();
    if count == 0 {
        return;
    }
    let focused = dom::focused();
    let at = (0..count).find(|n| {
        items
            .get(*n)
            .is_some_and(|item| focused.as_ref().is_some_and(|f| item.is_same_node(Some(f.as_ref()))))
    });
    let next = match (at, down) {
        (None, _) => 0,
        (Some(at), true) => (at + 1) % count,
        (Some(at), false) => (at + count - 1) % count,
    };
    if let Some(item) = items.get(next).and_then(|item| item.dyn_into::<HtmlElement>().ok()) {
        let _ = item.focus();
    }
}
