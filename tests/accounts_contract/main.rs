//! The contract of the store of accounts: one suite, which every backend passes.

#![cfg(feature = "ssr")]

use std::sync::Arc;

use lockstep::app::access::Scope;
use lockstep::app::audit::{Action, Actor, ActorKind, AuditEntry, AuditFilter, Detail, Target, TargetKind};
use lockstep::dashboard::{DashboardId, Id, UserId};
use lockstep::server::access::directory::{Account, Change, Directory, Grantee, Role, Team, TeamId};
use lockstep::server::access::identities::Identity;
use lockstep::server::access::links::{Link, LinkId};
use lockstep::server::access::screens::pairing::ScreenHash;
use lockstep::server::access::screens::{Screen, ScreenId, ScreenUse};
use lockstep::server::access::second_factor::{RecoveryHash, SecondFactor, TotpSecret};
use lockstep::server::access::sessions::{Session, SessionHash};
use lockstep::server::access::tokens::{Token, TokenHash, TokenId};
use lockstep::server::access::visits::{Visit, VisitHash};
use lockstep::server::store::accounts::{Accounts, AuditOrder, AuditQuery, MAX_FORGOTTEN};
use lockstep::server::store::memory::MemoryStore;
use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{ListQuery, Listing, NewDashboard, Order, Reader, Store, StoreError};

mod fixtures;

use fixtures::*;

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
        Change::SetTeam { dashboard: dashboard("wall"), team: Some(team("shop")) },
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
        Change::SetTeam { dashboard: dashboard("wall"), team: Some(team("ops")) },
        Change::RemoveTeam(team("shop")),
        Change::RemoveAccount(user("eve")),
    ] {
        change(&*store, &mut model, vec![one]).await;
    }
    assert_eq!(place.open().await.directory().await, Ok(model));
}

async fn tokens_are_kept_until_they_or_what_they_are_of_is_removed(place: impl Place) {
    let store = place.open().await;
    make(&*store, "wall").await;
    let mut model = Directory::default();
    change(&*store, &mut model, people()).await;
    let all = [(1, "ada", Some("shop")), (2, "ada", None), (3, "bob", Some("ops")), (4, "bob", None)]
        .map(|(n, owner, team)| Change::PutToken(token(n, owner, team)));
    change(&*store, &mut model, all.into()).await;
    let id = |n| token(n, "ada", None).id;
    let left =
        |model: &Directory| -> Vec<u8> { (1..=4).filter(|n| model.token(&id(*n)).is_some()).collect() };
    for (one, stay) in [
        (Change::PutToken(Token { used_at: Some(7), ..token(1, "ada", Some("shop")) }), &[1, 2, 3, 4][..]),
        (Change::RemoveToken(id(2)), &[1, 3, 4]),
        (Change::RemoveToken(id(2)), &[1, 3, 4]),
        (Change::RemoveTeam(team("ops")), &[1, 4]),
        (Change::PutAccount(Account { disabled_at: Some(9), ..account("bob") }), &[1]),
        (Change::PutAccount(account("bob")), &[1]),
    ] {
        change(&*store, &mut model, vec![one]).await;
        assert_eq!(left(&model), stay);
    }
    assert_eq!(place.open().await.directory().await, Ok(model.clone()));
    let eve = Account { is_admin: true, disabled_at: None, ..account("eve") };
    change(&*store, &mut model, vec![Change::PutAccount(eve), Change::RemoveAccount(user("ada"))]).await;
    assert_eq!(left(&model), [0_u8; 0]);
}

async fn identities_are_kept_until_they_or_their_accounts_are_removed(place: impl Place) {
    let store = place.open().await;
    let mut model = Directory::default();
    // Accounts that sign in by an identity alone need no mail address, and there may be several.
    let nameless = |name: &str| Change::PutAccount(Account { email: String::new(), ..account(name) });
    change(&*store, &mut model, vec![Change::PutAccount(account("ada")), nameless("bob"), nameless("eve")])
        .await;
    let (issuer, subject) = ("https://id.example.com", "Zoë \"Z\" 🦦");
    let put = |issuer: &str, subject: &str, of: &str| Change::PutIdentity(identity(issuer, subject, of));
    let all = vec![put(issuer, subject, "bob"), put("proxy", subject, "ada"), put("proxy", "BOB", "bob")];
    change(&*store, &mut model, all).await;
    let used = Identity { used_at: 9, ..identity(issuer, subject, "bob") };
    change(&*store, &mut model, vec![Change::PutIdentity(used.clone())]).await;
    assert_eq!(model.identity(issuer, subject), Some(&used));
    assert_eq!(place.open().await.directory().await, Ok(model.clone()));
    let removed = Change::RemoveIdentity { issuer: "proxy".to_owned(), subject: subject.to_owned() };
    change(&*store, &mut model, vec![removed.clone(), removed]).await;
    assert_eq!(model.identities_of(&user("ada")).count(), 0);
    assert_eq!(model.identities_of(&user("bob")).count(), 2);
    change(&*store, &mut model, vec![Change::RemoveAccount(user("bob"))]).await;
    assert_eq!(model.identity("proxy", "BOB"), None);
    change(&*store, &mut model, vec![put("proxy", "BOB", "eve")]).await;
}

async fn roles_by_groups_are_known_from_those_by_hand(place: impl Place) {
    let store = place.open().await;
    make(&*store, "wall").await;
    let mut model = Directory::default();
    change(&*store, &mut model, people()).await;
    let by_group = |of: &str, account: &str, role, by_hand| Change::SetGroupRole {
        team: team(of),
        account: user(account),
        role,
        by_hand,
    };
    let changes = vec![
        by_group("shop", "bob", Role::Owner, Some(Role::Editor)),
        by_group("ops", "bob", Role::Viewer, None),
        by_group("ops", "eve", Role::Editor, Some(Role::Viewer)),
    ];
    change(&*store, &mut model, changes).await;
    assert_eq!(model.group_roles(&user("bob")).count(), 2);
    let by_hand =
        |of: &str, account: &str, role| Change::SetMember { team: team(of), account: user(account), role };
    let changes = vec![by_hand("shop", "bob", Some(Role::Viewer)), by_hand("ops", "bob", None)];
    change(&*store, &mut model, changes).await;
    assert_eq!(model.group_roles(&user("bob")).count(), 0, "what is done by hand counts at once");
    assert_eq!(place.open().await.directory().await, Ok(model));
}

async fn a_token_lists_what_its_team_has_and_its_owner_sees(place: impl Place) {
    let store = place.open().await;
    for name in ["wall", "of-ops", "granted", "own"] {
        make(&*store, name).await;
    }
    store.change_directory(people()).await.expect("written");
    let grant = |name: &str, to, role| Change::SetGrant { dashboard: dashboard(name), to, role: Some(role) };
    let more = vec![
        Change::SetTeam { dashboard: dashboard("of-ops"), team: Some(team("ops")) },
        grant("granted", Grantee::Team(team("shop")), Role::Viewer),
        grant("own", Grantee::Account(user("bob")), Role::Owner),
    ];
    store.change_directory(more).await.expect("written");
    let listed = async |account: &str, of: &str| {
        let reader = Reader::Token { account: user(account), team: team(of) };
        let query = ListQuery { reader, limit: 9, order: Order::Title, ..ListQuery::default() };
        let page = store.page(&query).await.expect("read");
        assert_eq!(page.total, page.dashboards.len());
        let mut names: Vec<String> = page.dashboards.iter().map(|one| one.id.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(listed("bob", "shop").await, ["granted", "wall"], "not what is his alone");
    assert_eq!(listed("bob", "ops").await, ["wall"], "he is not in that team");
    for (of, owned) in [("shop", vec!["wall"]), ("ops", vec!["of-ops"]), ("none", vec![])] {
        let query = ListQuery { team: Some(team(of)), limit: 9, ..ListQuery::default() };
        let page = store.page(&query).await.expect("read");
        let names: Vec<String> = page.dashboards.iter().map(|one| one.id.to_string()).collect();
        assert_eq!((names, page.total), (owned.iter().map(ToString::to_string).collect(), owned.len()));
    }
    assert_eq!(listed("ada", "shop").await, ["wall"]);
    let of_team = ListQuery { reader: Reader::Team(team("shop")), limit: 9, ..ListQuery::default() };
    let page = store.page(&of_team).await.expect("read");
    let owned: Vec<&str> = page.dashboards.iter().map(|one| one.id.as_str()).collect();
    assert_eq!((owned, page.total), (vec!["wall"], 1), "what it owns");
    let deletion = lockstep::server::store::Deletion { at: 5, by: None };
    assert_eq!(store.delete(&dashboard("wall"), &deletion, 9).await, Ok(true));
    let reader = Reader::Token { account: user("ada"), team: team("shop") };
    for reader in [reader, Reader::Team(team("shop"))] {
        assert_eq!(store.bin(&reader, None, 9).await.map(|page| page.total), Ok(0), "a bin is for people");
    }
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
    let gone = Change::SetTeam { dashboard: dashboard("none"), team: Some(team("shop")) };
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
    let gone = SessionHash::new([1; 32]);
    store.put_session(session(5, "ada"), vec![gone]).await.expect("kept");
    store
        .note_uses(vec![(SessionHash::new([2; 32]), 99), (gone, 99), (SessionHash::new([3; 32]), 1)])
        .await
        .expect("noted");
    let two = Session { used_at: 99, ..session(2, "bob") };
    let kept = vec![two, session(3, "bob"), session(4, "eve"), session(5, "ada")];
    assert_eq!(store.sessions().await, Ok(kept));
    store.remove_sessions(vec![SessionHash::new([2; 32]), gone]).await.expect("removed");
    store.change_directory(vec![Change::RemoveAccount(user("eve"))]).await.expect("removed");
    assert_eq!(store.sessions().await, Ok(vec![session(3, "bob"), session(5, "ada")]));
}

/// What somebody did at a time.
fn entry(at: u64, who: &str, what: Action, about: Option<Target>) -> AuditEntry {
    let actor = Actor::new(ActorKind::Account, Some(who.to_owned()), &format!("{who} \"Z\" Ünal"));
    AuditEntry {
        n: 0,
        at,
        who: actor,
        address: Some("::1".to_owned()),
        what,
        about,
        detail: Detail::default(),
    }
}

/// The numbers of the entries that a query finds.
async fn found(store: &dyn Both, query: AuditQuery) -> Vec<u64> {
    store.audit(&query).await.expect("read").iter().map(|entry| entry.n).collect()
}

fn filtered(filter: AuditFilter) -> AuditQuery {
    AuditQuery { filter, limit: 9, ..AuditQuery::default() }
}

async fn the_audit_log_is_read_as_it_was_written(place: impl Place) {
    let store = place.open().await;
    make(&*store, "wall").await;
    let wall = Target::new(TargetKind::Dashboard, "wall", "Wall");
    let to = Target::new(TargetKind::Team, "ops", "Ops");
    let entries = vec![
        entry(10, "ada", Action::SignIn, None),
        entry(20, "bob", Action::DashboardDeleted, Some(wall.clone())),
        entry(30, "ada", Action::GrantChanged, Some(wall)).with(Detail::role_of(to, Some(Role::Owner))),
        AuditEntry { who: Actor::default(), ..entry(40, "", Action::SignInFailed, None) }
            .with(Detail::email("Eve@example.com")),
        // Another kind of thing with the id of a dashboard.
        AuditEntry { who: Actor::server(), address: None, ..entry(50, "", Action::TeamMade, None) },
        entry(50, "bob", Action::TeamRemoved, Some(Target::new(TargetKind::Team, "wall", "Wall"))),
    ];
    store.append_audit(vec![]).await.expect("nothing to do");
    store.append_audit(entries[..2].to_vec()).await.expect("written");
    store.append_audit(entries[2..].to_vec()).await.expect("written");
    let numbered = (1..).zip(entries).map(|(n, entry)| AuditEntry { n, ..entry }).collect::<Vec<_>>();
    let oldest = AuditQuery { order: AuditOrder::Oldest, limit: 9, ..AuditQuery::default() };
    assert_eq!(place.open().await.audit(&oldest).await, Ok(numbered));

    let after = |order, after| AuditQuery { order, after: Some(after), limit: 2, ..AuditQuery::default() };
    assert_eq!(found(&*store, AuditQuery { limit: 2, ..AuditQuery::default() }).await, [6, 5]);
    assert_eq!(found(&*store, after(AuditOrder::Newest, 5)).await, [4, 3]);
    assert_eq!(found(&*store, after(AuditOrder::Oldest, 3)).await, [4, 5]);
    assert_eq!(found(&*store, after(AuditOrder::Oldest, 6)).await, [0_u64; 0]);
    let none = AuditFilter::default;
    let who = |who: &str| AuditFilter { who: who.to_owned(), ..none() };
    for (filter, expected) in [
        (who("ada"), &[3, 1][..]),
        (who("\"z\" ÜNAL"), &[6, 3, 2, 1]),
        (who("eve@"), &[4]),
        (who("%"), &[]),
        (AuditFilter { what: Some(Action::SignIn), ..none() }, &[1]),
        (AuditFilter { dashboard: Some(dashboard("wall")), ..none() }, &[3, 2]),
        (AuditFilter { dashboard: Some(dashboard("wall")), ..who("bob") }, &[2]),
        (AuditFilter { from: Some(20), to: Some(40), ..none() }, &[3, 2]),
    ] {
        assert_eq!(found(&*store, filtered(filter.clone())).await, expected, "{filter:?}");
    }
}

async fn an_entry_has_the_title_of_its_dashboard(place: impl Place) {
    let store = place.open().await;
    let listing = Listing { title: "Orders".to_owned(), ..Listing::default() };
    let new = NewDashboard { id: dashboard("wall"), epoch: "e".to_owned(), state: "{}".into(), listing };
    store.create(new).await.expect("made");
    let about = |id: &str, name: &str| Some(Target::new(TargetKind::Dashboard, id, name));
    for about in [about("wall", ""), about("wall", "As it was"), about("gone", "")] {
        store.append_audit(vec![entry(1, "ada", Action::DashboardExported, about)]).await.expect("written");
    }
    let read = store.audit(&AuditQuery { limit: 9, ..AuditQuery::default() }).await.expect("read");
    let names: Vec<String> = read.into_iter().filter_map(|entry| Some(entry.about?.name)).collect();
    assert_eq!(names, ["", "As it was", "Orders"]);
}

async fn old_entries_are_forgotten_and_their_numbers_are_not_used_again(place: impl Place) {
    let store = place.open().await;
    let many = MAX_FORGOTTEN as u64 + 2;
    store
        .append_audit((0..many).map(|at| entry(at, "ada", Action::SignIn, None)).collect())
        .await
        .expect("written");
    assert_eq!(store.forget_audit(0).await, Ok(0));
    assert_eq!(store.forget_audit(many - 1).await, Ok(MAX_FORGOTTEN));
    assert_eq!(store.forget_audit(many - 1).await, Ok(1));
    assert_eq!(found(&*store, filtered(AuditFilter::default())).await, [many]);
    assert_eq!(store.forget_audit(many).await, Ok(1));
    store.append_audit(vec![entry(1, "ada", Action::SignOut, None)]).await.expect("written");
    assert_eq!(found(&*store, filtered(AuditFilter::default())).await, [many + 1]);
}

async fn links_and_their_visits_go_with_what_they_are_of(place: impl Place) {
    let store = place.open().await;
    make(&*store, "wall").await;
    make(&*store, "other").await;
    let mut model = Directory::default();
    change(&*store, &mut model, people()).await;
    for n in [1, 2, 3] {
        change(&*store, &mut model, vec![Change::PutLink(link(n, "wall"))]).await;
    }
    change(&*store, &mut model, vec![Change::PutLink(link(4, "other"))]).await;
    assert_eq!(store.change_directory(vec![Change::PutLink(link(5, "none"))]).await, Err(StoreError::Gone));
    assert_eq!(store.put_visit(visit(9, 9, None), vec![]).await, Err(StoreError::Gone));
    for (n, by, account) in
        [(1, 1, None), (2, 1, None), (3, 2, Some("bob")), (4, 2, Some("eve")), (5, 3, None)]
    {
        store.put_visit(visit(n, by, account), vec![]).await.expect("kept");
    }
    let gone = VisitHash::new([1; 32]);
    store.put_visit(visit(6, 1, None), vec![gone]).await.expect("kept");
    let renamed = Visit { name: "Bob".to_owned(), ..visit(2, 1, None) };
    store.put_visit(renamed.clone(), vec![]).await.expect("kept");
    store
        .note_visits(vec![(VisitHash::new([3; 32]), 99), (gone, 99), (VisitHash::new([4; 32]), 1)])
        .await
        .expect("noted");
    let used = Visit { used_at: 99, ..visit(3, 2, Some("bob")) };
    let eves = visit(4, 2, Some("eve"));
    let kept = vec![renamed.clone(), used.clone(), eves, visit(5, 3, None), visit(6, 1, None)];
    assert_eq!(place.open().await.visits().await, Ok(kept));
    store.remove_visits(vec![VisitHash::new([6; 32]), gone]).await.expect("removed");
    change(&*store, &mut model, vec![Change::RemoveAccount(user("eve"))]).await;
    change(&*store, &mut model, vec![Change::RemoveLink(LinkId::new([3; 32]))]).await;
    assert_eq!(store.visits().await, Ok(vec![renamed, used]));
    let deletion = lockstep::server::store::Deletion { at: 5, by: None };
    assert_eq!(store.delete(&dashboard("wall"), &deletion, 9).await, Ok(true));
    assert_eq!(store.purge(&dashboard("wall"), u64::MAX >> 1).await, Ok(true));
    model.forget(&dashboard("wall"));
    assert_eq!(store.directory().await, Ok(model.clone()));
    assert_eq!(model.all_links().map(|link| link.id).collect::<Vec<_>>(), [LinkId::new([4; 32])]);
    assert_eq!(store.visits().await, Ok(vec![]));
}

async fn screens_are_kept_until_they_or_what_they_are_of_is_removed(place: impl Place) {
    let store = place.open().await;
    make(&*store, "wall").await;
    make(&*store, "hall").await;
    let mut model = Directory::default();
    change(&*store, &mut model, people()).await;
    let first = screen(1, "shop", &["wall", "hall"]);
    for one in [first.clone(), screen(2, "shop", &["hall"]), screen(3, "ops", &["wall"])] {
        change(&*store, &mut model, vec![Change::PutScreen(one)]).await;
    }
    let gone = Change::PutScreen(screen(4, "shop", &["wall", "none"]));
    assert_eq!(store.change_directory(vec![gone]).await, Err(StoreError::Gone));
    let nobodys = Change::PutScreen(screen(4, "none", &["wall"]));
    assert!(store.change_directory(vec![nobodys]).await.is_err());
    assert_eq!(store.directory().await.as_ref(), Ok(&model), "all or none");

    let used = |id: &ScreenId, at| ScreenUse { id: id.clone(), at, address: "2001:db8::1".to_owned() };
    let none = ScreenId::from_text("s9").expect("an id");
    store.note_screens(vec![used(&first.id, 99), used(&none, 99)]).await.expect("noted");
    model.note_screen(used(&first.id, 99));
    let kept = model.screen(&first.id).expect("kept").clone();
    assert_eq!((kept.used_at, &*kept.address), (99, "2001:db8::1"));
    // Whoever changes it may have read it before its use was noted.
    let turned = Screen {
        name: "Door".to_owned(),
        rotate_s: 5,
        dashboards: vec![dashboard("hall"), dashboard("wall")],
        ..first.clone()
    };
    change(&*store, &mut model, vec![Change::PutScreen(turned.clone())]).await;
    assert_eq!(model.screen(&first.id), Some(&Screen { used_at: 99, address: kept.address, ..turned }));
    assert_eq!(place.open().await.directory().await.as_ref(), Ok(&model));

    let deletion = lockstep::server::store::Deletion { at: 5, by: None };
    assert_eq!(store.delete(&dashboard("hall"), &deletion, 9).await, Ok(true));
    assert_eq!(store.directory().await.as_ref(), Ok(&model), "it may come back");
    assert_eq!(store.purge(&dashboard("hall"), u64::MAX >> 1).await, Ok(true));
    model.forget(&dashboard("hall"));
    assert_eq!(store.directory().await.as_ref(), Ok(&model));
    assert_eq!(model.screen(&first.id).expect("kept").dashboards, [dashboard("wall")]);
    change(&*store, &mut model, vec![Change::RemoveScreen(screen(2, "shop", &[]).id)]).await;
    change(&*store, &mut model, vec![Change::RemoveTeam(team("ops"))]).await;
    assert_eq!(model.screens().map(|one| &one.id).collect::<Vec<_>>(), [&first.id]);
}

async fn an_account_has_one_second_factor_which_goes_with_it(place: impl Place) {
    let store = place.open().await;
    make(&*store, "wall").await;
    store.change_directory(people()).await.expect("written");
    assert_eq!(store.second_factors().await, Ok(vec![]));
    assert_eq!(store.put_second_factor(second_factor(1, "nobody")).await, Err(StoreError::Gone));
    for (n, name) in [(10, "ada"), (10, "bob"), (0, "eve")] {
        store.put_second_factor(second_factor(n, name)).await.expect("kept");
    }
    let mut used = second_factor(10, "ada");
    used.recovery.remove(&RecoveryHash([3; 32]));
    used.last_step += 1;
    store.put_second_factor(used.clone()).await.expect("kept");
    store.put_second_factor(second_factor(2, "bob")).await.expect("another in its place");
    // What changes of an account leaves it alone.
    let renamed = Account { name: "Ada".to_owned(), disabled_at: Some(1), ..account("ada") };
    let admin = Account { is_admin: true, ..account("bob") };
    let changes = vec![Change::PutAccount(admin), Change::PutAccount(renamed)];
    store.change_directory(changes).await.expect("written");
    let kept = vec![used, second_factor(2, "bob"), second_factor(0, "eve")];
    assert_eq!(place.open().await.second_factors().await, Ok(kept));
    store.remove_second_factor(&user("bob")).await.expect("removed");
    store.remove_second_factor(&user("bob")).await.expect("as good as removed");
    store.change_directory(vec![Change::RemoveAccount(user("ada"))]).await.expect("removed");
    assert_eq!(store.second_factors().await, Ok(vec![second_factor(0, "eve")]));
    store.change_directory(vec![Change::PutAccount(account("ada"))]).await.expect("made anew");
    assert_eq!(store.second_factors().await, Ok(vec![second_factor(0, "eve")]), "of another account");
}

async fn a_closed_store_says_so(place: impl Place) {
    let store = place.open().await;
    store.close().await;
    assert_eq!(store.directory().await, Err(StoreError::Closed));
    assert_eq!(store.change_directory(people()).await, Err(StoreError::Closed));
    assert_eq!(store.sessions().await, Err(StoreError::Closed));
    assert_eq!(store.second_factors().await, Err(StoreError::Closed));
    assert_eq!(store.put_second_factor(second_factor(1, "ada")).await, Err(StoreError::Closed));
    let signed_in = entry(1, "ada", Action::SignIn, None);
    assert_eq!(store.append_audit(vec![signed_in]).await, Err(StoreError::Closed));
    assert_eq!(store.audit(&AuditQuery::default()).await, Err(StoreError::Closed));
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
    tokens_are_kept_until_they_or_what_they_are_of_is_removed,
    identities_are_kept_until_they_or_their_accounts_are_removed,
    roles_by_groups_are_known_from_those_by_hand,
    a_token_lists_what_its_team_has_and_its_owner_sees,
    changes_are_made_all_or_none,
    what_belongs_to_a_dashboard_goes_with_it,
    sessions_are_kept_until_they_are_removed,
    the_audit_log_is_read_as_it_was_written,
    an_entry_has_the_title_of_its_dashboard,
    old_entries_are_forgotten_and_their_numbers_are_not_used_again,
    links_and_their_visits_go_with_what_they_are_of,
    screens_are_kept_until_they_or_what_they_are_of_is_removed,
    an_account_has_one_second_factor_which_goes_with_it,
    a_closed_store_says_so,
);
