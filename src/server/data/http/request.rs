//! Requests to an HTTP source, as people write them: paths below its address, and where times, values and names stand in
//! the answers.

use std::collections::BTreeMap;

use reqwest::Url;

use super::path::Path;
use crate::dashboard::settings::{Chosen, mention};
use crate::server::data::{Ask, variables};

/// Requests of one widget.
const MAX_REQUESTS: usize = 5;
/// Lines with values of one request.
const MAX_VALUES: usize = 20;
/// Bytes of an address with all its variables: what servers take at least.
const MAX_URL_BYTES: usize = 8_000;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Below the address of the settings, from its slash on.
    pub path: String,
    /// The line of the query that it stands in, from 1.
    pub line: usize,
    pub times: Option<Path>,
    pub values: Vec<Wanted>,
}

/// Values of an answer.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub path: Path,
    pub name: Option<Name>,
}

/// How series are called.
#[derive(Clone, Debug)]
pub enum Name {
    Text(String),
    Path(Path),
}

/// Reads a query. Errors say what does not fit, and in which line.
pub fn read(ask: &Ask) -> Result<Vec<Request>, String> {
    let mut all: Vec<Request> = Vec::new();
    for (at, text) in ask.text.lines().enumerate() {
        let (line, text) = (at + 1, text.trim());
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if text.starts_with('/') {
            if all.len() >= MAX_REQUESTS {
                return Err(format!("Line {line}: a widget asks at most {MAX_REQUESTS} addresses."));
            }
            let path = fill_address(text, ask).map_err(|error| format!("Line {line}: {error}"))?;
            all.push(Request { path, line, times: None, values: Vec::new() });
            continue;
        }
        let known = ["time", "value", "name"].into_iter().find_map(|word| {
            let rest = text.strip_prefix(word)?.trim_start().strip_prefix(':')?;
            Some((word, rest.trim()))
        });
        let Some((word, rest)) = known else {
            return Err(format!(
                "Line {line}: a query is a path that begins with `/`, and below it lines that begin with `time:`, \
                 `value:` or `name:`."
            ));
        };
        let Some(request) = all.last_mut() else {
            return Err(format!("Line {line}: above `{word}:` there is no path that begins with `/`."));
        };
        let path = |text: &str| {
            let text = fill_path(text, &ask.variables).map_err(|error| format!("Line {line}: {error}"))?;
            Path::read(&text).map_err(|error| format!("Line {line}: `{word}` {text} {error}."))
        };
        let count = request.values.len();
        match (word, request.values.last_mut()) {
            ("time", _) if request.times.is_some() => {
                return Err(format!("Line {line}: `time:` stands here already for this path."));
            }
            ("time", _) => request.times = Some(path(rest)?),
            ("value", _) if count >= MAX_VALUES => {
                return Err(format!("Line {line}: a path has at most {MAX_VALUES} lines with `value:`."));
            }
            ("value", _) => request.values.push(Wanted { path: path(rest)?, name: None }),
            (_, None) => {
                return Err(format!("Line {line}: `name:` stands below the `value:` that it names."));
            }
            (_, Some(value)) => {
                value.name = Some(if rest.starts_with("$.") || rest.starts_with("$[") {
                    Name::Path(path(rest)?)
                } else {
                    Name::Text(variables::fill(rest, &ask.variables, |_, _, chosen| {
                        Ok(chosen.values.join(", "))
                    })?)
                });
            }
        }
    }
    match all.iter().find(|request| request.values.is_empty()) {
        Some(request) => {
            Err(format!("Line {}: below the path there is no line with `value:`.", request.line))
        }
        None if all.is_empty() => Err("There is no path that begins with `/`.".to_owned()),
        None => Ok(all),
    }
}

/// A path with the values of the variables that it names, each escaped.
pub fn fill_address(text: &str, ask: &Ask) -> Result<String, String> {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(next) = text[at..].find('$') {
        out.push_str(&text[at..at + next]);
        at += next;
        match mention(&text[at..]).and_then(|(name, long)| Some((value(name, ask)?, long))) {
            Some((values, long)) => {
                let escaped: Vec<String> = values.iter().map(|value| escaped(value)).collect();
                out.push_str(&escaped.join(","));
                at += long;
            }
            None => {
                out.push('$');
                at += 1;
            }
        }
    }
    out.push_str(&text[at..]);
    if out.len() > MAX_URL_BYTES {
        return Err(format!("with its variables the path has more than {MAX_URL_BYTES} bytes."));
    }
    check_address(&out)?;
    Ok(out)
}

/// The values of a name.
fn value(name: &str, ask: &Ask) -> Option<Vec<String>> {
    if let Some(chosen) = ask.variables.get(name) {
        return Some(chosen.values.clone());
    }
    let one = match name {
        "from" => (ask.from / 1_000).to_string(),
        "to" => (ask.to / 1_000).to_string(),
        "from_ms" | "__from" => ask.from.to_string(),
        "to_ms" | "__to" => ask.to.to_string(),
        "from_iso" => iso(ask.from),
        "to_iso" => iso(ask.to),
        "from_date" => iso(ask.from)[..10].to_owned(),
        "to_date" => iso(ask.to)[..10].to_owned(),
        "interval" => (ask.step / 1_000).max(1).to_string(),
        "interval_ms" | "__interval_ms" => ask.step.to_string(),
        _ => return None,
    };
    Some(vec![one])
}

/// Checks that a path leads nowhere but below the address that it is put behind.
fn check_address(path: &str) -> Result<(), String> {
    let own = path.split(['?', '#']).next().unwrap_or_default();
    let small = own.to_ascii_lowercase();
    let wrong = |what: &str| Err(format!("the path has {what}, which may lead elsewhere."));
    if path.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("the path has a space; write %20.".to_owned());
    }
    if path.contains('#') {
        return wrong("`#`");
    }
    if let Some(what) = ["//", "\\", "@", "%2e", "%2f", "%5c", "%40", "%25", "%00"]
        .into_iter()
        .find(|what| small.contains(what))
    {
        return wrong(&format!("`{what}`"));
    }
    if own.split('/').any(|part| matches!(part.split(';').next(), Some("." | ".."))) {
        return wrong("`.` or `..`");
    }
    Ok(())
}

/// The whole address of a path below a base. Errors where it is not below it.
pub fn address(base: &str, path: &str) -> Result<Url, String> {
    let wrong = |_| "the path does not read.".to_owned();
    let (base, url) =
        (Url::parse(base).map_err(wrong)?, Url::parse(&format!("{base}{path}")).map_err(wrong)?);
    let prefix = format!("{}/", base.path().trim_end_matches('/'));
    let is_below =
        base.origin() == url.origin() && url.path().starts_with(&prefix) && url.username().is_empty();
    if is_below { Ok(url) } else { Err("the path leads elsewhere.".to_owned()) }
}

/// Any text as a part of a path or of what is asked.
fn escaped(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => (byte as char).to_string(),
        byte => format!("%{byte:02X}"),
    };
    value.bytes().map(byte).collect()
}

/// A JSONPath with the values of the variables that it names within quotes.
fn fill_path(text: &str, chosen: &BTreeMap<String, Chosen>) -> Result<String, String> {
    let mut quote = None;
    variables::fill(text, chosen, |before, name, chosen| {
        let mut is_escaped = false;
        for c in before.chars() {
            match (c, quote) {
                _ if is_escaped => is_escaped = false,
                ('\\', Some(_)) => is_escaped = true,
                (c, Some(open)) if c == open => quote = None,
                ('\'' | '"', None) => quote = Some(c),
                _ => {}
            }
        }
        match (&chosen.values[..], quote) {
            (_, None) => Err(format!("in a JSONPath ${name} stands within quotes, as ['${name}'].")),
            ([only], Some(quote)) => {
                let mut out = String::with_capacity(only.len());
                for c in only.chars() {
                    match c {
                        '\\' => out.push_str("\\\\"),
                        c if c == quote => out.extend(['\\', c]),
                        c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
                        c => out.push(c),
                    }
                }
                Ok(out)
            }
            _ => Err(format!("${name} has several values, and a JSONPath takes one.")),
        }
    })
}

/// `2026-11-29T10:00:00Z`.
fn iso(ms: u64) -> String {
    let (days, second) = (ms / 86_400_000, ms / 1_000 % 86_400);
    // Years begin in March, so that the day that comes every fourth year is the last of one.
    let since = days + 719_468;
    let (era, day) = (since / 146_097, since % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::table::time;
    use proptest::prelude::*;

    fn ask(text: &str, values: &[&str]) -> Ask {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Ask {
            text: text.to_owned(),
            variables: [("x".to_owned(), Chosen { values, is_literal: true, offered: None })].into(),
            from: 1_760_000_040_000,
            to: 1_760_000_640_000,
            step: 10_000,
            ..Ask::default()
        }
    }

    #[test]
    fn variables_are_escaped_for_an_address() {
        for (text, values, expected) in [
            ("/a/$x?b=${x}&c=1", &["a b&c=d"][..], "/a/a%20b%26c%3Dd?b=a%20b%26c%3Dd&c=1"),
            ("/a?x=$x", &["../b"], "/a?x=..%2Fb"),
            ("/a?x=$x", &["a", "b,c"], "/a?x=a,b%2Cc"),
            ("/a?f=$from&t=$to_ms&i=$interval", &[], "/a?f=1760000040&t=1760000640000&i=10"),
            ("/a?f=$from_iso&d=$to_date&n=$none", &[], "/a?f=2025-10-09T08%3A54%3A00Z&d=2025-10-09&n=$none"),
            ("/$x/b", &["é"], "/%C3%A9/b"),
        ] {
            assert_eq!(fill_address(text, &ask("", values)).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn no_path_leads_elsewhere() {
        for (text, value) in [
            ("/a/../b", ""),
            ("//evil.example/", ""),
            ("/a//b", ""),
            ("/@evil.example/", ""),
            ("/a/%2e%2E/b", ""),
            ("/a/%2e%2e%2fb", ""),
            ("/a\\..\\b", ""),
            ("/a/%252e", ""),
            ("/a/..;x/b", ""),
            ("/a#b", ""),
            ("/a b", ""),
            ("/a/$x/b", ".."),
            ("/a/$x", "../b"),
            ("/$x", "/evil.example"),
            ("/$x", "a@b"),
        ] {
            assert!(fill_address(text, &ask("", &[value])).is_err(), "{text} {value}");
        }
        let below = |base: &str, path: &str| address(base, path).map(String::from);
        assert_eq!(below("https://a.example/v1", "/b?c=d").as_deref(), Ok("https://a.example/v1/b?c=d"));
        assert_eq!(below("https://a.example", "/b").as_deref(), Ok("https://a.example/b"));
        for (base, path) in [
            ("https://a.example/v1", "/../b"),
            ("https://a.example/v1", "x"),
            ("https://a.example", ".evil.example/"),
            ("https://a.example", "@evil.example/"),
            ("https://a.example", ":81/"),
        ] {
            assert!(address(base, path).is_err(), "{base}{path}");
        }
    }

    #[test]
    fn a_query_is_a_path_and_where_things_stand() {
        let text = "# Two places\n/a?b=$x\ntime: $.t[*]\nvalue: $.v[*]\nname: of $x\nvalue : $.w['$x']\n\n/b\nvalue: $.now\nname: $.called";
        let read = read(&ask(text, &["it's"])).expect("reads");
        assert_eq!((read.len(), read[0].line, read[1].line), (2, 2, 8));
        assert!(read[0].times.is_some() && read[1].times.is_none());
        assert!(matches!(&read[0].values[0].name, Some(Name::Text(name)) if name == "of it's"));
        assert_eq!(read[0].values[1].path.text(), r"$.w['it\'s']");
        assert!(matches!(&read[1].values[0].name, Some(Name::Path(path)) if path.text() == "$.called"));
    }

    #[test]
    fn what_does_not_fit_names_its_line() {
        for (text, words) in [
            ("", "There is no path"),
            ("value: $.a", "Line 1: above `value:`"),
            ("/a\nvalues: $.a", "Line 2: a query is a path"),
            ("/a\n", "Line 1: below the path"),
            ("/a\ntime: $.a\ntime: $.b\nvalue: $.c", "Line 3: `time:` stands"),
            ("/a\nname: b\nvalue: $.c", "Line 2: `name:` stands below"),
            ("/a\nvalue: $..c", "Line 2: `value` $..c has `..`"),
            ("/a\nvalue: $.$x", "Line 2: in a JSONPath $x stands within quotes"),
            ("/a/../b\nvalue: $.c", "Line 1: the path has"),
        ] {
            let said = read(&ask(text, &["1"])).expect_err(text);
            assert!(said.contains(words), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn times_are_written_as_they_are_read(second in 0_u64..250_000_000_000) {
            prop_assert_eq!(time::read(&iso(second * 1_000)), Some(second * 1_000));
        }

        #[test]
        fn whatever_is_chosen_stays_below_the_address(value in "[./\\\\@%:#?a-c2eEfF ]{1,8}") {
            if let Ok(path) = fill_address("/a/$x/b?c=$x", &ask("", &[&value])) {
                let url = address("https://a.example/v1", &path).expect("below");
                prop_assert!(url.path().starts_with("/v1/a/") && url.path().ends_with("/b"), "{}", url);
            }
        }
    }
}
