//! Values of variables in a query, whatever its language.

use std::collections::BTreeMap;

use super::pick::pick;
use super::{Source, SourceError};
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

/// The variables with all that there is to choose in the place of the pattern for all of it, for a source whose language
/// has none. Errors where only another source knows what there is.
pub async fn with_all(
    source: &dyn Source,
    variables: &BTreeMap<String, Chosen>,
) -> Result<BTreeMap<String, Chosen>, SourceError> {
    let mut all = variables.clone();
    for (name, chosen) in &mut all {
        let Some(offered) = chosen.offered.take() else { continue };
        let mut values = offered.choices;
        if let Some(of) = offered.values_of {
            if of.source != source.name() {
                let (own, other) = (source.name(), of.source);
                let other = if other.is_empty() { "series by name" } else { other.as_str() };
                let reason = format!(
                    "{own} does not know all of ${name}, whose values are those of {other}: choose some."
                );
                return Err(SourceError(reason));
            }
            let found = source.values(&of.label, &of.of, &offered.variables).await?;
            values.extend(pick(&found, &of.regex).map_err(SourceError)?);
        }
        values.sort();
        values.dedup();
        if !values.is_empty() {
            *chosen = Chosen { values, is_literal: true, offered: None };
        }
    }
    Ok(all)
}
