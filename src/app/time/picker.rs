//! The button of the header that says which time shows, and the choice behind it.

use leptos::html::Input;
use leptos::prelude::*;

use super::words;
use crate::app::chunks::{Part, Parts};
use crate::app::components::{Glyph, Icon, Panel, Panels, Popup, Popups};
use crate::app::dashboard_store::{DashboardStore, SyncState};
use crate::app::dynamic::{attr, derived, live, memo};
use crate::app::format;
use crate::dashboard::range::TimeRange;

/// The name of the popup.
pub const TIME: &str = "time";

/// What it is called that shows now.
pub(super) fn label(store: DashboardStore) -> Memo<String> {
    let time = store.time;
    memo(move || {
        let range = time.range.get();
        match time.zoned.get() {
            true => words::range(range, time.now()),
            // As the server renders it: by no clock, and by no zone of anybody's.
            false if range.moves() => words::range(range, 0),
            false => "A fixed time".to_owned(),
        }
    })
}

#[component]
pub fn RangeButton(store: DashboardStore) -> impl IntoView {
    let parts = Parts::here();
    let time = store.time;
    let label = label(store);
    let alone = memo(move || time.own.read().is_some());
    let says = derived(move || match alone.get() {
        true => format!("Your own time: {}", label.read()),
        false => format!("Time shown to everybody: {}", label.read()),
    });
    let face = move || {
        view! {
            <Glyph icon=Icon::Clock/>
            <span class="time-words">{label}</span>
            <span class="moves" class:hidden=attr(move || !time.range.read().moves())>"live"</span>
        }
    };
    view! {
        <span class="time-range" class:own=alone>
            <Popup
                name=TIME
                testid="time-range"
                class="button line"
                role="dialog"
                label=says
                face=ViewFn::from(face)
                from_end=true
            >
                {parts.show(Part::TimeRange)}
            </Popup>
            {live(move || alone.get().then(|| parts.show(Part::OwnTime)))}
        </span>
    }
}

#[component]
pub fn RangePicker(store: DashboardStore) -> impl IntoView {
    let time = store.time;
    let (popups, panels) = (Popups::here(), Panels::here());
    let read_only = memo(move || matches!(*store.sync.read(), SyncState::ReadOnly));
    let alone = RwSignal::new(read_only.get_untracked() || time.own.read_untracked().is_some());
    let (from, to) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let wrong = RwSignal::new(None::<String>);
    let choose = move |range: TimeRange| {
        match alone.get_untracked() {
            true => time.own.set(Some(range)),
            false => {
                let known = range == time.shared.get_untracked();
                let op = time.share(range);
                if !known {
                    store.edit(vec![op]);
                }
            }
        }
        popups.close();
    };
    let offered = move |range: TimeRange| {
        view! {
            <button
                type="button"
                class="item"
                data-testid=format!("time-range-{range}")
                aria-pressed=move || if time.range.get() == range { "true" } else { "false" }
                on:click=move |_| choose(range)
            >
                {words::range(range, 0)}
            </button>
        }
    };
    let read = |input: NodeRef<Input>| words::from_input(&input.get_untracked()?.value());
    let show = move || match (read(from), read(to)) {
        (Some(first), Some(last)) if last > first => match format!("{first}/{last}").parse::<TimeRange>() {
            Ok(range) => choose(range),
            Err(_) => wrong.set(Some("From a minute to two years can be shown.".to_owned())),
        },
        (Some(_), Some(_)) => wrong.set(Some("The end is not after the beginning.".to_owned())),
        _ => wrong.set(Some("Give a day and a time for both.".to_owned())),
    };
    let (first, last) = time.window();
    let moment = move |input: NodeRef<Input>, label: &'static str, testid: &'static str, at: u64| {
        view! {
            <label class="field">
                <span class="label">{label}</span>
                <input
                    type="datetime-local"
                    step="1"
                    node_ref=input
                    data-testid=testid
                    value=words::for_input(at)
                    aria-invalid=move || wrong.read().is_some().then_some("true")
                    on:input=move |_| wrong.set(None)
                />
            </label>
        }
    };
    view! {
        <div class="time-picker">
            <div class="whom" role="group" aria-label="Who sees this time">
                <button
                    type="button"
                    data-testid="time-for-all"
                    aria-pressed=move || if alone.get() { "false" } else { "true" }
                    disabled=attr(move || read_only.get())
                    on:click=move |_| alone.set(false)
                >
                    "For everybody"
                </button>
                <button
                    type="button"
                    data-testid="time-only-me"
                    aria-pressed=move || if alone.get() { "true" } else { "false" }
                    on:click=move |_| alone.set(true)
                >
                    "Only for me"
                </button>
            </div>
            <div class="offered">{words::OFFERED.map(offered).collect_view()}</div>
            <form class="fixed" on:submit=move |event| { event.prevent_default(); show(); }>
                {moment(from, "From", "time-from", first)}
                {moment(to, "To", "time-to", last)}
                <p class="wrong" role="alert">{live(move || wrong.get())}</p>
                <button type="submit" class="button line" data-testid="time-fixed">"Show this time"</button>
            </form>
            <button
                type="button"
                class="item marks-open"
                data-testid="marks-open"
                on:click=move |_| { popups.close(); panels.enter(Panel::Marks); }
            >
                <Glyph icon=Icon::Flag/>
                {live(move || match time.marks.read().len() {
                    0 => "Marked moments".to_owned(),
                    n => format::count(n, "marked moment", "marked moments"),
                })}
            </button>
        </div>
    }
}
