//! JSONPath (RFC 9535) whose nodes are told apart by what its wildcards, slices and filters chose.

use serde_json::Value;
use serde_json_path::{JsonPath, PathElement};

/// Characters of one path.
const MAX_CHARS: usize = 500;
/// Brackets of each kind within each other; a reader's work doubles with each round one.
const MAX_DEPTH: usize = 5;
/// Nodes that one path finds.
pub const MAX_NODES: usize = 100_000;

/// A path that was read.
#[derive(Clone, Debug)]
pub struct Path {
    text: String,
    path: JsonPath,
    /// Which of its segments choose among several.
    several: Vec<usize>,
    /// The last name in it, if its last segments are names.
    name: Option<String>,
}

/// What a segment with several nodes chose at one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    Index(usize),
    Name(String),
}

impl Step {
    pub fn words(&self) -> String {
        match self {
            Self::Index(index) => index.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

/// A node, and what was chosen on the way to it.
pub struct Found<'a> {
    pub node: &'a Value,
    pub steps: Vec<Step>,
}

impl Path {
    /// Errors say what does not fit, behind the path's own words.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.chars().nth(MAX_CHARS).is_some() {
            return Err(format!("has more than {MAX_CHARS} characters"));
        }
        let segments = segments(text)?;
        let path = JsonPath::parse(text).map_err(|error| {
            format!("does not read at character {}: {}", error.position(), error.message())
        })?;
        let several =
            segments.iter().enumerate().filter(|(_, one)| one.name.is_none()).map(|(at, _)| at).collect();
        let name = segments.iter().rev().find_map(|one| one.name.clone()).filter(|name| !name.is_empty());
        Ok(Self { text: text.to_owned(), path, several, name })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the values are called by the path alone.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Names and numbers that stand before the first segment with several nodes: where those come from.
    pub fn comes_from(&self, other: &Self) -> bool {
        let own = |path: &Self| {
            let until = path.several.first().copied();
            let all = segments(&path.text).unwrap_or_default();
            all.into_iter().map(|one| one.text).take(until.unwrap_or(0)).collect::<Vec<_>>()
        };
        own(self) == own(other)
    }

    /// The nodes in a document. Errors where there are too many.
    pub fn find<'a>(&self, document: &'a Value) -> Result<Vec<Found<'a>>, String> {
        let nodes = self.path.query_located(document);
        if nodes.len() > MAX_NODES {
            return Err(format!("finds more than {MAX_NODES} values"));
        }
        let step = |element: &PathElement<'_>| match element {
            PathElement::Name(name) => Step::Name((*name).to_owned()),
            PathElement::Index(index) => Step::Index(*index),
        };
        let found = nodes.iter().map(|located| Found {
            node: located.node(),
            steps: self.several.iter().filter_map(|at| located.location().get(*at).map(step)).collect(),
        });
        Ok(found.collect())
    }
}

/// One segment of a path.
struct Segment {
    text: String,
    /// The name or number that it chooses; `None` where it may choose several.
    name: Option<String>,
}

/// Cuts a path in segments. Errors where it has what is not taken here: its cost would have no bound.
fn segments(text: &str) -> Result<Vec<Segment>, String> {
    let mut rest = text.strip_prefix('$').ok_or("does not begin with $")?;
    let mut all = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(all);
        }
        if rest.starts_with("..") {
            return Err("has `..`, which is not taken here: write the names on the way".to_owned());
        }
        let long = if rest.starts_with('[') {
            bracketed(rest)?
        } else if let Some(name) = rest.strip_prefix('.') {
            1 + name.find(['.', '[']).unwrap_or(name.len())
        } else {
            return Err("does not read: a name has a point before it".to_owned());
        };
        let (segment, after) = rest.split_at(long);
        all.push(Segment { text: segment.trim().to_owned(), name: chosen(segment) });
        rest = after;
    }
}

/// The name or number that a segment chooses.
fn chosen(segment: &str) -> Option<String> {
    if let Some(name) = segment.strip_prefix('.') {
        let name = name.trim();
        return (name != "*").then(|| name.to_owned());
    }
    let inner = segment.strip_prefix('[')?.strip_suffix(']')?.trim();
    if inner.parse::<i64>().is_ok() {
        return Some(String::new());
    }
    let quote = inner.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let end = quoted(inner, quote)?;
    (end == inner.len()).then(|| inner[1..end - 1].to_owned())
}

/// How long what stands in brackets is.
fn bracketed(text: &str) -> Result<usize, String> {
    let (mut at, mut square, mut round) = (0, 0_usize, 0_usize);
    let mut is_filter = false;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '\'' | '"' => {
                at += quoted(&text[at..], c).ok_or("has a quote that does not end")?;
                continue;
            }
            '[' => square += 1,
            '(' => round += 1,
            ')' => round = round.saturating_sub(1),
            ']' => square -= 1,
            '?' => is_filter = true,
            '$' => return Err("has `$` within brackets, which is not taken here".to_owned()),
            '*' if is_filter => return Err("has `*` within a filter, which is not taken here".to_owned()),
            '.' if text[at..].starts_with("..") => {
                return Err("has `..`, which is not taken here: write the names on the way".to_owned());
            }
            'm' | 's'
                if ["match", "search"].iter().any(|name| text[at..].starts_with(name))
                    && is_call(&text[at..]) =>
            {
                return Err("has `match` or `search`, which are not taken here".to_owned());
            }
            _ => {}
        }
        if square.max(round) > MAX_DEPTH {
            return Err(format!("has more than {MAX_DEPTH} brackets within each other"));
        }
        at += c.len_utf8();
        if square == 0 {
            return Ok(at);
        }
    }
    Err("has a bracket that does not end".to_owned())
}

/// True for the name of a function.
fn is_call(text: &str) -> bool {
    let name = text.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(text.len());
    text[name..].trim_start().starts_with('(')
}

/// How long a text in quotes is.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn steps(path: &str, document: &Value) -> Vec<String> {
        let path = Path::read(path).expect(path);
        let words = |one: Found<'_>| one.steps.iter().map(Step::words).collect::<Vec<_>>().join("/");
        path.find(document).expect("few").into_iter().map(words).collect()
    }

    #[test]
    fn nodes_know_what_was_chosen_on_the_way() {
        let document = json!({"a": [{"b": [1, 2], "c": 1}, {"b": [3]}], "o": {"x": {"v": 1}, "y": {"v": 2}}});
        assert_eq!(steps("$.a[*].b[*]", &document), ["0/0", "0/1", "1/0"]);
        assert_eq!(steps("$['a'][*].c", &document), ["0"], "the second has none");
        assert_eq!(steps("$.o.*.v", &document), ["x", "y"]);
        assert_eq!(steps("$.a[0].b[-1]", &document), [""]);
        assert_eq!(steps("$.a[?@.c == 1].b[0:1]", &document), ["0/0"]);
        assert_eq!(steps("$.a[?length(@.b) == 1]['b'][0]", &document), ["1"]);
        assert_eq!(Path::read("$.o.*.v").unwrap().name(), Some("v"));
        let from = |a: &str, b: &str| Path::read(a).unwrap().comes_from(&Path::read(b).unwrap());
        assert!(from("$.a[*].t", "$.a[*].b[*]") && !from("$.times[*]", "$.a[*].b[*]"));
    }

    #[test]
    fn what_has_no_bound_or_does_not_read_is_refused_in_words() {
        for (path, words) in [
            ("a.b", "does not begin with $"),
            ("$..a", "`..`"),
            ("$[?@..a]", "`..`"),
            ("$[?@.a == $.b]", "`$` within brackets"),
            ("$[?@.*]", "`*` within a filter"),
            ("$[?match(@.a, 'x')]", "`match`"),
            ("$[?((((((@.a))))))]", "more than 5 brackets"),
            ("$.a[", "does not end"),
            ("$.a['b]", "does not end"),
            ("$.a[x]", "does not read at character"),
            ("$.a b", "does not read"),
        ] {
            let said = Path::read(path).expect_err(path);
            assert!(said.contains(words), "{path}: {said}");
        }
        assert!(Path::read("$['$..match(*)'][?@.matched == 'search(']").is_ok());
        let many = json!(vec![0; MAX_NODES + 1]);
        assert!(Path::read("$[*]").unwrap().find(&many).is_err());
    }

    proptest! {
        #[test]
        fn no_path_panics(text in "\\$[.\\[\\]a-c0-3*:,?@'\"()= é\\\\]{0,30}") {
            if let Ok(path) = Path::read(&text) {
                let _ = path.find(&json!({"a": [[1], {"b": 2}]}));
            }
        }
    }
}
