//! The list of 10,000 dashboards: how long a part of it takes, and what the server weighs.

use std::io::Result;
use std::sync::Arc;
use std::time::Instant;

use lockstep::dashboard::outline::MAX_OUTLINE;
use lockstep::dashboard::{Dashboard, DashboardId, Frame, Kind, User, UserId, Widget, WidgetId};
use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{Listing, NewDashboard, Store};
use lockstep::sync::room::Room;

use crate::at_most;
use crate::process::{Process, data_dir};

/// Dashboards made at once: as many as share a transaction.
const AT_ONCE: usize = 256;
/// Requests of each kind.
const REQUESTS: usize = 200;
const WORDS: [&str; 8] = ["Orders", "Größe", "Latency", "Данные", "Checkout", "Queue", "Cache", "Hosts"];
const TAGS: [&str; 6] = ["prod", "staging", "eu", "us", "payments", "on call"];

/// Makes dashboards straight in the store, as many widgets in each as an outline shows.
pub async fn fill(store: &SqliteStore, count: usize) {
    let mut dashboard = Dashboard::new("");
    for n in 0..MAX_OUTLINE as u16 {
        let widget = Widget::new(Kind::Stat, "Widget", Frame::new(n % 4 * 6, n / 4 * 4, 6, 4));
        dashboard.widgets.insert(WidgetId::new(format!("w{n}")).expect("an id"), Arc::new(widget));
    }
    let outline: Arc<str> = serde_json::to_string(&dashboard.outline()).expect("JSON").into();
    let state = Room::new("epoch".to_owned(), dashboard.clone()).state();
    let state: Arc<str> = serde_json::to_string(&state).expect("JSON").into();
    let by = User {
        id: UserId::new("someone-with-an-id").expect("an id"),
        name: "Ada Lovelace".to_owned(),
        color: "#3e63dd".to_owned(),
    };
    let new = |n: usize| NewDashboard {
        id: DashboardId::new(id(n)).expect("an id"),
        epoch: "epoch".to_owned(),
        state: state.clone(),
        listing: Listing {
            title: format!("{} of {} {n}", WORDS[n % WORDS.len()], WORDS[n / 7 % WORDS.len()]),
            widgets: MAX_OUTLINE,
            changed_at: 1_795_000_000_000 + n as u64 * 1_000,
            changed_by: Some(by.clone()),
            outline: Some(outline.clone()),
            tags: (0..n % 4).map(|k| TAGS[(n + k) % TAGS.len()].to_owned()).collect(),
        },
    };
    for first in (0..count).step_by(AT_ONCE) {
        let making = (first..count.min(first + AT_ONCE)).map(|n| store.create(new(n)));
        for made in futures::future::join_all(making).await {
            made.expect("made");
        }
    }
}

/// The id of one that was made.
pub fn id(number: usize) -> String {
    format!("dashboard-{number:06}")
}

/// Asks for parts of the list, and for what else shows it.
pub async fn list(count: usize) -> Result<()> {
    println!("\nthe list of {count} dashboards with {MAX_OUTLINE} widgets and up to 3 tags each");
    let dir = data_dir();
    let store = SqliteStore::open(&dir.path().join("lockstep.db")).await.expect("a store");
    fill(&store, count).await;
    store.close().await;
    let server = Process::lockstep_on(dir, &[]);
    let http = reqwest::Client::new();
    let url = |path: &str| format!("http://{}{path}", server.address);
    let get = async |path: &str, tag: Option<&str>| {
        let request = http.get(url(path));
        let request = if let Some(tag) = tag { request.header("if-none-match", tag) } else { request };
        let begun = Instant::now();
        let answer = request.send().await.expect("an answer");
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let (status, body) = (answer.status(), answer.bytes().await.expect("a body"));
        (begun.elapsed().as_secs_f64() * 1_000.0, status, body, tag)
    };
    let first: serde_json::Value = serde_json::from_slice(&get("/api/v1/dashboards/list", None).await.2)?;
    assert_eq!(first["total"], count);
    let next = first["next"].as_str().expect("there is more").to_owned();
    let mut all = Vec::new();
    for (name, query) in [
        ("the first 50", String::new()),
        ("the next 50", format!("after={next}")),
        ("by title", "order=title".to_owned()),
        ("with a text that 1 in 4 has", "search=gr%C3%B6sse".to_owned()),
        ("with a text that none has", "search=nothing+like+it".to_owned()),
        ("with a tag", "tag=eu&order=title".to_owned()),
    ] {
        let (mut took, mut bytes) = (Vec::new(), 0);
        for _ in 0..REQUESTS {
            let (ms, status, body, _) = get(&format!("/api/v1/dashboards/list?{query}"), None).await;
            assert!(status.is_success(), "{status}");
            bytes = body.len();
            took.push(ms);
        }
        took.sort_by(f64::total_cmp);
        let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        println!("  {name}: p50 {p50:.2} ms, p99 {p99:.2} ms, {:.0} KiB", bytes as f64 / 1_024.0);
        all.extend(took);
    }
    all.sort_by(f64::total_cmp);
    at_most("all of these: p50, ms", all[all.len() / 2], None);
    at_most("all of these: p99, ms", all[all.len() * 99 / 100], Some(10.0));
    if let Some(kib) = server.memory_kib() {
        at_most("the server's memory then, MiB", kib as f64 / 1_024.0, Some(60.0));
    }
    for (name, path) in [("the page /", "/"), ("the array of all", "/api/v1/dashboards")] {
        let mut took = Vec::new();
        let mut known = None;
        for _ in 0..REQUESTS / 4 {
            let (ms, _, body, tag) = get(path, None).await;
            known = tag.map(|tag| (tag, body.len()));
            took.push(ms);
        }
        took.sort_by(f64::total_cmp);
        at_most(&format!("{name}: p50, ms"), took[took.len() / 2], None);
        if let Some((tag, bytes)) = known {
            let (ms, status, ..) = get(path, Some(&tag)).await;
            assert_eq!(status.as_u16(), 304);
            println!("  {:.0} KiB; unchanged: 304 after {ms:.2} ms", bytes as f64 / 1_024.0);
        }
    }
    if let Some(kib) = server.memory_kib() {
        at_most("the server's memory after all of it, MiB", kib as f64 / 1_024.0, Some(60.0));
    }
    Ok(())
}
