//! Coming back to what is durable, when an append failed or judging panicked.

use super::log::{Judged, LogCommit, Origin, StoredLog, Summary, rebuild};
use super::messages::{Ended, FAILED_RETRY_MS, InvalidChange, LogError, Output, Request, Trouble};
use super::tail::Tail;
use super::{Host, Phase};
use crate::dashboard::{ClientId, SessionId};
use crate::sync::protocol::Code;

/// When clients push again what was not saved where trying again changes nothing until somebody has mended the
/// database.
const DAMAGED_RETRY_MS: u64 = 30_000;

/// What there is to say once the room is what the log has.
#[derive(Debug)]
pub(super) struct Recovery {
    /// What failed to be appended, and why.
    failed: Option<(Vec<Judged>, LogError)>,
    panicked: Option<PanickedChange>,
}

/// A change in whose judging the room panicked.
#[derive(Debug)]
pub(super) struct PanickedChange {
    pub(super) session: SessionId,
    pub(super) client: ClientId,
    pub(super) seq: u64,
}

impl<E> Host<E> {
    /// A panic in judging: what was judged before is saved, the room is built anew, the change is no good.
    pub(super) fn survive(&mut self, panicked: PanickedChange, out: &mut Vec<Output<E>>) {
        let PanickedChange { client, seq, .. } = &panicked;
        out.push(Output::Trouble(Trouble::ChangePanicked { client: client.clone(), seq: *seq }));
        // The dashboard may be half changed: nothing is told from it. The log tells.
        if let Some(panicked) = self.append(Some(panicked), out) {
            self.reopen(Recovery { failed: None, panicked: Some(panicked) }, out);
        }
    }

    /// What was judged before a panic is in the log.
    pub(super) fn survived(&mut self, panicked: PanickedChange, out: &mut Vec<Output<E>>) {
        self.reopen(Recovery { failed: None, panicked: Some(panicked) }, out);
    }

    /// An append that failed: back to what is durable, and the authors are told to push again.
    pub(super) fn recover(
        &mut self,
        judged: Vec<Judged>,
        error: LogError,
        panicked: Option<PanickedChange>,
        out: &mut Vec<Output<E>>,
    ) {
        if error == LogError::Gone {
            return self.end(Ended::Deleted { by: None }, out);
        }
        self.reopen(Recovery { failed: Some((judged, error)), panicked }, out);
    }

    fn reopen(&mut self, recovery: Recovery, out: &mut Vec<Output<E>>) {
        self.phase = Phase::Reopening(recovery);
        out.push(Output::Request(Request::Open));
    }

    /// The room is built anew from the store, and everybody hears what the log has that they don't.
    pub(super) fn reopened(
        &mut self,
        recovery: Recovery,
        opened: Result<Option<StoredLog>, LogError>,
        out: &mut Vec<Output<E>>,
    ) {
        let log = match opened {
            Ok(Some(log)) => log,
            Ok(None) => return self.end(Ended::Deleted { by: None }, out),
            Err(_) => return self.end(Ended::Failed, out),
        };
        if log.epoch != self.room.epoch() {
            return self.end(Ended::Failed, out);
        }
        let mut tail = self.tail.emptied();
        match rebuild(log, &self.limits, &mut tail) {
            Ok(room) => self.room = room,
            Err(error) => {
                out.push(Output::Trouble(Trouble::Unreadable(error.to_string())));
                return self.end(Ended::Failed, out);
            }
        }
        self.summary = Summary::of(self.room.dashboard());
        self.outline_outdated = false;
        if self.room.revision() > self.heard {
            self.phase = Phase::CatchingUp(recovery, tail);
            let (after, commits) = (self.heard, self.limits.log_commits);
            out.push(Output::Request(Request::Tail { after, commits, bytes: usize::MAX }));
        } else {
            self.recovered(recovery, tail, out);
        }
    }

    /// What the log has and nobody has heard of has been read.
    pub(super) fn caught_up(
        &mut self,
        recovery: Recovery,
        tail: Tail,
        missed: Result<Vec<LogCommit>, LogError>,
        out: &mut Vec<Output<E>>,
    ) {
        let Some(bodies) = missed.ok().and_then(|missed| self.whole_tail(self.heard, missed)) else {
            return self.end(Ended::Failed, out);
        };
        self.send_commits(bodies, None, out);
        self.recovered(recovery, tail, out);
    }

    fn recovered(&mut self, recovery: Recovery, tail: Tail, out: &mut Vec<Output<E>>) {
        self.tail = tail;
        self.heard = self.room.revision();
        self.count_open_conflicts();
        out.push(Output::Rebuilt);
        let Recovery { failed, panicked } = recovery;
        if let Some((judged, error)) = failed {
            self.reject_unsaved(&judged, error);
            self.reply(out);
        }
        if let Some(PanickedChange { session, client, seq }) = panicked {
            let expected = self.room.last_seq(&client) + 1;
            let reason = "The change cannot be read.".to_owned();
            let invalid = InvalidChange { seq, code: Code::Invalid, reason, retry_after_ms: None };
            self.reject(&session, invalid, expected);
        }
    }

    /// Tells the authors of what was not appended to push again.
    fn reject_unsaved(&mut self, judged: &[Judged], error: LogError) {
        let (reason, retry_after_ms) = not_saved(error);
        let session_of = |judged: &Judged| match &judged.origin {
            Origin::Session(session) => Some(session.clone()),
            Origin::Document | Origin::Compaction => None,
        };
        // What else was to be said counted on commits that are not there.
        let mut replies = std::mem::take(&mut self.replies);
        replies
            .retain(|(session, _)| judged.iter().all(|judged| session_of(judged).as_ref() != Some(session)));
        let mut told: Vec<SessionId> = Vec::new();
        for judged in judged {
            let Some(session) = session_of(judged) else { continue };
            let (client, seq) = (&judged.commit.client, judged.commit.seq);
            let last = self.room.last_seq(client);
            // It may have been appended in spite of the error; then the tail told everybody.
            if seq <= last || told.contains(&session) {
                continue;
            }
            let (code, reason) = (Code::Internal, reason.to_owned());
            let invalid = InvalidChange { seq, code, reason, retry_after_ms: Some(retry_after_ms) };
            self.reject(&session, invalid, last + 1);
            told.push(session);
        }
        self.replies.append(&mut replies);
    }
}

/// Why a change waits with its author, and when it is pushed again, in milliseconds.
fn not_saved(error: LogError) -> (&'static str, u64) {
    match error {
        LogError::Full => (
            "The server's disk is full. What you did is kept here, and saved by itself as soon as there is room.",
            FAILED_RETRY_MS,
        ),
        LogError::Damaged => (
            "The server could not save this, because the database is damaged where this dashboard is. What you \
             did is kept here. Whoever runs the server can put back a backup.",
            DAMAGED_RETRY_MS,
        ),
        LogError::Gone | LogError::Other => ("The server could not save this yet.", FAILED_RETRY_MS),
    }
}
