//! One typed edit, and the cell it writes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::layout::Frame;
use super::text::Update;
use super::widget::Widget;
use super::{ConflictId, WidgetId};

/// One typed edit at the grain of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    AddWidget {
        id: WidgetId,
        widget: Box<Widget>,
    },
    /// Leaves a tombstone with the widget's content (S6).
    RemoveWidget {
        id: WidgetId,
    },
    /// Brings a tombstone's widget back.
    RestoreWidget {
        id: WidgetId,
    },
    Place {
        id: WidgetId,
        frame: Frame,
        /// True where the widget made room for another: nobody chose this frame.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        settled: bool,
    },
    /// `field` is `title` or an option of the widget's kind; `null` unsets an option.
    Set {
        id: WidgetId,
        field: String,
        value: Value,
    },
    /// A Yjs v1 update to a note's text.
    EditText {
        id: WidgetId,
        update: Update,
        /// Where nobody typed this: the compaction of the text, by the generation that begins with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compacted: Option<u64>,
    },
    /// `field` is `title` or a setting; `null` unsets a setting.
    SetDashboard {
        field: String,
        value: Value,
    },
    SettleConflict {
        conflict: ConflictId,
        choose: Choice,
    },
}

/// What a person chose in a conflict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The value that shows.
    Kept,
    /// The value that does not show.
    Other,
    /// A third one.
    Value(Value),
    /// Takes a choice back: the conflict is open again.
    Reopen,
}

/// The address of one field, and the unit of conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cell {
    /// The widget; `None` for the dashboard's own fields.
    pub id: Option<WidgetId>,
    pub field: String,
}

/// The field of a cell that stands for a widget's being there.
pub const REMOVED: &str = "removed";
/// The field of a cell that stands for a widget's place.
pub const FRAME: &str = "frame";
/// The field of a cell that stands for a note's text.
pub const TEXT: &str = "text";

impl Cell {
    /// A cell of a widget.
    pub fn widget(id: &WidgetId, field: &str) -> Self {
        Self { id: Some(id.clone()), field: field.to_owned() }
    }

    /// A cell of the dashboard itself.
    pub fn dashboard(field: &str) -> Self {
        Self { id: None, field: field.to_owned() }
    }
}

impl Op {
    /// Somebody's typing in a note.
    pub fn edit_text(id: &WidgetId, update: Update) -> Self {
        Self::EditText { id: id.clone(), update, compacted: None }
    }

    /// True for typing that inserts and removes nothing.
    pub fn is_empty_typing(&self) -> bool {
        matches!(self, Self::EditText { update, .. } if update.is_empty())
    }

    /// The cell that this op writes; `None` for `settle_conflict`, which writes its conflict's.
    pub fn cell(&self) -> Option<Cell> {
        Some(match self {
            Self::AddWidget { id, .. } | Self::RemoveWidget { id } | Self::RestoreWidget { id } => {
                Cell::widget(id, REMOVED)
            }
            Self::Place { id, .. } => Cell::widget(id, FRAME),
            Self::Set { id, field, .. } => Cell::widget(id, field),
            Self::EditText { id, .. } => Cell::widget(id, TEXT),
            Self::SetDashboard { field, .. } => Cell::dashboard(field),
            Self::SettleConflict { .. } => return None,
        })
    }

    /// The widget that this op is about, if it is about one.
    pub fn widget_id(&self) -> Option<&WidgetId> {
        match self {
            Self::AddWidget { id, .. }
            | Self::RemoveWidget { id }
            | Self::RestoreWidget { id }
            | Self::Place { id, .. }
            | Self::Set { id, .. }
            | Self::EditText { id, .. } => Some(id),
            Self::SetDashboard { .. } | Self::SettleConflict { .. } => None,
        }
    }
}
