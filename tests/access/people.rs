//! Invitations, new passwords, and what the list and the bin show to whom.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::{PASSWORD, Person, Scene, comparable, cookie_of};

async fn status(scene: &Scene, method: Method, path: &str, form: &[(&str, &str)]) -> (StatusCode, String) {
    let answer = scene.request(method, path, None).form(form).send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("a body"))
}

#[tokio::test]
async fn a9_an_invitation_is_used_as_often_as_it_says_and_then_is_as_none() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let invite = async |body: Value| {
        let made = scene.admin(Method::POST, "/api/v1/admin/invitations", body).await;
        made["address"].as_str().expect("an address").to_owned()
    };
    let once = invite(json!({"team": team, "role": "editor"})).await;
    let (found, page) = status(&scene, Method::GET, &once, &[]).await;
    assert!(found == StatusCode::OK && page.contains("Join Shop"), "{page}");
    let form = |email: &'static str| [("email", email), ("name", "Ada"), ("password", PASSWORD)];
    let weak = [("email", "ada@example.com"), ("name", "Ada"), ("password", "Ada12345678")];
    let (refused, page) = status(&scene, Method::POST, &once, &weak).await;
    assert!(refused == StatusCode::BAD_REQUEST && page.contains("ada@example.com"), "{page}");
    assert_eq!(status(&scene, Method::POST, &once, &form("ada@example.com")).await.0, StatusCode::SEE_OTHER);

    let revoked = invite(json!({"team": team, "role": "viewer", "uses": 3})).await;
    let listed = scene.get("/api/v1/admin/people", &scene.admin).await.1["invitations"].clone();
    assert_eq!(listed.as_array().expect("invitations").len(), 1, "the first is used up");
    assert_eq!((&listed[0]["uses_left"], &listed[0]["made_by"]), (&json!(3), &json!("Admin")));
    let id = listed[0]["id"].as_str().expect("an id");
    assert!(!revoked.contains(id), "what is listed opens nothing");
    scene.admin(Method::DELETE, &format!("/api/v1/admin/invitations/{id}"), Value::Null).await;
    let unknown = format!("/invitation/{}", "A".repeat(22));
    let mut pages = Vec::new();
    for path in [&once, &revoked, &unknown, &"/invitation/x".to_owned()] {
        let (found, page) = status(&scene, Method::GET, path, &[]).await;
        assert_eq!(found, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            status(&scene, Method::POST, path, &form("eve@example.com")).await.0,
            StatusCode::NOT_FOUND
        );
        pages.push(comparable(&page, path));
    }
    assert!(pages.windows(2).all(|two| two[0] == two[1]), "used, revoked, unknown and nonsense look alike");

    let bound =
        invite(json!({"team": team, "role": "viewer", "email": "Grace@example.com", "uses": 9})).await;
    let (made, _) = status(&scene, Method::POST, &bound, &form("eve@example.com")).await;
    assert_eq!(made, StatusCode::SEE_OTHER);
    let people = scene.get("/api/v1/admin/people", &scene.admin).await.1["accounts"].clone();
    let emails: Vec<&str> =
        people.as_array().expect("people").iter().filter_map(|one| one["person"]["email"].as_str()).collect();
    assert!(emails.contains(&"Grace@example.com") && !emails.contains(&"eve@example.com"), "{emails:?}");

    let taken = invite(json!({"team": team, "role": "viewer"})).await;
    let (refused, page) = status(&scene, Method::POST, &taken, &form("ADA@example.com")).await;
    assert!(refused == StatusCode::CONFLICT && page.contains("already"), "{page}");
    let ada = cookie_of(&scene.sign_in("ada@example.com", PASSWORD).await);
    let ada = Person { id: String::new(), email: String::new(), cookie: ada };
    let ops = scene.make_team("Ops").await;
    let other = invite(json!({"team": ops, "role": "owner"})).await;
    let joined = scene.request(Method::POST, &other, Some(&ada)).send().await.expect("an answer");
    assert_eq!(joined.status(), StatusCode::SEE_OTHER, "who has an account joins with it");
    let people = scene.get("/api/v1/admin/people", &scene.admin).await.1["accounts"].clone();
    let of_ada =
        people.as_array().expect("people").iter().find(|one| one["person"]["email"] == "ada@example.com");
    assert_eq!(of_ada.expect("is there")["teams"].as_array().expect("teams").len(), 2);
}

#[tokio::test]
async fn a_link_for_a_new_password_counts_once_and_ends_all_sessions() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let ada = scene.invite("ada", &team, "editor").await;
    let made =
        scene.admin(Method::POST, &format!("/api/v1/admin/people/{}/reset", ada.id), Value::Null).await;
    let address = made["address"].as_str().expect("an address");
    assert_eq!(status(&scene, Method::GET, address, &[]).await.0, StatusCode::OK);
    let (weak, _) = status(&scene, Method::POST, address, &[("password", "ada")]).await;
    assert_eq!(weak, StatusCode::BAD_REQUEST);
    let first = address.to_owned();
    let made =
        scene.admin(Method::POST, &format!("/api/v1/admin/people/{}/reset", ada.id), Value::Null).await;
    let address = made["address"].as_str().expect("an address");
    assert_eq!(status(&scene, Method::GET, &first, &[]).await.0, StatusCode::NOT_FOUND, "the newest alone");
    let mut socket = scene.socket(&ada, "ada").await;
    let new = [("password", "another-lantern-53-ochre")];
    assert_eq!(status(&scene, Method::POST, address, &new).await.0, StatusCode::SEE_OTHER);
    assert_eq!(socket.closed().await, 4401);
    assert_eq!(scene.get("/api/v1/me", &ada).await.0, 401);
    assert_eq!(scene.sign_in(&ada.email, PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(scene.sign_in(&ada.email, new[0].1).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(status(&scene, Method::POST, address, &new).await.0, StatusCode::NOT_FOUND, "once");
    let invitation = address.replace("/reset/", "/invitation/");
    assert_eq!(status(&scene, Method::GET, &invitation, &[]).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_new_dashboard_belongs_to_whoever_made_it_and_to_their_team() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let (ada, bob) = (scene.invite("ada", &team, "editor").await, scene.invite("bob", &team, "viewer").await);
    let make = async |who: &Person, title: &str| {
        let body = Some(json!({"title": title}));
        let (status, made) = scene.send(Method::POST, "/api/v1/dashboards", Some(who), body).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().expect("an id").to_owned()
    };
    let (of_ada, new) = (make(&ada, "Of Ada").await, json!({"title": "Of Bob"}));
    let (status, why) = scene.send(Method::POST, "/api/v1/dashboards", Some(&bob), Some(new)).await;
    assert_eq!(status, 403, "a key to all series would come with it: {why}");
    let role = async |who: &Person, id: &str| {
        let (_, list) = scene.get("/api/v1/dashboards/list?limit=100", who).await;
        let found =
            list["dashboards"].as_array().expect("dashboards").iter().find(|one| one["id"] == id).cloned();
        found.map(|one| one["role"].as_str().expect("a role").to_owned())
    };
    assert_eq!(role(&ada, &of_ada).await.as_deref(), Some("owner"));
    assert_eq!(role(&bob, &of_ada).await.as_deref(), Some("viewer"));

    let path = format!("/api/v1/dashboards/{of_ada}");
    assert_eq!(scene.send(Method::DELETE, &path, Some(&bob), None).await.0, 403);
    assert_eq!(scene.send(Method::DELETE, &path, Some(&ada), None).await.0, 204);
    assert_eq!(scene.get("/api/v1/bin", &ada).await.1["total"], 1);
    assert_eq!(scene.get("/api/v1/bin", &bob).await.1["total"], 0, "the bin shows what one may restore");
    let restore = format!("/api/v1/bin/{of_ada}/restore");
    assert_eq!(scene.send(Method::POST, &restore, Some(&bob), None).await.0, 403);
    assert_eq!(scene.send(Method::POST, &restore, Some(&ada), None).await.0, 200);
    assert_eq!(role(&ada, &of_ada).await.as_deref(), Some("owner"), "as before");
    assert_eq!(scene.send(Method::DELETE, &path, Some(&ada), None).await.0, 204);
    assert_eq!(scene.send(Method::DELETE, &format!("/api/v1/bin/{of_ada}"), Some(&ada), None).await.0, 204);
    assert_eq!(role(&ada, &of_ada).await, None);
}
