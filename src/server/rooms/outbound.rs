//! What waits for one reader: a bounded queue that rooms fill without ever waiting for the reader.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

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
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Queued>,
    bytes: usize,
    end: Option<End>,
}

#[derive(Debug)]
struct Queued {
    frame: Frame,
    counted: usize,
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
        }
    }

    /// Queues a frame. Over the limits the queue is dropped and the session ends as too slow; false
    /// then, and where it had ended already.
    pub fn send(&self, frame: Frame) -> bool {
        let counted = frame.size();
        self.push(frame, counted)
    }

    /// Queues what the session itself asked for and cannot be cut into parts, such as a snapshot: it
    /// counts as a frame, not by its bytes.
    pub fn answer(&self, frame: Frame) -> bool {
        self.push(frame, 0)
    }

    fn push(&self, frame: Frame, counted: usize) -> bool {
        let mut queue = self.queue();
        if queue.end.is_some() {
            return false;
        }
        let too_many = queue.frames.len() >= self.max_frames;
        // A single frame is always taken, so that no limit makes a reader slow by itself.
        let too_large = queue.bytes > 0 && queue.bytes + counted > self.max_bytes;
        let slow = too_many || too_large;
        if slow {
            queue.frames = VecDeque::new();
            queue.bytes = 0;
            queue.end = Some(End { code: close::TOO_SLOW, reason: "reader too slow" });
        } else {
            queue.frames.push_back(Queued { frame, counted });
            queue.bytes += counted;
        }
        drop(queue);
        self.changed.notify_one();
        !slow
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
    fn try_next(&self) -> Option<Next> {
        let mut queue = self.queue();
        if let Some(queued) = queue.frames.pop_front() {
            queue.bytes -= queued.counted;
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
    fn one_large_frame_and_an_answer_always_fit() {
        let out = outbound(4, 10);
        assert!(out.answer(Frame::new(&"x".repeat(1_000))));
        assert!(out.send(Frame::new(&"y".repeat(1_000))));
        assert!(!out.send(Frame::new("z")));
    }
}
