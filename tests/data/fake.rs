//! A small Prometheus that counts what it is asked and does as the test says.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::watch;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// A value for each step: the step's time in seconds.
    Good,
    /// As a query that does not parse.
    Wrong,
    Unauthorised,
    /// To an address of its own that must not be asked.
    Redirect,
    /// With more than anybody takes.
    Large,
    /// With so many series.
    Many(usize),
    NotJson,
    /// As a server that starts: in plain words.
    Starting,
    /// With an error of its own in JSON.
    TimedOut,
    /// As a success without data.
    Empty,
    /// Of the last milliseconds, up to the moment of asking, it only has the value before them.
    Late(u64),
    /// With so many series, of which all but the last ten ended a minute before the end.
    Ended(usize),
    /// With a warning.
    Warns,
}

#[derive(Default)]
struct Seen {
    queries: watch::Sender<u64>,
    other: AtomicU64,
    mode: Mutex<Option<Mode>>,
    /// The end of each query of a range, in Unix milliseconds.
    ends: Mutex<Vec<u64>>,
    authorization: Mutex<String>,
    texts: Mutex<Vec<String>>,
    /// Bytes of the largest answer, packed and not.
    largest: Mutex<(usize, usize)>,
}

/// The server; it ends with the test.
pub struct Fake {
    pub addr: SocketAddr,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

impl Fake {
    pub async fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let router = Router::new().fallback(answer).with_state(seen.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { addr, seen, task }
    }

    /// As the settings name it.
    pub fn setting(&self) -> String {
        format!("main=http://ada:s3cret@{}/", self.addr)
    }

    pub fn set(&self, mode: Mode) {
        *self.seen.mode.lock().expect("no panic") = Some(mode);
    }

    /// Queries so far.
    pub fn queries(&self) -> u64 {
        *self.seen.queries.borrow()
    }

    /// Queries so far of a range that ended by then, in Unix milliseconds.
    pub fn queries_until(&self, to: u64) -> usize {
        self.seen.ends.lock().expect("no panic").iter().filter(|end| **end <= to).count()
    }

    /// What came to addresses that nobody should ask.
    pub fn others(&self) -> u64 {
        self.seen.other.load(SeqCst)
    }

    pub fn authorization(&self) -> String {
        self.seen.authorization.lock().expect("no panic").clone()
    }

    /// The last so many queries, in the order of their letters.
    pub fn last_queries(&self, count: usize) -> Vec<String> {
        let texts = self.seen.texts.lock().expect("no panic");
        let mut last = texts[texts.len().saturating_sub(count)..].to_vec();
        last.sort();
        last
    }

    /// Bytes of the largest answer, packed and not.
    pub fn largest(&self) -> (usize, usize) {
        *self.seen.largest.lock().expect("no panic")
    }

    /// Waits until it has been asked more often than that.
    pub async fn asked_more_than(&self, count: u64) {
        let mut queries = self.seen.queries.subscribe();
        queries.wait_for(|queries| *queries > count).await.expect("the counter lives with the fake");
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(seen): State<Arc<Seen>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    *seen.authorization.lock().expect("no panic") = header("authorization").unwrap_or_default().to_owned();
    let takes_packed = header("accept-encoding").is_some_and(|all| all.contains("gzip"));
    let body: Bytes = axum::body::to_bytes(request.into_body(), 1 << 20).await.expect("a body");
    let form = form(&body);
    if path == "/api/v1/label/job/values" {
        return axum::Json(json!({"status": "success", "data": ["b", "a"]})).into_response();
    }
    if path != "/api/v1/query_range" && path != "/api/v1/query" {
        seen.other.fetch_add(1, SeqCst);
        return StatusCode::NOT_FOUND.into_response();
    }
    seen.queries.send_modify(|queries| *queries += 1);
    let mode = seen.mode.lock().expect("no panic").unwrap_or(Mode::Good);
    let value = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let number = |name: &str| value(name).parse::<f64>().expect("a number");
    if path == "/api/v1/query_range" {
        seen.ends.lock().expect("no panic").push((number("end") * 1_000.0) as u64);
    }
    let text = value("query").to_owned();
    seen.texts.lock().expect("no panic").push(text.clone());
    match mode {
        Mode::Good if text.starts_with("bad") => wrong(),
        Mode::Wrong => wrong(),
        Mode::Starting => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable").into_response(),
        Mode::TimedOut => {
            let error = "query timed out in expression evaluation";
            let body = json!({"status": "error", "errorType": "timeout", "error": error});
            (StatusCode::SERVICE_UNAVAILABLE, axum::Json(body)).into_response()
        }
        Mode::Empty => axum::Json(json!({"status": "success"})).into_response(),
        Mode::Unauthorised => StatusCode::UNAUTHORIZED.into_response(),
        Mode::Redirect => (StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
        // Of what is JSON so far.
        Mode::Large => " ".repeat(3 << 20).into_response(),
        Mode::NotJson => "<html>".into_response(),
        Mode::Good | Mode::Many(_) | Mode::Late(_) | Mode::Ended(_) | Mode::Warns => {
            let count = if let Mode::Many(count) | Mode::Ended(count) = mode { count } else { 1 };
            let metric = |n: usize| json!({"__name__": "up", "job": format!("j{n:04}")});
            let result: Vec<Value> = if path == "/api/v1/query" {
                (0..count).map(|n| json!({"metric": metric(n), "value": [number("time"), "7"]})).collect()
            } else {
                let (start, end, step) = (number("start"), number("end"), number("step"));
                let steps = ((end - start) / step).round() as u64;
                let at = |n: u64| start + n as f64 * step;
                let value = |at: f64| match mode {
                    Mode::Late(late) => at.min(end - late as f64 / 1_000.0),
                    _ => at,
                };
                let last = |n: usize| match mode {
                    Mode::Ended(count) if n + 10 < count => end - 60.0,
                    _ => end,
                };
                let values = |n: usize| -> Vec<Value> {
                    let all = (0..=steps).map(at).filter(|at| *at <= last(n));
                    all.map(|at| json!([at, value(at).to_string()])).collect()
                };
                (0..count).map(|n| json!({"metric": metric(n), "values": values(n)})).collect()
            };
            let kind = if path == "/api/v1/query" { "vector" } else { "matrix" };
            let mut body = json!({"status": "success", "data": {"resultType": kind, "result": result}});
            if mode == Mode::Warns {
                body["warnings"] = json!(["shard 2 is away"]);
            }
            seen.packed(body.to_string().into_bytes(), takes_packed)
        }
    }
}

fn wrong() -> Response {
    let body = json!({"status": "error", "errorType": "bad_data", "error": "1:2: parse error: no"});
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

impl Seen {
    /// An answer, packed for whoever takes it so.
    fn packed(&self, body: Vec<u8>, takes_packed: bool) -> Response {
        let json = (CONTENT_TYPE, "application/json");
        if !takes_packed {
            return ([json], body).into_response();
        }
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&body).expect("memory");
        let packed = packer.finish().expect("memory");
        let mut largest = self.largest.lock().expect("no panic");
        *largest = (*largest).max((packed.len(), body.len()));
        drop(largest);
        ([json, (CONTENT_ENCODING, "gzip")], packed).into_response()
    }
}

fn form(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), decoded(value))).collect()
}

/// Without the signs that stand for bytes in a form.
fn decoded(value: &str) -> String {
    let value = value.replace('+', " ");
    let mut parts = value.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        out.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
        out.extend(part.as_bytes()[2..].iter());
    }
    String::from_utf8(out).expect("text")
}
