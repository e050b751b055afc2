//! The contract of the store of accounts: one suite, which every backend passes.

#![cfg(feature = "ssr")]

use std::sync::Arc;

use lockstep::dashboard::{DashboardId, Id, UserId};
use lockstep::server::access::directory::{Account, Change, Directory, Grantee, Role, Team, TeamId};
use lockstep::server::access::sessions::{Session, SessionHash};
use lockstep::server::store::accounts::Accounts;
use lockstep::server::store::memory::MemoryStore;
use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{Listing, NewDashboard, Store, StoreError};

/// A store of both kinds.
trait Both: Store + Accounts {}
impl<T: Store + Accounts> Both for T {}

/// A place that stores come from; opening it again finds what is in it.
trait Place {
    async fn open(&self) -> Arc<dyn Both>;
}

struct Memory(Arc<MemoryStore>);

impl Place for Memory {
    async fn open(&self) -> Arc<dyn Both> {
        self.0.clone()
    }
}

struct File(tempfile::TempDir);

impl Place for File {
    async fn open(&self) -> Arc<dyn Both> {
        Arc::new(SqliteStore::open(&self.0.path().join("test.db")).await.expect("opens"))
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("an id")
}

fn team(name: &str) -> TeamId {
    TeamId(Id::new(name).expect("an id"))
}

fn dashboard(name: &str) -> DashboardId {
    DashboardId::new(name).expect("an id")
}

fn account(name: &str) -> Account {
    Account {
        id: user(name),
        email: format!("{name}@Example.com"),
        name: format!("{name} \"Z\" 🦦"),
        password: (name == "ada").then(|| "$argon2id$…".to_owned()),
        is_admin: name == "ada",
        made_at: 1_795_000_000_000,
        disabled_at: (name == "eve").then_some(7),
    }
}

fn session(n: u8, account: &str) -> Session {
    Session {
        hash: SessionHash([n; 32]),
        account: user(account),
        made_at: 5,
        used_at: 6,
        address: "2001:db8::1".to_owned(),
        agent: "Firefox \"1\"".to_owned(),
    }
}

async fn make(store: &dyn Both, name: &str) {
    let new = NewDashboard {
        id: dashboard(name),
        epoch: "e".to_owned(),
        state: "{}".into(),
        listing: Listing::default(),
    };
    store.create(new).await.expect("made");
}

/// Ada, Bob and Eve; Bob in the team `shop`, which owns `wall`.
fn people() -> Vec<Change> {
    vec![
        Change::PutAccount(account("ada")),
        Change::PutAccount(account("bob")),
        Change::PutAccount(account("eve")),
        Change::PutTeam(Team { id: team("shop"), name: "Shop".to_owned() }),
        Change::PutTeam(Team { id: team("ops"), name: "Ops".to_owned() }),
        Change::SetMember { team: team("shop"), account: user("bob"), role: Some(Role::Editor) },
        Change::SetMember { team: team("ops"), account: user("eve"), role: Some(Role::Viewer) },
        Change::SetTeam { dashboard: dashboard("wall"), team: team("shop") },
        Change::SetGrant {
            dashboard: dashboard("wall"),
            to: Grantee::Account(user("ada")),
            role: Some(Role::Owner),
        },
        Change::SetGrant {
            dashboard: dashboard("wall"),
            to: Grantee::Team(team("ops")),
            role: Some(Role::Viewer),
        },
    ]
}

/// Makes changes here and there.
async fn change(store: &dyn Both, model: &mut Directory, changes: Vec<Change>) {
    for change in &changes {
        model.change(change.clone()).expect("fits");
    }
    store.change_directory(changes).await.expect("written");
    assert_eq!(store.directory().await.as_ref(), Ok(&*model));
}

async fn the_directory_is_what_the_changes_make(place: impl Place) {
    let store = place.open().await;
    assert_eq!(store.directory().await, Ok(Directory::default()));
    make(&*store, "wall").await;
    let mut model = Directory::default();
    change(&*store, &mut model, people()).await;
    let renamed = Account { email: "bob@new.example".to_owned(), name: "Bob".to_owned(), ..account("bob") };
    let to_bob =
        |role| Change::SetGrant { dashboard: dashboard("wall"), to: Grantee::Account(user("bob")), role };
    for one in [
        Change::PutAccount(renamed),
        Change::PutTeam(Team { id: team("shop"), name: "The shop".to_owned() }),
        Change::SetMember { team: team("shop"), account: user("bob"), role: Some(Role::Owner) },
        Change::SetMember { team: team("shop"), account: user("eve"), role: Some(Role::Viewer) },
        Change::SetMember { team: team("shop"), account: user("eve"), role: None },
        to_bob(Some(Role::Viewer)),
        to_bob(Some(Role::Owner)),
        to_bob(None),
        to_bob(None),
        Change::SetTeam { dashboard: dashboard("wall"), team: team("ops") },
        Change::RemoveTeam(team("shop")),
        Change::RemoveAccount(user("eve")),
    ] {
        change(&*store, &mut model, vec![one]).await;
    }
    assert_eq!(place.open().await.directory().await, Ok(model));
}

async fn changes_are_made_all_or_none(place: impl Place) {
    let store = place.open().await;
    make(&*store, "wall").await;
    store.change_directory(people()).await.expect("written");
    let before = store.directory().await.expect("read");
    let taken = Account { email: "ADA@example.com".to_owned(), ..account("mallory") };
    let nowhere = Change::SetGrant {
        dashboard: dashboard("none"),
        to: Grantee::Account(user("bob")),
        role: Some(Role::Owner),
    };
    let gone = Change::SetTeam { dashboard: dashboard("none"), team: team("shop") };
    for (second, error) in [
        (Change::PutAccount(taken), StoreError::Taken),
        (nowhere, StoreError::Gone),
        (gone, StoreError::Gone),
    ] {
        let first = Change::PutAccount(account("zoe"));
        assert_eq!(store.change_directory(vec![first, second]).await, Err(error));
        assert_eq!(store.directory().await.as_ref(), Ok(&before));
    }
}

async fn what_belongs_to_a_dashboard_goes_with_it(place: impl Place) {
    let store = place.open().await;
    make(&*store, "wall").await;
    store.change_directory(people()).await.expect("written");
    let deletion = lockstep::server::store::Deletion { at: 5, by: None };
    assert_eq!(store.delete(&dashboard("wall"), &deletion, 9).await, Ok(true));
    let of_bob = |directory: Directory| directory.role(&user("bob"), &dashboard("wall"));
    assert_eq!(store.directory().await.map(of_bob), Ok(Some(Role::Editor)), "it may come back");
    assert_eq!(store.purge(&dashboard("wall"), u64::MAX >> 1).await, Ok(true));
    assert_eq!(store.directory().await.map(of_bob), Ok(None));
    store.change_directory(vec![Change::Forget(dashboard("wall"))]).await.expect("nothing to do");
    store.change_directory(vec![Change::RemoveTeam(team("shop"))]).await.expect("it owns nothing any more");
}

async fn sessions_are_kept_until_they_are_removed(place: impl Place) {
    let store = place.open().await;
    make(&*store, "wall").await;
    store.change_directory(people()).await.expect("written");
    assert_eq!(store.put_session(session(9, "nobody"), vec![]).await, Err(StoreError::Gone));
    for (n, name) in [(1, "ada"), (2, "bob"), (3, "bob"), (4, "eve")] {
        store.put_session(session(n, name), vec![]).await.expect("kept");
    }
    let gone = SessionHash([1; 32]);
    store.put_session(session(5, "ada"), vec![gone]).await.expect("kept");
    store
        .note_uses(vec![(SessionHash([2; 32]), 99), (gone, 99), (SessionHash([3; 32]), 1)])
        .await
        .expect("noted");
    let two = Session { used_at: 99, ..session(2, "bob") };
    let kept = vec![two, session(3, "bob"), session(4, "eve"), session(5, "ada")];
    assert_eq!(store.sessions().await, Ok(kept));
    store.remove_sessions(vec![SessionHash([2; 32]), gone]).await.expect("removed");
    store.change_directory(vec![Change::RemoveAccount(user("eve"))]).await.expect("removed");
    assert_eq!(store.sessions().await, Ok(vec![session(3, "bob"), session(5, "ada")]));
}

async fn a_closed_store_says_so(place: impl Place) {
    let store = place.open().await;
    store.close().await;
    assert_eq!(store.directory().await, Err(StoreError::Closed));
    assert_eq!(store.change_directory(people()).await, Err(StoreError::Closed));
    assert_eq!(store.sessions().await, Err(StoreError::Closed));
}

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test] async fn $name() { super::$name(Memory(Arc::default())).await; })*
        }
        mod sqlite {
            use super::*;
            $(#[tokio::test] async fn $name() { super::$name(File(tempfile::tempdir().expect("a directory"))).await; })*
        }
    };
}

contract!(
    the_directory_is_what_the_changes_make,
    changes_are_made_all_or_none,
    what_belongs_to_a_dashboard_goes_with_it,
    sessions_are_kept_until_they_are_removed,
    a_closed_store_says_so,
);
