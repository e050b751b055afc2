//! Servers that answer with JSON as sources: a real one, with answers as public ones give them.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::asked::{Asked, FROM, TO};
use crate::program::Program;
use crate::support::Client;

/// A server below whose path `/api` there are answers; it keeps what it was asked.
struct Upstream {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Upstream {
    async fn start() -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().fallback(reply).with_state(asked.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { addr, asked, task }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn reply(State(asked): State<Arc<Mutex<Vec<String>>>>, request: Request) -> Response {
    let headers = request.headers();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let lets_in = header("authorization") == "Bearer t0ken" && header("x-api-key") == "k3y";
    asked.lock().expect("no panic").push(request.uri().to_string());
    if !lets_in {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let minutes = 0..10_u64;
    let body = match request.uri().path() {
        // As Open-Meteo's forecasts are: lists side by side.
        "/api/forecast" => {
            let time: Vec<u64> = minutes.clone().map(|n| FROM / 1_000 + n * 60).collect();
            let temperature: Vec<Value> =
                minutes.map(|n| if n == 3 { Value::Null } else { json!(n as f64 / 4.0) }).collect();
            json!({"latitude": 52.52, "hourly_units": {"time": "unixtime"}, "hourly": {"time": time, "temperature_2m": temperature}})
        }
        // As Home Assistant's states are: objects whose numbers are texts.
        "/api/states" => json!([
            {"entity_id": "sensor.kitchen", "state": "21.5", "attributes": {"unit_of_measurement": "°C"}},
            {"entity_id": "sensor.attic", "state": "unavailable", "attributes": {}},
            {"entity_id": "light.hall", "state": "on", "attributes": {}},
        ]),
        // A list of objects, of which some lack what others have.
        "/api/rows" => json!({"data": [
            {"at": "2025-10-09T08:54:00Z", "host": "a", "v": 1},
            {"at": "2025-10-09T10:55:00+02:00", "host": "b", "v": 2},
            {"at": "2025-10-09T08:56:00Z", "host": "a"},
            {"at": "2025-10-09T08:57:00.500Z", "host": "a", "v": 4},
        ]}),
        "/api/large" => {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(format!("[{}1]", "1,".repeat(3 << 20)).as_bytes()).expect("packs");
            let body = packed.finish().expect("packs");
            return ([("content-encoding", "gzip")], body).into_response();
        }
        "/api/packed" => {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(br#"{"v": 7}"#).expect("packs");
            return ([("content-encoding", "gzip")], packed.finish().expect("packs")).into_response();
        }
        "/api/elsewhere" => return (StatusCode::FOUND, [("location", "/secret")]).into_response(),
        "/api/busy" => return StatusCode::TOO_MANY_REQUESTS.into_response(),
        "/api/wrong" => {
            let body = json!({"error": true, "reason": "Latitude must be in range"});
            return (StatusCode::BAD_REQUEST, axum::Json(body)).into_response();
        }
        "/api/html" => return "<html>".into_response(),
        "/api/slow" => return std::future::pending().await,
        "/secret" => json!({"v": 1}),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    axum::Json(body).into_response()
}

/// A dashboard that asks the server.
async fn start(dir: &Path, upstream: &Upstream) -> Asked {
    let settings = format!(
        "[lockstep.http.house]\nurl = 'http://{}/api/'\ntoken = 't0ken'\n[lockstep.http.house.headers]\nX-Api-Key = 'k3y'\n",
        upstream.addr
    );
    std::fs::write(dir.join("Leptos.toml"), settings).expect("a file");
    Asked::new(Program::start(dir, &[("LOCKSTEP_LIMIT_ANSWER_BYTES", "2097152")]), "house").await
}

#[tokio::test]
async fn answers_of_many_shapes_are_charts_value_by_value() {
    let (upstream, dir) = (Upstream::start().await, tempfile::tempdir().expect("a directory"));
    let mut asked = start(dir.path(), &upstream).await;
    let forecast = "/forecast?latitude=52.52&hourly=temperature_2m&timeformat=unixtime\n\
                    time: $.hourly.time[*]\nvalue: $.hourly.temperature_2m[*]";
    let expected: Vec<Value> =
        (0..10).map(|n| json!([FROM + n * 60_000, (n != 3).then_some(n as f64 / 4.0)])).collect();
    assert_eq!(asked.series(forecast).await, json!([["temperature_2m", expected]]));
    let states = "/states\nvalue: $[?@.attributes.unit_of_measurement == '°C'].state\nname: $[*].entity_id";
    assert_eq!(asked.series(states).await, json!([["sensor.kitchen", [[TO, 21.5]]]]));
    let rows = "/rows\ntime: $.data[*].at\nvalue: $.data[*].v\nname: $.data[*].host";
    let expected = json!([["a", [[FROM, 1.0], [FROM + 180_500, 4.0]]], ["b", [[FROM + 60_000, 2.0]]]]);
    assert_eq!(asked.series(rows).await, expected);
    assert_eq!(asked.series("/packed\nvalue: $.v\nname: Seven").await, json!([["Seven", [[TO, 7.0]]]]));
    let all = asked.frame("/states\nvalue: $[*].state\nname: $[*].entity_id").await;
    assert!(all["note"].as_str().is_some_and(|note| note.contains("shown as a gap")), "{all}");
    let hosts = asked.server.json("/api/v1/sources/house/values?label=%24.data%5B*%5D.host&of=%2Frows").await;
    assert_eq!(hosts, json!(["a", "b"]));
    asked.set("variable.place", json!({"choices": ["a&b=../c"]})).await;
    asked.series("/rows?from=$from&to=$to_iso&place=$place\nvalue: $.data[0].v").await;
    // Beside what the room itself asks for those who are in it.
    let wanted = "/api/rows?from=1760000040&to=2025-10-09T09%3A04%3A00Z&place=a%26b%3D..%2Fc";
    let asked = upstream.asked();
    assert!(asked.iter().any(|path| path == wanted), "{asked:?}");
}

#[tokio::test]
async fn nobody_gets_out_of_the_address_and_errors_are_in_words() {
    let (upstream, dir) = (Upstream::start().await, tempfile::tempdir().expect("a directory"));
    let mut asked = start(dir.path(), &upstream).await;
    let mut all_said = String::new();
    for (query, words) in [
        ("/../secret\nvalue: $.v", "Line 1: the path has"),
        ("/%2e%2e/secret\nvalue: $.v", "Line 1: the path has"),
        ("//evil.example/\nvalue: $.v", "Line 1: the path has"),
        ("/@evil.example/\nvalue: $.v", "Line 1: the path has"),
        ("http://evil.example/\nvalue: $.v", "Line 1: a query is a path"),
        ("/elsewhere\nvalue: $.v", "house points to another address, which is not asked"),
        ("/wrong\nvalue: $.v", "house answers 400 Bad Request: Latitude must be in range"),
        ("/busy\nvalue: $.v", "house is asked too often"),
        ("/html\nvalue: $.v", "What house answers is not JSON"),
        ("/large\nvalue: $[0]", "larger than 2 MiB"),
        ("/none\nvalue: $.v", "house answers 404 Not Found"),
        (
            "/rows\ntime: $.data[*].host\nvalue: $.data[*].v",
            "`time` $.data[*].host finds \"a\", which is no time",
        ),
        ("/rows\nvalue: $.data", "`value` $.data finds a list, which is no number"),
        ("/rows\nvalue: $.data[", "Line 2: `value` $.data[ has a bracket that does not end"),
        ("/slow\nvalue: $.v", "house did not answer within 10 s"),
    ] {
        let said = asked.error(query).await;
        assert!(said.contains(words), "{query}: {said}");
        all_said += &said;
    }
    assert!(upstream.asked().iter().all(|path| path.starts_with("/api/")), "{:?}", upstream.asked());
    all_said += &asked.server.json("/api/v1/status").await.to_string();
    let sources = asked.server.json("/api/v1/sources").await;
    assert_eq!((&sources[1]["name"], &sources[1]["kind"]), (&json!("house"), &json!("http")));
    all_said += &sources.to_string();
    for secret in ["t0ken", "k3y", &format!(":{}", upstream.addr.port())] {
        assert!(!all_said.contains(secret), "{secret} in {all_said}");
    }
}

#[tokio::test]
async fn values_of_now_stay_while_somebody_watches() {
    let (upstream, dir) = (Upstream::start().await, tempfile::tempdir().expect("a directory"));
    let mut asked = start(dir.path(), &upstream).await;
    asked.set("refresh", json!(1)).await;
    asked.set("range", json!("5m")).await;
    asked.add("/packed\nvalue: $.v").await;
    let mut points = 0;
    while points < 3 {
        let data = asked.ada.expect_any("data").await;
        for frame in data["frames"].as_array().expect("frames") {
            assert!(points == 0 || frame["reset"] == false, "what was before stays: {frame}");
            points += frame["series"][0]["points"].as_array().map_or(0, Vec::len);
        }
    }
    let mut late = Client::connect(asked.server.addr).await;
    late.hello("late").await;
    late.join(&asked.id).await;
    let data = late.expect_any("data").await;
    let known = data["frames"][0]["series"][0]["points"].as_array().map_or(0, Vec::len);
    assert!(known >= 3, "who joins has them too: {data}");
}
