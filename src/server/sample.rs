//! The dashboard of a first start: this very server, live, and a note that says how to try it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::data::this_server::{COMMIT_LATENCY, COMMITS, CPU, MEMORY, SESSIONS};
use crate::dashboard::{Dashboard, Frame, Kind, NoteText, Widget, WidgetId};

const WELCOME: &str = "\
## Welcome to Lockstep

Every figure here is this server, measured once per second. Everything here can be edited.

- Open this page in a **second window**: each sees the other's pointer.
- **Drag** a tile by its grip, pull its corner, double-click its title.
- Select a tile to change its data, unit and thresholds.
- Type in this note from both windows at once.
- Pull the network cable and go on: your edits land when it is back.
";

/// The sample dashboard.
pub fn dashboard() -> Dashboard {
    let mut dashboard = Dashboard::new("This server, live");
    let figure = |query: &str, unit: &str| json!({ "query": query, "unit": unit, "min": 0 });
    for (id, kind, title, frame, options) in [
        (
            "cpu",
            Kind::Stat,
            "Processor",
            Frame::new(0, 0, 4, 4),
            json!({ "query": CPU, "unit": "%", "decimals": 1, "min": 0, "warn_at": 70, "alert_at": 90 }),
        ),
        ("memory", Kind::Stat, "Memory", Frame::new(4, 0, 4, 4), figure(MEMORY, "bytes")),
        ("sessions", Kind::Stat, "Open sessions", Frame::new(8, 0, 4, 4), figure(SESSIONS, "")),
        ("commits", Kind::Stat, "Edits", Frame::new(12, 0, 4, 4), figure(COMMITS, "/s")),
        ("welcome", Kind::Note, "Try it", Frame::new(16, 0, 8, 12), json!({})),
        ("cpu-course", Kind::Timeseries, "Processor", Frame::new(0, 4, 16, 8), figure(CPU, "%")),
        (
            "latency-course",
            Kind::Timeseries,
            "Time until an edit is on disk",
            Frame::new(0, 12, 12, 8),
            figure(COMMIT_LATENCY, "ms"),
        ),
        ("commits-course", Kind::Timeseries, "Edits", Frame::new(12, 12, 12, 8), figure(COMMITS, "/s")),
    ] {
        let mut widget = Widget::new(kind, title, frame);
        if let Value::Object(options) = options {
            widget.options = options.into_iter().collect();
        }
        if kind == Kind::Note {
            widget.text = Some(NoteText::from_plain(WELCOME, 1));
        }
        let id = WidgetId::new(id).expect("a word of letters and dashes");
        dashboard.widgets.insert(id, Arc::new(widget));
    }
    dashboard
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Edit, Stamp};

    #[test]
    fn it_is_what_people_could_have_made() {
        let sample = dashboard();
        let mut made = Dashboard::new(sample.title.clone());
        let mut edit = Edit::new(&mut made, Stamp::default());
        for (id, widget) in &sample.widgets {
            edit.perform(&Widget::clone(widget).add_op(id.clone())).expect("every value fits");
        }
        edit.finish();
        assert_eq!(made, sample);
    }
}
