//! Data of a page that its own code reads: JSON until then, so that whoever opens a dashboard fetches no
//! reader of it.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `T` that has not been read yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unread<T>(Value, PhantomData<fn() -> T>);

impl<T> Unread<T> {
    /// What will be read as a `T`.
    pub const fn json(value: Value) -> Self {
        Self(value, PhantomData)
    }
}

impl<T: Serialize> Unread<T> {
    pub fn of(data: &T) -> Self {
        Self::json(serde_json::to_value(data).expect("page data has string keys only"))
    }
}

impl<T: DeserializeOwned + Default> Unread<T> {
    /// The data; nothing of it where another build wrote it.
    pub fn read(self) -> T {
        serde_json::from_value(self.0).unwrap_or_default()
    }
}
