//! Lists of the sessions, API tokens and share links of all people, as `/admin` and the server tell each other of them
//! over HTTP.

use serde::{Deserialize, Serialize};

use super::access::{LinkCard, Person, SessionCard};
use crate::dashboard::DashboardId;

/// A part of a list, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminList<T> {
    pub entries: Vec<T>,
    /// What to give as `after` to get those that follow; `None` where there are none.
    pub next: Option<String>,
    /// How many match in all.
    pub total: usize,
}

/// Somebody's session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminSession {
    /// To end it: `DELETE /api/v1/admin/sessions/{id}`.
    #[serde(flatten)]
    pub session: SessionCard,
    pub person: Person,
}

/// A share link of any dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminLink {
    /// To revoke it: `DELETE /api/v1/admin/links/{id}`.
    #[serde(flatten)]
    pub link: LinkCard,
    pub dashboard: DashboardId,
    /// Empty where the dashboard is in the bin.
    pub title: String,
    /// The last use of a visit by it that has not ended, Unix milliseconds; `None` where there is none.
    pub used_at: Option<u64>,
}
