//! The button of the header that says which time shows, and the choice behind it.

use leptos::prelude::*;

use super::moment_field::{MomentField, MomentInput};
use super::{words, zone};
use crate::app::chunks::{Part, Parts};
use crate::app::clock::Clock;
use crate::app::components::{Glyph, Icon, Panel, Panels, Popup, Popups};
use crate::app::dashboard_store::{DashboardStore, SyncState};
use crate::app::dynamic::{attr, derived, live, memo};
use crate::app::format;
use crate::app::widgets::figures_come;
use crate::dashboard::range::TimeRange;
use crate::dashboard::settings::TimeZone;

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

/// How what shows stands to the present, where it moves with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Nobody knows yet.
    Waiting,
    /// The connection stands, and figures come.
    Live,
    /// The connection stands, and no widget has got anything for longer than it should take.
    Silent,
    Reconnecting,
    Offline,
    Deleted,
    Ended,
}

impl Line {
    fn of(sync: &SyncState, in_bin: bool, come: impl FnOnce() -> bool) -> Self {
        match sync {
            SyncState::Connecting => Self::Waiting,
            SyncState::Offline => Self::Offline,
            SyncState::Reconnecting { .. } => Self::Reconnecting,
            SyncState::Error { .. } if in_bin => Self::Deleted,
            SyncState::Error { .. } => Self::Ended,
            SyncState::Saved | SyncState::Saving | SyncState::Conflict | SyncState::ReadOnly => {
                if come() {
                    Self::Live
                } else {
                    Self::Silent
                }
            }
        }
    }

    /// The value of `data-live`.
    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Live => "live",
            Self::Silent => "silent",
            Self::Reconnecting => "reconnecting",
            Self::Offline => "offline",
            Self::Deleted => "deleted",
            Self::Ended => "ended",
        }
    }

    fn says(self) -> &'static str {
        match self {
            // It takes the room that it is going to need.
            Self::Waiting | Self::Live => "live",
            Self::Silent => "no new data",
            Self::Reconnecting => "reconnecting",
            Self::Offline => "offline",
            Self::Deleted => "deleted",
            Self::Ended => "not connected",
        }
    }
}

#[component]
pub fn RangeButton(store: DashboardStore) -> impl IntoView {
    let parts = Parts::here();
    let time = store.time;
    let clock = Clock::here();
    let line = memo(move || {
        let moves = time.range.read().moves();
        let come = || clock.now() == 0 || figures_come(store, time.now());
        moves.then(|| Line::of(&store.sync.read(), store.safety.read().in_bin, come))
    });
    let label = label(store);
    let alone = memo(move || time.own.read().is_some());
    let says = derived(move || match alone.get() {
        true => format!("Your own time: {}", label.read()),
        false => format!("Time shown to everybody: {}", label.read()),
    });
    // Of another zone than the viewer's own.
    let zone_name = move || match &*time.zone.read() {
        TimeZone::Browser => None,
        TimeZone::Utc => Some("UTC".to_owned()),
        TimeZone::Named(name) => Some(name.rsplit('/').next().unwrap_or(name).replace('_', " ")),
    };
    let zone_title = move || match &*time.zone.read() {
        TimeZone::Named(name) => Some(name.clone()),
        _ => None,
    };
    let face = move || {
        view! {
            <Glyph icon=Icon::Clock/>
            <span class="time-words">{label}</span>
            <span class="zone" data-testid="zone-name" title=attr(zone_title)>{live(zone_name)}</span>
            <span
                class="moves"
                class:hidden=attr(move || line.read().is_none())
                data-testid="time-live"
                data-live=attr(move || line.get().map(Line::name))
            >
                {live(move || line.get().map(Line::says))}
            </span>
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
    let read_only = memo(move || !store.may_edit.get());
    let alone = RwSignal::new(read_only.get_untracked() || time.own.read_untracked().is_some());
    let (first, last) = time.window();
    let (from, to) = (MomentField::new(first), MomentField::new(last));
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
    let show = move || match (from.read(), to.read()) {
        (Ok(first), Ok(last)) if last > first => match format!("{first}/{last}").parse::<TimeRange>() {
            Ok(range) => choose(range),
            Err(_) => wrong.set(Some("From a minute to two years can be shown.".to_owned())),
        },
        (Ok(_), Ok(_)) => wrong.set(Some("The end is not after the beginning.".to_owned())),
        (Err(why), _) => wrong.set(Some(format!("From: {why}"))),
        (_, Err(why)) => wrong.set(Some(format!("To: {why}"))),
    };
    let zone_in_words = move || {
        let offset = zone::offset_name(zone::ahead(time.now()));
        let name = zone::name();
        match &*time.zone.read() {
            TimeZone::Browser => format!("By your own clock: {name}, {offset} now"),
            TimeZone::Named(wanted) if !zone::is_known(wanted) => {
                format!(
                    "This browser does not know the zone {wanted}. By your own clock: {name}, {offset} now"
                )
            }
            TimeZone::Utc => "In UTC, for everybody".to_owned(),
            TimeZone::Named(_) => format!("In {name}, for everybody: {offset} now"),
        }
    };
    let is_wrong = derived(move || wrong.read().is_some());
    let changed = move |()| wrong.set(None);
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
                <MomentInput field=from label="From" testid="time-from" wrong=is_wrong changed/>
                <MomentInput field=to label="To" testid="time-to" wrong=is_wrong changed/>
                <p class="quiet zone" data-testid="time-zone">{live(zone_in_words)}</p>
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_is_what_is_connected_and_gets_figures() {
        let ended = || SyncState::Error { reason: "It was deleted.".to_owned() };
        for (sync, in_bin, come, expected) in [
            (SyncState::Connecting, false, true, Line::Waiting),
            (SyncState::Saved, false, true, Line::Live),
            (SyncState::Saving, false, true, Line::Live),
            (SyncState::Conflict, false, true, Line::Live),
            (SyncState::ReadOnly, false, true, Line::Live),
            (SyncState::Saved, false, false, Line::Silent),
            (SyncState::Offline, false, true, Line::Offline),
            (SyncState::Reconnecting { retry_in_ms: None }, false, true, Line::Reconnecting),
            (ended(), true, true, Line::Deleted),
            (ended(), false, true, Line::Ended),
        ] {
            let line = Line::of(&sync, in_bin, || come);
            assert_eq!(line, expected, "{sync:?}");
            assert_eq!(line.says() == "live", matches!(line, Line::Live | Line::Waiting));
        }
    }
}
