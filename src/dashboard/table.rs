//! Table data as people paste it: CSV with a header (RFC 4180; commas, semicolons or tabs), or a JSON array
//! of objects. Nothing is invented: what cannot be read is an error that names the line.

mod numbers;
pub mod time;

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::number;

/// Columns of a table: more than a screen shows.
pub const MAX_COLUMNS: usize = 50;
/// Rows of a table: as many as the text of a widget can hold.
pub const MAX_ROWS: usize = 20_000;

/// Rows times columns: more than the longest text of a widget has separators, so that only a table whose
/// rows are mostly left out meets it.
pub const MAX_CELLS: usize = 50_000;

/// Rows and columns. Every row has an entry for each column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Names, no two alike and none empty.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Entry>>,
}

/// What stands in one row and column.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Empty,
    Number(f64),
    /// A number that stands with a sign of its own, as `€ 5`, and how.
    Written(f64, String),
    Text(String),
}

/// Why a text is no table, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("The quote that begins in line {0} does not end.")]
    OpenQuote(usize),
    #[error("In line {0} something follows a closing quote.")]
    AfterQuote(usize),
    #[error("Line {line} has {has} values, but there are {columns} columns.")]
    TooManyValues { line: usize, has: usize, columns: usize },
    #[error("A table has at most {MAX_COLUMNS} columns.")]
    TooManyColumns,
    #[error("A table has at most {MAX_ROWS} rows.")]
    TooManyRows,
    #[error("A table has at most {MAX_CELLS} values, with those that are left out.")]
    TooManyCells,
    #[error("The JSON stops being readable in line {line}, column {column}.")]
    BrokenJson { line: usize, column: usize },
    #[error("JSON data is an array of objects, as [{{\"name\": \"a\", \"value\": 1}}].")]
    NoRows,
}

impl Table {
    /// Reads a text. An empty one is a table without columns.
    pub fn read(text: &str) -> Result<Self, TableError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_start().starts_with(['[', '{']) { json(text) } else { csv(text) }
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The numbers of a column; `None` where something else stands in it, or nothing at all.
    pub fn numbers(&self, column: usize) -> Option<Vec<Option<f64>>> {
        let number = |row: &Vec<Entry>| match row.get(column)? {
            Entry::Empty => Some(None),
            entry => entry.number().map(Some),
        };
        let numbers: Vec<Option<f64>> = self.rows.iter().map(number).collect::<Option<_>>()?;
        numbers.iter().any(Option::is_some).then_some(numbers)
    }

    /// The first column in which every row has a time, and the times in Unix milliseconds.
    ///
    /// A time is a date or a date and time of ISO 8601, in UTC where it names no zone; under a name such as
    /// `time`, a Unix time in seconds or milliseconds too.
    pub fn times(&self) -> Option<(usize, Vec<u64>)> {
        (0..self.columns.len()).filter(|_| !self.rows.is_empty()).find_map(|column| {
            let named = time::is_named(&self.columns[column]);
            let time = |row: &Vec<Entry>| match row.get(column)? {
                Entry::Text(text) => time::read(text),
                Entry::Number(number) if named => time::unix(*number),
                _ => None,
            };
            let times: Vec<u64> = self.rows.iter().map(time).collect::<Option<_>>()?;
            Some((column, times))
        })
    }
}

impl Entry {
    /// Its value, where it is a number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) | Self::Written(number, _) => Some(*number),
            Self::Empty | Self::Text(_) => None,
        }
    }

    /// Reads what stands between two separators.
    fn read(text: &str, decimal_comma: bool) -> Self {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Self::Empty;
        }
        match number(trimmed, decimal_comma) {
            Some(number) => Self::Number(number),
            None => Self::Text(text.to_owned()),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Number(number) => write!(f, "{number}"),
            Self::Written(_, text) | Self::Text(text) => f.write_str(text),
        }
    }
}

/// A number as JSON writes it, with a plus or a decimal comma at most. What begins with a zero that counts
/// for nothing is a code and no number.
fn number(text: &str, decimal_comma: bool) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let code = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    if code || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let comma = decimal_comma && digits.matches(',').count() == 1 && !digits.contains('.');
    if comma { number::read(&text.replace(',', ".")) } else { number::read(text) }
}

/// The columns of a header: what has no name gets one, and what has the same name as another a number.
fn named(header: Vec<String>) -> Result<Vec<String>, TableError> {
    if header.len() > MAX_COLUMNS {
        return Err(TableError::TooManyColumns);
    }
    let mut columns: Vec<String> = Vec::with_capacity(header.len());
    for (n, name) in header.into_iter().enumerate() {
        let name = name.trim();
        let name = if name.is_empty() { format!("Column {}", n + 1) } else { name.to_owned() };
        let unique = (1..).map(|n| if n == 1 { name.clone() } else { format!("{name} {n}") });
        let unique = unique.into_iter().find(|name| !columns.contains(name));
        columns.push(unique.expect("numbers do not end"));
    }
    Ok(columns)
}

fn csv(text: &str) -> Result<Table, TableError> {
    let separator = separator(text);
    let decimal_comma = separator != ',';
    let mut lines = Lines { rest: text, line: 1, separator };
    let Some((_, header)) = lines.next_record()? else { return Ok(Table::default()) };
    let columns = named(header)?;
    let mut rows = Vec::new();
    while let Some((line, record)) = lines.next_record()? {
        if record.len() > columns.len() {
            return Err(TableError::TooManyValues { line, has: record.len(), columns: columns.len() });
        }
        if rows.len() >= MAX_ROWS {
            return Err(TableError::TooManyRows);
        }
        if (rows.len() + 1) * columns.len() > MAX_CELLS {
            return Err(TableError::TooManyCells);
        }
        rows.push(record);
    }
    let mut read: Vec<Vec<Entry>> = rows.iter().map(|_| Vec::with_capacity(columns.len())).collect();
    for column in 0..columns.len() {
        let values: Vec<&str> =
            rows.iter().map(|record: &Vec<String>| record.get(column).map_or("", String::as_str)).collect();
        read.iter_mut().zip(numbers::column(&values, decimal_comma)).for_each(|(row, entry)| row.push(entry));
    }
    Ok(Table { columns, rows: read })
}

/// What separates the values of the first line: what stands there most often outside of quotes.
fn separator(text: &str) -> char {
    let mut quoted = false;
    let mut counts = [('\t', 0), (';', 0), (',', 0)];
    for c in text.trim_start_matches(['\r', '\n']).chars() {
        match c {
            '"' => quoted = !quoted,
            '\r' | '\n' if !quoted => break,
            c if !quoted => counts.iter_mut().filter(|(one, _)| *one == c).for_each(|(_, n)| *n += 1),
            _ => {}
        }
    }
    let most = counts.into_iter().rev().max_by_key(|(_, n)| *n);
    most.filter(|(_, n)| *n > 0).map_or(',', |(one, _)| one)
}

/// A CSV text, record by record.
struct Lines<'a> {
    rest: &'a str,
    /// The line that `rest` begins in, from 1.
    line: usize,
    separator: char,
}

impl Lines<'_> {
    /// The next record that is not empty, and the line that it begins in.
    fn next_record(&mut self) -> Result<Option<(usize, Vec<String>)>, TableError> {
        while !self.rest.is_empty() {
            let line = self.line;
            let record = self.record()?;
            if record.len() > 1 || !record[0].trim().is_empty() {
                return Ok(Some((line, record)));
            }
        }
        Ok(None)
    }

    fn record(&mut self) -> Result<Vec<String>, TableError> {
        let mut record = Vec::new();
        loop {
            record.push(match self.rest.strip_prefix('"') {
                Some(rest) => {
                    self.rest = rest;
                    self.quoted()?
                }
                None => {
                    let ends = |c| c == self.separator || c == '\r' || c == '\n';
                    let end = self.rest.find(ends).unwrap_or(self.rest.len());
                    let (value, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    value.to_owned()
                }
            });
            let mut chars = self.rest.chars();
            match chars.next() {
                Some(c) if c == self.separator => self.rest = chars.as_str(),
                None => return Ok(record),
                Some(c) => {
                    self.rest = chars.as_str();
                    if c == '\r' {
                        self.rest = self.rest.strip_prefix('\n').unwrap_or(self.rest);
                    }
                    self.line += 1;
                    return Ok(record);
                }
            }
        }
    }

    /// What stands up to the closing quote; a doubled one stands for itself.
    fn quoted(&mut self) -> Result<String, TableError> {
        let began = self.line;
        let mut value = String::new();
        loop {
            let Some(end) = self.rest.find('"') else { return Err(TableError::OpenQuote(began)) };
            let (part, rest) = self.rest.split_at(end);
            value.push_str(part);
            self.line += part.bytes().filter(|b| *b == b'\n').count();
            self.rest = &rest[1..];
            match self.rest.strip_prefix('"') {
                Some(rest) => {
                    value.push('"');
                    self.rest = rest;
                }
                None => break,
            }
        }
        let follows = self.rest.chars().next();
        if follows.is_none_or(|c| c == self.separator || c == '\r' || c == '\n') {
            Ok(value)
        } else {
            Err(TableError::AfterQuote(self.line))
        }
    }
}

/// An object with its members in the order in which they stand.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

fn json(text: &str) -> Result<Table, TableError> {
    let objects: Vec<Members> = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => TableError::NoRows,
        _ => TableError::BrokenJson { line: error.line(), column: error.column() },
    })?;
    if objects.len() > MAX_ROWS {
        return Err(TableError::TooManyRows);
    }
    let mut names: Vec<String> = Vec::new();
    for (name, _) in objects.iter().flat_map(|object| &object.0) {
        if !names.contains(name) {
            if names.len() >= MAX_COLUMNS {
                return Err(TableError::TooManyColumns);
            }
            names.push(name.clone());
        }
    }
    if objects.len() * names.len() > MAX_CELLS {
        return Err(TableError::TooManyCells);
    }
    let rows = objects.into_iter().map(|Members(members)| {
        let mut row = vec![Entry::Empty; names.len()];
        for (name, value) in members {
            let at = names.iter().position(|known| *known == name).expect("every name was listed above");
            row[at] = match value {
                Value::Null => Entry::Empty,
                Value::Number(number) => number.as_f64().map_or(Entry::Empty, Entry::Number),
                Value::String(text) if text.trim().is_empty() => Entry::Empty,
                Value::String(text) => Entry::Text(text),
                other => Entry::Text(other.to_string()),
            };
        }
        row
    });
    let mut rows: Vec<Vec<Entry>> = rows.collect();
    for column in 0..names.len() {
        // A word for what there is none of makes no words of a column of numbers.
        let is_number = |row: &Vec<Entry>| matches!(row[column], Entry::Number(_));
        let fits = |row: &Vec<Entry>| match &row[column] {
            Entry::Text(text) => numbers::is_none(text),
            _ => true,
        };
        if rows.iter().any(is_number) && rows.iter().all(fits) {
            let words = rows.iter_mut().filter(|row| matches!(row[column], Entry::Text(_)));
            words.for_each(|row| row[column] = Entry::Empty);
        }
    }
    Ok(Table { columns: named(names)?, rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn s10_a_short_text_makes_no_large_table() {
        let header = (0..MAX_COLUMNS).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(
            Table::read(&format!("{header}\n{}", "1\n".repeat(15_000))),
            Err(TableError::TooManyCells)
        );
        let first = (0..MAX_COLUMNS).map(|n| format!("\"{n}\":1")).collect::<Vec<_>>().join(",");
        let json = format!("[{{{first}}}{}]", ",{}".repeat(15_000));
        assert_eq!(Table::read(&json), Err(TableError::TooManyCells));
        assert!(Table::read(&format!("a,b\n{}", "1,2\n".repeat(12_000))).is_ok());
    }

    fn text(text: &str) -> Entry {
        Entry::Text(text.to_owned())
    }

    #[test]
    fn csv_is_read_as_rfc_4180_says() {
        let table = Table::read("name,\"what, it says\"\r\n\"a \"\"b\"\"\nc\", 2.5\r\n\r\nlast,\r\n");
        let table = table.expect("well formed");
        assert_eq!(table.columns, ["name", "what, it says"]);
        assert_eq!(
            table.rows,
            [vec![text("a \"b\"\nc"), Entry::Number(2.5)], vec![text("last"), Entry::Empty]]
        );
        assert_eq!(Table::read(" \n\n"), Ok(Table::default()));
    }

    #[test]
    fn semicolons_and_tabs_separate_too() {
        let table = Table::read("\u{feff}stadt;anteil\nKöln;0,5\nUlm;007\n").expect("well formed");
        assert_eq!(table.columns, ["stadt", "anteil"]);
        assert_eq!(table.rows[0], [text("Köln"), Entry::Number(0.5)]);
        assert_eq!(table.rows[1], [text("Ulm"), text("007")], "a code is no number");
        let table = Table::read("land;umsatz\nDE;1.234,50 €\nFR;−7 €\nIT;-\n").expect("well formed");
        assert_eq!(table.numbers(1), Some(vec![Some(1234.5), Some(-7.0), None]));
        let table = Table::read("a\tb, c\n1\t2").expect("well formed");
        assert_eq!(table.columns, ["a", "b, c"]);
        let table = Table::read("a,,a\n1,2,3").expect("well formed");
        assert_eq!(table.columns, ["a", "Column 2", "a 2"], "every column has a name of its own");
    }

    #[test]
    fn json_objects_are_rows_in_the_order_of_their_members() {
        let table = Table::read(r#"[{"z": 1, "a": "x"}, {"b": [1], "z": null}]"#).expect("well formed");
        assert_eq!(table.columns, ["z", "a", "b"]);
        assert_eq!(table.rows[0], [Entry::Number(1.0), text("x"), Entry::Empty]);
        assert_eq!(table.rows[1], [Entry::Empty, Entry::Empty, text("[1]")]);
        let table = Table::read(r#"[{"n": 1, "w": "a"}, {"n": "NaN", "w": "-"}]"#).expect("well formed");
        assert_eq!(table.rows[1], [Entry::Empty, text("-")]);
    }

    #[test]
    fn what_is_no_table_is_told_by_its_line() {
        assert_eq!(Table::read("a\n1\n\"b"), Err(TableError::OpenQuote(3)));
        assert_eq!(Table::read("a\n\"b\"c"), Err(TableError::AfterQuote(2)));
        let many = TableError::TooManyValues { line: 3, has: 2, columns: 1 };
        assert_eq!(Table::read("a\n\n1,2"), Err(many));
        assert_eq!(Table::read("[1, 2]"), Err(TableError::NoRows));
        assert_eq!(Table::read("{\"a\": 1}"), Err(TableError::NoRows));
        assert!(matches!(Table::read("[{\"a\": 1},"), Err(TableError::BrokenJson { line: 1, .. })));
        assert_eq!(Table::read(&",".repeat(MAX_COLUMNS)), Err(TableError::TooManyColumns));
        let said = Table::read("[{\"a\": 1}").map_err(|error| error.to_string());
        assert!(said.is_err_and(|said| said.starts_with("The JSON stops")));
    }

    #[test]
    fn numbers_and_times_are_known_by_their_columns() {
        let table = Table::read("day,at,n,mixed\n2026-11-22,1,1,1\n2026-11-23T10:00:00Z,2,,x").expect("fits");
        assert_eq!(table.times(), Some((0, vec![1_795_305_600_000, 1_795_428_000_000])));
        assert_eq!(table.numbers(2), Some(vec![Some(1.0), None]));
        assert_eq!(table.numbers(3), None);
        let table = Table::read("n,time\n1500000000,1795428000\n").expect("fits");
        assert_eq!(table.times(), Some((1, vec![1_795_428_000_000])), "a number is a time by its name only");
        assert_eq!(Table::read("time\n").expect("fits").times(), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_table_or_an_error(text in "(?s).{0,200}|[\\[{\"a:1,}\\]\n]{0,60}") {
            if let Ok(table) = Table::read(&text) {
                prop_assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
            }
        }

        #[test]
        fn what_is_written_as_csv_reads_the_same(
            rows in (1usize..5).prop_flat_map(|n| prop::collection::vec(prop::collection::vec("[a-z\"\n\r,;\t é]{1,8}", n), 1..6)),
            separator in prop::sample::select(vec![',', ';', '\t']),
        ) {
            let columns: Vec<String> = (0..rows[0].len()).map(|n| format!("c{n}")).collect();
            let quoted = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
            let line = |values: Vec<String>| values.join(&separator.to_string()) + "\r\n";
            let mut text = line(columns.clone());
            rows.iter().for_each(|row| text += &line(row.iter().map(quoted).collect()));
            let read = Table::read(&text);
            prop_assume!(columns.len() > 1);
            let table = read.expect("what is quoted is well formed");
            prop_assert_eq!(table.columns, columns);
            let blank = |value: &String| value.trim().is_empty();
            let expected: Vec<Vec<Entry>> = rows.iter()
                .map(|row| row.iter().map(|v| if blank(v) { Entry::Empty } else { super::tests::text(v) }).collect())
                .collect();
            prop_assert_eq!(table.rows, expected);
        }
    }
}
