//! One connection's bytes, its requests and its answers, and what they tell its driver of how far it is.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::limiter::Permit;
use super::stream::Stream;

/// Bytes a second that a body has to bring in the long run, so that a byte now and then is no progress.
const MIN_BODY_BYTES_PER_S: f64 = 1024.0;

/// How far a connection is.
pub(super) struct Progress {
    pub(super) permit: Permit,
    /// A request is being answered.
    busy: AtomicBool,
    /// It is busy for good.
    left: AtomicBool,
    /// The body of the last request was not read to its end: where the next begins, only who reads it knows.
    unfinished: AtomicBool,
    /// Its body came too slowly.
    body_late: AtomicBool,
    /// What was written last did not fit.
    blocked: AtomicBool,
    /// Bytes that came since the last answer.
    read: AtomicU64,
    written: AtomicU64,
}

impl Progress {
    pub(super) fn new(permit: Permit) -> Arc<Self> {
        Arc::new(Self {
            permit,
            busy: AtomicBool::new(false),
            left: AtomicBool::new(false),
            unfinished: AtomicBool::new(false),
            body_late: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
        })
    }

    /// A whole head has come; it is busy until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.permit.end_waiting();
        self.busy.store(true, Relaxed);
        self.unfinished.store(false, Relaxed);
        Busy(self.clone())
    }

    /// It becomes something else than HTTP, and has nothing to do with requests any more.
    pub(super) fn leave(&self) {
        self.left.store(true, Relaxed);
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Relaxed)
    }

    pub(super) fn is_body_late(&self) -> bool {
        self.body_late.load(Relaxed)
    }

    /// Whether the other side has to read before anything goes on, and how much it has read so far.
    pub(super) fn blocked_at(&self) -> Option<u64> {
        self.blocked.load(Relaxed).then(|| self.written.load(Relaxed))
    }

    /// Whether a part of a head is here, and nothing that may be left of a body before it.
    pub(super) fn has_half_a_head(&self) -> bool {
        !self.is_busy() && self.read.load(Relaxed) > 0 && !self.unfinished.load(Relaxed)
    }

    /// Nothing of a request is here, and no answer is on its way.
    pub(super) fn is_idle(&self) -> bool {
        let is_between = self.read.load(Relaxed) == 0 && !self.unfinished.load(Relaxed);
        !self.is_busy() && is_between && self.blocked_at().is_none()
    }
}

/// A request that is being answered, up to the last byte of its answer.
pub(super) struct Busy(Arc<Progress>);

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.left.load(Relaxed) {
            return;
        }
        self.0.read.store(0, Relaxed);
        self.0.busy.store(false, Relaxed);
        self.0.permit.begin_waiting();
    }
}

/// A connection that tells how far it is.
pub(super) struct Io {
    stream: Stream,
    /// What was read and belongs to the next request.
    unread: Bytes,
    progress: Arc<Progress>,
}

impl Io {
    pub(super) fn new(stream: Stream, progress: Arc<Progress>) -> Self {
        Self { stream, unread: Bytes::new(), progress }
    }

    pub(super) fn put_back(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// Waits for the next byte; false where none will come.
    pub(super) async fn has_more(&mut self) -> bool {
        if self.unread.is_empty() {
            match &mut self.stream {
                Stream::Plain(tcp) => return matches!(tcp.peek(&mut [0]).await, Ok(1..)),
                // What has come may be no byte of a request: only what TLS makes of it tells.
                Stream::Tls(tls) => {
                    let mut byte = [0];
                    let Ok(1..) = tls.read(&mut byte).await else { return false };
                    self.unread = Bytes::copy_from_slice(&byte);
                }
            }
        }
        true
    }

    /// Sends what is taken at once.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        let mut cx = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut self.stream).poll_write(&mut cx, bytes);
    }

    fn wrote(&self, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.progress.blocked.store(wrote.is_pending(), Relaxed);
        if let Poll::Ready(Ok(count)) = &wrote {
            self.progress.written.fetch_add(*count as u64, Relaxed);
        }
        wrote
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.unread.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        } else {
            let count = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread.split_to(count));
        }
        self.progress.read.fetch_add((buffer.filled().len() - before) as u64, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS may hold back what it took.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.progress.blocked.store(flushed.is_pending(), Relaxed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The body of a request was too slow.
#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
pub struct TooSlow;

/// The body of a request, with its deadlines: some bytes each `patience`, and not too few in all.
pub(super) struct RequestBody {
    body: Incoming,
    progress: Arc<Progress>,
    patience: Duration,
    began: Instant,
    came: u64,
    is_whole: bool,
    /// Made when it has to wait for the first time: most bodies are here with their heads.
    late: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, progress: Arc<Progress>, patience: Duration) -> Self {
        Self { body, progress, patience, began: Instant::now(), came: 0, is_whole: false, late: None }
    }

    fn is_too_slow(&self) -> bool {
        let allowed = self.patience.as_secs_f64() + self.came as f64 / MIN_BODY_BYTES_PER_S;
        self.began.elapsed().as_secs_f64() > allowed
    }

    fn fail(&self) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        self.progress.body_late.store(true, Relaxed);
        Poll::Ready(Some(Err(TooSlow.into())))
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.is_whole && !self.body.is_end_stream() {
            self.progress.unfinished.store(true, Relaxed);
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        if self.progress.is_body_late() {
            return self.fail();
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.came +=
                frame.iter().flatten().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum::<u64>();
            self.late = None;
            self.is_whole |= frame.is_none();
            return if frame.is_some() && self.is_too_slow() {
                self.fail()
            } else {
                Poll::Ready(frame.map(|one| one.map_err(Into::into)))
            };
        }
        let patience = self.patience;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(late.as_mut().poll(cx));
        self.fail()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, with which its request ends.
pub(super) struct ResponseBody {
    pub(super) body: Body,
    pub(super) _busy: Busy,
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
