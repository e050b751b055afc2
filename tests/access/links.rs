//! Share links: who comes in by one, what they see, and what ends it.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::{Person, Scene, comparable, cookie_of};
use crate::support::Client;

/// The longest that somebody who is out stays.
const AT_ONCE: Duration = Duration::from_secs(1);

fn visitor(cookie: String) -> Person {
    Person { id: String::new(), email: String::new(), cookie }
}

async fn joined(scene: &Scene, who: &Person, secret: &str, dashboard: &str) -> (Client, Value) {
    let mut socket = scene.socket(who, secret).await;
    socket.send(json!({"type": "join", "dashboard": dashboard})).await;
    let frame = socket.expect("joined").await;
    (socket, frame)
}

#[tokio::test]
async fn a10_a_view_link_opens_one_dashboard_and_nothing_else() {
    let scene = Scene::start().await;
    let wall = scene.make_dashboard(&scene.admin, "Wall").await;
    let other = scene.make_dashboard(&scene.admin, "Other").await;
    let (id, address) =
        scene.link(&scene.admin, &wall, json!({"role": "viewer", "label": "For the wall"})).await;
    assert_eq!(address.len(), "/s/".len() + 24, "144 bits");
    let opened = scene.request(Method::GET, &address, None).send().await.expect("an answer");
    assert_eq!(opened.status(), StatusCode::SEE_OTHER);
    let says = |name: &str| opened.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(says("location"), format!("/d/{wall}"));
    assert_eq!(
        (says("referrer-policy"), says("x-robots-tag")),
        ("no-referrer".to_owned(), "noindex".to_owned())
    );
    assert_eq!(says("cache-control"), "no-store");
    let cookie = says("set-cookie");
    assert!(cookie.starts_with("lockstep_link=") && cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    let guest = visitor(cookie_of(&opened));

    let page =
        scene.request(Method::GET, &format!("/d/{wall}"), Some(&guest)).send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.expect("a page");
    assert!(page.contains("(guest)") && !page.contains("share-open") && !page.contains("admin@example.com"));
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{wall}"), &guest).await.0, 200);
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{other}"), &guest).await.0, 404);
    for path in ["/", "/bin", "/status", "/account", "/admin", &format!("/nowhere-{other}")] {
        let answer = scene.request(Method::GET, path, Some(&guest)).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
    }
    for path in [
        "/api/v1/dashboards",
        "/api/v1/dashboards/list",
        "/api/v1/bin",
        "/api/v1/me",
        "/api/v1/series",
        "/api/v1/sources",
        "/api/v1/status",
        "/metrics",
        &format!("/api/v1/dashboards/{wall}/access"),
        &format!("/api/v1/dashboards/{wall}/export"),
    ] {
        assert_eq!(scene.get(path, &guest).await.0, 401, "{path}");
    }
    let copy = json!({"title": "Mine", "copy_of": wall});
    assert_eq!(scene.send(Method::POST, "/api/v1/dashboards", Some(&guest), Some(copy)).await.0, 401);

    for (wish, name) in [("Zoë", "Zoë (guest)"), ("Zoë (guest)", "Zoë (guest)")] {
        let (status, me) =
            scene.send(Method::PUT, "/api/v1/me", Some(&guest), Some(json!({"name": wish}))).await;
        assert_eq!((status, me["name"].as_str()), (200, Some(name)));
    }
    let posed = json!({"name": "Zoë (Guest)"});
    assert_eq!(scene.send(Method::PUT, "/api/v1/me", Some(&scene.admin), Some(posed)).await.0, 400);

    let (_, frame) = joined(&scene, &guest, "guest-1", &wall).await;
    assert_eq!(frame["role"], "viewer");
    let mut socket = scene.socket(&guest, "guest-2").await;
    socket.send(json!({"type": "join", "dashboard": other})).await;
    assert_eq!(socket.expect("error").await["code"], "not_found");

    let (_, sharing) = scene.get(&format!("/api/v1/dashboards/{wall}/access"), &scene.admin).await;
    let card = &sharing["links"][0];
    assert_eq!((card["id"].as_str(), card["label"].as_str()), (Some(&*id), Some("For the wall")));
    assert!(!sharing.to_string().contains(&address["/s/".len()..]), "shown once");
}

#[tokio::test]
async fn a10_an_edit_link_edits_and_changes_what_is_asked_only_where_it_says_so() {
    let scene = Scene::start().await;
    let wall = scene.make_dashboard(&scene.admin, "Wall").await;
    let ops = json!([
        {"op": "set_dashboard", "field": "title", "value": "By a guest"},
        {"op": "set_dashboard", "field": "variable.host", "value": {"values_of": {"source": "", "label": "host"}}},
        {"op": "add_widget", "id": "w1", "widget": {
            "kind": "stat", "title": "A", "frame": {"x": 0, "y": 0, "w": 6, "h": 4}, "options": {"query": "secret"},
        }},
    ]);
    for (wish, refused) in [(json!({"role": "editor"}), 2), (json!({"role": "editor", "query": true}), 0)] {
        let guest = scene.visit(&scene.admin, &wall, wish.clone()).await;
        let (mut socket, frame) = joined(&scene, &guest, &format!("guest-{refused}"), &wall).await;
        assert_eq!(frame["role"], "editor");
        let changes = json!([{"seq": 1, "base": frame["revision"], "ops": ops}]);
        socket.send(json!({"type": "push", "dashboard": wall, "changes": changes})).await;
        let commit = socket.expect("commits").await["commits"][0].clone();
        let turned_down = commit["refused"].as_array().cloned().unwrap_or_default();
        assert_eq!(turned_down.len(), refused, "{wish}: {commit}");
        assert!(turned_down.iter().all(|one| one["reason"].as_str().expect("text").starts_with("Forbidden")));
        assert!(commit["by"]["name"].as_str().expect("a name").ends_with(" (guest)"), "{commit}");
        for path in ["/api/v1/series", "/api/v1/sources"] {
            assert_eq!(scene.get(path, &guest).await.0, 401);
        }
    }
    for wish in [
        json!({"role": "owner"}),
        json!({"role": "viewer", "query": true}),
        json!({"role": "viewer", "days": 0}),
        json!({"role": "viewer", "days": 366}),
        json!({"role": "viewer", "password": "password12"}),
        json!({"role": "viewer", "label": "x".repeat(81)}),
    ] {
        let path = format!("/api/v1/dashboards/{wall}/links");
        assert_eq!(
            scene.send(Method::POST, &path, Some(&scene.admin), Some(wish.clone())).await.0,
            400,
            "{wish}"
        );
    }
}

#[tokio::test]
async fn a10_a_link_asks_for_a_password_and_a_name() {
    const SECRET: &str = "copper-harbor-19-violin";
    let scene = Scene::start().await;
    let wall = scene.make_dashboard(&scene.admin, "Wall").await;
    let wish = json!({"role": "viewer", "password": SECRET, "name_required": true});
    let (_, address) = scene.link(&scene.admin, &wall, wish).await;
    let form = scene.request(Method::GET, &address, None).send().await.expect("an answer");
    assert_eq!((form.status(), form.headers().get("set-cookie")), (StatusCode::OK, None));
    assert_eq!(form.headers()["x-robots-tag"], "noindex");
    assert!(form.text().await.expect("a page").contains("name=\"password\""));
    let open = async |name: &str, password: &str| {
        let form = [("name", name), ("password", password)];
        scene.request(Method::POST, &address, None).form(&form).send().await.expect("an answer")
    };
    assert_eq!(open("Zoë", "wrong").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(open("", SECRET).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(open("Mallory [guest]", SECRET).await.status(), StatusCode::BAD_REQUEST);
    let opened = open("Zoë", SECRET).await;
    assert_eq!(opened.status(), StatusCode::SEE_OTHER);
    let guest = visitor(cookie_of(&opened));
    let (mut socket, _) = joined(&scene, &guest, "guest", &wall).await;
    socket.send(json!({"type": "ping", "id": 1})).await;
    // Who came by it before is not asked again.
    let again = scene.request(Method::GET, &address, Some(&guest)).send().await.expect("an answer");
    assert_eq!((again.status(), again.headers().get("set-cookie")), (StatusCode::SEE_OTHER, None));
    for _ in 0..4 {
        assert_eq!(open("Zoë", "wrong").await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(open("Zoë", "wrong").await.status(), StatusCode::UNAUTHORIZED);
    let waits = open("Zoë", SECRET).await;
    assert_eq!(waits.status(), StatusCode::TOO_MANY_REQUESTS, "not even looked at");
}

#[tokio::test]
async fn a10_a_link_that_was_revoked_ends_its_sockets_and_looks_like_none() {
    let scene = Scene::start().await;
    let wall = scene.make_dashboard(&scene.admin, "Wall").await;
    let (id, address) = scene.link(&scene.admin, &wall, json!({"role": "editor"})).await;
    let opened = scene.request(Method::GET, &address, None).send().await.expect("an answer");
    let guest = visitor(cookie_of(&opened));
    let (mut socket, _) = joined(&scene, &guest, "guest", &wall).await;
    let stays = scene.visit(&scene.admin, &wall, json!({"role": "viewer"})).await;
    let (_other, _) = joined(&scene, &stays, "stays", &wall).await;
    let path = format!("/api/v1/dashboards/{wall}/links/{id}");
    assert_eq!(scene.send(Method::DELETE, &path, Some(&scene.admin), None).await.0, 204);
    let begun = Instant::now();
    assert_eq!(socket.closed().await, 4403);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{wall}"), &guest).await.0, 401);
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{wall}"), &stays).await.0, 200);
    assert_eq!(scene.send(Method::DELETE, &path, Some(&scene.admin), None).await.0, 404);
    let mut pages = Vec::new();
    for address in [address, format!("/s/{}", "A".repeat(24)), "/s/x".to_owned()] {
        let answer = scene.request(Method::GET, &address, None).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        let page = answer.text().await.expect("a page");
        pages.push(comparable(&page, &address));
    }
    assert!(pages[0] == pages[1] && pages[1] == pages[2]);
}

#[tokio::test]
async fn a10_somebody_with_an_account_goes_on_with_the_higher_role() {
    let scene = Scene::start().await;
    let team = scene.make_team("Nothing of its own").await;
    let bob = scene.invite("bob", &team, "editor").await;
    let wall = scene.make_dashboard(&scene.admin, "Wall").await;
    let read = format!("/api/v1/dashboards/{wall}");
    assert_eq!(scene.get(&read, &bob).await.0, 404);
    let (id, address) = scene.link(&scene.admin, &wall, json!({"role": "editor"})).await;
    let opened = scene.request(Method::GET, &address, Some(&bob)).send().await.expect("an answer");
    assert_eq!((opened.status(), opened.headers().get("set-cookie")), (StatusCode::SEE_OTHER, None));
    assert_eq!(scene.get(&read, &bob).await.0, 200);
    let (mut socket, frame) = joined(&scene, &bob, "bob", &wall).await;
    assert_eq!(frame["role"], "editor");
    // It opens no more to him than to anybody.
    assert_eq!(scene.get(&format!("{read}/export"), &bob).await.0, 404);
    let copy = json!({"title": "Mine", "copy_of": wall});
    assert_eq!(scene.send(Method::POST, "/api/v1/dashboards", Some(&bob), Some(copy)).await.0, 404);
    let path = format!("{read}/links/{id}");
    assert_eq!(scene.send(Method::DELETE, &path, Some(&scene.admin), None).await.0, 204);
    assert_eq!(socket.expect("error").await["code"], "forbidden");
    assert_eq!(scene.get(&read, &bob).await.0, 404);
}
