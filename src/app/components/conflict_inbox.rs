//! Open conflicts: both values side by side, with their authors, until somebody chooses; and the choices
//! made last, each with a way back.

use std::sync::Arc;

use crate::app::dynamic::{attr, derived, each, live, memo};
use leptos::prelude::*;

use super::avatar::Avatar;
use super::commands::look_at;
use super::dashboard_settings::SETTINGS;
use super::icon::{Glyph, Icon};
use super::inspector::{Panels, SIDE};
use super::popup::Popups;
use crate::app::clock::Clock;
use crate::app::conflicts::{self, Line};
use crate::app::dashboard_store::DashboardStore;
use crate::app::options::parse;
use crate::app::{dom, format};
use crate::dashboard::widget::{Takes, check_value};
use crate::dashboard::{Choice, Conflict, ConflictId, Kind, MAX_TITLE_CHARS, Op, Side, Widget, WidgetId};

/// Choices that are listed: those that somebody may still want to take back.
const MAX_SETTLED: usize = 20;

#[component]
pub fn ConflictInbox(store: DashboardStore) -> impl IntoView {
    let (panels, popups) = (Panels::here(), Popups::here());
    let review = memo(move || store.review.get().filter(|review| store.any_open(&review.about)));
    // What a return brought together comes first.
    let ids = memo(move || {
        let review = review.get().map(|review| review.about).unwrap_or_default();
        let (first, rest): (Vec<_>, Vec<_>) = store
            .conflicts
            .read()
            .iter()
            .map(|conflict| conflict.id.clone())
            .partition(|id| review.contains(id));
        first.into_iter().chain(rest).collect::<Vec<ConflictId>>()
    });
    let settled = memo(move || store.settled.read().iter().take(MAX_SETTLED).cloned().collect::<Vec<_>>());
    let strategy = memo(move || {
        store.settings.track();
        conflicts::label(store.strategy())
    });
    view! {
        <aside class="side" id=SIDE tabindex="-1" data-testid="conflict-inbox" aria-label="Conflicts">
            <div class="side-head">
                <h2>"Conflicts"</h2>
                <span class="count">{live(move || store.conflicts.read().len())}</span>
                <span class="grow"></span>
                <button type="button" class="button icon" aria-label="Close the conflicts" on:click=move |_| panels.leave()>
                    <Glyph icon=Icon::Close/>
                </button>
            </div>
            {live(move || review.get().map(|review| view! {
                <p class="review" data-testid="review">{review.says}</p>
            }))}
            {each(move || ids.get(), ConflictId::clone, move |id| view! { <ConflictCard id store/> })}
            <p class="quiet">
                {live(move || if store.conflicts.read().is_empty() {
                    "No open conflicts. When two people write the same thing without having seen each other’s, both values wait here."
                } else {
                    "Nothing here blocks anyone. A choice can be undone."
                })}
            </p>
            <p class="quiet">
                "Until somebody chooses, this shows: " <b>{strategy}</b> ". "
                <button
                    type="button"
                    class="button link inline"
                    class:hidden=attr(move || !store.may_edit.get())
                    on:click=move |_| popups.open(SETTINGS)
                >
                    "Change"
                </button>
            </p>
            {live(move || (!settled.read().is_empty()).then(|| view! {
                <details class="settled" data-testid="settled">
                    <summary>"Chosen lately"</summary>
                    <ul>
                        {each(
                            move || settled.get(),
                            |conflict| format!("{}:{:?}", conflict.id, conflict.settled),
                            move |conflict| view! { <SettledLine conflict store/> },
                        )}
                    </ul>
                </details>
            }))}
        </aside>
    }
}

/// A widget as it is or was, tracked.
fn widget_of(store: DashboardStore, id: Option<WidgetId>) -> Signal<Option<Arc<Widget>>> {
    derived(move || {
        store.order.track();
        let id = id.as_ref()?;
        store.widget(id).map(|signals| signals.widget.get()).or_else(|| store.known(id))
    })
}

#[component]
fn ConflictCard(id: ConflictId, store: DashboardStore) -> impl IntoView {
    let key = StoredValue::new(id.clone());
    let conflict = memo(move || {
        key.with_value(|id| store.conflicts.read().iter().find(|conflict| conflict.id == *id).cloned())
    });
    let cell = conflict.with_untracked(|conflict| conflict.as_ref().map(|conflict| conflict.cell.clone()));
    let widget_id = cell.as_ref().and_then(|cell| cell.id.clone());
    let widget = widget_of(store, widget_id.clone());
    let place = StoredValue::new(widget_id);
    let is_there = memo(move || {
        let order = store.order.read();
        place.with_value(|id| id.as_ref().is_none_or(|id| order.contains(id)))
    });
    let third = RwSignal::new(None::<String>);
    // Not with each letter.
    let writes = memo(move || third.read().is_some());
    let choose = move |choose: Choice| {
        store.settle(&key.get_value(), choose);
        // The card goes, and what was pressed with it.
        dom::focus_soon(SIDE);
    };
    let look = move |_| {
        if let Some(id) = place.get_value().filter(|_| is_there.get_untracked()) {
            look_at(store, id);
        }
    };
    let restore = move |_| {
        if let Some(id) = place.get_value() {
            store.edit(vec![Op::RestoreWidget { id }]);
        }
    };
    let body = move || {
        let conflict = conflict.get()?;
        let (widget, removal) = (widget.get(), conflicts::is_removal(&conflict));
        let me = store.me.get().id;
        let says = |side: &Side| conflicts::choice(&conflict, side, &me);
        let (keep, other) = (says(&conflict.kept), says(&conflict.other));
        let (name, field) = names(&conflict, widget.as_deref());
        let base = (!removal)
            .then(|| format!("It was “{}” when both began.", conflicts::reads(&conflict, &conflict.base)));
        let side = |side: &Side, shows| {
            let lines = conflicts::lines(&conflict, side, widget.as_ref());
            view! { <SideCard side=side.clone() lines shows/> }
        };
        let buttons = if removal || is_there.get() {
            view! {
                <button type="button" class="button primary" data-testid="conflict-keep" on:click=move |_| choose(Choice::Kept)>
                    {keep}
                </button>
                <button type="button" class="button line" data-testid="conflict-other" on:click=move |_| choose(Choice::Other)>
                    {other}
                </button>
            }
            .into_any()
        } else {
            view! {
                <p class="quiet">"The widget has been removed since."</p>
                <button type="button" class="button primary" data-testid="conflict-keep" on:click=move |_| choose(Choice::Kept)>
                    "Leave it at that"
                </button>
                <button type="button" class="button line" on:click=restore>"Bring the widget back"</button>
            }
            .into_any()
        };
        Some(view! {
            <h3>
                <button type="button" class="place" title="Show it" disabled=attr(move || place.with_value(Option::is_none) || !is_there.get()) on:click=look>
                    {name}
                </button>
                " · " {field}
            </h3>
            <p class="quiet">{base}</p>
            {side(&conflict.kept, true)}
            {side(&conflict.other, false)}
            <div class="choices" class:hidden=attr(move || !store.may_edit.get())>
                {buttons}
                {(!removal && takes(&conflict).is_some() && is_there.get()).then(|| view! {
                    <button
                        type="button"
                        class="button line"
                        class:hidden=writes
                        data-testid="conflict-third"
                        on:click=move |_| third.set(Some(conflict.kept.value.as_str().map_or_else(|| conflict.kept.value.to_string(), str::to_owned)))
                    >
                        "Another…"
                    </button>
                })}
            </div>
        })
    };
    view! {
        <section class="conflict" data-testid="conflict" data-conflict=id.to_string()>
            {live(body)}
            {live(move || writes.get().then(|| view! { <ThirdValue conflict widget third choose=Callback::new(choose)/> }))}
        </section>
    }
}

/// A value that neither of the two wrote.
#[component]
fn ThirdValue(
    conflict: Memo<Option<Arc<Conflict>>>,
    widget: Signal<Option<Arc<Widget>>>,
    third: RwSignal<Option<String>>,
    choose: Callback<Choice>,
) -> impl IntoView {
    let problem = RwSignal::new(None::<String>);
    let input = NodeRef::<leptos::html::Input>::new();
    crate::app::dynamic::effect(move || {
        if let Some(input) = input.get() {
            dom::focus_and_select(&input);
        }
    });
    let take = move || {
        let (Some(conflict), Some(text)) = (conflict.get_untracked(), third.get_untracked()) else { return };
        let Some(takes) = takes(&conflict) else { return };
        let kind = widget.get_untracked().map_or(Kind::Note, |widget| widget.kind);
        let checked = parse(takes, &text).and_then(|value| {
            check_value(kind, &conflict.cell.field, &value).map(|()| value).map_err(|error| error.to_string())
        });
        match checked {
            Ok(value) => choose.run(Choice::Value(value)),
            Err(says) => problem.set(Some(says)),
        }
    };
    let keys = move |event: leptos::ev::KeyboardEvent| {
        event.stop_propagation();
        match event.key().as_str() {
            "Enter" if !event.is_composing() => take(),
            "Escape" => {
                third.set(None);
                dom::focus_soon(SIDE);
            }
            _ => {}
        }
    };
    view! {
        <div class="field third">
            <input
                type="text"
                aria-label="Another value"
                data-testid="conflict-value"
                node_ref=input
                autocomplete="off"
                spellcheck="false"
                prop:value=attr(move || third.get().unwrap_or_default())
                aria-invalid=attr(move || problem.read().is_some().then_some("true"))
                on:input:target=move |event| { problem.set(None); third.set(Some(event.target().value())); }
                on:keydown=keys
            />
            <button type="button" class="button line" data-testid="conflict-use" on:click=move |_| take()>"Use this"</button>
            <button type="button" class="button icon" aria-label="Cancel" on:click=move |_| third.set(None)>
                <Glyph icon=Icon::Close/>
            </button>
            <span class="hint" aria-live="polite">{live(move || problem.get().map(|says| view! { <span class="problem">{says}</span> }))}</span>
        </div>
    }
}

/// What a third value may be; `None` where there is nothing to write, only to choose.
fn takes(conflict: &Conflict) -> Option<Takes> {
    let field = conflict.cell.field.as_str();
    let known = || Kind::ALL.into_iter().find_map(|kind| kind.field(field));
    match (field, &conflict.cell.id) {
        ("title", _) => Some(Takes::Text(MAX_TITLE_CHARS)),
        (_, None) => None,
        _ => known().map(|known| known.takes).filter(|takes| !matches!(takes, Takes::OneOf(_))),
    }
}

#[component]
fn SideCard(side: Side, lines: Vec<Line>, shows: bool) -> impl IntoView {
    let clock = Clock::here();
    let by = side.by.clone();
    let when = move || {
        let when = conflicts::when(&side, clock.now());
        format!("{} · {when}{}", side.by.name, if shows { " · shows now" } else { "" })
    };
    let line = |Line { label, text }: Line| {
        view! { <div class="reads">{label.map(|label| view! { <small>{label}</small> })}{text}</div> }
    };
    view! {
        <div class="value" class:shows=shows>
            <Avatar user=Signal::stored(by) small=true/>
            <div>
                {lines.into_iter().map(line).collect_view()}
                <small>{live(when)}</small>
            </div>
        </div>
    }
}

/// A conflict that somebody settled, with a way back.
#[component]
fn SettledLine(conflict: Arc<Conflict>, store: DashboardStore) -> impl IntoView {
    let clock = Clock::here();
    let settled = conflict.settled.clone()?;
    let widget = widget_of(store, conflict.cell.id.clone());
    let me = store.me.with_untracked(|me| me.id == settled.by.id);
    let who = if me { "You".to_owned() } else { settled.by.name };
    let (at, id) = (settled.at, conflict.id.clone());
    let agreed = settled.agreed;
    let says = move || match agreed {
        true => conflicts::agreed(&conflict, widget.get().as_deref()),
        false => conflicts::chosen(&conflict, &settled.choose, widget.get().as_deref()),
    };
    let open = move |_| {
        store.settle(&id, Choice::Reopen);
        dom::focus_soon(SIDE);
    };
    Some(view! {
        <li data-testid="settled-conflict">
            <span><b>{who}</b> " " {live(says)} <small>" · " {live(move || format::ago(at, clock.now()))}</small></span>
            {(!agreed).then(|| view! {
                <button
                    type="button"
                    class="button link"
                    class:hidden=attr(move || !store.may_edit.get())
                    data-testid="conflict-reopen"
                    on:click=open
                >
                    "Open again"
                </button>
            })}
        </li>
    })
}

/// What the conflict is about: the widget (or the dashboard) and the field.
fn names(conflict: &Conflict, widget: Option<&Widget>) -> (String, String) {
    let place = match (&conflict.cell.id, widget) {
        (None, _) => "This dashboard".to_owned(),
        (_, Some(widget)) if !widget.title.trim().is_empty() => widget.title.clone(),
        (_, Some(_)) => "An untitled widget".to_owned(),
        (_, None) => "A widget".to_owned(),
    };
    let field = match conflicts::is_removal(conflict) {
        true => "removed by one, edited by the other".to_owned(),
        false => format::field_label(&conflict.cell.field).to_ascii_lowercase(),
    };
    (place, field)
}
