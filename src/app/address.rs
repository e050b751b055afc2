//! Addresses of this server: the path below which it stands goes in front of each, and into the names of what a
//! browser keeps.
//!
//! Code names pages and routes as if the server stood at `/`. Whatever leaves for a browser goes through [`to`] where a
//! page is rendered, and through [`BasePath`] elsewhere on the server.

use std::cell::RefCell;
use std::sync::Arc;

use leptos::prelude::*;

/// The attribute of the document's root that tells a page its base path.
const ATTRIBUTE: &str = "data-base";
/// Characters of a base path.
const MAX_CHARS: usize = 100;

thread_local! {
    /// The base path of the page that is rendered, or that this tab shows.
    static BASE: RefCell<BasePath> = RefCell::default();
}

/// The path below which all addresses of a server stand, such as `/dash`; empty for a server of its own host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(Arc<str>);

impl BasePath {
    /// Reads one as settings have it: segments of letters, digits, `-`, `_` and `.`, each after a slash.
    pub fn read(text: &str) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && name.chars().all(is_plain);
        let fits = text.len() <= MAX_CHARS && text.strip_prefix('/')?.split('/').all(is_name);
        fits.then(|| Self(text.into()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of a path of this server.
    pub fn to(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The path of this server that an address means; `None` for one outside of it.
    pub fn strip<'a>(&self, address: &'a str) -> Option<&'a str> {
        let path = address.strip_prefix(&*self.0)?;
        (self.is_empty() || path.starts_with('/')).then_some(path)
    }

    /// The name of something that a browser keeps. Servers at one origin and different paths share none.
    pub fn name(&self, name: &str) -> String {
        format!("{name}{}", self.suffix())
    }

    /// The end of all those names. No base path has a `~`, so that each has its own.
    pub fn suffix(&self) -> String {
        self.0.replace('/', "~")
    }
}

/// The address of a path of this server, on the page that is rendered or shown.
pub fn to(path: &str) -> String {
    BASE.with_borrow(|base| base.to(path))
}

/// The name of something that this page keeps in the browser.
pub fn name(name: &str) -> String {
    BASE.with_borrow(|base| base.name(name))
}

/// The base path of the page as the value of [`ATTRIBUTE`]; `None` where it is empty.
pub fn attribute() -> Option<String> {
    BASE.with_borrow(|base| (!base.is_empty()).then(|| base.as_str().to_owned()))
}

/// The path of this server that the browser shows.
pub fn here() -> String {
    let path = window().location().pathname().unwrap_or_default();
    BASE.with_borrow(|base| base.strip(&path).unwrap_or(&path).to_owned())
}

/// A path of this server with its origin, as others reach it: `https://example.com/dash/screens`.
pub fn in_full(path: &str) -> String {
    format!("{}{}", origin(), to(path))
}

/// The origin of this page: `http://127.0.0.1:3000`.
pub fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

/// Takes the base path that the server wrote into the document: before anything on the page uses an address.
pub fn begin() {
    let said = document().document_element().and_then(|root| root.get_attribute(ATTRIBUTE));
    BASE.set(said.map(|said| BasePath(said.into())).unwrap_or_default());
}

/// Renders something for a server with this base path.
pub fn with_base<T>(base: &BasePath, render: impl FnOnce() -> T) -> T {
    struct Restore(BasePath);
    impl Drop for Restore {
        fn drop(&mut self) {
            BASE.set(std::mem::take(&mut self.0));
        }
    }
    let _restore = Restore(BASE.replace(base.clone()));
    render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_segments_of_plain_characters() {
        for text in ["/dash", "/a/b.c/d-e_f", "/..."] {
            assert_eq!(BasePath::read(text).expect(text).as_str(), text);
        }
        let long = format!("/{}", "x".repeat(MAX_CHARS));
        for text in [
            "",
            "/",
            "dash",
            "/dash/",
            "//dash",
            "/a//b",
            "/../dash",
            "/a/..",
            "/./a",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\nb",
            "/a\u{7f}",
            "/a~b",
            "/a%2fb",
            "/a;b",
            "/ä",
            "https://a.example/dash",
            &long,
        ] {
            assert_eq!(BasePath::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn addresses_and_names_are_as_they_were_where_there_is_no_base_path() {
        assert_eq!(to("/d/x"), "/d/x");
        assert_eq!(name("lockstep"), "lockstep");
        assert_eq!(attribute(), None);
        assert_eq!(BasePath::default().strip("/d/x"), Some("/d/x"));
    }

    #[test]
    fn a_base_path_stands_in_front_while_a_page_of_it_is_rendered() {
        let base = BasePath::read("/a/b").expect("a path");
        let seen = with_base(&base, || (to("/"), name("lockstep_theme"), attribute()));
        assert_eq!(seen, ("/a/b/".to_owned(), "lockstep_theme~a~b".to_owned(), Some("/a/b".to_owned())));
        assert_eq!(to("/"), "/");
        assert_eq!(base.strip("/a/b/d/x?y"), Some("/d/x?y"));
        for outside in ["/a/b", "/a/bc/d", "/d/x", "/A/b/", ""] {
            assert_eq!(base.strip(outside), None, "{outside}");
        }
    }
}
