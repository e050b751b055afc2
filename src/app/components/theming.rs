//! Light, dark, or as the system says. A cookie remembers, so the server renders the right one at once.

use crate::app::dynamic::{effect, live};
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::app::{Theme, dom};

const COOKIE: &str = "lockstep_theme";

/// The chosen theme.
#[derive(Clone, Copy)]
pub struct Theming {
    /// `None` follows the system.
    chosen: RwSignal<Option<Theme>>,
    /// Whether the system asks for dark.
    system_dark: RwSignal<bool>,
}

impl Theming {
    pub fn new(theme: Option<Theme>) -> Self {
        let system_dark = RwSignal::new(false);
        effect(move || dom::watch_media("(prefers-color-scheme: dark)", move |dark| system_dark.set(dark)));
        Self { chosen: RwSignal::new(theme), system_dark }
    }

    /// True where the page is dark, tracked.
    pub fn is_dark(self) -> bool {
        match self.chosen.get() {
            Some(theme) => theme == Theme::Dark,
            None => self.system_dark.get(),
        }
    }

    pub fn here() -> Self {
        use_context().expect("App provides the theme")
    }

    /// What this browser chose before, which otherwise the server reads.
    pub fn remembered() -> Option<Theme> {
        let name = dom::cookie(COOKIE)?;
        [Theme::Light, Theme::Dark].into_iter().find(|theme| theme.name() == name)
    }

    /// What is chosen, tracked.
    pub fn chosen(self) -> Option<Theme> {
        self.chosen.get()
    }

    /// What is chosen, untracked.
    pub fn chosen_untracked(self) -> Option<Theme> {
        self.chosen.get_untracked()
    }

    /// Chooses a theme; `None` follows the system.
    pub fn choose(self, theme: Option<Theme>) {
        dom::set_cookie(COOKIE, theme.map(Theme::name));
        if let Some(root) = document().document_element() {
            // The attribute's name is a constant that every browser takes.
            let _ = match theme {
                Some(theme) => root.set_attribute("data-theme", theme.name()),
                None => root.remove_attribute("data-theme"),
            };
        }
        // After the attribute: who draws by hand reads the colours when this changes.
        self.chosen.set(theme);
    }
}

/// A button that goes from system to light to dark.
#[component]
pub fn ThemeToggle() -> impl IntoView {
    let theming = Theming::here();
    let next = move || match theming.chosen() {
        None => Some(Theme::Light),
        Some(Theme::Light) => Some(Theme::Dark),
        Some(Theme::Dark) => None,
    };
    let says = move || match theming.chosen() {
        None => "Theme: as the system says",
        Some(Theme::Light) => "Theme: light",
        Some(Theme::Dark) => "Theme: dark",
    };
    view! {
        <button
            class="button icon"
            type="button"
            data-testid="theme"
            aria-label=says
            title=says
            on:click=move |_| theming.choose(next())
        >
            {live(move || view! { <Glyph icon=Icon::of_theme(theming.chosen())/> })}
        </button>
    }
}
