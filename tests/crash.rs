//! `kill -9` of the real program under load: what any client received is there when it is back (S3).
//! And SIGTERM, which ends it in good order.

#![cfg(feature = "ssr")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{Most, Store as _};
use serde_json::{Value, json};
use support::{Client, Got, PATIENCE};
use tokio::sync::watch;

const ROUNDS: u64 = 5;
const WRITERS: usize = 4;

/// The program, with its data in a directory.
struct Program {
    child: Child,
    addr: SocketAddr,
}

impl Program {
    fn start(dir: &Path) -> Self {
        let site = dir.join("site");
        std::fs::create_dir_all(site.join("pkg")).expect("a directory");
        std::fs::write(site.join("pkg/lockstep.js"), "").expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .current_dir(dir)
            .env("LOCKSTEP_ADDR", "127.0.0.1:0")
            .env("LOCKSTEP_DATA_DIR", dir.join("data"))
            .env("LOCKSTEP_SITE_ROOT", &site)
            .env("LOCKSTEP_LOG", "warn")
            .env("LOCKSTEP_LIMIT_CHANGES_PER_S", "100000")
            .env("LOCKSTEP_LIMIT_CHANGES_BURST", "100000")
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output is ours");
        BufReader::new(out).read_line(&mut line).expect("says where it is");
        let addr = line.trim().strip_prefix("Lockstep is at http://").expect("one line with the address");
        Self { addr: addr.parse().expect("an address"), child }
    }

    async fn make_dashboard(&self) -> String {
        let url = format!("http://{}/api/v1/dashboards", self.addr);
        let made = reqwest::Client::new().post(url).json(&json!({"title": "Crash"})).send().await;
        let made: Value = made.expect("answers").json().await.expect("JSON");
        made["id"].as_str().expect("an id").to_owned()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A writer's change: of a widget of its own, so that nobody is in conflict with anybody.
fn write(writer: usize, seq: u64) -> Value {
    let id = format!("w{writer}");
    let op = match seq {
        1 => json!({"op": "add_widget", "id": id, "widget": support::stat("new")}),
        _ => json!({"op": "set", "id": id, "field": "title", "value": format!("title {seq}")}),
    };
    json!({"seq": seq, "base": 0, "ops": [op]})
}

/// Every commit that any client received, by revision; and how many they are.
#[derive(Clone)]
struct Seen {
    commits: Arc<Mutex<BTreeMap<u64, Value>>>,
    count: watch::Sender<usize>,
}

/// Pushes and notes what it hears, until the connection is cut.
async fn work(mut client: Client, dashboard: String, seen: Seen, writer: Option<usize>) {
    if let Some(writer) = writer {
        client.seq += 1;
        client.push(&dashboard, json!([write(writer, client.seq)])).await;
    }
    loop {
        match client.got().await {
            Got::Frame(frame) if frame["type"] == "commits" => {
                for commit in frame["commits"].as_array().expect("commits") {
                    let revision = commit["revision"].as_u64().expect("a revision");
                    let mut commits = seen.commits.lock().expect("nobody panicked");
                    let first = commits.entry(revision).or_insert_with(|| commit.clone());
                    assert_eq!(first, commit, "everybody sees the same log");
                    seen.count.send_replace(commits.len());
                }
                if let Some(writer) = writer {
                    let next = client.seq + 1;
                    let changes: Vec<Value> = (next..next + 5).map(|seq| write(writer, seq)).collect();
                    client.seq += 5;
                    client.push(&dashboard, json!(changes)).await;
                }
            }
            Got::Frame(_) => {}
            Got::Closed(_) | Got::Cut => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_what_anybody_received_survives_kill_9() {
    let dir = tempfile::tempdir().expect("a directory");
    let seen = Seen { commits: Arc::default(), count: watch::Sender::new(0) };
    let mut program = Program::start(dir.path());
    let id = program.make_dashboard().await;
    let mut epoch = None;
    for round in 0..ROUNDS {
        let mut tasks = Vec::new();
        for writer in 0..=WRITERS {
            let mut client = Client::connect(program.addr).await;
            client.hello(&format!("client-{writer}")).await;
            let joined = client.join(&id).await;
            assert_eq!(*epoch.get_or_insert_with(|| joined["epoch"].clone()), joined["epoch"]);
            tasks.push(tokio::spawn(work(
                client,
                id.clone(),
                seen.clone(),
                (writer < WRITERS).then_some(writer),
            )));
        }
        // Under way, and another number of commits in each round.
        let enough = *seen.count.borrow() + 60 + 37 * round as usize;
        let mut count = seen.count.subscribe();
        let counted = count.wait_for(|count| *count >= enough);
        tokio::time::timeout(PATIENCE, counted).await.expect("the load goes on").expect("counts");
        program.signal("-KILL");
        for task in tasks {
            task.await.expect("no client saw another log");
        }
        program = Program::start(dir.path());
        let mut reader = Client::connect(program.addr).await;
        reader.hello("reader").await;
        let all = reader.resume(&id, epoch.as_ref().expect("joined"), 0).await;
        let seen = seen.commits.lock().expect("nobody panicked").clone();
        let last = *seen.keys().last().expect("somebody wrote");
        assert!(all["revision"].as_u64().expect("a revision") >= last, "round {round}: the log is shorter");
        // The whole log, as the file has it: nothing was snapshot and pruned in so short a time.
        let store = SqliteStore::open(&dir.path().join("data/lockstep.db")).await.expect("opens");
        let log = store.tail(&id.parse().expect("an id"), 0, Most::commits(usize::MAX)).await.expect("reads");
        store.close().await;
        let log: BTreeMap<u64, Value> = log
            .iter()
            .map(|stored| (stored.revision, serde_json::from_str(&stored.body).expect("JSON")))
            .collect();
        for (revision, received) in &seen {
            assert_eq!(log.get(revision), Some(received), "round {round}: revision {revision}");
        }
        println!("round {round}: {} commits received, {} in the log", seen.len(), log.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_says_when_to_come_back_and_exits_0() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut program = Program::start(dir.path());
    let id = program.make_dashboard().await;
    let mut ada = Client::connect(program.addr).await;
    ada.hello("ada").await;
    ada.join(&id).await;
    ada.push(&id, json!([write(0, 1)])).await;
    ada.commits().await;
    program.signal("-TERM");
    assert!(ada.expect("error").await["retry_after_ms"].is_number());
    assert_eq!(ada.closed().await, 4503);
    let ended = tokio::task::spawn_blocking(move || program.child.wait().map(|status| (status, program)));
    let (status, _program) = ended.await.expect("waits").expect("ends");
    assert!(status.success(), "{status}");
}
