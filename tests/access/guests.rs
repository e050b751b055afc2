//! Guest mode, and how many sockets people and guests hold.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::scene::{Person, Scene, cookie_of};
use crate::support::{Client as Socket, PATIENCE};

/// A guest's browser, known by the cookie of its first page.
async fn guest(scene: &Scene) -> Person {
    let page = scene.request(Method::GET, "/", None).send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK);
    let cookie = cookie_of(&page);
    let page = page.text().await.expect("a page");
    assert!(page.contains("sign-in-link") && !page.contains("href=\"/status\""), "{page:.2000}");
    Person { id: String::new(), email: String::new(), cookie }
}

/// A dashboard of everyone, and one that is the admin's alone.
async fn dashboards(scene: &Scene) -> [String; 2] {
    let shared = scene.make_dashboard(&scene.admin, "Shared").await;
    scene.share(&scene.admin, &shared, json!({"team": {"team": "everyone"}})).await;
    [shared, scene.make_dashboard(&scene.admin, "Private").await]
}

#[tokio::test]
async fn a14_whoever_asks_which_names_accounts_have_waits() {
    let scene = Scene::start_with(&[("LOCKSTEP_GUESTS", "view")]).await;
    let rename = async |name: &str| {
        let named = scene.request(Method::PUT, "/api/v1/me", None).json(&json!({ "name": name }));
        named.send().await.expect("an answer").status().as_u16()
    };
    for _ in 0..19 {
        assert_eq!((rename("admin").await, rename("Zoë").await), (409, 200));
    }
    assert_eq!(rename("Admin").await, 409, "the last of a minute");
    assert_eq!((rename("Admin").await, rename("Zoë").await), (429, 429), "neither tells anything");
}

#[tokio::test]
async fn a12_guests_are_out_where_nothing_lets_them_in() {
    let scene = Scene::start().await;
    let page = scene.request(Method::GET, "/", None).send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::SEE_OTHER);
    assert_eq!(page.headers().get("set-cookie"), None);
}

#[tokio::test]
async fn a12_guests_edit_what_everyone_owns_under_a_name_that_says_so() {
    let scene = Scene::start_with(&[("LOCKSTEP_GUESTS", "edit")]).await;
    let [shared, private] = dashboards(&scene).await;
    let guest = guest(&scene).await;
    let (_, list) = scene.get("/api/v1/dashboards/list", &guest).await;
    let listed: Vec<&Value> = list["dashboards"].as_array().expect("dashboards").iter().collect();
    assert!(listed.iter().any(|one| one["id"] == *shared && one["role"] == "editor"), "{list}");
    assert!(listed.iter().all(|one| one["id"] != *private), "{list}");
    let (status, all) = scene.get("/api/v1/dashboards", &guest).await;
    assert!(status == 200 && !all.to_string().contains(&private), "{all}");
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{private}"), &guest).await.0, 404);
    for path in ["/api/v1/series", "/api/v1/sources", "/api/v1/status", "/api/v1/bin", "/api/v1/me"] {
        assert_eq!(scene.get(path, &guest).await.0, 401, "{path}");
    }
    let copy = json!({"title": "Mine", "copy_of": shared});
    assert_eq!(scene.send(Method::POST, "/api/v1/dashboards", Some(&guest), Some(copy)).await.0, 401);

    let rename = async |name: &str| {
        scene.send(Method::PUT, "/api/v1/me", Some(&guest), Some(json!({"name": name}))).await
    };
    for posed in ["admin", " ADMIN ", "Admin (guest)"] {
        assert_eq!(rename(posed).await.0, 409, "{posed}: it is an account's");
    }
    let (status, me) = rename("Zoë").await;
    assert_eq!((status, me["name"].as_str()), (200, Some("Zoë (guest)")));

    let mut socket = scene.socket(&guest, "guest").await;
    let joined = socket.join(&shared).await;
    assert_eq!(joined["role"], "editor");
    let ops = json!([
        {"op": "set_dashboard", "field": "title", "value": "By a guest"},
        {"op": "add_widget", "id": "w1", "widget": {
            "kind": "stat", "title": "A", "frame": {"x": 0, "y": 0, "w": 6, "h": 4}, "options": {"query": "secret"},
        }},
    ]);
    socket.push(&shared, json!([{"seq": 1, "base": joined["revision"], "ops": ops}])).await;
    let commit = socket.expect("commits").await["commits"][0].clone();
    assert!(commit["by"]["name"].as_str().expect("a name").ends_with(" (guest)"), "{commit}");
    assert_eq!(commit["refused"].as_array().map(Vec::len), Some(1), "guests ask nothing: {commit}");
    scene.share(&scene.admin, &shared, json!({"team": "nobody"})).await;
    assert_eq!(socket.expect_any("error").await["code"], "forbidden", "it is not everyone's any more");
}

#[tokio::test]
async fn a12_guests_who_only_look_change_nothing() {
    let scene = Scene::start_with(&[("LOCKSTEP_GUESTS", "view")]).await;
    let [shared, _] = dashboards(&scene).await;
    let guest = guest(&scene).await;
    let mut socket = scene.socket(&guest, "guest").await;
    assert_eq!(socket.join(&shared).await["role"], "viewer");
    let change =
        json!({"seq": 1, "base": 0, "ops": [{"op": "set_dashboard", "field": "title", "value": "Mine"}]});
    socket.push(&shared, json!([change])).await;
    assert_eq!(socket.expect("rejected").await["code"], "forbidden");
}

fn status(refused: Result<Socket, Error>) -> u16 {
    match refused {
        Err(Error::Http(answer)) => {
            assert!(answer.headers().contains_key("retry-after"));
            answer.status().as_u16()
        }
        Err(error) => panic!("{error}"),
        Ok(_) => 101,
    }
}

#[tokio::test]
async fn a14_people_and_guests_of_an_address_have_so_many_sockets() {
    let set = [
        ("LOCKSTEP_GUESTS", "view"),
        ("LOCKSTEP_LIMIT_SESSIONS_PER_PERSON", "2"),
        ("LOCKSTEP_LIMIT_GUEST_SESSIONS_PER_ADDRESS", "1"),
    ];
    let scene = Scene::start_with(&set).await;
    let team = scene.make_team("Shop").await;
    let bob = scene.invite("bob", &team, "viewer").await;
    let (first, second) = (guest(&scene).await, guest(&scene).await);
    for (full, holders) in [(&scene.admin, vec![&scene.admin, &scene.admin]), (&second, vec![&first])] {
        let mut held = Vec::new();
        for who in holders {
            held.push(scene.socket(who, &format!("tab-{}", held.len())).await);
        }
        assert_eq!(status(scene.connect(full).await), 429);
        assert_eq!(status(scene.connect(&bob).await), 101, "others have theirs");
        drop(held);
        let again = async {
            while status(scene.connect(full).await) != 101 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, again).await.expect("there is room when some have left");
    }
}
