//! Signing out: nothing stays on this device, and edits that are not saved are asked about first.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlFormElement;

use crate::app::sign_out::{Decision, SignOut};
use crate::app::{Waiting, address, format};
use crate::dashboard::{DashboardId, User};

use super::clock::sleep;
use super::device::{self, Unsent};
use super::download::save_json;
use super::storage::Storage;
use super::{account, opening};

/// Where the form of signing out is sent.
const PATH: &str = "/sign-out";
/// How often it is looked whether the edits are saved.
const LOOK_EVERY_MS: i32 = 250;

/// Who signs out, and what of it is under way. All clones are the same one.
#[derive(Clone)]
struct Leaving(Rc<State>);

struct State {
    page: SignOut,
    owner: Owner,
    user: User,
    build: String,
    /// The form that was sent, until it is sent on.
    form: RefCell<Option<HtmlFormElement>>,
    /// Counts decisions: what an earlier one began ends with the next.
    turn: Cell<u32>,
    /// The dashboards whose edits this page sends.
    sent: RefCell<BTreeSet<DashboardId>>,
}

/// Has the form of signing out wait until this device keeps nothing.
pub fn begin(page: SignOut, user: User, build: String) {
    let owner = Owner::current().unwrap_or_default();
    let (form, turn, sent) = (RefCell::default(), Cell::new(0), RefCell::default());
    let leaving = Leaving(Rc::new(State { page, owner, user, build, form, turn, sent }));
    let decided = leaving.clone();
    Effect::new(move |_: Option<()>| {
        if let Some(decision) = page.decision.get() {
            page.decision.set(None);
            decided.decide(decision);
        }
    });
    window_event_listener_untyped("submit", move |event| {
        let form = event.target().and_then(|target| target.dyn_into::<HtmlFormElement>().ok());
        let Some(form) = form.filter(|form| form.get_attribute("action") == Some(address::to(PATH))) else {
            return;
        };
        event.prevent_default();
        leaving.0.form.replace(Some(form));
        let leaving = leaving.clone();
        spawn_local(async move {
            let unsaved = unsaved().await;
            if unsaved.is_empty() { leaving.leave().await } else { leaving.ask(&unsaved) }
        });
    });
}

/// What is not saved. A device that keeps nothing has nothing of the kind.
async fn unsaved() -> Vec<Unsent> {
    match Storage::open().await {
        Ok(storage) => device::unsaved(&storage).await.unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

impl Leaving {
    /// Shows in the dialog what is not saved.
    fn ask(&self, unsaved: &[Unsent]) {
        let waiting = |one: &Unsent| Waiting {
            id: one.id.clone(),
            title: one.title.clone(),
            edits: one.changes + one.refused,
        };
        self.0.page.unsaved.set(Some(unsaved.iter().map(waiting).collect()));
    }

    fn decide(&self, decision: Decision) {
        let page = self.0.page;
        // A dialog that goes with the page, or after another decision, says that it has closed.
        if page.unsaved.with_untracked(Option::is_none) {
            return;
        }
        if decision == Decision::Wait && page.sending.get_untracked() {
            return;
        }
        let turn = self.0.turn.get().wrapping_add(1);
        self.0.turn.set(turn);
        page.sending.set(decision == Decision::Wait);
        page.problem.set(None);
        let leaving = self.clone();
        match decision {
            Decision::Stay => page.unsaved.set(None),
            Decision::Wait => spawn_local(async move { leaving.send(turn).await }),
            Decision::Export => spawn_local(async move {
                if save_json("lockstep-unsaved.json", &as_file(&unsaved().await)).is_ok() {
                    leaving.leave().await;
                } else {
                    let says = "This browser did not take the file. Your edits are still here.";
                    page.problem.set(Some(says.to_owned()));
                }
            }),
            Decision::Discard => spawn_local(async move { leaving.leave().await }),
        }
    }

    /// Has the edits sent, those of closed tabs from this page, and leaves when they are saved.
    async fn send(&self, turn: u32) {
        loop {
            let unsaved = unsaved().await;
            if self.0.turn.get() != turn {
                return;
            }
            if unsaved.is_empty() {
                return self.leave().await;
            }
            self.ask(&unsaved);
            if unsaved.iter().all(|one| one.changes == 0) {
                let refused = unsaved.iter().map(|one| one.refused).sum();
                let edits = format::count(refused, "edit", "edits");
                return self.give_up(format!("The server did not take {edits}. Export or discard them."));
            }
            for one in unsaved.into_iter().filter(|one| one.changes > 0) {
                if self.0.sent.borrow().contains(&one.id) {
                    continue;
                }
                let State { owner, user, build, .. } = &*self.0;
                if !opening::send_waiting(one.id.clone(), owner, user, build).await {
                    let says = format!(
                        "“{}” cannot be had from the server. Export its edits or discard them.",
                        one.title
                    );
                    return self.give_up(says);
                }
                self.0.sent.borrow_mut().insert(one.id);
            }
            sleep(LOOK_EVERY_MS).await;
        }
    }

    fn give_up(&self, says: String) {
        self.0.page.sending.set(false);
        self.0.page.problem.set(Some(says));
    }

    /// Removes all that this device keeps of the account, and sends the form.
    async fn leave(&self) {
        account::forget().await;
        if let Some(form) = self.0.form.take() {
            // Fails for a form that is not in the page.
            let _ = form.submit();
        }
    }
}

/// The edits as a file: by dashboard, each queue as it was kept.
fn as_file(unsaved: &[Unsent]) -> String {
    let text = |text: &str| serde_json::to_string(text).unwrap_or_else(|_| "null".to_owned());
    let one = |one: &Unsent| {
        let (id, title, queues) = (text(one.id.as_str()), text(&one.title), one.records.join(","));
        format!("{{\"dashboard\":{id},\"title\":{title},\"waiting\":[{queues}]}}")
    };
    let all: Vec<String> = unsaved.iter().map(one).collect();
    format!("[{}]\n", all.join(","))
}
