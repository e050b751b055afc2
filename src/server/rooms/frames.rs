//! Frames of a room, put together from parts that are encoded once.

use std::sync::Arc;

use axum::body::Bytes;
use serde::Serialize;

use crate::dashboard::DashboardId;
use crate::server::unsent::{Share, holding};
use crate::sync::host::Digests;
use crate::sync::protocol::{Code, DataFrame, Peers, Role, ServerMessage};

/// The first byte of a WebSocket frame that is a whole text (RFC 6455, 5.2).
const WHOLE_TEXT: u8 = 0x81;

/// A text as it goes over the wire, header and all. What a server sends has no mask, so one encoding
/// serves every session, and none of them copies it. A large part that several frames have in them is
/// shared by these too.
#[derive(Clone, Debug)]
pub struct Frame {
    first: Bytes,
    /// What comes after it, in order.
    rest: Vec<Bytes>,
}

impl Frame {
    pub fn new(text: &str) -> Self {
        let mut bytes = header(text.len(), text.len());
        bytes.extend(text.as_bytes());
        Self { first: bytes.into(), rest: Vec::new() }
    }

    /// A text with a shared part in its middle.
    fn around(head: &str, shared: Bytes, tail: String) -> Self {
        let mut first = header(head.len() + shared.len() + tail.len(), head.len());
        first.extend(head.as_bytes());
        let parts = [shared, tail.into()];
        Self { first: first.into(), rest: parts.into_iter().filter(|part| !part.is_empty()).collect() }
    }

    /// What goes over the wire: the first part, and those that come after it.
    pub fn into_parts(self) -> (Bytes, Vec<Bytes>) {
        (self.first, self.rest)
    }

    /// Bytes on the wire.
    pub fn size(&self) -> usize {
        self.first.len() + self.rest.iter().map(Bytes::len).sum::<usize>()
    }

    /// The frame, which holds on to something until all of it is sent.
    pub fn holding<T: Send + 'static>(mut self, what: T) -> Self {
        let last = self.rest.last_mut().unwrap_or(&mut self.first);
        *last = holding(std::mem::take(last), what);
        self
    }

    /// The text without its header.
    #[cfg(test)]
    pub fn text(&self) -> String {
        let bytes = [&self.first[..]].into_iter().chain(self.rest.iter().map(|part| &part[..]));
        let bytes: Vec<u8> = bytes.flatten().copied().collect();
        let header = match bytes[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        String::from_utf8(bytes[header..].to_vec()).expect("it was made of a text")
    }
}

/// The header of a text, with room for what follows it.
fn header(length: usize, room: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(room + 10);
    bytes.push(WHOLE_TEXT);
    match length {
        short @ 0..=125 => bytes.push(short as u8),
        middle @ 126..=0xffff => {
            bytes.push(126);
            bytes.extend((middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes
}

impl From<String> for Frame {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

/// Encodes a value that has only strings, numbers and maps with string keys in it.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps with string keys are JSON")
}

/// A frame of a message.
pub fn frame(message: &ServerMessage) -> Frame {
    json(message).into()
}

/// A `commits` frame of encoded commits.
pub fn commits(
    dashboard: &DashboardId,
    bodies: &[Arc<str>],
    digests: Option<&Digests>,
    token: Option<&str>,
) -> Frame {
    let bytes: usize = bodies.iter().map(|body| body.len() + 1).sum();
    let mut out = String::with_capacity(bytes + 256);
    out.push_str("{\"type\":\"commits\",\"dashboard\":\"");
    // Ids have no character that JSON escapes.
    out.push_str(dashboard.as_str());
    out.push_str("\",\"commits\":[");
    join(&mut out, bodies);
    out.push(']');
    let (shown, full) = digests.map(|digests| (&*digests.shown, &*digests.full)).unzip();
    for (name, text) in [("digest", shown), ("full_digest", full), ("token", token)] {
        if let Some(text) = text {
            push_text(&mut out, name, text);
        }
    }
    out.push('}');
    out.into()
}

/// One more field. Its text has no character that JSON escapes, as digests and tokens have none.
fn push_text(out: &mut String, name: &str, text: &str) {
    for part in [",\"", name, "\":\"", text, "\""] {
        out.push_str(part);
    }
}

/// What a `joined` frame says, with its large part encoded already.
pub struct JoinedParts<'a> {
    pub dashboard: &'a DashboardId,
    pub role: Role,
    pub owner: bool,
    pub epoch: &'a str,
    pub revision: u64,
    pub token: Option<&'a str>,
    pub last_seq: u64,
    pub content: Content,
    pub peers: &'a Peers,
}

/// What brings a replica up to date, encoded.
#[derive(Debug)]
pub enum Content {
    Snapshot(Share),
    /// Commits with commas between them.
    Commits(Share),
    /// It is up to date.
    Nothing,
}

/// A `joined` frame.
pub fn joined(parts: JoinedParts<'_>) -> Frame {
    let mut out = String::with_capacity(256);
    out.push_str("{\"type\":\"joined\",\"dashboard\":");
    out.push_str(&json(parts.dashboard));
    out.push_str(",\"role\":");
    out.push_str(&json(&parts.role));
    if parts.owner {
        out.push_str(",\"owner\":true");
    }
    out.push_str(",\"epoch\":");
    out.push_str(&json(&parts.epoch));
    out.push_str(",\"revision\":");
    out.push_str(&parts.revision.to_string());
    if let Some(token) = parts.token {
        push_text(&mut out, "token", token);
    }
    out.push_str(",\"last_seq\":");
    out.push_str(&parts.last_seq.to_string());
    let (name, bytes, end) = match parts.content {
        Content::Snapshot(share) => (",\"snapshot\":", share.charged(), ",\"peers\":"),
        Content::Commits(share) => (",\"commits\":[", share.charged(), "],\"peers\":"),
        Content::Nothing => (",\"commits\":[", Bytes::new(), "],\"peers\":"),
    };
    out.push_str(name);
    let mut tail = String::with_capacity(16 + 192 * parts.peers.len());
    tail.push_str(end);
    tail.push_str(&json(parts.peers));
    tail.push('}');
    Frame::around(&out, bytes, tail)
}

/// Puts encoded commits one after the other, with commas between them.
pub fn join(out: &mut String, bodies: &[Arc<str>]) {
    for (index, body) in bodies.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(body);
    }
}

/// An `error` frame.
pub fn error(code: Code, reason: impl Into<String>, retry_after_ms: Option<u64>) -> Frame {
    let reason = reason.into();
    frame(&ServerMessage::Error { code, reason, retry_after_ms, in_bin: false, dashboard: None })
}

/// An `error` about a dashboard that is in the bin.
pub fn in_bin(reason: impl Into<String>) -> Frame {
    let (code, reason) = (Code::NotFound, reason.into());
    frame(&ServerMessage::Error { code, reason, retry_after_ms: None, in_bin: true, dashboard: None })
}

/// A `presence` frame.
pub fn presence(dashboard: &DashboardId, peers: Peers) -> Frame {
    frame(&ServerMessage::Presence { dashboard: dashboard.clone(), peers })
}

/// A `data` frame.
pub fn data(dashboard: &DashboardId, frames: Vec<DataFrame>) -> Frame {
    frame(&ServerMessage::Data { dashboard: dashboard.clone(), frames })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{ClientId, Dashboard, User};
    use crate::server::unsent::{Encoded, Unsent};
    use crate::sync::protocol::Commit;

    #[test]
    fn frames_put_together_read_as_messages() {
        let id = DashboardId::new("d1").expect("an id");
        let body = |revision| -> Arc<str> {
            let (client, by) = (ClientId::new("c1").expect("an id"), User::default());
            let (ops, refused, conflicts) = (vec![], vec![], vec![]);
            json(&Commit { revision, client, seq: 1, by, at: 5, written_at: None, ops, refused, conflicts })
                .into()
        };
        let read = |frame: Frame| -> ServerMessage { serde_json::from_str(&frame.text()).expect("reads") };
        let digests = Digests { shown: "ab".to_owned(), full: "cd".to_owned() };
        match read(commits(&id, &[body(1), body(2)], Some(&digests), Some("5.c"))) {
            ServerMessage::Commits { dashboard, commits, digest, full_digest, token, .. } => {
                assert_eq!((dashboard, commits.len()), (id.clone(), 2));
                assert_eq!((digest.as_deref(), full_digest.as_deref()), (Some("ab"), Some("cd")));
                assert_eq!(token.as_deref(), Some("5.c"));
            }
            other => panic!("{other:?}"),
        }
        let peers = Peers::new();
        let unsent = Unsent::new(1_000_000);
        let share = |text: String| Encoded::new(text, &unsent).expect("there is room").1;
        let snapshot = share(json(&Dashboard::new("T")));
        let bodies = share([body(3), body(4)].join(","));
        for content in [Content::Snapshot(snapshot), Content::Commits(bodies), Content::Nothing] {
            let tail = !matches!(content, Content::Snapshot(_));
            let parts = JoinedParts {
                dashboard: &id,
                role: Role::Editor,
                owner: false,
                epoch: "e\"1",
                revision: 3,
                token: Some("5.c"),
                last_seq: 1,
                content,
                peers: &peers,
            };
            match read(joined(parts)) {
                ServerMessage::Joined(joined) => {
                    assert_eq!((joined.snapshot.is_some(), joined.commits.is_some()), (!tail, tail));
                    assert_eq!(joined.token.as_deref(), Some("5.c"));
                    assert_eq!(joined.epoch, "e\"1");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_header_says_how_long_the_text_is() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (0xffff, vec![0x81, 126, 0xff, 0xff]),
            (0x1_0000, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Frame::new(&"x".repeat(length));
            assert_eq!((frame.size(), frame.text().len()), (header.len() + length, length));
            let (first, _) = frame.into_parts();
            assert_eq!(first[..header.len()], header);
        }
    }
}
