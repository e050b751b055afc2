//! Writers and collector of the day, and the ledger of what they were promised.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lockstep::server::data::series::key::selectors;
use lockstep::server::data::series::{Bounds, SeriesStore};
use lockstep::server::limits::Limits;
use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{KEEP_COMMITS, Most, Store as _};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::{self, Client, Got};

/// Between two edits of a writer, and between two requests of the collector.
const EDIT_EVERY: Duration = Duration::from_millis(40);
const PUSH_EVERY: Duration = Duration::from_millis(100);
/// How long a writer waits for an answer before it connects again.
const ANSWER: Duration = Duration::from_secs(10);
/// Hours that points are kept.
pub const HOURS: u64 = 24;

/// All that was promised, told and done.
#[derive(Default)]
pub struct Ledger {
    /// By dashboard and revision, each commit that anybody received.
    commits: BTreeMap<String, BTreeMap<u64, Value>>,
    /// Points that were answered with 204: time and value.
    points: BTreeMap<u64, u64>,
    /// Edits that were rejected, by code, and requests of points, by status.
    pub rejected: BTreeMap<String, u64>,
    pub refused: BTreeMap<u16, u64>,
    /// Requests of points of which no answer came.
    pub unanswered: u64,
    pub connections: u64,
    /// What must not be.
    pub broken: Vec<String>,
}

/// What the people have in common.
#[derive(Clone)]
pub struct Town {
    pub addr: SocketAddr,
    pub ledger: Arc<Mutex<Ledger>>,
    /// The dashboard that is edited now.
    pub dashboard: Arc<watch::Sender<String>>,
    /// Commits and points acknowledged so far.
    pub edits: Arc<watch::Sender<u64>>,
    pub points: Arc<watch::Sender<u64>>,
    pub http: reqwest::Client,
}

impl Town {
    pub fn new(addr: SocketAddr) -> Self {
        let http = reqwest::Client::builder().timeout(ANSWER).build().expect("a client");
        Self {
            addr,
            ledger: Arc::default(),
            dashboard: Arc::new(watch::Sender::new(String::new())),
            edits: Arc::new(watch::Sender::new(0)),
            points: Arc::new(watch::Sender::new(0)),
            http,
        }
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Makes a dashboard and has everybody edit that one from now on.
    pub async fn move_on(&self) -> Option<String> {
        let made =
            self.http.post(self.url("/api/v1/dashboards")).json(&json!({"title": "Bad day"})).send().await;
        let made: Value = made.ok()?.json().await.ok()?;
        let id = made["id"].as_str()?.to_owned();
        self.dashboard.send_replace(id.clone());
        Some(id)
    }

    /// Waits for so many more acknowledged edits; how long it took, `None` where that is too long.
    pub async fn edited(&self, more: u64, most: Duration) -> Option<Duration> {
        counted(&self.edits, more, most).await
    }

    pub async fn pushed(&self, more: u64, most: Duration) -> Option<Duration> {
        counted(&self.points, more, most).await
    }

    fn note(&self, dashboard: &str, commits: &Value) {
        let mut ledger = self.ledger();
        let mut new = 0;
        for commit in commits.as_array().into_iter().flatten() {
            let revision = commit["revision"].as_u64().unwrap_or(0);
            let of = ledger.commits.entry(dashboard.to_owned()).or_default();
            match of.get(&revision) {
                Some(first) if first != commit => {
                    let why = format!("{dashboard}: two were told different things of revision {revision}");
                    ledger.broken.push(why);
                }
                Some(_) => {}
                None => {
                    of.insert(revision, commit.clone());
                    new += 1;
                }
            }
        }
        drop(ledger);
        self.edits.send_modify(|count| *count += new);
    }

    /// Edits until the day ends, coming back whenever the connection goes.
    pub async fn write(self, writer: u64) {
        loop {
            let dashboard = self.dashboard.borrow().clone();
            // A connection that goes is what the day is about.
            let _ = self.write_to(writer, &dashboard).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn write_to(&self, writer: u64, dashboard: &str) -> Option<()> {
        let connecting = tokio::time::timeout(ANSWER, Client::connect_with(self.addr, &[]));
        let mut client = connecting.await.ok()?.ok()?;
        self.ledger().connections += 1;
        let name = format!("writer-{writer}");
        client.send(json!({"type": "hello", "protocol": 1, "client": name, "name": name})).await;
        let mut me = Value::Null;
        let mut joined = false;
        loop {
            let got = tokio::time::timeout(ANSWER, client.got()).await.ok()?;
            let Got::Frame(frame) = got else { return None };
            match frame["type"].as_str() {
                Some("welcome") => {
                    me = frame["client"].clone();
                    client.send(json!({"type": "join", "dashboard": dashboard})).await;
                }
                Some("joined") => {
                    joined = true;
                    client.seq = frame["last_seq"].as_u64().unwrap_or(0);
                    let acked = self.ledger().acked(dashboard, &me);
                    if client.seq < acked {
                        let why = format!(
                            "{dashboard}: {name} had {acked} acknowledged, and {} are there",
                            client.seq
                        );
                        self.ledger().broken.push(why);
                    }
                    self.push(&mut client, writer, dashboard).await;
                }
                Some("commits") => {
                    self.note(dashboard, &frame["commits"]);
                    let commits = frame["commits"].as_array().into_iter().flatten();
                    let mine = commits.filter(|commit| commit["client"] == me);
                    let answered = mine.filter_map(|commit| commit["seq"].as_u64()).max();
                    if joined && answered == Some(client.seq) {
                        if *self.dashboard.borrow() != dashboard {
                            return Some(());
                        }
                        tokio::time::sleep(EDIT_EVERY).await;
                        self.push(&mut client, writer, dashboard).await;
                    }
                }
                Some("rejected") => {
                    let code = frame["code"].as_str().unwrap_or("?").to_owned();
                    *self.ledger().rejected.entry(code).or_default() += 1;
                    let wait = frame["retry_after_ms"].as_u64().unwrap_or(100);
                    client.seq = frame["expected"].as_u64()?.checked_sub(1)?;
                    tokio::time::sleep(Duration::from_millis(wait.min(1_000))).await;
                    if *self.dashboard.borrow() != dashboard {
                        return Some(());
                    }
                    self.push(&mut client, writer, dashboard).await;
                }
                Some("error") => {
                    let code = frame["code"].as_str().unwrap_or("?").to_owned();
                    *self.ledger().rejected.entry(format!("error {code}")).or_default() += 1;
                    let wait = frame["retry_after_ms"].as_u64().unwrap_or(200);
                    tokio::time::sleep(Duration::from_millis(wait.min(1_000))).await;
                    return None;
                }
                _ => {}
            }
        }
    }

    /// The next change: of a widget of the writer's own, so that nobody is in conflict with anybody.
    async fn push(&self, client: &mut Client, writer: u64, dashboard: &str) {
        client.seq += 1;
        let (seq, id) = (client.seq, format!("w{writer}"));
        let op = match seq {
            1 => json!({"op": "add_widget", "id": id, "widget": support::stat("new")}),
            _ => json!({"op": "set", "id": id, "field": "title", "value": title(seq)}),
        };
        client.push(dashboard, json!([{"seq": seq, "base": 0, "ops": [op]}])).await;
    }

    /// Pushes points until the day ends.
    pub async fn collect(self) {
        let mut at = now_ms();
        loop {
            tokio::time::sleep(PUSH_EVERY).await;
            let now = now_ms();
            let points: Vec<(u64, u64)> =
                (0..5).map(|n| (at.max(now) + n, at.wrapping_mul(7) % 1_000 + n)).collect();
            at = at.max(now) + 5;
            let lines = points.iter().map(|(at, value)| format!("day value={value} {at}\n"));
            let body: String = lines.collect();
            let request = self.http.post(self.url("/api/v2/write?precision=ms")).body(body);
            match request.send().await {
                Ok(answer) if answer.status() == 204 => {
                    self.points.send_modify(|count| *count += points.len() as u64);
                    self.ledger().points.extend(points);
                }
                Ok(answer) => *self.ledger().refused.entry(answer.status().as_u16()).or_default() += 1,
                Err(_) => self.ledger().unanswered += 1,
            }
        }
    }
}

async fn counted(of: &watch::Sender<u64>, more: u64, most: Duration) -> Option<Duration> {
    let (begun, enough) = (Instant::now(), *of.borrow() + more);
    let mut heard = of.subscribe();
    let counted = heard.wait_for(|count| *count >= enough);
    tokio::time::timeout(most, counted).await.ok()?.ok()?;
    Some(begun.elapsed())
}

fn title(seq: u64) -> String {
    format!("title {seq}")
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64)
}

/// What was found in the files of what was promised.
#[derive(Debug, Default)]
pub struct Found {
    pub edits: usize,
    /// Edits that are older than the log of their dashboard goes back.
    pub folded: usize,
    pub points: usize,
    /// What is not as it was promised.
    pub broken: Vec<String>,
}

impl Ledger {
    fn acked(&self, dashboard: &str, client: &Value) -> u64 {
        let all = self.commits.get(dashboard).into_iter().flat_map(BTreeMap::values);
        all.filter(|commit| commit["client"] == *client)
            .filter_map(|commit| commit["seq"].as_u64())
            .max()
            .unwrap_or(0)
    }

    pub fn edits(&self) -> usize {
        self.commits.values().map(BTreeMap::len).sum()
    }

    pub fn points(&self) -> usize {
        self.points.len()
    }

    /// What was promised until now.
    pub fn until_now(&self) -> Self {
        Self { commits: self.commits.clone(), points: self.points.clone(), ..Self::default() }
    }

    /// Compares all that was promised with the files of a server that does not run.
    pub async fn compare(&self, data: &Path) -> Found {
        let mut found = Found::default();
        if let Err(why) = self.compare_edits(data, &mut found).await {
            found.broken.push(why);
        }
        if let Err(why) = self.compare_points(data, &mut found).await {
            found.broken.push(why);
        }
        found
    }

    async fn compare_edits(&self, data: &Path, found: &mut Found) -> Result<(), String> {
        let store = SqliteStore::open(&data.join("lockstep.db")).await.map_err(|error| error.to_string())?;
        for (dashboard, commits) in &self.commits {
            let id = dashboard.parse().map_err(|_| format!("{dashboard} is no id"))?;
            let log =
                store.tail(&id, 0, Most::commits(usize::MAX)).await.map_err(|error| error.to_string())?;
            let first = log.first().map_or(1, |stored| stored.revision);
            if first > 1 && (log.len() as u64) < KEEP_COMMITS {
                found.broken.push(format!("{dashboard}: the log has only the last {} commits", log.len()));
            }
            let mut seqs: BTreeMap<String, u64> = BTreeMap::new();
            let mut log_starts: BTreeMap<String, u64> = BTreeMap::new();
            let mut there = BTreeMap::new();
            for (stored, revision) in log.iter().zip(first..) {
                let commit: Value = serde_json::from_str(&stored.body).map_err(|error| error.to_string())?;
                let seq = commit["seq"].as_u64().unwrap_or_default();
                log_starts.entry(commit["client"].to_string()).or_insert(seq);
                let last = seqs.insert(commit["client"].to_string(), seq);
                if stored.revision != revision || last.is_some_and(|last| seq != last + 1) {
                    found
                        .broken
                        .push(format!("{dashboard}: the log has a gap or a change twice at {revision}"));
                }
                if seq > 1 && commit["ops"][0]["value"] != title(seq) {
                    found.broken.push(format!("{dashboard}: revision {revision} is not as it was made"));
                }
                there.insert(revision, commit);
            }
            // The log goes back a while; what is older stands in the snapshot, and a client's next number is
            // taken only after it.
            let mut folded = 0;
            for (revision, commit) in commits.range(..first) {
                folded += 1;
                let next = log_starts.get(&commit["client"].to_string());
                if next.is_some_and(|next| commit["seq"].as_u64() >= Some(*next)) {
                    found.broken.push(format!("{dashboard}: revision {revision} is there again later"));
                }
            }
            found.folded += folded;
            let missing =
                commits.range(first..).filter(|(revision, commit)| there.get(revision) != Some(commit));
            let missing: Vec<_> = missing.map(|(revision, _)| *revision).collect();
            if let (Some(first), count) = (missing.first(), missing.len()) {
                found
                    .broken
                    .push(format!("{dashboard}: {count} acknowledged edits are gone, from {first} on"));
            }
            found.edits += commits.len() - folded - missing.len();
        }
        store.close().await;
        Ok(())
    }

    async fn compare_points(&self, data: &Path, found: &mut Found) -> Result<(), String> {
        let bounds = Bounds::new(&Limits::default(), HOURS);
        let store =
            SeriesStore::open(&data.join("series.db"), bounds).await.map_err(|error| error.to_string())?;
        let mut there = BTreeMap::new();
        for selector in selectors("day") {
            for series in store.memory().find(&selector, 9, |_| 0, u64::MAX).0 {
                series.view.each(|(at, value)| {
                    there.insert(at, value as u64);
                });
            }
        }
        store.close().await;
        let missing = self.points.iter().filter(|(at, value)| there.get(at) != Some(value)).count();
        if missing > 0 {
            found.broken.push(format!("{missing} acknowledged points are gone"));
        }
        found.points = self.points.len() - missing;
        Ok(())
    }
}
