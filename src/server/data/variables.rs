//! Values of variables in a query, whatever its language.

use std::collections::BTreeMap;

use crate::dashboard::settings::{Chosen, MAX_FILLED_BYTES, mentions};

/// A query with the values of the variables that it names. `write` says what stands there for one: it gets the text
/// since the one before, the name and what is chosen, and errors in words where that cannot be.
pub fn fill(
    text: &str,
    variables: &BTreeMap<String, Chosen>,
    mut write: impl FnMut(&str, &str, &Chosen) -> Result<String, String>,
) -> Result<String, String> {
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for mention in mentions(text, |name| variables.contains_key(name)) {
        let Some(chosen) = variables.get(mention.name) else { continue };
        let before = &text[done..mention.at];
        out.push_str(before);
        out.push_str(&write(before, mention.name, chosen)?);
        done = mention.at + mention.long;
        if out.len() > MAX_FILLED_BYTES {
            return Err(format!("With its variables the query has more than {MAX_FILLED_BYTES} bytes."));
        }
    }
    out.push_str(&text[done..]);
    Ok(out)
}
