//! What clients give back of the log that they followed, as `server/rooms/live/restored.rs` looks at it. That
//! nobody can make it up is the signature's doing, which is not simulated.

use lockstep::sync::protocol::{Code, Commit, Resume, ServerMessage, close};
use lockstep::sync::room::Room;

use crate::network::Down;
use crate::world::{Fault, World};

/// When clients come back to a log with another name.
const RETRY_MS: u64 = 1_000;

/// Which history of the log a client followed.
pub(super) enum History {
    /// This one: what may be resumed from.
    Ours(Option<Resume>),
    Another,
    /// The log cannot be read now.
    Unreadable,
}

impl World {
    /// What a client gives back that resumes from the log's end.
    pub(super) fn token(&self) -> Option<String> {
        let room = self.node.room.as_ref()?;
        Some(token(room.epoch(), room.revision(), room.at()?))
    }

    /// Looks whether a client followed this history of the log.
    pub(super) fn check_history(&mut self, resume: Option<Resume>) -> History {
        let reads = self.can_read();
        let (Some(room), Some(resume)) = (&self.node.room, resume) else { return History::Ours(None) };
        let (said, ignored) = (resume.revision, self.fault == Some(Fault::IgnoresTokens));
        if resume.epoch != room.epoch() {
            return History::Ours(Some(resume));
        }
        if resume.token.is_none() || ignored {
            return History::Ours(Some(resume).filter(|_| said <= room.revision()));
        }
        if said < room.revision() && !reads {
            return History::Unreadable;
        }
        let ours = self.made_at(room, said).map(|at| token(room.epoch(), said, at));
        if ours == resume.token { History::Ours(Some(resume)) } else { History::Another }
    }

    /// When the log's commit of a revision was made.
    fn made_at(&self, room: &Room, revision: u64) -> Option<u64> {
        if revision == room.revision() {
            return room.at();
        }
        let tail = self.disk.tail(revision.saturating_sub(1));
        let stored = tail.into_iter().find(|stored| stored.revision == revision)?;
        let commit: Commit = serde_json::from_str(&stored.body).expect("a commit");
        Some(commit.at)
    }

    /// The log goes on under another name, and everybody joins anew.
    pub(super) fn end_restored(&mut self) {
        if self.disk.full {
            return self.fail_room();
        }
        let epoch = self.new_epoch();
        self.disk.renew(&epoch);
        self.ledger.renamed(&epoch);
        self.report.noticed += 1;
        for conn in self.node.sessions() {
            let reason = "The server was restored to an earlier state.".to_owned();
            self.say(
                conn,
                ServerMessage::Error {
                    code: Code::Internal,
                    reason,
                    retry_after_ms: Some(RETRY_MS),
                    in_bin: false,
                    dashboard: None,
                },
            );
            self.send_down(conn, Down::Close(close::DRAINING));
        }
        self.node.sessions.clear();
        self.node.inbox.clear();
        self.node.replies.clear();
        self.node.role_frames.clear();
        self.reopen();
    }
}

fn token(epoch: &str, revision: u64, at: u64) -> String {
    format!("{epoch} {revision} {at}")
}
