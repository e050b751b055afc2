//! Joins of a large dashboard that nobody reads, and what they leave behind in the server's memory.

use std::io::{Error, Result};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::load::{Target, hello, join, join_frame};
use crate::process::Process;
use crate::scenes;

const SESSIONS: usize = 8;
const JOINS: usize = 20;
/// Bytes of the tables that the dashboard has, a little less than it may have.
const TABLE: usize = 50_000;
/// How long the server has for giving memory back.
const REST: Duration = Duration::from_secs(10);

/// MiB of memory of the server.
pub struct Unread {
    pub start: f64,
    /// Above the start, at most, while nobody reads.
    pub above: f64,
    /// Above the start, [`REST`] after they went.
    pub left: f64,
}

/// Joins a dashboard of so many bytes from some sessions, many times each, and reads none of the answers;
/// `None` where there is no `/proc`.
pub async fn unread(server: &Process, bytes: usize) -> Result<Option<Unread>> {
    let target = scenes::dashboard(server, 1, false).await?;
    let Target::Dashboard { id, .. } = &target else { unreachable!("a dashboard was made") };
    let (mut reader, mut writer, base) = join(server, &target).await?;
    for n in 0..bytes / TABLE {
        let frame = serde_json::json!({ "x": 0, "y": 8 * n, "w": 12, "h": 8 });
        let options = serde_json::json!({ "data": "x".repeat(TABLE) });
        let widget = serde_json::json!({ "kind": "table", "title": "", "frame": frame, "options": options });
        let op = serde_json::json!({ "op": "add_widget", "id": format!("t{n}"), "widget": widget });
        let change = serde_json::json!({ "seq": n + 1, "base": base, "ops": [op] });
        let push = serde_json::json!({ "type": "push", "dashboard": id, "changes": [change] });
        writer.text(push.to_string().as_bytes()).await?;
        reader.text_with(&format!("\"revision\":{},", base as usize + n + 1)).await?;
    }
    // One who reads was there before, as somebody always was.
    let (again, _, _) = join(server, &target).await?;
    drop((reader, writer, again));
    sleep(REST).await;
    let Some(start) = server.memory_kib() else { return Ok(None) };

    let mut connections = Vec::new();
    for _ in 0..SESSIONS {
        let (mut reader, mut writer) = hello(server).await?;
        reader.text_with("\"type\":\"welcome\"").await?;
        for _ in 0..JOINS {
            writer.text(join_frame(id).as_bytes()).await?;
        }
        connections.push((reader, writer));
    }
    let (asked, mut most) = (Instant::now(), start);
    while asked.elapsed() < REST {
        most = most.max(server.memory_kib().ok_or_else(|| Error::other("the server is gone"))?);
        sleep(Duration::from_millis(20)).await;
    }
    drop(connections);
    sleep(REST).await;
    let left = server.memory_kib().ok_or_else(|| Error::other("the server is gone"))?;
    let mib = |kib: u64| kib as f64 / 1024.0;
    Ok(Some(Unread { start: mib(start), above: mib(most - start), left: mib(left.saturating_sub(start)) }))
}
