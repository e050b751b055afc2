//! An older state of the log was put in its place while the server was away. Only those who saw what came
//! after can tell: by a revision that the log does not have, or whose commit is another.

use serde::Deserialize;

use super::{Ended, Live};
use crate::server::rooms::random_id;
use crate::server::store::Most;
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
        if resume.epoch != self.room.epoch() || self.has(&resume).await {
            return Ok(Some(resume));
        }
        // While the server runs, its logs do not go back: whoever says so is wrong.
        if self.rooms.fresh().contains(&self.id) {
            return Ok(None);
        }
        let (revision, said) = (self.room.revision(), resume.revision);
        tracing::warn!(dashboard = %self.id, revision, said, "an older state of this log was restored");
        self.end_saving().await;
        let renewed = self.rooms.store().renew(&self.id, &random_id()).await;
        renewed.map_err(|error| {
            tracing::error!(dashboard = %self.id, %error, "a restored log could not be named anew");
            Ended::Failed
        })?;
        self.rooms.fresh().insert(self.id.clone());
        Err(Ended::Restored)
    }

    /// Whether the log has the history that a client followed, as far as can be told.
    async fn has(&self, resume: &Resume) -> bool {
        let (end, at) = (self.room.revision(), self.room.at());
        if resume.revision >= end {
            let same = resume.at.zip(at).is_none_or(|(theirs, ours)| theirs == ours);
            return resume.revision == end && same;
        }
        let Some(theirs) = resume.at else { return true };
        let body = match self.tail.get(resume.revision) {
            Some(body) => Some(body),
            None => {
                let (before, most) = (resume.revision.saturating_sub(1), Most::commits(1));
                let found = self.rooms.store().tail(&self.id, before, most).await.unwrap_or_default();
                found.into_iter().find(|commit| commit.revision == resume.revision).map(|commit| commit.body)
            }
        };
        let ours = body.and_then(|body| serde_json::from_str(&body).ok());
        ours.is_none_or(|MadeAt { at: ours }| ours == theirs)
    }
}
