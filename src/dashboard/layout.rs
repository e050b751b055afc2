//! The 24-column grid: where widgets stand, and how they make room for each other (S9).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::WidgetId;
use super::order::sorted;

/// Columns of the grid; the unit that Grafana's `gridPos` uses.
pub const COLUMNS: u16 = 24;
/// Rows a widget may span: three screens.
pub const MAX_ROWS: u16 = 100;
/// The lowest row a frame may ask for: below what the most widgets need when they are stacked.
pub const MAX_Y: u16 = 60_000;

/// A widget's place in whole grid units: 24 columns, rows of 30 px.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Frame {
    /// Left edge, 0..24.
    pub x: u16,
    /// Top edge, 0 and down.
    pub y: u16,
    /// Columns, 1..=24.
    pub w: u16,
    /// Rows, 1 and more.
    pub h: u16,
}

impl Frame {
    pub const fn new(x: u16, y: u16, w: u16, h: u16) -> Self {
        Self { x, y, w, h }
    }

    /// The nearest frame that lies on the grid.
    pub fn clamped(self) -> Self {
        let w = self.w.clamp(1, COLUMNS);
        let h = self.h.clamp(1, MAX_ROWS);
        Self { x: self.x.min(COLUMNS - w), y: self.y.min(MAX_Y), w, h }
    }

    /// The row below the frame.
    pub const fn bottom(self) -> u32 {
        self.y as u32 + self.h as u32
    }

    /// True where two frames share a grid unit.
    pub fn overlaps(self, other: Self) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && u32::from(self.y) < other.bottom()
            && u32::from(other.y) < self.bottom()
    }
}

/// Which way a widget came to where it wants to be. It decides who goes first where two meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// From below, from the side, or new: it takes its row, what is there goes under it.
    Up,
    /// From above: it goes under what its lower edge has passed the middle of.
    Down,
}

/// Settles frames so that no two overlap and none floats above free space (S9).
///
/// Takes every widget's wanted frame (on the grid, see [`Frame::clamped`]) and the widgets that
/// somebody just placed. Returns every widget's frame. A settled layout comes back as it is.
///
/// Widgets are ordered by their middle, placed ones by the edge that leads, and then stacked: each
/// rests on the lowest row that is free below everything before it. Any order that agrees with
/// "above" gives a settled layout back unchanged, and middle and edges both do.
pub fn settle(
    frames: &BTreeMap<WidgetId, Frame>,
    placed: &BTreeMap<WidgetId, Came>,
) -> BTreeMap<WidgetId, Frame> {
    let place = |(id, frame): (&WidgetId, &Frame)| {
        let frame = frame.clamped();
        let (y, h) = (u32::from(frame.y), u32::from(frame.h));
        let came = placed.get(id);
        let lead = match came {
            None => 2 * y + h,
            Some(Came::Up) => 2 * y,
            Some(Came::Down) => 2 * (y + h),
        };
        ((lead, y, Reverse(came.is_some()), frame.x), id.clone(), frame)
    };
    let order = sorted(frames.iter().map(place).collect(), |a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut skyline = [0u16; COLUMNS as usize];
    let mut settled = BTreeMap::new();
    for (_, id, frame) in order {
        let columns = &mut skyline[usize::from(frame.x)..usize::from(frame.x + frame.w)];
        let y = columns.iter().copied().max().unwrap_or(0);
        columns.fill(y.saturating_add(frame.h));
        settled.insert(id, Frame { y, ..frame });
    }
    settled
}

/// The first free place for a new widget of a size: as high as it fits, then as far left.
pub fn free_place(frames: impl Iterator<Item = Frame> + Clone, w: u16, h: u16) -> Frame {
    let wanted = Frame::new(0, 0, w, h).clamped();
    let end = frames.clone().map(Frame::bottom).max().unwrap_or(0).min(u32::from(MAX_Y)) as u16;
    for y in 0..=end {
        for x in 0..=(COLUMNS - wanted.w) {
            let candidate = Frame { x, y, ..wanted };
            if !frames.clone().any(|frame| frame.overlaps(candidate)) {
                return candidate;
            }
        }
    }
    Frame { y: end, ..wanted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(n: usize) -> WidgetId {
        WidgetId::new(format!("w{n}")).expect("a short id")
    }

    fn of(frames: &[Frame]) -> BTreeMap<WidgetId, Frame> {
        frames.iter().enumerate().map(|(n, f)| (id(n), *f)).collect()
    }

    fn any_frame() -> impl Strategy<Value = Frame> {
        (0u16..30, 0u16..40, 0u16..30, 0u16..12).prop_map(|(x, y, w, h)| Frame::new(x, y, w, h))
    }

    fn any_placed() -> impl Strategy<Value = BTreeMap<WidgetId, Came>> {
        prop::collection::btree_map(
            (0usize..20).prop_map(id),
            prop::bool::ANY.prop_map(|up| if up { Came::Up } else { Came::Down }),
            0..4,
        )
    }

    fn none_floats(frames: &BTreeMap<WidgetId, Frame>) -> bool {
        frames.iter().all(|(id, f)| {
            f.y == 0 || {
                let above = Frame { y: f.y - 1, ..*f };
                frames.iter().any(|(other, g)| other != id && above.overlaps(*g))
            }
        })
    }

    proptest! {
        #[test]
        fn s9_no_two_overlap_and_none_floats(
            frames in prop::collection::vec(any_frame(), 0..20), placed in any_placed(),
        ) {
            let settled = settle(&of(&frames), &placed);
            let all: Vec<_> = settled.values().copied().collect();
            for (n, a) in all.iter().enumerate() {
                prop_assert!(a.x + a.w <= COLUMNS);
                for b in &all[n + 1..] {
                    prop_assert!(!a.overlaps(*b), "{a:?} {b:?}");
                }
            }
            prop_assert!(none_floats(&settled));
        }

        #[test]
        fn s9_a_settled_layout_stays(
            frames in prop::collection::vec(any_frame(), 0..20), first in any_placed(), then in any_placed(),
        ) {
            let settled = settle(&of(&frames), &first);
            prop_assert_eq!(&settle(&settled, &then), &settled);
        }

        #[test]
        fn a_free_place_is_free(frames in prop::collection::vec(any_frame(), 0..20), w in 1u16..24, h in 1u16..9) {
            let settled = settle(&of(&frames), &BTreeMap::new());
            let place = free_place(settled.values().copied(), w, h);
            prop_assert!(settled.values().all(|f| !f.overlaps(place)));
        }
    }

    #[test]
    fn a_widget_dragged_up_swaps_with_the_one_above() {
        let frames = of(&[Frame::new(0, 0, 6, 4), Frame::new(0, 1, 6, 4)]);
        let settled = settle(&frames, &BTreeMap::from([(id(1), Came::Up)]));
        assert_eq!((settled[&id(1)].y, settled[&id(0)].y), (0, 4));
    }

    #[test]
    fn a_widget_dragged_down_past_the_middle_swaps() {
        let frames = of(&[Frame::new(0, 3, 6, 4), Frame::new(0, 4, 6, 4)]);
        let settled = settle(&frames, &BTreeMap::from([(id(0), Came::Down)]));
        assert_eq!((settled[&id(1)].y, settled[&id(0)].y), (0, 4));
    }
}
