//! Directory of people: accounts, teams, memberships and grants, and the roles that follow from them.
//!
//! It is one value in memory that changes by [`Change`]s, each checked first. It reads no clock and no store: what it
//! says is the same on every node that has had the same changes.

mod check;

use std::collections::{BTreeMap, HashMap};

use super::identities::Identity;
use super::invitations::{Invitation, InvitationHash, Purpose};
use super::links::{Link, LinkId};
use super::screens::{Screen, ScreenId, ScreenUse};
use super::tokens::{Token, TokenId};
use crate::app::access as contract;
pub use crate::app::access::Role;
use crate::dashboard::fold::fold;
use crate::dashboard::{DashboardId, Id, UserId};

/// Accounts of one deployment.
pub const MAX_ACCOUNTS: usize = 20_000;
/// Teams of one deployment.
pub const MAX_TEAMS: usize = 2_000;
/// Invitations that can still be used.
pub const MAX_INVITATIONS: usize = 10_000;
/// Share links of one deployment, and of one dashboard.
pub const MAX_LINKS: usize = 10_000;
pub const MAX_DASHBOARD_LINKS: usize = 50;
/// Grants on one dashboard, to accounts and teams together.
pub const MAX_GRANTS: usize = 1_000;

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The person as others see them, in presence and in the log.
    pub id: UserId,
    /// As it was typed. No two accounts have the same, whatever its case. Empty where an account has none, which then signs
    /// in by an identity alone.
    pub email: String,
    pub name: String,
    /// The hash in PHC form; `None` where this account has no password.
    pub password: Option<String>,
    pub is_admin: bool,
    /// Unix milliseconds.
    pub made_at: u64,
    /// Unix milliseconds; `None` where it may sign in.
    pub disabled_at: Option<u64>,
}

/// A team's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TeamId(pub Id);

/// People who own dashboards together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    pub id: TeamId,
    pub name: String,
}

/// Whom a grant is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    Account(UserId),
    Team(TeamId),
}

impl From<&contract::Grantee> for Grantee {
    fn from(to: &contract::Grantee) -> Self {
        match to {
            contract::Grantee::Account(id) => Self::Account(id.clone()),
            contract::Grantee::Team(id) => Self::Team(TeamId(id.clone())),
        }
    }
}

/// One change of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new account, or another state of one.
    PutAccount(Account),
    RemoveAccount(UserId),
    /// A new team, or another name of one.
    PutTeam(Team),
    /// Only where it owns no dashboard.
    RemoveTeam(TeamId),
    /// `None` takes the account out of the team.
    SetMember {
        team: TeamId,
        account: UserId,
        role: Option<Role>,
    },
    /// The same by a group of their provider, above the role that they have without it.
    SetGroupRole {
        team: TeamId,
        account: UserId,
        role: Role,
        by_hand: Option<Role>,
    },
    /// The team owns the dashboard from then on; `None` for no team.
    SetTeam {
        dashboard: DashboardId,
        team: Option<TeamId>,
    },
    /// `None` takes the grant back.
    SetGrant {
        dashboard: DashboardId,
        to: Grantee,
        role: Option<Role>,
    },
    /// The dashboard is gone for good.
    Forget(DashboardId),
    /// A new invitation, or one with another number of uses.
    PutInvitation(Invitation),
    RemoveInvitation(InvitationHash),
    /// A new API token, or one with another time of use.
    PutToken(Token),
    RemoveToken(TokenId),
    /// A new share link.
    PutLink(Link),
    RemoveLink(LinkId),
    /// A new identity, or one with another time of use.
    PutIdentity(Identity),
    RemoveIdentity {
        issuer: String,
        subject: String,
    },
    /// A new screen, or another name, list or rotation of one. What else there is of it stays.
    PutScreen(Screen),
    RemoveScreen(ScreenId),
}

impl Change {
    /// That an account owns a dashboard.
    pub fn own(dashboard: &DashboardId, account: &UserId) -> Self {
        let (dashboard, to) = (dashboard.clone(), Grantee::Account(account.clone()));
        Self::SetGrant { dashboard, to, role: Some(Role::Owner) }
    }
}

/// Why a change is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    #[error("There is an account with this mail address already.")]
    EmailTaken,
    #[error("There is no such account.")]
    NoAccount,
    #[error("There is no such team.")]
    NoTeam,
    #[error("This is the last admin who can sign in. Make somebody else one first.")]
    LastAdmin,
    #[error("The team owns dashboards. Give them to another one first.")]
    TeamOwns,
    #[error("Somebody has to stay owner of this dashboard. Make somebody else one first.")]
    NoOwner,
    #[error("There is no such link.")]
    NoLink,
    #[error("This identity is another account's.")]
    IdentityTaken,
    #[error("An identity has an issuer and a subject that are neither empty nor too long.")]
    BadIdentity,
    #[error("There is no such screen.")]
    NoScreen,
    #[error("There is no room for more of these.")]
    TooMany,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    accounts: HashMap<UserId, Account>,
    by_email: HashMap<String, UserId>,
    /// How many accounts have a name, whatever its case.
    names: HashMap<String, u32>,
    teams: HashMap<TeamId, Team>,
    /// By account, the teams that it is in.
    memberships: HashMap<UserId, BTreeMap<TeamId, Role>>,
    /// Those among them that a group gives, with the role that there would be without.
    by_groups: HashMap<UserId, BTreeMap<TeamId, Option<Role>>>,
    /// By dashboard, the team that owns it.
    owners: HashMap<DashboardId, TeamId>,
    grants: HashMap<DashboardId, BTreeMap<Grantee, Role>>,
    invitations: HashMap<InvitationHash, Invitation>,
    tokens: HashMap<TokenId, Token>,
    links: HashMap<LinkId, Link>,
    /// By issuer and subject.
    identities: HashMap<(String, String), Identity>,
    screens: HashMap<ScreenId, Screen>,
}

/// A mail address without regard to case.
pub(super) fn folded(email: &str) -> String {
    fold(email.trim())
}

impl Directory {
    /// The role of an account on a dashboard: the highest of what its teams and grants give. `None` where it may not even
    /// know of it.
    pub fn role(&self, account: &UserId, dashboard: &DashboardId) -> Option<Role> {
        self.accounts.get(account).filter(|account| account.disabled_at.is_none())?;
        let none = BTreeMap::new();
        let teams = self.memberships.get(account).unwrap_or(&none);
        let of_owner = self.owners.get(dashboard).and_then(|team| teams.get(team)).copied();
        let of_grants = self.grants.get(dashboard).into_iter().flatten().filter_map(|(to, role)| match to {
            Grantee::Account(granted) => (granted == account).then_some(*role),
            // A grant to a team gives nobody more than it says.
            Grantee::Team(team) => teams.contains_key(team).then_some(*role),
        });
        of_owner.into_iter().chain(of_grants).max()
    }

    pub fn account(&self, id: &UserId) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// The account of a mail address, whatever its case.
    pub fn account_of(&self, email: &str) -> Option<&Account> {
        self.accounts.get(self.by_email.get(&folded(email))?)
    }

    /// True where an account has a name, whatever its case.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.contains_key(&folded(name))
    }

    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// Those who may administrate the server.
    pub fn admins(&self) -> impl Iterator<Item = &UserId> {
        let is_one = |account: &&Account| account.is_admin && account.disabled_at.is_none();
        self.accounts.values().filter(is_one).map(|account| &account.id)
    }

    /// The changes that end the links by which an account could choose a new password.
    pub fn end_of_resets(&self, account: &UserId) -> Vec<Change> {
        let is_one = |one: &&Invitation| matches!(&one.purpose, Purpose::Reset(of) if of == account);
        self.invitations.values().filter(is_one).map(|one| Change::RemoveInvitation(one.hash)).collect()
    }

    pub fn team(&self, id: &TeamId) -> Option<&Team> {
        self.teams.get(id)
    }

    pub fn teams(&self) -> impl Iterator<Item = &Team> {
        self.teams.values()
    }

    /// How many people are in a team.
    pub fn members(&self, team: &TeamId) -> usize {
        self.memberships.values().filter(|teams| teams.contains_key(team)).count()
    }

    /// The role of an account in a team that it is in.
    pub fn member_role(&self, account: &UserId, team: &TeamId) -> Option<Role> {
        self.memberships.get(account)?.get(team).copied()
    }

    /// The teams that an account is in.
    pub fn teams_of(&self, account: &UserId) -> impl Iterator<Item = (&TeamId, Role)> {
        self.memberships.get(account).into_iter().flatten().map(|(team, role)| (team, *role))
    }

    /// The teams in which an account has its role by a group of its provider, with the role that it would have without.
    pub fn group_roles(&self, account: &UserId) -> impl Iterator<Item = (&TeamId, Option<Role>)> {
        self.by_groups.get(account).into_iter().flatten().map(|(team, by_hand)| (team, *by_hand))
    }

    /// The team that owns a dashboard.
    pub fn owner(&self, dashboard: &DashboardId) -> Option<&TeamId> {
        self.owners.get(dashboard)
    }

    /// What was granted on a dashboard.
    pub fn grants(&self, dashboard: &DashboardId) -> impl Iterator<Item = (&Grantee, Role)> {
        self.grants.get(dashboard).into_iter().flatten().map(|(to, role)| (to, *role))
    }

    /// The dashboards that somebody has.
    pub fn dashboards(&self) -> impl Iterator<Item = &DashboardId> {
        self.owners.keys().chain(self.grants.keys().filter(|id| !self.owners.contains_key(*id)))
    }

    /// True where a team owns a dashboard, or somebody has a role on it.
    pub fn knows(&self, dashboard: &DashboardId) -> bool {
        self.owners.contains_key(dashboard) || self.grants.contains_key(dashboard)
    }

    /// True where somebody who may sign in owns a dashboard.
    pub fn has_owner(&self, dashboard: &DashboardId) -> bool {
        self.accounts.keys().any(|account| self.role(account, dashboard) == Some(Role::Owner))
    }

    /// True where an account edits a dashboard, or would edit those of a team: then it may ask sources.
    pub fn may_query(&self, account: &UserId) -> bool {
        let in_team = |team: &TeamId| self.member_role(account, team);
        let is_meant = |to: &Grantee| match to {
            Grantee::Account(granted) => granted == account,
            Grantee::Team(team) => in_team(team).is_some(),
        };
        let edits = |(to, role): (&Grantee, &Role)| *role >= Role::Editor && is_meant(to);
        self.teams_of(account).any(|(_, role)| role >= Role::Editor)
            || self.grants.values().flatten().any(edits)
    }

    pub fn invitation(&self, hash: &InvitationHash) -> Option<&Invitation> {
        self.invitations.get(hash)
    }

    pub fn invitations(&self) -> impl Iterator<Item = &Invitation> {
        self.invitations.values()
    }

    pub fn token(&self, id: &TokenId) -> Option<&Token> {
        self.tokens.get(id)
    }

    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    pub fn link(&self, id: &LinkId) -> Option<&Link> {
        self.links.get(id)
    }

    /// The share links of a dashboard.
    pub fn links<'d>(&'d self, dashboard: &'d DashboardId) -> impl Iterator<Item = &'d Link> {
        self.all_links().filter(move |link| link.dashboard == *dashboard)
    }

    pub fn all_links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    pub fn identity(&self, issuer: &str, subject: &str) -> Option<&Identity> {
        self.identities.get(&(issuer.to_owned(), subject.to_owned()))
    }

    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.identities.values()
    }

    /// The identities of an account.
    pub fn identities_of<'d>(&'d self, account: &'d UserId) -> impl Iterator<Item = &'d Identity> {
        self.identities.values().filter(move |identity| identity.account == *account)
    }

    pub fn screen(&self, id: &ScreenId) -> Option<&Screen> {
        self.screens.get(id)
    }

    pub fn screens(&self) -> impl Iterator<Item = &Screen> {
        self.screens.values()
    }

    /// Notes when and where a screen was used last. One that is not there stays away.
    pub fn note_screen(&mut self, used: ScreenUse) {
        if let Some(screen) = self.screens.get_mut(&used.id) {
            screen.used_at = screen.used_at.max(used.at);
            screen.address = used.address;
        }
    }

    /// True where nobody has an account.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The directory after changes in their order, all or none.
    pub fn after(&self, changes: &[Change]) -> Result<Self, ChangeError> {
        let mut after = self.clone();
        changes.iter().try_for_each(|change| after.change(change.clone()))?;
        Ok(after)
    }

    /// Checks and makes a change. After an error nothing has changed.
    pub fn change(&mut self, change: Change) -> Result<(), ChangeError> {
        self.check(&change)?;
        match change {
            Change::PutAccount(account) => {
                self.take_out(&account.id);
                *self.names.entry(folded(&account.name)).or_default() += 1;
                if account.disabled_at.is_some() {
                    self.tokens.retain(|_, token| token.owner != account.id);
                }
                if !account.email.is_empty() {
                    self.by_email.insert(folded(&account.email), account.id.clone());
                }
                self.accounts.insert(account.id.clone(), account);
            }
            Change::RemoveAccount(id) => {
                self.take_out(&id);
                self.memberships.remove(&id);
                self.by_groups.remove(&id);
                self.invitations.retain(|_, one| one.purpose != Purpose::Reset(id.clone()));
                self.tokens.retain(|_, token| token.owner != id);
                self.identities.retain(|_, identity| identity.account != id);
                self.remove_grants(|to| *to == Grantee::Account(id.clone()));
            }
            Change::PutTeam(team) => {
                self.teams.insert(team.id.clone(), team);
            }
            Change::RemoveTeam(id) => {
                self.teams.remove(&id);
                self.forget_group_roles(|_, team| *team == id);
                self.memberships.retain(|_, teams| {
                    teams.remove(&id);
                    !teams.is_empty()
                });
                let is_to_it =
                    |one: &Invitation| matches!(&one.purpose, Purpose::Join { team, .. } if *team == id);
                self.invitations.retain(|_, one| !is_to_it(one));
                self.tokens.retain(|_, token| token.team.as_ref() != Some(&id));
                self.screens.retain(|_, screen| screen.team != id);
                self.remove_grants(|to| *to == Grantee::Team(id.clone()));
            }
            Change::SetMember { team, account, role } => {
                self.forget_group_roles(|of, other| *of == account && *other == team);
                set(&mut self.memberships, account, team, role);
            }
            Change::SetGroupRole { team, account, role, by_hand } => {
                self.by_groups.entry(account.clone()).or_default().insert(team.clone(), by_hand);
                set(&mut self.memberships, account, team, Some(role));
            }
            Change::SetTeam { dashboard, team: Some(team) } => {
                self.owners.insert(dashboard, team);
            }
            Change::SetTeam { dashboard, team: None } => {
                self.owners.remove(&dashboard);
            }
            Change::SetGrant { dashboard, to, role } => {
                set(&mut self.grants, dashboard, to, role);
            }
            Change::Forget(dashboard) => self.forget(&dashboard),
            Change::PutInvitation(invitation) => {
                self.invitations.insert(invitation.hash, invitation);
            }
            Change::RemoveInvitation(hash) => {
                self.invitations.remove(&hash);
            }
            Change::PutToken(token) => {
                self.tokens.insert(token.id.clone(), token);
            }
            Change::RemoveToken(id) => {
                self.tokens.remove(&id);
            }
            Change::PutLink(link) => {
                self.links.insert(link.id, link);
            }
            Change::RemoveLink(id) => {
                self.links.remove(&id);
            }
            Change::PutIdentity(identity) => {
                let key = (identity.issuer.clone(), identity.subject.clone());
                self.identities.insert(key, identity);
            }
            Change::RemoveIdentity { issuer, subject } => {
                self.identities.remove(&(issuer, subject));
            }
            Change::PutScreen(screen) => match self.screens.get_mut(&screen.id) {
                Some(known) => {
                    (known.name, known.dashboards) = (screen.name, screen.dashboards);
                    known.rotate_s = screen.rotate_s;
                }
                None => {
                    self.screens.insert(screen.id.clone(), screen);
                }
            },
            Change::RemoveScreen(id) => {
                self.screens.remove(&id);
            }
        }
        Ok(())
    }

    /// Takes an account out of what finds it.
    fn take_out(&mut self, id: &UserId) {
        let Some(account) = self.accounts.remove(id) else { return };
        self.by_email.remove(&folded(&account.email));
        let name = folded(&account.name);
        if let Some(count) = self.names.get_mut(&name) {
            *count -= 1;
            if *count == 0 {
                self.names.remove(&name);
            }
        }
    }

    /// Forgets who had a dashboard.
    pub fn forget(&mut self, dashboard: &DashboardId) {
        self.owners.remove(dashboard);
        self.grants.remove(dashboard);
        self.links.retain(|_, link| link.dashboard != *dashboard);
        for screen in self.screens.values_mut() {
            screen.dashboards.retain(|one| one != dashboard);
        }
    }

    fn forget_group_roles(&mut self, is_meant: impl Fn(&UserId, &TeamId) -> bool) {
        self.by_groups.retain(|account, teams| {
            teams.retain(|team, _| !is_meant(account, team));
            !teams.is_empty()
        });
    }

    fn remove_grants(&mut self, is_meant: impl Fn(&Grantee) -> bool) {
        self.grants.retain(|_, grants| {
            grants.retain(|to, _| !is_meant(to));
            !grants.is_empty()
        });
    }
}

/// Sets what a key has under another, and leaves nothing empty behind.
fn set<K: Eq + std::hash::Hash, L: Ord>(
    all: &mut HashMap<K, BTreeMap<L, Role>>,
    key: K,
    under: L,
    role: Option<Role>,
) {
    let of_key = all.entry(key);
    match (of_key, role) {
        (of_key, Some(role)) => {
            of_key.or_default().insert(under, role);
        }
        (std::collections::hash_map::Entry::Occupied(mut of_key), None) => {
            of_key.get_mut().remove(&under);
            if of_key.get().is_empty() {
                of_key.remove();
            }
        }
        (std::collections::hash_map::Entry::Vacant(_), None) => {}
    }
}

#[cfg(test)]
mod tests;
