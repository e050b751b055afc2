//! The side panel: which one is open, and where the keyboard goes when it closes.

use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::inspector::SIDE;
use super::notices::NOTICES;
use crate::app::chunks::Parts;
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;
use crate::dashboard::Kind;

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
        self.parts.hold_keys(Some(Rc::new(move || self.leave())));
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
