//! A person's SQL with placeholders where it names variables. What is chosen is bound, and never part of the text.

use std::collections::BTreeMap;

use crate::dashboard::settings::{mention, mentions};
use crate::server::data::Ask;

/// Placeholders of one statement: as many as the oldest SQLite in use takes.
const MAX_PLACES: usize = 999;
/// What a statement that only reads begins with.
const READS: [&str; 4] = ["select", "with", "values", "table"];

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

/// What is bound to a placeholder.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// Unix milliseconds; where a number is wanted, Unix seconds.
    Time(u64),
    /// Milliseconds; where a number is wanted, seconds.
    Span(u64),
    Number(i64),
    /// What is chosen of a variable: one value, or several where there is a place for them.
    Chosen(Vec<String>),
}

/// A statement that reads, ready to be prepared.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Lines are where they were.
    pub text: String,
    /// By the numbers of the placeholders from 1 on, each with the name that people wrote.
    pub bound: Vec<(String, Bound)>,
    /// What people should know of how it was read.
    pub notes: Vec<String>,
}

impl Statement {
    /// Reads a text. Errors say in words what does not fit, and in which line.
    pub fn read(ask: &Ask, dialect: Dialect) -> Result<Self, String> {
        let mut reader = Reader {
            ask,
            text: &ask.text,
            at: 0,
            dialect,
            out: Self { text: String::with_capacity(ask.text.len()), bound: Vec::new(), notes: Vec::new() },
            places: BTreeMap::new(),
            first: None,
            word: String::new(),
            in_list: false,
            ended: false,
        };
        reader.run()?;
        match reader.first.as_deref() {
            None => Err("There is no statement.".to_owned()),
            Some(word) if !READS.contains(&word) => Err(format!(
                "A query begins with SELECT, WITH, VALUES or TABLE, and not with {}.",
                word.to_uppercase()
            )),
            Some(_) => Ok(reader.out),
        }
    }
}

/// The line of a place in a text, from 1; the place counts characters from 1 as databases do.
pub fn line_of(text: &str, place: usize) -> usize {
    1 + text.chars().take(place.saturating_sub(1)).filter(|c| *c == '\n').count()
}

struct Reader<'a> {
    ask: &'a Ask,
    text: &'a str,
    at: usize,
    dialect: Dialect,
    out: Statement,
    /// Placeholders that stand for a name already; the same one again keeps expressions equal for GROUP BY.
    places: BTreeMap<(String, bool), Vec<usize>>,
    /// The first word.
    first: Option<String>,
    /// The word before, in small letters, as long as nothing but a bracket came after it.
    word: String,
    /// Right behind `IN (`.
    in_list: bool,
    /// Behind a semicolon.
    ended: bool,
}

impl<'a> Reader<'a> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.rest().chars().next() {
            let rest = self.rest();
            if let Some(long) = self.comment(rest) {
                self.copy(long);
                continue;
            }
            if c.is_whitespace() {
                self.copy(c.len_utf8());
                continue;
            }
            if c == ';' {
                self.ended = true;
                self.at += 1;
                continue;
            }
            if self.ended {
                return Err(format!("Line {}: a query is one statement; here begins another.", self.line()));
            }
            if c == '\0' {
                return Err(format!("Line {}: there is a character that SQL has not.", self.line()));
            }
            if let Some(long) = self.quoted(rest) {
                self.check_quoted(&rest[..long]);
                self.copy(long);
                self.after_token();
            } else if c == '$' || self.is_known(rest) {
                self.variable(rest)?;
            } else if is_word(c) {
                let long = rest.find(|c: char| !is_word(c) && c != '$').unwrap_or(rest.len());
                let word = rest[..long].to_lowercase();
                self.first.get_or_insert_with(|| word.clone());
                self.copy(long);
                self.after_token();
                self.word = word;
            } else if c == '(' {
                self.in_list = self.word == "in";
                self.word.clear();
                self.copy(1);
            } else if self.dialect == Dialect::Sqlite && matches!(c, '?' | ':' | '@') {
                return Err(format!("Line {}: variables are written as $name, not with {c}.", self.line()));
            } else {
                self.first.get_or_insert_with(|| c.to_string());
                self.copy(c.len_utf8());
                self.after_token();
            }
        }
        Ok(())
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn line(&self) -> usize {
        1 + self.text[..self.at].matches('\n').count()
    }

    fn copy(&mut self, long: usize) {
        self.out.text.push_str(&self.text[self.at..self.at + long]);
        self.at += long;
    }

    fn after_token(&mut self) {
        self.word.clear();
        self.in_list = false;
    }

    /// How long the comment is that a text begins with.
    fn comment(&self, rest: &str) -> Option<usize> {
        if rest.starts_with("--") {
            return Some(rest.find('\n').unwrap_or(rest.len()));
        }
        if !rest.starts_with("/*") {
            return None;
        }
        let (bytes, mut at, mut deep) = (rest.as_bytes(), 2, 1);
        while deep > 0 && at < bytes.len() {
            match &bytes[at..(at + 2).min(bytes.len())] {
                b"*/" => (deep, at) = (deep - 1, at + 2),
                b"/*" if self.dialect == Dialect::Postgres => (deep, at) = (deep + 1, at + 2),
                _ => at += 1,
            }
        }
        Some(at)
    }

    /// How long the text in quotes is that a text begins with.
    fn quoted(&self, rest: &str) -> Option<usize> {
        let quote = rest.chars().next()?;
        let is_postgres = self.dialect == Dialect::Postgres;
        match quote {
            // In E'...' a backslash stands before what means something.
            '\'' => Some(quoted(rest, '\'', is_postgres && self.word == "e" && self.follows_a_word())),
            '"' => Some(quoted(rest, '"', false)),
            '`' if !is_postgres => Some(quoted(rest, '`', false)),
            '[' if !is_postgres && !self.is_known(rest) => {
                Some(rest.find(']').map_or(rest.len(), |end| end + 1))
            }
            '$' if is_postgres => dollar_quoted(rest),
            _ => None,
        }
    }

    /// True right behind a word, without a space between.
    fn follows_a_word(&self) -> bool {
        self.text[..self.at].chars().next_back().is_some_and(is_word)
    }

    fn is_known(&self, rest: &str) -> bool {
        rest.starts_with("[[") && mention(rest).is_some_and(|(name, _)| self.value(name).is_some())
    }

    /// A variable within quotes is a text like any other, which is hardly meant.
    fn check_quoted(&mut self, text: &str) {
        let named = mentions(text, |name| self.ask.variables.contains_key(name)).next();
        if let Some(name) = named.map(|mention| mention.name.to_owned()) {
            let line = self.line();
            let note = format!(
                "Line {line}: ${name} stands within quotes and is text there; write it without them."
            );
            self.out.notes.push(note);
        }
    }

    fn variable(&mut self, rest: &str) -> Result<(), String> {
        let line = self.line();
        let (name, long) = mention(rest)
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("Line {line}: a $ stands before the name of a variable."))?;
        let bound = self.value(name).ok_or_else(|| {
            format!("Line {line}: there is no variable ${name}; every query has $from, $to and $interval.")
        })?;
        let bound = match bound {
            Bound::Chosen(values) if self.in_list && values.len() > 1 => {
                values.into_iter().map(|value| Bound::Chosen(vec![value])).collect()
            }
            other => vec![other],
        };
        let key = (name.to_owned(), bound.len() > 1);
        if !self.places.contains_key(&key) {
            if self.out.bound.len() + bound.len() > MAX_PLACES {
                return Err(format!("Line {line}: a query has at most {MAX_PLACES} values of variables."));
            }
            let first = self.out.bound.len() + 1;
            self.places.insert(key.clone(), (first..first + bound.len()).collect());
            self.out.bound.extend(bound.into_iter().map(|bound| (name.to_owned(), bound)));
        }
        let sign = if self.dialect == Dialect::Postgres { '$' } else { '?' };
        let numbers: Vec<String> = self.places[&key].iter().map(|number| format!("{sign}{number}")).collect();
        // What is next to it stays a word of its own.
        self.out.text.push_str(&format!(" {} ", numbers.join(", ")));
        self.at += long;
        self.first.get_or_insert_with(|| "$".to_owned());
        self.after_token();
        Ok(())
    }

    fn value(&self, name: &str) -> Option<Bound> {
        let ask = self.ask;
        if let Some(chosen) = ask.variables.get(name) {
            return Some(Bound::Chosen(chosen.values.clone()));
        }
        let ms = |ms: u64| Bound::Number(i64::try_from(ms).unwrap_or(i64::MAX));
        Some(match name {
            "from" => Bound::Time(ask.from),
            "to" => Bound::Time(ask.to),
            "interval" | "__interval" => Bound::Span(ask.step),
            "from_ms" | "__from" => ms(ask.from),
            "to_ms" | "__to" => ms(ask.to),
            "interval_ms" | "__interval_ms" => ms(ask.step),
            _ => return None,
        })
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How long a text in quotes is, in which a quote is written twice; up to the end where it does not end.
fn quoted(text: &str, quote: char, has_escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if has_escapes => {
                chars.next();
            }
            c if c == quote => match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return at + 1,
            },
            _ => {}
        }
    }
    text.len()
}

/// How long `$tag$ ... $tag$` is; `None` where a text does not begin with one.
fn dollar_quoted(text: &str) -> Option<usize> {
    let end = text[1..].find(|c: char| !is_word(c))? + 1;
    let is_tag = text[end..].starts_with('$') && !text[1..].starts_with(|c: char| c.is_ascii_digit());
    let tag = &text[..=end];
    let close = || text[end + 1..].find(tag).map_or(text.len(), |at| end + 1 + at + tag.len());
    is_tag.then(close)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::settings::Chosen;
    use proptest::prelude::*;

    fn ask(text: &str, variables: &[(&str, &[&str])]) -> Ask {
        let chosen = |values: &[&str]| Chosen {
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            is_literal: true,
            offered: None,
        };
        Ask {
            text: text.to_owned(),
            variables: variables.iter().map(|(name, values)| ((*name).to_owned(), chosen(values))).collect(),
            from: 1_000,
            to: 9_000,
            step: 500,
            ..Ask::default()
        }
    }

    fn read(text: &str, dialect: Dialect) -> Result<Statement, String> {
        Statement::read(&ask(text, &[("host", &["it's"]), ("several", &["a", "b"])]), dialect)
    }

    #[test]
    fn variables_are_placeholders_where_sql_has_values() {
        use Dialect::{Postgres, Sqlite};
        for (dialect, text, expected) in [
            (Postgres, "SELECT $from, $to, $from", "SELECT  $1 ,  $2 ,  $1 "),
            (Sqlite, "SELECT ${from}+[[to]]", "SELECT  ?1 + ?2 "),
            (Postgres, "select '$host', \"$host\", $1$ $host $1$", "error"),
            (Postgres, "select '$host' || E'\\'$host' || $x$ $host; $x$ || $$;$host$$", "same"),
            (Postgres, "select a$host -- $host ;\n/* ; /* */ $host */", "same"),
            (
                Sqlite,
                "select `$host`, [$host], '''$host' /* /* */ , $host",
                "select `$host`, [$host], '''$host' /* /* */ ,  ?1 ",
            ),
            (
                Postgres,
                "with a as (select 1) select $host;  -- end\n",
                "with a as (select 1) select  $1   -- end\n",
            ),
            (
                Postgres,
                "SELECT 1 WHERE a IN ($several) AND b IN ( $several )",
                "SELECT 1 WHERE a IN ( $1, $2 ) AND b IN (  $1, $2  )",
            ),
            (Postgres, "SELECT 1 WHERE a = ANY($several)", "SELECT 1 WHERE a = ANY( $1 )"),
            (Postgres, "(select 1)", "same"),
            (Postgres, "select a[b[1]], array[[1,2],[3,4]], c::text, '{}'::jsonb ? 'a'", "same"),
        ] {
            let found = read(text, dialect).map(|one| one.text);
            match expected {
                "error" => assert!(found.is_err(), "{text}: {found:?}"),
                "same" => assert_eq!(found.as_deref(), Ok(text)),
                _ => assert_eq!(found.as_deref(), Ok(expected), "{text}"),
            }
        }
        let found = read("select $from, $host, $interval, $from_ms where x in ($several)", Dialect::Postgres);
        let bound: Vec<Bound> = found.expect("reads").bound.into_iter().map(|(_, bound)| bound).collect();
        let chosen = |value: &str| Bound::Chosen(vec![value.to_owned()]);
        let expected = [
            Bound::Time(1_000),
            chosen("it's"),
            Bound::Span(500),
            Bound::Number(1_000),
            chosen("a"),
            chosen("b"),
        ];
        assert_eq!(bound, expected);
    }

    #[test]
    fn what_is_no_single_statement_that_reads_is_refused_with_its_line() {
        for (dialect, text, words) in [
            (Dialect::Postgres, "select 1;\nselect 2", "Line 2: a query is one statement"),
            (Dialect::Postgres, "select 1; delete from a", "one statement"),
            (Dialect::Sqlite, "select '\\'; drop table a; --'", "one statement"),
            (Dialect::Postgres, "delete from a", "and not with DELETE"),
            (Dialect::Sqlite, "PRAGMA query_only=off", "and not with PRAGMA"),
            (Dialect::Sqlite, "/* select */ attach 'a' as b", "and not with ATTACH"),
            (Dialect::Postgres, " -- nothing", "There is no statement"),
            (Dialect::Postgres, "select\n$nobody", "Line 2: there is no variable $nobody"),
            (Dialect::Postgres, "select $1", "no variable $1"),
            (Dialect::Sqlite, "select :a", "written as $name"),
            (Dialect::Sqlite, "select ?", "written as $name"),
        ] {
            let said = read(text, dialect).expect_err(text);
            assert!(said.contains(words), "{text}: {said}");
        }
        let notes = read("select 1\nwhere a = '$host'", Dialect::Postgres).expect("reads").notes;
        assert!(notes[0].starts_with("Line 2: $host stands within quotes"), "{notes:?}");
        assert_eq!(line_of("a\nä\nc", 5), 3);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_value_gets_into_it(text in "[a-z$\\[\\]{}'\"`;\\-*/\\\\ \né(]{0,60}", value in "[x-z';\"]{3,9}") {
            let ask = ask(&format!("select {text}"), &[("a", &[&value, "b"]), ("b", &[&value])]);
            for dialect in [Dialect::Postgres, Dialect::Sqlite] {
                if let Ok(read) = Statement::read(&ask, dialect) {
                    prop_assert!(ask.text.contains(&value) || !read.text.contains(&value));
                    prop_assert_eq!(read.text.matches('\n').count(), ask.text.matches('\n').count());
                }
            }
        }
    }
}
