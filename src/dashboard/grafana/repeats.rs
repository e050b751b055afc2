//! Panels and rows that Grafana repeats for each value of a variable: here they are widgets of their own, for the
//! values that are chosen as the document comes over.

use serde::Deserialize;
use serde_json::Value;

use super::super::export::Report;
use super::super::layout::{COLUMNS, MAX_Y};
use super::super::settings::{Settings, VARIABLE, Variable, chosen_in, mentions};
use super::super::several::is_pattern;
use super::super::{Frame, NoteText, Widget};
use super::text_of;

/// Values for which one panel or row is repeated: more fill no screen.
const MAX_REPEATS: usize = 12;
/// Panels beside each other where the document does not say.
const USUAL_PER_ROW: u64 = 4;

/// A widget with what its panel says of repeating.
#[derive(Debug)]
pub struct Stands {
    widget: Widget,
    /// The variable that it is repeated for.
    repeat: Option<String>,
    /// True for the heading of a row, which its panels follow.
    row: bool,
    /// Below each other rather than beside.
    down: bool,
    per_row: u16,
}

impl Stands {
    pub fn new(widget: Widget, panel: &Value, row: bool) -> Self {
        let per_row = panel.get("maxPerRow").and_then(Value::as_u64).unwrap_or(USUAL_PER_ROW);
        Self {
            widget,
            repeat: Some(text_of(panel, "repeat")).filter(|name| !name.is_empty()),
            row,
            down: text_of(panel, "repeatDirection") == "v",
            per_row: per_row.clamp(1, u64::from(COLUMNS)) as u16,
        }
    }
}

/// The widgets, each as often as it is repeated.
pub fn spread(all: Vec<Stands>, settings: &Settings, report: &mut Report) -> Vec<Widget> {
    let mut out = Vec::new();
    // What stands below moves down by as much as repeating takes.
    let mut more = 0u32;
    let mut rest = all.into_iter().peekable();
    while let Some(first) = rest.next() {
        let values = first.repeat.as_ref().and_then(|name| values(name, &first, settings, report));
        let mut block = vec![first];
        if block[0].row && values.is_some() {
            while let Some(next) = rest.next_if(|next| !next.row) {
                block.push(next);
            }
        }
        let Some((name, values)) = values else {
            out.extend(block.into_iter().map(|one| moved(one.widget, more)));
            continue;
        };
        let top = block.iter().map(|one| u32::from(one.widget.frame.y)).min().unwrap_or(0);
        let high = block.iter().map(|one| one.widget.frame.bottom()).max().unwrap_or(top) - top;
        let is_row = block[0].row;
        for (n, value) in values.iter().enumerate() {
            for one in &block {
                let mut widget = filled(&one.widget, &name, value);
                if is_row {
                    widget = moved(widget, more + n as u32 * high);
                } else {
                    widget.frame = place(one, n, values.len());
                    widget = moved(widget, more);
                }
                out.push(widget);
            }
        }
        let one = &block[0];
        more += match (is_row, one.down) {
            (true, _) | (false, true) => (values.len() as u32 - 1) * high,
            (false, false) => {
                let per_row = usize::from(COLUMNS / wide(one, values.len())).max(1);
                (values.len().div_ceil(per_row) as u32 - 1) * high
            }
        };
    }
    out
}

/// The variable and its values, where something is repeated for several of them; a remark says what becomes of it.
fn values(
    name: &str,
    stands: &Stands,
    settings: &Settings,
    report: &mut Report,
) -> Option<(String, Vec<String>)> {
    let what = match stands.widget.title.trim() {
        "" => "A panel without a title".to_owned(),
        title => format!("“{title}”"),
    };
    let chosen = chosen_in(settings, &format!("${name}")).remove(name).unwrap_or_default().values;
    let variable = settings.get(&format!("{VARIABLE}{name}")).and_then(|one| Variable::deserialize(one).ok());
    let mut all = chosen;
    if all.iter().any(|one| is_pattern(one)) {
        all = variable.map(|variable| variable.choices).unwrap_or_default();
        all.retain(|one| !is_pattern(one));
    }
    let is_plain = |one: &String| {
        !one.is_empty()
            && one
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.' | '/' | '@' | ' '))
    };
    if all.len() < 2 || !all.iter().all(is_plain) {
        report.say(
            &what,
            format!(
                "Repeating for each ${name} was not taken over: it stands here once, for what is chosen."
            ),
        );
        return None;
    }
    let left = all.len().saturating_sub(MAX_REPEATS);
    all.truncate(MAX_REPEATS);
    let more = if left > 0 { format!(" ({left} more were left out)") } else { String::new() };
    report.say(
        &what,
        format!("It is repeated for each ${name} and stands here for those of now: {}{more}. Other values add no others.", all.join(", ")),
    );
    Some((name.to_owned(), all))
}

/// The columns of one of several that are repeated beside each other.
fn wide(one: &Stands, many: usize) -> u16 {
    let per_row = one.per_row.min(u16::try_from(many).unwrap_or(u16::MAX)).max(1);
    COLUMNS / per_row
}

/// The place of the nth.
fn place(one: &Stands, n: usize, many: usize) -> Frame {
    let Frame { x, y, w, h } = one.widget.frame;
    let n = u16::try_from(n).unwrap_or(u16::MAX);
    let down = |rows: u16| y.saturating_add(rows.saturating_mul(h));
    if one.down {
        return Frame { x, y: down(n), w, h };
    }
    let w = wide(one, many);
    let per_row = (COLUMNS / w).max(1);
    Frame { x: n % per_row * w, y: down(n / per_row), w, h }
}

fn moved(mut widget: Widget, rows: u32) -> Widget {
    let y = u32::from(widget.frame.y) + rows;
    widget.frame.y = y.min(u32::from(MAX_Y)) as u16;
    widget
}

/// A widget with a value in the place of a variable.
fn filled(widget: &Widget, name: &str, value: &str) -> Widget {
    let fill = |text: &str| {
        let (mut out, mut done) = (String::new(), 0);
        for mention in mentions(text, |known| known == name) {
            out.push_str(&text[done..mention.at]);
            out.push_str(value);
            done = mention.at + mention.long;
        }
        out + &text[done..]
    };
    let mut widget = widget.clone();
    widget.title = fill(&widget.title).chars().take(super::super::MAX_TITLE_CHARS).collect();
    for option in ["query", "legend"] {
        let Some(Value::String(text)) = widget.options.get_mut(option) else { continue };
        *text = fill(text);
    }
    if let Some(text) = &widget.text {
        let plain = fill(text.plain());
        widget.text = Some(NoteText::from_long_plain(&plain, 1).0);
    }
    widget
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::export::Choices;
    use crate::dashboard::grafana::import;
    use serde_json::json;

    /// A widget's title, its query and its place.
    type Stood = (String, String, [u16; 4]);

    fn read(document: &Value) -> (Vec<Stood>, Vec<String>) {
        let choices = Choices { source: "main".to_owned(), max_widgets: 100 };
        let imported = import(document, &choices).expect("a dashboard");
        let mut all: Vec<Stood> = imported
            .dashboard
            .widgets
            .values()
            .map(|one| {
                let Frame { x, y, w, h } = one.frame;
                (one.title.clone(), one.text_option("query").to_owned(), [x, y, w, h])
            })
            .collect();
        all.sort_by_key(|(_, _, [x, y, ..])| (*y, *x));
        (all, imported.report.into_iter().map(|one| format!("{}: {}", one.what, one.why)).collect())
    }

    fn document(current: Value, panels: Value) -> Value {
        json!({ "panels": panels, "templating": { "list": [
            { "name": "host", "type": "custom", "query": "a,b,c", "multi": true, "includeAll": true, "current": { "value": current } },
        ] } })
    }

    fn panel(title: &str, [x, y, w, h]: [u16; 4], more: Value) -> Value {
        let mut panel = json!({ "type": "stat", "title": title, "gridPos": { "x": x, "y": y, "w": w, "h": h },
            "targets": [{ "expr": "up{h=\"$host\"}" }] });
        for (name, value) in more.as_object().expect("an object") {
            panel[name] = value.clone();
        }
        panel
    }

    #[test]
    fn a_panel_stands_for_each_value_beside_the_other() {
        let panels = json!([
            panel("CPU of $host", [0, 0, 6, 4], json!({ "repeat": "host", "maxPerRow": 2 })),
            panel("Below", [0, 4, 24, 4], json!({})),
        ]);
        let (all, said) = read(&document(json!(["a", "b", "c"]), panels));
        let titles: Vec<(&str, [u16; 4])> = all.iter().map(|(title, _, at)| (&**title, *at)).collect();
        let expected = [
            ("CPU of a", [0, 0, 12, 4]),
            ("CPU of b", [12, 0, 12, 4]),
            ("CPU of c", [0, 4, 12, 4]),
            ("Below", [0, 8, 24, 4]),
        ];
        assert_eq!(titles, expected);
        assert_eq!((&*all[0].1, &*all[3].1), ("up{h=\"a\"}", "up{h=\"$host\"}"));
        assert_eq!(
            said,
            [
                "“CPU of $host”: It is repeated for each $host and stands here for those of now: a, b, c. Other values add no others."
            ]
        );
    }

    #[test]
    fn a_row_stands_for_each_value_with_its_panels() {
        let panels = json!([
            { "type": "row", "title": "Host $host", "repeat": "host", "gridPos": { "x": 0, "y": 0, "w": 24, "h": 1 }, "panels": [] },
            panel("CPU", [0, 1, 12, 4], json!({})),
            panel("RAM", [12, 1, 12, 4], json!({ "repeatDirection": "v" })),
            { "type": "row", "title": "Rest", "gridPos": { "x": 0, "y": 5, "w": 24, "h": 1 } },
        ]);
        let (all, _) = read(&document(json!(["$__all"]), panels));
        let titles: Vec<(&str, u16)> = all.iter().map(|(title, _, [_, y, ..])| (&**title, *y)).collect();
        let expected = [
            ("Host a", 0),
            ("CPU", 1),
            ("RAM", 1),
            ("Host b", 5),
            ("CPU", 6),
            ("RAM", 6),
            ("Host c", 10),
            ("CPU", 11),
            ("RAM", 11),
            ("Rest", 15),
        ];
        assert_eq!(titles, expected);
        assert_eq!(all[4].1, "up{h=\"b\"}");
    }

    #[test]
    fn what_is_repeated_for_one_value_or_unknown_ones_stands_once() {
        let panels = json!([panel("CPU", [0, 0, 6, 4], json!({ "repeat": "host" }))]);
        for current in [json!(["a"]), json!(["a", "b\"c"])] {
            let mut document = document(current, panels.clone());
            document["templating"]["list"][0]["query"] = json!("a,b\"c");
            let (all, said) = read(&document);
            assert_eq!((all.len(), &*all[0].1), (1, "up{h=\"$host\"}"));
            assert!(said[0].contains("was not taken over"), "{said:?}");
        }
        let many: Vec<String> = (0..20).map(|n| format!("h{n}")).collect();
        let mut document = document(json!(many), panels);
        document["templating"]["list"][0]["query"] = json!(many.join(","));
        let (all, said) = read(&document);
        assert_eq!(all.len(), MAX_REPEATS);
        assert!(said[0].contains("8 more were left out"), "{said:?}");
    }
}
