//! One panel of a Grafana dashboard as a widget.

use serde_json::{Value, json};

use super::super::export::{Report, set_option, set_text, title_of};
use super::super::settings::Settings;
use super::super::{Kind, Widget};
use super::overrides::{self, Named};
use super::places::Place;
use super::query::{self, Sources};
use super::thresholds::{self, Thresholds};
use super::unit::{self, Unit};
use super::{Lost, text_of};

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
struct Draft<'a> {
    panel: &'a Value,
    widget: Widget,
    what: String,
    queries: Vec<Named>,
    lost: Lost,
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
        if asked.queries.len() > 1 && matches!(draft.widget.kind, Kind::Stat | Kind::Gauge) {
            draft.lost.say("all values but the first");
        }
        query::tell_unknown(&asked.query, self.settings, &mut draft.lost);
        draft.set("source", json!(self.source));
        draft.set("query", json!(asked.query));
        if !asked.legend.trim().is_empty() {
            draft.set("legend", json!(asked.legend));
        }
        draft.queries = asked.queries;
        true
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
        "timeseries" | "graph" | "state-timeline" | "status-history" | "trend" => Kind::Timeseries,
        _ => return None,
    })
}

impl Draft<'_> {
    fn set(&mut self, name: &str, value: Value) {
        if self.widget.kind.field(name).is_some() {
            set_option(&mut self.widget, name, value, &self.what, self.report);
        }
    }

    fn number(&mut self, name: &str, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        let whole = value.fract() == 0.0 && value.abs() < 1e15;
        self.set(name, if whole { json!(value as i64) } else { json!(value) });
    }

    fn at(&self, pointer: &str) -> Option<&Value> {
        self.panel.pointer(pointer).filter(|value| !value.is_null())
    }

    fn text_at(&self, pointer: &str) -> String {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn is(&self, pointer: &str) -> bool {
        self.at(pointer).and_then(Value::as_bool).unwrap_or(false)
    }

    /// How many things a list or an object holds.
    fn many(&self, pointer: &str) -> usize {
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

    /// Units, scales, thresholds and styles.
    fn look(&mut self, kind: &str) {
        match kind {
            "graph" => self.look_of_a_graph(),
            "singlestat" => self.look_of_a_singlestat(),
            _ => self.look_of_now(kind),
        }
    }

    /// Panels with a `fieldConfig`, or with the `fieldOptions` before it.
    fn look_of_now(&mut self, kind: &str) {
        let defaults = self.at("/fieldConfig/defaults").or(self.at("/options/fieldOptions/defaults"));
        let defaults = defaults.cloned().unwrap_or_else(|| json!({}));
        let defaults = overrides::of_all(self.panel, &defaults, &self.queries, self.widget.kind);
        let field = |name: &str| defaults.get(name).filter(|value| !value.is_null());
        let number = |name: &str| field(name).and_then(as_number);
        self.unit(field("unit").and_then(Value::as_str).unwrap_or_default());
        self.decimals(number("decimals"));
        let (min, max) = (number("min"), number("max"));
        self.number("min", min);
        self.number("max", max);
        let custom = |name: &str| defaults.pointer(&format!("/custom/{name}"));
        let shown = match self.widget.kind {
            Kind::Timeseries => {
                custom("thresholdsStyle/mode").and_then(Value::as_str).is_some_and(|mode| mode != "off")
            }
            Kind::Stat => self.text_at("/options/colorMode") != "none",
            _ => true,
        };
        let by_threshold = matches!(
            field("color").map(|color| text_of(color, "mode")).as_deref(),
            None | Some("thresholds")
        );
        if self.widget.kind.field("warn_at").is_some()
            && shown
            && (by_threshold || self.widget.kind == Kind::Timeseries)
            && let Some(found) = field("thresholds")
        {
            let found = thresholds::read(found, min, max, &mut self.lost);
            self.thresholds(found);
        }
        if self.widget.kind == Kind::Timeseries {
            let text = |name: &str| custom(name).and_then(Value::as_str).unwrap_or_default();
            let filled = custom("fillOpacity").and_then(Value::as_f64).is_some_and(|fill| fill > 0.0);
            let style = match text("drawStyle") {
                "bars" => "bars",
                _ if filled => "area",
                _ => "line",
            };
            self.set("style", json!(style));
            match text("stacking/mode") {
                "normal" => self.set("stacked", json!(true)),
                "percent" => {
                    self.set("stacked", json!(true));
                    self.lost.say("stacking to 100 %");
                }
                _ => {}
            }
            if text("drawStyle") == "points" {
                self.lost.say("points (lines are drawn)");
            }
            if text("scaleDistribution/type") == "log" {
                self.lost.say("a logarithmic scale");
            }
            if kind != "timeseries" {
                self.lost.say(format!("the form of a “{kind}” (lines are drawn)"));
            }
        }
        let calc = self.at("/options/reduceOptions/calcs").or(self.at("/options/fieldOptions/calcs"));
        let calc = calc.and_then(|calcs| calcs.get(0)?.as_str()).unwrap_or_default().to_owned();
        self.shows(&calc);
        if self.is("/options/reduceOptions/values") {
            self.lost.say("a value for each row");
        }
        let name = field("displayName").and_then(Value::as_str).unwrap_or_default().trim();
        if !name.is_empty() {
            match overrides::name(name).filter(|_| self.widget.text_option("legend").is_empty()) {
                Some(name) => self.set("legend", json!(name)),
                None => self.lost.say("its display name"),
            }
        }
        if kind.contains("pie") {
            self.lost.say("the form of a pie (bars are drawn)");
        }
        let worded = |all: &Value| all.as_array().is_some_and(|all| all.iter().any(says_more_than_nothing));
        if field("mappings").is_some_and(worded) {
            self.lost.say("words for values");
        }
        if field("links").is_some_and(|all| all.as_array().is_some_and(|all| !all.is_empty())) {
            self.lost.say("links on its values");
        }
        self.overrides();
    }

    /// What is said of single series.
    fn overrides(&mut self) {
        let mut left = 0;
        for one in overrides::of(self.panel) {
            let kind = self.widget.kind;
            if let Some((column, unit)) = one.unit_of_column(kind) {
                self.set(&format!("unit.{column}"), json!(unit));
            }
            let came = |id: &str| is_look(id) || one.came_over(id, &self.queries, kind);
            left += usize::from(!one.properties().all(|(id, _)| came(&id)));
        }
        self.lost.count(left, "override of single series", "overrides of single series");
    }

    /// The graphs before time series panels.
    fn look_of_a_graph(&mut self) {
        let axis = |name: &str| format!("/yaxes/0/{name}");
        let unit = match self.text_at(&axis("format")) {
            unit if unit.is_empty() => self.text_at("/y_formats/0"),
            unit => unit,
        };
        self.unit(&unit);
        let decimals = self.at("/decimals").and_then(as_number);
        self.decimals(decimals);
        for (name, old) in [("min", "/grid/leftMin"), ("max", "/grid/leftMax")] {
            let value = self.at(&axis(name)).or(self.at(old)).and_then(as_number);
            self.number(name, value);
        }
        let filled = self.at("/fill").and_then(Value::as_f64).is_none_or(|fill| fill > 0.0);
        let lines = self.at("/lines").and_then(Value::as_bool).unwrap_or(true);
        let style = match (self.is("/bars"), lines) {
            (true, _) => "bars",
            (false, true) if filled => "area",
            _ => "line",
        };
        self.set("style", json!(style));
        if !lines && !self.is("/bars") {
            self.lost.say("points (lines are drawn)");
        }
        if self.is("/stack") {
            self.set("stacked", json!(true));
        }
        if self.is("/percentage") {
            self.lost.say("stacking to 100 %");
        }
        if self.at(&axis("logBase")).and_then(as_number).is_some_and(|base| base > 1.0) {
            self.lost.say("a logarithmic scale");
        }
        self.thresholds_of_a_graph();
        let all = self.at("/seriesOverrides").and_then(Value::as_array);
        let matters = |one: &&Value| !one.as_object().is_some_and(|one| one.keys().all(|name| is_look(name)));
        let overrides = all.map_or(0, |all| all.iter().filter(matters).count());
        self.lost.count(overrides, "override of single series", "overrides of single series");
    }

    fn thresholds_of_a_graph(&mut self) {
        let mut found = Thresholds::default();
        let all = self.at("/thresholds").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut left = 0;
        for one in &all {
            let at = one.get("value").and_then(as_number);
            let place = match text_of(one, "colorMode").as_str() {
                "warning" => &mut found.warn_at,
                _ => &mut found.alert_at,
            };
            if text_of(one, "op") == "lt" || place.is_some() {
                left += 1;
            } else {
                *place = at;
            }
        }
        self.lost.count(left, "threshold", "thresholds");
        if all.is_empty() {
            let at = |n: u8| self.at(&format!("/grid/threshold{n}")).and_then(as_number);
            found = Thresholds { warn_at: at(1), alert_at: at(2) };
        }
        self.thresholds(found);
    }

    /// The numbers before stat panels.
    fn look_of_a_singlestat(&mut self) {
        let (format, postfix) = (self.text_at("/format"), self.text_at("/postfix"));
        let plain = matches!(format.as_str(), "" | "none" | "short");
        match plain && !postfix.trim().is_empty() {
            true => self.unit(&format!("suffix:{}", postfix.trim())),
            false => {
                self.unit(&format);
                if !postfix.trim().is_empty() {
                    self.lost.say(format!("“{}” after the number", postfix.trim()));
                }
            }
        }
        let prefix = self.text_at("/prefix");
        if !prefix.trim().is_empty() {
            self.lost.say(format!("“{}” before the number", prefix.trim()));
        }
        let decimals = self.at("/decimals").and_then(as_number);
        self.decimals(decimals);
        if self.widget.kind == Kind::Gauge {
            for (name, pointer) in [("min", "/gauge/minValue"), ("max", "/gauge/maxValue")] {
                let value = self.at(pointer).and_then(as_number);
                self.number(name, value);
            }
        }
        let coloured =
            self.is("/colorValue") || self.is("/colorBackground") || self.widget.kind == Kind::Gauge;
        if coloured {
            let values = self.text_at("/thresholds");
            let found = thresholds::read_pair(&values, self.panel.get("colors"), &mut self.lost);
            self.thresholds(found);
        }
        let calc = match self.text_at("/valueName").as_str() {
            "" | "avg" => "mean".to_owned(),
            "current" => "last".to_owned(),
            "total" => "sum".to_owned(),
            other => other.to_owned(),
        };
        self.shows(&calc);
        let worded = |value: &Value| !matches!(text_of(value, "text").as_str(), "" | "N/A");
        let mapped = ["/valueMaps", "/rangeMaps"]
            .into_iter()
            .any(|maps| self.at(maps).and_then(Value::as_array).is_some_and(|maps| maps.iter().any(worded)));
        if mapped {
            self.lost.say("words for values");
        }
    }

    fn unit(&mut self, id: &str) {
        match unit::read(id) {
            Unit::Plain(unit) if unit.is_empty() => {}
            Unit::Plain(unit) => self.set("unit", json!(unit)),
            Unit::Unknown => self.lost.say(format!("the unit “{id}”")),
        }
    }

    fn decimals(&mut self, decimals: Option<f64>) {
        match decimals {
            Some(decimals) if (0.0..=6.0).contains(&decimals) => self.set("decimals", json!(decimals as u8)),
            Some(decimals) => self.lost.say(format!("{decimals} decimals")),
            None => {}
        }
    }

    fn thresholds(&mut self, found: Thresholds) {
        self.number("warn_at", found.warn_at);
        self.number("alert_at", found.alert_at);
    }

    /// Which value of a course shows, by Grafana's name for it.
    fn shows(&mut self, calc: &str) {
        if self.widget.kind.field("shows").is_none() {
            return;
        }
        match calc {
            "" | "last" | "lastNotNull" | "current" => {}
            "mean" | "min" | "max" | "sum" => self.set("shows", json!(calc)),
            other => self.lost.say(format!("the value “{other}” (the last shows)")),
        }
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
        let repeat = self.text_at("/repeat");
        if !repeat.is_empty() {
            self.lost.say(format!("repeating for each ${repeat} (it stands here once, for the chosen one)"));
        }
    }
}

/// True for what is set of single series and only for the eye, and for the name that it is set by.
fn is_look(property: &str) -> bool {
    let now = property.strip_prefix("custom.").is_some_and(|name| {
        !matches!(name, "axisPlacement" | "transform" | "stacking" | "drawStyle" | "scaleDistribution")
            && !name.starts_with("axisSoft")
    });
    let old = [
        "alias",
        "color",
        "dashes",
        "dashLength",
        "spaceLength",
        "fill",
        "fillBelowTo",
        "fillGradient",
        "hiddenSeries",
        "hideTooltip",
        "legend",
        "linewidth",
        "nullPointMode",
        "pointradius",
        "points",
        "steppedLine",
        "zindex",
    ];
    now || old.contains(&property)
}

/// True for words for a value that is there: nearly every old panel says “N/A” for none.
fn says_more_than_nothing(mapping: &Value) -> bool {
    let none = mapping
        .pointer("/options/match")
        .and_then(Value::as_str)
        .is_some_and(|what| what.starts_with("null"));
    let old = text_of(mapping, "value") == "null" || text_of(mapping, "from") == "null";
    !none && !old
}

/// A number, or a text that is one, as old forms keep it.
fn as_number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        other => other.as_f64()?,
    };
    number.is_finite().then_some(number)
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
