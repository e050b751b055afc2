//! The user interface: Leptos, rendered on the server and hydrated in the browser.
//!
//! The server puts a [`PageData`] into the context and into the page; the browser reads the same one
//! when it hydrates, so both render the same thing.

pub mod access;
pub mod activity;
pub mod address;
pub mod admin;
pub mod audit;
pub mod chunks;
pub mod components;
pub mod conflicts;
pub mod dashboard_store;
pub mod drawing;
pub mod format;
pub mod json;
pub mod options;
pub mod pages;
pub mod pasted;
pub mod screen_page;
pub mod screens;
pub mod second_factor;
pub mod shell;
pub mod sign_in;
pub mod sign_out;
pub mod time;
pub mod type_ahead;
pub mod unread;
pub mod unsaved;
pub mod widgets;

mod clock;
mod dom;
mod dynamic;
mod page_fields;
mod requests;
mod settings_in_words;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use self::access::{OwnAccount, People, Rights, Role, TeamCard};
use self::audit::{AuditFilter, AuditPage};
use self::dynamic::effect;
use self::unread::Unread;
use crate::dashboard::outline::Tile;
use crate::dashboard::{Dashboard, DashboardId, User};

pub use dom::elapsed_ms;
pub use shell::{Assets, shell};

/// The id of the element that carries [`PageData`] as JSON.
pub const PAGE_DATA: &str = "page-data";

/// All that a page is rendered from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageData {
    pub page: Page,
    /// Who looks at it; `None` on the page that is nobody's, which the service worker keeps.
    pub user: Option<User>,
    /// What the theme cookie says; `None` follows the system.
    pub theme: Option<Theme>,
    /// The build that rendered this; another one means: reload.
    pub build: String,
    /// What they may do.
    #[serde(default)]
    pub rights: Rights,
}

/// Which page, with its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "page", rename_all = "snake_case", try_from = "page_fields::PageFields")]
pub enum Page {
    /// `/`
    Dashboards { list: Unread<DashboardList>, filter: Unread<ListFilter> },
    /// `/bin`
    Bin { bin: Unread<BinList> },
    /// `/d/{id}`
    Dashboard { id: DashboardId, epoch: String, revision: u64, token: Option<String>, dashboard: Dashboard },
    /// The same of a dashboard that is too large to stand in a page twice: the page fetches it.
    LargeDashboard { id: DashboardId, title: String },
    /// `/d/{id}` of a dashboard that is in the bin.
    InBin { title: String, entry: Unread<Option<BinEntry>> },
    /// `/status`
    Status { server: Unread<ServerStatus> },
    /// `/account`: one's own.
    Account { account: Unread<OwnAccount> },
    /// `/screens`, with the teams whose screens one may pair and the code that the address brought.
    Screens { teams: Unread<Vec<TeamCard>>, code: String },
    /// `/admin`, for admins.
    Admin { people: Unread<People> },
    /// `/admin/audit`, for admins, and `/d/{id}/audit` with the dashboard, for its owners.
    Audit { log: Unread<AuditPage>, filter: Unread<AuditFilter>, audited: Unread<Option<AuditedDashboard>> },
    /// What the service worker shows where the server cannot be had: whatever this device keeps.
    Offline,
    /// What is there, and not for whoever asks.
    Refused { why: String },
    /// Anything else, with what was looked for.
    NotFound { what: String },
    /// What was asked for may well be there; the server cannot show it now.
    Failed { why: String },
}

impl Page {
    /// The dashboard that it shows.
    pub fn dashboard(&self) -> Option<&DashboardId> {
        match self {
            Self::Dashboard { id, .. } | Self::LargeDashboard { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// The dashboard whose audit log a page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedDashboard {
    pub id: DashboardId,
    pub title: String,
}

/// A dashboard in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DashboardCard {
    pub id: DashboardId,
    pub title: String,
    pub widgets: usize,
    /// When it last changed, Unix milliseconds.
    pub changed_at: u64,
    /// Who changed it last; `None` where nobody has yet.
    pub changed_by: Option<User>,
    /// Who is in there now, a person once.
    pub here: Vec<User>,
    /// What its people sorted it under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Its topmost widgets, for a preview; `None` where that is not known yet or was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outline: Option<Vec<Tile>>,
    /// True where whoever asks marked it as a favourite.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub favourite: bool,
    /// What whoever asks may do there. Where nobody signs in, and in what older builds wrote, everything.
    #[serde(default = "Role::highest")]
    pub role: Role,
}

/// A part of the list of dashboards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DashboardList {
    pub dashboards: Vec<DashboardCard>,
    /// What to give as `after` to get those that follow; `None` where there are none.
    pub next: Option<String>,
    /// How many match in all.
    pub total: usize,
    /// The tags of all dashboards, the most used first.
    #[serde(default)]
    pub tags: Vec<TagCount>,
}

/// A tag, and how many dashboards have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagCount {
    pub tag: String,
    pub dashboards: usize,
}

/// Which dashboards a list shows, and in which order: the query of its address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListFilter {
    /// What their titles have in them, without regard to case; empty for all.
    pub search: String,
    pub order: ListOrder,
    /// Only those with this tag; empty for all.
    pub tag: String,
    /// Only the favourites of whoever asks.
    pub favourites: bool,
}

/// What a list is in the order of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListOrder {
    /// The one that changed last first.
    #[default]
    Changed,
    Title,
}

/// A dashboard in the bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinEntry {
    #[serde(flatten)]
    pub card: DashboardCard,
    /// Unix milliseconds.
    pub deleted_at: u64,
    /// `None` where whoever did it had no name here.
    pub deleted_by: Option<User>,
    /// When it goes for good, Unix milliseconds.
    pub gone_at: u64,
}

/// A part of the bin, the one that was deleted last first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BinList {
    pub dashboards: Vec<BinEntry>,
    /// As in [`DashboardList`].
    pub next: Option<String>,
    /// How many are in the bin.
    pub total: usize,
    /// For how many days it keeps them.
    pub days: u64,
}

/// The state of the server's own services.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    pub build: String,
    /// The commit that it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    pub uptime_ms: u64,
    pub services: Vec<ServerService>,
}

/// One of the server's services: `store`, `bus`, `rooms`, `source-this-server`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerService {
    pub name: String,
    /// `ok`, `waiting` or `down`.
    pub state: String,
    /// In words.
    pub says: String,
    pub last_error: Option<String>,
    pub latency_ms: Option<f64>,
    pub queue: Option<usize>,
}

/// What the browser's half tells every page of this tab. Absent on the server.
#[derive(Clone, Copy)]
pub struct ThisTab {
    /// The services that no page is without: `service worker`, `offline store`.
    pub services: RwSignal<Vec<dashboard_store::ServiceStatus>>,
    /// Dashboards with edits that a closed tab left on this device, for whoever opens them to send.
    pub waiting: RwSignal<Vec<Waiting>>,
    /// True where the page was made of what this device keeps, because the server could not be had.
    pub from_device: bool,
    pub sign_out: sign_out::SignOut,
}

/// Edits that wait on this device, of one dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub id: DashboardId,
    pub title: String,
    pub edits: usize,
}

impl ThisTab {
    /// Says how a service is now.
    pub fn tell(self, status: dashboard_store::ServiceStatus) {
        self.services.update(|all| match all.iter_mut().find(|one| one.name == status.name) {
            Some(known) => *known = status,
            None => all.push(status),
        });
    }
}

/// The colours of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    /// The value of `data-theme` and of the cookie `lockstep_theme`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The page that the [`PageData`] in the context asks for.
///
/// A browser that has made the [`dashboard_store::DashboardStore`] of the page already, to give it a
/// live handle, provides it as context too; otherwise the page makes one that only shows.
#[component]
pub fn App(
    /// What shows the page: [`pages::any`], or what is enough for this one.
    show: chunks::ShowPage,
) -> impl IntoView {
    let data = use_context::<PageData>().expect("whoever renders the app provides the page's data");
    clock::provide();
    provide_context(type_ahead::TypeAhead::new());
    provide_context(data.rights);
    // Until here it reads as the server wrote it.
    effect(format::locale::follow);
    let theming = components::Theming::new(data.theme);
    provide_context(theming);
    if let Page::Offline = data.page {
        // It was rendered for nobody, and is hydrated so; then it becomes what this browser chose.
        effect(move || theming.choose(components::Theming::remembered()));
    }
    show(data)
}
