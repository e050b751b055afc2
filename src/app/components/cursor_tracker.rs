//! The others' pointers, each named and in its person's colour, at the same place of the same widget.

use crate::app::dynamic::{attr, each, effect, live, memo};
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{DomRect, HtmlElement, ResizeObserver};

use super::dashboard_container::{CANVAS, element_id};
use super::people::{People, of};
use crate::app::clock::Clock;
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;
use crate::dashboard::{SessionId, WidgetId};
use crate::sync::protocol::Cursor;

/// Cursors drawn at once; more would hide the page that they point at.
const MOST: usize = 20;
/// A cursor that has been still this long dims.
const STILL_MS: u64 = 10_000;

/// The grid that the cursors are over.
#[derive(Clone, Copy)]
pub struct Grid(pub NodeRef<Div>);

/// Draws the cursors over the grid.
#[component]
pub fn CursorTracker(store: DashboardStore, grid: NodeRef<Div>) -> impl IntoView {
    let people = People::here();
    let sessions = memo(move || {
        people.cursors.read().iter().take(MOST).map(|(session, _)| session.clone()).collect::<Vec<_>>()
    });
    let laid_out = RwSignal::new(());
    keep_told_of_size(grid, laid_out);
    // All of them at once, and every measure before any style: in turns, the browser would lay the page
    // out anew for each cursor.
    effect(move || {
        let Some(grid) = grid.get() else { return };
        laid_out.track();
        let cursors = people.cursors.read();
        let shown = cursors.iter().take(MOST);
        let origin = grid.get_bounding_client_rect();
        let spots: Vec<_> = shown
            .filter_map(|(session, (_, cursor))| Some((session, spot(store, cursor, &origin)?)))
            .collect();
        for (session, spot) in spots {
            if let Some(drawn) = dom::by_id(&cursor_id(session)) {
                put(&drawn, spot);
            }
        }
    });
    view! {
        <div class="cursors" aria-hidden="true">
            {each(
                move || sessions.get(),
                SessionId::clone,
                move |session| view! { <PeerCursor store session grid/> },
            )}
        </div>
    }
}

/// Tells whenever the grid gets another size, as when a panel opens beside it: what the cursors point at is
/// elsewhere then.
fn keep_told_of_size(grid: NodeRef<Div>, laid_out: RwSignal<()>) {
    effect(move || {
        let Some(grid) = grid.get() else { return };
        let resized = Closure::<dyn Fn()>::new(move || {
            // The page may be gone.
            let _ = laid_out.try_set(());
        });
        if let Ok(observer) = ResizeObserver::new(resized.as_ref().unchecked_ref()) {
            observer.observe(&grid);
            let watching = StoredValue::new_local((observer, resized));
            on_cleanup(move || {
                let _ = watching.try_with_value(|(observer, _)| observer.disconnect());
            });
        }
    });
}

#[component]
fn PeerCursor(store: DashboardStore, session: SessionId, grid: NodeRef<Div>) -> impl IntoView {
    let people = People::here();
    let clock = Clock::here();
    let id = cursor_id(&session);
    let mine = memo(move || of(&people.cursors.read(), &session).cloned());
    let user = memo(move || mine.get().map(|(user, _)| user).unwrap_or_default());
    let drawn = NodeRef::<Div>::new();
    let still = RwSignal::new(false);
    let moved_at = StoredValue::new(0);
    // Where it comes in; from then on all are put in their places together.
    effect(move || {
        if let (Some(drawn), Some(grid), Some((_, cursor))) = (drawn.get(), grid.get(), mine.get_untracked())
            && let Some(spot) = spot(store, &cursor, &grid.get_bounding_client_rect())
        {
            put(&drawn, spot);
        }
    });
    effect(move || {
        mine.track();
        moved_at.set_value(clock.now_untracked());
        if still.get_untracked() {
            still.set(false);
        }
    });
    effect(move || {
        if clock.now().saturating_sub(moved_at.get_value()) >= STILL_MS && !still.get_untracked() {
            still.set(true);
        }
    });
    view! {
        <div
            class="cursor"
            class:still=still
            id=id
            node_ref=drawn
            data-testid="cursor"
            data-user=attr(move || user.read().id.to_string())
            style:--who=attr(move || user.read().color.clone())
        >
            <svg width="18" height="20" viewBox="0 0 18 20">
                <path d="M1 1l6 16 2.6-6.4L16 8z"></path>
            </svg>
            <span>{live(move || user.read().name.clone())}</span>
        </div>
    }
}

fn cursor_id(session: &SessionId) -> String {
    format!("c-{session}")
}

/// Puts a cursor at a place of the grid, in CSS pixels.
fn put(drawn: &HtmlElement, (x, y): (f64, f64)) {
    // Fails only for a property that the browser does not know.
    let _ = drawn.style().set_property("transform", &format!("translate3d({x:.1}px,{y:.1}px,0)"));
}

/// Where a cursor is, in CSS pixels from the grid's corner; `None` where its widget is not on screen.
fn spot(store: DashboardStore, cursor: &Cursor, grid: &DomRect) -> Option<(f64, f64)> {
    let widget = match &*cursor.on {
        CANVAS => None,
        id => Some(dom::by_id(&element_id(id))?.get_bounding_client_rect()),
    };
    let area = widget.as_ref().unwrap_or(grid);
    // On a chart it points at its moment, however wide that chart is here.
    let at_moment = || store.time.charts.x_of(&WidgetId::new(&cursor.on).ok()?, cursor.at?);
    let x = at_moment().unwrap_or_else(|| area.left() + f64::from(cursor.x) * area.width()) - grid.left();
    let y = area.top() - grid.top() + f64::from(cursor.y) * area.height();
    Some((x, y))
}
