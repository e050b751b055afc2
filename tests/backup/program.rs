//! The real program, its commands, and those who write to it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::support::{self, Client, Got, PATIENCE};

/// The program on a data directory of its own, with a directory for backups beside it.
pub struct Program {
    child: Child,
    addr: SocketAddr,
}

impl Program {
    pub fn start(dir: &Arc<tempfile::TempDir>, set: &[(&str, &Path)]) -> Self {
        let site = dir.path().join("site");
        std::fs::create_dir_all(site.join("pkg")).expect("a directory");
        std::fs::write(site.join("pkg/lockstep.js"), "").expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .current_dir(dir.path())
            .env("LOCKSTEP_ADDR", "127.0.0.1:0")
            // All tests come from one address.
            .env("LOCKSTEP_LIMIT_DASHBOARD_REQUESTS_BURST", "1000000")
            .env("LOCKSTEP_DATA_DIR", data(dir))
            .env("LOCKSTEP_SITE_ROOT", &site)
            .env("LOCKSTEP_LOG", "warn")
            .env("LOCKSTEP_LIMIT_CHANGES_PER_S", "100000")
            .env("LOCKSTEP_LIMIT_CHANGES_BURST", "100000")
            .envs(set.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output is ours");
        BufReader::new(out).read_line(&mut line).expect("says where it is");
        let addr = line.trim().strip_prefix("Lockstep is at http://").expect("one line with the address");
        Self { addr: addr.parse().expect("an address"), child }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub async fn get(&self, path: &str) -> String {
        let answer = reqwest::get(self.url(path)).await.expect("answers");
        answer.text().await.expect("a text")
    }

    pub async fn dashboard(&self) -> String {
        let made = reqwest::Client::new().post(self.url("/api/v1/dashboards"));
        let made: Value =
            made.json(&json!({"title": "Kept"})).send().await.expect("answers").json().await.expect("JSON");
        let id = made["id"].as_str().expect("an id").to_owned();
        let mut ada = Client::connect(self.addr).await;
        ada.hello("maker").await;
        ada.join(&id).await;
        ada.push(&id, json!([{"seq": 1, "base": 0, "ops": [{"op": "add_widget", "id": "w1", "widget": support::stat("new")}]}]))
            .await;
        ada.commits().await;
        id
    }

    pub async fn push_points(&self, count: u64) -> u64 {
        let now = lockstep::server::clock::now_ms() - count;
        let points: Vec<Value> =
            (0..count).map(|n| json!({"series": "orders", "value": n, "at": now + n})).collect();
        let pushed = reqwest::Client::new()
            .post(self.url("/api/v1/series"))
            .json(&points)
            .send()
            .await
            .expect("answers");
        assert!(pushed.status().is_success(), "{}", pushed.text().await.expect("a text"));
        count
    }

    /// Ends it in good order.
    pub fn stop(mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        assert!(self.child.wait().expect("ends").success());
    }
}

/// `kill -9`.
impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn data(dir: &Arc<tempfile::TempDir>) -> PathBuf {
    dir.path().join("data")
}

pub fn backups(dir: &Arc<tempfile::TempDir>) -> PathBuf {
    dir.path().join("backups")
}

pub fn command(dir: &Arc<tempfile::TempDir>, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.current_dir(dir.path()).env("LOCKSTEP_DATA_DIR", data(dir)).args(arguments);
    command
}

/// What a command said and the code that it ended with.
pub fn run(dir: &Arc<tempfile::TempDir>, arguments: &[&str]) -> (i32, String) {
    said(command(dir, arguments).output().expect("runs"))
}

pub fn said(output: Output) -> (i32, String) {
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it was not killed"), String::from_utf8(text).expect("text"))
}

pub fn back_up(dir: &Arc<tempfile::TempDir>) -> PathBuf {
    let (code, said) = run(dir, &["backup", "backups"]);
    assert_eq!(code, 0, "{said}");
    PathBuf::from(said.lines().next().expect("the path"))
}

pub fn check(dir: &Arc<tempfile::TempDir>, what: &Path) -> (i32, String) {
    run(dir, &["check", what.to_str().expect("a path")])
}

pub async fn open(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).connect().await.expect("opens")
}

/// A server with a dashboard of so many edits and some points, stopped.
pub async fn some_data(edits: u64) -> (Arc<tempfile::TempDir>, String) {
    let dir = Arc::new(tempfile::tempdir().expect("a directory"));
    let program = Program::start(&dir, &[]);
    let id = program.dashboard().await;
    edit(&program, &id, "ada", edits).await;
    program.push_points(100).await;
    program.stop();
    (dir, id)
}

/// Sets a title so many times, each acknowledged.
pub async fn edit(program: &Program, id: &str, who: &str, edits: u64) {
    let mut ada = Client::connect(program.addr).await;
    ada.hello(who).await;
    ada.join(id).await;
    for n in 0..edits {
        ada.push_title(id, &format!("{who} {n}")).await;
        ada.commits().await;
    }
}

pub async fn revision(program: &Program, id: &str) -> u64 {
    let read: Value =
        serde_json::from_str(&program.get(&format!("/api/v1/dashboards/{id}")).await).expect("JSON");
    read["revision"].as_u64().expect("a revision")
}

/// From one edit or push of a writer to its next: busier than people, with room for the backup on one core.
const PACE: Duration = Duration::from_millis(10);

/// Writers that go on until they are stopped.
pub struct Writers {
    stop: Arc<AtomicBool>,
    /// The last revision that somebody was told of, and the points that were taken.
    pub acked: Arc<AtomicU64>,
    pub points: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Writers {
    pub fn start(program: &Program, id: &str) -> Self {
        let all =
            Self { stop: Arc::default(), acked: Arc::default(), points: Arc::default(), tasks: Vec::new() };
        let mut tasks = Vec::new();
        for number in 0..3 {
            let (addr, id, stop, acked) = (program.addr, id.to_owned(), all.stop.clone(), all.acked.clone());
            tasks.push(tokio::spawn(async move {
                let mut client = Client::connect(addr).await;
                let me = client.hello(&format!("writer-{number}")).await["client"].clone();
                client.join(&id).await;
                // A widget of its own, so that nobody is in conflict with anybody.
                let widget = format!("own{number}");
                let mut pace = paced();
                while !stop.load(SeqCst) {
                    pace.tick().await;
                    client.seq += 1;
                    let seq = client.seq;
                    let op = match seq {
                        1 => json!({"op": "add_widget", "id": widget, "widget": support::stat("new")}),
                        _ => json!({"op": "set", "id": widget, "field": "title", "value": format!("{seq} {}", "x".repeat(150))}),
                    };
                    client.push(&id, json!([{"seq": seq, "base": 0, "ops": [op]}])).await;
                    loop {
                        let Got::Frame(frame) = client.got().await else { panic!("the server went away") };
                        assert_ne!(frame["type"], "rejected", "{frame}");
                        let commits = frame["commits"].as_array().cloned().unwrap_or_default();
                        let last = commits.iter().filter_map(|commit| commit["revision"].as_u64()).max();
                        acked.fetch_max(last.unwrap_or(0), SeqCst);
                        if commits.iter().any(|commit| commit["client"] == me && commit["seq"] == seq) {
                            break;
                        }
                    }
                }
            }));
        }
        let (stop, points, url) = (all.stop.clone(), all.points.clone(), program.url("/api/v2/write"));
        tasks.push(tokio::spawn(async move {
            let client = reqwest::Client::new();
            let mut pace = paced();
            while !stop.load(SeqCst) {
                pace.tick().await;
                let now = lockstep::server::clock::now_ms() * 1_000_000;
                let lines: Vec<String> = (0..200).map(|n| format!("load,n={n} value={n} {now}")).collect();
                let pushed = client.post(&url).body(lines.join("\n")).send().await.expect("answers");
                assert!(pushed.status().is_success(), "{}", pushed.status());
                points.fetch_add(200, SeqCst);
            }
        }));
        Self { tasks, ..all }
    }

    /// Waits until so many revisions and some points were acknowledged.
    pub async fn until(&self, revisions: u64) {
        let reached = async {
            while self.acked.load(SeqCst) < revisions || self.points.load(SeqCst) < revisions {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(3 * PATIENCE, reached).await.expect("the load goes on");
    }

    pub async fn stop(self) {
        self.stop.store(true, SeqCst);
        for task in self.tasks {
            task.await.expect("no writer saw anything wrong");
        }
    }
}

fn paced() -> tokio::time::Interval {
    let mut pace = tokio::time::interval(PACE);
    // What a busy machine was late with is not made up for.
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    pace
}

pub fn names(dir: &Path) -> BTreeSet<String> {
    let all = std::fs::read_dir(dir).expect("reads");
    all.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
}

/// Numbers from a seed (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
