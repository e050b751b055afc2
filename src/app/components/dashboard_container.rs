//! The grid: every widget at its place, the ghosts of what is being moved, and the cursors above.

use std::time::Duration;

use crate::app::dynamic::{attr, each, effect, memo};
use leptos::ev::PointerEvent;
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::arranging::{Arranging, ROW_PX};
use super::cursor_tracker::Grid;
use super::outlines::Outlines;
use super::people::People;
use super::widget_container::WidgetContainer;
use crate::app::access::Rights;
use crate::app::chunks::{Part, Parts};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;
use crate::app::time::Pointed;
use crate::dashboard::{Frame, User, WidgetId};
use crate::sync::protocol::Cursor;

/// What a cursor is on where it is on no widget.
pub const CANVAS: &str = "canvas";

/// How long a widget that went fades; `style/widget.css` says the same.
const FADE: Duration = Duration::from_millis(150);

/// A widget on the grid, and its signals' `born`.
type Tile = (WidgetId, u32);

/// The `id` attribute of a widget's element.
pub fn element_id(id: &str) -> String {
    format!("w-{id}")
}

/// A frame as the custom properties that `style/grid.css` places by.
pub fn place(frame: Frame) -> String {
    format!("--x:{};--y:{};--w:{};--h:{}", frame.x, frame.y, frame.w, frame.h)
}

#[component]
pub fn DashboardContainer(store: DashboardStore) -> impl IntoView {
    let arranging = Arranging::here();
    let (people, parts) = (People::here(), Parts::here());
    let grid = NodeRef::<Div>::new();
    let shows_people = !Rights::here().is_screen;
    provide_context(Grid(grid));
    let outlines = Outlines::new();
    provide_context(outlines);
    effect(move || outlines.begin());
    let shown = RwSignal::new(tiles(store));
    effect(move || {
        store.order.track();
        show_order(store, shown, grid);
    });
    let rows = memo(move || {
        let preview = arranging.preview.read();
        let bottom = |id: &WidgetId| {
            let frame = store.widget(id)?.widget.with(|widget| widget.frame);
            Some(preview.get(id).copied().unwrap_or(frame).bottom())
        };
        store.order.read().iter().filter_map(bottom).max().unwrap_or(0)
    });
    let looking_at = RwSignal::new(None);
    dom::on_window(leptos::ev::scroll, move |_| look(store, grid, looking_at));
    effect(move || {
        rows.track();
        look(store, grid, looking_at);
    });
    Effect::new(move |last: Option<Option<WidgetId>>| {
        let at = looking_at.get();
        if last.as_ref() != Some(&at) {
            store.live(|live| live.looking_at(at.clone()));
        }
        at
    });
    let own_ghost = move || {
        let held = arranging.held.get()?;
        let frame = arranging.preview.read().get(&held.id).copied().unwrap_or(held.start);
        Some(view! { <div class="ghost" style=place(frame) aria-hidden="true"></div> })
    };
    let their_ghosts = move || {
        let ghost = |(user, frame): (User, Frame)| {
            let style = format!("{};--who:{}", place(frame), user.color);
            view! { <div class="ghost theirs" style=style aria-hidden="true"></div> }
        };
        people.drags.get().into_iter().map(|(_, drag)| ghost(drag)).collect_view()
    };
    view! {
        <div
            class="grid"
            data-testid="grid"
            node_ref=grid
            style:--rows=attr(move || rows.get().to_string())
            class:read-only=attr(move || !store.may_edit.get())
            class:arranging=attr(move || arranging.held.read().is_some())
            on:pointermove=move |event| {
                if event.pointer_type() != "touch" && !is_on(&event, ".moments button") {
                    let cursor = grid.get_untracked().and_then(|grid| cursor_at(store, &event, &grid));
                    point(store, cursor.as_ref());
                    store.live(|live| live.cursor(cursor));
                }
            }
            on:pointerleave=move |event| {
                // What a finger pointed at stays until it points elsewhere.
                if event.pointer_type() != "touch" {
                    point(store, None);
                }
                store.live(|live| live.cursor(None));
            }
            on:pointerdown=move |event| {
                // A finger shows its moment by a tap; it has no place of its own before.
                if event.pointer_type() == "touch" && !is_on(&event, ".moments button") {
                    let cursor = grid.get_untracked().and_then(|grid| cursor_at(store, &event, &grid));
                    point(store, cursor.as_ref());
                }
            }
            on:focusout=move |_| dom::soon(move || show_order(store, shown, grid))
            on:click=move |event| {
                // A click beside every widget lets the selection go.
                if event.target() == event.current_target() {
                    store.selected.set(None);
                }
            }
        >
            {own_ghost}
            {their_ghosts}
            {each(
                move || shown.get(),
                |tile| tile.1,
                move |(id, _)| view! { <WidgetContainer id store/> },
            )}
            {shows_people.then(|| parts.show_later(Part::Cursors))}
        </div>
    }
}

/// The widgets in reading order, each with what tells it from itself before it went and came back.
fn tiles(store: DashboardStore) -> Vec<Tile> {
    let order = store.order.get_untracked();
    order.into_iter().filter_map(|id| store.widget(&id).map(|signals| (id, signals.born))).collect()
}

/// Brings the elements into reading order. While the keyboard is in the grid they stay where they are in
/// the document, because moving an element takes the keyboard and the caret out of it. What went stays
/// for the moment in which it fades.
fn show_order(store: DashboardStore, shown: RwSignal<Vec<Tile>>, grid: NodeRef<Div>) {
    let has = |tiles: &[Tile], tile: &Tile| tiles.iter().any(|(_, born)| *born == tile.1);
    let now = tiles(store);
    let before = shown.get_untracked();
    let busy = grid
        .get_untracked()
        .is_some_and(|grid| dom::focused().is_some_and(|focused| grid.contains(Some(focused.as_ref()))));
    let mut next = now;
    if busy {
        let mut kept: Vec<Tile> = before.iter().filter(|tile| has(&next, tile)).cloned().collect();
        next.retain(|tile| !has(&kept, tile));
        kept.append(&mut next);
        next = kept;
    }
    let mut gone = Vec::new();
    if !dom::less_motion() {
        for (place, tile) in before.iter().enumerate() {
            if !has(&next, tile) && !next.iter().any(|(id, _)| *id == tile.0) {
                gone.push(tile.clone());
                next.insert(place.min(next.len()), tile.clone());
            }
        }
    }
    if !gone.is_empty() {
        let faded = move || {
            // The page may have gone before the fade is over, and its signals with it.
            let _ = shown.try_update(|shown| shown.retain(|tile| !has(&gone, tile)));
        };
        set_timeout(faded, FADE);
    }
    if before != next {
        shown.set(next);
    }
}

/// True where a pointer is on something: what follows it waits there to be pressed.
fn is_on(event: &PointerEvent, what: &str) -> bool {
    let under: Option<Element> = event.target().and_then(|target| target.dyn_into().ok());
    under.is_some_and(|under| matches!(under.closest(what), Ok(Some(_))))
}

/// Where a pointer is, in the unit square of the widget under it or of the grid.
fn cursor_at(store: DashboardStore, event: &PointerEvent, grid: &Element) -> Option<Cursor> {
    let under: Option<Element> = event.target().and_then(|target| target.dyn_into().ok());
    let widget = under.and_then(|under| under.closest("[data-widget]").ok().flatten());
    let on = widget.as_ref().and_then(|widget| widget.get_attribute("data-widget"));
    let area = widget.as_ref().unwrap_or(grid).get_bounding_client_rect();
    if area.width() < 1.0 || area.height() < 1.0 {
        return None;
    }
    let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
    let id = on.as_ref().and_then(|on| WidgetId::new(on).ok());
    let at = id.and_then(|id| store.time.charts.time_at(&id, x, y));
    let within = |at: f64, from: f64, size: f64| ((at - from) / size).clamp(0.0, 1.0) as f32;
    Some(Cursor {
        on: on.unwrap_or_else(|| CANVAS.to_owned()),
        x: within(x, area.left(), area.width()),
        y: within(y, area.top(), area.height()),
        at,
    })
}

/// Shows the moment under the pointer, if it is over one, on all charts.
fn point(store: DashboardStore, cursor: Option<&Cursor>) {
    let pointed =
        cursor.and_then(|cursor| Some(Pointed { at: cursor.at?, on: WidgetId::new(&cursor.on).ok()? }));
    if store.time.pointed.with_untracked(|old| *old != pointed) {
        store.time.pointed.set(pointed);
    }
}

/// Finds the widget at the top of the screen, for those who follow.
fn look(store: DashboardStore, grid: NodeRef<Div>, looking_at: RwSignal<Option<WidgetId>>) {
    /// The header covers this much of the top.
    const HEADER_PX: f64 = 52.0;
    let Some(grid) = grid.get_untracked() else { return };
    let hidden_px = (HEADER_PX - grid.get_bounding_client_rect().top()).max(0.0);
    let top_row = (hidden_px / ROW_PX).round() as u16;
    let at = store.order.get_untracked().into_iter().find(|id| {
        let frame = store.widget(id).map(|signals| signals.widget.with_untracked(|widget| widget.frame));
        frame.is_some_and(|frame| frame.bottom() > u32::from(top_row))
    });
    if looking_at.with_untracked(|old| *old != at) {
        looking_at.set(at);
    }
}
