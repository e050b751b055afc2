//! Tests of codes, tickets and what they open, on a store in memory.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::app::audit::Action;
use crate::server::access::directory::{Account, Change};
use crate::server::access::invitations::Purpose;
use crate::server::access::{Access, AccessError, Mode, Requester, SignedIn};
use crate::server::clock::now_ms;
use crate::server::store::accounts::{Accounts as _, AuditQuery};
use crate::server::store::memory::MemoryStore;

const PASSWORD: &str = "correct horse battery";

fn account() -> UserId {
    UserId::new("ada").expect("an id")
}

/// The key of the test vectors in appendix B of RFC 6238.
fn of_the_rfc() -> SecondFactor {
    let secret = TotpSecret(*b"12345678901234567890");
    let factor =
        SecondFactor { account: account(), secret, confirmed_at: 0, last_step: 0, recovery: BTreeSet::new() };
    factor.with_new_recovery_codes().0
}

#[test]
fn a4_codes_are_those_of_rfc_6238() {
    for (at_s, code) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ] {
        let (after, counted) = of_the_rfc().after(code, at_s).expect("the code of that time");
        assert_eq!((after.last_step, counted), (at_s / STEP_S, Counted::App));
        let typed = format!(" {} {} ", &code[..3], &code[3..]);
        assert!(of_the_rfc().after(&typed, at_s).is_some(), "as apps show it");
    }
}

#[test]
fn a4_a_clock_may_be_wrong_by_one_step_and_no_more() {
    for (at_s, is_taken) in [(29, true), (30, true), (59, true), (60, true), (89, true), (90, false)] {
        assert_eq!(of_the_rfc().after("287082", at_s).is_some(), is_taken, "{at_s}");
    }
}

#[test]
fn a4_a_code_counts_once_and_none_before_it_does_any_more() {
    let factor = of_the_rfc();
    let code_at = |at_s: u64| factor.secret.totp("").generate(at_s).to_string();
    let (after, _) = factor.after(&code_at(600), 600).expect("right");
    assert_eq!(after.after(&code_at(600), 600), None, "again");
    assert_eq!(after.after(&code_at(570), 600), None, "of the step before");
    let (later, _) = after.after(&code_at(630), 600).expect("of the step after");
    assert_eq!(later.after(&code_at(630), 630), None);
}

#[test]
fn a4_each_recovery_code_counts_once_however_it_is_typed() {
    let (mut factor, codes) = of_the_rfc().with_new_recovery_codes();
    assert_eq!((codes.len(), factor.recovery.len(), codes[0].len()), (RECOVERY_CODES, RECOVERY_CODES, 19));
    for (n, code) in codes.iter().enumerate() {
        let typed = match n % 3 {
            0 => code.clone(),
            1 => format!(" {} ", code.replace('-', " ").to_uppercase()),
            _ => code.replace('-', ""),
        };
        let (after, counted) = factor.after(&typed, 600).expect("left");
        assert_eq!(counted, Counted::Recovery);
        factor = after;
        assert_eq!(factor.after(code, 600), None, "once");
    }
    assert!(factor.recovery.is_empty());
    let (renewed, _) = factor.with_new_recovery_codes();
    assert!(codes.iter().all(|code| renewed.after(code, 600).is_none()), "those of before are gone");
}

#[test]
fn a4_an_app_gets_the_key_as_a_picture_and_as_text() {
    let secret = TotpSecret(*b"12345678901234567890");
    assert_eq!(secret.in_groups(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    let address = secret.address("a:da@example.com");
    let read = Totp::from_url(&address).expect("an address of an app");
    assert_eq!((read.issuer(), read.account_name()), (Some("Lockstep"), "a_da@example.com"));
    assert_eq!(read.generate(59).to_string(), "287082", "{address}");
    assert_eq!(format!("{secret:?}"), "TotpSecret(..)", "no log has it");
}

fn person(password: &str) -> Account {
    Account {
        id: account(),
        email: "ada@example.com".to_owned(),
        name: "Ada".to_owned(),
        password: Some(password.to_owned()),
        is_admin: false,
        made_at: 0,
        disabled_at: None,
    }
}

#[test]
fn a4_a_ticket_is_of_one_account_with_one_password_for_five_minutes() {
    let (tickets, ada) = (Tickets::default(), person("$argon2id$one"));
    let ticket = tickets.issue(&ada, 1_000);
    assert_eq!(tickets::account_of(&ticket), Some(account()));
    assert!(tickets.is_valid(&ticket, &ada, 1_000) && tickets.is_valid(&ticket, &ada, 300_999));
    assert!(!tickets.is_valid(&ticket, &ada, 301_000), "five minutes later");
    assert!(!tickets.is_valid(&ticket, &person("$argon2id$two"), 1_000), "another password");
    let bob = Account { id: UserId::new("bob").expect("an id"), ..ada.clone() };
    assert!(
        !tickets.is_valid(&ticket, &bob, 1_000)
            && !tickets.is_valid(&ticket.replace("ada", "bob"), &bob, 1_000)
    );
    assert!(!tickets.is_valid(&ticket.replace(".301000.", ".999999."), &ada, 1_000));
    assert!(!Tickets::default().is_valid(&ticket, &ada, 1_000), "of another process");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Neither a code that is guessed nor what is like a recovery code counts.
    #[test]
    fn a4_forged_codes_count_for_nothing(code in "[0-9]{6}", recovery in "[a-z2-7]{16}", junk in ".{0,40}") {
        let factor = of_the_rfc();
        let right = [30, 60, 90].map(|at_s| factor.secret.totp("").generate(at_s).to_string());
        prop_assume!(!right.contains(&code));
        for typed in [&code, &recovery, &junk, &format!("{code}0"), &format!("{}0", right[1])] {
            prop_assert_eq!(factor.after(typed, 60), None);
        }
    }

    /// No ticket with a bit of it turned is one, and nothing that is like one.
    #[test]
    fn a4_forged_tickets_are_nobodys(flip in 0_usize..60, bit in 0_u8..7, signature in "[A-Za-z0-9_-]{43}", junk in ".{0,80}") {
        let (tickets, ada) = (Tickets::default(), person("$argon2id$one"));
        let ticket = tickets.issue(&ada, 0);
        let mut bytes = ticket.clone().into_bytes();
        let at = flip % bytes.len();
        bytes[at] ^= 1 << bit;
        let flipped = String::from_utf8(bytes).expect("ASCII");
        for forged in [flipped, format!("ada.300000.{signature}"), junk, format!("{ticket}.x")] {
            prop_assert!(!tickets.is_valid(&forged, &ada, 0), "{}", forged);
        }
    }
}

struct Scene {
    store: Arc<MemoryStore>,
    access: Access,
    ada: Account,
}

fn from(n: u32) -> Requester {
    let address = IpAddr::V4(Ipv4Addr::from_bits(n));
    Requester { network: address, address, agent: "Firefox".to_owned() }
}

impl Scene {
    async fn new(is_required: bool) -> Self {
        let store = Arc::new(MemoryStore::default());
        let access = Access::open(store.clone(), |_| Mode::Accounts).await.expect("opens");
        let access = access.with_second_factor_required(is_required);
        let ada =
            access.add_account("ada@example.com", "Ada", PASSWORD.to_owned(), true).await.expect("made");
        Self { store, access, ada }
    }

    async fn sign_in(&self) -> Admission {
        self.access
            .sign_in("ada@example.com", PASSWORD.to_owned(), &from(1))
            .await
            .expect("the right password")
    }

    async fn session(&self) -> (String, SignedIn) {
        match self.sign_in().await {
            Admission::Session(token, signed_in) => (token, *signed_in),
            Admission::CodeNeeded(_) => panic!("a code is asked for"),
        }
    }

    async fn ticket(&self) -> String {
        match self.sign_in().await {
            Admission::CodeNeeded(ticket) => ticket,
            Admission::Session(..) => panic!("no code is asked for"),
        }
    }

    async fn turn_on(&self, who: &SignedIn, before: &str) -> (TotpSecret, Vec<String>, Option<String>) {
        let secret = self.access.setup_secret(&who.session.hash);
        let set_up =
            SetUp { password: PASSWORD.to_owned(), before: before.to_owned(), code: code_now(&secret) };
        let (codes, opened) = self.access.turn_on_second_factor(who, set_up, &from(2)).await.expect("on");
        (secret, codes, opened.map(|(token, _)| token))
    }

    async fn enter(&self, ticket: &str, code: &str) -> Result<String, AccessError> {
        self.access.sign_in_with_code(ticket, code, &from(3)).await.map(|(token, _)| token)
    }

    async fn recorded(&self) -> Vec<Action> {
        let all = self.store.audit(&AuditQuery { limit: 99, ..AuditQuery::default() }).await.expect("read");
        all.into_iter().rev().map(|entry| entry.what).filter(|what| *what != Action::SignIn).collect()
    }
}

fn code_now(secret: &TotpSecret) -> String {
    secret.totp("").generate(now_ms() / 1_000).to_string()
}

/// Counts also where the one of now was used, and where another step begins at this moment.
fn code_of_next_step(secret: &TotpSecret) -> String {
    secret.totp("").generate(now_ms() / 1_000 + STEP_S).to_string()
}

fn proof(code: &str) -> Proof {
    Proof { password: PASSWORD.to_owned(), code: code.to_owned() }
}

#[tokio::test]
async fn a4_the_password_alone_opens_nothing_once_it_is_on() {
    let scene = Scene::new(false).await;
    let ((own, who), (other, _)) = (scene.session().await, scene.session().await);
    let (secret, codes, opened) = scene.turn_on(&who, "").await;
    assert_eq!(opened, None, "it was somebody who could do everything before");
    assert!(
        scene.access.find(&own).is_some() && scene.access.find(&other).is_none(),
        "all others have ended"
    );

    let ticket = scene.ticket().await;
    assert_eq!(scene.access.sessions_of(&scene.ada.id).len(), 1, "no session of a ticket");
    assert!(scene.access.find(&ticket).is_none());
    assert_eq!(scene.enter(&ticket, "").await, Err(AccessError::WrongCode));
    let code = code_of_next_step(&secret);
    let token = scene.enter(&ticket, &code).await.expect("in");
    assert!(scene.access.find(&token).is_some());
    assert_eq!(scene.enter(&ticket, &code).await, Err(AccessError::WrongCode), "a code counts once");
    scene.enter(&ticket, &codes[0]).await.expect("in");
    assert_eq!(scene.enter(&ticket, &codes[0]).await, Err(AccessError::WrongCode), "a recovery code, too");
    assert_eq!(scene.access.second_factor_card(&scene.ada.id).recovery_codes, RECOVERY_CODES - 1);

    let again = Access::open(scene.store.clone(), |_| Mode::Accounts).await.expect("opens");
    let over = again.sign_in_with_code(&ticket, &codes[1], &from(3)).await.map(drop);
    assert_eq!(over, Err(AccessError::SignInOver), "a ticket ends with the process");
    let admission = again.sign_in("ada@example.com", PASSWORD.to_owned(), &from(1)).await.expect("right");
    let Admission::CodeNeeded(ticket) = admission else { panic!("a second factor outlives the server") };
    let used = again.sign_in_with_code(&ticket, &code, &from(3)).await.map(drop);
    assert_eq!(used, Err(AccessError::WrongCode), "and so does that a code was used");
    use Action::{RecoveryCodeUsed, SecondFactorFailed as Failed, SecondFactorOn};
    // Repeats within a minute are counted, and stored after it; the other process had its own.
    assert_eq!(scene.recorded().await, [SecondFactorOn, Failed, RecoveryCodeUsed, Failed]);
}

#[tokio::test]
async fn a4_of_two_who_send_a_code_at_once_one_is_first() {
    let scene = Scene::new(false).await;
    let (_, codes, _) = scene.turn_on(&scene.session().await.1, "").await;
    let ticket = scene.ticket().await;
    let (one, other) = tokio::join!(scene.enter(&ticket, &codes[0]), scene.enter(&ticket, &codes[0]));
    assert_eq!([&one, &other].into_iter().filter(|came| came.is_ok()).count(), 1, "{one:?} {other:?}");
}

#[tokio::test]
async fn a4_another_password_voids_tickets_and_a_reset_asks_for_a_code_too() {
    let scene = Scene::new(false).await;
    let (_, codes, _) = scene.turn_on(&scene.session().await.1, "").await;
    let ticket = scene.ticket().await;
    let reset = Purpose::Reset(scene.ada.id.clone());
    let link = scene.access.invite(reset, 1, "Ada".to_owned()).await.expect("made");
    let new = "another horse, another battery".to_owned();
    let came = scene.access.reset_password(&link, new, &from(4)).await.expect("changed");
    let Admission::CodeNeeded(newer) = came else { panic!("a link is no second factor") };
    assert!(scene.access.sessions_of(&scene.ada.id).is_empty());
    assert_eq!(scene.enter(&ticket, &codes[0]).await, Err(AccessError::SignInOver));
    scene.enter(&newer, &codes[0]).await.expect("in, by a code that was not used up before");
    let disabled = Account { disabled_at: Some(1), ..scene.ada.clone() };
    let heir = Account {
        id: UserId::new("heir").expect("an id"),
        email: "heir@example.com".to_owned(),
        ..scene.ada.clone()
    };
    scene.access.change(vec![Change::PutAccount(heir), Change::PutAccount(disabled)]).await.expect("changed");
    assert_eq!(scene.enter(&newer, &codes[1]).await, Err(AccessError::SignInOver), "a disabled account");
}

#[tokio::test]
async fn a14_who_guesses_codes_waits_also_with_the_right_password() {
    let scene = Scene::new(false).await;
    let (own, who) = scene.session().await;
    let (_, codes, _) = scene.turn_on(&who, "").await;
    let ticket = scene.ticket().await;
    for _ in 0..5 {
        assert_eq!(scene.enter(&ticket, "000 000 0").await, Err(AccessError::WrongCode));
    }
    assert!(matches!(scene.enter(&ticket, "0000000").await, Err(AccessError::Wait(_))));
    let elsewhere = scene.access.sign_in_with_code(&ticket, &codes[0], &from(9)).await.map(drop);
    assert!(matches!(elsewhere, Err(AccessError::Wait(_))), "not even looked at");
    assert!(scene.access.find(&own).is_some(), "who is signed in notices nothing");
    assert_eq!(scene.access.second_factor_card(&scene.ada.id).recovery_codes, RECOVERY_CODES);
}

#[tokio::test]
async fn a4_it_is_changed_with_the_password_and_a_code_alone() {
    let scene = Scene::new(false).await;
    let (own, who) = scene.session().await;
    let access = &scene.access;
    let set_up = |password: &str, before: &str, code: String| SetUp {
        password: password.to_owned(),
        before: before.to_owned(),
        code,
    };
    let turn_on =
        async |set_up| access.turn_on_second_factor(&who, set_up, &from(2)).await.map(|(codes, _)| codes);
    assert_eq!(
        turn_on(set_up(PASSWORD, "", "123456".to_owned())).await,
        Err(AccessError::SetUpOver),
        "no key was shown"
    );
    let secret = access.setup_secret(&who.session.hash);
    assert_eq!(access.setup_secret(&who.session.hash), secret, "the same until it is confirmed");
    assert_eq!(turn_on(set_up(PASSWORD, "", "1234567".to_owned())).await, Err(AccessError::WrongNewCode));
    assert_eq!(turn_on(set_up("wrong", "", code_now(&secret))).await, Err(AccessError::WrongPassword));
    assert!(!access.has_second_factor(&scene.ada.id), "nothing was changed");
    let codes = turn_on(set_up(PASSWORD, "", code_now(&secret))).await.expect("on");

    let second = access.setup_secret(&who.session.hash);
    assert_ne!(second, secret);
    assert_eq!(turn_on(set_up(PASSWORD, "", code_now(&second))).await, Err(AccessError::WrongCode));
    assert_eq!(
        turn_on(set_up(PASSWORD, &code_now(&second), code_now(&second))).await,
        Err(AccessError::WrongCode)
    );
    let newer = turn_on(set_up(PASSWORD, &codes[0], code_now(&second))).await.expect("moved");
    let wrong = Proof { password: "wrong".to_owned(), ..proof(&newer[0]) };
    assert_eq!(access.renew_recovery_codes(&who, wrong, &from(2)).await, Err(AccessError::WrongPassword));
    let of_before = access.renew_recovery_codes(&who, proof(&codes[1]), &from(2)).await;
    assert_eq!(of_before, Err(AccessError::WrongCode), "of the app of before");
    let newest = access.renew_recovery_codes(&who, proof(&newer[0]), &from(2)).await.expect("made");
    assert_eq!(
        access.turn_off_second_factor(&who, proof(&newer[1]), &from(2)).await,
        Err(AccessError::WrongCode)
    );
    access.turn_off_second_factor(&who, proof(&newest[0]), &from(2)).await.expect("off");
    assert!(access.find(&own).is_some() && !access.has_second_factor(&scene.ada.id));
    assert_eq!(scene.store.second_factors().await, Ok(vec![]));
    scene.session().await;
    let off = access.turn_off_second_factor(&who, proof(&newest[1]), &from(2)).await;
    assert_eq!(off, Err(AccessError::NoSecondFactor));
}

#[tokio::test]
async fn a4_where_it_is_required_a_password_alone_lets_nobody_in_who_signs_in_elsewhere() {
    let scene = Scene::new(true).await;
    scene.access.join_identity("https://id.example.com", "ada", &scene.ada.id).await.expect("joined");
    let came = scene.access.sign_in("ada@example.com", PASSWORD.to_owned(), &from(1)).await.map(drop);
    assert_eq!(came, Err(AccessError::NoFactorYet));
    let optional = Scene::new(false).await;
    optional.access.join_identity("https://id.example.com", "ada", &optional.ada.id).await.expect("joined");
    optional.session().await;
}

#[tokio::test]
async fn a4_where_it_is_required_everybody_with_a_password_sets_it_up_first() {
    let scene = Scene::new(true).await;
    let (limited, who) = scene.session().await;
    assert!(scene.access.must_set_up(&who));
    let mut elsewhere = who.clone();
    elsewhere.session.issuer = Some("https://id.example.com".to_owned());
    assert!(!scene.access.must_set_up(&elsewhere), "whoever signs in elsewhere is asked there");
    let account = Account { password: None, ..who.account.clone() };
    assert!(!scene.access.must_set_up(&SignedIn { account, ..who.clone() }), "who has no password, too");
    let (_, codes, opened) = scene.turn_on(&who, "").await;
    let opened = opened.expect("another session, as more is allowed");
    assert!(scene.access.find(&limited).is_none() && scene.access.find(&opened).is_some());
    let who = scene.access.find(&opened).expect("in");
    assert!(!scene.access.must_set_up(&who));
    let off = scene.access.turn_off_second_factor(&who, proof(&codes[0]), &from(2)).await;
    assert_eq!(off, Err(AccessError::SecondFactorRequired));
    scene.access.remove_second_factor(&scene.ada.id).await.expect("as an admin does");
    assert!(scene.access.must_set_up(&who));
    let again = scene.access.remove_second_factor(&scene.ada.id).await;
    assert_eq!(again, Err(AccessError::NoSecondFactor));
}

#[tokio::test]
async fn a4_it_goes_with_its_account() {
    let scene = Scene::new(false).await;
    let bob =
        scene.access.add_account("bob@example.com", "Bob", PASSWORD.to_owned(), true).await.expect("made");
    scene.turn_on(&scene.session().await.1, "").await;
    scene.access.remove(Change::RemoveAccount(scene.ada.id.clone()), &bob.id).await.expect("removed");
    assert!(!scene.access.has_second_factor(&scene.ada.id));
    assert_eq!(scene.store.second_factors().await, Ok(vec![]));
}

#[test]
fn s10_so_many_set_ups_are_under_way() {
    let mut factors = SecondFactors::default();
    for n in 0..=MAX_SETUPS {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&n.to_be_bytes());
        factors.setups.insert(SessionHash::new(hash), TotpSecret::generate());
    }
    assert_eq!(factors.setups.len(), MAX_SETUPS);
}
