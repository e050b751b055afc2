//! Outline of a dashboard: where its widgets stand and of which kind, for a small preview.

use serde::{Deserialize, Serialize};

use super::{Dashboard, Frame, Kind, Op};

/// Tiles of an outline: more than these are no longer told apart in a preview, and so many are some 1.5 KB.
pub const MAX_OUTLINE: usize = 60;

/// One widget of an outline; as JSON `["stat",x,y,w,h]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Kind, u16, u16, u16, u16)", into = "(Kind, u16, u16, u16, u16)")]
pub struct Tile {
    pub kind: Kind,
    pub frame: Frame,
}

impl From<(Kind, u16, u16, u16, u16)> for Tile {
    fn from((kind, x, y, w, h): (Kind, u16, u16, u16, u16)) -> Self {
        Self { kind, frame: Frame { x, y, w, h } }
    }
}

impl From<Tile> for (Kind, u16, u16, u16, u16) {
    fn from(Tile { kind, frame: Frame { x, y, w, h } }: Tile) -> Self {
        (kind, x, y, w, h)
    }
}

impl Dashboard {
    /// The topmost [`MAX_OUTLINE`] widgets in reading order.
    pub fn outline(&self) -> Vec<Tile> {
        let mut tiles: Vec<Tile> =
            self.widgets.values().map(|widget| Tile { kind: widget.kind, frame: widget.frame }).collect();
        // Stable, so that the order of the ids decides the rest.
        tiles.sort_by_key(|tile| (tile.frame.y, tile.frame.x));
        tiles.truncate(MAX_OUTLINE);
        tiles
    }
}

/// True where an op in effect may change the outline.
pub fn changes_outline(op: &Op) -> bool {
    match op {
        Op::AddWidget { .. } | Op::RemoveWidget { .. } | Op::RestoreWidget { .. } | Op::Place { .. } => true,
        // What a choice brings stands in ops of its own.
        Op::Set { .. } | Op::EditText { .. } | Op::SetDashboard { .. } | Op::SettleConflict { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dashboard::{Widget, WidgetId};

    #[test]
    fn the_topmost_widgets_stand_in_it_in_reading_order() {
        let mut dashboard = Dashboard::new("T");
        for n in 0..100_u16 {
            let frame = Frame::new(n % 4 * 6, 400 - n / 4 * 4, 6, 4);
            let id = WidgetId::new(format!("w{n}")).expect("an id");
            dashboard.widgets.insert(id, Arc::new(Widget::new(Kind::Gauge, "", frame)));
        }
        let outline = dashboard.outline();
        assert_eq!(outline.len(), MAX_OUTLINE);
        assert_eq!(
            (outline[0].frame, outline[59].frame),
            (Frame::new(0, 304, 6, 4), Frame::new(18, 360, 6, 4))
        );
        let json = serde_json::to_string(&outline[..2]).expect("JSON");
        assert_eq!(json, r#"[["gauge",0,304,6,4],["gauge",6,304,6,4]]"#);
        assert_eq!(serde_json::from_str::<Vec<Tile>>(&json).expect("reads"), outline[..2]);
    }
}
