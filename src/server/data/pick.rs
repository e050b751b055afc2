//! Values picked by a regular expression: those that it finds, or the part of them that it captures.

use regex::{Regex, RegexBuilder};

/// Bytes of a regular expression as it runs: far more than one for names of hosts has.
const MAX_SIZE: usize = 1024 * 1024;

/// The values that a regular expression picks, each once, in their order.
///
/// `/.../` is looked for anywhere in a value, with `i`, `m` and `s` behind it as elsewhere; without slashes it is
/// about the whole value. Where it captures, what it captures is the value: the group `value`, else the group
/// `text`, else the first. Errors are for people.
pub fn pick(values: &[String], regex: &str) -> Result<Vec<String>, String> {
    if regex.is_empty() {
        return Ok(values.to_vec());
    }
    let regex = read(regex)?;
    let mut picked: Vec<String> = Vec::new();
    for value in values {
        let Some(found) = regex.captures(value) else { continue };
        let named = found.name("value").or_else(|| found.name("text"));
        let part = named.or_else(|| found.get(1)).map_or(value.as_str(), |part| part.as_str());
        if !part.is_empty() && !picked.iter().any(|known| known == part) {
            picked.push(part.to_owned());
        }
    }
    Ok(picked)
}

fn read(regex: &str) -> Result<Regex, String> {
    let slashed = regex.strip_prefix('/').and_then(|inner| inner.rsplit_once('/'));
    let (pattern, flags) = match slashed {
        Some((inner, flags)) => (inner.to_owned(), flags),
        None => (format!("^(?:{regex})$"), ""),
    };
    let mut builder = RegexBuilder::new(&pattern.replace("\\/", "/"));
    builder.size_limit(MAX_SIZE);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            'm' => builder.multi_line(true),
            's' => builder.dot_matches_new_line(true),
            // What they say holds here anyhow.
            'g' | 'u' => &mut builder,
            other => return Err(format!("The flag “{other}” of the regular expression is not known here.")),
        };
    }
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "The regular expression is too large.".to_owned(),
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("The regular expression does not read: {last}.")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_picked_as_grafana_does() {
        let values = ["web-1:9100", "web-2:9100", "web-2:9200", "DB-1:9100"].map(str::to_owned);
        for (regex, expected) in [
            ("", &["web-1:9100", "web-2:9100", "web-2:9200", "DB-1:9100"][..]),
            ("/web/", &["web-1:9100", "web-2:9100", "web-2:9200"]),
            ("web", &[]),
            ("web.*", &["web-1:9100", "web-2:9100", "web-2:9200"]),
            ("/([^:]+):/", &["web-1", "web-2", "DB-1"]),
            ("/([^:]+):.*/", &["web-1", "web-2", "DB-1"]),
            ("/(?<text>[^:]+):(?<value>.*)/", &["9100", "9200"]),
            ("/(?<text>web-\\d)/", &["web-1", "web-2"]),
            ("/db/i", &["DB-1:9100"]),
            ("/a|(db)/i", &["DB"]),
            ("/x\\/y/", &[]),
        ] {
            let picked = pick(&values, regex).expect("a regex");
            assert_eq!(picked, expected, "{regex}");
        }
        for (regex, says) in [("/(a/", "does not read"), ("/a(?=b)/", "does not read"), ("/a/y", "flag “y”")]
        {
            let error = pick(&values, regex).expect_err("no regex");
            assert!(error.contains(says), "{error}");
        }
        let large = format!("/{}/", "(a{1,100}){1,100}".repeat(30));
        assert!(pick(&values, &large).expect_err("too large").contains("too large"));
    }
}
