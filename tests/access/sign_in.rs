//! Set-up, signing in and out, and sessions.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::{PASSWORD, Person, Scene, client, comparable, cookie_of, setup_token};
use crate::support::program::{Program, command, refused};

#[tokio::test]
async fn a1_people_sign_in_where_there_are_accounts_or_others_reach_the_server() {
    let dir = tempfile::tempdir().expect("a directory");
    let open = Program::start(dir.path(), &[]);
    assert_eq!(open.get("/").await.status(), StatusCode::OK, "nobody has an account");
    let kept = open.make_dashboard("Of before").await;
    for path in ["/account", "/admin", "/setup", "/api/v1/me"] {
        assert_eq!(open.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    open.signal("TERM");
    open.ended().await;

    let everywhere = [("LOCKSTEP_ADDR", "0.0.0.0:0")];
    let program = Program::start(dir.path(), &everywhere);
    let at = format!("http://127.0.0.1:{}", program.addr.port());
    let status = client().get(format!("{at}/")).send().await.expect("an answer").status();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "other machines reach it");
    program.signal("TERM");
    program.ended().await;

    let scene = Scene::set_up(Program::start(dir.path(), &[("LOCKSTEP_ACCESS", "accounts")]), dir).await;
    let (_, list) = scene.get("/api/v1/dashboards/list", &scene.admin).await;
    let found =
        list["dashboards"].as_array().expect("dashboards").iter().find(|one| one["id"] == kept.as_str());
    assert_eq!(found.expect("what was there belongs to everyone")["role"], "owner");
    let Scene { program, dir, admin, .. } = scene;
    program.signal("TERM");
    program.ended().await;

    let again = Program::start(dir.path(), &[]);
    let asked = client().get(format!("http://{}/", again.addr));
    assert_eq!(
        asked.send().await.expect("an answer").status(),
        StatusCode::SEE_OTHER,
        "somebody has an account"
    );
    let asked = client().get(format!("http://{}/api/v1/me", again.addr)).header("cookie", &admin.cookie);
    assert_eq!(
        asked.send().await.expect("an answer").status(),
        StatusCode::OK,
        "a session outlives the server"
    );
    drop(again);

    let (code, said) = refused(command(dir.path()).envs([("LOCKSTEP_ACCESS", "acounts")]));
    assert!(code == Some(2) && said.contains("LOCKSTEP_ACCESS") && said.contains("`accounts`"), "{said}");
    let (code, said) =
        refused(command(dir.path()).envs([("LOCKSTEP_ACCESS", "open"), ("LOCKSTEP_ADDR", "0.0.0.0:0")]));
    assert!(code == Some(2) && said.contains("--allow-open-access-on-network"), "{said}");
}

#[tokio::test]
async fn a2_before_the_first_account_only_the_log_opens_anything() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &[("LOCKSTEP_ACCESS", "accounts")]);
    for path in
        ["/", "/d/abc", "/status", "/bin", "/account", "/admin", "/api/v1/dashboards", "/metrics", "/nowhere"]
    {
        let answer = program.get(path).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.text().await.expect("a body").contains("not set up"), "{path}");
    }
    for path in ["/healthz", "/readyz", "/setup", "/pkg/lockstep.js"] {
        assert_eq!(program.get(path).await.status(), StatusCode::OK, "{path}");
    }
    let http = client();
    let set_up = |token: String, password: &str| {
        let form = [
            ("token", token),
            ("email", "ada@example.com".to_owned()),
            ("name", "Ada".to_owned()),
            ("password", password.to_owned()),
        ];
        http.post(format!("http://{}/setup", program.addr)).form(&form).send()
    };
    let guessed = set_up("A".repeat(22), PASSWORD).await.expect("an answer");
    assert_eq!(guessed.status(), StatusCode::NOT_FOUND);
    let weak = set_up(setup_token(&program), "password12").await.expect("an answer");
    assert_eq!(weak.status(), StatusCode::BAD_REQUEST);
    let page = weak.text().await.expect("a page");
    assert!(
        page.contains("ada@example.com") && !page.contains("password12"),
        "what was typed stays but for that"
    );
    let made = set_up(setup_token(&program), PASSWORD).await.expect("an answer");
    assert_eq!(made.status(), StatusCode::SEE_OTHER);
    let cookie = made.headers()["set-cookie"].to_str().expect("text");
    for mark in ["lockstep_session=", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(mark), "{cookie}");
    }
    let again = set_up(setup_token(&program), PASSWORD).await.expect("an answer");
    assert_eq!(again.status(), StatusCode::NOT_FOUND, "once");
}

#[tokio::test]
async fn a3_a_wrong_password_says_no_more_than_an_unknown_address() {
    let scene = Scene::start().await;
    let texts = [("admin@example.com", "wrong-window-47-lantern"), ("nobody@example.com", PASSWORD)].map(
        async |(email, password)| {
            let answer = scene.sign_in(email, password).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            answer.text().await.expect("a page").replace(email, "")
        },
    );
    let [known, unknown] = texts;
    let (known, unknown) = (known.await, unknown.await);
    assert!(known.contains("The mail address or the password is wrong."), "{known}");
    assert_eq!(comparable(&known, ""), comparable(&unknown, ""));

    let answer = scene.sign_in(" ADMIN@example.com ", PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()["location"], "/status");
    let evil = [("email", "admin@example.com"), ("password", PASSWORD), ("to", "//evil.example")];
    let answer = scene.request(Method::POST, "/sign-in", None).form(&evil).send().await.expect("an answer");
    assert_eq!(answer.headers()["location"], "/");

    let asked = scene.request(Method::GET, "/d/abc?from=1", None).send().await.expect("an answer");
    assert_eq!(asked.headers()["location"], "/sign-in?to=%2Fd%2Fabc%3Ffrom%3D1");
    let elsewhere = scene.request(Method::POST, "/sign-in", None).header("origin", "https://evil.example");
    let answer = elsewhere.form(&evil).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "no page of another site signs anybody in");
}

#[tokio::test]
async fn a14_who_guesses_waits_and_who_is_signed_in_does_not() {
    let scene = Scene::start().await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(scene.sign_in("admin@example.com", "wrong-window-47-lantern").await.status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    let waits = scene.sign_in("admin@example.com", PASSWORD).await;
    assert_eq!(waits.status(), StatusCode::TOO_MANY_REQUESTS, "also whoever knows it");
    assert!(waits.headers()["retry-after"].to_str().expect("text").parse::<u64>().expect("seconds") <= 2);
    scene.me(&scene.admin).await;
}

#[tokio::test]
async fn a5_each_session_is_seen_and_ended_alone() {
    let scene = Scene::start().await;
    let other = scene.sign_in("admin@example.com", PASSWORD).await;
    let other = Person { cookie: cookie_of(&other), ..scene.admin.clone() };
    let sessions = scene.me(&scene.admin).await["sessions"].clone();
    let sessions = sessions.as_array().expect("sessions");
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions.iter().filter(|one| one["is_this"] == true).count(), 1);
    assert!(!sessions.iter().any(|one| scene.admin.cookie.contains(one["id"].as_str().expect("an id"))));
    let id = sessions.iter().find(|one| one["is_this"] == false).expect("the other")["id"]
        .as_str()
        .expect("an id");
    let ended =
        scene.send(Method::DELETE, &format!("/api/v1/me/sessions/{id}"), Some(&scene.admin), None).await;
    assert_eq!(ended.0, 204);
    assert_eq!(scene.get("/api/v1/me", &other).await.0, 401);
    scene.me(&scene.admin).await;

    let other = Person { cookie: cookie_of(&scene.sign_in("admin@example.com", PASSWORD).await), ..other };
    let change = json!({"before": PASSWORD, "password": "another-lantern-53-ochre"});
    let wrong = json!({"before": "wrong", "password": "another-lantern-53-ochre"});
    let path = "/api/v1/me/password";
    assert_eq!(scene.send(Method::PUT, path, Some(&scene.admin), Some(wrong)).await.0, 403);
    assert_eq!(scene.send(Method::PUT, path, Some(&scene.admin), Some(change)).await.0, 204);
    assert_eq!(scene.get("/api/v1/me", &other).await.0, 401, "all others are over");
    scene.me(&scene.admin).await;
    assert_eq!(scene.sign_in("admin@example.com", PASSWORD).await.status(), StatusCode::UNAUTHORIZED);

    let out = scene.request(Method::POST, "/sign-out", Some(&scene.admin)).send().await.expect("an answer");
    assert_eq!(out.headers()["location"], "/sign-in");
    assert!(out.headers()["set-cookie"].to_str().expect("text").contains("Max-Age=0"));
    assert_eq!(scene.get("/api/v1/me", &scene.admin).await.0, 401);
}

#[tokio::test]
async fn a6_what_is_sent_slowly_is_judged_when_all_of_it_is_there() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let scene = Scene::start().await;
    let thief = Person {
        cookie: cookie_of(&scene.sign_in("admin@example.com", PASSWORD).await),
        ..scene.admin.clone()
    };
    let body = json!({"name": "Kept", "scopes": ["push"]}).to_string();
    let mut held = tokio::net::TcpStream::connect(scene.program.addr).await.expect("a connection");
    let head = format!(
        "POST /api/v1/me/tokens HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\norigin: http://{}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        scene.program.addr,
        thief.cookie,
        scene.program.addr,
        body.len()
    );
    let (first, last) = body.split_at(5);
    held.write_all(format!("{head}{first}").as_bytes()).await.expect("sent");
    // Answered behind it, and so it has been looked at.
    scene.me(&thief).await;
    assert_eq!(scene.send(Method::DELETE, "/api/v1/me/sessions", Some(&scene.admin), None).await.0, 204);
    held.write_all(last.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    held.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(scene.get("/api/v1/me/tokens", &scene.admin).await.1, json!([]));
}

#[tokio::test]
async fn over_tls_the_cookie_is_the_hosts_own() {
    let scene = Scene::start_with(&[("LOCKSTEP_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let form = [("email", "admin@example.com"), ("password", PASSWORD)];
    let asked =
        scene.request(Method::POST, "/sign-in", None).header("x-forwarded-proto", "https").form(&form);
    let answer = asked.send().await.expect("an answer");
    let cookie = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(cookie.starts_with("__Host-lockstep=") && cookie.ends_with("; Secure"), "{cookie}");
    let pair = cookie.split(';').next().expect("a pair");
    let me = |proto: &'static str| {
        scene
            .request(Method::GET, "/api/v1/me", None)
            .header("cookie", pair)
            .header("x-forwarded-proto", proto)
    };
    assert_eq!(me("https").send().await.expect("an answer").status(), StatusCode::OK);
    assert_eq!(me("http").send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn points_are_pushed_with_the_token_alone() {
    let line = "cpu value=1";
    let push = |scene: &Scene, token: Option<&str>| {
        let request = scene.request(Method::POST, "/api/v2/write", Some(&scene.admin)).body(line);
        match token {
            Some(token) => request.header("authorization", format!("Token {token}")),
            None => request,
        }
    };
    let scene = Scene::start().await;
    let answer = push(&scene, None).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "no token is set");
    let scene = Scene::start_with(&[("LOCKSTEP_INGEST_TOKEN", "sesame-of-the-test")]).await;
    assert_eq!(push(&scene, None).send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    let wrong = push(&scene, Some("sesame")).send().await.expect("an answer");
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let right = push(&scene, Some("sesame-of-the-test")).send().await.expect("an answer");
    assert_eq!(right.status(), StatusCode::NO_CONTENT);
    let (status, names) = scene.get("/api/v1/series", &scene.admin).await;
    assert!(status == 200 && names.as_array().expect("names").contains(&json!("cpu")), "{names}");
    let nobody = scene.send(Method::GET, "/api/v1/series", None, None).await;
    assert_eq!(nobody.0, 401);
    assert_eq!(nobody.1["reason"], Value::from("Sign in first."));
}
