//! Dashboards too large for a page, and pages that nobody reads.

use super::*;

/// A dashboard with so many tables of 50 KB; its id.
async fn tables(server: &Server, count: usize) -> String {
    let table = |n: usize| {
        let frame = json!({ "x": 0, "y": 8 * n, "w": 12, "h": 8 });
        json!({ "kind": "table", "title": format!("Table {n}"), "frame": frame, "options": { "data": "x".repeat(50_000) } })
    };
    let widgets: Vec<Value> = (0..count).map(table).collect();
    let document = json!({ "lockstep": 1, "title": "Many <tables>", "settings": {}, "widgets": widgets });
    let path = "/api/v1/dashboards/import";
    let made: Value =
        server.send(Method::POST, path, &[], Some(document)).await.json().await.expect("an answer");
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// The data that a page carries.
fn page_data(html: &str) -> Value {
    let (_, rest) =
        html.split_once("<script id=\"page-data\" type=\"application/json\">").expect("it is there");
    serde_json::from_str(rest.split_once("</script>").expect("it ends").0).expect("JSON")
}

#[tokio::test]
async fn s10_the_page_of_a_large_dashboard_fetches_it() {
    let server = Server::start();
    let (small, large) = (tables(&server, 2).await, tables(&server, 30).await);
    let page = server.get(&format!("/d/{small}")).await.text().await.expect("text");
    let data = page_data(&page);
    assert_eq!(data["page"]["page"], "dashboard");
    assert_eq!(data["page"]["dashboard"]["widgets"].as_object().map(|all| all.len()), Some(2));
    assert!(page.contains("Table 1"), "rendered with its widgets");

    let answer = server.get(&format!("/d/{large}")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = answer.text().await.expect("text");
    assert!(page.len() < 32 * 1024, "{} bytes", page.len());
    assert_eq!(
        page_data(&page)["page"],
        json!({ "page": "large_dashboard", "id": large, "title": "Many <tables>" })
    );
    assert!(page.contains("<title>Many &lt;tables> · Lockstep"), "{page}");
    let answer = server.get(&format!("/api/v1/dashboards/{large}")).await;
    let length: usize = header(&answer, "content-length").parse().expect("a number");
    assert_eq!(header(&answer, "content-type"), "application/json");
    let text = answer.text().await.expect("text");
    assert_eq!(text.len(), length);
    let read: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(read["revision"], 0);
    assert!(read["epoch"].is_string());
    assert_eq!(read["dashboard"]["widgets"].as_object().map(|all| all.len()), Some(30));
    let file = server.json(&format!("/api/v1/dashboards/{large}/export")).await;
    assert_eq!(file["widgets"].as_array().map(Vec::len), Some(30));
}

#[tokio::test]
async fn s10_pages_that_nobody_reads_hold_up_the_next_for_a_moment_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start_with(dir, &[("LOCKSTEP_LIMIT_PAGE_BYTES", "1000000")]);
    let id = tables(&server, 9).await;
    let address = server.url.strip_prefix("http://").expect("an address");
    let ask = |_| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        // More pages than the buffers of a connection take.
        let requests = format!("GET /d/{id} HTTP/1.1\r\nHost: {address}\r\n\r\n").repeat(32);
        stream.write_all(requests.as_bytes()).expect("sent");
        stream
    };
    let unread: Vec<TcpStream> = (0..3).map(ask).collect();
    // All of the usual pages go on meanwhile.
    assert_eq!(server.get("/").await.status(), StatusCode::OK);
    let refused = loop {
        let answer = server.get(&format!("/d/{id}")).await;
        if answer.status() != StatusCode::OK {
            break answer;
        }
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let page = refused.text().await.expect("text");
    assert!(page.contains("as many pages as it has room for"), "{page}");
    drop(unread);
    while server.get(&format!("/d/{id}")).await.status() != StatusCode::OK {}
}
