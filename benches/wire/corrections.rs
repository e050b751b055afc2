//! CPU of corrections: many viewers of many queries of a source that corrects its last points, with and without
//! asking for those again.

use std::io::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use serde_json::json;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::at_most;
use crate::figures::{dashboard, matrix, now_ms};
use crate::load::join;
use crate::process::Process;

const VIEWERS: usize = 200;
const WIDGETS: usize = 50;
/// Turns of each setting.
const TURNS: usize = 2;
const SECONDS: f64 = 20.0;
/// How long a point of the source is not what it will be.
const SETTLES_S: f64 = 10.0;

/// What turns came to.
#[derive(Default)]
struct Sum {
    cpu: f64,
    seconds: f64,
    queries: u64,
}

/// CPU and queries with the overlap that is the default, and with none, and the ratios.
pub async fn corrections() -> Result<()> {
    println!(
        "\n{VIEWERS} viewers of {WIDGETS} queries of a source whose last {SETTLES_S} s change, asked every 2 s"
    );
    let asked = Arc::new(AtomicU64::new(0));
    let router = Router::new().fallback(answer).with_state(asked.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let source = format!("main=http://{}", listener.local_addr()?);
    let served = spawn_local(async move { axum::serve(listener, router).await });
    let mut sums = [Sum::default(), Sum::default()];
    for _ in 0..TURNS {
        for (sum, overlap) in sums.iter_mut().zip(["120", "0"]) {
            turn(sum, overlap, &source, &asked).await?;
        }
    }
    served.abort();
    let [with, without] = sums;
    let percent = |sum: &Sum| sum.cpu / sum.seconds * 100.0;
    let queries = |sum: &Sum| sum.queries as f64 / sum.seconds;
    println!("{:<58} {:>12.1}", "only what is new: server CPU, % of a core", percent(&without));
    println!("{:<58} {:>12.1}", "  queries a second", queries(&without));
    println!("{:<58} {:>12.1}", "the last 2 minutes again: server CPU, % of a core", percent(&with));
    at_most("  queries, to those before", queries(&with) / queries(&without), Some(1.0));
    at_most("  CPU, to that before", percent(&with) / percent(&without), Some(1.2));
    Ok(())
}

async fn turn(sum: &mut Sum, overlap: &str, source: &str, asked: &AtomicU64) -> Result<()> {
    let set = [("LOCKSTEP_PROMETHEUS", source), ("LOCKSTEP_PROMETHEUS_OVERLAP", overlap)];
    let server = Process::lockstep_with(&set);
    let ask = |n| json!({"source": "main", "query": format!("up{{n=\"{n}\"}}")});
    let target = dashboard(&server, WIDGETS, ask).await?;
    let mut viewers = Vec::new();
    for _ in 0..VIEWERS {
        let (mut reader, writer, _) = join(&server, &target).await?;
        viewers.push(spawn_local(async move {
            let _writer = writer;
            while reader.text().await.is_ok() {}
        }));
    }
    sleep(Duration::from_secs(4)).await;
    let (cpu, before) = (server.cpu(), asked.load(Relaxed));
    sleep(Duration::from_secs_f64(SECONDS)).await;
    sum.cpu += cpu.zip(server.cpu()).map_or(f64::NAN, |(before, after)| after - before);
    sum.queries += asked.load(Relaxed) - before;
    sum.seconds += SECONDS;
    assert!(viewers.iter().all(|viewer| !viewer.is_finished()), "viewers that the server closed");
    viewers.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

/// A Prometheus whose last points are not yet what they will be.
async fn answer(State(asked): State<Arc<AtomicU64>>, body: String) -> String {
    asked.fetch_add(1, Relaxed);
    let now = now_ms() as f64 / 1000.0;
    matrix(&body, |at| {
        let whole = (at * 0.01).sin() * 50.0 + 50.0;
        let value = if now - at < SETTLES_S { whole * (now - at).max(0.0) / SETTLES_S } else { whole };
        format!("{value:.3}")
    })
}
