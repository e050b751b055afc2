//! The list of dashboards over HTTP: in parts, searched, ordered, with favourites and entity tags.

use super::*;

const LIST: &str = "/api/v1/dashboards/list";

fn titles(list: &Value) -> Vec<&str> {
    let cards = list["dashboards"].as_array().expect("an array");
    cards.iter().map(|card| card["title"].as_str().expect("a title")).collect()
}

async fn import(server: &Server, title: &str, tags: Value) -> String {
    let widgets = json!([
        { "kind": "stat", "title": "", "frame": { "x": 6, "y": 0, "w": 6, "h": 4 }, "options": {} },
        { "kind": "note", "title": "", "frame": { "x": 0, "y": 0, "w": 6, "h": 8 }, "options": {}, "text": "x" },
    ]);
    let document = json!({ "lockstep": 1, "title": title, "settings": { "tags": tags }, "widgets": widgets });
    let made = server.send(Method::POST, "/api/v1/dashboards/import", &[], Some(document)).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    made.json::<Value>().await.expect("JSON")["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn the_list_comes_in_parts_and_the_page_shows_the_first() {
    let server = Server::start();
    for n in 0..54 {
        server.make(&format!("Board {n:02}")).await;
    }
    let first = server.json(LIST).await;
    assert_eq!((first["dashboards"].as_array().map(Vec::len), &first["total"]), (Some(50), &json!(55)));
    let next = first["next"].as_str().expect("there is more").to_owned();
    // What is made meanwhile comes before this place.
    server.make("Board 54").await;
    let rest = server.json(&format!("{LIST}?after={next}")).await;
    assert_eq!((titles(&rest).len(), &rest["next"]), (5, &Value::Null));
    assert_eq!(titles(&rest).last(), Some(&"This server, live"));
    let data = page_data(server.get("/").await).await;
    assert_eq!(data["page"]["list"]["dashboards"].as_array().map(Vec::len), Some(50));
    assert!(data["page"]["list"]["next"].is_string());
    let found = page_data(server.get("/?search=board%2007&order=title").await).await;
    assert_eq!(titles(&found["page"]["list"]), ["Board 07"]);
    assert_eq!(found["page"]["filter"]["search"], "board 07");
    assert_eq!(
        server.json("/api/v1/dashboards").await.as_array().map(Vec::len),
        Some(56),
        "old clients get all"
    );
    for query in
        ["limit=0", "limit=101", "limit=x", "order=size", "after=x", &format!("order=title&after={next}")]
    {
        let answer = server.get(&format!("{LIST}?{query}")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.json::<Value>().await.expect("JSON")["reason"].is_string());
    }
    assert_eq!(
        server.get("/?order=size&after=x").await.status(),
        StatusCode::OK,
        "a page is there all the same"
    );
}

#[tokio::test]
async fn the_list_is_searched_and_sorted_on_the_server() {
    let server = Server::start();
    import(&server, "Größe je Host", json!(["prod", "eu"])).await;
    import(&server, "änderungen", json!(["prod"])).await;
    for (query, expected) in [
        ("search=GR%C3%96SSE", &["Größe je Host"][..]),
        ("search=%20host%20&order=title", &["Größe je Host"]),
        ("tag=prod&order=title", &["Größe je Host", "änderungen"]),
        ("tag=eu", &["Größe je Host"]),
        ("tag=us", &[]),
        ("tag=prod&search=%C3%84", &["änderungen"]),
        ("order=title&limit=2", &["Größe je Host", "This server, live"]),
    ] {
        assert_eq!(titles(&server.json(&format!("{LIST}?{query}")).await), expected, "{query}");
    }
    let list = server.json(&format!("{LIST}?tag=eu")).await;
    let (card, tags) = (&list["dashboards"][0], &list["tags"]);
    assert_eq!(tags, &json!([{"tag": "prod", "dashboards": 2}, {"tag": "eu", "dashboards": 1}]));
    assert_eq!(card["tags"], json!(["prod", "eu"]));
    assert_eq!(card["outline"], json!([["note", 0, 0, 6, 8], ["stat", 6, 0, 6, 4]]));
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let server = Server::start();
    for path in [LIST, "/api/v1/dashboards", "/api/v1/bin"] {
        let answer = server.get(path).await;
        let tag = header(&answer, "etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 10, "{tag}");
        assert_eq!(header(&answer, "cache-control"), "private, no-cache");
        let again = server.send(Method::GET, path, &[("if-none-match", &tag)], None).await;
        assert_eq!(
            (again.status(), header(&again, "etag")),
            (StatusCode::NOT_MODIFIED, tag.as_str()),
            "{path}"
        );
        assert!(again.bytes().await.expect("a body").is_empty());
        let id = server.make("New").await;
        server.send(Method::DELETE, &format!("/api/v1/dashboards/{id}"), &[], None).await;
        server.make("Newer").await;
        let after = server.send(Method::GET, path, &[("if-none-match", &tag)], None).await;
        assert_eq!(after.status(), StatusCode::OK, "{path}");
        assert_ne!(header(&after, "etag"), tag);
    }
    // A restart counts anew, and is another list.
    let tag = header(&server.get("/api/v1/dashboards").await, "etag").to_owned();
    let (_, _, dir) = server.stop();
    let server = Server::start_in(dir);
    let after = server.send(Method::GET, "/api/v1/dashboards", &[("if-none-match", &tag)], None).await;
    assert_eq!(after.status(), StatusCode::OK);
}

#[tokio::test]
async fn favourites_are_each_persons_own() {
    let server = Server::start();
    let (one, other) = (server.make("One").await, server.make("Other").await);
    let cookie = guest_cookie(&server.get("/").await);
    let ada = [("cookie", cookie.as_str())];
    let path = |id: &str| format!("/api/v1/me/favourites/{id}");
    let nobody = server.send(Method::PUT, &path(&one), &[], None).await;
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.send(Method::PUT, &path("none"), &ada, None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(server.send(Method::PUT, &path(&one), &ada, None).await.status(), StatusCode::NO_CONTENT);
    let own = server.send(Method::GET, &format!("{LIST}?favourites=true"), &ada, None).await;
    let own: Value = own.json().await.expect("JSON");
    assert_eq!((titles(&own), &own["dashboards"][0]["favourite"]), (vec!["One"], &json!(true)));
    assert_eq!(server.json(&format!("{LIST}?favourites=true")).await["total"], 0);
    let page = page_data(server.send(Method::GET, "/?favourites=true", &ada, None).await).await;
    assert_eq!(titles(&page["page"]["list"]), ["One"]);
    // It stays one through the bin and back.
    server.send(Method::DELETE, &format!("/api/v1/dashboards/{one}"), &[], None).await;
    assert_eq!(server.send(Method::PUT, &path(&one), &ada, None).await.status(), StatusCode::NOT_FOUND);
    server.send(Method::POST, &format!("/api/v1/bin/{one}/restore"), &[], None).await;
    for (id, total) in [(&other, 1), (&one, 0)] {
        let removed = server.send(Method::DELETE, &path(id), &ada, None).await;
        assert_eq!(removed.status(), StatusCode::NO_CONTENT);
        let own = server.send(Method::GET, &format!("{LIST}?favourites=true"), &ada, None).await;
        assert_eq!(own.json::<Value>().await.expect("JSON")["total"], total);
    }
}
