//! API tokens: what programs may do by them, and what ends them.

use std::time::{Duration, Instant};

use lockstep::server::access::directory::Change;
use lockstep::server::access::tokens::{Token, TokenId};
use lockstep::server::store::Store as _;
use lockstep::server::store::accounts::Accounts as _;
use lockstep::server::store::sqlite::SqliteStore;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::scene::{Person, Scene};
use crate::support::Client as Socket;
use crate::support::program::Program;

/// How fast whoever holds a token that was revoked is cut off.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A token's id and its text.
struct Made {
    id: String,
    text: String,
}

async fn make(scene: &Scene, who: &Person, wanted: Value) -> Made {
    let (status, made) = scene.send(Method::POST, "/api/v1/me/tokens", Some(who), Some(wanted)).await;
    assert_eq!(status, 201, "{made}");
    let text = |field: &str| made[field].as_str().expect("text").to_owned();
    Made { id: text("id"), text: text("token") }
}

fn with(scene: &Scene, method: Method, path: &str, token: &Made) -> RequestBuilder {
    scene.request(method, path, None).header("authorization", format!("Bearer {}", token.text))
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn get(scene: &Scene, path: &str, token: &Made) -> u16 {
    answer(with(scene, Method::GET, path, token)).await.0
}

async fn connect(scene: &Scene, token: &Made) -> Result<Socket, Error> {
    Socket::connect_with(scene.program.addr, &[("authorization", &format!("Bearer {}", token.text))]).await
}

/// An editor of a team, and a dashboard of that team.
async fn team(scene: &Scene) -> (Person, String, String) {
    let team = scene.make_team("Shop").await;
    let ada = scene.invite("ada", &team, "editor").await;
    let wall = scene.make_dashboard(&ada, "Wall").await;
    scene.share(&ada, &wall, json!({"team": {"team": team}})).await;
    (ada, team, wall)
}

#[tokio::test]
async fn a11_a_push_token_pushes_and_deletes_what_begins_with_its_prefix() {
    let scene = Scene::start().await;
    let (ada, _, wall) = team(&scene).await;
    let token = make(&scene, &ada, json!({"name": "Agent", "scopes": ["push"], "prefix": "app."})).await;
    let all = make(&scene, &ada, json!({"name": "All", "scopes": ["push", "read:series"]})).await;
    // Twice: the second time the server knows how the series are spelled.
    for _ in 0..2 {
        let everything =
            with(&scene, Method::POST, "/api/v2/write", &all).body("app.load value=1\nother value=1");
        assert_eq!(answer(everything).await.0, 204);
        let mixed =
            with(&scene, Method::POST, "/api/v2/write", &token).body("app.load value=2\nother value=2");
        let (status, says) = answer(mixed).await;
        assert_eq!((status, &says["line"]), (400, &json!(2)), "{says}");
        let message = says["message"].as_str().expect("text");
        assert!(message.contains("1 points written") && message.contains("\"other\""), "{message}");
    }
    let items = json!([{"series": "app.orders", "value": 1}, {"series": "orders", "value": 1}]);
    let (status, says) = answer(with(&scene, Method::POST, "/api/v1/series", &token).json(&items)).await;
    assert_eq!(
        (status, &says["accepted"], &says["refused"][0]["item"]),
        (400, &json!(1), &json!(2)),
        "{says}"
    );
    // As a password, where the protocol has no other place.
    let basic = scene.request(Method::POST, "/write", None).basic_auth("any", Some(&token.text));
    assert_eq!(answer(basic.body("app.basic value=1")).await.0, 204);
    let in_address = format!("/write?u=any&p={}", token.text);
    let v1 = scene.request(Method::POST, &in_address, None).body("app.v1 value=1");
    assert_eq!(answer(v1).await.0, 204);
    // The server's own figures may be there by now, or not yet.
    let pushed = async || {
        let (status, names) = answer(with(&scene, Method::GET, "/api/v1/series", &all)).await;
        let names = names.as_array().expect("names").clone();
        let is_pushed = |name: &Value| !name.as_str().is_some_and(|name| name.starts_with("server."));
        (status, names.into_iter().filter(is_pushed).collect::<Value>())
    };
    let names = json!(["app.basic", "app.load", "app.orders", "app.v1", "other"]);
    assert_eq!(pushed().await, (200, names));
    let (status, deleted) = answer(with(&scene, Method::DELETE, "/api/v1/series?match=*", &token)).await;
    assert_eq!((status, &deleted["deleted"]), (200, &json!(4)));
    assert_eq!(pushed().await, (200, json!(["other"])));
    // It reads nothing.
    for path in [
        "/api/v1/series",
        "/api/v1/sources",
        "/api/v1/dashboards",
        "/metrics",
        &format!("/api/v1/dashboards/{wall}"),
    ] {
        assert_eq!(get(&scene, path, &token).await, 403, "{path}");
    }
    // Nobody puts a token in the address of another protocol.
    let elsewhere =
        scene.request(Method::POST, &format!("/api/v2/write?p={}", token.text), None).body("app.a value=1");
    assert_eq!(answer(elsewhere).await.0, 401);
    let reads = make(&scene, &ada, json!({"name": "Reads", "scopes": ["read:series"]})).await;
    assert_eq!(
        answer(with(&scene, Method::POST, "/api/v2/write", &reads).body("app.a value=1")).await.0,
        403
    );
}

#[tokio::test]
async fn a11_a_token_of_a_team_has_its_dashboards_and_nothing_of_people() {
    let scene = Scene::start().await;
    let (ada, team, wall) = team(&scene).await;
    let own = scene.make_dashboard(&ada, "Hers alone").await;
    let scopes = |scope: &str| json!({"name": "Robot", "scopes": [scope], "team": team});
    let reads = make(&scene, &ada, scopes("read:dashboards")).await;
    let writes = make(&scene, &ada, scopes("write:dashboards")).await;
    let of = |id: &str, rest: &str| format!("/api/v1/dashboards/{id}{rest}");
    for token in [&reads, &writes] {
        for rest in ["", "/export"] {
            assert_eq!(get(&scene, &of(&wall, rest), token).await, 200);
            assert_eq!(get(&scene, &of(&own, rest), token).await, 404, "not of the team");
        }
        let (_, listed) = answer(with(&scene, Method::GET, "/api/v1/dashboards/list", token)).await;
        assert_eq!((&listed["total"], &listed["dashboards"][0]["id"]), (&json!(1), &json!(wall)), "{listed}");
        let (_, all) = answer(with(&scene, Method::GET, "/api/v1/dashboards", token)).await;
        assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
        for (method, path) in [
            (Method::DELETE, of(&wall, "")),
            (Method::GET, of(&wall, "/access")),
            (Method::PUT, of(&wall, "/access")),
            (Method::GET, format!("/d/{wall}")),
            (Method::GET, "/account".to_owned()),
            (Method::GET, "/api/v1/bin".to_owned()),
            (Method::GET, "/api/v1/me".to_owned()),
            (Method::PUT, "/api/v1/me".to_owned()),
            (Method::GET, "/api/v1/me/tokens".to_owned()),
            (Method::POST, "/api/v1/me/tokens".to_owned()),
            (Method::GET, "/api/v1/admin/people".to_owned()),
            (Method::GET, "/api/v1/admin/tokens".to_owned()),
            (Method::GET, "/api/v1/series".to_owned()),
            (Method::GET, "/api/v1/status".to_owned()),
        ] {
            assert_eq!(answer(with(&scene, method.clone(), &path, token)).await.0, 403, "{method} {path}");
        }
    }
    let document = answer(with(&scene, Method::GET, &of(&wall, "/export"), &reads)).await.1;
    let replace = |token: &Made| with(&scene, Method::PUT, &of(&wall, "/document"), token).json(&document);
    assert_eq!(answer(replace(&reads)).await.0, 403);
    assert_eq!(answer(replace(&writes)).await.0, 200);
    let create =
        |token: &Made| with(&scene, Method::POST, "/api/v1/dashboards", token).json(&json!({"title": "New"}));
    assert_eq!(answer(create(&reads)).await.0, 403);
    let (status, made) = answer(create(&writes)).await;
    assert_eq!(status, 201, "{made}");
    let sharing = scene.get(&of(made["id"].as_str().expect("an id"), "/access"), &ada).await.1;
    assert_eq!((&sharing["team"], &sharing["grants"][0]["role"]), (&json!(team), &json!("owner")));
    // Never more than its owner.
    let path = format!("/api/v1/admin/teams/{team}/members/{}", ada.id);
    scene.share(&ada, &wall, json!({"grants": [{"to": {"account": scene.admin.id}, "role": "owner"}]})).await;
    scene.grant(&wall, &ada, None).await;
    scene.admin(Method::PUT, &path, json!({"role": "viewer"})).await;
    assert_eq!((answer(replace(&writes)).await.0, get(&scene, &of(&wall, ""), &writes).await), (403, 200));
    assert_eq!(answer(create(&writes)).await.0, 403);
    scene.admin(Method::PUT, &path, json!({"role": null})).await;
    assert_eq!(get(&scene, &of(&wall, ""), &writes).await, 404);
}

#[tokio::test]
async fn a11_a_program_on_a_socket_is_a_colleague_until_its_token_is_revoked() {
    let scene = Scene::start().await;
    let (ada, team, wall) = team(&scene).await;
    let token =
        make(&scene, &ada, json!({"name": "Deploy bot", "scopes": ["write:dashboards"], "team": team})).await;
    let reads =
        make(&scene, &ada, json!({"name": "Screen", "scopes": ["read:dashboards"], "team": team})).await;
    let mut person = scene.socket(&ada, "ada").await;
    person.join(&wall).await;
    let mut bot = connect(&scene, &token).await.expect("a socket");
    let welcome = bot.hello("bot").await;
    assert_eq!(
        (&welcome["user"]["id"], &welcome["user"]["name"]),
        (&json!(format!("t-{}", token.id)), &json!("Deploy bot"))
    );
    assert_eq!(bot.join(&wall).await["role"], "editor");
    let mut screen = connect(&scene, &reads).await.expect("a socket");
    screen.hello("screen").await;
    assert_eq!(screen.join(&wall).await["role"], "viewer");
    bot.push(&wall, json!([{"seq": 1, "base": 0, "ops": [{"op": "set_dashboard", "field": "title", "value": "Deployed"}]}])).await;
    let commits = person.expect_any("commits").await;
    assert!(commits.to_string().contains("Deploy bot"), "{commits}");
    let begun = Instant::now();
    let path = format!("/api/v1/me/tokens/{}", token.id);
    let (status, _) = scene.send(Method::DELETE, &path, Some(&ada), None).await;
    assert_eq!((status, bot.closed().await), (204, 4401));
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert!(connect(&scene, &token).await.is_err());
    assert_eq!(get(&scene, "/api/v1/dashboards", &token).await, 401);
    screen.is_alive().await;
    // As an admin ends the other, and an account all of its own.
    scene.admin(Method::DELETE, &format!("/api/v1/admin/tokens/{}", reads.id), Value::Null).await;
    assert_eq!(screen.closed().await, 4401);
    let last = make(&scene, &ada, json!({"name": "Last", "scopes": ["read:dashboards"], "team": team})).await;
    let mut socket = connect(&scene, &last).await.expect("a socket");
    socket.hello("last").await;
    scene.admin(Method::PUT, &format!("/api/v1/admin/people/{}", ada.id), json!({"disabled": true})).await;
    assert_eq!(socket.closed().await, 4401);
    let none = json!({"entries": [], "next": null, "total": 0});
    assert_eq!(scene.get("/api/v1/admin/tokens", &scene.admin).await, (200, none));
}

#[tokio::test]
async fn a11_a_token_needs_no_origin_and_its_cookies_say_nothing() {
    let scene = Scene::start().await;
    let (ada, _, _) = team(&scene).await;
    let token = make(&scene, &ada, json!({"name": "Page", "scopes": ["push"]})).await;
    let elsewhere =
        |request: RequestBuilder| request.header("origin", "https://evil.example").body("cpu value=1");
    assert_eq!(answer(elsewhere(with(&scene, Method::POST, "/api/v2/write", &token))).await.0, 204);
    assert_eq!(answer(elsewhere(scene.request(Method::POST, "/api/v2/write", Some(&ada)))).await.0, 403);
    let me = |token: &str| {
        let request = scene.request(Method::GET, "/api/v1/me", Some(&scene.admin));
        request.header("authorization", format!("Bearer {token}"))
    };
    assert_eq!(answer(me(&token.text)).await.0, 403, "the cookie is an admin's");
    let forged = format!("lsp_{}_{}", token.id, "A".repeat(43));
    assert_eq!(answer(me(&forged)).await.0, 401);
    let out =
        scene.request(Method::POST, "/sign-out", Some(&scene.admin)).header("origin", "https://evil.example");
    let out = out.header("authorization", format!("Bearer {}", token.text)).send().await.expect("an answer");
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer(me("sesame")).await.0, 200, "this is no token of people, and the session is there");
}

#[tokio::test]
async fn a11_who_makes_a_token_has_what_it_says() {
    let scene = Scene::start().await;
    let (ada, team, _) = team(&scene).await;
    let eve = scene.invite("eve", &team, "viewer").await;
    let ask = async |who: &Person, wanted: Value| {
        scene.send(Method::POST, "/api/v1/me/tokens", Some(who), Some(wanted)).await.0
    };
    for scope in ["push", "read:series", "metrics"] {
        assert_eq!(ask(&eve, json!({"name": "Mine", "scopes": [scope]})).await, 403, "{scope}");
    }
    for (wanted, status) in [
        (json!({"name": "Mine", "scopes": ["read:dashboards"]}), 400),
        (json!({"name": "Mine", "scopes": ["read:dashboards"], "team": "everyone"}), 404),
        (json!({"name": "Mine", "scopes": ["metrics"]}), 403),
        (json!({"name": "Mine", "scopes": ["everything"]}), 422),
        (json!({"name": "", "scopes": ["push"]}), 400),
        (json!({"name": "Mine", "scopes": ["push"], "days": 731}), 400),
        (json!({"name": "Mine", "scopes": ["push"], "days": "never"}), 400),
        (json!({"name": "Mine", "scopes": ["push"], "days": 730}), 201),
    ] {
        assert_eq!(ask(&ada, wanted.clone()).await, status, "{wanted}");
    }
    let figures =
        make(&scene, &scene.admin, json!({"name": "Prometheus", "scopes": ["metrics"], "days": "never"}))
            .await;
    assert_eq!(get(&scene, "/metrics", &figures).await, 200);
    let (_, page) = scene.get("/api/v1/admin/tokens", &scene.admin).await;
    let all = &page["entries"];
    assert_eq!((all.as_array().map(Vec::len), &all[0]["owner"]), (Some(2), &json!("Admin")), "{all}");
    assert!(all[0]["used_at"].is_u64() && all[0]["expires_at"].is_null(), "{all}");
    let (_, own) = scene.get("/api/v1/me/tokens", &ada).await;
    assert_eq!((own.as_array().map(Vec::len), &own[0]["used_at"]), (Some(1), &Value::Null), "{own}");
    let path = format!("/api/v1/me/tokens/{}", figures.id);
    assert_eq!(scene.send(Method::DELETE, &path, Some(&ada), None).await.0, 404, "it is not hers");
    assert_eq!(
        scene.request(Method::GET, "/metrics", None).send().await.expect("an answer").status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a11_a_token_that_is_over_is_not_known() {
    let mut scene = Scene::start().await;
    let (ada, _, _) = team(&scene).await;
    let token = make(&scene, &ada, json!({"name": "Old", "scopes": ["push"]})).await;
    let kept = make(&scene, &ada, json!({"name": "Kept", "scopes": ["push"]})).await;
    scene.program.child.kill().expect("killed");
    scene.program.child.wait().expect("gone");
    let store = SqliteStore::open(&scene.dir.path().join("data/lockstep.db")).await.expect("opens");
    let id = TokenId::from_text(&token.id).expect("an id");
    let old = store.directory().await.expect("read").token(&id).cloned().expect("is there");
    let over = Token { expires_at: Some(old.made_at), ..old };
    store.change_directory(vec![Change::RemoveToken(id), Change::PutToken(over)]).await.expect("written");
    store.close().await;
    scene.program = Program::start(scene.dir.path(), &[("LOCKSTEP_ACCESS", "accounts")]);
    let push = async |token: &Made| {
        answer(with(&scene, Method::POST, "/api/v2/write", token).body("cpu value=1")).await.0
    };
    assert_eq!((push(&token).await, push(&kept).await), (401, 204));
    let (_, own) = scene.get("/api/v1/me/tokens", &ada).await;
    assert_eq!(own.as_array().map(Vec::len), Some(2), "its owner sees why it stopped");
}
