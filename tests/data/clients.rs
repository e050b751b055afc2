//! Clients that push, as others made them: each brings points as it is, and they are there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ingest::kept;
use crate::program::Program;

pub const TOKEN: &str = "tell-nobody";
pub const SET_UP: &str = "scripts/setup.sh --test installs what this test runs";

pub fn start(dir: &Path) -> Program {
    Program::start(dir, &[("LOCKSTEP_INGEST_TOKEN", TOKEN)])
}

/// A path of this repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Runs a script with the address and the token to its end, which must be a good one.
async fn run(program: &Path, script: &str, server: &Program) {
    let mut command = Command::new(program);
    command.arg(path("tests/data/clients").join(script));
    command.args([server.addr.ip().to_string(), server.addr.port().to_string(), TOKEN.to_owned()]);
    let done = tokio::task::spawn_blocking(move || command.output().expect(SET_UP)).await.expect("no panic");
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{script}: {said}");
}

/// The values that a server which has ended keeps of a series.
async fn values(dir: &Path, query: &str) -> Vec<f64> {
    kept(dir, query).await.into_iter().map(|(_, value)| value).collect()
}

#[tokio::test]
async fn influxdbs_clients_for_python_push_as_they_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    run(&path(".venv/bin/python"), "influx.py", &server).await;
    drop(server);
    assert_eq!(values(dir.path(), "py1{host=a}").await, [41.5]);
    assert_eq!(values(dir.path(), "py1_s{host=a}").await, [41.5]);
    assert_eq!(values(dir.path(), "py2{host=a\\ }").await, [42.5]);
}

#[tokio::test]
async fn influxdbs_clients_for_javascript_push_as_they_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    run(Path::new("node"), "influx.mjs", &server).await;
    drop(server);
    assert_eq!(values(dir.path(), "js1{host=a}").await, [41.5]);
    assert_eq!(values(dir.path(), "js1_s").await, [1.0]);
    assert_eq!(values(dir.path(), "js2{host=a}").await, [42.5]);
}

#[tokio::test]
async fn an_opentelemetry_sdk_pushes_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    run(&path(".venv/bin/python"), "otel.py", &server).await;
    drop(server);
    // It exports once more when it ends.
    let last = async |query: &str| values(dir.path(), query).await.last().copied();
    assert_eq!(last("otel.orders{paid=true,job=shop,instance=a}").await, Some(6.0));
    assert_eq!(last("otel.latency_count{job=shop}").await, Some(3.0));
    assert_eq!(last("otel.latency_sum").await, Some(5.55));
    assert_eq!(last("otel.latency_bucket{le=0.1}").await, Some(1.0));
    assert_eq!(last("otel.latency_bucket{le=1}").await, Some(2.0));
    assert_eq!(last("otel.latency_bucket{le=+Inf}").await, Some(3.0));
}
