//! Chosen values of variables, as queries need them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ALL, Mention, Settings, VARIABLE, ValuesOf, chosen_of, mentions};

/// The values that a variable stands for in a query.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Chosen {
    /// At least one.
    pub values: Vec<String>,
    /// True for values of which each means itself: a source knows them, or several can be chosen. One that
    /// somebody wrote as the only choice may be a pattern.
    #[serde(default)]
    pub is_literal: bool,
    /// What there is to choose where all of it is chosen at once: not every language has a pattern for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Box<Offered>>,
}

/// What there is to choose of a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offered {
    /// Without the pattern that means all of them.
    #[serde(default)]
    pub choices: Vec<String>,
    /// What knows more of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_of: Option<ValuesOf>,
    /// What is chosen of the variables that it names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Chosen>,
}

/// What is chosen of the variables that a text names, by name.
pub fn chosen_in(settings: &Settings, text: &str) -> BTreeMap<String, Chosen> {
    chosen_within(settings, text, true)
}

/// The same, with what there is to choose or without: variables may ask for each other in a circle.
fn chosen_within(settings: &Settings, text: &str, with_offered: bool) -> BTreeMap<String, Chosen> {
    let names = mentions(text, |name| settings.contains_key(&format!("{VARIABLE}{name}")));
    let chosen = |name: &str| {
        let (variable, values) = chosen_of(settings, name)?;
        let is_literal = variable.multi || variable.values_of.is_some();
        let offered = (with_offered && values == [ALL]).then(|| {
            let of = variable.values_of.as_ref().map_or("", |values| &values.of);
            let variables = chosen_within(settings, of, false);
            let choices = variable.choices.into_iter().filter(|one| one != ALL).collect();
            Box::new(Offered { choices, values_of: variable.values_of, variables })
        });
        Some((name.to_owned(), Chosen { values, is_literal, offered }))
    };
    let mut all = BTreeMap::new();
    for Mention { name, .. } in names {
        if !all.contains_key(name) {
            all.extend(chosen(name));
        }
    }
    all
}
