//! Export, import and copies over HTTP.

use super::*;

async fn import(server: &Server, path: &str, document: Value) -> (StatusCode, Value) {
    let path = format!("/api/v1/dashboards/import{path}");
    let answer = server.send(Method::POST, &path, &[], Some(document)).await;
    (answer.status(), answer.json().await.expect("JSON"))
}

fn orders() -> Value {
    json!({
        "lockstep": 1, "title": "Bestellungen, live", "settings": { "range": "6h" },
        "widgets": [
            { "kind": "stat", "title": "Orders", "frame": { "x": 0, "y": 0, "w": 6, "h": 4 }, "options": { "query": "orders" } },
            { "kind": "note", "title": "Runbook", "frame": { "x": 6, "y": 0, "w": 8, "h": 8 }, "options": {}, "text": "## Höher" },
        ],
    })
}

#[tokio::test]
async fn what_is_exported_is_imported_as_it_was() {
    let server = Server::start();
    let (status, made) = import(&server, "", orders()).await;
    assert_eq!((status, &made["report"], &made["widgets"]), (StatusCode::CREATED, &json!([]), &json!(2)));
    assert_eq!(made["title"], "Bestellungen, live");
    let id = made["id"].as_str().expect("an id");
    let file = server.get(&format!("/api/v1/dashboards/{id}/export")).await;
    assert_eq!(file.status(), StatusCode::OK);
    let name = "attachment; filename=\"bestellungen-live.json\"; filename*=UTF-8''bestellungen-live.json";
    assert_eq!(header(&file, "content-disposition"), name);
    assert_eq!(file.json::<Value>().await.expect("JSON"), orders());
    let listed = server.json("/api/v1/dashboards").await;
    assert!(listed.as_array().expect("a list").iter().any(|card| card["id"] == id && card["widgets"] == 2));
}

#[tokio::test]
async fn a_dashboard_of_grafana_asks_the_source_that_was_chosen() {
    let server = Server::start();
    let document = json!({ "title": "Node", "panels": [
        { "type": "stat", "title": "CPU", "gridPos": { "x": 0, "y": 0, "w": 6, "h": 4 }, "targets": [{ "expr": "up" }] },
        { "type": "heatmap", "title": "Heat", "targets": [{ "expr": "up" }] },
    ] });
    for (choice, source) in [("?source=main", "main"), ("", "prometheus")] {
        let (status, made) = import(&server, choice, document.clone()).await;
        assert_eq!(status, StatusCode::CREATED);
        assert_eq!(made["report"].as_array().map(Vec::len), Some(1));
        assert_eq!(made["report"][0]["what"], "“Heat”");
        let id = made["id"].as_str().expect("an id");
        let read = server.json(&format!("/api/v1/dashboards/{id}")).await;
        assert_eq!(read["dashboard"]["widgets"]["w1"]["options"]["source"], source);
    }
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_in_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start_with(dir, &[("LOCKSTEP_LIMIT_IMPORT_BYTES", "2000")]);
    let post = |body: &'static str| {
        let request = server.http.post(format!("{}/api/v1/dashboards/import", server.url));
        async move { request.body(body).send().await.expect("an answer") }
    };
    for (body, says) in [
        ("", "This is not JSON"),
        ("{\"lockstep\":1,", "This is not JSON"),
        ("{\"lockstep\":9,\"widgets\":[]}", "format 9"),
        ("[]", "This is no dashboard"),
        ("\u{feff}{}", "This is no dashboard"),
    ] {
        let answer = post(body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
        let reason =
            answer.json::<Value>().await.expect("JSON")["reason"].as_str().expect("words").to_owned();
        assert!(reason.contains(says), "{body}: {reason}");
    }
    let (status, refused) = import(&server, "", json!({ "lockstep": 1, "title": "x".repeat(3000) })).await;
    assert_eq!((status, &refused["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large")));
    assert!(refused["reason"].as_str().is_some_and(|reason| reason.contains("2000 bytes")), "{refused}");
    let long = format!("?source={}", "x".repeat(65));
    assert_eq!(import(&server, &long, orders()).await.0, StatusCode::BAD_REQUEST);
    let nowhere = server.get("/api/v1/dashboards/nowhere/export").await;
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
    // A page of somebody else makes nothing here.
    let foreign = [("origin", "https://elsewhere.example")];
    let answer = server.send(Method::POST, "/api/v1/dashboards/import", &foreign, Some(orders())).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.json("/api/v1/dashboards").await.as_array().map(Vec::len), Some(1), "the sample");
}

#[tokio::test]
async fn a_copy_begins_as_its_original_and_goes_its_own_way() {
    let server = Server::start();
    let (_, made) = import(&server, "", orders()).await;
    let id = made["id"].as_str().expect("an id");
    let copy = json!({ "title": "Copy", "copy_of": id });
    let copied = server.send(Method::POST, "/api/v1/dashboards", &[], Some(copy)).await;
    assert_eq!(copied.status(), StatusCode::CREATED);
    let copied = copied.json::<Value>().await.expect("JSON")["id"].as_str().expect("an id").to_owned();
    assert_ne!(copied, id);
    let mut expected = orders();
    expected["title"] = json!("Copy");
    assert_eq!(server.json(&format!("/api/v1/dashboards/{copied}/export")).await, expected);
    let nowhere = json!({ "title": "Copy", "copy_of": "nowhere" });
    let refused = server.send(Method::POST, "/api/v1/dashboards", &[], Some(nowhere)).await;
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
}
