//! Moments over the points of a chart: the one under a pointer, mine or somebody else's, and the
//! moments that people marked. All of it by time: the chart's size and range are its own.

use leptos::html::Div;
use leptos::prelude::*;

use super::keys::Keys;
use super::{ChartPlace, Mark, finger, mark, words};
use crate::app::components::people::{Editor, People, of};
use crate::app::components::{Glyph, Icon, Panel, Panels};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dynamic::{attr, each, live, memo};
use crate::dashboard::settings::Annotation;
use crate::dashboard::{SessionId, User, WidgetId};

/// Lines of others drawn at once; more would hide the chart.
const MAX_LINES: usize = 20;
/// Marks closer to each other than this many pixels share a flag.
const TOGETHER_PX: f64 = 9.0;

/// How wide a flag is; it turns to the other side where it has no room.
const FLAG_PX: f64 = 8.0;

/// Marks that share a flag, and where it stands.
#[derive(Clone, Debug, PartialEq)]
struct Flag {
    x: f64,
    marks: Vec<Mark>,
}

#[component]
pub fn Moments(id: WidgetId, place: RwSignal<Option<ChartPlace>>, store: DashboardStore) -> impl IntoView {
    let time = store.time;
    let style = move || {
        let ChartPlace { left, top, width, height, .. } = place.get().unwrap_or_default();
        format!("left:{left:.1}px;top:{top:.1}px;width:{width:.1}px;height:{height:.1}px")
    };
    let flags = memo(move || {
        let place = place.get().unwrap_or_default();
        time.marks.with(|marks| gathered(marks, place))
    });
    let key = StoredValue::new(id);
    let area = NodeRef::<Div>::new();
    let dragged = finger::drags(area, place, time);
    let chosen = move || {
        dragged.get().map(|(from, to)| {
            view! { <div class="chosen" style=format!("left:{from:.1}px;width:{:.1}px", to - from)></div> }
        })
    };
    view! {
        <div class="moments" style=style node_ref=area>
            {live(chosen)}
            <Keys key place store/>
            {each(
                move || flags.with(|flags| flags.iter().map(|flag| flag.marks[0].id.clone()).collect()),
                String::clone,
                move |first| view! { <FlagAt first flags key place store/> },
            )}
            <Drafts place/>
            <Others key place/>
            <Mine key place store/>
        </div>
    }
}

/// The marks that a chart shows, those too close to each other under one flag.
fn gathered(marks: &[Mark], place: ChartPlace) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    for mark in marks {
        let Some(x) = place.x(mark.at) else { continue };
        match flags.last_mut() {
            Some(flag) if x - flag.x < TOGETHER_PX => flag.marks.push(mark.clone()),
            _ => flags.push(Flag { x, marks: vec![mark.clone()] }),
        }
    }
    flags
}

/// A thin line with a flag, which says when and what as a pointer or the keyboard comes to it.
#[component]
fn FlagAt(
    first: String,
    flags: Memo<Vec<Flag>>,
    key: StoredValue<WidgetId>,
    place: RwSignal<Option<ChartPlace>>,
    store: DashboardStore,
) -> impl IntoView {
    let panels = Panels::here();
    let name = first.clone();
    let flag = memo(move || flags.with(|flags| flags.iter().find(|flag| flag.marks[0].id == first).cloned()));
    let x = move || flag.read().as_ref().map_or(0.0, |flag| flag.x);
    let marks = move || flag.get().map(|flag| flag.marks).unwrap_or_default();
    let label = move || {
        let now = store.time.now();
        let says = |mark: Mark| format!("{}: {}", words::moment(mark.at, now), mark.text);
        marks().into_iter().map(says).collect::<Vec<_>>().join("; ")
    };
    let tip = move || {
        let now = store.time.now();
        let line = |mark: Mark| view! { <span><b>{words::moment(mark.at, now)}</b> " " {mark.text}</span> };
        marks().into_iter().map(line).collect_view()
    };
    let open = move |_| match &marks()[..] {
        [only] => {
            let read_only = !store.may_edit.get_untracked();
            if !read_only {
                mark::change(store, only.clone());
            }
        }
        _ => panels.enter(Panel::Marks),
    };
    // The keyboard comes to the flags of the widget that is selected, and passes by all others.
    let reachable = memo(move || key.with_value(|key| store.selected.read().as_ref() == Some(key)));
    view! {
        <div
            class="mark"
            class:towards-start=attr(move || x() > place.read().map_or(0.0, |place| place.width) / 2.0)
            class:at-end=attr(move || x() > place.read().map_or(0.0, |place| place.width) - FLAG_PX)
            data-testid="annotation"
            data-mark=name
            style:transform=attr(move || format!("translateX({:.1}px)", x()))
        >
            <button
                type="button"
                class="flag"
                aria-label=attr(label)
                tabindex=attr(move || if reachable.get() { "0" } else { "-1" })
                on:pointerdown=|event| event.stop_propagation()
                on:mousedown=|event| event.stop_propagation()
                on:click=move |event| { event.stop_propagation(); open(()); }
            >
                {live(move || match marks().len() {
                    0 | 1 => String::new(),
                    n => n.to_string(),
                })}
            </button>
            <span class="tip" aria-hidden="true">{live(tip)}</span>
        </div>
    }
}

/// Marks that others are writing, with what they have typed so far.
#[component]
fn Drafts(place: RwSignal<Option<ChartPlace>>) -> impl IntoView {
    let people = People::here();
    let drafts = memo(move || {
        let place = place.get().unwrap_or_default();
        let draft = |editor: &Editor| {
            let Annotation { at, text } = mark::drafted(&editor.editing)?;
            Some((editor.session.clone(), (editor.user.clone(), place.x(at)?, text)))
        };
        let editors = people.editors.read();
        let drafts = of(&editors, &None).into_iter().flatten().filter_map(draft);
        drafts.take(MAX_LINES).collect::<Vec<_>>()
    });
    let line = move |session: SessionId| {
        let draft = memo(move || of(&drafts.read(), &session).cloned().unwrap_or_default());
        view! {
            <div
                class="mark drafted"
                class:towards-start=attr(move || draft.read().1 > place.read().map_or(0.0, |place| place.width) / 2.0)
                data-testid="mark-draft"
                data-user=attr(move || draft.read().0.id.to_string())
                style:--who=attr(move || draft.read().0.color.clone())
                style:transform=attr(move || format!("translateX({:.1}px)", draft.read().1))
            >
                <span class="tip"><b>{live(move || draft.read().0.name.clone())}</b> " " {live(move || match draft.read().2.as_str() {
                    "" => "marks this moment …".to_owned(),
                    text => format!("{text} …"),
                })}</span>
            </div>
        }
    };
    each(move || drafts.read().iter().map(|draft| draft.0.clone()).collect(), SessionId::clone, line)
}

/// The others' moments, each a line in its person's colour, with the name where their pointer does not say it.
#[component]
fn Others(key: StoredValue<WidgetId>, place: RwSignal<Option<ChartPlace>>) -> impl IntoView {
    let people = People::here();
    let at = move |session: &SessionId| people.cursors.with(|all| of(all, session)?.1.at);
    let sessions = memo(move || {
        let place = place.get().unwrap_or_default();
        let cursors = people.cursors.read();
        let shown =
            cursors.iter().filter(|(_, (_, cursor))| cursor.at.is_some_and(|at| place.x(at).is_some()));
        shown.map(|(session, _)| session.clone()).take(MAX_LINES).collect::<Vec<_>>()
    });
    let line = move |session: SessionId| {
        let who = session.clone();
        let user = memo(move || {
            people.cursors.with(|all| of(all, &who).map(|(user, _)| user.clone())).unwrap_or_default()
        });
        let here = session.clone();
        let elsewhere = memo(move || {
            people.cursors.with(|all| {
                of(all, &here).is_some_and(|(_, cursor)| key.with_value(|key| cursor.on != key.as_str()))
            })
        });
        let x = memo(move || place.get().and_then(|place| place.x(at(&session)?)).unwrap_or(-1.0));
        let name = move || elsewhere.get().then(|| user.with(|user: &User| user.name.clone()));
        view! {
            <div
                class="crosshair theirs"
                class:towards-start=attr(move || x.get() > place.read().map_or(0.0, |place| place.width) - 80.0)
                data-testid="crosshair"
                data-user=attr(move || user.read().id.to_string())
                style:--who=attr(move || user.read().color.clone())
                style:transform=attr(move || format!("translateX({:.1}px)", x.get()))
            >
                {live(move || name().map(|name| view! { <span>{name}</span> }))}
            </div>
        }
    };
    each(move || sessions.get(), SessionId::clone, line)
}

/// The moment under this tab's pointer; on the chart under it, with its time and the way to mark it.
#[component]
fn Mine(
    key: StoredValue<WidgetId>,
    place: RwSignal<Option<ChartPlace>>,
    store: DashboardStore,
) -> impl IntoView {
    let time = store.time;
    let pointed = memo(move || {
        let pointed = time.pointed.get()?;
        let here = key.with_value(|key| *key == pointed.on);
        Some((place.get()?.x(pointed.at)?, pointed.at, here))
    });
    let there = memo(move || pointed.get().map(|(_, _, here)| here));
    let x = move || pointed.get().map_or(0.0, |(x, ..)| x);
    let at = move || pointed.get().map_or(0, |(_, at, _)| at);
    let can_mark = move || store.may_edit.get();
    let says = move || place.get().unwrap_or_default().in_words(at(), time.now());
    let on_chart = move || {
        view! {
            <time>{live(says)}</time>
            {live(move || can_mark().then(|| view! {
                <button
                    type="button"
                    class="mark-this"
                    tabindex="-1"
                    data-testid="mark-this"
                    title="Mark this moment for everybody (M)"
                    on:pointerdown=|event| event.stop_propagation()
                    on:mousedown=|event| event.stop_propagation()
                    on:click=move |event| { event.stop_propagation(); mark::begin(store, Some(at())); }
                >
                    <Glyph icon=Icon::Flag/>
                    <span>"Mark this moment"</span>
                </button>
            }))}
        }
    };
    live(move || {
        there.get().map(|here| {
            view! {
                <div
                    class="crosshair mine"
                    class:here=here
                    class:towards-start=attr(move || x() > place.read().map_or(0.0, |place| place.width) - 130.0)
                    data-testid="my-crosshair"
                    style:transform=attr(move || format!("translateX({:.1}px)", x()))
                >
                    {here.then(on_chart)}
                </div>
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_stand_close_share_a_flag_and_none_is_left_out() {
        let mark = |id: &str, at| Mark { id: id.to_owned(), at, text: String::new() };
        let place = ChartPlace { width: 100.0, from: 1_000.0, to: 2_000.0, ..ChartPlace::default() };
        let marks =
            [mark("before", 900), mark("a", 1_000), mark("b", 1_050), mark("c", 1_200), mark("after", 2_001)];
        let flags = gathered(&marks, place);
        let read: Vec<(f64, Vec<&str>)> =
            flags.iter().map(|flag| (flag.x, flag.marks.iter().map(|mark| &*mark.id).collect())).collect();
        assert_eq!(read, [(0.0, vec!["a", "b"]), (20.0, vec!["c"])]);
    }
}
