//! Sign-in with an OpenID Connect provider: with one as others made it, and with one that is not to be believed.

mod browser;
mod hostile;
mod real;

use reqwest::Method;
use serde_json::{Value, json};

use self::browser::{Browser, PENDING, PUBLIC_URL, Page, SESSION};
use self::hostile::{CLIENT, Hostile, SECRET, Signing};
use crate::scene::Scene;
use crate::support::program::{Program, command, refused};

/// A server whose people may come by a provider, and that provider.
struct Stage {
    scene: Scene,
    provider: Hostile,
    browsers: u16,
}

impl Stage {
    async fn start(set: &[(&str, &str)]) -> Self {
        let provider = Hostile::start().await;
        let scene = Scene::start_with(&[&settings(&provider.issuer)[..], set].concat()).await;
        Self { scene, provider, browsers: 0 }
    }

    /// Each comes from an address of its own, so that none has tried too often.
    fn browser(&mut self) -> Browser {
        self.browsers += 1;
        Browser::new(self.scene.program.addr, self.browsers)
    }

    /// Comes back to the server with a code for these claims.
    async fn come_back(
        &self,
        browser: &mut Browser,
        sign_in: &Page,
        claims: &Value,
        signing: Signing,
    ) -> Page {
        let token = self.provider.sign(claims, signing);
        let code = self.provider.grant(sign_in, Some(token));
        browser.get(&self.back(sign_in, &[("code", &code)])).await
    }

    /// The address to come back to, with the state of a sign-in and the issuer.
    fn back(&self, sign_in: &Page, more: &[(&str, &str)]) -> reqwest::Url {
        let state = sign_in.parameter("state");
        let pairs = [("state", &*state), ("iss", &*self.provider.issuer)];
        back(&[&pairs, more].concat())
    }

    /// A whole sign-in of somebody, with what the provider says of them changed.
    async fn sign_in(&mut self, subject: &str, change: impl FnOnce(&mut Value)) -> (Browser, Page) {
        let mut browser = self.browser();
        let sign_in = begin(&mut browser).await;
        let mut claims = self.provider.claims(&sign_in, subject);
        change(&mut claims);
        let page = self.come_back(&mut browser, &sign_in, &claims, Signing::Right).await;
        (browser, page)
    }

    /// The newest entry of a kind in the audit log.
    async fn newest(&self, what: &str) -> Value {
        let (_, page) =
            self.scene.get(&format!("/api/v1/audit?what={what}&limit=1"), &self.scene.admin).await;
        page["entries"][0].clone()
    }

    /// Looks that nobody was signed in, that the page tells no more than it should, and the log why.
    async fn expect_refused(&self, case: &str, browser: &Browser, page: &Page, status: u16, why: &str) {
        assert_eq!(page.status, status, "{case}: {}", page.body);
        assert_eq!(browser.cookie(SESSION), None, "{case}");
        let entry = self.newest("sign_in_failed").await;
        let detail = &entry["detail"];
        let reason = detail["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(why), "{case}: {entry}");
        let reference = detail["reference"].as_str().expect("a reference");
        assert!(page.body.contains(reference), "{case}: {}", page.body);
        assert!(self.scene.program.log().contains(reference), "{case}");
    }

    async fn me(&self, browser: &Browser) -> Value {
        me(&self.scene, browser).await
    }

    async fn roles(&self, browser: &Browser) -> Vec<(String, String)> {
        roles(&self.scene, browser).await
    }
}

/// Whoever is signed in in a browser.
async fn me(scene: &Scene, browser: &Browser) -> Value {
    let cookie = format!("{SESSION}={}", browser.cookie(SESSION).expect("signed in"));
    let request = scene.request(Method::GET, "/api/v1/me", None).header("cookie", cookie);
    request.send().await.expect("an answer").json().await.expect("JSON")
}

/// Their roles by the names of their teams, in order.
async fn roles(scene: &Scene, browser: &Browser) -> Vec<(String, String)> {
    let me = me(scene, browser).await;
    let (_, people) = scene.get("/api/v1/admin/people", &scene.admin).await;
    let find = |list: &str, is_one: &dyn Fn(&Value) -> bool| {
        let all = people[list].as_array().expect("a list");
        all.iter().find(|one| is_one(one)).unwrap_or_else(|| panic!("not in {people}")).clone()
    };
    let account = find("accounts", &|one| one["person"]["id"] == me["person"]["id"]);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let named = account["teams"].as_array().expect("teams").iter().map(|member| {
        let team = find("teams", &|team| team["id"] == member["team"]);
        (text(&team["name"]), text(&member["role"]))
    });
    let mut roles: Vec<_> = named.collect();
    roles.sort();
    roles
}

/// Settings with a provider.
fn settings(issuer: &str) -> [(&str, &str); 5] {
    [
        ("LOCKSTEP_PUBLIC_URL", PUBLIC_URL),
        ("LOCKSTEP_TRUSTED_PROXIES", "127.0.0.1"),
        ("LOCKSTEP_OIDC_ISSUER", issuer),
        ("LOCKSTEP_OIDC_CLIENT_ID", CLIENT),
        ("LOCKSTEP_OIDC_CLIENT_SECRET", SECRET),
    ]
}

fn role(team: &str, role: &str) -> (String, String) {
    (team.to_owned(), role.to_owned())
}

/// The address to come back to with these parameters.
fn back(pairs: &[(&str, &str)]) -> reqwest::Url {
    let mut url = Browser::own("/oidc/callback");
    url.query_pairs_mut().extend_pairs(pairs);
    url
}

/// Presses the button: led to the provider, with a cookie.
async fn begin(browser: &mut Browser) -> Page {
    let page = browser.get(&Browser::own("/oidc/sign-in?to=/status")).await;
    assert_eq!(page.status, 303, "{}", page.body);
    assert!(browser.cookie(PENDING).is_some());
    page
}

#[tokio::test]
async fn a7_a_provider_leads_there_and_back_to_a_session() {
    let mut stage = Stage::start(&[("LOCKSTEP_OIDC_NAME", "Keycloak")]).await;
    let mut browser = stage.browser();
    let form = browser.get(&Browser::own("/sign-in?to=/status")).await;
    assert!(form.body.contains("Sign in with Keycloak"), "{}", form.body);
    assert!(form.body.contains("/oidc/sign-in?to=%2Fstatus"), "{}", form.body);
    let sign_in = begin(&mut browser).await;
    let there = sign_in.location.clone().expect("leads on");
    assert!(there.as_str().starts_with(&format!("{}/authorize?", stage.provider.issuer)), "{there}");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", &format!("{PUBLIC_URL}/oidc/callback")),
        ("scope", "openid profile email"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(sign_in.parameter(name), value);
    }
    assert!(!there.as_str().contains("s3cret"));
    let mut claims = stage.provider.claims(&sign_in, "ada");
    // Clocks may be apart by less than a minute.
    claims["exp"] = json!(claims["iat"].as_u64().expect("a time") - 30);
    claims["iat"] = json!(claims["iat"].as_u64().expect("a time") + 30);
    claims["azp"] = json!(CLIENT);
    let back = stage.come_back(&mut browser, &sign_in, &claims, Signing::Right).await;
    assert_eq!((back.status, back.location), (303, Some(Browser::own("/status"))), "{}", back.body);
    assert_eq!(browser.cookie(PENDING), None, "it is used up");
    let me = stage.me(&browser).await;
    let person = &me["person"];
    assert_eq!((&person["name"], &person["email"]), (&json!("ada"), &json!("ada@example.com")), "{me}");
    assert_eq!(me["is_admin"], false);
    assert_eq!(stage.roles(&browser).await, [role("Everyone", "viewer")]);
    let signed_in = stage.newest("sign_in").await;
    assert_eq!(signed_in["detail"]["provider"], "Keycloak", "{signed_in}");
    // The same subject is the same account, whatever else is said of it.
    let (again, _) = stage
        .sign_in("ada", |claims| {
            claims["name"] = json!("Somebody else");
            claims["email"] = json!("other@example.com");
        })
        .await;
    assert_eq!(stage.me(&again).await["person"], me["person"]);
    // The same mail address of another subject is not.
    let (other, page) = stage.sign_in("eve", |claims| claims["email"] = json!("ada@example.com")).await;
    stage.expect_refused("another subject", &other, &page, 403, "mail address").await;

    let id = me["person"]["id"].as_str().expect("an id");
    stage.scene.admin(Method::PUT, &format!("/api/v1/admin/people/{id}"), json!({"disabled": true})).await;
    let (disabled, page) = stage.sign_in("ada", |_| ()).await;
    stage.expect_refused("a disabled account", &disabled, &page, 403, "disabled").await;
    assert!(!stage.scene.program.log().contains("s3cret"));
}

#[tokio::test]
async fn a7_tokens_that_are_not_to_be_believed_are_refused() {
    let mut stage = Stage::start(&[]).await;
    let other = Hostile::start().await;
    type Change = fn(&mut Value, &str);
    let cases: [(&str, Signing, Change, &str); 15] = [
        ("another audience", Signing::Right, |claims, _| claims["aud"] = json!("other"), "Invalid audiences"),
        ("no audience", Signing::Right, |claims, _| claims["aud"] = json!([]), "Invalid audiences"),
        (
            "one audience more",
            Signing::Right,
            |claims, _| claims["aud"] = json!([CLIENT, "other"]),
            "not a trusted audience",
        ),
        ("another party", Signing::Right, |claims, _| claims["azp"] = json!("other"), "another client"),
        (
            "another nonce",
            Signing::Right,
            |claims, _| claims["nonce"] = json!("A".repeat(43)),
            "nonce mismatch",
        ),
        ("no nonce", Signing::Right, |claims, _| claims["nonce"] = Value::Null, "missing nonce"),
        ("another issuer", Signing::Right, |claims, other| claims["iss"] = json!(other), "Invalid issuer"),
        (
            "a slash more",
            Signing::Right,
            |claims, _| claims["iss"] = json!(format!("{}/", claims["iss"].as_str().expect("text"))),
            "Invalid issuer",
        ),
        (
            "expired",
            Signing::Right,
            |claims, _| claims["exp"] = json!(claims["iat"].as_u64().expect("a time") - 120),
            "expired",
        ),
        (
            "from the future",
            Signing::Right,
            |claims, _| claims["iat"] = json!(claims["iat"].as_u64().expect("a time") + 600),
            "in the future",
        ),
        ("not signed", Signing::None, |_, _| (), "No signature"),
        ("signed with the secret", Signing::Secret, |_, _| (), "HS256"),
        ("another key of the same name", Signing::OtherKey, |_, _| (), "Crypto error"),
        ("a key that is not known", Signing::UnknownKey, |_, _| (), "No matching key"),
        ("no subject", Signing::Right, |claims, _| claims["sub"] = json!(""), "subject"),
    ];
    for (case, signing, change, why) in cases {
        let mut browser = stage.browser();
        let sign_in = begin(&mut browser).await;
        let mut claims = stage.provider.claims(&sign_in, "ada");
        change(&mut claims, &other.issuer);
        let page = stage.come_back(&mut browser, &sign_in, &claims, signing).await;
        stage.expect_refused(case, &browser, &page, 400, why).await;
        assert!(!page.body.contains(why), "{case}: the page says no more than it should");
    }
    let mut browser = stage.browser();
    let sign_in = begin(&mut browser).await;
    let code = stage.provider.grant(&sign_in, None);
    let page = browser.get(&stage.back(&sign_in, &[("code", &code)])).await;
    stage.expect_refused("no token", &browser, &page, 400, "no ID token").await;
    let (_, accounts) = stage.scene.get("/api/v1/admin/people", &stage.scene.admin).await;
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(1), "nobody got an account");
}

#[tokio::test]
async fn a7_an_answer_counts_once_and_in_the_browser_that_asked() {
    let mut stage = Stage::start(&[]).await;
    let (mut ada, mut eve) = (stage.browser(), stage.browser());
    let (of_ada, of_eve) = (begin(&mut ada).await, begin(&mut eve).await);
    let claims = stage.provider.claims(&of_eve, "eve");
    // Somebody is led to the end of a sign-in that somebody else began.
    let page = stage.come_back(&mut ada, &of_eve, &claims, Signing::Right).await;
    stage.expect_refused("state of another browser", &ada, &page, 400, "state").await;
    let page = ada.get(&stage.back(&of_ada, &[("code", "c")])).await;
    stage.expect_refused("the cookie is gone by then", &ada, &page, 400, "no cookie").await;
    ada.set_cookie(PENDING, "e30.e30");
    let page = ada.get(&stage.back(&of_ada, &[("code", "c")])).await;
    stage.expect_refused("a forged cookie", &ada, &page, 400, "not valid").await;

    for (case, pairs) in [
        ("another issuer in the answer", vec![("iss", "https://evil.example")]),
        ("no issuer in the answer", vec![]),
    ] {
        let mut browser = stage.browser();
        let sign_in = begin(&mut browser).await;
        let token = stage.provider.sign(&stage.provider.claims(&sign_in, "ada"), Signing::Right);
        let (code, state) = (stage.provider.grant(&sign_in, Some(token)), sign_in.parameter("state"));
        let page = browser.get(&back(&[&pairs[..], &[("code", &*code), ("state", &*state)]].concat())).await;
        stage.expect_refused(case, &browser, &page, 400, "issuer").await;
    }

    let sign_in = begin(&mut ada).await;
    let waiting = ada.cookie(PENDING).expect("a cookie").to_owned();
    let token = stage.provider.sign(&stage.provider.claims(&sign_in, "ada"), Signing::Right);
    let code = stage.provider.grant(&sign_in, Some(token));
    let address = stage.back(&sign_in, &[("code", &code)]);
    assert_eq!(ada.get(&address).await.status, 303);
    let mut thief = stage.browser();
    thief.set_cookie(PENDING, &waiting);
    let page = thief.get(&address).await;
    stage.expect_refused("a state that was used", &thief, &page, 400, "used before").await;
    let sign_in = begin(&mut thief).await;
    let page = thief.get(&stage.back(&sign_in, &[("code", &code)])).await;
    stage.expect_refused("a code that was used", &thief, &page, 400, "invalid_grant").await;
    let sign_in = begin(&mut thief).await;
    let token = stage.provider.sign(&stage.provider.claims(&of_ada, "ada"), Signing::Right);
    let code = stage.provider.grant(&of_ada, Some(token));
    let page = thief.get(&stage.back(&sign_in, &[("code", &code)])).await;
    stage.expect_refused("the code of somebody else's sign-in", &thief, &page, 400, "invalid_grant").await;
    let sign_in = begin(&mut thief).await;
    let page = thief.get(&stage.back(&sign_in, &[("error", "access_denied")])).await;
    stage.expect_refused("denied", &thief, &page, 400, "said no").await;
    assert!(page.body.contains("you cancelled"), "{}", page.body);
    let sign_in = begin(&mut thief).await;
    let page = thief.get(&stage.back(&sign_in, &[("error", "server_error")])).await;
    stage.expect_refused("an error", &thief, &page, 400, "server_error").await;
    // It leads to this server and nowhere else.
    for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let mut url = Browser::own("/oidc/sign-in");
        url.query_pairs_mut().append_pair("to", elsewhere);
        let sign_in = ada.get(&url).await;
        assert_eq!(sign_in.location, Some(Browser::own("/")), "{elsewhere}: signed in already");
        let mut browser = stage.browser();
        let sign_in = browser.get(&url).await;
        let claims = stage.provider.claims(&sign_in, "ada");
        let page = stage.come_back(&mut browser, &sign_in, &claims, Signing::Right).await;
        assert_eq!((page.status, page.location), (303, Some(Browser::own("/"))), "{elsewhere}");
    }
}

#[tokio::test]
async fn a14_answers_that_nobody_began_use_up_no_try_of_those_who_did() {
    let mut stage = Stage::start(&[]).await;
    let mut ada = stage.browser();
    let sign_in = begin(&mut ada).await;
    // As another site's page has a browser ask.
    let mut led = Browser::new(stage.scene.program.addr, stage.browsers);
    let mut statuses = Vec::new();
    for _ in 0..25 {
        statuses.push(led.get(&back(&[("code", "c"), ("state", "s")])).await.status);
    }
    let counted = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert!(counted(400) >= 20 && counted(429) >= 1 && counted(400) + counted(429) == 25, "{statuses:?}");
    let (_, log) = stage.scene.get("/api/v1/audit?what=sign_in_failed", &stage.scene.admin).await;
    assert_eq!(log["entries"].as_array().map(Vec::len), Some(counted(400)), "so many are written down");
    let claims = stage.provider.claims(&sign_in, "ada");
    let page = stage.come_back(&mut ada, &sign_in, &claims, Signing::Right).await;
    assert_eq!(page.status, 303, "{}", page.body);
}

#[tokio::test]
async fn a7_sessions_of_an_issuer_that_the_settings_do_not_name_any_more_do_not_count() {
    let mut stage = Stage::start(&[]).await;
    let (browser, _) = stage.sign_in("ada", |_| ()).await;
    assert_eq!(stage.me(&browser).await["identities"][0]["subject"], "ada");
    let cookie = format!("{SESSION}={}", browser.cookie(SESSION).expect("signed in"));
    let Stage { scene, provider, .. } = stage;
    let Scene { program, dir, http, admin } = scene;
    program.signal("TERM");
    program.ended().await;
    let other = Hostile::start().await;
    for (issuer, status) in [(&other.issuer, 401), (&provider.issuer, 200)] {
        let set = [&settings(issuer)[..], &[("LOCKSTEP_ACCESS", "accounts")]].concat();
        let program = Program::start(dir.path(), &set);
        let asked = http.get(format!("http://{}/api/v1/me", program.addr)).header("cookie", &cookie);
        assert_eq!(asked.send().await.expect("an answer").status().as_u16(), status, "{issuer}");
        let own = http.get(format!("http://{}/api/v1/me", program.addr)).header("cookie", &admin.cookie);
        assert_eq!(own.send().await.expect("an answer").status().as_u16(), 200, "passwords count on");
        program.signal("TERM");
        program.ended().await;
    }
}

#[tokio::test]
async fn a7_keys_that_are_new_are_asked_for_once_a_minute() {
    let mut stage = Stage::start(&[]).await;
    let sign_in = async |stage: &mut Stage| {
        let mut browser = stage.browser();
        let sign_in = begin(&mut browser).await;
        let claims = stage.provider.claims(&sign_in, "ada");
        stage.come_back(&mut browser, &sign_in, &claims, Signing::UnknownKey).await.status
    };
    assert_eq!(stage.provider.keys_asked(), 0, "at first use, and not at the start");
    stage.provider.rotate();
    assert_eq!(sign_in(&mut stage).await, 303);
    assert_eq!(stage.provider.keys_asked(), 1, "what was found at first");

    let mut stage = Stage::start(&[]).await;
    assert_eq!(sign_in(&mut stage).await, 400);
    assert_eq!(stage.provider.keys_asked(), 2, "once more for a key that is not known");
    stage.provider.rotate();
    assert_eq!(
        (sign_in(&mut stage).await, stage.provider.keys_asked()),
        (400, 2),
        "not again within a minute"
    );

    let mut stage = Stage::start(&[]).await;
    let (_, page) = stage.sign_in("ada", |_| ()).await;
    assert_eq!(page.status, 303);
    stage.provider.rotate();
    assert_eq!((sign_in(&mut stage).await, stage.provider.keys_asked()), (303, 2), "a new key is found");
}

#[tokio::test]
async fn a7_a_mail_address_leads_to_an_account_only_where_all_of_it_is_said() {
    let admins = |claims: &mut Value| claims["email"] = json!("ADMIN@example.com");
    let mut stage = Stage::start(&[]).await;
    let (browser, page) = stage.sign_in("mallory", admins).await;
    stage.expect_refused("without the setting", &browser, &page, 403, "mail address").await;
    let (browser, _) = stage.sign_in("bob", |claims| claims["email_verified"] = json!(false)).await;
    assert_eq!(
        stage.me(&browser).await["person"]["email"],
        "",
        "an address that may be anybody's is not kept"
    );

    let mut stage = Stage::start(&[
        ("LOCKSTEP_OIDC_JOIN_BY_EMAIL", "true"),
        ("LOCKSTEP_OIDC_ALLOWED_DOMAINS", "example.com"),
    ])
    .await;
    for (case, change) in [
        ("not verified", (|claims| claims["email_verified"] = json!(false)) as fn(&mut Value)),
        ("not said to be verified", |claims| claims["email_verified"] = Value::Null),
        ("another domain", |claims| claims["email"] = json!("admin@example.com.evil.example")),
        ("no mail address", |claims| claims["email"] = Value::Null),
    ] {
        let (browser, page) = stage
            .sign_in("mallory", |claims| {
                admins(claims);
                change(claims);
            })
            .await;
        stage.expect_refused(case, &browser, &page, 403, "no account").await;
    }
    let (browser, page) = stage.sign_in("root", admins).await;
    assert_eq!(page.status, 303, "{}", page.body);
    assert_eq!(stage.me(&browser).await["person"]["id"], stage.scene.admin.id.as_str());
    let (browser, page) = stage.sign_in("successor", admins).await;
    stage
        .expect_refused("an address that was given to somebody new", &browser, &page, 403, "mail address")
        .await;

    let mut stage = Stage::start(&[("LOCKSTEP_OIDC_SIGN_UP", "false")]).await;
    let (browser, page) = stage.sign_in("bob", |_| ()).await;
    stage.expect_refused("no sign-up", &browser, &page, 403, "no account").await;
}

#[tokio::test]
async fn a7_groups_give_roles_anew_at_each_sign_in() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("lockstep.toml");
    let groups = "[lockstep.oidc_groups]\nops = { team = \"Ops\", role = \"editor\" }\n\
                  leads = [{ team = \"Ops\", role = \"owner\" }, { team = \"Shop\", role = \"viewer\" }]\n\
                  lost = { team = \"Nowhere\", role = \"owner\" }\n";
    std::fs::write(&file, groups).expect("written");
    let provider = Hostile::start().await;
    let mut command = command(dir.path());
    command.arg("--config").arg(&file).env("LOCKSTEP_ACCESS", "accounts").envs(settings(&provider.issuer));
    let program = Program::of(&mut command, dir.path());
    let scene = Scene::set_up(program, dir).await;
    let mut stage = Stage { scene, provider, browsers: 0 };
    let ops = stage.scene.make_team("Ops").await;
    stage.scene.make_team("Shop").await;
    let of = |groups: Value| move |claims: &mut Value| claims["groups"] = groups;

    let (browser, _) = stage.sign_in("ada", of(json!(["ops", "lost", "unknown"]))).await;
    assert_eq!(stage.roles(&browser).await, [role("Ops", "editor")], "and not in the team of everyone");
    let id = stage.me(&browser).await["person"]["id"].as_str().expect("an id").to_owned();
    let (browser, _) = stage.sign_in("ada", of(json!(["leads"]))).await;
    assert_eq!(stage.roles(&browser).await, [role("Ops", "owner"), role("Shop", "viewer")]);
    let given = stage.newest("member_changed").await;
    assert_eq!(given["who"]["kind"], "server", "{given}");
    let by_hand = format!("/api/v1/admin/teams/{ops}/members/{id}");
    stage.scene.admin(Method::PUT, &by_hand, json!({"role": "viewer"})).await;
    assert_eq!(
        stage.roles(&browser).await.iter().find(|(team, _)| team == "Ops"),
        Some(&role("Ops", "viewer"))
    );
    let (browser, _) = stage.sign_in("ada", of(json!("leads"))).await;
    assert_eq!(stage.roles(&browser).await.len(), 2);
    // What was given by hand stays, and the rest goes with the groups.
    let (browser, _) = stage.sign_in("ada", of(Value::Null)).await;
    assert_eq!(stage.roles(&browser).await, [role("Ops", "viewer")]);
}

#[tokio::test]
async fn a7_a_provider_that_is_away_keeps_nobody_else_out() {
    let mut stage = Stage::start(&[]).await;
    stage.provider.set_away(true);
    let mut browser = stage.browser();
    let page = browser.get(&Browser::own("/oidc/sign-in?to=/status")).await;
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(
        page.body.contains("cannot be reached") && page.body.contains("data-testid=\"sign-in\""),
        "{}",
        page.body
    );
    assert_eq!(browser.cookie(PENDING), None);
    let (_, state) = stage.scene.get("/api/v1/admin/sign-in", &stage.scene.admin).await;
    let provider = &state["provider"];
    assert_eq!(
        (&provider["name"], &provider["issuer"]),
        (&json!("Single sign-on"), &json!(stage.provider.issuer))
    );
    assert!(provider["failure"].as_str().is_some_and(|why| why.contains("502")), "{state}");
    assert!(provider["failed_since"].is_u64() && provider["reachable_since"].is_null(), "{state}");
    let local = stage.scene.sign_in("admin@example.com", crate::scene::PASSWORD).await;
    assert_eq!(local.status(), 303);
}

#[tokio::test]
async fn a7_settings_that_do_not_fit_stop_the_start() {
    let issuer = "https://id.example.com";
    let with = |leave_out: &str, set: &[(&str, &str)]| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = command(dir.path());
        command
            .envs(settings(issuer).into_iter().filter(|(name, _)| *name != leave_out))
            .envs(set.iter().copied());
        refused(&mut command)
    };
    for (leave_out, set, says) in [
        ("LOCKSTEP_PUBLIC_URL", vec![], "LOCKSTEP_PUBLIC_URL"),
        ("LOCKSTEP_OIDC_ISSUER", vec![], "LOCKSTEP_OIDC_ISSUER"),
        ("LOCKSTEP_OIDC_CLIENT_ID", vec![], "LOCKSTEP_OIDC_CLIENT_ID"),
        ("LOCKSTEP_OIDC_CLIENT_SECRET", vec![], "LOCKSTEP_OIDC_CLIENT_SECRET"),
        ("", vec![("LOCKSTEP_OIDC_CLIENT_SECRET", " ")], "set and empty"),
        ("", vec![("LOCKSTEP_OIDC_ISSUER", "http://id.example.com")], "https://"),
        ("", vec![("LOCKSTEP_OIDC_JOIN_BY_EMAIL", "true")], "LOCKSTEP_OIDC_ALLOWED_DOMAINS"),
        ("", vec![("LOCKSTEP_OIDC_SCOPES", "email")], "`openid`"),
        ("", vec![("LOCKSTEP_OIDC_GROUPS", "ops=Ops:admin")], "ops=Ops:editor"),
        ("", vec![("LOCKSTEP_ACCESS", "open")], "nobody signs in"),
    ] {
        let (code, said) = with(leave_out, &set);
        assert!(code == Some(2) && said.contains(says) && !said.contains(SECRET), "{says}: {said}");
    }
}
