//! Values of variables in PromQL, each escaped for the place where it stands.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::promql::Place;
use crate::dashboard::settings::Chosen;
use crate::dashboard::several::is_pattern;
use crate::server::data::variables;

/// A query with the values of the variables that it names. Errors say why one cannot stand there.
pub fn fill(text: &str, chosen: &BTreeMap<String, Chosen>) -> Result<String, String> {
    let mut place = Place::default();
    variables::fill(text, chosen, |before, name, chosen| {
        before.chars().for_each(|c| {
            place.push(c);
        });
        written(&place, name, chosen)
    })
}

/// The values as they stand at a place.
fn written(place: &Place, name: &str, chosen: &Chosen) -> Result<String, String> {
    let Some(quote) = place.quote() else { return Ok(any_of(&chosen.values)) };
    let text = match &chosen.values[..] {
        [only] if !place.is_regex() => only.clone(),
        values => {
            let pattern = |value: &String| match chosen.is_literal && !is_pattern(value) {
                true => escape_regex(value),
                false => value.clone(),
            };
            any_of(&values.iter().map(pattern).collect::<Vec<_>>())
        }
    };
    escape_string(&text, quote, place.is_regex())
        .ok_or_else(|| format!("The value of ${name} has a backtick, and cannot stand between backticks."))
}

/// One value as it is, several as `(a|b)`.
fn any_of(values: &[String]) -> String {
    match values {
        [only] => only.clone(),
        all => format!("({})", all.join("|")),
    }
}

/// A text as a regex that matches it and nothing else.
fn escape_regex(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | '$' | '^' | '*' | '{' | '}' | '[' | ']' | '+' | '?' | '.' | '(' | ')' | '|') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A text within a string of this quote; `None` where it cannot stand in one.
fn escape_string(text: &str, quote: char, is_regex: bool) -> Option<String> {
    if quote == '`' {
        // Nothing is escaped between backticks; a regex has another way to write one.
        return match text.contains('`') {
            true if is_regex => Some(text.replace('`', r"\x60")),
            true => None,
            false => Some(text.to_owned()),
        };
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let written: Cow<'_, str> = match c {
            '\\' => r"\\".into(),
            '\n' => r"\n".into(),
            c if c == quote => format!("\\{c}").into(),
            c => c.to_string().into(),
        };
        out.push_str(&written);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn variables(values: &[&str], is_literal: bool) -> BTreeMap<String, Chosen> {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        [("x".to_owned(), Chosen { values, is_literal, offered: None })].into()
    }

    #[test]
    fn a_value_is_escaped_for_the_place_where_it_stands() {
        for (text, values, expected) in [
            (r#"a{b="$x"}"#, &["web-1"][..], r#"a{b="web-1"}"#),
            (r#"a{b="$x"}"#, &[r#"say "hi""#], r#"a{b="say \"hi\""}"#),
            (r#"a{b='$x'}"#, &["it's"], r#"a{b='it\'s'}"#),
            (r#"a{b='$x'}"#, &["say \"hi\""], r#"a{b='say "hi"'}"#),
            (r#"a{b="$x"}"#, &[r"C:\temp"], r#"a{b="C:\\temp"}"#),
            ("a{b=`$x`}", &[r#"C:\"t""#], r#"a{b=`C:\"t"`}"#),
            (r#"a{b=~"$x"}"#, &["10.0.0.1"], r#"a{b=~"10\\.0\\.0\\.1"}"#),
            (r#"a{b=~"$x"}"#, &[r"C:\temp"], r#"a{b=~"C:\\\\temp"}"#),
            (r#"a{b=~"$x"}"#, &[".*"], r#"a{b=~".*"}"#),
            (r#"a{b !~ "${x}:9100"}"#, &["a.b", "c"], r#"a{b !~ "(a\\.b|c):9100"}"#),
            ("a{b=~`[[x]]`}", &["a.b", "c`d"], r"a{b=~`(a\.b|c\x60d)`}"),
            (r#"a{b="\"$x"}"#, &["c\"d"], r#"a{b="\"c\"d"}"#),
            ("rate(a[$x])", &["5m"], "rate(a[5m])"),
            ("a # of $x\n+ b{c=\"$x\"}", &["\""], "a # of \"\n+ b{c=\"\\\"\"}"),
            ("a{b=\"$x\"}", &["one\ntwo"], r#"a{b="one\ntwo"}"#),
            ("$none + $__interval", &["y"], "$none + $__interval"),
        ] {
            assert_eq!(fill(text, &variables(values, true)).as_deref(), Ok(expected), "{text} {values:?}");
        }
        let written = variables(&["web-[12]|db"], false);
        assert_eq!(
            fill(r#"a{b=~"$x"}"#, &written).as_deref(),
            Ok(r#"a{b=~"web-[12]|db"}"#),
            "as it was written"
        );
        assert!(fill("a{b=`$x`}", &variables(&["`"], true)).is_err());
    }

    /// Reads a string as PromQL does.
    fn unquoted(text: &str) -> String {
        let mut chars = text.chars();
        let mut out = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' => out.extend(chars.next().map(|c| if c == 'n' { '\n' } else { c })),
                '"' => panic!("the string ends within {text:?}"),
                c => out.push(c),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn a_string_has_the_value_that_was_chosen(value in "[a-c\"'\\\\\n{}=~| é]{0,12}") {
            let filled = fill("a{b=\"$x\"}", &variables(&[&value], true)).expect("it fits");
            prop_assert_eq!(unquoted(&filled[5..filled.len() - 2]), value);
        }
    }
}
