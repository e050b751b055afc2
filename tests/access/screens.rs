//! Screens: how one is paired, what it sees, and what ends it.

use std::time::{Duration, Instant};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::scene::{Person, Scene, client, code_of, cookie_of};
use crate::support::program::Program;

/// The longest that a screen stays that was revoked.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A team with an editor, and dashboards that it owns.
struct Hall {
    scene: Scene,
    team: String,
    ada: Person,
    wall: String,
    stock: String,
}

impl Hall {
    async fn new() -> Self {
        let scene = Scene::start().await;
        let team = scene.make_team("Hall").await;
        let ada = scene.invite("ada", &team, "editor").await;
        let make = async |title: &str| {
            let id = scene.make_dashboard(&ada, title).await;
            scene.share(&ada, &id, json!({"team": {"team": team}})).await;
            id
        };
        let (wall, stock) = (make("Wall").await, make("Stock").await);
        Self { scene, team, ada, wall, stock }
    }

    async fn page(&self, path: &str, who: Option<&Person>) -> Response {
        self.scene.request(Method::GET, path, who).send().await.expect("an answer")
    }

    /// Where a page leads; `None` where it is there.
    async fn leads(&self, path: &str, who: &Person) -> Option<String> {
        let page = self.page(path, Some(who)).await;
        Some(page.headers().get("location")?.to_str().expect("text").to_owned())
    }

    async fn change(&self, screen: &str, change: Value) -> Value {
        let path = format!("/api/v1/screens/{screen}");
        let (status, card) = self.scene.send(Method::PUT, &path, Some(&self.ada), Some(change)).await;
        assert_eq!(status, 200, "{card}");
        card
    }

    /// What a screen is to show, once it is not what it was.
    async fn news(&self, screen: &Person, before: &Value) -> Value {
        let path = format!("/api/v1/screen?after={}", before["revision"]);
        let (status, news) = self.scene.get(&path, screen).await;
        assert_eq!(status, 200, "{news}");
        assert_ne!(news["revision"], before["revision"]);
        news
    }
}

fn set_cookie(page: &Response) -> Option<&str> {
    Some(page.headers().get("set-cookie")?.to_str().expect("text"))
}

#[tokio::test]
async fn a_screen_is_paired_by_its_code_and_sees_its_dashboards_alone() {
    let hall = Hall::new().await;
    let Hall { scene, team, ada, wall, stock } = &hall;
    let waits = hall.page("/screen", None).await;
    assert_eq!(waits.status(), StatusCode::OK);
    let cookie = set_cookie(&waits).expect("a cookie").to_owned();
    assert!(cookie.starts_with("lockstep_screen=") && cookie.contains("Max-Age=600; HttpOnly"), "{cookie}");
    let screen = Person { id: String::new(), email: String::new(), cookie: cookie_of(&waits) };
    let code = code_of(&waits.text().await.expect("a page"));
    let again = hall.page("/screen", Some(&screen)).await;
    assert_eq!(set_cookie(&again), None);
    let again = again.text().await.expect("a page");
    assert!(again.contains("http-equiv=\"refresh\""));
    assert_eq!(code_of(&again), code, "the same until somebody types it");
    assert_eq!(hall.leads(&format!("/d/{wall}"), &screen).await.as_deref(), Some("/screen"), "not yet");

    let pair = async |who: &Person, code: &str| {
        let new = json!({
            "code": code, "name": "Hall 2", "team": team, "dashboards": [wall, stock], "rotate_s": 30,
        });
        scene.send(Method::POST, "/api/v1/screens", Some(who), Some(new)).await
    };
    let find = async |who: &Person, code: &str| {
        scene.send(Method::POST, "/api/v1/pairings/find", Some(who), Some(json!({ "code": code }))).await
    };
    let (status, device) = find(ada, &code).await;
    assert_eq!((status, &device["address"]), (200, &"127.0.0.1".into()), "{device}");
    assert!(device["asked_at"].is_u64() && device["agent"].is_string(), "{device}");
    let wrong = if code == "BBBBBB" { "CCCCCC" } else { "BBBBBB" };
    assert_eq!((find(ada, wrong).await.0, pair(ada, wrong).await.0), (404, 404));
    let stranger = scene.invite("eve", &scene.make_team("Nobody's").await, "viewer").await;
    assert_eq!(find(&stranger, &code).await.0, 403, "who pairs none");
    assert_eq!(pair(&scene.invite("bob", team, "viewer").await, &code).await.0, 403);
    let typed = format!("{} {}", &code[..3], &code[3..]).to_lowercase();
    let (status, card) = pair(ada, &typed).await;
    assert_eq!(status, 201, "{card}");
    assert_eq!(card["dashboards"], json!([{"id": wall, "title": "Wall"}, {"id": stock, "title": "Stock"}]));
    assert_eq!(
        (&card["name"], &card["team_name"], &card["rotate_s"]),
        (&"Hall 2".into(), &"Hall".into(), &30.into())
    );
    assert_eq!((&card["made_by"], &card["address"]), (&"ada".into(), &"127.0.0.1".into()));
    assert!(card["made_at"].as_u64() > Some(0), "{card}");
    assert_eq!((pair(ada, &code).await.0, find(ada, &code).await.0), (404, 404), "once");

    let shows = hall.page("/screen", Some(&screen)).await;
    assert_eq!(shows.headers()["location"], format!("/d/{wall}").as_str());
    assert!(
        set_cookie(&shows).expect("a cookie").contains("Max-Age=34560000"),
        "as long as browsers keep one"
    );
    let other = scene.make_dashboard(ada, "Other").await;
    let page = hall.page(&format!("/d/{stock}"), Some(&screen)).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(
        set_cookie(&page).map(|cookie| cookie.split(';').next()),
        Some(Some(&*screen.cookie)),
        "renewed"
    );
    assert!(page.text().await.expect("a page").contains("\"is_screen\":true"));
    for path in ["/", "/bin", "/status", "/account", "/admin", "/nowhere", &format!("/d/{other}")] {
        assert_eq!(hall.leads(path, &screen).await.as_deref(), Some("/screen"), "{path}");
    }
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{wall}"), &screen).await.0, 200);
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{other}"), &screen).await.0, 404);
    for path in [
        "/api/v1/dashboards",
        "/api/v1/screens",
        "/api/v1/me",
        "/api/v1/series",
        "/api/v1/status",
        "/metrics",
    ] {
        assert_eq!(scene.get(path, &screen).await.0, 401, "{path}");
    }
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{wall}/export"), &screen).await.0, 401);
    let (_, log) = scene.get("/api/v1/audit?what=screen_paired", &scene.admin).await;
    assert_eq!(log["entries"][0]["about"], json!({"kind": "screen", "id": card["id"], "name": "Hall 2"}));
    assert_eq!(log["entries"][0]["detail"]["to"]["name"], "Hall");
}

#[tokio::test]
async fn a_screen_watches_and_is_nobody_whom_people_see() {
    let hall = Hall::new().await;
    let Hall { scene, team, ada, wall, .. } = &hall;
    let (id, screen) = scene.screen(ada, team, &[wall]).await;
    let mut watches = scene.socket(&screen, "screen").await;
    let joined = watches.join(wall).await;
    assert_eq!((&joined["role"], &joined["peers"]), (&"viewer".into(), &json!({})));
    let mut edits = scene.socket(ada, "ada").await;
    let peers = edits.join(wall).await["peers"].as_object().expect("peers").clone();
    assert!(peers.values().all(|peer| peer["user"]["name"] == "ada"), "{peers:?}");
    let (_, list) = scene.get("/api/v1/dashboards/list", ada).await;
    let card = list["dashboards"].as_array().expect("cards").iter().find(|card| card["id"] == **wall);
    assert_eq!(card.expect("listed")["here"].as_array().map(Vec::len), Some(1), "{card:?}");
    let (_, screens) = scene.get("/api/v1/screens", ada).await;
    assert_eq!((&screens[0]["id"], &screens[0]["is_on"]), (&id.into(), &true.into()));

    let title = |title: &str| json!([{"op": "set_dashboard", "field": "title", "value": title}]);
    let push = |ops: Value| {
        let changes = json!([{"seq": 1, "base": joined["revision"], "ops": ops}]);
        json!({"type": "push", "dashboard": wall, "changes": changes})
    };
    watches.send(push(title("By a screen"))).await;
    assert_eq!(watches.expect("rejected").await["code"], "forbidden");
    watches.send(json!({"type": "presence", "dashboard": wall, "presence": {"away": true}})).await;
    assert_eq!(watches.expect("error").await["code"], "forbidden");
    edits.send(push(title("By Ada"))).await;
    let commit = watches.expect("commits").await["commits"][0].clone();
    assert_eq!(commit["by"]["name"], "ada", "it sees what people do");
    watches.send(json!({"type": "join", "dashboard": scene.make_dashboard(ada, "Other").await})).await;
    assert_eq!(watches.expect("error").await["code"], "not_found");
}

#[tokio::test]
async fn a_screen_hears_at_once_what_it_is_to_show() {
    let hall = Hall::new().await;
    let Hall { scene, team, ada, wall, stock } = &hall;
    let (id, screen) = scene.screen(ada, team, &[wall]).await;
    let mut socket = scene.socket(&screen, "screen").await;
    socket.join(wall).await;
    let (status, first) = scene.get("/api/v1/screen", &screen).await;
    assert_eq!((status, &first["dashboards"]), (200, &json!([wall])));
    let elsewhere = json!({"dashboards": [stock], "rotate_s": 5});
    let (news, card) = tokio::join!(hall.news(&screen, &first), hall.change(&id, elsewhere));
    assert_eq!((&news["dashboards"], &news["rotate_s"]), (&json!([stock]), &5.into()));
    assert_eq!(card["dashboards"][0]["title"], "Stock");
    assert_eq!(socket.expect("error").await["code"], "forbidden", "it is out of the other one");
    assert_eq!(hall.leads(&format!("/d/{wall}"), &screen).await.as_deref(), Some("/screen"));

    let path = format!("/api/v1/dashboards/{stock}");
    let (empty, (deleted, _)) =
        tokio::join!(hall.news(&screen, &news), scene.send(Method::DELETE, &path, Some(ada), None));
    assert_eq!((deleted, &empty["dashboards"]), (204, &json!([])));
    let nothing = hall.page("/screen", Some(&screen)).await;
    assert_eq!(
        (nothing.status(), &nothing.headers()["refresh"]),
        (StatusCode::NOT_FOUND, &"10".parse().expect("text"))
    );
    assert_eq!(hall.leads(&format!("/d/{stock}"), &screen).await.as_deref(), Some("/screen"));
    let restore = format!("/api/v1/bin/{stock}/restore");
    let (back, _) =
        tokio::join!(hall.news(&screen, &empty), scene.send(Method::POST, &restore, Some(ada), None));
    assert_eq!(back, news);
    let moves = scene.share(ada, stock, json!({"team": "nobody"}));
    let (left, _) = tokio::join!(hall.news(&screen, &back), moves);
    assert_eq!(left, empty);

    let body = json!({"dashboards": [stock]});
    let path = format!("/api/v1/screens/{id}");
    assert_eq!(scene.send(Method::PUT, &path, Some(ada), Some(body)).await.0, 200, "what it has may stay");
    let other = scene.make_dashboard(ada, "Other").await;
    let body = json!({"dashboards": [other]});
    assert_eq!(scene.send(Method::PUT, &path, Some(ada), Some(body)).await.0, 400, "not the team's");
    let stranger = scene.invite("eve", &scene.make_team("Elsewhere").await, "editor").await;
    let body = json!({"name": "Mine"});
    assert_eq!(scene.send(Method::PUT, &path, Some(&stranger), Some(body)).await.0, 404);
    assert_eq!(scene.get("/api/v1/screens", &stranger).await.1, json!([]));
}

#[tokio::test]
async fn a_revoked_screen_is_out_at_once_and_shows_a_new_code() {
    let hall = Hall::new().await;
    let Hall { scene, team, ada, wall, .. } = &hall;
    let (id, screen) = scene.screen(ada, team, &[wall]).await;
    let mut socket = scene.socket(&screen, "screen").await;
    socket.join(wall).await;
    let (_, first) = scene.get("/api/v1/screen", &screen).await;
    let polls = format!("/api/v1/screen?after={}", first["revision"]);
    let path = format!("/api/v1/screens/{id}");
    let revokes = async {
        let (status, _) = scene.send(Method::DELETE, &path, Some(ada), None).await;
        (status, Instant::now())
    };
    let ((polled, why), (revoked, begun), closed) =
        tokio::join!(scene.get(&polls, &screen), revokes, socket.closed());
    assert_eq!((polled, &why["code"], revoked, closed), (403, &"forbidden".into(), 204, 4403));
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert_eq!(scene.get("/api/v1/screen", &screen).await.0, 403);
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{wall}"), &screen).await.0, 401);
    for path in ["/", &format!("/d/{wall}")] {
        assert_eq!(hall.leads(path, &screen).await.as_deref(), Some("/screen"), "{path}");
    }
    // Somebody who signs in there goes on as themself.
    let both = Person { cookie: format!("{}; {}", ada.cookie, screen.cookie), ..ada.clone() };
    assert_eq!(hall.leads("/", &both).await, None);
    let waits = hall.page("/screen", Some(&screen)).await;
    assert_eq!(waits.status(), StatusCode::OK);
    assert_ne!(cookie_of(&waits), screen.cookie);
    code_of(&waits.text().await.expect("a page"));
    assert_eq!(scene.send(Method::DELETE, &path, Some(ada), None).await.0, 404);
}

#[tokio::test]
async fn a_stopping_server_answers_a_screen_that_waits() {
    let hall = Hall::new().await;
    let Hall { scene, team, ada, wall, .. } = &hall;
    let (_, screen) = scene.screen(ada, team, &[wall]).await;
    let (_, first) = scene.get("/api/v1/screen", &screen).await;
    let polls = format!("/api/v1/screen?after={}", first["revision"]);
    let stops = async {
        // It counts as on for as long as it waits.
        while scene.get("/api/v1/screens", ada).await.1[0]["is_on"] != true {}
        scene.program.signal("TERM");
        Instant::now()
    };
    let (answer, begun) = tokio::join!(scene.get(&polls, &screen), stops);
    assert_eq!(answer, (200, first));
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn where_nobody_signs_in_there_are_no_screens() {
    let dir = tempfile::tempdir().expect("a directory");
    let open = Program::start(dir.path(), &[]);
    let page = client().get(format!("http://{}/screen", open.addr)).send().await.expect("an answer");
    assert_eq!(
        (page.status(), &page.headers()["location"]),
        (StatusCode::SEE_OTHER, &"/".parse().expect("text"))
    );
    for path in ["/api/v1/screen", "/api/v1/screens"] {
        assert_eq!(open.get_json(path).await.0, 404);
    }
}
