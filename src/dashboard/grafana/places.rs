//! Places of the panels of a Grafana dashboard, from rows of old and grids of new ones.

use serde_json::Value;

use super::super::Frame;
use super::super::layout::{COLUMNS, MAX_ROWS, MAX_Y};

/// Pixels from one row of Grafana's grid to the next, by which old heights become rows.
const ROW_PX: f64 = 38.0;
/// The place of a panel that says none: Grafana does not write what is this.
const USUAL: [f64; 4] = [0.0, 0.0, 6.0, 3.0];
/// Height of an old row that does not say one, and the least of one that does, in pixels.
const USUAL_PX: f64 = 250.0;
const MIN_PX: f64 = 90.0;
/// Columns that old dashboards count in, and those of a panel that does not say.
const OLD_COLUMNS: f64 = 12.0;
const USUAL_SPAN: f64 = 4.0;

/// A panel and its frame.
#[derive(Debug)]
pub struct Place<'a> {
    pub panel: &'a Value,
    pub frame: Frame,
    /// True for the header of a row.
    pub row: bool,
}

/// All panels in reading order, those of folded rows among them.
pub fn read(dashboard: &Value) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    let mut bottom = 0.0;
    if let Some(panels) = dashboard.get("panels").and_then(Value::as_array) {
        bottom = on_grid(panels, &mut places);
    }
    if let Some(rows) = dashboard.get("rows").and_then(Value::as_array) {
        in_rows(rows, bottom, &mut places);
    }
    places
}

/// Panels with a `gridPos` each. Returns the row below them.
fn on_grid<'a>(panels: &'a [Value], places: &mut Vec<Place<'a>>) -> f64 {
    let mut sorted: Vec<(&Value, [f64; 4])> = Vec::new();
    let mut bottom: f64 = 0.0;
    for panel in panels {
        let at = grid(panel);
        bottom = bottom.max(at[1] + at[3]);
        sorted.push((panel, at));
    }
    sorted.sort_by(|(_, a), (_, b)| {
        (a[1], a[0]).partial_cmp(&(b[1], b[0])).unwrap_or(std::cmp::Ordering::Equal)
    });
    // What was folded away pushes down what comes after it.
    let mut more = 0.0;
    for (panel, [x, y, w, h]) in sorted {
        let row = panel.get("type").and_then(Value::as_str) == Some("row");
        let h = if row { 1.0 } else { h };
        places.push(Place {
            panel,
            frame: frame(x, y + more, if row { f64::from(COLUMNS) } else { w }, h),
            row,
        });
        let inner = panel.get("panels").and_then(Value::as_array).filter(|_| row);
        let Some(inner) = inner.filter(|inner| !inner.is_empty()) else { continue };
        let inner: Vec<(&Value, [f64; 4])> = inner.iter().map(|panel| (panel, grid(panel))).collect();
        let top = inner.iter().map(|(_, at)| at[1]).fold(f64::MAX, f64::min);
        let below = inner.iter().map(|(_, at)| at[1] + at[3]).fold(0.0, f64::max);
        for (panel, [x, own, w, h]) in inner {
            places.push(Place { panel, frame: frame(x, y + more + 1.0 + own - top, w, h), row: false });
        }
        more += below - top;
    }
    bottom + more
}

/// Rows of panels that say how many of twelve columns they span. Where one row is folded, repeated or shows its
/// title, all have a heading.
fn in_rows<'a>(rows: &'a [Value], from: f64, places: &mut Vec<Place<'a>>) {
    let flag = |row: &Value, name: &str| row.get(name).and_then(Value::as_bool).unwrap_or(false);
    let repeats =
        |row: &Value| row.get("repeat").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    let headed = rows.iter().any(|row| flag(row, "showTitle") || flag(row, "collapse") || repeats(row));
    let mut y = from;
    for row in rows {
        let titled = row.get("title").and_then(Value::as_str).is_some_and(|title| !title.trim().is_empty());
        if headed && titled {
            places.push(Place { panel: row, frame: frame(0.0, y, f64::from(COLUMNS), 1.0), row: true });
            y += 1.0;
        }
        let usual = height(row.get("height")).unwrap_or_else(|| rows_of(USUAL_PX));
        let mut shelf = Shelf { height: usual, filled: [0.0; COLUMNS as usize], top: y };
        for panel in row.get("panels").and_then(Value::as_array).into_iter().flatten() {
            let span = panel.get("span").and_then(number).filter(|span| *span > 0.0).unwrap_or(USUAL_SPAN);
            let w = (span.floor().clamp(1.0, OLD_COLUMNS) * f64::from(COLUMNS) / OLD_COLUMNS) as usize;
            let h = height(panel.get("height")).unwrap_or(usual);
            let (x, top) = shelf.put(w, h);
            places.push(Place { panel, frame: frame(x as f64, top, w as f64, h), row: false });
        }
        y = shelf.top + shelf.filled.iter().fold(usual, |most, filled| most.max(*filled));
    }
}

/// The room of an old row, filled from the left. Panels stand below each other where the row is higher than they
/// are, and go on below the row where it is full.
struct Shelf {
    height: f64,
    /// How far down each column is taken.
    filled: [f64; COLUMNS as usize],
    top: f64,
}

impl Shelf {
    /// Puts a panel into the row. Returns its column, and its place from the top of everything.
    fn put(&mut self, w: usize, h: f64) -> (usize, f64) {
        let (x, y) = self.free(w).unwrap_or_else(|| {
            self.top += self.filled.iter().fold(self.height, |most, filled| most.max(*filled));
            self.filled = [0.0; COLUMNS as usize];
            (0, 0.0)
        });
        for filled in &mut self.filled[x..(x + w).min(COLUMNS as usize)] {
            *filled = filled.max(y + h);
        }
        (x, self.top + y)
    }

    /// The place at the right end of the row that is as wide as is wanted and not full, as far to the left as its
    /// columns do not get fuller.
    fn free(&self, w: usize) -> Option<(usize, f64)> {
        let mut x = self.filled.len();
        while x > 0 {
            let (next, right) = (self.filled[x - 1], self.filled.get(x));
            if next >= self.height || right.is_some_and(|right| next > *right) {
                break;
            }
            x -= 1;
        }
        let most = self.filled[x..].iter().fold(0.0, |most: f64, filled| most.max(*filled));
        (self.filled.len() - x >= w).then_some((x, most))
    }
}

/// `[x, y, w, h]` of a panel.
fn grid(panel: &Value) -> [f64; 4] {
    let at = |name: &str, usual: f64| {
        let found = panel.get("gridPos").and_then(|grid| number(grid.get(name)?));
        found.map_or(usual, |found| found.clamp(0.0, f64::from(MAX_Y)))
    };
    let [x, y, w, h] = USUAL;
    [at("x", x), at("y", y), at("w", w), at("h", h)]
}

/// Rows out of `250px`, `"250"` or 250.
fn height(value: Option<&Value>) -> Option<f64> {
    let px = match value? {
        Value::String(text) => text.trim().trim_end_matches("px").parse::<f64>().ok()?,
        other => number(other)?,
    };
    (px.is_finite() && px > 0.0).then(|| rows_of(px))
}

fn rows_of(px: f64) -> f64 {
    (px.max(MIN_PX) / ROW_PX).ceil().min(f64::from(MAX_ROWS))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

fn frame(x: f64, y: f64, w: f64, h: f64) -> Frame {
    // A float beyond a whole number's bounds becomes the bound.
    Frame::new(x as u16, y as u16, w as u16, h as u16).clamped()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn frames(dashboard: &Value) -> Vec<(String, [u16; 4])> {
        let name = |panel: &Value| panel["title"].as_str().unwrap_or_default().to_owned();
        let at = |frame: Frame| [frame.x, frame.y, frame.w, frame.h];
        read(dashboard).iter().map(|place| (name(place.panel), at(place.frame))).collect()
    }

    #[test]
    fn folded_rows_unfold_and_push_down_what_follows() {
        let grid = |x: i32, y: i32, w: i32, h: i32| json!({ "x": x, "y": y, "w": w, "h": h });
        let dashboard = json!({ "panels": [
            { "title": "b", "type": "row", "gridPos": grid(0, 9, 24, 1), "collapsed": true, "panels": [
                { "title": "b1", "gridPos": grid(0, 40, 12, 8) },
                { "title": "b2", "gridPos": grid(12, 40, 12, 6) },
            ] },
            { "title": "c", "type": "row", "gridPos": grid(0, 10, 24, 1), "panels": [] },
            { "title": "c1", "gridPos": grid(0, 11, 24, 5) },
            { "title": "a", "type": "row", "gridPos": grid(0, 0, 24, 1) },
            { "title": "a1", "gridPos": grid(0, 1, 6, 8) },
        ] });
        assert_eq!(
            frames(&dashboard),
            [
                ("a".to_owned(), [0, 0, 24, 1]),
                ("a1".to_owned(), [0, 1, 6, 8]),
                ("b".to_owned(), [0, 9, 24, 1]),
                ("b1".to_owned(), [0, 10, 12, 8]),
                ("b2".to_owned(), [12, 10, 12, 6]),
                ("c".to_owned(), [0, 18, 24, 1]),
                ("c1".to_owned(), [0, 19, 24, 5]),
            ]
        );
    }

    #[test]
    fn a_panel_without_a_place_stands_where_grafana_has_it() {
        let dashboard = json!({ "panels": [
            { "title": "a" },
            { "title": "b", "gridPos": { "x": 6, "y": 0, "w": 6, "h": 3 } },
            { "title": "c", "gridPos": { "y": 3 } },
        ] });
        assert_eq!(
            frames(&dashboard),
            [("a".to_owned(), [0, 0, 6, 3]), ("b".to_owned(), [6, 0, 6, 3]), ("c".to_owned(), [0, 3, 6, 3])]
        );
    }

    #[test]
    fn old_rows_fill_from_the_left() {
        let dashboard = json!({ "rows": [
            { "title": "CPU", "showTitle": true, "height": "250px", "panels": [
                { "title": "a", "span": 6 }, { "title": "b", "span": 6, "height": 100 }, { "title": "c", "span": 12 },
            ] },
            { "title": "not shown", "height": 76, "panels": [{ "title": "d", "span": 3 }] },
            { "title": "low", "height": "1px", "panels": [{ "title": "e" }] },
        ] });
        assert_eq!(
            frames(&dashboard),
            [
                ("CPU".to_owned(), [0, 0, 24, 1]),
                ("a".to_owned(), [0, 1, 12, 7]),
                ("b".to_owned(), [12, 1, 12, 3]),
                ("c".to_owned(), [0, 8, 24, 7]),
                ("not shown".to_owned(), [0, 15, 24, 1]),
                ("d".to_owned(), [0, 16, 6, 3]),
                ("low".to_owned(), [0, 19, 24, 1]),
                ("e".to_owned(), [0, 20, 8, 3]),
            ]
        );
    }

    #[test]
    fn rows_have_headings_where_one_of_them_asks_for_it_and_panels_stack_in_high_ones() {
        let dashboard = json!({ "rows": [
            { "title": "Row", "height": 250, "panels": [
                { "title": "a", "span": 8 }, { "title": "b", "span": 4, "height": 100 }, { "title": "c", "span": 4, "height": 100 },
            ] },
            { "title": "Row", "height": 250, "panels": [{ "title": "d", "span": 12 }] },
        ] });
        assert_eq!(
            frames(&dashboard),
            [
                ("a".to_owned(), [0, 0, 16, 7]),
                ("b".to_owned(), [16, 0, 8, 3]),
                ("c".to_owned(), [16, 3, 8, 3]),
                ("d".to_owned(), [0, 7, 24, 7]),
            ]
        );
    }
}
