//! The data directory of the real program: whose it is, who may read it, whether it is the one that was meant,
//! and how the program ends.

#![cfg(feature = "ssr")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use support::program::{Program, command, refused};
use support::{Client, PATIENCE};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("is there").permissions().mode() & 0o777
}

async fn stop(program: Program) {
    program.signal("TERM");
    let ended = program.ended().await;
    assert!(ended.success(), "{ended}");
}

async fn once(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

async fn open(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).connect().await.expect("opens")
}

async fn run(file: &Path, sql: &str) {
    let mut connection = open(file).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.expect("runs");
    connection.close().await.expect("closes");
}

async fn points(program: &Program) -> String {
    let text = program.get("/metrics").await.text().await.expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix("lockstep_series_points "));
    line.expect("counted").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_the_same_directory_is_told_who_has_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Program::start(dir.path(), &[]);
    let mut second = command(dir.path());
    let (code, said) = tokio::task::spawn_blocking(move || refused(&mut second)).await.expect("ends");
    let pid = first.child.id();
    assert!(
        code == Some(1) && said.contains(&format!("in use by another Lockstep (process {pid})")),
        "{said}"
    );
    assert_eq!(first.post("/api/v1/series", json!({"series": "a", "value": 1})).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_waits_for_one_that_drains() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Program::start(dir.path(), &[]);
    let id = first.make_dashboard("Before").await;
    let next = command(dir.path()).spawn().expect("starts");
    once("it waits", || first.log().contains("waiting for it to end")).await;
    stop(first).await;
    let next = Program::served(next, dir.path());
    assert_eq!(next.get(&format!("/api/v1/dashboards/{id}")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_signal_that_ends_it_drains() {
    for signal in ["HUP", "QUIT", "INT", "TERM"] {
        let dir = tempfile::tempdir().expect("a directory");
        let program = Program::start(dir.path(), &[]);
        let id = program.make_dashboard("Drained").await;
        let mut ada = Client::connect(program.addr).await;
        ada.hello("ada").await;
        ada.join(&id).await;
        program.signal(signal);
        assert!(ada.expect("error").await["retry_after_ms"].is_number(), "{signal}");
        assert_eq!(ada.closed().await, 4503, "{signal}");
        let ended = program.ended().await;
        assert!(ended.success(), "{signal}: {ended}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_outlives_its_terminal_goes_on_after_a_hangup() {
    let dir = tempfile::tempdir().expect("a directory");
    let plain = command(dir.path());
    let mut nohup = Command::new("nohup");
    nohup.arg(plain.get_program()).current_dir(dir.path());
    nohup.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    nohup.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    let program = Program::of(&mut nohup, dir.path());
    program.signal("HUP");
    assert_eq!(program.get("/readyz").await.status(), 200);
    let id = program.make_dashboard("Goes on").await;
    assert_eq!(program.get(&format!("/api/v1/dashboards/{id}")).await.status(), 200);
    stop(program).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_keeps_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let check = || {
        assert_eq!(mode(&data), 0o700);
        let all = fs::read_dir(&data).expect("reads").map(|entry| entry.expect("reads").path());
        let all: Vec<_> = all.collect();
        for name in ["lockstep.db", "lockstep.db-wal", "lockstep.db-shm", "series.db", "lockstep.lock"] {
            assert!(all.contains(&data.join(name)), "{name} in {all:?}");
        }
        all.iter().for_each(|path| assert_eq!(mode(path), 0o600, "{}", path.display()));
    };
    let program = Program::start(dir.path(), &[]);
    program.make_dashboard("Secret").await;
    check();
    drop(program);
    // As a version of before left it, killed.
    fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("set");
    for entry in fs::read_dir(&data).expect("reads") {
        fs::set_permissions(entry.expect("reads").path(), Permissions::from_mode(0o644)).expect("set");
    }
    let program = Program::start(dir.path(), &[]);
    check();
    assert!(program.log().contains("others could read this (644)"), "{}", program.log());
    stop(program).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_missing_stops_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let strict = [("LOCKSTEP_DATA_MUST_EXIST", "true")];
    let (code, said) = refused(command(dir.path()).envs(strict));
    assert!(code == Some(1) && said.contains("LOCKSTEP_DATA_MUST_EXIST"), "{said}");
    assert!(!data.exists(), "nothing was made where a disk belongs");
    let program = Program::start(dir.path(), &[]);
    assert_eq!(program.post("/api/v1/series", json!({"series": "a", "value": 1})).await.0, 200);
    stop(program).await;
    stop(Program::start(dir.path(), &strict)).await;
    let away = dir.path().join("away.db");
    fs::rename(data.join("lockstep.db"), &away).expect("moved");
    let (code, said) = refused(&mut command(dir.path()));
    assert!(code == Some(1) && said.contains("lockstep.db in it is missing"), "{said}");
    assert!(!data.join("lockstep.db").exists(), "nothing was changed");
    fs::write(data.join("lockstep.db"), "").expect("written");
    // Also where only the points tell of it.
    fs::remove_file(data.join("lockstep.data")).expect("it was there");
    let (code, said) = refused(&mut command(dir.path()));
    assert!(code == Some(1) && said.contains("lockstep.db in it is empty"), "{said}");
    fs::rename(&away, data.join("lockstep.db")).expect("put back");
    let program = Program::start(dir.path(), &[]);
    assert_eq!(points(&program).await, "1");
    stop(program).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn points_of_a_file_without_a_version_are_there_and_a_later_version_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("data/series.db");
    let program = Program::start(dir.path(), &[]);
    assert_eq!(program.post("/api/v1/series", json!({"series": "a", "value": 1})).await.0, 200);
    stop(program).await;
    run(&file, "DROP TABLE _sqlx_migrations; DROP TABLE probe; ALTER TABLE batches DROP COLUMN sealed").await;
    let program = Program::start(dir.path(), &[]);
    assert_eq!(points(&program).await, "1");
    assert_eq!(program.post("/api/v1/series", json!({"series": "a", "value": 2})).await.0, 200);
    stop(program).await;
    for name in ["series.db", "lockstep.db"] {
        let file = dir.path().join("data").join(name);
        let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                     VALUES (9999, 'later', TRUE, x'00', 0)";
        run(&file, later).await;
        let (code, said) = refused(&mut command(dir.path()));
        let words = format!("{name} was written by a later version of Lockstep");
        assert!(code == Some(1) && said.contains(&words), "{said}");
        run(&file, "DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    }
    let program = Program::start(dir.path(), &[]);
    assert_eq!(points(&program).await, "2");
    stop(program).await;
}

/// Writes garbage over a page that continues a long row, and has a text in it.
fn damage(file: &Path, text: &str) {
    const PAGE: usize = 4096;
    let mut bytes = fs::read(file).expect("reads");
    let pages = bytes.len() / PAGE;
    let page = bytes.chunks_mut(PAGE).find(|page| {
        // Such a page begins with the number of the next; others with their kind.
        let next = u32::from_be_bytes([page[0], page[1], page[2], page[3]]) as usize;
        next > 0 && next <= pages && page.windows(text.len()).any(|part| part == text.as_bytes())
    });
    page.expect("a long row").fill(0xff);
    fs::write(file, bytes).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_dashboard_is_named_and_the_others_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &[]);
    let mut ids = Vec::new();
    for title in ["Broken glass", "Whole"] {
        let id = program.make_dashboard(title).await;
        let mut ada = Client::connect(program.addr).await;
        ada.hello("ada").await;
        ada.join(&id).await;
        let widget = |n: u64| {
            let widget = support::stat(&format!("{title} {n} {}", "x".repeat(150)));
            let op = json!({"op": "add_widget", "id": format!("w{n}"), "widget": widget});
            json!({"seq": n, "base": 0, "ops": [op]})
        };
        ada.push(&id, (1..=60).map(widget).collect()).await;
        let mut saved = 0;
        while saved < 60 {
            saved += ada.commits().await.len();
        }
        ids.push(id);
    }
    stop(program).await;
    damage(&dir.path().join("data/lockstep.db"), "Broken glass");
    let program = Program::start(dir.path(), &[]);
    let store = program.service_once("store", "waiting").await;
    let says = store["says"].as_str().expect("words");
    let named = format!("The dashboard \"Broken glass\" ({}) is damaged in the database", ids[0]);
    assert!(says.starts_with(&named) && !says.contains(&ids[1]), "{says}");
    assert!(program.log().contains("is damaged in the database"), "{}", program.log());
    let (status, answer) = program.get_json(&format!("/api/v1/dashboards/{}", ids[0])).await;
    let reason = answer["reason"].as_str().expect("words");
    assert!(status == 500 && reason.contains("damaged") && reason.contains("backup"), "{answer}");
    let mut ada = Client::connect(program.addr).await;
    ada.hello("ada").await;
    ada.send(json!({"type": "join", "dashboard": ids[0]})).await;
    let error = ada.expect("error").await;
    assert!(error["reason"].as_str().expect("words").contains("damaged"), "{error}");
    assert_eq!(error["retry_after_ms"], Value::Null, "trying again mends nothing: {error}");
    ada.join(&ids[1]).await;
    ada.push_title(&ids[1], "goes on").await;
    assert_eq!(ada.commits().await.len(), 1);
    assert_eq!(program.get("/readyz").await.status(), 200);
    stop(program).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_log_is_cut_once_nobody_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &[]);
    let log = dir.path().join("data/lockstep.db-wal");
    let length = || fs::metadata(&log).expect("is there").len();
    let note = |n: u32| {
        let frame = json!({"x": 0, "y": 4 * n, "w": 6, "h": 4});
        json!({"kind": "note", "title": "N", "frame": frame, "options": {}, "text": "x".repeat(5_000)})
    };
    let widgets: Vec<Value> = (0..200).map(note).collect();
    let large = json!({"lockstep": 1, "title": "Large", "settings": {}, "widgets": widgets});
    // Somebody reads, so that nothing can be brought back meanwhile.
    let mut reader = open(&dir.path().join("data/lockstep.db")).await;
    sqlx::raw_sql("BEGIN; SELECT * FROM dashboards").execute(&mut reader).await.expect("reads");
    while length() <= 20 * 1024 * 1024 {
        let (status, made) = program.post("/api/v1/dashboards/import", large.clone()).await;
        assert_eq!(status, 201, "{made}");
    }
    reader.close().await.expect("closes");
    once("the log is cut", || length() < 1024 * 1024).await;
    stop(program).await;
}

/// Moves the clock of what a command starts, and nothing else of its time.
#[cfg(target_os = "linux")]
fn at<'a>(command: &'a mut Command, clock: &str) -> &'a mut Command {
    let found = Command::new("faketime").args(["-f", "+0d", "printenv", "LD_PRELOAD"]).output();
    let found = found.expect("faketime runs (Debian: faketime)").stdout;
    let library = String::from_utf8(found).expect("text");
    command
        .env("LD_PRELOAD", library.trim())
        .env("FAKETIME", clock)
        .env("TZ", "UTC")
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_at_a_start_costs_no_points() {
    let dir = tempfile::tempdir().expect("a directory");
    let now = lockstep::server::clock::now_ms();
    let point = |at: u64| json!({"series": "orders", "value": 1, "at": at});
    let program = Program::start(dir.path(), &[]);
    let all: Value = (0..100).map(|n| point(now - 60_000 * n)).collect();
    assert_eq!(program.post("/api/v1/series", all).await.0, 200);
    assert_eq!(program.service("clock").await["state"], "ok");
    stop(program).await;

    let program = Program::of(at(&mut command(dir.path()), "+2d"), dir.path());
    let clock = program.service("clock").await;
    let says = clock["says"].as_str().expect("words");
    assert!(clock["state"] == "waiting" && says.contains("2 days after the last edit"), "{clock}");
    assert!(program.log().contains("2 days after the last edit"), "{}", program.log());
    assert_eq!(points(&program).await, "100");
    let (status, taken) = program.post("/api/v1/series", point(now + 1)).await;
    assert_eq!(status, 200, "a sender whose clock is right: {taken}");
    stop(program).await;

    let program = Program::of(at(&mut command(dir.path()), "@1970-01-02 00:00:00"), dir.path());
    let clock = program.service("clock").await;
    assert!(clock["says"].as_str().expect("words").contains("never set"), "{clock}");
    assert_eq!(points(&program).await, "101");
    let (status, taken) = program.post("/api/v1/series", point(now + 2)).await;
    assert_eq!(status, 200, "{taken}");
    let (status, refused) = program.post("/api/v1/series", json!({"series": "orders", "value": 1})).await;
    assert!(status == 400 && refused["reason"].as_str().expect("words").contains("never set"), "{refused}");
    stop(program).await;

    let program = Program::start(dir.path(), &[]);
    assert_eq!(program.service("clock").await["state"], "ok");
    assert_eq!(points(&program).await, "102");
    stop(program).await;
}
