//! Connections: taken within bounds, each with its deadlines, and small while nothing goes on.
//!
//! A connection over which no byte has come holds its socket and a task, and no buffers: these are made when
//! there is something to read, and let go of when the answer is out. What it may wait for has a deadline each:
//! a whole head, the next bytes of a body, the reader of an answer, and the next request. A WebSocket takes its
//! permit along and leaves the deadlines, as it has its own.

mod io;
mod limiter;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tower::Service as _;

use self::io::{Busy, Io, Progress, RequestBody, ResponseBody};
pub use self::limiter::Bounds;
use self::limiter::{Limiter, Permit, SPARE_CLOSING, SPARE_LOCAL};
use self::stream::Stream;
use super::limits::Limits;
use super::metrics::Metrics;
use super::open_files;
use super::peer::{OverTls, TrustedProxies};
use super::tls::Tls;

/// Bytes of a head, and of what is read of a body at once: browsers send up to 16 KiB of cookies.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long to wait where a connection could not be taken, so that some end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Between two words in the log about that.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Handshakes under way at once, about 30 KiB each. Where there are more, the longest ends for the one that comes.
const MAX_HANDSHAKES: usize = 256;

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 66\r\nConnection: close\r\n\r\n\
    This server has as many connections as it takes. Come back later.\n";
const LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// How long a connection may take for what.
#[derive(Clone, Copy, Debug)]
struct Deadlines {
    head: Duration,
    /// Also for a reader of an answer.
    body: Duration,
    keep_alive: Duration,
}

/// The bounds that fit into so many open files.
pub fn bounds(limits: &Limits, files: u64) -> Bounds {
    let total = open_files::fitting(limits.connections, files, SPARE_LOCAL + SPARE_CLOSING);
    // Never all of them: somebody else gets in in any case.
    let per_address = limits.connections_per_address.min(total.div_ceil(2));
    if total < limits.sessions {
        tracing::warn!(
            "limit_sessions: {} sessions do not fit into {total} connections, and never will be reached",
            limits.sessions
        );
    }
    Bounds { total, per_address }
}

/// What all connections share.
pub struct Connections {
    limiter: Arc<Limiter>,
    deadlines: Deadlines,
    metrics: Arc<Metrics>,
    /// `None` for plain HTTP.
    secured: Option<Secured>,
}

/// How connections get their TLS.
struct Secured {
    tls: Arc<Tls>,
    handshakes: Arc<Limiter>,
}

impl Connections {
    pub fn new(bounds: Bounds, limits: &Limits, proxies: TrustedProxies, metrics: Arc<Metrics>) -> Self {
        let deadlines = Deadlines {
            head: Duration::from_millis(limits.head_ms),
            body: Duration::from_millis(limits.body_ms),
            keep_alive: Duration::from_millis(limits.keep_alive_ms),
        };
        Self { limiter: Limiter::new(bounds, proxies, metrics.clone()), deadlines, metrics, secured: None }
    }

    /// The same with TLS on every connection.
    pub fn with_tls(mut self, tls: Option<Arc<Tls>>, proxies: TrustedProxies) -> Self {
        let bounds = Bounds { total: MAX_HANDSHAKES, per_address: MAX_HANDSHAKES / 2 };
        // No metrics show these gauges: each handshake is of a connection that is counted already.
        self.secured =
            tls.map(|tls| Secured { tls, handshakes: Limiter::new(bounds, proxies, Arc::default()) });
        self
    }

    /// Serves until `stop` says so; then no new connection is taken, and it returns when the requests that
    /// were begun are answered.
    pub async fn serve(self, listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
        let open = watch::Sender::new(());
        let (shared, mut stopped) = (Arc::new(self), stop.clone());
        let mut said: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                // An error means that the sender is gone, and with it the reason to go on.
                _ = stopped.wait_for(|stop| *stop) => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_the_peer(&error) => continue,
                Err(error) => {
                    if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                        said = Some(Instant::now());
                        tracing::error!(%error, "a connection could not be taken; those that wait are closed for it");
                    }
                    shared.metrics.connections_refused.fetch_add(1, Relaxed);
                    shared.limiter.evict();
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let permit = match shared.limiter.admit(peer.ip()) {
                Ok(permit) => permit,
                Err(refused) => {
                    shared.metrics.connections_refused.fetch_add(1, Relaxed);
                    if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                        said = Some(Instant::now());
                        tracing::warn!(%peer, ?refused, "a connection too many was turned away");
                    }
                    // Whoever does not take it at once does without.
                    if shared.secured.is_none() {
                        let _ = stream.try_write(FULL);
                    }
                    continue;
                }
            };
            let (shared, router, stop, open) =
                (shared.clone(), router.clone(), stop.clone(), open.subscribe());
            tokio::spawn(async move {
                shared.run(stream, peer, permit, router, stop).await;
                drop(open);
            });
        }
        drop(listener);
        open.closed().await;
    }

    /// One connection up to its end.
    async fn run(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: Permit,
        router: Router,
        mut stop: watch::Receiver<bool>,
    ) {
        // Frames are whole messages: to hold a small one back until the last is acknowledged only delays it.
        // A connection that is gone already says so when it is read.
        let _ = stream.set_nodelay(true);
        permit.begin_waiting();
        let mut until = Instant::now() + self.deadlines.head;
        let stream = match &self.secured {
            None => Stream::Plain(stream),
            Some(secured) => tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = permit.evicted() => return,
                stream = secured.handshake(stream, peer) => match stream {
                    Some(stream) => stream,
                    None => return,
                },
                () = sleep_until(until) => {
                    self.metrics.connections_late.fetch_add(1, Relaxed);
                    return;
                }
            },
        };
        let progress = Progress::new(permit);
        let mut io = Io::new(stream, progress.clone());
        let mut is_first = true;
        loop {
            let more = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = progress.permit.evicted() => return,
                more = io.has_more() => more,
                () = sleep_until(until) => {
                    self.metrics.connections_late.fetch_add(1, Relaxed);
                    return;
                }
            };
            if !more {
                return;
            }
            // From its first byte on a head has its time; the first one from the connection's begin.
            let head_until = if is_first { until } else { Instant::now() + self.deadlines.head };
            // In a box: what waits is as small as can be.
            let exchange =
                Box::pin(self.exchange(io, peer, router.clone(), &progress, head_until, stop.clone()));
            match exchange.await {
                Some(idle) => io = idle,
                None => return,
            }
            until = Instant::now() + self.deadlines.keep_alive;
            is_first = false;
        }
    }

    /// Reads and answers until nothing is under way any more; the connection, where it goes on.
    async fn exchange(
        &self,
        io: Io,
        peer: SocketAddr,
        router: Router,
        progress: &Arc<Progress>,
        head_until: Instant,
        mut stop: watch::Receiver<bool>,
    ) -> Option<Io> {
        let (of_request, patience) = (progress.clone(), self.deadlines.body);
        let over_tls = OverTls(self.secured.is_some());
        let service = service_fn(move |request| {
            let (busy, router) = (of_request.begin(), router.clone());
            answer(request, (peer, over_tls), router, of_request.clone(), busy, patience)
        });
        let mut connection = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut evicted = pin!(progress.permit.evicted());
        let mut stopped = pin!(stop.wait_for(|stop| *stop));
        let mut is_stopping = false;
        let mut late = pin!(sleep_until(head_until));
        let mut head_until = Some(head_until);
        let mut unread = (u64::MAX, Instant::now());
        let ended = std::future::poll_fn(|cx| {
            loop {
                if Pin::new(&mut connection).poll(cx).is_ready() {
                    return Poll::Ready(Ended::Over);
                }
                if progress.is_idle() {
                    return Poll::Ready(Ended::Idle);
                }
                let now = Instant::now();
                let until = if let Some(written) = progress.blocked_at() {
                    if unread.0 != written {
                        unread = (written, now);
                    }
                    Some(unread.1 + self.deadlines.body)
                } else if progress.is_busy() {
                    head_until = None;
                    None
                } else {
                    Some(*head_until.get_or_insert(now + self.deadlines.head))
                };
                if let Some(until) = until {
                    if late.deadline() != until {
                        late.as_mut().reset(until);
                    }
                    if late.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Ended::Late);
                    }
                }
                if !progress.is_busy() && evicted.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ended::Over);
                }
                if is_stopping || stopped.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                is_stopping = true;
                if !progress.is_busy() {
                    return Poll::Ready(Ended::Over);
                }
                Pin::new(&mut connection).graceful_shutdown();
            }
        });
        let ended = ended.await;
        // Not there where it became a WebSocket.
        let parts = connection.into_parts()?;
        let mut io = parts.io.into_inner();
        match ended {
            Ended::Over => None,
            Ended::Idle => {
                io.put_back(parts.read_buf);
                Some(io)
            }
            Ended::Late => {
                self.metrics.connections_late.fetch_add(1, Relaxed);
                // Whoever asked nothing would take it for the answer to what comes next.
                if progress.has_half_a_head() {
                    io.say(LATE);
                }
                None
            }
        }
    }
}

impl Secured {
    /// Makes TLS of a connection; `None` where that does not come about.
    async fn handshake(&self, stream: TcpStream, peer: SocketAddr) -> Option<Stream> {
        // One that has sent nothing yet costs no more than any connection.
        stream.readable().await.ok()?;
        let permit = self.handshakes.admit(peer.ip()).ok()?;
        permit.begin_waiting();
        tokio::select! {
            biased;
            () = permit.evicted() => None,
            stream = Stream::secure(stream, || self.tls.acceptor()) => stream,
        }
    }
}

enum Ended {
    /// It is closed, or became a WebSocket, or is to be closed.
    Over,
    Idle,
    Late,
}

async fn answer(
    request: Request<Incoming>,
    (peer, over_tls): (SocketAddr, OverTls),
    mut router: Router,
    progress: Arc<Progress>,
    busy: Busy,
    patience: Duration,
) -> Result<Response<ResponseBody>, Infallible> {
    let mut request = request.map(|body| RequestBody::new(body, progress.clone(), patience));
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(over_tls);
    let mut response = router.call(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        progress.leave();
    } else if progress.is_body_late() && response.status().is_client_error() {
        // Whoever read the body says that it does not read; why it does not is known here.
        *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    }
    Ok(response.map(|body| ResponseBody { body, _busy: busy }))
}

/// Whether a connection could not be taken because of who made it, who is gone by now.
fn is_of_the_peer(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
