//! The real program on a file system that is full: what it tells, and that it goes on by itself once there is
//! room, with everything that it acknowledged.

#![cfg(all(feature = "ssr", target_os = "linux"))]

mod support;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::program::{Program, command, refused};
use support::{Client, change};

/// Runs a test in a namespace of its own, where it may mount, and what it mounts is gone with it. False in
/// there.
fn elsewhere(test: &str) -> bool {
    const INSIDE: &str = "LOCKSTEP_TEST_MAY_MOUNT";
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let is_root = is_root_here();
    let rights: &[&str] = if is_root { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let program = std::env::current_exe().expect("this test");
    let ended = Command::new("unshare")
        .args(rights)
        .arg(program)
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare runs (Debian: util-linux)");
    assert!(ended.success(), "{test} in a namespace of its own: {ended}");
    true
}

fn is_root_here() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout.trim_ascii() == b"0"
}

/// A directory whose `data` is a file system of so many KiB.
fn small_disk(kib: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    std::fs::create_dir(&data).expect("a directory");
    let options = format!("size={kib}k,mode=700");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&data).status();
    assert!(mounted.expect("mount runs").success());
    dir
}

/// Takes all the room that there is but so many KiB.
fn fill(dir: &Path, but_kib: usize) {
    let path = dir.join("data/filler");
    let mut file = File::create(&path).expect("a file");
    let part = [7; 1024];
    let mut written = 0_u64;
    while file.write_all(&part).is_ok() {
        written += 1024;
    }
    let left = written.saturating_sub(but_kib as u64 * 1024);
    file.set_len(left).expect("shorter");
}

fn make_room(dir: &Path) {
    std::fs::remove_file(dir.join("data/filler")).expect("it was there");
}

/// Pushes one change as a client does, again and again as told, until it is acknowledged. How often it was
/// turned down, and with which words last.
async fn push_until_saved(client: &mut Client, dashboard: &str, title: &str) -> (usize, String) {
    let (mut refused, mut words) = (0, String::new());
    client.seq += 1;
    loop {
        match push(client, dashboard, title).await {
            Ok(()) => return (refused, words),
            Err(rejected) => {
                refused += 1;
                words = rejected["reason"].as_str().expect("words").to_owned();
                tokio::time::sleep(retry(&rejected)).await;
            }
        }
    }
}

/// Pushes the change of the client's number. Errors with the rejection.
async fn push(client: &mut Client, dashboard: &str, title: &str) -> Result<(), Value> {
    let seq = client.seq;
    client.push(dashboard, json!([change(seq, title)])).await;
    loop {
        match client.got().await {
            support::Got::Frame(frame) if frame["type"] == "commits" => {
                let commits = frame["commits"].as_array().expect("commits");
                if commits.iter().any(|commit| commit["seq"] == seq) {
                    return Ok(());
                }
            }
            support::Got::Frame(frame) if frame["type"] == "rejected" => {
                assert_eq!((&frame["seq"], &frame["code"]), (&json!(seq), &json!("internal")), "{frame}");
                return Err(frame);
            }
            support::Got::Frame(_) => {}
            other => panic!("the room goes on: {other:?}"),
        }
    }
}

/// When a client tries again: what it is told, with the spread that `sync::link` may add, within 2 s.
fn retry(rejected: &Value) -> Duration {
    let told = rejected["retry_after_ms"].as_u64().expect("when to try again");
    assert!(told + told / 2 + lockstep::sync::link::WAKE_SPREAD_MS <= 2_000, "{rejected}");
    Duration::from_millis(told)
}

/// The titles of a dashboard's log, in order.
async fn titles(program: &Program, dashboard: &str, epoch: &Value) -> Vec<String> {
    let mut reader = Client::connect(program.addr).await;
    reader.hello("reader").await;
    let all = reader.resume(dashboard, epoch, 0).await;
    let commits = all["commits"].as_array().expect("the whole log").iter();
    let titles = commits.flat_map(|commit| commit["ops"].as_array().expect("ops").clone());
    titles
        .filter(|op| op["op"] == "set")
        .map(|op| op["value"].as_str().expect("a title").to_owned())
        .collect()
}

async fn join(program: &Program, dashboard: &str, name: &str) -> (Client, Value) {
    let mut client = Client::connect(program.addr).await;
    client.hello(name).await;
    let joined = client.join(dashboard).await;
    (client, joined["epoch"].clone())
}

async fn add_widget(client: &mut Client, dashboard: &str) {
    client.seq += 1;
    let op = json!({"op": "add_widget", "id": "w1", "widget": support::stat("new")});
    client.push(dashboard, json!([{"seq": client.seq, "base": 0, "ops": [op]}])).await;
    client.commits().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_edits_and_points_go_on_by_themselves_after_the_disk_was_full() {
    if elsewhere("s3_edits_and_points_go_on_by_themselves_after_the_disk_was_full") {
        return;
    }
    let dir = small_disk(4 * 1024);
    let program = Program::start(dir.path(), &[]);
    let dashboard = program.make_dashboard("Full").await;
    let (mut ada, epoch) = join(&program, &dashboard, "ada").await;
    add_widget(&mut ada, &dashboard).await;
    let mut saved: Vec<String> = Vec::new();
    let mut count = 0;
    let point = json!({"series": "orders", "value": 1});
    for round in 0..3 {
        for _ in 0..5 {
            count += 1;
            let title = format!("title {count}");
            assert_eq!(push_until_saved(&mut ada, &dashboard, &title).await.0, 0, "there is room");
            saved.push(title);
        }
        assert_eq!(program.post("/api/v1/series", point.clone()).await.0, 200);

        fill(dir.path(), 0);
        // The room that SQLite has already is used up first.
        let rejected = loop {
            count += 1;
            let title = format!("title {count}");
            ada.seq += 1;
            match push(&mut ada, &dashboard, &title).await {
                Ok(()) => saved.push(title),
                Err(rejected) => break rejected,
            }
        };
        let words = rejected["reason"].as_str().expect("words");
        assert!(words.contains("disk is full") && words.contains("kept"), "{words}");
        retry(&rejected);
        while program.post("/api/v1/series", point.clone()).await.0 == 200 {}
        let (status, refused) = program.post("/api/v1/series", point.clone()).await;
        assert_eq!(status, 507, "{refused}");
        // Again and again it is the same, and nothing worse.
        for _ in 0..5 {
            assert!(push(&mut ada, &dashboard, "not yet").await.is_err());
        }
        let (status, refused) = program.post("/api/v1/dashboards", json!({"title": "New"})).await;
        assert_eq!((status, &refused["code"]), (507, &json!("full")), "{refused}");
        let (status, ready) = program.get_json("/readyz").await;
        let reason = ready["reason"].as_str().expect("words");
        assert!(status == 503 && reason.starts_with("The disk is full since "), "{ready}");
        for name in ["store", "points"] {
            let service = program.service(name).await;
            let says = service["says"].as_str().expect("words");
            assert_eq!(service["state"], "down", "{service}");
            assert!(says.starts_with("The disk is full since ") && says.contains(" (UTC)."), "{says}");
        }
        assert_eq!(program.service("disk").await["state"], "waiting");
        // What is stored can be read, by those who come only now.
        let (status, read) = program.get_json(&format!("/api/v1/dashboards/{dashboard}")).await;
        assert_eq!(status, 200, "{read}");
        join(&program, &dashboard, "grace").await;

        make_room(dir.path());
        let begun = Instant::now();
        let title = format!("again {round}");
        // The number of the change that waits: a client gives it again.
        ada.seq -= 1;
        let (refused, _) = push_until_saved(&mut ada, &dashboard, &title).await;
        println!("round {round}: from room on the disk to the next acknowledged edit {:?}", begun.elapsed());
        assert_eq!(refused, 0, "there is room");
        saved.push(title);
        assert_eq!(program.post("/api/v1/series", point.clone()).await.0, 200);
        println!("round {round}: and to the next acknowledged point {:?}", begun.elapsed());
        program.service_once("store", "ok").await;
        program.service_once("points", "ok").await;
        assert_eq!(program.get("/readyz").await.status(), 200);
        program.make_dashboard("New").await;
    }
    assert_eq!(titles(&program, &dashboard, &epoch).await, saved);
    drop(program);
    let program = Program::start(dir.path(), &[]);
    assert_eq!(titles(&program, &dashboard, &epoch).await, saved, "and after kill -9");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_a_client_that_waits_is_saved_within_two_seconds_of_there_being_room() {
    if elsewhere("s3_a_client_that_waits_is_saved_within_two_seconds_of_there_being_room") {
        return;
    }
    let dir = small_disk(2 * 1024);
    let mut program = Program::start(dir.path(), &[]);
    let dashboard = program.make_dashboard("Full").await;
    let (mut ada, _) = join(&program, &dashboard, "ada").await;
    add_widget(&mut ada, &dashboard).await;
    for is_first in [true, false] {
        if is_first {
            // Its very first commit finds no room.
            program.signal("TERM");
            assert!(program.ended().await.success());
            program = Program::start(dir.path(), &[]);
            ada = join(&program, &dashboard, "ada").await.0;
        }
        fill(dir.path(), 0);
        let title = format!("title {is_first}");
        let path = dir.path().to_owned();
        let freed = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1_700)).await;
            make_room(&path);
            Instant::now()
        });
        let (refused, words) = push_until_saved(&mut ada, &dashboard, &title).await;
        let freed = freed.await.expect("made room");
        println!("a client that waited, turned down {refused} times, is saved {:?} after", freed.elapsed());
        assert!(refused > 0 && words.contains("disk is full"), "{refused} {words}");
    }
}

#[tokio::test]
async fn a_start_on_a_full_disk_says_that_it_is_full() {
    if elsewhere("a_start_on_a_full_disk_says_that_it_is_full") {
        return;
    }
    let dir = small_disk(2 * 1024);
    let program = Program::start(dir.path(), &[]);
    program.signal("TERM");
    assert!(program.ended().await.success());
    fill(dir.path(), 0);
    let (code, said) = refused(&mut command(dir.path()));
    assert!(code == Some(1) && said.contains("the disk is full"), "{said}");
    make_room(dir.path());
    Program::start(dir.path(), &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_nearly_full_is_said_before_it_is() {
    if elsewhere("a_disk_that_is_nearly_full_is_said_before_it_is") {
        return;
    }
    let dir = small_disk(4 * 1024);
    let program = Program::start(dir.path(), &[]);
    assert_eq!(program.service("disk").await["state"], "ok");
    fill(dir.path(), 200);
    let disk = program.service("disk").await;
    let says = disk["says"].as_str().expect("words");
    assert!(disk["state"] == "waiting" && says.starts_with("The disk is nearly full: "), "{disk}");
    assert_eq!(program.service("store").await["state"], "ok");
    assert_eq!(program.get("/readyz").await.status(), 200);
}
