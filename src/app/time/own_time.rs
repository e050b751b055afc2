//! A time that one person looks at alone: a line that says so and leads back, and the points for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::picker::label;
use super::pixel_ms;
use crate::app::dashboard_store::{DashboardStore, WidgetData, WidgetSignals};
use crate::app::drawing::draw_soon;
use crate::app::dynamic::{attr, effect, live};
use crate::app::{address, dom, json, requests};
use crate::dashboard::WidgetId;
use crate::dashboard::order::sorted;
use crate::dashboard::query::TABLE;
use crate::dashboard::range::TimeRange;
use crate::dashboard::settings::with_variables;
use crate::sync::protocol::DataFrame;

/// Requests that are under way at once.
const AT_ONCE: usize = 4;
/// A time that moves is asked for anew no sooner than this.
const SOONEST_MS: u64 = 4_000;
/// And no later, however long it is.
const LATEST_MS: u64 = 60_000;
/// Longer for many widgets: this much for each.
const PER_WIDGET_MS: u64 = 150;

/// The wait after an answer that did not come, and for one that may still come.
const AGAIN_MS: u64 = 5_000;
const ANSWER_MS: u64 = 30_000;

/// What each widget was asked for, and from when on it is asked for again; `None` for what stays as it is.
type Asked = BTreeMap<WidgetId, (String, Option<u64>)>;

#[component]
pub fn OwnTime(store: DashboardStore) -> impl IntoView {
    let time = store.time;
    let label = label(store);
    let failed = RwSignal::new(None::<String>);
    fetch(store, failed);
    let share = move |_| {
        if let Some(range) = time.own.get_untracked() {
            store.edit(vec![time.share(range)]);
        }
    };
    let read_only = move || !store.may_edit.get();
    view! {
        <span class="own-time" data-testid="own-time">
            <span role="status">
                "Only for you" <span class="sr-only">": " {label}</span>
                {live(move || failed.get().map(|why| view! { <small class="wrong">{why}</small> }))}
            </span>
            <button
                type="button"
                class="button"
                data-testid="own-time-share"
                disabled=attr(read_only)
                on:click=share
            >
                "Set for everyone"
            </button>
            <button
                type="button"
                class="button back"
                data-testid="own-time-back"
                title="Back to the time that everybody sees (T)"
                on:click=move |_| time.own.set(None)
            >
                "Back" <kbd>"T"</kbd>
            </button>
        </span>
    }
}

/// Asks for the points of the own time for as long as this is shown. What everybody sees is put aside, goes on
/// there, and comes back in the end.
fn fetch(store: DashboardStore, failed: RwSignal<Option<String>>) {
    let time = store.time;
    put_aside(store);
    on_cleanup(move || take_back(store, draw_soon));
    let wanted = Memo::new(move |before: Option<&Vec<_>>| match before {
        // The server answers by what it has; what is on its way to it may change the answer.
        Some(before) if store.pending.get() > 0 => before.clone(),
        _ => wants(store),
    });
    let asked = StoredValue::new(Asked::new());
    // Those that show figures of this time; the others still show those of another.
    let answered = StoredValue::new(BTreeSet::<WidgetId>::new());
    let under_way = StoredValue::new(0_usize);
    let ask = move || {
        let Some(range) = time.own.get_untracked() else { return };
        let now = time.now();
        let due = wanted.with_untracked(|wanted| asked.with_value(|asked| due(wanted, asked, now)));
        for (id, key) in due {
            if under_way.get_value() >= AT_ONCE {
                // The rest comes with the next tick.
                return;
            }
            under_way.update_value(|n| *n += 1);
            let note = move |id: &WidgetId, key: &str, next: Option<u64>| {
                asked.update_value(|asked| {
                    asked.insert(id.clone(), (key.to_owned(), next));
                });
            };
            note(&id, &key, Some(now + ANSWER_MS));
            spawn_local(async move {
                let answer = points(store, &id, range.at(now.next_multiple_of(pixel_ms(range)))).await;
                // By now they may have gone back, or on to another time.
                if under_way.try_update_value(|n| *n = n.saturating_sub(1)).is_none()
                    || time.own.get_untracked() != Some(range)
                {
                    return;
                }
                let Some(signals) = store.widget(&id) else { return };
                let first = answered.with_value(|answered| !answered.contains(&id));
                match answer {
                    Ok(mut frame) => {
                        // What came before a source failed is what there is.
                        frame.reset &= first || frame.error.is_none();
                        answered.update_value(|answered| {
                            answered.insert(id.clone());
                        });
                        note(&id, &key, next(range, now, wanted.with_untracked(Vec::len)));
                        signals.data.update_untracked(|data| data.take(frame, range, dom::now_ms()));
                        draw_soon(signals);
                        failed.set(None);
                    }
                    Err(why) => {
                        note(&id, &key, Some(now + AGAIN_MS));
                        if first {
                            // Nothing rather than the figures of another time.
                            let error = Some(why.clone());
                            signals.data.set(WidgetData { error, ..WidgetData::default() });
                        }
                        failed.set(Some(why));
                    }
                }
            });
        }
    };
    effect(move || {
        // Another time: all of it anew.
        time.own.track();
        asked.set_value(Asked::new());
        answered.set_value(BTreeSet::new());
        ask();
    });
    effect(move || {
        wanted.track();
        ask();
    });
    // Between two seconds as long as there is something left to ask for.
    dom::every(Duration::from_millis(250), ask);
}

/// Those that have to be asked for now: what was not yet, what asks for something else by now, and what is due
/// again.
fn due(wanted: &[(WidgetId, String)], asked: &Asked, now: u64) -> Vec<(WidgetId, String)> {
    let is_due = |(id, key): &&(WidgetId, String)| match asked.get(id) {
        Some((before, next)) => before != key || next.is_some_and(|next| next <= now),
        None => true,
    };
    wanted.iter().filter(is_due).cloned().collect()
}

/// When what was asked for at a moment is asked for again: as the time moves on, and the rarer the longer it is
/// and the more widgets there are. A fixed time that has passed stays as it is.
fn next(range: TimeRange, asked_at: u64, widgets: usize) -> Option<u64> {
    let (_, to) = range.at(asked_at);
    let pause = (range.length() / 500).clamp(SOONEST_MS, LATEST_MS).max(widgets as u64 * PER_WIDGET_MS);
    (range.moves() || to >= asked_at).then_some(asked_at + pause)
}

/// What the widgets ask for, those on the screen first.
fn wants(store: DashboardStore) -> Vec<(WidgetId, String)> {
    let settings = store.settings.read();
    let mut wanted = Vec::new();
    for id in store.order.get() {
        let Some(signals) = store.widget(&id) else { continue };
        let key = signals.widget.with(|widget| {
            let (source, query) = (widget.text_option("source"), widget.text_option("query"));
            let asks = widget.kind.asks() && source != TABLE && !query.trim().is_empty();
            asks.then(|| {
                let query = with_variables(&settings, query);
                // Of what shows its last values alone, no others are sent.
                let latest = widget.reduces_to().unwrap_or_default();
                let min_step = widget.number_option("min_step").unwrap_or_default();
                format!("{source}\n{query}\n{}\n{latest}\n{min_step}", widget.text_option("legend"))
            })
        });
        wanted.extend(key.map(|key| (signals.seen.get_untracked(), (id, key))));
    }
    sorted(wanted, |a, b| b.0.cmp(&a.0)).into_iter().map(|(_, one)| one).collect()
}

/// Asks the server for the points of one widget, in words where that does not work.
async fn points(store: DashboardStore, id: &WidgetId, (from, to): (u64, u64)) -> Result<DataFrame, String> {
    let dashboard = store.id.get_value();
    let address = format!("/api/v1/dashboards/{dashboard}/data?widget={id}&from={from}&to={to}");
    let text = requests::send("GET", &address, None).await.map_err(|error| error.to_string())?;
    json::read(&text).map_err(|_| "The server answered something else; reload the page.".to_owned())
}

/// Keeps what everybody sees apart from what is shown, as it goes on.
pub(super) fn put_aside(store: DashboardStore) {
    let widgets = store.order.get_untracked().into_iter();
    let data = widgets.filter_map(|id| {
        let data = store.widget(&id)?.data.get_untracked();
        Some((id, data))
    });
    store.time.aside.set_value(Some(data.collect()));
}

/// Shows again what everybody sees.
pub(super) fn take_back(store: DashboardStore, draw: impl Fn(WidgetSignals)) {
    let Some(Some(mut aside)) = store.time.aside.try_update_value(Option::take) else { return };
    for id in store.order.get_untracked() {
        let Some(signals) = store.widget(&id) else { continue };
        let data = aside.remove(&id).unwrap_or_else(WidgetData::default);
        signals.data.update_untracked(|shown| *shown = data);
        draw(signals);
    }
}

/// Keeps the own time over a reload of this tab, and no longer.
pub(super) fn remember(store: DashboardStore) {
    let own = store.time.own;
    let key = move || address::name(&format!("lockstep_time_{}", store.id.get_value()));
    // A browser that keeps nothing forgets it with the page.
    let storage = || window().session_storage().ok().flatten();
    let first = StoredValue::new(true);
    effect(move || {
        let now = own.get();
        let Some(storage) = storage() else { return };
        if first.get_value() {
            first.set_value(false);
            let kept = storage.get_item(&key()).ok().flatten();
            if let Some(range) = kept.and_then(|text| text.parse().ok()) {
                own.set(Some(range));
            }
            return;
        }
        let _ = match now {
            Some(range) => storage.set_item(&key(), &range.to_string()),
            None => storage.remove_item(&key()),
        };
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_widget_is_asked_for_when_there_is_something_new() {
        let id = |n: usize| WidgetId::new(format!("w{n}")).expect("an id");
        let wanted = [(id(1), "a".to_owned()), (id(2), "b".to_owned())];
        let names = |asked: &Asked, now| {
            due(&wanted, asked, now).into_iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(&Asked::new(), 100), ["w1", "w2"]);
        let asked = Asked::from([(id(1), ("a".to_owned(), Some(500))), (id(2), ("old".to_owned(), None))]);
        assert_eq!(names(&asked, 100), ["w2"], "it asks for something else by now");
        assert_eq!(names(&asked, 500), ["w1", "w2"], "the time moved on");

        let quarter = TimeRange::Last(900_000);
        assert_eq!(next(quarter, 1_000, 1), Some(1_000 + SOONEST_MS));
        assert_eq!(next(quarter, 1_000, 100), Some(16_000), "many widgets are asked for more rarely");
        assert_eq!(next(TimeRange::Last(604_800_000), 0, 1), Some(LATEST_MS));
        assert_eq!(
            next(TimeRange::Fixed(10_000, 90_000), 900_000, 1),
            None,
            "what has passed stays as it is"
        );
        assert_eq!(next(TimeRange::Fixed(10_000, 90_000), 80_000, 1), Some(84_000), "what has not goes on");
    }
}
