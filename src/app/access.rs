//! People, teams, roles and sessions, as pages and the server tell each other of them over HTTP.

use serde::{Deserialize, Serialize};

use crate::dashboard::{Id, UserId};
use crate::sync::protocol;

/// What somebody may do on a dashboard. Each may do what is above it here, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads, is present, and looks at other times.
    #[default]
    Viewer,
    /// Edits, and chooses what is asked of which source.
    Editor,
    /// Shares and deletes.
    Owner,
}

impl Role {
    /// As where nobody signs in.
    pub const fn highest() -> Self {
        Self::Owner
    }

    /// As rooms and their clients know it: who owns a dashboard edits like an editor.
    pub fn to_wire(self) -> protocol::Role {
        match self {
            Self::Viewer => protocol::Role::Viewer,
            Self::Editor | Self::Owner => protocol::Role::Editor,
        }
    }
}

/// What whoever looks at a page may do: a part of the page's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rights {
    /// The role on the page's dashboard; on a page without one the lowest.
    pub role: Role,
    /// True for somebody with an account. False where nobody signs in.
    pub has_account: bool,
    /// True for an admin of the server.
    pub is_admin: bool,
    /// True for whoever may make dashboards.
    pub may_create: bool,
    /// True for a guest, by a share link or by guest mode: they look at dashboards, and nothing of it is kept.
    pub is_visitor: bool,
    /// True for a guest of a server in guest mode, who may sign in to see more.
    pub may_sign_in: bool,
    /// True for a screen, at which nobody sits: it shows what it is told to.
    pub is_screen: bool,
}

impl Rights {
    /// The rights of whoever looks at the page that is made here.
    pub fn here() -> Self {
        leptos::prelude::use_context().unwrap_or_default()
    }

    /// True where the device keeps nothing of what it is shown.
    pub const fn keeps_nothing(self) -> bool {
        self.is_visitor || self.is_screen
    }
}

/// Everything, as on a server without accounts.
impl Default for Rights {
    fn default() -> Self {
        Self {
            role: Role::Owner,
            has_account: false,
            is_admin: false,
            may_create: true,
            is_visitor: false,
            may_sign_in: false,
            is_screen: false,
        }
    }
}

/// A person who has an account, as others with one see them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    pub name: String,
    pub color: String,
    pub email: String,
}

/// A team by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamCard {
    pub id: Id,
    pub name: String,
    /// How many people are in it.
    pub members: usize,
}

/// A role that somebody was given on one dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub to: Grantee,
    pub role: Role,
}

/// Whom a grant is for: `{"account":"id"}` or `{"team":"id"}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    Account(UserId),
    Team(Id),
}

/// Who may do what on a dashboard: the answer to `GET /api/v1/dashboards/{id}/access`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// The team that owns it: each member has their role in the team here, too. `None` where none does.
    pub team: Option<Id>,
    pub grants: Vec<Grant>,
    /// The people that this names, and for owners all who can be given a role, by name.
    pub people: Vec<Person>,
    /// The teams that this names, and for owners all, by name.
    pub teams: Vec<TeamCard>,
    /// The share links that count, for owners alone, the newest first.
    #[serde(default)]
    pub links: Vec<LinkCard>,
}

/// A share link as owners see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCard {
    /// To revoke it: `DELETE /api/v1/dashboards/{id}/links/{link}`.
    pub id: String,
    /// Viewer or editor.
    pub role: Role,
    /// True where an editor by it also changes what is asked of which source.
    pub query: bool,
    pub label: String,
    pub has_password: bool,
    /// True where whoever comes by it has to say a name.
    pub name_required: bool,
    /// The name of the owner who made it.
    pub made_by: String,
    /// Unix milliseconds.
    pub made_at: u64,
    pub expires_at: u64,
    /// How many browsers that came by it are here now.
    pub here: usize,
}

/// A new share link: the body of `POST /api/v1/dashboards/{id}/links`, which owners may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkWish {
    /// Viewer or editor.
    pub role: Role,
    #[serde(default)]
    pub label: String,
    /// Days that it counts, up to 365; 30 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(default)]
    pub name_required: bool,
    /// Of editors only.
    #[serde(default)]
    pub query: bool,
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeLink {
    pub id: String,
    /// The address of the link without its origin, which is shown once.
    pub address: String,
}

/// Changes of it, all or none: the body of `PUT /api/v1/dashboards/{id}/access`, which owners may send. The answer is
/// the [`Sharing`] after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareChanges {
    /// `None` leaves the team as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<OwnedBy>,
    #[serde(default)]
    pub grants: Vec<GrantChange>,
}

/// Which team owns a dashboard: `{"team":"id"}`, or `"nobody"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnedBy {
    Nobody,
    Team(Id),
}

impl OwnedBy {
    /// `None` for nobody.
    pub fn team(&self) -> Option<&Id> {
        match self {
            Self::Nobody => None,
            Self::Team(id) => Some(id),
        }
    }
}

/// `role: None` takes the grant back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantChange {
    pub to: Grantee,
    pub role: Option<Role>,
}

/// One's own account with its sessions: the answer to `GET /api/v1/me`, and the data of `/account`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAccount {
    pub person: Person,
    pub is_admin: bool,
    /// True where there is a password to change.
    pub has_password: bool,
    #[serde(default)]
    pub second_factor: SecondFactorCard,
    /// Names under which services sign one in, the first one first.
    #[serde(default)]
    pub identities: Vec<IdentityCard>,
    /// The one that was used last first.
    pub sessions: Vec<SessionCard>,
    /// The newest first.
    pub tokens: Vec<TokenCard>,
    /// The scopes that one may give a token.
    pub scopes: Vec<Scope>,
    /// The teams that one is in, by name.
    pub teams: Vec<TeamCard>,
}

/// A name under which a service signs somebody in to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityCard {
    /// To remove it: `DELETE /api/v1/me/identities/{id}`, and as an admin
    /// `DELETE /api/v1/admin/people/{account}/identities/{id}`.
    pub id: String,
    /// What people call the service; the address of one that the settings do not name any more.
    pub service: String,
    /// What the service calls the person.
    pub subject: String,
    /// False where the settings do not name the service any more: nobody signs in by it.
    pub counts: bool,
    /// False where it is the last way in to the account of whoever asks.
    pub may_remove: bool,
    /// Unix milliseconds.
    pub made_at: u64,
    /// When somebody signed in by it last.
    pub used_at: u64,
}

/// One's own second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactorCard {
    /// Since when there is one, Unix milliseconds; `None` where there is none.
    pub since: Option<u64>,
    /// Recovery codes that are left.
    pub recovery_codes: usize,
    /// True where the server demands it of everybody who has a password.
    pub is_required: bool,
}

/// What an API token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Pushes points, and deletes series.
    #[serde(rename = "push")]
    Push,
    /// Reads dashboards of its team.
    #[serde(rename = "read:dashboards")]
    ReadDashboards,
    /// Edits dashboards of its team.
    #[serde(rename = "write:dashboards")]
    WriteDashboards,
    /// Reads the names of series, and asks sources for values.
    #[serde(rename = "read:series")]
    ReadSeries,
    /// Reads the figures of the server.
    #[serde(rename = "metrics")]
    Metrics,
}

impl Scope {
    pub const ALL: [Self; 5] =
        [Self::Push, Self::ReadDashboards, Self::WriteDashboards, Self::ReadSeries, Self::Metrics];

    /// As it is written, the same as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::ReadDashboards => "read:dashboards",
            Self::WriteDashboards => "write:dashboards",
            Self::ReadSeries => "read:series",
            Self::Metrics => "metrics",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// True for a scope that means the dashboards of a team.
    pub fn is_of_dashboards(self) -> bool {
        matches!(self, Self::ReadDashboards | Self::WriteDashboards)
    }
}

/// An API token as people see it: a part of the answers to `GET /api/v1/me/tokens` and
/// `GET /api/v1/admin/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCard {
    /// To revoke it: `DELETE /api/v1/me/tokens/{id}`.
    pub id: String,
    pub name: String,
    /// The name of whose it is.
    pub owner: String,
    pub scopes: Vec<Scope>,
    /// What the names of series begin with that it may push; `None` for all.
    pub prefix: Option<String>,
    /// The team whose dashboards it may use.
    pub team: Option<Id>,
    pub made_at: u64,
    /// `None` where it never ends by itself.
    pub expires_at: Option<u64>,
    /// `None` where nobody has used it yet.
    pub used_at: Option<u64>,
}

/// One sign-in on one browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCard {
    /// To end it: `DELETE /api/v1/me/sessions/{id}`.
    pub id: String,
    /// Unix milliseconds, as all times here.
    pub made_at: u64,
    pub used_at: u64,
    /// Where it was made from.
    pub address: String,
    /// What the browser called itself.
    pub agent: String,
    /// True for the one that asks.
    pub is_this: bool,
}

/// An account as admins see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCard {
    pub person: Person,
    pub is_admin: bool,
    pub made_at: u64,
    /// When it was disabled; `None` where it may sign in.
    pub disabled_at: Option<u64>,
    /// True where it signs in with a second factor.
    #[serde(default)]
    pub second_factor: bool,
    /// Names under which services sign the person in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentityCard>,
    pub teams: Vec<Membership>,
    /// Sessions that are open.
    pub sessions: usize,
    /// When one of them was used last; `None` where there is none.
    pub used_at: Option<u64>,
}

/// A role in a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub team: Id,
    pub role: Role,
}

/// An invitation that can still be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationCard {
    /// To revoke it: `DELETE /api/v1/admin/invitations/{id}`.
    pub id: String,
    pub team: Id,
    pub role: Role,
    /// The only mail address that may use it; `None` for any.
    pub email: Option<String>,
    /// How many more times it can be used.
    pub uses_left: u32,
    pub made_at: u64,
    pub expires_at: u64,
    /// The name of the admin who made it.
    pub made_by: String,
}

/// The people of the server: the answer to `GET /api/v1/admin/people`, and the data of `/admin`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// By name.
    pub accounts: Vec<AccountCard>,
    /// By name.
    pub teams: Vec<TeamCard>,
    /// The newest first.
    pub invitations: Vec<InvitationCard>,
    /// Services that make an account for whoever comes for the first time, also after theirs was removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sign_up_services: Vec<String>,
}

/// How people sign in besides with a password: the answer to `GET /api/v1/admin/sign-in`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInState {
    /// The OpenID Connect provider; `None` where the settings name none.
    pub provider: Option<ProviderState>,
}

/// How an OpenID Connect provider is. Times are Unix milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderState {
    pub name: String,
    pub issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reachable_since: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_since: Option<u64>,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}
