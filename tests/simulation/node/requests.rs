//! What a host asks for, done by the disk, which takes its time, fails, and is read in vain.

use lockstep::server::store::Appended;
use lockstep::sync::host::{
    Answer, Host, Input, LogCommit, LogError, Preparation, Prepared, Request, ResumePoint, StoredLog,
};
use lockstep::sync::protocol::{Commit, Resume};
use lockstep::sync::room::{Room, RoomState};

use super::faults::without_tombstones;
use super::{dashboard_id, limits, tail};
use crate::network::ConnId;
use crate::world::{Event, Fault, World};

impl World {
    pub(super) fn ask(&mut self, request: Request) {
        let answer = match request {
            Request::Append { commits, .. } => return self.append(commits),
            Request::Open => Answer::Opened(self.read_log().map(Some).ok_or(LogError::Other)),
            Request::Tail { after, .. } => Answer::Tail(match self.can_read() {
                true => Ok(self.disk.tail(after).into_iter().map(LogCommit::from).collect()),
                false => Err(LogError::Other),
            }),
            Request::Find { client, seq } => {
                let reads = self.can_read();
                let body = self.disk.find(&client, seq).filter(|body| self.still_has(body));
                Answer::Found(if reads { Ok(body) } else { Err(LogError::Other) })
            }
            Request::Renew => Answer::Renewed(self.renew()),
            Request::Delete => Answer::Deleted(false),
            Request::Prepare(preparation) => Answer::Prepared(self.prepare(preparation)),
        };
        self.give(Input::Answer(answer));
    }

    /// Whether the log reaches back to a commit.
    fn still_has(&self, body: &str) -> bool {
        let commit: Commit = serde_json::from_str(body).expect("a commit");
        let end = self.node.room().map_or(0, Room::revision);
        end - commit.revision <= self.climate.log_keeps
    }

    fn prepare(&mut self, preparation: Preparation) -> Prepared {
        self.node.content = match preparation {
            Preparation::Snapshot => None,
            Preparation::Stored { bodies, .. } => Some(bodies),
            Preparation::Tail { after } => {
                let Some(bodies) = self.node.host.as_ref().and_then(|host| host.commits_after(after)) else {
                    return Prepared::Missing;
                };
                Some(bodies)
            }
        };
        Prepared::Ready
    }

    fn append(&mut self, commits: Vec<LogCommit>) {
        let commits = self.falsify(commits).into_iter().map(|LogCommit { revision, author, body }| {
            let (client, seq) = author.expect("it is on its way into the log");
            Appended { revision, client, seq, body }
        });
        let appended = self.disk.append(commits.collect());
        // Now and then a disk does what it was asked, and says that it could not.
        let well = appended.is_ok() && !self.random.percent(self.climate.disk_lies);
        if appended.is_ok() && !well {
            self.disk.sync();
        }
        let wait = self.random.between(1, self.climate.disk_ms);
        self.after(wait, Event::Appended(self.node.boot, well));
        if self.fault == Some(Fault::AcksBeforeAppend) {
            self.give(Input::Answer(Answer::Appended(Ok(()))));
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
            self.reconnect();
            self.give(Input::Answer(Answer::Appended(Err(LogError::Other))));
            self.work();
        }
    }

    /// The room hears that its commits are durable.
    pub fn tell(&mut self, boot: u64) {
        if boot == self.node.boot && self.node.is_up() {
            self.give(Input::Answer(Answer::Appended(Ok(()))));
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

    /// Whether the next read of the disk succeeds.
    fn can_read(&mut self) -> bool {
        let fails = self.disk.unreadable || self.random.percent(self.climate.reads_fail);
        self.report.reads_failed += u64::from(fails);
        !fails
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

    /// The log, where the disk can be read and relied on.
    fn read_log(&mut self) -> Option<StoredLog> {
        if !self.can_read() || !self.settle_disk() {
            return None;
        }
        let mut log = StoredLog::from(self.disk.open());
        match self.fault {
            Some(Fault::ReplaysWithoutRecords) => {
                for stored in &mut log.commits {
                    let mut commit: Commit = serde_json::from_str(&stored.body).expect("a commit");
                    commit.conflicts.clear();
                    stored.body = serde_json::to_string(&commit).expect("JSON").into();
                }
            }
            Some(Fault::ReplaysOtherTombstones) => {
                let state: RoomState = serde_json::from_str(&log.state).expect("a state");
                let mut room = Room::from_state(state);
                for stored in std::mem::take(&mut log.commits) {
                    room.replay(&serde_json::from_str(&stored.body).expect("a commit"));
                    room = without_oldest_tombstone(&room);
                }
                log.revision = room.revision();
                log.state = serde_json::to_string(&room.state()).expect("JSON");
            }
            _ => {}
        }
        Some(log)
    }

    /// Opens the room. False where the disk cannot be read, or not be relied on.
    pub(super) fn open_room(&mut self) -> bool {
        let Some(log) = self.read_log() else { return false };
        let reach = self.node.reach;
        let tail = tail(reach.min(self.climate.log_keeps));
        let limits = limits(reach, self.climate.compact_from);
        let host =
            Host::new(dashboard_id(), limits, log, tail, self.time()).expect("what was written is read");
        self.node.host = Some(host);
        self.note_opened();
        true
    }

    pub(super) fn note_opened(&mut self) {
        let Some(host) = &self.node.host else { return };
        self.ledger.opened(host.room());
        self.node.noted = host.room().revision();
        self.node.falsified.clear();
    }

    /// Saves a snapshot of the room, in which everything is durable.
    pub(super) fn save_snapshot(&mut self) -> bool {
        let Some(host) = self.node.host.take() else { return false };
        let well = self.save_state(&host);
        self.node.host = Some(host);
        well
    }

    pub(super) fn save_state(&mut self, host: &Host<ConnId>) -> bool {
        let room = host.room();
        let mut state = serde_json::to_value(room.state()).expect("JSON");
        match self.fault {
            Some(Fault::ForgetsTombstones) => state["dashboard"]["removed"] = serde_json::json!({}),
            Some(Fault::ForgetsWriters) => state["cells"] = serde_json::json!([]),
            _ => {}
        }
        let well = self.disk.save_snapshot(room.revision(), state.to_string()).is_ok();
        if !well {
            self.reconnect();
        }
        well
    }

    /// Gives the log another name.
    fn renew(&mut self) -> Result<(), LogError> {
        if self.disk.full {
            return Err(LogError::Full);
        }
        let epoch = self.new_epoch();
        self.disk.renew(&epoch);
        self.ledger.renamed(&epoch);
        self.report.noticed += 1;
        Ok(())
    }

    /// What a client gives back that resumes from there. That nobody can make it up is the signature's doing,
    /// which is not simulated.
    pub(super) fn token(&self, end: Option<ResumePoint>) -> Option<String> {
        let ResumePoint { revision, at } = end?;
        Some(format!("{} {revision} {at}", self.node.room()?.epoch()))
    }

    /// What a join says of the log that it followed, and what the server's own word in it vouches for.
    pub(super) fn read_token(&mut self, resume: Option<Resume>) -> (Option<Resume>, Option<u64>) {
        let ours = self.node.room().map(|room| room.epoch().to_owned()).unwrap_or_default();
        let Some(mut resume) = resume else { return (None, None) };
        let stale = self.fault == Some(Fault::ResumesFromStaleEpoch) && resume.epoch != ours;
        self.node.stale_epoch = stale.then(|| std::mem::replace(&mut resume.epoch, ours));
        if stale || self.fault == Some(Fault::IgnoresTokens) {
            return (Some(resume), None);
        }
        let word = resume.token.as_deref().and_then(|token| token.strip_prefix(&*resume.epoch));
        let at = word.and_then(|word| word.strip_prefix(&format!(" {} ", resume.revision)));
        let vouched = at.and_then(|at| at.parse().ok());
        (Some(resume), vouched)
    }
}

fn without_oldest_tombstone(room: &Room) -> Room {
    let removed = &room.dashboard().removed;
    let oldest = removed.values().map(|removed| removed.revision).min();
    let goes = removed.iter().find(|(_, of)| Some(of.revision) == oldest);
    let goes = goes.filter(|_| removed.len() > 1).map(|(id, _)| id.clone());
    without_tombstones(room, |id| goes.as_ref().is_some_and(|goes| goes.as_str() == id))
}
