//! Reading JSON in the browser.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Reads a struct from JSON.
///
/// Serde makes an instance of each type's reader for each form that it is read from. What the server
/// sends is tagged, so it is read through serde's own buffer; here all else is, too, and one instance
/// of each is enough: the page is lighter for it.
pub fn read<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    #[derive(Deserialize)]
    struct Buffered<T> {
        #[serde(flatten)]
        whole: T,
    }
    serde_json::from_str(text).map(|Buffered { whole }| whole)
}
