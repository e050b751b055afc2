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
            { "id": "w1", "kind": "stat", "title": "Orders", "frame": { "x": 0, "y": 0, "w": 6, "h": 4 }, "options": { "query": "orders" } },
            { "id": "w2", "kind": "note", "title": "Runbook", "frame": { "x": 6, "y": 0, "w": 8, "h": 8 }, "options": {}, "text": "## Höher" },
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
        { "type": "nodeGraph", "title": "Nodes", "targets": [{ "expr": "up" }] },
    ] });
    for (choice, source) in [("?source=main", "main"), ("", "prometheus")] {
        let (status, made) = import(&server, choice, document.clone()).await;
        assert_eq!(status, StatusCode::CREATED);
        assert_eq!(made["report"].as_array().map(Vec::len), Some(1));
        assert_eq!(made["report"][0]["what"], "“Nodes”");
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

async fn put(server: &Server, id: &str, base: &str, document: &Value) -> (StatusCode, Value) {
    let path = format!("/api/v1/dashboards/{id}/document{base}");
    let answer = server.send(Method::PUT, &path, &[], Some(document.clone())).await;
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn orders_here(server: &Server) -> String {
    import(server, "", orders()).await.1["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_document_changes_what_differs_once() {
    let server = Server::start();
    let id = orders_here(&server).await;
    let (status, same) = put(&server, &id, "", &orders()).await;
    assert_eq!(
        (status, &same["revision"], &same["changed"]["options"]),
        (StatusCode::OK, &json!(0), &json!(0))
    );
    let mut file = orders();
    file["settings"] = json!({ "refresh": 5 });
    file["widgets"][0]["options"]["unit"] = json!("/s");
    file["widgets"][1]["text"] = json!("## Höher\nCall Ada.");
    let gauge = json!({ "id": "g", "kind": "gauge", "title": "CPU", "frame": { "x": 14, "y": 0, "w": 6, "h": 6 }, "options": {} });
    file["widgets"].as_array_mut().expect("a list").push(gauge);
    let (status, merged) = put(&server, &id, "", &file).await;
    let changed = json!({ "settings": 2, "added": 1, "removed": 0, "restored": 0, "moved": 0, "options": 1, "texts": 1 });
    assert_eq!((status, &merged["changed"]), (StatusCode::OK, &changed), "{merged}");
    assert_eq!((&merged["revision"], &merged["conflicts"]), (&json!(1), &json!(0)));
    let answer = server.get(&format!("/api/v1/dashboards/{id}/export")).await;
    assert_eq!(header(&answer, "lockstep-revision"), "1");
    assert_eq!(answer.json::<Value>().await.expect("JSON"), file);
    let (_, again) = put(&server, &id, "", &file).await;
    assert_eq!(again["revision"], 1, "the same document makes no commit");
    // What left the document leaves the dashboard, and comes back with it.
    let (_, without) = put(&server, &id, "", &orders()).await;
    assert_eq!((&without["changed"]["removed"], &without["changed"]["texts"]), (&json!(1), &json!(1)));
    assert_eq!(put(&server, &id, "", &file).await.1["changed"]["restored"], 1);
    assert_eq!(server.json(&format!("/api/v1/dashboards/{id}/export")).await, file);
}

#[tokio::test]
async fn a_document_with_a_base_leaves_what_others_changed_since() {
    let server = Server::start();
    let id = orders_here(&server).await;
    let mut theirs = orders();
    theirs["title"] = json!("Theirs");
    theirs["widgets"][0]["options"] = json!({ "query": "orders", "unit": "ms" });
    theirs["widgets"][0]["title"] = json!("Their orders");
    put(&server, &id, "", &theirs).await;
    // This one was edited beside it: another unit, and a maximum.
    let mut file = orders();
    file["widgets"][0]["options"] = json!({ "query": "orders", "unit": "/s", "max": 9 });
    let (status, merged) = put(&server, &id, "?base=0", &file).await;
    assert_eq!((status, &merged["changed"]["options"]), (StatusCode::OK, &json!(2)), "{merged}");
    assert_eq!(merged["conflicts"], 1, "both wrote the unit");
    let now = server.json(&format!("/api/v1/dashboards/{id}/export")).await;
    assert_eq!((&now["title"], &now["widgets"][0]["title"]), (&json!("Theirs"), &json!("Their orders")));
    assert_eq!(now["widgets"][0]["options"], file["widgets"][0]["options"], "the latest shows");
    file["base"] = json!(0);
    let (_, again) = put(&server, &id, "", &file).await;
    assert_eq!((&again["revision"], &again["conflicts"]), (&json!(2), &json!(0)), "{again}");
}

#[tokio::test]
async fn a_document_that_does_not_fit_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let set = [("LOCKSTEP_LIMIT_IMPORT_BYTES", "4000"), ("LOCKSTEP_LIMIT_WIDGETS", "2")];
    let server = Server::start_with(dir, &set);
    let id = orders_here(&server).await;
    let with = |change: fn(&mut Value)| {
        let mut document = orders();
        change(&mut document);
        document
    };
    for (base, document, status, says) in [
        ("", with(|one| one["widgets"][0]["options"]["hue"] = json!(1)), 422, "There is no field named"),
        ("", with(|one| one["widgets"][1]["id"] = json!("w1")), 422, "Another widget"),
        (
            "",
            with(|one| {
                let again = json!({ "kind": "stat", "frame": { "x": 0, "y": 9, "w": 2, "h": 2 } });
                one["widgets"].as_array_mut().expect("a list").push(again);
            }),
            422,
            "at most 2",
        ),
        ("", json!({ "panels": [] }), 422, "no dashboard"),
        ("", with(|one| one["base"] = json!("x")), 422, "“base”"),
        ("?base=7", orders(), 409, "revision 7"),
        ("?base=x", orders(), 400, "base"),
        ("", with(|one| one["title"] = json!("x".repeat(5_000))), 413, "4000 bytes"),
    ] {
        let (answered, body) = put(&server, &id, base, &document).await;
        let reason = body["reason"].as_str().expect("words");
        assert_eq!((answered.as_u16(), reason.contains(says)), (status, true), "{says}: {reason}");
    }
    assert_eq!(put(&server, "nowhere", "", &orders()).await.0, StatusCode::NOT_FOUND);
    let foreign = [("origin", "https://elsewhere.example")];
    let path = format!("/api/v1/dashboards/{id}/document");
    let answer = server.send(Method::PUT, &path, &foreign, Some(orders())).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.json(&format!("/api/v1/dashboards/{id}")).await["revision"], 0);
}

#[tokio::test]
async fn a_conflict_that_a_document_makes_is_made_once() {
    let server = Server::start();
    let mut first = orders();
    first["settings"]["conflicts"] = json!("first");
    let id = import(&server, "", first.clone()).await.1["id"].as_str().expect("an id").to_owned();
    let mut theirs = first.clone();
    theirs["widgets"][0]["options"]["unit"] = json!("ms");
    theirs["widgets"][1]["text"] = json!("## Higher");
    put(&server, &id, "", &theirs).await;
    let mut file = first;
    file["widgets"][0]["options"]["unit"] = json!("/s");
    file["widgets"].as_array_mut().expect("a list").pop();
    let (status, merged) = put(&server, &id, "?base=0", &file).await;
    assert_eq!((status, &merged["conflicts"], &merged["revision"]), (StatusCode::OK, &json!(2), &json!(2)));
    let now = server.json(&format!("/api/v1/dashboards/{id}/export")).await;
    assert_eq!(now["widgets"], theirs["widgets"], "what was there shows");
    let (_, again) = put(&server, &id, "?base=0", &file).await;
    assert_eq!((&again["conflicts"], &again["revision"]), (&json!(0), &json!(2)), "{again}");
}
