//! Tests of the directory.

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
        Change::SetTeam { dashboard: dashboard("wall"), team: Some(team("shop")) },
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
        (Change::SetTeam { dashboard: dashboard("wall"), team: Some(team("none")) }, ChangeError::NoTeam),
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
                5 => Change::SetTeam { dashboard: wall, team: Some(which) },
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
