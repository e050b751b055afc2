//! Roles in open rooms, and sockets of those who are signed in no more.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::Got;

/// How soon whoever lost a right has lost what is open.
const SOON: Duration = Duration::from_secs(1);

async fn title(scene: &Scene, dashboard: &str) -> Value {
    scene.get(&format!("/api/v1/dashboards/{dashboard}"), &scene.admin).await.1["dashboard"]["title"].clone()
}

fn renamed(seq: u64, to: &str) -> Value {
    json!({"seq": seq, "base": 0, "ops": [{"op": "set_dashboard", "field": "title", "value": to}]})
}

#[tokio::test]
async fn a_role_that_falls_or_rises_counts_from_that_moment_on() {
    let scene = Scene::start().await;
    let team = scene.make_team("Watchers").await;
    let ada = scene.invite("ada", &team, "viewer").await;
    let dashboard = scene.make_dashboard(&scene.admin, "Of the admin").await;
    scene.grant(&dashboard, &ada, Some("editor")).await;
    let mut socket = scene.socket(&ada, "ada").await;
    assert_eq!(socket.join(&dashboard).await["role"], "editor");
    let mut watcher = scene.socket(&scene.admin, "watcher").await;
    watcher.join(&dashboard).await;
    let cursor = json!({"cursor": {"on": "canvas", "x": 0.5, "y": 0.5}});
    socket.send(json!({"type": "presence", "dashboard": dashboard, "presence": cursor})).await;

    for seq in 1..=50 {
        socket.push(&dashboard, json!([renamed(seq, &format!("Edit {seq}"))])).await;
        if seq == 1 {
            assert_eq!(socket.commits().await[0]["seq"], 1);
        }
    }
    scene.grant(&dashboard, &ada, Some("viewer")).await;
    // The answer is there, and so whatever comes from here on is too late.
    for seq in 51..=100 {
        socket.push(&dashboard, json!([renamed(seq, &format!("Edit {seq}"))])).await;
    }
    let (mut taken, mut refused, mut fell) = (1, 0, false);
    loop {
        match socket.got().await {
            Got::Frame(frame) => match frame["type"].as_str().expect("a type") {
                "commits" => {
                    let commits = frame["commits"].as_array().expect("commits");
                    assert!(!fell, "a commit after the role fell: {frame}");
                    taken = commits.last().expect("one")["seq"].as_u64().expect("a number");
                }
                "rejected" => {
                    assert!(
                        ["forbidden", "out_of_order"].contains(&frame["code"].as_str().expect("a code")),
                        "{frame}"
                    );
                    refused += 1;
                    if frame["seq"] == 100 {
                        break;
                    }
                }
                "role" => {
                    assert_eq!((&frame["role"], &frame["dashboard"]), (&json!("viewer"), &json!(dashboard)));
                    fell = true;
                }
                _ => {}
            },
            other => panic!("{other:?}"),
        }
    }
    assert!(fell && taken <= 50 && refused > 0, "{taken} taken, {refused} refused");
    assert_eq!(title(&scene, &dashboard).await, format!("Edit {taken}"));
    // Whoever only reads shows nothing of what they did.
    let gone = async {
        loop {
            let presence = watcher.expect_any("presence").await;
            let peers = presence["peers"].as_object().expect("peers").clone();
            let of_ada = peers.values().find(|peer| peer["user"]["name"] == "ada").cloned();
            if of_ada.is_some_and(|peer| peer["presence"]["cursor"].is_null()) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the cursor goes");

    scene.grant(&dashboard, &ada, Some("owner")).await;
    let rose = socket.expect_any("role").await;
    assert_eq!((&rose["role"], &rose["owner"]), (&json!("editor"), &json!(true)));
    // A hundred were pushed at once: the next is taken when the rate allows it, and is pushed until then.
    let commit = loop {
        socket.push(&dashboard, json!([renamed(taken + 1, "Again")])).await;
        match socket.got().await {
            Got::Frame(frame) if frame["type"] == "commits" => break frame["commits"][0].clone(),
            Got::Frame(frame) if frame["type"] == "rejected" => assert_eq!(frame["code"], "rate_limited"),
            Got::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(commit["seq"], taken + 1);
}

#[tokio::test]
async fn who_loses_a_dashboard_leaves_it_and_stays_in_others() {
    let scene = Scene::start().await;
    let team = scene.make_team("Watchers").await;
    let ada = scene.invite("ada", &team, "viewer").await;
    let (lost, kept) =
        (scene.make_dashboard(&scene.admin, "Lost").await, scene.make_dashboard(&scene.admin, "Kept").await);
    for id in [&lost, &kept] {
        scene.grant(id, &ada, Some("editor")).await;
    }
    let mut socket = scene.socket(&ada, "ada").await;
    socket.join(&lost).await;
    socket.join(&kept).await;
    scene.grant(&lost, &ada, None).await;
    let error = socket.expect_any("error").await;
    assert_eq!((&error["code"], &error["dashboard"]), (&json!("forbidden"), &json!(lost)));
    socket.push(&lost, json!([renamed(1, "Mine")])).await;
    assert_eq!(socket.expect("error").await["code"], "not_joined");
    socket.send(json!({"type": "join", "dashboard": lost})).await;
    assert_eq!(socket.expect("error").await["code"], "not_found");
    socket.push(&kept, json!([renamed(1, "Still mine")])).await;
    assert_eq!(socket.commits().await[0]["seq"], 1);
    assert_eq!(title(&scene, &lost).await, "Lost");
}

#[tokio::test]
async fn roles_follow_teams() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let ada = scene.invite("ada", &team, "viewer").await;
    let dashboard = scene.make_dashboard(&scene.admin, "Of the shop").await;
    let path = format!("/api/v1/dashboards/{dashboard}");
    assert_eq!(scene.get(&path, &ada).await.0, 404);
    scene.share(&scene.admin, &dashboard, json!({"team": {"team": team}})).await;
    let mut socket = scene.socket(&ada, "ada").await;
    assert_eq!(socket.join(&dashboard).await["role"], "viewer");
    let member = format!("/api/v1/admin/teams/{team}/members/{}", ada.id);
    scene.admin(Method::PUT, &member, json!({"role": "editor"})).await;
    assert_eq!(socket.expect_any("role").await["role"], "editor");
    scene.admin(Method::PUT, &member, json!({"role": null})).await;
    assert_eq!(socket.expect_any("error").await["code"], "forbidden");
    assert_eq!(scene.get(&path, &ada).await.0, 404);

    let sharing = scene.get(&format!("{path}/access"), &scene.admin).await.1;
    assert_eq!(sharing["team"], json!(team));
    let (status, why) = scene
        .send(
            Method::PUT,
            &format!("{path}/access"),
            Some(&scene.admin),
            Some(json!({"grants": [{"to": {"account": scene.admin.id}, "role": null}]})),
        )
        .await;
    assert_eq!(status, 409, "{why}");
    assert!(why["reason"].as_str().expect("a reason").contains("owner"));
    let (status, why) =
        scene.send(Method::DELETE, &format!("/api/v1/admin/teams/{team}"), Some(&scene.admin), None).await;
    assert_eq!(status, 409, "{why}");
}

#[tokio::test]
async fn a6_sockets_of_a_session_that_ended_close_within_a_second() {
    const SOCKETS: usize = 200;
    let scene = Scene::start_with(&[("LOCKSTEP_LIMIT_SESSIONS_PER_PERSON", "200")]).await;
    let team = scene.make_team("Watchers").await;
    let ada = scene.invite("ada", &team, "viewer").await;
    let mut dashboards = Vec::new();
    for n in 0..4 {
        let id = scene.make_dashboard(&scene.admin, &format!("Board {n}")).await;
        scene.grant(&id, &ada, Some("editor")).await;
        dashboards.push(id);
    }
    let mut sockets = Vec::new();
    for n in 0..SOCKETS {
        let mut socket = scene.socket(&ada, &format!("tab-{n}")).await;
        socket.join(&dashboards[n % dashboards.len()]).await;
        sockets.push(socket);
    }
    let mut other = scene.socket(&scene.admin, "admin").await;
    other.join(&dashboards[0]).await;
    let revoked = Instant::now();
    scene.admin(Method::DELETE, &format!("/api/v1/admin/people/{}/sessions", ada.id), Value::Null).await;
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, 4401);
    }
    let took = revoked.elapsed();
    assert!(took < SOON, "{took:?}");
    other.is_alive().await;
    assert!(scene.connect(&ada).await.is_err(), "and no other opens");
}

#[tokio::test]
async fn an_account_that_is_disabled_or_removed_is_out_and_its_work_stays() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let (ada, bob) = (scene.invite("ada", &team, "editor").await, scene.invite("bob", &team, "editor").await);
    let dashboard = scene.make_dashboard(&scene.admin, "Of the shop").await;
    scene.share(&scene.admin, &dashboard, json!({"team": {"team": team}})).await;
    let mut sockets = Vec::new();
    for (who, name) in [(&ada, "ada"), (&bob, "bob")] {
        let mut socket = scene.socket(who, name).await;
        socket.join(&dashboard).await;
        socket.push(&dashboard, json!([renamed(1, &format!("By {name}"))])).await;
        socket.expect_any("commits").await;
        sockets.push(socket);
    }
    let of_ada = format!("/api/v1/admin/people/{}", ada.id);
    scene.admin(Method::PUT, &of_ada, json!({"disabled": true})).await;
    assert_eq!(sockets[0].closed().await, 4401);
    assert_eq!(scene.sign_in(&ada.email, crate::scene::PASSWORD).await.status(), 401);
    scene.admin(Method::PUT, &of_ada, json!({"disabled": false})).await;
    assert_eq!(scene.sign_in(&ada.email, crate::scene::PASSWORD).await.status(), 303);
    scene.admin(Method::DELETE, &format!("/api/v1/admin/people/{}", bob.id), Value::Null).await;
    assert_eq!(sockets[1].closed().await, 4401);
    assert_eq!(title(&scene, &dashboard).await, "By bob");
    let admin = format!("/api/v1/admin/people/{}", scene.admin.id);
    let carol = scene.invite("carol", &team, "editor").await;
    let private = scene.make_dashboard(&carol, "For nobody else").await;
    assert_eq!(scene.get(&format!("/api/v1/dashboards/{private}"), &scene.admin).await.0, 404);
    scene.admin(Method::DELETE, &format!("/api/v1/admin/people/{}", carol.id), Value::Null).await;
    let sharing = scene.get(&format!("/api/v1/dashboards/{private}/access"), &scene.admin).await.1;
    let own = json!([{"to": {"account": scene.admin.id}, "role": "owner"}]);
    assert_eq!(
        (&sharing["team"], &sharing["grants"]),
        (&Value::Null, &own),
        "an admin's, and not everyone's"
    );
    let log = scene.get("/api/v1/audit?what=grant_changed", &scene.admin).await.1;
    assert_eq!(log["entries"][0]["about"]["id"], private.as_str(), "and that is in the log");
    for body in [json!({"disabled": true}), json!({"is_admin": false})] {
        let (status, why) = scene.send(Method::PUT, &admin, Some(&scene.admin), Some(body)).await;
        assert_eq!(status, 409, "the last admin: {why}");
    }
}
