//! Daemons that push: each is started as it is, and what it brings is on a chart.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::clients::{SET_UP, TOKEN, start};
use crate::program::{Program, answer};
use crate::support::Client;

/// A program that goes on until it is dropped.
struct Running(Child);

impl Running {
    fn start(program: &str, arguments: &[String]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}; {SET_UP}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address that nobody listens at.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

fn write(file: &Path, text: &str) -> String {
    std::fs::write(file, text).expect("a file");
    file.display().to_string()
}

/// How long programs may take to start, to scrape each second, and to notice what went away.
const PATIENCE: Duration = Duration::from_secs(45);

/// Waits for a frame in which a series of that name has a point that is so.
async fn point(client: &mut Client, name: &str, is: impl Fn(&Value) -> bool) {
    let found = tokio::time::timeout(PATIENCE, search(client, name, is)).await;
    found.unwrap_or_else(|_| panic!("{name} has no such point"));
}

async fn search(client: &mut Client, name: &str, is: impl Fn(&Value) -> bool) {
    loop {
        let frame = client.expect_any("data").await;
        let frames = frame["frames"].as_array().into_iter().flatten();
        let series = frames.flat_map(|frame| frame["series"].as_array().into_iter().flatten());
        let mut named =
            series.filter(|one| one["name"].as_str().is_some_and(|known| known.starts_with(name)));
        let has = |one: &Value| {
            one["points"].as_array().is_some_and(|points| points.iter().any(|point| is(&point[1])))
        };
        if named.any(has) {
            return;
        }
    }
}

/// Somebody who looks at a chart of these series.
async fn viewer(server: &Program, query: &str) -> Client {
    let made = answer(server.post("/api/v1/dashboards").json(&json!({"title": "Racks"}))).await.1;
    let id = made["id"].as_str().expect("an id").to_owned();
    let mut ada = Client::connect(server.addr).await;
    ada.hello("ada").await;
    ada.join(&id).await;
    let frame = json!({"x": 0, "y": 0, "w": 6, "h": 4});
    let widget = json!({"kind": "timeseries", "frame": frame, "options": {"query": query}});
    let ops = json!([{"op": "add_widget", "id": "w1", "widget": widget}]);
    ada.push(&id, json!([{"seq": 1, "base": 0, "ops": ops}])).await;
    ada
}

#[tokio::test]
async fn collectd_pushes_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    let file = write(
        &dir.path().join("collectd.conf"),
        &format!(
            "Hostname \"rack7\"\nInterval 1\nBaseDir \"{base}\"\nPIDFile \"{base}/collectd.pid\"\n\
             LoadPlugin load\nLoadPlugin write_http\n<Plugin write_http>\n<Node \"lockstep\">\n\
             URL \"http://{addr}/api/v1/collectd\"\nFormat \"JSON\"\nUser \"any\"\nPassword \"{TOKEN}\"\n\
             BufferSize 1024\n</Node>\n</Plugin>\n",
            base = dir.path().display(),
            addr = server.addr,
        ),
    );
    let _collectd = Running::start("/usr/sbin/collectd", &["-f".to_owned(), "-C".to_owned(), file]);
    let mut ada = viewer(&server, "load.shortterm{host=rack7}").await;
    point(&mut ada, "load.shortterm", Value::is_number).await;
}

#[tokio::test]
async fn prometheus_pushes_what_it_scrapes_and_where_it_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    let targets = dir.path().join("targets.json");
    write(&targets, &json!([{"targets": [server.addr.to_string()]}]).to_string());
    let file = write(
        &dir.path().join("prometheus.yml"),
        &format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs:\n- job_name: lockstep\n  file_sd_configs:\n  - {{files: [targets.json]}}\n\
             remote_write:\n- url: http://{}/api/v1/write\n  authorization: {{credentials: {TOKEN}}}\n",
            server.addr
        ),
    );
    let _prometheus = Running::start(
        "/usr/bin/prometheus",
        &[
            format!("--config.file={file}"),
            format!("--storage.tsdb.path={}", dir.path().join("tsdb").display()),
            format!("--web.listen-address={}", free()),
        ],
    );
    let mut ada = viewer(&server, "lockstep_ingest_points_total{job=lockstep}").await;
    point(&mut ada, "lockstep_ingest_points_total", |value| value.as_f64() > Some(0.0)).await;
    // A target that goes away ends its series: their last point is a gap.
    write(&targets, "[]");
    point(&mut ada, "lockstep_ingest_points_total", Value::is_null).await;
}
