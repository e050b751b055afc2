//! Two-step sign-in: how it is set up, where a code is asked for, and what a server that requires it lets through.

use lockstep::server::access::policy::{RULES, SECOND_FACTOR};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::scene::{PASSWORD, Person, Scene, comparable, cookie_of};
use crate::support::program::{Program, command};

const SET_UP: &str = "/account/second-factor/set-up";
const REQUIRED: [(&str, &str); 2] = [("LOCKSTEP_ACCESS", "accounts"), ("LOCKSTEP_SECOND_FACTOR", "required")];

/// An app that was set up, and the recovery codes that were shown with it.
struct App {
    totp: Totp,
    recovery: Vec<String>,
}

impl App {
    /// A code that counts although the one of now was used, also where another step begins at this moment.
    fn next_code(&self) -> String {
        self.totp.generate(self.totp.next_step(now_s())).to_string()
    }
}

fn now_s() -> u64 {
    std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs()
}

/// What stands in the element of a page with a test id.
fn text_of<'p>(page: &'p str, testid: &str) -> &'p str {
    let found = page.split_once(&format!("data-testid=\"{testid}\""));
    let (_, rest) = found.unwrap_or_else(|| panic!("no {testid} in {page}"));
    rest.split_once('>').and_then(|(_, rest)| rest.split_once('<')).expect("an element").0
}

async fn page_of(scene: &Scene, path: &str, who: &Person) -> String {
    let answer = scene.request(Method::GET, path, Some(who)).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.text().await.expect("a page")
}

async fn post(scene: &Scene, path: &str, who: &Person, form: &[(&str, &str)]) -> Response {
    scene.request(Method::POST, path, Some(who)).form(form).send().await.expect("an answer")
}

/// Sets an app up that takes the place of none. Whoever had to do that has another session after it.
async fn turn_on(scene: &Scene, who: &mut Person) -> App {
    let page = page_of(scene, SECOND_FACTOR, who).await;
    assert!(page.contains("src=\"data:image/svg+xml;base64,"), "{page}");
    let secret = Secret::try_from_base32(text_of(&page, "second-factor-secret").replace(' ', ""));
    let totp = Builder::new().with_secret(secret.expect("a key")).build().expect("an app");
    let code = totp.generate(now_s()).to_string();
    let answer = post(scene, SET_UP, who, &[("password", PASSWORD), ("code", &code)]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    if answer.headers().contains_key("set-cookie") {
        who.cookie = cookie_of(&answer);
    }
    let page = answer.text().await.expect("a page");
    let recovery: Vec<String> = text_of(&page, "recovery-codes").lines().map(str::to_owned).collect();
    assert_eq!(recovery.len(), 10, "{page}");
    App { totp, recovery }
}

/// The ticket that the right password gave.
fn ticket(answer: &Response, to: &str) -> Person {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()["location"], to);
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    assert!(
        cookie.starts_with("lockstep_ticket=") && cookie.contains("; Max-Age=300; HttpOnly;"),
        "{cookie}"
    );
    Person { id: String::new(), email: String::new(), cookie: cookie_of(answer) }
}

async fn enter(scene: &Scene, ticket: &Person, code: &str) -> Response {
    post(scene, "/sign-in/code", ticket, &[("code", code), ("to", "/status")]).await
}

#[tokio::test]
async fn a4_after_the_password_a_code_is_asked_for_and_counts_once() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let mut grace = scene.invite("grace", &team, "editor").await;
    assert_eq!(scene.me(&grace).await["second_factor"]["since"], Value::Null);
    let app = turn_on(&scene, &mut grace).await;
    let card = scene.me(&grace).await["second_factor"].clone();
    assert!(card["since"].is_u64() && card["recovery_codes"] == 10, "{card}");
    let page = page_of(&scene, SECOND_FACTOR, &grace).await;
    assert!(text_of(&page, "second-factor-state").contains("10 recovery codes are left"), "{page}");
    let has = |one: &Value| (one["person"]["id"] == *grace.id).then(|| one["second_factor"].clone());
    let people = scene.get("/api/v1/admin/people", &scene.admin).await.1["accounts"].clone();
    let found = people.as_array().expect("people").iter().find_map(has);
    assert_eq!(found, Some(json!(true)), "admins see who has it");

    let ticket = ticket(&scene.sign_in(&grace.email, PASSWORD).await, "/sign-in/code?to=%2Fstatus");
    let as_session = ticket.cookie.replace("lockstep_ticket", "lockstep_session");
    let thief = Person { cookie: as_session, ..ticket.clone() };
    for nobody in [&ticket, &thief] {
        assert_eq!(scene.get("/api/v1/me", nobody).await.0, 401, "a ticket is no session");
        assert!(scene.connect(nobody).await.is_err());
    }
    let page = page_of(&scene, "/sign-in/code?to=/status", &ticket).await;
    assert!(page.contains("value=\"/status\"") && page.contains("one-time-code"), "{page}");
    let code = app.next_code();
    let mut answers = Vec::new();
    for typed in ["1234567", "nonsense"] {
        let answer = enter(&scene, &ticket, typed).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        answers.push(answer.text().await.expect("a page"));
    }
    let entered = enter(&scene, &ticket, &code).await;
    assert_eq!(
        (entered.status(), &entered.headers()["location"]),
        (StatusCode::SEE_OTHER, &"/status".parse().unwrap())
    );
    let again = Person { cookie: cookie_of(&entered), ..grace.clone() };
    assert_eq!(scene.me(&again).await["person"]["id"], *grace.id);
    let used = enter(&scene, &ticket, &code).await;
    assert_eq!(used.status(), StatusCode::UNAUTHORIZED);
    answers.push(used.text().await.expect("a page"));
    let plain: Vec<String> = answers.iter().map(|page| comparable(page, "")).collect();
    assert!(plain.windows(2).all(|two| two[0] == two[1]), "wrong and used look alike");
    let evil = [("code", &*app.recovery[0]), ("to", "//evil.example")];
    let entered = post(&scene, "/sign-in/code", &ticket, &evil).await;
    assert_eq!(
        (entered.status(), &entered.headers()["location"]),
        (StatusCode::SEE_OTHER, &"/".parse().unwrap())
    );
    assert_eq!(scene.me(&again).await["second_factor"]["recovery_codes"], 9);

    let forged = Person { cookie: format!("{}A", ticket.cookie), ..ticket };
    let answer = enter(&scene, &forged, &app.recovery[1]).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.text().await.expect("a page").contains("action=\"/sign-in\""), "from the beginning");
    let led = scene.request(Method::GET, "/sign-in/code", Some(&forged)).send().await.expect("an answer");
    assert_eq!(led.headers()["location"], "/sign-in");
    let (_, log) = scene.get("/api/v1/audit?limit=50", &scene.admin).await;
    let whats: Vec<&str> =
        log["entries"].as_array().expect("entries").iter().filter_map(|one| one["what"].as_str()).collect();
    let count = |what: &str| whats.iter().filter(|one| **one == what).count();
    assert_eq!(
        ["second_factor_on", "second_factor_failed", "recovery_code_used"].map(count),
        [1, 1, 1],
        "repeats within a minute are counted: {whats:?}"
    );
    assert!(!log.to_string().contains(&app.recovery[0]) && !scene.program.log().contains(&app.recovery[0]));
}

#[tokio::test]
async fn a4_it_is_changed_with_password_and_code_and_outlives_a_new_password() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let mut grace = scene.invite("grace", &team, "editor").await;
    let app = turn_on(&scene, &mut grace).await;
    let path = format!("/api/v1/admin/people/{}", grace.id);
    let made = scene.admin(Method::POST, &format!("{path}/reset"), Value::Null).await;
    let link = made["address"].as_str().expect("an address");
    let new = "another-lantern-53-ochre";
    let reset = scene.request(Method::POST, link, None).form(&[("password", new)]).send().await;
    let ticket = ticket(&reset.expect("an answer"), "/sign-in/code?to=%2F");
    assert_eq!(scene.get("/api/v1/me", &grace).await.0, 401, "all sessions have ended");
    let entered = enter(&scene, &ticket, &app.recovery[0]).await;
    let grace = Person { cookie: cookie_of(&entered), ..grace };
    assert_eq!(scene.me(&grace).await["second_factor"]["recovery_codes"], 9);

    let codes = "/account/second-factor/recovery-codes";
    let wrong = post(&scene, codes, &grace, &[("password", PASSWORD), ("code", &app.recovery[1])]).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "the password of before");
    let made = post(&scene, codes, &grace, &[("password", new), ("code", &app.recovery[1])]).await;
    assert_eq!(made.status(), StatusCode::OK);
    let page = made.text().await.expect("a page");
    let newest: Vec<&str> = text_of(&page, "recovery-codes").lines().collect();
    let remove = "/account/second-factor/remove";
    let kept = post(&scene, remove, &grace, &[("password", new), ("code", &app.recovery[2])]).await;
    assert_eq!(kept.status(), StatusCode::UNAUTHORIZED, "those of before are gone");
    let off = post(&scene, remove, &grace, &[("password", new), ("code", newest[0])]).await;
    assert_eq!(
        (off.status(), &off.headers()["location"]),
        (StatusCode::SEE_OTHER, &"/account".parse().unwrap())
    );
    assert_eq!(scene.sign_in(&grace.email, new).await.headers()["location"], "/status");
}

#[tokio::test]
async fn a4_an_admin_removes_it_of_others_and_the_shell_of_anybody() {
    let mut scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let mut grace = scene.invite("grace", &team, "editor").await;
    turn_on(&scene, &mut grace).await;
    let of = |id: &str| format!("/api/v1/admin/people/{id}/second-factor");
    assert_eq!(scene.send(Method::DELETE, &of(&grace.id), Some(&grace), None).await.0, 403);
    scene.admin(Method::DELETE, &of(&grace.id), Value::Null).await;
    assert_eq!(scene.get("/api/v1/me", &grace).await.0, 401, "she is signed out");
    assert_eq!(scene.sign_in(&grace.email, PASSWORD).await.headers()["location"], "/status");
    assert_eq!(
        scene.send(Method::DELETE, &of(&grace.id), Some(&scene.admin), None).await.0,
        409,
        "none is left"
    );
    let mut admin = scene.admin.clone();
    turn_on(&scene, &mut admin).await;
    let (own, why) = scene.send(Method::DELETE, &of(&admin.id), Some(&admin), None).await;
    assert!(own == 403 && why["reason"].as_str().expect("words").contains("“Your account”"), "{why}");

    scene.program.signal("TERM");
    assert!(scene.program.ended().await.success());
    let shell = |email: &str| {
        let args = ["admin", "second-factor", "remove", email];
        command(scene.dir.path()).args(args).output().expect("runs")
    };
    assert!(!shell("nobody@example.com").status.success());
    let done = shell("admin@example.com");
    assert!(done.status.success() && String::from_utf8_lossy(&done.stdout).contains("no two-step sign-in"));
    scene.program = Program::start(scene.dir.path(), &[("LOCKSTEP_ACCESS", "accounts")]);
    assert_eq!(scene.sign_in("admin@example.com", PASSWORD).await.headers()["location"], "/status");
}

/// Asserts that a session opens nothing but the way to a second factor.
async fn is_limited(scene: &Scene, who: &Person) {
    for rule in RULES.iter().filter(|rule| !rule.is_before_second_factor()) {
        let path = rule.path.replace(['{', '}'], "");
        let request = scene.request(rule.method.parse().expect("a method"), &path, Some(who));
        let request = if rule.method == "GET" { request } else { request.json(&json!({})) };
        let answer = request.send().await.expect("an answer");
        let is_page = rule.method == "GET" && !rule.path.starts_with("/api/");
        if is_page {
            assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{rule:?}");
            assert_eq!(answer.headers()["location"], SECOND_FACTOR, "{rule:?}");
        } else {
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{rule:?}");
            assert!(answer.text().await.expect("a body").contains("“Your account”"), "{rule:?}");
        }
    }
    assert!(scene.connect(who).await.is_err(), "no socket");
    let nowhere = scene.request(Method::GET, "/nowhere", Some(who)).send().await.expect("an answer");
    assert_eq!(nowhere.headers()["location"], SECOND_FACTOR);
}

#[tokio::test]
async fn a4_where_it_is_required_nothing_comes_before_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &REQUIRED);
    let mut scene = Scene::set_up_unasked(program, dir).await;
    is_limited(&scene, &scene.admin).await;
    let page = page_of(&scene, SECOND_FACTOR, &scene.admin).await;
    assert!(page.contains("Set it up to go on.") && page.contains("action=\"/sign-out\""), "{page}");
    let limited = scene.admin.clone();
    let mut admin = scene.admin.clone();
    let app = turn_on(&scene, &mut admin).await;
    scene.admin = admin;
    assert_ne!(limited.cookie, scene.admin.cookie);
    assert_eq!(scene.get("/api/v1/me", &limited).await.0, 401, "the session of before has ended");
    assert!(scene.connect(&scene.admin).await.is_ok());
    let remove = [("password", PASSWORD), ("code", &*app.recovery[0])];
    let off = post(&scene, "/account/second-factor/remove", &scene.admin, &remove).await;
    assert_eq!(off.status(), StatusCode::FORBIDDEN);
    assert_eq!(scene.me(&scene.admin).await["second_factor"]["recovery_codes"], 10, "no code was used up");

    let team = scene.make_team("Shop").await;
    let invitation = json!({"team": team, "role": "editor", "uses": 2});
    let made = scene.admin(Method::POST, "/api/v1/admin/invitations", invitation).await;
    let address = made["address"].as_str().expect("an address");
    let form = [("email", "grace@example.com"), ("name", "grace"), ("password", PASSWORD)];
    let joined = scene.request(Method::POST, address, None).form(&form).send().await.expect("an answer");
    let mut grace = Person { cookie: cookie_of(&joined), email: form[0].1.to_owned(), ..scene.admin.clone() };
    is_limited(&scene, &grace).await;
    let again = post(&scene, address, &grace, &[]).await;
    assert_eq!(again.status(), StatusCode::FORBIDDEN, "nor an invitation to another team");
    let signed_in = scene.sign_in(&grace.email, PASSWORD).await;
    is_limited(&scene, &Person { cookie: cookie_of(&signed_in), ..grace.clone() }).await;
    turn_on(&scene, &mut grace).await;
    assert_eq!(scene.me(&grace).await["person"]["email"], "grace@example.com");
}

#[tokio::test]
async fn a4_sessions_of_before_it_was_required_are_held_to_it_too() {
    let mut scene = Scene::start().await;
    scene.program.signal("TERM");
    assert!(scene.program.ended().await.success());
    scene.program = Program::start(scene.dir.path(), &REQUIRED);
    is_limited(&scene, &scene.admin).await;
    let mut admin = scene.admin.clone();
    turn_on(&scene, &mut admin).await;
    scene.me(&admin).await;
}
