//! Handling of server messages in this tab.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::app::{access, activity};
use crate::dashboard::{Dashboard, Op};
use crate::sync::link::{Ended, State};
use crate::sync::protocol::{Code, Joined, Peers, Role, ServerMessage, close};
use crate::sync::replica::{Changes, Lost, Replica, StoredQueue, Taken};

use super::super::account;
use super::super::clock::{monotonic_ms, random, wall_ms};
use super::super::services::UNSAVED_CUT_MS;
use super::super::{data, told};
use super::{ComingBack, Services};

/// The wait after a join that was turned down for now, where the server names none.
const JOIN_AGAIN_MS: u64 = 5_000;
/// How often a dashboard in the bin is looked for: who restored it elsewhere has everybody back soon.
const BIN_EVERY_MS: u64 = 10_000;

impl Services {
    /// Takes what the server says. True where the room has to be joined (again).
    pub(super) fn take(&mut self, message: ServerMessage) -> bool {
        let now = monotonic_ms();
        match message {
            ServerMessage::Welcome { client, session, user, build, now: server_ms, .. } => {
                if let Some(server_ms) = server_ms {
                    let ahead = self.store.server_ahead_ms.get_value();
                    let (_, ahead) = activity::here_at(server_ms, wall_ms(), ahead, true);
                    self.store.server_ahead_ms.set_value(ahead);
                }
                self.store.outdated.set(build != self.build);
                self.link.welcomed(now);
                self.client = Some(client);
                self.session = Some(session.clone());
                self.user = user.clone();
                self.store.session.set(Some(session));
                self.store.me.set(user);
                let is_of_another =
                    account::current().is_some_and(|account| account != self.user.id.as_str());
                if is_of_another && self.replica.pending() == 0 {
                    // Somebody else signed in to this browser: this page, and what it keeps, is not theirs.
                    let _ = self.keeping.stop();
                    // Fails for no page that is shown.
                    let _ = window().location().reload();
                    return false;
                }
                return !self.is_held();
            }
            ServerMessage::Joined(joined) => return self.joined(*joined),
            ServerMessage::Commits { forgotten: Some(seq), .. } => {
                let changes = self.replica.forgotten(seq);
                self.hear(changes);
            }
            ServerMessage::Commits { commits, digest, full_digest, token, .. } => {
                let digest = full_digest.or(digest);
                let Taken { changes, lost } = self.replica.commits(commits, digest.as_deref(), token);
                self.hear(changes);
                return self.lost(lost);
            }
            ServerMessage::Rejected { seq, code, reason, expected, retry_after_ms, .. } => {
                self.room_error = (code != Code::OutOfOrder).then(|| reason.clone());
                if let Some(wait) = retry_after_ms {
                    self.push_after = now + wait;
                }
                let changes = self.replica.rejected(seq, code, reason, expected);
                self.hear(changes);
                return code == Code::NotJoined;
            }
            ServerMessage::Presence { peers, .. } => self.peers(peers),
            ServerMessage::Data { frames, .. } => {
                self.last_data_at = Some(now);
                data::show(&self.store, frames, wall_ms());
            }
            ServerMessage::Pong { id } => self.link.ponged(now, id),
            ServerMessage::Role { dashboard, role, owner } => {
                if dashboard == self.dashboard {
                    self.take_role(role, owner);
                }
            }
            ServerMessage::Error { code, reason, retry_after_ms, in_bin, dashboard } => {
                self.note_bin(code, &reason, in_bin);
                // The room let this tab go.
                self.joined &= dashboard.as_ref() != Some(&self.dashboard);
                return self.error(code, reason, retry_after_ms);
            }
        }
        false
    }

    /// Takes the role that the room gives. What is pending and needs a higher one is handed back as the room turns it
    /// down.
    fn take_role(&mut self, role: Role, owner: bool) {
        self.replica.set_role(role);
        let shown = match role {
            Role::Viewer => access::Role::Viewer,
            Role::Editor if owner => access::Role::Owner,
            Role::Editor => access::Role::Editor,
        };
        if self.store.role.with_untracked(|before| *before != shown) {
            self.store.role.set(shown);
        }
    }

    /// True where the edits that wait were made as somebody else: they are not sent in another's name
    /// until that person says so.
    fn is_held(&mut self) -> bool {
        let (by, me) = (&self.keeping.made_by, &self.user);
        if self.replica.pending() == 0 || by.id == me.id {
            return false;
        }
        self.held = Some(format!("The edits below were made as {}. You are {} now.", by.name, me.name));
        self.socket = None;
        self.link.closed(monotonic_ms(), close::FORBIDDEN, 0);
        true
    }

    /// True where the room has to be joined again.
    fn joined(&mut self, joined: Joined) -> bool {
        let Some(client) = self.client.clone() else { return false };
        let peers = joined.peers.clone();
        let anew = self.ever_joined && joined.snapshot.is_some();
        let away_ms = self.cut_at.map_or(0, |at| monotonic_ms().saturating_sub(at));
        let waited = self.replica.pending();
        self.take_role(joined.role, joined.owner);
        let Taken { changes, lost } = self.replica.joined(&client, &self.user, joined);
        if lost.is_none() {
            self.joined = true;
            self.ever_joined = true;
            self.join_by = None;
            self.cut_at = None;
            self.socket_error = None;
            self.withdrawn = false;
            self.wipe_peers();
            self.peers(peers);
            if self.in_bin.take().is_some() {
                self.store.toast("This dashboard is back from the bin.", None);
            }
        }
        if anew {
            // What came in between is not known, nor what it was before.
            self.store.forget_steps(None);
            told::taken_anew(&self.store, &changes, wall_ms().saturating_sub(away_ms.max(1)));
        }
        if lost.is_none() && waited > 0 && (away_ms >= UNSAVED_CUT_MS || self.coming_back.is_some()) {
            let coming = self.coming_back.get_or_insert_default();
            coming.edits = coming.landed.all() + waited;
        }
        self.hear(changes);
        self.lost(lost)
    }

    /// Notes that the copy does not follow any more. True where it does not.
    fn lost(&mut self, lost: Option<Lost>) -> bool {
        if lost == Some(Lost::Digest) {
            self.resyncs += 1;
            leptos::logging::error!("This copy differed from the server's and is taken anew.");
        }
        lost.is_some()
    }

    /// Notes that the dashboard is in the bin, or is not there at all.
    fn note_bin(&mut self, code: Code, reason: &str, in_bin: bool) {
        if code == Code::NotFound {
            // Who looks again is told since when; who was here when it went knows better.
            self.in_bin = in_bin.then(|| self.in_bin.take().unwrap_or_else(|| reason.to_owned()));
            self.look_in_bin_at = monotonic_ms() + BIN_EVERY_MS + random() % BIN_EVERY_MS;
        }
    }

    /// Looks now and then, while somebody sees the page, whether the dashboard was restored.
    pub(super) fn look_in_bin(&mut self, now: u64) {
        let shows = document().visibility_state() == web_sys::VisibilityState::Visible;
        if self.in_bin.is_some() && shows && now >= self.look_in_bin_at {
            self.look_in_bin_at = now + BIN_EVERY_MS;
            self.link.retry(now);
        }
    }

    /// True where there is no such dashboard for this person, nor will there be.
    pub(super) fn is_gone(&self) -> bool {
        let is_over = [Ended::NotFound, Ended::Forbidden].map(State::Ended).contains(&self.link.state());
        is_over && self.in_bin.is_none() && self.held.is_none()
    }

    /// Takes from this page what others wrote, whose person may see no more of the dashboard. Own edits that wait are
    /// their author's to export or to throw away. False where there is nothing of either.
    pub(super) fn withdraw(&mut self) -> bool {
        let pending = self.replica.stored_queue().changes;
        if self.withdrawn && pending.is_empty() {
            return false;
        }
        let ops: Vec<Op> = pending.into_iter().flat_map(|change| change.ops).collect();
        self.store.withdraw(&ops, "You no longer had access.");
        let empty = Replica::new(random() >> 11, Dashboard::default(), self.user.clone());
        self.replica = empty.with_queue(StoredQueue::default());
        self.replica.set_role(Role::Viewer);
        self.keeping.forget_copy();
        self.wipe_peers();
        self.coming_back = None;
        self.withdrawn = true;
        true
    }

    /// Takes an error of the server. While a join is unanswered it is about that. True where the room
    /// has to be joined again at once.
    fn error(&mut self, code: Code, reason: String, retry_after_ms: Option<u64>) -> bool {
        let now = monotonic_ms();
        self.socket_error = Some(reason);
        if let Some(wait) = retry_after_ms {
            self.link.asked_to_wait(wait);
        }
        if self.joined || !self.link.is_open() {
            return code == Code::NotJoined;
        }
        self.replica.join_failed();
        let ends = match code {
            Code::NotFound => Some(close::NOT_FOUND),
            Code::Forbidden => Some(close::FORBIDDEN),
            _ => None,
        };
        match ends {
            Some(code) => {
                self.socket = None;
                self.link.closed(now, code, 0);
            }
            None => self.join_by = Some(now + retry_after_ms.unwrap_or(JOIN_AGAIN_MS)),
        }
        false
    }

    /// Takes who came, moved and left. My own session is not somebody else.
    fn peers(&mut self, peers: Peers) {
        let before = self.peers.len();
        let mut changed = false;
        for (session, peer) in peers {
            changed |= match peer {
                Some(_) if self.session.as_ref() == Some(&session) => false,
                Some(peer) => {
                    self.peers.get(&session) != Some(&peer) && {
                        self.peers.insert(session, peer);
                        true
                    }
                }
                None => self.peers.remove(&session).is_some(),
            };
        }
        if self.peers.len() > before {
            // Who is new knows nothing of this tab that was not said since.
            self.outgoing.forget_sent();
        }
        if changed {
            self.store.peers.set(self.peers.clone());
        }
    }

    pub(super) fn wipe_peers(&mut self) {
        if !self.peers.is_empty() {
            self.peers.clear();
            self.store.peers.set(BTreeMap::new());
        }
    }

    pub(super) fn show(&self, changes: Changes) {
        let view = self.replica.view();
        told::before(&self.store, &changes);
        self.store.show(view, &mut changes.widgets.iter(), changes.rest);
        let steps = self.replica.others_steps();
        if self.store.others_steps.with_untracked(|before| *before != steps) {
            self.store.others_steps.set(steps);
        }
        told::after(&self.store, &changes);
    }

    /// Shows what came of what the server said, and tells of own values that met others: as it happens,
    /// or after an absence once all that waited has landed.
    fn hear(&mut self, changes: Changes) {
        let met = told::newly_met(&self.store, &changes);
        let (landed, written) = (changes.landed, changes.rest);
        self.show(changes);
        if written {
            told::ask_anew(&self.store, &self.user);
        }
        let Some(coming) = &mut self.coming_back else {
            if !met.is_empty() {
                told::met(&self.store, met, &self.user);
            }
            return;
        };
        coming.landed += landed;
        coming.met.extend(met);
        if coming.landed.all() >= coming.edits
            && let Some(ComingBack { landed, met, .. }) = self.coming_back.take()
        {
            told::came_back(&self.store, landed, met);
        }
    }
}
