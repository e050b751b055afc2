//! Outputs of a host, performed: frames for one, frames for all, figures, metrics.

use std::sync::atomic::Ordering::Relaxed;

use super::super::answers::Answers;
use super::super::frames::{self, Frame};
use super::super::outbound::Outbound;
use super::RoomActor;
use crate::dashboard::SessionId;
use crate::server::unsent::{Busy, Share};
use crate::sync::host::{Admitted, Effects, Ended, Input, Output, Request, ResumePoint, Trouble};
use crate::sync::protocol::{Code, DataFrame, ServerMessage, close};

impl RoomActor {
    /// Performs all outputs. What the host asks for is left to do.
    pub(super) fn perform(&mut self) -> Result<Option<Request>, Ended> {
        let (mut outputs, mut request, mut end) = (std::mem::take(&mut self.outputs), None, None);
        loop {
            for output in outputs.drain(..) {
                match output {
                    Output::Request(asked) => request = Some(asked),
                    Output::Ended(ended) => end = Some(ended),
                    output => self.perform_one(output),
                }
            }
            if self.lost.is_empty() {
                break;
            }
            // Too slow, or its task is gone: no ghost stays.
            for session in std::mem::take(&mut self.lost) {
                self.host.handle(self.now(), Input::Lost(session), &mut outputs);
            }
        }
        self.outputs = outputs;
        self.count_open_conflicts();
        end.map_or(Ok(request), Err)
    }

    fn perform_one(&mut self, output: Output<super::Endpoint>) {
        match output {
            Output::Commits { bodies, digests, end } => {
                let delivered = bodies.len() * self.host.members().len();
                self.rooms.metrics().deliveries_total.fetch_add(delivered as u64, Relaxed);
                let token = self.token(end);
                let frame = frames::commits(&self.id, &bodies, digests.as_ref(), token.as_deref());
                self.send_all(frame);
            }
            Output::Committed(effects) => self.note_effects(&effects),
            Output::Rebuilt => {
                self.answers = Answers::default();
                let windows = self.feed.rebuilt(self.host.room().dashboard());
                self.send_data(windows, None);
            }
            Output::Joined(admitted) => self.let_in(&admitted),
            Output::Send { to, message } => {
                self.count_rejected(&message);
                self.send(&to, frames::frame(&message));
            }
            Output::Again { to, body } => self.send(&to, frames::commits(&self.id, &[body], None, None)),
            Output::Dismiss { endpoint, message } => {
                self.count_rejected(&message);
                endpoint.outbound.send(frames::frame(&message));
            }
            Output::Fence(endpoint) => endpoint.outbound.end(close::TOO_MANY, "joined again elsewhere"),
            Output::NotJoined => self.answer_stranger(),
            Output::Presence(peers) => {
                self.rooms.metrics().presence_frames.fetch_add(1, Relaxed);
                self.send_all(frames::presence(&self.id, peers));
            }
            Output::PeopleChanged => {
                self.slot.set_people(self.host.people());
                self.rooms.listing_changed();
            }
            Output::Deserted => self.feed.pause(),
            Output::SaveSnapshot { bounded } => self.save_snapshot(bounded),
            Output::Merged(merged) => {
                if let Some(answer) = self.asked.merge.take() {
                    // Whoever asked may be gone.
                    let _ = answer.send(merged);
                }
            }
            Output::Trouble(trouble) => self.report(&trouble),
            // Left to whoever performs all of them.
            Output::Request(_) | Output::Ended(_) => {}
        }
    }

    fn note_effects(&mut self, Effects { ops, refused, conflicts }: &Effects) {
        self.answers = Answers::default();
        let metrics = self.rooms.metrics();
        metrics.refused_total.fetch_add(*refused as u64, Relaxed);
        metrics.conflicts_total.fetch_add(*conflicts as u64, Relaxed);
        let windows = self.feed.changed(self.host.room().dashboard(), ops.iter());
        self.send_data(windows, None);
    }

    /// Sends a new member what it begins with.
    fn let_in(&mut self, admitted: &Admitted) {
        let Admitted { session, rejoins, role, owner, revision, end, last_seq, peers } = admitted;
        // Those who were here get the points up to now first; then all have the same ones.
        let (news, windows) = self.feed.join(&self.id, self.host.room().dashboard());
        self.send_data(news, Some(session).filter(|_| !rejoins));
        let frame = frames::joined(frames::JoinedParts {
            dashboard: &self.id,
            role: *role,
            owner: *owner,
            epoch: self.host.room().epoch(),
            revision: *revision,
            token: self.token(*end).as_deref(),
            last_seq: *last_seq,
            content: self.asked.content.take().unwrap_or(frames::Content::Nothing),
            peers,
        });
        let Some(member) = self.host.member(session) else { return };
        let outbound = &member.endpoint.outbound;
        outbound.answer(match self.asked.unanswered.take() {
            Some(unanswered) => frame.holding(unanswered),
            None => frame,
        });
        if let Some(windows) = windows {
            outbound.answer(windows);
        }
    }

    /// Answers a session that sends before it knows that it was not let in. One that was fenced off
    /// has ended and hears nothing.
    fn answer_stranger(&self) {
        let frame = || frames::error(Code::NotJoined, "Join the dashboard first.", None);
        if self.asked.sender.as_ref().is_some_and(|outbound| outbound.send(frame())) {
            self.rooms.metrics().rejected(Code::NotJoined);
        }
    }

    /// What a client gives back that resumes from there.
    pub(super) fn token(&self, end: Option<ResumePoint>) -> Option<String> {
        let ResumePoint { revision, at } = end?;
        Some(self.tokens.token(self.host.room().epoch(), revision, at))
    }

    /// The dashboard encoded, once for all who ask until the next commit.
    pub(super) fn encoded(&mut self) -> Result<Share, Busy> {
        let (room, unsent) = (self.host.room(), self.rooms.unsent());
        self.answers.snapshot(unsent, room.bytes(), || frames::json(room.dashboard()))
    }

    /// Sends the points that came since the last time.
    pub(super) fn send_news(&mut self) {
        let news = self.feed.news();
        self.send_data(news, None);
    }

    /// Sends points to everybody but one.
    fn send_data(&mut self, data: Vec<DataFrame>, but: Option<&SessionId>) {
        if data.is_empty() {
            return;
        }
        let windows = data.iter().any(|frame| frame.reset);
        let frame = self.charged(frames::data(&self.id, data));
        let send = |outbound: &Outbound| match windows {
            true => outbound.windows(frame.clone()),
            false => outbound.send(frame.clone()),
        };
        self.send_each(but, send);
    }

    /// Queues one frame for everybody; it is never encoded again.
    fn send_all(&mut self, frame: Frame) {
        let frame = self.charged(frame);
        self.send_each(None, |outbound| outbound.send(frame.clone()));
    }

    /// A frame that counts among what waits to be sent, once for everybody here.
    fn charged(&self, frame: Frame) -> Frame {
        match self.rooms.unsent().charge_frame(frame.size()) {
            Some(charge) => frame.holding(charge),
            None => frame,
        }
    }

    fn send_each(&mut self, but: Option<&SessionId>, send: impl Fn(&Outbound) -> bool) {
        for member in self.host.members().filter(|member| but != Some(&member.session)) {
            if !send(&member.endpoint.outbound) {
                self.lost.push(member.session.clone());
            }
        }
    }

    fn send(&self, to: &SessionId, frame: Frame) {
        if let Some(member) = self.host.member(to) {
            member.endpoint.outbound.send(frame);
        }
    }

    fn count_rejected(&self, message: &ServerMessage) {
        if let ServerMessage::Rejected { code, .. } | ServerMessage::Error { code, .. } = message {
            self.rooms.metrics().rejected(*code);
        }
    }

    pub(super) fn count_open_conflicts(&mut self) {
        let open = self.host.open_conflicts() as i64;
        if open != self.open_conflicts {
            self.rooms.metrics().open_conflicts.fetch_add(open - self.open_conflicts, Relaxed);
            self.open_conflicts = open;
        }
    }

    fn report(&self, trouble: &Trouble) {
        match trouble {
            Trouble::ChangePanicked { .. } | Trouble::DocumentPanicked => {
                self.rooms.metrics().panics_caught.fetch_add(1, Relaxed);
                tracing::error!(dashboard = %self.id, "{trouble}");
            }
            Trouble::Unreadable(_) => tracing::error!(dashboard = %self.id, "{trouble}"),
            Trouble::Restored { .. } => tracing::warn!(dashboard = %self.id, "{trouble}"),
        }
    }
}
