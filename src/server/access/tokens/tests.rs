//! Tests of tokens, on a store in memory.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;
use crate::server::access::directory::{Account, Team};
use crate::server::store::accounts::Accounts as _;
use crate::server::store::memory::MemoryStore;

const GOOD: &str = "correct horse battery";

/// Ada, an admin, and Bob, an editor of everyone's dashboards.
async fn access() -> (Arc<MemoryStore>, Access, Account, Account) {
    let store = Arc::new(MemoryStore::default());
    let access = Access::open(store.clone(), |_| Mode::Accounts).await.expect("opens");
    let ada = access.add_account("ada@example.com", "Ada", GOOD.to_owned(), true).await.expect("made");
    let bob = access.add_account("bob@example.com", "Bob", GOOD.to_owned(), false).await.expect("made");
    (store, access, ada, bob)
}

fn team(id: &str) -> TeamId {
    TeamId(Id::new(id).expect("an id"))
}

fn new(scopes: &[Scope]) -> NewToken {
    let of_dashboards = scopes.iter().any(|scope| scope.is_of_dashboards());
    NewToken {
        name: "Robot".to_owned(),
        scopes: scopes.iter().copied().collect(),
        team: of_dashboards.then(|| team("everyone")),
        ..NewToken::default()
    }
}

#[test]
fn only_bearer_and_token_count_and_only_what_begins_so() {
    let said = |value: &str| {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().expect("a header"))]);
        in_header(&headers).map(str::to_owned)
    };
    for scheme in ["Bearer", "bearer", "Token", "TOKEN"] {
        assert_eq!(said(&format!("{scheme} lsp_1_x")), Some("lsp_1_x".to_owned()));
    }
    for other in ["Basic lsp_1_x", "lsp_1_x", "Bearer sesame", "Bearer", ""] {
        assert_eq!(said(other), None, "{other}");
    }
}

#[tokio::test]
async fn a11_a_token_is_known_until_it_is_revoked_also_after_a_restart() {
    let (store, access, _, bob) = access().await;
    let (id, text) = access.make_token(&bob.id, new(&[Scope::Push])).await.expect("made");
    assert_eq!(parse(&text).map(|(known, _)| known), Some(id.clone()));
    assert_eq!(text.len(), "lsp_".len() + 16 + 1 + 43);
    let stored = store.directory().await.expect("read");
    assert!(!format!("{stored:?}").contains(&text[text.len() - 43..]), "the secret is nowhere");
    let holder = access.find_token(&text).expect("known");
    assert_eq!((holder.user().name.as_str(), holder.user().id.as_str()), ("Robot", &*format!("t-{}", id.0)));
    assert!(holder.user().id.is_program() && !bob.id.is_program());
    access.tidy().await.expect("tidied");
    let again = Access::open(store.clone(), |_| Mode::Accounts).await.expect("opens");
    let cards = again.tokens(Some(&bob.id));
    assert!(cards[0].used_at.is_some() && cards[0].expires_at == Some(cards[0].made_at + 90 * DAY_MS));
    assert!(again.find_token(&text).is_some());
    let ada = access.tokens(None).first().map(|card| card.owner.clone());
    assert_eq!(ada.as_deref(), Some("Bob"));
    let stranger = UserId::new("stranger").expect("an id");
    assert_eq!(access.revoke_token(&id, Some(&stranger)).await, Err(AccessError::NoToken));
    access.revoke_token(&id, Some(&bob.id)).await.expect("revoked");
    assert!(*holder.ended.borrow() && access.find_token(&text).is_none());
    let open = Access::open(store, |_| Mode::Open).await.expect("opens");
    assert!(open.find_token(&text).is_none());
}

#[tokio::test]
async fn a11_a_token_ends_with_its_time_and_with_its_account() {
    let (_, access, ada, bob) = access().await;
    let (id, text) = access.make_token(&bob.id, new(&[Scope::Push])).await.expect("made");
    let held = access.find_token(&text).expect("known").ended;
    let token = access.directory().token(&id).cloned().expect("is there");
    let over = Token { expires_at: Some(now_ms() - 1), ..token.clone() };
    access.change(vec![Change::PutToken(over)]).await.expect("changed");
    assert!(*held.borrow() && access.find_token(&text).is_none());
    assert_eq!(access.tokens(Some(&bob.id)).len(), 1, "one sees why it stopped");
    let forgotten = Token { expires_at: Some(now_ms() - SHOWN_AFTER_MS), ..token };
    access.change(vec![Change::PutToken(forgotten)]).await.expect("changed");
    access.tidy().await.expect("tidied");
    assert!(access.tokens(Some(&bob.id)).is_empty());
    let (_, text) = access.make_token(&bob.id, new(&[Scope::Push])).await.expect("made");
    let held = access.find_token(&text).expect("known").ended;
    access.change_account(&bob.id, |bob| bob.disabled_at = Some(1)).await.expect("ended");
    assert!(*held.borrow() && access.find_token(&text).is_none());
    access.change_account(&bob.id, |bob| bob.disabled_at = None).await.expect("is back");
    assert!(access.find_token(&text).is_none() && access.tokens(None).is_empty(), "gone for good");
    let (_, text) = access.make_token(&ada.id, new(&[Scope::Metrics])).await.expect("made");
    assert!(access.find_token(&text).is_some());
}

#[tokio::test]
async fn a11_scopes_of_a_token_end_with_the_rights_of_its_owner() {
    let (_, access, ada, bob) = access().await;
    let all = new(&Scope::ALL);
    assert_eq!(access.make_token(&bob.id, all.clone()).await, Err(AccessError::NotYours("metrics")));
    let (id, _) = access.make_token(&ada.id, all).await.expect("made");
    let token = access.directory().token(&id).cloned().expect("is there");
    assert!(Scope::ALL.into_iter().all(|scope| access.token_may(&token, scope)));
    let (id, _) =
        access.make_token(&bob.id, new(&[Scope::WriteDashboards, Scope::Push])).await.expect("made");
    let of_bob = access.directory().token(&id).cloned().expect("is there");
    assert!(access.token_may(&of_bob, Scope::ReadDashboards), "who edits reads");
    assert!(!access.token_may(&of_bob, Scope::ReadSeries) && access.token_may_create(&of_bob));
    access.change_account(&bob.id, |bob| bob.is_admin = true).await.expect("changed");
    access.change_account(&ada.id, |ada| ada.is_admin = false).await.expect("changed");
    assert!(!access.token_may(&token, Scope::Metrics) && access.token_may(&token, Scope::Push));
    let role = Some(Role::Viewer);
    let member = Change::SetMember { team: team("everyone"), account: bob.id.clone(), role };
    access.change(vec![member]).await.expect("changed");
    assert!(!access.token_may(&of_bob, Scope::Push) && !access.token_may_create(&of_bob));
}

#[tokio::test]
async fn a11_a_role_is_the_least_of_scope_team_and_owner() {
    let (_, access, _, bob) = access().await;
    let wall = DashboardId::new("wall").expect("an id");
    let (ops, everyone) = (team("ops"), team("everyone"));
    let mut directory = access.directory().clone();
    let mut change = |change| directory.change(change).map(|()| directory.clone()).expect("fits");
    change(Change::PutTeam(Team { id: ops.clone(), name: "Ops".to_owned() }));
    let before = change(Change::SetTeam { dashboard: wall.clone(), team: Some(everyone.clone()) });
    let token = |scopes: &[Scope], team: Option<&TeamId>| Token {
        id: TokenId::random(),
        hash: TokenHash::new([0; 32]),
        name: "Robot".to_owned(),
        owner: bob.id.clone(),
        team: team.cloned(),
        scopes: scopes.iter().copied().collect(),
        prefix: None,
        made_at: 0,
        expires_at: None,
        used_at: None,
    };
    let reads = token(&[Scope::ReadDashboards], Some(&everyone));
    let writes = token(&[Scope::WriteDashboards], Some(&everyone));
    let of_ops = token(&[Scope::WriteDashboards], Some(&ops));
    let pushes = token(&[Scope::Push, Scope::ReadSeries, Scope::Metrics], Some(&everyone));
    let roles = |directory: &Directory| {
        [&reads, &writes, &of_ops, &pushes].map(|token| directory.role_of_token(token, &wall))
    };
    let (viewer, editor) = (Some(Role::Viewer), Some(Role::Editor));
    assert_eq!(roles(&before), [viewer, editor, None, None]);
    let to = Grantee::Team(ops);
    let granted = change(Change::SetGrant { dashboard: wall.clone(), to, role: viewer });
    assert_eq!(roles(&granted), [viewer, editor, viewer, None]);
    let account = bob.id.clone();
    let lower = change(Change::SetMember { team: everyone.clone(), account: account.clone(), role: viewer });
    assert_eq!(roles(&lower), [viewer, viewer, viewer, None]);
    let out = change(Change::SetMember { team: everyone, account, role: None });
    assert_eq!(roles(&out), [None; 4]);
}

#[tokio::test]
async fn what_is_no_token_is_refused_in_words() {
    let (_, access, ada, bob) = access().await;
    let make = async |owner: &Account, new: NewToken| access.make_token(&owner.id, new).await.map(drop);
    let push = new(&[Scope::Push]);
    for wrong in [
        new(&[]),
        NewToken { prefix: Some("x".repeat(MAX_PREFIX_BYTES + 1)), ..push.clone() },
        NewToken { prefix: Some("a\nb".to_owned()), ..push.clone() },
        NewToken { prefix: Some("app.".to_owned()), ..new(&[Scope::ReadSeries]) },
        NewToken { team: None, ..new(&[Scope::ReadDashboards]) },
        NewToken { lasts: Lasts::Days(0), ..push.clone() },
        NewToken { lasts: Lasts::Days(MAX_DAYS + 1), ..push.clone() },
        NewToken { lasts: Lasts::Always, ..push.clone() },
    ] {
        assert!(matches!(make(&bob, wrong).await, Err(AccessError::BadToken(_))));
    }
    assert_eq!(make(&bob, NewToken { name: " ".to_owned(), ..push.clone() }).await, Err(AccessError::NoName));
    let elsewhere = NewToken { team: Some(team("none")), ..push.clone() };
    assert_eq!(make(&bob, elsewhere).await, Err(ChangeError::NoTeam.into()));
    make(&ada, NewToken { lasts: Lasts::Always, ..push.clone() }).await.expect("an admin's");
    for _ in 0..MAX_TOKENS_OF_ACCOUNT {
        make(&bob, push.clone()).await.expect("made");
    }
    assert_eq!(make(&bob, push).await, Err(ChangeError::TooMany.into()));
}

/// An access with a token, for all cases.
static KNOWN: LazyLock<(Access, String)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (_, access, _, bob) = access().await;
        let (_, text) = access.make_token(&bob.id, new(&[Scope::Push])).await.expect("made");
        (access, text)
    })
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    /// Neither what is like a token nor one with a bit of it turned is known.
    #[test]
    fn a11_forged_tokens_are_nobody(
        secret in "[A-Za-z0-9_-]{43}",
        id in "[0-9a-f]{16}",
        bit in 0_usize..256,
        at in 0_usize..64,
        junk in ".{0,80}",
    ) {
        let (access, text) = &*KNOWN;
        let (head, good) = text.split_at(text.len() - 43);
        let mut bytes = URL_SAFE_NO_PAD.decode(good).expect("a secret");
        bytes[bit / 8] ^= 1 << (bit % 8);
        for forged in [
            format!("{head}{secret}"),
            format!("{MARK}{id}_{good}"),
            format!("{head}{}", URL_SAFE_NO_PAD.encode(bytes)),
            text[..at].to_owned(),
            format!("{text}="),
            format!("{text}A"),
            format!("{MARK}{junk}"),
            junk,
        ] {
            prop_assert!(access.find_token(&forged).is_none(), "{}", forged);
        }
    }
}
