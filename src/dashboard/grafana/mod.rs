//! Grafana's dashboards as dashboards here: places, titles, queries, units, thresholds and variables. What has
//! no counterpart is left out with a remark. `docs/export.md` says what comes over.

mod inputs;
mod lines;
mod look;
mod mappings;
mod overrides;
mod panel;
mod places;
mod query;
mod repeats;
mod resource;
mod thresholds;
mod variable;

pub mod unit;

use serde_json::{Value, json};

use super::export::{Choices, ImportError, Imported, Report, build, title_of};
use super::range::TimeRange;
use super::settings::{MAX_TAG_CHARS, MAX_TAGS, RANGE, REFRESH, Settings, TAGS, TIME_ZONE, TimeZone, is_tag};

use self::query::Sources;

/// Reads a dashboard as Grafana exports, shares or stores it.
pub fn import(document: &Value, choices: &Choices) -> Result<Imported, ImportError> {
    let found = inputs::with_constants(unwrapped(document)?);
    let mut report = Report::default();
    let classic = resource::is_one(&found).then(|| resource::classic(&found, &mut report));
    let dashboard = classic.as_ref().unwrap_or(&found);
    let sources = Sources::of(dashboard);
    let title = title_of(dashboard.get("title"), "The dashboard", &mut report);
    let title = if title.is_empty() { "Imported dashboard".to_owned() } else { title };
    let settings = settings(dashboard, &choices.source, &sources, &mut report);
    let known: Settings = settings.iter().cloned().collect();
    let reading = panel::Reading { dashboard, source: &choices.source, sources, settings: &known };
    let mut stands: Vec<repeats::Stands> = Vec::new();
    let mut described = 0;
    for place in places::read(dashboard) {
        let widget = reading.widget(&place, &mut report);
        stands.extend(widget.map(|widget| repeats::Stands::new(widget, place.panel, place.row)));
        described += usize::from(!text_of(place.panel, "description").trim().is_empty());
    }
    if described > 0 {
        let what = many(described, "description", "descriptions");
        report.say(what, "Widgets have none here; what panels say of themselves was left out.");
    }
    rest(dashboard, &mut report);
    let widgets = repeats::spread(stands, &known, &mut report);
    let widgets = widgets.into_iter().map(|widget| (None, widget)).collect();
    Ok(build(title, settings, widgets, choices, report))
}

/// The dashboard itself, out of what the API and newer exports put around it.
fn unwrapped(document: &Value) -> Result<&Value, ImportError> {
    let is_one = |value: &&Value| {
        value.get("panels").or(value.get("rows")).is_some_and(Value::is_array) || resource::is_one(value)
    };
    let within =
        |value| ["dashboard", "spec", "model"].into_iter().filter_map(move |name| Value::get(value, name));
    let mut all = std::iter::once(document).chain(within(document)).chain(within(document).flat_map(within));
    all.find(is_one).ok_or(ImportError::NoDashboard)
}

fn settings(dashboard: &Value, source: &str, sources: &Sources, report: &mut Report) -> Vec<(String, Value)> {
    let mut settings = Vec::new();
    match (dashboard.pointer("/time/from").and_then(Value::as_str), dashboard.pointer("/time/to")) {
        (None, _) => {}
        (Some(from), to) => match range(from, to.and_then(Value::as_str).unwrap_or("now")) {
            Some(range) => settings.push((RANGE.to_owned(), json!(range.to_string()))),
            None => {
                report.say("Time", format!("“{from}” is no time that is known here. The usual time shows."))
            }
        },
    }
    match dashboard.get("refresh") {
        Some(Value::String(every)) if !every.is_empty() => match seconds(every) {
            Some(seconds @ 1..=3600) => settings.push((REFRESH.to_owned(), json!(seconds))),
            _ => {
                report.say("Refresh", format!("“{every}” is not from a second to an hour. It was left out."))
            }
        },
        _ => {}
    }
    let zone = text_of(dashboard, "timezone");
    match TimeZone::parse(&zone) {
        // What everybody has who chose nothing.
        _ if zone.is_empty() => {}
        Some(TimeZone::Browser) => {}
        Some(TimeZone::Utc) => settings.push((TIME_ZONE.to_owned(), json!("utc"))),
        Some(TimeZone::Named(name)) => settings.push((TIME_ZONE.to_owned(), json!(name))),
        None => {
            report.say("Time zone", format!("“{zone}” is no zone's name. Times show in everybody's own."))
        }
    }
    settings.extend(tags(dashboard, report).map(|tags| (TAGS.to_owned(), tags)));
    let list = dashboard.pointer("/templating/list").and_then(Value::as_array);
    for one in list.into_iter().flatten() {
        settings.extend(variable::read(one, source, sources, report));
    }
    settings
}

/// Its tags as the setting, as many as there may be.
fn tags(dashboard: &Value, report: &mut Report) -> Option<Value> {
    let all = dashboard.get("tags").and_then(Value::as_array).into_iter().flatten();
    let (mut tags, mut left) = (Vec::new(), 0);
    for tag in all.filter_map(Value::as_str).map(str::trim) {
        match tag {
            _ if tags.contains(&tag) => {}
            _ if is_tag(tag) && tags.len() < MAX_TAGS => tags.push(tag),
            _ => left += 1,
        }
    }
    if left > 0 {
        let why = format!("A dashboard has up to {MAX_TAGS} of 1 to {MAX_TAG_CHARS} characters.");
        report.say(many(left, "tag", "tags"), why);
    }
    (!tags.is_empty()).then(|| json!(tags))
}

/// `now-6h` to `now` as a range.
fn range(from: &str, to: &str) -> Option<TimeRange> {
    let last = from.strip_prefix("now-").filter(|_| to == "now")?;
    let range = TimeRange::Last(seconds(last)?.checked_mul(1000)?);
    // Within its bounds, as it would have to be written.
    range.to_string().parse().ok()
}

/// `30s`, `6h` or `2w` in seconds.
fn seconds(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        'M' => 30 * 86_400,
        'y' => 365 * 86_400,
        _ => return None,
    };
    let number = &text[..text.len() - unit.len_utf8()];
    number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse::<u64>().ok()?.checked_mul(factor))?
}

/// Remarks on what a dashboard has beside panels, variables and its time.
fn rest(dashboard: &Value, report: &mut Report) {
    let list = |at: &str| dashboard.pointer(at).and_then(Value::as_array).into_iter().flatten();
    for one in list("/annotations/list") {
        let built_in = one.get("builtIn").and_then(Value::as_f64) == Some(1.0);
        let name = text_of(one, "name");
        if !built_in && name != "Annotations & Alerts" {
            report.say(
                format!("Annotations “{name}”"),
                "Marks are made by people here, not by queries. They were left out.",
            );
        }
    }
    let links = list("/links").count();
    if links > 0 {
        let what = many(links, "link of the dashboard", "links of the dashboard");
        report.say(what, "A note can hold links; these were left out.");
    }
}

/// What of one thing has no counterpart here, in words.
#[derive(Debug, Default)]
pub struct Lost(Vec<String>);

impl Lost {
    /// Adds one, once.
    fn say(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.0.contains(&what) {
            self.0.push(what);
        }
    }

    fn count(&mut self, n: usize, one: &str, more: &str) {
        if n > 0 {
            self.say(many(n, one, more));
        }
    }

    fn words(&self) -> String {
        self.0.join("; ")
    }

    /// Remarks on all of it at once.
    fn tell(&self, what: &str, report: &mut Report) {
        if !self.0.is_empty() {
            report.say(what, format!("Not taken over: {}.", self.words()));
        }
    }
}

fn many(n: usize, one: &str, more: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {more}") }
}

/// A field's text; empty where it has none.
fn text_of(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
