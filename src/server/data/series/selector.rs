//! Selector of series: a name, and tags that they have or have not.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};

use super::key::Key;

/// Characters of one pattern.
const MAX_PATTERN_CHARS: usize = 4_000;
/// Bytes that one pattern takes once it is read: a thousand values side by side.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// Which series are meant: all of a name, whose tags are so.
#[derive(Clone, Debug)]
pub struct Selector {
    /// As it was written.
    pub text: String,
    pub name: String,
    matchers: Vec<Matcher>,
    /// Why it means none, in words.
    pub problem: Option<String>,
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Selector {}

impl PartialOrd for Selector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Selector {
    /// What means the same is the same, however it was written.
    fn cmp(&self, other: &Self) -> Ordering {
        let own = |one: &Self| {
            let matcher = |one: &Matcher| (one.tag.clone(), one.sign, one.value.clone());
            (one.name.clone(), one.matchers.iter().map(matcher).collect::<Vec<_>>())
        };
        own(self).cmp(&own(other))
    }
}

/// What a tag has to be.
#[derive(Clone, Debug)]
struct Matcher {
    tag: String,
    sign: Sign,
    value: String,
    pattern: Option<Regex>,
    /// The tag and its value where what reads as a sign belongs to them, as in `{host=~x}` of the host `~x`.
    literal: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Is,
    IsNot,
    Matches,
    MatchesNot,
}

impl Selector {
    pub fn matches(&self, key: &Key) -> bool {
        self.problem.is_none() && self.name == key.name() && self.matchers.iter().all(|one| one.fits(key))
    }
}

impl Matcher {
    fn fits(&self, key: &Key) -> bool {
        if self.literal.as_ref().is_some_and(|(tag, value)| key.tag(tag) == Some(value)) {
            return true;
        }
        let has = key.tag(&self.tag);
        // As in PromQL, one that is not there is empty.
        let value = has.unwrap_or_default();
        match self.sign {
            Sign::Is if self.value == "*" || self.value == ".*" => has.is_some(),
            Sign::Is => value == self.value || (has.is_some() && is_one_of(value, &self.value)),
            Sign::IsNot => value != self.value && !is_one_of(value, &self.value),
            Sign::Matches => self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(value)),
            Sign::MatchesNot => self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(value)),
        }
    }

    /// Reads `host=a`, `host!=a`, `host=~a.*` or `host!~a.*`; `None` where no tag is named. Errors say why a pattern
    /// does not read.
    fn read(pair: &str) -> Result<Option<Self>, String> {
        let middle = end_of(pair, b"=", false);
        let (before, after) = (&pair[..middle], pair.get(middle + 1..).unwrap_or_default());
        let literal = (middle < pair.len()).then(|| (plain(before), plain(after)));
        let not_like = find(before, "!~");
        let (tag, sign, value) = if let Some(at) = not_like {
            (&pair[..at], Sign::MatchesNot, &pair[at + 2..])
        } else if let Some(tag) = before.strip_suffix('!').filter(|_| middle < pair.len()) {
            (tag, Sign::IsNot, after)
        } else if let Some(value) = after.strip_prefix('~') {
            (before, Sign::Matches, value)
        } else {
            (before, Sign::Is, after)
        };
        // A whole name has no quotes: what stands in them is meant as it is written.
        let is_quoted = value.trim_start().starts_with('"');
        let literal = literal.filter(|_| sign != Sign::Is && !is_quoted);
        let (tag, value) = (plain(tag), plain(value));
        if tag.is_empty() {
            return Ok(None);
        }
        let pattern = match sign {
            Sign::Is | Sign::IsNot => None,
            Sign::Matches | Sign::MatchesNot => match read_pattern(&value) {
                Err(_) if literal.is_some() => None,
                read => Some(read?),
            },
        };
        Ok(Some(Self { tag, sign, value, pattern, literal }))
    }
}

/// A pattern that matches whole values, in time that grows with their length only.
fn read_pattern(pattern: &str) -> Result<Regex, String> {
    if pattern.chars().nth(MAX_PATTERN_CHARS).is_some() {
        return Err(format!("A pattern has at most {MAX_PATTERN_CHARS} characters."));
    }
    let shown: String = pattern.chars().take(80).collect();
    RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(MAX_PATTERN_BYTES).build().map_err(|error| {
        match error {
            regex::Error::CompiledTooBig(_) => format!("The pattern {shown:?} is too large."),
            _ => format!("{shown:?} is no pattern: a regular expression is meant."),
        }
    })
}

/// Reads selectors with commas between them: `orders, latency{host=a}, "a, b"` is three. Empty ones are
/// passed over.
pub fn selectors(text: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = end_of(rest, b",", true);
        let one = trimmed(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
        if one.is_empty() {
            continue;
        }
        let (name, pairs) = cut(one);
        let mut selector = Selector { text: one.to_owned(), name, matchers: Vec::new(), problem: None };
        for pair in pairs {
            match Matcher::read(pair) {
                Ok(matcher) => selector.matchers.extend(matcher),
                Err(problem) => selector.problem = Some(problem),
            }
        }
        selector.matchers.sort_by(|a, b| (&a.tag, &a.value).cmp(&(&b.tag, &b.value)));
        found.push(selector);
    }
    found
}

/// The name and the tags of a whole name, in which no sign means anything but that a tag has a value; `None` where it
/// is several.
pub(super) fn parts(whole: &str) -> Option<(String, Vec<(String, String)>)> {
    if end_of(whole, b",", true) < whole.len() || trimmed(whole).is_empty() {
        return None;
    }
    let (name, pairs) = cut(trimmed(whole));
    let mut tags: Vec<(String, String)> = pairs
        .map(|pair| {
            let middle = end_of(pair, b"=", false);
            (plain(&pair[..middle]), plain(pair.get(middle + 1..).unwrap_or_default()))
        })
        .filter(|(tag, _)| !tag.is_empty())
        .collect();
    tags.sort();
    Some((name, tags))
}

/// The name, and what stands in braces behind it, cut at its commas.
fn cut(one: &str) -> (String, impl Iterator<Item = &str>) {
    let name_end = end_of(one, b"{", false);
    let inner = one.get(name_end + 1..).unwrap_or_default();
    let mut pairs = &inner[..end_of(inner, b"}", false)];
    let next = move || {
        if pairs.is_empty() {
            return None;
        }
        let end = end_of(pairs, b",", false);
        let pair = &pairs[..end];
        pairs = pairs.get(end + 1..).unwrap_or_default();
        Some(pair)
    };
    (plain(&one[..name_end]), std::iter::from_fn(next))
}

/// True for one of the values of `(a|b)`, as several values of a variable at once stand in a query.
fn is_one_of(value: &str, wanted: &str) -> bool {
    let Some(inner) = wanted.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) else {
        return false;
    };
    let (mut one, mut chars) = (String::new(), inner.chars());
    loop {
        match chars.next() {
            Some('\\') => one.extend(chars.next()),
            Some('|') if one == value => return true,
            Some('|') => one.clear(),
            Some(c) => one.push(c),
            None => return one == value,
        }
    }
}

/// Where a sign stands that is neither escaped nor in quotes.
fn find(text: &str, sign: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + end_of(&text[from..], &sign.as_bytes()[..1], false);
        if at >= text.len() {
            return None;
        }
        if text[at..].starts_with(sign) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Where one of the bytes stands that is not escaped, in quotes or, if so wanted, in braces; else the end.
fn end_of(text: &str, wanted: &[u8], braces: bool) -> usize {
    let (mut quoted, mut deep, mut escape) = (false, 0_u32, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escape => escape = false,
            b'\\' => escape = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            byte if deep == 0 && wanted.contains(&byte) => return at,
            b'{' if braces => deep += 1,
            b'}' if braces => deep = deep.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}

/// Without quotes and escapes.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = trimmed(text).chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '"' => {}
            c => out.push(c),
        }
    }
    out
}

/// Without the spaces at its ends, but for one at the end that has a backslash before it.
fn trimmed(text: &str) -> &str {
    let begun = text.trim_start();
    let ended = begun.trim_end();
    let escapes = ended.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
    let kept = begun[ended.len()..].chars().next().filter(|_| escapes).map_or(0, char::len_utf8);
    &begun[..ended.len() + kept]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str, tags: &[(&str, &str)]) -> Result<Key, String> {
        Key::new(name, tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn selectors_choose_by_name_and_tags() {
        let a = key("orders", &[("host", "a"), ("area", "eu")]).unwrap();
        for (text, matches) in [
            ("orders", true),
            ("orders{}", true),
            ("orders{host=a}", true),
            ("orders{ host = \"a\" , area=eu }", true),
            ("orders{host=*}", true),
            ("orders{host=.*}", true),
            (r"orders{host=(b|a)}", true),
            (r"orders{host=(b|a\\.b|c)}", false),
            ("orders{zone=(a|b)}", false),
            ("orders{zone=*}", false),
            ("orders{host=b}", false),
            ("order", false),
        ] {
            assert_eq!(selectors(text)[0].matches(&a), matches, "{text}");
        }
        let dotted = key("orders", &[("host", "a.b")]).unwrap();
        assert!(selectors(r"orders{host=(x|a\\.b)}")[0].matches(&dotted));
        let names: Vec<String> =
            selectors(" a, b{x=1,y=2},, \"c,d\" ").into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["a", "b", "c,d"]);
    }

    #[test]
    fn signs_and_patterns_choose_as_in_promql() {
        let a = key("orders", &[("host", "web-12"), ("area", "eu")]).unwrap();
        for (text, matches) in [
            (r#"orders{host="web-12"}"#, true),
            (r#"orders{host = "web-12", area != "us"}"#, true),
            (r#"orders{host!="web-12"}"#, false),
            (r#"orders{host!=(web-12|b)}"#, false),
            (r#"orders{host=~"web-.*"}"#, true),
            (r#"orders{host=~"web"}"#, false),
            (r#"orders{host =~ "(db|web)-\\d+"}"#, true),
            (r#"orders{host!~"web-.*"}"#, false),
            (r#"orders{host!~"db-.*",area=~"eu|us"}"#, true),
            (r#"orders{zone!="x"}"#, true),
            (r#"orders{zone=""}"#, true),
            (r#"orders{zone!~".+"}"#, true),
            (r#"orders{zone=~".*"}"#, true),
            (r#"orders{host=~"web-(12|13"}"#, false),
            (r#"orders{host!~"a=b"}"#, true),
        ] {
            let all = selectors(text);
            assert_eq!((all.len(), all[0].matches(&a)), (1, matches), "{text}");
        }
        assert!(
            selectors(r#"a{b=~"("}"#)[0]
                .problem
                .as_ref()
                .is_some_and(|words| words.contains("is no pattern"))
        );
        let large = ["a{b=~\"", &"(a{100}){100}".repeat(10), "\"}"].concat();
        assert!(selectors(&large)[0].problem.as_ref().is_some_and(|words| words.contains("too large")));
        let odd = key("orders", &[("a!", "~b"), ("c", "~d"), ("e", "~(")]).unwrap();
        assert!(selectors(odd.whole())[0].matches(&odd), "{}", odd.whole());
    }

    proptest! {
        #[test]
        fn no_selector_panics(text in "[a-c{}=!~\"\\\\,.*|() é]{0,30}") {
            for one in selectors(&text) {
                one.matches(&key("a", &[("b", "c")]).unwrap());
            }
        }
    }
}
