//! The others' pointers, each named and in its person's colour, at the same place of the same widget.

use std::time::Duration;

use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::dashboard_container::{CANVAS, element_id};
use super::people::People;
use crate::app::dom;
use crate::dashboard::SessionId;
use crate::sync::protocol::Cursor;

/// Cursors drawn at once; more would hide the page that they point at.
const MOST: usize = 20;
/// A cursor that has been still this long dims.
const STILL: Duration = Duration::from_secs(10);

/// Draws the cursors over the grid.
#[component]
pub fn CursorTracker(grid: NodeRef<Div>) -> impl IntoView {
    let people = People::here();
    let sessions = Memo::new(move |_| people.cursors.read().keys().take(MOST).cloned().collect::<Vec<_>>());
    view! {
        <div class="cursors" aria-hidden="true">
            <For
                each=move || sessions.get()
                key=|session| session.clone()
                children=move |session| view! { <PeerCursor session grid/> }
            />
        </div>
    }
}

#[component]
fn PeerCursor(session: SessionId, grid: NodeRef<Div>) -> impl IntoView {
    let people = People::here();
    let mine = Memo::new(move |_| people.cursors.read().get(&session).cloned());
    let user = Memo::new(move |_| mine.get().map(|(user, _)| user).unwrap_or_default());
    let drawn = NodeRef::<Div>::new();
    let still = RwSignal::new(false);
    let timer = StoredValue::new(None::<TimeoutHandle>);
    Effect::new(move |_| {
        let Some((_, cursor)) = mine.get() else { return };
        let (Some(grid), Some(drawn)) = (grid.get(), drawn.get()) else { return };
        if let Some((x, y)) = spot(&cursor, &grid) {
            // Fails only for a property that the browser does not know.
            let _ = web_sys::HtmlElement::style(&drawn)
                .set_property("transform", &format!("translate3d({x:.1}px,{y:.1}px,0)"));
        }
        if still.get_untracked() {
            still.set(false);
        }
        let next = set_timeout_with_handle(move || still.set(true), STILL).ok();
        timer.update_value(|timer| {
            if let Some(old) = std::mem::replace(timer, next) {
                old.clear();
            }
        });
    });
    on_cleanup(move || {
        if let Some(Some(timer)) = timer.try_get_value() {
            timer.clear();
        }
    });
    view! {
        <div
            class="cursor"
            class:still=still
            node_ref=drawn
            data-testid="cursor"
            data-user=move || user.read().id.to_string()
            style:--who=move || user.read().color.clone()
        >
            <svg width="18" height="20" viewBox="0 0 18 20">
                <path d="M1 1l6 16 2.6-6.4L16 8z"></path>
            </svg>
            <span>{move || user.read().name.clone()}</span>
        </div>
    }
}

/// Where a cursor is, in CSS pixels from the grid's corner; `None` where its widget is not on screen.
fn spot(cursor: &Cursor, grid: &HtmlElement) -> Option<(f64, f64)> {
    let origin = grid.get_bounding_client_rect();
    let area = if cursor.on == CANVAS {
        grid.get_bounding_client_rect()
    } else {
        dom::by_id(&element_id(&cursor.on))?.unchecked_into::<web_sys::Element>().get_bounding_client_rect()
    };
    let x = area.left() - origin.left() + f64::from(cursor.x) * area.width();
    let y = area.top() - origin.top() + f64::from(cursor.y) * area.height();
    Some((x, y))
}
