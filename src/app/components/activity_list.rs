//! The side panel that says who changed what, each line with a way to look at it, and to take back what others did.

use crate::app::dynamic::{attr, each, live, memo};
use leptos::html::Button;
use leptos::prelude::*;

use super::avatar::Avatar;
use super::commands::look_at;
use super::inspector::{SIDE, SideHead};
use crate::app::activity::{self, Activity};
use crate::app::clock::Clock;
use crate::app::dashboard_store::DashboardStore;
use crate::app::{dom, format};
use crate::dashboard::{Op, User, UserId};
use crate::sync::undo::Steps;

/// More steps than this are not taken back without a question.
const MAX_UNASKED: usize = 20;
/// The `id` attribute of the choice by whom.
const BY: &str = "activity-by";
/// The same of the button that leaves all steps as they are.
const KEEP: &str = "activity-keep";

#[component]
pub fn ActivityList(store: DashboardStore) -> impl IntoView {
    let by = RwSignal::new(None::<UserId>);
    let persons = memo(move || activity::persons(&store.activity.read()));
    let shown = move || {
        let (by, all) = (by.read(), store.activity.read());
        let is_shown = |one: &&Activity| by.as_ref().is_none_or(|by| one.by.id == *by);
        all.iter().rev().filter(is_shown).cloned().collect::<Vec<_>>()
    };
    view! {
        <aside class="side" id=SIDE tabindex="-1" data-testid="activity" aria-label="Activity">
            <SideHead title="Activity" close="Close the activity"/>
            <div class="activity-by" class:hidden=attr(move || persons.read().is_empty())>
                <label for=BY>"By whom"</label>
                <select
                    id=BY
                    class="role-select"
                    data-testid="activity-by"
                    on:change:target=move |event| by.set(UserId::new(event.target().value()).ok())
                >
                    <option value="">"Everybody"</option>
                    {each(
                        move || persons.get(),
                        |person| format!("{} {}", person.id, person.name),
                        move |person| {
                            let name = match person.id.is_program() {
                                _ if person.id == store.me.read_untracked().id => "You".to_owned(),
                                true => format!("{} (program)", person.name),
                                false => person.name,
                            };
                            view! { <option value=person.id.to_string()>{name}</option> }
                        },
                    )}
                </select>
                <TakeBackAll store by persons/>
            </div>
            <ol class="activity">
                {each(
                    shown,
                    // A line is made anew when its steps cannot be taken back any more.
                    |one| format!("{}{}", one.id, if one.steps.is_some() { "+" } else { "" }),
                    move |one| view! { <Line one store/> },
                )}
            </ol>
            <p class="quiet">
                {live(move || if store.activity.read().is_empty() {
                    "Nothing has changed since you opened this page. What you and others do shows here as it happens."
                } else {
                    "Since you opened this page."
                })}
            </p>
        </aside>
    }
}

/// Button that takes back all steps of the person whose lines are shown.
#[component]
fn TakeBackAll(
    store: DashboardStore,
    by: RwSignal<Option<UserId>>,
    persons: Memo<Vec<User>>,
) -> impl IntoView {
    let asking = RwSignal::new(false);
    let whose = memo(move || {
        let by = by.get().filter(|_| store.may_edit.get())?;
        let person = persons.read().iter().find(|person| person.id == by).cloned()?;
        let steps = store.others_steps.read();
        let (_, count) = steps.iter().find(|(id, _)| *id == by)?;
        Some((person, *count))
    });
    let take_back = move || {
        asking.set(false);
        if let Some((person, _)) = whose.get_untracked() {
            store.live(|live| live.take_back(&person, Steps::ALL));
        }
        dom::focus_soon(BY);
    };
    let ask = move |_| {
        if whose.get_untracked().is_some_and(|(_, count)| count > MAX_UNASKED) {
            asking.set(true);
            dom::focus_soon(KEEP);
        } else {
            take_back();
        }
    };
    let keep = move |_| {
        asking.set(false);
        dom::focus_soon(BY);
    };
    let label = move || {
        whose.read().as_ref().map_or_else(String::new, |(person, count)| {
            format!("Take back {} of {}", format::count(*count, "step", "steps"), person.name)
        })
    };
    view! {
        <button
            type="button"
            class="button line"
            data-testid="take-back-all"
            class:hidden=attr(move || asking.get() || whose.read().is_none())
            on:click=ask
        >
            {live(label)}
        </button>
        <span class="bin-sure" role="group" class:hidden=attr(move || !asking.get() || whose.read().is_none())>
            <span class="quiet">"What others changed since stays."</span>
            <button type="button" class="button danger line" data-testid="take-back-sure" on:click=move |_| take_back()>
                {live(label)}
            </button>
            <button type="button" class="button line" id=KEEP on:click=keep>"Keep"</button>
        </span>
    }
}

#[component]
fn Line(one: Activity, store: DashboardStore) -> impl IntoView {
    let clock = Clock::here();
    let me = store.me.read_untracked().id.clone();
    let meanwhile =
        store.absence.with_untracked(|away| away.as_ref().is_some_and(|away| away.covers(&one, &me)));
    let Activity { by, at, deed, steps, .. } = one;
    let who = if by.id == me { "You".to_owned() } else { by.name.clone() };
    let (user, id) = (by.id.to_string(), deed.widget.as_ref().map(ToString::to_string));
    let widget = StoredValue::new(deed.widget);
    let is_there = memo(move || {
        let order = store.order.read();
        widget.with_value(|id| id.as_ref().is_some_and(|id| order.contains(id)))
    });
    let glower = by.clone();
    let look = move |_| {
        let Some(id) = widget.get_value().filter(|_| is_there.get_untracked()) else { return };
        store.glow(&id, &glower);
        look_at(store, id);
    };
    let line = NodeRef::<Button>::new();
    // A button that was pressed goes, and the one beside it can be pressed again.
    let focus_line = move || {
        dom::soon(move || {
            if let Some(line) = line.try_get_untracked().flatten() {
                let _ = line.focus();
            }
        });
    };
    let restore = move |_| {
        if let Some(id) = widget.get_value() {
            store.edit(vec![Op::RestoreWidget { id }]);
            focus_line();
        }
    };
    let removed = deed.words.starts_with("removed ");
    let restorable = memo(move || removed && !is_there.get() && store.may_edit.get());
    let label = format!("Take back: {who} {}", deed.words);
    let author = by.clone();
    let take_back = steps.map(|steps| {
        let (author, steps) = (StoredValue::new(author), StoredValue::new(steps));
        let act = move |_| {
            store.live(|live| live.take_back(&author.get_value(), steps.get_value()));
            // The line is made anew without this button.
            dom::focus_soon(BY);
        };
        view! {
            <button
                type="button"
                class="button link take-back"
                class:hidden=attr(move || restorable.get() || !store.may_edit.get())
                data-testid="take-back"
                aria-label=label
                on:click=act
            >
                "Take back"
            </button>
        }
    });
    view! {
        <li data-testid="activity-item" data-user=user data-widget=id class:meanwhile=meanwhile>
            <Avatar user=Signal::stored(by) small=true/>
            <button
                type="button"
                node_ref=line
                class="deed"
                title="Show the widget"
                disabled=attr(move || !is_there.get())
                on:click=look
            >
                <span><b>{who}</b> " " {deed.words}</span>
                <small>{live(move || format::ago(at, clock.now()))}</small>
            </button>
            {live(move || restorable.get().then(|| view! {
                <button type="button" class="button link" on:click=restore>"Restore"</button>
            }))}
            {take_back}
        </li>
    }
}
