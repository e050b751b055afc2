//! Moving and resizing: a preview by the same `layout::settle` that the room uses, and one op at the end.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::app::dashboard_store::DashboardStore;
use crate::dashboard::layout::{COLUMNS, Came, settle};
use crate::dashboard::{Frame, Op, WidgetId};
use crate::sync::protocol::Dragging;

/// Height of a row with its gap, in CSS pixels; `style/grid.css` says the same.
pub const ROW_PX: f64 = 38.0;
/// The gap between widgets in CSS pixels.
pub const GAP_PX: f64 = 8.0;

/// What a grasp changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grasp {
    Move,
    Resize,
}

/// How a widget is being arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Pointer,
    Keys,
}

/// A widget in somebody's hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub id: WidgetId,
    pub grasp: Grasp,
    pub by: By,
    /// Its frame when it was taken.
    pub start: Frame,
    /// The frame that it would like.
    pub wanted: Frame,
}

/// What is being arranged here, and how the grid would look.
#[derive(Clone, Copy)]
pub struct Arranging {
    pub held: RwSignal<Option<Held>>,
    /// The frames that differ from the dashboard's while something is held.
    pub preview: RwSignal<BTreeMap<WidgetId, Frame>>,
    /// How far a pointer has carried the held widget, in CSS pixels.
    pub carried: RwSignal<(f64, f64)>,
    store: DashboardStore,
}

impl Arranging {
    pub fn new(store: DashboardStore) -> Self {
        Self {
            held: RwSignal::new(None),
            preview: RwSignal::new(BTreeMap::new()),
            carried: RwSignal::new((0.0, 0.0)),
            store,
        }
    }

    pub fn here() -> Self {
        use_context().expect("the dashboard page provides its arranging")
    }

    /// Takes a widget, where that is allowed. One that is held already is put down first.
    pub fn take(self, id: &WidgetId, grasp: Grasp, by: By) {
        self.put_down();
        if !self.store.may_edit.get_untracked() {
            return;
        }
        let Some(signals) = self.store.widget(id) else { return };
        let start = signals.widget.get_untracked().frame;
        self.carried.set((0.0, 0.0));
        self.held.set(Some(Held { id: id.clone(), grasp, by, start, wanted: start }));
    }

    /// Says where the held widget would go, on screen here and to the others.
    pub fn want(self, frame: Frame) {
        let frame = frame.clamped();
        let Some(held) = self.held.get_untracked() else { return };
        if held.wanted == frame {
            return;
        }
        let Held { id, start, .. } = held;
        self.held.update(|held| {
            if let Some(held) = held {
                held.wanted = frame;
            }
        });
        self.preview.set(self.settled(&id, start, frame));
        self.store.live(|live| live.dragging(Some(Dragging { id, frame })));
    }

    /// Puts the held widget down where it is wanted: one op, or none where nothing would change.
    pub fn put_down(self) {
        let Some(Held { id, start, wanted, .. }) = self.held.get_untracked() else { return };
        if !self.settled(&id, start, wanted).is_empty() {
            self.store.edit(vec![Op::Place { id, frame: wanted, settled: false }]);
        }
        self.let_go();
    }

    /// Forgets it: the widget goes back to where it was.
    pub fn let_go(self) {
        if self.held.get_untracked().is_none() {
            return;
        }
        self.held.set(None);
        self.preview.set(BTreeMap::new());
        self.carried.set((0.0, 0.0));
        self.store.live(|live| live.dragging(None));
    }

    /// The held widget's next frame for an arrow: one unit, moved or resized.
    pub fn step(self, grasp: Grasp, columns: i32, rows: i32) {
        let Some(held) = self.held.get_untracked() else { return };
        self.want(stepped(held.wanted, grasp, columns, rows));
    }

    /// The frames that placing would change.
    fn settled(self, id: &WidgetId, start: Frame, wanted: Frame) -> BTreeMap<WidgetId, Frame> {
        let ids = self.store.order.get_untracked();
        let frame = |id: WidgetId| {
            let frame = self.store.widget(&id)?.widget.with_untracked(|widget| widget.frame);
            Some((id, frame))
        };
        let mut now = BTreeMap::new();
        now.extend(ids.into_iter().filter_map(frame));
        if !now.contains_key(id) {
            return BTreeMap::new();
        }
        let mut frames = now.clone();
        frames.insert(id.clone(), wanted);
        let came = if wanted.y > start.y { Came::Down } else { Came::Up };
        let mut placed = BTreeMap::new();
        placed.insert(id.clone(), came);
        let mut settled = settle(&frames, &placed);
        settled.retain(|id, frame| now.get(id) != Some(frame));
        settled
    }
}

/// The frame that a pointer's way makes out of another.
pub fn carried(start: Frame, grasp: Grasp, dx: f64, dy: f64, column_px: f64) -> Frame {
    let columns = (dx / column_px.max(1.0)).round() as i32;
    let rows = (dy / ROW_PX).round() as i32;
    stepped(start, grasp, columns, rows)
}

fn stepped(frame: Frame, grasp: Grasp, columns: i32, rows: i32) -> Frame {
    let add =
        |value: u16, by: i32, least: i32| (i32::from(value) + by).clamp(least, i32::from(u16::MAX)) as u16;
    match grasp {
        Grasp::Move => {
            Frame { x: add(frame.x, columns, 0).min(COLUMNS - frame.w), y: add(frame.y, rows, 0), ..frame }
        }
        Grasp::Resize => {
            Frame { w: add(frame.w, columns, 2).min(COLUMNS - frame.x), h: add(frame.h, rows, 2), ..frame }
        }
    }
    .clamped()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_moves_and_resizes_in_whole_units_on_the_grid() {
        let start = Frame::new(6, 4, 6, 4);
        assert_eq!(carried(start, Grasp::Move, 95.0, -39.0, 50.0), Frame::new(8, 3, 6, 4));
        assert_eq!(carried(start, Grasp::Move, 5000.0, -5000.0, 50.0), Frame::new(18, 0, 6, 4));
        assert_eq!(carried(start, Grasp::Resize, 1000.0, 38.0, 50.0), Frame::new(6, 4, 18, 5));
        assert_eq!(carried(start, Grasp::Resize, -1000.0, -1000.0, 50.0), Frame::new(6, 4, 2, 2));
    }
}
