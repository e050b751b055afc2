//! Mentions of variables in a text, and the text with their values: `$name`, `${name}` and `[[name]]`.

use super::{MAX_VARIABLE_NAME, Settings, VARIABLE, chosen_of, is_variable_name, variable_value};

/// Bytes of a mention between its brackets: a name, and a spelling that Grafana may ask for.
const MAX_MENTION: usize = MAX_VARIABLE_NAME + 40;
/// Bytes above which no more variables are filled into a text: twice the longest note.
pub const MAX_FILLED_BYTES: usize = 512 * 1024;

/// A text with the values of variables where it names them: `$name`, `${name}` or `[[name]]`. A name that no
/// variable has stays as it is, and so does all that follows where it would get longer than
/// [`MAX_FILLED_BYTES`]. What a value says is not read again.
pub fn with_variables(settings: &Settings, text: &str) -> String {
    filled(settings, text, &|name| variable_value(settings, name).unwrap_or_default())
}

/// As [`with_variables`], for people: of several values at once each stands there as it is.
pub fn in_words(settings: &Settings, text: &str) -> String {
    filled(settings, text, &|name| {
        chosen_of(settings, name).map(|(_, values)| values.join(", ")).unwrap_or_default()
    })
}

fn filled(settings: &Settings, text: &str, value: &dyn Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    // A long text may name one variable thousands of times.
    let mut known: Vec<(&str, String)> = Vec::new();
    for Mention { at, name, long } in meant(settings, text) {
        if out.len() > MAX_FILLED_BYTES {
            break;
        }
        out.push_str(&text[done..at]);
        let place = known.iter().position(|(other, _)| *other == name).unwrap_or_else(|| {
            known.push((name, value(name)));
            known.len() - 1
        });
        out.push_str(&known[place].1);
        done = at + long;
    }
    out.push_str(&text[done..]);
    out
}

/// Where a text names a variable that there is, in bytes: the place of the name alone, so that what asks for
/// it, as in `${name:regex}`, can stay.
pub fn uses<'a>(settings: &'a Settings, text: &'a str, name: &'a str) -> impl Iterator<Item = usize> {
    let named = meant(settings, text).filter(move |mention| mention.name == name);
    named.map(|Mention { at, .. }| {
        at + if text[at..].starts_with("${") || text[at..].starts_with('[') { 2 } else { 1 }
    })
}

/// A variable where a text names it, in bytes.
pub struct Mention<'a> {
    pub at: usize,
    pub name: &'a str,
    pub long: usize,
}

/// The variables that a text names and that there are, in its order.
fn meant<'a>(settings: &'a Settings, text: &'a str) -> impl Iterator<Item = Mention<'a>> {
    mentions(text, |name| settings.contains_key(&format!("{VARIABLE}{name}")))
}

/// Where a text names what is known, in its order.
pub fn mentions<'a>(text: &'a str, is_known: impl Fn(&str) -> bool) -> impl Iterator<Item = Mention<'a>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(next) = text[from..].find(['$', '[']) {
            let at = from + next;
            if let Some((name, long)) = mention(&text[at..])
                && is_known(name)
            {
                from = at + long;
                return Some(Mention { at, name, long });
            }
            from = at + 1;
        }
        None
    })
}

/// The names that a text mentions where it could mean variables.
pub fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.char_indices().filter(|(_, c)| matches!(c, '$' | '['));
    starts.filter_map(|(at, _)| Some(mention(&text[at..])?.0)).filter(|name| is_variable_name(name))
}

/// The name that a text begins with, and how long its mention is in bytes.
pub fn mention(text: &str) -> Option<(&str, usize)> {
    for (open, close) in [("${", "}"), ("[[", "]]")] {
        if let Some(inner) = text.strip_prefix(open) {
            // Looked for only so far: a text of nothing but brackets is read in one go.
            let near = &inner.as_bytes()[..inner.len().min(MAX_MENTION)];
            let end = near.windows(close.len()).position(|two| two == close.as_bytes())?;
            // `${name:regex}` asks for a spelling of the value; there is one only.
            let name = inner[..end].split(':').next().unwrap_or_default();
            return Some((name, open.len() + end + close.len()));
        }
    }
    let name = text.strip_prefix('$')?;
    let long = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    Some((&name[..long], long + 1))
}
