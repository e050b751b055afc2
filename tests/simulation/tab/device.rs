//! The device of a simulated tab: what it is given to keep it has a moment later, and has it for good.

use std::collections::VecDeque;

use lockstep::sync::replica::{StoredDashboard, StoredQueue};

use super::Tab;
use crate::check::{Ended, MadeId};
use crate::world::{Event, World};

/// The longest that an edit waits before it is on the device.
pub const KEPT_WITHIN_MS: u64 = 250;

/// What survives the tab. A write puts all of it there or nothing.
#[derive(Clone, Default)]
pub struct Device {
    pub(super) dashboard: Option<StoredDashboard>,
    pub(super) queue: StoredQueue,
    /// When that was written.
    pub(super) at: u64,
    pub(super) ids: VecDeque<MadeId>,
    /// What the person was told of edits without effect, with their content.
    pub(super) told: Vec<Ended>,
}

/// What is being written to a device.
pub struct Written(Device);

impl Tab {
    /// Whether the device has a copy of the dashboard.
    pub fn has_copy(&self) -> bool {
        self.device.dashboard.is_some()
    }

    /// The connection ends for good. The copy goes from the device; what waits stays its author's.
    pub fn leave(&mut self, now: u64, code: u16, keeps_copy: bool) {
        let Some(life) = &mut self.life else { return };
        life.link.closed(now, code, 0);
        if !keeps_copy {
            life.forgotten = true;
            self.device.dashboard = None;
        }
    }
}

impl World {
    /// The device begins to write; it has it a moment later.
    pub fn write(&mut self, n: usize) {
        let with_dashboard = self.random.percent(50);
        let wait = self.random.between(1, KEPT_WITHIN_MS / 5);
        let tab = &mut self.tabs[n];
        let Some(life) = &mut tab.life else { return };
        life.write_planned = false;
        life.unwritten = false;
        life.written_at = life.written_at.max(self.now + wait);
        life.replica.set_time(self.now);
        let device = Device {
            dashboard: life.replica.stored_dashboard().filter(|_| with_dashboard),
            queue: life.replica.stored_queue(),
            at: self.now,
            ids: life.ids.iter().map(|(_, id)| *id).collect(),
            told: life.told.clone(),
        };
        let (at, numbering, lives) = (life.written_at, life.replica.numbering(), tab.lives);
        self.at(at, Event::Written(n, lives, Box::new(Written(device)), numbering));
    }

    pub fn written(&mut self, n: usize, Written(device): Written, numbering: u64) {
        let older = self.tabs[n].device.dashboard.take();
        let dashboard = device.dashboard.or(older);
        let forgotten = self.tabs[n].life.as_ref().is_some_and(|life| life.forgotten);
        self.tabs[n].device = Device { dashboard: dashboard.filter(|_| !forgotten), ..device };
        if let Some(life) = &mut self.tabs[n].life {
            life.replica.stored(numbering);
        }
        self.plan(n);
    }
}
