//! The queries of a widget's text: PromQL as people paste it, on one line each or over several.

/// One query of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// Its place among the lines of the text, from 0, as if each query stood on one line: legends go by it.
    pub line: usize,
    /// The line on which it begins, from 1, as people count.
    pub first_line: usize,
    /// Without comments; its lines are still lines.
    pub text: String,
}

/// Words that stand between two parts of an expression, at the end of the one line or the beginning of the next.
const OPERATORS: [&str; 12] = [
    "and",
    "or",
    "unless",
    "atan2",
    "bool",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "offset",
];

/// The queries of a text, in its order. A query ends with its line, unless a bracket or a string is open, the
/// line ends with an operator or the next one begins with one. From `#` on a line is a comment.
pub fn expressions(text: &str) -> Vec<Expression> {
    let (mut all, mut open) = (Vec::<Expression>::new(), false);
    // Lines that count for no query of their own.
    let mut passed = 0;
    let mut place = Place::default();
    for (number, line) in text.lines().enumerate() {
        let code = place.read_line(line);
        let word = code.trim();
        if word.is_empty() && place.quote.is_none() {
            passed += usize::from(!line.trim().is_empty() || open);
            continue;
        }
        match all.last_mut() {
            Some(last) if open || continues(word) => {
                last.text.push('\n');
                last.text.push_str(code.trim_end());
                passed += 1;
            }
            _ => {
                all.push(Expression { line: number - passed, first_line: number + 1, text: word.to_owned() })
            }
        }
        open = place.is_open() || ends_open(word);
    }
    all
}

/// True for a query whose value at each step depends on where the whole time begins or ends: asked for in
/// pieces it has another one.
pub fn depends_on_window(text: &str) -> bool {
    let (mut place, mut code) = (Place::default(), String::new());
    for c in text.chars() {
        if place.push(c) {
            code.push(c);
        } else if c == '\n' {
            code.push(' ');
        }
    }
    code.match_indices('@').any(|(at, _)| {
        let rest = code[at + 1..].trim_start();
        ["start", "end"]
            .iter()
            .any(|word| rest.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with('(')))
    })
}

/// A place in a query: within strings, comments and brackets.
#[derive(Default)]
pub struct Place {
    /// The quote of the string that it is in.
    quote: Option<char>,
    /// True after a backslash of such a string.
    is_escaped: bool,
    in_comment: bool,
    brackets: i32,
    /// The last two characters of code, which tell what a string is matched with.
    before: [char; 2],
}

impl Place {
    /// Goes on by a character; true where that is code, and so neither comment nor string.
    pub fn push(&mut self, c: char) -> bool {
        match (self.quote, c) {
            // Only backticks go on over a line.
            (quote, '\n') if quote != Some('`') => {
                (self.quote, self.is_escaped, self.in_comment) = (None, false, false);
            }
            _ if self.in_comment => {}
            _ if self.is_escaped => self.is_escaped = false,
            (Some('"' | '\''), '\\') => self.is_escaped = true,
            (Some(quote), c) if quote == c => self.quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => self.quote = Some(c),
            (None, '#') => self.in_comment = true,
            (None, c) => {
                match c {
                    '(' | '[' | '{' => self.brackets += 1,
                    ')' | ']' | '}' => self.brackets = (self.brackets - 1).max(0),
                    _ => {}
                }
                if !c.is_whitespace() {
                    self.before = [self.before[1], c];
                }
                return true;
            }
        }
        false
    }

    /// Reads a line to its end; returns it without its comment.
    fn read_line<'a>(&mut self, line: &'a str) -> &'a str {
        let mut chars = line.char_indices();
        let comment = chars.find(|(_, c)| {
            self.push(*c);
            self.in_comment
        });
        self.push('\n');
        comment.map_or(line, |(at, _)| &line[..at])
    }

    /// The quote of the string that it is in.
    pub const fn quote(&self) -> Option<char> {
        self.quote
    }

    /// True in a string that is matched as a regex.
    pub const fn is_regex(&self) -> bool {
        matches!(self.before, ['=' | '!', '~'])
    }

    const fn is_open(&self) -> bool {
        self.brackets > 0 || self.quote.is_some()
    }
}

/// True for one of the words, in any case.
fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| word.eq_ignore_ascii_case(one))
}

/// True for a line that cannot be the end of a query.
fn ends_open(line: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let word = line.rsplit(|c| !is_word(c)).next().unwrap_or_default();
    line.ends_with(['+', '-', '*', '/', '%', '^', '=', '<', '>', '~', ',', '@'])
        || (word.len() < line.len() && (is_one_of(word, &OPERATORS) || is_one_of(word, &["default"])))
        || is_grouping(line)
}

/// True for a line that goes on with the one before.
fn continues(line: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let word = line.split(|c| !is_word(c)).next().unwrap_or_default();
    line.starts_with(['+', '-', '*', '/', '%', '^', '=', '!', '<', '>', ')', '}', ']', '[', ',', '@'])
        || (line.len() > word.len() && (is_one_of(word, &OPERATORS) || is_one_of(word, &["if", "ifnot"])))
}

/// True for `sum by (job)` and `a / on (job)`, after which there is more to come.
fn is_grouping(line: &str) -> bool {
    let Some((before, labels)) = line.rsplit_once('(') else { return false };
    let before = before.trim_end().to_ascii_lowercase();
    let mut words = before.split_ascii_whitespace().rev();
    let (grouping, aggregation, more) = (words.next(), words.next(), words.next());
    let is_word = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    labels.trim_end().ends_with(')')
        && match grouping {
            Some("on" | "ignoring" | "group_left" | "group_right") => true,
            Some("by" | "without") => more.is_none() && aggregation.is_some_and(is_word),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<String> {
        expressions(text).into_iter().map(|one| one.text).collect()
    }

    #[test]
    fn a_query_ends_where_it_is_whole() {
        for (text, expected) in [
            ("up\n\nrate(a[5m])\n", vec!["up", "rate(a[5m])"]),
            ("sum(\n  rate(a[5m])\n) by (job)\nup", vec!["sum(\n  rate(a[5m])\n) by (job)", "up"]),
            ("sum by (job)\n(a)", vec!["sum by (job)\n(a)"]),
            ("sum by (job) (\n  a # of all\n)\n# and the rest\nup", vec!["sum by (job) (\n  a\n)", "up"]),
            ("a\n/\nb\nc", vec!["a\n/\nb", "c"]),
            ("a\n  / b", vec!["a\n  / b"]),
            ("a /\n b", vec!["a /\n b"]),
            ("a\nunless on (job)\n  b", vec!["a\nunless on (job)\n  b"]),
            ("a unless\nb", vec!["a unless\nb"]),
            ("a\noffset 5m", vec!["a\noffset 5m"]),
            ("a[5m:\n1m]", vec!["a[5m:\n1m]"]),
            ("up{job=\"#1 (\"}\nb", vec!["up{job=\"#1 (\"}", "b"]),
            ("up{job='it\\'s'} # c\nb", vec!["up{job='it\\'s'}", "b"]),
            ("up{a=`\n#x\n`}\nb", vec!["up{a=`\n#x\n`}", "b"]),
            ("{__name__=\"a\"}\n{__name__=\"b\"}", vec!["{__name__=\"a\"}", "{__name__=\"b\"}"]),
            ("bool\nby\nend", vec!["bool", "by", "end"]),
            ("# nothing\n\n", vec![]),
        ] {
            assert_eq!(texts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_query_has_the_line_that_its_legend_has() {
        let lines = |text| -> Vec<(usize, usize)> {
            expressions(text).iter().map(|one| (one.line, one.first_line)).collect()
        };
        assert_eq!(lines("a\nb"), [(0, 1), (1, 2)]);
        assert_eq!(lines("a\n\nb"), [(0, 1), (2, 3)], "an empty line has an empty legend");
        assert_eq!(lines("# all\nsum(\na)\nb"), [(0, 2), (1, 4)]);
    }

    #[test]
    fn the_ends_of_the_window_are_seen_where_they_are_code() {
        for (text, expected) in [
            ("a @ end()", true),
            ("rate(a[5m] @\n start ( ))", true),
            ("a @ 1600000000", false),
            ("a{b=\"@ end()\"}", false),
            ("a{b=\"\\\" @ end()\"}", false),
            ("a # @ end()\n+ b", false),
            ("a{b='x'} @ end()", true),
        ] {
            assert_eq!(depends_on_window(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_of_a_text_is_lost_but_comments(lines in prop::collection::vec("[a-c(){} +\"'`]{0,8}", 0..6)) {
            let text = lines.join("\n");
            let kept: String = texts(&text).concat().split_whitespace().collect();
            let all: String = text.split_whitespace().collect();
            prop_assert_eq!(kept, all);
        }

        #[test]
        fn any_text_is_read(text in "[a-z@#(){}\\[\\]\"'`\\\\\n é]{0,40}") {
            let _ = depends_on_window(&text);
            prop_assert!(expressions(&text).iter().all(|one| one.first_line > one.line));
        }
    }
}
