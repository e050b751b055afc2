//! Settings out of the environment, and names there that are none.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::settings::{LIMIT_PREFIX, PREFIX, names, nearest, variable};
use super::{ConfigError, Place};

/// What the environment says.
pub(super) struct Environment {
    /// By the variable's whole name.
    pub(super) set: BTreeMap<String, String>,
    /// Variables with the prefix that are no settings and like none.
    pub(super) unknown: Vec<String>,
}

impl Environment {
    /// Reads it. A name that is nearly a setting's is refused, as what it was to set would be missing in
    /// silence; others are handed back to be said, as container platforms make such variables of their own.
    pub(super) fn read(env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        let (mut set, mut unknown) = (BTreeMap::new(), Vec::new());
        for (key, value) in env {
            let Some(key) = key.to_str().filter(|key| key.starts_with(PREFIX)) else { continue };
            let name = key[PREFIX.len()..].to_lowercase();
            if names().any(|known| known == name) {
                let Some(text) = value.to_str() else {
                    let wants = "text in UTF-8".to_owned();
                    let value = "what is set there".to_owned();
                    return Err(ConfigError::Value { place: Place::Env(key.to_owned()), value, wants });
                };
                set.insert(key.to_owned(), text.to_owned());
                continue;
            }
            let near = nearest(&name).map(variable);
            if near.is_some() || name.starts_with(LIMIT_PREFIX) {
                return Err(ConfigError::Unknown { name: key.to_owned(), near });
            }
            unknown.push(key.to_owned());
        }
        unknown.sort();
        Ok(Self { set, unknown })
    }
}
