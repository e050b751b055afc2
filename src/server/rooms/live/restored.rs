//! Restored log: an older state was put in its place while the server was away. Only those who saw what came
//! after can tell: by the server's own word for a revision that the log does not have, or whose commit is
//! another.

use serde::Deserialize;

use super::{Ended, Live};
use crate::server::rooms::random_id;
use crate::server::store::{Most, StoreError};
use crate::sync::protocol::Resume;

/// What is read of a commit.
#[derive(Deserialize)]
struct MadeAt {
    at: u64,
}

impl Live {
    /// Returns what may be resumed from. Where a client followed another history of this log, the log
    /// takes another name and the room ends: everybody joins anew, and knows by the name that what they
    /// have is of another log (S7).
    pub(super) async fn check_history(&mut self, resume: Option<Resume>) -> Result<Option<Resume>, Ended> {
        let Some(resume) = resume else { return Ok(None) };
        if resume.epoch != self.room.epoch() {
            return Ok(Some(resume));
        }
        let (revision, said) = (self.room.revision(), resume.revision);
        let token = resume.token.as_deref();
        let Some(at) = token.and_then(|token| self.tokens.read(&resume.epoch, said, token)) else {
            // Without the server's word for it, what the log does not have is only said.
            return Ok((said <= revision).then_some(resume));
        };
        let has = self.has(said, at).await.map_err(|error| {
            tracing::error!(dashboard = %self.id, %error, "a log could not be compared with what a client saw");
            Ended::Failed
        })?;
        if has {
            return Ok(Some(resume));
        }
        tracing::warn!(dashboard = %self.id, revision, said, "an older state of this log was restored");
        self.end_saving().await;
        let renewed = self.rooms.store().renew(&self.id, &random_id()).await;
        renewed.map_err(|error| {
            tracing::error!(dashboard = %self.id, %error, "a restored log could not be named anew");
            Ended::Failed
        })?;
        Err(Ended::Restored)
    }

    /// Whether the log has a commit of that revision and time, as far as it reaches back.
    async fn has(&self, revision: u64, at: u64) -> Result<bool, StoreError> {
        if revision >= self.room.revision() {
            return Ok(revision == self.room.revision() && self.room.at() == Some(at));
        }
        let body = match self.tail.get(revision) {
            Some(body) => Some(body),
            None => {
                let (before, most) = (revision.saturating_sub(1), Most::commits(1));
                let found = self.rooms.store().tail(&self.id, before, most).await?;
                found.into_iter().find(|commit| commit.revision == revision).map(|commit| commit.body)
            }
        };
        let ours = body.and_then(|body| serde_json::from_str(&body).ok());
        Ok(ours.is_none_or(|MadeAt { at: ours }| ours == at))
    }
}
