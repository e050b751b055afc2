//! Kiosk mode of a dashboard on a screen: its turns, reloads and wake lock, and the corner that says what is wrong.
//!
//! How large the widgets are is a matter of style: `style/kiosk.css` makes them as large as the whole dashboard has room
//! for. Of one that is higher than the screen the page shows one part after the other.

use std::time::Duration;

use js_sys::{Function, Promise, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

use super::kiosk_stops::{Edges, place, stops};
use super::kiosk_turns::Turns;
use crate::app::PageData;
use crate::app::clock::Clock;
use crate::app::dashboard_store::{DashboardStore, SyncState};
use crate::app::dynamic::{attr, effect, live, memo};
use crate::app::time::words;
use crate::app::widgets::stale_for;
use crate::app::{address, dom, format};

/// How often the page looks where it is in its turn.
const TICK: Duration = Duration::from_secs(1);
/// What says in a tab that it is a screen's.
const KIOSK_KEY: &str = "lockstep_kiosk";
/// A pointer that rests for this long goes.
const POINTER_MS: f64 = 2_000.0;
/// The share of a screen's width that stays free above a widget; `style/kiosk.css` says the same.
const MARGIN: f64 = 0.012;

#[component]
pub fn Kiosk(store: DashboardStore) -> impl IntoView {
    let clock = Clock::here();
    let build = with_context::<PageData, _>(|data| data.build.clone()).unwrap_or_default();
    let turns = Turns::new(store.id.get_value(), build);
    effect(move || turns.follow());
    effect(move || turns.is_broken.set(matches!(*store.sync.read(), SyncState::Error { .. })));
    effect(mark_tab);
    effect(ask_to_stay_awake);
    // The browser forgets it with each time that the page goes out of view.
    dom::when_visible(ask_to_stay_awake);
    let still = RwSignal::new(true);
    let moved_at = StoredValue::new(0.0);
    let over = RwSignal::new(false);
    dom::on_window(leptos::ev::pointermove, move |_| {
        moved_at.set_value(dom::elapsed_ms().unwrap_or_default());
        still.set(false);
    });
    dom::every(TICK, move || {
        let elapsed = dom::elapsed_ms().unwrap_or_default();
        let is_still = elapsed - moved_at.get_value() >= POINTER_MS;
        if is_still != still.get_untracked() {
            still.set(is_still);
        }
        let stops = stops_of_page();
        let (at, is_over) = place(elapsed as u64, stops.len(), turns.rotate_ms());
        if let Some(top) = stops.get(at) {
            dom::scroll_softly(*top);
        }
        if is_over != over.get_untracked() {
            over.set(is_over);
        }
        if is_over {
            turns.end_turn(elapsed as u64);
        }
    });
    let cut_at = RwSignal::new(None::<u64>);
    effect(move || {
        let is_cut = is_cut(&store.sync.read());
        if is_cut != cut_at.with_untracked(Option::is_some) {
            cut_at.set(is_cut.then(|| clock.now_untracked()));
        }
    });
    let says = memo(move || {
        let now = clock.now();
        let stale = || {
            let ahead = store.server_ahead_ms.get_value().unwrap_or(0);
            stale_for(store, now.saturating_add_signed(ahead)).filter(|_| store.time.range.get().moves())
        };
        corner(cut_at.get(), stale, |at| words::moment(at, now))
    });
    let has_nothing =
        memo(move || turns.state.read().as_ref().is_some_and(|state| state.dashboards.is_empty()));
    view! {
        <div class="kiosk-glass" class:still=still aria-hidden="true"></div>
        <div class="kiosk-nothing" role="status" class:hidden=attr(move || !has_nothing.get())>
            {live(move || has_nothing.get().then(|| view! {
                <p>"There is nothing to show here."</p>
                <p>{format!("Choose dashboards for this screen at {}.", address::in_full("/screens"))}</p>
            }))}
        </div>
        <p
            class="kiosk-corner"
            role="status"
            data-testid="kiosk-corner"
            data-turn=attr(move || if over.get() { "over" } else { "on" })
            class:hidden=attr(move || says.read().is_none())
        >
            {live(move || says.get())}
        </p>
    }
}

/// True in a tab that has shown a dashboard on a screen.
pub fn is_kiosk_tab() -> bool {
    let stored = window().session_storage().ok().flatten();
    stored.is_some_and(|stored| matches!(stored.get_item(&address::name(KIOSK_KEY)), Ok(Some(_))))
}

fn mark_tab() {
    if let Ok(Some(stored)) = window().session_storage() {
        // A browser that stores nothing shows what everybody sees without a server.
        let _ = stored.set_item(&address::name(KIOSK_KEY), "true");
    }
}

/// True while nothing comes from the server. Before the first connection that is not said yet.
fn is_cut(sync: &SyncState) -> bool {
    matches!(sync, SyncState::Reconnecting { .. } | SyncState::Offline | SyncState::Error { .. })
}

/// What the corner says; nothing while all is well. `stale` is how old the figures are, where they are.
fn corner(
    cut_at: Option<u64>,
    stale: impl FnOnce() -> Option<u64>,
    moment: impl FnOnce(u64) -> String,
) -> Option<String> {
    match cut_at {
        Some(at) => Some(format!("No connection since {}", moment(at))),
        None => stale().map(|age| format!("Figures are {} old", format::span(age))),
    }
}

/// The places of the dashboard that the page shows.
fn stops_of_page() -> Vec<f64> {
    let root = document().document_element();
    let (width, total) =
        root.map_or((0.0, 0.0), |root| (f64::from(root.client_width()), f64::from(root.scroll_height())));
    let height = dom::window_height();
    // Nothing is measured where all shows.
    let widgets = if total > height { edges_of_widgets() } else { Vec::new() };
    stops(&widgets, height, total, width * MARGIN)
}

fn edges_of_widgets() -> Vec<Edges> {
    let Ok(all) = document().query_selector_all(".kiosk .widget") else { return Vec::new() };
    let scrolled = dom::scrolled();
    let edges = |n: u32| {
        let area = all.get(n)?.dyn_into::<web_sys::Element>().ok()?.get_bounding_client_rect();
        Some((area.top() + scrolled, area.bottom() + scrolled))
    };
    (0..all.length()).filter_map(edges).collect()
}

/// Asks the device not to switch its display off, where the browser can.
fn ask_to_stay_awake() {
    let asked = || {
        let lock =
            Reflect::get(&window().navigator(), &"wakeLock".into()).ok().filter(|lock| lock.is_object())?;
        let request: Function = Reflect::get(&lock, &"request".into()).ok()?.dyn_into().ok()?;
        request.call1(&lock, &"screen".into()).ok()?.dyn_into::<Promise>().ok()
    };
    if let Some(asked) = asked() {
        spawn_local(async move {
            // Refused where the device saves power: then its own settings count.
            let _ = JsFuture::from(asked).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corner_is_empty_while_all_is_well_and_the_worst_comes_first() {
        let moment = |at: u64| format!("t{at}");
        assert_eq!(corner(None, || None, moment), None);
        assert_eq!(corner(None, || Some(300_000), moment).as_deref(), Some("Figures are 5 min old"));
        assert_eq!(corner(Some(7), || Some(300_000), moment).as_deref(), Some("No connection since t7"));
        assert!(!is_cut(&SyncState::Connecting) && !is_cut(&SyncState::ReadOnly));
        assert!(is_cut(&SyncState::Offline) && is_cut(&SyncState::Reconnecting { retry_in_ms: None }));
    }
}
