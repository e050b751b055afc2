//! Ids: short strings that clients and server make, checked where they come in.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Characters in an id: room for 256 random bits in base64, and a bound on every key.
pub const MAX_ID_CHARS: usize = 64;

/// What is wrong with a string that wants to be an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 characters out of A-Z, a-z, 0-9, _ and -")]
pub struct IdError;

/// A string of `[A-Za-z0-9_-]{1,64}`; cheap to copy.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

impl Id {
    /// Checks and takes a string. Errors where it is empty, too long or has another character.
    pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
        let text = text.as_ref();
        let fits = !text.is_empty()
            && text.len() <= MAX_ID_CHARS
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if fits { Ok(Self(text.into())) } else { Err(IdError) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of nobody, for values that are not known yet.
impl Default for Id {
    fn default() -> Self {
        Self("-".into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

impl FromStr for Id {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::new(text).map_err(serde::de::Error::custom)
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Id);

        impl $name {
            /// Checks and takes a string; see [`Id::new`].
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                Id::new(text).map(Self)
            }
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.0.as_str()
            }
        }
    )*};
}

ids! {
    /// A dashboard.
    DashboardId;
    /// A widget of a dashboard; made by the client that adds it.
    WidgetId;
    /// A conflict record; made by the room.
    ConflictId;
    /// One browser tab's replica, as others see it: the server's hash of the tab's secret.
    ClientId;
    /// One WebSocket connection.
    SessionId;
    /// A person.
    UserId;
}

/// What the user id of a program begins with, before its token's id.
const PROGRAM: &str = "t-";
/// Digits of a token's id, in hexadecimal.
const TOKEN_ID_DIGITS: usize = 16;

impl UserId {
    /// The id under which a program acts, by the id of its token. Errors where that is too long.
    pub fn of_program(token: &Id) -> Result<Self, IdError> {
        Self::new(format!("{PROGRAM}{token}"))
    }

    /// True for the id of a program. The server gives no person an id of this form.
    pub fn is_program(&self) -> bool {
        let token = self.as_str().strip_prefix(PROGRAM);
        token.is_some_and(|id| id.len() == TOKEN_ID_DIGITS && id.bytes().all(|b| b.is_ascii_hexdigit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_id() {
        let token = Id::new("0123456789abcdef").expect("an id");
        let program = UserId::of_program(&token).expect("an id");
        assert_eq!((program.as_str(), program.is_program()), ("t-0123456789abcdef", true));
        // As those of people, of guests, and of a script without a cookie.
        for other in
            ["t-3456789abcdefg", "t-_23456789abcdef0", "c-0123456789abcdef", "0123456789abcdef", "t-"]
        {
            assert!(!UserId::new(other).expect("an id").is_program(), "{other}");
        }
    }

    #[test]
    fn an_id_is_checked_where_it_comes_in() {
        assert!(Id::new("w1_-Z").is_ok());
        for bad in ["", "a b", "../x", "é", "a\0", &"x".repeat(65)] {
            assert_eq!(Id::new(bad), Err(IdError), "{bad:?}");
        }
        assert!(serde_json::from_str::<WidgetId>("\"<script>\"").is_err());
    }
}
