//! One WebSocket: text in, text out, and a close that arrives.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::server::limits::Limits;
use crate::server::rooms::frames::Frame;
use crate::server::rooms::outbound::End;
use crate::sync::protocol::close;

/// Bytes read at once: most frames of a client are smaller, and every idle session holds this.
const READ_BYTES: usize = 2_048;
/// Bytes gathered before a write: several small frames share one, large ones go out at once.
const WRITE_BYTES: usize = 16 * 1024;
/// Bytes of what the library writes by itself, pongs and closes, that may wait.
const OWN_WRITE_BYTES: usize = 1_024;
/// Parts of frames that one write takes at most.
const WRITE_PARTS: usize = 32;
/// How long a close may take to be sent and answered.
const CLOSING: Duration = Duration::from_secs(1);

/// Why a request opens no socket.
#[derive(Debug, thiserror::Error)]
pub enum NoUpgrade {
    #[error("{0}")]
    Request(#[from] Error),
    #[error("this connection cannot become one")]
    Connection,
}

/// A socket that opens once its answer is sent.
pub struct Opening(OnUpgrade);

/// The answer to a request that asks for a WebSocket, and what becomes of its connection then.
pub fn upgrade(request: &mut Request) -> Result<(Response, Opening), NoUpgrade> {
    let response = create_response_with_body(request, Body::empty)?;
    let upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or(NoUpgrade::Connection)?;
    Ok((response, Opening(upgrade)))
}

impl Opening {
    /// The open socket; `None` where the connection is gone.
    pub async fn wire(self, limits: &Limits) -> Option<Wire> {
        let upgraded = TokioIo::new(self.0.await.ok()?);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            // What it writes by itself, pongs and closes, goes out at once.
            .write_buffer_size(0)
            // Of somebody's pings who reads nothing, only the latest is answered.
            .max_write_buffer_size(OWN_WRITE_BYTES)
            .max_message_size(Some(limits.frame_bytes))
            .max_frame_size(Some(limits.frame_bytes));
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
        Some(Wire { socket, unsent: VecDeque::new(), begun: false })
    }
}

/// What came over the wire.
#[derive(Debug)]
pub enum Heard {
    Text(Utf8Bytes),
    /// Nothing more will come; how to end it from this side.
    End(End),
}

/// The connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A WebSocket. A library reads it and answers its pings; frames go out as rooms encoded them, without
/// a copy that a session would hold on to.
pub struct Wire {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    unsent: VecDeque<Part>,
    /// A part of a frame is out, and the rest of it comes first: nothing else may be written now.
    begun: bool,
}

/// A part of a frame on its way.
struct Part {
    bytes: Bytes,
    /// True for the last one of its frame.
    ends: bool,
}

impl Wire {
    /// The next text frame. Cancel safe.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let end = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Heard::Text(text),
                // The library answers pings by itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Binary(_))) => End { code: close::MALFORMED, reason: "frames are text" },
                Some(Ok(Message::Close(_))) | None => End { code: NORMAL, reason: "" },
                Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                    End { code: close::TOO_LARGE, reason: "frame too large" }
                }
                Some(Err(_)) => End { code: close::MALFORMED, reason: "not a WebSocket frame" },
            };
            return Heard::End(end);
        }
    }

    /// Takes a frame on its way. It is sure to be sent only after [`Wire::flush`].
    pub async fn feed(&mut self, frame: Frame) -> Result<(), Gone> {
        let (first, rest) = frame.into_parts();
        let last = rest.len();
        for (at, bytes) in std::iter::once(first).chain(rest).enumerate() {
            self.unsent.push_back(Part { bytes, ends: at == last });
        }
        let waits: usize = self.unsent.iter().map(|part| part.bytes.len()).sum();
        if waits >= WRITE_BYTES || self.unsent.len() >= WRITE_PARTS { self.flush().await } else { Ok(()) }
    }

    /// Sends what is on its way. Cancel safe: what is not out yet goes first the next time.
    pub async fn flush(&mut self) -> Result<(), Gone> {
        if !self.begun {
            // A pong that the connection did not take whole.
            self.socket.flush().await.map_err(|_| Gone)?;
        }
        while !self.unsent.is_empty() {
            let mut slices = [IoSlice::new(&[]); WRITE_PARTS];
            for (slice, part) in slices.iter_mut().zip(&self.unsent) {
                *slice = IoSlice::new(&part.bytes);
            }
            let some = &slices[..self.unsent.len().min(WRITE_PARTS)];
            let mut written = self.socket.get_mut().write_vectored(some).await.map_err(|_| Gone)?;
            if written == 0 {
                return Err(Gone);
            }
            while let Some(first) = self.unsent.front_mut() {
                if written < first.bytes.len() {
                    self.begun |= written > 0;
                    first.bytes = first.bytes.slice(written..);
                    break;
                }
                written -= first.bytes.len();
                self.begun = !first.ends;
                self.unsent.pop_front();
            }
        }
        if self.unsent.capacity() > IDLE_FRAMES {
            self.unsent = VecDeque::new();
        }
        // TLS may hold back what it took.
        self.socket.get_mut().flush().await.map_err(|_| Gone)
    }

    /// Sends one frame.
    pub async fn say(&mut self, frame: Frame) -> Result<(), Gone> {
        self.feed(frame).await?;
        self.flush().await
    }

    pub async fn say_and_close(mut self, frame: Frame, code: u16, reason: &'static str) {
        // It closes in any case.
        let _ = tokio::time::timeout(CLOSING, self.say(frame)).await;
        self.close(End { code, reason }).await;
    }

    /// Closes with a code, and gives the other side a moment to hear it.
    pub async fn close(mut self, end: End) {
        let frame = CloseFrame { code: end.code.into(), reason: end.reason.into() };
        let goodbye = async {
            if self.flush().await.is_ok() && self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                // Closing with bytes unread would reset the connection before the code is read.
                while let Some(Ok(_)) = self.socket.next().await {}
                if end.code == close::TOO_LARGE {
                    // The rest of that frame cannot be read any more.
                    tokio::time::sleep(CLOSING).await;
                }
            }
        };
        // A connection that is gone, or does not answer, has nobody to tell.
        let _ = tokio::time::timeout(CLOSING, goodbye).await;
    }
}

/// Places for frames on their way that a session keeps while it has none.
const IDLE_FRAMES: usize = 4;
/// The other side closed; so do we.
const NORMAL: u16 = 1000;
