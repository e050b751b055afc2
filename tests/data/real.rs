//! Points of real servers, compared one by one with what those servers answer themselves: a target that
//! answers late, one that is away for a while, and others that are replaced.
//!
//! `LOCKSTEP_LIVE_SECONDS` says for how long; without it, so long that every kind of trouble comes once.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::program::{Program, answer, now_ms};
use crate::support::Client;

const SECONDS: u64 = 75;
/// After so long a server's answer for a moment is final: VictoriaMetrics holds back 30 s, and a target takes
/// 3 s of every scrape.
const FINAL_MS: u64 = 40_000;
/// How often targets are asked, and widgets.
const SCRAPE: &str = "2s";
const QUERIES: [&str; 5] = [
    "g",
    "rate(c_total[20s])",
    "sum by (kind) (g)",
    "pod_up",
    "max_over_time(g[10s]) -\n  g # over two lines",
];

/// A server of Debian's, on a port of its own.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

impl Server {
    /// Starts a program and waits until it answers at a path.
    async fn start(program: &str, ready: &str, arguments: impl Fn(u16) -> Vec<String>) -> Self {
        let port = free_port();
        let child = Command::new(program)
            .args(arguments(port))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program} is not here ({error}); scripts/setup.sh --test installs it")
            });
        let server = Self { child, url: format!("http://127.0.0.1:{port}") };
        let address = format!("{}{ready}", server.url);
        while !reqwest::get(&address).await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
    }

    async fn prometheus(dir: &Path, scrapes: &Path) -> Self {
        let (scrapes, data) = (scrapes.display(), dir.join("prometheus").display().to_string());
        Self::start("prometheus", "/-/ready", |port| {
            vec![
                format!("--config.file={scrapes}"),
                format!("--storage.tsdb.path={data}"),
                format!("--web.listen-address=127.0.0.1:{port}"),
            ]
        })
        .await
    }

    async fn victoria_metrics(dir: &Path, scrapes: &Path) -> Self {
        let (scrapes, data) = (scrapes.display(), dir.join("victoria").display().to_string());
        Self::start("victoria-metrics", "/health", |port| {
            vec![
                format!("-promscrape.config={scrapes}"),
                format!("-storageDataPath={data}"),
                format!("-httpListenAddr=127.0.0.1:{port}"),
            ]
        })
        .await
    }

    /// The values of a query by series and time, as the server has them now.
    async fn values(&self, query: &str, (from, to): (u64, u64), step: u64) -> Values {
        let text: String = query.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
        let seconds = |ms: u64| (ms as f64 / 1_000.0).to_string();
        let form = [("query", text), ("start", seconds(from)), ("end", seconds(to)), ("step", seconds(step))];
        let request = reqwest::Client::new().post(format!("{}/api/v1/query_range", self.url)).form(&form);
        let body = answer(request).await.1;
        let mut values = Values::new();
        for one in body["data"]["result"].as_array().unwrap_or_else(|| panic!("{body}")) {
            let labels = one["metric"].as_object().expect("labels").iter();
            let labels: BTreeMap<&String, &Value> = labels.filter(|(name, _)| *name != "__name__").collect();
            for point in one["values"].as_array().expect("values") {
                let value: f64 = point[1].as_str().and_then(|text| text.parse().ok()).expect("a number");
                let at = (point[0].as_f64().expect("a time") * 1_000.0).round() as u64;
                values.insert((json!(labels).to_string(), at), value);
            }
        }
        values
    }
}

type Values = BTreeMap<(String, u64), f64>;

/// What a client has of one series.
#[derive(Default)]
struct Series {
    labels: String,
    points: BTreeMap<u64, Option<f64>>,
}

/// What a client has of the widgets' series, as the protocol says: by widget, by name.
#[derive(Default)]
struct Copy(BTreeMap<String, BTreeMap<String, Series>>);

impl Copy {
    fn take(&mut self, data: &Value) {
        for frame in data["frames"].as_array().expect("frames") {
            let widget = self.0.entry(frame["widget"].as_str().expect("an id").to_owned()).or_default();
            if frame["reset"] == true {
                widget.clear();
            }
            for series in frame["series"].as_array().expect("series") {
                let name = series["name"].as_str().expect("a name").to_owned();
                let Series { labels, points } = widget.entry(name).or_default();
                if let Some(tags) = series["tags"].as_array() {
                    let tags: BTreeMap<&str, &Value> =
                        tags.iter().filter_map(|tag| Some((tag[0].as_str()?, &tag[1]))).collect();
                    *labels = json!(tags).to_string();
                }
                if let Some(from) = series["replaces_from"].as_u64() {
                    points.split_off(&from);
                }
                for point in series["points"].as_array().expect("points") {
                    points.insert(point[0].as_u64().expect("a time"), point[1].as_f64());
                }
            }
        }
    }

    /// Points of a widget within a time that are not the server's, and how many there are.
    fn wrong(&self, widget: &str, wanted: &Values, (from, to): (u64, u64)) -> (Vec<String>, usize) {
        let mut mine = Values::new();
        for Series { labels, points } in self.0[widget].values() {
            let labels = if labels.is_empty() { "{}" } else { labels };
            for (at, value) in points.range(from..=to) {
                mine.extend(value.map(|value| ((labels.to_owned(), *at), value)));
            }
        }
        let same = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        let mut wrong = Vec::new();
        for (key, value) in wanted {
            if !mine.get(key).is_some_and(|mine| same(*mine, *value)) {
                wrong.push(format!("{key:?}: {:?}, and the server says {value}", mine.get(key)));
            }
        }
        wrong.extend(
            mine.keys().filter(|key| !wanted.contains_key(*key)).map(|key| format!("{key:?} is not there")),
        );
        (wrong, wanted.len())
    }
}

/// Targets in trouble: everything answers 3 s late for a while, fails for a while, and one pod takes the place
/// of another.
async fn metrics() -> Response {
    let seconds = now_ms() / 1_000;
    match seconds / 10 % 6 {
        1 | 4 => tokio::time::sleep(Duration::from_millis(1_500)).await,
        3 => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => {}
    }
    let value = now_ms() as f64 / 1_000.0 % 1_000.0;
    format!(
        "g{{kind=\"a\",n=\"1\"}} {value}\ng{{kind=\"a\",n=\"2\"}} {}\ng{{kind=\"b\",n=\"3\"}} {}\nc_total {}\n\
         pod_up{{pod=\"p{}\"}} 1\n",
        value * 2.0,
        value / 3.0,
        now_ms() / 100,
        seconds / 15
    )
    .into_response()
}

#[tokio::test]
async fn what_is_on_the_chart_is_what_real_servers_say() {
    let dir = tempfile::tempdir().expect("a directory");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let target = listener.local_addr().expect("an address");
    let targets = tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/metrics", get(metrics))).await.expect("serves");
    });
    let scrapes = dir.path().join("scrapes.yml");
    let text = format!(
        "global:\n  scrape_interval: {SCRAPE}\n  scrape_timeout: {SCRAPE}\nscrape_configs:\n- job_name: j\n  static_configs:\n  - targets: ['{target}']\n"
    );
    std::fs::write(&scrapes, text).expect("a file");
    let servers = [
        ("prom", Server::prometheus(dir.path(), &scrapes).await),
        ("victoria", Server::victoria_metrics(dir.path(), &scrapes).await),
    ];
    let setting = servers.each_ref().map(|(name, server)| format!("{name}={}", server.url)).join(",");
    let lockstep = Program::start(dir.path(), &[("LOCKSTEP_PROMETHEUS", &setting)]);
    let made = answer(lockstep.post("/api/v1/dashboards").json(&json!({"title": "Real"}))).await.1;
    let id = made["id"].as_str().expect("an id").to_owned();
    let mut ada = Client::connect(lockstep.addr).await;
    ada.hello("ada").await;
    ada.join(&id).await;
    let mut ops = vec![
        json!({"op": "set_dashboard", "field": "refresh", "value": 2}),
        json!({"op": "set_dashboard", "field": "range", "value": "5m"}),
    ];
    for (source, _) in &servers {
        ops.extend(QUERIES.iter().enumerate().map(|(n, query)| {
            let frame = json!({"x": 0, "y": n, "w": 6, "h": 4});
            let widget =
                json!({"kind": "timeseries", "frame": frame, "options": {"source": source, "query": query}});
            json!({"op": "add_widget", "id": format!("{source}-{n}"), "widget": widget})
        }));
    }
    ada.push(&id, json!([{"seq": 1, "base": 0, "ops": ops}])).await;

    let seconds =
        std::env::var("LOCKSTEP_LIVE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let (begun, mut copy) = (now_ms(), Copy::default());
    while now_ms() < begun + seconds * 1_000 {
        copy.take(&ada.expect_any("data").await);
        ada.send(json!({"type": "ping", "id": 1})).await;
    }
    let mut late = Copy::default();
    let mut grace = Client::connect(lockstep.addr).await;
    grace.hello("grace").await;
    grace.join(&id).await;
    while late.0.len() < servers.len() * QUERIES.len() {
        late.take(&grace.expect_any("data").await);
    }
    let step = 2_000;
    let long = (seconds * 1_000).min(280_000);
    let to = (now_ms() - FINAL_MS) / step * step;
    let from = (now_ms() - long).div_ceil(step) * step;
    let (mut all_wrong, mut points) = (Vec::new(), 0);
    for (source, server) in &servers {
        for (n, query) in QUERIES.iter().enumerate() {
            let wanted = server.values(query, (from, to), step).await;
            for (who, copy) in [("ada", &copy), ("grace", &late)] {
                let (wrong, count) = copy.wrong(&format!("{source}-{n}"), &wanted, (from, to));
                points += count;
                all_wrong.extend(wrong.into_iter().map(|one| format!("{who} {source} {query:?} {one}")));
            }
        }
    }
    println!("{} of {points} points wrong after {seconds} s", all_wrong.len());
    assert!(points > 300, "{points} points are too few to tell anything");
    assert_eq!(all_wrong, [""; 0]);
    targets.abort();
}
