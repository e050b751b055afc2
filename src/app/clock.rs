//! The time of day as the page shows it. Zero until the page is hydrated, so that the first render is
//! the same on the server and in the browser.

use std::time::Duration;

use crate::app::dynamic::effect;
use leptos::prelude::*;

use super::dom;

/// Unix milliseconds, once a second; 0 before hydration.
#[derive(Clone, Copy)]
pub struct Clock(RwSignal<u64>);

/// Starts the clock once the page runs in a browser.
pub fn provide() {
    let now = RwSignal::new(0);
    provide_context(Clock(now));
    effect(move || now.set(dom::now_ms()));
    dom::every(Duration::from_secs(1), move || now.set(dom::now_ms()));
}

impl Clock {
    pub fn here() -> Self {
        use_context().expect("App provides the clock")
    }

    /// Unix milliseconds, tracked; 0 before hydration.
    pub fn now(self) -> u64 {
        self.0.get()
    }

    /// Unix milliseconds; 0 before hydration.
    pub fn now_untracked(self) -> u64 {
        self.0.get_untracked()
    }
}
