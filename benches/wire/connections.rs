//! Connections that are no sessions: what each costs, that they end, and what edits beside them notice.

use std::io::{Error, Result};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::load::{self, Outcome, Pace, Target};
use crate::process::Process;
use crate::{at_least, at_most, scenes};

const CONNECTIONS: usize = 2_000;
/// Beyond the deadlines, for a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(30);
/// A kept connection's time between two requests, and a silent one's until its first: the defaults.
const KEPT: Duration = Duration::from_secs(75);
const SILENT: Duration = Duration::from_secs(10);

/// Opens them, has half an answer or none of each, and lets them be.
pub async fn idle() -> Result<()> {
    println!("\n{CONNECTIONS} idle connections that are no sessions");
    let server = Process::lockstep();
    let target = scenes::dashboard(&server, 100, false).await?;
    // The first pay for what all share.
    drop(open(&server, 200, true).await?);
    let alone = edits(&server, &target).await?;

    let before = server.memory_kib();
    let silent = open(&server, CONNECTIONS, false).await?;
    sleep(Duration::from_secs(1)).await;
    cost("memory of one that sent nothing, KiB", before, server.memory_kib());
    let (ended, took) = ends(silent, SILENT).await;
    at_least("closed by the server", ended as f64, CONNECTIONS as f64);
    at_most("the last of them after, s", took, None);

    let before = server.memory_kib();
    let kept = open(&server, CONNECTIONS, true).await?;
    sleep(Duration::from_secs(1)).await;
    cost("memory of one that waits for its next request, KiB", before, server.memory_kib());
    let beside = edits(&server, &target).await?;
    let (ended, took) = ends(kept, KEPT).await;
    at_least("closed by the server", ended as f64, CONNECTIONS as f64);
    at_most("the last of them after the edits, s", took, None);

    let (alone, beside) = (alone.quantile_ms(0.99), beside.quantile_ms(0.99));
    at_most("p99 of 100 edits/s without them, ms", alone, None);
    at_most("p99 of 100 edits/s beside them, ms", beside, None);
    at_most("beside to without", beside / alone, Some(1.5));
    Ok(())
}

async fn edits(server: &Process, target: &Target) -> Result<Outcome> {
    load::run(server, target, 100, 10, Pace::Rate(100), 20.0).await
}

fn cost(figure: &str, before: Option<u64>, after: Option<u64>) {
    match before.zip(after) {
        Some((before, after)) => {
            at_most(figure, after.saturating_sub(before) as f64 / CONNECTIONS as f64, Some(8.0));
        }
        None => println!("{figure}: not measured, this machine has no /proc"),
    }
}

async fn open(server: &Process, count: usize, ask: bool) -> Result<Vec<TcpStream>> {
    let mut connections = Vec::with_capacity(count);
    let mut answer = vec![0; 4096];
    for _ in 0..count {
        let mut stream = TcpStream::connect(&server.address).await?;
        if ask {
            let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
            stream.write_all(request.as_bytes()).await?;
            let read = stream.read(&mut answer).await?;
            if !answer[..read].starts_with(b"HTTP/1.1 200 ") {
                return Err(Error::other(String::from_utf8_lossy(&answer[..read]).into_owned()));
            }
        }
        connections.push(stream);
    }
    Ok(connections)
}

/// How many end by themselves within their deadline and some patience, and after how many seconds the last.
async fn ends(connections: Vec<TcpStream>, deadline: Duration) -> (usize, f64) {
    let (began, mut ended) = (Instant::now(), 0);
    for mut stream in connections {
        let left = (deadline + PATIENCE).saturating_sub(began.elapsed());
        ended += usize::from(matches!(timeout(left, stream.read(&mut [0])).await, Ok(Ok(0) | Err(_))));
    }
    (ended, began.elapsed().as_secs_f64())
}
