//! One widget on the grid: its place, its header, what others do to it, and its content by kind.
//!
//! Each part depends on its own piece of the widget, so a changed title touches one text node.

use std::time::Duration;

use crate::app::dynamic::{attr, derived, effect, live, memo};
use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::prelude::*;

use super::arranging::{Arranging, By, GAP_PX, Grasp, carried};
use super::dashboard_container::{element_id, place};
use super::icon::{Glyph, Icon};
use super::inspector::{Panel, Panels};
use super::outlines::{Outline, Outlines};
use super::people::{Editor, People, of};
use super::popup::Popup;
use super::widget_menu::MenuOf;
use super::widget_title::EditableTitle;
use crate::app::chunks::{Part, Parts};
use crate::app::dashboard_store::{DashboardStore, WidgetData, WidgetSignals};
use crate::app::widgets::{Content, Freshness};
use crate::app::{clock::Clock, dom, format};
use crate::dashboard::layout::COLUMNS;
use crate::dashboard::{Frame, Kind, User, WidgetId};

/// How long a widget shows that somebody else changed it.
const GLOW: Duration = Duration::from_secs(2);
/// How long a widget glides to a new place, with a little room for the frame in which it starts.
const GLIDE: Duration = Duration::from_millis(300);
/// A press becomes a drag after this many pixels, so that a click with a shaky hand stays a click.
const DRAG_PX: f64 = 4.0;
/// Rest after which a move by keys is put down.
const KEYS_REST: Duration = Duration::from_millis(600);

/// A widget that the store knows; nothing for one that has gone meanwhile.
#[component]
pub fn WidgetContainer(id: WidgetId, store: DashboardStore) -> impl IntoView {
    store.widget(&id).map(|signals| {
        let outlines: Outlines = use_context().expect("the grid provides its outlines");
        // One that comes later than the page appears softly; the page's own do not.
        let new = Clock::here().now_untracked() > 0;
        match (!new).then(|| outlines.of(signals)).flatten() {
            None => view! { <Tile id signals store new/> }.into_any(),
            Some(whole) => live(move || {
                let id = id.clone();
                match whole.get() {
                    true => view! { <Tile id signals store new/> }.into_any(),
                    false => view! { <Outline id signals store/> }.into_any(),
                }
            }),
        }
    })
}

#[component]
fn Tile(id: WidgetId, signals: WidgetSignals, store: DashboardStore, new: bool) -> impl IntoView {
    let arranging = Arranging::here();
    let people = People::here();
    let panels = Panels::here();
    let kind = signals.widget.with_untracked(|widget| widget.kind);
    let title = memo(move || signals.widget.with(|widget| widget.title.clone()));
    let key = StoredValue::new(id.clone());
    let held = memo(move || {
        arranging.held.with(|held| {
            let held = held.as_ref().filter(|held| key.with_value(|key| *key == held.id))?;
            Some((held.grasp, held.by, held.start))
        })
    });
    let lifted = memo(move || matches!(held.get(), Some((Grasp::Move, By::Pointer, _))));
    let frame = memo(move || match held.get() {
        Some((Grasp::Move, By::Pointer, start)) => start,
        _ => {
            let preview = arranging.preview.with(|preview| key.with_value(|key| preview.get(key).copied()));
            preview.unwrap_or_else(|| signals.widget.with(|widget| widget.frame))
        }
    });
    let gliding = glide(frame, lifted);
    let glow = passing_glow(signals);
    let editors = people.editors_of(&id);
    let selected =
        memo(move || store.selected.with(|selected| key.with_value(|key| selected.as_ref() == Some(key))));
    let selected_by = memo(move || {
        people
            .selections
            .with(|all| key.with_value(|key| of(all, key)?.first().map(|user| user.color.clone())))
    });
    let dragged_by = memo(move || {
        people.drags.with(|all| key.with_value(|key| of(all, key).map(|(user, _)| user.clone())))
    });
    let who = move || {
        let editor = editors.with(|editors| editors.first().map(|editor| editor.user.color.clone()));
        let glow = || glow.get().map(|(user, _)| user.color);
        editor.or_else(|| dragged_by.get().map(|user| user.color)).or_else(glow).or_else(|| selected_by.get())
    };
    let style = move || {
        let (dx, dy) = if lifted.get() { arranging.carried.get() } else { (0.0, 0.0) };
        let who = who().map(|color| format!(";--who:{color}")).unwrap_or_default();
        format!("{};--dx:{dx:.0}px;--dy:{dy:.0}px{who}", place(frame.get()))
    };
    let disputed = memo(move || {
        let about = |id: &Option<WidgetId>| key.with_value(|key| id.as_ref() == Some(key));
        store.conflicts.read().iter().any(|conflict| about(&conflict.cell.id))
    });
    let read_only = memo(move || !store.may_edit.get());
    let (renaming, gone) = (signals.renaming, signals.gone);
    // The signals stay with the page. What a widget that went showed last need not.
    on_cleanup(move || {
        if gone.try_get_untracked() == Some(true) {
            let _ = signals.data.try_set(WidgetData::default());
        }
    });
    let heading = format!("t-{id}");
    let labelled = heading.clone();
    let (element, name) = (element_id(id.as_str()), id.to_string());
    let pressed = press_to_drag(id.clone());
    let header_pressed = pressed.clone();
    let select = move |_| {
        store.selected.set(Some(key.get_value()));
        if store.may_edit.get_untracked() {
            panels.open_after_click(kind);
        }
    };
    let keys = move |event: KeyboardEvent| {
        if dom::on_text(&event) {
            return;
        }
        match event.key().as_str() {
            _ if !store.may_edit.get_untracked() => {}
            "F2" => {
                event.prevent_default();
                renaming.set(true);
            }
            "Delete" | "Backspace" => {
                event.prevent_default();
                event.stop_propagation();
                remove(store, &key.get_value());
            }
            _ => {}
        }
    };
    view! {
        <article
            class="widget"
            class:new=new
            class:selected=selected
            class:selected-by=attr(move || selected_by.read().is_some())
            class:editing=attr(move || !editors.read().is_empty() || dragged_by.read().is_some())
            class:glow-a=attr(move || glow.read().as_ref().is_some_and(|(_, count)| count % 2 == 0))
            class:glow-b=attr(move || glow.read().as_ref().is_some_and(|(_, count)| count % 2 == 1))
            class:lifted=lifted
            class:gliding=gliding
            class:leaving=gone
            // What fades is a picture of what was: nothing finds it, nothing presses it.
            inert=gone
            id=attr(move || (!gone.get()).then(|| element.clone()))
            data-testid=attr(move || (!gone.get()).then_some("widget"))
            data-widget=name
            data-kind=kind.name()
            data-x=attr(move || frame.get().x.to_string())
            data-y=attr(move || frame.get().y.to_string())
            data-w=attr(move || frame.get().w.to_string())
            data-h=attr(move || frame.get().h.to_string())
            style=style
            aria-labelledby=labelled
            on:click=select
            on:keydown=keys
        >
            <Tags editors dragged_by glow/>
            <header on:pointerdown=header_pressed>
                <h2>
                    <EditableTitle
                        store
                        id=Some(id.clone())
                        title
                        editing=renaming
                        testid="widget-title"
                        label="Title of the widget"
                        element_id=heading
                    />
                </h2>
                <Freshness kind signals store/>
                {live(move || disputed.get().then(|| view! { <Disputed/> }))}
                <span class="tools">
                    <DragHandle id=id.clone() pressed title read_only/>
                    <MenuButton id=id.clone() title renaming kind/>
                </span>
            </header>
            <div class="body"><Content id=id.clone() kind signals store/></div>
            <ResizeHandle id read_only/>
        </article>
    }
}

/// Says that two values wait for a choice here, and leads there.
#[component]
fn Disputed() -> impl IntoView {
    let panels = Panels::here();
    view! {
        <button
            type="button"
            class="tool disputed"
            data-testid="widget-conflict"
            aria-label="A conflict waits here. Show it"
            title="A conflict waits here"
            on:pointerdown=|event| event.stop_propagation()
            on:click=move |event| {
                event.stop_propagation();
                panels.enter(Panel::Conflicts);
            }
        >
            <Glyph icon=Icon::Fork/>
        </button>
    }
}

/// Says above the widget who does what to it, and who just changed it.
#[component]
fn Tags(
    editors: Memo<Vec<Editor>>,
    dragged_by: Memo<Option<User>>,
    glow: Memo<Option<(User, u32)>>,
) -> impl IntoView {
    let editing = move || {
        let tag = |editor: Editor| {
            let says = editing_words(&editor);
            view! {
                <span
                    class="tag"
                    data-testid="widget-editing"
                    data-user=editor.user.id.to_string()
                    style:--who=editor.user.color
                >
                    {says}
                </span>
            }
        };
        editors.get().into_iter().map(tag).collect_view()
    };
    let dragging = move || {
        dragged_by.get().map(|user| {
            view! { <span class="tag" style:--who=user.color>{format!("{} is moving this", user.name)}</span> }
        })
    };
    let changed = move || {
        let quiet = editors.read().is_empty() && dragged_by.read().is_none();
        glow.get().filter(|_| quiet).map(|(user, _)| {
            view! { <span class="tag passing" style:--who=user.color>{user.name}</span> }
        })
    };
    view! { <div class="tags">{editing}{dragging}{changed}</div> }
}

fn editing_words(editor: &Editor) -> String {
    let name = &editor.user.name;
    match editor.editing.field.as_str() {
        "text" => format!("{name} is typing"),
        "title" => format!("{name} is editing the title"),
        field => format!("{name} is editing “{}”", format::field_label(field)),
    }
}

#[component]
fn DragHandle(
    id: WidgetId,
    pressed: impl FnMut(PointerEvent) + Clone + 'static,
    title: Memo<String>,
    read_only: Memo<bool>,
) -> impl IntoView {
    let arranging = Arranging::here();
    let rest = StoredValue::new(None::<TimeoutHandle>);
    let stop_resting = move || {
        rest.update_value(|rest| {
            if let Some(rest) = rest.take() {
                rest.clear();
            }
        });
    };
    let keys = move |event: KeyboardEvent| {
        let (columns, rows) = match event.key().as_str() {
            "ArrowLeft" => (-1, 0),
            "ArrowRight" => (1, 0),
            "ArrowUp" => (0, -1),
            "ArrowDown" => (0, 1),
            "Enter" | " " => {
                event.prevent_default();
                stop_resting();
                arranging.put_down();
                return;
            }
            "Escape" if arranging.held.read_untracked().is_some() => {
                event.stop_propagation();
                stop_resting();
                arranging.let_go();
                return;
            }
            _ => return,
        };
        event.prevent_default();
        event.stop_propagation();
        if dom::narrow() {
            return;
        }
        let grasp = if event.shift_key() { Grasp::Resize } else { Grasp::Move };
        let mine = arranging
            .held
            .with_untracked(|held| held.as_ref().is_some_and(|held| held.id == id && held.by == By::Keys));
        if !mine {
            arranging.take(&id, grasp, By::Keys);
        }
        arranging.step(grasp, columns, rows);
        stop_resting();
        rest.set_value(set_timeout_with_handle(move || arranging.put_down(), KEYS_REST).ok());
    };
    let left = move |_| {
        stop_resting();
        if arranging.held.with_untracked(|held| held.as_ref().is_some_and(|held| held.by == By::Keys)) {
            arranging.put_down();
        }
    };
    view! {
        <button
            type="button"
            class="tool drag"
            class:hidden=read_only
            data-testid="widget-drag"
            aria-label=attr(move || format!("Move {}: arrows move, Shift and arrows resize", title.read()))
            title="Drag to move. With the keyboard: arrows move, Shift and arrows resize."
            on:pointerdown=pressed
            on:keydown=keys
            on:blur=left
            on:click=|event| event.stop_propagation()
        >
            <Glyph icon=Icon::Grip/>
        </button>
    }
}

#[component]
fn ResizeHandle(id: WidgetId, read_only: Memo<bool>) -> impl IntoView {
    let arranging = Arranging::here();
    let press = move |event: PointerEvent| {
        if event.button() == 0 && !dom::narrow() {
            event.prevent_default();
            event.stop_propagation();
            arranging.take(&id, Grasp::Resize, By::Pointer);
            follow_pointer(arranging, event);
        }
    };
    view! {
        <span
            class="resize"
            class:hidden=read_only
            data-testid="widget-resize"
            title="Drag to resize"
            aria-hidden="true"
            on:pointerdown=press
            on:click=|event| event.stop_propagation()
        ></span>
    }
}

#[component]
fn MenuButton(id: WidgetId, title: Memo<String>, renaming: RwSignal<bool>, kind: Kind) -> impl IntoView {
    let parts = Parts::here();
    let name = format!("widget-{id}");
    provide_context(MenuOf { id, kind, renaming });
    view! {
        <span on:click=|event| event.stop_propagation() on:pointerdown=|event| event.stop_propagation()>
            <Popup
                name
                testid="widget-menu"
                class="tool"
                label=derived(move || format!("Menu of {}", title.read()))
                face=ViewFn::from(|| view! { <Glyph icon=Icon::More/> })
                from_end=true
            >
                {parts.show(Part::WidgetMenu)}
            </Popup>
        </span>
    }
}

/// Removes a widget, with a way back.
pub fn remove(store: DashboardStore, id: &WidgetId) {
    use crate::app::dashboard_store::ToastAction;
    let Some(signals) = store.widget(id) else { return };
    let title = signals.widget.with_untracked(|widget| widget.title.clone());
    let title = if title.trim().is_empty() { super::widget_title::UNTITLED.to_owned() } else { title };
    if store.selected.with_untracked(|selected| selected.as_ref() == Some(id)) {
        store.selected.set(None);
    }
    store.edit(vec![crate::dashboard::Op::RemoveWidget { id: id.clone() }]);
    let back = crate::dashboard::Op::RestoreWidget { id: id.clone() };
    let action = ToastAction::Edit { label: "Undo".to_owned(), ops: vec![back] };
    store.toast(format!("Removed “{title}”."), Some(action));
}

/// True for a moment after the frame changed, for the glide; a lifted widget follows its pointer instead.
fn glide(frame: Memo<Frame>, lifted: Memo<bool>) -> RwSignal<bool> {
    let gliding = RwSignal::new(false);
    let timer = StoredValue::new(None::<TimeoutHandle>);
    Effect::new(move |before: Option<(Frame, bool)>| {
        let now = (frame.get(), lifted.get());
        if before.is_some_and(|before| before != now) && !now.1 {
            gliding.set(true);
            let next = set_timeout_with_handle(move || gliding.set(false), GLIDE).ok();
            timer.update_value(|timer| {
                if let Some(old) = std::mem::replace(timer, next) {
                    old.clear();
                }
            });
        } else if now.1 && gliding.get_untracked() {
            gliding.set(false);
        }
        now
    });
    gliding
}

/// The change by somebody else that shows; taken away when its time is over.
fn passing_glow(signals: WidgetSignals) -> Memo<Option<(User, u32)>> {
    let glow = memo(move || signals.glow.get().map(|glow| (glow.by, glow.count)));
    effect(move || {
        if let Some((_, count)) = glow.get() {
            set_timeout(
                move || {
                    let same = signals.glow.try_with_untracked(|now| now.as_ref().map(|now| now.count));
                    if same.flatten() == Some(count) {
                        signals.glow.set(None);
                    }
                },
                GLOW,
            );
        }
    });
    glow
}

/// A press that becomes a move once the pointer has gone a few pixels.
fn press_to_drag(id: WidgetId) -> impl FnMut(PointerEvent) + Clone + 'static {
    let arranging = Arranging::here();
    move |event: PointerEvent| {
        if event.button() != 0 || dom::on_text(&event) || dom::narrow() {
            return;
        }
        event.stop_propagation();
        let id = id.clone();
        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
        dom::track_pointer(&event, {
            let mut taken = false;
            move |step| match step {
                dom::Step::Move { x: now_x, y: now_y } => {
                    if !taken && (now_x - x).hypot(now_y - y) >= DRAG_PX {
                        taken = true;
                        arranging.take(&id, Grasp::Move, By::Pointer);
                    }
                    if taken {
                        carry(arranging, now_x - x, now_y - y);
                    }
                }
                dom::Step::End if taken => arranging.put_down(),
                dom::Step::Cancel if taken => arranging.let_go(),
                _ => {}
            }
        });
    }
}

/// Follows the pointer with what is held already.
fn follow_pointer(arranging: Arranging, event: PointerEvent) {
    let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
    dom::track_pointer(&event, move |step| match step {
        dom::Step::Move { x: now_x, y: now_y } => carry(arranging, now_x - x, now_y - y),
        dom::Step::End => arranging.put_down(),
        dom::Step::Cancel => arranging.let_go(),
    });
}

fn carry(arranging: Arranging, dx: f64, dy: f64) {
    let Some(held) = arranging.held.get_untracked() else { return };
    let Some(grid) = dom::by_id(&element_id(held.id.as_str())).and_then(|tile| tile.parent_element()) else {
        return;
    };
    let column_px = (grid.get_bounding_client_rect().width() + GAP_PX) / f64::from(COLUMNS);
    arranging.carried.set((dx, dy));
    arranging.want(carried(held.start, held.grasp, dx, dy, column_px));
}
