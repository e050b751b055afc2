//! Lists of all sessions, tokens and share links, and what admins end and revoke by them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::{PASSWORD, Person, Scene, cookie_of};

/// The entries of one part of a list.
async fn entries(scene: &Scene, path: &str) -> Vec<Value> {
    let (status, list) = scene.get(path, &scene.admin).await;
    assert_eq!(status, 200, "{path}: {list}");
    list["entries"].as_array().expect("entries").clone()
}

async fn status(scene: &Scene, method: Method, path: &str, who: &Person) -> u16 {
    scene.send(method, path, Some(who), None).await.0
}

#[tokio::test]
async fn a5_an_admin_finds_sessions_of_all_and_ends_one() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let grace = scene.invite("grace", &team, "editor").await;
    scene.invite("bob", &team, "viewer").await;
    let again = Person { cookie: cookie_of(&scene.sign_in(&grace.email, PASSWORD).await), ..grace.clone() };
    let all = entries(&scene, "/api/v1/admin/sessions").await;
    assert_eq!(all.len(), 4);
    let own: Vec<&Value> = all.iter().filter(|one| one["is_this"] == true).collect();
    assert_eq!((own.len(), &own[0]["person"]["name"]), (1, &json!("Admin")));
    assert!(all.is_sorted_by_key(|one| std::cmp::Reverse(one["made_at"].as_u64())), "the newest first");
    let found = entries(&scene, "/api/v1/admin/sessions?search=GRACE%40").await;
    assert_eq!(found.len(), 2, "by the mail address, without regard to case");
    assert!(
        found.iter().all(|one| one["address"] == "127.0.0.1" && one["person"]["id"] == grace.id.as_str())
    );
    let token = again.cookie.split_once('=').expect("a pair").1;
    assert!(!Value::from(all).to_string().contains(token), "no cookie is told");

    let mut socket = scene.socket(&again, "again").await;
    let newest = found[0]["id"].as_str().expect("an id");
    let path = format!("/api/v1/admin/sessions/{newest}");
    assert_eq!(status(&scene, Method::DELETE, &path, &grace).await, 403, "she is no admin");
    assert_eq!(status(&scene, Method::DELETE, &path, &scene.admin).await, 204);
    assert_eq!(socket.closed().await, 4401);
    assert_eq!(status(&scene, Method::GET, "/api/v1/me", &again).await, 401);
    assert_eq!(status(&scene, Method::GET, "/api/v1/me", &grace).await, 200, "her other one goes on");
    assert_eq!(status(&scene, Method::DELETE, &path, &scene.admin).await, 404, "it is over already");
    assert_eq!(status(&scene, Method::DELETE, "/api/v1/admin/sessions/nothing", &scene.admin).await, 404);
    let log = entries(&scene, "/api/v1/audit?what=session_ended").await;
    assert_eq!((log.len(), &log[0]["about"]["name"]), (1, &json!("grace")));
    assert_eq!(log[0]["who"]["name"], "Admin");
}

#[tokio::test]
async fn a10_an_admin_finds_links_of_all_dashboards_and_revokes_one() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let owner = scene.invite("owner", &team, "editor").await;
    let orders = scene.make_dashboard(&owner, "Orders of the day").await;
    let wall = scene.make_dashboard(&owner, "Wall").await;
    let hall = scene.visit(&owner, &orders, json!({"role": "viewer", "label": "Hall"})).await;
    scene.link(&owner, &wall, json!({"role": "editor"})).await;
    let all = entries(&scene, "/api/v1/admin/links").await;
    assert_eq!(all.len(), 2);
    for search in ["ORDERS", "hall"] {
        let found = entries(&scene, &format!("/api/v1/admin/links?search={search}")).await;
        assert_eq!(found.len(), 1, "{search}");
        let one = &found[0];
        assert_eq!((&one["title"], &one["label"]), (&json!("Orders of the day"), &json!("Hall")));
        assert_eq!((&one["dashboard"], &one["role"]), (&json!(orders), &json!("viewer")));
        assert!(one["used_at"].is_u64() && one["expires_at"].is_u64());
    }
    let of_wall = all.iter().find(|one| one["title"] == "Wall").expect("is there");
    assert_eq!(of_wall["used_at"], Value::Null, "nobody came by it");
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{orders}"), &scene.admin).await.0, 404, "titles alone");

    let mut socket = scene.socket(&hall, "hall").await;
    socket.send(json!({"type": "join", "dashboard": orders})).await;
    socket.expect("joined").await;
    let id = all.iter().find(|one| one["label"] == "Hall").expect("is there")["id"].as_str().expect("an id");
    let path = format!("/api/v1/admin/links/{id}");
    assert_eq!(status(&scene, Method::DELETE, &path, &owner).await, 403);
    assert_eq!(status(&scene, Method::DELETE, &path, &scene.admin).await, 204);
    assert_eq!(socket.closed().await, 4403);
    assert_eq!(status(&scene, Method::DELETE, &path, &scene.admin).await, 404);
    let log = scene.get(&format!("/api/v1/dashboards/{orders}/audit?what=link_revoked"), &owner).await.1;
    assert_eq!(log["entries"][0]["who"]["name"], "Admin", "its owner reads of it: {log}");
    assert_eq!(log["entries"][0]["detail"]["label"], "Hall");
}

#[tokio::test]
async fn s10_lists_come_in_parts_and_odd_questions_are_refused() {
    let scene = Scene::start().await;
    for n in 0..51 {
        let wish = json!({"name": format!("Robot {n}"), "scopes": ["metrics"]});
        let (made, _) = scene.send(Method::POST, "/api/v1/me/tokens", Some(&scene.admin), Some(wish)).await;
        assert_eq!(made, 201);
    }
    let (_, first) = scene.get("/api/v1/admin/tokens", &scene.admin).await;
    assert_eq!((first["entries"].as_array().map(Vec::len), &first["total"]), (Some(50), &json!(51)));
    let after = first["next"].as_str().expect("more");
    let (_, rest) = scene.get(&format!("/api/v1/admin/tokens?after={after}"), &scene.admin).await;
    assert_eq!((rest["entries"].as_array().map(Vec::len), &rest["next"]), (Some(1), &Value::Null));
    let last = rest["entries"][0]["id"].as_str().expect("an id");
    assert!(!first.to_string().contains(last), "each is in one part");
    let (_, found) = scene.get("/api/v1/admin/tokens?search=robot+50", &scene.admin).await;
    assert_eq!(found["total"], 1);
    for list in ["sessions", "tokens", "links"] {
        let long = "x".repeat(255);
        for query in ["after=nothing", "after=5.", &format!("search={long}")] {
            let (status, why) = scene.get(&format!("/api/v1/admin/{list}?{query}"), &scene.admin).await;
            assert_eq!((status, &why["code"]), (400, &json!("invalid")), "{list} {query}");
        }
    }
}

#[tokio::test]
async fn a13_owners_have_a_page_of_what_was_done_to_their_dashboard() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let owner = scene.invite("owner", &team, "editor").await;
    let editor = scene.invite("editor", &team, "editor").await;
    let orders = scene.make_dashboard(&owner, "Orders").await;
    let grant = json!({"grants": [{"to": {"account": editor.id}, "role": "editor"}]});
    scene.share(&owner, &orders, grant).await;
    let (page, stream) = (format!("/d/{orders}/audit"), format!("/api/v1/dashboards/{orders}/audit.ndjson"));
    let asked = scene.request(Method::GET, &page, Some(&owner)).send().await.expect("an answer");
    assert_eq!(asked.status(), StatusCode::OK);
    let text = asked.text().await.expect("a page");
    assert!(text.contains("Audit log of “Orders”") && text.contains("gave editor the role editor on Orders"));
    assert!(text.contains(&stream) && !text.contains("signed in"), "of this dashboard alone");
    for path in [&page, &stream] {
        assert_eq!(status(&scene, Method::GET, path, &editor).await, 403);
        assert_eq!(status(&scene, Method::GET, path, &scene.admin).await, 404);
    }
    let lines = scene.request(Method::GET, &stream, Some(&owner)).send().await.expect("an answer");
    let lines = lines.text().await.expect("a body");
    assert!(lines.lines().count() >= 3 && lines.lines().all(|line| line.contains(&orders)), "{lines}");
    assert_eq!(status(&scene, Method::DELETE, &format!("/api/v1/dashboards/{orders}"), &owner).await, 204);
    assert_eq!(status(&scene, Method::GET, &page, &owner).await, 200, "also from the bin");
}
