//! Outgoing messages, own changes and presence of a tab, each no faster than the other side takes it.

use std::time::Duration;

use leptos::prelude::*;

use crate::sync::protocol::{ClientMessage, Presence};

use super::super::clock::monotonic_ms;
use super::ServiceProvider;

impl ServiceProvider {
    pub(super) fn send(&self, message: &ClientMessage) {
        match serde_json::to_string(message) {
            Ok(text) => {
                if let Some(socket) = &self.0.borrow().socket {
                    // What a dead socket does not take is sent again after the next join.
                    socket.send(&text);
                }
            }
            Err(error) => leptos::logging::error!("A message that cannot be written: {error}"),
        }
    }

    pub(super) fn plan_push(&self, after: Duration) {
        let mut services = self.0.borrow_mut();
        if services.push_planned || !services.joined || services.replica.pending() == 0 {
            return;
        }
        services.push_planned = true;
        let wait = Duration::from_millis(services.push_after.saturating_sub(monotonic_ms())).max(after);
        drop(services);
        let provider = self.clone();
        let push = move || {
            provider.0.borrow_mut().push_planned = false;
            provider.push();
        };
        if wait.is_zero() { queue_microtask(push) } else { set_timeout(push, wait) }
    }

    pub(super) fn push(&self) {
        loop {
            let mut services = self.0.borrow_mut();
            if services.socket.as_ref().is_none_or(|socket| !socket.has_room()) {
                return;
            }
            let changes = services.replica_now().to_push();
            if changes.is_empty() {
                return;
            }
            let dashboard = services.dashboard.clone();
            drop(services);
            self.send(&ClientMessage::Push { dashboard, changes });
        }
    }

    pub(super) fn plan_presence(&self, after_ms: u64) {
        let mut services = self.0.borrow_mut();
        // Nobody is there to see it, or nobody sits here.
        let is_alone = services.peers.is_empty() || services.rights.is_screen;
        if services.presence_planned || !services.joined || is_alone {
            return;
        }
        if after_ms > 0 {
            services.presence_planned = true;
            drop(services);
            let provider = self.clone();
            let send = move || {
                provider.0.borrow_mut().presence_planned = false;
                provider.plan_presence(0);
            };
            set_timeout(send, Duration::from_millis(after_ms));
            return;
        }
        let taken = services.outgoing.take(monotonic_ms());
        let dashboard = services.dashboard.clone();
        drop(services);
        match taken {
            Ok(presence) => self.send(&ClientMessage::Presence { dashboard, presence: Some(presence) }),
            Err(Some(wait)) => self.plan_presence(wait),
            Err(None) => {}
        }
    }

    pub(in crate::browser) fn presence(&self, change: impl FnOnce(&mut Presence)) {
        self.0.borrow_mut().outgoing.change(monotonic_ms(), change);
        self.plan_presence(0);
    }
}
