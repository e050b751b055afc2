//! Audit log, as pages and the server tell each other of it over HTTP, and its entries in words.

use serde::{Deserialize, Serialize};

use super::access::Role;
use crate::dashboard::MAX_TITLE_CHARS;

mod filter;
mod kinds;
mod words;

pub use self::filter::AuditFilter;
pub use self::kinds::Weight;
pub use self::words::words;

/// Characters of a name in an entry: those of the longest title.
const MAX_NAME_CHARS: usize = MAX_TITLE_CHARS;
/// Characters of a mail address that somebody typed.
const MAX_EMAIL_CHARS: usize = 254;
/// Characters of what a provider calls somebody.
const MAX_SUBJECT_CHARS: usize = 255;
/// Characters of a reason.
const MAX_REASON_CHARS: usize = 400;

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal,)*) => {
        /// What was done. The names are a part of the HTTP interface and stand in the store: they stay as they are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $name)] $action,)*
        }

        impl Action {
            pub const ALL: &[Self] = &[$(Self::$action),*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)*
                }
            }
        }
    };
}

actions! {
    /// The first account was made.
    SetUp = "set_up",
    /// The code of the first account was wrong, or over.
    SetUpFailed = "set_up_failed",
    SignIn = "sign_in",
    SignInFailed = "sign_in_failed",
    SignOut = "sign_out",
    /// Sessions of the account in `about` were ended.
    SessionEnded = "session_ended",
    PasswordChanged = "password_changed",
    /// An app was set up for two-step sign-in, the first one or another.
    SecondFactorOn = "second_factor_on",
    SecondFactorOff = "second_factor_off",
    /// A code was wrong, or was used before.
    SecondFactorFailed = "second_factor_failed",
    RecoveryCodeUsed = "recovery_code_used",
    RecoveryCodesMade = "recovery_codes_made",
    ResetLinkMade = "reset_link_made",
    ResetLinkUsed = "reset_link_used",
    AccountMade = "account_made",
    AccountChanged = "account_changed",
    AccountRemoved = "account_removed",
    /// The account in `about` is signed in to by the service in `detail.provider` no more, as it was under one name there.
    IdentityRemoved = "identity_removed",
    TeamMade = "team_made",
    TeamRenamed = "team_renamed",
    TeamRemoved = "team_removed",
    /// The account in `detail.to` has another role in the team, or none.
    MemberChanged = "member_changed",
    InvitationMade = "invitation_made",
    InvitationUsed = "invitation_used",
    InvitationRevoked = "invitation_revoked",
    /// The code of an invitation, or of a new password, was wrong, used or over.
    CodeFailed = "code_failed",
    /// Whoever is in `detail.to` has another role on the dashboard, or none.
    GrantChanged = "grant_changed",
    /// The team in `detail.to` owns the dashboard, or none does.
    OwnerTeamChanged = "owner_team_changed",
    TokenMade = "token_made",
    TokenRevoked = "token_revoked",
    /// A share link of the dashboard was made, with the role in `detail.role`.
    LinkMade = "link_made",
    LinkRevoked = "link_revoked",
    /// A television was let show dashboards of the team in `detail.to`.
    ScreenPaired = "screen_paired",
    /// It has another name, or shows something else.
    ScreenChanged = "screen_changed",
    ScreenRevoked = "screen_revoked",
    /// The password of a share link was wrong.
    LinkPasswordFailed = "link_password_failed",
    DashboardMade = "dashboard_made",
    /// Another one was made that begins as this.
    DashboardCopied = "dashboard_copied",
    DashboardImported = "dashboard_imported",
    DashboardExported = "dashboard_exported",
    /// A document was brought into it.
    DashboardReplaced = "dashboard_replaced",
    DashboardDeleted = "dashboard_deleted",
    DashboardRestored = "dashboard_restored",
    DashboardPurged = "dashboard_purged",
    /// It was in the bin for as long as the settings say.
    DashboardExpired = "dashboard_expired",
}

impl Action {
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }
}

/// What kind of one did something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    Account,
    /// A program, by an API token.
    Token,
    /// Whoever has no account, by a share link or without one.
    #[default]
    Guest,
    /// The server by itself.
    Server,
    /// `lockstep admin`, on the machine of the server.
    Shell,
}

impl ActorKind {
    pub const ALL: [Self; 5] = [Self::Account, Self::Token, Self::Guest, Self::Server, Self::Shell];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Token => "token",
            Self::Guest => "guest",
            Self::Server => "server",
            Self::Shell => "shell",
        }
    }
}

/// Who did something, under the name of then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub kind: ActorKind,
    /// `None` where nobody said who they are.
    pub id: Option<String>,
    pub name: String,
}

impl Actor {
    pub fn new(kind: ActorKind, id: Option<String>, name: &str) -> Self {
        Self { kind, id, name: cut(name, MAX_NAME_CHARS) }
    }

    pub fn server() -> Self {
        Self::new(ActorKind::Server, None, "")
    }

    pub fn shell() -> Self {
        Self::new(ActorKind::Shell, None, "")
    }

    /// As people read it.
    pub fn words(&self) -> &str {
        match self.kind {
            ActorKind::Server => "The server",
            ActorKind::Shell => "lockstep admin",
            _ if self.name.is_empty() => "Somebody",
            _ => &self.name,
        }
    }
}

/// What kind of thing something was done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    Dashboard,
    Account,
    Team,
    Invitation,
    Token,
    Screen,
}

impl TargetKind {
    const ALL: [Self; 6] =
        [Self::Dashboard, Self::Account, Self::Team, Self::Invitation, Self::Token, Self::Screen];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Dashboard => "dashboard",
            Self::Account => "account",
            Self::Team => "team",
            Self::Invitation => "invitation",
            Self::Token => "token",
            Self::Screen => "screen",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What something was done to, under the name of then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub kind: TargetKind,
    pub id: String,
    pub name: String,
}

impl Target {
    pub fn new(kind: TargetKind, id: impl ToString, name: &str) -> Self {
        Self { kind, id: id.to_string(), name: cut(name, MAX_NAME_CHARS) }
    }

    fn words(&self) -> String {
        match (self.kind, self.name.as_str()) {
            (TargetKind::Dashboard, "") => "a dashboard".to_owned(),
            (TargetKind::Account, "") => "somebody".to_owned(),
            (TargetKind::Team, "") => "a team".to_owned(),
            (TargetKind::Invitation, _) => "an invitation".to_owned(),
            (TargetKind::Token, "") => "a token".to_owned(),
            (TargetKind::Screen, "") => "a screen".to_owned(),
            (TargetKind::Team, name) => format!("the team {name}"),
            (TargetKind::Token, name) => format!("the token {name}"),
            (TargetKind::Screen, name) => format!("the screen {name}"),
            (_, name) => name.to_owned(),
        }
    }
}

/// What there is to say beside who did what to what. No secret has a place here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Who or what got, or lost, something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Target>,
    /// What it was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Target>,
    /// The role from then on; `None` where it was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// A mail address that an invitation is bound to, or with which somebody failed to sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_admin: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The name of before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// How many sessions were ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<usize>,
    /// What a share link is called among the owners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How many times within a minute, where the entry stands for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// By whose word somebody signed in, or failed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What the provider calls the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the page of the failure shows, for people to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl Detail {
    /// That somebody has a role, or none.
    pub fn role_of(to: Target, role: Option<Role>) -> Self {
        Self { to: Some(to), role, ..Self::default() }
    }

    /// What a share link is called, where it has a name.
    pub fn link(label: &str) -> Self {
        let label = cut(label, MAX_NAME_CHARS);
        Self { label: Some(label).filter(|label| !label.is_empty()), ..Self::default() }
    }

    /// The same of a sign-in by a provider, with why it failed and the reference of that.
    pub fn by_provider(self, provider: &str, reason: Option<&str>, reference: Option<&str>) -> Self {
        let (reason, reference) =
            (reason.map(|reason| cut(reason, MAX_REASON_CHARS)), reference.map(str::to_owned));
        Self { provider: Some(provider.to_owned()), reason, reference, ..self }
    }

    /// An identity: a provider, and what it calls the person.
    pub fn identity(provider: &str, subject: &str) -> Self {
        let subject = Some(cut(subject, MAX_SUBJECT_CHARS));
        Self { subject, ..Self::default().by_provider(provider, None, None) }
    }

    /// That a mail address was typed, whatever stands in it.
    pub fn email(email: &str) -> Self {
        Self { email: Some(cut(email, MAX_EMAIL_CHARS)), ..Self::default() }
    }
}

/// The first characters, without those that do not show.
fn cut(text: &str, chars: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(chars).collect()
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place in the log, which the store gives.
    pub n: u64,
    /// Unix milliseconds.
    pub at: u64,
    pub who: Actor,
    /// Where the request came from; `None` where there was none.
    pub address: Option<String>,
    pub what: Action,
    pub about: Option<Target>,
    pub detail: Detail,
}

impl AuditEntry {
    /// The same with something beside it.
    pub fn with(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }
}

/// A part of the log, the newest first: the answer to `GET /api/v1/audit`, and the data of `/admin/audit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// What to give as `after` to get those that follow; `None` where there are none.
    pub next: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(what: Action, about: Option<Target>, detail: Detail) -> AuditEntry {
        let who = Actor::new(ActorKind::Account, Some("ada".to_owned()), "Ada");
        AuditEntry { n: 1, at: 0, who, address: None, what, about, detail }
    }

    fn target(kind: TargetKind, id: &str, name: &str) -> Option<Target> {
        Some(Target::new(kind, id, name))
    }

    #[test]
    fn each_entry_reads_as_a_sentence() {
        let orders = || target(TargetKind::Dashboard, "d1", "Orders");
        let grace = || target(TargetKind::Account, "grace", "Grace Hopper");
        let me = || target(TargetKind::Account, "ada", "Ada");
        let ops = || target(TargetKind::Team, "ops", "Ops");
        let none = Detail::default;
        let to = |to: Option<Target>, role| Detail { to, role, ..Detail::default() };
        for (what, about, detail, says) in [
            (
                Action::GrantChanged,
                orders(),
                to(grace(), Some(Role::Editor)),
                "gave Grace Hopper the role editor on Orders",
            ),
            (Action::GrantChanged, orders(), to(ops(), None), "took the role of the team Ops on Orders away"),
            (Action::OwnerTeamChanged, orders(), to(ops(), None), "gave Orders to the team Ops"),
            (Action::OwnerTeamChanged, orders(), none(), "took Orders from its team"),
            (
                Action::MemberChanged,
                ops(),
                to(grace(), Some(Role::Owner)),
                "gave Grace Hopper the role owner in the team Ops",
            ),
            (Action::SecondFactorOff, me(), none(), "turned their two-step sign-in off"),
            (Action::SecondFactorOff, grace(), none(), "removed the two-step sign-in of Grace Hopper"),
            (Action::SecondFactorFailed, grace(), none(), "gave a wrong code as Grace Hopper"),
            (Action::MemberChanged, ops(), to(grace(), None), "took Grace Hopper out of the team Ops"),
            (
                Action::InvitationMade,
                None,
                to(ops(), Some(Role::Viewer)),
                "invited somebody to the team Ops as viewer",
            ),
            (Action::InvitationRevoked, None, to(ops(), None), "revoked an invitation to the team Ops"),
            (
                Action::SignInFailed,
                None,
                Detail::email("eve@example.com"),
                "failed to sign in as eve@example.com",
            ),
            (Action::SignIn, me(), none().by_provider("Keycloak", None, None), "signed in by Keycloak"),
            (
                Action::SignInFailed,
                None,
                none().by_provider("Keycloak", Some("the nonce is wrong"), Some("k3y")),
                "failed to sign in by Keycloak: the nonce is wrong (k3y)",
            ),
            (Action::AccountMade, me(), none(), "made their account"),
            (
                Action::AccountChanged,
                grace(),
                Detail { is_admin: Some(true), disabled: Some(false), ..none() },
                "made Grace Hopper an admin and enabled the account of Grace Hopper",
            ),
            (
                Action::AccountChanged,
                me(),
                Detail { renamed_from: Some("A".to_owned()), ..none() },
                "changed their name from A",
            ),
            (
                Action::IdentityRemoved,
                grace(),
                Detail::identity("Keycloak", "grace"),
                "removed the sign-in of Grace Hopper by Keycloak (grace)",
            ),
            (
                Action::IdentityRemoved,
                me(),
                none().by_provider("Keycloak", None, None),
                "removed their sign-in by Keycloak",
            ),
            (Action::AccountRemoved, grace(), none(), "removed the account of Grace Hopper"),
            (
                Action::TeamRenamed,
                ops(),
                Detail { renamed_from: Some("Op".to_owned()), ..none() },
                "renamed the team Op to Ops",
            ),
            (
                Action::SessionEnded,
                me(),
                Detail { sessions: Some(2), ..none() },
                "ended 2 sessions of their own",
            ),
            (
                Action::SessionEnded,
                grace(),
                Detail { sessions: Some(1), ..none() },
                "ended 1 session of Grace Hopper",
            ),
            (
                Action::DashboardMade,
                orders(),
                Detail { from: target(TargetKind::Dashboard, "d2", ""), ..none() },
                "made Orders as a copy of a dashboard",
            ),
            (Action::DashboardPurged, orders(), none(), "deleted Orders for good"),
            (
                Action::LinkPasswordFailed,
                orders(),
                Detail { count: Some(4), ..Detail::link("Hall") },
                "gave a wrong password for the share link “Hall” to Orders (4 more within a minute)",
            ),
            (Action::LinkRevoked, orders(), Detail::link(""), "revoked a share link to Orders"),
            (Action::PasswordChanged, me(), none(), "changed their password"),
            (Action::PasswordChanged, grace(), none(), "changed the password of Grace Hopper"),
        ] {
            assert_eq!(words(&entry(what, about, detail)), says);
        }
        for what in Action::ALL {
            let says = words(&entry(*what, None, none()));
            assert!(!says.is_empty() && !says.ends_with(' '), "{what:?}: {says:?}");
        }
    }

    #[test]
    fn names_of_actions_are_those_of_requests() {
        for action in Action::ALL {
            assert_eq!(serde_json::json!(action), action.name());
            assert_eq!(Action::of_name(action.name()), Some(*action));
        }
        assert_eq!(Action::of_name("nothing"), None);
        for kind in TargetKind::ALL {
            assert_eq!(serde_json::json!(kind), kind.name());
            assert_eq!(TargetKind::of_name(kind.name()), Some(kind));
        }
    }

    #[test]
    fn s10_what_people_typed_is_cut() {
        let long = "é\n".repeat(3 * MAX_NAME_CHARS);
        assert_eq!(Target::new(TargetKind::Team, "t", &long).name, "é".repeat(MAX_NAME_CHARS));
        assert_eq!(Detail::email(&long).email, Some("é".repeat(MAX_EMAIL_CHARS)));
        assert_eq!(Detail::identity("Id", &long).subject, Some("é".repeat(MAX_SUBJECT_CHARS)));
        assert_eq!(
            serde_json::json!(Detail::default()),
            serde_json::json!({}),
            "what is not said is left out"
        );
    }
}
