//! `kill -9` of the real program under load, at moments that follow from a seed: what any client received
//! is there when it is back (S3), and nothing is there twice (S2). And SIGTERM, which ends it in good order.

#![cfg(feature = "ssr")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{Most, Store as _};
use serde_json::{Value, json};
use support::{Client, Got, PATIENCE};
use tokio::sync::watch;

/// Rounds where nobody sets another number: some 15 s of them.
const ROUNDS: u64 = 20;
const ROUNDS_PER_LOG: u64 = 10;
const WRITERS: u64 = 4;

/// The program, with its data in a directory.
struct Program {
    child: Child,
    addr: SocketAddr,
}

impl Program {
    /// Begins to start it.
    fn spawn(dir: &Path) -> Child {
        let site = dir.join("site");
        std::fs::create_dir_all(site.join("pkg")).expect("a directory");
        std::fs::write(site.join("pkg/lockstep.js"), "").expect("a file");
        Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .current_dir(dir)
            .env("LOCKSTEP_ADDR", "127.0.0.1:0")
            // All tests come from one address.
            .env("LOCKSTEP_LIMIT_DASHBOARD_REQUESTS_BURST", "1000000")
            .env("LOCKSTEP_DATA_DIR", dir.join("data"))
            .env("LOCKSTEP_SITE_ROOT", &site)
            .env("LOCKSTEP_LOG", "warn")
            .env("LOCKSTEP_LIMIT_CHANGES_PER_S", "100000")
            .env("LOCKSTEP_LIMIT_CHANGES_BURST", "100000")
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts")
    }

    fn start(dir: &Path) -> Self {
        let mut child = Self::spawn(dir);
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

    fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
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

/// A writer's change: of a widget of its own, so that nobody is in conflict with anybody.
fn write(writer: u64, seq: u64) -> Value {
    let id = format!("w{writer}");
    let op = match seq {
        1 => json!({"op": "add_widget", "id": id, "widget": support::stat("new")}),
        _ => json!({"op": "set", "id": id, "field": "title", "value": title(seq)}),
    };
    json!({"seq": seq, "base": 0, "ops": [op]})
}

fn title(seq: u64) -> String {
    format!("title {seq}")
}

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// One dashboard, and every commit of it that any client received, by revision.
#[derive(Clone)]
struct Seen {
    dashboard: String,
    epoch: Value,
    commits: Arc<Mutex<BTreeMap<u64, Value>>>,
    /// How many commits all dashboards have had.
    count: Arc<watch::Sender<u64>>,
}

impl Seen {
    async fn begin(program: &Program, count: &Arc<watch::Sender<u64>>) -> Self {
        let dashboard = program.make_dashboard().await;
        let mut reader = Client::connect(program.addr).await;
        reader.hello("reader").await;
        let epoch = reader.join(&dashboard).await["epoch"].clone();
        Self { dashboard, epoch, commits: Arc::default(), count: count.clone() }
    }

    fn note(&self, commits: &Value) {
        for commit in commits.as_array().expect("commits") {
            let revision = commit["revision"].as_u64().expect("a revision");
            let mut all = self.commits.lock().expect("nobody panicked");
            match all.get(&revision) {
                Some(first) => assert_eq!(first, commit, "everybody sees the same log"),
                None => {
                    all.insert(revision, commit.clone());
                    self.count.send_modify(|count| *count += 1);
                }
            }
        }
    }

    /// The highest `seq` of a writer that was answered.
    fn acked(&self, client: &Value) -> u64 {
        let all = self.commits.lock().expect("nobody panicked");
        let mine = all.values().filter(|commit| commit["client"] == *client);
        mine.filter_map(|commit| commit["seq"].as_u64()).max().unwrap_or(0)
    }

    /// Compares a whole log, in order, with all that was received: nothing is missing, and nothing is
    /// there twice.
    fn compare(&self, log: &[Value], when: &str) {
        let mut seqs: BTreeMap<&str, u64> = BTreeMap::new();
        for (commit, revision) in log.iter().zip(1..) {
            assert_eq!(commit["revision"], revision, "{when}");
            let last = seqs.entry(commit["client"].as_str().expect("a client")).or_default();
            *last += 1;
            assert_eq!(commit["seq"], *last, "{when}: each change once, in the order of its author");
            if *last > 1 {
                assert_eq!(commit["ops"][0]["value"], title(*last), "{when}: and as it was made");
            }
        }
        for (revision, received) in &*self.commits.lock().expect("nobody panicked") {
            let there = log.get(*revision as usize - 1);
            assert_eq!(there, Some(received), "{when}: revision {revision}");
        }
    }

    /// Asks a server that is back for the whole log.
    async fn compare_with(&self, program: &Program, when: &str) -> usize {
        let mut reader = Client::connect(program.addr).await;
        reader.hello("reader").await;
        let all = reader.resume(&self.dashboard, &self.epoch, 0).await;
        assert_eq!(all["epoch"], self.epoch, "{when}: it is the same log");
        let log = all["commits"].as_array().expect("it is short enough to come whole");
        self.compare(log, when);
        log.len()
    }
}

/// Joins, pushes again what was not answered, goes on pushing, and notes what it hears, until the
/// connection is cut. `wait` is what it waits for between pushes.
async fn work(addr: SocketAddr, seen: Seen, writer: Option<u64>, wait: Duration) {
    let Ok(mut client) = Client::connect_with(addr, &[]).await else { return };
    let secret = writer.map_or("watcher".to_owned(), |writer| format!("client-{writer}"));
    client.send(json!({"type": "hello", "protocol": 1, "client": secret, "name": secret})).await;
    let dashboard = seen.dashboard.clone();
    let mut me = Value::Null;
    loop {
        let frame = match client.got().await {
            Got::Frame(frame) => frame,
            Got::Closed(_) | Got::Cut => return,
        };
        match frame["type"].as_str() {
            Some("welcome") => {
                me = frame["client"].clone();
                client.send(json!({"type": "join", "dashboard": dashboard})).await;
            }
            Some("joined") => {
                assert_eq!(frame["epoch"], seen.epoch, "it is the same log");
                let acked = seen.acked(&me);
                assert!(frame["last_seq"].as_u64() >= Some(acked), "what was acknowledged is in the log");
                client.seq = acked;
            }
            Some("commits") => seen.note(&frame["commits"]),
            Some("error" | "rejected") => panic!("{frame}"),
            _ => continue,
        }
        if let Some(writer) = writer
            && frame["type"] != "welcome"
        {
            tokio::time::sleep(wait).await;
            // What the log has of these already is answered, and not taken again.
            let changes: Vec<Value> = (1..=5).map(|n| write(writer, client.seq + n)).collect();
            client.seq += 5;
            client.push(&dashboard, json!(changes)).await;
        }
    }
}

/// `LOCKSTEP_CRASH_ROUNDS=200 LOCKSTEP_CRASH_SEED=1 cargo test --features ssr --test crash s2_s3 -- --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_s3_what_anybody_received_survives_kill_9_and_nothing_is_there_twice() {
    let setting = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let rounds: u64 = setting("LOCKSTEP_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = setting("LOCKSTEP_CRASH_SEED").unwrap_or(clock.map_or(1, |now| now.as_secs()));
    println!("LOCKSTEP_CRASH_SEED={seed} LOCKSTEP_CRASH_ROUNDS={rounds}");
    let mut random = Random(seed);
    let dir = tempfile::tempdir().expect("a directory");
    let count = Arc::new(watch::Sender::new(0));
    let mut all: Vec<Seen> = Vec::new();
    let (mut logged, mut early) = (0, 0);
    for round in 0..rounds {
        // Killed again while it starts, now and then: while it mends what the last kill left.
        if round > 0 && random.below(4) == 0 {
            let mut starting = Program::spawn(dir.path());
            tokio::time::sleep(Duration::from_millis(random.below(60))).await;
            starting.kill().and_then(|()| starting.wait()).expect("it was there to be killed");
            early += 1;
        }
        let program = Program::start(dir.path());
        let when = format!("seed {seed}, round {round}");
        if let Some(seen) = all.last() {
            logged = seen.compare_with(&program, &when).await;
        }
        // A log of its own for every few rounds, so that it can be compared whole.
        if round % ROUNDS_PER_LOG == 0 {
            all.push(Seen::begin(&program, &count).await);
        }
        let seen = all.last().expect("made in the first round");
        let before = *count.borrow();
        // In some, long enough to be killed about when a snapshot is saved.
        let long = round % ROUNDS_PER_LOG == ROUNDS_PER_LOG - 1;
        let wait = Duration::from_millis(if long { 40 } else { 0 });
        let writers = (0..WRITERS).map(Some).chain([None]);
        let tasks: Vec<_> =
            writers.map(|writer| tokio::spawn(work(program.addr, seen.clone(), writer, wait))).collect();
        let enough = before + random.below(if long { 2 } else { 150 });
        let mut heard = count.subscribe();
        let counted = heard.wait_for(|count| *count >= enough);
        tokio::time::timeout(PATIENCE, counted).await.expect("the load goes on").expect("counts");
        let more = if long { 4_900 + random.below(300) } else { random.below(25) };
        tokio::time::sleep(Duration::from_millis(more)).await;
        drop(program);
        for task in tasks {
            task.await.expect("no client saw another log");
        }
        println!("round {round}: {} received, {logged} were in the log before", *count.borrow() - before);
    }
    let program = Program::start(dir.path());
    if let Some(seen) = all.last() {
        seen.compare_with(&program, "at the end").await;
    }
    drop(program);
    // And as the file has it.
    let store = SqliteStore::open(&dir.path().join("data/lockstep.db")).await.expect("opens");
    let mut in_all = 0;
    for seen in &all {
        let id = seen.dashboard.parse().expect("an id");
        let log = store.tail(&id, 0, Most::commits(usize::MAX)).await.expect("reads");
        let log: Vec<Value> =
            log.iter().map(|stored| serde_json::from_str(&stored.body).expect("JSON")).collect();
        seen.compare(&log, "in the file");
        in_all += log.len();
    }
    store.close().await;
    println!(
        "{rounds} kills under load and {early} while starting: {} commits received, {in_all} in the logs",
        *count.borrow(),
    );
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
    program.terminate();
    assert!(ada.expect("error").await["retry_after_ms"].is_number());
    assert_eq!(ada.closed().await, 4503);
    let ended = tokio::task::spawn_blocking(move || program.child.wait().map(|status| (status, program)));
    let (status, _program) = ended.await.expect("waits").expect("ends");
    assert!(status.success(), "{status}");
}
