//! An update of a text, as it travels.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dashboard::edit::OpError;
use crate::dashboard::yjs;

/// Bytes of one update: in base64, and with what stands around it, an op of 64 KiB.
pub const MAX_UPDATE_BYTES: usize = (64 * 1024 - 512) / 4 * 3;
/// A Yjs v1 update of no blocks and no deletions.
const NO_EDIT: [u8; 2] = [0, 0];

/// A Yjs v1 update, base64 on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Update(Arc<[u8]>);

impl Update {
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// An update that holds no edit: no blocks, and nothing deleted.
    pub fn empty() -> Self {
        Self::new(NO_EDIT)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The strings that it inserts, in the order of typing; `None` where it is no update of a note.
    pub fn typed(&self) -> Option<String> {
        yjs::typed(&self.0)
    }

    /// True where it is an update of a note that inserts and deletes nothing.
    pub fn is_empty(&self) -> bool {
        yjs::is_empty(&self.0) == Some(true)
    }

    /// Checks what can be seen without a text: that it is an update of a note, not too large, and an edit
    /// at all.
    pub(super) fn check(&self) -> Result<(), OpError> {
        if self.0.len() > MAX_UPDATE_BYTES {
            return Err(OpError::TooLarge);
        }
        match yjs::is_empty(&self.0) {
            None => Err(OpError::NotAnUpdate),
            Some(true) => Err(OpError::EmptyUpdate),
            Some(false) => Ok(()),
        }
    }

    /// This update and the one after it as one; `None` where either cannot be read.
    pub fn merged(&self, next: &Self) -> Option<Self> {
        yrs::merge_updates_v1([&self.0[..], &next.0[..]]).ok().map(Self::new)
    }
}

impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Update({} bytes)", self.0.len())
    }
}

impl Serialize for Update {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Update {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}
