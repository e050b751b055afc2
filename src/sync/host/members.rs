//! The members of a room: joining, leaving, roles, presence.

use std::time::Duration;

use super::log::LogCommit;
use super::messages::{Admitted, Join, LogError, Output, Preparation, Prepared, Request, Tick, Time};
use super::{Host, Phase};
use crate::dashboard::{SessionId, User};
use crate::sync::presence;
use crate::sync::protocol::{Code, Presence, Resume, Role, ServerMessage};
use crate::sync::room::Author;

/// Presence goes out at most this often: as fast as a hand is seen to move.
const PRESENCE_EVERY: Duration = Duration::from_millis(33);
/// How often silent presence is looked for; its time to live is three times this.
pub(super) const EXPIRE_EVERY: Duration = Duration::from_secs(10);
/// When those come back for whom there was no room among what waits to be sent: slow readers are let go of
/// by then.
const BUSY_RETRY_MS: u64 = 1_000;
/// The part of a room's seats that is for guests: a half.
const GUESTS_PART: usize = 2;

/// A session of a room.
#[derive(Clone, Debug)]
pub struct Member<E> {
    pub session: SessionId,
    /// With the role that it had when the room was told last.
    pub author: Author,
    /// True for an owner of the dashboard.
    pub owner: bool,
    pub kind: MemberKind,
    /// Where it comes from, as far as its seats are counted by that.
    pub network: Option<u128>,
    /// False for a client that takes a compaction of a note for an edit like any other.
    pub follows_compactions: bool,
    /// The way to it.
    pub endpoint: E,
}

/// What a session is, for the seats of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    Person,
    /// Somebody without an account, by a link or by guest mode.
    Guest,
    /// A television: nobody sits at it, it takes no place of a person, and others do not see it.
    Screen,
}

/// What a session may do on the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub role: Role,
    pub owner: bool,
    pub may_query: bool,
}

impl<E> Member<E> {
    fn is_screen(&self) -> bool {
        self.kind == MemberKind::Screen
    }

    /// Takes what the session may do by now. True where its role is another.
    fn take(&mut self, Grant { role, owner, may_query }: Grant) -> bool {
        let before = (self.author.role, self.owner);
        (self.author.role, self.owner, self.author.may_query) = (role, owner, may_query);
        before != (role, owner)
    }
}

impl<E> Host<E> {
    /// Lets a session in that followed this history of the log, or tells it why not.
    pub(super) fn decide_content(&mut self, now: Time, out: &mut Vec<Output<E>>) {
        let Some(mut join) = self.joining.take() else { return };
        let Some(grant) = join.grant else { return self.turn_away(*join, now, out) };
        join.member.take(grant);
        self.fence_off(&join.member, out);
        if let Some(reason) = self.why_full(&join.member) {
            let message = error(Code::Full, reason, None);
            return out.push(Output::Dismiss { endpoint: join.member.endpoint, message });
        }
        // Who takes a compaction for an edit could not go on from it.
        let (compacted_at, epoch, revision) =
            (self.room.compacted_at(), self.room.epoch(), self.room.revision());
        let follows = |at: &Resume| join.member.follows_compactions || at.revision >= compacted_at;
        let resume = join.resume.take().filter(follows);
        let after = resume.filter(|at| at.epoch == epoch && at.revision <= revision).map(|at| at.revision);
        self.joining = Some(join);
        match after {
            Some(after) if after == revision => self.admit(now, out),
            Some(after) => self.prepare(Preparation::Tail { after }, out),
            None => self.prepare(Preparation::Snapshot, out),
        }
    }

    fn prepare(&mut self, preparation: Preparation, out: &mut Vec<Output<E>>) {
        let after = match &preparation {
            Preparation::Tail { after } => Some(*after),
            Preparation::Snapshot | Preparation::Stored { .. } => None,
        };
        self.phase = Phase::Preparing { after };
        out.push(Output::Request(Request::Prepare(preparation)));
    }

    /// The large part of the answer is ready, or is not.
    pub(super) fn prepared(
        &mut self,
        after: Option<u64>,
        prepared: Prepared,
        now: Time,
        out: &mut Vec<Output<E>>,
    ) {
        match (prepared, after) {
            (Prepared::Ready, _) => self.admit(now, out),
            (Prepared::Missing, Some(after))
                if self.room.revision() - after <= self.limits.log_commits as u64 =>
            {
                // No more of it than is kept in memory at most.
                let (commits, bytes) = (self.limits.log_commits, self.limits.tail_bytes);
                self.phase = Phase::ReadingTail { after };
                out.push(Output::Request(Request::Tail { after, commits, bytes }));
            }
            (Prepared::Missing, _) => self.prepare(Preparation::Snapshot, out),
            (Prepared::Busy, _) => {
                let Some(join) = self.joining.take() else { return };
                let reason = "More waits to be sent on this server than it has room for. What you wrote is \
                              kept; join again in a moment.";
                let message = error(Code::Full, reason, Some(BUSY_RETRY_MS));
                let Join { member, .. } = *join;
                out.push(Output::Dismiss { endpoint: member.endpoint, message });
                // Who was here already is not any more, or it would miss what it asked for.
                self.leave(&member.session, now, out);
            }
        }
    }

    /// What the log has after the revision of the one who joins has been read: all of it, or it is a snapshot.
    pub(super) fn read_tail(
        &mut self,
        after: u64,
        read: Result<Vec<LogCommit>, LogError>,
        out: &mut Vec<Output<E>>,
    ) {
        let bodies = read.ok().and_then(|read| self.whole_tail(after, read));
        let stored = bodies.map(|bodies| Preparation::Stored { after, bodies });
        self.prepare(stored.unwrap_or(Preparation::Snapshot), out);
    }

    /// Makes the one who joins a member.
    fn admit(&mut self, now: Time, out: &mut Vec<Output<E>>) {
        let Some(mut join) = self.joining.take() else { return };
        // The log may have been read meanwhile, and the role gone.
        let Some(grant) = join.grant else { return self.turn_away(*join, now, out) };
        join.member.take(grant);
        let Join { member, .. } = *join;
        let session = member.session.clone();
        let rejoins = self.members.contains_key(&session);
        // A screen is nobody whom others see.
        if !rejoins && !member.is_screen() {
            self.presence.set(&session, &member.author.by, Presence::default(), now.unix_ms);
        }
        out.push(Output::Joined(Box::new(Admitted {
            session: session.clone(),
            rejoins,
            role: member.author.role,
            owner: member.owner,
            revision: self.room.revision(),
            end: self.log_end(),
            last_seq: self.room.last_seq(&member.author.client),
            peers: self.presence.peers(),
        })));
        self.members.insert(session, member);
        out.push(Output::PeopleChanged);
        self.presence_changed();
    }

    /// Tells one who joins that the dashboard is not there for them.
    fn turn_away(&mut self, join: Join<E>, now: Time, out: &mut Vec<Output<E>>) {
        let Join { member, .. } = join;
        let message = self.error_here(Code::NotFound, "There is no such dashboard.");
        out.push(Output::Dismiss { endpoint: member.endpoint, message });
        self.leave(&member.session, now, out);
    }

    /// Why there is no seat for one who joins; `None` where there is, and for one who is here already.
    fn why_full(&self, member: &Member<E>) -> Option<&'static str> {
        if self.members.contains_key(&member.session) {
            return None;
        }
        let screens = self.members.values().filter(|other| other.is_screen()).count();
        if member.is_screen() {
            let full = screens >= self.limits.screens;
            return full.then_some("As many screens show this dashboard as may.");
        }
        if self.members.len() - screens >= self.limits.sessions {
            return Some("This dashboard has no room for more people.");
        }
        let is_guest = |member: &Member<E>| member.kind == MemberKind::Guest;
        let guests = || self.members.values().filter(|other| is_guest(other)).count();
        if is_guest(member) && guests() >= self.limits.sessions / GUESTS_PART {
            return Some(
                "As many guests are on this dashboard as may be. The other places are for people with an account.",
            );
        }
        let is_there = |other: &&Member<E>| other.network == member.network && !other.is_screen();
        let from_there = || self.members.values().filter(is_there).count();
        let full = member.network.is_some() && from_there() >= self.limits.sessions_per_network;
        full.then_some(
            "As many people are on this dashboard from your network as may from one. The other places are for \
             others.",
        )
    }

    /// Gives everybody the role that they have by now, and lets go of those who have none. The others hear of
    /// it with the next replies.
    pub(super) fn set_roles(
        &mut self,
        grants: Vec<(SessionId, Option<Grant>)>,
        now: Time,
        out: &mut Vec<Output<E>>,
    ) {
        for (session, grant) in grants {
            if let Some(join) = self.joining.as_mut().filter(|join| join.member.session == session) {
                join.grant = grant;
            }
            let Some(member) = self.members.get_mut(&session) else { continue };
            let Some(grant) = grant else {
                if let Some(member) = self.remove(&session, now, out) {
                    let reason = "You no longer have access to this dashboard.";
                    let message = self.error_here(Code::Forbidden, reason);
                    out.push(Output::Dismiss { endpoint: member.endpoint, message });
                }
                continue;
            };
            if !member.take(grant) {
                continue;
            }
            let (dashboard, role, owner) = (self.id.clone(), grant.role, grant.owner);
            if role == Role::Viewer {
                // Who only reads is here, and does nothing that shows.
                self.presence.set(&session, &member.author.by, Presence::default(), now.unix_ms);
            }
            self.role_replies.push((session, ServerMessage::Role { dashboard, role, owner }));
        }
        self.presence_changed();
    }

    /// Ends an older session of the same client: frames that it still sends must not be judged among
    /// those of the new one, which may have numbered its changes anew.
    fn fence_off(&mut self, newer: &Member<E>, out: &mut Vec<Output<E>>) {
        let same = |member: &&Member<E>| {
            member.author.client == newer.author.client && member.session != newer.session
        };
        let older = self.members.values().find(same).map(|member| member.session.clone());
        if let Some(older) = older.and_then(|older| self.members.remove(&older)) {
            self.presence.withdraw(&older.session);
            out.push(Output::Fence(older.endpoint));
        }
    }

    pub(super) fn leave(&mut self, session: &SessionId, now: Time, out: &mut Vec<Output<E>>) {
        self.remove(session, now, out);
    }

    fn remove(&mut self, session: &SessionId, now: Time, out: &mut Vec<Output<E>>) -> Option<Member<E>> {
        let member = self.members.remove(session)?;
        self.presence.withdraw(session);
        self.empty_since = now.elapsed;
        if self.members.is_empty() {
            out.push(Output::Deserted);
        }
        out.push(Output::PeopleChanged);
        self.presence_changed();
        Some(member)
    }

    pub(super) fn set_presence(
        &mut self,
        session: &SessionId,
        presence: Option<Box<Presence>>,
        now: Time,
        out: &mut Vec<Output<E>>,
    ) {
        let Some(member) = self.members.get(session) else { return out.push(Output::NotJoined) };
        let refused = match &presence {
            _ if member.author.role == Role::Viewer => {
                Some((Code::Forbidden, "Your role here is viewer.".to_owned()))
            }
            Some(presence) => presence::check(presence).err().map(|reason| (Code::Invalid, reason)),
            None => None,
        };
        if let Some((code, reason)) = refused {
            let (to, message) = (session.clone(), error(code, reason, None));
            return out.push(Output::Send { to, message });
        }
        match presence {
            Some(presence) => self.presence.set(session, &member.author.by, *presence, now.unix_ms),
            None => self.presence.withdraw(session),
        }
        self.presence_changed();
    }

    /// Sees to it that presence goes out: now, or when the last frame is old enough.
    fn presence_changed(&mut self) {
        self.presence_due.get_or_insert(self.presence_at + PRESENCE_EVERY);
    }

    fn send_presence(&mut self, now: Time, out: &mut Vec<Output<E>>) {
        self.presence_due = None;
        let Some(peers) = self.presence.take_changed() else { return };
        self.presence_at = now.elapsed;
        // Who is alone has nobody to show anything to; that somebody left is news even then.
        if self.members.len() > 1 || peers.keys().any(|session| !self.members.contains_key(session)) {
            out.push(Output::Presence(peers));
        }
    }

    /// Sends presence that is due, and lets go of what is silent.
    pub(super) fn keep_presence(&mut self, tick: Tick, now: Time, out: &mut Vec<Output<E>>) {
        if self.presence_due.is_some_and(|due| due <= now.elapsed) {
            self.send_presence(now, out);
        }
        if self.expire_at <= now.elapsed {
            self.expire_at = now.elapsed + EXPIRE_EVERY;
            self.presence.expire(now.unix_ms);
            self.tail.share(tick.rooms);
            self.presence_changed();
        }
    }

    /// Who is here, a person once, by name.
    pub fn people(&self) -> Vec<User> {
        let mut people: Vec<User> = Vec::new();
        for member in self.members.values().filter(|member| !member.is_screen()) {
            if people.iter().all(|known| known.id != member.author.by.id) {
                people.push(member.author.by.clone());
            }
        }
        people.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        people
    }

    fn error_here(&self, code: Code, reason: &str) -> ServerMessage {
        let (reason, dashboard) = (reason.to_owned(), Some(self.id.clone()));
        ServerMessage::Error { code, reason, retry_after_ms: None, in_bin: false, dashboard }
    }
}

fn error(code: Code, reason: impl Into<String>, retry_after_ms: Option<u64>) -> ServerMessage {
    ServerMessage::Error { code, reason: reason.into(), retry_after_ms, in_bin: false, dashboard: None }
}
