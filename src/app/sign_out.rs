//! Signing out while edits are not saved: what the page asks, and what was decided.

use leptos::prelude::*;

use super::Waiting;

/// What becomes of edits that only this device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// They are sent, and then the session ends.
    Wait,
    /// They go into a file, and then the session ends.
    Export,
    /// They are gone.
    Discard,
    /// Nothing: the session goes on.
    Stay,
}

/// The state of signing out. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
pub struct SignOut {
    /// The dashboards with edits that are not saved; `None` while nobody is asked about them.
    pub unsaved: RwSignal<Option<Vec<Waiting>>>,
    /// What was decided, until the browser has taken it.
    pub decision: RwSignal<Option<Decision>>,
    /// True while the edits are being sent.
    pub sending: RwSignal<bool>,
    /// Why they cannot be, in words.
    pub problem: RwSignal<Option<String>>,
}

impl SignOut {
    pub fn new() -> Self {
        Self {
            unsaved: RwSignal::new(None),
            decision: RwSignal::new(None),
            sending: RwSignal::new(false),
            problem: RwSignal::new(None),
        }
    }
}

impl Default for SignOut {
    fn default() -> Self {
        Self::new()
    }
}
