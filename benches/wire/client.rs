//! A WebSocket client that costs next to nothing, so that the generator is not what is measured.
//!
//! It writes frames with an all-zero mask and reads frames without looking at more of them than asked.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The reading end of a connection.
pub struct Reader {
    half: OwnedReadHalf,
    buffer: Vec<u8>,
    /// What of the buffer is unread: from..to.
    from: usize,
    to: usize,
}

/// The writing end of a connection.
pub struct Writer {
    half: OwnedWriteHalf,
    frame: Vec<u8>,
}

/// Opens a WebSocket at `ws://{address}/api/v1/ws` with more header lines.
pub async fn open(address: &str, headers: &str) -> Result<(Reader, Writer)> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (half, mut write) = stream.into_split();
    let request = format!(
        "GET /api/v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    write.write_all(request.as_bytes()).await?;
    let mut reader = Reader { half, buffer: vec![0; 16 * 1024], from: 0, to: 0 };
    loop {
        let seen = &reader.buffer[reader.from..reader.to];
        if let Some(end) = memchr::memmem::find(seen, b"\r\n\r\n") {
            if !seen.starts_with(b"HTTP/1.1 101") {
                return Err(Error::other(String::from_utf8_lossy(&seen[..end]).into_owned()));
            }
            reader.from += end + 4;
            return Ok((reader, Writer { half: write, frame: Vec::new() }));
        }
        reader.fill().await?;
    }
}

impl Reader {
    /// The payload of the next text frame. A close frame is an error that says its code.
    pub async fn text(&mut self) -> Result<&[u8]> {
        loop {
            let (kind, from, to) = self.frame().await?;
            match kind {
                1 => return Ok(&self.buffer[from..to]),
                8 => {
                    let payload = &self.buffer[from..to];
                    let code = payload.get(..2).map_or(1005, |c| u16::from_be_bytes([c[0], c[1]]));
                    return Err(Error::new(ErrorKind::ConnectionAborted, format!("closed with {code}")));
                }
                _ => {}
            }
        }
    }

    /// The next text frame that contains `wanted`.
    pub async fn text_with(&mut self, wanted: &str) -> Result<&[u8]> {
        loop {
            let (kind, from, to) = self.frame().await?;
            let payload = &self.buffer[from..to];
            if kind == 1 && memchr::memmem::find(payload, b"\"type\":\"error\"").is_some() {
                return Err(Error::other(String::from_utf8_lossy(payload).into_owned()));
            }
            if kind == 1 && memchr::memmem::find(payload, wanted.as_bytes()).is_some() {
                return Ok(&self.buffer[from..to]);
            }
        }
    }

    /// The next frame: its opcode and where its payload is in the buffer.
    async fn frame(&mut self) -> Result<(u8, usize, usize)> {
        while self.to - self.from < 2 {
            self.fill().await?;
        }
        let long = match self.buffer[self.from + 1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        while self.to - self.from < 2 + long {
            self.fill().await?;
        }
        let head = &self.buffer[self.from..self.from + 2 + long];
        let kind = head[0] & 0x0f;
        let length = match long {
            0 => usize::from(head[1] & 0x7f),
            _ => head[2..].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
        };
        let whole = 2 + long + length;
        if self.buffer.len() < whole {
            self.buffer.resize(whole.next_power_of_two(), 0);
        }
        while self.to - self.from < whole {
            self.fill().await?;
        }
        let from = self.from + 2 + long;
        self.from += whole;
        Ok((kind, from, from + length))
    }

    /// Reads more, after what is unread.
    async fn fill(&mut self) -> Result<()> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        } else if self.to == self.buffer.len() {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
            if self.to == self.buffer.len() {
                self.buffer.resize(self.to * 2, 0);
            }
        }
        match self.half.read(&mut self.buffer[self.to..]).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            read => {
                self.to += read;
                Ok(())
            }
        }
    }
}

impl Writer {
    /// Sends a text frame.
    pub async fn text(&mut self, payload: &[u8]) -> Result<()> {
        self.frame.clear();
        self.frame.push(0x81);
        match payload.len() {
            short @ 0..=125 => self.frame.push(0x80 | short as u8),
            middle @ 126..=0xffff => {
                self.frame.push(0x80 | 126);
                self.frame.extend((middle as u16).to_be_bytes());
            }
            long => {
                self.frame.push(0x80 | 127);
                self.frame.extend((long as u64).to_be_bytes());
            }
        }
        // A mask of zeros is a mask, and masks nothing.
        self.frame.extend([0; 4]);
        self.frame.extend(payload);
        self.half.write_all(&self.frame).await
    }
}
