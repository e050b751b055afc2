//! Requests of the page to its services: edits, typing, presence, undo, another name.

use std::time::Duration;

use leptos::prelude::*;

use crate::app::address;
use crate::app::dashboard_store::{Live, Settle};
use crate::dashboard::text::Update;
use crate::dashboard::{NoteText, Op, User, WidgetId};
use crate::sync::protocol::{Cursor, Dragging, Editing};
use crate::sync::replica::{Along, Seen};
use crate::sync::undo::Steps;

use super::clock::{monotonic_ms, random_id};
use super::service_provider::ServiceProvider;
use super::{requests, told};

/// Typing is gathered for this long into one change.
const GATHER: Duration = Duration::from_millis(40);
/// The key under which this browser's tabs tell each other of a new name.
pub(super) const NAME_KEY: &str = "lockstep_name_changed";

impl Live for ServiceProvider {
    fn seen(&self) -> Seen {
        self.0.borrow().replica.seen()
    }

    fn edit(&self, ops: Vec<Op>) {
        self.edit_begun(ops, self.seen());
    }

    fn edit_begun(&self, ops: Vec<Op>, began: Seen) {
        let written = ops.clone();
        let outcome = self.0.borrow_mut().replica_now().edit_begun(ops, began);
        self.outcome(outcome, &written, Duration::ZERO);
    }

    fn edit_along(&self, ops: Vec<Op>, began: Seen, along: Along) {
        let written = [ops.clone(), along.ops.clone()].concat();
        let outcome = self.0.borrow_mut().replica_now().edit_along(ops, began, along);
        self.outcome(outcome, &written, Duration::ZERO);
    }

    fn splice(&self, id: &WidgetId, at: u32, remove: u32, insert: &str) {
        let outcome = self.0.borrow_mut().replica.type_text(id, at, remove, insert, monotonic_ms());
        // That something was typed is enough to say, unless it was not taken and has to be kept.
        let update = match &outcome {
            Ok(_) => Update::new([0, 0]),
            Err(_) => NoteText::default().splice(1, 0, 0, insert).0,
        };
        self.outcome(outcome, &[Op::edit_text(id, update)], GATHER);
    }

    fn undo(&self) {
        let outcome = self.0.borrow_mut().replica_now().undo();
        self.step_back(outcome, "took back a step", "Not undone: somebody else has changed that since.");
    }

    fn redo(&self) {
        let outcome = self.0.borrow_mut().replica_now().redo();
        self.step_back(outcome, "did a step again", "Not done again: somebody else has changed that since.");
    }

    fn take_back(&self, by: &User, steps: Steps) {
        let outcome = self.0.borrow_mut().replica_now().take_back(&by.id, &steps);
        let outcome = outcome.map(|taken| {
            told::took_back(&self.0.borrow().store, by, &steps, &taken);
            taken.changes
        });
        self.outcome(outcome, &[], Duration::ZERO);
    }

    fn cursor(&self, cursor: Option<Cursor>) {
        self.presence(|presence| presence.cursor = cursor);
    }

    fn select(&self, widgets: Vec<WidgetId>) {
        self.presence(|presence| presence.selected = widgets);
    }

    fn editing(&self, editing: Option<Editing>) {
        self.presence(|presence| presence.editing = editing);
    }

    fn dragging(&self, dragging: Option<Dragging>) {
        self.presence(|presence| presence.dragging = dragging);
    }

    fn looking_at(&self, widget: Option<WidgetId>) {
        self.presence(|presence| presence.looking_at = widget);
    }

    fn retry(&self) {
        self.0.borrow_mut().link.retry(monotonic_ms());
        self.tick();
    }

    fn rename_me(&self, name: &str) {
        let provider = self.clone();
        let body = serde_json::json!({ "name": name }).to_string();
        leptos::task::spawn_local(async move {
            match requests::send("PUT", "/api/v1/me", &body).await {
                Some(_) => {
                    // A storage event reaches the other tabs; its value only has to be new.
                    if let Ok(Some(storage)) = window().local_storage() {
                        let _ = storage.set_item(&address::name(NAME_KEY), &random_id());
                    }
                    provider.reconnect();
                }
                None => {
                    let reason = "The name could not be changed just now. It is as it was.";
                    provider.0.borrow().store.toast(reason, None);
                }
            }
        });
    }

    fn settle(&self, what: Settle) {
        self.settle_waiting(what);
    }
}
