//! Rows with columns as series over time: a column of times, one of numbers for each value, and texts as labels.

use std::collections::{BTreeSet, HashMap};

use super::series::key::Key;
use super::thinning::thin;
use super::{Answer, Ask, Curve, Point, Times};
use crate::dashboard::table::time;

/// Rows of one answer: a minute's value of two months, or of a hundred series a day.
pub const MAX_ROWS: usize = 100_000;
/// Values of one answer in all its rows, which are held at once.
pub const MAX_CELLS: usize = 1_000_000;
/// Columns of one answer.
pub const MAX_COLUMNS: usize = 100;
/// Characters of a text, which names a series.
pub const MAX_TEXT_CHARS: usize = 1_000;
/// Series of one answer that are told apart; only some of them are shown.
const MAX_SERIES: usize = 10_000;

/// The column of times, by its name.
pub const TIME: &str = "time";
/// The column of texts that are the names of series.
const METRIC: &str = "metric";
/// The column of numbers whose name says nothing.
const VALUE: &str = "value";

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Number(f64),
    Text(Box<str>),
    /// Unix milliseconds.
    Time(u64),
}

/// What a column is, as far as its type says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Time,
    Number,
    Text,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub role: Option<Role>,
}

/// An answer in rows.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    columns: Vec<Column>,
    /// Row after row.
    cells: Vec<Cell>,
    rows: usize,
}

impl Rows {
    /// Errors where there are too many columns, or two of one name.
    pub fn new(columns: Vec<Column>) -> Result<Self, String> {
        if columns.len() > MAX_COLUMNS {
            return Err(format!("The answer has more than {MAX_COLUMNS} columns."));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = columns.iter().find(|column| !seen.insert(&column.name)) {
            let name = &twice.name;
            return Err(format!("Two columns are called {name:?}; give one another name with AS."));
        }
        Ok(Self { columns, cells: Vec::new(), rows: 0 })
    }

    /// Takes one more row, with a cell for each column. Errors where there are too many.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) -> Result<(), String> {
        if self.rows >= MAX_ROWS || self.cells.len() + self.columns.len() > MAX_CELLS {
            let most = MAX_ROWS.min(MAX_CELLS / self.columns.len().max(1));
            return Err(format!(
                "The answer has more than {most} rows; ask for less, as with a value for each $interval."
            ));
        }
        self.cells.extend(row);
        self.rows += 1;
        Ok(())
    }

    /// The texts and numbers of one column as texts, each once and in order.
    pub fn texts(&self, column: Option<&str>) -> Result<Vec<String>, String> {
        let at = match column {
            None => 0,
            Some(name) => self
                .columns
                .iter()
                .position(|column| column.name == name)
                .ok_or_else(|| format!("The answer has no column {name:?}."))?,
        };
        let texts = self.rows().filter_map(|row| match row.get(at)? {
            Cell::Null => None,
            Cell::Number(number) => Some(number.to_string()),
            Cell::Text(text) => Some(text.to_string()),
            Cell::Time(time) => Some(time.to_string()),
        });
        Ok(texts.collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn rows(&self) -> impl Iterator<Item = &[Cell]> {
        self.cells.chunks(self.columns.len().max(1))
    }

    /// What each column is: as its type says, else as its first value is.
    fn roles(&self) -> Vec<Option<Role>> {
        let role = |(at, column): (usize, &Column)| {
            let found = || {
                self.rows().find_map(|row| match row[at] {
                    Cell::Null => None,
                    Cell::Number(_) => Some(Role::Number),
                    Cell::Text(_) => Some(Role::Text),
                    Cell::Time(_) => Some(Role::Time),
                })
            };
            column.role.or_else(found)
        };
        self.columns.iter().enumerate().map(role).collect()
    }

    /// The column of times: the one called `time`, else the first whose type is one of times.
    fn time_column(&self, roles: &[Option<Role>]) -> Option<usize> {
        let named = self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(TIME));
        named.or_else(|| roles.iter().position(|role| *role == Some(Role::Time)))
    }

    /// The series in the rows. Errors say in words what does not fit.
    pub fn into_answer(self, ask: &Ask) -> Result<Answer, String> {
        let roles = self.roles();
        let time = self.time_column(&roles);
        let of = |wanted: Role| -> Vec<usize> {
            let fits = |at: &usize| roles[*at] == Some(wanted) && Some(*at) != time;
            (0..roles.len()).filter(fits).collect()
        };
        let (values, labels) = (of(Role::Number), of(Role::Text));
        if values.is_empty() && self.rows > 0 && roles.iter().any(Option::is_some) {
            return Err("No column has numbers.".to_owned());
        }
        if let Some(other) = of(Role::Time).first() {
            let name = &self.columns[*other].name;
            return Err(format!("The column {name:?} has times as well, which are no values."));
        }
        let (mut curves, mut places): (Vec<Curve>, HashMap<Vec<&str>, usize>) = Default::default();
        let mut noted = Noted::default();
        for row in self.rows() {
            let at = match time {
                None => Some(ask.to),
                Some(column) => read_time(&row[column], &self.columns[column].name)?,
            };
            let Some(at) = at else {
                noted.timeless += 1;
                continue;
            };
            if time.is_some() && !(ask.from..=ask.to).contains(&at) {
                noted.outside += 1;
                continue;
            }
            let mut texts = Vec::with_capacity(labels.len());
            for label in &labels {
                texts.push(match &row[*label] {
                    Cell::Text(text) => &**text,
                    Cell::Null => "",
                    _ => return Err(mixed(&self.columns[*label].name, "a number among texts")),
                });
            }
            let place = match places.get(&texts) {
                Some(place) => *place,
                None => {
                    if curves.len() + values.len() > MAX_SERIES {
                        return Err(format!("The answer has more than {MAX_SERIES} series."));
                    }
                    let place = curves.len();
                    curves.extend(self.named(&values, &labels, &texts));
                    places.insert(texts, place);
                    place
                }
            };
            for (number, value) in values.iter().enumerate() {
                let value = match &row[*value] {
                    Cell::Number(number) if number.is_finite() => Some(*number),
                    Cell::Number(number) => {
                        noted.infinite += usize::from(number.is_infinite());
                        None
                    }
                    Cell::Null => None,
                    _ => return Err(mixed(&self.columns[*value].name, "a text among numbers")),
                };
                curves[place + number].points.push((at, value));
            }
        }
        for curve in &mut curves {
            let points = std::mem::take(&mut curve.points);
            let points = in_order(points, &mut noted.twice);
            curve.points = match ask.reduce {
                _ if ask.latest => last(points),
                Some(_) => points,
                None => thin(points, ask.step),
            };
        }
        let times = if time.is_some() { Times::Own } else { Times::Now };
        let count = curves.len();
        let complete_from = (times == Times::Own && !ask.latest).then_some(ask.from);
        let notes = noted.words(ask);
        Ok(Answer { curves, count, living: count, complete_from, times, notes, ..Answer::default() })
    }

    /// The series of a row with these texts, one for each column of numbers, without points.
    fn named(&self, values: &[usize], labels: &[usize], texts: &[&str]) -> Vec<Curve> {
        let pairs = labels.iter().map(|label| self.columns[*label].name.as_str()).zip(texts.iter().copied());
        let metric = pairs.clone().find(|(label, text)| *label == METRIC && !text.is_empty());
        let mut tags: Vec<(String, String)> = pairs
            .filter(|(label, text)| *label != METRIC && !text.is_empty())
            .map(|(label, text)| (label.to_owned(), text.to_owned()))
            .collect();
        tags.sort();
        let curve = |value: &usize| {
            let column = self.columns[*value].name.as_str();
            let base = match (metric, values) {
                (Some((_, metric)), [_]) => metric.to_owned(),
                (Some((_, metric)), _) => format!("{metric}.{column}"),
                (None, _) => column.to_owned(),
            };
            let name = match (&tags[..], values) {
                // Its name says nothing that its label does not.
                ([(_, only)], [_]) if metric.is_none() && column.eq_ignore_ascii_case(VALUE) => only.clone(),
                _ => Key::own(&base, tags.clone()).whole().to_owned(),
            };
            Curve { name, base, tags: tags.clone(), ..Curve::default() }
        };
        values.iter().map(curve).collect()
    }
}

/// What is said of rows that have no place on a chart.
#[derive(Default)]
struct Noted {
    timeless: usize,
    outside: usize,
    twice: usize,
    infinite: usize,
}

impl Noted {
    fn words(&self, ask: &Ask) -> Vec<String> {
        let one = |count: usize, words: &str| (count > 0).then(|| words.to_owned());
        let outside = "Rows before or after the time shown are left out; ask for those from $from to $to.";
        [
            one(self.timeless, "Rows without a time are left out."),
            one(if ask.latest { 0 } else { self.outside }, outside),
            one(self.twice, "Several rows of one series have the same time; the last of them counts."),
            one(self.infinite, "Infinite values are left out."),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn mixed(column: &str, what: &str) -> String {
    format!("The column {column:?} has {what}.")
}

/// Unix milliseconds of a cell; `None` for NULL.
fn read_time(cell: &Cell, column: &str) -> Result<Option<u64>, String> {
    let time = match cell {
        Cell::Null => return Ok(None),
        Cell::Time(time) => Some(*time),
        Cell::Number(number) => time::unix(*number),
        Cell::Text(text) => time::read(text),
    };
    let shown = match cell {
        Cell::Number(number) => number.to_string(),
        Cell::Text(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        _ => String::new(),
    };
    let words = || {
        format!(
            "The column {column:?} has {shown}, which is no time: times are timestamps, ISO 8601, or Unix \
             seconds or milliseconds."
        )
    };
    time.map(Some).ok_or_else(words)
}

/// In time order, each time once.
fn in_order(mut points: Vec<Point>, twice: &mut usize) -> Vec<Point> {
    points.sort_by_key(|(at, _)| *at);
    let mut out: Vec<Point> = Vec::with_capacity(points.len());
    for point in points {
        match out.last_mut() {
            Some(last) if last.0 == point.0 => {
                *twice += 1;
                *last = point;
            }
            _ => out.push(point),
        }
    }
    out
}

/// The last point alone; none where it has no value.
fn last(points: Vec<Point>) -> Vec<Point> {
    points.into_iter().next_back().filter(|(_, value)| value.is_some()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_700_000_000_000;

    fn ask() -> Ask {
        Ask { from: T, to: T + 60_000, step: 1_000, ..Ask::default() }
    }

    fn rows(columns: &[&str], cells: &[&[Cell]]) -> Result<Rows, String> {
        let column = |name: &&str| Column { name: (*name).to_owned(), role: None };
        let mut rows = Rows::new(columns.iter().map(column).collect())?;
        for row in cells {
            rows.push(row.iter().cloned())?;
        }
        Ok(rows)
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.into())
    }

    fn names(answer: &Answer) -> Vec<&str> {
        answer.curves.iter().map(|curve| curve.name.as_str()).collect()
    }

    #[test]
    fn columns_of_numbers_are_series_and_texts_their_labels() {
        let at = |n: u64| Cell::Time(T + n * 1_000);
        let cells = [
            &[at(2), Cell::Number(3.0), Cell::Null, text("b")][..],
            &[at(1), Cell::Number(1.0), Cell::Number(2.0), text("a")],
            &[at(2), Cell::Number(4.0), Cell::Number(5.0), text("a")],
        ];
        let answer = rows(&["time", "cpu", "load", "host"], &cells).unwrap().into_answer(&ask()).unwrap();
        assert_eq!(names(&answer), ["cpu{host=b}", "load{host=b}", "cpu{host=a}", "load{host=a}"]);
        assert_eq!(answer.curves[1].points, [(T + 2_000, None)], "NULL is a gap");
        assert_eq!(answer.curves[2].points, [(T + 1_000, Some(1.0)), (T + 2_000, Some(4.0))]);
        assert_eq!(answer.curves[2].tags, [("host".to_owned(), "a".to_owned())]);
        assert_eq!((answer.times, answer.complete_from, answer.count), (Times::Own, Some(T), 4));
    }

    #[test]
    fn names_say_what_there_is_to_say() {
        let at = Cell::Time(T);
        let one = Cell::Number(1.0);
        let named = |columns: &[&str], row: &[Cell]| {
            let answer = rows(columns, &[row]).unwrap().into_answer(&ask()).unwrap();
            names(&answer).join("; ")
        };
        assert_eq!(named(&["time", "value", "host"], &[at.clone(), one.clone(), text("a")]), "a");
        assert_eq!(named(&["time", "orders"], &[at.clone(), one.clone()]), "orders");
        assert_eq!(named(&["time", "metric", "value"], &[at.clone(), text("cpu"), one.clone()]), "cpu");
        let both = [at.clone(), text("cpu"), one.clone(), one.clone()];
        assert_eq!(named(&["time", "metric", "min", "max"], &both), "cpu.min; cpu.max");
        assert_eq!(named(&["time", "value", "host"], &[at, one, Cell::Null]), "value");
    }

    #[test]
    fn times_are_timestamps_iso_8601_and_unix_seconds_or_milliseconds() {
        for cell in [
            Cell::Time(T + 5_000),
            Cell::Number(1_700_000_005.0),
            Cell::Number(1_700_000_005_000.0),
            text("2023-11-14 22:13:25"),
            text("2023-11-14T23:13:25+01:00"),
        ] {
            let rows = rows(&["Time", "v"], &[&[cell.clone(), Cell::Number(1.0)]]).unwrap();
            assert_eq!(
                rows.into_answer(&ask()).unwrap().curves[0].points,
                [(T + 5_000, Some(1.0))],
                "{cell:?}"
            );
        }
        let wrong = rows(&["time", "v"], &[&[text("yesterday"), Cell::Number(1.0)]]).unwrap();
        assert!(wrong.into_answer(&ask()).unwrap_err().contains("\"yesterday\", which is no time"));
    }

    #[test]
    fn without_times_a_row_is_a_value_of_now() {
        let cells = [&[text("a"), Cell::Number(1.0)][..], &[text("b"), Cell::Number(2.0)]];
        let answer = rows(&["host", "orders"], &cells).unwrap().into_answer(&ask()).unwrap();
        assert_eq!((answer.times, answer.complete_from), (Times::Now, None));
        assert_eq!(answer.curves[1].points, [(T + 60_000, Some(2.0))]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let at = Cell::Time(T + 1);
        let said = |columns: &[&str], cells: &[&[Cell]]| {
            let rows = rows(columns, cells).and_then(|rows| rows.into_answer(&ask()));
            rows.map(|answer| answer.notes.join(" ")).unwrap_or_else(|error| error)
        };
        let one = Cell::Number(1.0);
        assert!(said(&["a", "a"], &[]).contains("Two columns are called \"a\""));
        assert!(said(&["time", "a"], &[&[at.clone(), text("x")]]).contains("No column has numbers"));
        let mixed = [&[at.clone(), one.clone()][..], &[at.clone(), text("x")]];
        assert!(said(&["time", "a"], &mixed).contains("a text among numbers"));
        assert!(said(&["time", "a"], &[&[Cell::Null, one.clone()]]).contains("without a time"));
        assert!(said(&["time", "a"], &[&[Cell::Time(1), one.clone()]]).contains("left out"));
        let twice = [&[at.clone(), one.clone()][..], &[at.clone(), one.clone()]];
        assert!(said(&["time", "a"], &twice).contains("the same time"));
        assert!(said(&["time", "b", "a"], &[&[at.clone(), at, one]]).contains("times as well"));
        assert_eq!(said(&["time", "a"], &[]), "");
    }

    #[test]
    fn rows_are_bounded_and_many_are_thinned() {
        let column = |name: &str, role| Column { name: name.to_owned(), role: Some(role) };
        let columns = vec![column("time", Role::Time), column("a", Role::Number)];
        let mut rows = Rows::new(columns).unwrap();
        for n in 0..MAX_ROWS as u64 {
            rows.push([Cell::Time(T + n / 2), Cell::Number(n as f64)]).unwrap();
        }
        assert!(rows.push([Cell::Null, Cell::Null]).unwrap_err().contains("more than 100000 rows"));
        let points = &rows.into_answer(&ask()).unwrap().curves[0].points;
        assert!(points.len() <= 60 && points.last() == Some(&(T + 49_999, Some(99_999.0))), "{points:?}");
    }
}
