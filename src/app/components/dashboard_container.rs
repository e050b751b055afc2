//! The grid: every widget at its place, the ghosts of what is being moved, and the cursors above.

use leptos::ev::PointerEvent;
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::arranging::{Arranging, ROW_PX};
use super::cursor_tracker::CursorTracker;
use super::people::People;
use super::widget_container::WidgetContainer;
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;
use crate::dashboard::{Frame, User, WidgetId};
use crate::sync::protocol::Cursor;

/// What a cursor is on where it is on no widget.
pub const CANVAS: &str = "canvas";

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
    let people = People::here();
    let grid = NodeRef::<Div>::new();
    let shown = RwSignal::new(store.order.get_untracked());
    Effect::new(move |_| {
        store.order.track();
        show_order(store, shown, grid);
    });
    let rows = Memo::new(move |_| {
        let preview = arranging.preview.read();
        let bottom = |id: &WidgetId| {
            let frame = store.widget(id)?.widget.with(|widget| widget.frame);
            Some(preview.get(id).copied().unwrap_or(frame).bottom())
        };
        store.order.read().iter().filter_map(bottom).max().unwrap_or(0)
    });
    let looking_at = RwSignal::new(None);
    dom::on_window(leptos::ev::scroll, move |_| look(store, grid, looking_at));
    Effect::new(move |_| {
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
        people.drags.get().into_values().map(ghost).collect_view()
    };
    view! {
        <div
            class="grid"
            data-testid="grid"
            node_ref=grid
            style:--rows=move || rows.get().to_string()
            class:arranging=move || arranging.held.read().is_some()
            on:pointermove=move |event| {
                if event.pointer_type() != "touch" {
                    let cursor = grid.get_untracked().and_then(|grid| cursor_at(&event, &grid));
                    store.live(|live| live.cursor(cursor));
                }
            }
            on:pointerleave=move |_| store.live(|live| live.cursor(None))
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
            <For
                each=move || shown.get()
                key=|id| id.clone()
                children=move |id| view! { <WidgetContainer id store/> }
            />
            <CursorTracker grid/>
        </div>
    }
}

/// Brings the elements into reading order. While the keyboard is in the grid they stay where they are in
/// the document, because moving an element takes the keyboard and the caret out of it.
fn show_order(store: DashboardStore, shown: RwSignal<Vec<WidgetId>>, grid: NodeRef<Div>) {
    let order = store.order.get_untracked();
    let busy = grid
        .get_untracked()
        .is_some_and(|grid| dom::focused().is_some_and(|focused| grid.contains(Some(focused.as_ref()))));
    let next = if busy {
        let mut next = shown.get_untracked();
        next.retain(|id| order.contains(id));
        let new: Vec<WidgetId> = order.into_iter().filter(|id| !next.contains(id)).collect();
        next.extend(new);
        next
    } else {
        order
    };
    if shown.with_untracked(|shown| *shown != next) {
        shown.set(next);
    }
}

/// Where a pointer is, in the unit square of the widget under it or of the grid.
fn cursor_at(event: &PointerEvent, grid: &Element) -> Option<Cursor> {
    let under: Option<Element> = event.target().and_then(|target| target.dyn_into().ok());
    let widget = under.and_then(|under| under.closest("[data-widget]").ok().flatten());
    let on = widget.as_ref().and_then(|widget| widget.get_attribute("data-widget"));
    let area = widget.as_ref().unwrap_or(grid).get_bounding_client_rect();
    if area.width() < 1.0 || area.height() < 1.0 {
        return None;
    }
    let within = |at: f64, from: f64, size: f64| ((at - from) / size).clamp(0.0, 1.0) as f32;
    Some(Cursor {
        on: on.unwrap_or_else(|| CANVAS.to_owned()),
        x: within(f64::from(event.client_x()), area.left(), area.width()),
        y: within(f64::from(event.client_y()), area.top(), area.height()),
    })
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
