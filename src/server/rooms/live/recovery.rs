//! Coming back to what is durable, when an append failed or judging panicked.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::log::{self, Judged};
use super::{DAMAGED_RETRY_MS, Ended, FAILED_RETRY_MS, Live, listing_of};
use crate::dashboard::{ClientId, SessionId};
use crate::server::rooms::answers::Answers;
use crate::server::rooms::input::Bad;
use crate::server::store::{KEEP_COMMITS, Most, StoreError};
use crate::sync::protocol::Code;

impl Live {
    /// A panic in judging: what was judged before is saved, the room is built anew, the change is no good.
    pub(super) async fn survive(
        &mut self,
        session: SessionId,
        client: &ClientId,
        seq: u64,
    ) -> Result<(), Ended> {
        tracing::error!(dashboard = %self.id, %client, seq, "judging a change panicked");
        self.rooms.metrics().panics_caught.fetch_add(1, Relaxed);
        // The dashboard may be half changed: nothing is told from it. The log tells.
        let judged = std::mem::take(&mut self.judged);
        match self.append(&judged).await {
            Ok(()) => self.reload().await?,
            Err(error) => self.recover(judged, error).await?,
        }
        let expected = self.room.last_seq(client) + 1;
        let reason = "The change cannot be read.".to_owned();
        self.reject(&session, Bad { seq, code: Code::Invalid, reason, retry_after_ms: None }, expected);
        Ok(())
    }

    /// An append that failed: back to what is durable, and the authors are told to push again.
    pub(super) async fn recover(&mut self, judged: Vec<Judged>, error: StoreError) -> Result<(), Ended> {
        tracing::warn!(dashboard = %self.id, %error, commits = judged.len(), "commits were not appended");
        if error == StoreError::Gone {
            return Err(Ended::Deleted { by: None });
        }
        self.reload().await?;
        let (reason, retry_after_ms) = not_saved(&error);
        // What else was to be said counted on commits that are not there.
        let mut replies = std::mem::take(&mut self.replies);
        replies.retain(|(session, _)| judged.iter().all(|judged| judged.session.as_ref() != Some(session)));
        let mut told: Vec<SessionId> = Vec::new();
        for Judged { session, commit, .. } in &judged {
            let Some(session) = session else { continue };
            let last = self.room.last_seq(&commit.client);
            // It may have been appended in spite of the error; then the tail told everybody.
            if commit.seq <= last || told.contains(session) {
                continue;
            }
            told.push(session.clone());
            let bad = Bad {
                seq: commit.seq,
                code: Code::Internal,
                reason: reason.to_owned(),
                retry_after_ms: Some(retry_after_ms),
            };
            self.reject(session, bad, last + 1);
        }
        self.replies.append(&mut replies);
        self.reply();
        Ok(())
    }

    /// Builds the room anew from the store, and tells everybody what the log has that they don't.
    async fn reload(&mut self) -> Result<(), Ended> {
        let store = self.rooms.store().clone();
        let opened = match store.open(&self.id).await {
            Ok(Some(opened)) => opened,
            Ok(None) => return Err(Ended::Deleted { by: None }),
            Err(error) => return Err(self.failed(&error)),
        };
        let heard = self.heard;
        if opened.epoch != self.room.epoch() {
            return Err(Ended::Failed);
        }
        let mut tail = self.rooms.tail();
        let room = log::rebuild(opened, self.rooms.limits(), &mut tail);
        self.room = room.map_err(|error| self.failed(&error))?;
        self.answers = Answers::default();
        self.listing = listing_of(self.room.dashboard(), 0, None);
        self.outline_outdated = false;
        if self.room.revision() > heard {
            let missed = store.tail(&self.id, heard, Most::commits(KEEP_COMMITS as usize)).await;
            let missed = missed.map_err(|error| self.failed(&error))?;
            let whole = missed.first().is_some_and(|first| first.revision == heard + 1)
                && missed.last().is_some_and(|last| last.revision == self.room.revision());
            if !whole {
                return Err(Ended::Failed);
            }
            let bodies: Vec<Arc<str>> = missed.into_iter().map(|commit| commit.body).collect();
            self.send_commits(&bodies, None);
        }
        self.tail = tail;
        self.heard = self.room.revision();
        let windows = self.feed.rebuilt(self.room.dashboard());
        self.send_data(windows);
        self.count_open_conflicts();
        Ok(())
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Ended {
        tracing::error!(dashboard = %self.id, %error, "the room cannot go on");
        Ended::Failed
    }
}

/// Why a change waits with its author, and when it is pushed again, in milliseconds.
fn not_saved(error: &StoreError) -> (&'static str, u64) {
    match error {
        StoreError::Full(_) => (
            "The server's disk is full. What you did is kept here, and saved by itself as soon as there is room.",
            FAILED_RETRY_MS,
        ),
        StoreError::Damaged(_) => (
            "The server could not save this, because the database is damaged where this dashboard is. What you \
             did is kept here. Whoever runs the server can put back a backup.",
            DAMAGED_RETRY_MS,
        ),
        _ => ("The server could not save this yet.", FAILED_RETRY_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Dashboard, Op, User};
    use crate::server::access::Access;
    use crate::server::access::who::Principal;
    use crate::server::data::sources::Sources;
    use crate::server::limits::Limits;
    use crate::server::rooms::input::{Member, Seat, Unanswered};
    use crate::server::rooms::outbound::Outbound;
    use crate::server::rooms::resume_token::ResumeTokens;
    use crate::server::rooms::{Rooms, Slot};
    use crate::server::store::memory::MemoryStore;
    use crate::sync::protocol::{Change, Role};
    use crate::sync::room::{Author, Verdict};

    fn title(seq: u64, value: &str) -> Change {
        let op = Op::SetDashboard { field: "title".to_owned(), value: value.into() };
        Change { seq, base: 0, ops: vec![op], age_ms: None }
    }

    #[tokio::test]
    async fn s3_nothing_half_applied_is_kept_or_told_after_a_panic() {
        let limits = Arc::new(Limits::default());
        let store = Arc::new(MemoryStore::default());
        let rooms = Rooms::new(
            store,
            Arc::new(Access::open_to_all()),
            limits.clone(),
            Arc::default(),
            Sources::new([], limits.clone()),
        );
        let id = rooms.create_with(Dashboard::new("Start")).await.expect("made");
        let opened = rooms.store().open(&id).await.expect("opens").expect("is there");
        let tokens = ResumeTokens::new(&[0; 32], &id);
        let slot = Arc::new(Slot::default());
        let mut live = Live::new(id, rooms.clone(), slot, opened, tokens).expect("reads");
        let author = Author {
            client: ClientId::new("c1").expect("an id"),
            by: User::default(),
            role: Role::Editor,
            may_query: true,
        };
        let (session, outbound) = (SessionId::new("s1").expect("an id"), Arc::new(Outbound::new(&limits)));
        let seat = Seat::default();
        let member = Member {
            session: session.clone(),
            principal: Principal::Anyone,
            owner: false,
            author: author.clone(),
            address: None,
            outbound: outbound.clone(),
            seat,
            follows_compactions: true,
        };
        live.join(member, None, Unanswered::default(), 1).await;
        while outbound.try_next_frame().is_some() {}

        live.judge(&session, &title(1, "whole"), 1).await.expect("judged");
        // What a panic in the middle of the next change leaves behind.
        let verdict = live.room.judge(&author, &title(2, "half"), 2);
        assert!(matches!(verdict, Verdict::Committed(_)));
        live.survive(session, &author.client, 2).await.expect("goes on");
        live.flush().await.expect("goes on");

        assert_eq!((live.room.revision(), &*live.room.dashboard().title), (1, "whole"));
        assert_eq!(rooms.list().await.expect("a list")[0].listing.title, "whole");
        let told: Vec<String> =
            std::iter::from_fn(|| outbound.try_next_frame()).map(|frame| frame.text()).collect();
        assert!(told.iter().all(|frame| !frame.contains("half")), "{told:?}");
        let [commits, rejected] = &told[..] else { panic!("two frames: {told:?}") };
        assert!(commits.contains("\"commits\"") && commits.contains("whole"), "{commits}");
        assert!(rejected.contains("\"invalid\"") && rejected.contains("\"expected\":2"), "{rejected}");
    }
}
