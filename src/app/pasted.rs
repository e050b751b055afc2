//! The data that stands in a widget itself, as what the widget shows.

use std::sync::Arc;

use crate::dashboard::order::sorted;
use crate::dashboard::query::TABLE;
use crate::dashboard::table::{Entry, Table};
use crate::dashboard::{Kind, Widget};
use crate::sync::protocol::Series;

/// Series that are made of rows; more bars than these nobody tells apart.
const MAX_ROW_SERIES: usize = 200;

/// What the data in a widget is to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pasted {
    /// It shows what comes from elsewhere.
    #[default]
    No,
    /// It cannot be read, and why.
    Broken(String),
    /// A table shows all of it.
    Table(Arc<Table>),
    /// Anything else shows its numbers.
    Series(Arc<Vec<Series>>),
}

/// The data of a widget that shows its own, and the columns that it names.
pub fn text(widget: &Widget) -> Option<(String, String)> {
    let own = widget.kind.asks() && widget.text_option("source") == TABLE;
    own.then(|| (widget.text_option("data").to_owned(), widget.text_option("query").to_owned()))
}

/// What a widget of a kind makes of its data.
pub fn read(kind: Kind, own: Option<&(String, String)>) -> Pasted {
    let Some((text, columns)) = own else { return Pasted::No };
    match Table::read(text) {
        Err(error) => Pasted::Broken(error.to_string()),
        Ok(table) if kind == Kind::Table => Pasted::Table(Arc::new(table)),
        Ok(table) => Pasted::Series(Arc::new(series(kind, &table, columns))),
    }
}

/// The numbers of a table as series: over its times where it has some, else in the order of its rows. Bars
/// take a row each where the rows have names.
fn series(kind: Kind, table: &Table, columns: &str) -> Vec<Series> {
    // Names that no column has say nothing here: they may be of the source that the widget had before.
    let wanted: Vec<&str> =
        columns.split([',', '\n']).map(str::trim).filter(|name| table.column(name).is_some()).collect();
    let times = table.times();
    let numeric: Vec<(&str, Vec<Option<f64>>)> = (0..table.columns.len())
        .filter(|column| times.as_ref().is_none_or(|(time, _)| time != column))
        .filter(|column| wanted.is_empty() || wanted.contains(&table.columns[*column].as_str()))
        .filter_map(|column| Some((table.columns[column].as_str(), table.numbers(column)?)))
        .collect();
    let named = |name: String, points| Series { name, points, ..Series::default() };
    if let Some((_, times)) = times {
        let over_time = |(name, values): (&str, Vec<Option<f64>>)| {
            let points: Vec<(u64, Option<f64>)> = times.iter().copied().zip(values).collect();
            named(name.to_owned(), sorted(points, |a, b| a.0.cmp(&b.0)))
        };
        return numeric.into_iter().map(over_time).collect();
    }
    let names = (0..table.columns.len()).find(|column| table.numbers(*column).is_none());
    if let Some(names) = names.filter(|_| kind == Kind::Bar) {
        let one = numeric.len() == 1;
        let row = |(n, row): (usize, &Vec<Entry>)| {
            let name = row[names].to_string();
            let bar = |(column, values): &(&str, Vec<Option<f64>>)| {
                let name = if one { name.clone() } else { format!("{name} {column}") };
                named(name, vec![(0, values[n])])
            };
            numeric.iter().map(bar).collect::<Vec<_>>()
        };
        return table.rows.iter().enumerate().flat_map(row).take(MAX_ROW_SERIES).collect();
    }
    // Without times a chart has nothing to draw along.
    if kind == Kind::Timeseries {
        return Vec::new();
    }
    let in_order = |(name, values): (&str, Vec<Option<f64>>)| {
        named(name.to_owned(), values.into_iter().enumerate().map(|(n, value)| (n as u64, value)).collect())
    };
    numeric.into_iter().map(in_order).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Named = (String, Vec<(u64, Option<f64>)>);

    fn of(kind: Kind, text: &str, columns: &str) -> Vec<Named> {
        match read(kind, Some(&(text.to_owned(), columns.to_owned()))) {
            Pasted::Series(series) => {
                series.iter().map(|one| (one.name.clone(), one.points.clone())).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_column_of_times_makes_courses() {
        let text = "day,a,b\n1970-01-02,3,4\n1970-01-01,1,\n";
        let day = 86_400_000;
        assert_eq!(
            of(Kind::Timeseries, text, ""),
            [
                ("a".to_owned(), vec![(0, Some(1.0)), (day, Some(3.0))]),
                ("b".to_owned(), vec![(0, None), (day, Some(4.0))]),
            ]
        );
        assert_eq!(of(Kind::Stat, text, "b").len(), 1, "the query names the columns");
        assert_eq!(of(Kind::Stat, text, "server.cpu").len(), 2, "and nothing where it names none of them");
        assert_eq!(of(Kind::Timeseries, "a,b\n1,2", ""), [], "without times there is no course");
    }

    #[test]
    fn rows_with_names_are_bars() {
        let text = "path,p95,share\n/a,4,1\n/b,2,3\n";
        assert_eq!(
            of(Kind::Bar, text, "p95"),
            [("/a".to_owned(), vec![(0, Some(4.0))]), ("/b".to_owned(), vec![(0, Some(2.0))])]
        );
        assert_eq!(of(Kind::Bar, text, "")[1].0, "/a share");
        assert_eq!(of(Kind::Gauge, text, "")[0], ("p95".to_owned(), vec![(0, Some(4.0)), (1, Some(2.0))]));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let broken = read(Kind::Bar, Some(&("\"".to_owned(), String::new())));
        assert_eq!(broken, Pasted::Broken("The quote that begins in line 1 does not end.".to_owned()));
        assert_eq!(read(Kind::Bar, None), Pasted::No);
    }
}
