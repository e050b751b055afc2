//! Tests of signing in, sessions and changes, on a store in memory.

use std::net::Ipv4Addr;

use super::invitations::Purpose;
use super::*;
use crate::dashboard::Id;
use crate::server::access::password::Weak;
use crate::server::store::memory::MemoryStore;

const GOOD: &str = "correct horse battery";

impl Admission {
    /// The session, where nothing more is asked for.
    fn session(self) -> (String, SignedIn) {
        match self {
            Self::Session(token, signed_in) => (token, *signed_in),
            Self::CodeNeeded(_) => panic!("a code is asked for"),
        }
    }
}

fn from(n: u32) -> Requester {
    let address = IpAddr::V4(Ipv4Addr::from_bits(n));
    Requester { network: address, address, agent: "Firefox".to_owned() }
}

async fn access() -> (Arc<MemoryStore>, Access, Account) {
    let store = Arc::new(MemoryStore::default());
    let access = Access::open(store.clone(), |_| Mode::Accounts).await.expect("opens");
    assert!(access.is_empty());
    let ada = access.add_account(" Ada@example.com ", "Ada", GOOD.to_owned(), true).await.expect("made");
    (store, access, ada)
}

#[tokio::test]
async fn who_signs_in_is_known_by_the_cookie_also_after_a_restart() {
    let (store, access, ada) = access().await;
    let (token, signed) =
        access.sign_in("ADA@example.com", GOOD.to_owned(), &from(1)).await.expect("in").session();
    assert_eq!((&signed.account, signed.session.address.as_str()), (&ada, "0.0.0.1"));
    let again = Access::open(store, |_| Mode::Accounts).await.expect("opens");
    assert_eq!(again.find(&token).map(|found| found.account.id), Some(ada.id.clone()));
    again.end_session(signed.session.hash).await.expect("ended");
    assert!(again.find(&token).is_none());
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_are_answered_alike_and_slow_down() {
    let (_, access, _) = access().await;
    for (n, email) in (0..).zip(["ada@example.com", "nobody@example.com"]) {
        let sign_in = async |password: &str, address: u32| {
            let tried = access.sign_in(email, password.to_owned(), &from(100 * n + address)).await;
            tried.map(drop).expect_err("refused")
        };
        // All at once: one after the other they may take longer than the wait that they lead to.
        let tries = (0..7).map(|n| sign_in(if n == 6 { GOOD } else { "wrong horse battery" }, n));
        let refused = futures::future::join_all(tries).await;
        assert_eq!(refused[..5], [const { AccessError::Wrong }; 5]);
        assert!(matches!(refused[5], AccessError::Wait(_)));
        assert!(matches!(refused[6], AccessError::Wait(_)), "not even looked at");
    }
}

#[tokio::test]
async fn an_account_that_is_ended_is_out_at_once() {
    let (_, access, ada) = access().await;
    let bob = access.add_account("bob@example.com", "Bob", GOOD.to_owned(), false).await.expect("made");
    let (token, signed) =
        access.sign_in("bob@example.com", GOOD.to_owned(), &from(1)).await.expect("in").session();
    let ended = Account { disabled_at: Some(1), ..bob.clone() };
    access.change(vec![Change::PutAccount(ended)]).await.expect("ended");
    assert!(*signed.ended.borrow(), "its sockets hear of it");
    assert!(access.find(&token).is_none());
    let again = access.sign_in("bob@example.com", GOOD.to_owned(), &from(2)).await;
    assert_eq!(again.map(drop), Err(AccessError::Wrong));
    let last = access.change(vec![Change::RemoveAccount(ada.id)]).await;
    assert_eq!(last, Err(AccessError::Change(ChangeError::LastAdmin)));
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    let (_, access, ada) = access().await;
    let (own, signed) =
        access.sign_in("ada@example.com", GOOD.to_owned(), &from(1)).await.expect("in").session();
    let (other, _) =
        access.sign_in("ada@example.com", GOOD.to_owned(), &from(2)).await.expect("in").session();
    let new = "another horse, another battery";
    let change = async |before: &str, to: &str| {
        access.change_password(&signed, before.to_owned(), to.to_owned(), &from(3)).await
    };
    assert_eq!(change("wrong", new).await, Err(AccessError::WrongPassword));
    assert_eq!(change(GOOD, "ada@example.com").await, Err(AccessError::Weak(Weak::Guessable)));
    assert!(access.find(&other).is_some(), "nothing was changed");
    change(GOOD, new).await.expect("changed");
    assert!(access.find(&own).is_some() && access.find(&other).is_none());
    assert_eq!(access.sessions_of(&ada.id).len(), 1);
    access.sign_in("ada@example.com", new.to_owned(), &from(4)).await.expect("in");
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_replaced_at_the_next_sign_in() {
    let (store, access, ada) = access().await;
    let params = argon2::Params::new(1024, 1, 1, None).expect("fits");
    let old = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let salt = argon2::password_hash::SaltString::from_b64("c29tZXNhbHRzb21l").expect("a salt");
    let hash =
        argon2::PasswordHasher::hash_password(&old, GOOD.as_bytes(), &salt).expect("hashes").to_string();
    let with_old = Account { password: Some(hash.clone()), ..ada.clone() };
    access.change(vec![Change::PutAccount(with_old)]).await.expect("changed");
    access.sign_in("ada@example.com", GOOD.to_owned(), &from(1)).await.expect("in").session();
    let stored = store.directory().await.expect("read").account(&ada.id).and_then(|ada| ada.password.clone());
    assert!(stored.is_some_and(|stored| stored != hash && stored.contains("m=19456")));
}

#[tokio::test]
async fn what_is_no_account_is_refused_in_words() {
    let (_, access, _) = access().await;
    let add = async |email: &str, name: &str, password: &str| {
        access.add_account(email, name, password.to_owned(), false).await.map(drop)
    };
    for email in ["", "ada", "@example.com", "ada@", "a b@example.com", "a\n@example.com"] {
        assert_eq!(add(email, "Bob", GOOD).await, Err(AccessError::NoEmail), "{email:?}");
    }
    assert_eq!(add("bob@example.com", " ", GOOD).await, Err(AccessError::NoName));
    assert_eq!(add("bob@example.com", "Bob", "short").await, Err(AccessError::Weak(Weak::Short)));
    let taken = add("ADA@EXAMPLE.com", "Bob", GOOD).await;
    assert_eq!(taken, Err(AccessError::Change(ChangeError::EmailTaken)));
}

#[tokio::test]
async fn a9_of_two_who_use_an_invitation_at_once_one_is_first() {
    let (_, access, _) = access().await;
    let team = TeamId(Id::new("everyone").expect("an id"));
    let join = Purpose::Join { team, role: Role::Editor, email: None };
    let code = access.invite(join, 1, "Ada".to_owned()).await.expect("made");
    let (one, other) = (from(1), from(2));
    let (first, second) = tokio::join!(
        access.accept(&code, ("bob@example.com", "Bob", GOOD.to_owned()), &one),
        access.accept(&code, ("eve@example.com", "Eve", GOOD.to_owned()), &other),
    );
    let made = [first.map(drop), second.map(drop)];
    assert!(made.contains(&Ok(())) && made.contains(&Err(AccessError::NoInvitation)), "{made:?}");
    assert_eq!(access.people(None).accounts.len(), 2);
}

#[tokio::test]
async fn a3_a_password_that_was_replaced_meanwhile_opens_nothing_and_overwrites_nothing() {
    let (_, access, ada) = access().await;
    let (_, signed) =
        access.sign_in("ada@example.com", GOOD.to_owned(), &from(1)).await.expect("in").session();
    let (from, new) = (from(2), "another horse, another battery");
    let (signing_in, changing) = tokio::join!(
        access.sign_in("ada@example.com", GOOD.to_owned(), &from),
        access.change_password(&signed, GOOD.to_owned(), new.to_owned(), &from),
    );
    changing.expect("changed");
    // Whichever came first, no session stands that the old password opened.
    drop(signing_in);
    assert_eq!(access.sessions_of(&ada.id).len(), 1);
    let stale = access.replace_password(&ada, ada.password.clone()).await;
    assert_eq!(stale, Err(AccessError::Wrong));
    access.sign_in("ada@example.com", new.to_owned(), &from).await.expect("the new one stands");
}

#[tokio::test]
async fn a5_a_session_that_the_disk_keeps_is_over_and_removed_later() {
    use sqlx::Connection as _;

    use crate::server::store::Store as _;
    use crate::server::store::sqlite::SqliteStore;

    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("lockstep.db");
    let store = Arc::new(SqliteStore::open(&file).await.expect("opens"));
    let access = Access::open(store.clone(), |_| Mode::Accounts).await.expect("opens");
    access.add_account("ada@example.com", "Ada", GOOD.to_owned(), true).await.expect("made");
    let (token, signed) =
        access.sign_in("ada@example.com", GOOD.to_owned(), &from(1)).await.expect("in").session();
    let mut other =
        sqlx::SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.expect("opens");
    let keep = "CREATE TRIGGER keep BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'kept'); END";
    sqlx::query(keep).execute(&mut other).await.expect("made");
    assert_eq!(access.end_session(signed.session.hash).await, Err(AccessError::NotRemoved));
    assert!(*signed.ended.borrow() && access.find(&token).is_none(), "it is over all the same");
    assert_eq!(store.sessions().await.expect("read").len(), 1);
    sqlx::query("DROP TRIGGER keep").execute(&mut other).await.expect("dropped");
    let removed = async {
        while !store.sessions().await.expect("read").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        never = access.retry_removals() => match never {},
        done = tokio::time::timeout(Duration::from_secs(20), removed) => done.expect("it is tried again"),
    }
    other.close().await.expect("closes");
    store.close().await;
}
