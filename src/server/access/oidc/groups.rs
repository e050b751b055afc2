//! Roles in teams that groups of the provider give, anew at each sign-in.
//!
//! A group never lowers what somebody has by hand, and takes only what a group gave.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::audit::{Action, Actor, Detail};
use crate::dashboard::UserId;
use crate::server::access::audit::entry;
use crate::server::access::directory::{Account, Change, Directory, Role, TeamId};
use crate::server::access::{Access, AccessError};
use crate::server::config::GroupRoles;

/// The highest role in each team that groups give. Also the teams that are named and not there.
pub fn roles_of(
    mapping: &GroupRoles,
    groups: &[String],
    directory: &Directory,
) -> (BTreeMap<TeamId, Role>, BTreeSet<String>) {
    let (mut roles, mut missing) = (BTreeMap::new(), BTreeSet::new());
    for given in groups.iter().filter_map(|group| mapping.get(group)).flatten() {
        // Of several teams with one name the first, so that it is always the same.
        let named = |team: &&TeamId| directory.team(team).is_some_and(|team| team.name == given.team);
        let by_id = directory.teams().map(|team| &team.id).find(|id| id.0.as_str() == given.team);
        match by_id.or_else(|| directory.teams().map(|team| &team.id).filter(named).min()) {
            Some(team) => {
                let role = roles.entry(team.clone()).or_insert(given.role);
                *role = given.role.max(*role);
            }
            None => {
                missing.insert(given.team.clone());
            }
        }
    }
    (roles, missing)
}

/// The changes after which an account has what its groups give, and what it has by hand.
fn changes(directory: &Directory, account: &UserId, roles: &BTreeMap<TeamId, Role>) -> Vec<Change> {
    let before: BTreeMap<TeamId, Option<Role>> =
        directory.group_roles(account).map(|(team, by_hand)| (team.clone(), by_hand)).collect();
    let mut changes = Vec::new();
    for (team, role) in roles {
        let now = directory.member_role(account, team);
        let by_hand = before.get(team).copied().unwrap_or(now);
        let (team, account) = (team.clone(), account.clone());
        if by_hand < Some(*role) {
            if now != Some(*role) || !before.contains_key(&team) {
                changes.push(Change::SetGroupRole { team, account, role: *role, by_hand });
            }
        } else if before.contains_key(&team) {
            changes.push(Change::SetMember { team, account, role: by_hand });
        }
    }
    let gone = before.into_iter().filter(|(team, _)| !roles.contains_key(team));
    changes.extend(gone.map(|(team, by_hand)| Change::SetMember {
        team,
        account: account.clone(),
        role: by_hand,
    }));
    changes
}

impl Access {
    /// Gives an account what the groups of its provider give, and takes what groups gave that it is not in any more.
    pub(super) async fn apply_groups(
        &self,
        account: &Account,
        mapping: &GroupRoles,
        groups: &[String],
    ) -> Result<(), AccessError> {
        let mut made = Vec::new();
        self.change_with(|directory| {
            let (roles, missing) = roles_of(mapping, groups, directory);
            for team in missing {
                tracing::warn!(%team, "a group of the OpenID provider gives a role in a team that is not there");
            }
            made = changes(directory, &account.id, &roles);
            Ok(made.clone())
        })
        .await?;
        let entries = made.iter().filter_map(|change| {
            let (team, role) = match change {
                Change::SetMember { team, role, .. } => (team, *role),
                Change::SetGroupRole { team, role, .. } => (team, Some(*role)),
                _ => return None,
            };
            let about = Some(self.team_target(team));
            let detail = Detail::role_of(account.as_target(), role);
            Some(entry(Actor::server(), None, Action::MemberChanged, about).with(detail))
        });
        self.record(entries.collect()).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::Id;
    use crate::server::access::directory::Team;
    use crate::server::config::TeamRole;

    fn id(team: &str) -> TeamId {
        TeamId(Id::new(team).expect("an id"))
    }

    fn ada() -> UserId {
        UserId::new("ada").expect("an id")
    }

    fn mapping(all: &[(&str, &str, Role)]) -> GroupRoles {
        let mut mapping = GroupRoles::new();
        for (group, team, role) in all {
            let given = TeamRole { team: (*team).to_owned(), role: *role };
            mapping.entry((*group).to_owned()).or_default().push(given);
        }
        mapping
    }

    fn directory() -> Directory {
        let account = Account {
            id: ada(),
            email: String::new(),
            name: "Ada".to_owned(),
            password: None,
            is_admin: false,
            made_at: 1,
            disabled_at: None,
        };
        let teams = [("t1", "Ops"), ("t2", "Shop"), ("t3", "Shop"), ("Ops", "Other")];
        let mut changes = vec![Change::PutAccount(account)];
        let team = |(team, name): (&str, &str)| Change::PutTeam(Team { id: id(team), name: name.to_owned() });
        changes.extend(teams.map(team));
        Directory::default().after(&changes).expect("fits")
    }

    fn sign_in(directory: &mut Directory, groups: &[(&str, Role)]) {
        let roles = groups.iter().map(|(team, role)| (id(team), *role)).collect();
        let changes = changes(directory, &ada(), &roles);
        *directory = directory.after(&changes).expect("fits");
        assert_eq!(super::changes(directory, &ada(), &roles), [], "a second time changes nothing");
    }

    #[test]
    fn a7_groups_give_the_highest_role_in_teams_by_id_or_name() {
        let directory = directory();
        let mapping = mapping(&[
            ("ops", "t1", Role::Viewer),
            ("ops", "Shop", Role::Editor),
            ("lead", "t1", Role::Owner),
            ("lead", "Nowhere", Role::Owner),
            ("admins", "Ops", Role::Viewer),
        ]);
        let of = |groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
            roles_of(&mapping, &groups, &directory)
        };
        assert_eq!(of(&["ops"]).0, BTreeMap::from([(id("t1"), Role::Viewer), (id("t2"), Role::Editor)]));
        let (roles, missing) = of(&["lead", "ops", "unknown"]);
        assert_eq!(roles[&id("t1")], Role::Owner);
        assert_eq!(missing, BTreeSet::from(["Nowhere".to_owned()]));
        assert_eq!(of(&["admins"]).0, BTreeMap::from([(id("Ops"), Role::Viewer)]), "an id before a name");
        assert_eq!(of(&["OPS", ""]).0, BTreeMap::new());
    }

    #[test]
    fn a7_a_group_that_is_gone_takes_what_it_gave_and_leaves_what_was_given_by_hand() {
        let mut directory = directory();
        let by_hand = |directory: &mut Directory, team: &str, role| {
            let change = Change::SetMember { team: id(team), account: ada(), role };
            *directory = directory.after(&[change]).expect("fits");
        };
        let roles =
            |directory: &Directory| ["t1", "t2", "t3"].map(|team| directory.member_role(&ada(), &id(team)));
        by_hand(&mut directory, "t1", Some(Role::Viewer));
        by_hand(&mut directory, "t2", Some(Role::Owner));
        sign_in(&mut directory, &[("t1", Role::Editor), ("t2", Role::Viewer), ("t3", Role::Viewer)]);
        assert_eq!(roles(&directory), [Some(Role::Editor), Some(Role::Owner), Some(Role::Viewer)]);
        sign_in(&mut directory, &[("t1", Role::Owner), ("t3", Role::Editor)]);
        assert_eq!(roles(&directory), [Some(Role::Owner), Some(Role::Owner), Some(Role::Editor)]);
        sign_in(&mut directory, &[("t1", Role::Viewer)]);
        assert_eq!(roles(&directory), [Some(Role::Viewer), Some(Role::Owner), None]);
        assert_eq!(directory.group_roles(&ada()).count(), 0, "what was given by hand is as much");
        sign_in(&mut directory, &[("t1", Role::Owner)]);
        // An admin's word counts at once, and from then on as given by hand.
        by_hand(&mut directory, "t1", Some(Role::Editor));
        assert_eq!(directory.member_role(&ada(), &id("t1")), Some(Role::Editor));
        sign_in(&mut directory, &[]);
        assert_eq!(roles(&directory), [Some(Role::Editor), Some(Role::Owner), None]);
        by_hand(&mut directory, "t1", None);
        sign_in(&mut directory, &[("t1", Role::Viewer)]);
        directory = directory.after(&[Change::RemoveTeam(id("t1"))]).expect("fits");
        assert_eq!(directory.group_roles(&ada()).count(), 0);
    }
}
