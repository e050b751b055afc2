//! The people of a room: joining, leaving, presence, and the live figures that they see.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::{Live, Member, PRESENCE_EVERY, frames};
use crate::app::access::Role;
use crate::dashboard::{SessionId, User};
use crate::server::access::screens::MAX_SCREENS;
use crate::server::access::who::Principal;
use crate::server::rooms::RoomError;
use crate::server::rooms::input::Unanswered;
use crate::server::rooms::outbound::Outbound;
use crate::server::store::{KEEP_COMMITS, Most};
use crate::server::unsent::{Busy, Share};
use crate::sync::presence;
use crate::sync::protocol::{self, Code, DataFrame, Presence, Resume, close};

/// When those come back for whom there was no room among what waits to be sent: slow readers are let go of
/// by then.
const BUSY_RETRY_MS: u64 = 1_000;
/// The part of a room's seats that is for guests, by a link or by guest mode: a half.
const VISITORS_PART: usize = 2;

impl Live {
    /// Takes a session in, or tells it why not.
    pub(super) async fn join(
        &mut self,
        mut member: Member,
        resume: Option<Resume>,
        unanswered: Unanswered,
        now_ms: u64,
    ) {
        let rejoins = self.members.contains_key(&member.session);
        if !self.admit(&mut member) {
            return;
        }
        self.fence_off(&member);
        let is_screen = member.is_screen();
        let screens = self.members.values().filter(|other| other.is_screen()).count();
        if !rejoins && is_screen && screens >= MAX_SCREENS {
            self.rooms.metrics().rejected(Code::Full);
            let reason = "As many screens show this dashboard as may.";
            member.outbound.send(frames::error(Code::Full, reason, None));
            return;
        }
        let people = self.members.len() - screens;
        if !rejoins && !is_screen && people >= self.rooms.limits().sessions_per_room {
            self.rooms.metrics().rejected(Code::Full);
            member.outbound.send(frames::error(
                Code::Full,
                "This dashboard has no room for more people.",
                None,
            ));
            return;
        }
        let is_visitor = |member: &Member| matches!(member.principal, Principal::Link(_) | Principal::Public);
        let most = self.rooms.limits().sessions_per_room / VISITORS_PART;
        let visitors = || self.members.values().filter(|other| is_visitor(other)).count();
        if !rejoins && is_visitor(&member) && visitors() >= most {
            self.rooms.metrics().rejected(Code::Full);
            let reason = "As many guests are on this dashboard as may be. The other places are for people with \
                          an account.";
            member.outbound.send(frames::error(Code::Full, reason, None));
            return;
        }
        let is_there = |other: &Member| other.address == member.address && !other.is_screen();
        let from_there = |other: &&Member| member.address.is_some() && is_there(other);
        let most = self.rooms.limits().room_sessions_per_address;
        if !rejoins && !is_screen && self.members.values().filter(from_there).count() >= most {
            self.rooms.metrics().rejected(Code::Full);
            let reason = "As many people are on this dashboard from your network as may from one. The other \
                          places are for others.";
            member.outbound.send(frames::error(Code::Full, reason, None));
            return;
        }
        // Who takes a compaction for an edit could not go on from it.
        let compacted_at = self.room.compacted_at();
        let resume = resume.filter(|at| member.follows_compactions || at.revision >= compacted_at);
        let Ok(content) = self.content_for(resume).await else {
            self.rooms.metrics().rejected(Code::Full);
            let reason = "More waits to be sent on this server than it has room for. What you wrote is \
                          kept; join again in a moment.";
            member.outbound.send(frames::error(Code::Full, reason, Some(BUSY_RETRY_MS)));
            // Who was here already is not any more, or it would miss what it asked for.
            return self.leave(&member.session);
        };
        // The log may have been read meanwhile, and the role gone.
        if !self.admit(&mut member) {
            return;
        }
        // Those who were here get the points up to now first; then all have the same ones.
        let (news, windows) = self.feed.join(&self.id, self.room.dashboard());
        self.send_data(news);
        // A screen is nobody whom others see.
        if !rejoins && !is_screen {
            self.presence.set(&member.session, &member.author.by, Presence::default(), now_ms);
        }
        member.outbound.answer(self.joined_frame(&member, content).holding(unanswered));
        if let Some(windows) = windows {
            member.outbound.answer(windows);
        }
        self.members.insert(member.session.clone(), member);
        self.publish_people();
        self.presence_changed();
    }

    /// Gives somebody who joins the role that they have by now. False where they have none, and are told so.
    fn admit(&mut self, member: &mut Member) -> bool {
        let access = self.rooms.access();
        let Some(role) = access.role(&member.principal, &self.id) else {
            self.rooms.metrics().rejected(Code::NotFound);
            let reason = RoomError::NotFound.to_string();
            member.outbound.send(frames::error_of(&self.id, Code::NotFound, reason));
            self.leave(&member.session);
            return false;
        };
        (member.author.role, member.owner) = (role.to_wire(), role == Role::Owner);
        member.author.may_query = access.may_query_on(&member.principal, &self.id);
        true
    }

    /// Takes changes of roles since the last look: before anything is judged, and before anything is told. In between
    /// the room waits for the disk.
    pub(super) fn follow_roles(&mut self) {
        if self.access.has_changed().unwrap_or(false) {
            self.update_roles();
        }
    }

    /// Gives everybody here the role that they have by now, and lets go of those who have none. The others hear of it with
    /// the next replies.
    pub(super) fn update_roles(&mut self) {
        self.access.mark_unchanged();
        let access = self.rooms.access().clone();
        let mut gone = Vec::new();
        let mut readers = Vec::new();
        for (session, member) in &mut self.members {
            let Some(role) = access.role(&member.principal, &self.id) else {
                gone.push(session.clone());
                continue;
            };
            let owner = role == Role::Owner;
            member.author.may_query = access.may_query_on(&member.principal, &self.id);
            if (member.author.role, member.owner) == (role.to_wire(), owner) {
                continue;
            }
            (member.author.role, member.owner) = (role.to_wire(), owner);
            self.role_frames.push((session.clone(), frames::role(&self.id, member.author.role, owner)));
            if role == Role::Viewer {
                readers.push(session.clone());
            }
        }
        for session in gone {
            let Some(member) = self.members.get(&session) else { continue };
            let reason = "You no longer have access to this dashboard.";
            self.rooms.metrics().rejected(Code::Forbidden);
            member.outbound.send(frames::error_of(&self.id, Code::Forbidden, reason));
            self.leave(&session);
        }
        for session in readers {
            // Who only reads is here, and does nothing that shows.
            if let Some(member) = self.members.get(&session) {
                let now_ms = crate::server::clock::now_ms();
                self.presence.set(&session, &member.author.by, Presence::default(), now_ms);
            }
        }
        self.presence_changed();
    }

    /// Answers a session that sends before it knows that it was not let in. One that was fenced off
    /// has ended and hears nothing.
    pub(super) fn answer_stranger(&self, outbound: &Outbound) {
        if outbound.send(frames::error(Code::NotJoined, "Join the dashboard first.", None)) {
            self.rooms.metrics().rejected(Code::NotJoined);
        }
    }

    /// A `joined` frame for one session.
    fn joined_frame(&self, member: &Member, content: frames::Content) -> frames::Frame {
        frames::joined(frames::JoinedParts {
            dashboard: &self.id,
            role: member.author.role,
            owner: member.owner,
            epoch: self.room.epoch(),
            revision: self.room.revision(),
            token: self.token().as_deref(),
            last_seq: self.room.last_seq(&member.author.client),
            content,
            peers: &self.presence.peers(),
        })
    }

    /// Ends an older session of the same client: frames that it still sends must not be judged among
    /// those of the new one, which may have numbered its changes anew.
    fn fence_off(&mut self, newer: &Member) {
        let same =
            |member: &&Member| member.author.client == newer.author.client && member.session != newer.session;
        let Some(older) = self.members.values().find(same).map(|member| member.session.clone()) else {
            return;
        };
        if let Some(older) = self.members.remove(&older) {
            older.outbound.end(close::TOO_MANY, "joined again elsewhere");
            self.presence.withdraw(&older.session);
        }
    }

    pub(super) fn leave(&mut self, session: &SessionId) {
        if self.members.remove(session).is_some() {
            self.presence.withdraw(session);
            self.empty_since = Instant::now();
            // Who is just coming in looks too, and has windows already that the news follow.
            if self.members.is_empty() && self.joining.is_none() {
                self.feed.pause();
            }
            self.publish_people();
            self.presence_changed();
        }
    }

    /// The tail where the log still has it and it is not too large for one frame, else a snapshot (S7).
    async fn content_for(&mut self, resume: Option<Resume>) -> Result<frames::Content, Busy> {
        let unsent = self.rooms.unsent().clone();
        let resume = resume.filter(|at| at.epoch == self.room.epoch() && at.revision <= self.room.revision());
        if let Some(Resume { revision, .. }) = resume {
            if revision == self.room.revision() {
                return Ok(frames::Content::Nothing);
            }
            if let Some(share) = self.answers.commits(&unsent, revision) {
                return share.map(frames::Content::Commits);
            }
            let bodies = match self.tail.after(revision) {
                Some(bodies) => Some(bodies),
                None => self.stored_after(revision).await,
            };
            if let Some(bodies) = bodies {
                let share = self.answers.encode_commits(&unsent, revision, &bodies);
                return share.map(frames::Content::Commits);
            }
        }
        self.encoded().map(frames::Content::Snapshot)
    }

    /// Every commit after a revision out of the store; `None` where it has not all of them, or they are too
    /// much for one frame.
    async fn stored_after(&self, revision: u64) -> Option<Vec<Arc<str>>> {
        let last = self.room.revision();
        if last - revision > KEEP_COMMITS {
            return None;
        }
        // No more of it than is kept in memory at most.
        let most = Most { commits: KEEP_COMMITS as usize, bytes: self.rooms.limits().tail_bytes };
        let stored = self.rooms.store().tail(&self.id, revision, most).await.ok()?;
        let whole = stored.first()?.revision == revision + 1 && stored.last()?.revision == last;
        whole.then(|| stored.into_iter().map(|commit| commit.body).collect())
    }

    /// The dashboard encoded, once for all who ask until the next commit.
    pub(super) fn encoded(&mut self) -> Result<Share, Busy> {
        let (room, unsent) = (&self.room, self.rooms.unsent());
        self.answers.snapshot(unsent, room.bytes(), || frames::json(room.dashboard()))
    }

    pub(super) fn set_presence(&mut self, session: &SessionId, presence: Option<Box<Presence>>, now_ms: u64) {
        let Some(member) = self.members.get(session) else { return };
        let refused = match &presence {
            _ if member.author.role == protocol::Role::Viewer => {
                Some((Code::Forbidden, "Your role here is viewer.".to_owned()))
            }
            Some(presence) => presence::check(presence).err().map(|reason| (Code::Invalid, reason)),
            None => None,
        };
        if let Some((code, reason)) = refused {
            self.rooms.metrics().rejected(code);
            member.outbound.send(frames::error(code, reason, None));
            return;
        }
        match presence {
            Some(presence) => self.presence.set(session, &member.author.by, *presence, now_ms),
            None => self.presence.withdraw(session),
        }
        self.presence_changed();
    }

    /// Sees to it that presence goes out: now, or when the last frame is old enough.
    pub(super) fn presence_changed(&mut self) {
        self.presence_due.get_or_insert(self.presence_at + PRESENCE_EVERY);
    }

    pub(super) fn send_presence(&mut self, now: Instant) {
        self.presence_due = None;
        let Some(peers) = self.presence.take_changed() else { return };
        self.presence_at = now;
        // Who is alone has nobody to show anything to; that somebody left is news even then.
        if self.members.len() > 1 || peers.keys().any(|session| !self.members.contains_key(session)) {
            self.rooms.metrics().presence_frames.fetch_add(1, Relaxed);
            self.send_all(frames::presence(&self.id, peers));
        }
    }

    /// Sends the points that came since the last time.
    pub(super) fn send_news(&mut self) {
        let news = self.feed.news();
        self.send_data(news);
    }

    /// Sends points to everybody.
    pub(super) fn send_data(&mut self, data: Vec<DataFrame>) {
        if data.is_empty() {
            return;
        }
        let windows = data.iter().any(|frame| frame.reset);
        let frame = self.charged(frames::data(&self.id, data));
        self.send_each(
            |outbound| if windows { outbound.windows(frame.clone()) } else { outbound.send(frame.clone()) },
        );
    }

    /// Queues one frame for everybody; it is never encoded again.
    pub(super) fn send_all(&mut self, frame: frames::Frame) {
        let frame = self.charged(frame);
        self.send_each(|outbound| outbound.send(frame.clone()));
    }

    /// A frame that counts among what waits to be sent, once for everybody here.
    fn charged(&self, frame: frames::Frame) -> frames::Frame {
        match self.rooms.unsent().charge_frame(frame.size()) {
            Some(charge) => frame.holding(charge),
            None => frame,
        }
    }

    fn send_each(&mut self, send: impl Fn(&Outbound) -> bool) {
        self.follow_roles();
        let mut ended = Vec::new();
        for member in self.members.values() {
            if !send(&member.outbound) {
                ended.push(member.session.clone());
            }
        }
        // Too slow, or its task is gone: no ghost stays.
        for session in ended {
            self.leave(&session);
        }
    }

    /// Says who is here, a person once, to those who list dashboards.
    fn publish_people(&self) {
        let mut people: Vec<User> = Vec::new();
        for member in self.members.values().filter(|member| !member.is_screen()) {
            if people.iter().all(|known| known.id != member.author.by.id) {
                people.push(member.author.by.clone());
            }
        }
        people.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        self.slot.set_people(people);
        self.rooms.listing_changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{ClientId, Dashboard, Op, UserId};
    use crate::server::access::directory::{Account, Change, Grantee};
    use crate::server::access::{Access, Mode};
    use crate::server::data::sources::Sources;
    use crate::server::limits::Limits;
    use crate::server::rooms::Rooms;
    use crate::server::rooms::input::{Input, Pushed, Seat};
    use crate::server::rooms::live::Slot;
    use crate::server::rooms::resume_token::ResumeTokens;
    use crate::server::store::memory::MemoryStore;
    use crate::sync::room::Author;

    fn title(seq: u64, value: &str) -> protocol::Change {
        let op = Op::SetDashboard { field: "title".to_owned(), value: value.into() };
        protocol::Change { seq, base: 0, ops: vec![op], age_ms: None }
    }

    /// A room, and whatever gives roles in it.
    async fn live() -> (Live, Arc<Access>) {
        let (limits, store) = (Arc::new(Limits::default()), Arc::new(MemoryStore::default()));
        let access = Access::open(store.clone(), |_| Mode::Accounts).await.expect("opens");
        let access = Arc::new(access);
        let sources = Sources::new([], limits.clone());
        let rooms = Rooms::new(store, access.clone(), limits, Arc::default(), sources);
        let id = rooms.create_with(Dashboard::new("Start")).await.expect("made");
        let opened = rooms.store().open(&id).await.expect("opens").expect("is there");
        let tokens = ResumeTokens::new(&[0; 32], &id);
        let live = Live::new(id, rooms, Arc::new(Slot::default()), opened, tokens).expect("reads");
        (live, access)
    }

    /// Gives somebody a role on the dashboard of a room, or takes it.
    async fn give(live: &Live, access: &Access, name: &str, role: Option<Role>) {
        let id = UserId::new(name).expect("an id");
        let account = Account {
            id: id.clone(),
            email: format!("{name}@example.com"),
            name: name.to_owned(),
            password: None,
            is_admin: false,
            made_at: 0,
            disabled_at: None,
        };
        let (dashboard, to) = (live.id.clone(), Grantee::Account(id));
        let changes = vec![Change::PutAccount(account), Change::SetGrant { dashboard, to, role }];
        access.change(changes).await.expect("changes");
    }

    /// Lets an editor in.
    async fn come(live: &mut Live, access: &Access, name: &str) -> (SessionId, Arc<Outbound>) {
        give(live, access, name, Some(Role::Editor)).await;
        let id = UserId::new(name).expect("an id");
        let outbound = Arc::new(Outbound::new(live.rooms.limits()));
        let member = Member {
            session: SessionId::new(name).expect("an id"),
            principal: Principal::Account(id.clone()),
            owner: false,
            author: Author {
                client: ClientId::new(name).expect("an id"),
                by: User { id, ..User::default() },
                role: protocol::Role::Viewer,
                may_query: false,
            },
            address: None,
            outbound: outbound.clone(),
            seat: Seat::default(),
            follows_compactions: true,
        };
        let session = member.session.clone();
        live.join(member, None, Unanswered::default(), 1).await;
        assert!(frames_of(&outbound)[0].contains("\"editor\""));
        (session, outbound)
    }

    fn frames_of(outbound: &Outbound) -> Vec<String> {
        std::iter::from_fn(|| outbound.try_next_frame()).map(|frame| frame.text()).collect()
    }

    #[tokio::test]
    async fn who_loses_a_dashboard_while_the_disk_writes_is_not_told_what_it_wrote() {
        let (mut live, access) = live().await;
        let (ada, hers) = come(&mut live, &access, "ada").await;
        let (_, his) = come(&mut live, &access, "bob").await;
        live.judge(&ada, &title(1, "secret"), 1).await.expect("judged");
        give(&live, &access, "bob", None).await;
        live.flush().await.expect("goes on");
        let (hers, his) = (frames_of(&hers), frames_of(&his));
        assert!(hers.iter().any(|frame| frame.contains("secret")), "{hers:?}");
        assert!(his.iter().all(|frame| !frame.contains("secret")), "{his:?}");
        assert!(his.iter().any(|frame| frame.contains("\"forbidden\"")), "{his:?}");
    }

    #[tokio::test]
    async fn a_role_that_goes_counts_for_what_was_taken_out_of_the_inbox_before() {
        let (mut live, access) = live().await;
        let (session, outbound) = come(&mut live, &access, "ada").await;
        let first = vec![Pushed::Change(title(1, "first"))];
        let outbound_of = || outbound.clone();
        let push = Input::Push { session: session.clone(), outbound: outbound_of(), changes: first };
        live.take_one(push, 1).await.expect("taken");
        give(&live, &access, "ada", Some(Role::Viewer)).await;
        let later = vec![Pushed::Change(title(1, "first")), Pushed::Change(title(2, "later"))];
        live.take_one(Input::Push { session, outbound: outbound_of(), changes: later }, 1)
            .await
            .expect("taken");
        live.flush().await.expect("goes on");
        assert_eq!((live.room.revision(), &*live.room.dashboard().title), (1, "first"));
        let told = frames_of(&outbound);
        let of_type =
            |name: &str| told.iter().position(|frame| frame.contains(&format!("\"type\":\"{name}\"")));
        assert!(of_type("commits") < of_type("role") && of_type("role") < of_type("rejected"), "{told:?}");
        let forbidden = told.iter().filter(|frame| frame.contains("\"forbidden\"")).collect::<Vec<_>>();
        assert!(matches!(forbidden[..], [one] if one.contains("\"seq\":2")), "{told:?}");
    }
}
