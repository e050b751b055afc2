//! Display options of Grafana's panels: units, scales, thresholds, styles, and which value shows.

use serde_json::{Value, json};

use super::super::Kind;
use super::super::widget::{HEAT_MAP, MAX_LINES_CHARS};
use super::lines::{self, Says};
use super::mappings;
use super::overrides;
use super::panel::Draft;
use super::text_of;
use super::thresholds::{self, Thresholds};
use super::unit::{self, Unit};

impl Draft<'_> {
    /// Units, scales, thresholds and styles.
    pub fn look(&mut self, kind: &str) {
        match kind {
            "graph" => self.look_of_a_graph(),
            "singlestat" => self.look_of_a_singlestat(),
            "heatmap" => self.look_of_a_heat_map(),
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
        let mappings = field("mappings").and_then(Value::as_array).into_iter().flatten().collect();
        self.mappings(mappings);
        self.text_shown(field("noValue"));
        if field("links").is_some_and(|all| all.as_array().is_some_and(|all| !all.is_empty())) {
            self.lost.say("links on its values");
        }
        self.overrides();
    }

    /// What is said of single series.
    fn overrides(&mut self) {
        let (mut left, mut lines) = (0, Vec::new());
        for one in overrides::of(self.panel) {
            let kind = self.widget.kind;
            if let Some((column, unit)) = one.own_unit(&self.queries, kind) {
                self.set(&format!("unit.{column}"), json!(unit));
            }
            let names = one.names(&self.queries);
            let (mut words, mut lost) = (Vec::new(), false);
            for (id, value) in one.properties() {
                match one.says(&id, value, &self.queries, kind).filter(|_| names.is_some()) {
                    Some(Says::Word(word)) => words.push(word),
                    Some(Says::RightAxis(name, value)) => lost |= !self.right_axis(name, &value),
                    None => lost |= !(is_look(&id) || one.came_over(&id, &self.queries, kind)),
                }
            }
            lines.extend(names.and_then(|names| lines::line(&names, &words)));
            left += usize::from(lost);
        }
        self.lines(lines);
        self.lost.count(left, "override of single series", "overrides of single series");
    }

    /// Sets an option of the right axis. False where it has another value already: there is one axis.
    fn right_axis(&mut self, name: &str, value: &Value) -> bool {
        let has = self.widget.value(name);
        let number = as_number(value);
        match (has.is_null(), value.as_str(), number) {
            (false, ..) => has.as_str() == value.as_str() && has.as_f64() == number,
            (true, Some(unit), _) if name == "right_unit" => {
                self.set(name, json!(unit));
                true
            }
            _ => {
                self.number(name, number);
                number.is_some()
            }
        }
    }

    /// Sets what is said of single series, as many lines as there is room for.
    fn lines(&mut self, lines: Vec<String>) {
        let mut text = String::new();
        let mut left = 0;
        for line in lines {
            if text.chars().count() + line.chars().count() < MAX_LINES_CHARS {
                text += if text.is_empty() { "" } else { "\n" };
                text += &line;
            } else {
                left += 1;
            }
        }
        if !text.is_empty() {
            self.set("lines", json!(text));
        }
        self.lost.count(
            left,
            "override of a series more than there is room for",
            "overrides of series more than there is room for",
        );
    }

    /// What is said of single series of a graph, and its right axis.
    fn lines_of_a_graph(&mut self) {
        let all = self.at("/seriesOverrides").and_then(Value::as_array).cloned().unwrap_or_default();
        let (mut left, mut lines, mut right) = (0, Vec::new(), false);
        for one in all.iter().filter_map(Value::as_object) {
            let alias = one.get("alias").and_then(Value::as_str).unwrap_or_default();
            let names = if alias.starts_with('/') { lines::names(alias) } else { lines::exactly(alias) };
            let (mut words, mut lost) = (Vec::new(), false);
            for (id, value) in one {
                match lines::property_of_a_graph(id, value).filter(|_| names.is_some()) {
                    Some(Says::Word(word)) => words.push(word),
                    Some(Says::RightAxis(..)) => {}
                    None => lost |= !is_look(id),
                }
            }
            right |= words.iter().any(|word| word == "right");
            lines.extend(names.and_then(|names| lines::line(&names, &words)));
            left += usize::from(lost);
        }
        if right {
            let axis = |name: &str| format!("/yaxes/1/{name}");
            let format = self.text_at(&axis("format"));
            match unit::read(&format) {
                Unit::Plain(unit) if !format.is_empty() => self.set("right_unit", json!(unit)),
                _ => {}
            }
            for (name, at) in [("right_min", "min"), ("right_max", "max")] {
                let value = self.at(&axis(at)).and_then(as_number);
                self.number(name, value);
            }
        }
        self.lines(lines);
        self.lost.count(left, "override of single series", "overrides of single series");
    }

    /// Heat maps, of now and of old.
    fn look_of_a_heat_map(&mut self) {
        self.set("style", json!(HEAT_MAP));
        let text = |names: [&str; 2]| {
            let found = names.into_iter().map(|name| self.text_at(name)).find(|text| !text.is_empty());
            found.unwrap_or_default()
        };
        let of_rows = text(["/options/yAxis/unit", "/yAxis/format"]);
        let of_cells = text(["/options/cellValues/unit", "/fieldConfig/defaults/unit"]);
        let calculated = self.is("/options/calculate") || self.text_at("/dataFormat") == "timeseries";
        if let Unit::Plain(unit) = unit::read(&of_rows)
            && !of_rows.is_empty()
        {
            self.set("row_unit", json!(unit));
        }
        if !of_cells.is_empty() {
            self.unit(&of_cells);
        }
        let decimals = self.at("/options/cellValues/decimals").and_then(as_number);
        self.decimals(decimals);
        for name in ["min", "max"] {
            let end = self.at(&format!("/options/color/{name}")).or(self.at(&format!("/color/{name}")));
            let end = end.and_then(as_number);
            self.number(name, end);
        }
        if calculated {
            self.lost.say("counting of values into buckets (each series is a row)");
        }
    }

    /// The graphs before time series panels.
    fn look_of_a_graph(&mut self) {
        let axis = |name: &str| format!("/yaxes/0/{name}");
        let unit = match self.text_at(&axis("format")) {
            unit if unit.is_empty() => self.text_at("/y_formats/0"),
            unit => unit,
        };
        let unit = if unit.is_empty() { "short".to_owned() } else { unit };
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
        self.lines_of_a_graph();
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
            found = Thresholds { warn_at: at(1), alert_at: at(2), ..Thresholds::default() };
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
            "name" => String::new(),
            other => other.to_owned(),
        };
        self.shows(&calc);
        let maps =
            ["/valueMaps", "/rangeMaps"].into_iter().filter_map(|maps| self.panel.pointer(maps)?.as_array());
        self.mappings(maps.flatten().collect());
        let none = json!(self.text_at("/nullText"));
        self.text_shown(Some(&none));
        if self.text_at("/valueName") == "name" {
            self.set("text_mode", json!("name"));
        }
    }

    fn unit(&mut self, id: &str) {
        match unit::read(id) {
            Unit::Plain(unit) if unit.is_empty() => {}
            Unit::Plain(unit) => self.set("unit", json!(unit)),
            Unit::Words(words) if self.widget.kind.field("mappings").is_some() => {
                self.set("mappings", json!(words));
            }
            Unit::Words(_) | Unit::Unknown => self.lost.say(format!("the unit “{id}”")),
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
        let below = found.warn_below.is_some() || found.alert_below.is_some();
        if below && self.widget.kind.field("warn_below").is_none() {
            self.lost.say("thresholds below which it warns");
            return;
        }
        self.number("warn_below", found.warn_below);
        self.number("alert_below", found.alert_below);
        self.number("warn_at", found.warn_at);
        self.number("alert_at", found.alert_at);
    }

    /// Words for single values.
    fn mappings(&mut self, all: Vec<&Value>) {
        let own = mappings::read(&all, &mut self.lost);
        // Before those that the unit stands for: the first line that fits counts.
        let of_unit = self.widget.text_option("mappings").to_owned();
        let lines =
            [own, of_unit].into_iter().filter(|lines| !lines.is_empty()).collect::<Vec<_>>().join("\n");
        match lines.is_empty() {
            true => {}
            false if self.widget.kind.field("mappings").is_none() => self.lost.say("words for values"),
            false => self.set("mappings", json!(lines)),
        }
    }

    /// What stands where there is no value, and whether the name or the value of a series shows.
    fn text_shown(&mut self, no_value: Option<&Value>) {
        let no_value = match no_value {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        match no_value.is_empty() {
            true => {}
            false if self.widget.kind.field("no_value").is_none() => {
                self.lost.say(format!("“{no_value}” where there is no value"));
            }
            false => self.set("no_value", json!(no_value)),
        }
        match self.text_at("/options/textMode").as_str() {
            mode @ ("name" | "value" | "value_and_name") => self.set("text_mode", json!(mode)),
            "none" => self.lost.say("neither names nor values (both show)"),
            _ => {}
        }
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

/// A number, or a text that is one, as old forms keep it.
fn as_number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        other => other.as_f64()?,
    };
    number.is_finite().then_some(number)
}
