//! One panel of a Grafana dashboard as a widget.

use serde_json::{Value, json};

use super::super::export::{Report, set_option, set_text, title_of};
use super::super::settings::{Settings, mentioned, with_variables};
use super::super::{Kind, Widget};
use super::overrides::Named;
use super::places::Place;
use super::query::{self, Sources};
use super::resource::CONDITION;
use super::{Lost, seconds, text_of};

/// Names in queries that stand for a time which the least step sets.
const BY_STEP: [&str; 3] = ["__rate_interval", "__interval", "__interval_ms"];

/// What panels are read with.
pub struct Reading<'a> {
    pub dashboard: &'a Value,
    /// The source that its charts ask here.
    pub source: &'a str,
    pub sources: Sources,
    /// The dashboard's settings, with its variables.
    pub settings: &'a Settings,
}

/// A widget on its way, with what is said of it.
pub struct Draft<'a> {
    pub panel: &'a Value,
    pub widget: Widget,
    what: String,
    pub queries: Vec<Named>,
    pub lost: Lost,
    report: &'a mut Report,
}

impl Reading<'_> {
    /// Reads a panel; a remark says why there is no widget.
    pub fn widget(&self, place: &Place<'_>, report: &mut Report) -> Option<Widget> {
        let panel = self.shared(place.panel);
        let kind = text_of(panel, "type");
        let mut title = text_of(panel, "title");
        if title.trim().is_empty() {
            title = text_of(place.panel, "title");
        }
        let what = match title.trim() {
            "" if place.row => "A row without a title".to_owned(),
            "" if kind.is_empty() => "A panel without a title".to_owned(),
            "" => format!("A panel without a title ({kind})"),
            title => format!("“{title}”"),
        };
        let title = title_of(Some(&json!(title)), &what, report);
        let Some(known) = kind_of(place, panel, &kind) else {
            let why = match (kind.as_str(), panel.get("libraryPanel")) {
                ("", Some(_)) => {
                    "It is a library panel that the document does not hold. It was left out.".to_owned()
                }
                ("", None) => "It has no type. It was left out.".to_owned(),
                _ => format!("Panels of the type “{kind}” have no counterpart here. It was left out."),
            };
            report.say(what, why);
            return None;
        };
        let widget = Widget::new(known, title, place.frame);
        let mut draft = Draft { panel, widget, what, queries: Vec::new(), lost: Lost::default(), report };
        query::tell_unknown(&draft.widget.title, self.settings, &mut draft.lost);
        match known {
            Kind::Note if place.row => {}
            Kind::Note => draft.text(),
            _ if !self.ask(&mut draft) => {
                let why = match draft.lost.words() {
                    words if words.is_empty() => "It asks for nothing. It was left out.".to_owned(),
                    words => format!("It has no query that can be asked here ({words}). It was left out."),
                };
                draft.report.say(&draft.what, why);
                return None;
            }
            _ => draft.look(&kind),
        }
        draft.beside();
        let Draft { widget, what, lost, report, .. } = draft;
        lost.tell(&what, report);
        Some(widget)
    }

    /// A panel that several dashboards share, where the document brings it along.
    fn shared<'a>(&'a self, panel: &'a Value) -> &'a Value {
        let uid = panel.pointer("/libraryPanel/uid").and_then(Value::as_str);
        let element = uid.and_then(|uid| self.dashboard.get("__elements")?.get(uid)?.get("model"));
        let own = panel.pointer("/libraryPanel/model");
        element.or(own).unwrap_or(panel)
    }

    /// Gives a widget its queries. False where none came over.
    fn ask(&self, draft: &mut Draft<'_>) -> bool {
        let asked = query::read(draft.panel, &self.sources, &mut draft.lost);
        if asked.queries.is_empty() {
            return false;
        }
        query::tell_unknown(&asked.query, self.settings, &mut draft.lost);
        draft.set("source", json!(self.source));
        draft.set("query", json!(asked.query));
        if !asked.legend.trim().is_empty() {
            draft.set("legend", json!(asked.legend));
        }
        // A number for each series is what Grafana's have without being told.
        draft.set("each", json!(true));
        self.least_step(&asked.query, &asked.steps, draft);
        draft.queries = asked.queries;
        true
    }

    /// Sets the least step where a query counts by it. Of several the largest: it is right for those too that
    /// are scraped more often.
    fn least_step(&self, query: &str, steps: &[String], draft: &mut Draft<'_>) {
        if !mentioned(query).any(|name| BY_STEP.contains(&name)) {
            return;
        }
        let mut most = None;
        for step in steps {
            let value = with_variables(self.settings, step);
            match seconds(value.trim().trim_start_matches('>').trim()) {
                Some(seconds) => most = most.max(Some(seconds)),
                None => draft.lost.say(format!("the least step “{}”", step.trim())),
            }
        }
        if let Some(most) = most.filter(|most| *most > 0) {
            draft.set("min_step", json!(most));
        }
    }
}

/// The kind of widget that shows what a panel shows.
fn kind_of(place: &Place<'_>, panel: &Value, kind: &str) -> Option<Kind> {
    let as_gauge = panel.pointer("/gauge/show").and_then(Value::as_bool) == Some(true);
    Some(match kind {
        _ if place.row => Kind::Note,
        "text" => Kind::Note,
        "singlestat" if as_gauge => Kind::Gauge,
        "stat" | "singlestat" => Kind::Stat,
        "gauge" => Kind::Gauge,
        "bargauge" | "barchart" | "piechart" | "grafana-piechart-panel" => Kind::Bar,
        "table" | "table-old" => Kind::Table,
        "timeseries" | "graph" | "state-timeline" | "status-history" | "trend" | "heatmap" => {
            Kind::Timeseries
        }
        _ => return None,
    })
}

impl Draft<'_> {
    pub fn set(&mut self, name: &str, value: Value) {
        if self.widget.kind.field(name).is_some() {
            set_option(&mut self.widget, name, value, &self.what, self.report);
        }
    }

    pub fn number(&mut self, name: &str, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        let whole = value.fract() == 0.0 && value.abs() < 1e15;
        self.set(name, if whole { json!(value as i64) } else { json!(value) });
    }

    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.panel.pointer(pointer).filter(|value| !value.is_null())
    }

    pub fn text_at(&self, pointer: &str) -> String {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    pub fn is(&self, pointer: &str) -> bool {
        self.at(pointer).and_then(Value::as_bool).unwrap_or(false)
    }

    /// How many things a list or an object holds.
    pub fn many(&self, pointer: &str) -> usize {
        match self.at(pointer) {
            Some(Value::Array(list)) => list.len(),
            Some(Value::Object(object)) => object.len(),
            _ => 0,
        }
    }

    /// The text of a note.
    fn text(&mut self) {
        let from = |new: &str, old: &str| {
            let new = self.text_at(new);
            if new.is_empty() { self.text_at(old) } else { new }
        };
        let (content, mode) = (from("/options/content", "/content"), from("/options/mode", "/mode"));
        let text = match mode.as_str() {
            "html" => {
                self.lost.say("HTML (its text is here)");
                without_tags(&content)
            }
            "code" => format!("```\n{content}\n```"),
            _ => content,
        };
        set_text(&mut self.widget, &text, &self.what, self.report);
    }

    /// What a panel has beside what it shows.
    fn beside(&mut self) {
        for (pointer, one, more) in [
            ("/transformations", "transformation", "transformations"),
            ("/links", "link", "links"),
            ("/styles", "column style", "column styles"),
        ] {
            let many = self.many(pointer);
            self.lost.count(many, one, more);
        }
        if self.at("/alert").is_some() {
            self.lost.say("its alert rule");
        }
        for (pointer, what) in [("/timeFrom", "its own time"), ("/timeShift", "its shift in time")] {
            if !self.text_at(pointer).is_empty() {
                self.lost.say(what);
            }
        }
        if self.at("/conditional").is_some() {
            self.lost.say(CONDITION);
        }
    }
}

/// The text of some HTML: without its tags, and with a line for each block.
fn without_tags(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('>') else {
            rest = &rest[at..];
            break;
        };
        let tag = rest[at + 1..at + end].trim_start_matches('/').to_lowercase();
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
        if matches!(
            name.as_str(),
            "br" | "p" | "div" | "li" | "tr" | "h1" | "h2" | "h3" | "h4" | "ul" | "table"
        ) {
            out.push('\n');
        }
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    for (entity, text) in [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")] {
        out = out.replace(entity, text);
    }
    let lines: Vec<&str> = out.lines().map(str::trim).collect();
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate() {
        if !line.is_empty() || (n > 0 && !lines[n - 1].is_empty()) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.trim().to_owned()
}
