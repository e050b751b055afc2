//! Queue of widgets with new points: a few draw in each frame of the page.
//!
//! New points come for all widgets at once, and to draw them all takes longer than a frame. So the widgets
//! stand in line, and each frame goes on where the last one stopped. Nothing but points is in this line:
//! cursors and edits show at once.

use std::cell::RefCell;
use std::collections::VecDeque;

use js_sys::Promise;
use leptos::prelude::*;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::dashboard_store::WidgetSignals;
use super::dom;

/// Milliseconds of a frame that go to drawing, of the 16 that it lasts: the browser needs the others to lay
/// out and paint what was drawn, and to move the cursors.
const BUDGET_MS: f64 = 8.0;

/// The widgets whose points came and do not show yet, each once however often points come for it: so the
/// line is never longer than the dashboard.
#[derive(Default)]
struct Line {
    waiting: VecDeque<WidgetSignals>,
    /// True while somebody draws.
    moves: bool,
}

impl Line {
    /// Puts a widget in line, if it does not wait already: one that is seen before those that are not, so
    /// that what changes on the screen does so in few frames. True where drawing has to begin.
    fn put(&mut self, widget: WidgetSignals) -> bool {
        if !self.waiting.iter().any(|waiting| waiting.data == widget.data) {
            match widget.seen.get_untracked() {
                true => self.waiting.push_front(widget),
                false => self.waiting.push_back(widget),
            }
        }
        !std::mem::replace(&mut self.moves, true)
    }

    /// The widget whose turn it is; drawing ends with `None`.
    fn next(&mut self) -> Option<WidgetSignals> {
        let next = self.waiting.pop_front();
        self.moves = next.is_some();
        next
    }
}

thread_local! {
    /// The page's one line.
    static LINE: RefCell<Line> = RefCell::default();
}

/// Tells the readers of a widget's data in one of the next frames that there is more. They read what is
/// there by then.
pub fn draw_soon(widget: WidgetSignals) {
    if LINE.with_borrow_mut(|line| line.put(widget)) {
        spawn_local(in_turns(Box::new(draw)));
    }
}

/// Draws the widget whose turn it is. False where nobody is in line.
fn draw() -> bool {
    let next = LINE.with_borrow_mut(Line::next);
    next.inspect(|widget| widget.data.notify()).is_some()
}

/// Takes as many steps in each frame as there is time for, until there is none left to take.
pub async fn in_turns(mut step: Box<dyn FnMut() -> bool>) {
    loop {
        next_frame().await;
        let began = elapsed_ms();
        while elapsed_ms() - began < BUDGET_MS {
            if !step() {
                return;
            }
            // Whom it woke runs before this promise is kept, so what they take counts.
            kept(Promise::resolve(&JsValue::NULL)).await;
        }
    }
}

/// Waits for the next frame; while the page is hidden there is none.
pub async fn next_frame() {
    kept(Promise::new(&mut |begins, _| {
        // A window that is there has frames.
        let _ = window().request_animation_frame(&begins);
    }))
    .await;
}

async fn kept(promise: Promise) {
    // Neither of these promises is ever broken.
    let _ = JsFuture::from(promise).await;
}

fn elapsed_ms() -> f64 {
    dom::elapsed_ms().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind, Widget};

    fn widget(seen: bool) -> WidgetSignals {
        let signals = WidgetSignals::new(Widget::new(Kind::Stat, "", Frame::default()).into(), 0);
        signals.seen.set(seen);
        signals
    }

    #[test]
    fn a_widget_waits_once_and_shows_what_came_last() {
        let owner = Owner::new();
        owner.set();
        let came = |widget: WidgetSignals, at| widget.data.update_untracked(|data| data.received_at = at);
        let next = |line: &mut Line| line.next().map(|widget| widget.data);
        let (one, other, seen) = (widget(false), widget(false), widget(true));
        let mut line = Line::default();
        came(one, 1);
        assert!(line.put(one), "drawing begins with the first");
        came(other, 1);
        assert!(!line.put(other), "and goes on by itself");
        came(one, 2);
        assert!(!line.put(one) && !line.put(seen));
        assert_eq!(next(&mut line), Some(seen.data), "what is seen goes first");
        assert_eq!(next(&mut line), Some(one.data));
        assert_eq!(one.data.with_untracked(|data| data.received_at), 2);

        assert!(!line.put(one), "who was drawn may wait again, behind the others");
        assert_eq!(
            [next(&mut line), next(&mut line), next(&mut line)],
            [Some(other.data), Some(one.data), None]
        );
        assert!(line.put(other), "after the last, drawing has to begin anew");
    }
}
