//! Account whose data this device shows: each has its own store, which goes when it signs out.

use std::cell::RefCell;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlFormElement;

use crate::app::PageData;

use super::clock::wall_ms;
use super::device;
use super::storage::{self, Storage};

/// Where the account's id is kept, for pages that open without the server.
const KEY: &str = "lockstep_account";
/// Where the form of signing out is sent.
const SIGN_OUT: &str = "/sign-out";
/// How long a copy may be read without a word of the server.
const KEEPS_MS: u64 = 30 * 24 * 3_600_000;

thread_local! {
    /// Whose page this is. Another tab may be another's by now.
    static ACCOUNT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The id of the account that this page is of; `None` where nobody signs in.
pub fn current() -> Option<String> {
    ACCOUNT.with_borrow(Clone::clone)
}

fn kept() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// Takes whom the server made this page for, and lets go of copies that are too old for them.
pub fn begin(data: &PageData) {
    let account = match &data.user {
        // Of somebody who came by a link, and on a screen, nothing is kept here.
        Some(_) if data.rights.keeps_nothing() => return,
        Some(user) if data.rights.has_account => Some(user.id.to_string()),
        // A page that is nobody's is for whoever was here last.
        None => kept().and_then(|kept| kept.get_item(KEY).ok().flatten()),
        Some(_) => None,
    };
    if let Some(kept) = kept() {
        // A browser that keeps nothing has no copies either.
        let _ = match &account {
            Some(account) => kept.set_item(KEY, account),
            None => kept.remove_item(KEY),
        };
    }
    let is_anybody = account.is_some();
    ACCOUNT.set(account);
    if is_anybody {
        spawn_local(async {
            // A store that cannot be opened shows nothing either.
            if let Ok(storage) = Storage::open().await {
                let _ = device::forget_old_copies(&storage).await;
            }
        });
    }
    if data.rights.has_account {
        ask_before_sign_out();
    }
}

/// True where a copy that was kept at a time of this device's clock, Unix milliseconds, may still be shown.
pub fn may_show(kept_at: u64) -> bool {
    current().is_none() || wall_ms().saturating_sub(kept_at) < KEEPS_MS
}

/// The session is over: what it was shown goes, and the page to sign in comes. Edits that wait stay for their author.
pub async fn signed_out() {
    if let Ok(storage) = Storage::open().await {
        // What stays is read by nobody else: it is this account's.
        let _ = device::forget_all_copies(&storage).await;
    }
    let location = window().location();
    let here = [location.pathname(), location.search()].map(Result::unwrap_or_default).concat();
    let here: String = js_sys::encode_uri_component(&here).into();
    // Fails for an address that is none.
    let _ = location.assign(&format!("/sign-in?to={here}"));
}

/// Has the form of signing out wait until this device keeps nothing, which its author is asked about where edits
/// wait.
fn ask_before_sign_out() {
    window_event_listener_untyped("submit", |event| {
        let form = event.target().and_then(|target| target.dyn_into::<HtmlFormElement>().ok());
        let Some(form) = form.filter(|form| form.get_attribute("action").as_deref() == Some(SIGN_OUT)) else {
            return;
        };
        event.prevent_default();
        spawn_local(async move {
            if leave().await {
                // Fails for a form that is not in the page.
                let _ = form.submit();
            }
        });
    });
}

/// Removes all that this device keeps of the account. False where its author wants to keep it.
async fn leave() -> bool {
    let waiting = match Storage::open().await {
        Ok(storage) => device::waiting(&storage).await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let edits: usize = waiting.iter().map(|one| one.edits).sum();
    if edits > 0 {
        let which: Vec<&str> = waiting.iter().map(|one| one.title.as_str()).collect();
        let ask = format!(
            "{edits} of your edits are on this device only, of: {}. Signing out throws them away. To keep them, cancel \
             and open these dashboards: they are sent then, or can be exported there.",
            which.join(", ")
        );
        if !window().confirm_with_message(&ask).unwrap_or(false) {
            return false;
        }
    }
    storage::delete().await;
    if let Some(kept) = kept() {
        let _ = kept.remove_item(KEY);
    }
    true
}
