//! Directory of people: accounts, teams, memberships and grants, and the roles that follow from them.
//!
//! It is one value in memory that changes by [`Change`]s, each checked first. It reads no clock and no store: what it
//! says is the same on every node that has had the same changes.

use std::collections::{BTreeMap, HashMap};

use crate::dashboard::fold::fold;
use crate::dashboard::{DashboardId, Id, UserId};
use crate::sync::protocol;

/// Accounts of one deployment.
pub const MAX_ACCOUNTS: usize = 20_000;
/// Teams of one deployment.
pub const MAX_TEAMS: usize = 2_000;
/// Grants on one dashboard, to accounts and teams together.
pub const MAX_GRANTS: usize = 1_000;

/// What somebody may do on a dashboard. Each may do what is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads, is present, and looks at other times.
    Viewer,
    /// Edits, and chooses what is asked of which source.
    Editor,
    /// Shares and deletes.
    Owner,
}

impl Role {
    /// As rooms and pages know it: who owns a dashboard edits like an editor.
    pub fn to_wire(self) -> protocol::Role {
        match self {
            Self::Viewer => protocol::Role::Viewer,
            Self::Editor | Self::Owner => protocol::Role::Editor,
        }
    }
}

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The person as others see them, in presence and in the log.
    pub id: UserId,
    /// As it was typed. No two accounts have the same, whatever its case.
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
    /// The team owns the dashboard from then on.
    SetTeam {
        dashboard: DashboardId,
        team: TeamId,
    },
    /// `None` takes the grant back.
    SetGrant {
        dashboard: DashboardId,
        to: Grantee,
        role: Option<Role>,
    },
    /// The dashboard is gone for good.
    Forget(DashboardId),
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
    #[error("There is no room for more of these.")]
    TooMany,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    accounts: HashMap<UserId, Account>,
    by_email: HashMap<String, UserId>,
    teams: HashMap<TeamId, Team>,
    /// By account, the teams that it is in.
    memberships: HashMap<UserId, BTreeMap<TeamId, Role>>,
    /// By dashboard, the team that owns it.
    owners: HashMap<DashboardId, TeamId>,
    grants: HashMap<DashboardId, BTreeMap<Grantee, Role>>,
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

    /// True where nobody has an account.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Checks and makes a change. After an error nothing has changed.
    pub fn change(&mut self, change: Change) -> Result<(), ChangeError> {
        self.check(&change)?;
        match change {
            Change::PutAccount(account) => {
                if let Some(before) = self.accounts.get(&account.id) {
                    self.by_email.remove(&folded(&before.email));
                }
                self.by_email.insert(folded(&account.email), account.id.clone());
                self.accounts.insert(account.id.clone(), account);
            }
            Change::RemoveAccount(id) => {
                if let Some(account) = self.accounts.remove(&id) {
                    self.by_email.remove(&folded(&account.email));
                }
                self.memberships.remove(&id);
                self.remove_grants(|to| *to == Grantee::Account(id.clone()));
            }
            Change::PutTeam(team) => {
                self.teams.insert(team.id.clone(), team);
            }
            Change::RemoveTeam(id) => {
                self.teams.remove(&id);
                self.memberships.retain(|_, teams| {
                    teams.remove(&id);
                    !teams.is_empty()
                });
                self.remove_grants(|to| *to == Grantee::Team(id.clone()));
            }
            Change::SetMember { team, account, role } => {
                set(&mut self.memberships, account, team, role);
            }
            Change::SetTeam { dashboard, team } => {
                self.owners.insert(dashboard, team);
            }
            Change::SetGrant { dashboard, to, role } => {
                set(&mut self.grants, dashboard, to, role);
            }
            Change::Forget(dashboard) => {
                self.owners.remove(&dashboard);
                self.grants.remove(&dashboard);
            }
        }
        Ok(())
    }

    /// Whether a change may be made.
    pub fn check(&self, change: &Change) -> Result<(), ChangeError> {
        let account_is_there =
            |id| self.accounts.contains_key(id).then_some(()).ok_or(ChangeError::NoAccount);
        let team_is_there = |id| self.teams.contains_key(id).then_some(()).ok_or(ChangeError::NoTeam);
        let has_room = |is_new: bool, count: usize, most| {
            if is_new && count >= most { Err(ChangeError::TooMany) } else { Ok(()) }
        };
        match change {
            Change::PutAccount(account) => {
                let is_new = !self.accounts.contains_key(&account.id);
                has_room(is_new, self.accounts.len(), MAX_ACCOUNTS)?;
                let holder = self.by_email.get(&folded(&account.email));
                if holder.is_some_and(|holder| *holder != account.id) {
                    return Err(ChangeError::EmailTaken);
                }
                let stays = account.is_admin && account.disabled_at.is_none();
                if stays { Ok(()) } else { self.check_not_last_admin(&account.id) }
            }
            Change::RemoveAccount(id) => {
                account_is_there(id)?;
                self.check_not_last_admin(id)
            }
            Change::PutTeam(team) => {
                has_room(!self.teams.contains_key(&team.id), self.teams.len(), MAX_TEAMS)
            }
            Change::RemoveTeam(id) => {
                team_is_there(id)?;
                let owns = self.owners.values().any(|owner| owner == id);
                if owns { Err(ChangeError::TeamOwns) } else { Ok(()) }
            }
            Change::SetMember { team, account, .. } => {
                team_is_there(team)?;
                account_is_there(account)
            }
            Change::SetTeam { team, .. } => team_is_there(team),
            Change::SetGrant { dashboard, to, role } => {
                match to {
                    Grantee::Account(account) => account_is_there(account)?,
                    Grantee::Team(team) => team_is_there(team)?,
                }
                let grants = self.grants.get(dashboard);
                let is_new = role.is_some() && !grants.is_some_and(|grants| grants.contains_key(to));
                has_room(is_new, grants.map_or(0, BTreeMap::len), MAX_GRANTS)
            }
            Change::Forget(_) => Ok(()),
        }
    }

    /// An account that is, or would be, no admin any more: somebody else has to be one.
    fn check_not_last_admin(&self, id: &UserId) -> Result<(), ChangeError> {
        let is_one = |account: &Account| account.is_admin && account.disabled_at.is_none();
        let was_one = self.accounts.get(id).is_some_and(is_one);
        let others = self.accounts.values().any(|account| account.id != *id && is_one(account));
        if was_one && !others { Err(ChangeError::LastAdmin) } else { Ok(()) }
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user(id: &str) -> UserId {
        UserId::new(id).expect("an id")
    }

    fn team(id: &str) -> TeamId {
        TeamId(Id::new(id).expect("an id"))
    }

    fn dashboard(id: &str) -> DashboardId {
        DashboardId::new(id).expect("an id")
    }

    fn account(id: &str, is_admin: bool) -> Account {
        Account {
            id: user(id),
            email: format!("{id}@Example.com"),
            name: id.to_owned(),
            password: None,
            is_admin,
            made_at: 1,
            disabled_at: None,
        }
    }

    /// Ada, an admin, and Bob, in the team `shop`, which owns `wall`.
    fn directory() -> Directory {
        let mut directory = Directory::default();
        for change in [
            Change::PutAccount(account("ada", true)),
            Change::PutAccount(account("bob", false)),
            Change::PutTeam(Team { id: team("shop"), name: "Shop".to_owned() }),
            Change::PutTeam(Team { id: team("ops"), name: "Ops".to_owned() }),
            Change::SetMember { team: team("shop"), account: user("bob"), role: Some(Role::Editor) },
            Change::SetTeam { dashboard: dashboard("wall"), team: team("shop") },
        ] {
            directory.change(change).expect("changes");
        }
        directory
    }

    #[test]
    fn the_highest_role_counts() {
        let mut directory = directory();
        let role = |directory: &Directory, who: &str| directory.role(&user(who), &dashboard("wall"));
        assert_eq!(role(&directory, "bob"), Some(Role::Editor));
        assert_eq!(role(&directory, "ada"), None, "an admin sees no contents without a grant");
        let mut grant = |to: Grantee, role: Option<Role>| {
            let change = Change::SetGrant { dashboard: dashboard("wall"), to, role };
            directory.change(change).expect("grants");
            directory.clone()
        };
        let after = grant(Grantee::Account(user("bob")), Some(Role::Viewer));
        assert_eq!(role(&after, "bob"), Some(Role::Editor), "a lower grant takes nothing away");
        let after = grant(Grantee::Account(user("bob")), Some(Role::Owner));
        assert_eq!(role(&after, "bob"), Some(Role::Owner));
        let after = grant(Grantee::Team(team("ops")), Some(Role::Viewer));
        assert_eq!(role(&after, "ada"), None, "she is not in that team");
        let after = grant(Grantee::Account(user("bob")), None);
        assert_eq!(role(&after, "bob"), Some(Role::Editor));
    }

    #[test]
    fn who_is_disabled_or_removed_has_no_role() {
        let mut directory = directory();
        let before = directory.clone();
        let disabled = Account { disabled_at: Some(2), ..account("bob", false) };
        directory.change(Change::PutAccount(disabled)).expect("changes");
        assert_eq!(directory.role(&user("bob"), &dashboard("wall")), None);
        directory.change(Change::PutAccount(account("bob", false))).expect("changes");
        assert_eq!(directory, before);
        directory.change(Change::RemoveAccount(user("bob"))).expect("changes");
        assert_eq!(directory.role(&user("bob"), &dashboard("wall")), None);
        // Somebody else under the same id begins with nothing.
        directory.change(Change::PutAccount(account("bob", false))).expect("changes");
        assert_eq!(directory.role(&user("bob"), &dashboard("wall")), None);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut directory = directory();
        let before = directory.clone();
        let taken = Account { email: " ADA@example.COM ".to_owned(), ..account("eve", false) };
        for (change, error) in [
            (Change::PutAccount(taken), ChangeError::EmailTaken),
            (Change::PutAccount(account("ada", false)), ChangeError::LastAdmin),
            (Change::RemoveAccount(user("ada")), ChangeError::LastAdmin),
            (Change::RemoveAccount(user("eve")), ChangeError::NoAccount),
            (Change::RemoveTeam(team("shop")), ChangeError::TeamOwns),
            (Change::RemoveTeam(team("none")), ChangeError::NoTeam),
            (
                Change::SetMember { team: team("shop"), account: user("eve"), role: Some(Role::Viewer) },
                ChangeError::NoAccount,
            ),
            (Change::SetTeam { dashboard: dashboard("wall"), team: team("none") }, ChangeError::NoTeam),
        ] {
            assert_eq!(directory.change(change), Err(error));
            assert_eq!(directory, before);
        }
    }

    #[test]
    fn an_address_that_was_changed_is_free() {
        let mut directory = directory();
        let moved = Account { email: "bob@new.example".to_owned(), ..account("bob", false) };
        directory.change(Change::PutAccount(moved)).expect("changes");
        assert!(directory.account_of("bob@example.com").is_none());
        assert_eq!(directory.account_of("BOB@new.example").map(|account| &account.id), Some(&user("bob")));
        let new = Account { email: "bob@example.com".to_owned(), ..account("bobby", false) };
        directory.change(Change::PutAccount(new)).expect("the address is free");
    }

    proptest! {
        /// Whatever is changed: a role comes from a membership or a grant that is there, and the addresses are those of
        /// the accounts.
        #[test]
        fn roles_come_from_what_is_there(steps in prop::collection::vec((0_u8..8, 0_u8..3, 0_u8..3, 0_u8..4), 0..60)) {
            let mut directory = directory();
            for (what, who, which, role) in steps {
                let who = ["ada", "bob", "eve"][usize::from(who)];
                let which = [team("shop"), team("ops"), team("lab")][usize::from(which)].clone();
                let role = [None, Some(Role::Viewer), Some(Role::Editor), Some(Role::Owner)][usize::from(role)];
                let wall = dashboard("wall");
                let _ = directory.change(match what {
                    0 => Change::PutAccount(account(who, role.is_some())),
                    1 => Change::RemoveAccount(user(who)),
                    2 => Change::PutTeam(Team { id: which, name: "A".to_owned() }),
                    3 => Change::RemoveTeam(which),
                    4 => Change::SetMember { team: which, account: user(who), role },
                    5 => Change::SetTeam { dashboard: wall, team: which },
                    6 => Change::SetGrant { dashboard: wall, to: Grantee::Account(user(who)), role },
                    _ => Change::SetGrant { dashboard: wall, to: Grantee::Team(which), role },
                });
                prop_assert_eq!(directory.accounts.len(), directory.by_email.len());
                prop_assert!(directory.accounts.values().any(|account| account.is_admin));
                let wall = dashboard("wall");
                for who in ["ada", "bob", "eve"].map(user) {
                    let teams = directory.memberships.get(&who).cloned().unwrap_or_default();
                    prop_assert!(teams.keys().all(|team| directory.teams.contains_key(team)));
                    prop_assert!(teams.is_empty() || directory.accounts.contains_key(&who));
                    let own = directory.grants.get(&wall).and_then(|all| all.get(&Grantee::Account(who.clone())));
                    let by_team = teams.keys().any(|team| {
                        directory.owners.get(&wall) == Some(team)
                            || directory.grants.get(&wall).is_some_and(|all| all.contains_key(&Grantee::Team(team.clone())))
                    });
                    prop_assert_eq!(directory.role(&who, &wall).is_some(), own.is_some() || by_team);
                }
            }
        }
    }
}
