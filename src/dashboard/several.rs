//! Several values of a variable that are chosen at once: one text, which matches each of them.

/// What is chosen, as one text: a value as it is, and several as `(a|b)`, for matchers such as `=~`. What means
/// something to a regex is escaped, with the two backslashes that the string of a query needs for one.
pub fn any_of<T: AsRef<str>>(values: &[T]) -> String {
    if let [only] = values {
        return only.as_ref().to_owned();
    }
    let all: Vec<String> = values.iter().map(|value| escaped(value.as_ref())).collect();
    format!("({})", all.join("|"))
}

/// The values that a text of [`any_of`] was made of.
pub fn each_of(chosen: &str) -> Vec<String> {
    let Some(inner) = chosen.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) else {
        return vec![chosen.to_owned()];
    };
    let mut all = vec![String::new()];
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        // Of an escape the backslashes go, and what they stand before stays: two for themselves.
        let is_escape = c == '\\' && rest.starts_with('\\');
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
            (c, Some(last)) => last.push(c),
            (_, None) => {}
        }
    }
    // A value in brackets of its own.
    if all.len() < 2 { vec![chosen.to_owned()] } else { all }
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => out.push_str(r"\\\"),
            '$' | '^' | '*' | '{' | '}' | '[' | ']' | '+' | '?' | '.' | '(' | ')' | '|' => {
                out.push_str(r"\\")
            }
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
        assert_eq!(any_of(&["a.b"]), "a.b", "one is as it was written");
        assert_eq!(any_of(&["10.0.0.1:9100", "b|c"]), r"(10\\.0\\.0\\.1:9100|b\\|c)");
        assert_eq!(each_of(r"(10\\.0\\.0\\.1:9100|b\\|c)"), ["10.0.0.1:9100", "b|c"]);
        for one in ["", "a", "a|b", "(a)", ".*", "("] {
            assert_eq!(each_of(one), [one]);
        }
    }

    proptest! {
        #[test]
        fn what_was_chosen_is_read_again(values in prop::collection::vec("[a-c.|()$\\\\é ]{1,6}", 2..5)) {
            prop_assert_eq!(each_of(&any_of(&values)), values);
        }

        #[test]
        fn any_text_reads_as_something(text in "[(|)\\\\aé]{0,12}") {
            prop_assert!(!each_of(&text).is_empty());
        }
    }
}
