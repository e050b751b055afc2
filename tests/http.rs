//! The program over HTTP: what each address answers, what is refused, how it starts and stops.

#[path = "http/base_path.rs"]
mod base_path;
#[path = "http/bin.rs"]
mod bin;
#[path = "http/connections.rs"]
mod connections;
#[path = "http/documents.rs"]
mod documents;
#[path = "http/door.rs"]
mod door;
#[path = "http/large.rs"]
mod large;
#[path = "http/list.rs"]
mod list;
// Elsewhere a machine has no second address of its own.
#[cfg(target_os = "linux")]
#[path = "http/proxies.rs"]
mod proxies;
#[path = "http/tls.rs"]
mod tls;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

/// The program on a port of its own, with a data directory and a site of its own.
struct Server {
    child: Child,
    url: String,
    dir: tempfile::TempDir,
    http: Client,
}

impl Server {
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"))
    }

    fn start_in(dir: tempfile::TempDir) -> Self {
        Self::start_with(dir, &[])
    }

    fn start_with(dir: tempfile::TempDir, set: &[(&str, &str)]) -> Self {
        let mut child = command(dir.path()).envs(set.iter().copied()).spawn().expect("the program runs");
        let url = address_of(&mut child);
        Self { child, url, dir, http: Client::new() }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Response {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.expect("an answer")
    }

    async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, &[], None).await
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.expect("JSON")
    }

    async fn make(&self, title: &str) -> String {
        let made = self.send(Method::POST, "/api/v1/dashboards", &[], Some(json!({ "title": title }))).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        made.json::<Value>().await.expect("JSON")["id"].as_str().expect("an id").to_owned()
    }

    /// A request as bytes, for what no client would send; returns the head and the body.
    fn raw(&self, request: &str) -> String {
        let addr = self.url.strip_prefix("http://").expect("an address");
        let mut stream = TcpStream::connect(addr).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Ends it as a supervisor does; returns how it ended, how long it took, and its directory.
    fn stop(mut self) -> (Option<i32>, Duration, tempfile::TempDir) {
        let started = Instant::now();
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        let ended = self.child.wait().expect("it ends");
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().expect("a directory"));
        (ended.code(), started.elapsed(), dir)
    }
}

/// Where a program that was started says that it is.
fn address_of(child: &mut Child) -> String {
    let mut line = String::new();
    let out = child.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("a line");
    line.trim().strip_prefix("Lockstep is at ").expect("the address").to_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(dir: &Path) -> Command {
    let site = dir.join("site");
    for (name, content) in [
        ("pkg/lockstep.js", "export default 1"),
        ("pkg/lockstep.wasm", "\0asm"),
        ("pkg/lockstep.css", "body{}"),
        ("pkg/lockstep.js.br", "compressed"),
        ("pkg/__wasm_split.js", "export const part = 1"),
        ("pkg/split_pages.wasm", "\0asm of pages"),
        ("pkg/__wasm_split_manifest.json", r#"{"pages":["split_pages"]}"#),
        ("favicon.svg", "<svg/>"),
    ] {
        let path = site.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, content).expect("a file");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command
        .current_dir(dir)
        .env("LOCKSTEP_ADDR", "127.0.0.1:0")
        // All tests come from one address.
        .env("LOCKSTEP_LIMIT_DASHBOARD_REQUESTS_BURST", "1000000")
        .env("LOCKSTEP_DATA_DIR", dir.join("data"))
        .env("LOCKSTEP_SITE_ROOT", site)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

fn guest_cookie(response: &Response) -> String {
    let cookie = header(response, "set-cookie");
    assert!(cookie.starts_with("lockstep_guest="), "{cookie:?}");
    cookie.split(';').next().expect("a pair").to_owned()
}

/// The data that a page carries.
async fn page_data(response: Response) -> Value {
    let html = response.text().await.expect("a body");
    let start = html.find("id=\"page-data\"").expect("the data's element");
    let json = &html[start + html[start..].find('>').expect("its end") + 1..];
    serde_json::from_str(&json[..json.find("</script>").expect("its end")]).expect("JSON")
}

#[tokio::test]
async fn a_first_start_shows_a_live_sample() {
    let server = Server::start();
    let list = server.json("/api/v1/dashboards").await;
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    let card = &list[0];
    assert_eq!(card["title"], "This server, live");
    assert_eq!((card["widgets"].as_u64(), card["here"].as_array().map(Vec::len)), (Some(8), Some(0)));
    let id = card["id"].as_str().expect("an id");
    let read = server.json(&format!("/api/v1/dashboards/{id}")).await;
    assert_eq!(read["revision"], 0);
    assert!(
        read["epoch"].is_string() && read["dashboard"]["widgets"]["cpu"]["options"]["query"] == "server.cpu"
    );
    let html = server.get(&format!("/d/{id}")).await.text().await.expect("a body");
    assert!(
        html.contains("This server, live") && html.contains("data-widget"),
        "readable without WebAssembly"
    );
}

#[tokio::test]
async fn dashboards_are_made_read_and_removed() {
    let server = Server::start();
    let id = server.make(" Checkout ").await;
    let path = format!("/api/v1/dashboards/{id}");
    assert_eq!(server.json(&path).await["dashboard"]["title"], "Checkout");
    assert_eq!(server.send(Method::DELETE, &path, &[], None).await.status(), StatusCode::NO_CONTENT);
    for (method, path) in [
        (Method::GET, path.as_str()),
        (Method::DELETE, &path),
        (Method::GET, "/api/v1/dashboards/a%20b"),
        (Method::GET, "/api/v1/dashboards/%ff"),
        (Method::GET, "/api/v1/nothing"),
        (Method::GET, "/api"),
    ] {
        let answer = server.send(method, path, &[], None).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let body: Value = answer.json().await.expect("JSON");
        assert!(body["code"] == "not_found" && body["reason"].is_string(), "{path}: {body}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_in_words() {
    let server = Server::start();
    let long = "x".repeat(201);
    for (path, method, body, status, code) in [
        ("/api/v1/dashboards", Method::POST, json!({"title": "  "}), 400, "invalid"),
        ("/api/v1/dashboards", Method::POST, json!({"title": long}), 400, "invalid"),
        ("/api/v1/dashboards", Method::POST, json!({"title": 3}), 422, "invalid"),
        ("/api/v1/dashboards", Method::POST, json!({"title": "x".repeat(100_000)}), 413, "too_large"),
        ("/api/v1/dashboards", Method::PUT, json!({}), 405, "invalid"),
        ("/api/v1/me", Method::PUT, json!({"name": "a\nb"}), 400, "invalid"),
        ("/api/v1/me", Method::PUT, json!({"name": "x".repeat(41)}), 400, "invalid"),
    ] {
        let answer = server.send(method, path, &[], Some(body)).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let said: Value = answer.json().await.expect("JSON");
        assert_eq!(said["code"], code, "{path}: {said}");
    }
    let plain = server.http.post(format!("{}/api/v1/dashboards", server.url)).body("{\"title\":\"x\"}");
    assert_eq!(plain.send().await.expect("an answer").status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn the_page_that_a_worker_keeps_is_nobodys() {
    let server = Server::start();
    let shell = server.get("/offline").await;
    assert_eq!(header(&shell, "set-cookie"), "", "nobody becomes a guest by it");
    let html = shell.text().await.expect("a body");
    assert!(!html.contains("You are "), "it names nobody: {html}");
}

#[tokio::test]
async fn a_guest_stays_who_they_are_and_takes_another_name() {
    let server = Server::start();
    let first = server.get("/").await;
    let cookie = guest_cookie(&first);
    let me = page_data(first).await["user"].clone();
    let again = server.send(Method::GET, "/", &[("cookie", &cookie)], None).await;
    assert_eq!(header(&again, "set-cookie"), "", "a known guest gets no other cookie");
    assert_eq!(page_data(again).await["user"], me);
    let name = json!({"name": " Ada "});
    let renamed = server.send(Method::PUT, "/api/v1/me", &[("cookie", &cookie)], Some(name)).await;
    let new_cookie = guest_cookie(&renamed);
    let user: Value = renamed.json().await.expect("JSON");
    assert_eq!((&user["id"], &user["color"], &user["name"]), (&me["id"], &me["color"], &json!("Ada")));
    let after = server.send(Method::GET, "/", &[("cookie", &new_cookie)], None).await;
    assert_eq!(page_data(after).await["user"], user);
    let tampered = format!("{}x", cookie);
    let stranger = server.send(Method::GET, "/", &[("cookie", &tampered)], None).await;
    guest_cookie(&stranger);
    assert_ne!(page_data(stranger).await["user"]["id"], me["id"]);
    let (_, _, dir) = server.stop();
    let server = Server::start_in(dir);
    let later = server.send(Method::GET, "/", &[("cookie", &new_cookie)], None).await;
    assert_eq!(page_data(later).await["user"], user, "known after a restart");
}

#[tokio::test]
async fn pages_carry_their_data_and_a_strict_policy() {
    let server = Server::start();
    let id = server.make("</script><b>&").await;
    let theme =
        server.send(Method::GET, &format!("/d/{id}"), &[("cookie", "lockstep_theme=dark")], None).await;
    assert_eq!(header(&theme, "cache-control"), "no-store");
    let policy = header(&theme, "content-security-policy").to_owned();
    let host = server.url.strip_prefix("http://").expect("an address");
    for part in ["'wasm-unsafe-eval'", "frame-ancestors 'none'", &format!("ws://{host}")] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("script-src 'self' 'unsafe-inline'") && !policy.contains("'unsafe-eval'"));
    let other = server.get("/").await;
    assert_ne!(policy, header(&other, "content-security-policy"), "a nonce is used once");
    assert_eq!(header(&other, "x-content-type-options"), "nosniff");
    assert_eq!(header(&other, "referrer-policy"), "same-origin");
    let data = page_data(theme).await;
    assert_eq!((&data["theme"], &data["page"]["page"]), (&json!("dark"), &json!("dashboard")));
    assert_eq!(data["page"]["dashboard"]["title"], "</script><b>&");
    for (path, page, status) in [
        ("/", "dashboards", 200),
        ("/status", "status", 200),
        ("/d/none", "not_found", 404),
        ("/x/y", "not_found", 404),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert!(header(&answer, "content-type").starts_with("text/html"), "{path}");
        assert_eq!(page_data(answer).await["page"]["page"], page, "{path}");
    }
}

#[tokio::test]
async fn the_title_of_every_page_is_text_alone() {
    let server = Server::start();
    let id = server.make("Orders <b> & “more” &amp;").await;
    let binned = server.make("Old & gone").await;
    let deleted = server.send(Method::DELETE, &format!("/api/v1/dashboards/{binned}"), &[], None).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    for (path, title) in [
        ("/", "Dashboards · Lockstep"),
        ("/?search=x", "Dashboards · Lockstep"),
        ("/bin", "Bin · Lockstep"),
        ("/status", "Status · Lockstep"),
        ("/offline", "Offline · Lockstep"),
        ("/nowhere", "Not found · Lockstep"),
        (&format!("/d/{id}"), "Orders &lt;b> &amp; “more” &amp;amp; · Lockstep"),
        (&format!("/d/{binned}"), "Old &amp; gone · Lockstep"),
    ] {
        let html = server.get(path).await.text().await.expect("text");
        let found = html.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        assert_eq!(found.map(|(found, _)| found), Some(title), "{path}");
    }
}

#[tokio::test]
async fn files_are_cached_by_their_content_and_never_html() {
    let server = Server::start();
    let html = server.get("/").await.text().await.expect("a body");
    let address = script_of(&html);
    let script = server.get(address).await;
    assert_eq!(header(&script, "cache-control"), "public, max-age=31536000, immutable");
    assert!(header(&script, "content-type").contains("javascript"));
    assert_eq!(script.text().await.expect("a body"), "export default 1");
    let small = server.send(Method::GET, address, &[("accept-encoding", "br")], None).await;
    assert_eq!(header(&small, "content-encoding"), "br");
    for path in ["/pkg/lockstep.js", "/pkg/lockstep.css?v=old", "/favicon.svg"] {
        assert_eq!(header(&server.get(path).await, "cache-control"), "no-cache", "{path}");
    }
    assert_eq!(header(&server.get("/pkg/lockstep.wasm").await, "content-type"), "application/wasm");
    for path in ["/pkg/old.js", "/pkg/", "/pkg/x/y", "/vendor/none.js", "/none.svg"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!header(&answer, "content-type").contains("html"), "{path}");
        assert_eq!(header(&answer, "cache-control"), "no-store", "{path}");
    }
}

/// The address of a page's script.
fn script_of(html: &str) -> &str {
    let end = html.rfind("/lockstep.js\"").expect("the script's address") + "/lockstep.js".len();
    &html[html[..end].rfind('"').expect("its beginning") + 1..end]
}

#[tokio::test]
async fn code_of_one_build_has_one_address_and_that_of_another_build_is_not_found() {
    let server = Server::start();
    let html = server.get("/").await.text().await.expect("a body");
    let folder = script_of(&html).strip_suffix("lockstep.js").expect("a file in a folder").to_owned();
    assert!(html.contains(&format!("{{\"imports\":{{\"/pkg/lockstep.js\":\"{folder}lockstep.js\"}}}}")));
    for name in ["lockstep.js", "lockstep.wasm", "__wasm_split.js", "split_pages.wasm"] {
        let answer = server.get(&format!("{folder}{name}")).await;
        assert_eq!(header(&answer, "cache-control"), "public, max-age=31536000, immutable", "{name}");
        assert_eq!(
            server.get(&format!("/pkg/another/{name}")).await.status(),
            StatusCode::NOT_FOUND,
            "{name}"
        );
    }
    let pages = format!("{folder}split_pages.wasm");
    assert!(html.contains(&pages), "fetched with the rest where it is needed");
    std::fs::write(server.dir.path().join("site/pkg/split_pages.wasm"), "\0asm of another build")
        .expect("a file");
    assert_eq!(header(&server.get(&pages).await, "cache-control"), "no-cache", "not what the page is of");
}

#[tokio::test]
async fn the_service_worker_names_one_build_and_its_shell_is_of_it() {
    let server = Server::start();
    let worker = server.get("/service-worker.js").await;
    assert!(header(&worker, "content-type").contains("javascript"));
    assert_eq!(header(&worker, "cache-control"), "no-cache");
    // What a worker may ask is its own policy's to say.
    assert!(header(&worker, "content-security-policy").contains("connect-src 'self'"));
    let text = worker.text().await.expect("a body");
    let build = text.strip_prefix("const BUILD = ").and_then(|text| text.split(";\n").next());
    let build: Value = serde_json::from_str(build.expect("the build's line")).expect("JSON");
    let files = build["files"].as_object().expect("files");
    assert!(files.contains_key("/favicon.svg"));
    let shell = server.get(build["shell"].as_str().expect("an address")).await;
    assert_eq!(header(&shell, "lockstep-build"), build["id"].as_str().expect("a name"));
    assert_eq!(header(&shell, "set-cookie"), "", "the shell is nobody's");
    let html = shell.text().await.expect("a body");
    for (address, integrity) in files {
        assert!(integrity.as_str().expect("a hash").starts_with("sha256-"));
        assert!(!address.contains("?v=") || html.contains(address), "{address}");
        assert_eq!(server.get(address).await.status(), StatusCode::OK, "{address}");
    }
}

#[test]
fn no_path_leads_out_of_the_site() {
    let server = Server::start();
    std::fs::write(server.dir.path().join("secret.txt"), "hidden").expect("a file");
    for path in [
        "/pkg/../../secret.txt",
        "/pkg/%2e%2e/%2e%2e/secret.txt",
        "/pkg/..%2f..%2fsecret.txt",
        "/../secret.txt",
        "/pkg/..\\..\\secret.txt",
        "//secret.txt",
        "/pkg/%00",
    ] {
        let answer =
            server.raw(&format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"));
        assert!(!answer.contains("hidden"), "{path}");
        assert!(!answer.starts_with("HTTP/1.1 200") && !answer.starts_with("HTTP/1.1 5"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn pages_of_others_change_nothing() {
    let server = Server::start();
    let body = || Some(json!({"title": "Theirs"}));
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let answer = server.send(Method::POST, "/api/v1/dashboards", &[("origin", origin)], body()).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin}");
        assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], "forbidden");
    }
    let own = server.send(Method::POST, "/api/v1/dashboards", &[("origin", &server.url)], body()).await;
    assert_eq!(own.status(), StatusCode::CREATED);
    let rebound = server.send(Method::GET, "/api/v1/dashboards", &[("host", "evil.example")], None).await;
    assert_eq!(rebound.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn dashboards_are_bounded_in_number() {
    let dir = tempfile::tempdir().expect("a directory");
    // The sample is one.
    let server = Server::start_with(dir, &[("LOCKSTEP_LIMIT_DASHBOARDS", "2")]);
    let id = server.make("Second").await;
    let body = || Some(json!({"title": "Third"}));
    let answer = server.send(Method::POST, "/api/v1/dashboards", &[], body()).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], "full");
    server.send(Method::DELETE, &format!("/api/v1/dashboards/{id}"), &[], None).await;
    server.make("Third").await;
}

#[tokio::test]
async fn what_opens_no_socket_is_told_so_in_json() {
    let server = Server::start();
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("origin", "https://evil.example"),
    ];
    let old = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "8")];
    for (headers, status, code) in [
        (&upgrade[..], StatusCode::FORBIDDEN, "forbidden"),
        (&upgrade[4..], StatusCode::FORBIDDEN, "forbidden"),
        (&old, StatusCode::UPGRADE_REQUIRED, "invalid"),
        (&[], StatusCode::UPGRADE_REQUIRED, "invalid"),
    ] {
        let answer = server.send(Method::GET, "/api/v1/ws", headers, None).await;
        assert_eq!(answer.status(), status, "{headers:?}");
        let said: Value = answer.json().await.expect("JSON");
        assert!(said["code"] == code && said["reason"].is_string(), "{said}");
    }
}

#[tokio::test]
async fn the_server_says_how_it_is() {
    let server = Server::start();
    for path in ["/healthz", "/readyz"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let status = server.json("/api/v1/status").await;
    let services = status["services"].as_array().expect("services");
    let names: Vec<_> = services.iter().filter_map(|service| service["name"].as_str()).collect();
    assert_eq!(
        names,
        [
            "store",
            "points",
            "disk",
            "clock",
            "rooms",
            "bus",
            "source-this-server",
            "source-pushed",
            "capacity"
        ]
    );
    assert!(services[0]["state"] == "ok" && services[0]["latency_ms"].is_number());
    assert!(services.iter().all(|service| service["says"].as_str().is_some_and(|says| !says.is_empty())));
    let metrics = server.get("/metrics").await;
    assert!(header(&metrics, "content-type").starts_with("text/plain"));
    assert!(metrics.text().await.expect("a body").contains("\nlockstep_commits_total 0\n"));
}

#[tokio::test]
async fn it_stops_in_good_order_and_keeps_everything() {
    let server = Server::start();
    let id = server.make("Kept").await;
    let (code, took, dir) = server.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    let server = Server::start_in(dir);
    assert_eq!(server.json(&format!("/api/v1/dashboards/{id}")).await["dashboard"]["title"], "Kept");
    let list = server.json("/api/v1/dashboards").await;
    assert_eq!(list.as_array().map(Vec::len), Some(2), "the sample is made once");
}

#[test]
fn a_start_that_cannot_be_says_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |set: &[(&str, &str)]| -> Output {
        let mut command = command(dir.path());
        // What it asks for where others reach it is another test's.
        command.env("LOCKSTEP_ACCESS", "open");
        command.stderr(Stdio::piped()).envs(set.iter().copied()).output().expect("the program runs")
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address").to_string();
    let file = dir.path().join("file");
    std::fs::write(&file, "").expect("a file");
    for (set, code, words) in [
        (("LOCKSTEP_LIMIT_WIDGETS", "0"), 2, ["LOCKSTEP_LIMIT_WIDGETS", "takes"]),
        (("LOCKSTEP_ADDR", "0.0.0.0:0"), 2, ["--allow-open-access-on-network", "read and edit"]),
        (("LOCKSTEP_BASE_PATH", "/dash/"), 2, ["LOCKSTEP_BASE_PATH", "none at the end"]),
        (("LOCKSTEP_BASE_PATH", "/dash?x"), 2, ["LOCKSTEP_BASE_PATH", "such as /dash"]),
        (("LOCKSTEP_SITE_ROOT", "/nowhere"), 1, ["--site-root", "/nowhere"]),
        (("LOCKSTEP_ADDR", addr.as_str()), 1, ["addr", addr.as_str()]),
        (("LOCKSTEP_DATA_DIR", file.to_str().expect("text")), 1, ["data_dir", "cannot be used"]),
    ] {
        let output = run(&[set]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert!(output.stdout.is_empty());
    }
}
