//! Key of a series: a name with tags, as `orders{host=a}`.

use std::hash::{Hash, Hasher};

use super::selector;
pub use super::selector::{Selector, selectors};

/// Bytes of a whole name with its tags: collectors put all labels of a container into it, more than a
/// kilobyte, and as many series as a server keeps hold 40 MiB of names at most.
pub const MAX_KEY_BYTES: usize = 4_096;
/// Tags of one series: several times what collectors make of a container with all its labels.
pub const MAX_TAGS: usize = 128;
/// What the names of this server's own series begin with.
pub const RESERVED: &str = "server.";
/// What stands before a pushed name that begins as this server's own do, so that the two never meet.
pub const PUSHED: &str = "pushed.";
/// The label of a series' name, as Prometheus calls it.
pub const NAME_LABEL: &str = "__name__";

/// The name and the tags of a series. Equal where the whole names are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The whole name, tags in order; two series have it never in common.
    whole: String,
    name: String,
    tags: Vec<(String, String)>,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The whole name says all.
        self.whole.hash(state);
    }
}

impl Key {
    /// A series' key. Errors say what is wrong with it, in words.
    pub fn new(name: &str, mut tags: Vec<(String, String)>) -> Result<Self, String> {
        let fits = |text: &str| !text.trim().is_empty() && !text.chars().any(char::is_control);
        if !fits(name) {
            return Err("a name has no control characters, and is not empty".to_owned());
        }
        if let Some((tag, _)) =
            tags.iter().find(|(tag, value)| !fits(tag) || !fits(value) || tag == NAME_LABEL)
        {
            return Err(format!(
                "the tag {tag:?}: tags and their values have no control characters, and are not empty"
            ));
        }
        if tags.len() > MAX_TAGS {
            return Err(format!("a series has at most {MAX_TAGS} tags"));
        }
        tags.sort();
        if let Some(twice) = tags.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("the tag {:?} is there twice", twice[0].0));
        }
        let key = if name.starts_with(RESERVED) {
            Self::own(&format!("{PUSHED}{name}"), tags)
        } else {
            Self::own(name, tags)
        };
        if key.whole.len() > MAX_KEY_BYTES {
            return Err(format!("a name with its tags has at most {MAX_KEY_BYTES} bytes"));
        }
        Ok(key)
    }

    /// A key that is known to fit; its tags are in order.
    pub fn own(name: &str, tags: Vec<(String, String)>) -> Self {
        let bytes: usize = tags.iter().map(|(tag, value)| tag.len() + value.len() + 2).sum();
        let mut whole = String::with_capacity(name.len() + bytes + 2);
        push_escaped(name, &mut whole);
        for (place, (tag, value)) in tags.iter().enumerate() {
            whole.push(if place == 0 { '{' } else { ',' });
            push_escaped(tag, &mut whole);
            whole.push('=');
            push_escaped(value, &mut whole);
        }
        if !tags.is_empty() {
            whole.push('}');
        }
        Self { whole, name: name.to_owned(), tags }
    }

    /// Reads a whole name as [`Key::whole`] gives it; `None` where it is none.
    pub fn read(whole: &str) -> Option<Self> {
        let (name, tags) = selector::parts(whole)?;
        Some(Self::own(&name, tags)).filter(|key| key.whole == whole)
    }

    pub fn whole(&self) -> &str {
        &self.whole
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// In the order of the tags.
    pub fn tags(&self) -> &[(String, String)] {
        &self.tags
    }

    pub fn tag(&self, tag: &str) -> Option<&str> {
        self.tags.iter().find(|(known, _)| known == tag).map(|(_, value)| value.as_str())
    }
}

/// A part of a name, in which nothing means anything else. Spaces at its ends stand behind a backslash, too: what
/// reads names passes over others.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(text, &mut out);
    out
}

fn push_escaped(text: &str, out: &mut String) {
    let means = |c: char| matches!(c, ',' | '{' | '}' | '=' | '"' | '\\');
    let (begin, end) = (text.len() - text.trim_start().len(), text.trim_end().len());
    if begin == 0 && end == text.len() && !text.bytes().any(|byte| means(byte.into())) {
        return out.push_str(text);
    }
    for (at, c) in text.char_indices() {
        if means(c) || at < begin || at >= end {
            out.push('\\');
        }
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str, tags: &[(&str, &str)]) -> Result<Key, String> {
        Key::new(name, tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    proptest! {
        #[test]
        fn every_key_reads_as_it_is_written(name in ".{1,20}", tags in prop::collection::btree_map(".{1,9}", ".{1,9}", 0..4)) {
            if let Ok(key) = Key::new(&name, tags.into_iter().collect()) {
                prop_assert_eq!(Key::read(key.whole()), Some(key.clone()));
                let found = selectors(&format!("{}, other", key.whole()));
                prop_assert_eq!(found.len(), 2);
                prop_assert!(found[0].matches(&key));
            }
        }

        #[test]
        fn no_query_panics(text in ".{0,60}") {
            selectors(&text);
            Key::read(&text);
        }
    }

    #[test]
    fn tags_stand_in_order() {
        let orders = key("orders", &[("host", "b"), ("area", "eu")]).unwrap();
        assert_eq!(orders.whole(), "orders{area=eu,host=b}");
        assert_eq!(key("a,b", &[("x y", "1=2")]).unwrap().whole(), "a\\,b{x y=1\\=2}");
    }

    #[test]
    fn names_with_spaces_at_their_ends_are_read_as_they_are_written() {
        for (name, value) in [(" a", "b "), ("a\\ ", " b  "), ("a ", "\\ "), ("a", "\\")] {
            let key = key(name, &[("t ", value)]).unwrap();
            assert_eq!(Key::read(key.whole()), Some(key.clone()), "{}", key.whole());
            assert!(selectors(&format!("{} , other", key.whole()))[0].matches(&key), "{}", key.whole());
        }
    }

    #[test]
    fn pushed_names_never_meet_this_servers_own() {
        assert_eq!(key("server.cpu", &[("host", "a")]).unwrap().whole(), "pushed.server.cpu{host=a}");
        assert_eq!(key("server", &[]).unwrap().whole(), "server");
    }

    #[test]
    fn names_are_as_wide_as_collectors_make_them() {
        let tags = |count: usize| {
            let tags = (0..count).map(|n| (format!("com.docker.compose.label{n}"), "v".repeat(8)));
            Key::new("docker_container_cpu.usage_percent", tags.collect())
        };
        assert!(tags(64).is_ok_and(|key| key.whole().len() > 1_192));
        assert!(tags(MAX_TAGS + 1).is_err());
    }

    #[test]
    fn what_no_series_can_be_called_is_refused_in_words() {
        for (name, tags) in [
            ("", &[][..]),
            (" ", &[]),
            ("a\n", &[]),
            ("a", &[("", "1")]),
            ("a", &[("t", "")]),
            ("a", &[("t", "1"), ("t", "2")]),
            ("a", &[("__name__", "b")]),
        ] {
            assert!(key(name, tags).is_err(), "{name:?} {tags:?}");
        }
        assert!(key(&"x".repeat(MAX_KEY_BYTES + 1), &[]).is_err());
    }
}
