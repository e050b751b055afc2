//! What the program says of itself while it runs: its health, to supervisors, and its build.

use std::process::{Command, Output};

use crate::support::program::Program;

fn healthcheck(addr: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    // Nothing on this machine is behind a proxy.
    command
        .env("LOCKSTEP_ADDR", addr)
        .env("http_proxy", "http://127.0.0.1:9")
        .arg("healthcheck")
        .args(arguments);
    command.output().expect("runs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthcheck_ends_as_the_server_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Program::start(dir.path(), &[]);
    let addr = server.addr.to_string();
    for arguments in [&[][..], &["--ready"]] {
        let output = healthcheck(&addr, arguments);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    let everywhere = healthcheck(&format!("0.0.0.0:{}", server.addr.port()), &[]);
    assert!(everywhere.status.success(), "{everywhere:?}");

    server.signal("TERM");
    assert!(server.ended().await.success());
    let output = healthcheck(&addr, &[]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("http://{addr}/healthz does not answer")), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_build_is_in_the_status_and_in_the_metrics() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Program::start(dir.path(), &[]);
    let (_, status) = server.get_json("/api/v1/status").await;
    assert_eq!(status["build"], env!("CARGO_PKG_VERSION"));
    let commit = status["commit"].as_str().expect("a commit");
    let metrics = server.get("/metrics").await.text().await.expect("text");
    let version = env!("CARGO_PKG_VERSION");
    let line = format!("lockstep_build_info{{version=\"{version}\",commit=\"{commit}\",protocol=\"1\"}} 1");
    assert!(metrics.lines().any(|one| one == line), "{line}");
}
