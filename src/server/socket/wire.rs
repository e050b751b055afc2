//! One WebSocket: text in, text out, and a close that arrives.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use futures::SinkExt as _;

use crate::server::limits::Limits;
use crate::server::rooms::outbound::End;
use crate::sync::protocol::close;

/// Bytes read at once: most frames of a client are smaller, and every idle session holds this.
const READ_BYTES: usize = 4_096;
/// Bytes gathered before a write: several small frames share one, large ones go out at once.
const WRITE_BYTES: usize = 4_096;
/// How long a close may take to be sent and answered.
const CLOSING: Duration = Duration::from_secs(1);

/// Sets the sizes of a socket's buffers.
pub fn configure(upgrade: WebSocketUpgrade, limits: &Limits) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(limits.frame_bytes)
        .max_frame_size(limits.frame_bytes)
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

/// A WebSocket with small buffers.
pub struct Wire {
    socket: WebSocket,
}

impl Wire {
    pub fn new(socket: WebSocket) -> Self {
        Self { socket }
    }

    /// The next text frame. Cancel safe.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let end = match self.socket.recv().await {
                Some(Ok(Message::Text(text))) => return Heard::Text(text),
                // The library answers pings by itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Binary(_))) => End { code: close::MALFORMED, reason: "frames are text" },
                Some(Ok(Message::Close(_))) | None => End { code: NORMAL, reason: "" },
                // The library's own error type is not ours to name; its text for this case is.
                Some(Err(error)) if error.to_string().contains("too long") => {
                    End { code: close::TOO_LARGE, reason: "frame too large" }
                }
                Some(Err(_)) => End { code: close::MALFORMED, reason: "not a WebSocket frame" },
            };
            return Heard::End(end);
        }
    }

    /// Takes a frame on its way. It is sure to be sent only after [`Wire::flush`].
    pub async fn feed(&mut self, frame: Utf8Bytes) -> Result<(), Gone> {
        self.socket.feed(Message::Text(frame)).await.map_err(|_| Gone)
    }

    pub async fn flush(&mut self) -> Result<(), Gone> {
        self.socket.flush().await.map_err(|_| Gone)
    }

    /// Sends one frame.
    pub async fn say(&mut self, frame: Utf8Bytes) -> Result<(), Gone> {
        self.feed(frame).await?;
        self.flush().await
    }

    pub async fn say_and_close(mut self, frame: Utf8Bytes, code: u16, reason: &'static str) {
        // It closes in any case.
        let _ = tokio::time::timeout(CLOSING, self.say(frame)).await;
        self.close(End { code, reason }).await;
    }

    /// Closes with a code, and gives the other side a moment to hear it.
    pub async fn close(mut self, end: End) {
        let frame = CloseFrame { code: end.code, reason: end.reason.into() };
        let goodbye = async {
            if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                // Closing with bytes unread would reset the connection before the code is read.
                while let Some(Ok(_)) = self.socket.recv().await {}
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

/// The other side closed; so do we.
const NORMAL: u16 = 1000;
