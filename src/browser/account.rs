//! Account whose data this device shows: each has its own store, which goes when it signs out.

use std::cell::RefCell;

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::app::{PageData, address};

use super::clock::wall_ms;
use super::device;
use super::storage::{self, Storage};

/// Where the account's id is kept, for pages that open without the server.
const KEY: &str = "lockstep_account";
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
        None => kept().and_then(|kept| kept.get_item(&address::name(KEY)).ok().flatten()),
        Some(_) => None,
    };
    if let Some(kept) = kept() {
        // A browser that keeps nothing has no copies either.
        let _ = match &account {
            Some(account) => kept.set_item(&address::name(KEY), account),
            None => kept.remove_item(&address::name(KEY)),
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
}

/// True where a copy that was kept at a time of this device's clock, Unix milliseconds, may still be shown.
pub fn may_show(kept_at: u64) -> bool {
    current().is_none() || wall_ms().saturating_sub(kept_at) < KEEPS_MS
}

/// The session is over: what it was shown goes, and the page to sign in comes. Edits that wait stay for their author.
pub async fn signed_out() {
    let is_left = kept().is_some_and(|kept| matches!(kept.get_item(&address::name(KEY)), Ok(None)));
    if is_left {
        // Another tab signed out and asked about edits: nothing stays.
        storage::delete().await;
    } else if let Ok(storage) = Storage::open().await {
        // What stays is read by nobody else: it is this account's.
        let _ = device::forget_all_copies(&storage).await;
    }
    let location = window().location();
    let here = address::here() + &location.search().unwrap_or_default();
    let here: String = js_sys::encode_uri_component(&here).into();
    // Fails for an address that is none.
    let _ = location.assign(&address::to(&format!("/sign-in?to={here}")));
}

/// Removes all that this device keeps of the account: its person signs out.
pub async fn forget() {
    storage::delete().await;
    device::forget_session();
    if let Some(kept) = kept() {
        // A browser that keeps nothing has nothing to forget.
        let _ = kept.remove_item(&address::name(KEY));
    }
}
