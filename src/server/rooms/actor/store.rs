//! Requests of a host, answered by the store, and what it keeps in the terms of the store.

use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::super::frames;
use super::super::random_id;
use super::{Deleting, RoomActor};
use crate::server::access::screens::MAX_SCREENS;
use crate::server::limits::Limits;
use crate::server::store::{Appended, KEEP_COMMITS, Listing, Most, Opened, StoreError, Stored};
use crate::sync::host::{
    Answer, HostLimits, Input, LogCommit, LogError, Preparation, Prepared, Request, StoredLog, Summary,
};
use crate::sync::room::COMPACT_FROM;

impl RoomActor {
    /// Does what the host asks for.
    pub(super) async fn answer(&mut self, request: Request) -> Answer {
        let store = self.rooms.store().clone();
        match request {
            Request::Append { commits, summary } => {
                let (count, begun) = (commits.len() as u64, Instant::now());
                let commits = commits.into_iter().filter_map(to_append).collect();
                let appended = store.append(&self.id, commits, summary.into()).await;
                if appended.is_ok() {
                    self.rooms.listing_changed();
                    self.rooms.metrics().appended(begun.elapsed());
                    self.rooms.metrics().commits_total.fetch_add(count, Relaxed);
                }
                Answer::Appended(self.note(appended, "commits were not appended"))
            }
            Request::Open => {
                let opened = self.note(store.open(&self.id).await, "the room cannot go on");
                Answer::Opened(opened.map(|opened| opened.map(StoredLog::from)))
            }
            Request::Tail { after, commits, bytes } => {
                let tail = store.tail(&self.id, after, Most { commits, bytes }).await;
                let tail = self.note(tail, "the end of a log could not be read");
                Answer::Tail(tail.map(|stored| stored.into_iter().map(LogCommit::from).collect()))
            }
            Request::Find { client, seq } => {
                let found = store.find(&self.id, &client, seq).await;
                Answer::Found(self.note(found, "a commit could not be looked up"))
            }
            Request::Renew => {
                self.end_saving().await;
                let renewed = store.renew(&self.id, &random_id()).await;
                Answer::Renewed(self.note(renewed, "a restored log could not be named anew"))
            }
            Request::Delete => {
                let Some(Deleting { deletion, most, answer }) = self.asked.delete.take() else {
                    return Answer::Deleted(false);
                };
                let deleted = store.delete(&self.id, &deletion, most).await;
                let is_done = deleted.is_ok();
                // Whoever asked may be gone.
                let _ = answer.send(deleted);
                Answer::Deleted(is_done)
            }
            Request::Prepare(preparation) => Answer::Prepared(self.prepare(preparation)),
        }
    }

    /// Logs an error of the store, and says what of it matters to the host.
    fn note<T>(&self, result: Result<T, StoreError>, what: &str) -> Result<T, LogError> {
        result.map_err(|error| {
            tracing::warn!(dashboard = %self.id, %error, "{what}");
            LogError::from(&error)
        })
    }

    fn prepare(&mut self, preparation: Preparation) -> Prepared {
        let unsent = self.rooms.unsent().clone();
        let content = match preparation {
            Preparation::Snapshot => self.encoded().map(frames::Content::Snapshot),
            Preparation::Tail { after } => match self.answers.commits(&unsent, after) {
                Some(share) => share.map(frames::Content::Commits),
                None => {
                    let Some(bodies) = self.host.commits_after(after) else { return Prepared::Missing };
                    let share = self.answers.encode_commits(&unsent, after, &bodies);
                    share.map(frames::Content::Commits)
                }
            },
            Preparation::Stored { after, bodies } => {
                let share = self.answers.encode_commits(&unsent, after, &bodies);
                share.map(frames::Content::Commits)
            }
        };
        self.asked.content = content.ok();
        if self.asked.content.is_some() { Prepared::Ready } else { Prepared::Busy }
    }

    /// Begins to save a snapshot, beside the room; with `bounded` the log is shortened to its bound of bytes.
    pub(super) fn save_snapshot(&mut self, bounded: bool) {
        let mut keep = Most::commits(KEEP_COMMITS as usize);
        if bounded {
            keep.bytes = self.rooms.limits().log_bytes;
        }
        let (state, store, id) = (self.host.room().state(), self.rooms.store().clone(), self.id.clone());
        self.saving = Some(tokio::spawn(async move {
            let revision = state.revision;
            let text = tokio::task::spawn_blocking(move || frames::json(&state)).await;
            let text = text.map_err(|error| StoreError::Io(error.to_string()))?;
            store.save_snapshot(&id, revision, text.into(), keep).await
        }));
    }

    /// Waits for a snapshot that is being saved.
    pub(super) async fn end_saving(&mut self) {
        let Some(saving) = self.saving.take() else { return };
        let saved = saving.await.unwrap_or_else(|error| Err(StoreError::Io(error.to_string())));
        if let Err(error) = &saved {
            tracing::warn!(dashboard = %self.id, %error, "a snapshot was not saved; the log has it all");
        }
        self.host.handle(self.now(), Input::SnapshotSaved(saved.is_ok()), &mut self.outputs);
    }
}

/// The limits of one room.
pub(in crate::server::rooms) fn host_limits(limits: &Limits) -> HostLimits {
    HostLimits {
        widgets: limits.widgets,
        dashboard_bytes: limits.dashboard_bytes,
        compact_from: COMPACT_FROM,
        sessions: limits.sessions_per_room,
        sessions_per_network: limits.room_sessions_per_address,
        screens: MAX_SCREENS,
        outbound_bytes: limits.outbound_bytes,
        idle_ms: limits.room_idle_ms,
        log_commits: KEEP_COMMITS as usize,
        log_bytes: limits.log_bytes,
        tail_bytes: limits.tail_bytes,
    }
}

impl From<Opened> for StoredLog {
    fn from(Opened { epoch, state, revision, commits }: Opened) -> Self {
        Self { epoch, state, revision, commits: commits.into_iter().map(LogCommit::from).collect() }
    }
}

impl From<Stored> for LogCommit {
    fn from(Stored { revision, body }: Stored) -> Self {
        Self { revision, author: None, body }
    }
}

/// A commit for the store; `None` for one that came out of it.
fn to_append(LogCommit { revision, author, body }: LogCommit) -> Option<Appended> {
    author.map(|(client, seq)| Appended { revision, client, seq, body })
}

impl From<Summary> for Listing {
    fn from(summary: Summary) -> Self {
        let Summary { title, widgets, tags, outline, changed_at, changed_by } = summary;
        Self { title, widgets, changed_at, changed_by, outline, tags }
    }
}

impl From<&StoreError> for LogError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Gone => Self::Gone,
            StoreError::Full(_) => Self::Full,
            StoreError::Damaged(_) => Self::Damaged,
            _ => Self::Other,
        }
    }
}
