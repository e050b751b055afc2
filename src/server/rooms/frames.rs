//! Frames of a room, put together from parts that are encoded once.

use std::sync::Arc;

use axum::body::Bytes;
use serde::Serialize;

use crate::dashboard::DashboardId;
use crate::sync::protocol::{Code, DataFrame, Peers, Role, ServerMessage};

/// The first byte of a WebSocket frame that is a whole text (RFC 6455, 5.2).
const WHOLE_TEXT: u8 = 0x81;

/// A text as it goes over the wire, header and all. What a server sends has no mask, so one encoding
/// serves every session, and none of them copies it.
#[derive(Clone, Debug)]
pub struct Frame(Bytes);

impl Frame {
    pub fn new(text: &str) -> Self {
        let length = text.len();
        let mut bytes = Vec::with_capacity(length + 10);
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
        bytes.extend(text.as_bytes());
        Self(bytes.into())
    }

    /// What goes over the wire.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Bytes on the wire.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The text without its header.
    #[cfg(test)]
    pub fn text(&self) -> &str {
        let header = match self.0[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        std::str::from_utf8(&self.0[header..]).expect("it was made of a text")
    }
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
    digest: Option<&str>,
    token: Option<&str>,
) -> Frame {
    let bytes: usize = bodies.iter().map(|body| body.len() + 1).sum();
    let mut out = String::with_capacity(bytes + 224);
    out.push_str("{\"type\":\"commits\",\"dashboard\":\"");
    // Ids have no character that JSON escapes.
    out.push_str(dashboard.as_str());
    out.push_str("\",\"commits\":[");
    join(&mut out, bodies);
    out.push(']');
    for (name, text) in [("digest", digest), ("token", token)] {
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

/// The answer to a change that came again and whose commit is not kept any more.
pub fn forgotten(dashboard: &DashboardId, seq: u64) -> Frame {
    let (dashboard, commits) = (dashboard.clone(), Vec::new());
    frame(&ServerMessage::Commits { dashboard, commits, digest: None, token: None, forgotten: Some(seq) })
}

/// What a `joined` frame says, with its large part encoded already.
pub struct JoinedParts<'a> {
    pub dashboard: &'a DashboardId,
    pub role: Role,
    pub epoch: &'a str,
    pub revision: u64,
    pub token: Option<&'a str>,
    pub last_seq: u64,
    pub content: Content,
    pub peers: &'a Peers,
}

/// What brings a replica up to date.
pub enum Content {
    Snapshot(Arc<str>),
    Commits(Vec<Arc<str>>),
}

/// A `joined` frame.
pub fn joined(parts: &JoinedParts<'_>) -> Frame {
    let bytes = match &parts.content {
        Content::Snapshot(snapshot) => snapshot.len(),
        Content::Commits(bodies) => bodies.iter().map(|body| body.len() + 1).sum(),
    };
    let mut out = String::with_capacity(bytes + 256 + 192 * parts.peers.len());
    out.push_str("{\"type\":\"joined\",\"dashboard\":");
    out.push_str(&json(parts.dashboard));
    out.push_str(",\"role\":");
    out.push_str(&json(&parts.role));
    out.push_str(",\"epoch\":");
    out.push_str(&json(&parts.epoch));
    out.push_str(",\"revision\":");
    out.push_str(&parts.revision.to_string());
    if let Some(token) = parts.token {
        push_text(&mut out, "token", token);
    }
    out.push_str(",\"last_seq\":");
    out.push_str(&parts.last_seq.to_string());
    match &parts.content {
        Content::Snapshot(snapshot) => {
            out.push_str(",\"snapshot\":");
            out.push_str(snapshot);
        }
        Content::Commits(bodies) => {
            out.push_str(",\"commits\":[");
            join(&mut out, bodies);
            out.push(']');
        }
    }
    out.push_str(",\"peers\":");
    out.push_str(&json(parts.peers));
    out.push('}');
    out.into()
}

fn join(out: &mut String, bodies: &[Arc<str>]) {
    for (index, body) in bodies.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(body);
    }
}

/// An `error` frame.
pub fn error(code: Code, reason: impl Into<String>, retry_after_ms: Option<u64>) -> Frame {
    frame(&ServerMessage::Error { code, reason: reason.into(), retry_after_ms })
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
    use crate::sync::protocol::Commit;

    #[test]
    fn frames_put_together_read_as_messages() {
        let id = DashboardId::new("d1").expect("an id");
        let body = |revision| -> Arc<str> {
            let (client, by) = (ClientId::new("c1").expect("an id"), User::default());
            let (ops, refused, conflicts) = (vec![], vec![], vec![]);
            json(&Commit { revision, client, seq: 1, by, at: 5, ops, refused, conflicts }).into()
        };
        let read = |frame: Frame| -> ServerMessage { serde_json::from_str(frame.text()).expect("reads") };
        match read(commits(&id, &[body(1), body(2)], Some("ab"), Some("5.c"))) {
            ServerMessage::Commits { dashboard, commits, digest, token, .. } => {
                assert_eq!((dashboard, commits.len()), (id.clone(), 2));
                assert_eq!((digest.as_deref(), token.as_deref()), (Some("ab"), Some("5.c")));
            }
            other => panic!("{other:?}"),
        }
        let peers = Peers::new();
        let snapshot: Arc<str> = json(&Dashboard::new("T")).into();
        for content in [Content::Snapshot(snapshot), Content::Commits(vec![body(3)])] {
            let tail = matches!(content, Content::Commits(_));
            let parts = JoinedParts {
                dashboard: &id,
                role: Role::Editor,
                epoch: "e\"1",
                revision: 3,
                token: Some("5.c"),
                last_seq: 1,
                content,
                peers: &peers,
            };
            match read(joined(&parts)) {
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
            assert_eq!(frame.bytes()[..header.len()], header);
        }
    }
}
