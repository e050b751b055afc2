//! Sharing of dashboards, and people as pages show them.

use std::collections::{BTreeMap, BTreeSet};

use super::directory::{self, Account, Change, ChangeError, Role, TeamId};
use super::identities::Identity;
use super::invitations::Purpose;
use super::sessions::Session;
use super::who::Who;
use super::{Access, AccessError, Mode};
use crate::app::access::{
    AccountCard, Grant, GrantChange, Grantee, InvitationCard, Membership, OwnAccount, People, Person, Rights,
    SessionCard, ShareChanges, Sharing, TeamCard,
};
use crate::dashboard::fold::fold;
use crate::dashboard::{DashboardId, UserId};
use crate::server::auth::color_of;

impl Access {
    /// What whoever looks at a page may do, with the dashboard that it shows.
    pub fn rights(&self, who: &Who, dashboard: Option<&DashboardId>) -> Rights {
        if self.mode() == Mode::Open {
            return Rights::default();
        }
        let role = dashboard.and_then(|id| self.role(&who.principal(), id)).unwrap_or_default();
        Rights {
            role,
            has_account: who.signed_in().is_some(),
            is_admin: who.is_admin(),
            may_create: who.signed_in().is_some_and(|signed_in| self.may_create(&signed_in.account)),
            is_visitor: who.is_guest(),
            may_sign_in: who.is_guest() && self.lets_guests_in(),
            is_screen: who.showing().is_some(),
        }
    }

    /// Who may do what on a dashboard. Owners also hear of everybody whom they could let in.
    pub fn sharing(&self, who: &Who, dashboard: &DashboardId) -> Sharing {
        let is_owner = self.role(&who.principal(), dashboard) == Some(Role::Owner);
        let directory = self.directory();
        let team = directory.owner(dashboard).cloned();
        let mut people = BTreeSet::new();
        let mut teams: BTreeSet<TeamId> = team.iter().cloned().collect();
        let mut grants = Vec::new();
        for (to, role) in directory.grants(dashboard) {
            let to = match to {
                directory::Grantee::Account(id) => {
                    people.insert(id.clone());
                    Grantee::Account(id.clone())
                }
                directory::Grantee::Team(id) => {
                    teams.insert(id.clone());
                    Grantee::Team(id.0.clone())
                }
            };
            grants.push(Grant { to, role });
        }
        let is_shown =
            |account: &&Account| is_owner && account.disabled_at.is_none() || people.contains(&account.id);
        let mut people: Vec<Person> = directory.accounts().filter(is_shown).map(person).collect();
        people.sort_by_cached_key(|person| (fold(&person.name), person.id.clone()));
        let mut cards = team_cards(&directory);
        cards.retain(|card| is_owner || teams.iter().any(|team| team.0 == card.id));
        drop(directory);
        let links = if is_owner { self.link_cards(dashboard) } else { Vec::new() };
        Sharing { team: team.map(|team| team.0), grants, people, teams: cards, links }
    }

    /// Makes an owner's changes. Errors with `NoOwner` where nobody could share the dashboard after them.
    pub async fn share(&self, dashboard: &DashboardId, changes: ShareChanges) -> Result<(), AccessError> {
        let ShareChanges { team, grants } = changes;
        let mut all = Vec::with_capacity(grants.len() + 1);
        if let Some(team) = team {
            let team = team.team().cloned().map(TeamId);
            all.push(Change::SetTeam { dashboard: dashboard.clone(), team });
        }
        for GrantChange { to, role } in grants {
            all.push(Change::SetGrant { dashboard: dashboard.clone(), to: (&to).into(), role });
        }
        self.change_with(|directory| {
            let after = directory.after(&all)?;
            if after.has_owner(dashboard) { Ok(all) } else { Err(ChangeError::NoOwner.into()) }
        })
        .await
    }

    /// One's own account, with its sessions.
    pub fn own_account(&self, who: &super::SignedIn) -> OwnAccount {
        let card = |session: Session| SessionCard {
            id: session.hash.to_text(),
            made_at: session.made_at,
            used_at: session.used_at,
            is_this: session.hash == who.session.hash,
            address: session.address,
            agent: session.agent,
        };
        let identities = {
            let directory = self.directory();
            let own: Vec<&Identity> = directory.identities_of(&who.account.id).collect();
            self.identity_cards(&who.account, &own, true)
        };
        OwnAccount {
            person: person(&who.account),
            identities,
            is_admin: who.account.is_admin,
            has_password: who.account.password.is_some(),
            second_factor: self.second_factor_card(&who.account.id),
            sessions: self.sessions_of(&who.account.id).into_iter().map(card).collect(),
            tokens: self.tokens(Some(&who.account.id)),
            scopes: self.scopes_of(&who.account.id),
            teams: self.own_teams(&who.account.id),
        }
    }

    /// The teams that an account is in, by name.
    fn own_teams(&self, account: &UserId) -> Vec<TeamCard> {
        let directory = self.directory();
        let mut cards = team_cards(&directory);
        cards.retain(|card| directory.member_role(account, &TeamId(card.id.clone())).is_some());
        cards
    }

    /// The teams whose dashboards an account edits, by name.
    pub fn edited_teams(&self, account: &UserId) -> Vec<TeamCard> {
        let directory = self.directory();
        let mut cards = team_cards(&directory);
        cards.retain(|card| directory.member_role(account, &TeamId(card.id.clone())) >= Some(Role::Editor));
        cards
    }

    /// All people, for an admin, or for whoever has the machine of the server.
    pub fn people(&self, admin: Option<&UserId>) -> People {
        let directory = self.directory();
        let mut identities: BTreeMap<&UserId, Vec<&Identity>> = BTreeMap::new();
        for identity in directory.identities() {
            identities.entry(&identity.account).or_default().push(identity);
        }
        let card = |account: &Account| {
            let sessions = self.sessions_of(&account.id);
            let teams = directory.teams_of(&account.id);
            let own = identities.get(&account.id).map(Vec::as_slice).unwrap_or_default();
            AccountCard {
                identities: self.identity_cards(account, own, admin == Some(&account.id)),
                person: person(account),
                is_admin: account.is_admin,
                made_at: account.made_at,
                disabled_at: account.disabled_at,
                second_factor: self.has_second_factor(&account.id),
                teams: teams.map(|(team, role)| Membership { team: team.0.clone(), role }).collect(),
                used_at: sessions.first().map(|session| session.used_at),
                sessions: sessions.len(),
            }
        };
        let mut accounts: Vec<AccountCard> = directory.accounts().map(card).collect();
        accounts.sort_by_cached_key(|card| (fold(&card.person.name), card.person.id.clone()));
        let mut invitations: Vec<InvitationCard> = directory
            .invitations()
            .filter_map(|known| match &known.purpose {
                Purpose::Join { team, role, email } => Some(InvitationCard {
                    id: known.hash.to_text(),
                    team: team.0.clone(),
                    role: *role,
                    email: email.clone(),
                    uses_left: known.uses_left,
                    made_at: known.made_at,
                    expires_at: known.expires_at,
                    made_by: known.made_by.clone(),
                }),
                Purpose::Reset(_) => None,
            })
            .collect();
        invitations.sort_by_key(|card| (std::cmp::Reverse(card.made_at), card.id.clone()));
        let sign_up_services = self.sign_up_services();
        People { accounts, teams: team_cards(&directory), invitations, sign_up_services }
    }
}

pub(super) fn person(account: &Account) -> Person {
    let Account { id, name, email, .. } = account.clone();
    Person { color: color_of(&id).to_owned(), id, name, email }
}

/// All teams, by name.
fn team_cards(directory: &directory::Directory) -> Vec<TeamCard> {
    let card = |team: &directory::Team| TeamCard {
        id: team.id.0.clone(),
        name: team.name.clone(),
        members: directory.members(&team.id),
    };
    let mut cards: Vec<TeamCard> = directory.teams().map(card).collect();
    cards.sort_by_cached_key(|card| (fold(&card.name), card.id.clone()));
    cards
}

/// The account of an id in an address.
pub fn account_id(text: &str) -> Result<UserId, AccessError> {
    UserId::new(text).map_err(|_| ChangeError::NoAccount.into())
}
