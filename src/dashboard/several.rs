//! Several values of a variable that are chosen at once: one text, which matches each of them.

/// What is chosen, as one text for matchers such as `=~`: several values as `(a|b)`, a value alone as it is
/// where it means nothing else to a regex, and else as `(a\\.b)`. What means something is escaped, with the two
/// backslashes that the string of a query needs for one, and so is what would end that string. A pattern stands
/// for what it matches only by itself.
pub fn any_of<T: AsRef<str>>(values: &[T]) -> String {
    let all: Vec<String> = values.iter().map(|value| escaped(value.as_ref())).collect();
    match (values, &all[..]) {
        ([only], [escaped]) if only.as_ref() == escaped || is_pattern(only.as_ref()) => {
            only.as_ref().to_owned()
        }
        _ => format!("({})", all.join("|")),
    }
}

/// True for a regex that was written as a value, as `.*` for all.
pub fn is_pattern(value: &str) -> bool {
    value.contains(".*") || value.contains(".+")
}

/// The values that a text of [`any_of`] was made of; any other text is one value.
pub fn each_of(chosen: &str) -> Vec<String> {
    let inner = chosen.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    let all = inner.map(parts).filter(|all| any_of(all) == chosen);
    all.unwrap_or_else(|| vec![chosen.to_owned()])
}

fn parts(inner: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        // Of an escape the backslashes go, and what they stand before stays: two for themselves.
        let is_escape = c == '\\' && rest.starts_with('\\');
        let is_quote = c == '\\' && rest.starts_with('"');
        match (c, all.last_mut()) {
            ('|', _) => all.push(String::new()),
            (_, Some(last)) if is_escape => {
                let escaped = rest[1..].chars().next();
                rest = &rest[1 + escaped.map_or(0, char::len_utf8)..];
                if escaped == Some('\\') {
                    rest = rest.strip_prefix('\\').unwrap_or(rest);
                }
                last.extend(escaped);
            }
            (_, Some(_)) if is_quote => {}
            (c, Some(last)) => last.push(c),
            (_, None) => {}
        }
    }
    all
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => out.push_str(r"\\\"),
            '$' | '^' | '*' | '{' | '}' | '[' | ']' | '+' | '?' | '.' | '(' | ')' | '|' => {
                out.push_str(r"\\")
            }
            '"' => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn several_values_are_one_that_matches_each() {
        for one in ["a", "a:9100", "", ".*", "web-.+"] {
            assert_eq!((any_of(&[one]), each_of(one)), (one.to_owned(), vec![one.to_owned()]));
        }
        assert_eq!(any_of(&["C++"]), r"(C\\+\\+)", "which is no regex as it was written");
        assert_eq!(any_of(&["10.0.0.1:9100"]), r"(10\\.0\\.0\\.1:9100)", "and this matches nothing more");
        assert_eq!(any_of(&["a\"b", "c"]), r#"(a\"b|c)"#);
        assert_eq!(any_of(&["10.0.0.1:9100", "b|c"]), r"(10\\.0\\.0\\.1:9100|b\\|c)");
        assert_eq!(each_of(r"(10\\.0\\.0\\.1:9100|b\\|c)"), ["10.0.0.1:9100", "b|c"]);
        for one in ["", "a", "a|b", "(a)", "(a.*|b)", "(a.b|c)", "("] {
            assert_eq!(each_of(one), [one]);
        }
    }

    proptest! {
        #[test]
        fn what_was_chosen_is_read_again(values in prop::collection::vec("[a-c.*+|()$\\\\\"é ]{1,6}", 1..5)) {
            prop_assert_eq!(each_of(&any_of(&values)), values);
        }

        #[test]
        fn any_text_reads_as_something(text in "[(|)\\\\aé]{0,12}") {
            prop_assert!(!each_of(&text).is_empty());
        }
    }
}
