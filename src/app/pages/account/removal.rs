//! Removal of the entries of a section, one after another.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Account;
use crate::app::access::OwnAccount;
use crate::app::dom;
use crate::app::requests::{self, RequestError};

/// State of the removals of a section. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
pub(super) struct Removal {
    account: Account,
    /// The `id` attribute of the section's heading.
    heading: &'static str,
    /// What is so while it did not work.
    still: &'static str,
    /// Why the last one did not work.
    pub problem: RwSignal<Option<String>>,
    busy: RwSignal<bool>,
}

impl Removal {
    pub fn new(account: Account, heading: &'static str, still: &'static str) -> Self {
        Self { account, heading, still, problem: RwSignal::new(None), busy: RwSignal::new(false) }
    }

    /// Removes what is at an address, and reads the account anew.
    pub fn remove(self, address: String) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        spawn_local(async move {
            let answer = requests::send("DELETE", &address, None).await;
            let fresh = requests::request::<OwnAccount>("GET", "/api/v1/me", None).await;
            // The page may be gone by then.
            if self.busy.try_set(false).is_some() {
                return;
            }
            self.problem.set(answer.as_ref().err().map(|error| format!("{} {error}", self.still)));
            match fresh {
                Ok(fresh) => self.account.own.set(fresh),
                // The session of this page is one of those that ended.
                Err(RequestError::Refused(_)) if answer.is_ok() => return dom::reload(),
                // What was done has said how it went.
                Err(_) => {}
            }
            if answer.is_ok() {
                // What was pressed goes with its line.
                dom::focus_soon(self.heading);
            }
        });
    }
}
