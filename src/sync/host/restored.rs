//! Restored log: an older state was put in its place while the server was away. Only those who saw what came
//! after can tell: by the server's own word for a revision that the log does not have, or whose commit is
//! another.

use std::sync::Arc;

use serde::Deserialize;

use super::log::LogCommit;
use super::messages::{Ended, LogError, Output, Request, Time, Trouble};
use super::{Host, Phase};
use crate::sync::protocol::Resume;

/// What is read of a commit.
#[derive(Deserialize)]
struct MadeAt {
    at: u64,
}

impl<E> Host<E> {
    /// Looks which history of the log the one who joins followed. Where it is another, the log takes another
    /// name and the room ends: everybody joins anew, and knows by the name that what they have is of another
    /// log (S7).
    pub(super) fn check_history(&mut self, now: Time, out: &mut Vec<Output<E>>) {
        let Some(joining) = &mut self.joining else { return };
        let current = |resume: &&Resume| resume.epoch == self.room.epoch();
        let Some(said) = joining.resume.as_ref().filter(current).map(|resume| resume.revision) else {
            return self.decide_content(now, out);
        };
        let revision = self.room.revision();
        let Some(at) = joining.vouched else {
            // Without the server's word for it, what the log does not have is only said.
            joining.resume = joining.resume.take().filter(|_| said <= revision);
            return self.decide_content(now, out);
        };
        if said >= revision {
            let ours = said == revision && self.room.at() == Some(at);
            return self.follow_history(ours, now, out);
        }
        match self.tail.get(said) {
            Some(body) => self.follow_history(is_made_at(Some(&body), at), now, out),
            None => {
                self.phase = Phase::ComparingHistory { said, at };
                let after = said.saturating_sub(1);
                out.push(Output::Request(Request::Tail { after, commits: 1, bytes: usize::MAX }));
            }
        }
    }

    /// The commit that a client saw has been read.
    pub(super) fn compared_history(
        &mut self,
        said: u64,
        at: u64,
        found: Result<Vec<LogCommit>, LogError>,
        now: Time,
        out: &mut Vec<Output<E>>,
    ) {
        let Ok(found) = found else { return self.end(Ended::Failed, out) };
        let body = found.into_iter().find(|commit| commit.revision == said).map(|commit| commit.body);
        self.follow_history(is_made_at(body.as_ref(), at), now, out);
    }

    fn follow_history(&mut self, ours: bool, now: Time, out: &mut Vec<Output<E>>) {
        if ours {
            return self.decide_content(now, out);
        }
        let said = self.joining.as_ref().and_then(|joining| joining.resume.as_ref());
        let (revision, said) = (self.room.revision(), said.map_or(0, |resume| resume.revision));
        out.push(Output::Trouble(Trouble::Restored { revision, said }));
        self.phase = Phase::Renewing;
        out.push(Output::Request(Request::Renew));
    }
}

/// Whether a commit was made at a time, as far as the log still has it.
fn is_made_at(body: Option<&Arc<str>>, at: u64) -> bool {
    let ours = body.and_then(|body| serde_json::from_str(body).ok());
    ours.is_none_or(|MadeAt { at: ours }| ours == at)
}
