//! Cursors, idle sessions and joins: the scenes beside the load of edits.

use std::cell::{Cell, RefCell};
use std::io::Result;
use std::rc::Rc;
use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::client::{Reader, Writer};
use crate::load::{Outcome, Target, hello, join, join_frame};
use crate::process::Process;

/// Moves of one cursor that are told apart: a power of two, so that a 32-bit float carries it exactly.
const MOVES: usize = 1_024;
/// Cursors that are told apart, for the same reason.
const CURSORS: usize = 64;

/// Makes a dashboard with stats that show nothing, four in a row; its id.
///
/// With `full`, each has all its options: ten fields with kind, title and frame.
pub async fn dashboard(server: &Process, widgets: usize, full: bool) -> Result<Target> {
    let made = server
        .request(reqwest::Method::POST, "/api/v1/dashboards")
        .json(&serde_json::json!({ "title": "Bench" }))
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .expect("a new dashboard");
    let made: serde_json::Value = made.json().await.expect("JSON");
    let id = made["id"].as_str().expect("an id").to_owned();
    let target = Target::Dashboard { id: id.clone(), widgets };
    let (mut reader, mut writer, _) = join(server, &target).await?;
    // With a number each: what differs between widgets does not compress to nothing.
    let options = |number: usize| {
        if !full {
            return serde_json::json!({});
        }
        serde_json::json!({
            "query": "", "unit": "ms", "decimals": number % 7, "min": 0, "max": 1000 + number,
            "warn_at": 700 + number, "alert_at": 900 + number,
        })
    };
    let ops: Vec<_> = (0..widgets)
        .map(|n| {
            let frame = serde_json::json!({ "x": n % 4 * 6, "y": n / 4 * 4, "w": 6, "h": 4 });
            let widget = serde_json::json!({
                "kind": "stat", "title": format!("Widget {n}"), "frame": frame, "options": options(n),
            });
            serde_json::json!({ "op": "add_widget", "id": format!("w{n}"), "widget": widget })
        })
        .collect();
    let push = serde_json::json!({
        "type": "push", "dashboard": id, "changes": [{ "seq": 1, "base": 0, "ops": ops }],
    });
    writer.text(push.to_string().as_bytes()).await?;
    reader.text_with("\"add_widget\"").await?;
    Ok(target)
}

/// Every client moves a cursor so many times a second; what arrives of the others' counts.
pub async fn cursors(server: &Process, clients: usize, per_second: u32, seconds: f64) -> Result<Outcome> {
    assert!(clients <= CURSORS);
    let target = dashboard(server, 10, false).await?;
    let Target::Dashboard { id, .. } = &target else { unreachable!("a dashboard was made") };
    let began = Instant::now();
    let measuring = Rc::new(Cell::new(false));
    let sent = Rc::new(RefCell::new(vec![[0u64; MOVES]; clients]));
    let latencies = Rc::new(RefCell::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..clients {
        let (reader, writer, _) = join(server, &target).await?;
        let (sent, measuring, latencies) = (sent.clone(), measuring.clone(), latencies.clone());
        tasks.push(spawn_local(watch(reader, number, began, sent.clone(), measuring, latencies)));
        let each = Duration::from_secs_f64(1.0 / f64::from(per_second));
        tasks.push(spawn_local(point(writer, id.clone(), number, clients, each, began, sent)));
    }
    sleep(Duration::from_secs(2)).await;
    let (cpu, started) = (server.cpu(), Instant::now());
    measuring.set(true);
    sleep(Duration::from_secs_f64(seconds)).await;
    measuring.set(false);
    let (cpu_after, took) = (server.cpu(), started.elapsed().as_secs_f64());
    for task in tasks {
        if task.is_finished() {
            task.await.expect("a client does not panic")?;
        } else {
            task.abort();
        }
    }
    let latencies = latencies.take();
    let cpu = cpu.zip(cpu_after).map(|(before, after)| after - before);
    Ok(Outcome::new(latencies.len() as u64, took, latencies, cpu))
}

type Sent = Rc<RefCell<Vec<[u64; MOVES]>>>;

/// Moves one cursor; where it is tells which move of whose cursor it was.
async fn point(
    mut writer: Writer,
    dashboard: String,
    number: usize,
    clients: usize,
    each: Duration,
    began: Instant,
    sent: Sent,
) -> Result<()> {
    sleep(each.mul_f64(number as f64 / clients as f64)).await;
    let mut ticks = interval(each);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let y = number as f64 / CURSORS as f64;
    for step in (0..MOVES).cycle() {
        ticks.tick().await;
        let x = step as f64 / MOVES as f64;
        sent.borrow_mut()[number][step] = began.elapsed().as_micros() as u64;
        let frame = format!(
            r#"{{"type":"presence","dashboard":"{dashboard}","presence":{{"cursor":{{"on":"canvas","x":{x},"y":{y}}},"selected":["w1"],"editing":null,"dragging":null}}}}"#
        );
        writer.text(frame.as_bytes()).await?;
    }
    Ok(())
}

/// Notes how late the others' cursors arrive.
async fn watch(
    mut reader: Reader,
    number: usize,
    began: Instant,
    sent: Sent,
    measuring: Rc<Cell<bool>>,
    latencies: Rc<RefCell<Vec<u32>>>,
) -> Result<()> {
    let mut last = [MOVES; CURSORS];
    loop {
        let frame = reader.text().await?;
        if !measuring.get() || !frame.starts_with(br#"{"type":"presence""#) {
            continue;
        }
        let now = began.elapsed().as_micros() as u64;
        for at in memmem::find_iter(frame, b"\"x\":") {
            let Some(x) = float_at(&frame[at + 4..]) else { continue };
            let y = memmem::find(&frame[at..], b"\"y\":").and_then(|y| float_at(&frame[at + y + 4..]));
            // A float is written as short as it can be: rounded, not cut off.
            let step = (x * MOVES as f64).round() as usize;
            let other = (y.unwrap_or(0.0) * CURSORS as f64).round() as usize;
            if other != number && other < CURSORS && step < MOVES && last[other] != step {
                last[other] = step;
                let sent = sent.borrow()[other][step];
                latencies.borrow_mut().push(now.saturating_sub(sent) as u32);
            }
        }
    }
}

fn float_at(text: &[u8]) -> Option<f64> {
    let number = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    std::str::from_utf8(&text[..text.iter().take_while(number).count()]).ok()?.parse().ok()
}

/// What sessions cost that do nothing.
pub struct Idle {
    pub kib_each: f64,
    /// Percent of a core, heartbeats included.
    pub cpu_percent: f64,
}

/// Opens sessions in rooms of 200 and lets them be; `None` where there is no `/proc`.
pub async fn idle(server: &Process, sessions: usize, seconds: f64) -> Result<Option<Idle>> {
    const ROOM: usize = 200;
    let mut targets = Vec::new();
    for _ in 0..sessions.div_ceil(ROOM) {
        targets.push(dashboard(server, 10, false).await?);
    }
    // Each reads and beats from the moment it is in: opening them all takes longer than a silence may.
    let mut tasks = Vec::new();
    let mut keep = |number: usize, (mut reader, mut writer): (Reader, Writer)| {
        let reads = spawn_local(async move { while reader.text().await.is_ok() {} });
        let writes = spawn_local(async move {
            sleep(Duration::from_secs_f64(10.0 * number as f64 / sessions as f64)).await;
            let mut pings = interval(Duration::from_secs(10));
            loop {
                pings.tick().await;
                if writer.text(br#"{"type":"ping","id":1}"#).await.is_err() {
                    return;
                }
            }
        });
        tasks.push((reads, writes));
    };
    // The first sessions pay for what all share.
    for (number, target) in targets.iter().enumerate() {
        let (reader, writer, _) = join(server, target).await?;
        keep(number, (reader, writer));
    }
    sleep(Duration::from_secs(2)).await;
    let before = server.memory_kib();
    let first = targets.len();
    for number in first..sessions {
        let (reader, writer, _) = join(server, &targets[number % targets.len()]).await?;
        keep(number, (reader, writer));
    }
    sleep(Duration::from_secs(5)).await;
    let cpu = server.cpu();
    sleep(Duration::from_secs_f64(seconds)).await;
    let (cpu_after, after) = (server.cpu(), server.memory_kib());
    let ended = tasks.iter().filter(|(reads, writes)| reads.is_finished() || writes.is_finished()).count();
    assert_eq!(ended, 0, "sessions that the server closed");
    for (reads, writes) in tasks {
        reads.abort();
        writes.abort();
    }
    let (Some(before), Some(after), Some(cpu), Some(cpu_after)) = (before, after, cpu, cpu_after) else {
        return Ok(None);
    };
    Ok(Some(Idle {
        kib_each: after.saturating_sub(before) as f64 / (sessions - first) as f64,
        cpu_percent: (cpu_after - cpu) / seconds * 100.0,
    }))
}

/// What a fresh join costs.
pub struct Joins {
    /// From asking to having it all, the middle one.
    pub ms: f64,
    pub cpu_ms: Option<f64>,
    pub kib: f64,
}

/// Joins a dashboard of 200 full widgets after so many edits, one after another.
pub async fn joins(server: &Process, edits: usize, times: usize) -> Result<Joins> {
    const PUSH: usize = 50;
    let target = dashboard(server, 200, true).await?;
    let Target::Dashboard { id, widgets } = &target else { unreachable!("a dashboard was made") };
    let (mut reader, mut writer, base) = join(server, &target).await?;
    for first in (1..=edits).step_by(PUSH) {
        let changes: Vec<_> = (first..first + PUSH)
            .map(|seq| {
                let op = serde_json::json!({
                    "op": "set", "id": format!("w{}", seq % widgets), "field": "max", "value": 1_000 + seq,
                });
                serde_json::json!({ "seq": seq, "base": base, "ops": [op] })
            })
            .collect();
        let push = serde_json::json!({ "type": "push", "dashboard": id, "changes": changes });
        writer.text(push.to_string().as_bytes()).await?;
        reader.text_with(&format!("\"revision\":{},", base as usize + first + PUSH - 1)).await?;
    }
    drop((reader, writer));
    sleep(Duration::from_secs(1)).await;

    let mut connections = Vec::new();
    for _ in 0..times {
        let (mut reader, writer) = hello(server).await?;
        reader.text_with("\"type\":\"welcome\"").await?;
        connections.push((reader, writer));
    }
    let leave = format!(r#"{{"type":"leave","dashboard":"{id}"}}"#);
    let cpu = server.cpu();
    let (mut took, mut kib) = (Vec::new(), 0.0);
    for (reader, writer) in &mut connections {
        let asked = Instant::now();
        writer.text(join_frame(id).as_bytes()).await?;
        let joined = reader.text_with("\"type\":\"joined\"").await?;
        took.push(asked.elapsed().as_secs_f64() * 1000.0);
        assert!(memmem::find(joined, b"\"snapshot\":{").is_some(), "a fresh join brings a snapshot");
        kib = joined.len() as f64 / 1024.0;
        writer.text(leave.as_bytes()).await?;
    }
    let cpu_ms = cpu.zip(server.cpu()).map(|(before, after)| (after - before) * 1000.0 / times as f64);
    took.sort_by(f64::total_cmp);
    Ok(Joins { ms: took[times / 2], cpu_ms, kib })
}
