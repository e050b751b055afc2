//! Floods: idle connections, half requests, joins that nobody reads, dashboards in a loop.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::people::Town;
use crate::support::{Client, Got};

/// Where strangers come from: Linux takes all of 127.0.0.0/8 for this machine.
const STRANGER: [u8; 4] = [127, 0, 0, 2];

/// What became of connections.
#[derive(Debug, Default)]
pub struct Connections {
    pub open: usize,
    /// That the server did not take.
    pub turned_away: usize,
}

/// Opens connections from an address of their own, which say so much and nothing more.
pub async fn connect(addr: SocketAddr, count: usize, says: &'static [u8]) -> (Vec<TcpStream>, Connections) {
    let mut open = Vec::new();
    let mut told = Connections::default();
    for _ in 0..count.div_ceil(100) {
        let connecting = (0..100).map(|_| async move {
            let socket = TcpSocket::new_v4().ok()?;
            socket.bind(SocketAddr::from((STRANGER, 0))).ok()?;
            let connecting = tokio::time::timeout(Duration::from_secs(5), socket.connect(addr));
            let mut stream = connecting.await.ok()?.ok()?;
            stream.write_all(says).await.ok()?;
            Some(stream)
        });
        for stream in join_all(connecting).await {
            match stream {
                Some(stream) => open.push(stream),
                None => told.turned_away += 1,
            }
        }
    }
    told.open = open.len();
    (open, told)
}

/// Waits until the server has closed them, for so long at most; how many it closed.
pub async fn closed(streams: &mut [TcpStream], most: Duration) -> usize {
    let until = Instant::now() + most;
    let closing = streams.iter_mut().map(|stream| async move {
        let mut bytes = [0; 512];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, stream.read(&mut bytes)).await {
                Ok(Ok(0) | Err(_)) => return true,
                Ok(Ok(_)) => {}
                Err(_) => return false,
            }
        }
    });
    join_all(closing).await.into_iter().filter(|closed| *closed).count()
}

/// Makes dashboards as fast as it can; how many came about, and how many were refused.
pub async fn make_dashboards(town: &Town, count: usize) -> (usize, usize) {
    let stranger = reqwest::Client::builder().local_address(std::net::IpAddr::from(STRANGER)).build();
    let stranger = stranger.expect("a client");
    let (mut made, mut refused) = (0, 0);
    for _ in 0..count.div_ceil(20) {
        let asking = (0..20).map(|_| {
            stranger.post(town.url("/api/v1/dashboards")).json(&json!({"title": "One of too many"})).send()
        });
        for answer in join_all(asking).await {
            match answer {
                Ok(answer) if answer.status().is_success() => made += 1,
                _ => refused += 1,
            }
        }
    }
    (made, refused)
}

/// A dashboard of some megabytes.
pub async fn large_dashboard(town: &Town) -> Result<String, String> {
    let text = "All work and no play. ".repeat(900);
    let widgets: serde_json::Map<String, Value> = (0..100)
        .map(|n| {
            let frame = json!({"x": n % 2 * 12, "y": n / 2 * 4, "w": 12, "h": 4});
            (format!("n{n}"), json!({"kind": "note", "title": "", "frame": frame, "options": {"text": text}}))
        })
        .collect();
    let made = town.http.post(town.url("/api/v1/dashboards")).json(&json!({"title": "Large"})).send().await;
    let made: Value = made.map_err(words)?.json().await.map_err(words)?;
    let id = made["id"].as_str().ok_or(made.to_string())?.to_owned();
    let mut client = Client::connect_with(town.addr, &[]).await.map_err(words)?;
    client.hello("large").await;
    client.join(&id).await;
    for (seq, (widget, content)) in (1..).zip(widgets) {
        let op = json!({"op": "add_widget", "id": widget, "widget": content});
        client.push(&id, json!([{"seq": seq, "base": 0, "ops": [op]}])).await;
        loop {
            match client.got().await {
                Got::Frame(frame) if frame["type"] == "commits" => break,
                Got::Frame(frame) if frame["type"] == "rejected" => return Err(frame.to_string()),
                Got::Frame(_) => {}
                gone => return Err(format!("{gone:?}")),
            }
        }
    }
    Ok(id)
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Sessions that join again and again and read nothing. Returns them, so that they stay.
pub async fn join_unread(town: &Town, dashboard: &str, sessions: usize, joins: usize) -> Vec<Client> {
    let mut all = Vec::new();
    for n in 0..sessions {
        let Ok(mut client) = Client::connect_with(town.addr, &[]).await else { continue };
        client.hello(&format!("deaf-{n}")).await;
        for _ in 0..joins {
            client.send(json!({"type": "join", "dashboard": dashboard})).await;
        }
        all.push(client);
    }
    all
}
