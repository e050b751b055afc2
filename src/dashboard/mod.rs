//! Dashboard: a titled grid of widgets, and the one way to change it, `Dashboard::apply`.
//!
//! Pure: no IO, no clock, no randomness, no framework. Imports nothing of this crate.

pub mod capability;
pub mod difference;
pub mod export;
pub mod fold;
pub mod grafana;
pub mod id;
pub mod layout;
pub mod line_ends;
pub mod lines;
pub mod mapping;
pub mod number;
pub mod op;
pub mod order;
pub mod outline;
pub mod query;
pub mod range;
pub mod settings;
pub mod several;
pub mod size;
pub mod splice;
pub mod table;
pub mod text;
pub mod widget;

mod apply;
mod digest;
mod edit;
mod yjs;
mod zone;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use apply::Forgotten;
pub use edit::{Edit, Effect, OpError, Stamp};
pub use id::{ClientId, ConflictId, DashboardId, Id, IdError, SessionId, UserId, WidgetId};
pub use layout::Frame;
pub use op::{Cell, Choice, Op};
pub use settings::Settings;
pub use text::NoteText;
pub use widget::{Kind, Widget};

/// Widgets that the grid has room for however a limit is set: stacked at their tallest they end where
/// rows are still counted.
pub const WIDGETS_THAT_FIT: usize = (layout::MAX_Y / layout::MAX_ROWS) as usize;
/// Widgets on one dashboard: more than a wall can show, few enough for one frame to carry them all.
pub const MAX_WIDGETS: usize = 500;
/// Tombstones kept with their content; the oldest that no open conflict needs goes first.
pub const MAX_REMOVED: usize = 200;
/// Bytes of tombstones, about, beside the latest: a quarter of a dashboard, so that to remove widgets of a
/// full one makes room.
pub const MAX_REMOVED_BYTES: usize = size::MAX_DASHBOARD_BYTES / 4;
/// Characters in a title, of a dashboard or a widget.
pub const MAX_TITLE_CHARS: usize = 200;

/// A titled grid of widgets. `apply` is the only way it changes.
///
/// Widgets sit behind `Arc`, so a copy is cheap and two copies share what they agree on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    pub title: String,
    #[serde(default)]
    pub settings: Settings,
    #[serde(default)]
    pub widgets: BTreeMap<WidgetId, Arc<Widget>>,
    /// Tombstones (S6): removed widgets with their content.
    #[serde(default)]
    pub removed: BTreeMap<WidgetId, Arc<Removed>>,
    /// Conflict records by id, open and settled.
    #[serde(default)]
    pub conflicts: BTreeMap<ConflictId, Arc<Conflict>>,
}

/// A widget that was removed, with its content, by whom and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    pub widget: Arc<Widget>,
    pub by: User,
    /// Unix milliseconds, from the server; 0 while the removal is only pending.
    pub at: u64,
    /// The commit that removed it; 0 while the removal is only pending.
    pub revision: u64,
}

/// Who did something, as everybody sees it. Verified by the server, never taken from a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub name: String,
    /// `#rrggbb`, readable on light and dark.
    pub color: String,
}

/// Two values for one cell, neither writer having seen the other's (S5, S6). Kept until a person chooses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    pub id: ConflictId,
    pub cell: Cell,
    /// The value both writers started from.
    pub base: Value,
    /// The value that shows.
    pub kept: Side,
    /// The value that does not show.
    pub other: Side,
    /// How and by whom it was settled; `None` while it is open.
    pub settled: Option<Settled>,
}

/// One of the two values of a conflict, with its author and time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    pub value: Value,
    pub by: User,
    /// The tab that wrote it, by its public id; unknown in records from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// When it arrived: Unix milliseconds, from the server.
    pub at: u64,
    /// When it was written, on the same clock, where that was earlier and its tab said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<u64>,
    /// The commit that wrote it, where it is in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// A person's choice in a conflict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    pub choose: Choice,
    pub by: User,
    pub at: u64,
    /// True where nobody chose: both sides say the same by now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agreed: bool,
}

/// Which value shows while a conflict is open. The dashboard setting `conflicts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The later commit.
    #[default]
    Latest,
    /// The value that was there.
    First,
    /// As `First`, and the writer is asked at once.
    Ask,
}

impl Strategy {
    /// Reads the setting's value: `"latest"`, `"first"` or `"ask"`.
    pub fn parse(value: &str) -> Option<Self> {
        match value {
            "latest" => Some(Self::Latest),
            "first" => Some(Self::First),
            "ask" => Some(Self::Ask),
            _ => None,
        }
    }
}

impl Dashboard {
    /// An empty dashboard with a title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// The strategy that the setting `conflicts` names; `Latest` where it is unset.
    pub fn strategy(&self) -> Strategy {
        self.settings.get("conflicts").and_then(Value::as_str).and_then(Strategy::parse).unwrap_or_default()
    }

    /// The value of a cell as JSON; `Null` where it is unset or its widget is not there.
    pub fn value(&self, cell: &Cell) -> Value {
        match &cell.id {
            None if cell.field == "title" => Value::from(self.title.as_str()),
            None => self.settings.get(&cell.field).cloned().unwrap_or(Value::Null),
            Some(id) => self.widgets.get(id).map_or(Value::Null, |widget| widget.value(&cell.field)),
        }
    }

    /// A note's text; `None` where there is no such note.
    pub fn text(&self, id: &WidgetId) -> Option<&NoteText> {
        self.widgets.get(id)?.text.as_ref()
    }

    /// Conflicts that nobody has settled yet, in the order of their ids.
    pub fn open_conflicts(&self) -> impl Iterator<Item = &Arc<Conflict>> {
        self.conflicts.values().filter(|conflict| conflict.settled.is_none())
    }
}
