//! Matching of the series that a deletion names.

use super::key::{Key, Selector, selectors};

/// Names as widgets write them, or what names begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    Named(Vec<Selector>),
    Prefix(String),
    /// Of those that are meant the ones whose names begin so.
    Within(Box<Match>, String),
}

impl Match {
    /// Reads `orders`, `orders{host=a}`, several of them with commas between, or `orders*`. `None` where it names nothing.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(prefix) = text.strip_suffix('*').filter(|prefix| !prefix.ends_with('=')) {
            return Some(Self::Prefix(prefix.to_owned()));
        }
        let named = selectors(text);
        let fits = !named.is_empty() && named.iter().all(|one| one.problem.is_none());
        fits.then_some(Self::Named(named))
    }

    pub fn matches(&self, key: &Key) -> bool {
        match self {
            Self::Named(selectors) => selectors.iter().any(|selector| selector.matches(key)),
            Self::Prefix(prefix) => key.whole().starts_with(prefix),
            Self::Within(meant, prefix) => key.name().starts_with(prefix) && meant.matches(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_all_of_that_name_and_a_star_what_begins_so() {
        let meant = |text: &str| -> Vec<&str> {
            let wanted = Match::read(text).expect(text);
            let all = ["cpu.idle{host=a}", "cpu.idle{host=b}", "cpu", "orders"];
            all.into_iter().filter(|whole| wanted.matches(&Key::read(whole).expect("a key"))).collect()
        };
        assert_eq!(meant("cpu.idle"), ["cpu.idle{host=a}", "cpu.idle{host=b}"]);
        assert_eq!(meant("cpu.idle{host=a}, orders"), ["cpu.idle{host=a}", "orders"]);
        assert_eq!(meant("cpu.idle{host=*}").len(), 2);
        assert_eq!(meant("cpu*").len(), 3);
        assert_eq!(meant("cpu.idle{host=a*"), ["cpu.idle{host=a}"]);
        assert_eq!(meant("*").len(), 4);
        assert_eq!(meant("none"), [""; 0]);
        assert_eq!(Match::read(" , "), None);
        let within = Match::Within(Box::new(Match::Prefix(String::new())), "cpu.".to_owned());
        assert!(within.matches(&Key::read("cpu.idle{host=a}").expect("a key")));
        assert!(!within.matches(&Key::read("cpu").expect("a key")));
    }
}
