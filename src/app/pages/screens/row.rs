//! One screen in the list: what it shows and whether it is on, with the ways to change and to revoke it.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

use super::fields::{DashboardsField, Fields, Filled, NameField, RotateField};
use super::{HEADING, Screens};
use crate::app::components::Problem;
use crate::app::dynamic::{attr, derived, live, memo};
use crate::app::pages::admin::confirmed::Confirmed;
use crate::app::screens::{ScreenCard, ScreenChange};
use crate::app::{dom, format, requests};
use crate::dashboard::Id;

/// Titles that are told of one screen; of others how many they are.
const MAX_TOLD: usize = 4;

#[component]
pub fn ScreenRow(id: Id, screens: Screens) -> impl IntoView {
    let key = StoredValue::new(id.clone());
    let card = memo(move || key.with_value(|id| screens.card(id)));
    let name = memo(move || card.read().as_ref().map(|card| card.name.clone()).unwrap_or_default());
    let is_on = memo(move || card.read().as_ref().is_some_and(|card| card.is_on));
    let editing = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let revoke = Callback::new(move |()| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let address = key.with_value(Screens::address);
        spawn_local(async move {
            let answer = requests::send("DELETE", &address, None).await;
            screens.changed().await;
            // The line may be gone by then.
            let _ = busy.try_set(false);
            let failed = answer.as_ref().err().map(|error| format!("The screen is paired still. {error}"));
            let _ = problem.try_set(failed);
            if answer.is_ok() {
                // What was pressed goes with its line.
                dom::focus_soon(HEADING);
            }
        });
    });
    let change = format!("screen-change-{id}");
    let back = StoredValue::new(change.clone());
    let done = Callback::new(move |()| {
        editing.set(false);
        back.with_value(|id| dom::focus_soon(id));
    });
    view! {
        <li data-testid="screen-row" data-screen=id.to_string() data-on=attr(move || is_on.get().to_string())>
            <div class="row-words">
                <b>{live(move || name.get())}</b>
                {live(move || if is_on.get() {
                    view! { <span class="badge">"On"</span> }.into_any()
                } else {
                    view! { <span class="badge off">"Off"</span> }.into_any()
                })}
                <small>{live(move || card.read().as_ref().map(shown_in_words))}</small>
                <small>{live(move || card.read().as_ref().map(|card| used_in_words(card, screens.now.get())))}</small>
                <small>{live(move || card.read().as_ref().map(|card| paired_in_words(card, screens.now.get())))}</small>
            </div>
            <span class="deeds">
                <button
                    type="button"
                    class="button line"
                    id=change
                    data-testid="screen-change"
                    aria-label=attr(move || format!("Change the screen {}", name.get()))
                    aria-expanded=attr(move || editing.get().to_string())
                    disabled=screens.asleep
                    on:click=move |_| editing.update(|editing| *editing = !*editing)
                >
                    "Change"
                </button>
                <Confirmed
                    id=format!("screen-revoke-{id}")
                    label="Revoke"
                    about=derived(move || name.get())
                    warns="It shows nothing of this server until it is paired again."
                    testid="screen-revoke"
                    disabled=screens.asleep
                    then=revoke
                />
            </span>
            <Problem problem/>
            {live(move || {
                let card = if editing.get() { card.get_untracked() } else { None };
                card.map(|card| view! { <Change card screens done/> })
            })}
        </li>
    }
}

/// The form that changes a screen.
#[component]
fn Change(card: ScreenCard, screens: Screens, done: Callback<()>) -> impl IntoView {
    let id = format!("screen-{}", card.id);
    let address = StoredValue::new(Screens::address(&card.id));
    let fields = Fields::new(card.name, card.team.to_string(), card.dashboards, card.rotate_s);
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        let Some(Filled { name, dashboards, rotate_s }) = fields.filled() else { return };
        let change =
            ScreenChange { name: Some(name), dashboards: Some(dashboards), rotate_s: Some(rotate_s) };
        busy.set(true);
        spawn_local(async move {
            let answer = requests::send("PUT", &address.get_value(), Some(&json!(change))).await;
            screens.changed().await;
            // The form may be closed by then.
            if busy.try_set(false).is_some() {
                return;
            }
            problem.set(answer.as_ref().err().map(|error| format!("The screen is as it was. {error}")));
            if answer.is_ok() {
                done.run(());
            }
        });
    };
    view! {
        <form class="row-more screen-form" novalidate on:submit=save>
            <NameField fields id=id.clone() testid="screen-name"/>
            <DashboardsField fields id=id.clone() testid="screen-dashboards"/>
            <RotateField fields id testid="screen-rotate"/>
            <Problem problem/>
            <div class="deeds">
                <button type="submit" class="button primary" data-testid="screen-save">"Save"</button>
                <button type="button" class="button line" on:click=move |_| done.run(())>"Cancel"</button>
            </div>
        </form>
    }
}

/// Whose it is, and what it shows.
fn shown_in_words(card: &ScreenCard) -> String {
    let titles = card.dashboards.iter().take(MAX_TOLD).map(|one| format::plain_title(&one.title));
    let mut told = titles.collect::<Vec<_>>().join(", ");
    match card.dashboards.len() {
        0 => told.push_str("shows nothing: its dashboards are gone"),
        1 => {}
        all => {
            if all > MAX_TOLD {
                told.push_str(&format!(" and {} more", all - MAX_TOLD));
            }
            told.push_str(&format!(", {} s each", card.rotate_s));
        }
    }
    format!("{} · {told}", card.team_name)
}

/// When and where it was there last. Before the page is awake it is not known how long ago that is.
fn used_in_words(card: &ScreenCard, now: u64) -> String {
    let mut words = match now {
        _ if card.is_on => "on now".to_owned(),
        0 => return String::new(),
        now => format!("last seen {}", format::ago(card.used_at, now)),
    };
    if !card.address.is_empty() {
        words.push_str(" at ");
        words.push_str(&card.address);
    }
    words
}

/// Who paired it, and when.
fn paired_in_words(card: &ScreenCard, now: u64) -> String {
    match now {
        0 => format!("paired by {}", card.made_by),
        now => format!("paired by {} {}", card.made_by, format::ago(card.made_at, now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::screens::ScreenDashboard;
    use crate::dashboard::DashboardId;

    #[test]
    fn a_screen_is_told_with_what_it_shows_and_when_it_was_there() {
        let dashboard = |title: &str| ScreenDashboard {
            id: DashboardId::new(title.to_ascii_lowercase()).expect("an id"),
            title: title.to_owned(),
        };
        let card = ScreenCard {
            id: Id::new("s").expect("an id"),
            name: "Hall".to_owned(),
            team: Id::new("t").expect("an id"),
            team_name: "Ops".to_owned(),
            dashboards: vec![dashboard("Orders")],
            rotate_s: 30,
            used_at: 1_000,
            is_on: false,
            made_by: "Ada".to_owned(),
            made_at: 1_000,
            address: "192.0.2.1".to_owned(),
        };
        assert_eq!(shown_in_words(&card), "Ops · Orders");
        assert_eq!(used_in_words(&card, 301_000), "last seen 5 min ago at 192.0.2.1");
        assert_eq!(paired_in_words(&card, 301_000), "paired by Ada 5 min ago");
        assert_eq!(paired_in_words(&card, 0), "paired by Ada");
        assert_eq!(used_in_words(&card, 0), "");
        let many = ["A", "B", "C", "D", "E", "F"].map(dashboard).to_vec();
        let card = ScreenCard { dashboards: many, is_on: true, ..card };
        assert_eq!(shown_in_words(&card), "Ops · A, B, C, D and 2 more, 30 s each");
        assert_eq!(used_in_words(&card, 0), "on now at 192.0.2.1");
        let card = ScreenCard { dashboards: Vec::new(), ..card };
        assert_eq!(shown_in_words(&card), "Ops · shows nothing: its dashboards are gone");
    }
}
