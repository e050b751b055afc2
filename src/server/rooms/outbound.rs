//! Outbound queue of one reader: bounded, and filled by rooms without ever waiting for the reader.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::frames::Frame;
use crate::server::limits::Limits;
use crate::sync::protocol::close;

/// The frames on their way to one session. A reader too slow for it is closed and resumes (S10).
#[derive(Debug)]
pub struct Outbound {
    queue: Mutex<Queue>,
    changed: Notify,
    max_frames: usize,
    max_bytes: usize,
    max_windows: usize,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Queued>,
    bytes: usize,
    /// Bytes of the windows that everybody here gets.
    windows: usize,
    /// Bytes of all frames that are queued or on their way out.
    backlog: usize,
    /// Since when nothing of it was out at last.
    since: Option<Instant>,
    end: Option<End>,
}

#[derive(Debug)]
struct Queued {
    frame: Frame,
    counted: Counted,
}

/// How a frame counts beside being one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Bytes,
    Window,
    Not,
}

/// How a session ends from the server's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Out of `sync::protocol::close`.
    pub code: u16,
    /// For people who look at the socket.
    pub reason: &'static str,
}

/// What the session's task does next.
#[derive(Debug)]
pub enum Next {
    Send(Frame),
    End(End),
}

impl Outbound {
    pub fn new(limits: &Limits) -> Self {
        Self {
            queue: Mutex::default(),
            changed: Notify::new(),
            max_frames: limits.outbound_messages,
            max_bytes: limits.outbound_bytes,
            max_windows: limits.outbound_bytes.saturating_mul(WINDOWS),
        }
    }

    /// Queues a frame. Over the limits the queue is dropped and the session ends as too slow; false
    /// then, and where it had ended already.
    pub fn send(&self, frame: Frame) -> bool {
        self.push(frame, Counted::Bytes)
    }

    /// Queues windows of live figures for everybody. They cannot be cut into parts, and all come at once
    /// where the time that is shown changes: their bytes count apart from the others', against a larger
    /// bound.
    pub fn windows(&self, frame: Frame) -> bool {
        self.push(frame, Counted::Window)
    }

    /// Queues what the session itself asked for and cannot be cut into parts, such as a snapshot: it
    /// counts as a frame, not by its bytes.
    pub fn answer(&self, frame: Frame) -> bool {
        self.push(frame, Counted::Not)
    }

    fn push(&self, frame: Frame, counted: Counted) -> bool {
        let size = frame.size();
        let mut guard = self.queue();
        let queue = &mut *guard;
        if queue.end.is_some() {
            return false;
        }
        let too_many = queue.frames.len() >= self.max_frames;
        // A single frame is always taken, so that no limit makes a reader slow by itself.
        let too_large = match counted {
            Counted::Bytes => queue.bytes > 0 && queue.bytes + size > self.max_bytes,
            Counted::Window => queue.windows > 0 && queue.windows + size > self.max_windows,
            Counted::Not => false,
        };
        let slow = too_many || too_large;
        if slow {
            queue.end_slow();
        } else {
            queue.backlog += size;
            queue.since.get_or_insert_with(Instant::now);
            queue.frames.push_back(Queued { frame, counted });
            queue.count(size, counted, usize::saturating_add);
        }
        drop(guard);
        self.changed.notify_one();
        !slow
    }

    /// Ends the session as too slow, with what is queued for it.
    pub fn end_slow(&self) {
        self.queue().end_slow();
        self.changed.notify_one();
    }

    /// Since when not everything is out, and the bytes of it; `None` where everything is.
    pub fn backlog(&self) -> Option<(Instant, usize)> {
        let queue = self.queue();
        Some((queue.since.filter(|_| queue.end.is_none())?, queue.backlog))
    }

    /// All frames that were taken out are sent.
    pub fn sent(&self) {
        let mut queue = self.queue();
        queue.backlog = queue.frames.iter().map(|queued| queued.frame.size()).sum();
        queue.since = (!queue.frames.is_empty()).then(Instant::now);
    }

    /// Ends the session once the queued frames are sent. The first end stands.
    pub fn end(&self, code: u16, reason: &'static str) {
        self.queue().end.get_or_insert(End { code, reason });
        self.changed.notify_one();
    }

    /// The next thing to do; waits for it. For the session's task alone. Cancel safe.
    pub async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// The next thing to do, where there is one now.
    pub fn try_next(&self) -> Option<Next> {
        let mut queue = self.queue();
        if let Some(queued) = queue.frames.pop_front() {
            queue.count(queued.frame.size(), queued.counted, usize::saturating_sub);
            if queue.frames.is_empty() && queue.frames.capacity() > IDLE_FRAMES {
                // A burst is over: an idle session holds next to nothing.
                queue.frames = VecDeque::new();
            }
            return Some(Next::Send(queued.frame));
        }
        queue.end.map(Next::End)
    }

    /// The next frame, where there is one now.
    pub fn try_next_frame(&self) -> Option<Frame> {
        match self.try_next() {
            Some(Next::Send(frame)) => Some(frame),
            _ => None,
        }
    }

    /// Returns when the session was found too slow; while its task waits for the socket to take a frame.
    pub async fn overflowed(&self) {
        loop {
            if self.queue().end.is_some_and(|end| end.code == close::TOO_SLOW) {
                return;
            }
            self.changed.notified().await;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No code panics while it holds the lock; the queue is whole in any case.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn count(&mut self, size: usize, counted: Counted, change: fn(usize, usize) -> usize) {
        match counted {
            Counted::Bytes => self.bytes = change(self.bytes, size),
            Counted::Window => self.windows = change(self.windows, size),
            Counted::Not => {}
        }
    }

    fn end_slow(&mut self) {
        self.frames = VecDeque::new();
        (self.bytes, self.windows) = (0, 0);
        self.end = Some(End { code: close::TOO_SLOW, reason: "reader too slow" });
    }
}

/// The bytes of windows may be this many times those of all else: a large dashboard's have 200 times a
/// thousand points, and the sources may bring them one after the other.
const WINDOWS: usize = 8;
/// Places that a queue keeps once it is empty.
const IDLE_FRAMES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(messages: usize, bytes: usize) -> Outbound {
        Outbound::new(&Limits { outbound_messages: messages, outbound_bytes: bytes, ..Limits::default() })
    }

    #[tokio::test]
    async fn frames_come_out_in_order_and_then_the_end() {
        let out = outbound(8, 100);
        assert!(out.send(Frame::new("a")) && out.send(Frame::new("b")));
        out.end(close::DRAINING, "draining");
        assert!(!out.send(Frame::new("late")));
        assert!(matches!(out.next().await, Next::Send(frame) if frame.text() == "a"));
        assert!(matches!(out.next().await, Next::Send(frame) if frame.text() == "b"));
        assert!(matches!(out.next().await, Next::End(End { code: close::DRAINING, .. })));
    }

    #[tokio::test]
    async fn s10_a_reader_too_slow_is_ended() {
        for (messages, bytes) in [(3, 1_000), (100, 12)] {
            let out = outbound(messages, bytes);
            assert!((0..3).all(|_| out.send(Frame::new("xx"))));
            assert!(!out.send(Frame::new("xx")));
            out.overflowed().await;
            assert!(matches!(out.next().await, Next::End(End { code: close::TOO_SLOW, .. })));
        }
    }

    #[test]
    fn s10_windows_for_everybody_have_a_bound_of_their_own() {
        let limits = Limits::default();
        let out = Outbound::new(&limits);
        // 200 widgets with a thousand points of some 24 bytes, one after the other, read by nobody yet.
        assert!((0..200).all(|_| out.windows(Frame::new(&"w".repeat(24_000)))));
        assert!(out.send(Frame::new(&"y".repeat(limits.outbound_bytes / 2))), "all else has its own room");
        let large = Frame::new(&"w".repeat(3 * limits.outbound_bytes));
        assert!(out.windows(large.clone()));
        assert!(!out.windows(large.clone()), "a reader that takes nothing is ended");
        let out = Outbound::new(&limits);
        for _ in 0..100 {
            assert!(out.windows(large.clone()) && out.windows(large.clone()), "what was read is free again");
            assert!(out.try_next_frame().is_some() && out.try_next_frame().is_some());
        }
    }

    #[test]
    fn one_large_frame_and_an_answer_always_fit() {
        let out = outbound(4, 10);
        assert!(out.answer(Frame::new(&"x".repeat(1_000))));
        assert!(out.send(Frame::new(&"y".repeat(1_000))));
        assert!(!out.send(Frame::new("z")));
    }
}
