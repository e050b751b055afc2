//! Settings of a dashboard beside its title: how conflicts show, the time that it shows, its variables, and the
//! moments that people have marked.

mod chosen;
mod mentions;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::edit::OpError;
use super::range::{MAX_TIME_MS, TimeRange};
use super::several::{any_of, each_of};
use super::widget::{MAX_QUERY_CHARS, MAX_SOURCE_CHARS, check_title};
use super::{Id, Strategy};

pub use self::chosen::{Chosen, Offered, chosen_in};
pub use self::mentions::{
    MAX_FILLED_BYTES, Mention, in_words, mention, mentioned, mentions, uses, with_variables,
};
pub use super::zone::TimeZone;

/// The setting that holds the [`TimeRange`], as text.
pub const RANGE: &str = "range";
/// The setting that holds the seconds from one asking of the sources to the next, 1 to 3,600.
pub const REFRESH: &str = "refresh";
/// The setting that holds what the dashboard is sorted under: an array of texts.
pub const TAGS: &str = "tags";
/// The setting that holds the zone in which moments are read and written, as text.
pub const TIME_ZONE: &str = "timezone";
/// The settings that define variables, by name: a [`Variable`] each.
pub const VARIABLE: &str = "variable.";
/// The settings that hold what is chosen for variables, by name.
pub const CHOSEN: &str = "value.";
/// The settings that hold marked moments, by id: an [`Annotation`] each.
pub const ANNOTATION: &str = "annotation.";

/// Tags of a dashboard: what one card can show.
pub const MAX_TAGS: usize = 20;
/// Characters of a tag: a few words.
pub const MAX_TAG_CHARS: usize = 40;
/// Variables of a dashboard: what one row of choices can hold.
pub const MAX_VARIABLES: usize = 20;
/// Marked moments of a dashboard: more than a chart has room for lines.
pub const MAX_ANNOTATIONS: usize = 500;
/// Characters in a variable's name.
pub const MAX_VARIABLE_NAME: usize = 32;
/// Values that can be chosen from.
pub const MAX_CHOICES: usize = 200;
/// Characters in one value.
pub const MAX_CHOICE_CHARS: usize = 200;
/// Characters of the regular expression that picks from values.
pub const MAX_REGEX_CHARS: usize = 500;
/// Characters of what is chosen, which may be several values.
pub const MAX_CHOSEN_CHARS: usize = 4_000;
/// The choice that means all of them, as a regex says it.
pub const ALL: &str = ".*";
/// Characters in what somebody wrote to a moment.
pub const MAX_ANNOTATION_CHARS: usize = 500;

/// A name that stands for a value in queries, titles and notes: `$name` or `${name}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// What people read; the name where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What can be chosen; a single value is a constant. Empty where the source knows the values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The label whose values a source is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_of: Option<ValuesOf>,
    /// True where several values can be chosen at once, as [`several`](super::several) writes them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multi: bool,
    /// True where its choice does not stand in the header: in settings and queries it is as any other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// The values that a label has in a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValuesOf {
    pub source: String,
    pub label: String,
    /// Which series count; empty for all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub of: String,
    /// A regular expression that picks from the values, or parts of them; empty for all as they are.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub regex: String,
}

/// A moment that somebody marked, on every chart of the dashboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Annotation {
    /// Unix milliseconds.
    pub at: u64,
    pub text: String,
}

/// True for a variable's name: a letter or `_`, then also digits.
pub fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= MAX_VARIABLE_NAME
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Checks a value for the dashboard's title or one of its settings.
pub(super) fn check_setting(field: &str, value: &Value) -> Result<(), OpError> {
    let wants = |wants: String| Err(OpError::BadValue { field: field.to_owned(), wants });
    if field == "title" {
        return check_title(value);
    }
    let known = match (field, family(field)) {
        ("conflicts" | RANGE | REFRESH | TAGS | TIME_ZONE, _) => true,
        (_, Some((VARIABLE | CHOSEN, name, _))) => is_variable_name(name),
        (_, Some((_, name, _))) => Id::new(name).is_ok(),
        _ => false,
    };
    if !known {
        return Err(OpError::NoSuchField(field.to_owned()));
    }
    if value.is_null() {
        return Ok(());
    }
    let text = value.as_str();
    match (field, family(field).map(|(family, ..)| family)) {
        ("conflicts", _) if text.and_then(Strategy::parse).is_none() => {
            wants("one of latest, first, ask".to_owned())
        }
        (RANGE, _) => match text.unwrap_or_default().parse::<TimeRange>() {
            Ok(_) => Ok(()),
            Err(error) => wants(format!("other text: {error}")),
        },
        (REFRESH, _) if value.as_u64().is_none_or(|seconds| !(1..=3600).contains(&seconds)) => {
            wants("a whole number of seconds from 1 to 3600".to_owned())
        }
        (TIME_ZONE, _) if text.and_then(TimeZone::parse).is_none() => {
            wants("browser, utc, or the name of a zone, as Europe/Berlin".to_owned())
        }
        (TAGS, _)
            if !value.as_array().is_some_and(|tags| {
                tags.len() <= MAX_TAGS && tags.iter().all(|tag| tag.as_str().is_some_and(is_tag))
            }) =>
        {
            wants(format!("up to {MAX_TAGS} tags of 1 to {MAX_TAG_CHARS} characters, each on one line"))
        }
        (_, Some(CHOSEN)) if text.is_none_or(|text| text.chars().count() > MAX_CHOSEN_CHARS) => {
            wants(format!("text of at most {MAX_CHOSEN_CHARS} characters"))
        }
        (_, Some(VARIABLE)) => match Variable::deserialize(value) {
            Ok(variable) if variable.fits() => Ok(()),
            _ => wants(format!(
                "a label, up to {MAX_CHOICES} choices of at most {MAX_CHOICE_CHARS} characters, or values_of"
            )),
        },
        (_, Some(ANNOTATION)) => match Annotation::deserialize(value) {
            Ok(Annotation { at, text })
                if at <= MAX_TIME_MS && text.chars().count() <= MAX_ANNOTATION_CHARS =>
            {
                Ok(())
            }
            _ => wants(format!("a time and text of at most {MAX_ANNOTATION_CHARS} characters")),
        },
        _ => Ok(()),
    }
}

/// True for what can be a tag: some words on one line.
pub fn is_tag(tag: &str) -> bool {
    (1..=MAX_TAG_CHARS).contains(&tag.chars().count())
        && !tag.chars().any(char::is_control)
        && tag.trim().len() == tag.len()
}

/// The family of a setting, the name within it, and how many of it there may be.
fn family(field: &str) -> Option<(&'static str, &str, usize)> {
    let families = [(VARIABLE, MAX_VARIABLES), (CHOSEN, MAX_VARIABLES), (ANNOTATION, MAX_ANNOTATIONS)];
    families.into_iter().find_map(|(family, most)| Some((family, field.strip_prefix(family)?, most)))
}

impl Variable {
    /// The values of what is chosen of it. What is a choice itself is that one, unless it is how several choices
    /// are written.
    pub fn values(&self, chosen: &str) -> Vec<String> {
        let one = || vec![chosen.to_owned()];
        if !self.multi {
            return one();
        }
        let all = each_of(chosen);
        let offers = |value: &str| self.choices.iter().any(|choice| choice == value);
        if offers(chosen) && !all.iter().all(|value| offers(value)) { one() } else { all }
    }

    /// Values of it as what is chosen, in which [`Variable::values`] finds them again; `None` for several where
    /// it takes one.
    pub fn chosen(&self, values: &[String]) -> Option<String> {
        match values {
            _ if self.multi => Some(any_of(values)),
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    fn fits(&self) -> bool {
        let short = |text: &str, most: usize| text.chars().count() <= most;
        short(&self.label, MAX_CHOICE_CHARS)
            && self.choices.len() <= MAX_CHOICES
            && self.choices.iter().all(|choice| short(choice, MAX_CHOICE_CHARS))
            && self.values_of.as_ref().is_none_or(|values| {
                short(&values.source, MAX_SOURCE_CHARS)
                    && short(&values.label, MAX_CHOICE_CHARS)
                    && short(&values.of, MAX_QUERY_CHARS)
                    && short(&values.regex, MAX_REGEX_CHARS)
            })
    }
}

/// The settings of a dashboard, by name.
pub type Settings = BTreeMap<String, Value>;

/// The time that a dashboard shows.
pub fn range(settings: &Settings) -> TimeRange {
    let text = settings.get(RANGE).and_then(Value::as_str);
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The zone in which a dashboard's moments are read.
pub fn time_zone(settings: &Settings) -> TimeZone {
    let text = settings.get(TIME_ZONE).and_then(Value::as_str);
    text.and_then(TimeZone::parse).unwrap_or_default()
}

/// What a dashboard is sorted under, each tag once.
pub fn tags(settings: &Settings) -> Vec<String> {
    let all = settings.get(TAGS).and_then(Value::as_array).into_iter().flatten();
    let mut tags: Vec<String> = Vec::new();
    for tag in all.filter_map(Value::as_str) {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

/// Its variables by name, in the order of the names.
pub fn variables(settings: &Settings) -> impl Iterator<Item = (&str, Variable)> {
    members(settings, VARIABLE).filter_map(|(name, value)| Some((name, Variable::deserialize(value).ok()?)))
}

/// Its variables, each after those that it asks its values of, as far as that can be; else by name.
pub fn variables_in_turn(settings: &Settings) -> Vec<(&str, Variable)> {
    let mut left: Vec<(&str, Variable)> = variables(settings).collect();
    let mut turn = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |(_, one): &(&str, Variable)| {
            let of = one.values_of.as_ref().map_or("", |values| &values.of);
            mentioned(of).any(|name| left.iter().any(|(other, _)| *other == name))
        };
        // Of those that wait for each other the first goes first.
        let next = left.iter().position(|one| !waits(one)).unwrap_or(0);
        turn.push(left.remove(next));
    }
    turn
}

/// What a variable stands for: what is chosen, else the first that could be; `None` where there is no such
/// variable.
pub fn variable_value(settings: &Settings, name: &str) -> Option<String> {
    let (variable, values) = chosen_of(settings, name)?;
    variable.chosen(&values)
}

/// A variable, and the values that it stands for.
fn chosen_of(settings: &Settings, name: &str) -> Option<(Variable, Vec<String>)> {
    let variable = Variable::deserialize(settings.get(&format!("{VARIABLE}{name}"))?).unwrap_or_default();
    let values = match settings.get(&format!("{CHOSEN}{name}")).and_then(Value::as_str) {
        Some(chosen) => variable.values(chosen),
        None => vec![variable.choices.first().cloned().unwrap_or_default()],
    };
    Some((variable, values))
}

/// Names in a query that a source fills in by the time that it is asked for and its step, as in Grafana's.
pub const FILLED_IN: [&str; 6] =
    ["__range", "__range_s", "__range_ms", "__interval", "__interval_ms", "__rate_interval"];

/// The moments that people have marked, by id.
pub fn annotations(settings: &Settings) -> impl Iterator<Item = (&str, Annotation)> {
    members(settings, ANNOTATION).filter_map(|(id, value)| Some((id, Annotation::deserialize(value).ok()?)))
}

/// Checks that one more setting, if it is one more, keeps within its family's bound.
pub(super) fn has_room_for(settings: &Settings, field: &str, value: &Value) -> Result<(), OpError> {
    let family = family(field).filter(|_| !value.is_null() && !settings.contains_key(field));
    let Some((family, _, most)) = family else { return Ok(()) };
    if members(settings, family).count() < most { Ok(()) } else { Err(OpError::TooMany(most)) }
}

fn members<'a>(settings: &'a Settings, family: &'static str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let from = settings.range(family.to_owned()..);
    from.map_while(move |(name, value)| Some((name.strip_prefix(family)?, value)))
}

#[cfg(test)]
mod tests;
