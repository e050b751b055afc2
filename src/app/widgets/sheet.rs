//! Contents of a table, however many rows: columns, an order, and the window of rows on the screen.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::values;
use crate::app::format;
use crate::app::time::{words, zone};
use crate::dashboard::Widget;
use crate::dashboard::table::{Entry, Table};
use crate::sync::protocol::Series;

/// Height of a row in CSS pixels; `style/table.css` says the same.
pub const ROW_PX: usize = 30;
/// Rows beyond the edges of the screen that are there already when somebody scrolls.
const AHEAD: usize = 12;
/// Rows by which the width of a column is told.
const SAMPLE: usize = 200;
/// The widest column, in characters; what is longer is cut off, and whole in its title.
const WIDEST: usize = 44;

/// Moments of a course that its table lists, the newest of them.
const MAX_MOMENTS: usize = 5_000;

/// Rows and columns, with the numbers in their columns' units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    pub columns: Vec<Column>,
    rows: Vec<Vec<Entry>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    pub name: String,
    /// True where only numbers stand in it: they stand to the right.
    pub numeric: bool,
    /// True where the numbers are moments, in Unix milliseconds.
    time: bool,
    unit: String,
    decimals: Option<usize>,
    /// In characters.
    pub width: usize,
}

/// A column to sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    pub column: String,
    pub descending: bool,
}

impl Sort {
    /// What the option `sort` says: a column's name, with a minus before it for the largest first.
    pub fn of(option: &str) -> Option<Self> {
        let (column, descending) = match option.strip_prefix('-') {
            Some(column) => (column, true),
            None => (option, false),
        };
        (!column.is_empty()).then(|| Self { column: column.to_owned(), descending })
    }
}

impl Sheet {
    /// A table as it was pasted.
    pub fn of_table(table: &Table, widget: &Widget) -> Self {
        let numeric = |n: usize| table.numbers(n).is_some();
        Self::new(
            table.columns.iter().enumerate().map(|(n, name)| (name.clone(), numeric(n))),
            table.rows.clone(),
            widget,
        )
    }

    /// A row for each series: a column for each of their labels, else their names, and the value that the
    /// widget `shows`.
    pub fn of_series(series: &[Series], widget: &Widget) -> Self {
        if series.is_empty() {
            return Self::default();
        }
        let mut labels: Vec<&str> = Vec::new();
        for (label, _) in series.iter().flat_map(|one| &one.tags) {
            if !labels.contains(&label.as_str()) {
                labels.push(label);
            }
        }
        let named = labels.is_empty() || series.iter().any(|one| one.tags.is_empty());
        let mut columns: Vec<(String, bool)> = Vec::new();
        if named {
            columns.push(("Name".to_owned(), false));
        }
        columns.extend(labels.iter().map(|label| ((*label).to_owned(), false)));
        columns.push(("Value".to_owned(), true));
        let shows = widget.text_option("shows");
        let row = |one: &Series| {
            let text = |text: &str| if text.is_empty() { Entry::Empty } else { Entry::Text(text.to_owned()) };
            let mut row = Vec::with_capacity(columns.len());
            if named {
                row.push(text(&one.name));
            }
            for label in &labels {
                let tag = one.tags.iter().find(|(name, _)| name == label);
                row.push(tag.map_or(Entry::Empty, |(_, value)| text(value)));
            }
            row.push(values::value(&one.points, shows).map_or(Entry::Empty, Entry::Number));
            row
        };
        let rows = series.iter().map(row).collect();
        Self::new(columns.into_iter(), rows, widget)
    }

    fn new(columns: impl Iterator<Item = (String, bool)>, rows: Vec<Vec<Entry>>, widget: &Widget) -> Self {
        let column = |(name, numeric): (String, bool)| {
            let own = widget.text_option(&format!("unit.{name}"));
            let unit = if own.is_empty() { widget.text_option("unit") } else { own };
            let decimals = values::decimals(widget);
            Column { unit: unit.to_owned(), decimals, name, numeric, time: false, width: 0 }
        };
        let mut sheet = Self { columns: columns.map(column).collect(), rows };
        sheet.measure();
        sheet
    }

    /// Tells how wide the columns are.
    fn measure(&mut self) {
        let every = self.rows.len().div_ceil(SAMPLE).max(1);
        let width = |n: usize| {
            let cells = self.rows.iter().step_by(every).map(|row| self.words(row, n).chars().count());
            let name = self.columns[n].name.chars().count() + 2;
            cells.chain([name]).max().unwrap_or(0).clamp(5, WIDEST) + 3
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for (column, width) in self.columns.iter_mut().zip(widths) {
            column.width = width;
        }
    }

    /// A row for each moment, the newest first, and a column for each series.
    pub fn of_points(series: &[Series], widget: &Widget) -> Self {
        let mut rows: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
        for (n, one) in series.iter().enumerate() {
            for (at, value) in &one.points {
                let row = rows.entry(*at).or_insert_with(|| vec![Entry::Empty; series.len() + 1]);
                row[0] = Entry::Number(*at as f64);
                row[n + 1] = value.map_or(Entry::Empty, Entry::Number);
            }
        }
        let rows = rows.into_values().rev().take(MAX_MOMENTS).collect();
        let columns = series.iter().map(|one| (one.name.clone(), true));
        let mut sheet = Self::new([("Time".to_owned(), true)].into_iter().chain(columns), rows, widget);
        sheet.columns[0].time = true;
        sheet.measure();
        sheet
    }

    /// All of it as CSV (RFC 4180), in the order of a sorting; numbers without their units.
    pub fn csv(&self, sort: Option<&Sort>) -> String {
        let line =
            |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n";
        let heading = |column: &Column| match column.time {
            true => format!("{} ({})", column.name, zone::name()),
            false => column.name.clone(),
        };
        let mut csv = line(self.columns.iter().map(heading).collect());
        for n in self.order(sort) {
            let row = &self.rows[n as usize];
            let cell = |n: usize| match &row[n] {
                _ if self.columns[n].time => self.words(row, n),
                Entry::Written(value, _) if self.columns[n].numeric => value.to_string(),
                entry => entry.to_string(),
            };
            csv.push_str(&line((0..self.columns.len()).map(cell).collect()));
        }
        csv
    }

    fn words(&self, row: &[Entry], column: usize) -> String {
        let Column { unit, decimals, numeric, time, .. } = &self.columns[column];
        match row.get(column) {
            Some(Entry::Number(at)) if *time => {
                let at = *at as u64;
                format!("{} {}", words::day(at), words::clock_s(at))
            }
            // With a unit of the widget's, the number has no other beside it.
            Some(Entry::Written(_, text)) if unit.is_empty() => text.clone(),
            Some(Entry::Number(value) | Entry::Written(value, _)) if *numeric => {
                format::in_words(Some(*value), unit, *decimals)
            }
            Some(entry) => entry.to_string(),
            None => String::new(),
        }
    }

    /// What stands in a row, as it reads; nothing for one that is not there.
    pub fn row(&self, n: usize) -> Vec<String> {
        let Some(row) = self.rows.get(n) else { return Vec::new() };
        (0..self.columns.len()).map(|column| self.words(row, column)).collect()
    }

    /// The rows in their order by a column: numbers before texts, and what is empty last either way.
    pub fn order(&self, sort: Option<&Sort>) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.rows.len() as u32).collect();
        let column = sort.and_then(|sort| {
            Some((self.columns.iter().position(|column| column.name == sort.column)?, sort.descending))
        });
        let Some((column, descending)) = column else { return order };
        let keys: Vec<Key> = self.rows.iter().map(|row| Key::of(&row[column])).collect();
        order.sort_by(|a, b| {
            let (a, b) = (&keys[*a as usize], &keys[*b as usize]);
            match (a, b) {
                (Key::Empty, _) | (_, Key::Empty) => a.compare(b),
                _ if descending => b.compare(a),
                _ => a.compare(b),
            }
        });
        order
    }
}

/// A value as CSV has it.
fn quoted(value: &str) -> String {
    match value.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => value.to_owned(),
    }
}

/// What rows are sorted by.
enum Key {
    Number(f64),
    Text(String),
    Empty,
}

impl Key {
    fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Number(number) | Entry::Written(number, _) => Self::Number(*number),
            Entry::Text(text) => Self::Text(text.to_lowercase()),
            Entry::Empty => Self::Empty,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Empty, Self::Empty) => Ordering::Equal,
            (Self::Number(_), _) | (_, Self::Empty) => Ordering::Less,
            (_, Self::Number(_)) | (Self::Empty, _) => Ordering::Greater,
        }
    }
}

/// The rows to draw, first and end, of so many: those on the screen and some around them. It moves in steps,
/// so that a turn of the wheel does not make a row at a time.
pub fn window(rows: usize, scrolled_px: f64, height_px: f64) -> (usize, usize) {
    const STEP: usize = AHEAD / 2;
    let first = (scrolled_px.max(0.0) as usize / ROW_PX) / STEP * STEP;
    let fit = (height_px.max(0.0) as usize).div_ceil(ROW_PX);
    let from = first.saturating_sub(AHEAD).min(rows);
    (from, (first + STEP + fit + AHEAD).min(rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind};

    fn sheet(text: &str, options: &[(&str, &str)]) -> Sheet {
        let mut widget = Widget::new(Kind::Table, "", Frame::default());
        for (name, value) in options {
            widget.options.insert((*name).to_owned(), (*value).into());
        }
        Sheet::of_table(&Table::read(text).expect("fits"), &widget)
    }

    fn firsts(sheet: &Sheet, sort: &str) -> Vec<String> {
        sheet.order(Sort::of(sort).as_ref()).iter().map(|n| sheet.row(*n as usize)[0].clone()).collect()
    }

    #[test]
    fn rows_sort_by_a_column_and_what_is_empty_comes_last() {
        let sheet = sheet("name,n\nb,2\nA,10\nc,\nd,1", &[]);
        assert_eq!(firsts(&sheet, ""), ["b", "A", "c", "d"]);
        assert_eq!(firsts(&sheet, "name"), ["A", "b", "c", "d"]);
        assert_eq!(firsts(&sheet, "n"), ["d", "b", "A", "c"]);
        assert_eq!(firsts(&sheet, "-n"), ["A", "b", "d", "c"]);
        assert_eq!(firsts(&sheet, "nowhere"), ["b", "A", "c", "d"]);
        let sheet = super::tests::sheet("name;n\na;1.200,00 €\nb;−3 €\nc;NaN\nd;20,00 €", &[]);
        assert_eq!(firsts(&sheet, "n"), ["b", "d", "a", "c"]);
        assert_eq!(firsts(&sheet, "-n"), ["a", "d", "b", "c"]);
        assert_eq!(sheet.row(0), ["a", "1.200,00 €"]);
        assert_eq!(sheet.csv(None), "name,n\r\na,1200\r\nb,-3\r\nc,\r\nd,20\r\n");
    }

    #[test]
    fn each_column_has_its_unit() {
        let sheet = sheet("path,p95,size\n/a,412,2048", &[("unit", "ms"), ("unit.size", "bytes")]);
        assert_eq!(sheet.row(0), ["/a", "412 ms", "2 KiB"]);
        assert!(!sheet.columns[0].numeric && sheet.columns[1].numeric);
        assert_eq!(sheet.row(1), Vec::<String>::new());
    }

    #[test]
    fn series_are_rows_by_their_labels() {
        let series = |name: &str, tags: &[(&str, &str)], value| Series {
            name: name.to_owned(),
            points: vec![(1, Some(value))],
            tags: tags.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect(),
            ..Series::default()
        };
        let widget = Widget::new(Kind::Table, "", Frame::default());
        let all = [series("a", &[("host", "x")], 1.0), series("b", &[("host", "y"), ("env", "prod")], 2.0)];
        let sheet = Sheet::of_series(&all, &widget);
        assert_eq!(
            sheet.columns.iter().map(|column| &*column.name).collect::<Vec<_>>(),
            ["host", "env", "Value"]
        );
        assert_eq!(sheet.row(0), ["x", "", "1"]);
        let sheet = Sheet::of_series(&[series("a", &[], 1.0)], &widget);
        assert_eq!(sheet.row(0), ["a", "1"]);
        let points = vec![(1, Some(4.0)), (2, Some(1.0)), (3, None)];
        let course = Series { points, ..series("a", &[], 0.0) };
        for (shows, expected) in [("", "1"), ("last", "1"), ("mean", "2.50"), ("max", "4"), ("sum", "5")] {
            let mut widget = widget.clone();
            widget.options.insert("shows".to_owned(), shows.into());
            assert_eq!(Sheet::of_series(std::slice::from_ref(&course), &widget).row(0)[1], expected);
        }
    }

    #[test]
    fn a_course_is_a_row_for_each_moment_the_newest_first() {
        let series = |name: &str, points: &[(u64, Option<f64>)]| Series {
            name: name.to_owned(),
            points: points.to_vec(),
            ..Series::default()
        };
        let widget = Widget::new(Kind::Timeseries, "", Frame::default());
        let all = [series("a", &[(0, Some(1.0)), (1_000, None)]), series("b, c", &[(1_000, Some(2.5))])];
        let sheet = Sheet::of_points(&all, &widget);
        assert_eq!(sheet.row(0), ["1 Jan 00:00:01", "", "2.50"]);
        assert_eq!(sheet.row(1), ["1 Jan 00:00:00", "1", ""]);
        assert_eq!(sheet.csv(None), "Time (UTC),a,\"b, c\"\r\n1 Jan 00:00:01,,2.5\r\n1 Jan 00:00:00,1,\r\n");
    }

    #[test]
    fn only_the_rows_around_the_screen_are_drawn() {
        assert_eq!(window(5_000, 0.0, 300.0), (0, 28));
        let (from, to) = window(5_000, 30_000.0, 300.0);
        assert!(from <= 1_000 - AHEAD / 2 && to >= 1_010 + AHEAD && to - from < 50, "{from} {to}");
        assert_eq!(window(5_000, 1e9, 300.0), (5_000, 5_000));
        assert_eq!(window(3, 0.0, 300.0), (0, 3));
        assert_eq!(window(9, -5.0, -1.0), (0, 9));
    }
}
