//! The bytes of a connection, with TLS or without.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The first byte of what a TLS client sends: a record of a handshake.
const HANDSHAKE: u8 = 0x16;
/// Bytes of plain HTTP that are read before it is answered: closing with bytes unread would reset the connection before
/// the answer is read.
const MAX_PLAIN_BYTES: usize = 16 * 1024;

const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 55\r\nConnection: close\r\n\r\n\
    This server speaks TLS: open the address with https://\n";

/// A connection's bytes, in the clear or decrypted.
pub(super) enum Stream {
    Plain(TcpStream),
    /// In a box: it is many times larger.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Waits for the first byte, and then makes TLS of a connection. `None` where it ended, or speaks something else: plain
    /// HTTP is told so.
    pub(super) async fn secure(mut tcp: TcpStream, acceptor: impl FnOnce() -> TlsAcceptor) -> Option<Self> {
        let mut first = [0];
        let Ok(1..) = tcp.peek(&mut first).await else { return None };
        if first == [HANDSHAKE] {
            return acceptor().accept(tcp).await.ok().map(|tls| Self::Tls(Box::new(tls)));
        }
        let _ = tcp.try_read(&mut [0; MAX_PLAIN_BYTES]);
        if tcp.try_write(PLAIN).is_ok() {
            let _ = tcp.shutdown().await;
        }
        None
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
