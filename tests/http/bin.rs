//! The bin over HTTP: deleted, restored, removed for good, and what is written down of it.

use super::*;

async fn delete(server: &Server, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    server.send(Method::DELETE, path, headers, None).await.status()
}

async fn restore(server: &Server, id: &str) -> (StatusCode, Value) {
    let answer = server.send(Method::POST, &format!("/api/v1/bin/{id}/restore"), &[], None).await;
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn in_bin(server: &Server) -> Vec<String> {
    let bin = server.json("/api/v1/bin").await;
    let entries = bin["dashboards"].as_array().expect("an array").clone();
    assert_eq!(bin["total"].as_u64(), Some(entries.len() as u64));
    entries.iter().map(|entry| entry["id"].as_str().expect("an id").to_owned()).collect()
}

async fn reason(answer: Response) -> String {
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    answer.json::<Value>().await.expect("JSON")["reason"].as_str().expect("words").to_owned()
}

#[tokio::test]
async fn a_deleted_dashboard_is_in_the_bin_and_comes_back_as_it_was() {
    let server = Server::start();
    let id = server.make("Orders").await;
    let path = format!("/api/v1/dashboards/{id}");
    let before = server.json(&path).await;
    let name = json!({"name": "Ada"});
    let cookie = guest_cookie(&server.send(Method::PUT, "/api/v1/me", &[], Some(name)).await);
    assert_eq!(delete(&server, &path, &[("cookie", &cookie)]).await, StatusCode::NO_CONTENT);
    let copy = json!({"title": "Copy", "copy_of": id});
    for answer in [
        server.get(&path).await,
        server.get(&format!("{path}/export")).await,
        server.get(&format!("{path}/data?widget=w1&from=0&to=90000")).await,
        server.send(Method::POST, "/api/v1/dashboards", &[], Some(copy)).await,
        server.send(Method::DELETE, &path, &[], None).await,
    ] {
        let reason = reason(answer).await;
        assert!(reason.contains("moved to the bin") && reason.contains("by Ada"), "{reason}");
    }
    let listed = server.json("/api/v1/dashboards").await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "the sample");
    let page = server.get(&format!("/d/{id}")).await;
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    let data = page_data(page).await;
    assert_eq!((&data["page"]["page"], &data["page"]["entry"]["id"]), (&json!("in_bin"), &json!(id)));
    let bin = server.json("/api/v1/bin").await;
    let entry = &bin["dashboards"][0];
    assert_eq!((&entry["id"], &entry["title"], &bin["days"]), (&json!(id), &json!("Orders"), &json!(30)));
    assert_eq!(entry["deleted_by"]["name"], "Ada");
    let (at, gone) = (entry["deleted_at"].as_u64().expect("a time"), entry["gone_at"].as_u64());
    assert_eq!(gone, Some(at + 30 * 86_400_000));
    assert_eq!(page_data(server.get("/bin").await).await["page"]["bin"]["dashboards"][0]["id"], json!(id));
    assert_eq!(restore(&server, &id).await, (StatusCode::OK, json!({"id": id})));
    assert_eq!(restore(&server, &id).await, (StatusCode::OK, json!({"id": id})), "it is where it should be");
    assert_eq!(server.json(&path).await, before);
    assert!(in_bin(&server).await.is_empty());
    assert_eq!(restore(&server, "none").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_removed_from_the_bin_does_not_come_back() {
    let server = Server::start();
    let (kept, gone) = (server.make("Kept").await, server.make("Gone").await);
    let purge = |id: &str| format!("/api/v1/bin/{id}");
    assert_eq!(delete(&server, &purge(&kept), &[]).await, StatusCode::NOT_FOUND, "it is not in the bin");
    for id in [&kept, &gone] {
        delete(&server, &format!("/api/v1/dashboards/{id}"), &[]).await;
    }
    assert_eq!(in_bin(&server).await.len(), 2);
    // One is restored while somebody looks at the bin and removes it there.
    restore(&server, &kept).await;
    let answer = server.send(Method::DELETE, &purge(&kept), &[], None).await;
    assert!(reason(answer).await.contains("restored"));
    assert_eq!(delete(&server, &purge(&gone), &[]).await, StatusCode::NO_CONTENT);
    assert_eq!(restore(&server, &gone).await.0, StatusCode::NOT_FOUND);
    assert!(!reason(server.get(&format!("/api/v1/dashboards/{gone}")).await).await.contains("bin"));
    assert_eq!(server.json(&format!("/api/v1/dashboards/{kept}")).await["dashboard"]["title"], "Kept");
}

#[tokio::test]
async fn the_bin_outlives_a_restart_and_is_emptied_of_what_is_old() {
    let server = Server::start();
    let (old, young) = (server.make("Old").await, server.make("Young").await);
    for id in [&old, &young] {
        delete(&server, &format!("/api/v1/dashboards/{id}"), &[]).await;
    }
    let (code, _, dir) = server.stop();
    assert_eq!(code, Some(0));
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("data/lockstep.db"));
    let mut file = sqlx::ConnectOptions::connect(&options).await.expect("opens");
    sqlx::query("UPDATE dashboards SET deleted_at = deleted_at - 3 * 86400000 WHERE id = $1")
        .bind(&old)
        .execute(&mut file)
        .await
        .expect("written");
    sqlx::Connection::close(file).await.expect("closed");
    let server = Server::start_with(dir, &[("LOCKSTEP_BIN_DAYS", "2")]);
    let started = Instant::now();
    while in_bin(&server).await != [young.as_str()] {
        assert!(started.elapsed() < Duration::from_secs(20), "what is old goes soon after the start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(restore(&server, &old).await.0, StatusCode::NOT_FOUND);
    assert_eq!(restore(&server, &young).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_bin_is_bounded_and_pushes_nothing_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let set = [("LOCKSTEP_LIMIT_BIN", "1"), ("LOCKSTEP_LIMIT_DASHBOARDS", "2")];
    let server = Server::start_with(dir, &set);
    let first = server.make("First").await;
    delete(&server, &format!("/api/v1/dashboards/{first}"), &[]).await;
    let second = server.make("Second").await;
    let path = format!("/api/v1/dashboards/{second}");
    let refused = server.send(Method::DELETE, &path, &[], None).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let said: Value = refused.json().await.expect("JSON");
    assert!(
        said["code"] == "full" && said["reason"].as_str().is_some_and(|why| why.contains("bin")),
        "{said}"
    );
    assert_eq!(server.get(&path).await.status(), StatusCode::OK, "nothing happened to it");
    let (status, said) = restore(&server, &first).await;
    assert_eq!((status, &said["code"]), (StatusCode::CONFLICT, &json!("full")), "there are two already");
    assert_eq!(in_bin(&server).await, [first.as_str()]);
    delete(&server, &format!("/api/v1/bin/{first}"), &[]).await;
    assert_eq!(delete(&server, &path, &[]).await, StatusCode::NO_CONTENT);
    assert_eq!(restore(&server, &second).await.0, StatusCode::OK);
}

#[tokio::test]
async fn of_many_at_once_one_does_it_and_all_get_the_right_answer() {
    let server = Server::start();
    let id = server.make("Contested").await;
    let path = format!("/api/v1/dashboards/{id}");
    for _ in 0..5 {
        let answers = futures::future::join_all((0..8).map(|_| delete(&server, &path, &[]))).await;
        let done = answers.iter().filter(|status| **status == StatusCode::NO_CONTENT).count();
        let late = answers.iter().filter(|status| **status == StatusCode::NOT_FOUND).count();
        assert_eq!((done, late), (1, 7));
        let answers = futures::future::join_all((0..8).map(|_| restore(&server, &id))).await;
        assert!(answers.iter().all(|(status, _)| *status == StatusCode::OK), "{answers:?}");
        assert_eq!(server.get(&path).await.status(), StatusCode::OK);
    }
}

/// The lines of the log about dashboards as a whole.
fn audit(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).expect("a log");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let fields = lines.map(|line| line["fields"].clone());
    fields.filter(|fields| fields["event"].is_string() && fields["dashboard"].is_string()).collect()
}

#[tokio::test]
async fn what_happens_to_dashboards_is_written_down_with_who_did_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    let file = std::fs::File::create(&log).expect("a file");
    let mut child = command(dir.path())
        .env("LOCKSTEP_LOG_FORMAT", "json")
        .stderr(file)
        .spawn()
        .expect("the program runs");
    let url = address_of(&mut child);
    let server = Server { child, url, dir, http: Client::new() };
    let cookie =
        guest_cookie(&server.send(Method::PUT, "/api/v1/me", &[], Some(json!({"name": "Ada"}))).await);
    let ada = [("cookie", cookie.as_str())];
    let post = async |path: &str, body: Value| -> String {
        let made = server.send(Method::POST, path, &ada, Some(body)).await;
        made.json::<Value>().await.expect("JSON")["id"].as_str().expect("an id").to_owned()
    };
    let made = post("/api/v1/dashboards", json!({"title": "Made"})).await;
    let copied = post("/api/v1/dashboards", json!({"title": "Copy", "copy_of": made})).await;
    let imported =
        post("/api/v1/dashboards/import", json!({"lockstep": 1, "title": "T", "widgets": []})).await;
    delete(&server, &format!("/api/v1/dashboards/{made}"), &ada).await;
    delete(&server, &format!("/api/v1/dashboards/{made}"), &ada).await;
    server.send(Method::POST, &format!("/api/v1/bin/{made}/restore"), &ada, None).await;
    server.send(Method::POST, &format!("/api/v1/bin/{made}/restore"), &ada, None).await;
    delete(&server, &format!("/api/v1/dashboards/{made}"), &[]).await;
    delete(&server, &format!("/api/v1/bin/{made}"), &ada).await;
    let (_, _, dir) = server.stop();
    let lines = audit(&log);
    drop(dir);
    let line = |at: usize| {
        (lines[at]["event"].as_str(), lines[at]["dashboard"].as_str(), lines[at]["name"].as_str())
    };
    assert_eq!((line(0).0, line(0).2), (Some("made"), None), "the sample");
    assert!(lines[0].get("from").is_none(), "the server made it by itself");
    let expected = [
        ("made", &made, Some("Ada")),
        ("copied", &copied, Some("Ada")),
        ("imported", &imported, Some("Ada")),
        ("deleted", &made, Some("Ada")),
        ("restored", &made, Some("Ada")),
        ("deleted", &made, None),
        ("purged", &made, Some("Ada")),
    ];
    assert_eq!(lines.len(), 1 + expected.len(), "one line each, and none for what did nothing: {lines:?}");
    for (at, (event, id, name)) in expected.into_iter().enumerate() {
        assert_eq!(line(at + 1), (Some(event), Some(id.as_str()), name));
        assert_eq!(lines[at + 1]["user"].is_string(), name.is_some());
        assert_eq!(lines[at + 1]["from"], "127.0.0.1");
    }
    assert_eq!(lines[2]["original"], json!(made));
}
