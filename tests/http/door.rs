//! Who is let in: hosts, origins, other sites' pages, and what the start says of it.

use futures::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::*;

/// A server that listens on all addresses, as on a network, and the address at which this machine has it.
fn on_the_network(set: &[(&str, &str)]) -> (Server, String) {
    let mut all = vec![("LOCKSTEP_ADDR", "0.0.0.0:0"), ("LOCKSTEP_ALLOW_OPEN_ACCESS_ON_NETWORK", "true")];
    all.extend(set);
    let mut server = Server::start_with(tempfile::tempdir().expect("a directory"), &all);
    let port = server.url.rsplit(':').next().expect("a port").to_owned();
    server.url = format!("http://127.0.0.1:{port}");
    (server, port)
}

#[tokio::test]
async fn on_a_network_no_name_is_ours_that_nobody_named() {
    let (server, port) = on_the_network(&[("LOCKSTEP_PUBLIC_URL", "https://wall.example.com")]);
    let status = async |method: Method, host: &str, origin: Option<&str>| {
        let mut headers = vec![("host", host)];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let body = (method == Method::POST).then(|| json!({"title": "Theirs"}));
        server.send(method, "/api/v1/dashboards", &headers, body).await
    };
    let evil = format!("evil.example:{port}");
    let rebound = status(Method::GET, &evil, None).await;
    assert_eq!(rebound.status(), StatusCode::MISDIRECTED_REQUEST);
    let said: Value = rebound.json().await.expect("JSON");
    assert!(said["reason"].as_str().expect("words").contains("LOCKSTEP_PUBLIC_URL"), "{said}");
    let origin = format!("http://{evil}");
    assert_eq!(status(Method::POST, &evil, Some(&origin)).await.status(), StatusCode::MISDIRECTED_REQUEST);
    for host in ["127.0.0.1", "192.168.1.7:3000", "[fe80::1]:3000", "localhost", "wall.example.com"] {
        assert_eq!(status(Method::GET, host, None).await.status(), StatusCode::OK, "{host}");
    }
    let behind = status(Method::POST, "127.0.0.1:3000", Some("https://wall.example.com")).await;
    assert_eq!(behind.status(), StatusCode::CREATED, "a proxy may ask by another name");
}

#[tokio::test]
async fn a_socket_is_for_names_and_pages_of_this_server() {
    let (server, port) = on_the_network(&[]);
    let own = format!("http://127.0.0.1:{port}");
    let evil = format!("evil.example:{port}");
    let evil_origin = format!("http://{evil}");
    for (more, status) in [
        (&[("origin", own.as_str())][..], StatusCode::SWITCHING_PROTOCOLS),
        (&[("origin", own.as_str()), ("sec-fetch-site", "same-origin")], StatusCode::SWITCHING_PROTOCOLS),
        (&[("origin", own.as_str()), ("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN),
        (&[("origin", "http://127.0.0.1:1"), ("sec-fetch-site", "same-site")], StatusCode::FORBIDDEN),
        (&[("origin", "null")], StatusCode::FORBIDDEN),
        (&[("host", evil.as_str()), ("origin", evil_origin.as_str())], StatusCode::MISDIRECTED_REQUEST),
    ] {
        let mut headers = vec![
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        headers.extend(more);
        let answer = server.send(Method::GET, "/api/v1/ws", &headers, None).await;
        assert_eq!(answer.status(), status, "{more:?}");
    }
}

#[tokio::test]
async fn other_sites_pages_lead_here_with_a_link_and_do_nothing_else() {
    let server = Server::start();
    let cross = ("sec-fetch-site", "cross-site");
    let link = [cross, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    let image = [cross, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
    assert_eq!(server.send(Method::GET, "/", &link, None).await.status(), StatusCode::OK);
    for path in ["/", "/api/v1/dashboards", "/api/v1/status", "/pkg/lockstep.js"] {
        let answer = server.send(Method::GET, path, &image, None).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let body = Some(json!({"title": "Theirs"}));
    let form = server.send(Method::POST, "/api/v1/dashboards", &link, body).await;
    assert_eq!(form.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_proxy_on_this_machine_says_that_the_page_came_over_tls() {
    let server = Server::start();
    let over_tls = server.send(Method::GET, "/", &[("x-forwarded-proto", "https")], None).await;
    assert!(header(&over_tls, "set-cookie").ends_with("; Secure"));
    assert!(!header(&server.get("/").await, "set-cookie").contains("Secure"));
}

#[test]
fn the_start_says_who_may_do_what_and_shows_no_secret() {
    let dir = tempfile::tempdir().expect("a directory");
    let token = dir.path().join("token");
    std::fs::write(&token, "s3cret\n").expect("a file");
    let log = dir.path().join("log");
    let mut server = command(dir.path());
    server.stderr(std::fs::File::create(&log).expect("a file"));
    server.env("LOCKSTEP_INGEST_TOKEN_FILE", &token).env("LOCKSTEP_PORT", "tcp://10.0.0.1:80");
    let mut server = server.spawn().expect("the program runs");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    assert!(Command::new("kill").arg(server.id().to_string()).status().expect("kill runs").success());
    assert!(server.wait().expect("it ends").success());
    let said = std::fs::read_to_string(&log).expect("a log");
    for words in [
        "who may read and edit dashboards: everybody on this machine",
        "who may push points and delete series: whoever sends the ingest token",
        "hosts that count as this server: any IP address, localhost",
        "proxies whose X-Forwarded-For counts: none",
        "LOCKSTEP_PORT: no setting",
        "holds a secret and has the permissions",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert!(!said.contains("s3cret"), "{said}");
}

#[tokio::test]
async fn s10_who_makes_or_deletes_dashboards_too_fast_is_told_when_to_come_back() {
    let set = [
        ("LOCKSTEP_LIMIT_DASHBOARD_REQUESTS_BURST", "3"),
        ("LOCKSTEP_TRUSTED_PROXIES", "127.0.0.1"),
        ("LOCKSTEP_ACCESS", "open"),
        ("LOCKSTEP_LIMIT_SESSION_STARTS_BURST", "1"),
        ("LOCKSTEP_LIMIT_SESSION_STARTS_PER_S", "1"),
    ];
    let server = Server::start_with(tempfile::tempdir().expect("a directory"), &set);
    let from = |ip| [("x-forwarded-for", ip)];
    let make = async |ip: &'static str| {
        let body = Some(json!({"title": "Another"}));
        server.send(Method::POST, "/api/v1/dashboards", &from(ip), body).await
    };
    let mut refused = None;
    // A second brings one back, so that a slow machine makes some more than three.
    for _ in 0..200 {
        let answer = make("192.0.2.1").await;
        if answer.status() != StatusCode::CREATED {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("it is too fast in the end");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(header(&refused, "retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    let said: Value = refused.json().await.expect("JSON");
    assert!(
        said["code"] == "rate_limited"
            && said["reason"].as_str().is_some_and(|why| why.contains("Come back in"))
    );
    assert_eq!(make("192.0.2.2").await.status(), StatusCode::CREATED, "somebody else");
    let read = server.send(Method::GET, "/api/v1/dashboards", &from("192.0.2.1"), None).await;
    assert_eq!(read.status(), StatusCode::OK, "reading is no such thing");
    let mut last = StatusCode::OK;
    for _ in 0..200 {
        last = server.send(Method::GET, "/api/v1/ws", &from("192.0.2.1"), None).await.status();
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let other = server.send(Method::GET, "/api/v1/ws", &from("192.0.2.3"), None).await;
    assert_eq!(other.status(), StatusCode::UPGRADE_REQUIRED);
}

#[tokio::test]
async fn no_level_of_the_log_has_secrets_in_it() {
    for filter in ["trace", "tungstenite=trace,tungstenite::protocol=trace,hyper=trace,lockstep=trace"] {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("log");
        let mut program = command(dir.path());
        program.stderr(std::fs::File::create(&log).expect("a file")).env("LOCKSTEP_LOG", filter);
        program.env("LOCKSTEP_INGEST_TOKEN", "s3cret-token");
        program.env("LOCKSTEP_PROMETHEUS", "main=http://user:s3cret-word@127.0.0.1:9");
        let mut child = program.spawn().expect("the program runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("Lockstep is at ").expect("the address").to_owned();
        let server = Server { child, url, dir, http: Client::new() };
        let cookie = guest_cookie(&server.get("/").await);
        let bearer = [("cookie", cookie.as_str()), ("authorization", "Bearer s3cret-token")];
        let body = Some(json!({"series": "a", "value": 1}));
        assert_eq!(server.send(Method::POST, "/api/v1/series", &bearer, body).await.status(), StatusCode::OK);
        // Its source is not there; what lets us in goes out all the same.
        server.get("/api/v1/sources/main/values?label=job").await;
        let addr = server.url.strip_prefix("http://").expect("an address");
        let mut request = format!("ws://{addr}/api/v1/ws").into_client_request().expect("a request");
        request.headers_mut().insert("cookie", cookie.parse().expect("a header"));
        request.headers_mut().insert("origin", server.url.parse().expect("a header"));
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("a socket");
        let hello = json!({"type": "hello", "protocol": 1, "client": "s3cret-client"});
        socket.send(Message::text(hello.to_string())).await.expect("sent");
        let welcome = socket.next().await.expect("a frame").expect("a frame").into_text().expect("text");
        assert!(welcome.contains("welcome"), "{welcome}");
        drop(socket);
        let (_, _, _dir) = server.stop();
        let said = std::fs::read_to_string(&log).expect("a log");
        assert!(said.contains("lockstep"), "{said}");
        let secret = cookie.split_once('=').expect("a pair").1;
        for secret in ["s3cret", secret] {
            let lines: Vec<&str> = said.lines().filter(|line| line.contains(secret)).collect();
            assert!(lines.is_empty(), "{filter}: {lines:?}");
        }
    }
}
