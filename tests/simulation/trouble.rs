//! What goes wrong, and that it ends.

use lockstep::server::access::directory::Role;

use super::network::{ConnId, Told};
use super::world::{Backup, Event, World};

impl World {
    pub fn trouble(&mut self) {
        let n = self.random.below(self.tabs.len() as u64) as usize;
        match self.random.below(100) {
            0..=49 => self.strike(n),
            _ if self.quiet => {}
            50..=59 => {
                let until = self.now + self.random.between(500, 40_000);
                self.partition(n, until);
            }
            60..=61 => {
                self.drain_server();
                let wait = self.random.between(50, 5_000);
                self.after(wait, Event::StartServer);
            }
            62..=64 => {
                self.disk.unreadable = true;
                let wait = self.random.between(100, 3_000);
                self.after(wait, Event::DiskReads);
            }
            65..=74 => {
                let until = self.now + self.random.between(1_000, 40_000);
                self.tabs[n].asleep_until = self.tabs[n].asleep_until.max(until);
            }
            75..=81 => {
                self.disk.full = true;
                let wait = self.random.between(100, 5_000);
                self.after(wait, Event::DiskHasRoom);
            }
            82..=85 => self.wall = self.wall.wrapping_sub(self.random.below(2_000_000)).wrapping_add(900_000),
            86..=89 => {
                self.give_role(n, Some(Role::Viewer));
                let wait = self.random.between(100, 5_000);
                self.after(wait, Event::RoleBack(n));
            }
            _ => self.roll_back(),
        }
    }

    /// The line is cut, the server dies, or the tab does.
    pub fn strike(&mut self, n: usize) {
        if self.quiet {
            return;
        }
        let told = [Told::Both, Told::Both, Told::Tab, Told::Server, Told::Nobody];
        let told = *self.random.pick(&told).expect("there are some");
        match self.random.below(3) {
            0 => {
                if let Some(conn) = self.tabs[n].conn() {
                    self.cut(conn, told);
                }
            }
            1 => {
                self.stop_server(told);
                let wait = self.random.between(50, 5_000);
                self.after(wait, Event::StartServer);
            }
            // A lid that is closed does not kill the tab.
            _ if self.tabs[n].asleep_until > self.now => {}
            _ => self.end_tab(n),
        }
    }

    /// The tab dies, and is loaded again.
    pub fn end_tab(&mut self, n: usize) {
        if self.quiet {
            return;
        }
        self.kill(n);
        let wait = self.random.between(10, 8_000);
        self.after(wait, Event::Load(n));
        // Who edits at once does it before the room has answered, and may be struck again.
        for _ in 0..self.random.below(3) {
            let soon = wait + self.random.below(400);
            self.after(soon, Event::Act(n));
        }
        if self.random.percent(30) {
            let soon = wait + self.random.below(1_000);
            self.after(soon, Event::Strike(n));
        }
    }

    /// Somebody puts an older backup in the place of the log: under another name, or without a word.
    fn roll_back(&mut self) {
        let Some(Backup { end, epoch, file, directory }) = self.random.pick(&self.backups).cloned() else {
            return;
        };
        self.stop_server(Told::Both);
        let silent = self.random.percent(60);
        let epoch = if silent { epoch } else { self.new_epoch() };
        self.disk.restore(&file, &epoch);
        self.restore_roles(directory);
        self.ledger.rolled_back(end, &epoch);
        // The later ones are of a log that is no more.
        self.backups.retain(|backup| backup.end <= end);
        self.another_log_before = self.conns.len() as ConnId;
        self.report.rollbacks += 1;
        self.report.silent_rollbacks += u64::from(silent);
        self.start_server();
    }

    /// A name that no log had before.
    pub fn new_epoch(&mut self) -> String {
        self.epochs += 1;
        format!("e{}", self.epochs)
    }

    /// Everything works from here on, and nobody edits any more.
    pub fn be_quiet(&mut self) {
        self.quiet = true;
        self.disk.full = false;
        self.disk.unreadable = false;
        (self.climate.disk_lies, self.climate.syncs_fail, self.climate.reads_fail) = (0, 0, 0);
        self.start_server();
        self.settle_roles();
        for n in 0..self.tabs.len() {
            let tab = &mut self.tabs[n];
            tab.unreachable_until = 0;
            self.load(n);
            self.wake(n);
        }
    }
}
