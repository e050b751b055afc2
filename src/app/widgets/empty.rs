//! Empty state of a widget: what to do about it, with a line that feeds it.

use crate::app::dynamic::{live, memo};
use leptos::prelude::*;

use super::values;
use crate::app::clock::Clock;
use crate::app::components::{Glyph, Icon};
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::format;
use crate::app::pasted::Pasted;
use crate::app::{address, dom};
use crate::dashboard::query::TABLE;
use crate::dashboard::settings::with_variables;
use crate::dashboard::{Kind, Widget};

/// The prefix of this server's own figures, which nobody sends.
const OWN: &str = "server.";

/// What to say, and the series that a line would feed.
#[derive(Clone, Debug, PartialEq)]
struct Hint {
    says: String,
    feed: Option<String>,
}

/// What the source of a widget without a value has said.
#[derive(Clone, Copy)]
enum Answer<'a> {
    Awaited,
    Came,
    /// Why there is none, in a sentence.
    Failed(&'a str),
}

/// What a widget without a value says; `query` is its query with the dashboard's variables in it. What it has to
/// say of no value is true only where the source has answered.
fn hint(widget: &Widget, query: &str, pasted: &Pasted, answer: Answer) -> Hint {
    let only = |says: &str| Hint { says: says.to_owned(), feed: None };
    let own_words = values::figure(None, "", widget).number;
    match (widget.text_option("source"), pasted, answer) {
        (_, Pasted::Broken(why), _) => only(why),
        (_, _, Answer::Came) if own_words != format::NO_VALUE => only(&own_words),
        (TABLE, _, _) if widget.text_option("data").trim().is_empty() => {
            only("Paste a table into the options: CSV with a header, or a JSON array of objects.")
        }
        (TABLE, _, _) if widget.kind == Kind::Timeseries => {
            only("A chart needs a column of times, as 2026-11-22 10:00, and one of numbers.")
        }
        (TABLE, _, _) => only("This table has no column of numbers."),
        (_, _, Answer::Failed(why)) if !query.trim().is_empty() => only(why),
        ("", _, _) => {
            let first = query.split([',', '\n']).map(str::trim).find(|name| !name.is_empty());
            match first {
                None => Hint {
                    says: "Name a series in the options, or send one:".to_owned(),
                    feed: Some("orders".to_owned()),
                },
                Some(name) if name.starts_with(OWN) => only("No values in this time yet."),
                Some(name) => Hint {
                    says: format!("No values of “{name}” in this time. This sends one:"),
                    feed: Some(name.to_owned()),
                },
            }
        }
        _ if query.trim().is_empty() => only("Write a query into the options."),
        _ => only("The query gave no values in this time."),
    }
}

/// The line for a terminal that feeds a series. A name with labels feeds the series before its labels.
fn curl(origin: &str, series: &str) -> String {
    let name = series.split('{').next().unwrap_or(series);
    let body = serde_json::json!({ "series": name, "value": 42 }).to_string().replace('\'', "'\\''");
    format!("curl {origin}/api/v1/series -H 'content-type: application/json' -d '{body}'")
}

/// Says what to do, where a widget has nothing to show.
#[component]
pub fn Empty(signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let clock = Clock::here();
    let awake = memo(move || clock.now() > 0);
    // Before the first answer nobody knows; a page that has just opened does not say that there is nothing.
    let bare = memo(move || match &*signals.pasted.read() {
        Pasted::No => {
            let asks = signals.shown.with(|widget| !widget.text_option("query").trim().is_empty());
            let data = signals.data.read();
            let none =
                data.series.iter().all(|series| series.points.iter().all(|(_, value)| value.is_none()));
            none && (!asks || data.received_at > 0)
        }
        Pasted::Series(series) => series.is_empty(),
        Pasted::Table(table) => table.columns.is_empty(),
        Pasted::Broken(_) => true,
    });
    let hint = memo(move || {
        bare.get().then(|| {
            signals.shown.with(|widget| {
                let query = with_variables(&store.settings.read(), widget.text_option("query"));
                let data = signals.data.read();
                let answer = match &data.error {
                    Some(why) => Answer::Failed(why),
                    None if signals.answered() => Answer::Came,
                    None => Answer::Awaited,
                };
                hint(widget, &query, &signals.pasted.read(), answer)
            })
        })
    });
    live(move || {
        let Hint { says, feed } = hint.get()?;
        let line = feed.filter(|_| awake.get()).map(|series| {
            let line = curl(&address::in_full(""), &series);
            let copied = line.clone();
            let copy = move |event: leptos::ev::MouseEvent| {
                event.stop_propagation();
                dom::copy(&copied, move |done| {
                    store.toast(if done { "Copied." } else { "Select the line to copy it." }, None);
                });
            };
            view! {
                <span class="curl">
                    <code tabindex="0">{line}</code>
                    <button type="button" class="tool" aria-label="Copy the line" title="Copy" on:click=copy>
                        <Glyph icon=Icon::Copy/>
                    </button>
                </span>
            }
        });
        Some(view! { <div class="hint-empty" data-testid="widget-empty"><span>{says}</span>{line}</div> })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::Frame;

    #[test]
    fn an_empty_widget_says_what_to_do() {
        let mut widget = Widget::new(Kind::Stat, "", Frame::default());
        let feed =
            |widget: &Widget| hint(widget, widget.text_option("query"), &Pasted::No, Answer::Came).feed;
        assert_eq!(feed(&widget).as_deref(), Some("orders"));
        widget.options.insert("query".to_owned(), "sales, server.cpu".into());
        assert_eq!(feed(&widget).as_deref(), Some("sales"));
        let unread = Answer::Failed("The name has no closing brace.");
        assert_eq!(hint(&widget, "sales{a", &Pasted::No, unread).feed, None, "no line mends the name");
        widget.options.insert("query".to_owned(), "server.cpu".into());
        assert_eq!(feed(&widget), None);
        widget.options.insert("source".to_owned(), "main".into());
        assert!(hint(&widget, "up", &Pasted::No, Answer::Came).says.starts_with("The query gave"));
        let why = "lab does not take the query: no such table: cellar";
        assert_eq!(hint(&widget, "up", &Pasted::No, Answer::Failed(why)).says, why);
        widget.options.insert("no_value".to_owned(), "All is well".into());
        assert_eq!(
            hint(&widget, "up", &Pasted::No, Answer::Failed(why)).says,
            why,
            "nobody knows whether it is"
        );
        assert!(hint(&widget, "up", &Pasted::No, Answer::Awaited).says.starts_with("The query gave"));
        assert_eq!(
            hint(&widget, "up", &Pasted::No, Answer::Came),
            Hint { says: "All is well".to_owned(), feed: None }
        );
        widget.options.insert("mappings".to_owned(), "none = Nothing yet".into());
        assert_eq!(hint(&widget, "up", &Pasted::No, Answer::Came).says, "Nothing yet");
        widget.options.clear();
        widget.options.insert("source".to_owned(), TABLE.into());
        assert!(hint(&widget, "", &Pasted::No, Answer::Came).says.starts_with("Paste a table"));
    }

    #[test]
    fn the_line_is_one_that_a_shell_takes() {
        assert_eq!(
            curl("http://h:1", "it's{a=b}"),
            "curl http://h:1/api/v1/series -H 'content-type: application/json' -d '{\"series\":\"it'\\''s\",\"value\":42}'"
        );
    }
}
