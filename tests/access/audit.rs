//! The audit log: what is in it, who sees it, and what never is.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::{PASSWORD, Person, Scene};
use crate::support::program::Program;

/// Another password that the server takes.
const OTHER: &str = "umber-gate-93-anchor";

/// The entries that an address has, the newest first.
async fn entries(scene: &Scene, who: &Person, query: &str) -> Vec<Value> {
    let (status, page) = scene.get(&format!("/api/v1/audit?limit=200&{query}"), who).await;
    assert_eq!(status, 200, "{page}");
    page["entries"].as_array().expect("entries").clone()
}

/// What was done, the oldest first: `name of who did it: action: name of what it was done to`.
fn in_short(entries: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let short = |one: &Value| {
        format!("{}: {}: {}", text(&one["who"]["name"]), text(&one["what"]), text(&one["about"]["name"]))
    };
    entries.iter().rev().map(short).collect()
}

/// Does something that goes well.
async fn done(scene: &Scene, who: &Person, method: Method, path: &str, body: Option<Value>) -> Value {
    let (status, answer) = scene.send(method, path, Some(who), body).await;
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    answer
}

#[tokio::test]
async fn a13_what_is_done_to_people_and_teams_is_in_the_log() {
    let scene = Scene::start().await;
    let admin = scene.admin.clone();
    let ops = scene.make_team("Ops").await;
    let grace = scene.invite("grace", &ops, "editor").await;
    assert_eq!(
        scene.sign_in("Grace@Example.com", "wrong-window-47-lantern").await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(scene.sign_in(&grace.email, PASSWORD).await.status(), StatusCode::SEE_OTHER);
    let password = json!({"before": PASSWORD, "password": OTHER});
    done(&scene, &grace, Method::PUT, "/api/v1/me/password", Some(password)).await;
    done(&scene, &grace, Method::PUT, "/api/v1/me", Some(json!({"name": "Grace Hopper"}))).await;
    let account = format!("/api/v1/admin/people/{}", grace.id);
    scene.admin(Method::PUT, &account, json!({"is_admin": true})).await;
    scene.admin(Method::PUT, &account, json!({"is_admin": false, "disabled": false})).await;
    let team = format!("/api/v1/admin/teams/{ops}");
    scene.admin(Method::PUT, &team, json!({"name": "Operations"})).await;
    scene.admin(Method::PUT, &format!("{team}/members/{}", grace.id), json!({"role": "owner"})).await;
    scene.admin(Method::DELETE, &format!("{account}/sessions"), Value::Null).await;
    let link = scene.admin(Method::POST, &format!("{account}/reset"), Value::Null).await;
    let address = link["address"].as_str().expect("an address").to_owned();
    let reset = scene.request(Method::POST, &address, None).form(&[("password", PASSWORD)]);
    assert_eq!(reset.send().await.expect("an answer").status(), StatusCode::SEE_OTHER);
    let invitation = json!({"team": ops, "role": "viewer", "email": "eve@example.com"});
    scene.admin(Method::POST, "/api/v1/admin/invitations", invitation).await;
    let people = scene.get("/api/v1/admin/people", &admin).await.1;
    let id = people["invitations"][0]["id"].as_str().expect("an id");
    scene.admin(Method::DELETE, &format!("/api/v1/admin/invitations/{id}"), Value::Null).await;
    scene.admin(Method::DELETE, &account, Value::Null).await;
    scene.admin(Method::DELETE, &team, Value::Null).await;
    let out = scene.request(Method::POST, "/sign-out", Some(&admin)).send().await.expect("an answer");
    assert_eq!(out.status(), StatusCode::SEE_OTHER);

    let again = scene.sign_in(&admin.email, PASSWORD).await;
    let admin = Person { cookie: crate::scene::cookie_of(&again), ..admin };
    let log = entries(&scene, &admin, "").await;
    let of_server = |one: &Value| one["who"]["kind"] == "server";
    let by_people: Vec<Value> = log.iter().filter(|one| !of_server(one)).cloned().collect();
    assert_eq!(
        in_short(&by_people),
        [
            "Admin: set_up: Admin",
            "Admin: sign_in: Admin",
            "Admin: team_made: Ops",
            "Admin: invitation_made: ",
            "grace: account_made: grace",
            "grace: invitation_used: ",
            "grace: sign_in: grace",
            ": sign_in_failed: grace",
            "grace: password_changed: grace",
            "grace: account_changed: Grace Hopper",
            "Admin: account_changed: Grace Hopper",
            "Admin: account_changed: Grace Hopper",
            "Admin: team_renamed: Operations",
            "Admin: member_changed: Operations",
            "Admin: session_ended: Grace Hopper",
            "Admin: reset_link_made: Grace Hopper",
            "Grace Hopper: reset_link_used: Grace Hopper",
            "Admin: invitation_made: ",
            "Admin: invitation_revoked: ",
            "Admin: account_removed: Grace Hopper",
            "Admin: team_removed: Operations",
            "Admin: sign_out: Admin",
        ],
        "the first sign-in of each within a minute"
    );
    assert!(log.iter().all(|one| of_server(one) || one["address"] == "127.0.0.1"));
    let failed = log.iter().find(|one| one["what"] == "sign_in_failed").expect("is there");
    assert_eq!(failed["detail"], json!({"email": "grace@example.com"}));
    let member = log.iter().find(|one| one["what"] == "member_changed").expect("is there");
    assert_eq!(
        (&member["detail"]["to"]["id"], &member["detail"]["role"]),
        (&json!(grace.id), &json!("owner"))
    );

    let written = format!("{}{}", Value::from(log), scene.program.log());
    let code = address.rsplit('/').next().expect("a code");
    let tokens = [&admin.cookie, &scene.admin.cookie, &grace.cookie]
        .map(|cookie| cookie.split_once('=').expect("a pair").1);
    for secret in [PASSWORD, OTHER, "wrong-window-47-lantern", code].into_iter().chain(tokens) {
        assert!(!written.contains(secret), "{secret} is in the log");
    }
    assert!(scene.program.log().contains("invitation_revoked"), "it is in the server's log, too");
}

#[tokio::test]
async fn a13_owners_see_what_was_done_to_their_dashboards_and_admins_all() {
    let scene = Scene::start().await;
    let team = scene.make_team("Shop").await;
    let owner = scene.invite("owner", &team, "editor").await;
    let editor = scene.invite("editor", &team, "editor").await;
    let orders = scene.make_dashboard(&owner, "Orders").await;
    let grant = |role: Value| json!({"grants": [{"to": {"account": editor.id}, "role": role}]});
    scene.share(&owner, &orders, grant(json!("viewer"))).await;
    scene.share(&owner, &orders, grant(json!("viewer"))).await;
    scene.share(&owner, &orders, grant(json!("editor"))).await;
    let at = format!("/api/v1/dashboards/{orders}");
    done(&scene, &editor, Method::GET, &format!("{at}/export"), None).await;
    let copy = json!({"title": "A secret plan", "copy_of": orders});
    done(&scene, &editor, Method::POST, "/api/v1/dashboards", Some(copy)).await;
    done(&scene, &owner, Method::DELETE, &at, None).await;
    done(&scene, &owner, Method::POST, &format!("/api/v1/bin/{orders}/restore"), None).await;

    let log = format!("{at}/audit");
    let (status, page) = scene.get(&log, &owner).await;
    assert_eq!((status, &page["next"]), (200, &Value::Null));
    let theirs = page["entries"].as_array().expect("entries");
    assert_eq!(
        in_short(theirs),
        [
            "owner: dashboard_made: Orders",
            "owner: owner_team_changed: Orders",
            "owner: grant_changed: Orders",
            "owner: grant_changed: Orders",
            "editor: dashboard_exported: Orders",
            "editor: dashboard_copied: Orders",
            "owner: dashboard_deleted: Orders",
            "owner: dashboard_restored: Orders",
        ]
    );
    assert!(!page.to_string().contains("A secret plan"), "what is not theirs");
    let (_, part) = scene.get(&format!("{log}?limit=3"), &owner).await;
    let (_, rest) = scene.get(&format!("{log}?limit=50&after={}", part["next"]), &owner).await;
    let both: Vec<Value> = [&part, &rest]
        .into_iter()
        .flat_map(|page| page["entries"].as_array().expect("entries").clone())
        .collect();
    assert_eq!(&both, theirs);
    let (_, others) = scene.get(&format!("{log}?dashboard=other&what=sign_in"), &owner).await;
    assert_eq!(others["entries"], json!([]), "a filter opens nothing else");

    for (who, path, expected) in [
        (&editor, log.as_str(), 403),
        (&scene.admin, log.as_str(), 404),
        (&owner, "/api/v1/audit", 403),
        (&owner, "/api/v1/audit.ndjson", 403),
        (&owner, "/admin/audit", 403),
        (&scene.admin, "/admin/audit", 200),
        (&scene.admin, "/api/v1/audit?limit=0", 400),
        (&scene.admin, "/api/v1/audit?limit=201", 400),
        (&scene.admin, "/api/v1/audit?what=nothing", 400),
    ] {
        assert_eq!(scene.get(path, who).await.0, expected, "{path}");
    }
    done(&scene, &owner, Method::DELETE, &at, None).await;
    done(&scene, &owner, Method::DELETE, &format!("/api/v1/bin/{orders}"), None).await;
    let purged = entries(&scene, &scene.admin, "what=dashboard_purged").await;
    assert_eq!(in_short(&purged), ["owner: dashboard_purged: Orders"]);
    let page = scene.request(Method::GET, "/admin/audit?what=grant_changed", Some(&scene.admin));
    let page = page.send().await.expect("an answer").text().await.expect("a page");
    assert!(page.contains("gave editor the role editor on Orders"), "{page:.2000}");
    assert!(!page.contains("signed in") && page.contains("/api/v1/audit.ndjson?what=grant_changed"));
}

#[tokio::test]
async fn a13_the_log_is_filtered_and_streamed() {
    let scene = Scene::start().await;
    // More than are read at once.
    for n in 0..230 {
        scene.make_team(&format!("Team {n}")).await;
    }
    scene.sign_in("nobody@example.com", PASSWORD).await;
    let teams =
        scene.request(Method::GET, "/api/v1/audit.ndjson?what=team_made&who=ADMIN", Some(&scene.admin));
    let answer = teams.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.expect("a body");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    // The team of everyone is made by the set-up, not by anybody's request.
    assert_eq!(lines.len(), 230);
    assert_eq!(lines.last().expect("a line")["about"]["name"], "Team 229", "the newest last");
    assert!(lines.is_sorted_by_key(|line| line["n"].as_u64()));
    let at = lines[0]["at"].as_u64().expect("a time");
    let earlier = entries(&scene, &scene.admin, &format!("to={at}")).await;
    assert!(earlier.iter().all(|one| one["what"] != "team_made"));
    let later = entries(&scene, &scene.admin, &format!("from={at}&what=sign_in")).await;
    assert_eq!(later, [] as [Value; 0]);
    let failed = entries(&scene, &scene.admin, "who=Nobody@").await;
    assert_eq!((failed.len(), &failed[0]["about"]), (1, &Value::Null));
    assert_eq!(entries(&scene, &scene.admin, "who=nowhere").await, [] as [Value; 0]);
    let empty = scene.request(Method::GET, "/api/v1/audit.ndjson?who=nowhere", Some(&scene.admin));
    assert_eq!(empty.send().await.expect("an answer").text().await.expect("a body"), "");
}

#[tokio::test]
async fn a13_wrong_codes_and_passwords_of_links_are_in_the_log_and_a_flood_is_counted() {
    let scene = Scene::start().await;
    let admin = scene.admin.clone();
    let orders = scene.make_dashboard(&admin, "Orders").await;
    let wish = json!({"role": "viewer", "label": "Hall", "password": PASSWORD});
    let (_, link) = scene.link(&admin, &orders, wish).await;
    let wrong = scene.request(Method::POST, &link, None).form(&[("name", "Eve"), ("password", OTHER)]);
    assert_eq!(wrong.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    let code = "A".repeat(22);
    for path in ["/invitation/", "/reset/", "/reset/"] {
        let tried = scene.request(Method::GET, &format!("{path}{code}"), None).send().await;
        assert_eq!(tried.expect("an answer").status(), StatusCode::NOT_FOUND);
    }
    for _ in 0..4 {
        scene.sign_in("nobody@example.com", OTHER).await;
    }
    for _ in 0..3 {
        assert_eq!(scene.sign_in(&admin.email, PASSWORD).await.status(), StatusCode::SEE_OTHER);
    }
    let log = entries(&scene, &admin, "").await;
    let of = |what: &str| log.iter().filter(|one| one["what"] == what).cloned().collect::<Vec<_>>();
    let failed = of("link_password_failed");
    assert_eq!(in_short(&failed), [": link_password_failed: Orders"]);
    assert_eq!(failed[0]["detail"], json!({"label": "Hall"}));
    // The first of a minute; what repeats is counted.
    assert_eq!((of("code_failed").len(), of("sign_in_failed").len()), (1, 1));
    assert!(!Value::from(log).to_string().contains(&code), "a code is not told, wrong as it is");
    let (_, theirs) = scene.get(&format!("/api/v1/dashboards/{orders}/audit"), &admin).await;
    assert!(theirs.to_string().contains("link_password_failed"), "its owner reads of it: {theirs}");

    scene.program.signal("TERM");
    let Scene { program, dir, http, admin } = scene;
    program.ended().await;
    let program = Program::start(dir.path(), &[("LOCKSTEP_ACCESS", "accounts")]);
    let scene = Scene { program, dir, http, admin };
    let log = entries(&scene, &scene.admin, "").await;
    let counts = |what: &str| {
        let of = log.iter().filter(|one| one["what"] == what);
        of.map(|one| one["detail"]["count"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(counts("code_failed"), [json!(2), Value::Null], "the newest first");
    assert_eq!(counts("sign_in_failed"), [json!(3), Value::Null]);
    assert_eq!(counts("link_password_failed"), [Value::Null]);
    assert_eq!(counts("sign_in"), [json!(3), Value::Null], "who signs in again and again is counted, too");
}

#[tokio::test]
async fn a13_without_accounts_there_is_the_servers_log_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &[]);
    let id = program.make_dashboard("Orders").await;
    for path in
        ["/api/v1/audit", "/api/v1/audit.ndjson", "/admin/audit", &format!("/api/v1/dashboards/{id}/audit")]
    {
        assert_eq!(program.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert!(program.log().contains("a dashboard was made"));
    assert!(!program.log().contains("dashboard_made"));
}
