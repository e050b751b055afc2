//! Log lines of what happens to whole dashboards: one each, with who did it.

use super::auth::Guest;
use crate::dashboard::DashboardId;

/// What happened to a dashboard as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    Made,
    Imported,
    /// It begins as another one.
    Copied(&'a DashboardId),
    Deleted,
    Restored,
    Purged,
    /// It was in the bin for as long as the settings say.
    Expired,
}

impl Event<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Imported => "imported",
            Self::Copied(_) => "copied",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::Purged => "purged",
            Self::Expired => "expired",
        }
    }
}

/// Writes the line. `who` is `None` where nobody said, as a script without a cookie, or the server itself.
pub fn log(event: Event<'_>, dashboard: &DashboardId, who: Option<&Guest>) {
    let user = who.map(|guest| guest.user.id.as_str());
    let name = who.map(|guest| guest.user.name.as_str());
    let original = match event {
        Event::Copied(original) => Some(original.as_str()),
        _ => None,
    };
    tracing::info!(event = event.name(), %dashboard, user, name, original, "a dashboard was {}", event.name());
}
