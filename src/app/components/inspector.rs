//! The side panel: the options of the selected widget, as drafts that become one op each.

use crate::app::dynamic::{live, memo};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::icon::{Glyph, Icon};
use super::option_field::{Control, OptionField, Shown};
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::pasted::Pasted as Own;
use crate::app::widgets::columns_of;
use crate::app::{format, requests};
use crate::dashboard::query::TABLE;
use crate::dashboard::widget::{Field, HEAT_MAP, Takes};
use crate::dashboard::{Kind, WidgetId};

pub use super::panels::{Panel, Panels};

/// Figures of this very server that a widget can show, and what they are.
pub const SERVER_QUERIES: [(&str, &str); 5] = [
    ("server.cpu", "CPU of this server, %"),
    ("server.memory", "Memory of this server, bytes"),
    ("server.sessions", "Open sessions"),
    ("server.commits", "Commits per second"),
    ("server.commit_latency", "Time to a durable commit, ms"),
];

/// The `id` attribute of the side panel.
pub const SIDE: &str = "side";

/// The head of a side panel: what it is, and the way to close it.
#[component]
pub fn SideHead(
    title: &'static str,
    /// What its close button is called.
    close: &'static str,
) -> impl IntoView {
    let panels = Panels::here();
    view! {
        <div class="side-head">
            <h2>{title}</h2>
            <span class="grow"></span>
            <button type="button" class="button icon" aria-label=close on:click=move |_| panels.leave()>
                <Glyph icon=Icon::Close/>
            </button>
        </div>
    }
}

#[component]
pub fn Inspector(store: DashboardStore) -> impl IntoView {
    // Tracked through the order too: a widget that somebody removes takes its panel with it.
    let shown = memo(move || {
        let id = store.selected.get()?;
        store.order.read().contains(&id).then_some(id)
    });
    let offered = Offered::fetch();
    move || {
        let id = shown.get()?;
        let signals = store.widget(&id)?;
        let kind = signals.widget.with_untracked(|widget| widget.kind);
        let remove_id = id.clone();
        Some(view! {
            <aside class="side" id=SIDE tabindex="-1" data-testid="inspector" aria-label="Options of the selected widget">
                <SideHead title=kind.label() close="Close the options"/>
                <Fields store signals id kind offered/>
                <datalist id=QUERIES>
                    {SERVER_QUERIES.map(|(query, says)| view! { <option value=query>{says}</option> }).collect_view()}
                    {live(move || {
                        offered.series.get().into_iter().map(|name| view! { <option value=name></option> }).collect_view()
                    })}
                </datalist>
                <datalist id=UNITS>
                    {format::UNITS.map(|(unit, says)| view! { <option value=unit>{says}</option> }).collect_view()}
                </datalist>
                <button
                    type="button"
                    class="button danger"
                    on:click=move |_| super::widget_container::remove(store, &remove_id)
                >
                    <Glyph icon=Icon::Trash/>
                    "Remove this widget"
                </button>
            </aside>
        })
    }
}

/// Series that are offered a unit of their own: more of them have one in common.
const MAX_OWN_UNITS: usize = 8;

/// The `id`s of the lists of what could be meant.
const QUERIES: &str = "queries";
const UNITS: &str = "units";

/// What the server offers to choose from. Where it does not answer, there is less to choose from.
#[derive(Clone, Copy)]
struct Offered {
    /// The sources that the configuration names.
    sources: RwSignal<Vec<Source>>,
    /// The names of series that somebody has sent.
    series: RwSignal<Vec<String>>,
}

impl Offered {
    fn fetch() -> Self {
        let offered = Self { sources: RwSignal::new(Vec::new()), series: RwSignal::new(Vec::new()) };
        spawn_local(async move {
            if let Ok(Value::Array(all)) = requests::request::<Value>("GET", "/api/v1/sources", None).await {
                offered.sources.try_set(all.iter().filter_map(source).collect());
            }
            if let Ok(Value::Array(all)) = requests::request::<Value>("GET", "/api/v1/series", None).await {
                let name = |name: &Value| name.as_str().map(str::to_owned);
                offered.series.try_set(all.iter().filter_map(name).collect());
            }
        });
        offered
    }
}

/// A source that the configuration names.
#[derive(Clone)]
struct Source {
    name: String,
    kind: String,
    /// What people read.
    label: String,
}

/// A source as it is listed; `None` for the one of series by name, which is always there.
fn source(one: &Value) -> Option<Source> {
    let name = one["name"].as_str().filter(|name| !name.is_empty())?;
    let down = if one["state"] == "down" { ", down" } else { "" };
    let kind = one["kind"].as_str().unwrap_or_default();
    let label = if kind.is_empty() { name.to_owned() } else { format!("{name} ({kind}{down})") };
    Some(Source { name: name.to_owned(), kind: kind.to_owned(), label })
}

/// How the query of a source of this kind is labelled, and an example of one.
fn query_of(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "postgresql" | "sqlite" => {
            ("SQL", "SELECT at AS time, host, load FROM loads WHERE at BETWEEN $from AND $to")
        }
        "http" => (
            "Path, and where values stand",
            "/forecast?hourly=rain\ntime: $.hourly.time[*]\nvalue: $.hourly.rain[*]",
        ),
        _ => ("Queries, one a line", "sum by (host) (rate(…[5m]))"),
    }
}

/// The options of a widget in groups, those that its source has a use for.
#[component]
fn Fields(
    store: DashboardStore,
    signals: WidgetSignals,
    id: WidgetId,
    kind: Kind,
    offered: Offered,
) -> impl IntoView {
    let key = StoredValue::new(id);
    let field =
        move |shown: Shown| view! { <OptionField store signals id=key.get_value() kind field=shown/> };
    let from = memo(move || signals.widget.with(|widget| widget.text_option("source").to_owned()));
    // What may have a unit of its own: the columns of a table, and each of several series.
    let columns = memo(move || match kind {
        Kind::Table => columns_of(signals),
        _ if kind.field("unit.name").is_none() => Vec::new(),
        _ => signals.series(|all| match all {
            [] | [_] => Vec::new(),
            all => all.iter().take(MAX_OWN_UNITS).map(|one| (one.name.clone(), true)).collect(),
        }),
    });
    let sources = memo(move || {
        let mut all = vec![(String::new(), "Series by name".to_owned())];
        all.extend(offered.sources.get().into_iter().map(|one| (one.name, one.label)));
        all.push((TABLE.to_owned(), "A table, pasted here".to_owned()));
        let now = from.get();
        if all.iter().all(|(name, _)| *name != now) {
            all.push((now.clone(), format!("{now} (not configured)")));
        }
        all
    });
    // A document or a program may bring series on several lines, which a field of one line would join. While the
    // panel is open it stays as it is: whoever writes in it keeps the keyboard.
    let was_long = StoredValue::new(false);
    let is_long = memo(move || {
        let is_long = signals.widget.with(|widget| widget.text_option("query").contains(['\n', '\r']));
        was_long.update_value(|was| *was |= is_long);
        was_long.get_value()
    });
    // What the fields are depends on the source, so another source makes them anew.
    let data = move || {
        let from = from.get();
        let own = from == TABLE;
        let asks = !own && !from.is_empty();
        let kind_of = |one: &Source| (one.name == from).then(|| query_of(&one.kind));
        let (label_of_query, example) =
            offered.sources.read().iter().find_map(kind_of).unwrap_or_else(|| query_of(""));
        let mut all = Vec::new();
        for known in kind.fields() {
            let control = match known.name {
                "data" if own => Control::Lines,
                "query" if own && kind == Kind::Table => continue,
                "query" if asks => Control::Lines,
                "query" if own => Control::Line(None),
                "query" if is_long.get() => Control::Lines,
                "query" => Control::Line(Some(QUERIES)),
                "legend" if asks => Control::Lines,
                "min_step" if asks => Control::Line(None),
                _ => continue,
            };
            let label = match known.name {
                "query" if own => "Columns",
                "query" if asks => label_of_query,
                "query" => "Series",
                _ => known.label,
            };
            all.push(Shown {
                name: known.name.to_owned(),
                label: label.to_owned(),
                takes: known.takes,
                control,
                placeholder: match known.name {
                    "query" if own => "all with numbers",
                    "query" if asks => example,
                    name => placeholder(name),
                },
            });
        }
        all.into_iter().map(field).collect_view()
    };
    let source_field = move || {
        let known = kind.field("source")?;
        Some(field(Shown { control: Control::Choice(sources.get()), ..plain_field(known) }))
    };
    let pasted = memo(move || *signals.pasted.read() != Own::No);
    let plain = move |names: &'static [&'static str]| {
        // A table of rows is one that was pasted, or one of series: only those come down to a value each.
        let names = names.iter().filter(move |name| kind != Kind::Table || **name != "shows");
        let known = names.filter_map(|name| kind.field(name));
        known.map(|known| field(plain_field(known))).collect_view()
    };
    let table = move || {
        let columns = columns.get();
        let mut all = Vec::new();
        if let Some(known) = kind.field("shows").filter(|_| kind == Kind::Table && !pasted.get()) {
            all.push(plain_field(known));
        }
        if let Some(known) = kind.field("sort") {
            let mut choices = vec![(String::new(), "As it comes".to_owned())];
            for (name, numeric) in &columns {
                let back = if *numeric { "largest first" } else { "Z to A" };
                choices.push((name.clone(), name.clone()));
                choices.push((format!("-{name}"), format!("{name}, {back}")));
            }
            let now = signals.widget.with_untracked(|widget| widget.text_option("sort").to_owned());
            if choices.iter().all(|(name, _)| *name != now) {
                choices.push((now.clone(), now));
            }
            all.push(Shown { control: Control::Choice(choices), ..plain_field(known) });
        }
        let own_unit = |name: &String| kind.field(&format!("unit.{name}"));
        for (name, known) in columns
            .iter()
            .filter(|(_, numeric)| *numeric)
            .filter_map(|(name, _)| Some((name, own_unit(name)?)))
        {
            let label = format!("Unit of {name}");
            all.push(Shown { name: format!("unit.{name}"), label, ..plain_field(known) });
        }
        all.into_iter().map(field).collect_view()
    };
    let title =
        Field { name: "title", label: "Title", takes: Takes::Text(crate::dashboard::MAX_TITLE_CHARS) };
    let asks = kind.asks();
    let has = move |name: &str| kind.field(name).is_some();
    view! {
        <div class="fields">{field(plain_field(&title))}</div>
        {asks.then(|| view! {
            <fieldset class="fields">
                <legend>"Data"</legend>
                {live(source_field)}
                {live(data)}
                <Pasted signals/>
            </fieldset>
            <fieldset class="fields two">
                <legend>"Shows"</legend>
                {plain(&["shows", "style", "text_mode", "each", "delta", "stacked", "unit", "row_unit", "decimals", "no_value"])}
                {plain(&["mappings", "lines"])}
                {live(table)}
            </fieldset>
        })}
        {has("min").then(|| view! {
            <fieldset class="fields two">
                <legend>"Scale"</legend>
                {plain(&["min", "max", "right_unit", "right_min", "right_max"])}
            </fieldset>
            <fieldset class="fields two">
                <legend>"Thresholds"</legend>
                {plain(&["warn_at", "alert_at", "warn_below", "alert_below"])}
            </fieldset>
        })}
    }
}

/// Says what was made of the pasted table, while it is typed.
#[component]
fn Pasted(signals: WidgetSignals) -> impl IntoView {
    let says = memo(move || match &*signals.pasted.read() {
        Own::No => None,
        Own::Broken(why) => Some((true, why.clone())),
        Own::Table(table) if table.columns.is_empty() => Some((false, NO_TABLE.to_owned())),
        Own::Table(table) => {
            let columns = format::count(table.columns.len(), "column", "columns");
            Some((false, format!("{columns}, {}.", format::count(table.rows.len(), "row", "rows"))))
        }
        Own::Series(series) if series.is_empty() => {
            let empty = signals.shown.with(|widget| widget.text_option("data").trim().is_empty());
            Some((false, if empty { NO_TABLE } else { "Nothing in it that this can show." }.to_owned()))
        }
        Own::Series(series) => Some((false, format!("{}.", format::count(series.len(), "series", "series")))),
    });
    view! {
        <p class="data-reads" aria-live="polite" data-testid="data-reads">
            {live(move || says.get().map(|(broken, says)| view! {
                <span class=if broken { "problem" } else { "quiet" }>{says}</span>
            }))}
        </p>
    }
}

/// What is taken where nothing was pasted yet.
const NO_TABLE: &str = "CSV with a header, or a JSON array of objects.";

/// A field as its kind says.
fn plain_field(known: &Field) -> Shown {
    let control = match known.takes {
        Takes::OneOf(all) => {
            Control::Choice(all.iter().map(|one| ((*one).to_owned(), choice_words(one).to_owned())).collect())
        }
        Takes::Flag => Control::Switch,
        _ if matches!(known.name, "mappings" | "lines") => Control::Lines,
        _ if known.name.starts_with("unit") || matches!(known.name, "right_unit" | "row_unit") => {
            Control::Line(Some(UNITS))
        }
        _ => Control::Line(None),
    };
    // The group has the name that the field has elsewhere.
    let label = if known.name == "shows" { "Value" } else { known.label }.to_owned();
    let name = known.name.to_owned();
    Shown { name, label, takes: known.takes, control, placeholder: placeholder(known.name) }
}

/// What people read of one of several values.
fn choice_words(one: &'static str) -> &'static str {
    match one {
        "last" => "Last value",
        "mean" => "Average",
        "min" => "Lowest",
        "max" => "Highest",
        "sum" => "Sum",
        "area" => "Areas",
        "line" => "Lines",
        "bars" => "Bars",
        HEAT_MAP => "Heat map",
        "auto" => "Names where there are several",
        "value" => "Value",
        "name" => "Name",
        "value_and_name" => "Value and name",
        other => other,
    }
}

fn placeholder(field: &str) -> &'static str {
    match field {
        "query" => "server.cpu",
        "legend" => "{{host}}",
        "unit" => "%, ms, bytes, /s …",
        "unit." => "as the others",
        "decimals" | "min" | "max" | "right_min" | "right_max" => "automatic",
        "right_unit" => "as the left",
        "row_unit" => "of a heat map",
        "warn_at" | "alert_at" | "warn_below" | "alert_below" => "never",
        "no_value" => format::NO_VALUE,
        "mappings" => "0 = [alert] Down\n1 = Up\n2..5 = Busy",
        "lines" => "errors = right, red, unit ms\n*total* = dashed\n5* | 4* = hidden",
        "min_step" => "15",
        "data" => "day,orders\n2026-11-22,1284",
        _ => "",
    }
}
