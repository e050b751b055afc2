//! Reading frames of strangers: what fits is typed from here on, what does not has a reason.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::dashboard::DashboardId;
use crate::server::rooms::input::{DecodedChange, InvalidChange};
use crate::sync::protocol::{Change, ClientMessage, Code, PROTOCOL, Presence, RawPush, Resume};

/// A frame that reads.
pub enum Decoded {
    Hello {
        client: String,
        name: Option<String>,
    },
    /// A `hello` of a version that is not spoken here, whatever else it says.
    OtherProtocol,
    Join {
        dashboard: DashboardId,
        resume: Option<Resume>,
        compactions: bool,
    },
    Push {
        dashboard: DashboardId,
        /// Those before the first that is unreadable.
        changes: Vec<DecodedChange>,
        /// What is wrong with a change of which not even the `seq` can be read.
        unreadable: Option<String>,
    },
    Presence {
        dashboard: DashboardId,
        presence: Option<Box<Presence>>,
    },
    Leave {
        dashboard: DashboardId,
    },
    Ping {
        id: u64,
        hidden: bool,
    },
}

/// What is wrong with a frame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Whoever sends this does not speak the protocol at all.
    #[error("a frame is one JSON object")]
    NotAnObject,
    #[error("{0}")]
    Invalid(String),
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Version {
    protocol: u64,
}

#[derive(Deserialize)]
struct Ping {
    id: u64,
    /// A tab that does not show: its timers are slow, and its silence means less.
    #[serde(default)]
    hidden: bool,
}

#[derive(Deserialize)]
struct RawChange<'a> {
    seq: u64,
    #[serde(borrow)]
    ops: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Seq {
    seq: u64,
}

/// Reads one frame. `max_op_bytes` bounds each op of a push.
pub fn decode(text: &str, max_op_bytes: usize) -> Result<Decoded, DecodeError> {
    if !text.trim_start().starts_with('{') {
        return Err(DecodeError::NotAnObject);
    }
    let kind = match serde_json::from_str::<Kind>(text) {
        Ok(Kind { kind }) => kind,
        Err(error) => {
            let object = serde_json::from_str::<HashMap<Cow<str>, IgnoredAny>>(text);
            return Err(object.map_or(DecodeError::NotAnObject, |_| invalid(&error)));
        }
    };
    match &*kind {
        // A push is read by its parts, so that one bad change does not spoil the others.
        "push" => {
            let push: RawPush = serde_json::from_str(text).map_err(|error| invalid(&error))?;
            let (mut changes, mut unreadable) = (Vec::with_capacity(push.changes.len()), None);
            for raw in push.changes {
                match change(raw.get(), max_op_bytes) {
                    Ok(pushed) => changes.push(pushed),
                    Err(error) => {
                        unreadable = Some(shortened(&error));
                        break;
                    }
                }
            }
            Ok(Decoded::Push { dashboard: push.dashboard, changes, unreadable })
        }
        // The version is read by itself: it says what the other fields are.
        "hello" if is_other_protocol(text)? => Ok(Decoded::OtherProtocol),
        "ping" => {
            let Ping { id, hidden } = serde_json::from_str(text).map_err(|error| invalid(&error))?;
            Ok(Decoded::Ping { id, hidden })
        }
        "hello" | "join" | "presence" | "leave" => {
            match serde_json::from_str(text).map_err(|error| invalid(&error))? {
                ClientMessage::Hello { protocol: _, client, name } => Ok(Decoded::Hello { client, name }),
                ClientMessage::Join { dashboard, resume, compactions } => {
                    Ok(Decoded::Join { dashboard, resume, compactions })
                }
                ClientMessage::Presence { dashboard, presence } => {
                    Ok(Decoded::Presence { dashboard, presence: presence.map(Box::new) })
                }
                ClientMessage::Leave { dashboard } => Ok(Decoded::Leave { dashboard }),
                ClientMessage::Push { .. } | ClientMessage::Ping { .. } => {
                    Err(DecodeError::Invalid("the frame says two types".to_owned()))
                }
            }
        }
        other => {
            let shown: String = other.chars().take(MAX_SHOWN).collect();
            Err(DecodeError::Invalid(format!("there is no type {shown:?}")))
        }
    }
}

fn is_other_protocol(hello: &str) -> Result<bool, DecodeError> {
    let Version { protocol } = serde_json::from_str(hello).map_err(|error| invalid(&error))?;
    Ok(protocol != u64::from(PROTOCOL))
}

/// Characters of somebody's own words that a reason repeats.
const MAX_SHOWN: usize = 40;

/// Reads one change. Errors where nobody could be told which change it was.
fn change(raw: &str, max_op_bytes: usize) -> Result<DecodedChange, serde_json::Error> {
    let bad = |seq, code, reason| {
        Ok(DecodedChange::Invalid(InvalidChange { seq, code, reason, retry_after_ms: None }))
    };
    if raw.len() > max_op_bytes
        && let Ok(RawChange { seq, ops }) = serde_json::from_str(raw)
        && let Some(at) = ops.iter().position(|op| op.get().len() > max_op_bytes)
    {
        let reason = format!("Op {at} has more than {max_op_bytes} bytes.");
        return bad(seq, Code::TooLarge, reason);
    }
    match serde_json::from_str::<Change>(raw) {
        Ok(change) => Ok(DecodedChange::Change(change)),
        Err(error) => match serde_json::from_str::<Seq>(raw) {
            Ok(Seq { seq }) => bad(seq, Code::Invalid, shortened(&error)),
            Err(_) => Err(error),
        },
    }
}

fn invalid(error: &serde_json::Error) -> DecodeError {
    DecodeError::Invalid(shortened(error))
}

fn shortened(error: &serde_json::Error) -> String {
    const MOST: usize = 200;
    error.to_string().chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OP_BYTES: usize = 200;

    fn pushed(changes: &str) -> Vec<DecodedChange> {
        let text = format!(r#"{{"type":"push","dashboard":"d1","changes":[{changes}]}}"#);
        match decode(&text, OP_BYTES) {
            Ok(Decoded::Push { changes, .. }) => changes,
            Ok(_) => panic!("no push"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_no_object_is_told_from_what_does_not_fit() {
        for text in
            ["", "hello", "[]", "[\"ping\",1]", "1", "{", "{\"type\":\"ping\"", "\"{}\"", "{}{}", "nul"]
        {
            assert_eq!(decode(text, OP_BYTES).err(), Some(DecodeError::NotAnObject), "{text}");
        }
        let deep = format!("{{\"type\":\"x\",\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        for text in [
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"dance"}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"ping","id":-1}"#,
            r#"{"type":"ping","id":1,"type":"ping"}"#,
            r#"{"type":"join","dashboard":"../etc"}"#,
            r#"{"type":"join","dashboard":""}"#,
            r#"{"type":"push","dashboard":"d1","changes":{"seq":1}}"#,
            &deep,
        ] {
            assert!(matches!(decode(text, OP_BYTES), Err(DecodeError::Invalid(_))), "{text:.60}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let ping = decode(r#" {"more":[1,{}],"type":"ping","id":7,"hidden":true}"#, OP_BYTES);
        assert!(matches!(ping, Ok(Decoded::Ping { id: 7, hidden: true })));
    }

    #[test]
    fn one_bad_change_does_not_spoil_the_others() {
        let good = r#"{"seq":1,"base":0,"ops":[{"op":"remove_widget","id":"w1"}]}"#;
        let bad = r#"{"seq":2,"base":0,"ops":[{"op":"fly"}]}"#;
        let long = format!(
            r#"{{"seq":3,"base":0,"ops":[{{"op":"set","id":"w1","field":"title","value":"{}"}}]}}"#,
            "x".repeat(OP_BYTES)
        );
        let nothing = format!(r#"{{"type":"push","dashboard":"d1","changes":[{good},{{}},{good}]}}"#);
        assert!(matches!(
            decode(&nothing, OP_BYTES),
            Ok(Decoded::Push { changes, unreadable: Some(_), .. }) if changes.len() == 1
        ));
        let changes = pushed(&[good, bad, &long].join(","));
        assert!(matches!(&changes[0], DecodedChange::Change(change) if change.seq == 1));
        assert!(matches!(
            &changes[1],
            DecodedChange::Invalid(InvalidChange { seq: 2, code: Code::Invalid, .. })
        ));
        assert!(matches!(
            &changes[2],
            DecodedChange::Invalid(InvalidChange { seq: 3, code: Code::TooLarge, .. })
        ));
    }
}
