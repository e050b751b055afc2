//! Preview of a dashboard: its grid in small, each widget with a hint of its kind.

use std::fmt::Write as _;

use leptos::prelude::*;

use crate::dashboard::outline::Tile;
use crate::dashboard::{Frame, Kind};

/// Size of the drawing, in units of its own. What stands further down is cut off, as on a screen.
const WIDTH: i32 = 480;
const HEIGHT: i32 = 192;
const COLUMN: i32 = 20;
const ROW: i32 = 16;
/// Half of what is free between two widgets.
const GAP: i32 = 3;
/// Between the edge of a widget and what is in it.
const INSET: i32 = 9;

/// Heights of a curve's points, in percent from the top.
const COURSE: [i32; 8] = [70, 46, 62, 30, 48, 16, 36, 8];

/// What is drawn, each as the `d` of one path: as few elements as there are colours.
#[derive(Debug, Default, PartialEq, Eq)]
struct Drawing {
    tiles: String,
    texts: String,
    figures: String,
    curves: String,
    bars: String,
    /// Where the first widgets would stand.
    places: String,
}

/// The grid in small. It says nothing to screen readers: the card has the words.
#[component]
pub fn Preview(outline: Vec<Tile>) -> impl IntoView {
    let Drawing { tiles, texts, figures, curves, bars, places } = draw(&outline);
    view! {
        <svg
            class="preview"
            viewBox=format!("0 0 {WIDTH} {HEIGHT}")
            preserveAspectRatio="xMidYMin slice"
            aria-hidden="true"
        >
            <path class="preview-places" d=places/>
            <path class="preview-tiles" d=tiles/>
            <path class="preview-texts" d=texts/>
            <path class="preview-figures" d=figures/>
            <path class="preview-bars" d=bars/>
            <path class="preview-curves" d=curves/>
        </svg>
    }
}

fn draw(outline: &[Tile]) -> Drawing {
    let mut drawing = Drawing::default();
    if outline.is_empty() {
        for x in [0, 8, 16] {
            frame(&mut drawing.places, place(Frame::new(x, 0, 8, 6)));
        }
    }
    for (nth, tile) in (0..).zip(outline) {
        let place = place(tile.frame);
        let Area { left, top, wide, high } = place;
        if top >= HEIGHT {
            continue;
        }
        frame(&mut drawing.tiles, place);
        let inner =
            Area { left: left + INSET, top: top + INSET, wide: wide - 2 * INSET, high: high - 2 * INSET };
        // In a row alone there is room for a heading only.
        if inner.wide >= 12 && inner.high >= 6 {
            drawing.hint(tile.kind, inner, nth);
        }
    }
    drawing
}

/// The outer edges of a widget.
fn place(frame: Frame) -> Area {
    let Frame { x, y, w, h } = frame.clamped();
    let [x, y, w, h] = [x, y, w, h].map(i32::from);
    Area { left: x * COLUMN + GAP, top: y * ROW + GAP, wide: w * COLUMN - 2 * GAP, high: h * ROW - 2 * GAP }
}

fn frame(to: &mut String, Area { left, top, wide, high }: Area) {
    path(to, format_args!("M{left} {top}h{wide}v{high}h-{wide}z"));
}

/// A rectangle: a widget, or the room within it.
#[derive(Clone, Copy)]
struct Area {
    left: i32,
    top: i32,
    wide: i32,
    high: i32,
}

impl Area {
    /// The upper edges of rows, `apart` from each other, that fit.
    fn rows(self, apart: i32) -> impl Iterator<Item = i32> {
        (0..)
            .map(move |nth| nth * apart)
            .take_while(move |down| *down + 4 <= self.high)
            .map(move |d| self.top + d)
    }

    /// A part of the width, in percent.
    const fn part(self, percent: i32) -> i32 {
        self.wide * percent / 100
    }
}

impl Drawing {
    fn hint(&mut self, kind: Kind, inner: Area, nth: usize) {
        let Area { left, top, wide, high } = inner;
        match kind {
            Kind::Stat => {
                let long = inner.part(46).min(64);
                path(&mut self.figures, format_args!("M{left} {}h{long}", top + 5));
                if high > 34 {
                    let foot = Area { top: top + high / 2, high: high / 2, ..inner };
                    self.curve(foot, nth);
                }
            }
            Kind::Timeseries => self.curve(inner, nth),
            Kind::Bar => {
                for (row, percent) in inner.rows(17).zip([96, 71, 58, 40, 33, 21, 14]) {
                    path(&mut self.bars, format_args!("M{left} {}h{}", row + 4, inner.part(percent)));
                }
            }
            Kind::Gauge => {
                let r = (wide / 2).min(high * 2 / 3).min(46);
                let (x, y) = (left + wide / 2 - r, top + high / 2 + r / 2);
                path(&mut self.bars, format_args!("M{x} {y}a{r} {r} 0 0 1 {} 0", 2 * r));
            }
            Kind::Table => {
                for row in inner.rows(14) {
                    let (first, second) = (inner.part(52), inner.part(18));
                    path(
                        &mut self.texts,
                        format_args!("M{left} {}h{first}m{} 0h{second}", row + 3, wide - first - second),
                    );
                }
            }
            Kind::Note => {
                for (row, percent) in inner.rows(14).zip([62, 94, 88, 97, 45, 90, 70, 30].into_iter().cycle())
                {
                    path(&mut self.texts, format_args!("M{left} {}h{}", row + 3, inner.part(percent)));
                }
            }
            Kind::Checklist => {
                for (row, percent) in inner.rows(16).zip([54, 70, 42, 62, 50].into_iter().cycle()) {
                    let long = inner.part(percent).min(wide - 16);
                    path(&mut self.texts, format_args!("M{left} {row}h7v7h-7zm15 4h{long}"));
                }
            }
        }
    }

    /// A curve from one side to the other; two that stand beside each other are not the same.
    fn curve(&mut self, inner: Area, nth: usize) {
        let last = COURSE.len() as i32 - 1;
        for (at, n) in (0..=last).zip(nth..) {
            let (x, y) = (
                inner.left + inner.wide * at / last,
                inner.top + inner.high * COURSE[n % COURSE.len()] / 100,
            );
            path(&mut self.curves, format_args!("{}{x} {y}", if at == 0 { 'M' } else { 'L' }));
        }
    }
}

fn path(to: &mut String, part: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = to.write_fmt(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_leaves_a_hint_in_its_place() {
        for kind in Kind::ALL {
            let (w, h) = kind.size();
            let drawing = draw(&[Tile { kind, frame: Frame::new(12, 0, w, h) }]);
            assert!(drawing.tiles.starts_with("M243 3h"), "{kind:?}: {}", drawing.tiles);
            let hints = [&drawing.texts, &drawing.figures, &drawing.curves, &drawing.bars];
            assert!(hints.iter().any(|hint| !hint.is_empty()), "{kind:?}");
        }
    }

    #[test]
    fn an_empty_dashboard_shows_where_widgets_would_stand() {
        let Drawing { places, tiles, .. } = draw(&[]);
        assert_eq!((places.matches('M').count(), tiles.is_empty()), (3, true));
    }

    #[test]
    fn any_frame_is_drawn_within_bounds() {
        for (w, h) in [(1, 1), (24, 1), (1, 100), (24, 100), (0, 0), (u16::MAX, u16::MAX)] {
            for kind in Kind::ALL {
                let Drawing { tiles, texts, figures, curves, bars, places } =
                    draw(&[Tile { kind, frame: Frame::new(0, 0, w, h) }]);
                assert!(places.is_empty(), "there is something to show");
                let all = [tiles, texts, figures, curves, bars].concat();
                assert!(all.len() < 8_000, "{kind:?} {w}x{h}: {}", all.len());
                assert!(!all.contains("--"), "{all}");
            }
        }
        let far = draw(&[Tile { kind: Kind::Note, frame: Frame::new(0, 12, 24, 8) }]);
        assert_eq!(far, Drawing::default(), "what is below the cut is not drawn");
    }
}
