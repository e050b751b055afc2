//! Values of variables in queries of series by name, escaped so that each means itself.

use std::collections::BTreeMap;

use super::key::escaped;
use crate::dashboard::settings::Chosen;
use crate::dashboard::several::is_pattern;
use crate::server::data::variables;

/// A query with the values of the variables that it names: one as it is, several as `(a|b)`, and behind `=~` and
/// `!~` as patterns. Errors say why that cannot be.
pub fn fill(text: &str, chosen: &BTreeMap<String, Chosen>) -> Result<String, String> {
    let mut before = String::new();
    variables::fill(text, chosen, |part, _, chosen| {
        before.push_str(part);
        Ok(written(chosen, stands_in_pattern(&before)))
    })
}

fn written(chosen: &Chosen, in_pattern: bool) -> String {
    match &chosen.values[..] {
        values if in_pattern => {
            let pattern = |value: &String| match chosen.is_literal && !is_pattern(value) {
                true => regex::escape(value),
                false => value.clone(),
            };
            let all: Vec<String> = values.iter().map(pattern).collect();
            escaped(&if let [only] = &all[..] { only.clone() } else { format!("({})", all.join("|")) })
        }
        // All of them, as people write it.
        [only] if matches!(only.as_str(), "*" | ".*") => only.clone(),
        // What was written as the only choice may be several.
        [only] if !chosen.is_literal || !only.starts_with('(') => escaped(only),
        values => {
            let one = |value: &String| {
                let mut out = String::with_capacity(value.len());
                for c in value.chars() {
                    if matches!(c, '\\' | '|') {
                        out.push('\\');
                    }
                    out.push(c);
                }
                out
            };
            let all: Vec<String> = values.iter().map(one).collect();
            escaped(&format!("({})", all.join("|")))
        }
    }
}

/// True behind the sign of a pattern, in the value of its tag.
fn stands_in_pattern(before: &str) -> bool {
    let (mut is_pattern, mut quoted, mut is_escaped) = (false, false, false);
    let mut last = ' ';
    for c in before.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            ',' | '{' | '}' | '\n' => is_pattern = false,
            '~' => is_pattern |= matches!(last, '=' | '!'),
            _ => {}
        }
        last = c;
    }
    is_pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::data::series::key::{Key, selectors};
    use proptest::prelude::*;

    fn filled(text: &str, values: &[&str], is_literal: bool) -> String {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        fill(text, &[("x".to_owned(), Chosen { values, is_literal, offered: None })].into()).expect("it fits")
    }

    #[test]
    fn values_stand_where_a_query_names_them() {
        assert_eq!(filled("orders{host=$x}", &["web-1"], true), "orders{host=web-1}");
        assert_eq!(filled("orders{host=$x}", &["a", "b|c"], true), r"orders{host=(a|b\\|c)}");
        assert_eq!(filled("orders{host=$x}", &["*"], true), "orders{host=*}");
        assert_eq!(filled("orders{host=$x}", &["(a|b)"], false), "orders{host=(a|b)}");
        assert_eq!(filled(r#"orders{host=~"$x"}"#, &["a.b"], true), r#"orders{host=~"a\\.b"}"#);
        assert_eq!(
            filled(r#"orders{host=~"$x:80"}"#, &["a", "b|c"], true),
            r#"orders{host=~"(a|b\\|c):80"}"#
        );
        assert_eq!(filled(r#"orders{host=~"$x"}"#, &[".*"], true), r#"orders{host=~".*"}"#);
        let both = r#"orders{host=~"$x",area="$x"}"#;
        assert_eq!(filled(both, &["a.b"], true), r#"orders{host=~"a\\.b",area="a.b"}"#);
        assert_eq!(filled("$x.total", &["shop"], true), "shop.total");
    }

    proptest! {
        #[test]
        fn a_value_means_itself(value in "[a-c\"\\\\,={}|()é]{1,8}", other in "[d-f]{1,3}") {
            let key = Key::new("orders", vec![("host".to_owned(), value.clone())]).expect("a key");
            for values in [&[value.as_str()][..], &[other.as_str(), &value]] {
                let text = filled("orders{host=$x}", values, true);
                let found = selectors(&text);
                prop_assert_eq!(found.len(), 1);
                prop_assert!(found[0].matches(&key), "{}", text);
            }
            for values in [&[value.as_str()][..], &[other.as_str(), &value]] {
                let text = filled("orders{host=~\"$x\"}", values, true);
                prop_assert!(selectors(&text)[0].matches(&key), "{}", text);
                let text = filled("orders{area!=x,host!~$x}", values, true);
                prop_assert!(!selectors(&text)[0].matches(&key), "{}", text);
            }
            let text = filled("orders{host=$x}", &[&other], true);
            prop_assert!(!selectors(&text)[0].matches(&key));
        }
    }
}
