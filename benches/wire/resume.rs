//! The return of everybody at once, after the server was killed under them.

use std::io::{Error, Result};
use std::time::Instant;

use memchr::memmem;

use crate::client::{Reader, Writer};
use crate::load::{Target, hello, hello_as, join};
use crate::process::Process;
use crate::scenes::dashboard;

/// Edits that each of them has missed.
const MISSED: u64 = 500;

/// How long it took, from the server's saying where it is.
pub struct Resumed {
    pub half_ms: f64,
    pub all_ms: f64,
    /// Of the server since it was started; `None` where there is no `/proc`.
    pub cpu_ms: Option<f64>,
}

/// Kills a server with so many edits that none of the clients has seen, and lets these come back. Their
/// waits, which real ones draw by lot, are left out: all come in the same moment.
pub async fn resume(clients: usize) -> Result<Resumed> {
    let server = Process::lockstep();
    let target = dashboard(&server, 200, false).await?;
    let Target::Dashboard { id, .. } = &target else { unreachable!("a dashboard was made") };
    let (mut reader, mut writer) = hello(&server).await?;
    reader.text_with("\"type\":\"welcome\"").await?;
    let ask = serde_json::json!({ "type": "join", "dashboard": id });
    writer.text(ask.to_string().as_bytes()).await?;
    let joined = reader.text_with("\"type\":\"joined\"").await?;
    let joined: serde_json::Value = serde_json::from_slice(joined).map_err(Error::other)?;
    let (epoch, revision) = (joined["epoch"].clone(), joined["revision"].as_u64().unwrap_or(0));
    let (mut hearing, mut writing, base) = join(&server, &target).await?;
    for seq in 1..=MISSED {
        let op = serde_json::json!({ "op": "set", "id": "w1", "field": "title", "value": format!("{seq}") });
        let change = serde_json::json!({ "seq": seq, "base": base, "ops": [op] });
        let push = serde_json::json!({ "type": "push", "dashboard": id, "changes": [change] });
        writing.text(push.to_string().as_bytes()).await?;
        hearing.text_with(&format!("\"revision\":{},", revision + seq)).await?;
    }

    let server = server.killed_and_started();
    let resume = serde_json::json!({ "epoch": epoch, "revision": revision, "at": joined["at"] });
    let ask = serde_json::json!({ "type": "join", "dashboard": id, "resume": resume }).to_string();
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (address, ask) = (server.address.clone(), ask.clone());
        tasks.spawn(async move {
            let ends = come_back(&address, &ask).await?;
            Ok::<_, Error>((begun.elapsed().as_secs_f64() * 1000.0, ends))
        });
    }
    // All stay until the last is there.
    let (mut took, mut all) = (Vec::new(), Vec::new());
    while let Some(back) = tasks.join_next().await {
        let (ms, ends) = back.map_err(Error::other)??;
        took.push(ms);
        all.push(ends);
    }
    took.sort_by(f64::total_cmp);
    let cpu_ms = server.cpu().map(|seconds| seconds * 1000.0);
    Ok(Resumed { half_ms: took[clients / 2], all_ms: took[clients - 1], cpu_ms })
}

async fn come_back(address: &str, ask: &str) -> Result<(Reader, Writer)> {
    let (mut reader, mut writer) = hello_as(address, "").await?;
    reader.text_with("\"type\":\"welcome\"").await?;
    writer.text(ask.as_bytes()).await?;
    let joined = reader.text_with("\"type\":\"joined\"").await?;
    assert!(memmem::find(joined, b"\"commits\":[").is_some(), "the tail, not a snapshot");
    Ok((reader, writer))
}
