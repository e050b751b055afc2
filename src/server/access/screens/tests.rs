//! Tests of pairing and what screens see, on a store in memory.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::*;
use crate::server::access::accounts::everyone;
use crate::server::access::directory::Team;
use crate::server::access::who::Principal;
use crate::server::store::accounts::AuditQuery;
use crate::server::store::memory::MemoryStore;
use crate::server::store::{Listing, NewDashboard, Store as _};

const PASSWORD: &str = "correct horse battery";

struct Scene {
    store: Arc<MemoryStore>,
    access: Access,
    /// An admin without a team of the dashboards.
    ada: Account,
    /// An editor of the team that owns `wall` and `hall`.
    bob: Account,
}

fn dashboard(id: &str) -> DashboardId {
    DashboardId::new(id).expect("an id")
}

fn team(id: &str) -> TeamId {
    TeamId(Id::new(id).expect("an id"))
}

fn from(n: u32) -> Requester {
    let address = IpAddr::V4(Ipv4Addr::from_bits(n));
    Requester { network: address, address, agent: String::new() }
}

fn new(code: &str, dashboards: &[&str]) -> NewScreen {
    NewScreen {
        code: code.to_owned(),
        name: "Hall 2".to_owned(),
        team: team("shop").0,
        dashboards: dashboards.iter().map(|id| dashboard(id)).collect(),
        rotate_s: 60,
    }
}

impl Scene {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        for id in ["wall", "hall", "other"] {
            let (epoch, state) = ("e".to_owned(), "{}".into());
            let made = NewDashboard { id: dashboard(id), epoch, state, listing: Listing::default() };
            store.create(made).await.expect("made");
        }
        let access = Access::open(store.clone(), |_| Mode::Accounts).await.expect("opens");
        let add = async |name: &str, is_admin| {
            let email = format!("{name}@example.com");
            access.add_account(&email, name, PASSWORD.to_owned(), is_admin).await.expect("made")
        };
        let (ada, bob) = (add("ada", true).await, add("bob", false).await);
        let owned = |id, of| Change::SetTeam { dashboard: dashboard(id), team: Some(team(of)) };
        access
            .change(vec![
                Change::PutTeam(Team { id: team("shop"), name: "Shop".to_owned() }),
                Change::PutTeam(Team { id: team("ops"), name: "Ops".to_owned() }),
                Change::SetMember { team: team("shop"), account: bob.id.clone(), role: Some(Role::Editor) },
                owned("wall", "shop"),
                owned("hall", "shop"),
                owned("other", "ops"),
            ])
            .await
            .expect("changed");
        Self { store, access, ada, bob }
    }

    /// A screen of Bob's team, with its token.
    async fn pair(&self, dashboards: &[&str]) -> (String, Screen) {
        let (token, pairing) = self.access.begin_pairing(&from(7));
        let screen = self.access.pair(&self.bob, new(&pairing.code, dashboards), &from(1)).await;
        (token, screen.expect("paired"))
    }

    fn role(&self, screen: &Screen, id: &str) -> Option<Role> {
        self.access.role(&Principal::Screen(screen.id.clone()), &dashboard(id))
    }
}

#[tokio::test]
async fn a_screen_sees_its_dashboards_as_long_as_its_team_owns_them() {
    let scene = Scene::new().await;
    let (token, screen) = scene.pair(&["wall", "hall"]).await;
    assert!(scene.access.pairing(&token).is_none(), "it waits no more");
    let showing = scene.access.find_screen(&token, Some([192, 0, 2, 1].into())).expect("known");
    assert_eq!(showing.screen, screen);
    assert_eq!([scene.role(&screen, "wall"), scene.role(&screen, "other")], [Some(Role::Viewer), None]);
    let principal = Principal::Screen(screen.id.clone());
    assert!(!scene.access.may_query_on(&principal, &dashboard("wall")));
    let moved = Change::SetTeam { dashboard: dashboard("wall"), team: Some(team("ops")) };
    scene.access.change(vec![moved]).await.expect("moved");
    assert_eq!(scene.role(&screen, "wall"), None);
    assert_eq!(scene.access.screen(&screen.id).expect("known").dashboards, [dashboard("hall")]);
    // Whoever paired it may go: it is the team's.
    scene.access.change(vec![Change::RemoveAccount(scene.bob.id.clone())]).await.expect("removed");
    assert_eq!(scene.role(&screen, "hall"), Some(Role::Viewer));
    let again = Access::open(scene.store.clone(), |_| Mode::Accounts).await.expect("opens");
    assert_eq!(again.find_screen(&token, None).map(|found| found.screen.id), Some(screen.id.clone()));
    let given = Change::SetTeam { dashboard: dashboard("hall"), team: None };
    scene.access.change(vec![given, Change::RemoveTeam(team("shop"))]).await.expect("removed");
    assert!(*showing.ended.borrow(), "it ended with its team");
    assert!(scene.access.find_screen(&token, None).is_none());
}

#[tokio::test]
async fn only_editors_of_the_team_let_a_screen_show_what_they_see_and_it_owns() {
    let scene = Scene::new().await;
    let (_, pairing) = scene.access.begin_pairing(&from(7));
    let cy =
        scene.access.add_account("cy@example.com", "cy", PASSWORD.to_owned(), false).await.expect("made");
    let refused = async |who: &Account, new: NewScreen| {
        scene.access.pair(who, new, &from(1)).await.map(drop).expect_err("refused")
    };
    let of = |dashboards: &[&str]| new(&pairing.code, dashboards);
    assert_eq!(refused(&cy, of(&["wall"])).await, ChangeError::NoTeam.into());
    let viewer = Change::SetMember { team: team("shop"), account: cy.id.clone(), role: Some(Role::Viewer) };
    scene.access.change(vec![viewer]).await.expect("changed");
    assert_eq!(refused(&cy, of(&["wall"])).await, AccessError::NoScreenEditor);
    assert_eq!(refused(&scene.bob, of(&["other"])).await, StoreError::Gone.into(), "he does not see it");
    assert_eq!(refused(&scene.ada, of(&["wall"])).await, StoreError::Gone.into(), "nor does an admin");
    let grant = Change::own(&dashboard("other"), &scene.bob.id);
    scene.access.change(vec![grant]).await.expect("granted");
    assert!(matches!(refused(&scene.bob, of(&["other"])).await, AccessError::BadScreen(_)));
    for bad in [of(&[]), of(&["wall", "wall"]), NewScreen { rotate_s: 4, ..of(&["wall"]) }] {
        assert!(matches!(refused(&scene.bob, bad).await, AccessError::BadScreen(_)));
    }
    assert_eq!(
        refused(&scene.bob, NewScreen { name: " ".to_owned(), ..of(&["wall"]) }).await,
        AccessError::NoName
    );
    // None of this cost the code.
    let screen = scene.access.pair(&scene.bob, of(&["wall"]), &from(1)).await.expect("paired");
    assert_eq!(refused(&scene.bob, of(&["wall"])).await, AccessError::NoPairing, "once");

    let change = ScreenChange { name: Some("Door".to_owned()), ..ScreenChange::default() };
    let stranger = scene.access.change_screen(&cy, &screen.id, change.clone()).await;
    assert_eq!(stranger.map(drop), Err(ChangeError::NoScreen.into()));
    let (before, after) = scene.access.change_screen(&scene.ada, &screen.id, change).await.expect("changed");
    assert_eq!((&*before.name, &*after.name), ("Hall 2", "Door"));
    let elsewhere = ScreenChange { dashboards: Some(vec![dashboard("other")]), ..ScreenChange::default() };
    let refused = scene.access.change_screen(&scene.bob, &screen.id, elsewhere).await.map(drop);
    assert!(matches!(refused, Err(AccessError::BadScreen(_))));
    assert_eq!(scene.access.screens_for(&cy).len(), 0);
    let known = scene.access.screens_for(&scene.bob);
    assert_eq!(
        (known[0].screen.name.as_str(), known[0].team_name.as_str(), known[0].is_on),
        ("Door", "Shop", false)
    );
    assert_eq!(
        scene.access.revoke_screen(&cy, &screen.id).await.map(drop),
        Err(ChangeError::NoScreen.into())
    );
    scene.access.revoke_screen(&scene.bob, &screen.id).await.expect("revoked");
}

#[tokio::test]
async fn wrong_codes_slow_down_by_account_and_address() {
    let scene = Scene::new().await;
    let (_, pairing) = scene.access.begin_pairing(&from(7));
    let wrong = if pairing.code == "BBBBBB" { "CCCCCC" } else { "BBBBBB" };
    let guess = async |code: &str, n| {
        scene.access.pair(&scene.bob, new(code, &["wall"]), &from(n)).await.map(drop).expect_err("refused")
    };
    for n in 0..5 {
        assert_eq!(guess(wrong, n).await, AccessError::NoPairing);
    }
    assert!(matches!(guess(&pairing.code, 9).await, AccessError::Wait(_)), "not even looked at");
}

#[tokio::test]
async fn looking_at_ones_own_device_pays_for_no_guess() {
    let scene = Scene::new().await;
    let (_, own) = scene.access.begin_pairing(&from(7));
    let look = |code: &str, n| scene.access.asking_device(&scene.bob, code, &from(n));
    for n in 0..4 {
        assert_eq!(look("BBBBB", n), Err(AccessError::NoPairing));
        look(&own.code, 9).expect("it waits");
    }
    assert_eq!(look("BBBBB", 4), Err(AccessError::NoPairing), "the fifth");
    let waits = look(&own.code, 9);
    assert!(matches!(waits, Err(AccessError::Wait(_))), "the guesses count still: {waits:?}");
}

#[tokio::test]
async fn whoever_approves_a_code_sees_which_device_shows_it() {
    let scene = Scene::new().await;
    let tv = Requester { agent: "Tizen\nTV".to_owned(), ..from(7) };
    let (_, pairing) = scene.access.begin_pairing(&tv);
    let device = scene.access.asking_device(&scene.bob, &pairing.code, &from(1)).expect("it waits");
    assert_eq!((device.address.as_str(), device.agent.as_str()), ("0.0.0.7", "TizenTV"));
    assert!(now_ms().abs_diff(device.asked_at) < 60_000);
    let outside =
        Change::SetMember { team: everyone(), account: scene.bob.id.clone(), role: Some(Role::Viewer) };
    let left = Change::SetMember { team: team("shop"), account: scene.bob.id.clone(), role: None };
    scene.access.change(vec![outside, left]).await.expect("changed");
    let refused = scene.access.asking_device(&scene.bob, &pairing.code, &from(1));
    assert_eq!(refused, Err(AccessError::NoScreenEditor), "who approves none sees none");
    let screen = scene.access.pair(&scene.ada, new(&pairing.code, &[]), &from(1)).await.map(drop);
    assert!(matches!(screen, Err(AccessError::BadScreen(_))));
    for n in 0..5 {
        let wrong = scene.access.asking_device(&scene.ada, "BBBBB", &from(n));
        assert_eq!(wrong, Err(AccessError::NoPairing));
    }
    let waits = scene.access.asking_device(&scene.ada, &pairing.code, &from(9));
    assert!(matches!(waits, Err(AccessError::Wait(_))), "looking is guessing: {waits:?}");
}

#[tokio::test]
async fn a_screen_ends_that_was_away_for_a_year() {
    let scene = Scene::new().await;
    let (token, kept) = scene.pair(&["wall"]).await;
    assert_eq!(kept.address, "0.0.0.7", "where it asked for its code");
    let old = ScreenId::from_text("old").expect("an id");
    let (old_token, hash) = ScreenHash::generate();
    let screen = |used_at| Screen { id: old.clone(), hash, used_at, ..kept.clone() };
    let almost = now_ms() - IDLE_MS + 60_000;
    scene.access.change(vec![Change::PutScreen(screen(almost))]).await.expect("put");
    assert!(scene.access.find_screen(&old_token, None).is_some());
    scene.access.change(vec![Change::RemoveScreen(old.clone())]).await.expect("removed");
    scene.access.change(vec![Change::PutScreen(screen(almost - 60_000))]).await.expect("put");
    assert!(scene.access.find_screen(&old_token, None).is_none());
    scene.access.tidy().await.expect("tidied");
    assert!(scene.access.screen(&old).is_none() && scene.access.find_screen(&token, None).is_some());
    let log = scene.access.audit(&AuditQuery { limit: 9, ..AuditQuery::default() }).await.expect("read");
    let ended = log.iter().map(|one| (one.who.words().to_owned(), one.what)).collect::<Vec<_>>();
    assert_eq!(ended, [("The server".to_owned(), Action::ScreenRevoked)]);
}

#[tokio::test]
async fn s10_a_server_has_so_many_screens() {
    let scene = Scene::new().await;
    let screen = |n: usize| Screen {
        id: ScreenId::from_text(&n.to_string()).expect("an id"),
        hash: ScreenHash::new([n as u8; 32]),
        name: n.to_string(),
        team: team("shop"),
        dashboards: vec![dashboard("wall")],
        rotate_s: 60,
        made_by: "bob".to_owned(),
        made_at: 1,
        used_at: now_ms(),
        address: String::new(),
    };
    let all = (0..MAX_SCREENS).map(|n| Change::PutScreen(screen(n))).collect();
    scene.access.change(all).await.expect("there is room");
    let (token, pairing) = scene.access.begin_pairing(&from(7));
    let full = scene.access.pair(&scene.bob, new(&pairing.code, &["wall"]), &from(1)).await.map(drop);
    assert_eq!(full, Err(ChangeError::TooMany.into()));
    assert!(scene.access.pairing(&token).is_some(), "its code counts still");
    scene.access.revoke_screen(&scene.bob, &screen(7).id).await.expect("revoked");
    scene.access.pair(&scene.bob, new(&pairing.code, &["wall"]), &from(1)).await.expect("paired");
}

#[tokio::test]
async fn uses_are_stored_and_a_forged_token_is_nobody() {
    let scene = Scene::new().await;
    let (token, screen) = scene.pair(&["wall"]).await;
    drop(scene.access.find_screen(&token, Some([192, 0, 2, 1].into())));
    scene.access.tidy().await.expect("tidied");
    let again = Access::open(scene.store.clone(), |_| Mode::Accounts).await.expect("opens");
    assert_eq!(again.screen(&screen.id).expect("known").address, "192.0.2.1");
    for forged in [token.to_ascii_lowercase(), format!("{token}A"), String::new(), screen.id.0.to_string()] {
        assert!(again.find_screen(&forged, None).is_none());
    }
}
