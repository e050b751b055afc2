//! The log of the simulated server: written, durable, told, and what is done where one of them fails.

use lockstep::server::store::Appended;
use lockstep::sync::protocol::{Code, Commit, ServerMessage};
use lockstep::sync::room::{Room, RoomState};

use super::faults::without_tombstones;
use super::{FAILED_RETRY_MS, Judged, dashboard_id};
use crate::network::ConnId;
use crate::world::{Backup, Event, Fault, World};

impl World {
    pub(super) fn append(&mut self) {
        if self.fault == Some(Fault::SwapsCommits) {
            self.swap_commits();
        }
        let commits = self.node.judged.iter().map(|Judged { commit, body, .. }| Appended {
            revision: commit.revision,
            client: commit.client.clone(),
            seq: commit.seq,
            body: body.clone(),
        });
        let appended = self.disk.append(commits.collect());
        // Now and then a disk does what it was asked, and says that it could not.
        let well = appended.is_ok() && !self.random.percent(self.climate.disk_lies);
        if appended.is_ok() && !well {
            self.disk.sync();
        }
        self.node.busy = true;
        if self.fault == Some(Fault::AcksBeforeAppend) {
            self.tell_all(None);
        }
        let wait = self.random.between(1, self.climate.disk_ms);
        self.after(wait, Event::Appended(self.node.boot, well));
    }

    /// The last two commits change places.
    fn swap_commits(&mut self) {
        if let [.., one, two] = &mut self.node.judged[..] {
            std::mem::swap(one, two);
            std::mem::swap(&mut one.commit.revision, &mut two.commit.revision);
            for judged in [one, two] {
                judged.body = serde_json::to_string(&judged.commit).expect("JSON").into();
            }
        }
    }

    /// The disk has answered.
    pub fn appended(&mut self, boot: u64, well: bool) {
        if boot != self.node.boot || !self.node.is_up() {
            return;
        }
        if well && self.sync() {
            let wait = self.random.below(10);
            self.after(wait, Event::Tell(boot));
        } else {
            self.recover();
            self.node.busy = false;
            self.work();
        }
    }

    /// Makes durable what was written. False where that fails.
    fn sync(&mut self) -> bool {
        if !self.random.percent(self.climate.syncs_fail) {
            self.disk.sync();
            return true;
        }
        self.report.syncs_failed += 1;
        self.disk.fail_to_sync();
        self.fault == Some(Fault::GoesOnAfterFailedSync)
    }

    /// Lets go of a connection whose transaction failed.
    fn reconnect(&mut self) {
        if self.fault != Some(Fault::KeepsConnection) {
            self.disk.reconnect();
        }
    }

    /// Tells everybody what is durable.
    pub fn tell(&mut self, boot: u64) {
        if boot != self.node.boot || !self.node.is_up() {
            return;
        }
        if self.fault != Some(Fault::TellsBeforeRoles) {
            self.update_roles();
        }
        let digest = self.node.room.as_ref().map(Room::full_digest);
        if self.fault != Some(Fault::AcksBeforeAppend) {
            self.tell_all(digest);
        }
        self.node.heard = self.node.judged.last().map_or(self.node.heard, |last| last.commit.revision);
        self.node.judged.clear();
        self.node.busy = false;
        self.reply();
        if self.random.percent(self.climate.snapshots) {
            self.save_snapshot();
        }
        if self.random.percent(10) {
            let epoch = self.node.room.as_ref().map(|room| room.epoch().to_owned());
            let (end, file) = (self.node.heard, self.disk.backup());
            let directory = self.roles.directory.clone();
            self.backups.extend(epoch.map(|epoch| Backup { end, epoch, file, directory }));
        }
        self.work();
    }

    fn tell_all(&mut self, digest: Option<String>) {
        let commits: Vec<Commit> = self.node.judged.iter().map(|judged| judged.commit.clone()).collect();
        self.send_commits(commits, digest);
    }

    fn send_commits(&mut self, commits: Vec<Commit>, digest: Option<String>) {
        for conn in self.node.joined() {
            let (dashboard, commits) = (dashboard_id(), commits.clone());
            let (full_digest, token) = (digest.clone(), self.token());
            let (digest, forgotten) = (None, None);
            self.say(
                conn,
                ServerMessage::Commits { dashboard, commits, digest, full_digest, token, forgotten },
            );
        }
    }

    pub(super) fn reply(&mut self) {
        self.tell_roles();
        for (conn, message) in std::mem::take(&mut self.node.replies) {
            // Who was let go of meanwhile hears no more.
            if self.node.sessions.get(&conn).is_none_or(|session| session.joined) {
                self.say(conn, message);
            }
        }
    }

    /// Tells of roles that changed, after the commits that were judged before.
    pub(super) fn tell_roles(&mut self) {
        for (conn, message) in std::mem::take(&mut self.node.role_frames) {
            if self.node.sessions.get(&conn).is_some_and(|session| session.joined) {
                self.say(conn, message);
            }
        }
    }

    pub(super) fn save_snapshot(&mut self) {
        let Some(room) = &self.node.room else { return };
        let state = match self.fault {
            Some(Fault::ForgetsTombstones | Fault::ForgetsWriters) => {
                let mut state = serde_json::to_value(room.state()).expect("JSON");
                if self.fault == Some(Fault::ForgetsTombstones) {
                    state["dashboard"]["removed"] = serde_json::json!({});
                } else {
                    state["cells"] = serde_json::json!([]);
                }
                state.to_string()
            }
            _ => serde_json::to_string(&room.state()).expect("JSON"),
        };
        if self.disk.save_snapshot(room.revision(), state).is_err() {
            self.reconnect();
        }
    }

    /// An append that failed: back to what is durable, and the authors push again.
    fn recover(&mut self) {
        self.update_roles();
        let judged = std::mem::take(&mut self.node.judged);
        let heard = self.node.heard;
        self.reconnect();
        if !self.reopen() {
            return self.fail_room();
        }
        let Some(room) = self.node.room.clone() else { return };
        if room.revision() > heard {
            if !self.can_read() {
                return self.fail_room();
            }
            let commits = self.disk.tail(heard);
            let commits = commits.iter().map(|stored| serde_json::from_str(&stored.body).expect("a commit"));
            self.send_commits(commits.collect(), Some(room.full_digest()));
        }
        let mut told: Vec<ConnId> = Vec::new();
        self.node.replies.retain(|(conn, _)| judged.iter().all(|judged| judged.conn != *conn));
        for Judged { conn, commit, .. } in &judged {
            let last = room.last_seq(&commit.client);
            if commit.seq > last && !told.contains(conn) {
                told.push(*conn);
                let reason = "The server could not save this yet.".to_owned();
                self.reject(*conn, commit.seq, Code::Internal, reason, last + 1, Some(FAILED_RETRY_MS));
            }
        }
        self.reply();
    }

    /// Writes something else in the place of what could not be made durable. False where that fails too: what
    /// the log has is not known then, and nobody is told.
    fn settle_disk(&mut self) -> bool {
        if !self.disk.is_in_doubt() || self.fault == Some(Fault::TellsWhileInDoubt) {
            return true;
        }
        let well = !self.disk.full && !self.random.percent(self.climate.syncs_fail);
        if well {
            self.disk.settle();
        }
        well
    }

    /// Builds the room from the disk. False where that cannot be read, or not be relied on.
    pub(super) fn reopen(&mut self) -> bool {
        self.node.room = None;
        if !self.can_read() || !self.settle_disk() {
            return false;
        }
        let opened = self.disk.open();
        let state: RoomState = serde_json::from_str(&opened.state).expect("a state");
        let mut room = Room::from_state(state);
        for stored in opened.commits {
            let mut commit: Commit = serde_json::from_str(&stored.body).expect("a commit");
            if self.fault == Some(Fault::ReplaysWithoutRecords) {
                commit.conflicts.clear();
            }
            room.replay(&commit);
            if self.fault == Some(Fault::ReplaysOtherTombstones) {
                let oldest = room.dashboard().removed.values().map(|removed| removed.revision).min();
                let goes = room.dashboard().removed.iter().find(|(_, of)| Some(of.revision) == oldest);
                let goes = goes.filter(|_| room.dashboard().removed.len() > 1).map(|(id, _)| id.clone());
                room = without_tombstones(&room, |id| goes.as_ref().is_some_and(|goes| goes.as_str() == id));
            }
        }
        self.ledger.opened(&room);
        self.node.heard = room.revision();
        self.node.room = Some(room);
        true
    }
}
