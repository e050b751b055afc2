//! What programs ask that were written for InfluxDB of any version, as they ask it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::program::{Program, answer, now_ms};

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[tokio::test]
async fn version_1_writes_in_each_precision_and_names_what_does_not_fit() {
    let dir = dir();
    let server = Program::start(dir.path(), &[]);
    let now = now_ms();
    for (precision, unit_ns) in [
        ("n", 1),
        ("ns", 1),
        ("u", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000_u64),
        ("m", 60_000_000_000),
    ] {
        let line = format!("v1,p={precision} value=1 {}", now * 1_000_000 / unit_ns);
        let path = format!("/write?db=home&rp=autogen&precision={precision}");
        assert_eq!(server.push(&path, line).await.0, 204, "{precision}");
    }
    assert_eq!(server.json("/api/v1/series?part=v1").await.as_array().map(Vec::len), Some(6));
    let bad = server.post("/write?db=home").body("a value=1\nb\nc value=2").send().await.expect("an answer");
    assert_eq!(bad.status(), 400);
    let reason = bad.headers()["x-influxdb-error"].to_str().expect("text").to_owned();
    assert!(reason.starts_with("partial write: line 2: "), "{reason}");
    let said: serde_json::Value = bad.json().await.expect("JSON");
    assert!(said["error"].as_str().is_some_and(|why| why.ends_with("dropped=1")), "{said}");
    assert_eq!(server.push("/write?db=home&precision=x", "a value=1").await.0, 400);
    assert_eq!(server.push("/write?db=home", "Disk,check=C:\\,host=lp value=52.45").await.0, 400);
}

#[tokio::test]
async fn version_1_answers_what_programs_ask_before_they_write() {
    let dir = dir();
    let server = Program::start(dir.path(), &[]);
    let created = json!({"results": [{"statement_id": 0}]});
    let query = "/query?q=CREATE%20DATABASE%20home";
    assert_eq!(server.push(query, "").await, (200, created.clone()));
    let form = server.post("/query").form(&[("q", "CREATE DATABASE \"home\"")]);
    assert_eq!(answer(form).await, (200, created));
    let shown = server.json("/query?db=home&q=SHOW+DATABASES").await;
    assert_eq!(shown["results"][0]["series"][0]["values"], json!([["lockstep"], ["home"]]));
    assert_eq!(server.push("/query", "").await.0, 400);
    let ping = server.get("/ping").await;
    assert!(
        ping.headers().contains_key("x-influxdb-build") && ping.headers().contains_key("x-influxdb-version")
    );
}

#[tokio::test]
async fn a_token_is_also_a_password() {
    let dir = dir();
    let server = Program::start(dir.path(), &[("LOCKSTEP_INGEST_TOKEN", "tell-nobody")]);
    for path in ["/write?db=home", "/query?q=SHOW+DATABASES", "/api/v2/write", "/api/v3/write_lp?db=home"] {
        let basic = |password: &str| server.post(path).basic_auth("ada", Some(password)).body("a value=1");
        assert_eq!(answer(basic("wrong")).await.0, 401, "{path}");
        assert!(answer(basic("tell-nobody")).await.0 < 300, "{path}");
        assert_eq!(answer(server.post(path).body("a value=1")).await.0, 401, "{path}");
    }
    assert_eq!(server.push("/write?db=home&u=ada&p=tell-nobody", "a value=1").await.0, 204);
    let refused =
        server.post("/write?db=home&u=ada&p=wrong").body("a value=1").send().await.expect("an answer");
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["www-authenticate"], "Basic realm=\"Lockstep\"");
    assert_eq!(server.get("/api/v2/buckets").await.status(), 401);
}

#[tokio::test]
async fn version_2_and_3_answer_what_clients_ask() {
    let dir = dir();
    let server = Program::start(dir.path(), &[]);
    assert_eq!(server.json("/ready").await["status"], "ready");
    assert_eq!(server.json("/api/v2/buckets?name=home").await["buckets"][0]["name"], "home");
    assert_eq!(server.json("/api/v2/orgs?org=us").await["orgs"][0]["name"], "us");
    let made = server.post("/api/v2/buckets").json(&json!({"name": "home", "orgID": "x"}));
    assert_eq!(answer(made).await.0, 201);
    let now = now_ms() / 1_000;
    let lines = format!("v3 value=1 {now}\nb\nv3 value=2");
    let (status, said) =
        server.push("/api/v3/write_lp?db=home&precision=auto&no_sync=true", lines.clone()).await;
    assert_eq!((status, &said["error"]), (400, &json!("partial write of line protocol occurred")));
    let line = &said["data"][0];
    assert_eq!((&line["line_number"], &line["original_line"]), (&json!(2), &json!("b")), "{said}");
    assert_eq!(server.json("/api/v1/series?part=v3").await, json!(["v3"]));
    let whole = lines.replace("v3", "whole");
    assert_eq!(server.push("/api/v3/write_lp?db=home&accept_partial=false", whole).await.0, 400);
    assert_eq!(server.json("/api/v1/series?part=whole").await, json!([]));
    assert_eq!(
        server.push("/api/v3/write_lp?db=home&precision=second", format!("v3 value=3 {now}")).await.0,
        204
    );
}

#[tokio::test]
async fn a_slow_body_is_taken_as_long_as_bytes_come() {
    let dir = dir();
    // A second without a byte, or less than a kilobyte each second in the long run, is too slow.
    let server = Program::start(dir.path(), &[("LOCKSTEP_LIMIT_BODY_MS", "1000")]);
    let addr = server.addr;
    let said = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(addr).expect("a connection");
        let head = "POST /write?db=home HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\
                    Connection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("sent");
        let (line, comment) = ("slow value=1\n", format!("#{}\n", "x".repeat(1_022)));
        for part in [line, &comment, &comment, &comment, line] {
            let chunk = format!("{:x}\r\n{part}\r\n", part.len());
            stream.write_all(chunk.as_bytes()).expect("sent");
            // Pauses are what is tested.
            std::thread::sleep(Duration::from_millis(500));
        }
        stream.write_all(b"0\r\n\r\n").expect("sent");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("an answer");
        said
    });
    let said = said.await.expect("no panic");
    assert!(said.starts_with("HTTP/1.1 204 "), "{said}");
}
