//! Data directories of released versions, as those versions wrote them: this one opens each, shows what it showed, and
//! goes on. `scripts/data-fixture.sh` makes that of this version before its release.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::program::{Program, command};
use crate::support::{Client, stat};

/// All dashboards by their ids, as the version that wrote the data read them.
const EXPECTED: &str = "expected.json";
/// The end of the files that are packed.
const PACKED: &str = ".gz";
const ACCOUNT: &str = "ada@example.com";
/// What is there for one process only.
const LOCK: &str = "lockstep.lock";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data")
}

fn names(dir: &Path) -> Vec<String> {
    let all = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut names: Vec<_> =
        all.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort_unstable();
    names
}

/// On a server that has an account all the same, so that a test needs no session.
fn start(dir: &Path) -> Program {
    Program::start(dir, &[("LOCKSTEP_ACCESS", "open")])
}

async fn stop(server: Program) {
    server.signal("TERM");
    let ended = server.ended().await;
    assert!(ended.success(), "{ended}");
}

/// A dashboard as it reads, with what waits for a person.
async fn read(server: &Program, id: &str) -> Value {
    let (status, document) = server.get_json(&format!("/api/v1/dashboards/{id}/export")).await;
    assert_eq!(status, 200, "{id}: {document}");
    let (status, whole) = server.get_json(&format!("/api/v1/dashboards/{id}")).await;
    assert_eq!(status, 200, "{id}: {whole}");
    json!({"document": document, "revision": whole["revision"], "conflicts": whole["dashboard"]["conflicts"]})
}

/// What a command prints that works on the data of a server that is stopped.
fn run(dir: &Path, arguments: &[&str], input: &str) -> String {
    let mut command = command(dir);
    let mut child = command.args(arguments).stdin(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("taken");
    let output = child.wait_with_output().expect("ends");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(
        output.status.success(),
        "{arguments:?}: {said}{}",
        fs::read_to_string(dir.join("log")).unwrap_or_default()
    );
    said
}

/// True where all that an earlier version said is there still; a later one may say more.
fn has(now: &Value, before: &Value) -> bool {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => {
            before.iter().all(|(name, before)| now.get(name).is_some_and(|now| has(now, before)))
        }
        (Value::Array(now), Value::Array(before)) => {
            now.len() == before.len() && now.iter().zip(before).all(|(now, before)| has(now, before))
        }
        _ => now == before,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_of_every_released_version_is_opened_and_goes_on() {
    let versions = names(&fixtures());
    let current = format!("v{}", env!("CARGO_PKG_VERSION"));
    assert!(versions.contains(&current), "{current} is missing: run scripts/data-fixture.sh");
    for version in versions {
        let (fixture, dir) = (fixtures().join(&version), tempfile::tempdir().expect("a directory"));
        let data = dir.path().join("data");
        fs::create_dir(&data).expect("a directory");
        for name in names(&fixture) {
            if let Some(unpacked) = name.strip_suffix(PACKED) {
                let mut packed = GzDecoder::new(File::open(fixture.join(&name)).expect("opens"));
                let mut file = File::create(data.join(unpacked)).expect("made");
                std::io::copy(&mut packed, &mut file).expect("unpacks");
            }
        }
        let expected = fs::read(fixture.join(EXPECTED)).expect("reads");
        let expected: BTreeMap<String, Value> = serde_json::from_slice(&expected).expect("JSON");

        let server = start(dir.path());
        for (id, before) in &expected {
            let now = read(&server, id).await;
            assert!(has(&now, before), "{version}: {id} was {before}, is {now}");
            let mut client = Client::connect(server.addr).await;
            client.hello("upgraded").await;
            let snapshot = client.join(id).await;
            let widget = json!({"op": "add_widget", "id": "new", "widget": stat("Added since")});
            client.push(id, json!([{"seq": 1, "base": snapshot["revision"], "ops": [widget]}])).await;
            assert_eq!(client.commits().await.len(), 1, "{version}: {id}");
        }
        let now = lockstep::server::clock::now_ms();
        let (status, said) =
            server.post("/api/v1/series", json!({"series": "orders", "value": 7, "at": now})).await;
        assert!(status < 300, "{version}: {status} {said}");
        stop(server).await;

        let server = start(dir.path());
        for id in expected.keys() {
            let widgets = read(&server, id).await["document"]["widgets"].clone();
            let widgets = widgets.as_array().expect("widgets");
            assert!(
                widgets.iter().any(|widget| widget["title"] == "Added since"),
                "{version}: {id}: {widgets:?}"
            );
        }
        stop(server).await;
        assert!(run(dir.path(), &["admin", "list"], "").contains(ACCOUNT), "{version}");
        let said = run(dir.path(), &["check"], "");
        assert!(said.contains("whole: nothing is wrong"), "{version}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes into tests/fixtures/data; scripts/data-fixture.sh runs it"]
async fn write_the_fixture_of_this_version() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    let mut ids = Vec::new();
    let (_, listed) = server.get_json("/api/v1/dashboards").await;
    ids.extend(
        listed
            .as_array()
            .expect("the sample")
            .iter()
            .map(|one| one["id"].as_str().expect("an id").to_owned()),
    );
    let (status, made) = server.post("/api/v1/dashboards/import", document()).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().expect("an id").to_owned();

    // A conflict: both had seen the dashboard as it was imported, and each wrote another title.
    for (who, title) in [("ada", "Orders of Ada"), ("grace", "Orders of Grace")] {
        let mut client = Client::connect(server.addr).await;
        client.hello(who).await;
        client.join(&id).await;
        let op = json!({"op": "set", "id": "w1", "field": "title", "value": title});
        client.push(&id, json!([{"seq": 1, "base": 0, "ops": [op]}])).await;
        client.commits().await;
    }
    let waiting = read(&server, &id).await["conflicts"].clone();
    assert!(waiting.as_object().is_some_and(|all| !all.is_empty()), "{waiting}");
    ids.push(id);
    let gone = server.make_dashboard("In the bin").await;
    let deleted = server.http.delete(format!("http://{}/api/v1/dashboards/{gone}", server.addr)).send().await;
    assert!(deleted.expect("an answer").status().is_success());
    let now = lockstep::server::clock::now_ms();
    let points: Vec<Value> =
        (0..200).map(|n| json!({"series": "orders", "value": n, "at": now - 1_000 * n})).collect();
    let (status, said) = server.post("/api/v1/series", json!(points)).await;
    assert!(status < 300, "{status} {said}");
    let mut expected = BTreeMap::new();
    for id in ids {
        let now = read(&server, &id).await;
        expected.insert(id, now);
    }
    stop(server).await;
    run(dir.path(), &["admin", "add", ACCOUNT, "--name", "Ada"], "correct horse battery staple\n");

    let fixture = fixtures().join(format!("v{}", env!("CARGO_PKG_VERSION")));
    if fixture.exists() {
        fs::remove_dir_all(&fixture).expect("removed");
    }
    fs::create_dir_all(&fixture).expect("a directory");
    let data = dir.path().join("data");
    for name in names(&data).iter().filter(|name| *name != LOCK) {
        let file = File::create(fixture.join(format!("{name}{PACKED}"))).expect("made");
        let mut packed = GzEncoder::new(file, Compression::best());
        std::io::copy(&mut File::open(data.join(name)).expect("opens"), &mut packed).expect("packs");
        packed.finish().expect("ends");
    }
    let text = serde_json::to_string_pretty(&expected).expect("JSON") + "\n";
    fs::write(fixture.join(EXPECTED), text).expect("written");
}

/// A dashboard with a widget of each kind.
fn document() -> Value {
    let kinds = ["stat", "timeseries", "bar", "gauge", "table", "note", "checklist"];
    let widget = |(n, kind): (usize, &&str)| {
        let frame = json!({"x": n % 4 * 6, "y": n / 4 * 6, "w": 6, "h": 6});
        let id = format!("w{}", n + 1);
        let mut widget =
            json!({"id": id, "kind": kind, "title": format!("A {kind}"), "frame": frame, "options": {}});
        match *kind {
            "note" => widget["text"] = json!("## When it is red\n\nCall *Grace*. 🚨"),
            "checklist" => {}
            _ => widget["options"] = json!({"query": "orders{host=$host}"}),
        }
        widget
    };
    json!({
        "lockstep": 1,
        "title": "Orders",
        "settings": {
            "range": "6h",
            "tags": ["shop"],
            "variable.host": {"label": "Host", "choices": ["a", "b"]},
            "value.host": "b",
        },
        "widgets": kinds.iter().enumerate().map(widget).collect::<Vec<_>>(),
    })
}
